//! ElevenLabs' voices: JSON over `wss://api.elevenlabs.io/v1/text-to-speech/{voice}/multi-stream-input`.
//!
//! Each phrase is a context of its own, closed as soon as its text is sent: the provider then speaks it to
//! its end and says `isFinal`, which it does for a closed context only. So a phrase that was stopped needs
//! no further message: what comes of its context is dropped, and the next phrase has a new one.
//!
//! Alignment comes by character. The times of a message count from its own sound; servers that count from the
//! beginning of the context are told by their times.

mod alignment;

use std::collections::VecDeque;

use serde_json::{Value, json};

use self::alignment::Alignment;
use super::voice::{
    Heard, Message, Received, Samples, VoiceError, VoiceWire, bytes_of, decimal, message_of,
    object_of, short,
};

/// The paces that the provider takes, by its documentation; others are brought into it.
const PACES: (f32, f32) = (0.7, 1.2);

/// One connection.
#[derive(Debug)]
pub struct ElevenLabsWire {
    sample_rate_hz: u32,
    contexts: u64,
    /// The phrase's context, while one is spoken.
    context: Option<String>,
    samples: Samples,
    /// Samples of the phrase so far.
    heard: u64,
    alignment: Alignment,
    out: VecDeque<Message>,
}

impl ElevenLabsWire {
    /// A connection on which nothing was sent yet, with sound at this rate.
    pub const fn new(sample_rate_hz: u32) -> Self {
        Self {
            sample_rate_hz,
            contexts: 0,
            context: None,
            samples: Samples::new(),
            heard: 0,
            alignment: Alignment::new(),
            out: VecDeque::new(),
        }
    }

    fn send(&mut self, message: &Value) {
        self.out.push_back(Message::Text(message.to_string()));
    }

    /// Sound, alignment and the end may all be in one message.
    fn read(&mut self, message: &Value) -> Result<Heard, VoiceError> {
        let before_s = self.heard as f64 / f64::from(self.sample_rate_hz);
        let pcm = self.samples.push(&bytes_of(message.get("audio"))?);
        self.heard += pcm.len() as u64;
        let mut words = match message.get("alignment") {
            Some(Value::Object(told)) => self.alignment.push(told, before_s),
            _ => Vec::new(),
        };
        let is_done = ["isFinal", "is_final"].iter().any(|field| message[*field] == true);
        if is_done {
            words.extend(self.alignment.finish());
            self.context = None;
        }
        Ok(Heard { pcm, words, is_done })
    }
}

impl VoiceWire for ElevenLabsWire {
    fn speak(&mut self, text: &str, pace: f32) {
        self.contexts += 1;
        let context = format!("phrase-{}", self.contexts);
        let mut first = json!({ "text": " ", "context_id": context });
        if pace != 1.0 {
            let speed = decimal(pace.clamp(PACES.0, PACES.1));
            first["voice_settings"] = json!({ "speed": speed });
        }
        self.send(&first);
        // A text has to end with a space.
        let text = format!("{} ", text.trim_end());
        self.send(&json!({ "text": text, "context_id": context, "flush": true }));
        self.send(&json!({ "context_id": context, "close_context": true }));
        self.context = Some(context);
        self.samples = Samples::new();
        self.heard = 0;
        self.alignment = Alignment::new();
    }

    fn stop(&mut self) {
        self.context = None;
    }

    fn handle_message(&mut self, message: Received<'_>) -> Result<Heard, VoiceError> {
        let message = object_of(message)?;
        // Both spellings have been seen.
        let context = ["contextId", "context_id"].iter().find_map(|field| message[*field].as_str());
        let is_of_another = self.context.is_none()
            || context.is_some_and(|context| self.context.as_deref() != Some(context));
        if is_of_another {
            return Ok(Heard::default());
        }
        match message.get("error") {
            None | Some(Value::Null) => self.read(&message),
            Some(error) => Err(refusal(error, &message)),
        }
    }

    fn poll_message(&mut self) -> Option<Message> {
        self.out.pop_front()
    }

    fn speaks_once(&self) -> bool {
        false
    }
}

/// `error` is a name, and beside it is a message; or it is an object with both.
fn refusal(error: &Value, message: &Value) -> VoiceError {
    let name = error.as_str().map(short).unwrap_or_default();
    let within = if error.is_object() { error } else { message };
    let text = message_of(within, &["message", "error", "code"]);
    let is_limit =
        |text: &str| ["quota", "rate_limit", "too_many", "busy"].map(|limit| text.contains(limit));
    if is_limit(&name).contains(&true) || is_limit(&text).contains(&true) {
        return VoiceError::Busy(text);
    }
    VoiceError::Failed(text)
}

#[cfg(test)]
mod tests;
