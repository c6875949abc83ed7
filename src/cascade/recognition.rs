//! What streaming recognisers say, in words that they share.
//!
//! [`deepgram`](super::deepgram), [`flux`](super::flux) and [`moshi`](super::moshi) read their service's
//! messages into these.

use serde_json::Value;

use super::failover::FailureKind;
use crate::limits::MODEL_ERROR_CHARS_MAX;

/// One message of a service.
#[derive(Clone, Debug, PartialEq)]
pub enum Recognised {
    /// It takes audio from now on. Not every service says so.
    Ready,
    /// What it heard.
    Heard(Heard),
    /// It gives up.
    Failed(Fault),
    /// Something of the protocol, or of a later version of it, that is of no use here.
    Other,
    /// None of the protocol's.
    Malformed,
}

/// What was heard, in the order of its members: text, then what follows from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    pub text: HeardText,
    /// How far on the connection's audio this reaches, in milliseconds from its beginning.
    pub until_ms: Option<u64>,
    /// An answer to a request to write out what was held back.
    pub flushed: Option<Flushed>,
    /// How likely the speaker is done, 0 to 1.
    pub complete: Option<f32>,
}

/// Words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HeardText {
    /// None are told.
    #[default]
    None,
    /// All that is not settled, in place of what was told of it before.
    Interim(String),
    /// These come behind what is settled, and replace what was interim.
    Settled(String),
}

/// To which request a service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// The oldest, or the newest that the message reaches.
    Oldest,
    /// The one of this number.
    Number(i64),
}

/// Why a service gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: FailureKind,
    /// In its words, on one line, at most [`MODEL_ERROR_CHARS_MAX`] characters.
    pub message: String,
}

impl Heard {
    /// Nothing but text.
    pub fn text(text: HeardText) -> Self {
        Self { text, ..Self::default() }
    }
}

impl Fault {
    /// Whatever a service calls its failure.
    pub fn new(kind: FailureKind, message: &str) -> Self {
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let message = message.chars().take(MODEL_ERROR_CHARS_MAX).map(plain).collect();
        Self { kind, message }
    }
}

/// Samples as 16 bit, little-endian.
pub fn linear16(pcm: &[i16]) -> Vec<u8> {
    pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// Seconds from the beginning as milliseconds, if it is such a number.
pub(super) fn millis(seconds: Option<&Value>) -> Option<u64> {
    let seconds = seconds?.as_f64().filter(|seconds| seconds.is_finite() && *seconds >= 0.0)?;
    Some((seconds * 1_000.0).round() as u64)
}

/// A number from 0 to 1, if it is one.
pub(super) fn probability(value: Option<&Value>) -> Option<f32> {
    value?.as_f64().map(|value| value as f32).filter(|value| (0.0..=1.0).contains(value))
}
