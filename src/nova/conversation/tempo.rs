//! How fast a voice speaks, learned from its own sentences.
//!
//! A sentence takes so much for each word and so much for each letter. What it takes is fitted to the
//! sentences so far by least squares, held to a usual voice's tempo as long as they say little (ridge
//! regression), and older ones count less.

/// A usual voice: about 150 words a minute. Seconds for each word, and for each of its letters.
const USUAL: [f64; 2] = [0.14, 0.045];
/// How firmly it is held to that: as firmly as by a sentence of one word.
const HOLD: f64 = 1.0;
/// What a sentence still counts for after the next one.
const FADE: f64 = 0.99;
/// A word of which so little is missing was said: it is the pause after it, or the end of its last sound.
/// With more, words are left out where a connection dies; with less, more of them are said twice.
const WORD_END_S: f64 = 0.08;

/// The tempo of one voice.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tempo {
    /// Sums of products of words and letters: both words, mixed, both letters.
    squares: [f64; 3],
    /// Sums of products of what the usual tempo did not account for, in seconds, with words and letters.
    beyond: [f64; 2],
}

impl Tempo {
    /// A sentence took so long.
    pub(super) fn learn(&mut self, sentence: &str, seconds: f64) {
        let words = sentence.split_whitespace().count() as f64;
        let letters: f64 = sentence.split_whitespace().map(letters).sum();
        let beyond = seconds - USUAL[0] * words - USUAL[1] * letters;
        let [ww, wl, ll] = self.squares;
        self.squares =
            [ww * FADE + words * words, wl * FADE + words * letters, ll * FADE + letters * letters];
        let [w, l] = self.beyond;
        self.beyond = [w * FADE + beyond * words, l * FADE + beyond * letters];
    }

    /// How many words of a sentence are said in so many seconds of it.
    pub(super) fn words_in(self, sentence: &str, seconds: f64) -> usize {
        let [each_word, each_letter] = self.seconds();
        let mut left = seconds + WORD_END_S;
        let is_said = |word: &&str| {
            left -= each_word + each_letter * letters(word);
            left >= 0.0
        };
        sentence.split_whitespace().take_while(is_said).count()
    }

    /// Seconds for each word and for each letter.
    fn seconds(self) -> [f64; 2] {
        let [ww, wl, ll] = self.squares;
        let (ww, ll) = (ww + HOLD, ll + HOLD);
        let [w, l] = self.beyond;
        // Both diagonals have the hold in them, so this is never zero.
        let determinant = ww * ll - wl * wl;
        [USUAL[0] + (w * ll - l * wl) / determinant, USUAL[1] + (l * ww - w * wl) / determinant]
    }
}

fn letters(word: &str) -> f64 {
    word.chars().count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_that_was_not_heard_yet_speaks_as_usual() {
        let sentence = "one two three four five six seven eight";
        assert_eq!(Tempo::default().words_in(sentence, 0.0), 0);
        assert_eq!(Tempo::default().words_in(sentence, 1.0), 3);
        assert_eq!(Tempo::default().words_in(sentence, 60.0), 8);
    }

    /// Each word takes a third of a second, however long it is.
    #[test]
    fn a_voice_whose_words_are_equally_long_is_known_after_some_sentences() {
        let mut tempo = Tempo::default();
        for sentence in ["17 204 9817", "4711 3 12", "9 10 11", "1000 2000 3000"].repeat(3) {
            tempo.learn(sentence, 3.0 / 3.0);
        }
        let sentence = "7 12345678 3";
        for (seconds, words) in [(0.2, 0), (0.36, 1), (0.6, 1), (0.7, 2), (0.9, 2), (1.0, 3)] {
            assert_eq!(tempo.words_in(sentence, seconds), words, "in {seconds} s");
        }
    }

    /// A tenth of a second for each letter.
    #[test]
    fn a_voice_that_spells_is_known_after_some_sentences() {
        let mut tempo = Tempo::default();
        for sentence in ["ab abcd abcdef", "a b c d e", "abcdefgh abcdefgh"].repeat(3) {
            tempo.learn(sentence, sentence.split(' ').map(letters).sum::<f64>() / 10.0);
        }
        assert_eq!(tempo.words_in("ab abcdefghij ab", 1.1), 1);
        assert_eq!(tempo.words_in("ab abcdefghij ab", 1.25), 2);
    }

    #[test]
    fn sentences_of_nothing_teach_nothing() {
        let mut tempo = Tempo::default();
        tempo.learn("", 5.0);
        assert_eq!(tempo.seconds(), USUAL);
        assert_eq!(tempo.words_in("", 5.0), 0);
    }
}
