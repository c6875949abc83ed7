//! One phrase's sound and words, as they come, to blocks and to words that count from the first block.

use std::time::Duration;

use crate::backend::cascade::tts::mouth::without_lead;
use crate::call::event::WordTime;
use crate::cascade::voice::Heard;
use crate::limits::{FRAME_MS, SENTENCE_WORD_CHARS_MAX, SPEECH_SECONDS_MAX};

/// What is reported of a phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Words(Vec<WordTime>),
    Block(Vec<i16>),
}

/// More sound than any phrase has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// One phrase.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    rate_hz: u32,
    /// Samples that came, silence included.
    came: u64,
    /// How much silence was left out at the beginning; `None` while nothing else came.
    lead: Option<Duration>,
    pending: Vec<i16>,
    words: Vec<WordTime>,
    word_chars: usize,
    /// Where the last word ends.
    told: Duration,
    is_finished: bool,
}

impl Pieces {
    pub(super) const fn new(rate_hz: u32) -> Self {
        Self {
            rate_hz,
            came: 0,
            lead: None,
            pending: Vec::new(),
            words: Vec::new(),
            word_chars: 0,
            told: Duration::ZERO,
            is_finished: false,
        }
    }

    /// Whether any sound came, if only silence.
    pub(super) const fn has_begun(&self) -> bool {
        self.came > 0
    }

    pub(super) fn push(&mut self, heard: Heard) -> Result<(), TooLong> {
        let Heard { mut pcm, words, is_done: _ } = heard;
        let before = self.came;
        self.came += pcm.len() as u64;
        if self.came > u64::from(SPEECH_SECONDS_MAX) * u64::from(self.rate_hz) {
            return Err(TooLong);
        }
        for word in words {
            self.word_chars += word.text.chars().count();
            if self.word_chars <= SENTENCE_WORD_CHARS_MAX {
                self.words.push(word);
            }
        }
        if self.lead.is_none() {
            // The user would wait for the silence at its beginning, and hear it as a seam.
            let silent = pcm.len() - without_lead(&pcm).len();
            pcm.drain(..silent);
            if !pcm.is_empty() {
                let micros = (before + silent as u64) * 1_000_000 / u64::from(self.rate_hz);
                self.lead = Some(Duration::from_micros(micros));
            }
        }
        self.pending.extend(pcm);
        Ok(())
    }

    /// All of it has come: what is left is less than a block.
    pub(super) const fn finish(&mut self) {
        self.is_finished = true;
    }

    pub(super) fn pop(&mut self) -> Option<Piece> {
        let lead = self.lead?;
        if !self.words.is_empty() {
            let words = std::mem::take(&mut self.words);
            return Some(Piece::Words(
                words.into_iter().map(|word| self.timed(word, lead)).collect(),
            ));
        }
        let whole = (self.rate_hz * FRAME_MS / 1_000) as usize;
        let length = self.pending.len().min(whole);
        let is_ready = length == whole || self.is_finished && length > 0;
        is_ready.then(|| Piece::Block(self.pending.drain(..length).collect()))
    }

    /// Counted from the first block, and not before the word before it ends: providers overlap words by a
    /// few milliseconds, and whoever asks what was heard needs them in order.
    fn timed(&mut self, word: WordTime, lead: Duration) -> WordTime {
        let start = word.start.saturating_sub(lead).max(self.told);
        let end = word.end.saturating_sub(lead).max(start);
        self.told = end;
        WordTime { text: word.text, start, end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(pcm: Vec<i16>) -> Heard {
        Heard { pcm, ..Heard::default() }
    }

    fn word(text: &str, start_ms: u64, end_ms: u64) -> WordTime {
        let [start, end] = [start_ms, end_ms].map(Duration::from_millis);
        WordTime { text: text.to_owned(), start, end }
    }

    #[test]
    fn words_wait_for_the_sound_and_count_from_its_beginning() {
        let mut pieces = Pieces::new(8_000);
        let words = vec![word("a", 110, 150), word("b", 140, 160)];
        pieces.push(Heard { words, ..heard(vec![0; 400]) }).expect("it is short");
        assert_eq!(pieces.pop(), None);
        // 100 ms of silence in all, and 40 ms of sound.
        pieces.push(heard([vec![0; 400], vec![9_000; 320]].concat())).expect("it is short");
        // Of the silence the last 20 ms are kept.
        let timed = vec![word("a", 30, 70), word("b", 70, 80)];
        assert_eq!(pieces.pop(), Some(Piece::Words(timed)));
        for _ in 0..3 {
            assert!(matches!(pieces.pop(), Some(Piece::Block(block)) if block.len() == 160));
        }
        assert_eq!(pieces.pop(), None);
        pieces
            .push(Heard { words: vec![word("c", 180, 190)], ..heard(vec![1; 10]) })
            .expect("short");
        assert_eq!(pieces.pop(), Some(Piece::Words(vec![word("c", 100, 110)])));
        assert_eq!(pieces.pop(), None);
        pieces.finish();
        assert_eq!(pieces.pop(), Some(Piece::Block(vec![1; 10])));
        assert_eq!(pieces.pop(), None);
    }

    #[test]
    fn neither_sound_nor_words_are_without_end() {
        let mut pieces = Pieces::new(8_000);
        let second = heard(vec![9_000; 8_000]);
        for _ in 0..SPEECH_SECONDS_MAX {
            assert_eq!(pieces.push(second.clone()), Ok(()));
        }
        assert_eq!(pieces.push(second.clone()), Err(TooLong));
        let mut pieces = Pieces::new(8_000);
        let words = vec![word("abcd", 0, 1); SENTENCE_WORD_CHARS_MAX];
        pieces.push(Heard { words, ..second }).expect("it is short");
        let Some(Piece::Words(words)) = pieces.pop() else { panic!("there are words") };
        assert_eq!(words.len(), SENTENCE_WORD_CHARS_MAX / 4);
    }

    #[test]
    fn silence_alone_is_nothing_to_hear() {
        let mut pieces = Pieces::new(24_000);
        pieces.push(heard(vec![3; 24_000])).expect("it is short");
        pieces.finish();
        assert_eq!(pieces.pop(), None);
        assert!(pieces.has_begun());
    }
}
