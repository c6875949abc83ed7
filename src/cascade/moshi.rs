//! The messages of Kyutai's `moshi-server`, recognition: msgpack maps both ways, in binary messages.
//!
//! Words come one by one, half a second or more after they were said: the model's delay, counted in steps of
//! 80 ms of audio. A [`marker`] comes back once the audio before it and that delay are behind, so silence has
//! to follow it; pushed faster than real time, it brings the words at once.

use serde::{Deserialize, Serialize};

use super::failover::FailureKind;
use super::recognition::{Fault, Flushed, Heard, HeardText, Recognised};

/// The rate of the audio.
pub const SAMPLE_RATE_HZ: u32 = 24_000;
/// Samples of one step of the model: 80 ms.
pub const STEP_SAMPLES: usize = 1_920;
/// Milliseconds of one step.
pub const STEP_MS: u32 = 80;

/// The first steps of a connection, of which the model has no opinion yet.
const STEPS_WITHOUT_OPINION: u64 = 12;
/// Which of the probabilities is that of a pause.
const PAUSE: usize = 2;
/// What the probability of a pause must change by to be told again.
const PAUSE_CHANGE_MIN: f32 = 0.1;
/// Maps within maps of a message that are read; none of the protocol's has one.
const DEPTH_MAX: usize = 16;

#[derive(Serialize)]
#[serde(tag = "type")]
enum Request<'a> {
    Audio { pcm: &'a [f32] },
    Marker { id: i64 },
}

/// All members of all messages.
#[derive(Deserialize)]
struct Message {
    r#type: String,
    text: Option<String>,
    id: Option<i64>,
    step_idx: Option<u64>,
    prs: Option<Vec<f32>>,
    message: Option<String>,
}

/// Reads the messages of one connection.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    /// The probability of a pause that was told last.
    pause: f32,
}

/// Audio at [`SAMPLE_RATE_HZ`], -1 to 1.
pub fn audio(pcm: &[f32]) -> Vec<u8> {
    write(&Request::Audio { pcm })
}

/// Comes back when what was sent before it has been heard.
pub fn marker(id: i64) -> Vec<u8> {
    write(&Request::Marker { id })
}

fn write(request: &Request<'_>) -> Vec<u8> {
    rmp_serde::to_vec_named(request).expect("numbers and a name can be written to memory")
}

impl Reader {
    /// One binary message of the service.
    pub fn read(&mut self, message: &[u8]) -> Recognised {
        let mut decoder = rmp_serde::Deserializer::from_read_ref(message);
        decoder.set_max_depth(DEPTH_MAX);
        let Ok(message) = Message::deserialize(&mut decoder) else { return Recognised::Malformed };
        self.understand(message).unwrap_or(Recognised::Malformed)
    }

    fn understand(&mut self, message: Message) -> Option<Recognised> {
        Some(match message.r#type.as_str() {
            "Ready" => Recognised::Ready,
            "Word" => {
                let text = message.text?.trim().to_owned();
                Recognised::Heard(Heard::text(HeardText::Settled(text)))
            }
            "Step" => {
                let complete = self.pause(message.step_idx?, &message.prs?);
                Recognised::Heard(Heard { complete, ..Heard::default() })
            }
            "Marker" => {
                let flushed = Some(Flushed::Number(message.id?));
                Recognised::Heard(Heard { flushed, ..Heard::default() })
            }
            "Error" => {
                let text = message.message.unwrap_or_default();
                let is_full = text.contains("no free channels");
                let kind = if is_full { FailureKind::Busy } else { FailureKind::Broken };
                Recognised::Failed(Fault::new(kind, &text))
            }
            _ => Recognised::Other,
        })
    }

    fn pause(&mut self, step: u64, probabilities: &[f32]) -> Option<f32> {
        let pause = *probabilities.get(PAUSE)?;
        let has_opinion = step >= STEPS_WITHOUT_OPINION && (0.0..=1.0).contains(&pause);
        let is_news = has_opinion && (pause - self.pause).abs() >= PAUSE_CHANGE_MIN;
        is_news.then(|| {
            self.pause = pause;
            pause
        })
    }
}

#[cfg(test)]
mod tests;
