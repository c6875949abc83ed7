use proptest::prelude::*;

use super::*;
use crate::limits::{
    CODE_BLOCK_CHARS_MAX, LINK_ADDRESS_CHARS_MAX, MARKUP_HELD_CHARS_MAX, SENTENCE_CHARS_MAX,
};

mod ends;
mod markup;

/// The phrases of a text that comes in pieces, and a bar where it was complete.
fn cut(pieces: &[&str]) -> Vec<String> {
    let mut phrases = Phrases::default();
    let mut seen = Vec::new();
    for piece in pieces {
        phrases.push(piece);
        seen.extend(std::iter::from_fn(|| phrases.pop()));
    }
    seen.push("|".to_owned());
    seen.extend(std::iter::from_fn(|| phrases.finish()));
    seen
}

fn whole(text: &str) -> Vec<String> {
    cut(&[text]).into_iter().filter(|phrase| phrase != "|").collect()
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

#[track_caller]
fn check(rows: &[(&str, &[&str])]) {
    for (text, expected) in rows {
        assert_eq!(whole(text), *expected, "{text:?}");
    }
}

#[test]
fn a_phrase_comes_as_soon_as_its_end_is_certain() {
    let rows: [(&[&str], &[&str]); 14] = [
        (&[], &["|"]),
        (&["Hi", "."], &["|", "Hi."]),
        (&["Hi.", " "], &["Hi.", "|"]),
        (&["Yes. It costs about 3.", "50 euros. "], &["Yes.", "It costs about 3.50 euros.", "|"]),
        (&["Yes. No. That is all. "], &["Yes.", "|", "No. That is all."]),
        (&["First line\nsecond"], &["First line", "|", "second"]),
        (&[" ... ", "!? "], &["|"]),
        (&["Is it?", " I", " think so"], &["Is it?", "|", "I think so"]),
        (&["So say I. "], &["So say I.", "|"]),
        (&["It opens at No", ".", " ", "5"], &["|", "It opens at No. 5"]),
        (&["好的", "。", "我"], &["好的。", "|", "我"]),
        (&["Of **course", "*", "*", ". ", "So"], &["Of course.", "|", "So"]),
        (&["See [this", "](http://a.b/c", "). ", "So"], &["See this.", "|", "So"]),
        (&["Yes! ``", "`\nx. y. z\n`", "``\nDone. "], &["Yes!", "|", "Done."]),
    ];
    for (pieces, expected) in rows {
        assert_eq!(cut(pieces), expected, "{pieces:?}");
    }
}

#[test]
fn text_after_the_end_is_a_new_line() {
    let mut phrases = Phrases::default();
    phrases.push("One **two");
    assert_eq!(phrases.finish().as_deref(), Some("One **two"));
    assert_eq!(phrases.finish(), None);
    phrases.push("# Three");
    assert_eq!(phrases.pop(), None);
    assert_eq!(phrases.finish().as_deref(), Some("Three"));
    assert_eq!(phrases.finish(), None);
}

#[test]
fn what_stays_open_is_text_at_the_limit() {
    let held = "x".repeat(MARKUP_HELD_CHARS_MAX);
    let address = "x".repeat(LINK_ADDRESS_CHARS_MAX + MARKUP_HELD_CHARS_MAX);
    for (text, opening) in
        [("so *", "*"), ("so [", "["), ("so <a href=", "<a"), ("so ![", "!["), ("so **", "**")]
    {
        let mut phrases = Phrases::default();
        phrases.push(text);
        phrases.push(&held);
        phrases.push(" y.\n");
        let seen: Vec<String> = std::iter::from_fn(|| phrases.pop()).collect();
        assert!(seen.join(" ").contains(opening), "{text:?}: {seen:?}");
    }
    let text = whole(&format!("so [text](http://{address}) y"));
    assert_eq!(text[0], "so");
    assert!(text.concat().contains("[text](http://x"), "{text:?}");
    assert_eq!(text.last().map(|last| last.ends_with("x) y")), Some(true), "{text:?}");
}

#[test]
fn a_fence_that_nobody_closes_does_not_silence_the_rest() {
    let code = "line of code\n".repeat(CODE_BLOCK_CHARS_MAX / 13 + 10);
    assert_eq!(
        whole(&format!("Yes.\n```\n{code}```\nNo")).first().map(String::as_str),
        Some("Yes.")
    );
    let mut phrases = Phrases::default();
    phrases.push("Yes.\n```\n");
    phrases.push(&code);
    phrases.push("So it goes.\n");
    let seen: Vec<String> = std::iter::from_fn(|| phrases.pop()).collect();
    assert_eq!(seen.first().map(String::as_str), Some("Yes."));
    assert_eq!(seen.last().map(String::as_str), Some("So it goes."));
    assert!(seen.len() < 20, "most of it is code: {}", seen.len());
}

/// Held text is not looked at again with each character: this would take minutes.
#[test]
fn long_texts_of_nothing_but_openings_take_no_longer_than_others() {
    for opening in
        ["*a ", "[", "[a](", "<a ", "_a *b ~~c [d ", "`", "![", "**[", "a.", "…", "\u{301}"]
    {
        let mut phrases = Phrases::default();
        for _ in 0..100_000 {
            phrases.push(opening);
            while phrases.pop().is_some() {}
        }
        while phrases.finish().is_some() {}
    }
}

/// Words, marks and markup of several scripts, as models write them and worse.
fn any_text() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        "[a-zA-Z]{1,9}",
        "[0-9]{1,4}",
        "[ ]{1,3}",
        "[.,;:?!…—–-]{1,3}",
        "[。，、！？؟،।]",
        "[*_`~#>|\\[\\]()<\\\\/=!\n]{1,4}",
        "[你好吗नमस्तेสวัสดีمرحبا]{1,4}",
        "[😀👩\u{200d}\u{fe0f}\u{301}🇩🇪]{1,3}",
        Just("\n```\n".to_owned()),
        Just("](http://a.b)".to_owned()),
        Just("<b>".to_owned()),
        "\\PC{0,3}",
    ];
    proptest::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

/// Without anything that could be markup.
fn plain_text() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        "\\PC{0,3}",
        "[a-zA-Z0-9 .,;:?!\n…—-]{0,12}",
        "[你好吗。，नमस्ते।สวัสดี مرحبا؟😀👩\u{200d}\u{301}]{0,8}",
        "[a-zé]{100,300}",
    ];
    proptest::collection::vec(token, 0..30).prop_map(|tokens| {
        tokens.concat().replace(['*', '_', '~', '`', '[', '<', '#', '|', '\\'], "")
    })
}

proptest! {
    #[test]
    fn pieces_do_not_matter(text in any_text(), sizes in proptest::collection::vec(1_usize..9, 1..9)) {
        let mut phrases = Phrases::default();
        phrases.push(&text);
        let mut at_once: Vec<String> = std::iter::from_fn(|| phrases.pop()).collect();
        at_once.push("|".to_owned());
        at_once.extend(std::iter::from_fn(|| phrases.finish()));
        let chars: Vec<char> = text.chars().collect();
        let mut pieces = Vec::new();
        let mut rest = chars.as_slice();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, left) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece.iter().collect::<String>());
            rest = left;
        }
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        prop_assert_eq!(cut(&pieces), at_once);
    }

    #[test]
    fn what_is_certain_does_not_depend_on_what_follows(text in any_text(), more in any_text()) {
        let mut phrases = Phrases::default();
        phrases.push(&text);
        let certain: Vec<String> = std::iter::from_fn(|| phrases.pop()).collect();
        let all = whole(&(text + &more));
        prop_assert_eq!(&all[..certain.len()], certain.as_slice());
    }

    #[test]
    fn every_phrase_can_be_spoken(text in any_text()) {
        for phrase in whole(&text) {
            prop_assert!(phrase.contains(char::is_alphanumeric), "{:?}", phrase);
            prop_assert!(phrase.chars().count() <= SENTENCE_CHARS_MAX);
            prop_assert_eq!(phrase.trim(), &phrase);
            prop_assert!(!phrase.contains('\n'));
        }
    }

    #[test]
    fn of_plain_text_nothing_is_lost_or_doubled(text in plain_text()) {
        prop_assert_eq!(letters(&whole(&text).concat()), letters(&text));
    }
}
