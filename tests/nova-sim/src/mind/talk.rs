//! A small dialogue in English.

const STORY: &str = "Long ago a lighthouse keeper counted the ships that passed. \
    Every evening she wrote their number into a book. \
    One night the fog was so thick that no ship could be seen. \
    She lit the lamp all the same, and rang the bell until the morning. \
    When the fog lifted, forty ships lay at anchor before the rocks. \
    Each of them had heard the bell, and none had dared to move. \
    She wrote forty into the book, and went to sleep at last. \
    The next evening there was a basket of bread at her door.";

/// What is said to `text`, as message number `turn` of the conversation.
pub(super) fn answer(text: &str, turn: usize) -> Vec<String> {
    let words = words_of(text);
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    if words.is_empty() {
        return vec!["I did not hear anything.".to_owned()];
    }
    if has(&["story", "long"]) {
        return sentences_of(STORY);
    }
    if has(&["hello", "hi", "greet", "welcome"]) && words.len() <= 12 {
        return sentences_of("Hello! I am a simulator. What can I do for you?");
    }
    if has(&["goodbye", "bye"]) {
        return sentences_of("Goodbye. It was good to talk to you.");
    }
    let heard = text.trim().trim_end_matches(['.', '!', '?']);
    match turn / 2 % 3 {
        0 => vec![format!("I heard you say: {heard}."), "What else?".to_owned()],
        1 => vec![format!("You said: {heard}.")],
        _ => vec![format!("That was: {heard}."), "Please go on.".to_owned()],
    }
}

/// What a text asks to be said word for word: `Say exactly this to the user: Good morning.`
pub(super) fn dictated(text: &str) -> Option<&str> {
    let order = "say exactly this";
    let at = (0..text.len()).find(|at| {
        text.get(*at..at + order.len()).is_some_and(|t| t.eq_ignore_ascii_case(order))
    })?;
    let (_, wanted) = text[at..].split_once(':')?;
    let wanted = wanted.trim().trim_matches('"').trim();
    (!wanted.is_empty()).then_some(wanted)
}

/// A text cut after each full stop, question or exclamation mark that a space follows.
pub(super) fn sentences_of(text: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut sentence = String::new();
    for word in text.split_whitespace() {
        if !sentence.is_empty() {
            sentence.push(' ');
        }
        sentence.push_str(word);
        if word.ends_with(['.', '!', '?']) {
            sentences.push(std::mem::take(&mut sentence));
        }
    }
    if !sentence.is_empty() {
        sentences.push(sentence);
    }
    sentences
}

pub(super) fn is_yes(text: &str) -> bool {
    let yes = ["yes", "yeah", "yep", "sure", "okay", "ok", "correct", "confirm", "please"];
    words_of(text).iter().any(|word| yes.contains(&word.as_str()))
}

pub(super) fn is_no(text: &str) -> bool {
    let no = ["no", "nope", "don't", "not", "stop", "cancel", "never"];
    words_of(text).iter().any(|word| no.contains(&word.as_str()))
}

/// Whether a transcript says that speech was heard and not understood.
pub(super) fn is_not_words(text: &str) -> bool {
    text.starts_with('(')
}

pub(super) fn words_of(text: &str) -> Vec<String> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}
