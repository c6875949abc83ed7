//! Packets in, features and 16 kHz PCM out; reply PCM in, paced packets out.

pub mod codec;
pub mod downlink;
pub mod frame;
pub mod pcm;
pub mod uplink;
