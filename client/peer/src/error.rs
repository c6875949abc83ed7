//! Why a call could not be made or measured.

use std::time::Duration;

use crate::codec::CodecError;
use crate::record::RecordError;
use crate::wav::WavError;
use crate::whip::SignalingError;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// A clip cannot be said.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// A recording cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The options contradict themselves or a limit.
    #[error("{0}")]
    Options(String),
    /// The server cannot be reached or refuses the call.
    #[error(transparent)]
    Signaling(#[from] SignalingError),
    /// The WebRTC stack refuses, as it does an answer that it cannot read.
    #[error("webrtc: {0}")]
    Stack(#[from] webrtc::error::Error),
    /// Encoding or decoding cannot begin.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The call ended before its time.
    #[error("the call broke: {0}")]
    Broken(&'static str),
    /// No media connection in time.
    #[error("no media connection within {} s: {state}", timeout.as_secs_f64())]
    Connect {
        /// How long was waited.
        timeout: Duration,
        /// How far it had come.
        state: &'static str,
    },
}

impl CallError {
    /// Whether the caller's own input is wrong, rather than the call.
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Wav(_) | Self::Record(_) | Self::Options(_))
            || matches!(self, Self::Signaling(SignalingError::Address { .. }))
    }
}
