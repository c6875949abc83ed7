//! Packet order and arrival time: sequence extension, the adaptive jitter buffer, clock drift.

pub mod framing;
pub mod jitter;
pub mod rtcp;
pub mod sequence;
pub mod stun;
