//! The level of what is left when nobody speaks.
//!
//! Minimum statistics: speech falls back to the background several times a second, even inside a
//! sentence, so the smallest smoothed power of the last three seconds is the background's. No
//! detector of speech is needed, and none can be wrong.

use crate::dsp::level;

/// Blocks (10 ms) over which each minimum is taken.
const SECTION_BLOCKS: u32 = 50;
/// Sections looked back over: 3 s.
const SECTIONS: usize = 6;
/// Share of the newest block in the smoothed power: about 50 ms.
const SMOOTHING: f32 = 0.2;
/// Below this a block is not background but absence: a muted microphone, a gap in the packets.
const ABSENT_DBFS: f32 = -100.0;

/// Follows the noise floor of a stream, in blocks of 10 ms.
#[derive(Clone, Debug, Default)]
pub(super) struct NoiseFloor {
    smoothed: Option<f32>,
    /// Minimum power of the section being filled, and how many blocks it has.
    section: Option<f32>,
    blocks: u32,
    /// Minima of the last whole sections, a ring.
    minima: [Option<f32>; SECTIONS],
    next: usize,
}

impl NoiseFloor {
    /// Takes one block. `true` each time a section is complete, which is when the floor may move up.
    pub(super) fn step(&mut self, block: &[f32]) -> bool {
        let power = level::energy(block) / block.len() as f32;
        if level::dbfs_from_power(power) < ABSENT_DBFS || !power.is_finite() {
            // The next sound starts a new average: there is nothing to smooth over.
            self.smoothed = None;
            return false;
        }
        let smoothed = match self.smoothed {
            Some(smoothed) => smoothed + SMOOTHING * (power - smoothed),
            None => power,
        };
        self.smoothed = Some(smoothed);
        self.section = Some(self.section.map_or(smoothed, |least| least.min(smoothed)));
        self.blocks += 1;
        if self.blocks < SECTION_BLOCKS {
            return false;
        }
        self.minima[self.next] = self.section.take();
        self.next = (self.next + 1) % SECTIONS;
        self.blocks = 0;
        true
    }

    /// The floor in dBFS, once a whole section was heard.
    pub(super) fn level_dbfs(&self) -> Option<f32> {
        self.minima.iter().flatten().copied().reduce(f32::min).map(level::dbfs_from_power)
    }
}
