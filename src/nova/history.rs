//! What was said in a call, as the user knows it, and what of it the next connection is told.
//!
//! A connection forgets everything when it ends, so its successor is given the conversation as text. Of a
//! reply it holds what was heard: a model that believes that it has said more goes on behind words that
//! nobody knows.

use std::collections::VecDeque;

use super::settings::HistorySettings;
use crate::limits::{NOVA_HISTORY_BYTES_MAX, NOVA_HISTORY_MESSAGES_MAX};

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The caller, or what is told to the model in the caller's place.
    User,
    /// The model.
    Agent,
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who.
    pub speaker: Speaker,
    /// The words, without white space around them.
    pub text: String,
}

/// The conversation of one call. Bounded by [`NOVA_HISTORY_MESSAGES_MAX`] and [`NOVA_HISTORY_BYTES_MAX`]:
/// the oldest is forgotten.
#[derive(Clone, Debug, Default)]
pub struct History {
    entries: VecDeque<Entry>,
    /// Of all texts together.
    bytes: usize,
}

/// One message. A reply of which nothing was heard stays as an empty one, so that it keeps its place
/// should it become known that something was.
#[derive(Clone, Debug)]
struct Entry {
    origin: Origin,
    message: Message,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The user's own words.
    Said,
    /// Told in the user's place.
    Note,
    /// A reply that is being said.
    Says(u32),
    /// A reply of which it is known what was heard.
    Heard(u32),
}

impl History {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The user said or typed something.
    pub fn user_said(&mut self, text: &str) {
        self.push(Origin::Said, text);
    }

    /// The model was told something in the user's place: an instruction, the late result of a tool.
    pub fn note(&mut self, text: &str) {
        self.push(Origin::Note, text);
    }

    /// The model was not told it after all. What the user said stays, also if nobody answers it.
    pub fn forget_note(&mut self, text: &str) {
        let is_it = |entry: &Entry| entry.origin == Origin::Note && entry.message.text == text;
        if let Some(at) = self.entries.iter().rposition(is_it)
            && let Some(entry) = self.entries.remove(at)
        {
            self.bytes -= entry.message.text.len();
        }
    }

    /// The agent is going to say more of reply `id`, a sentence as a rule. Once it is known what of the
    /// reply was heard, further text of it is not taken: it comes late.
    pub fn agent_says(&mut self, id: u32, text: &str) {
        match self.reply(id).map(|at| self.entries[at].origin) {
            None => self.push(Origin::Says(id), text),
            Some(Origin::Heard(_)) => {}
            Some(_) => self.amend(id, Origin::Says(id), |so_far| joined(so_far, text.trim())),
        }
    }

    /// Of reply `id` this much was heard, in place of all that the agent was going to say; if that is
    /// nothing, the reply is none. It may be told again, differently. A reply that is not known stays so.
    pub fn agent_heard(&mut self, id: u32, text: &str) {
        self.amend(id, Origin::Heard(id), |_| text.trim().to_owned());
    }

    /// Of what the agent was going to say in reply `id`, it came so far; it goes on from there.
    pub fn agent_so_far(&mut self, id: u32, text: &str) {
        self.amend(id, Origin::Says(id), |_| text.trim().to_owned());
    }

    /// What the user said last. Notes do not count.
    pub fn last_user(&self) -> Option<&str> {
        let said = self.entries.iter().rev().find(|entry| entry.origin == Origin::Said);
        said.map(|entry| entry.message.text.as_str())
    }

    /// Everything that is remembered, the oldest first. None is empty; neighbours may be of one speaker.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.entries.iter().map(|entry| &entry.message).filter(|message| !message.text.is_empty())
    }

    /// What a new connection is told: user and agent in turn, the user first, neighbours of one speaker
    /// joined.
    ///
    /// What is beyond `settings` is left out, the oldest first: whole messages, and of one that is too long
    /// its beginning, up to a word. What was said last is what will be answered. An agent that spoke first
    /// is left out as well, unless what made it speak was noted.
    pub fn for_connection(&self, settings: &HistorySettings) -> Vec<Message> {
        let message_bytes_max = settings.message_bytes_max.min(settings.bytes_max);
        let mut bytes = 0;
        let newest_first = self.turns().into_iter().rev().take(settings.messages_max);
        let shortened = newest_first
            .map(|turn| Message { text: ending(&turn.text, message_bytes_max).to_owned(), ..turn });
        let fitting = shortened.take_while(|turn| {
            bytes += turn.text.len();
            !turn.text.is_empty() && bytes <= settings.bytes_max
        });
        let mut turns: Vec<Message> = fitting.collect();
        if turns.last().is_some_and(|oldest| oldest.speaker == Speaker::Agent) {
            turns.pop();
        }
        turns.reverse();
        turns
    }

    /// The messages, neighbours of one speaker joined.
    fn turns(&self) -> Vec<Message> {
        let mut turns: Vec<Message> = Vec::new();
        for message in self.messages() {
            match turns.last_mut().filter(|last| last.speaker == message.speaker) {
                Some(last) => {
                    last.text.push(' ');
                    last.text.push_str(&message.text);
                }
                None => turns.push(message.clone()),
            }
        }
        turns
    }

    fn reply(&self, id: u32) -> Option<usize> {
        let is_it = |entry: &Entry| matches!(entry.origin, Origin::Says(it) | Origin::Heard(it) if it == id);
        self.entries.iter().rposition(is_it)
    }

    fn push(&mut self, origin: Origin, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let speaker = match origin {
            Origin::Said | Origin::Note => Speaker::User,
            Origin::Says(_) | Origin::Heard(_) => Speaker::Agent,
        };
        let text = ending(text, NOVA_HISTORY_BYTES_MAX).to_owned();
        self.bytes += text.len();
        self.entries.push_back(Entry { origin, message: Message { speaker, text } });
        self.forget_oldest();
    }

    fn amend(&mut self, id: u32, origin: Origin, text: impl FnOnce(&str) -> String) {
        let Some(at) = self.reply(id) else { return };
        let entry = &mut self.entries[at];
        self.bytes -= entry.message.text.len();
        let text = text(&entry.message.text);
        ending(&text, NOVA_HISTORY_BYTES_MAX).clone_into(&mut entry.message.text);
        entry.origin = origin;
        self.bytes += entry.message.text.len();
        self.forget_oldest();
    }

    fn forget_oldest(&mut self) {
        while self.entries.len() > NOVA_HISTORY_MESSAGES_MAX || self.bytes > NOVA_HISTORY_BYTES_MAX
        {
            let forgotten = self.entries.pop_front();
            self.bytes -= forgotten.map_or(0, |entry| entry.message.text.len());
        }
    }
}

/// Two texts with a space between them, if both hold something.
fn joined(one: &str, other: &str) -> String {
    match (one.is_empty(), other.is_empty()) {
        (true, _) => other.to_owned(),
        (_, true) => one.to_owned(),
        (false, false) => format!("{one} {other}"),
    }
}

/// The end of `text`, at most `bytes_max` bytes, from the beginning of a word on; from any character on, if
/// it is one long word.
fn ending(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let start = text.ceil_char_boundary(text.len() - bytes_max);
    let is_word_cut = !text[..start].ends_with(char::is_whitespace);
    let end = &text[start..];
    let behind_space = || end.find(char::is_whitespace).map(|space| end[space..].trim_start());
    match is_word_cut {
        true => behind_space().filter(|rest| !rest.is_empty()).unwrap_or(end),
        false => end.trim_start(),
    }
}

#[cfg(test)]
mod tests;
