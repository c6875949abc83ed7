//! `cascade`: recognition, somebody who answers, and speech; and `local`, which is one of them.

mod asr;
mod aws;
mod context;
mod llm;
mod providers;
mod tts;

use std::path::Path;
use std::time::Duration;

use super::{Environment, phrases, resolve};
use crate::backend::cascade::tts::Voice;
use crate::backend::cascade::{BrainSettings, CascadeSettings, OwnWords, PACE_RANGE};
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
    let known =
        ["asr", "llm", "tts", "pace", "time_zone", "prepared", "answers", "says", "context"];
    let mut fields = fields.fields("cascade", &known)?;
    let asr = asr::decode(&mut fields, folder, environment);
    let time_zone = fields.string("time_zone");
    let models = llm::decode(&mut fields, folder, environment);
    let brain = match models.is_empty() {
        true => BrainSettings::Dialogue { time_zone },
        false => BrainSettings::Llm(models),
    };
    refuse_idle(&mut fields);
    let tts = tts::decode(&mut fields, folder, environment);
    let pace = fields.f32_in("pace", PACE_RANGE, 1.0);
    let memory = context::memory(&mut fields);
    let prepared = phrases(&mut fields, "prepared", PREPARED_TEXTS_MAX, PREPARED_CHARS_MAX);
    let answers = answers(&mut fields);
    let own_words = own_words(&mut fields);
    Some(CascadeSettings { asr, brain, tts, pace, memory, prepared, answers, own_words })
}

/// Keys that would be of no effect beside the others.
fn refuse_idle(fields: &mut Fields<'_, '_>) {
    let has_model = fields.place("llm").is_some();
    let idle: &[&str] = if has_model { &["time_zone"] } else { &["answers", "says", "context"] };
    let problem = if has_model {
        "is for the small dialogue, but a language model answers; leave one of them out"
    } else {
        "is for a language model, but none answers; name one under llm, or leave it out"
    };
    for key in idle {
        if fields.place(key).is_some() {
            fields.refuse(key, problem);
        }
    }
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

/// What it says by itself.
fn own_words(fields: &mut Fields<'_, '_>) -> OwnWords {
    let mut own_words = OwnWords::default();
    let Some(mut says) = fields.fields("says", &["not_heard", "failed"]) else { return own_words };
    for (key, text) in [("not_heard", &mut own_words.not_heard), ("failed", &mut own_words.failed)]
    {
        match says.string_max(key, PREPARED_CHARS_MAX) {
            Some(said) if said.trim().is_empty() => {
                says.refuse(key, "expected some text, received none");
            }
            Some(said) => *text = said,
            None => {}
        }
    }
    own_words
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
    settings.llm = llm::chat(&mut local, environment);
    settings
}

/// The key in the environment variable that is named.
fn key(fields: &mut Fields<'_, '_>, environment: &Environment) -> Option<String> {
    let variable = fields.string("api_key_env")?;
    let key = environment.get(&variable).map(str::to_owned);
    if key.is_none() {
        fields.refuse("api_key_env", Environment::absence(&variable));
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
