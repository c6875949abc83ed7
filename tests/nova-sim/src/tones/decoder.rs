//! Understands the language of tones, as it comes.

use std::collections::VecDeque;
use std::f32::consts::TAU;

use super::{
    CODE_SYMBOLS, START_HZ, SYMBOL_MS, SYMBOLS, VALUES, Word, checksum, samples, value_hz,
};

/// Length of the window that a tone is looked for in, in milliseconds. Shorter than a symbol, so that
/// it fits inside one wherever it begins.
const WINDOW_MS: u32 = 30;
/// From one look to the next, in milliseconds.
const HOP_MS: u32 = 5;
/// The share of a window's power that a tone must have.
const SHARE_MIN: f32 = 0.4;
/// Mean square of a window that is too quiet to look at: -70 dBFS.
const POWER_MIN: f32 = 107.0;
/// How long the looks at a start of one symbol are in its plateau, in milliseconds.
const PLATEAU_MS: u32 = SYMBOL_MS - WINDOW_MS + WINDOW_MS * 2 / 5;
/// Looks at the start's plateau within this share of its peak are its middle.
const PLATEAU_SHARE: f32 = 0.8;

/// A word that was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spotted {
    /// Which.
    pub word: Word,
    /// Where it begins, in samples since the first that was pushed; a few milliseconds off at most.
    pub start: u64,
    /// Where it ends, without its pause.
    pub end: u64,
}

/// Finds words in a stream of sound. It keeps less than half a second of it.
#[derive(Clone, Debug)]
pub struct Decoder {
    rate_hz: u32,
    /// The latest samples; the last has number `pushed - 1`.
    recent: VecDeque<f32>,
    pushed: u64,
    /// Samples until the next look.
    until_look: usize,
    search: Search,
    words_damaged: u64,
}

#[derive(Clone, Debug)]
enum Search {
    /// No start in sight.
    Listening,
    /// In the start tone: the looks at it, as the window's last sample and the tone's power.
    Start(Vec<(u64, f32)>),
    /// The start's middle is known; the word's last symbol has not come yet.
    Word { middle: u64 },
}

impl Decoder {
    /// Listens at `rate_hz`, 8 000 and above.
    pub fn new(rate_hz: u32) -> Self {
        Self {
            rate_hz,
            recent: VecDeque::new(),
            pushed: 0,
            until_look: samples(HOP_MS, rate_hz),
            search: Search::Listening,
            words_damaged: 0,
        }
    }

    /// Hears some sound, of any length, and appends the words that are complete with it.
    pub fn push(&mut self, pcm: &[i16], words: &mut Vec<Spotted>) {
        let pcm: Vec<f32> = pcm.iter().map(|sample| f32::from(*sample)).collect();
        self.hear(&pcm, words);
    }

    fn hear(&mut self, pcm: &[f32], words: &mut Vec<Spotted>) {
        let kept = samples(SYMBOL_MS * SYMBOLS as u32 + WINDOW_MS, self.rate_hz);
        let mut rest = pcm;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(self.until_look));
            self.recent.extend(now);
            let surplus = self.recent.len().saturating_sub(kept);
            self.recent.drain(..surplus);
            self.pushed += now.len() as u64;
            self.until_look -= now.len();
            if self.until_look == 0 {
                self.until_look = samples(HOP_MS, self.rate_hz);
                self.look(words);
            }
            rest = later;
        }
    }

    /// Starts that were no words, or words that were damaged on their way.
    pub fn words_damaged(&self) -> u64 {
        self.words_damaged
    }

    fn look(&mut self, words: &mut Vec<Spotted>) {
        match self.search {
            Search::Listening => {
                if let Some(power) = self.start_power() {
                    self.search = Search::Start(vec![(self.pushed, power)]);
                }
            }
            Search::Start(_) => match self.start_power() {
                Some(power) => self.keep_look(power),
                None => self.find_middle(),
            },
            Search::Word { middle } => {
                let symbol = samples(SYMBOL_MS, self.rate_hz) as u64;
                let half_window = samples(WINDOW_MS, self.rate_hz) as u64 / 2;
                let last = middle + (SYMBOLS as u64 - 1) * symbol;
                if self.pushed >= last + half_window {
                    self.search = Search::Listening;
                    match self.read(middle) {
                        Some(word) => {
                            let start = middle.saturating_sub(symbol / 2);
                            words.push(Spotted { word, start, end: last + symbol / 2 });
                        }
                        None => {
                            self.words_damaged += 1;
                            self.hear_again(middle + symbol / 2, words);
                        }
                    }
                }
            }
        }
    }

    /// Listens once more from there on: a word that was cut short hides the start of the next.
    fn hear_again(&mut self, from: u64, words: &mut Vec<Spotted>) {
        let count = self.pushed.saturating_sub(from) as usize;
        let again = self.recent.split_off(self.recent.len().saturating_sub(count));
        self.pushed -= again.len() as u64;
        self.until_look = samples(HOP_MS, self.rate_hz);
        self.hear(&Vec::from(again), words);
    }

    /// The power of the start tone in the latest window, if it is what is heard there.
    fn start_power(&self) -> Option<f32> {
        let window = samples(WINDOW_MS, self.rate_hz);
        let from = self.recent.len().checked_sub(window)?;
        let power = self.power(from, window);
        let tone = self.tone_power(from, window, START_HZ);
        (power > POWER_MIN && tone > SHARE_MIN * power).then_some(tone)
    }

    fn keep_look(&mut self, power: f32) {
        let Search::Start(looks) = &mut self.search else { return };
        // More of it is a whistle, which its first looks tell as well.
        if looks.len() < (2 * SYMBOL_MS / HOP_MS) as usize {
            looks.push((self.pushed, power));
        }
    }

    fn find_middle(&mut self) {
        let Search::Start(looks) = &self.search else { return };
        let peak = looks.iter().map(|(_, power)| *power).fold(0.0, f32::max);
        let plateau = looks.iter().filter(|(_, power)| *power >= PLATEAU_SHARE * peak);
        let (mut first, mut last) = (u64::MAX, 0);
        for (at, _) in plateau {
            first = first.min(*at);
            last = last.max(*at);
        }
        // A click is as wide as the window and has no plateau; it fails its checksum.
        let half_window = samples(WINDOW_MS, self.rate_hz) as u64 / 2;
        // A start that broke off runs on into the next.
        let plateau = samples(PLATEAU_MS, self.rate_hz) as u64;
        let middle = (first.max(last.saturating_sub(plateau)) + last) / 2 - half_window;
        let is_whistle = last - first > samples(2 * SYMBOL_MS - WINDOW_MS / 2, self.rate_hz) as u64;
        self.search = if is_whistle { Search::Listening } else { Search::Word { middle } };
    }

    /// The word whose start has its middle there.
    fn read(&self, middle: u64) -> Option<Word> {
        let window = samples(WINDOW_MS, self.rate_hz);
        let symbol = samples(SYMBOL_MS, self.rate_hz) as u64;
        let oldest = self.pushed - self.recent.len() as u64;
        let mut values = [0_u8; CODE_SYMBOLS + 1];
        for (index, value) in values.iter_mut().enumerate() {
            let begin = middle + (index as u64 + 1) * symbol - window as u64 / 2;
            let from = usize::try_from(begin.checked_sub(oldest)?).ok()?;
            *value = self.value_at(from, window)?;
        }
        let [a, b, c, d, sum] = values;
        let code = [a, b, c, d];
        if checksum(code) != sum {
            return None;
        }
        Word::from_code(code.iter().fold(0, |code, value| code << 4 | u16::from(*value)))
    }

    fn value_at(&self, from: usize, window: usize) -> Option<u8> {
        let power = self.power(from, window);
        let mut best = (0, 0.0);
        for value in 0..VALUES {
            let tone = self.tone_power(from, window, value_hz(value));
            if tone > best.1 {
                best = (value, tone);
            }
        }
        let (value, tone) = best;
        (tone > SHARE_MIN * power).then_some(value as u8)
    }

    /// Mean square of a window.
    fn power(&self, from: usize, window: usize) -> f32 {
        let sum: f32 = self.recent.range(from..from + window).map(|sample| sample * sample).sum();
        sum / window as f32
    }

    /// Mean square of one tone in a window (Goertzel's algorithm).
    fn tone_power(&self, from: usize, window: usize, frequency_hz: f32) -> f32 {
        let turn = 2.0 * (TAU * frequency_hz / self.rate_hz as f32).cos();
        let (mut last, mut before) = (0.0_f32, 0.0_f32);
        for sample in self.recent.range(from..from + window) {
            (last, before) = (sample + turn * last - before, last);
        }
        let magnitude = last * last + before * before - turn * last * before;
        2.0 * magnitude / (window as f32 * window as f32)
    }
}
