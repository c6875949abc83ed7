//! The two suppressors, each behind the same range of samples and blocks of 10 ms.

use std::fmt;

use nnnoiseless::DenoiseState;
use sonora_ns::config::{NsConfig, SuppressionLevel};
use sonora_ns::noise_suppressor::NoiseSuppressor;

use super::{FULL_BLOCK, WIDE_BLOCK};
use crate::dsp::level;
use crate::dsp::resample::Resampler;
use crate::limits::{FULLBAND_HZ, WIDEBAND_HZ};

/// Both suppressors were written for 16-bit samples.
const FULL_SCALE: f32 = 32_768.0;

/// The light suppressor, at 16 kHz. Delay: 96 samples.
pub(super) struct Light {
    suppressor: NoiseSuppressor,
}

impl Light {
    /// The overlap of its transform, in samples at 16 kHz.
    pub(super) const DELAY: usize = sonora_ns::config::OVERLAP_SIZE;

    pub(super) fn new() -> Self {
        let target_level = SuppressionLevel::K12dB;
        Self { suppressor: NoiseSuppressor::new(NsConfig { target_level }) }
    }

    pub(super) fn step(&mut self, block: &mut [f32; WIDE_BLOCK]) {
        scale(block, FULL_SCALE);
        self.suppressor.analyze(block);
        self.suppressor.process(block);
        scale(block, 1.0 / FULL_SCALE);
    }
}

/// The network, at 48 kHz, and the way from there to 16 kHz. Delay: 480 samples at 48 kHz, and the
/// resampler's 1 ms.
pub(super) struct Rnnoise {
    state: Box<DenoiseState<'static>>,
    denoised: [f32; FULL_BLOCK],
    started: bool,
    resampler: Resampler,
}

impl Rnnoise {
    pub(super) fn new() -> Self {
        Self {
            state: DenoiseState::new(),
            denoised: [0.0; FULL_BLOCK],
            started: false,
            resampler: to_wideband(),
        }
    }

    /// Appends 160 samples at 16 kHz.
    pub(super) fn step(&mut self, block: &mut [f32; FULL_BLOCK], output: &mut Vec<f32>) {
        scale(block, FULL_SCALE);
        self.state.process_frame(&mut self.denoised, block);
        if !self.started {
            // Its first output is the faded-in half of a window that began before the first sample.
            self.started = true;
            self.denoised.fill(0.0);
        }
        scale(&mut self.denoised, 1.0 / FULL_SCALE);
        self.resampler.step(&self.denoised, output);
    }
}

/// The converter from 48 to 16 kHz.
pub(super) fn to_wideband() -> Resampler {
    Resampler::new(FULLBAND_HZ, WIDEBAND_HZ).expect("both are rates it knows")
}

/// Multiplies a block; one that holds anything but finite numbers becomes silence, because a
/// recurrent filter never recovers from not-a-number.
fn scale(block: &mut [f32], factor: f32) {
    let finite = level::energy(block).is_finite();
    for sample in block {
        *sample = if finite { *sample * factor } else { 0.0 };
    }
}

impl fmt::Debug for Light {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Light").finish_non_exhaustive()
    }
}

impl fmt::Debug for Rnnoise {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Rnnoise").field("started", &self.started).finish_non_exhaustive()
    }
}
