//! A language model's text, in any pieces: cut into phrases that can be spoken, always the same ones.
#![no_main]

use antiphon::cascade::phrase::{Phrases, whole_words};
use antiphon::limits::{MODEL_WORD_BYTES_MAX, SENTENCE_CHARS_MAX};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (_, held) = text.split_at(whole_words(text));
    assert!(held.len() <= MODEL_WORD_BYTES_MAX, "held for ever: {held:?}");
    assert_eq!(whole_words(held.trim_start()), 0, "a whole word is held: {held:?}");

    let mut phrases = Phrases::default();
    phrases.push(text);
    let mut at_once = taken(|| phrases.pop());
    let certain = at_once.len();
    at_once.extend(taken(|| phrases.finish()));

    let mut phrases = Phrases::default();
    let mut in_pieces = Vec::new();
    let mut buffer = [0; 4];
    for c in text.chars() {
        phrases.push(c.encode_utf8(&mut buffer));
        in_pieces.extend(taken(|| phrases.pop()));
    }
    assert_eq!(in_pieces.len(), certain, "what is certain depends on the pieces");
    in_pieces.extend(taken(|| phrases.finish()));
    assert_eq!(in_pieces, at_once, "the phrases depend on the pieces");

    for phrase in at_once {
        assert!(phrase.contains(char::is_alphanumeric), "nothing to say: {phrase:?}");
        assert!(phrase.chars().count() <= SENTENCE_CHARS_MAX, "too long: {phrase:?}");
        assert!(phrase.trim() == phrase && !phrase.contains('\n'), "not one line: {phrase:?}");
    }
});

fn taken(next: impl FnMut() -> Option<String>) -> Vec<String> {
    std::iter::from_fn(next).collect()
}
