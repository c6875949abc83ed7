//! The stages that are AWS's: `transcribe` and `polly`, and how such a stage is reached.

use std::path::Path;

use super::{patience, text};
use crate::backend::aws::AwsSettings;
use crate::backend::cascade::asr::{Stability, TranscribeSettings};
use crate::backend::cascade::tts::PollySettings;
use crate::config::agents::resolve;
use crate::yaml::Fields;

/// The keys that say how a stage is reached.
pub(super) const REACH: [&str; 4] = ["region", "endpoint_url", "ca_file", "instance_metadata"];
/// The other keys of a recogniser of the kind `transcribe`.
pub(super) const OF_TRANSCRIBE: [&str; 6] = [
    "language",
    "vocabulary_name",
    "stability",
    "connect_timeout_ms",
    "answer_timeout_ms",
    "idle_ms",
];
/// The other keys of a voice of the kind `polly`.
pub(super) const OF_POLLY: [&str; 6] = [
    "voice",
    "engine",
    "sample_rate_hz",
    "streaming",
    "first_audio_timeout_ms",
    "stall_timeout_ms",
];

const REGION_CHARS_MAX: usize = 32;
const URL_CHARS_MAX: usize = 500;

/// A recogniser of the kind `transcribe`.
pub(super) fn transcribe(fields: &mut Fields<'_, '_>, folder: Option<&Path>) -> TranscribeSettings {
    let mut settings = TranscribeSettings { aws: reach(fields, folder), ..Default::default() };
    text(fields, "language", &mut settings.language);
    settings.vocabulary_name = fields.string_max("vocabulary_name", 200);
    let names = [("low", Stability::Low), ("medium", Stability::Medium), ("high", Stability::High)];
    settings.stability = fields.choice("stability", &names, settings.stability);
    patience(fields, "connect_timeout_ms", &mut settings.connect_timeout);
    patience(fields, "answer_timeout_ms", &mut settings.answer_timeout);
    patience(fields, "idle_ms", &mut settings.idle);
    settings
}

/// A voice of the kind `polly`.
pub(super) fn polly(fields: &mut Fields<'_, '_>, folder: Option<&Path>) -> PollySettings {
    let mut settings = PollySettings { aws: reach(fields, folder), ..Default::default() };
    text(fields, "voice", &mut settings.voice);
    let engines = ["standard", "neural", "long-form", "generative"].map(|name| (name, name));
    settings.engine = fields.choice("engine", &engines, "generative").to_owned();
    let rates = [("8000", 8_000), ("16000", 16_000)];
    settings.sample_rate_hz = fields.choice("sample_rate_hz", &rates, settings.sample_rate_hz);
    settings.streaming = fields.bool("streaming", settings.streaming);
    if settings.streaming && settings.engine != "generative" {
        fields.refuse("streaming", "only the engine generative has streams of both directions");
    }
    patience(fields, "first_audio_timeout_ms", &mut settings.first_audio_timeout);
    patience(fields, "stall_timeout_ms", &mut settings.stall_timeout);
    settings
}

/// How a stage is reached. Keys are in none of these: they come from where all AWS tools find them.
pub(super) fn reach(fields: &mut Fields<'_, '_>, folder: Option<&Path>) -> AwsSettings {
    let region = fields.string_max("region", REGION_CHARS_MAX);
    let is_region = |region: &String| {
        let is_lawful = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !region.is_empty() && region.chars().all(is_lawful)
    };
    if region.as_ref().is_some_and(|region| !is_region(region)) {
        fields.refuse("region", "expected the name of a region such as us-east-1");
    }
    let endpoint_url = fields.string_max("endpoint_url", URL_CHARS_MAX);
    if endpoint_url.as_ref().is_some_and(|url| !url.starts_with("https://")) {
        fields
            .refuse("endpoint_url", "expected https://..., since the streams need HTTP/2 over TLS");
    }
    let ca_file = fields.string("ca_file").map(|path| resolve(folder, &path));
    let instance_metadata = fields.bool("instance_metadata", false);
    AwsSettings { region, endpoint_url, ca_file, instance_metadata, keys: None }
}
