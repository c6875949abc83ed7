//! Whether what the microphone picked up is the agent's own voice.
//!
//! The measurements come with each frame ([`EchoEvidence`]); this is what they are taken to mean.

use crate::call::event::{EchoEvidence, EchoVerdict, FrameFeatures};

/// A reference below this was not audible, and has no echo.
const AUDIBLE_DBFS: f32 = -60.0;
/// From this likeness on a frame is the agent's own voice.
const CERTAIN_LIKENESS: f32 = 0.8;
/// From this likeness on it may be.
const LIKELY_LIKENESS: f32 = 0.5;

/// The gate of one call.
#[derive(Clone, Debug, Default)]
pub struct EchoGate {}

impl EchoGate {
    /// Judges the next frame.
    pub fn step(&mut self, frame: &FrameFeatures) -> EchoVerdict {
        let EchoEvidence { reference_dbfs, likeness, .. } = frame.echo;
        if reference_dbfs < AUDIBLE_DBFS || likeness < LIKELY_LIKENESS {
            EchoVerdict::Clear
        } else if likeness < CERTAIN_LIKENESS {
            EchoVerdict::Likely
        } else {
            EchoVerdict::Certain
        }
    }
}
