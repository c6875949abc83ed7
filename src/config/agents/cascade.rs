//! `cascade`: recognition, somebody who answers, and speech; and `local`, which is one of them.

mod providers;

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use self::providers::providers;
use super::{Environment, phrases, resolve};
use crate::backend::cascade::asr::TranscriptionSettings;
use crate::backend::cascade::llm::LlmSettings;
use crate::backend::cascade::tts::{SpeechSettings, Voice};
use crate::backend::cascade::{
    AsrSettings, BrainSettings, CascadeSettings, PACE_RANGE, PocketSphinxSettings, TtsSettings,
};
use crate::backend::local::LocalSettings;
use crate::cascade::intent::CommonAnswer;
use crate::limits::PREPARED_TEXTS_MAX;
use crate::yaml::Fields;

/// Words that a recogniser is told to expect, and characters of each.
const VOCABULARY_MAX: usize = 100;
const VOCABULARY_CHARS_MAX: usize = 64;
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
    let mut asr = providers(&mut fields, "asr", &asr_keys(), |it| asr(it, folder, environment));
    if asr.is_empty() {
        asr.push(AsrSettings::PocketSphinx(PocketSphinxSettings::default()).into());
    }
    let time_zone = fields.string("time_zone");
    let llm = providers(&mut fields, "llm", &LLM_KEYS, |it| llm(it, environment));
    let brain = match llm.is_empty() {
        true => BrainSettings::Dialogue { time_zone },
        false => BrainSettings::Llm(llm),
    };
    let mut tts = providers(&mut fields, "tts", &tts_keys(), |it| tts(it, environment));
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

const OF_POCKETSPHINX: [&str; 3] = ["recognition_model", "recognisers_kept", "recognisers_max"];
const OF_TRANSCRIPTION: [&str; 7] = [
    "url",
    "model",
    "language",
    "vocabulary",
    "api_key_env",
    "connect_timeout_ms",
    "answer_timeout_ms",
];

fn asr_keys() -> Vec<&'static str> {
    [&["kind"][..], &OF_POCKETSPHINX, &OF_TRANSCRIPTION].concat()
}

fn asr(
    fields: &mut Fields<'_, '_>,
    folder: Option<&Path>,
    environment: &Environment,
) -> AsrSettings {
    #[derive(Clone, Copy)]
    enum Kind {
        PocketSphinx,
        Transcription,
    }
    let kinds = [("pocketsphinx", Kind::PocketSphinx), ("transcription", Kind::Transcription)];
    match fields.choice("kind", &kinds, Kind::PocketSphinx) {
        Kind::PocketSphinx => {
            refuse(fields, &OF_TRANSCRIPTION, "pocketsphinx");
            AsrSettings::PocketSphinx(recognisers(fields, folder))
        }
        Kind::Transcription => {
            refuse(fields, &OF_POCKETSPHINX, "transcription");
            let url = fields.required_string("url");
            let mut settings = TranscriptionSettings::new(url, key(fields, environment));
            text(fields, "model", &mut settings.model);
            settings.language = fields.string_max("language", 35);
            settings.vocabulary =
                phrases(fields, "vocabulary", VOCABULARY_MAX, VOCABULARY_CHARS_MAX);
            patience(fields, "connect_timeout_ms", &mut settings.connect_timeout);
            patience(fields, "answer_timeout_ms", &mut settings.answer_timeout);
            AsrSettings::Transcription(settings)
        }
    }
}

const OF_SPEECH: [&str; 11] = [
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

fn tts_keys() -> Vec<&'static str> {
    [&["kind", "voice"][..], &OF_SPEECH].concat()
}

fn tts(fields: &mut Fields<'_, '_>, environment: &Environment) -> TtsSettings {
    #[derive(Clone, Copy)]
    enum Kind {
        Flite,
        Speech,
    }
    match fields.choice("kind", &[("flite", Kind::Flite), ("speech", Kind::Speech)], Kind::Flite) {
        Kind::Flite => {
            refuse(fields, &OF_SPEECH, "flite");
            TtsSettings::Flite(fields.choice("voice", &Voice::NAMES, Voice::Slt))
        }
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
    settings.recognition = recognisers(&mut local, folder);
    settings.time_zone = local.string("time_zone");
    settings.llm =
        local.fields("llm", &LLM_KEYS).map(|mut llm_fields| llm(&mut llm_fields, environment));
    settings
}

fn recognisers(fields: &mut Fields<'_, '_>, folder: Option<&Path>) -> PocketSphinxSettings {
    let mut settings = PocketSphinxSettings::default();
    if let Some(model) = fields.string("recognition_model") {
        settings.model = resolve(folder, &model);
    }
    let kept = fields.u32_in("recognisers_kept", 1..=64, settings.kept as u32);
    settings.kept = kept as usize;
    let most = fields.u32_in("recognisers_max", 1..=1_000, settings.most as u32);
    settings.most = most as usize;
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

/// Keys of the other kinds mean nothing here.
fn refuse(fields: &mut Fields<'_, '_>, keys: &[&str], kind: &str) {
    for key in keys {
        if fields.place(key).is_some() {
            fields.refuse(key, format!("a stage of the kind `{kind}` has no such key"));
        }
    }
}

#[cfg(test)]
mod tests;
