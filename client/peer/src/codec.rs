//! The codec of a call: its numbers, and one encoder and decoder over the three of them.

use serde::{Deserialize, Serialize};

use crate::g711;
use crate::limits::{FRAME_MS, PACKET_MS_MAX};

/// What the caller offers, and the only thing it offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodecKind {
    /// Opus at 48 kHz, mono, with in-band error correction (RFC 7587).
    #[default]
    Opus,
    /// G.711 µ-law at 8 kHz (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law at 8 kHz.
    Pcma,
}

impl CodecKind {
    /// The rate of samples and of the RTP clock, in hertz.
    pub const fn rate_hz(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::Pcmu | Self::Pcma => 8_000,
        }
    }

    /// Samples in one packet sent.
    pub const fn frame_samples(self) -> usize {
        (self.rate_hz() / 1_000 * FRAME_MS) as usize
    }

    /// The RTP payload type offered.
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Opus => 111,
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }
}

/// Why a codec refused.
#[derive(Debug, thiserror::Error)]
#[error("codec: {0}")]
pub struct CodecError(#[from] opus::Error);

/// The sending half.
pub enum Encoder {
    /// See [`CodecKind::Opus`].
    Opus(opus::Encoder),
    /// One of the companding laws.
    G711(fn(i16) -> u8),
}

impl Encoder {
    /// An encoder set as a good softphone sets it.
    pub fn new(kind: CodecKind) -> Result<Self, CodecError> {
        Ok(match kind {
            CodecKind::Opus => {
                let mut encoder =
                    opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip)?;
                encoder.set_bitrate(opus::Bitrate::Bits(32_000))?;
                encoder.set_complexity(5)?;
                encoder.set_inband_fec(true)?;
                encoder.set_packet_loss_perc(5)?;
                Self::Opus(encoder)
            }
            CodecKind::Pcmu => Self::G711(g711::ulaw_encode),
            CodecKind::Pcma => Self::G711(g711::alaw_encode),
        })
    }

    /// One frame as a packet's payload.
    pub fn encode(&mut self, frame: &[i16]) -> Result<Vec<u8>, CodecError> {
        // The largest Opus packet of one frame (RFC 6716 §3.2.1).
        const PACKET_BYTES_MAX: usize = 1_275;
        match self {
            Self::Opus(encoder) => Ok(encoder.encode_vec(frame, PACKET_BYTES_MAX)?),
            Self::G711(law) => Ok(frame.iter().map(|&sample| law(sample)).collect()),
        }
    }
}

/// The receiving half.
pub enum Decoder {
    /// See [`CodecKind::Opus`].
    Opus(opus::Decoder),
    /// One of the companding laws.
    G711(fn(u8) -> i16),
}

impl Decoder {
    /// A fresh decoder.
    pub fn new(kind: CodecKind) -> Result<Self, CodecError> {
        Ok(match kind {
            CodecKind::Opus => Self::Opus(opus::Decoder::new(48_000, opus::Channels::Mono)?),
            CodecKind::Pcmu => Self::G711(g711::ulaw_decode),
            CodecKind::Pcma => Self::G711(g711::alaw_decode),
        })
    }

    /// The samples of one packet.
    pub fn decode(&mut self, payload: &[u8]) -> Result<Vec<i16>, CodecError> {
        match self {
            Self::Opus(decoder) => {
                decode_opus(decoder, payload, 48 * PACKET_MS_MAX as usize, false)
            }
            Self::G711(law) => Ok(payload.iter().map(|&octet| law(octet)).collect()),
        }
    }

    /// `samples` in the place of a lost packet: out of the copy that `next`, the packet after it,
    /// carries, or else invented from what was heard before. G.711 has neither and is silent.
    pub fn conceal(&mut self, next: Option<&[u8]>, samples: usize) -> Result<Vec<i16>, CodecError> {
        match self {
            Self::Opus(decoder) => {
                let mut heard = decode_opus(decoder, next.unwrap_or(&[]), samples, next.is_some())?;
                heard.resize(samples, 0);
                Ok(heard)
            }
            Self::G711(_) => Ok(vec![0; samples]),
        }
    }
}

fn decode_opus(
    decoder: &mut opus::Decoder,
    payload: &[u8],
    samples_max: usize,
    fec: bool,
) -> Result<Vec<i16>, CodecError> {
    let mut samples = vec![0; samples_max];
    let count = decoder.decode(payload, &mut samples, fec)?;
    samples.truncate(count);
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::level_dbfs;

    fn tone(kind: CodecKind, frame: usize) -> Vec<i16> {
        let step = std::f64::consts::TAU * 440.0 / f64::from(kind.rate_hz());
        let first = frame * kind.frame_samples();
        (first..first + kind.frame_samples())
            .map(|index| (8_000.0 * (index as f64 * step).sin()) as i16)
            .collect()
    }

    #[test]
    fn each_codec_carries_a_tone_at_its_level_and_a_loss_is_filled() {
        for kind in [CodecKind::Opus, CodecKind::Pcmu, CodecKind::Pcma] {
            let mut encoder = Encoder::new(kind).unwrap();
            let mut decoder = Decoder::new(kind).unwrap();
            let mut heard = Vec::new();
            for frame in 0..20 {
                let packet = encoder.encode(&tone(kind, frame)).unwrap();
                heard = decoder.decode(&packet).unwrap();
                assert_eq!(heard.len(), kind.frame_samples(), "{kind:?}");
            }
            let expected = level_dbfs(&tone(kind, 19));
            assert!((level_dbfs(&heard) - expected).abs() < 1.0, "{kind:?}");
            assert_eq!(decoder.conceal(None, 960).unwrap().len(), 960, "{kind:?}");
        }
    }

    #[test]
    fn hostile_payloads_are_errors_or_noise_never_a_panic() {
        let mut decoder = Decoder::new(CodecKind::Opus).unwrap();
        for length in [1, 2, 3, 100, 1_500] {
            for octet in [0x00, 0x55, 0xFF] {
                drop(decoder.decode(&vec![octet; length]));
                drop(decoder.conceal(Some(&vec![octet; length]), 960));
            }
        }
    }
}
