//! Where one model's text may end and another's go on.

use super::scripts::{are_joined, ends_clause, ends_sentence, is_of_spaceless, is_wide};
use crate::limits::MODEL_WORD_BYTES_MAX;

/// How many bytes of a text that breaks off anywhere end with a whole word: up to its last white space, or
/// with its last character of a script that has no blanks between words, or mark that stands in no number.
/// All of a text beyond [`MODEL_WORD_BYTES_MAX`]: that is no word.
pub fn whole_words(text: &str) -> usize {
    if text.len() > MODEL_WORD_BYTES_MAX {
        return text.len();
    }
    // Whatever comes behind the last character.
    let mut next = 'a';
    for (at, c) in text.char_indices().rev() {
        if c.is_whitespace() {
            return at;
        }
        if ends_by_itself(c) && !are_joined(c, next) {
            return at + c.len_utf8();
        }
        next = c;
    }
    0
}

/// Whether a blank belongs between `text` and the next word.
pub fn wants_blank(text: &str) -> bool {
    let last = text.chars().next_back();
    last.is_some_and(|c| !c.is_whitespace() && (c.is_ascii() || !ends_by_itself(c)))
}

fn ends_by_itself(c: char) -> bool {
    // Korean has blanks.
    let is_korean = matches!(c, '\u{ac00}'..='\u{d7a3}');
    let is_word = (is_wide(c) && !is_korean) || is_of_spaceless(c);
    is_word || ends_sentence(c) || (ends_clause(c) && !c.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_could_go_on_with_is_told() {
        let rows = [
            ("", ""),
            ("thr", ""),
            ("One, two, thr", "One, two,"),
            ("One, two", "One,"),
            // It may be 3.50 or 1,000.
            ("It costs 3.", "It costs"),
            ("1,", ""),
            ("Sure!", "Sure!"),
            ("你好", "你好"),
            ("你好，世界 ab", "你好，世界"),
            ("はい。a", "はい。"),
            ("안녕하세요", ""),
            ("สวัสดี", "สวัสดี"),
            // The vowel belongs to the consonant that has not come.
            ("กินเ", "กิน"),
        ];
        for (text, told) in rows {
            assert_eq!(&text[..whole_words(text)], told, "{text}");
        }
    }

    #[test]
    fn what_is_no_word_is_not_held_for_ever() {
        let long = "x".repeat(MODEL_WORD_BYTES_MAX);
        assert_eq!(whole_words(&long), 0);
        let longer = format!("{long}x");
        assert_eq!(whole_words(&longer), longer.len());
    }

    #[test]
    fn words_are_parted_where_their_script_parts_them() {
        let rows = [("", false), ("One", true), ("One ", false), ("Sure!", true), ("你好", false)];
        for (text, is_wanted) in rows {
            assert_eq!(wants_blank(text), is_wanted, "{text}");
        }
    }
}
