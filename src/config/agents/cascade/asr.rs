//! `cascade.asr`: what recognises speech.

use std::path::Path;

use super::providers::{PRICES, Priced, ProviderKind, providers};
use super::{aws, key, patience, phrases, resolve, text};
use crate::backend::cascade::asr::{
    DeepgramSettings, FluxSettings, MoshiSettings, TranscriptionSettings,
};
use crate::backend::cascade::{AsrSettings, PocketSphinxSettings, Ranked};
use crate::config::Environment;
use crate::yaml::Fields;

/// Words that a recogniser is told to expect, and characters of each.
const VOCABULARY_MAX: usize = 100;
const VOCABULARY_CHARS_MAX: usize = 64;
const LANGUAGE_CHARS_MAX: usize = 35;

/// Each kind, and the keys that it has.
pub(super) const KINDS: [ProviderKind<Kind>; 6] = [
    (
        "pocketsphinx",
        Kind::PocketSphinx,
        &[&["recognition_model", "recognisers_kept", "recognisers_max"]],
    ),
    ("transcription", Kind::Transcription, &[&REMOTE, &OF_WORDS]),
    ("deepgram", Kind::Deepgram, &[&REMOTE, &OF_WORDS]),
    (
        "flux",
        Kind::Flux,
        &[&REMOTE, &OF_WORDS, &["eot_threshold", "eager_eot_threshold", "eot_timeout_ms"]],
    ),
    ("transcribe", Kind::Transcribe, &[&aws::REACH, &aws::OF_TRANSCRIBE, &[PRICES]]),
    ("moshi", Kind::Moshi, &[&REMOTE, &["delay_ms"]]),
];
/// Keys of every kind behind a network, and of those that are told what to expect.
const REMOTE: [&str; 5] = ["url", "api_key_env", TIMEOUTS[0], TIMEOUTS[1], PRICES];
/// What they are paid for: a minute of audio.
const PRICED: [Priced; 1] = [("minute", |prices, price| prices.minute = price)];
const OF_WORDS: [&str; 3] = ["model", "language", "vocabulary"];
const TIMEOUTS: [&str; 2] = ["connect_timeout_ms", "answer_timeout_ms"];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    PocketSphinx,
    Transcription,
    Deepgram,
    Flux,
    Moshi,
    Transcribe,
}

/// The recognisers under `asr`: PocketSphinx if there are none.
pub(super) fn decode(
    fields: &mut Fields<'_, '_>,
    folder: Option<&Path>,
    environment: &Environment,
) -> Vec<Ranked<AsrSettings>> {
    let found =
        providers(fields, "asr", &KINDS, Kind::PocketSphinx, &PRICED, |kind, fields| match kind {
            Kind::PocketSphinx => AsrSettings::PocketSphinx(recognisers(fields, folder)),
            Kind::Transcription => transcription(fields, environment),
            Kind::Deepgram => deepgram(fields, environment),
            Kind::Flux => flux(fields, environment),
            Kind::Moshi => moshi(fields, environment),
            Kind::Transcribe => AsrSettings::Transcribe(Box::new(aws::transcribe(fields, folder))),
        });
    let standard = || vec![AsrSettings::PocketSphinx(PocketSphinxSettings::default()).into()];
    if found.is_empty() { standard() } else { found }
}

pub(super) fn recognisers(
    fields: &mut Fields<'_, '_>,
    folder: Option<&Path>,
) -> PocketSphinxSettings {
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

fn transcription(fields: &mut Fields<'_, '_>, environment: &Environment) -> AsrSettings {
    let url = fields.required_string("url");
    let mut settings = TranscriptionSettings::new(url, key(fields, environment));
    text(fields, "model", &mut settings.model);
    settings.language = fields.string_max("language", LANGUAGE_CHARS_MAX);
    settings.vocabulary = vocabulary(fields);
    patience(fields, TIMEOUTS[0], &mut settings.connect_timeout);
    patience(fields, TIMEOUTS[1], &mut settings.answer_timeout);
    AsrSettings::Transcription(settings)
}

fn deepgram(fields: &mut Fields<'_, '_>, environment: &Environment) -> AsrSettings {
    let mut settings = DeepgramSettings::new(account_key(fields, environment));
    text(fields, "url", &mut settings.url);
    text(fields, "model", &mut settings.model);
    settings.language = fields.string_max("language", LANGUAGE_CHARS_MAX);
    settings.vocabulary = vocabulary(fields);
    patience(fields, TIMEOUTS[0], &mut settings.connect_timeout);
    patience(fields, TIMEOUTS[1], &mut settings.answer_timeout);
    AsrSettings::Deepgram(settings)
}

fn flux(fields: &mut Fields<'_, '_>, environment: &Environment) -> AsrSettings {
    let mut settings = FluxSettings::new(account_key(fields, environment));
    text(fields, "url", &mut settings.url);
    text(fields, "model", &mut settings.model);
    settings.language = fields.string_max("language", LANGUAGE_CHARS_MAX);
    settings.vocabulary = vocabulary(fields);
    settings.eot_threshold = fields.f32_in("eot_threshold", 0.5..=1.0, settings.eot_threshold);
    settings.eager_eot_threshold =
        fields.f32_in("eager_eot_threshold", 0.3..=0.9, settings.eager_eot_threshold);
    if settings.eager_eot_threshold > settings.eot_threshold {
        let problem = format!(
            "expected at most `eot_threshold`, which is {}: an end that is certain is likely too",
            settings.eot_threshold
        );
        fields.refuse("eager_eot_threshold", problem);
    }
    settings.eot_timeout = fields.duration_ms("eot_timeout_ms", 500..=60_000, settings.eot_timeout);
    patience(fields, TIMEOUTS[0], &mut settings.connect_timeout);
    patience(fields, TIMEOUTS[1], &mut settings.answer_timeout);
    AsrSettings::Flux(settings)
}

fn moshi(fields: &mut Fields<'_, '_>, environment: &Environment) -> AsrSettings {
    let url = fields.required_string("url");
    let mut settings = MoshiSettings::new(url, key(fields, environment));
    settings.delay = fields.duration_ms("delay_ms", 0..=5_000, settings.delay);
    patience(fields, TIMEOUTS[0], &mut settings.connect_timeout);
    patience(fields, TIMEOUTS[1], &mut settings.answer_timeout);
    AsrSettings::Moshi(settings)
}

/// The key of a service that is asked without an address: nobody is let in there without one.
fn account_key(fields: &mut Fields<'_, '_>, environment: &Environment) -> Option<String> {
    let is_public = fields.place("url").is_none();
    if is_public && fields.place("api_key_env").is_none() {
        let problem = "is required: the name of the environment variable that holds the key";
        fields.refuse("api_key_env", problem);
    }
    key(fields, environment)
}

fn vocabulary(fields: &mut Fields<'_, '_>) -> Vec<String> {
    phrases(fields, "vocabulary", VOCABULARY_MAX, VOCABULARY_CHARS_MAX)
}

#[cfg(test)]
mod tests;
