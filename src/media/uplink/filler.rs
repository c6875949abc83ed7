//! What is heard where there is no packet: the decoder's invention at first, then silence.
//!
//! ```text
//! gain 1 |-----------.
//!        |            '.
//!      0 |              '--------------- no audio
//!        0          60   100 ms since the last packet
//! ```
//!
//! Invention sounds right for a syllable's length; beyond it listeners and recognisers hear a buzz.

use crate::media::codec::{Codec, Concealment};

/// How long the invention keeps its level.
const HOLD_MS: u32 = 60;
/// When it has faded away.
const FADED_MS: u32 = 100;

/// Fills gaps at one sample rate.
#[derive(Debug)]
pub(super) struct Filler {
    hold: usize,
    faded: usize,
    /// Samples made up since the last real one.
    run: usize,
}

impl Filler {
    pub(super) fn new(rate_hz: u32) -> Self {
        let samples = |ms: u32| (rate_hz / 1_000 * ms) as usize;
        Self { hold: samples(HOLD_MS), faded: samples(FADED_MS), run: 0 }
    }

    /// A packet was decoded: the next gap begins anew.
    pub(super) const fn handle_packet(&mut self) {
        self.run = 0;
    }

    /// Fills `pcm`, from the redundancy in `next` if it holds any.
    pub(super) fn fill(
        &mut self,
        codec: &mut impl Codec,
        next: Option<&[u8]>,
        pcm: &mut [f32],
    ) -> Concealment {
        if next.is_none() && self.run >= self.faded {
            pcm.fill(0.0);
            return Concealment::Plc;
        }
        let by = codec.conceal(next, pcm);
        match by {
            Concealment::Fec => self.run = 0,
            Concealment::Plc => {
                for (n, sample) in pcm.iter_mut().enumerate() {
                    *sample *= self.gain(self.run + n);
                }
                self.run += pcm.len();
            }
        }
        by
    }

    fn gain(&self, run: usize) -> f32 {
        let fall = run.saturating_sub(self.hold) as f32 / (self.faded - self.hold) as f32;
        (1.0 - fall).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::CodecError;

    /// Invents ones, recovers halves.
    struct Ones;

    impl Codec for Ones {
        fn decode_rate_hz(&self) -> u32 {
            16_000
        }

        fn encode_rate_hz(&self) -> u32 {
            16_000
        }

        fn rtp_clock_hz(&self) -> u32 {
            16_000
        }

        fn packet_samples(&self, _: &[u8]) -> Result<usize, CodecError> {
            Err(CodecError::Malformed)
        }

        fn decode(&mut self, _: &[u8], _: &mut [f32]) -> Result<usize, CodecError> {
            Err(CodecError::Malformed)
        }

        fn conceal(&mut self, next: Option<&[u8]>, pcm: &mut [f32]) -> Concealment {
            pcm.fill(if next.is_some() { 0.5 } else { 1.0 });
            if next.is_some() { Concealment::Fec } else { Concealment::Plc }
        }

        fn encode(&mut self, _: &[f32], _: &mut [u8]) -> Result<usize, CodecError> {
            Err(CodecError::Malformed)
        }

        fn silence(&self) -> &[u8] {
            &[]
        }
    }

    #[test]
    fn invention_fades_to_silence_and_a_packet_ends_the_gap() {
        let mut filler = Filler::new(16_000);
        let first_and_last = |filler: &mut Filler, next: Option<&[u8]>| {
            let mut pcm = [9.0; 320];
            filler.fill(&mut Ones, next, &mut pcm);
            (pcm[0], pcm[319])
        };
        for _ in 0..3 {
            assert_eq!(first_and_last(&mut filler, None), (1.0, 1.0));
        }
        let (first, last) = first_and_last(&mut filler, None);
        assert!(first == 1.0 && (0.49..0.51).contains(&last), "{first} {last}");
        let (first, last) = first_and_last(&mut filler, None);
        assert!((0.49..0.51).contains(&first) && last < 0.01, "{first} {last}");
        assert_eq!(first_and_last(&mut filler, None), (0.0, 0.0));
        assert_eq!(first_and_last(&mut filler, Some(&[1])), (0.5, 0.5));
        assert_eq!(first_and_last(&mut filler, None), (1.0, 1.0), "redundancy is real audio");
    }
}
