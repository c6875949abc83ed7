//! Deepgram's voices, Aura: JSON to `wss://api.deepgram.com/v1/speak`, bare sound back.
//!
//! The sound is not tagged. A phrase ends with `Flushed`; after `Clear` everything up to `Cleared` is of the
//! phrase that was stopped. It takes no pace, and tells no word times.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::voice::{
    Heard, Message, Received, Samples, VoiceError, VoiceWire, message_of, object_of,
};

/// One connection.
#[derive(Debug)]
pub struct DeepgramVoiceWire {
    is_speaking: bool,
    /// Until they are answered, what comes is of phrases that were stopped.
    clears_awaited: u32,
    samples: Samples,
    out: VecDeque<Message>,
}

impl DeepgramVoiceWire {
    /// A connection on which nothing was sent yet.
    pub const fn new() -> Self {
        Self {
            is_speaking: false,
            clears_awaited: 0,
            samples: Samples::new(),
            out: VecDeque::new(),
        }
    }

    fn send(&mut self, message: &Value) {
        self.out.push_back(Message::Text(message.to_string()));
    }

    const fn is_heard(&self) -> bool {
        self.is_speaking && self.clears_awaited == 0
    }
}

impl Default for DeepgramVoiceWire {
    fn default() -> Self {
        Self::new()
    }
}

impl VoiceWire for DeepgramVoiceWire {
    fn speak(&mut self, text: &str, _pace: f32) {
        self.is_speaking = true;
        self.samples = Samples::new();
        self.send(&json!({ "type": "Speak", "text": text }));
        self.send(&json!({ "type": "Flush" }));
    }

    fn stop(&mut self) {
        if std::mem::take(&mut self.is_speaking) {
            self.clears_awaited += 1;
            self.send(&json!({ "type": "Clear" }));
        }
    }

    fn handle_message(&mut self, message: Received<'_>) -> Result<Heard, VoiceError> {
        if let Received::Binary(bytes) = message {
            let is_heard = self.is_heard();
            return Ok(Heard::pcm(if is_heard { self.samples.push(bytes) } else { Vec::new() }));
        }
        let message = object_of(message)?;
        match message.get("type").and_then(Value::as_str) {
            Some("Flushed") if self.is_heard() => {
                self.is_speaking = false;
                Ok(Heard::done())
            }
            Some("Cleared") => {
                self.clears_awaited = self.clears_awaited.saturating_sub(1);
                Ok(Heard::default())
            }
            Some("Error") => {
                let fields = ["description", "err_msg", "message", "code", "err_code"];
                Err(VoiceError::Failed(message_of(&message, &fields)))
            }
            _ => Ok(Heard::default()),
        }
    }

    fn poll_message(&mut self) -> Option<Message> {
        self.out.pop_front()
    }

    fn speaks_once(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
