//! Cuts text that arrives in pieces into sentences, so that speaking starts with the first of them.
//!
//! Pure. A short first sentence is cut at once, since the user waits for it; later ones are at least
//! some words long, since a voice sounds better over a whole phrase.

use crate::limits::SENTENCE_CHARS_MAX;

/// Text of which the sentences are taken out.
#[derive(Clone, Debug, Default)]
pub(super) struct Sentences {
    text: String,
    cut_before: bool,
}

/// The shortest later sentence, in bytes; shorter ones join the next.
const LENGTH_MIN: usize = 24;
/// From this length on a comma will do.
const COMMA_LENGTH_MIN: usize = 100;
/// Words that end in a full stop in the middle of a sentence.
const ABBREVIATIONS: [&str; 10] = ["mr", "mrs", "ms", "dr", "st", "vs", "e.g", "i.e", "etc", "no"];

impl Sentences {
    /// More of the text.
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// The next whole sentence, if it is certain where it ends.
    pub(super) fn pop(&mut self) -> Option<String> {
        loop {
            let end = self.end()?;
            let sentence: String = self.text.drain(..end).collect();
            let sentence = sentence.trim();
            if sentence.contains(char::is_alphanumeric) {
                self.cut_before = true;
                return Some(sentence.to_owned());
            }
        }
    }

    /// What is left, the text being complete; to be called until `None`.
    pub(super) fn finish(&mut self) -> Option<String> {
        if let Some(sentence) = self.pop() {
            return Some(sentence);
        }
        let rest = std::mem::take(&mut self.text);
        let rest = rest.trim();
        rest.contains(char::is_alphanumeric).then(|| rest.to_owned())
    }

    /// Where the next sentence ends, in bytes.
    fn end(&self) -> Option<usize> {
        let length_min = if self.cut_before { LENGTH_MIN } else { 1 };
        let mut chars = self.text.char_indices().peekable();
        let mut last_space = None;
        for count in 1.. {
            let (at, c) = chars.next()?;
            let end = at + c.len_utf8();
            if c.is_whitespace() {
                last_space = Some(end);
            }
            if count >= SENTENCE_CHARS_MAX {
                return Some(last_space.unwrap_or(end));
            }
            let before_space = chars.peek().is_some_and(|(_, next)| next.is_whitespace());
            let ends = match c {
                '\n' => true,
                '.' => before_space && !ends_in_abbreviation(&self.text[..at]),
                '?' | '!' | ';' | ':' => before_space,
                ',' => before_space && end >= COMMA_LENGTH_MIN,
                _ => false,
            };
            if ends && end >= length_min {
                return Some(end);
            }
        }
        None
    }
}

fn ends_in_abbreviation(text: &str) -> bool {
    let word = text.rsplit(char::is_whitespace).next().unwrap_or_default().to_lowercase();
    let is_initial =
        word.chars().count() == 1 && word.chars().all(char::is_alphabetic) && word != "i";
    is_initial || ABBREVIATIONS.contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(pieces: &[&str]) -> Vec<String> {
        let mut sentences = Sentences::default();
        let mut seen = Vec::new();
        for piece in pieces {
            sentences.push(piece);
            while let Some(sentence) = sentences.pop() {
                seen.push(sentence);
            }
        }
        seen.push("|".to_owned());
        while let Some(sentence) = sentences.finish() {
            seen.push(sentence);
        }
        seen
    }

    #[test]
    fn text_is_cut_where_a_sentence_surely_ends() {
        let rows: [(&[&str], &[&str]); 10] = [
            (&[], &["|"]),
            (&["Hi", "."], &["|", "Hi."]),
            (&["Hi.", " "], &["Hi.", "|"]),
            (&["Yes. It costs about 3.50 euros. "], &["Yes.", "It costs about 3.50 euros.", "|"]),
            (&["Yes. No. That is all. "], &["Yes.", "|", "No. That is all."]),
            (&["Dr. J. Who said so. "], &["Dr. J. Who said so.", "|"]),
            (&["First line\nsecond"], &["First line", "|", "second"]),
            (&[" ... ", "!? "], &["|"]),
            (&["Is it?", " I", " think so"], &["Is it?", "|", "I think so"]),
            (&["So say I. "], &["So say I.", "|"]),
        ];
        for (pieces, expected) in rows {
            assert_eq!(cut(pieces), expected, "{pieces:?}");
        }
    }

    #[test]
    fn long_sentences_are_cut_at_commas_and_endless_ones_anywhere() {
        let long = "word ".repeat(19) + "word, " + &"more ".repeat(10);
        assert_eq!(cut(&[&long])[0].len(), 100);
        let endless = "x".repeat(3 * SENTENCE_CHARS_MAX);
        assert!(cut(&[&endless]).iter().all(|cut| cut.len() <= SENTENCE_CHARS_MAX));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_pieces_do_not_matter(
            pieces in proptest::collection::vec("[a-c.,?\n é]{0,12}", 0..20)
        ) {
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let whole = pieces.concat();
            let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
            prop_assert_eq!(letters(&cut(&pieces).concat()), letters(&whole));
        }
    }
}
