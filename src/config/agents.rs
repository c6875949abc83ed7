//! `agents`: who answers. Each entry is a persona, a backend and how it takes turns.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Environment, Overrides};
use crate::agent::AgentSettings;
use crate::backend::echo::EchoSettings;
use crate::backend::local::{LlmSettings, LocalSettings, Voice};
use crate::backend::scripted::ScriptedSettings;
use crate::call::settings::CallSettings;
use crate::media::uplink::{NoiseSuppression, UplinkSettings};
use crate::yaml::{Errors, Fields, Place};

const PERSONA_CHARS_MAX: usize = 20_000;
const GREETING_CHARS_MAX: usize = 1_000;
/// The pauses that may end a turn; see [`crate::call::settings::EndpointSettings`].
const SILENCE_MS: std::ops::RangeInclusive<u64> = 100..=5_000;

/// One agent of the configuration.
#[derive(Clone, Debug)]
pub struct AgentProfile {
    /// Instructions to the model.
    pub persona: String,
    /// The first words; `None` leaves them to the backend.
    pub greeting: Option<String>,
    /// BCP 47 tag, default `en-US`.
    pub language: String,
    /// Who holds the conversation.
    pub backend: BackendConfig,
    /// How it listens and takes turns.
    pub settings: AgentSettings,
}

/// A backend and its settings.
#[derive(Clone, Debug)]
pub enum BackendConfig {
    Local(LocalSettings),
    Scripted(ScriptedSettings),
    Echo(EchoSettings),
}

impl BackendConfig {
    /// Its name, as the file and `--backend` write it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Local(_) => "local",
            Self::Scripted(_) => "scripted",
            Self::Echo(_) => "echo",
        }
    }
}

impl AgentProfile {
    /// The agent that exists when the file defines none.
    pub(super) fn built_in() -> Self {
        Self {
            persona:
                "You are a friendly voice assistant. Answer in one or two short sentences, in \
                      plain words that sound natural when spoken."
                    .to_owned(),
            greeting: None,
            language: "en-US".to_owned(),
            backend: BackendConfig::Local(LocalSettings::standard()),
            settings: AgentSettings::default(),
        }
    }

    /// Lays the command line over the entry.
    pub(super) fn apply(&mut self, overrides: &Overrides) -> Result<(), String> {
        if let Some(silence_ms) = overrides.silence_ms {
            if !SILENCE_MS.contains(&u64::from(silence_ms)) {
                return Err(format!(
                    "--silence-ms: expected {} to {}, received {silence_ms}",
                    SILENCE_MS.start(),
                    SILENCE_MS.end()
                ));
            }
            self.settings.call.endpoint.silence = Duration::from_millis(u64::from(silence_ms));
        }
        let name = match (&overrides.backend, &overrides.script) {
            (Some(name), _) => name.as_str(),
            (None, Some(_)) => "scripted",
            (None, None) => return Ok(()),
        };
        let is_current = self.backend.name() == name;
        match (name, &overrides.script) {
            ("scripted", Some(script)) => {
                self.backend = BackendConfig::Scripted(ScriptedSettings { script: script.clone() });
            }
            ("scripted", None) if !is_current => {
                return Err("--backend scripted needs a script: add --script FILE, such as \
                            deploy/examples/tone.yaml"
                    .to_owned());
            }
            (_, Some(_)) => {
                return Err(format!("--script goes with --backend scripted, not with {name}"));
            }
            (_, None) if is_current => {}
            ("local", None) => self.backend = BackendConfig::Local(LocalSettings::standard()),
            ("echo", None) => self.backend = BackendConfig::Echo(EchoSettings::STANDARD),
            (unknown, None) => {
                return Err(format!(
                    "--backend: expected local, scripted or echo, received `{unknown}`"
                ));
            }
        }
        Ok(())
    }
}

pub(super) fn decode(
    place: &Place<'_>,
    errors: &mut Errors,
    folder: Option<&Path>,
    environment: &Environment,
) -> AgentProfile {
    let mut profile = AgentProfile::built_in();
    let mut known = vec!["persona", "greeting", "language", "backend", "local", "scripted", "echo"];
    known.extend(SETTINGS);
    let Some(mut fields) = place.fields(errors, &known) else { return profile };
    if let Some(persona) = fields.string_max("persona", PERSONA_CHARS_MAX) {
        profile.persona = persona;
    }
    match fields.string_max("greeting", GREETING_CHARS_MAX) {
        Some(off) if off == "off" => profile.settings.call.greet = false,
        greeting => profile.greeting = greeting,
    }
    if let Some(language) = fields.string_max("language", 35) {
        profile.language = language;
    }
    profile.backend = backend(&mut fields, folder, environment);
    if matches!(profile.backend, BackendConfig::Local(_)) && !is_english(&profile.language) {
        let problem = format!(
            "the local backend hears and speaks English only, received `{}`; expected en or en-...",
            profile.language
        );
        fields.refuse("language", problem);
    }
    settings(&mut fields, &mut profile.settings);
    profile
}

/// The keys of an agent that say how it listens and takes turns.
pub(super) const SETTINGS: [&str; 4] = ["turn", "speech", "noise_suppression", "jitter"];

/// Decodes [`SETTINGS`].
pub(super) fn settings(fields: &mut Fields<'_, '_>, settings: &mut AgentSettings) {
    turn(fields, &mut settings.call);
    speech(fields, &mut settings.call);
    uplink(fields, &mut settings.uplink);
}

fn backend(
    fields: &mut Fields<'_, '_>,
    folder: Option<&Path>,
    environment: &Environment,
) -> BackendConfig {
    #[derive(Clone, Copy)]
    enum Kind {
        Local,
        Scripted,
        Echo,
    }
    let kinds = [("local", Kind::Local), ("scripted", Kind::Scripted), ("echo", Kind::Echo)];
    let kind = fields.choice("backend", &kinds, Kind::Local);
    // Sections of backends that are not in use are decoded too: their mistakes would show later.
    let local = local(fields, folder, environment);
    let script = scripted(fields, folder);
    let echo = echo(fields);
    match (kind, script) {
        (Kind::Local, _) => BackendConfig::Local(local),
        (Kind::Echo, _) => BackendConfig::Echo(echo),
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

fn turn(fields: &mut Fields<'_, '_>, call: &mut CallSettings) {
    let known = [
        "silence_ms",
        "turn_max_ms",
        "reply_timeout_ms",
        "stall_timeout_ms",
        "backend_setup_timeout_ms",
        "call_max_ms",
        "key_timeout_ms",
        "client_buffer_ms",
    ];
    let Some(mut turn) = fields.fields("turn", &known) else { return };
    let mut set = |key: &str, range_ms: std::ops::RangeInclusive<u64>, value: &mut Duration| {
        *value = turn.duration_ms(key, range_ms, *value);
    };
    set("silence_ms", SILENCE_MS, &mut call.endpoint.silence);
    set("turn_max_ms", 5_000..=600_000, &mut call.turn_max);
    set("reply_timeout_ms", 1_000..=120_000, &mut call.reply_timeout);
    set("stall_timeout_ms", 500..=60_000, &mut call.stall_timeout);
    set("backend_setup_timeout_ms", 1_000..=120_000, &mut call.backend_setup_timeout);
    set("call_max_ms", 10_000..=86_400_000, &mut call.call_max);
    set("key_timeout_ms", 200..=10_000, &mut call.key_timeout);
    set("client_buffer_ms", 0..=500, &mut call.client_buffer);
}

fn speech(fields: &mut Fields<'_, '_>, call: &mut CallSettings) {
    let known =
        ["start_threshold", "stop_threshold", "floor_dbfs", "speech_min_ms", "silence_min_ms"];
    let Some(mut speech) = fields.fields("speech", &known) else { return };
    let settings = &mut call.speech;
    settings.start_threshold =
        speech.f32_in("start_threshold", 0.1..=0.95, settings.start_threshold);
    settings.stop_threshold = speech.f32_in("stop_threshold", 0.05..=0.95, settings.stop_threshold);
    settings.floor_dbfs = speech.f32_in("floor_dbfs", -127.0..=-30.0, settings.floor_dbfs);
    settings.speech_min = speech.duration_ms("speech_min_ms", 20..=500, settings.speech_min);
    settings.silence_min = speech.duration_ms("silence_min_ms", 20..=1_000, settings.silence_min);
    if settings.stop_threshold > settings.start_threshold {
        let problem = format!(
            "expected at most start_threshold ({}), received {}",
            settings.start_threshold, settings.stop_threshold
        );
        speech.refuse("stop_threshold", problem);
    }
}

fn uplink(fields: &mut Fields<'_, '_>, uplink: &mut UplinkSettings) {
    let modes = [
        ("off", NoiseSuppression::Off),
        ("light", NoiseSuppression::Light),
        ("rnnoise", NoiseSuppression::Rnnoise),
        ("auto", NoiseSuppression::Auto),
    ];
    uplink.noise = fields.choice("noise_suppression", &modes, uplink.noise);
    let Some(mut jitter) = fields.fields("jitter", &["depth_min_ms", "depth_max_ms", "quantile"])
    else {
        return;
    };
    let settings = &mut uplink.jitter;
    settings.depth_min = jitter.duration_ms("depth_min_ms", 20..=400, settings.depth_min);
    settings.depth_max = jitter.duration_ms("depth_max_ms", 20..=400, settings.depth_max);
    settings.quantile = jitter.f32_in("quantile", 0.5..=1.0, settings.quantile);
    if settings.depth_max < settings.depth_min {
        jitter.refuse("depth_max_ms", "expected at least depth_min_ms");
    }
}

fn is_english(language: &str) -> bool {
    language.split('-').next().is_some_and(|primary| primary.eq_ignore_ascii_case("en"))
}

/// A path of the file: relative ones begin at the file's folder.
pub(super) fn resolve(folder: Option<&Path>, path: &str) -> PathBuf {
    folder.map_or_else(|| PathBuf::from(path), |folder| folder.join(path))
}
