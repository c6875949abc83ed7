//! Antiphon: a WebRTC media agent for voice products.

// ---- pure: no clock, randomness, environment, files, threads, channels, locks or async ----
pub mod agent;
pub mod call;
pub mod dsp;
pub mod limits;
pub mod media;
pub mod rtp;
pub mod rtvi;
pub mod time;
pub mod yaml;

// ---- shell: async, sockets, providers ----
#[cfg(feature = "shell")]
pub mod backend;
