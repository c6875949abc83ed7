//! Cartesia's voices: JSON over `wss://api.cartesia.ai/tts/websocket`.
//!
//! Each phrase is a context of its own, whole in one message, so that nothing waits for more text. Sound and
//! word times come tagged with their context; what is tagged with another is of a phrase that was stopped.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::voice::{
    Heard, Message, Received, Samples, VoiceError, VoiceWire, bytes_of, decimal, message_of,
    object_of, word,
};
use crate::call::event::WordTime;

/// The paces that the provider takes, by its documentation of `sonic-3`; others are brought into it.
const PACES: (f32, f32) = (0.6, 1.5);

/// What speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CartesiaVoice {
    /// The model's id, such as `sonic-3`.
    pub model: String,
    /// The voice's id.
    pub voice: String,
    /// The language's code, such as `en`. `None`: the model's default.
    pub language: Option<String>,
    /// Rate of the sound.
    pub sample_rate_hz: u32,
}

/// One connection.
#[derive(Debug)]
pub struct CartesiaWire {
    voice: CartesiaVoice,
    contexts: u64,
    /// The phrase's context, while one is spoken.
    context: Option<String>,
    samples: Samples,
    out: VecDeque<Message>,
}

impl CartesiaWire {
    /// A connection on which nothing was sent yet.
    pub const fn new(voice: CartesiaVoice) -> Self {
        Self { voice, contexts: 0, context: None, samples: Samples::new(), out: VecDeque::new() }
    }
}

impl VoiceWire for CartesiaWire {
    fn speak(&mut self, text: &str, pace: f32) {
        self.contexts += 1;
        let context = format!("phrase-{}", self.contexts);
        let CartesiaVoice { model, voice, language, sample_rate_hz } = &self.voice;
        let mut message = json!({
            "context_id": context,
            "model_id": model,
            "transcript": text,
            "voice": { "mode": "id", "id": voice },
            "output_format": {
                "container": "raw", "encoding": "pcm_s16le", "sample_rate": sample_rate_hz,
            },
            "continue": false,
            "add_timestamps": true,
            // The phrase is whole: nothing is gained by waiting.
            "max_buffer_delay_ms": 0,
        });
        if let Some(language) = language {
            message["language"] = json!(language);
        }
        if pace != 1.0 {
            let speed = decimal(pace.clamp(PACES.0, PACES.1));
            message["generation_config"] = json!({ "speed": speed });
        }
        self.out.push_back(Message::Text(message.to_string()));
        self.context = Some(context);
        self.samples = Samples::new();
    }

    fn stop(&mut self) {
        if let Some(context) = self.context.take() {
            let message = json!({ "context_id": context, "cancel": true });
            self.out.push_back(Message::Text(message.to_string()));
        }
    }

    fn handle_message(&mut self, message: Received<'_>) -> Result<Heard, VoiceError> {
        let message = object_of(message)?;
        let context = message.get("context_id").and_then(Value::as_str);
        let is_of_another = self.context.is_none()
            || context.is_some_and(|context| self.context.as_deref() != Some(context));
        if is_of_another {
            return Ok(Heard::default());
        }
        match message.get("type").and_then(Value::as_str) {
            Some("chunk") => {
                let pcm = self.samples.push(&bytes_of(message.get("data"))?);
                let is_done = message.get("done").and_then(Value::as_bool).unwrap_or(false);
                Ok(Heard { pcm, is_done, ..Heard::default() })
            }
            Some("timestamps") => {
                Ok(Heard { words: words(&message["word_timestamps"]), ..Heard::default() })
            }
            Some("done") => Ok(Heard::done()),
            Some("error") => Err(error(&message)),
            _ => Ok(Heard::default()),
        }
        .inspect(|heard| {
            if heard.is_done {
                self.context = None;
            }
        })
    }

    fn poll_message(&mut self) -> Option<Message> {
        self.out.pop_front()
    }

    fn speaks_once(&self) -> bool {
        false
    }
}

/// As many words as have both times.
fn words(told: &Value) -> Vec<WordTime> {
    let list = |name| told.get(name).and_then(Value::as_array).into_iter().flatten();
    let rows = list("words").zip(list("start")).zip(list("end"));
    let read = |((text, start), end): ((&Value, &Value), &Value)| {
        word(text.as_str()?, start.as_f64()?, end.as_f64()?)
    };
    rows.filter_map(read).collect()
}

fn error(told: &Value) -> VoiceError {
    let message = message_of(told, &["message", "error", "title", "error_code"]);
    let status = told.get("status_code").and_then(Value::as_u64);
    match status.and_then(|status| u16::try_from(status).ok()) {
        Some(status) => VoiceError::Refused { status, message },
        None => VoiceError::Failed(message),
    }
}

#[cfg(test)]
mod tests;
