//! `backend`, and a section for each: who holds the conversation.

use std::path::{Path, PathBuf};

use super::{BackendConfig, Environment, cascade, nova, resolve};
use crate::backend::echo::EchoSettings;
use crate::backend::scripted::ScriptedSettings;
use crate::yaml::Fields;

pub(super) fn backend(
    fields: &mut Fields<'_, '_>,
    folder: Option<&Path>,
    environment: &Environment,
) -> BackendConfig {
    #[derive(Clone, Copy)]
    enum Kind {
        Local,
        Cascade,
        Scripted,
        Echo,
        NovaSonic,
    }
    let kinds = [
        ("local", Kind::Local),
        ("cascade", Kind::Cascade),
        ("scripted", Kind::Scripted),
        ("echo", Kind::Echo),
        ("nova_sonic", Kind::NovaSonic),
    ];
    let kind = fields.choice("backend", &kinds, Kind::Local);
    // Sections of backends that are not in use are decoded too: their mistakes would show later.
    let local = cascade::local(fields, folder, environment);
    let cascade = cascade::decode(fields, folder, environment);
    let script = scripted(fields, folder);
    let echo = echo(fields);
    let nova_sonic = nova::decode(fields, folder);
    match (kind, script) {
        (Kind::Local, _) => BackendConfig::Local(local),
        (Kind::Cascade, _) => match cascade {
            Some(cascade) => BackendConfig::Cascade(Box::new(cascade)),
            None => {
                let example = "`cascade: {asr: {kind: pocketsphinx}, tts: {kind: flite}}`";
                fields
                    .refuse("backend", format!("the cascade needs its stages, such as {example}"));
                BackendConfig::Local(local)
            }
        },
        (Kind::Echo, _) => BackendConfig::Echo(echo),
        (Kind::NovaSonic, _) => BackendConfig::NovaSonic(Box::new(nova_sonic)),
        (Kind::Scripted, Some(script)) => BackendConfig::Scripted(ScriptedSettings { script }),
        (Kind::Scripted, None) => {
            fields.refuse("backend", "the scripted backend needs `scripted: {script: FILE}`");
            BackendConfig::Echo(echo)
        }
    }
}

fn scripted(fields: &mut Fields<'_, '_>, folder: Option<&Path>) -> Option<PathBuf> {
    let mut scripted = fields.fields("scripted", &["script"])?;
    let script = scripted.required_string("script");
    (!script.is_empty()).then(|| resolve(folder, &script))
}

fn echo(fields: &mut Fields<'_, '_>) -> EchoSettings {
    let mut settings = EchoSettings::STANDARD;
    if let Some(mut echo) = fields.fields("echo", &["silence_dbfs"]) {
        settings.silence_dbfs = echo.f32_in("silence_dbfs", -90.0..=0.0, settings.silence_dbfs);
    }
    settings
}
