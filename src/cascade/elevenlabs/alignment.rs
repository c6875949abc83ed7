//! When characters sound, to when words do.

use serde_json::{Map, Value};

use super::super::voice::word;
use crate::call::event::WordTime;
use crate::limits::SENTENCE_CHARS_MAX;

/// The alignment of one phrase.
#[derive(Clone, Debug)]
pub(super) struct Alignment {
    /// The word that may go on: its text, and from when to when it sounds, in seconds.
    open: Option<(String, f64, f64)>,
}

impl Alignment {
    pub(super) const fn new() -> Self {
        Self { open: None }
    }

    /// The words that this completes. The message's sound begins at `before_s` of the phrase.
    pub(super) fn push(&mut self, told: &Map<String, Value>, before_s: f64) -> Vec<WordTime> {
        let list = |names: [&str; 2]| {
            names.iter().find_map(|name| told.get(*name)).and_then(Value::as_array)
        };
        let chars = list(["chars", "characters"]);
        let starts = list(["charStartTimesMs", "charsStartTimesMs"]);
        let durations = list(["charDurationsMs", "charsDurationsMs"]);
        let (Some(chars), Some(starts), Some(durations)) = (chars, starts, durations) else {
            return Vec::new();
        };
        let first_s = starts.first().and_then(Value::as_f64).unwrap_or(0.0) / 1_000.0;
        // Times that begin near 0 count from this message's sound.
        let base_s = if first_s > before_s / 2.0 { 0.0 } else { before_s };
        let mut words = Vec::new();
        for ((text, start), duration) in chars.iter().zip(starts).zip(durations) {
            let (Some(text), Some(start)) = (text.as_str(), start.as_f64()) else { continue };
            let start_s = base_s + start / 1_000.0;
            let end_s = start_s + duration.as_f64().unwrap_or(0.0) / 1_000.0;
            if text.chars().all(char::is_whitespace) {
                words.extend(self.finish());
            } else {
                self.append(text, start_s, end_s);
            }
        }
        words
    }

    /// The last word, nothing more being to come.
    pub(super) fn finish(&mut self) -> Option<WordTime> {
        let (text, start_s, end_s) = self.open.take()?;
        word(&text, start_s, end_s)
    }

    fn append(&mut self, more: &str, start_s: f64, end_s: f64) {
        let (text, _, end) = self.open.get_or_insert_with(|| (String::new(), start_s, end_s));
        // A longer one is no word.
        if text.len() + more.len() <= SENTENCE_CHARS_MAX {
            text.push_str(more);
        }
        *end = end_s;
    }
}
