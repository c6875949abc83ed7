//! Packet order and arrival time: sequence extension, the adaptive jitter buffer, clock drift.

pub mod jitter;
pub mod sequence;
