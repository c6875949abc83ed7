//! `nova_sonic`: Amazon Nova Sonic, and how it is reached.

use std::path::Path;

use super::resolve;
use crate::backend::nova_sonic::{ConnectionSettings, NovaSonicSettings, WarmSettings};
use crate::nova::settings::{
    Endpointing, HistorySettings, Instructions, ModelVersion, NovaSettings, PatienceSettings,
    RenewalSettings, TextSettings,
};
use crate::nova::usage::Prices;
use crate::yaml::Fields;

const MODEL_CHARS_MAX: usize = 200;
const VOICE_CHARS_MAX: usize = 64;
const REGION_CHARS_MAX: usize = 32;
const URL_CHARS_MAX: usize = 500;
/// Of 1 000 tokens; more is a price of a million.
const PRICE_MAX: f64 = 100.0;
const INSTRUCTION_CHARS_MAX: usize = 1_000;
/// Conversations that one connection carries: the service takes 128 streams on one, and one more hangs.
const SESSIONS_PER_CONNECTION: usize = 100;

const KNOWN: [&str; 20] = [
    "model",
    "voice",
    "endpointing",
    "temperature",
    "top_p",
    "tokens_max",
    "output_rate_hz",
    "texts",
    "history",
    "renewal",
    "patience",
    "instructions",
    "region",
    "endpoint_url",
    "ca_file",
    "instance_metadata",
    "sessions_max",
    "renewal_spare",
    "warm",
    "prices",
];

pub(super) fn decode(fields: &mut Fields<'_, '_>, folder: Option<&Path>) -> NovaSonicSettings {
    let mut settings = NovaSonicSettings::default();
    let Some(mut fields) = fields.fields("nova_sonic", &KNOWN) else { return settings };
    conversation(&mut fields, &mut settings.nova);
    connection(&mut fields, &mut settings.connection, folder);
    prices(&mut fields, &mut settings.prices);
    settings
}

fn prices(fields: &mut Fields<'_, '_>, prices: &mut Prices) {
    let known = ["speech_in", "text_in", "speech_out", "text_out"];
    let Some(mut fields) = fields.fields("prices", &known) else { return };
    let rows = [
        ("speech_in", &mut prices.speech_in),
        ("text_in", &mut prices.text_in),
        ("speech_out", &mut prices.speech_out),
        ("text_out", &mut prices.text_out),
    ];
    for (key, price) in rows {
        *price = fields.f64_in(key, 0.0..=PRICE_MAX, *price);
    }
}

fn conversation(fields: &mut Fields<'_, '_>, settings: &mut NovaSettings) {
    if let Some(model) = word(fields, "model", MODEL_CHARS_MAX) {
        settings.model = model;
    }
    if let Some(voice) = word(fields, "voice", VOICE_CHARS_MAX) {
        settings.voice = voice;
    }
    let names =
        [("high", Endpointing::High), ("medium", Endpointing::Medium), ("low", Endpointing::Low)];
    settings.endpointing = fields.choice("endpointing", &names, settings.endpointing);
    let is_first = ModelVersion::of(&settings.model) == ModelVersion::V1;
    if is_first && fields.place("endpointing").is_some() {
        fields.refuse("endpointing", "the first Nova Sonic cannot be told; expected no such key");
    }
    settings.temperature = fields.f32_in("temperature", 0.0..=1.0, settings.temperature);
    settings.top_p = fields.f32_in("top_p", 0.0..=1.0, settings.top_p);
    settings.tokens_max = fields.u32_in("tokens_max", 1..=10_000, settings.tokens_max);
    let rates = [("8000", 8_000), ("16000", 16_000), ("24000", 24_000)];
    settings.output_rate_hz = fields.choice("output_rate_hz", &rates, settings.output_rate_hz);
    texts(fields, &mut settings.texts);
    history(fields, &mut settings.history);
    renewal(fields, &mut settings.renewal);
    patience(fields, &mut settings.patience);
    instructions(fields, &mut settings.instructions);
}

fn texts(fields: &mut Fields<'_, '_>, texts: &mut TextSettings) {
    let Some(mut fields) = fields.fields("texts", &["lead_ms", "piece_bytes_max"]) else { return };
    texts.lead = fields.duration_ms("lead_ms", 0..=2_000, texts.lead);
    texts.piece_bytes_max =
        size(&mut fields, "piece_bytes_max", 500..=50_000, texts.piece_bytes_max);
}

fn history(fields: &mut Fields<'_, '_>, history: &mut HistorySettings) {
    let known = ["message_bytes_max", "bytes_max", "messages_max"];
    let Some(mut fields) = fields.fields("history", &known) else { return };
    history.message_bytes_max =
        size(&mut fields, "message_bytes_max", 200..=50_000, history.message_bytes_max);
    history.bytes_max = size(&mut fields, "bytes_max", 1_000..=200_000, history.bytes_max);
    history.messages_max = size(&mut fields, "messages_max", 2..=1_000, history.messages_max);
    if history.message_bytes_max > history.bytes_max {
        let (whole, received) = (history.bytes_max, history.message_bytes_max);
        let problem = format!("expected at most bytes_max ({whole}), received {received}");
        fields.refuse("message_bytes_max", problem);
    }
}

fn renewal(fields: &mut Fields<'_, '_>, renewal: &mut RenewalSettings) {
    let known = ["after_ms", "jitter_ms", "at_latest_ms", "before_expiry_ms", "user_silence_ms"];
    let Some(mut fields) = fields.fields("renewal", &known) else { return };
    renewal.after = fields.duration_ms("after_ms", 5_000..=450_000, renewal.after);
    renewal.jitter = fields.duration_ms("jitter_ms", 0..=225_000, renewal.jitter);
    renewal.at_latest = fields.duration_ms("at_latest_ms", 5_000..=475_000, renewal.at_latest);
    // Keys are refreshed ten minutes before they expire; those of a new connection last longer than this.
    renewal.before_expiry =
        fields.duration_ms("before_expiry_ms", 30_000..=540_000, renewal.before_expiry);
    renewal.user_silence =
        fields.duration_ms("user_silence_ms", 10_000..=480_000, renewal.user_silence);
    let after_ms = renewal.after.as_millis();
    if renewal.jitter > renewal.after / 2 {
        let (most, received) = (after_ms / 2, renewal.jitter.as_millis());
        let problem = format!("expected at most half of after_ms ({most}), received {received}");
        fields.refuse("jitter_ms", problem);
    }
    if renewal.at_latest < renewal.after {
        let received = renewal.at_latest.as_millis();
        let problem = format!("expected at least after_ms ({after_ms}), received {received}");
        fields.refuse("at_latest_ms", problem);
    }
}

fn patience(fields: &mut Fields<'_, '_>, patience: &mut PatienceSettings) {
    let known = ["open_ms", "first_event_ms", "stall_ms", "attempts_max"];
    let Some(mut fields) = fields.fields("patience", &known) else { return };
    patience.open = fields.duration_ms("open_ms", 500..=60_000, patience.open);
    patience.first_event =
        fields.duration_ms("first_event_ms", 1_000..=60_000, patience.first_event);
    patience.stall = fields.duration_ms("stall_ms", 1_000..=60_000, patience.stall);
    patience.attempts_max = fields.u32_in("attempts_max", 1..=20, patience.attempts_max);
}

fn instructions(fields: &mut Fields<'_, '_>, instructions: &mut Instructions) {
    let known = ["greet", "say", "go_on", "late_result"];
    let Some(mut fields) = fields.fields("instructions", &known) else { return };
    let rows = [
        ("greet", &mut instructions.greet, false),
        ("say", &mut instructions.say, true),
        ("go_on", &mut instructions.go_on, false),
        ("late_result", &mut instructions.late_result, true),
    ];
    for (key, instruction, has_place) in rows {
        let Some(text) = word(&mut fields, key, INSTRUCTION_CHARS_MAX) else { continue };
        if has_place && !text.contains("{}") {
            fields.refuse(key, "expected `{}` in it, where the text is put");
        }
        *instruction = text;
    }
}

fn connection(
    fields: &mut Fields<'_, '_>,
    settings: &mut ConnectionSettings,
    folder: Option<&Path>,
) {
    settings.region = word(fields, "region", REGION_CHARS_MAX);
    let is_region = |region: &String| {
        region.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    if settings.region.as_ref().is_some_and(|region| !is_region(region)) {
        fields.refuse("region", "expected the name of a region such as us-east-1");
    }
    settings.endpoint_url = word(fields, "endpoint_url", URL_CHARS_MAX);
    if settings.endpoint_url.as_ref().is_some_and(|url| !url.starts_with("https://")) {
        fields
            .refuse("endpoint_url", "expected https://..., since the streams need HTTP/2 over TLS");
    }
    settings.ca_file = fields.string("ca_file").map(|path| resolve(folder, &path));
    settings.instance_metadata = fields.bool("instance_metadata", settings.instance_metadata);
    settings.sessions_max = size(fields, "sessions_max", 1..=1_000, settings.sessions_max);
    let spare = settings.renewal_spare.min(settings.sessions_max - 1);
    settings.renewal_spare = size(fields, "renewal_spare", 0..=999, spare);
    if settings.renewal_spare >= settings.sessions_max {
        let (most, received) = (settings.sessions_max, settings.renewal_spare);
        let problem = format!("expected less than sessions_max ({most}), received {received}");
        fields.refuse("renewal_spare", problem);
    }
    warm(fields, &mut settings.warm);
    let carried = SESSIONS_PER_CONNECTION * settings.warm.connections.max(1);
    if settings.sessions_max > carried {
        let problem = format!(
            "expected at most {carried}, since a connection carries {SESSIONS_PER_CONNECTION} (see \
             warm.connections), received {}",
            settings.sessions_max
        );
        fields.refuse("sessions_max", problem);
    }
    let calls = settings.sessions_max.saturating_sub(settings.renewal_spare);
    if settings.warm.sessions > calls {
        let received = settings.warm.sessions;
        let problem =
            format!("sessions: expected at most {calls}, which calls have, received {received}");
        fields.refuse("warm", problem);
    }
}

fn warm(fields: &mut Fields<'_, '_>, warm: &mut WarmSettings) {
    let known = ["connections", "sessions", "age_max_ms"];
    let Some(mut fields) = fields.fields("warm", &known) else { return };
    warm.connections = size(&mut fields, "connections", 0..=16, warm.connections);
    warm.sessions = size(&mut fields, "sessions", 0..=16, warm.sessions);
    warm.age_max = fields.duration_ms("age_max_ms", 30_000..=280_000, warm.age_max);
}

/// A text that is not empty, if given.
fn word(fields: &mut Fields<'_, '_>, key: &str, chars_max: usize) -> Option<String> {
    let text = fields.string_max(key, chars_max)?;
    if text.trim().is_empty() {
        fields.refuse(key, "expected some text, received none");
        return None;
    }
    Some(text)
}

fn size(
    fields: &mut Fields<'_, '_>,
    key: &str,
    range: std::ops::RangeInclusive<u32>,
    default: usize,
) -> usize {
    fields.u32_in(key, range, default as u32) as usize
}

#[cfg(test)]
mod tests;
