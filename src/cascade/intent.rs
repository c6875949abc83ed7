//! Questions that always have the same answer.

use std::fmt;

/// Words that may stand around a question's own: "please", "can you tell me".
const OTHER_WORDS_MAX: usize = 4;

/// An answer that needs no model, and what it answers.
#[derive(Clone, PartialEq, Eq)]
pub struct CommonAnswer {
    /// Ways to ask, such as "what are your opening hours". Case and punctuation do not count.
    pub when: Vec<String>,
    /// What is said, word for word.
    pub say: String,
}

impl fmt::Debug for CommonAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CommonAnswer")
            .field("when", &self.when.len())
            .finish_non_exhaustive()
    }
}

/// The answer to what was said, if it is one of these questions: the words of one, in a row, with at most
/// four others around them, so that a longer thought that only contains them goes to the model.
pub fn common_answer<'a>(answers: &'a [CommonAnswer], said: &str) -> Option<&'a CommonAnswer> {
    let said = words(said);
    answers.iter().find(|answer| answer.when.iter().any(|when| asks(&said, &words(when))))
}

fn asks(said: &[String], when: &[String]) -> bool {
    !when.is_empty()
        && said.len() <= when.len() + OTHER_WORDS_MAX
        && said.windows(when.len()).any(|window| window == when)
}

fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace(['\'', '\u{2019}'], "");
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_known_by_its_words_and_by_little_beside_them() {
        let answers = [CommonAnswer {
            when: vec!["What's your address?".to_owned(), "where are you".to_owned()],
            say: "Here.".to_owned(),
        }];
        let is_known = |said: &str| common_answer(&answers, said).is_some();
        for said in [
            "what\u{2019}s your address",
            "Whats your ADDRESS, please?",
            "Hello there. So where are you?",
            "where are you",
        ] {
            assert!(is_known(said), "{said}");
        }
        for said in [
            "",
            "your address",
            "what is your favourite address book",
            "I was asked yesterday where are you and I could not say",
            "where you are",
        ] {
            assert!(!is_known(said), "{said}");
        }
        assert!(
            common_answer(&[CommonAnswer { when: vec!["?!".to_owned()], say: String::new() }], "")
                .is_none()
        );
    }
}
