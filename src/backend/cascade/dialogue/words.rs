//! What was understood, as words that are compared by ear rather than by letter.

/// The words of one utterance, in lower case without punctuation.
pub(super) struct Words<'t> {
    /// For numbers and units, which must be exact.
    pub(super) plain: Vec<&'t str>,
    lower: Vec<String>,
    text: &'t str,
}

impl<'t> Words<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let is_edge = |c: char| !(c.is_alphanumeric() || "+-*/'".contains(c));
        let plain: Vec<&str> = text
            .split_whitespace()
            .map(|w| w.trim_matches(is_edge))
            .filter(|w| !w.is_empty())
            .collect();
        let lower = plain.iter().map(|word| word.to_lowercase()).collect();
        Self { plain, lower, text }
    }

    pub(super) fn count(&self) -> usize {
        self.lower.len()
    }

    /// Every one of these words occurs, in this order.
    pub(super) fn has(&self, wanted: &[&str]) -> bool {
        let mut said = self.lower.iter();
        wanted.iter().all(|wanted| said.any(|word| sounds_like(word, wanted)))
    }

    /// One of these phrases occurs, its words in order.
    pub(super) fn has_any(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.has(&split(phrase)))
    }

    /// These words and no others were said.
    pub(super) fn is(&self, wanted: &[&str]) -> bool {
        self.count() == wanted.len() && self.starts_with(wanted)
    }

    /// One of these phrases and nothing else was said.
    pub(super) fn is_any(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.is(&split(phrase)))
    }

    /// What was said begins with one of these phrases.
    pub(super) fn starts_with_any(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.starts_with(&split(phrase)))
    }

    /// What follows the first of these phrases that it begins with, as it was written.
    pub(super) fn after_any(&self, phrases: &[&str]) -> Option<&'t str> {
        let phrase = phrases.iter().map(|phrase| split(phrase)).find(|p| self.starts_with(p))?;
        let last = self.plain[phrase.len() - 1];
        // `plain` borrows from `text`, so the end of its word is an offset into it.
        let end = last.as_ptr() as usize - self.text.as_ptr() as usize + last.len();
        let is_edge = |c: char| !c.is_alphanumeric();
        Some(self.text[end..].trim_matches(is_edge))
    }

    fn starts_with(&self, wanted: &[&str]) -> bool {
        self.count() >= wanted.len()
            && self.lower.iter().zip(wanted).all(|(word, wanted)| sounds_like(word, wanted))
    }
}

fn split(phrase: &str) -> Vec<&str> {
    phrase.split(' ').collect()
}

/// The same word, a word it is regularly taken for, or, if it is long, one letter off.
fn sounds_like(said: &str, wanted: &str) -> bool {
    const LONG_LETTERS: usize = 6;
    said == wanted
        || TAKEN_FOR.iter().any(|(known, others)| *known == wanted && others.contains(&said))
        || (wanted.len() >= LONG_LETTERS && is_one_letter_off(said, wanted))
}

/// Words and what recognisers were seen to make of them.
const TAKEN_FOR: [(&str, &[&str]); 16] = [
    ("what", &["what's", "one", "why", "want"]),
    ("is", &["as", "his", "its"]),
    ("say", &["shay", "shave", "save"]),
    ("timer", &["timers", "time or", "tiger", "toddler"]),
    ("tour", &["tor", "tore", "tutor", "chair", "tours", "tool", "tower"]),
    ("help", &["yelp", "health"]),
    ("time", &["times", "tie"]),
    ("fast", &["past", "cast"]),
    ("slower", &["louder", "lower"]),
    ("faster", &["fester"]),
    ("story", &["stories", "glory"]),
    ("hello", &["hallo", "yellow"]),
    ("thank", &["sank", "sam", "thanks"]),
    ("you", &["u", "que", "ya"]),
    ("date", &["dates"]),
    ("next", &["necks"]),
];

fn is_one_letter_off(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    let same_start = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let rest = a.len().min(b.len()) - same_start;
    let same_end =
        a.iter().rev().zip(b.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    a.len().max(b.len()) - same_start - same_end <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_words_may_be_one_letter_off() {
        let rows = [
            ("cancel", "cancel", true),
            ("cancels", "cancel", true),
            ("cncel", "cancel", true),
            ("cansel", "cancel", true),
            ("castle", "cancel", false),
            ("tim", "time", false),
            ("latencies", "latency", false),
        ];
        for (said, wanted, expected) in rows {
            assert_eq!(sounds_like(said, wanted), expected, "{said} for {wanted}");
        }
    }

    #[test]
    fn what_follows_a_phrase_keeps_its_writing() {
        let rows = [
            ("Say: Hello, World!", Some("Hello, World")),
            ("say", Some("")),
            ("saying", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(Words::new(text).after_any(&["say"]), expected, "{text}");
        }
    }
}
