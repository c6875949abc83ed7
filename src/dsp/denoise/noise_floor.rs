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

    /// The floor in dBFS, once a whole section was heard. It falls at once and rises within 3.5 s.
    pub(super) fn level_dbfs(&self) -> Option<f32> {
        let floor = self.minima.iter().flatten().copied().reduce(f32::min)?;
        Some(level::dbfs_from_power(self.section.map_or(floor, |least| least.min(floor))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(floor: &mut NoiseFloor, amplitude: f32, blocks: usize) -> Option<f32> {
        for _ in 0..blocks {
            floor.step(&[amplitude; 160]);
        }
        floor.level_dbfs()
    }

    #[test]
    fn the_floor_falls_at_once_and_rises_when_there_was_no_pause_for_a_while() {
        let mut floor = NoiseFloor::default();
        assert_eq!(heard(&mut floor, 0.01, 49), None, "too early to say");
        let about = |floor: Option<f32>, level_dbfs: f32| {
            let floor = floor.expect("it has heard enough");
            assert!((floor - level_dbfs).abs() < 0.5, "{floor}, not {level_dbfs}");
        };
        about(heard(&mut floor, 0.01, 1), -40.0);
        about(heard(&mut floor, 0.001, 50), -60.0);
        about(heard(&mut floor, 0.1, 250), -60.0);
        about(heard(&mut floor, 0.1, 100), -20.0);
    }

    #[test]
    fn absence_is_not_quiet() {
        let mut floor = NoiseFloor::default();
        heard(&mut floor, 0.01, 50);
        let level_dbfs = heard(&mut floor, 0.0, 500).expect("it has heard enough");
        assert!((level_dbfs + 40.0).abs() < 0.5);
    }
}
