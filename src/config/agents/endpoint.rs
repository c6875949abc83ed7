//! `turn.silence_ms` and `turn.endpoint`: when the user's turn is over.
//!
//! The first is short for `endpoint: {strategy: silence, silence_ms: ...}`. A key that the strategy has
//! no use for is a mistake: whoever wrote it expects something of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::resolve;
use crate::call::settings::{EndpointSettings, EndpointStrategy};
use crate::yaml::Fields;

/// The pauses that may end a turn; see [`EndpointStrategy::Silence`].
pub(super) const SILENCE_MS: std::ops::RangeInclusive<u64> = 100..=5_000;
const SILENCE_DEFAULT: Duration = Duration::from_millis(600);
const THRESHOLD_DEFAULT: f32 = 0.5;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Strategy {
    Silence,
    Adaptive,
    Semantic,
    Backend,
}

impl Strategy {
    const NAMES: [(&'static str, Self); 4] = [
        ("silence", Self::Silence),
        ("adaptive", Self::Adaptive),
        ("semantic", Self::Semantic),
        ("backend", Self::Backend),
    ];

    const fn of(strategy: EndpointStrategy) -> Self {
        match strategy {
            EndpointStrategy::Silence(_) => Self::Silence,
            EndpointStrategy::Adaptive => Self::Adaptive,
            EndpointStrategy::Semantic { .. } => Self::Semantic,
            EndpointStrategy::Backend => Self::Backend,
        }
    }

    fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, strategy)| *strategy == self);
        found.map_or("", |(name, _)| name)
    }

    /// What each key goes with.
    const fn takes(self, key: &str) -> bool {
        match key.as_bytes() {
            b"silence_ms" => matches!(self, Self::Silence),
            b"min_ms" | b"max_ms" | b"speculate" => matches!(self, Self::Adaptive | Self::Semantic),
            b"model" | b"threshold" => matches!(self, Self::Semantic),
            _ => true,
        }
    }
}

/// Decodes what `turn` says of it. Answers the model's file where one is named. `ends_turns`: the backend
/// can say when a turn is over.
pub(super) fn decode(
    turn: &mut Fields<'_, '_>,
    endpoint: &mut EndpointSettings,
    folder: Option<&Path>,
    ends_turns: bool,
) -> Option<PathBuf> {
    if turn.place("silence_ms").is_some() {
        if turn.place("endpoint").is_some() {
            turn.refuse(
                "silence_ms",
                "is short for endpoint: {strategy: silence, silence_ms: ...}; expected one of the \
                 two, received both",
            );
        }
        let silence = turn.duration_ms("silence_ms", SILENCE_MS, SILENCE_DEFAULT);
        *endpoint = EndpointSettings::silence(silence);
        return None;
    }
    let known = ["strategy", "silence_ms", "min_ms", "max_ms", "model", "threshold", "speculate"];
    let mut fields = turn.fields("endpoint", &known)?;
    let current = Strategy::of(endpoint.strategy);
    let strategy = fields.choice("strategy", &Strategy::NAMES, current);
    for key in known.into_iter().filter(|key| !strategy.takes(key)) {
        if fields.place(key).is_some() {
            let problem = format!("means nothing to the strategy `{}`", strategy.name());
            fields.refuse(key, problem);
        }
    }
    let model = fields.string("model").map(|path| resolve(folder, &path));
    let threshold = match endpoint.strategy {
        EndpointStrategy::Semantic { threshold } => threshold,
        _ => THRESHOLD_DEFAULT,
    };
    let threshold = fields.f32_in("threshold", 0.05..=0.95, threshold);
    let silence = match endpoint.strategy {
        EndpointStrategy::Silence(silence) => silence,
        _ => SILENCE_DEFAULT,
    };
    let silence = fields.duration_ms("silence_ms", SILENCE_MS, silence);
    *endpoint = EndpointSettings {
        strategy: match strategy {
            Strategy::Silence => EndpointStrategy::Silence(silence),
            Strategy::Adaptive => EndpointStrategy::Adaptive,
            Strategy::Semantic => EndpointStrategy::Semantic { threshold },
            Strategy::Backend => EndpointStrategy::Backend,
        },
        min: fields.duration_ms("min_ms", 100..=2_000, endpoint.min),
        max: fields.duration_ms("max_ms", 100..=5_000, endpoint.max),
        speculate: fields.bool("speculate", endpoint.speculate),
    };
    if endpoint.max < endpoint.min {
        let (min, max) = (endpoint.min.as_millis(), endpoint.max.as_millis());
        fields.refuse("max_ms", format!("expected at least min_ms ({min}), received {max}"));
    }
    // Where it is the strategy already, the model is known.
    if strategy == Strategy::Semantic && current != Strategy::Semantic && model.is_none() {
        let problem = "the strategy `semantic` needs `model: FILE`, a Smart Turn v3 ONNX file";
        fields.refuse("strategy", problem);
    }
    if strategy == Strategy::Backend && !ends_turns {
        fields.refuse("strategy", "this agent's backend does not say when a turn is over");
    }
    model
}
