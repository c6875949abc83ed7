//! `llm`: the language model that answers.

use std::path::Path;

use super::providers::{PRICES, Priced, ProviderKind, providers};
use super::{aws, key, patience};
use crate::backend::cascade::llm::{ConverseSettings, LlmSettings};
use crate::backend::cascade::{ModelSettings, Ranked};
use crate::config::Environment;
use crate::yaml::Fields;

/// Each kind, and the keys that it has.
pub(super) const KINDS: [ProviderKind<Kind>; 2] = [
    ("chat", Kind::Chat, &[&OF_CHAT, &[PRICES]]),
    ("converse", Kind::Converse, &[&aws::REACH, &OF_CONVERSE, &[PRICES]]),
];
const OF_CHAT: [&str; 9] = [
    "url",
    "model",
    "api_key_env",
    "tokens_max",
    "strict_tools",
    "include_usage",
    "connect_timeout_ms",
    "first_token_timeout_ms",
    "stall_timeout_ms",
];
const OF_CONVERSE: [&str; 5] =
    ["model", "tokens_max", "temperature", "first_token_timeout_ms", "stall_timeout_ms"];

/// Of 1 000 tokens.
const PRICED: [Priced; 3] = [
    ("text_in", |prices, price| prices.text_in = price),
    ("text_cached", |prices, price| prices.text_cached = Some(price)),
    ("text_out", |prices, price| prices.text_out = price),
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Chat,
    Converse,
}

/// The models under `llm`; none if none is named.
pub(super) fn decode(
    fields: &mut Fields<'_, '_>,
    folder: Option<&Path>,
    environment: &Environment,
) -> Vec<Ranked<ModelSettings>> {
    providers(fields, "llm", &KINDS, Kind::Chat, &PRICED, |kind, fields| match kind {
        Kind::Chat => ModelSettings::Chat(of_chat(fields, environment)),
        Kind::Converse => ModelSettings::Converse(Box::new(of_converse(fields, folder))),
    })
}

/// The section `llm` where only a chat endpoint is possible.
pub(super) fn chat(fields: &mut Fields<'_, '_>, environment: &Environment) -> Option<LlmSettings> {
    let mut fields = fields.fields("llm", &OF_CHAT)?;
    Some(of_chat(&mut fields, environment))
}

fn of_chat(fields: &mut Fields<'_, '_>, environment: &Environment) -> LlmSettings {
    let (url, model) = (fields.required_string("url"), fields.required_string("model"));
    let mut settings = LlmSettings::new(url, model, key(fields, environment));
    settings.tokens_max = fields.u32_in("tokens_max", 1..=4_096, settings.tokens_max);
    settings.strict_tools = fields.bool("strict_tools", settings.strict_tools);
    settings.include_usage = fields.bool("include_usage", settings.include_usage);
    patience(fields, "connect_timeout_ms", &mut settings.connect_timeout);
    patience(fields, "first_token_timeout_ms", &mut settings.first_token_timeout);
    patience(fields, "stall_timeout_ms", &mut settings.stall_timeout);
    settings
}

fn of_converse(fields: &mut Fields<'_, '_>, folder: Option<&Path>) -> ConverseSettings {
    let mut settings = ConverseSettings::new(fields.required_string("model"));
    settings.aws = aws::reach(fields, folder);
    settings.tokens_max = fields.u32_in("tokens_max", 1..=4_096, settings.tokens_max);
    if fields.place("temperature").is_some() {
        settings.temperature = Some(fields.f32_in("temperature", 0.0..=1.0, 1.0));
    }
    patience(fields, "first_token_timeout_ms", &mut settings.first_token_timeout);
    patience(fields, "stall_timeout_ms", &mut settings.stall_timeout);
    settings
}
