//! The fundamental frequency of a voice: normalised cross-correlation on 40 ms, at 4 kHz.
//!
//! ```text
//! r(lag) = sum x[n] x[n - lag] / sqrt(sum x[n]^2  sum x[n - lag]^2)      n over the newest 40 ms
//! ```
//!
//! A voiced sound repeats itself after each period, so `r` is near 1 there, and at every multiple of it:
//! the shortest lag whose peak is nearly the highest is taken (Talkin, "A robust algorithm for pitch
//! tracking", 1995, without its dynamic programming, which looks ahead). Peaks are refined by a parabola,
//! without which a lag of 10 samples would be 10 % coarse. The sound is decimated first: what tells the
//! pitch lies below 1.5 kHz, and the work falls with the square of the rate.
//!
//! Range 60 to 400 Hz, which covers speech; within a few per cent, measured on synthetic vowels below.

use crate::limits::{WIDEBAND_FRAME, WIDEBAND_HZ};

const DECIMATION: usize = 4;
const RATE_HZ: f32 = (WIDEBAND_HZ as usize / DECIMATION) as f32;
/// Samples of one frame at the lower rate.
const STEP: usize = WIDEBAND_FRAME / DECIMATION;
/// 40 ms: two periods of the lowest pitch.
const WINDOW: usize = 2 * STEP;
/// Lags of 400 and of 60 Hz, and one to either side for the parabola.
const LAG_MIN: usize = 10;
const LAG_MAX: usize = 67;
const HISTORY: usize = 3 * STEP;
/// The least likeness of a period to the one before that is a voice. Noise is at 0.2 to 0.4.
const LIKENESS_MIN: f32 = 0.6;
/// A shorter lag is preferred to the best one if its peak is this share of it.
const SHORTER_SHARE: f32 = 0.87;
/// Mean square below which nothing is looked for: -70 dBFS.
const POWER_MIN: f32 = 1e-7;

const _: () = assert!(WINDOW + LAG_MAX < HISTORY, "the window and its past are kept");

/// A pitch tracker for frames of 20 ms at 16 kHz.
#[derive(Clone, Debug)]
pub struct PitchTracker {
    /// The newest 60 ms at the lower rate, oldest first.
    history: [f32; HISTORY],
    /// The end of the last frame, for the decimation filter.
    before: [f32; DECIMATION],
    /// Frames in `history`, at most 3.
    filled: usize,
}

impl PitchTracker {
    /// A tracker that has heard nothing.
    pub const fn new() -> Self {
        Self { history: [0.0; HISTORY], before: [0.0; DECIMATION], filled: 0 }
    }

    /// Takes 20 ms at 16 kHz. The pitch in Hz of about the middle of the newest 40 ms, if that is voiced;
    /// nothing in the first 40 ms. A block of any other length is no frame, and has no pitch.
    pub fn step(&mut self, frame: &[f32]) -> Option<f32> {
        let frame: &[f32; WIDEBAND_FRAME] = frame.try_into().ok()?;
        self.history.copy_within(STEP.., 0);
        decimate(&self.before, frame, &mut self.history[HISTORY - STEP..]);
        self.before.copy_from_slice(&frame[WIDEBAND_FRAME - DECIMATION..]);
        self.filled = (self.filled + 1).min(3);
        if self.filled < 3 { None } else { self.pitch_hz() }
    }

    /// Forgets what was heard.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }

    fn pitch_hz(&self) -> Option<f32> {
        let likeness = self.likeness()?;
        let peaks = (1..likeness.len() - 1).filter_map(|index| {
            let [before, at, after] = [likeness[index - 1], likeness[index], likeness[index + 1]];
            // The second comparison is strict so that a plateau is one peak.
            (at >= before && at > after).then(|| refine(index, before, at, after))
        });
        let best = peaks.clone().map(|(_, height)| height).fold(0.0, f32::max);
        if best < LIKENESS_MIN {
            return None;
        }
        let (lag, _) = peaks.into_iter().find(|(_, height)| *height >= SHORTER_SHARE * best)?;
        Some(RATE_HZ / lag)
    }

    /// `r` for each lag from `LAG_MIN - 1`; nothing for silence.
    fn likeness(&self) -> Option<[f32; LAG_MAX - LAG_MIN + 3]> {
        let start = HISTORY - WINDOW;
        let newest = &self.history[start..];
        let power = dot(newest, newest);
        // Not a number compares false, and is silence.
        let is_loud = power > POWER_MIN * WINDOW as f32;
        is_loud.then(|| {
            std::array::from_fn(|index| {
                let lag = LAG_MIN - 1 + index;
                let earlier = &self.history[start - lag..HISTORY - lag];
                let norm = (power * dot(earlier, earlier)).sqrt();
                if norm > 0.0 { dot(newest, earlier) / norm } else { 0.0 }
            })
        })
    }
}

impl Default for PitchTracker {
    fn default() -> Self {
        Self::new()
    }
}

/// The lag and the height of a peak at `index` between its neighbours.
fn refine(index: usize, before: f32, at: f32, after: f32) -> (f32, f32) {
    let bend = before - 2.0 * at + after;
    let shift = if bend < 0.0 { 0.5 * (before - after) / bend } else { 0.0 };
    let lag = (LAG_MIN - 1 + index) as f32 + shift;
    (lag, at - 0.25 * (before - after) * shift)
}

/// Every fourth sample of the sound under a triangle of seven: 26 dB down at what would alias onto 0.5 kHz.
fn decimate(before: &[f32; DECIMATION], frame: &[f32; WIDEBAND_FRAME], output: &mut [f32]) {
    const TRIANGLE: [f32; 7] = [1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0];
    let sample = |index: usize| {
        if index < DECIMATION { before[index] } else { frame[index - DECIMATION] }
    };
    for (index, out) in output.iter_mut().enumerate() {
        let from = index * DECIMATION + 1;
        let sum: f32 = TRIANGLE.iter().enumerate().map(|(k, w)| w * sample(from + k)).sum();
        *out = sum / 16.0;
    }
}

/// The sum of products, in eight lanes that the compiler keeps in one register.
fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (left, _) = left.as_chunks::<8>();
    let (right, _) = right.as_chunks::<8>();
    for (left, right) in left.iter().zip(right) {
        for lane in 0..8 {
            sums[lane] += left[lane] * right[lane];
        }
    }
    sums.iter().sum()
}

const _: () = assert!(WINDOW.is_multiple_of(8), "the sum of products leaves nothing over");

#[cfg(test)]
mod tests {
    use super::*;

    const TAU: f32 = std::f32::consts::TAU;

    /// A vowel: harmonics that fall by 6 dB an octave, with a formant near 700 Hz.
    fn vowel(pitch_hz: f32, frames: usize) -> Vec<f32> {
        let sample = |n: usize| {
            let time = n as f32 / WIDEBAND_HZ as f32;
            let harmonic = |k: u16| {
                let hz = pitch_hz * f32::from(k);
                let formant = 1.0 + 3.0 / (1.0 + ((hz - 700.0) / 120.0).powi(2));
                formant / f32::from(k) * (TAU * hz * time + f32::from(k)).sin()
            };
            0.05 * (1..40)
                .take_while(|k| pitch_hz * f32::from(*k) < 7_000.0)
                .map(harmonic)
                .sum::<f32>()
        };
        (0..frames * WIDEBAND_FRAME).map(sample).collect()
    }

    fn noise(samples: usize, amplitude: f32) -> Vec<f32> {
        let mut seed = 7_u32;
        let next = |_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            amplitude * (seed as f32 / (1_u32 << 31) as f32 - 1.0)
        };
        (0..samples).map(next).collect()
    }

    fn track(pcm: &[f32]) -> Vec<Option<f32>> {
        let mut tracker = PitchTracker::new();
        pcm.chunks_exact(WIDEBAND_FRAME).map(|frame| tracker.step(frame)).collect()
    }

    #[test]
    fn vowels_have_the_pitch_they_were_made_with() {
        for pitch_hz in [65.0, 80.0, 101.0, 123.0, 151.0, 199.0, 247.0, 301.0, 359.0, 395.0] {
            for level in [1.0, 0.02] {
                let pcm: Vec<f32> =
                    vowel(pitch_hz, 10).iter().map(|sample| sample * level).collect();
                for found in &track(&pcm)[3..] {
                    let found = found.unwrap_or_else(|| panic!("{pitch_hz} Hz is voiced"));
                    assert!((found / pitch_hz - 1.0).abs() < 0.02, "{pitch_hz} Hz: {found}");
                }
            }
        }
    }

    #[test]
    fn it_is_found_in_noise_of_10_db_less() {
        let vowel = vowel(140.0, 20);
        let rms = (vowel.iter().map(|s| s * s).sum::<f32>() / vowel.len() as f32).sqrt();
        // Evenly distributed noise has a deviation of its amplitude over the root of three.
        let noise = noise(vowel.len(), rms * 0.316 * 1.732);
        let mixed: Vec<f32> = vowel.iter().zip(&noise).map(|(a, b)| a + b).collect();
        let found = track(&mixed);
        let near = |hz: &&Option<f32>| hz.is_some_and(|hz| (hz / 140.0 - 1.0).abs() < 0.05);
        assert!(found[3..].iter().filter(near).count() >= 15, "{found:?}");
    }

    #[test]
    fn a_glide_is_followed() {
        let mut phase = 0.0;
        let glide: Vec<f32> = (0..50 * WIDEBAND_FRAME)
            .map(|n| {
                let hz = 200.0 - 100.0 * n as f32 / (50 * WIDEBAND_FRAME) as f32;
                phase += TAU * hz / WIDEBAND_HZ as f32;
                0.1 * (1..8_u8).map(|k| (f32::from(k) * phase).sin() / f32::from(k)).sum::<f32>()
            })
            .collect();
        for (frame, found) in track(&glide).iter().enumerate().skip(3) {
            // The middle of the newest 40 ms is the beginning of this frame.
            let hz = 200.0 - 2.0 * frame as f32;
            let found = found.unwrap_or_else(|| panic!("frame {frame} is voiced"));
            assert!((found - hz).abs() < 5.0, "frame {frame}: {found}, not {hz}");
        }
    }

    #[test]
    fn noise_silence_and_nonsense_have_none() {
        let found = track(&noise(100 * WIDEBAND_FRAME, 0.2));
        assert!(found.iter().flatten().count() <= 3, "{found:?}");
        assert!(track(&[0.0; 10 * WIDEBAND_FRAME]).iter().all(Option::is_none));
        assert!(track(&[f32::NAN; 10 * WIDEBAND_FRAME]).iter().all(Option::is_none));
        assert_eq!(PitchTracker::new().step(&[0.1; 7]), None);
    }

    #[test]
    fn a_reset_tracker_is_a_new_one() {
        let pcm = vowel(120.0, 6);
        let mut tracker = PitchTracker::new();
        let fresh: Vec<_> = pcm.chunks_exact(WIDEBAND_FRAME).map(|f| tracker.step(f)).collect();
        tracker.reset();
        let again: Vec<_> = pcm.chunks_exact(WIDEBAND_FRAME).map(|f| tracker.step(f)).collect();
        assert_eq!(fresh, again);
    }
}
