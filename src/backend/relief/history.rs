//! What was said in a call so far, as a backend that takes it over is told.

use std::collections::VecDeque;
use std::iter;

use crate::backend::Said;
use crate::call::event::{Generation, TurnId};
use crate::limits::{HISTORY_SAID_MAX, HISTORY_TEXT_CHARS_MAX};

/// The conversation of one call, of which the oldest is forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    entries: VecDeque<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    of: Origin,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    User(TurnId),
    /// A reply that is being said.
    Says(Generation),
    /// A reply of which it is known what was heard.
    Heard(Generation),
}

impl History {
    /// The user said this in `turn`; what was said in it before stays. Who recognises speech may be later
    /// than who answers: it comes before the reply `answered`.
    pub(super) fn user_said(&mut self, turn: TurnId, text: &str, answered: Option<Generation>) {
        let is_reply = |entry: &Entry| answered.is_some_and(|it| entry.of == Origin::Says(it));
        let at = self.entries.iter().position(is_reply).unwrap_or(self.entries.len());
        self.add(at, Origin::User(turn), text);
    }

    /// The agent is saying more of a reply. Once it is known what was heard of it, that is late.
    pub(super) fn agent_says(&mut self, generation: Generation, text: &str) {
        if self.entries.iter().all(|entry| entry.of != Origin::Heard(generation)) {
            self.add(self.entries.len(), Origin::Says(generation), text);
        }
    }

    /// Only this was heard of the reply. One of which nothing was heard was none.
    pub(super) fn was_heard(&mut self, generation: Generation, text: &str) {
        let is_it = |entry: &Entry| entry.of == Origin::Says(generation);
        let Some(at) = self.entries.iter().rposition(is_it) else { return };
        if text.trim().is_empty() {
            self.entries.remove(at);
        } else {
            let text = text.trim().chars().take(HISTORY_TEXT_CHARS_MAX).collect();
            self.entries[at] = Entry { of: Origin::Heard(generation), text };
        }
    }

    /// The turn is heard again by somebody else, or was none.
    pub(super) fn forget_turn(&mut self, turn: TurnId) {
        self.entries.retain(|entry| entry.of != Origin::User(turn));
    }

    /// What the user said in the turn, if anything of it was understood.
    pub(super) fn of_turn(&self, turn: TurnId) -> Option<&str> {
        let entry = self.entries.iter().find(|entry| entry.of == Origin::User(turn));
        entry.map(|entry| entry.text.as_str())
    }

    /// All of it, but for the turn that is asked again.
    pub(super) fn said(&self, but: Option<TurnId>) -> Vec<Said> {
        let told = self.entries.iter().filter(|entry| but.map(Origin::User) != Some(entry.of));
        let said = |entry: &Entry| match entry.of {
            Origin::User(_) => Said::User(entry.text.clone()),
            Origin::Says(generation) | Origin::Heard(generation) => {
                Said::Agent { generation, text: entry.text.clone() }
            }
        };
        told.map(said).collect()
    }

    fn add(&mut self, at: usize, of: Origin, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.of == of) {
            let left = HISTORY_TEXT_CHARS_MAX.saturating_sub(entry.text.chars().count());
            entry.text.extend(iter::once(' ').chain(text.chars()).take(left));
            return;
        }
        let text = text.chars().take(HISTORY_TEXT_CHARS_MAX).collect();
        self.entries.insert(at, Entry { of, text });
        if self.entries.len() > HISTORY_SAID_MAX {
            self.entries.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: TurnId = TurnId(1);
    const REPLY: Generation = Generation(1);

    fn agent(text: &str) -> Said {
        Said::Agent { generation: REPLY, text: text.to_owned() }
    }

    fn user(text: &str) -> Said {
        Said::User(text.to_owned())
    }

    #[test]
    fn a_reply_is_what_was_heard_of_it() {
        let mut history = History::default();
        history.user_said(TURN, "how are you", None);
        history.agent_says(REPLY, "I am");
        history.agent_says(REPLY, "very well.");
        assert_eq!(history.said(None), [user("how are you"), agent("I am very well.")]);
        history.was_heard(REPLY, "I am");
        history.agent_says(REPLY, "Late.");
        assert_eq!(history.said(None), [user("how are you"), agent("I am")]);
        assert_eq!(history.said(Some(TURN)), [agent("I am")], "what is asked again");
        let mut unheard = History::default();
        unheard.agent_says(REPLY, "Hello.");
        unheard.was_heard(REPLY, "");
        assert_eq!(unheard.said(None), []);
    }

    #[test]
    fn words_that_are_understood_late_come_before_their_answer() {
        let mut history = History::default();
        history.agent_says(REPLY, "Four.");
        history.user_said(TURN, "two and two", Some(REPLY));
        assert_eq!(history.said(None), [user("two and two"), agent("Four.")]);
        assert_eq!(history.of_turn(TURN), Some("two and two"));
    }

    #[test]
    fn it_is_bounded() {
        let mut history = History::default();
        for turn in 0..=HISTORY_SAID_MAX as u32 {
            history.user_said(TurnId(turn), "yes", None);
        }
        assert_eq!(history.said(None).len(), HISTORY_SAID_MAX);
        assert_eq!(history.of_turn(TurnId(0)), None, "the oldest");
        for _ in 0..3 {
            history.agent_says(REPLY, &"é".repeat(HISTORY_TEXT_CHARS_MAX / 2));
        }
        assert_eq!(
            history.said(None).pop(),
            Some(agent(&{
                let half = "é".repeat(HISTORY_TEXT_CHARS_MAX / 2);
                format!("{half} {}", &half[2..])
            }))
        );
    }
}
