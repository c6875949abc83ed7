//! `backend`, and a section for each: who holds the conversation.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{BackendConfig, Environment, nova, resolve};
use crate::backend::echo::EchoSettings;
use crate::backend::local::{LlmSettings, LocalSettings, Voice};
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
        Scripted,
        Echo,
        NovaSonic,
    }
    let kinds = [
        ("local", Kind::Local),
        ("scripted", Kind::Scripted),
        ("echo", Kind::Echo),
        ("nova_sonic", Kind::NovaSonic),
    ];
    let kind = fields.choice("backend", &kinds, Kind::Local);
    // Sections of backends that are not in use are decoded too: their mistakes would show later.
    let local = local(fields, folder, environment);
    let script = scripted(fields, folder);
    let echo = echo(fields);
    let nova_sonic = nova::decode(fields, folder);
    match (kind, script) {
        (Kind::Local, _) => BackendConfig::Local(local),
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

fn local(
    fields: &mut Fields<'_, '_>,
    relative_to: Option<&Path>,
    environment: &Environment,
) -> LocalSettings {
    let mut settings = LocalSettings::standard();
    let known = [
        "voice",
        "pace",
        "recognition_model",
        "recognisers_kept",
        "recognisers_max",
        "time_zone",
        "llm",
    ];
    let Some(mut local) = fields.fields("local", &known) else { return settings };
    settings.voice = local.choice("voice", &Voice::NAMES, settings.voice);
    settings.pace = local.f32_in("pace", LocalSettings::PACE_RANGE, settings.pace);
    if let Some(folder) = local.string("recognition_model") {
        settings.recognition_model = resolve(relative_to, &folder);
    }
    let kept = local.u32_in("recognisers_kept", 1..=64, settings.recognisers_kept as u32);
    settings.recognisers_kept = kept as usize;
    let most = local.u32_in("recognisers_max", 1..=1_000, settings.recognisers_max as u32);
    settings.recognisers_max = most as usize;
    settings.time_zone = local.string("time_zone");
    settings.llm = llm(&mut local, environment);
    settings
}

fn llm(local: &mut Fields<'_, '_>, environment: &Environment) -> Option<LlmSettings> {
    let known = [
        "url",
        "model",
        "api_key_env",
        "tokens_max",
        "connect_timeout_ms",
        "first_token_timeout_ms",
        "stall_timeout_ms",
    ];
    let mut fields = local.fields("llm", &known)?;
    let (url, model) = (fields.required_string("url"), fields.required_string("model"));
    let key = fields.string("api_key_env").and_then(|variable| {
        let key = environment.get(&variable).map(str::to_owned);
        if key.is_none() {
            let problem = format!("the environment variable `{variable}` is not set");
            fields.refuse("api_key_env", problem);
        }
        key
    });
    let mut settings = LlmSettings::new(url, model, key);
    settings.tokens_max = fields.u32_in("tokens_max", 1..=4_096, settings.tokens_max);
    let mut set = |key: &str, value: &mut Duration| {
        *value = fields.duration_ms(key, 100..=120_000, *value);
    };
    set("connect_timeout_ms", &mut settings.connect_timeout);
    set("first_token_timeout_ms", &mut settings.first_token_timeout);
    set("stall_timeout_ms", &mut settings.stall_timeout);
    Some(settings)
}
