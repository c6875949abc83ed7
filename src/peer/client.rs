//! The conversation's line to the user's client: RTVI over a data channel.

use std::collections::VecDeque;

use crate::call::event::{ClientCommand, ClientEvent};
use crate::limits::CLIENT_MESSAGES_HELD_MAX;
use crate::rtvi::{self, Encoder, Incoming};

/// Turns events into messages and holds them until the client can take them; turns its messages into
/// commands.
#[derive(Debug)]
pub(super) struct ClientLink {
    encoder: Encoder,
    state: State,
    /// Oldest first.
    held: VecDeque<String>,
    dropped: u64,
    refused: u64,
}

/// How far the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No data channel is open.
    Closed { was_ready: bool },
    /// A channel is open, but the client's handlers are not in place.
    Open,
    /// It said `client-ready`.
    Ready,
}

impl ClientLink {
    pub(super) fn new(call_id: &str) -> Self {
        Self {
            encoder: Encoder::new(call_id),
            state: State::Closed { was_ready: false },
            held: VecDeque::new(),
            dropped: 0,
            refused: 0,
        }
    }

    /// A channel opened. A client that was ready before and lost its channel does not say so again.
    pub(super) fn handle_opened(&mut self) {
        self.state = match self.state {
            State::Closed { was_ready: true } | State::Ready => State::Ready,
            State::Closed { was_ready: false } | State::Open => State::Open,
        };
    }

    pub(super) fn handle_closed(&mut self) {
        self.state = State::Closed { was_ready: self.state == State::Ready };
    }

    /// The conversation tells the client something. `timestamp` is ISO 8601.
    pub(super) fn handle_event(&mut self, event: &ClientEvent, timestamp: &str) {
        for message in self.encoder.encode(event, timestamp) {
            self.push(message);
        }
    }

    fn push(&mut self, message: String) {
        if self.held.len() == CLIENT_MESSAGES_HELD_MAX {
            self.held.pop_front();
            self.dropped += 1;
        }
        self.held.push_back(message);
    }

    /// A message of the client. What it asks for is returned, in order; what is to be answered is
    /// sent with the rest.
    pub(super) fn handle_text(&mut self, text: &str) -> Vec<ClientCommand> {
        match rtvi::parse(text) {
            Ok(Incoming::Ping | Incoming::Nothing) => Vec::new(),
            Ok(Incoming::ClientReady { id, version }) => {
                // First of all, for the client's `connect()` waits for it.
                for message in self.encoder.bot_ready(&id, &version).into_iter().rev() {
                    self.held.push_front(message);
                }
                self.state = State::Ready;
                vec![ClientCommand::Ready]
            }
            Ok(Incoming::Commands { commands, reply }) => {
                reply.into_iter().for_each(|reply| self.push(reply));
                commands
            }
            Err(refusal) => {
                self.refused += 1;
                tracing::debug!(%refusal, "a message of the client was refused");
                self.push(refusal.reply());
                Vec::new()
            }
        }
    }

    /// The next message to send.
    pub(super) fn poll_message(&mut self) -> Option<String> {
        match self.state {
            State::Ready => self.held.pop_front(),
            State::Closed { .. } | State::Open => None,
        }
    }

    /// The message that ends the conversation on the client's side, if it can be told.
    pub(super) fn farewell(&self) -> Option<String> {
        (self.state == State::Ready).then(rtvi::peer_left)
    }

    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::event::TurnId;

    const READY: &str =
        r#"{"label":"rtvi-ai","type":"client-ready","id":"1","data":{"version":"2.1.0"}}"#;

    fn drained(link: &mut ClientLink) -> Vec<String> {
        std::iter::from_fn(|| link.poll_message()).collect()
    }

    #[test]
    fn events_wait_for_the_client_and_its_greeting_comes_first() {
        let mut link = ClientLink::new("call");
        let event = ClientEvent::UserStartedSpeaking { turn: TurnId(1) };
        link.handle_event(&event, "2026-01-01T00:00:00Z");
        assert!(drained(&mut link).is_empty());
        link.handle_opened();
        assert!(drained(&mut link).is_empty());
        assert_eq!(link.handle_text(READY), [ClientCommand::Ready]);
        let messages = drained(&mut link);
        assert!(messages[0].contains("bot-ready"), "{messages:?}");
        assert!(messages.last().is_some_and(|it| it.contains("user-started-speaking")));
        link.handle_closed();
        link.handle_event(&event, "2026-01-01T00:00:00Z");
        assert!(drained(&mut link).is_empty());
        link.handle_opened();
        assert_eq!(drained(&mut link).len(), 1, "it was ready before");
    }

    #[test]
    fn what_waits_is_bounded_and_the_oldest_goes() {
        let mut link = ClientLink::new("call");
        for _ in 0..CLIENT_MESSAGES_HELD_MAX + 3 {
            let event = ClientEvent::UserStartedSpeaking { turn: TurnId(1) };
            link.handle_event(&event, "2026-01-01T00:00:00Z");
        }
        assert_eq!((link.held.len(), link.dropped()), (CLIENT_MESSAGES_HELD_MAX, 3));
    }

    #[test]
    fn nonsense_is_answered_and_counted() {
        let mut link = ClientLink::new("call");
        link.handle_opened();
        link.handle_text(READY);
        drained(&mut link);
        assert!(link.handle_text("{]").is_empty());
        assert_eq!((link.refused(), drained(&mut link).len()), (1, 1));
        assert!(link.handle_text("ping: 12").is_empty());
        assert!(drained(&mut link).is_empty());
    }
}
