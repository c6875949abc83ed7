//! What is sent to a streaming recogniser and when, and what its messages mean for the turns of a call. Pure.
//!
//! One connection hears turn after turn. A message is about the newest turn that it reaches, or, where the
//! service counts no time, about the oldest of which not everything is known. A turn that is over stays until
//! what the service held back of it has come, so that none of its words become the next one's. All audio of
//! it stays until then too: if the connection breaks, the next one hears it again.

mod link;
mod turn;

use std::collections::VecDeque;
use std::time::Duration;

use self::turn::{Fate, Peek, Turn, position_ms};
use super::super::{Ask, AsrReport};
use crate::backend::cascade::error::StageError;
use crate::call::event::{Generation, TurnId};
use crate::cascade::failover::FailureKind;
use crate::cascade::recognition::{Flushed, Heard, Recognised};
use crate::limits::{TRANSCRIPTS_AWAITED_MAX, WIDEBAND_HZ};
use crate::time::SessionTime;

/// Samples of one message at most: 80 ms.
const PIECE: usize = WIDEBAND_HZ as usize * 80 / 1_000;
const PIECE_TIME: Duration = Duration::from_millis(80);
/// Silence takes the place of audio that is this late.
const LATE: Duration = Duration::from_millis(160);
/// Silence that is owed is sent, but not more than this.
const OWED_MAX: Duration = Duration::from_millis(400);
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(4);
/// How long a likely end of a turn waits for words; what is known by then is told.
const PEEK_PATIENCE: Duration = Duration::from_millis(500);

/// How a service wants to be treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manner {
    /// Its name in errors.
    pub(super) service: &'static str,
    /// It says when it is ready, within this time.
    pub(super) ready_timeout: Option<Duration>,
    /// It wants audio without a gap, in pieces of 80 ms; otherwise it is kept alive by messages.
    pub(super) is_gapless: bool,
    /// At the likely end of a turn it is asked for what it holds back; otherwise it tells that by itself.
    pub(super) flushes_likely_ends: bool,
    /// How long the end of a turn waits for its text.
    pub(super) answer_timeout: Duration,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    Connect,
    Send(Outgoing),
    HangUp,
    Report(AsrReport),
}

/// What is sent, whatever the service calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// At 16 kHz.
    Audio(Vec<i16>),
    /// Asks for what is held back.
    Flush(i64),
    KeepAlive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// It is being opened.
    Opening,
    /// It is open, and the service has to say that it is ready.
    Greeting {
        until: SessionTime,
    },
    Up,
    /// It was opened too often of late.
    Resting {
        until: SessionTime,
    },
    Gone,
}

/// A call's turns at a streaming recogniser.
#[derive(Debug)]
pub(super) struct Hearing {
    manner: Manner,
    link: Link,
    /// The oldest first; only the last may be open.
    turns: VecDeque<Turn>,
    /// Samples sent on this connection.
    position: u64,
    flushes: i64,
    /// When something is sent although nothing is said.
    idle_at: SessionTime,
    was_ready: bool,
    /// The service said something on this connection.
    is_proven: bool,
    reopened_at: Option<SessionTime>,
    reopens_failed: u32,
    acts: VecDeque<Act>,
}

impl Hearing {
    /// Connects at once.
    pub(super) fn new(manner: Manner) -> Self {
        Self {
            manner,
            link: Link::Opening,
            turns: VecDeque::new(),
            position: 0,
            flushes: 0,
            idle_at: SessionTime::ZERO,
            was_ready: false,
            is_proven: false,
            reopened_at: None,
            reopens_failed: 0,
            acts: VecDeque::from([Act::Connect]),
        }
    }

    /// The call says what goes on.
    pub(super) fn handle_ask(&mut self, now: SessionTime, ask: Ask) {
        match ask {
            _ if self.link == Link::Gone => {}
            Ask::Start(turn) => {
                self.forget_open(now);
                self.turns.push_back(Turn::new(turn));
            }
            Ask::Frame(frame) => {
                if let Some(open) = self.open_turn() {
                    self.turns[open].hear(&frame);
                    let least = if self.manner.is_gapless { PIECE } else { 1 };
                    self.send_audio(now, open, least);
                }
            }
            Ask::Peek { turn, generation } => self.handle_peek(now, turn, generation),
            Ask::End { turn, generation } => self.handle_end(now, turn, generation),
            Ask::Forget => self.forget_open(now),
        }
    }

    /// The service says something.
    pub(super) fn handle_message(&mut self, now: SessionTime, message: Recognised) {
        let service = self.manner.service;
        match message {
            Recognised::Failed(fault) => {
                let problem = format!("{service} gave up: {}", fault.message);
                self.handle_lost(now, StageError::new(fault.kind, problem));
            }
            Recognised::Malformed => {
                let problem = format!("{service} sent what cannot be read");
                self.handle_lost(now, StageError::new(FailureKind::Malformed, problem));
            }
            Recognised::Ready if matches!(self.link, Link::Greeting { .. }) => self.begin(now),
            // What comes before it is left from somebody else's connection.
            _ if self.link != Link::Up => {}
            Recognised::Heard(heard) => {
                self.prove();
                self.handle_heard(&heard);
            }
            Recognised::Ready | Recognised::Other => self.prove(),
        }
    }

    /// A deadline has passed.
    pub(super) fn handle_timeout(&mut self, now: SessionTime) {
        match self.link {
            Link::Resting { until } if until <= now => self.reopen(now),
            Link::Greeting { until } if until <= now => {
                let problem = format!("{} did not get ready in time", self.manner.service);
                self.handle_lost(now, StageError::new(FailureKind::TimedOut, problem));
            }
            Link::Up if self.idle_at <= now => self.send_idle(now),
            _ => {}
        }
        for turn in &mut self.turns {
            if let Some(peek) = turn.peek.take_if(|peek| peek.deadline <= now) {
                let (turn, generation, text) = (turn.id, peek.generation, turn.last_known());
                self.acts.push_back(Act::Report(AsrReport::Likely { turn, generation, text }));
            }
        }
        let is_due = |turn: &Turn| match turn.fate {
            Fate::Ended { deadline, .. } | Fate::Forgotten { deadline } => deadline <= now,
            Fate::Open => false,
        };
        while let Some(index) = self.turns.iter().position(is_due) {
            self.give_up(now, index);
        }
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub(super) fn poll_timeout(&self) -> Option<SessionTime> {
        let link = match self.link {
            Link::Greeting { until } | Link::Resting { until } => Some(until),
            Link::Up => Some(self.idle_at),
            Link::Opening | Link::Gone => None,
        };
        let turns = self.turns.iter().flat_map(|turn| {
            let end = match turn.fate {
                Fate::Ended { deadline, .. } | Fate::Forgotten { deadline } => Some(deadline),
                Fate::Open => None,
            };
            [end, turn.peek.map(|peek| peek.deadline)]
        });
        turns.flatten().chain(link).min()
    }

    /// The next thing to do, in order.
    pub(super) fn poll_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    fn handle_peek(&mut self, now: SessionTime, turn: TurnId, generation: Generation) {
        let Some(open) = self.open_turn().filter(|open| self.turns[*open].id == turn) else {
            let text = String::new();
            return self.report(AsrReport::Likely { turn, generation, text });
        };
        self.turns[open].peek = Some(Peek { generation, deadline: now + PEEK_PATIENCE });
        self.send_audio(now, open, 1);
        self.tell_likely(open);
        let turn = &self.turns[open];
        let must_ask = turn.peek.is_some() && !turn.has_asked_for_all();
        if self.manner.flushes_likely_ends && must_ask {
            self.flush(open);
        }
    }

    fn handle_end(&mut self, now: SessionTime, turn: TurnId, generation: Generation) {
        let Some(open) = self.open_turn().filter(|open| self.turns[*open].id == turn) else {
            let text = String::new();
            return self.report(AsrReport::Final { turn, generation, text });
        };
        let deadline = now + self.manner.answer_timeout;
        self.turns[open].peek = None;
        self.turns[open].fate = Fate::Ended { generation, deadline };
        self.ask_for_end(now, open);
        self.settle(open);
        self.bound();
    }

    /// The rest of a turn that is over is sent, and asked for.
    fn ask_for_end(&mut self, now: SessionTime, index: usize) {
        let is_known = self.turns[index].was_sent() && self.turns[index].is_settled();
        if is_known {
            return;
        }
        self.send_audio(now, index, 1);
        if !self.turns[index].has_asked_for_all() {
            self.flush(index);
        }
    }

    fn forget_open(&mut self, now: SessionTime) {
        let Some(open) = self.open_turn() else { return };
        let turn = &mut self.turns[open];
        if self.link != Link::Up || !turn.was_sent() || turn.is_settled() {
            self.turns.remove(open);
            return;
        }
        turn.peek = None;
        turn.fate = Fate::Forgotten { deadline: now + self.manner.answer_timeout };
        self.flush(open);
        self.bound();
    }

    fn handle_heard(&mut self, heard: &Heard) {
        let about = match (heard.flushed, heard.until_ms) {
            (Some(Flushed::Number(number)), _) => {
                self.turns.iter().position(|turn| turn.awaits(number))
            }
            (_, Some(until_ms)) => self.turns.iter().rposition(|turn| turn.is_reached(until_ms)),
            (_, None) => self.turns.iter().position(Turn::was_sent),
        };
        let Some(index) = about else { return };
        let turn = &mut self.turns[index];
        turn.understand(heard);
        if turn.fate == Fate::Open {
            let id = turn.id;
            let complete = heard.complete.filter(|_| !turn.is_flushing());
            let partial = turn.news().map(|text| AsrReport::Partial { turn: id, text });
            let looks =
                complete.map(|probability| AsrReport::LooksComplete { turn: id, probability });
            self.acts.extend(partial.into_iter().chain(looks).map(Act::Report));
        }
        self.tell_likely(index);
        self.settle(index);
    }

    /// Who waits for the likely end is told, if it is understood.
    fn tell_likely(&mut self, index: usize) {
        let turn = &mut self.turns[index];
        if turn.was_sent()
            && turn.is_understood()
            && let Some(Peek { generation, .. }) = turn.peek.take()
        {
            let (turn, text) = (turn.id, turn.text());
            self.report(AsrReport::Likely { turn, generation, text });
        }
    }

    /// A turn that is over leaves, if all of it is known.
    fn settle(&mut self, index: usize) {
        let turn = &self.turns[index];
        match turn.fate {
            Fate::Ended { generation, .. } if self.is_known(turn) => {
                let (turn, text) = (turn.id, turn.text());
                self.turns.remove(index);
                self.report(AsrReport::Final { turn, generation, text });
            }
            Fate::Forgotten { .. } if !turn.is_flushing() => {
                self.turns.remove(index);
            }
            Fate::Open | Fate::Ended { .. } | Fate::Forgotten { .. } => {}
        }
    }

    /// Silence is known before it is sent.
    fn is_known(&self, turn: &Turn) -> bool {
        turn.is_settled() && (turn.was_sent() || self.link == Link::Up)
    }

    /// A turn that is over has waited long enough.
    fn give_up(&mut self, now: SessionTime, index: usize) {
        let Some(over) = self.turns.remove(index) else { return };
        let Fate::Ended { generation, .. } = over.fate else { return };
        let (turn, text) = (over.id, over.last_known());
        if self.link == Link::Up && over.was_answered {
            return self.report(AsrReport::Final { turn, generation, text });
        }
        let patience = self.manner.answer_timeout.as_secs_f32();
        let problem = format!("{} did not answer within {patience} s", self.manner.service);
        let error = StageError::new(FailureKind::TimedOut, problem);
        self.report(AsrReport::Missed { turn, generation, error: error.clone() });
        if self.link == Link::Up {
            self.handle_lost(now, error);
        }
    }

    /// Of more turns than [`TRANSCRIPTS_AWAITED_MAX`] the oldest is given up.
    fn bound(&mut self) {
        let over = self.turns.iter().filter(|turn| turn.fate != Fate::Open).count();
        if over <= TRANSCRIPTS_AWAITED_MAX {
            return;
        }
        if let Some(Turn { id: turn, fate: Fate::Ended { generation, .. }, .. }) =
            self.turns.pop_front()
        {
            let problem = format!("{} is too far behind", self.manner.service);
            let error = StageError::new(FailureKind::Busy, problem);
            self.report(AsrReport::Missed { turn, generation, error });
        }
    }

    fn open_turn(&self) -> Option<usize> {
        let last = self.turns.len().checked_sub(1)?;
        (self.turns[last].fate == Fate::Open).then_some(last)
    }

    /// Sends what was not sent of a turn, leaving less than `least` samples for later.
    fn send_audio(&mut self, now: SessionTime, index: usize, least: usize) {
        while self.link == Link::Up
            && let Some(piece) = self.turns[index].take(least, PIECE, self.position)
        {
            self.send_piece(piece);
            self.rest(now);
        }
    }

    fn send_piece(&mut self, piece: Vec<i16>) {
        self.position += piece.len() as u64;
        self.acts.push_back(Act::Send(Outgoing::Audio(piece)));
    }

    fn flush(&mut self, index: usize) {
        if self.link == Link::Up {
            self.flushes += 1;
            self.turns[index].asked_to_flush(self.flushes, position_ms(self.position));
            self.acts.push_back(Act::Send(Outgoing::Flush(self.flushes)));
        }
    }

    /// Something was sent.
    fn rest(&mut self, now: SessionTime) {
        self.idle_at = now + if self.manner.is_gapless { LATE } else { KEEP_ALIVE_EVERY };
    }

    fn send_idle(&mut self, now: SessionTime) {
        if !self.manner.is_gapless {
            self.acts.push_back(Act::Send(Outgoing::KeepAlive));
            return self.rest(now);
        }
        self.idle_at = self.idle_at.max(now - OWED_MAX);
        if let Some(open) = self.open_turn()
            && let Some(piece) = self.turns[open].take(1, PIECE, self.position)
        {
            self.send_piece(piece);
        }
        while self.idle_at <= now {
            self.send_piece(vec![0; PIECE]);
            self.idle_at += PIECE_TIME;
        }
    }

    fn report(&mut self, report: AsrReport) {
        self.acts.push_back(Act::Report(report));
    }
}

#[cfg(test)]
mod tests;
