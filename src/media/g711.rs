//! G.711 as a call's codec: 8 kHz, one byte per sample (RFC 3551 §4.5.14).

use crate::dsp::g711;
use crate::limits::{NARROWBAND_HZ, PACKET_MS_MAX};
use crate::media::codec::{Codec, CodecError, Concealment};

/// The two laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// µ-law, PCMU, payload type 0.
    Mu,
    /// A-law, PCMA, payload type 8.
    A,
}

/// Samples of one 20 ms frame.
const FRAME_SAMPLES: usize = 160;
/// Audio remembered for concealment: 40 ms.
const HISTORY: usize = 320;
/// Pitch periods looked for: 400 Hz down to 66 Hz (ITU-T G.711 appendix I).
const LAGS: std::ops::RangeInclusive<usize> = 20..=120;
/// Samples compared at each lag.
const SPAN: usize = 160;

/// G.711 of either law. A lost packet is replaced by repeating the last pitch period, which its
/// user is expected to fade.
#[derive(Clone, Debug)]
pub struct G711Codec {
    law: Law,
    silence: [u8; FRAME_SAMPLES],
    /// The last 40 ms that were decoded or made up.
    history: [f32; HISTORY],
    concealing: Concealing,
}

/// Whether the last audio was real.
#[derive(Clone, Copy, Debug)]
enum Concealing {
    No,
    /// Repeating with this period.
    Every {
        lag: usize,
    },
}

impl G711Codec {
    /// A codec that has heard nothing yet.
    pub const fn new(law: Law) -> Self {
        let silence = match law {
            Law::Mu => g711::ULAW_SILENCE,
            Law::A => g711::ALAW_SILENCE,
        };
        Self {
            law,
            silence: [silence; FRAME_SAMPLES],
            history: [0.0; HISTORY],
            concealing: Concealing::No,
        }
    }

    fn remember(&mut self, pcm: &[f32]) {
        let newest = &pcm[pcm.len().saturating_sub(HISTORY)..];
        self.history.copy_within(newest.len().., 0);
        self.history[HISTORY - newest.len()..].copy_from_slice(newest);
    }

    /// The period at which the end of the history repeats itself best.
    fn pitch_lag(&self) -> usize {
        let late = &self.history[HISTORY - SPAN..];
        let likeness = |lag: usize| {
            let early = &self.history[HISTORY - SPAN - lag..HISTORY - lag];
            let product: f32 = late.iter().zip(early).map(|(a, b)| a * b).sum();
            let energy: f32 = early.iter().map(|sample| sample * sample).sum();
            product / (energy + f32::EPSILON).sqrt()
        };
        let by_likeness = |a: &(usize, f32), b: &(usize, f32)| a.1.total_cmp(&b.1);
        // A repetition as long as the span is the fallback for what has no pitch.
        LAGS.map(|lag| (lag, likeness(lag))).max_by(by_likeness).map_or(SPAN, |(lag, _)| lag)
    }
}

impl Codec for G711Codec {
    fn decode_rate_hz(&self) -> u32 {
        NARROWBAND_HZ
    }

    fn encode_rate_hz(&self) -> u32 {
        NARROWBAND_HZ
    }

    fn rtp_clock_hz(&self) -> u32 {
        NARROWBAND_HZ
    }

    fn packet_samples(&self, payload: &[u8]) -> Result<usize, CodecError> {
        match payload.len() {
            0 => Err(CodecError::Malformed),
            samples if samples > (NARROWBAND_HZ / 1_000 * PACKET_MS_MAX) as usize => {
                Err(CodecError::TooLong)
            }
            samples => Ok(samples),
        }
    }

    fn decode(&mut self, payload: &[u8], pcm: &mut [f32]) -> Result<usize, CodecError> {
        let samples = self.packet_samples(payload)?;
        let pcm = pcm.get_mut(..samples).ok_or(CodecError::TooLong)?;
        for (sample, code) in pcm.iter_mut().zip(payload) {
            *sample = g711::f32_from_i16(match self.law {
                Law::Mu => g711::ulaw_decode(*code),
                Law::A => g711::alaw_decode(*code),
            });
        }
        self.concealing = Concealing::No;
        self.remember(pcm);
        Ok(samples)
    }

    fn conceal(&mut self, _next: Option<&[u8]>, pcm: &mut [f32]) -> Concealment {
        let lag = match self.concealing {
            Concealing::Every { lag } => lag,
            Concealing::No => self.pitch_lag(),
        };
        self.concealing = Concealing::Every { lag };
        for n in 0..pcm.len() {
            pcm[n] = if n < lag { self.history[HISTORY - lag + n] } else { pcm[n - lag] };
        }
        self.remember(pcm);
        Concealment::Plc
    }

    fn encode(&mut self, pcm: &[f32], payload: &mut [u8]) -> Result<usize, CodecError> {
        let payload = payload.get_mut(..pcm.len()).ok_or(CodecError::TooLong)?;
        for (code, sample) in payload.iter_mut().zip(pcm) {
            let sample = g711::i16_from_f32(*sample);
            *code = match self.law {
                Law::Mu => g711::ulaw_encode(sample),
                Law::A => g711::alaw_encode(sample),
            };
        }
        Ok(pcm.len())
    }

    fn silence(&self) -> &[u8] {
        &self.silence
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::level;

    fn tone(samples: usize, start: usize) -> Vec<f32> {
        let angle = |n: usize| (start + n) as f32 * 180.0 * std::f32::consts::TAU / 8_000.0;
        (0..samples).map(|n| 0.3 * angle(n).sin() + 0.1 * (2.0 * angle(n)).sin()).collect()
    }

    #[test]
    fn both_laws_carry_a_tone() {
        for law in [Law::Mu, Law::A] {
            let mut codec = G711Codec::new(law);
            let sent = tone(FRAME_SAMPLES, 0);
            let mut payload = [0; FRAME_SAMPLES];
            assert_eq!(codec.encode(&sent, &mut payload), Ok(FRAME_SAMPLES));
            let mut heard = [0.0; FRAME_SAMPLES];
            assert_eq!(codec.decode(&payload, &mut heard), Ok(FRAME_SAMPLES));
            let error: Vec<f32> = sent.iter().zip(&heard).map(|(a, b)| a - b).collect();
            let snr_db = level::rms_dbfs(&sent) - level::rms_dbfs(&error);
            assert!(snr_db > 30.0, "{law:?}: {snr_db} dB");
        }
    }

    #[test]
    fn silence_decodes_to_silence() {
        for law in [Law::Mu, Law::A] {
            let mut codec = G711Codec::new(law);
            let silence = codec.silence().to_vec();
            let mut heard = [1.0; FRAME_SAMPLES];
            assert_eq!(codec.decode(&silence, &mut heard), Ok(FRAME_SAMPLES));
            assert!(level::rms_dbfs(&heard) < -70.0, "{law:?}");
        }
    }

    #[test]
    fn concealment_continues_what_is_periodic() {
        let mut codec = G711Codec::new(Law::Mu);
        let mut payload = [0; FRAME_SAMPLES];
        let mut pcm = [0.0; FRAME_SAMPLES];
        for frame in 0..5 {
            let sent = tone(FRAME_SAMPLES, frame * FRAME_SAMPLES);
            codec.encode(&sent, &mut payload).expect("it fits");
            codec.decode(&payload, &mut pcm).expect("it parses");
        }
        let mut heard = Vec::new();
        for _ in 0..2 {
            assert_eq!(codec.conceal(None, &mut pcm), Concealment::Plc);
            heard.extend(pcm);
        }
        let expected = tone(2 * FRAME_SAMPLES, 5 * FRAME_SAMPLES);
        let error: Vec<f32> = expected.iter().zip(&heard).map(|(a, b)| a - b).collect();
        let error_db = level::rms_dbfs(&error) - level::rms_dbfs(&expected);
        assert!(error_db < -8.0, "the error is {error_db} dB below the tone");
    }

    #[test]
    fn empty_and_overlong_payloads_are_refused() {
        let codec = G711Codec::new(Law::A);
        for (bytes, expected) in [
            (0, Err(CodecError::Malformed)),
            (1, Ok(1)),
            (960, Ok(960)),
            (961, Err(CodecError::TooLong)),
        ] {
            assert_eq!(codec.packet_samples(&vec![0; bytes]), expected, "{bytes} bytes");
        }
    }
}
