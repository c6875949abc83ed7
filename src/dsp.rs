//! Sample processing: `step(&mut self, frame)` and `reset()`, sample-exact, without time.

pub mod vad;
