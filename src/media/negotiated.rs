//! The codec that a call agreed on.

use super::codec::{Codec, CodecError, Concealment};
use super::g711::{G711Codec, Law};
use super::opus::{OpusCodec, OpusRefused};

/// One of the codecs that are served. A call settles on one, so a match per packet is all that
/// telling them apart costs.
#[derive(Debug)]
pub enum NegotiatedCodec {
    Opus(Box<OpusCodec>),
    G711(Box<G711Codec>),
}

impl NegotiatedCodec {
    /// Opus, decoding to `decode_rate_hz`.
    pub fn opus(decode_rate_hz: u32) -> Result<Self, OpusRefused> {
        OpusCodec::new(decode_rate_hz).map(|codec| Self::Opus(Box::new(codec)))
    }

    /// G.711 with the given law.
    pub fn g711(law: Law) -> Self {
        Self::G711(Box::new(G711Codec::new(law)))
    }
}

/// Calls the same method of whichever codec it is.
macro_rules! delegate {
    ($self:ident, $codec:ident => $call:expr) => {
        match $self {
            Self::Opus($codec) => $call,
            Self::G711($codec) => $call,
        }
    };
}

impl Codec for NegotiatedCodec {
    fn decode_rate_hz(&self) -> u32 {
        delegate!(self, codec => codec.decode_rate_hz())
    }

    fn encode_rate_hz(&self) -> u32 {
        delegate!(self, codec => codec.encode_rate_hz())
    }

    fn rtp_clock_hz(&self) -> u32 {
        delegate!(self, codec => codec.rtp_clock_hz())
    }

    fn packet_samples(&self, payload: &[u8]) -> Result<usize, CodecError> {
        delegate!(self, codec => codec.packet_samples(payload))
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [f32]) -> Result<usize, CodecError> {
        delegate!(self, codec => codec.decode(payload, pcm))
    }

    fn conceal(&mut self, next: Option<&[u8]>, pcm: &mut [f32]) -> Concealment {
        delegate!(self, codec => codec.conceal(next, pcm))
    }

    fn encode(&mut self, pcm: &[f32], payload: &mut [u8]) -> Result<usize, CodecError> {
        delegate!(self, codec => codec.encode(pcm, payload))
    }

    fn silence(&self) -> &[u8] {
        delegate!(self, codec => codec.silence())
    }

    fn carries_fec(&self) -> bool {
        delegate!(self, codec => codec.carries_fec())
    }

    fn set_expected_loss_percent(&mut self, percent: u8) {
        delegate!(self, codec => codec.set_expected_loss_percent(percent));
    }
}
