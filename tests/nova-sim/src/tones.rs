//! A language of tones: words that survive a codec, resampling and fades, and that a program
//! understands without a speech engine.
//!
//! A word is six symbols of 50 ms, each one tone, and a pause of 60 ms:
//!
//! ```text
//! start | 4 symbols of 4 bits, the code, high bits first | checksum of 4 bits | pause
//! ```
//!
//! The tones of the 16 values lie at 500, 650 ... 2 750 Hz, the start at 2 900 Hz: within the band of
//! every telephone codec. Words that arrive damaged fail their checksum and are left out.

mod decoder;

use std::f32::consts::{PI, TAU};
use std::fmt;

pub use self::decoder::{Decoder, Spotted};

/// Length of a symbol, in milliseconds.
pub const SYMBOL_MS: u32 = 50;
/// Length of the pause after a word, in milliseconds.
pub const PAUSE_MS: u32 = 60;
/// Length of a word with its pause, in milliseconds.
pub const WORD_MS: u32 = SYMBOLS as u32 * SYMBOL_MS + PAUSE_MS;

/// Symbols of a word: start, code, checksum.
const SYMBOLS: usize = 2 + CODE_SYMBOLS;
const CODE_SYMBOLS: usize = 4;
/// Numbers end here; the codes of named words begin.
const NUMBERS_END: u16 = 10_000;
/// Frequency of value 0, and from each value to the next, in Hz.
const VALUE_HZ: f32 = 500.0;
const VALUE_STEP_HZ: f32 = 150.0;
const VALUES: usize = 16;
/// Frequency of the start, in Hz.
const START_HZ: f32 = 2_900.0;
/// A quarter of full scale: loud, and room for what is mixed to it.
const AMPLITUDE: f32 = 8_192.0;
/// Rise and fall of a symbol, in milliseconds, so that it does not click.
const RAMP_MS: u32 = 4;

/// The words that are no numbers.
pub const VOCABULARY: &[&str] = &[
    "yes", "no", "stop", "hello", "goodbye", "please", "repeat", "continue", "confirm", "status",
    "order", "get", "set", "cancel", "book", "weather", "time", "price", "transfer", "account",
    "name", "help", "echo", "wait", "fail", "lookup",
];

/// A word of the language: a number from 0 to 9 999, or one of [`VOCABULARY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(u16);

impl Word {
    /// A number; `None` above 9 999.
    pub fn number(number: u16) -> Option<Self> {
        (number < NUMBERS_END).then_some(Self(number))
    }

    /// A word of the vocabulary, in any case.
    pub fn named(name: &str) -> Option<Self> {
        let index = VOCABULARY.iter().position(|word| word.eq_ignore_ascii_case(name))?;
        Some(Self(NUMBERS_END + u16::try_from(index).ok()?))
    }

    /// What it is if it is a number.
    pub fn as_number(self) -> Option<u16> {
        (self.0 < NUMBERS_END).then_some(self.0)
    }

    /// All words in a text, in order: decimal numbers up to 9 999 and the vocabulary. The rest of the
    /// text is left out.
    pub fn all_in(text: &str) -> Vec<Self> {
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
        words
            .filter_map(|word| match word.parse() {
                Ok(number) => Self::number(number),
                Err(_) => Self::named(word),
            })
            .collect()
    }

    /// The words as a text with spaces between them.
    pub fn text_of(words: &[Self]) -> String {
        words.iter().map(Self::to_string).collect::<Vec<_>>().join(" ")
    }

    fn from_code(code: u16) -> Option<Self> {
        (usize::from(code) < usize::from(NUMBERS_END) + VOCABULARY.len()).then_some(Self(code))
    }

    /// The values of the symbols after the start.
    fn values(self) -> [u8; CODE_SYMBOLS + 1] {
        let code = [12, 8, 4, 0].map(|shift| (self.0 >> shift & 0xf) as u8);
        let [a, b, c, d] = code;
        [a, b, c, d, checksum(code)]
    }
}

impl fmt::Display for Word {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match VOCABULARY.get(usize::from(self.0.wrapping_sub(NUMBERS_END))) {
            Some(name) => formatter.write_str(name),
            None => write!(formatter, "{}", self.0),
        }
    }
}

/// Speaks words, as mono at `rate_hz` (8 000 and above). Each is [`WORD_MS`] long.
pub fn encode(words: &[Word], rate_hz: u32) -> Vec<i16> {
    let mut pcm = Vec::new();
    for word in words {
        push_tone(&mut pcm, START_HZ, rate_hz);
        for value in word.values() {
            push_tone(&mut pcm, value_hz(usize::from(value)), rate_hz);
        }
        pcm.resize(pcm.len() + samples(PAUSE_MS, rate_hz), 0);
    }
    pcm
}

fn push_tone(pcm: &mut Vec<i16>, frequency_hz: f32, rate_hz: u32) {
    let length = samples(SYMBOL_MS, rate_hz);
    let ramp = samples(RAMP_MS, rate_hz) as f32;
    for index in 0..length {
        let from_edge = (index.min(length - 1 - index) as f32 / ramp).min(1.0);
        let gain = AMPLITUDE * (0.5 - 0.5 * (PI * from_edge).cos());
        let phase = TAU * frequency_hz * index as f32 / rate_hz as f32;
        pcm.push((gain * phase.sin()) as i16);
    }
}

/// Weighted by odd numbers, so that every damage to one symbol alone is noticed.
fn checksum(code: [u8; CODE_SYMBOLS]) -> u8 {
    let weights = [1, 3, 5, 7];
    let sum: u32 = code.iter().zip(weights).map(|(value, weight)| u32::from(*value) * weight).sum();
    ((sum + 9) % 16) as u8
}

fn value_hz(value: usize) -> f32 {
    VALUE_HZ + VALUE_STEP_HZ * value as f32
}

fn samples(ms: u32, rate_hz: u32) -> usize {
    (ms * rate_hz / 1_000) as usize
}

#[cfg(test)]
mod tests;
