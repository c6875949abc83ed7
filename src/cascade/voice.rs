//! Voices behind a WebSocket: what their providers' protocols have in common.
//!
//! A [`VoiceWire`] is one connection as its provider understands it. It is told what is to be spoken and what
//! came, and says what is to be sent and what was heard. It opens nothing and waits for nothing.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use crate::call::event::WordTime;
use crate::limits::MODEL_ERROR_CHARS_MAX;

/// One connection. It speaks one phrase at a time: [`VoiceWire::speak`] is called when the phrase before is
/// done or was stopped. What comes of a phrase that was stopped is never heard.
pub trait VoiceWire: fmt::Debug + Send {
    /// Has this spoken, `pace` times as fast as usual as far as the provider can.
    fn speak(&mut self, text: &str, pace: f32);

    /// The phrase is not wanted any more.
    fn stop(&mut self);

    /// Something came.
    ///
    /// # Errors
    ///
    /// The phrase fails, and the connection is no use any more.
    fn handle_message(&mut self, message: Received<'_>) -> Result<Heard, VoiceError>;

    /// What is to be sent next.
    fn poll_message(&mut self) -> Option<Message>;

    /// Whether a connection serves one phrase: its end is the phrase's, and closing it stops the phrase.
    fn speaks_once(&self) -> bool;
}

/// A message to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Text(String),
    Binary(Vec<u8>),
}

/// A message of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

/// What a message holds of the phrase that is being spoken; nothing if it is about something else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// More of its sound, mono.
    pub pcm: Vec<i16>,
    /// When words of it sound, counted from the first sample of the phrase, silence included. They may come
    /// before or after the sound they are about.
    pub words: Vec<WordTime>,
    /// All of it has come.
    pub is_done: bool,
}

/// Why a phrase fails. The texts follow the name of a service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoiceError {
    /// The message is none of its protocol.
    #[error("sent something that cannot be read")]
    Unreadable,
    /// It has no capacity for this.
    #[error("is busy: {0}")]
    Busy(String),
    /// It does not do this, for a reason with a status as HTTP has it.
    #[error("answered {status}: {message}")]
    Refused { status: u16, message: String },
    /// It does not do this.
    #[error("failed: {0}")]
    Failed(String),
}

impl Heard {
    pub(super) fn pcm(pcm: Vec<i16>) -> Self {
        Self { pcm, ..Self::default() }
    }

    pub(super) fn done() -> Self {
        Self { is_done: true, ..Self::default() }
    }
}

/// Little-endian 16-bit samples out of bytes that may be cut within a sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Samples {
    half: Option<u8>,
}

impl Samples {
    pub(super) const fn new() -> Self {
        Self { half: None }
    }

    /// The samples that these bytes complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<i16> {
        let mut pcm = Vec::with_capacity(bytes.len() / 2 + 1);
        let mut rest = bytes;
        if let (Some(low), Some((high, after))) = (self.half, bytes.split_first()) {
            self.half = None;
            pcm.push(i16::from_le_bytes([low, *high]));
            rest = after;
        }
        let (pairs, odd) = rest.as_chunks::<2>();
        pcm.extend(pairs.iter().map(|pair| i16::from_le_bytes(*pair)));
        if let [half] = odd {
            self.half = Some(*half);
        }
        pcm
    }
}

/// As tolerant as sound allows: padding is not needed.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of a field, none if it is absent or null.
pub(super) fn bytes_of(field: Option<&Value>) -> Result<Vec<u8>, VoiceError> {
    match field {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => BASE64.decode(text).map_err(|_| VoiceError::Unreadable),
        Some(_) => Err(VoiceError::Unreadable),
    }
}

/// The object that a message is.
pub(super) fn object_of(message: Received<'_>) -> Result<Value, VoiceError> {
    let Received::Text(text) = message else { return Err(VoiceError::Unreadable) };
    let value = serde_json::from_str(text).ok().filter(Value::is_object);
    value.ok_or(VoiceError::Unreadable)
}

/// A word and when it sounds; `None` if there is no word, or no such time.
pub(super) fn word(text: &str, start_s: f64, end_s: f64) -> Option<WordTime> {
    let time = |seconds| Duration::try_from_secs_f64(seconds).ok();
    let (start, end) = (time(start_s)?, time(end_s)?);
    let text = text.trim();
    (!text.is_empty()).then(|| WordTime { text: text.to_owned(), start, end })
}

/// The first of these fields that is a text, short and on one line.
pub(super) fn message_of(error: &Value, fields: &[&str]) -> String {
    let text = fields.iter().find_map(|field| error.get(field).and_then(Value::as_str));
    short(text.unwrap_or("no reason was given"))
}

/// What of a provider's text is shown.
pub(super) fn short(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(MODEL_ERROR_CHARS_MAX).map(plain).collect()
}

/// A pace as it was configured, to three decimals: 1.2, not the 1.2000000477 that it is in 32 bits.
pub(super) fn decimal(pace: f32) -> f64 {
    (f64::from(pace) * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests;
