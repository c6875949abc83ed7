//! Raw 16-bit PCM at 16 kHz as a "codec": what simulations speak, so that they need no library.

use crate::limits::{PACKET_MS_MAX, WIDEBAND_FRAME, WIDEBAND_HZ};
use crate::media::codec::{Codec, CodecError, Concealment};

/// Linear PCM, 16 kHz, mono, 16 bit, little-endian; its RTP clock is 16 kHz too.
///
/// Lost packets are replaced by silence, so that a simulation can tell them from heard audio.
#[derive(Clone, Copy, Debug, Default)]
pub struct PcmCodec;

const SAMPLE_BYTES: usize = 2;
const SILENCE: [u8; WIDEBAND_FRAME * SAMPLE_BYTES] = [0; WIDEBAND_FRAME * SAMPLE_BYTES];

impl Codec for PcmCodec {
    fn decode_rate_hz(&self) -> u32 {
        WIDEBAND_HZ
    }

    fn encode_rate_hz(&self) -> u32 {
        WIDEBAND_HZ
    }

    fn rtp_clock_hz(&self) -> u32 {
        WIDEBAND_HZ
    }

    fn packet_samples(&self, payload: &[u8]) -> Result<usize, CodecError> {
        let samples = payload.len() / SAMPLE_BYTES;
        if payload.is_empty() || !payload.len().is_multiple_of(SAMPLE_BYTES) {
            Err(CodecError::Malformed)
        } else if samples > (WIDEBAND_HZ / 1_000 * PACKET_MS_MAX) as usize {
            Err(CodecError::TooLong)
        } else {
            Ok(samples)
        }
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [f32]) -> Result<usize, CodecError> {
        let samples = self.packet_samples(payload)?;
        let pcm = pcm.get_mut(..samples).ok_or(CodecError::TooLong)?;
        let (values, _) = payload.as_chunks::<SAMPLE_BYTES>();
        for (sample, value) in pcm.iter_mut().zip(values) {
            *sample = f32::from(i16::from_le_bytes(*value)) / 32_768.0;
        }
        Ok(samples)
    }

    fn conceal(&mut self, _next: Option<&[u8]>, pcm: &mut [f32]) -> Concealment {
        pcm.fill(0.0);
        Concealment::Plc
    }

    fn encode(&mut self, pcm: &[f32], payload: &mut [u8]) -> Result<usize, CodecError> {
        let length = pcm.len() * SAMPLE_BYTES;
        let payload = payload.get_mut(..length).ok_or(CodecError::TooLong)?;
        let (values, _) = payload.as_chunks_mut::<SAMPLE_BYTES>();
        for (value, sample) in values.iter_mut().zip(pcm) {
            *value = ((sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).to_le_bytes();
        }
        Ok(length)
    }

    fn silence(&self) -> &[u8] {
        &SILENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_to_the_same_samples() {
        let pcm: Vec<f32> = (0..WIDEBAND_FRAME).map(|n| (n as f32 - 160.0) / 256.0).collect();
        let mut payload = [0; 640];
        let length = PcmCodec.encode(&pcm, &mut payload).expect("the frame fits");
        assert_eq!(PcmCodec.packet_samples(&payload[..length]), Ok(WIDEBAND_FRAME));
        let mut decoded = vec![0.0; WIDEBAND_FRAME];
        assert_eq!(PcmCodec.decode(&payload[..length], &mut decoded), Ok(WIDEBAND_FRAME));
        assert_eq!(decoded, pcm);
    }

    #[test]
    fn odd_empty_and_overlong_payloads_are_refused() {
        for (bytes, expected) in [
            (0, Err(CodecError::Malformed)),
            (3, Err(CodecError::Malformed)),
            (3_840, Ok(1_920)),
            (3_842, Err(CodecError::TooLong)),
        ] {
            assert_eq!(PcmCodec.packet_samples(&vec![0; bytes]), expected, "{bytes} bytes");
        }
    }
}
