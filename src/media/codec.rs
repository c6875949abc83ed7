//! What the media path needs of an audio codec.

use std::fmt;

/// A mono audio codec, decoder and encoder of one call.
///
/// PCM is `f32` in -1 to 1. The two directions may run at different rates: Opus decodes straight to
/// the rate that is asked for, which is cheaper than decoding at 48 kHz and resampling.
pub trait Codec {
    /// The rate of decoded PCM: 8, 16 or 48 kHz.
    fn decode_rate_hz(&self) -> u32;

    /// The rate of PCM to encode: 8, 16 or 48 kHz.
    fn encode_rate_hz(&self) -> u32;

    /// The rate of RTP timestamps, which for Opus is always 48 kHz whatever it decodes to.
    fn rtp_clock_hz(&self) -> u32;

    /// Whether packets may carry a copy of the packet before them (in-band FEC), so that it pays to
    /// wait for the next one when one is lost.
    fn carries_fec(&self) -> bool {
        false
    }

    /// How many samples (at [`Codec::decode_rate_hz`]) a packet holds, without decoding it.
    fn packet_samples(&self, payload: &[u8]) -> Result<usize, CodecError>;

    /// Decodes a packet into the front of `pcm` and returns how many samples it held.
    fn decode(&mut self, payload: &[u8], pcm: &mut [f32]) -> Result<usize, CodecError>;

    /// Makes up `pcm.len()` samples for a lost packet: from the redundancy in the packet after it
    /// (in-band FEC, RFC 6716 §2.1.7) where that is given and holds any, else by concealment.
    /// Returns which of the two it was.
    fn conceal(&mut self, next: Option<&[u8]>, pcm: &mut [f32]) -> Concealment;

    /// Encodes exactly one 20 ms frame into the front of `payload` and returns its length in bytes.
    fn encode(&mut self, pcm: &[f32], payload: &mut [u8]) -> Result<usize, CodecError>;

    /// A 20 ms packet of silence, to keep the track alive without running the encoder.
    fn silence(&self) -> &[u8];

    /// Tells the encoder how much of what it sends is lost, 0 to 100 %: what redundancy is worth.
    /// Codecs without any ignore it.
    fn set_expected_loss_percent(&mut self, _percent: u8) {}
}

/// How a missing packet was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concealment {
    /// From the forward error correction in the following packet.
    Fec,
    /// By the decoder's packet-loss concealment.
    Plc,
}

/// A packet that is not one of this codec's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// The payload does not parse.
    Malformed,
    /// It parses but lasts longer than [`crate::limits::PACKET_MS_MAX`].
    TooLong,
}

impl fmt::Display for CodecError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Malformed => "the payload does not parse",
            Self::TooLong => "the packet lasts longer than the codec allows",
        })
    }
}

impl std::error::Error for CodecError {}
