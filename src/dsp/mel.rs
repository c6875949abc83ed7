//! Log-mel features as Whisper's feature extractor makes them, of 8 s at 16 kHz: what Smart Turn hears.
//!
//! ```text
//! pcm -> zeros in front to 8 s -> mean 0, variance 1 -> |STFT|^2 (Hann 400, hop 160, centred)
//!     -> 80 mel bands (Slaney) -> log10, at most 8 below the peak -> (x + 4) / 4
//! ```
//!
//! The same numbers as `transformers.WhisperFeatureExtractor(chunk_length=8)` with `do_normalize`, to
//! about 1e-4: its windows reach half a window beyond either end, over the sound mirrored there, and the
//! last of its 801 windows is left out.

use std::fmt;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use crate::limits::{TURN_SOUND_MS, WIDEBAND_HZ};

/// Samples that the features cover: 8 s.
pub const SAMPLES: usize = (WIDEBAND_HZ / 1_000 * TURN_SOUND_MS) as usize;
/// Mel bands: the rows.
pub const BANDS: usize = 80;
/// Windows, 10 ms apart: the columns.
pub const WINDOWS: usize = SAMPLES / HOP;
const LENGTH: usize = 400;
const HOP: usize = 160;
const BINS: usize = LENGTH / 2 + 1;
/// Added to the variance, so that silence is not divided by zero.
const VARIANCE_MIN: f32 = 1e-7;
/// The least power that is told from none.
const POWER_MIN: f32 = 1e-10;
/// Powers of ten below the peak that are kept.
const RANGE: f32 = 8.0;

/// The extractor with its tables and its memory: 1.1 MB, kept and used again.
pub struct LogMel {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    bands: Vec<Band>,
    /// The sound, with half a window of its mirror image at either end.
    padded: Vec<f32>,
    frame: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    features: Vec<f32>,
}

/// A triangle over the bins from `first`.
struct Band {
    first: usize,
    weights: Vec<f32>,
}

impl LogMel {
    /// An extractor.
    pub fn new() -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(LENGTH);
        let turn = std::f64::consts::TAU / LENGTH as f64;
        let window = (0..LENGTH).map(|n| (0.5 - 0.5 * (turn * n as f64).cos()) as f32).collect();
        Self {
            window,
            bands: bands(),
            padded: vec![0.0; SAMPLES + LENGTH],
            frame: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            features: vec![0.0; BANDS * WINDOWS],
            fft,
        }
    }

    /// The features of the last 8 s of `pcm`, signed 16 bit at 16 kHz: [`BANDS`] rows of [`WINDOWS`].
    pub fn step(&mut self, pcm: &[i16]) -> &[f32] {
        self.take(&pcm[pcm.len().saturating_sub(SAMPLES)..]);
        let mut peak = f32::MIN;
        for column in 0..WINDOWS {
            self.transform(column * HOP);
            for (row, band) in self.bands.iter().enumerate() {
                let bins = &self.spectrum[band.first..];
                let power: f32 = band
                    .weights
                    .iter()
                    .zip(bins)
                    .map(|(weight, bin)| weight * bin.norm_sqr())
                    .sum();
                let log = power.max(POWER_MIN).log10();
                self.features[row * WINDOWS + column] = log;
                peak = peak.max(log);
            }
        }
        for value in &mut self.features {
            *value = (value.max(peak - RANGE) + 4.0) / 4.0;
        }
        &self.features
    }

    /// Puts the sound at the end of the 8 s, normalised, and mirrors its ends.
    fn take(&mut self, pcm: &[i16]) {
        const HALF: usize = LENGTH / 2;
        let sound = &mut self.padded[HALF..HALF + SAMPLES];
        let (silence, spoken) = sound.split_at_mut(SAMPLES - pcm.len());
        silence.fill(0.0);
        for (to, from) in spoken.iter_mut().zip(pcm) {
            *to = f32::from(*from) / 32_768.0;
        }
        // The sums of 128 000 numbers need more digits than an f32 has.
        let count = SAMPLES as f64;
        let mean = sound.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
        let variance = sound.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / count;
        let (mean, deviation) = (mean as f32, (variance as f32 + VARIANCE_MIN).sqrt());
        sound.iter_mut().for_each(|x| *x = (*x - mean) / deviation);
        for n in 0..HALF {
            self.padded[n] = self.padded[LENGTH - n];
            self.padded[HALF + SAMPLES + n] = self.padded[HALF + SAMPLES - 2 - n];
        }
    }

    fn transform(&mut self, from: usize) {
        let sound = &self.padded[from..from + LENGTH];
        for ((to, sample), weight) in self.frame.iter_mut().zip(sound).zip(&self.window) {
            *to = sample * weight;
        }
        self.fft
            .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch)
            .expect("the buffers were made by the transform");
    }
}

impl Default for LogMel {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LogMel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LogMel").finish_non_exhaustive()
    }
}

/// The triangles of Slaney's auditory toolbox: linear to 1 kHz, logarithmic above, each of area one.
fn bands() -> Vec<Band> {
    let top = mel(f64::from(WIDEBAND_HZ) / 2.0);
    let edge = |index: usize| hz(top * index as f64 / (BANDS + 1) as f64);
    let bin_hz = f64::from(WIDEBAND_HZ) / LENGTH as f64;
    (0..BANDS)
        .map(|band| {
            let (low, middle, high) = (edge(band), edge(band + 1), edge(band + 2));
            let weight = |bin: usize| {
                let at = bin as f64 * bin_hz;
                let slope = ((at - low) / (middle - low)).min((high - at) / (high - middle));
                slope.max(0.0) * 2.0 / (high - low)
            };
            let first = (0..BINS).find(|bin| weight(*bin) > 0.0).unwrap_or(0);
            let weights = (first..BINS).map(weight).take_while(|weight| *weight > 0.0);
            Band { first, weights: weights.map(|weight| weight as f32).collect() }
        })
        .collect()
}

fn mel(hz: f64) -> f64 {
    let linear = 3.0 * hz / 200.0;
    if hz < 1_000.0 { linear } else { 15.0 + (hz / 1_000.0).ln() * 27.0 / 6.4_f64.ln() }
}

fn hz(mel: f64) -> f64 {
    let linear = 200.0 * mel / 3.0;
    if mel < 15.0 { linear } else { 1_000.0 * ((mel - 15.0) * 6.4_f64.ln() / 27.0).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::g711::ulaw_decode;

    const SPEECH: &[u8] = include_bytes!("../../tests/golden/silero/speech.ulaw");
    const EXPECTED: &str = include_str!("../../tests/golden/mel/features.txt");

    fn speech() -> Vec<i16> {
        SPEECH.iter().map(|code| ulaw_decode(*code)).collect()
    }

    #[test]
    fn features_are_those_of_the_reference() {
        let mut extractor = LogMel::new();
        let features = extractor.step(&speech()).to_vec();
        let mut compared = 0;
        for line in EXPECTED.lines().filter(|line| !line.starts_with('#')) {
            let mut numbers = line.split_whitespace();
            let column: usize = numbers.next().and_then(|n| n.parse().ok()).expect("a column");
            for (row, expected) in numbers.enumerate() {
                let expected: f32 = expected.parse().expect("a number");
                let found = features[row * WINDOWS + column];
                // The reference adds up in f64. A wrong band, window or norm is off by 0.01 and more.
                assert!(
                    (found - expected).abs() < 5e-4,
                    "{row}, {column}: {found}, not {expected}"
                );
                compared += 1;
            }
        }
        assert!(compared >= 1_000, "{compared}");
        assert_eq!(extractor.step(&speech()), features, "it remembers nothing");
    }

    #[test]
    fn only_the_last_eight_seconds_count_and_silence_is_flat() {
        let speech = speech();
        let mut long = vec![1_000; SAMPLES];
        long.extend((0..SAMPLES - speech.len()).map(|_| 0));
        long.extend(&speech);
        let mut extractor = LogMel::new();
        let expected = extractor.step(&speech).to_vec();
        assert_eq!(extractor.step(&long), expected);
        let silence = extractor.step(&[]).to_vec();
        assert!(silence.iter().all(|value| *value == silence[0] && value.is_finite()));
    }
}
