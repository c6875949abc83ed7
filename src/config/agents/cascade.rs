//! `cascade`: recognition, somebody who answers, and speech; and `local`, which is one of them.

mod asr;
mod providers;

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use self::providers::providers;
use super::{Environment, phrases, resolve};
use crate::backend::cascade::llm::LlmSettings;
use crate::backend::cascade::tts::{SpeechSettings, Voice};
use crate::backend::cascade::{BrainSettings, CascadeSettings, PACE_RANGE, TtsSettings};
use crate::backend::local::LocalSettings;
use crate::cascade::intent::CommonAnswer;
use crate::limits::PREPARED_TEXTS_MAX;
use crate::yaml::Fields;

/// Characters of a text that is spoken ahead, and ways to ask for one.
const PREPARED_CHARS_MAX: usize = 500;
const WAYS_TO_ASK_MAX: usize = 50;
const RATES: [(&str, u32); 4] =
    [("8000", 8_000), ("16000", 16_000), ("24000", 24_000), ("48000", 48_000)];
/// How long a stage may be told to wait.
const PATIENCE_MS: std::ops::RangeInclusive<u64> = 100..=120_000;

/// The section `cascade`; `None` if there is none.
pub(super) fn decode(
    fields: &mut Fields<'_, '_>,
    folder: Option<&Path>,
    environment: &Environment,
) -> Option<CascadeSettings> {
    let known = ["asr", "llm", "tts", "pace", "time_zone", "prepared", "answers"];
    let mut fields = fields.fields("cascade", &known)?;
    let asr = asr::decode(&mut fields, folder, environment);
    let time_zone = fields.string("time_zone");
    let kinds = [("chat", (), &LLM_KEYS[..])];
    let llm = providers(&mut fields, "llm", &kinds, (), |(), it| llm(it, environment));
    let brain = match llm.is_empty() {
        true => BrainSettings::Dialogue { time_zone },
        false => BrainSettings::Llm(llm),
    };
    let kinds = [("flite", Kind::Flite, &["voice"][..]), ("speech", Kind::Speech, &OF_SPEECH)];
    let mut tts =
        providers(&mut fields, "tts", &kinds, Kind::Flite, |kind, it| tts(kind, it, environment));
    if tts.is_empty() {
        tts.push(TtsSettings::Flite(Voice::Slt).into());
    }
    let pace = fields.f32_in("pace", PACE_RANGE, 1.0);
    let prepared = phrases(&mut fields, "prepared", PREPARED_TEXTS_MAX, PREPARED_CHARS_MAX);
    let answers = answers(&mut fields);
    Some(CascadeSettings { asr, brain, tts, pace, prepared, answers })
}

/// Questions that always have the same answer.
fn answers(fields: &mut Fields<'_, '_>) -> Vec<CommonAnswer> {
    let places = fields.list("answers", PREPARED_TEXTS_MAX);
    let mut answers = Vec::new();
    for place in places {
        let Some(mut fields) = place.fields(fields.errors(), &["when", "say"]) else { continue };
        let when = phrases(&mut fields, "when", WAYS_TO_ASK_MAX, PREPARED_CHARS_MAX);
        if when.is_empty() {
            fields.refuse("when", "expected at least one way to ask, received none");
        }
        let say = fields.required_string("say");
        answers.push(CommonAnswer { when, say });
    }
    answers
}

const OF_SPEECH: [&str; 12] = [
    "voice",
    "url",
    "path",
    "model",
    "format",
    "api_key_env",
    "sample_rate_hz",
    "requests_max",
    "extra",
    "connect_timeout_ms",
    "first_audio_timeout_ms",
    "stall_timeout_ms",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Flite,
    Speech,
}

fn tts(kind: Kind, fields: &mut Fields<'_, '_>, environment: &Environment) -> TtsSettings {
    match kind {
        Kind::Flite => TtsSettings::Flite(fields.choice("voice", &Voice::NAMES, Voice::Slt)),
        Kind::Speech => {
            let url = fields.required_string("url");
            let mut settings = SpeechSettings::new(url, key(fields, environment));
            text(fields, "path", &mut settings.path);
            text(fields, "model", &mut settings.model);
            text(fields, "voice", &mut settings.voice);
            text(fields, "format", &mut settings.format);
            settings.sample_rate_hz =
                fields.choice("sample_rate_hz", &RATES, settings.sample_rate_hz);
            let most = fields.u32_in("requests_max", 1..=1_000, settings.requests_max as u32);
            settings.requests_max = most as usize;
            settings.extra = extra(fields);
            patience(fields, "connect_timeout_ms", &mut settings.connect_timeout);
            patience(fields, "first_audio_timeout_ms", &mut settings.first_audio_timeout);
            patience(fields, "stall_timeout_ms", &mut settings.stall_timeout);
            TtsSettings::Speech(Box::new(settings))
        }
    }
}

/// Members that a speech server wants besides those of the API: JSON text, so that numbers stay numbers.
fn extra(fields: &mut Fields<'_, '_>) -> Map<String, Value> {
    let Some(text) = fields.string_max("extra", 2_000) else { return Map::new() };
    match serde_json::from_str(&text) {
        Ok(Value::Object(extra)) => extra,
        Ok(_) | Err(_) => {
            let problem = "expected a JSON object in quotes, such as '{\"temperature\": 0.7}'";
            fields.refuse("extra", problem);
            Map::new()
        }
    }
}

/// The section `local`.
pub(super) fn local(
    fields: &mut Fields<'_, '_>,
    folder: Option<&Path>,
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
    settings.pace = local.f32_in("pace", PACE_RANGE, settings.pace);
    settings.recognition = asr::recognisers(&mut local, folder);
    settings.time_zone = local.string("time_zone");
    settings.llm =
        local.fields("llm", &LLM_KEYS).map(|mut llm_fields| llm(&mut llm_fields, environment));
    settings
}

const LLM_KEYS: [&str; 7] = [
    "url",
    "model",
    "api_key_env",
    "tokens_max",
    "connect_timeout_ms",
    "first_token_timeout_ms",
    "stall_timeout_ms",
];

fn llm(fields: &mut Fields<'_, '_>, environment: &Environment) -> LlmSettings {
    let (url, model) = (fields.required_string("url"), fields.required_string("model"));
    let mut settings = LlmSettings::new(url, model, key(fields, environment));
    settings.tokens_max = fields.u32_in("tokens_max", 1..=4_096, settings.tokens_max);
    patience(fields, "connect_timeout_ms", &mut settings.connect_timeout);
    patience(fields, "first_token_timeout_ms", &mut settings.first_token_timeout);
    patience(fields, "stall_timeout_ms", &mut settings.stall_timeout);
    settings
}

/// The key in the environment variable that is named.
fn key(fields: &mut Fields<'_, '_>, environment: &Environment) -> Option<String> {
    let variable = fields.string("api_key_env")?;
    let key = environment.get(&variable).map(str::to_owned);
    if key.is_none() {
        let problem = format!("the environment variable `{variable}` is not set");
        fields.refuse("api_key_env", problem);
    }
    key
}

fn text(fields: &mut Fields<'_, '_>, key: &str, value: &mut String) {
    if let Some(text) = fields.string_max(key, 200) {
        *value = text;
    }
}

fn patience(fields: &mut Fields<'_, '_>, key: &str, value: &mut Duration) {
    *value = fields.duration_ms(key, PATIENCE_MS, *value);
}

#[cfg(test)]
mod tests;
