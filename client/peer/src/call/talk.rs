//! Who decides what the caller says and when; everything else about a call is the same for all.

use std::time::Duration;

use crate::conversation::{Conversation, Output};
use crate::duplex::actor::Actor;
use crate::measure::replies::{Heard, Reply};
use crate::rtvi::Message;

/// The caller's mind. Pure, told the time; all times are since the call began.
pub(super) trait Talk {
    /// The frame to send at `now`, silence included.
    fn next_frame(&mut self, now: Duration) -> Vec<i16>;
    /// Takes in one frame as it is played. `at` is its place among the arrivals, which is the buffer's
    /// delay before now.
    fn handle_played(&mut self, at: Duration, frame: &[i16]);
    /// Takes in a packet of the agent, decoded.
    fn handle_heard(&mut self, heard: &Heard);
    /// Takes in a message of the agent.
    fn handle_message(&mut self, now: Duration, message: &Message);
    /// What the shell is to do next.
    fn poll_output(&mut self) -> Option<Output>;
    /// How much of the current reply was played, if there is one.
    fn played(&self) -> Option<Duration>;
    /// Whether everything has been said and heard.
    fn is_done(&self) -> bool;
    /// Ends the call where it is, as when it broke.
    fn end(&mut self, now: Duration);
}

impl Talk for Conversation {
    fn next_frame(&mut self, now: Duration) -> Vec<i16> {
        self.next_frame(now)
    }

    fn handle_played(&mut self, _at: Duration, _frame: &[i16]) {}

    fn handle_heard(&mut self, heard: &Heard) {
        self.handle_heard(heard);
    }

    fn handle_message(&mut self, _now: Duration, _message: &Message) {}

    fn poll_output(&mut self) -> Option<Output> {
        self.poll_output()
    }

    fn played(&self) -> Option<Duration> {
        self.current().map(Reply::length)
    }

    fn is_done(&self) -> bool {
        self.is_done()
    }

    fn end(&mut self, now: Duration) {
        self.end(now);
    }
}

impl Talk for Actor {
    fn next_frame(&mut self, now: Duration) -> Vec<i16> {
        self.next_frame(now)
    }

    fn handle_played(&mut self, at: Duration, frame: &[i16]) {
        self.handle_played(at, frame);
    }

    fn handle_heard(&mut self, heard: &Heard) {
        self.handle_heard(heard);
    }

    fn handle_message(&mut self, now: Duration, message: &Message) {
        self.handle_message(now, message);
    }

    fn poll_output(&mut self) -> Option<Output> {
        None
    }

    fn played(&self) -> Option<Duration> {
        Some(self.played())
    }

    fn is_done(&self) -> bool {
        self.is_done()
    }

    fn end(&mut self, _now: Duration) {
        self.end();
    }
}
