//! The text of a reply, and what of it lies within the first part of its audio.

use std::time::Duration;

use crate::call::event::WordTime;
use crate::limits::REPLY_TEXT_CHARS_MAX;

/// The time one character of text takes to say, for text whose audio is not complete: about 15
/// characters a second, an ordinary English speaking rate.
const SPEECH_PER_CHAR: Duration = Duration::from_millis(65);

/// The text of one reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    segments: Vec<Segment>,
    /// Words with their times; they say what was heard as far as they go.
    words: Vec<WordTime>,
    chars: usize,
    word_chars: usize,
}

/// Text, and where its audio begins within the reply.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Segment {
    start: Duration,
    text: String,
}

impl Text {
    pub(super) const fn chars(&self) -> usize {
        self.chars
    }

    /// Appends text whose audio begins at `start`. False if there is too much.
    pub(super) fn push(&mut self, start: Duration, text: &str) -> bool {
        let chars = text.chars().count();
        if self.chars + chars > REPLY_TEXT_CHARS_MAX {
            return false;
        }
        self.chars += chars;
        match self.segments.last_mut() {
            Some(segment) if segment.start == start => append(&mut segment.text, text),
            _ => self.segments.push(Segment { start, text: text.trim().to_owned() }),
        }
        true
    }

    /// Appends words. False if some are refused: out of order, or too many.
    pub(super) fn push_words(&mut self, words: Vec<WordTime>) -> bool {
        for word in words {
            let last = self.words.last().map_or(Duration::ZERO, |last| last.end);
            let chars = word.text.chars().count();
            let is_in_order = word.start >= last && word.end >= word.start;
            if !is_in_order || self.word_chars + chars > REPLY_TEXT_CHARS_MAX {
                return false;
            }
            self.word_chars += chars;
            self.words.push(word);
        }
        true
    }

    /// What lies within the first `heard` of the audio. `end`: where it ends, if all of it is there.
    /// `speech`: how much of it up to a position is speech.
    pub(super) fn until(
        &self,
        heard: Duration,
        end: Option<Duration>,
        speech: impl Fn(Duration) -> Duration,
    ) -> String {
        // Words whose times are known until there: the rest is spread over the speech.
        let timed = self.words.last().map_or(Duration::ZERO, |last| last.end);
        let mut text = String::new();
        if heard <= timed || self.segments.last().is_none_or(|last| last.start < timed) {
            for word in self.words.iter().take_while(|word| is_heard(word, heard)) {
                append(&mut text, &word.text);
            }
            if !self.words.is_empty() {
                return text;
            }
        }
        for (index, segment) in self.segments.iter().enumerate() {
            if heard <= segment.start {
                break;
            }
            let next = self.segments.get(index + 1).map(|next| next.start);
            let share = segment.share(heard, next.or(end), &speech);
            append(&mut text, cut_at_word(&segment.text, share));
        }
        text
    }

    /// The sentence in which the word of this number (from 0) lies.
    pub(super) fn sentence_of_word(&self, number: usize) -> String {
        let mut sentence = Vec::new();
        let words = self.segments.iter().flat_map(|segment| segment.text.split_whitespace());
        for (index, word) in words.enumerate() {
            sentence.push(word);
            if word.ends_with(['.', '!', '?', '\u{3002}', '\u{ff01}', '\u{ff1f}']) {
                if index >= number {
                    break;
                }
                sentence.clear();
            }
        }
        sentence.join(" ")
    }
}

impl Segment {
    /// How much of it lies before `heard`. Speech counts, pauses do not. While more of its audio may come
    /// it does not end before a speaker would be done with its text: a backend that delivers at the speed
    /// of speech has always sent all it has.
    fn share(
        &self,
        heard: Duration,
        end: Option<Duration>,
        speech: impl Fn(Duration) -> Duration,
    ) -> f64 {
        if end.is_some_and(|end| heard >= end) {
            return 1.0;
        }
        let before = speech(self.start);
        let within = |position: Duration| speech(position).saturating_sub(before);
        let whole = end.map_or_else(
            || within(Duration::MAX).max(SPEECH_PER_CHAR * self.text.chars().count() as u32),
            within,
        );
        if whole.is_zero() { 0.0 } else { within(heard).div_duration_f64(whole) }
    }
}

/// A word is heard once half of it sounded: what is cut off later is mostly understood.
fn is_heard(word: &WordTime, heard: Duration) -> bool {
    word.start + (word.end - word.start) / 2 <= heard && heard > word.start
}

/// Joins two pieces of text with one space, or with none where the second continues a script that
/// is written without.
fn append(text: &mut String, more: &str) {
    let more = more.trim();
    let joins = |character: Option<char>| character.is_none_or(is_word_by_itself);
    if !more.is_empty() && !joins(text.chars().next_back()) && !joins(more.chars().next()) {
        text.push(' ');
    }
    text.push_str(more);
}

/// The longest run of whole words within the first `share` (0 to 1) of `text`.
fn cut_at_word(text: &str, share: f64) -> &str {
    if share >= 1.0 {
        return text;
    }
    let chars = text.chars().count();
    let kept = (share * chars as f64) as usize;
    let mut end = 0;
    for (start, character) in text.char_indices().take(kept) {
        let after = start + character.len_utf8();
        let next = text[after..].chars().next();
        let ends_word = next.is_none_or(|next| next.is_whitespace() || is_word_by_itself(next));
        if ends_word || is_word_by_itself(character) {
            end = after;
        }
    }
    text[..end].trim_end()
}

/// Chinese and Japanese are written without spaces; a cut between any two characters will do.
pub(crate) const fn is_word_by_itself(character: char) -> bool {
    matches!(character, '\u{2E80}'..='\u{9FFF}' | '\u{FF00}'..='\u{FFEF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_without_spaces_are_cut_between_characters() {
        assert_eq!(cut_at_word("你好世界", 0.5), "你好");
        assert_eq!(cut_at_word("naïve café", 0.55), "naïve");
        let mut text = "你好".to_owned();
        append(&mut text, "世界");
        assert_eq!(text, "你好世界");
    }
}
