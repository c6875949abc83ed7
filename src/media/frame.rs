//! What moves along the media path: packets in, 20 ms frames through, encoded frames out.

use crate::limits::{ENCODED_FRAME_BYTES_MAX, WIDEBAND_FRAME};

/// One RTP packet of the user's audio stream, its header already parsed.
#[derive(Clone, Copy, Debug)]
pub struct RtpPacket<'a> {
    /// What the payload is.
    pub kind: PayloadKind,
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, in ticks of the codec's RTP clock.
    pub timestamp: u32,
    /// RTP marker bit: for audio, the start of a talk spurt (RFC 3551 §4.1).
    pub marker: bool,
    /// The sender's audio level in dBFS, 0 to -127, from the header extension (RFC 6464).
    pub level_dbfs: Option<i8>,
    /// The payload, padding removed.
    pub payload: &'a [u8],
}

/// What an RTP payload holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadKind {
    /// Audio of the negotiated codec.
    Audio,
    /// A telephone event (RFC 4733), at the audio codec's RTP clock rate.
    TelephoneEvent,
}

/// One encoded 20 ms frame to send now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedFrame {
    /// RTP timestamp, in ticks of the codec's RTP clock. Advances over silence that is not sent.
    pub timestamp: u32,
    /// The first packet of a talk spurt.
    pub marker: bool,
    /// RMS level of the frame in dBFS, 0 to -127 (RFC 6464).
    pub level_dbfs: i8,
    length: u16,
    bytes: [u8; ENCODED_FRAME_BYTES_MAX],
}

impl EncodedFrame {
    /// A frame holding a copy of `payload`, which the downlink never makes longer than the limit.
    pub fn new(timestamp: u32, marker: bool, level_dbfs: i8, payload: &[u8]) -> Self {
        let mut bytes = [0; ENCODED_FRAME_BYTES_MAX];
        bytes[..payload.len()].copy_from_slice(payload);
        let length = payload.len() as u16;
        Self { timestamp, marker, level_dbfs, length, bytes }
    }

    /// The encoded payload.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// 20 ms of the user's voice for the backend: 16 kHz, mono, signed 16 bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcmFrame(pub [i16; WIDEBAND_FRAME]);
