//! What is measured of the user's audio, and what is decided on it.

use std::time::Duration;

use crate::call::event::Generation;
use crate::time::SessionTime;

/// How sure it is that what the microphone picked up is the agent's own voice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EchoVerdict {
    /// The agent is not audible, or what is heard is not it.
    #[default]
    Clear,
    /// It may be; an interruption needs more evidence than speech alone.
    Likely,
    /// It is. It never counts as the user speaking.
    Certain,
}

impl EchoVerdict {
    /// The name used in traces and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// How far the echo canceller is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Canceller {
    /// It does not run: the agent is not audible, or the client cancels by itself.
    #[default]
    Off,
    /// It has not found an echo yet, or cannot take it away.
    Searching,
    /// It takes the echo away.
    Converged,
}

/// What is known of the agent's own voice in one frame of the microphone: measurements, from which the
/// conversation's echo gate makes its verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EchoEvidence {
    /// Level of what the agent sent, as far back as its echo would take to arrive; -127 dBFS where it
    /// sent nothing.
    pub reference_dbfs: f32,
    /// Level of the microphone before cancellation; [`FrameFeatures::level_dbfs`] is the level after it.
    pub captured_dbfs: f32,
    /// How alike the microphone is to what the agent sent, at the delay at which they are most alike:
    /// 0 nothing in common to 1 the same sound.
    pub likeness: f32,
    /// That delay, where it is known: from the moment of sending to the moment of hearing.
    pub delay: Option<Duration>,
    /// How far the canceller is.
    pub canceller: Canceller,
}

impl EchoEvidence {
    /// The agent is not audible.
    pub const NONE: Self = Self {
        reference_dbfs: -127.0,
        captured_dbfs: -127.0,
        likeness: 0.0,
        delay: None,
        canceller: Canceller::Off,
    };
}

/// What is known of one 20 ms frame of the user's audio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameFeatures {
    /// When the frame left the jitter buffer; the frame covers the 20 ms before it.
    pub at: SessionTime,
    /// Probability of speech, 0 to 1, of the newest whole detector window.
    pub voice: f32,
    /// RMS level in dB relative to full scale, -127 for digital silence.
    pub level_dbfs: f32,
    /// Fundamental frequency in Hz where the frame is voiced and it is known.
    pub pitch_hz: Option<f32>,
    /// What is known of the agent's own voice in it.
    pub echo: EchoEvidence,
    /// The frame was made up because its packet was missing (PLC), or there was none to expect (DTX).
    pub concealed: bool,
}

/// What was decided about a possible interruption, and on what evidence. For traces, the flight
/// recorder and its drawing; clients see the floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// What was decided.
    pub stage: Stage,
    /// The reply that it is about.
    pub generation: Generation,
    /// The verdict on the frame that decided.
    pub echo: EchoVerdict,
    /// The voice probability of that frame.
    pub voice: f32,
}

/// The stages of an interruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It may be one: the agent fades.
    Suspected,
    /// It is speech: the agent is silent, and the backend hears it.
    Confirmed,
    /// It is an interruption: the reply is cancelled.
    Committed,
    /// It was nothing: the reply plays on.
    Dismissed,
}

impl Stage {
    /// The name used in traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Suspected => "suspected",
            Self::Confirmed => "confirmed",
            Self::Committed => "committed",
            Self::Dismissed => "dismissed",
        }
    }
}
