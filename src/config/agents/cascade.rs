//! `cascade`: recognition, somebody who answers, and speech; and `local`, which is one of them.

mod asr;
mod providers;
mod tts;

use std::path::Path;
use std::time::Duration;

use self::providers::providers;
use super::{Environment, phrases, resolve};
use crate::backend::cascade::llm::LlmSettings;
use crate::backend::cascade::tts::Voice;
use crate::backend::cascade::{BrainSettings, CascadeSettings, PACE_RANGE};
use crate::backend::local::LocalSettings;
use crate::cascade::intent::CommonAnswer;
use crate::limits::PREPARED_TEXTS_MAX;
use crate::yaml::Fields;

/// Characters of a text that is spoken ahead, and ways to ask for one.
const PREPARED_CHARS_MAX: usize = 500;
const WAYS_TO_ASK_MAX: usize = 50;
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
    let llm = providers(&mut fields, "llm", &CHAT, (), |(), it| llm(it, environment));
    let brain = match llm.is_empty() {
        true => BrainSettings::Dialogue { time_zone },
        false => BrainSettings::Llm(llm),
    };
    let tts = tts::decode(&mut fields, environment);
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

const CHAT: [providers::ProviderKind<()>; 1] = [("chat", (), &[&LLM_KEYS])];
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
