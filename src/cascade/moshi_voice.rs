//! Kyutai's voices: MessagePack over `ws://host:8080/api/tts_streaming` of a `moshi-server`.
//!
//! A connection serves one phrase: it is sent its words and `Eos` once the server said `Ready`, and the
//! server closes it behind the last sound. What comes before `Ready` may be of an earlier client and is
//! skipped.
//! It takes no pace.
//!
//! ```text
//! <- Ready    -> Text, Eos    <- Text{text, start_s, stop_s}, Audio{pcm}, Text, Audio ...    <- closed
//! ```

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::voice::{Heard, Message, Received, VoiceError, VoiceWire, short, word};

/// Rate of the sound that the server makes.
pub const MOSHI_HZ: u32 = 24_000;

/// One connection.
#[derive(Debug, Default)]
pub struct MoshiVoiceWire {
    is_ready: bool,
    is_stopped: bool,
    out: VecDeque<Message>,
}

/// What is sent: a map with the kind's name as `type`.
#[derive(Serialize)]
#[serde(tag = "type")]
enum Sent<'a> {
    Text { text: &'a str },
    Eos,
}

/// What comes: any of the fields, depending on the kind.
#[derive(Deserialize)]
struct Packet {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    pcm: Vec<f32>,
    #[serde(default)]
    text: String,
    #[serde(default)]
    start_s: f64,
    #[serde(default)]
    stop_s: f64,
    #[serde(default)]
    message: String,
}

impl MoshiVoiceWire {
    fn send(&mut self, packet: &Sent<'_>) {
        let bytes = rmp_serde::to_vec_named(packet).expect("texts can be written");
        self.out.push_back(Message::Binary(bytes));
    }
}

impl VoiceWire for MoshiVoiceWire {
    fn speak(&mut self, text: &str, _pace: f32) {
        self.send(&Sent::Text { text: &speakable(text) });
        self.send(&Sent::Eos);
    }

    fn stop(&mut self) {
        self.is_stopped = true;
        self.out.clear();
    }

    fn handle_message(&mut self, message: Received<'_>) -> Result<Heard, VoiceError> {
        // Texts are no part of the protocol.
        let Received::Binary(bytes) = message else { return Ok(Heard::default()) };
        let packet: Packet = rmp_serde::from_slice(bytes).map_err(|_| VoiceError::Unreadable)?;
        match packet.kind.as_str() {
            "Ready" => self.is_ready = true,
            "Error" if packet.message.contains("no free channels") => {
                return Err(VoiceError::Busy(short(&packet.message)));
            }
            "Error" => return Err(VoiceError::Failed(short(&packet.message))),
            "Audio" if self.is_ready && !self.is_stopped => {
                return Ok(Heard::pcm(
                    packet.pcm.iter().map(|sample| quantised(*sample)).collect(),
                ));
            }
            "Text" if self.is_ready && !self.is_stopped => {
                let words = word(&packet.text, packet.start_s, packet.stop_s).into_iter().collect();
                return Ok(Heard { words, ..Heard::default() });
            }
            _ => {}
        }
        Ok(Heard::default())
    }

    fn poll_message(&mut self) -> Option<Message> {
        if self.is_ready { self.out.pop_front() } else { None }
    }

    fn speaks_once(&self) -> bool {
        true
    }
}

/// -1 to 1; beyond it is clipped, and what is no number is silence.
fn quantised(sample: f32) -> i16 {
    (sample * 32_767.0) as i16
}

/// Without marks of markup, which the model was not taught, and with plain quotes.
fn speakable(text: &str) -> String {
    let plain = |c: char| match c {
        '*' | '_' | '`' => None,
        '\u{2018}' | '\u{2019}' => Some('\''),
        '\u{201c}' | '\u{201d}' => Some('"'),
        c => Some(c),
    };
    text.chars().filter_map(plain).collect()
}

#[cfg(test)]
mod tests;
