//! A voice model without a network: what is loud and periodic is called speech.
//!
//! For simulation and tests, where the pure core runs with no model file, and where a tone or a
//! buzz has to count as a voice. Against real rooms it is no match for a trained model: music and
//! hum are periodic too, and unvoiced consonants are not.

use super::{VoiceModel, WINDOW_SAMPLES};
use crate::dsp::level;

/// Lags, in samples at 16 kHz, of the pitches looked for: 500 Hz down to 70 Hz.
const LAGS: std::ops::Range<usize> = 32..229;
/// Samples compared at each lag: what is left of the window at the longest one.
const SPAN: usize = WINDOW_SAMPLES - LAGS.end;
/// Over how many dB above the threshold the level's share rises from 0 to 1.
const LEVEL_SLOPE_DB: f32 = 6.0;
/// Correlation at the best lag below which a window is noise, and from which it is voiced.
const NOISE_CORRELATION: f32 = 0.35;
const VOICED_CORRELATION: f32 = 0.7;
/// What is left of the last probability after a window: bridges the consonants of a word.
const DECAY: f32 = 0.5;

/// A [`VoiceModel`] that looks at level and periodicity.
#[derive(Clone, Debug)]
pub struct LevelVoice {
    threshold_dbfs: f32,
    probability: f32,
}

impl LevelVoice {
    /// Windows at or below `threshold_dbfs` (RMS) are never speech; -50 suits clean signals.
    pub const fn new(threshold_dbfs: f32) -> Self {
        Self { threshold_dbfs, probability: 0.0 }
    }
}

impl VoiceModel for LevelVoice {
    fn step(&mut self, window: &[f32; WINDOW_SAMPLES]) -> f32 {
        let above_db = level::rms_dbfs(window) - self.threshold_dbfs;
        let loud = (above_db / LEVEL_SLOPE_DB).clamp(0.0, 1.0);
        let now = if loud > 0.0 { loud * voiced(periodicity(window)) } else { 0.0 };
        self.probability = now.max(self.probability * DECAY);
        self.probability
    }

    fn reset(&mut self) {
        self.probability = 0.0;
    }
}

fn voiced(correlation: f32) -> f32 {
    ((correlation - NOISE_CORRELATION) / (VOICED_CORRELATION - NOISE_CORRELATION)).clamp(0.0, 1.0)
}

/// The largest normalised autocorrelation over [`LAGS`], 0 to 1.
fn periodicity(window: &[f32; WINDOW_SAMPLES]) -> f32 {
    let early = &window[..SPAN];
    let early_energy = level::energy(early);
    let mut best = 0.0_f32;
    for lag in LAGS {
        let late = &window[lag..lag + SPAN];
        let product: f32 = early.iter().zip(late).map(|(a, b)| a * b).sum();
        let energy = (early_energy * level::energy(late)).sqrt();
        // A silent stretch divides by zero; not-a-number loses every comparison.
        best = best.max(product / energy);
    }
    best.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window of `signal(n)`, `n` counted over the whole stream.
    fn windows(count: usize, signal: impl Fn(usize) -> f32) -> Vec<[f32; WINDOW_SAMPLES]> {
        (0..count)
            .map(|index| std::array::from_fn(|n| signal(index * WINDOW_SAMPLES + n)))
            .collect()
    }

    fn noise(n: usize) -> f32 {
        let mixed = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed >> 40) as f32 / (1 << 23) as f32) - 1.0
    }

    fn sine(frequency_hz: f32, n: usize) -> f32 {
        (n as f32 * frequency_hz * std::f32::consts::TAU / 16_000.0).sin()
    }

    fn buzz(n: usize) -> f32 {
        ((n % 133) as f32 / 133.0 - 0.5) * 0.4
    }

    #[test]
    fn loud_periodic_sound_is_speech_and_nothing_else_is() {
        type Signal = fn(usize) -> f32;
        let rows: [(&str, Signal, std::ops::Range<f32>); 6] = [
            ("digital silence", |_| 0.0, 0.0..0.01),
            ("loud noise", |n| 0.3 * noise(n), 0.0..0.2),
            ("a 440 Hz tone", |n| 0.1 * sine(440.0, n), 0.9..1.01),
            ("a 120 Hz buzz", buzz, 0.9..1.01),
            ("a tone too faint", |n| 0.001 * sine(200.0, n), 0.0..0.01),
            ("a buzz in noise", |n| buzz(n) + 0.03 * noise(n), 0.8..1.01),
        ];
        for (name, signal, expected) in rows {
            let mut model = LevelVoice::new(-50.0);
            for window in windows(6, signal) {
                let probability = model.step(&window);
                assert!(expected.contains(&probability), "{name}: {probability}");
            }
        }
    }

    #[test]
    fn speech_ends_within_four_windows_of_silence() {
        let mut model = LevelVoice::new(-50.0);
        assert!(model.step(&windows(1, buzz)[0]) > 0.9);
        let fading: Vec<f32> = (0..4).map(|_| model.step(&[0.0; WINDOW_SAMPLES])).collect();
        assert_eq!(fading, [0.5, 0.25, 0.125, 0.0625]);
        model.step(&windows(1, buzz)[0]);
        model.reset();
        assert_eq!(model.step(&[0.0; WINDOW_SAMPLES]), 0.0);
    }
}
