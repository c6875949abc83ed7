//! What of a phrase is left to be said when a voice breaks off. Pure.

use std::time::Duration;

use crate::call::event::WordTime;

/// Characters a second of a voice that nothing is known of: English at an ordinary pace.
const CHARS_PER_S: f64 = 15.0;

/// How far a phrase is spoken.
#[derive(Clone, Debug)]
pub(super) struct Spoken {
    /// Told of it so far, at the call's rate.
    pub(super) samples: usize,
    /// Its words, where the voice says when they sound.
    words: Vec<WordTime>,
    /// Samples of a character, from the phrases that were spoken to their end.
    tempo: Option<f64>,
    rate_hz: u32,
}

impl Spoken {
    /// Nothing yet, at this rate.
    pub(super) const fn new(rate_hz: u32) -> Self {
        Self { samples: 0, words: Vec::new(), tempo: None, rate_hz }
    }

    /// A phrase, or the rest of one, begins.
    pub(super) fn begin(&mut self) {
        self.samples = 0;
        self.words.clear();
    }

    /// When words of it sound.
    pub(super) fn words(&mut self, words: &[WordTime]) {
        self.words.extend_from_slice(words);
    }

    /// It was spoken to its end.
    pub(super) fn end(&mut self, text: &str) {
        let chars = text.chars().count();
        if chars > 0 && self.samples > 0 {
            let tempo = self.samples as f64 / chars as f64;
            self.tempo = Some(self.tempo.map_or(tempo, |known| f64::midpoint(known, tempo)));
        }
    }

    /// What is left of it, from the word in whose middle the voice broke off: a word that is said twice is
    /// better than one that is missing.
    pub(super) fn rest<'t>(&self, text: &'t str) -> &'t str {
        if self.samples == 0 {
            return text;
        }
        let by_words = self.words_said().and_then(|words| skip_words(text, words));
        match by_words {
            Some(rest) => rest,
            None => {
                let tempo = self.tempo.unwrap_or_else(|| f64::from(self.rate_hz) / CHARS_PER_S);
                let chars = (self.samples as f64 / tempo) as usize;
                skip_chars(text, chars)
            }
        }
    }

    /// Words that sounded whole; `None` if the voice did not say.
    fn words_said(&self) -> Option<&[WordTime]> {
        if self.words.is_empty() {
            return None;
        }
        let micros = self.samples as u64 * 1_000_000 / u64::from(self.rate_hz);
        let said = Duration::from_micros(micros);
        let count = self.words.iter().take_while(|word| word.end <= said).count();
        Some(&self.words[..count])
    }
}

/// Without these, which are its first words, and the marks that follow them. They need not be what is between
/// blanks: some voices tell each character. `None` if it does not begin with them, as where numbers are spelt
/// out.
fn skip_words<'t>(text: &'t str, words: &[WordTime]) -> Option<&'t str> {
    let letter = |char: &char| char.is_alphanumeric();
    let mut rest = text;
    for said in words.iter().flat_map(|word| word.text.chars()).filter(letter) {
        let at = rest.find(char::is_alphanumeric)?;
        let next = rest[at..].chars().next()?;
        if !next.to_lowercase().eq(said.to_lowercase()) {
            return None;
        }
        rest = &rest[at + next.len_utf8()..];
    }
    let is_mark = |char: char| !char.is_whitespace() && !char.is_alphanumeric();
    let after = if rest.len() < text.len() { rest.trim_start_matches(is_mark) } else { rest };
    Some(after.trim_start())
}

/// Without the words that end within its first characters.
fn skip_chars(text: &str, chars: usize) -> &str {
    let spoken: String = text.chars().take(chars).collect();
    let is_word_whole = text[spoken.len()..].chars().next().is_none_or(char::is_whitespace);
    let whole = if is_word_whole {
        spoken.len()
    } else {
        spoken.rfind(char::is_whitespace).unwrap_or_default()
    };
    text[whole..].trim_start()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "One two three four.";

    fn word(text: &str, start_ms: u64, end_ms: u64) -> WordTime {
        let (start, end) = (Duration::from_millis(start_ms), Duration::from_millis(end_ms));
        WordTime { text: text.to_owned(), start, end }
    }

    #[test]
    fn nothing_said_leaves_all() {
        let mut spoken = Spoken::new(16_000);
        spoken.begin();
        assert_eq!(spoken.rest(TEXT), TEXT);
    }

    #[test]
    fn word_times_say_what_is_left() {
        let mut spoken = Spoken::new(16_000);
        spoken.begin();
        spoken.words(&[word("One", 0, 200), word("two", 200, 500), word("three", 500, 900)]);
        for (ms, rest) in
            [(100, TEXT), (200, "two three four."), (600, "three four."), (950, "four.")]
        {
            spoken.samples = 16 * ms;
            assert_eq!(spoken.rest(TEXT), rest, "{ms} ms");
        }
    }

    #[test]
    fn without_times_the_tempo_says_and_a_broken_word_is_said_again() {
        let mut spoken = Spoken::new(16_000);
        spoken.begin();
        spoken.samples = TEXT.len() * 1_000;
        spoken.end(TEXT);
        spoken.begin();
        for (chars, rest) in [
            (2, TEXT),
            (3, "two three four."),
            (9, "three four."),
            (18, "four."),
            (19, ""),
            (40, ""),
        ] {
            spoken.samples = chars * 1_000;
            assert_eq!(spoken.rest(TEXT), rest, "{chars} characters");
        }
    }

    #[test]
    fn words_that_are_not_between_blanks_are_found_in_the_text() {
        let rows: [(&str, &[&str], &str); 4] = [
            ("你好，世界和平。", &["你", "好"], "世界和平。"),
            ("Hi, twenty-one (or so).", &["hi", "Twenty"], "one (or so)."),
            ("Hi, twenty-one (or so).", &["Hi,", "twenty-one"], "(or so)."),
            ("One - two.", &["One", "-"], "- two."),
        ];
        for (text, said, rest) in rows {
            let mut spoken = Spoken::new(16_000);
            spoken.begin();
            spoken.samples = 16_000;
            let words: Vec<_> = said.iter().map(|it| word(it, 0, 900)).collect();
            spoken.words(&words);
            assert_eq!(spoken.rest(text), rest, "{said:?}");
        }
    }

    #[test]
    fn words_that_are_not_those_of_the_text_leave_it_to_the_tempo() {
        let long = ["It", "is", "nineteen", "hundred", "and", "ninety", "nine"];
        let rows: [(&str, usize, &[&str], &str); 2] = [
            // By their count, all of it was said.
            ("It is 1999, and all is well.", 11, &long, "and all is well."),
            ("It is 10 now.", 8, &["It", "is", "ten"], "now."),
        ];
        for (text, chars, said, rest) in rows {
            let mut spoken = Spoken::new(15_000);
            spoken.begin();
            spoken.samples = chars * 1_000;
            let words: Vec<_> = said.iter().map(|it| word(it, 0, 500)).collect();
            spoken.words(&words);
            assert_eq!(spoken.rest(text), rest);
        }
    }

    #[test]
    fn a_text_of_other_scripts_is_cut_at_characters() {
        let text = "Größe über alles";
        let mut spoken = Spoken::new(15_000);
        spoken.begin();
        spoken.samples = 7_000;
        assert_eq!(spoken.rest(text), "über alles");
    }
}
