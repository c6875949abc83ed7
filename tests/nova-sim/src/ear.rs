//! Notices speech in the input, by its energy, and understands tones in it.
//!
//! All of it happens on the input's own timeline: audio that comes in a burst is heard as if it had
//! come at its pace.
//!
//! ```text
//! Quiet --100 ms of energy--> Speaking --`detection` of silence--> Quiet
//! ```

use std::time::Duration;

use crate::limits::UTTERANCE_MAX;
use crate::tones::{Decoder, Spotted, Word};

/// Length of the pieces that are loud or not.
const FRAME_MS: u64 = 10;
/// Energy that makes speech, in frames. Frames of silence among them count against it.
const ONSET_FRAMES: u32 = 10;
/// What is kept from before the onset, in milliseconds, so that a recogniser hears the first sound.
const BEFORE_ONSET_MS: u64 = 300;

/// Hears one audio block.
#[derive(Debug)]
pub struct Ear {
    rate_hz: u32,
    settings: EarSettings,
    /// Samples that are not a whole frame yet.
    partial: Vec<i16>,
    frames: u64,
    state: State,
    decoder: Decoder,
    /// Words that belong to no utterance yet.
    words: Vec<Spotted>,
    /// The utterance, and what came just before it; empty where nobody wants the sound.
    pcm: Vec<i16>,
}

/// How an ear hears.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EarSettings {
    /// Silence that ends an utterance.
    pub detection: Duration,
    /// Level above which a frame counts as speech, in dBFS.
    pub speech_dbfs: f32,
    /// Whether utterances come with their sound.
    pub keeps_pcm: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `loud`: frames of energy, less the frames of silence among them; since frame `onset`.
    Quiet { loud: u32, onset: u64 },
    /// Since frame `onset`; the last frame of energy was the one before `end`.
    Speaking { onset: u64, end: u64 },
}

/// What an ear noticed. Times are offsets in the input audio, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Speech began.
    Started {
        /// At its first sound.
        at_ms: u64,
    },
    /// Speech ended.
    Ended(Utterance),
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Utterance {
    /// Where it began.
    pub start_ms: u64,
    /// Where it ended.
    pub end_ms: u64,
    /// Where its end was noticed.
    pub detected_ms: u64,
    /// The words of tones in it.
    pub words: Vec<Word>,
    /// Its sound, at the ear's rate; empty unless asked for.
    pub pcm: Vec<i16>,
}

impl Ear {
    /// Listens at `rate_hz`.
    pub fn new(rate_hz: u32, settings: EarSettings) -> Self {
        Self {
            rate_hz,
            settings,
            partial: Vec::new(),
            frames: 0,
            state: State::Quiet { loud: 0, onset: 0 },
            decoder: Decoder::new(rate_hz),
            words: Vec::new(),
            pcm: Vec::new(),
        }
    }

    /// Hears some audio, of any length, and appends what was noticed.
    pub fn push(&mut self, pcm: &[i16], heard: &mut Vec<Heard>) {
        let frame = (u64::from(self.rate_hz) * FRAME_MS / 1_000) as usize;
        let mut rest = pcm;
        while !rest.is_empty() {
            let missing = frame - self.partial.len();
            let (now, later) = rest.split_at(rest.len().min(missing));
            self.partial.extend_from_slice(now);
            rest = later;
            if self.partial.len() == frame {
                let frame = std::mem::take(&mut self.partial);
                self.step(&frame, heard);
                self.partial = frame;
                self.partial.clear();
            }
        }
    }

    /// Whether the user is speaking.
    pub fn hears_speech(&self) -> bool {
        matches!(self.state, State::Speaking { .. })
    }

    /// The audio that was heard, in milliseconds.
    pub fn heard_ms(&self) -> u64 {
        self.frames * FRAME_MS
    }

    fn step(&mut self, frame: &[i16], heard: &mut Vec<Heard>) {
        self.decoder.push(frame, &mut self.words);
        if self.settings.keeps_pcm {
            self.pcm.extend_from_slice(frame);
        }
        let is_loud = level_dbfs(frame) > self.settings.speech_dbfs;
        let this = self.frames;
        self.frames += 1;
        match self.state {
            State::Quiet { loud, onset } => {
                let onset = if loud == 0 { this } else { onset };
                let loud = if is_loud { loud + 1 } else { loud.saturating_sub(1) };
                if loud < ONSET_FRAMES {
                    self.state = State::Quiet { loud, onset };
                    self.forget();
                } else {
                    self.state = State::Speaking { onset, end: this + 1 };
                    heard.push(Heard::Started { at_ms: onset * FRAME_MS });
                }
            }
            State::Speaking { onset, end } => {
                let end = if is_loud { this + 1 } else { end };
                let silence = Duration::from_millis((this + 1 - end) * FRAME_MS);
                let length = Duration::from_millis((this + 1 - onset) * FRAME_MS);
                self.state = State::Speaking { onset, end };
                if silence >= self.settings.detection || length >= UTTERANCE_MAX {
                    self.state = State::Quiet { loud: 0, onset: 0 };
                    heard.push(Heard::Ended(self.utterance(onset, end)));
                }
            }
        }
    }

    fn utterance(&mut self, onset: u64, end: u64) -> Utterance {
        let words = std::mem::take(&mut self.words);
        Utterance {
            start_ms: onset * FRAME_MS,
            end_ms: end * FRAME_MS,
            detected_ms: self.frames * FRAME_MS,
            words: words.into_iter().map(|spotted| spotted.word).collect(),
            pcm: std::mem::take(&mut self.pcm),
        }
    }

    /// Leaves only what may turn out to be the beginning of an utterance.
    fn forget(&mut self) {
        let kept = (u64::from(self.rate_hz) * BEFORE_ONSET_MS / 1_000) as usize;
        if self.pcm.len() > 2 * kept {
            self.pcm.drain(..self.pcm.len() - kept);
        }
        let heard = self.frames * u64::from(self.rate_hz) * FRAME_MS / 1_000;
        self.words.retain(|spotted| spotted.end + kept as u64 >= heard);
    }
}

/// Power of a frame relative to full scale.
fn level_dbfs(frame: &[i16]) -> f32 {
    let sum: f32 = frame.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum();
    let mean = sum / frame.len() as f32;
    10.0 * (mean / (32_768.0 * 32_768.0)).max(1e-10).log10()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tones::{WORD_MS, encode};

    const RATE_HZ: u32 = 16_000;
    const SETTINGS: EarSettings =
        EarSettings { detection: Duration::from_millis(400), speech_dbfs: -45.0, keeps_pcm: true };

    fn silence(ms: usize) -> Vec<i16> {
        vec![0; ms * 16]
    }

    fn sound(ms: usize, level: i16) -> Vec<i16> {
        (0..ms * 16).map(|n| if n / 20 % 2 == 0 { level } else { -level }).collect()
    }

    fn hear(blocks: &[Vec<i16>], size: usize) -> Vec<Heard> {
        let mut ear = Ear::new(RATE_HZ, SETTINGS);
        let mut heard = Vec::new();
        for block in blocks.concat().chunks(size) {
            ear.push(block, &mut heard);
        }
        heard
    }

    #[test]
    fn speech_begins_and_ends_where_it_does_however_it_comes() {
        for size in [1, 160, 512, 100_000] {
            let heard = hear(&[silence(300), sound(500, 3_000), silence(600)], size);
            let [Heard::Started { at_ms: 300 }, Heard::Ended(utterance)] = &heard[..] else {
                panic!("{heard:?}");
            };
            let times = (utterance.start_ms, utterance.end_ms, utterance.detected_ms);
            assert_eq!(times, (300, 800, 1_200));
            // The sound, the silence that ended it and some from before.
            let before = utterance.pcm.len() / 16 - 900;
            assert!((250..=620).contains(&before), "{before} ms from before");
        }
    }

    #[test]
    fn pauses_shorter_than_the_detection_do_not_end_it() {
        let heard = hear(
            &[sound(200, 3_000), silence(390), sound(200, 3_000), silence(399), sound(10, 3_000)],
            160,
        );
        assert_eq!(heard, [Heard::Started { at_ms: 0 }]);
    }

    #[test]
    fn clicks_and_quiet_noise_are_no_speech() {
        let click = [silence(100), sound(40, 8_000), silence(100)].concat();
        assert_eq!(hear(&vec![click; 10], 160), []);
        assert_eq!(hear(&[sound(2_000, 100)], 160), []);
    }

    #[test]
    fn words_go_to_their_own_utterance() {
        let words = [3, 4, 5].map(|n| Word::number(n).expect("a number of the language"));
        let first = encode(&words[..2], RATE_HZ);
        let second = encode(&words[2..], RATE_HZ);
        let heard = hear(&[silence(50), first, silence(500), second, silence(500)], 512);
        let said: Vec<_> = heard
            .iter()
            .filter_map(|heard| match heard {
                Heard::Ended(utterance) => Some(utterance.words.clone()),
                Heard::Started { .. } => None,
            })
            .collect();
        assert_eq!(said, [words[..2].to_vec(), words[2..].to_vec()]);
        let Heard::Ended(last) = &heard[3] else { panic!("{heard:?}") };
        assert_eq!(last.start_ms, 50 + 2 * u64::from(WORD_MS) + 500);
    }

    #[test]
    fn endless_speech_ends() {
        let mut ear = Ear::new(RATE_HZ, SETTINGS);
        let mut heard = Vec::new();
        for _ in 0..61 {
            ear.push(&sound(1_000, 3_000), &mut heard);
        }
        assert!(matches!(&heard[1], Heard::Ended(utterance) if utterance.detected_ms == 60_000));
    }
}
