//! `cascade.tts`: what speaks.

use serde_json::{Map, Value};

use std::path::Path;

use super::providers::{PRICES, Priced, ProviderKind, providers};
use super::{aws, key, patience, text};
use crate::backend::cascade::tts::{
    CartesiaSettings, DeepgramVoiceSettings, ElevenLabsSettings, MoshiVoiceSettings,
    SpeechSettings, Voice, VoicePatience,
};
use crate::backend::cascade::{Ranked, TtsSettings};
use crate::config::Environment;
use crate::yaml::Fields;

const RATES: [(&str, u32); 4] =
    [("8000", 8_000), ("16000", 16_000), ("24000", 24_000), ("48000", 48_000)];
/// How closely a model keeps to its voice.
const CFG_ALPHAS: std::ops::RangeInclusive<f32> = 0.0..=10.0;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Flite,
    Speech,
    Cartesia,
    ElevenLabs,
    Deepgram,
    Moshi,
    Polly,
}

/// Each kind, and the keys that it has.
pub(super) const KINDS: [ProviderKind<Kind>; 7] = [
    ("flite", Kind::Flite, &[&["voice"]]),
    (
        "speech",
        Kind::Speech,
        &[
            &REMOTE,
            &["voice", "path", "model", "format", "sample_rate_hz", "requests_max", "extra"],
        ],
    ),
    (
        "cartesia",
        Kind::Cartesia,
        &[&REMOTE, &["voice", "model", "sample_rate_hz", "version", "language"]],
    ),
    ("elevenlabs", Kind::ElevenLabs, &[&REMOTE, &["voice", "model", "sample_rate_hz", "language"]]),
    ("deepgram", Kind::Deepgram, &[&REMOTE, &["model", "sample_rate_hz"]]),
    ("polly", Kind::Polly, &[&aws::REACH, &aws::OF_POLLY, &[PRICES]]),
    ("moshi", Kind::Moshi, &[&REMOTE, &["voice", "path", "cfg_alpha"]]),
];
/// Keys of every kind behind a network.
const REMOTE: [&str; 6] = [
    "url",
    "api_key_env",
    "connect_timeout_ms",
    "first_audio_timeout_ms",
    "stall_timeout_ms",
    PRICES,
];
/// What they are paid for: 1 000 characters.
const PRICED: [Priced; 1] = [("chars", |prices, price| prices.chars = price)];

/// The voices under `tts`: flite if there are none.
pub(super) fn decode(
    fields: &mut Fields<'_, '_>,
    folder: Option<&Path>,
    environment: &Environment,
) -> Vec<Ranked<TtsSettings>> {
    let found = providers(fields, "tts", &KINDS, Kind::Flite, &PRICED, |kind, fields| match kind {
        Kind::Flite => TtsSettings::Flite(fields.choice("voice", &Voice::NAMES, Voice::Slt)),
        Kind::Speech => TtsSettings::Speech(Box::new(speech(fields, environment))),
        Kind::Cartesia => TtsSettings::Cartesia(Box::new(cartesia(fields, environment))),
        Kind::ElevenLabs => TtsSettings::ElevenLabs(Box::new(elevenlabs(fields, environment))),
        Kind::Deepgram => TtsSettings::Deepgram(Box::new(deepgram(fields, environment))),
        Kind::Moshi => TtsSettings::Moshi(Box::new(moshi(fields, environment))),
        Kind::Polly => TtsSettings::Polly(Box::new(aws::polly(fields, folder))),
    });
    if found.is_empty() { vec![TtsSettings::Flite(Voice::Slt).into()] } else { found }
}

fn speech(fields: &mut Fields<'_, '_>, environment: &Environment) -> SpeechSettings {
    let url = fields.required_string("url");
    let mut settings = SpeechSettings::new(url, key(fields, environment));
    text(fields, "path", &mut settings.path);
    text(fields, "model", &mut settings.model);
    text(fields, "voice", &mut settings.voice);
    text(fields, "format", &mut settings.format);
    rate(fields, &mut settings.sample_rate_hz);
    let most = fields.u32_in("requests_max", 1..=1_000, settings.requests_max as u32);
    settings.requests_max = most as usize;
    settings.extra = extra(fields);
    patience(fields, "connect_timeout_ms", &mut settings.connect_timeout);
    patience(fields, "first_audio_timeout_ms", &mut settings.first_audio_timeout);
    patience(fields, "stall_timeout_ms", &mut settings.stall_timeout);
    settings
}

fn cartesia(fields: &mut Fields<'_, '_>, environment: &Environment) -> CartesiaSettings {
    let key = public_key(fields, environment);
    let mut settings = CartesiaSettings::new(fields.required_string("voice"), key);
    text(fields, "url", &mut settings.url);
    text(fields, "version", &mut settings.version);
    text(fields, "model", &mut settings.model);
    settings.language = fields.string_max("language", 35);
    rate(fields, &mut settings.sample_rate_hz);
    live(fields, &mut settings.patience);
    settings
}

fn elevenlabs(fields: &mut Fields<'_, '_>, environment: &Environment) -> ElevenLabsSettings {
    let key = public_key(fields, environment);
    let mut settings = ElevenLabsSettings::new(fields.required_string("voice"), key);
    text(fields, "url", &mut settings.url);
    text(fields, "model", &mut settings.model);
    settings.language = fields.string_max("language", 35);
    rate(fields, &mut settings.sample_rate_hz);
    live(fields, &mut settings.patience);
    settings
}

fn deepgram(fields: &mut Fields<'_, '_>, environment: &Environment) -> DeepgramVoiceSettings {
    let mut settings = DeepgramVoiceSettings::new(public_key(fields, environment));
    text(fields, "url", &mut settings.url);
    text(fields, "model", &mut settings.model);
    rate(fields, &mut settings.sample_rate_hz);
    live(fields, &mut settings.patience);
    settings
}

fn moshi(fields: &mut Fields<'_, '_>, environment: &Environment) -> MoshiVoiceSettings {
    let url = fields.required_string("url");
    let mut settings = MoshiVoiceSettings::new(url, key(fields, environment));
    text(fields, "path", &mut settings.path);
    settings.voice = fields.string_max("voice", 200);
    settings.cfg_alpha = fields.f32_in("cfg_alpha", CFG_ALPHAS, settings.cfg_alpha);
    live(fields, &mut settings.patience);
    settings
}

/// The key of a provider that takes nobody without one at its public address.
fn public_key(fields: &mut Fields<'_, '_>, environment: &Environment) -> Option<String> {
    if fields.place("url").is_none() {
        fields.required("api_key_env");
    }
    key(fields, environment)
}

fn rate(fields: &mut Fields<'_, '_>, value: &mut u32) {
    *value = fields.choice("sample_rate_hz", &RATES, *value);
}

fn live(fields: &mut Fields<'_, '_>, value: &mut VoicePatience) {
    patience(fields, "connect_timeout_ms", &mut value.connect_timeout);
    patience(fields, "first_audio_timeout_ms", &mut value.first_audio_timeout);
    patience(fields, "stall_timeout_ms", &mut value.stall_timeout);
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

#[cfg(test)]
mod tests;
