//! Taking the words out, so that the conversation still decides the same.
//!
//! What is left, and why it has to be:
//!
//! - of the agent's text: its white space, its sentence marks and how many characters its words have,
//!   since what was heard of a reply is counted in characters and cut at words;
//! - of the user's text: how many words, and of each whether it is one of the agent's configured
//!   backchannels, since these do not take the floor;
//! - of telephone keys: whether it was `#`, `*` or another;
//! - of everything else that is text (messages, reasons, names, arguments, results): nothing.
//!
//! The agent's own settings lose their words too: protected sentences and prompts are said in the
//! call. A protected phrase becomes one letter, which marks the word that completed it.

use crate::agent::AgentSettings;
use crate::call::barge_in::is_backchannel;
use crate::call::event::{BackendEvent, ClientCommand, ClientEvent, Output, WordTime};
use crate::call::playout::is_word_by_itself;
use crate::call::settings::InterruptionSettings;
use crate::limits::USER_TEXT_CHARS_MAX;

/// Stands for a character of a word.
const LETTER: char = 'x';
/// Stands for a character of a script that is written without spaces, where each may be a word.
const IDEOGRAPH: char = '〇';
/// Stands for a backchannel of the user.
const BACKCHANNEL: &str = "o";
/// Stands for a character of the word that completes a protected phrase.
const PROTECTED: char = 'p';
/// Stands for a text of which nothing is left.
const GONE: &str = "-";

/// Takes the words out of one call.
#[derive(Clone, Debug)]
pub(super) struct Redactor {
    backchannels: Vec<String>,
    protected: Vec<String>,
    /// The end of the agent's text so far, as long as the longest protected phrase, in lower case: a
    /// phrase may come in pieces.
    tail: String,
    tail_chars_max: usize,
}

impl Redactor {
    pub(super) fn new(settings: &InterruptionSettings) -> Self {
        let lower = |words: &[String]| -> Vec<String> {
            words
                .iter()
                .map(|word| word.trim().to_lowercase())
                .filter(|it| !it.is_empty())
                .collect()
        };
        let protected = lower(&settings.protected);
        let longest = protected.iter().map(|phrase| phrase.chars().count()).max().unwrap_or(0);
        Self {
            backchannels: settings.backchannels.clone(),
            protected,
            tail: String::new(),
            tail_chars_max: longest,
        }
    }

    pub(super) fn backend(&mut self, event: &BackendEvent) -> BackendEvent {
        let mut event = event.clone();
        match &mut event {
            BackendEvent::UserTranscript { text, .. } => *text = self.user_words(text),
            BackendEvent::ReplyText { text, .. } => *text = self.reply_text(text),
            BackendEvent::ReplyWords { words, .. } => {
                for WordTime { text, .. } in words {
                    *text = shape(text);
                }
            }
            BackendEvent::ToolCall { call_id, name, arguments, .. } => {
                for text in [call_id, name, arguments] {
                    GONE.clone_into(text);
                }
            }
            BackendEvent::ReplyFailed { message, .. } | BackendEvent::Failed { message } => {
                GONE.clone_into(message);
            }
            BackendEvent::HangUp { reason } => GONE.clone_into(reason),
            BackendEvent::Prompted { prompt, .. } => GONE.clone_into(prompt),
            BackendEvent::Ready
            | BackendEvent::WantsToSpeak
            | BackendEvent::TurnsAreYours
            | BackendEvent::Used { .. }
            | BackendEvent::TurnLooksComplete { .. }
            | BackendEvent::UserTurnEnded { .. }
            | BackendEvent::Interrupted { .. }
            | BackendEvent::ReplyStarted { .. }
            | BackendEvent::ReplyFinished { .. } => {}
        }
        event
    }

    pub(super) fn client(&self, command: &ClientCommand) -> ClientCommand {
        let mut command = command.clone();
        match &mut command {
            ClientCommand::Text { text, .. } => {
                let is_too_long = text.chars().count() > USER_TEXT_CHARS_MAX;
                *text = self.user_words(text);
                if is_too_long {
                    // It was refused for that.
                    text.extend(std::iter::repeat_n(LETTER, USER_TEXT_CHARS_MAX + 1));
                }
            }
            ClientCommand::Dtmf { key } => {
                *key = match key {
                    '*' | '#' => *key,
                    'A'..='D' | 'a'..='d' | '0'..='9' => '0',
                    _ => LETTER,
                };
            }
            ClientCommand::ToolResult { call_id, result } => {
                for text in [call_id, result] {
                    GONE.clone_into(text);
                }
            }
            ClientCommand::Ready
            | ClientCommand::Mute { .. }
            | ClientCommand::Playout(_)
            | ClientCommand::Disconnect => {}
        }
        command
    }

    /// The user's words as markers.
    fn user_words(&self, text: &str) -> String {
        let marker = |word: &str| {
            if is_backchannel(&self.backchannels, word) {
                BACKCHANNEL.to_owned()
            } else if word.chars().any(is_word_by_itself) {
                shape(word)
            } else {
                LETTER.to_string()
            }
        };
        text.split_whitespace().map(marker).collect::<Vec<_>>().join(" ")
    }

    /// The agent's text as its shape, with the words marked that complete a protected phrase.
    fn reply_text(&mut self, text: &str) -> String {
        if self.protected.is_empty() {
            return shape(text);
        }
        let mut shaped = String::with_capacity(text.len());
        let mut word = String::new();
        for character in text.chars().chain([' ']) {
            if character.is_whitespace() {
                shaped.push_str(&self.word_shape(&word));
                shaped.push(character);
                if !self.tail.ends_with(' ') {
                    // Pieces are joined by one.
                    self.tail.push(' ');
                }
                word.clear();
            } else {
                word.push(character);
            }
        }
        // The space that closed the last word was not there.
        shaped.pop();
        shaped
    }

    fn word_shape(&mut self, word: &str) -> String {
        self.tail.extend(word.chars().flat_map(char::to_lowercase));
        let completes = !word.is_empty() && self.protected.iter().any(|it| self.tail.contains(it));
        if completes {
            self.tail.clear();
        }
        // A word's length again, so that a phrase is not cut off while its last word comes.
        let keep = self.tail_chars_max + word.chars().count();
        let surplus = self.tail.chars().count().saturating_sub(keep);
        self.tail = self.tail.chars().skip(surplus).collect();
        let shape = shape(word);
        if completes { shape.replace(LETTER, &PROTECTED.to_string()) } else { shape }
    }
}

/// What the conversation asks for, without words that it does not count.
pub(super) fn output(output: &Output) -> Option<Output> {
    match output {
        Output::Client(ClientEvent::Error { fatal, .. }) => {
            let message = GONE.to_owned();
            Some(Output::Client(ClientEvent::Error { message, fatal: *fatal }))
        }
        Output::Client(ClientEvent::ToolCall { generation, .. }) => {
            Some(Output::Client(ClientEvent::ToolCall {
                generation: *generation,
                call_id: GONE.to_owned(),
                name: GONE.to_owned(),
                arguments: GONE.to_owned(),
            }))
        }
        _ => None,
    }
}

/// The settings without what is said in a call.
pub fn settings(settings: &AgentSettings) -> AgentSettings {
    let mut settings = settings.clone();
    let interruption = &mut settings.call.interruption;
    if !interruption.backchannels.is_empty() {
        interruption.backchannels = vec![BACKCHANNEL.to_owned()];
    }
    if !interruption.protected.is_empty() {
        interruption.protected = vec![PROTECTED.to_string()];
    }
    for prompt in &mut settings.call.idle.prompts {
        *prompt = shape(prompt);
    }
    settings
}

/// The same white space, sentence marks and number of characters.
fn shape(text: &str) -> String {
    let shaped = |character: char| match character {
        white if white.is_whitespace() => white,
        '.' | '!' | '?' | ',' | ';' | ':' | '…' | '。' | '！' | '？' | '、' => character,
        ideograph if is_word_by_itself(ideograph) => IDEOGRAPH,
        _ => LETTER,
    };
    text.chars().map(shaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::event::{Generation, TurnId};

    fn redactor() -> Redactor {
        Redactor::new(&InterruptionSettings {
            protected: vec!["Terms and conditions".to_owned()],
            ..InterruptionSettings::default()
        })
    }

    fn reply(redactor: &mut Redactor, text: &str) -> String {
        let event = BackendEvent::ReplyText { generation: Generation(1), text: text.to_owned() };
        match redactor.backend(&event) {
            BackendEvent::ReplyText { text, .. } => text,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn the_users_words_are_counted_and_backchannels_marked() {
        let text = "Yeah, well,  my number is 42. Mhm! Uh-huh...ok".to_owned();
        let event = BackendEvent::UserTranscript { turn: TurnId(1), text, is_final: true };
        let expected = BackendEvent::UserTranscript {
            turn: TurnId(1),
            text: "o x x x x x o o".to_owned(),
            is_final: true,
        };
        assert_eq!(redactor().backend(&event), expected);
    }

    #[test]
    fn the_agents_text_keeps_its_shape() {
        assert_eq!(reply(&mut redactor(), "Hello, Ann.\n 你好！"), "xxxxx, xxx.\n 〇〇！");
        assert_eq!(reply(&mut redactor(), ""), "");
    }

    #[test]
    fn a_protected_phrase_is_marked_even_in_pieces() {
        let mut redactor = redactor();
        assert_eq!(reply(&mut redactor, "Our TERMS and"), "xxx xxxxx xxx");
        assert_eq!(reply(&mut redactor, "conditions apply."), "pppppppppp xxxxx.");
        assert_eq!(reply(&mut redactor, "conditions apply."), "xxxxxxxxxx xxxxx.");
        reply(&mut redactor, " terms");
        reply(&mut redactor, " and");
        assert_eq!(reply(&mut redactor, " conditions"), " pppppppppp");
    }

    #[test]
    fn digits_and_results_are_gone() {
        let redactor = redactor();
        let key = |key| redactor.client(&ClientCommand::Dtmf { key });
        assert_eq!(key('7'), ClientCommand::Dtmf { key: '0' });
        assert_eq!(key('#'), ClientCommand::Dtmf { key: '#' });
        let secret = || "secret".to_owned();
        let result = ClientCommand::ToolResult { call_id: secret(), result: secret() };
        assert!(!format!("{:?}", redactor.client(&result)).contains("secret"));
    }
}
