//! Opus through libopus: the only place that names the library.

use std::fmt;

use opus::{Application, Bitrate, Channels, Decoder, Encoder, Signal};

use crate::limits::{
    ENCODED_FRAME_BYTES_MAX, FULLBAND_FRAME, FULLBAND_HZ, NARROWBAND_HZ, PACKET_MS_MAX, WIDEBAND_HZ,
};
use crate::media::codec::{Codec, CodecError, Concealment};
use crate::media::opus_packet;

/// Bits per second of the encoder. Speech is transparent from about 24 000; the rest pays for FEC.
const BITRATE_BPS: i32 = 32_000;
/// Of 10. Half the price of the highest, and no one could tell them apart on speech.
const COMPLEXITY: i32 = 5;
/// What the encoder assumes of the network until it is told: enough for it to add FEC.
const EXPECTED_LOSS_PERCENT: u8 = 10;
/// The decoder conceals in steps of 2.5 ms.
const STEPS_PER_SECOND: u32 = 400;
/// Frames of silence before the one that is kept: the encoder has come to rest by then.
const SETTLING_FRAMES: usize = 10;

/// One call's Opus decoder and encoder (RFC 6716, RTP: RFC 7587). Stereo is decoded to mono.
#[derive(Debug)]
pub struct OpusCodec {
    decoder: Decoder,
    decode_rate_hz: u32,
    encoder: Encoder,
    silence: Vec<u8>,
    /// Where audio is made up whose length is no multiple of the decoder's step.
    scratch: Vec<f32>,
}

/// The library refused to make a codec; the text says what of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpusRefused(String);

impl fmt::Display for OpusRefused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "libopus: {}", self.0)
    }
}

impl std::error::Error for OpusRefused {}

impl From<opus::Error> for OpusRefused {
    fn from(error: opus::Error) -> Self {
        Self(error.to_string())
    }
}

impl OpusCodec {
    /// A codec that decodes to `decode_rate_hz` (8 000, 16 000 or 48 000) and encodes at 48 kHz.
    pub fn new(decode_rate_hz: u32) -> Result<Self, OpusRefused> {
        if ![NARROWBAND_HZ, WIDEBAND_HZ, FULLBAND_HZ].contains(&decode_rate_hz) {
            return Err(OpusRefused(format!("{decode_rate_hz} Hz is no rate to decode to")));
        }
        let mut encoder = Encoder::new(FULLBAND_HZ, Channels::Mono, Application::Voip)?;
        encoder.set_bitrate(Bitrate::Bits(BITRATE_BPS))?;
        encoder.set_complexity(COMPLEXITY)?;
        encoder.set_signal(Signal::Voice)?;
        encoder.set_inband_fec(true)?;
        encoder.set_packet_loss_perc(i32::from(EXPECTED_LOSS_PERCENT))?;
        let silence = encoded_silence(&mut encoder)?;
        encoder.reset_state()?;
        Ok(Self {
            decoder: Decoder::new(decode_rate_hz, Channels::Mono)?,
            decode_rate_hz,
            encoder,
            silence,
            scratch: vec![0.0; (decode_rate_hz / 1_000 * PACKET_MS_MAX) as usize],
        })
    }

    /// Decodes into whole steps of scratch space, of which the caller's length is copied.
    fn conceal_into(&mut self, packet: &[u8], fec: Redundant, pcm: &mut [f32]) -> bool {
        let step = (self.decode_rate_hz / STEPS_PER_SECOND) as usize;
        let length = pcm.len().next_multiple_of(step);
        let Some(scratch) = self.scratch.get_mut(..length) else { return false };
        match self.decoder.decode_float(packet, scratch, fec == Redundant::Yes) {
            Ok(decoded) if decoded >= pcm.len() => {
                pcm.copy_from_slice(&scratch[..pcm.len()]);
                true
            }
            Ok(_) | Err(_) => false,
        }
    }
}

/// Whether a packet is decoded for its own audio or for the copy of the audio before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Redundant {
    Yes,
    No,
}

impl Codec for OpusCodec {
    fn decode_rate_hz(&self) -> u32 {
        self.decode_rate_hz
    }

    fn encode_rate_hz(&self) -> u32 {
        FULLBAND_HZ
    }

    fn rtp_clock_hz(&self) -> u32 {
        FULLBAND_HZ
    }

    fn carries_fec(&self) -> bool {
        true
    }

    fn packet_samples(&self, payload: &[u8]) -> Result<usize, CodecError> {
        let ticks = opus_packet::duration_ticks(payload)?;
        Ok((ticks / (FULLBAND_HZ / self.decode_rate_hz)) as usize)
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [f32]) -> Result<usize, CodecError> {
        // To the library an empty packet is a lost one.
        let samples = self.packet_samples(payload)?;
        let pcm = pcm.get_mut(..samples).ok_or(CodecError::TooLong)?;
        self.decoder.decode_float(payload, pcm, false).map_err(|_| CodecError::Malformed)
    }

    fn conceal(&mut self, next: Option<&[u8]>, pcm: &mut [f32]) -> Concealment {
        let with_fec = next.filter(|next| opus_packet::has_fec(next));
        if let Some(next) = with_fec
            && self.conceal_into(next, Redundant::Yes, pcm)
        {
            return Concealment::Fec;
        }
        if !self.conceal_into(&[], Redundant::No, pcm) {
            pcm.fill(0.0);
        }
        Concealment::Plc
    }

    fn encode(&mut self, pcm: &[f32], payload: &mut [u8]) -> Result<usize, CodecError> {
        self.encoder.encode_float(pcm, payload).map_err(|_| CodecError::Malformed)
    }

    fn silence(&self) -> &[u8] {
        &self.silence
    }

    fn set_expected_loss_percent(&mut self, percent: u8) {
        // Only values beyond 100 are refused.
        let _ = self.encoder.set_packet_loss_perc(i32::from(percent.min(100)));
    }
}

fn encoded_silence(encoder: &mut Encoder) -> Result<Vec<u8>, OpusRefused> {
    let mut payload = [0; ENCODED_FRAME_BYTES_MAX];
    let mut length = 0;
    for _ in 0..=SETTLING_FRAMES {
        length = encoder.encode_float(&[0.0; FULLBAND_FRAME], &mut payload)?;
    }
    Ok(payload[..length].to_vec())
}

#[cfg(test)]
mod tests;
