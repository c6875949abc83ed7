//! What was sent, kept for as long as its echo may take to come back.

use super::decimate::Decimator;
use super::{BAND_RATIO, FRAME_SAMPLES};
use crate::dsp::level;

/// Audio kept: 2.05 s, more than the longest delay that is searched for, the canceller's filter and the
/// room's tail together. What is older is overwritten.
const CAPACITY: usize = 1 << 15;
const BAND_CAPACITY: usize = CAPACITY / BAND_RATIO;
/// Frames whose level is kept: as much time.
const LEVELS: usize = CAPACITY / FRAME_SAMPLES;
/// How fast the echo of a sound is taken to die away, in dB per ms: 60 dB in 0.6 s, a live room.
const DECAY_DB_PER_MS: f32 = 0.1;

/// A ring of the sent audio by position: samples at 16 kHz since the call began.
#[derive(Debug)]
pub(super) struct Reference {
    samples: Vec<f32>,
    /// The same at 4 kHz.
    band: Vec<f32>,
    levels_dbfs: [f32; LEVELS],
    decimator: Decimator,
    /// The position after the newest sample.
    end: i64,
}

impl Reference {
    pub(super) fn new() -> Self {
        Self {
            samples: vec![0.0; CAPACITY],
            band: vec![0.0; BAND_CAPACITY],
            levels_dbfs: [level::SILENCE_DBFS; LEVELS],
            decimator: Decimator::new(),
            end: 0,
        }
    }

    /// Takes in the frame that begins at `at`. A gap before it was silence; it takes the place of what it
    /// overlaps with, since speech that began early cut a silent frame short.
    pub(super) fn write(&mut self, at: i64, frame: &[f32; FRAME_SAMPLES]) {
        // Beyond a whole ring of silence there is nothing left to overwrite.
        let gap = (at - self.end).clamp(0, CAPACITY as i64);
        self.end = self.end.max(at - gap);
        while self.end < at {
            let length = (at - self.end).min(FRAME_SAMPLES as i64) as usize;
            self.append(&[0.0; FRAME_SAMPLES][..length]);
        }
        self.end = at;
        self.append(frame);
    }

    /// The sound from `at` on; silence where it is not known.
    pub(super) fn read(&self, at: i64, output: &mut [f32]) {
        read(&self.samples, self.end, at, output);
    }

    /// The sound at 4 kHz from `at` on, counted at 4 kHz too.
    pub(super) fn read_band(&self, at: i64, output: &mut [f32]) {
        read(&self.band, self.end / BAND_RATIO as i64, at, output);
    }

    /// The level of the echo, were the room a mirror, at `at` after a delay of `delay_samples`: what
    /// was sent just then, or what is left of the reverberation of what was sent before.
    pub(super) fn echo_dbfs(&self, at: i64, delay_samples: i64) -> f32 {
        self.loudest(at, delay_samples, DECAY_DB_PER_MS)
    }

    /// The level of the loudest frame of the last second or so.
    pub(super) fn recent_dbfs(&self, at: i64, reach_samples: i64) -> f32 {
        let from = (at - reach_samples).max(self.end - CAPACITY as i64 + FRAME_SAMPLES as i64);
        frames(from, self.end)
            .map(|index| self.levels_dbfs[index])
            .fold(level::SILENCE_DBFS, f32::max)
    }

    fn loudest(&self, at: i64, delay_samples: i64, decay_db_per_ms: f32) -> f32 {
        let newest = (at - delay_samples).min(self.end);
        let oldest = (newest - 16 * 600).max(self.end - CAPACITY as i64 + FRAME_SAMPLES as i64);
        let mut loudest = level::SILENCE_DBFS;
        let mut position = newest;
        while position > oldest {
            let index = slot(position - 1);
            let age_ms = ((newest - position) / 16) as f32;
            loudest = loudest.max(self.levels_dbfs[index] - decay_db_per_ms * age_ms);
            position -= FRAME_SAMPLES as i64;
        }
        loudest
    }

    fn append(&mut self, samples: &[f32]) {
        let mut band = [0.0; FRAME_SAMPLES / BAND_RATIO];
        let band = &mut band[..samples.len() / BAND_RATIO];
        self.decimator.step(samples, band);
        let band_end = self.end / BAND_RATIO as i64;
        for (n, sample) in band.iter().enumerate() {
            self.band[(band_end + n as i64).rem_euclid(BAND_CAPACITY as i64) as usize] = *sample;
        }
        for (n, sample) in samples.iter().enumerate() {
            self.samples[(self.end + n as i64).rem_euclid(CAPACITY as i64) as usize] = *sample;
        }
        if !samples.is_empty() {
            // A frame rarely begins where a slot of the levels does: it counts for both that it touches.
            let level_dbfs = level::rms_dbfs(samples);
            let (first, last) = (slot(self.end), slot(self.end + samples.len() as i64 - 1));
            self.levels_dbfs[last] = level_dbfs;
            if first != last {
                self.levels_dbfs[first] = self.levels_dbfs[first].max(level_dbfs);
            }
        }
        self.end += samples.len() as i64;
    }
}

/// Where the level at a position is kept.
fn slot(position: i64) -> usize {
    position.div_euclid(FRAME_SAMPLES as i64).rem_euclid(LEVELS as i64) as usize
}

fn frames(from: i64, to: i64) -> impl Iterator<Item = usize> {
    (from..to).step_by(FRAME_SAMPLES).map(slot)
}

fn read(ring: &[f32], end: i64, at: i64, output: &mut [f32]) {
    let start = end - ring.len() as i64;
    for (n, sample) in output.iter_mut().enumerate() {
        let position = at + n as i64;
        *sample = if (start.max(0)..end).contains(&position) {
            ring[position.rem_euclid(ring.len() as i64) as usize]
        } else {
            0.0
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(at: i64) -> [f32; FRAME_SAMPLES] {
        std::array::from_fn(|n| (at + n as i64) as f32 / 65_536.0)
    }

    #[test]
    fn what_was_sent_is_found_by_its_position_and_the_rest_is_silence() {
        let mut reference = Reference::new();
        for at in (400..4_000).step_by(FRAME_SAMPLES) {
            reference.write(at, &ramp(at));
        }
        let mut found = [9.0; 4];
        reference.read(398, &mut found);
        assert_eq!(found, [0.0, 0.0, 400.0 / 65_536.0, 401.0 / 65_536.0]);
        // A gap, then a frame that cuts the one before it short.
        reference.write(8_000, &ramp(8_000));
        reference.write(8_200, &ramp(0));
        reference.read(7_998, &mut found);
        assert_eq!(found, [0.0, 0.0, 8_000.0 / 65_536.0, 8_001.0 / 65_536.0]);
        reference.read(8_198, &mut found);
        assert_eq!(found, [8_198.0, 8_199.0, 0.0, 1.0].map(|number| number / 65_536.0));
        reference.read(8_518, &mut found);
        assert_eq!(found, [318.0 / 65_536.0, 319.0 / 65_536.0, 0.0, 0.0]);
        // An hour later nothing of it is left.
        let later = 3_600 * 16_000;
        reference.write(later, &[0.0; FRAME_SAMPLES]);
        reference.read(later - CAPACITY as i64 + 640, &mut found);
        assert_eq!(found, [0.0; 4]);
    }

    #[test]
    fn an_echo_is_as_loud_as_what_was_sent_and_dies_away_with_the_room() {
        let mut reference = Reference::new();
        reference.write(0, &[0.0; FRAME_SAMPLES]);
        reference.write(320, &[0.1; FRAME_SAMPLES]);
        for at in (640..16_000).step_by(FRAME_SAMPLES) {
            reference.write(at, &[0.0; FRAME_SAMPLES]);
        }
        // 100 ms later; then its reverberation.
        assert!((reference.echo_dbfs(640 + 1_600, 1_600) + 20.0).abs() < 0.1);
        assert!((reference.echo_dbfs(640 + 1_600 + 3_200, 1_600) + 40.0).abs() < 0.1);
        assert_eq!(reference.echo_dbfs(320, 1_600), level::SILENCE_DBFS);
        assert!((reference.recent_dbfs(16_000, 16_000) + 20.0).abs() < 0.1);
        assert_eq!(reference.recent_dbfs(16_000, 8_000), level::SILENCE_DBFS);
    }
}
