//! Noise suppression of the user's voice, on the way to 16 kHz.
//!
//! | mode | input | what it does | delay | when |
//! |---|---|---|---|---|
//! | off | 16 kHz | nothing | 0 | the client suppresses noise itself, as browsers do |
//! | light | 16 kHz | spectral gains from a noise estimate (`sonora-ns`, 12 dB) | 6 ms | steady hum |
//! | rnnoise | 48 kHz | a recurrent network (`nnnoiseless`) | 11 ms | noise that moves; distorts a little |
//! | auto | 48 kHz | measures the noise floor, picks one of these, crossfades | 11 ms | unknown callers |
//!
//! The output is always 16 kHz. Work is done in blocks of 10 ms; an input that is not a whole number
//! of them leaves its rest waiting for the next call, so nothing is lost or made up.

mod auto;
mod noise_floor;
mod stages;

use std::time::Duration;

use crate::dsp::framer::Framer;
use crate::limits::{FULLBAND_HZ, WIDEBAND_HZ};
use auto::Auto;
use stages::{Light, Rnnoise};

/// Samples in one block at 16 kHz.
const WIDE_BLOCK: usize = 160;
/// Samples in one block at 48 kHz.
const FULL_BLOCK: usize = 480;

/// How noise is to be suppressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DenoiseMode {
    /// Not at all.
    #[default]
    Off,
    /// Lightly, at 16 kHz.
    Light,
    /// By a recurrent network, at 48 kHz.
    Rnnoise,
    /// By whatever the measured noise floor calls for.
    Auto,
}

impl DenoiseMode {
    /// The rate that [`Denoiser::step`] takes, in Hz: decode to it where the codec can.
    pub const fn input_rate_hz(self) -> u32 {
        match self {
            Self::Off | Self::Light => WIDEBAND_HZ,
            Self::Rnnoise | Self::Auto => FULLBAND_HZ,
        }
    }
}

/// What is being done to the audio just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenoisePath {
    /// It passes.
    Through,
    /// It goes through the light suppressor.
    Light,
    /// It goes through the network.
    Rnnoise,
}

/// A noise suppressor of one mode for one voice.
#[derive(Debug)]
pub struct Denoiser {
    mode: DenoiseMode,
    stage: Stage,
}

/// The stages differ a hundredfold in size, and there is one per call: boxed.
#[derive(Debug)]
enum Stage {
    Through,
    Light { framer: Framer<WIDE_BLOCK>, light: Box<Light> },
    Rnnoise { framer: Framer<FULL_BLOCK>, rnnoise: Box<Rnnoise> },
    Auto { framer: Framer<FULL_BLOCK>, auto: Box<Auto> },
}

impl Denoiser {
    /// A suppressor that has heard nothing yet.
    pub fn new(mode: DenoiseMode) -> Self {
        let stage = match mode {
            DenoiseMode::Off => Stage::Through,
            DenoiseMode::Light => {
                Stage::Light { framer: Framer::new(), light: Box::new(Light::new()) }
            }
            DenoiseMode::Rnnoise => {
                Stage::Rnnoise { framer: Framer::new(), rnnoise: Box::new(Rnnoise::new()) }
            }
            DenoiseMode::Auto => Stage::Auto { framer: Framer::new(), auto: Box::new(Auto::new()) },
        };
        Self { mode, stage }
    }

    /// Its mode.
    pub const fn mode(&self) -> DenoiseMode {
        self.mode
    }

    /// The rate of the input, in Hz.
    pub const fn input_rate_hz(&self) -> u32 {
        self.mode.input_rate_hz()
    }

    /// How much later a sound leaves than it entered.
    pub const fn delay(&self) -> Duration {
        match self.mode {
            DenoiseMode::Off => Duration::ZERO,
            DenoiseMode::Light => Duration::from_millis(6),
            DenoiseMode::Rnnoise | DenoiseMode::Auto => Duration::from_millis(11),
        }
    }

    /// What is being done to the audio just now; changes only in [`DenoiseMode::Auto`].
    pub fn path(&self) -> DenoisePath {
        match &self.stage {
            Stage::Through => DenoisePath::Through,
            Stage::Light { .. } => DenoisePath::Light,
            Stage::Rnnoise { .. } => DenoisePath::Rnnoise,
            Stage::Auto { auto, .. } => auto.path(),
        }
    }

    /// The level of the noise in pauses, where it is measured ([`DenoiseMode::Auto`]) and was yet.
    pub fn noise_floor_dbfs(&self) -> Option<f32> {
        match &self.stage {
            Stage::Auto { auto, .. } => auto.noise_floor_dbfs(),
            Stage::Through | Stage::Light { .. } | Stage::Rnnoise { .. } => None,
        }
    }

    /// Takes samples at [`Denoiser::input_rate_hz`] and appends as much time at 16 kHz to `output`.
    pub fn step(&mut self, mut input: &[f32], output: &mut Vec<f32>) {
        match &mut self.stage {
            Stage::Through => output.extend_from_slice(input),
            Stage::Light { framer, light } => {
                while let Some(block) = framer.pop(&mut input) {
                    light.step(block);
                    output.extend_from_slice(block);
                }
            }
            Stage::Rnnoise { framer, rnnoise } => {
                while let Some(block) = framer.pop(&mut input) {
                    rnnoise.step(block, output);
                }
            }
            Stage::Auto { framer, auto } => {
                while let Some(block) = framer.pop(&mut input) {
                    auto.step(block, output);
                }
            }
        }
    }

    /// Forgets the past.
    pub fn reset(&mut self) {
        *self = Self::new(self.mode);
    }
}

#[cfg(test)]
mod tests;
