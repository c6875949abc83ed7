//! The simulated user: packets of PCM whose every spoken frame says which one it is.

use antiphon::dsp::vad::{VoiceModel, WINDOW_SAMPLES};
use antiphon::limits::WIDEBAND_FRAME;

/// The amplitude of the first spoken frame, and from one to the next.
const AMPLITUDE: i16 = 3_000;
const AMPLITUDE_STEP: i16 = 4;
/// Spoken frames that can be told apart: as many as a swarm's longest call has.
pub(crate) const SPOKEN_FRAMES_MAX: u32 = 5_000;

/// One packet as the user sent it.
#[derive(Clone, Debug)]
pub(crate) struct UserPacket {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) payload: Vec<u8>,
}

/// A user with a microphone that is always open.
#[derive(Clone, Debug, Default)]
pub(crate) struct User {
    pub(crate) speaking: bool,
    frames: u32,
    spoken: u32,
}

impl User {
    /// The next 20 ms.
    pub(crate) fn speak(&mut self) -> UserPacket {
        let amplitude = if self.speaking {
            self.spoken += 1;
            AMPLITUDE + AMPLITUDE_STEP * (self.spoken % SPOKEN_FRAMES_MAX) as i16
        } else {
            0
        };
        let sample = |index: usize| if index % 16 < 8 { amplitude } else { -amplitude };
        let payload = (0..WIDEBAND_FRAME).flat_map(|index| sample(index).to_le_bytes()).collect();
        let sequence = self.frames as u16;
        let timestamp = self.frames.wrapping_mul(WIDEBAND_FRAME as u32);
        self.frames += 1;
        UserPacket { sequence, timestamp, payload }
    }

    /// Spoken frames so far.
    pub(crate) const fn spoken(&self) -> u32 {
        self.spoken
    }
}

/// Which spoken frame this is, if it is one.
pub(crate) fn spoken_frame(pcm: &[i16; WIDEBAND_FRAME]) -> Option<u32> {
    let amplitude = pcm[WIDEBAND_FRAME / 2].unsigned_abs() as i16;
    (amplitude >= AMPLITUDE).then(|| ((amplitude - AMPLITUDE) / AMPLITUDE_STEP) as u32)
}

/// A voice model that takes loud for speech.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LevelVoice;

impl VoiceModel for LevelVoice {
    fn step(&mut self, window: &[f32; WINDOW_SAMPLES]) -> f32 {
        let power = window.iter().map(|sample| sample * sample).sum::<f32>();
        if power / WINDOW_SAMPLES as f32 > 1e-4 { 0.95 } else { 0.02 }
    }

    fn reset(&mut self) {}
}
