//! A conversation of numbers, so that a test knows what must be said: each number has one answer.

use crate::tones::Word;

/// Longest answer, in words.
pub const ANSWER_WORDS_MAX: usize = 64;

/// The answer to a number: the number itself, and numbers that follow from it, `words` in all (1 to
/// [`ANSWER_WORDS_MAX`]).
pub fn answer(number: u16, words: usize) -> Vec<Word> {
    let follows = |index: usize| {
        let mixed = (u64::from(number) + 1).wrapping_mul(7_919) + (index as u64) * 104_729;
        // Squared, so that neighbours do not have neighbouring answers.
        (mixed.wrapping_mul(mixed) / 97 % 10_000) as u16
    };
    let all = (0..words.clamp(1, ANSWER_WORDS_MAX))
        .map(|index| if index == 0 { number } else { follows(index) });
    all.filter_map(Word::number).collect()
}

/// Words as sentences of `words_per_sentence` each: `17 204 981.`
pub fn sentences(words: &[Word], words_per_sentence: usize) -> Vec<String> {
    let sentence = |words: &[Word]| format!("{}.", Word::text_of(words));
    words.chunks(words_per_sentence.max(1)).map(sentence).collect()
}

/// What is left of an answer of which `said` is known to have been said; `None` if that is no
/// beginning of the answer, or all of it.
pub fn rest<'a>(answer: &'a [Word], said: &[Word]) -> Option<&'a [Word]> {
    let rest = answer.strip_prefix(said)?;
    (!rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_fixed_and_differ() {
        assert_eq!(answer(17, 7).len(), 7);
        assert_eq!(answer(17, 7), answer(17, 7));
        assert_eq!(answer(17, 3), answer(17, 7)[..3]);
        assert_eq!(answer(17, 7)[0].as_number(), Some(17));
        let all: std::collections::BTreeSet<_> =
            (0..1_000).map(|n| answer(n, 3)[1..].to_vec()).collect();
        assert!(all.len() > 990, "{} of 1000 answers differ", all.len());
    }

    #[test]
    fn answers_are_cut_into_sentences_and_continued() {
        let whole = answer(9, 4);
        let sentences = sentences(&whole, 3);
        assert_eq!(sentences.len(), 2);
        assert_eq!(Word::all_in(&sentences.concat()), whole);
        assert_eq!(rest(&whole, &whole[..2]), Some(&whole[2..]));
        assert_eq!(rest(&whole, &whole), None);
        assert_eq!(rest(&whole, &whole[1..2]), None);
    }
}
