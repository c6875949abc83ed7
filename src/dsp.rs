//! Sample processing: `step(&mut self, frame)` and `reset()`, sample-exact, without time.
//!
//! Everywhere here PCM is mono `f32` in -1 to 1 unless a line says otherwise. A stage that takes
//! blocks of any length returns, over time, exactly as many samples as its rates imply, so stages
//! can be chained without counting.

pub mod denoise;
pub mod echo;
pub mod framer;
pub mod g711;
pub mod gain;
pub mod level;
pub mod mel;
#[cfg(feature = "shell")]
pub mod onnx;
pub mod pitch;
pub mod resample;
#[cfg(feature = "shell")]
pub mod silero;
#[cfg(feature = "shell")]
pub mod smart_turn;
pub mod vad;
