//! What the agent tells over the data channel, kept for the report, and the little of it that the
//! caller acts on.

use std::time::Duration;

use crate::limits::EVENTS_MAX;
use crate::report::{Agent, Event, Line};
use crate::rtvi::{Meaning, Message};
use crate::summary::ms;

/// What the caller is to do about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Nothing.
    None,
    /// The agent ended the call.
    End,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct AgentLog {
    agent: Agent,
    ready_at: Option<Duration>,
    speaking: Option<u64>,
}

impl AgentLog {
    /// Takes in a message that came at `now`.
    pub fn handle_message(&mut self, now: Duration, message: Message) -> Reaction {
        let mut reaction = Reaction::None;
        match message.meaning() {
            Meaning::BotReady => {
                self.agent.is_ready = true;
                self.ready_at.get_or_insert(now);
            }
            Meaning::Floor { state, generation } => {
                // A reply that fades or is held is still the one whose playout is of interest.
                let is_open = matches!(state.as_str(), "agent" | "contested" | "yielding");
                self.speaking = is_open.then_some(generation);
            }
            Meaning::UserSaid(text) => self.line("caller", text),
            Meaning::BotSays(text) => self.line("agent", text),
            Meaning::Error { message, is_fatal } => {
                if self.agent.errors.len() < EVENTS_MAX {
                    self.agent.errors.push(message);
                }
                if is_fatal {
                    reaction = Reaction::End;
                }
            }
            Meaning::Heard { .. } | Meaning::TurnBreakdown | Meaning::Other => {}
        }
        if self.agent.events.len() < EVENTS_MAX {
            let at_ms = ms(now);
            self.agent.events.push(Event { at_ms, kind: message.kind, data: message.data });
        } else {
            self.agent.events_dropped += 1;
        }
        reaction
    }

    /// Takes note of a playout report sent.
    pub const fn handle_playout_sent(&mut self) {
        self.agent.playout_reports += 1;
    }

    /// The reply that the agent says it is speaking.
    pub const fn speaking(&self) -> Option<u64> {
        self.speaking
    }

    /// When the agent said that it is ready.
    pub const fn ready_at(&self) -> Option<Duration> {
        self.ready_at
    }

    /// How many errors the agent reported.
    pub const fn errors(&self) -> usize {
        self.agent.errors.len()
    }

    /// The first error after the first `count`.
    pub fn error_after(&self, count: usize) -> Option<&str> {
        self.agent.errors.get(count).map(String::as_str)
    }

    /// Everything told so far.
    pub fn into_agent(self) -> Agent {
        self.agent
    }

    fn line(&mut self, who: &str, text: String) {
        if self.agent.transcript.len() < EVENTS_MAX {
            self.agent.transcript.push(Line { who: who.to_owned(), text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn log(messages: &[(&str, serde_json::Value)]) -> (AgentLog, Vec<Reaction>) {
        let mut log = AgentLog::default();
        let reactions = messages
            .iter()
            .map(|(kind, data)| {
                let message = Message { kind: (*kind).to_owned(), data: data.clone() };
                log.handle_message(Duration::from_millis(5), message)
            })
            .collect();
        (log, reactions)
    }

    #[test]
    fn transcripts_of_both_sides_are_kept_in_order() {
        let (log, _) = log(&[
            ("bot-ready", json!({})),
            ("user-transcription", json!({"text": "what", "final": false})),
            ("user-transcription", json!({"text": "what time", "final": true})),
            ("bot-output", json!({"text": "Noon.", "spoken_status": "new"})),
            ("bot-output", json!({"text": "Noon.", "spoken_status": "completed"})),
        ]);
        let agent = log.into_agent();
        let lines: Vec<_> =
            agent.transcript.iter().map(|line| (line.who.as_str(), line.text.as_str())).collect();
        assert_eq!(lines, [("caller", "what time"), ("agent", "Noon.")]);
        assert!(agent.is_ready);
        assert_eq!(agent.events.len(), 5);
    }

    #[test]
    fn the_floor_says_which_reply_is_spoken() {
        let floor = |state: &str| {
            ("server-message", json!({"type": "floor", "state": state, "generation": 3}))
        };
        for (states, expected) in [
            (&["agent"][..], Some(3)),
            (&["agent", "contested"], Some(3)),
            (&["agent", "contested", "yielding"], Some(3)),
            (&["agent", "user"], None),
            (&["agent", "contested", "yielding", "user"], None),
            (&["thinking"], None),
        ] {
            let messages: Vec<_> = states.iter().map(|state| floor(state)).collect();
            assert_eq!(log(&messages).0.speaking(), expected, "{states:?}");
        }
    }

    #[test]
    fn only_a_fatal_error_ends_the_call() {
        let (log, reactions) = log(&[
            ("error", json!({"error": "slow", "fatal": false})),
            ("error", json!({"error": "gone", "fatal": true})),
        ]);
        assert_eq!(reactions, [Reaction::None, Reaction::End]);
        assert_eq!(log.into_agent().errors, ["slow", "gone"]);
    }

    #[test]
    fn an_agent_that_talks_without_end_is_counted_not_kept() {
        let messages = vec![("metrics", json!({})); EVENTS_MAX + 3];
        let agent = log(&messages).0.into_agent();
        assert_eq!((agent.events.len(), agent.events_dropped), (EVENTS_MAX, 3));
    }
}
