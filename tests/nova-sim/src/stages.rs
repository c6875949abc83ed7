//! The services that a cascade is made of: Amazon Transcribe, Bedrock's ConverseStream, Amazon Polly. Pure:
//! what each makes of what it is sent.

mod conversation;
mod ear;

use std::f64::consts::TAU;
use std::time::Duration;

pub use self::conversation::{Reply, reply};
pub use self::ear::StageEar;

/// What the stages are to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageSettings {
    /// What is understood of the utterances of a stream, one after the other; then from the first again.
    pub transcripts: Vec<String>,
    /// From a request to the first word of an answer, default 20 ms.
    pub first_token: Duration,
    /// Between two words of an answer, default 2 ms.
    pub word: Duration,
    /// From a request to the first audio of a phrase, default 20 ms.
    pub first_audio: Duration,
}

impl Default for StageSettings {
    fn default() -> Self {
        let transcripts = ["What time is it?", "Thank you very much.", "And tomorrow?"];
        Self {
            transcripts: transcripts.map(str::to_owned).to_vec(),
            first_token: Duration::from_millis(20),
            word: Duration::from_millis(2),
            first_audio: Duration::from_millis(20),
        }
    }
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// `StartStreamTranscription`.
    Transcribe,
    /// `ConverseStream`.
    Converse,
    /// `SynthesizeSpeech` and `StartSpeechSynthesisStream`.
    Polly,
}

impl Service {
    /// By which its requests are counted.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transcribe => "transcribe",
            Self::Converse => "converse",
            Self::Polly => "polly",
        }
    }
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageFault {
    /// 429, `ThrottlingException`.
    Throttle,
    /// 403, `AccessDeniedException`.
    Deny,
    /// 400, `ValidationException`.
    Refuse,
    /// Nothing is ever answered.
    Hang,
    /// In the middle: the stream is reset.
    HangUp,
    /// In the middle: nothing comes any more.
    Stall,
    /// In the middle: bytes that are no event, or no audio.
    Garbage,
    /// In the middle: an exception of the service. Without effect on what has no events.
    Exception,
    /// In the middle: the answer ends as if it were complete.
    End,
}

/// A phrase as Polly speaks it: 100 ms of silence, then a tone of 60 ms for each character, at most 20 s;
/// little-endian.
pub fn spoken(text: &str, rate_hz: u32) -> Vec<u8> {
    let silence = rate_hz as usize / 10;
    let tone = (text.chars().count() * rate_hz as usize * 60 / 1_000).min(20 * rate_hz as usize);
    let sample = |at: usize| {
        let turn = TAU * 440.0 * at as f64 / f64::from(rate_hz);
        (turn.sin() * 8_000.0) as i16
    };
    let samples = (0..silence).map(|_| 0).chain((0..tone).map(sample));
    samples.flat_map(i16::to_le_bytes).collect()
}
