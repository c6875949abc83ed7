//! Packets in, features and 16 kHz PCM out; reply PCM in, paced packets out.

pub mod codec;
pub mod downlink;
pub mod frame;
pub mod g711;
#[cfg(feature = "shell")]
pub mod negotiated;
#[cfg(feature = "shell")]
pub mod opus;
pub mod opus_packet;
pub mod pcm;
pub mod telephone_event;
pub mod uplink;
