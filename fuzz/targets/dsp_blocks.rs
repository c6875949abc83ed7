//! Resampling and noise suppression of blocks of any length and content.
#![no_main]

use antiphon::dsp::denoise::{DenoiseMode, Denoiser};
use antiphon::dsp::resample::{RATES_HZ, Resampler};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    from: u8,
    to: u8,
    mode: u8,
    /// Length of each block, and what it is filled with.
    blocks: Vec<(u16, i16, bool)>,
}

/// Samples fed in all, so that one input stays quick.
const SAMPLES_MAX: usize = 24_000;

fuzz_target!(|input: Input| {
    let rate = |choice: u8| RATES_HZ[usize::from(choice) % RATES_HZ.len()];
    let (from_hz, to_hz) = (rate(input.from), rate(input.to));
    let mut resampler = Resampler::new(from_hz, to_hz).expect("rates of the list");
    let modes = [DenoiseMode::Off, DenoiseMode::Light, DenoiseMode::Rnnoise, DenoiseMode::Auto];
    let mut denoiser = Denoiser::new(modes[usize::from(input.mode) % modes.len()]);
    let (mut fed, mut resampled, mut clean) = (0, Vec::new(), Vec::new());
    for (length, value, alternates) in input.blocks {
        let length = usize::from(length).min(SAMPLES_MAX - fed);
        let block: Vec<f32> = (0..length)
            .map(
                |n| if alternates && n % 2 == 1 { -1.0 } else { 1.0 } * f32::from(value) / 32_768.0,
            )
            .collect();
        fed += length;
        resampler.step(&block, &mut resampled);
        denoiser.step(&block, &mut clean);
        let expected = (fed as u64 * u64::from(to_hz)).div_ceil(u64::from(from_hz));
        assert_eq!(resampled.len() as u64, expected, "{from_hz} to {to_hz} after {fed} samples");
    }
    assert!(resampled.iter().chain(&clean).all(|sample| sample.is_finite()));
});
