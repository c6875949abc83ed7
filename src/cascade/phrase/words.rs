//! What a full stop behind a word means: the end of a sentence, or a part of the word.

use super::boundary::Kind;

/// Words of more characters are no abbreviation.
const WORD_CHARS_MAX: usize = 12;
/// Digits of a list's numbers, and of days.
const ORDINAL_DIGITS_MAX: usize = 3;
/// Never the last word of a sentence, or too rarely.
const LEADING: [&str; 35] = [
    "mr", "mrs", "ms", "mx", "dr", "prof", "st", "ste", "mt", "ft", "vs", "approx", "ca", "cf",
    "eg", "ie", "viz", "rev", "gen", "capt", "lt", "sgt", "maj", "gov", "pres", "dept", "sra",
    "dra", "mme", "mlle", "fr", "hr", "bzw", "evtl", "ggf",
];
/// Part of the number behind them; a word by themselves.
const NUMBERED: [&str; 18] = [
    "no", "nos", "nr", "fig", "figs", "eq", "sec", "ch", "vol", "art", "pp", "pg", "ver", "ext",
    "tel", "apt", "par", "núm",
];
/// The last word of a sentence where a capital letter follows.
const TRAILING: [&str; 34] = [
    "etc", "inc", "ltd", "corp", "co", "bros", "jr", "sr", "al", "usw", "esq", "ave", "blvd", "rd",
    "a.m", "p.m", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov",
    "dec", "mon", "tue", "wed", "thu", "fri", "sat",
];

/// What a full stop behind `phrase` is.
pub(super) fn full_stop(phrase: &str) -> Kind {
    if is_ordinal(phrase) {
        // A list's number, not a sentence.
        return Kind::Inside;
    }
    let Some(word) = last_word(phrase) else { return Kind::Sentence };
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let is_listed = |list: &[&str]| list.contains(&word.as_str());
    if is_listed(&TRAILING) {
        Kind::SentenceIfCapital
    } else if is_listed(&NUMBERED) {
        Kind::SentenceUnlessDigit
    } else if is_listed(&LEADING) || is_spelled(&word) && word != "i" {
        Kind::Inside
    } else if is_ordinal(&word) {
        Kind::SentenceUnlessSmall
    } else {
        Kind::Sentence
    }
}

fn is_ordinal(word: &str) -> bool {
    (1..=ORDINAL_DIGITS_MAX).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Initials and what is abbreviated like them: `j`, `u.s`, `e.g`, `ph.d`.
fn is_spelled(word: &str) -> bool {
    let is_letters = |part: &str| {
        let most = if word.contains('.') { 2 } else { 1 };
        (1..=most).contains(&part.chars().count()) && part.chars().all(char::is_lowercase)
    };
    word.split('.').all(is_letters)
}

/// The end of `phrase` behind its last blank, unless it is long.
fn last_word(phrase: &str) -> Option<&str> {
    let mut count = 0;
    for (at, c) in phrase.char_indices().rev() {
        if c.is_whitespace() {
            return Some(&phrase[at + c.len_utf8()..]);
        }
        count += 1;
        if count > WORD_CHARS_MAX {
            return None;
        }
    }
    Some(phrase)
}
