//! Packet order and arrival time: sequence extension, the adaptive jitter buffer, clock drift.

pub mod framing;
pub mod rtcp;
pub mod stun;
pub mod jitter;
pub mod sequence;
