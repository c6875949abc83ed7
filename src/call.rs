//! The conversation: who is speaking, whose turn it is, what is said back and what of it was heard.
//!
//! Pure and told the time. Decisions take features, never samples. One mutation, then drain
//! [`Call::poll_output`] to `None`, then the next input.
//!
//! ```text
//! features -> speech -> endpoint ---.
//! backend events, audio lengths ----+--> floor (turns, replies, ledger, metrics) -> outputs
//! sent frames, playout reports -----'
//! ```

pub mod echo_gate;
mod effects;
pub mod endpoint;
pub mod event;
mod floor;
mod keys;
pub mod metrics;
pub mod playout;
pub mod settings;
pub mod speech;
pub mod trace;

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use crate::call::echo_gate::EchoGate;
use crate::call::effects::Effects;
use crate::call::endpoint::{Endpoint, Verdict};
use crate::call::event::{
    BackendCommand, BackendEvent, ClientCommand, ClientEvent, Disposition, EchoVerdict, EndReason,
    FloorState, FrameFeatures, Generation, Output, Playout, SentFrame,
};
use crate::call::floor::{Cause, Floor};
use crate::call::keys::Keys;
use crate::call::settings::CallSettings;
use crate::call::speech::{Speech, SpeechChange};
use crate::limits::{USER_TEXT_CHARS_MAX, WAITING_TEXTS_MAX};
use crate::time::{SessionTime, Timers};

/// What is still played when the backend failed for good.
const FAILED_DRAIN_MAX: Duration = Duration::from_secs(2);
/// What is still said when the backend hangs up: a farewell.
const HANG_UP_DRAIN_MAX: Duration = Duration::from_secs(30);

/// Why the conversation wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The user may have finished.
    Endpoint,
    /// The user has spoken for as long as one turn may last.
    Turn,
    /// The backend has not begun to answer.
    Reply,
    /// A reply has run dry.
    Stall,
    /// No further telephone key came.
    Keys,
    /// The backend is not ready yet.
    BackendSetup,
    /// The longest permitted call.
    CallLength,
    /// What is queued should have been played by now; the call ends.
    Drain,
}

/// What the conversation has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallStats {
    /// Turns of the user, spoken and typed.
    pub turns: u64,
    /// Replies asked for, greetings and announcements included.
    pub replies: u64,
    /// Replies that the user cut short, or overtook before they began.
    pub interruptions: u64,
    /// Replies that never began within their time.
    pub reply_timeouts: u64,
    /// Replies that ran dry.
    pub stalls: u64,
    /// Events and blocks of audio dropped because their reply, or turn, was not the open one.
    pub stale_messages: u64,
    /// Interruptions for which the client had reported what it played.
    pub heard_reported: u64,
    /// Interruptions for which what was heard is an estimate.
    pub heard_estimated: u64,
    /// Playout reports of more than was sent.
    pub playout_lies: u64,
    /// Pieces of reply text not kept because the reply had too much of it.
    pub text_overflows: u64,
    /// Typed texts refused: too long, or too many waiting.
    pub texts_refused: u64,
    /// Errors that the client was told of and the call survived.
    pub complaints: u64,
}

/// Where the call as a whole is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Media does not flow yet.
    Connecting,
    /// The conversation.
    Open,
    /// The last reply is played, then it ends.
    Closing { reason: EndReason },
    /// Over; nothing changes any more.
    Ended,
}

/// The conversation of one call.
#[derive(Clone, Debug)]
pub struct Call {
    settings: CallSettings,
    phase: Phase,
    echo_gate: EchoGate,
    /// The gate's verdict on the last frame.
    echo: EchoVerdict,
    speech: Speech,
    endpoint: Endpoint,
    floor: Floor,
    keys: Keys,
    muted: bool,
    /// Typed texts that wait for the agent's end, oldest first.
    waiting_texts: VecDeque<String>,
    /// The backend has something to say that no turn asked for.
    backend_wants_to_speak: bool,
    effects: Effects,
}

impl Call {
    /// A conversation that waits for its peer to connect. The time is zero.
    pub fn new(settings: CallSettings) -> Self {
        let mut effects = Effects::new();
        let ready_by = SessionTime::ZERO + settings.backend_setup_timeout;
        effects.timers.arm(Timer::BackendSetup, ready_by);
        effects.timers.arm(Timer::CallLength, SessionTime::ZERO + settings.call_max);
        Self {
            phase: Phase::Connecting,
            echo_gate: EchoGate::default(),
            echo: EchoVerdict::Clear,
            speech: Speech::new(settings.speech.clone()),
            endpoint: Endpoint::new(&settings.endpoint),
            floor: Floor::new(&settings),
            keys: Keys::default(),
            muted: false,
            waiting_texts: VecDeque::new(),
            backend_wants_to_speak: false,
            effects,
            settings,
        }
    }

    /// Media may flow: the agent greets, if it is to speak first.
    pub fn handle_connected(&mut self, now: SessionTime) {
        if self.phase != Phase::Connecting {
            return;
        }
        self.phase = Phase::Open;
        if self.settings.greet {
            self.floor.take(now, Cause::Greeting, &mut self.effects);
        }
        self.settle(now);
    }

    /// 20 ms of the user's audio were heard. The outputs come before the frame: what is released
    /// from the held ring is older than it.
    pub fn handle_frame(&mut self, now: SessionTime, features: &FrameFeatures) -> Disposition {
        if self.phase != Phase::Open || self.muted {
            return Disposition::Drop;
        }
        let echo = self.echo_gate.step(features);
        self.echo = echo;
        let change = self.speech.step(features, echo);
        if let Some(SpeechChange::Started { first }) = change {
            self.floor.speech_started(now, first, &mut self.effects);
        }
        if let Some(last) = self.speech.last_voiced() {
            self.floor.speech_goes_on(last);
        }
        if let Some(SpeechChange::Stopped { last }) = change {
            let deadline = self.endpoint.deadline(last);
            self.floor.speech_stopped(now, deadline, &mut self.effects);
        }
        self.floor.disposition()
    }

    /// The backend said something.
    pub fn handle_backend(&mut self, now: SessionTime, event: BackendEvent) {
        if self.phase == Phase::Ended {
            return;
        }
        match event {
            BackendEvent::Ready => {
                self.effects.timers.disarm(Timer::BackendSetup);
                self.floor.set_backend_ready(now, &mut self.effects);
            }
            BackendEvent::UserTranscript { turn, text, is_final } => {
                if turn > self.floor.turn() {
                    self.effects.stats.stale_messages += 1;
                    return;
                }
                if is_final {
                    self.floor.transcribed(now, turn);
                }
                self.effects.client(ClientEvent::UserTranscript { turn, text, is_final });
            }
            BackendEvent::TurnLooksComplete { .. } | BackendEvent::UserTurnEnded { .. } => {}
            BackendEvent::WantsToSpeak => self.backend_wants_to_speak = true,
            BackendEvent::Failed { message } => self.fail(now, message),
            BackendEvent::HangUp { reason } => {
                self.close(now, EndReason::Backend { reason }, HANG_UP_DRAIN_MAX);
            }
            of_a_reply => self.floor.reply_event(now, of_a_reply, &mut self.effects),
        }
        self.settle(now);
    }

    /// Whether `generation` is the open reply, and its audio wanted. What is not is counted.
    pub fn admits(&mut self, generation: Generation) -> bool {
        self.phase != Phase::Ended && self.floor.admits(generation, &mut self.effects.stats)
    }

    /// The downlink took audio of this length for the reply.
    pub fn handle_reply_audio(
        &mut self,
        now: SessionTime,
        generation: Generation,
        duration: Duration,
    ) {
        if self.phase != Phase::Ended {
            self.floor.reply_audio(now, generation, duration, &mut self.effects);
        }
    }

    /// The backend no longer takes what it is sent: it is as good as gone.
    pub fn handle_backend_stuck(&mut self, now: SessionTime) {
        if self.phase != Phase::Ended {
            self.fail(now, "the backend stopped reading".to_owned());
            self.settle(now);
        }
    }

    /// One downlink frame left the host.
    pub fn handle_sent(&mut self, now: SessionTime, sent: &SentFrame) {
        if self.phase != Phase::Ended {
            self.floor.sent(now, sent, &mut self.effects);
            self.settle(now);
        }
    }

    /// What the far end says it has played.
    pub fn handle_playout(&mut self, now: SessionTime, report: &Playout) {
        if self.phase != Phase::Ended {
            self.floor.played(now, report, &mut self.effects);
        }
    }

    /// The round trip to the peer was measured. Half of it is on the way to the user's ear.
    pub fn handle_round_trip(&mut self, round_trip: Duration) {
        self.floor.set_playout_delay(round_trip / 2 + self.settings.client_buffer);
    }

    /// The user's client asked for something.
    pub fn handle_client(&mut self, now: SessionTime, command: ClientCommand) {
        if self.phase == Phase::Ended {
            return;
        }
        match command {
            ClientCommand::Ready => {
                let event = self.floor.event(now);
                self.effects.client(event);
            }
            ClientCommand::Text { text, interrupt } => self.handle_text(now, text, interrupt),
            ClientCommand::Mute { muted } => self.handle_mute(now, muted),
            ClientCommand::Dtmf { key } => self.handle_key(now, key),
            ClientCommand::Playout(report) => self.handle_playout(now, &report),
            ClientCommand::ToolResult { call_id, result } => {
                self.effects.backend(BackendCommand::ToolResult { call_id, result });
            }
            ClientCommand::Disconnect => self.end(EndReason::Client),
        }
        self.settle(now);
    }

    /// Deadlines of [`Call::poll_timeout`] were reached.
    pub fn handle_timeout(&mut self, now: SessionTime) {
        while let Some(timer) = self.effects.timers.take_due(now) {
            match timer {
                Timer::Endpoint => match self.endpoint.judge(now, self.speech.is_starting()) {
                    Verdict::Over => self.floor.end_turn(now, &mut self.effects),
                    Verdict::AskAgain(at) => self.effects.timers.arm(Timer::Endpoint, at),
                },
                Timer::Turn => self.end_turn(now),
                Timer::Reply | Timer::Stall => self.floor.give_up(now, &mut self.effects),
                Timer::Keys => self.take_keys(now),
                Timer::BackendSetup => self.fail(now, "the backend was not ready in time".into()),
                Timer::CallLength => self.end(EndReason::TooLong),
                Timer::Drain => self.end_closing(),
            }
            self.settle(now);
        }
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.effects.outputs.pop_front()
    }

    /// When [`Call::handle_timeout`] wants to be called next, and why.
    pub fn poll_timeout(&self) -> Option<(SessionTime, Timer)> {
        self.effects.timers.next()
    }

    /// When the conversation stops waiting for this, if it does wait for it.
    pub fn deadline(&self, timer: Timer) -> Option<SessionTime> {
        self.effects.timers.deadline(timer)
    }

    /// Who holds the floor.
    pub const fn floor(&self) -> FloorState {
        self.floor.state()
    }

    /// Whether the last frame was taken for the agent's own voice.
    pub const fn echo(&self) -> EchoVerdict {
        self.echo
    }

    /// What was counted so far.
    pub const fn stats(&self) -> &CallStats {
        &self.effects.stats
    }
}

/// What the client asks for.
impl Call {
    fn handle_text(&mut self, now: SessionTime, text: String, interrupt: bool) {
        let is_ending = matches!(self.phase, Phase::Closing { .. } | Phase::Ended);
        if is_ending || text.trim().is_empty() {
            return;
        }
        if text.chars().count() > USER_TEXT_CHARS_MAX {
            self.refuse_text(format!("the text is longer than {USER_TEXT_CHARS_MAX} characters"));
        } else if interrupt && self.phase == Phase::Open {
            self.take_floor(now, Cause::Text(text));
        } else if self.waiting_texts.len() == WAITING_TEXTS_MAX {
            self.refuse_text(format!("{WAITING_TEXTS_MAX} texts are waiting already"));
        } else {
            self.waiting_texts.push_back(text);
        }
    }

    fn refuse_text(&mut self, message: String) {
        self.effects.stats.texts_refused += 1;
        self.effects.complain(message);
    }

    /// A muted user says nothing: an open turn is over.
    fn handle_mute(&mut self, now: SessionTime, muted: bool) {
        if self.muted == muted {
            return;
        }
        self.muted = muted;
        self.effects.client(ClientEvent::UserMuted { muted });
        self.end_turn(now);
    }

    fn handle_key(&mut self, now: SessionTime, key: char) {
        if self.phase != Phase::Open {
            return;
        }
        if self.keys.push(key) {
            self.take_keys(now);
        } else if !self.keys.is_empty() {
            self.effects.timers.arm(Timer::Keys, now + self.settings.key_timeout);
        }
    }

    fn take_keys(&mut self, now: SessionTime) {
        self.effects.timers.disarm(Timer::Keys);
        if let Some(keys) = self.keys.take().filter(|_| self.phase == Phase::Open) {
            self.take_floor(now, Cause::Text(keys));
        }
    }

    /// Ends an open turn, though the user may still be speaking. Who goes on opens another.
    fn end_turn(&mut self, now: SessionTime) {
        self.speech.reset();
        self.floor.end_turn(now, &mut self.effects);
    }

    fn take_floor(&mut self, now: SessionTime, cause: Cause) {
        self.speech.reset();
        self.floor.take(now, cause, &mut self.effects);
    }
}

/// How it ends.
impl Call {
    /// The backend is gone. What it already said is still played, briefly.
    fn fail(&mut self, now: SessionTime, message: String) {
        self.effects.timers.disarm(Timer::BackendSetup);
        self.effects.client(ClientEvent::Error { message: message.clone(), fatal: true });
        self.close(now, EndReason::BackendFailed { message }, FAILED_DRAIN_MAX);
        self.floor.finish(now, &mut self.effects);
    }

    /// Nothing new begins; it ends when the open reply was played, or after `drain`.
    fn close(&mut self, now: SessionTime, reason: EndReason, drain: Duration) {
        self.speech.reset();
        self.floor.abandon_turn(now, &mut self.effects);
        self.effects.timers.arm(Timer::Drain, now + drain);
        self.phase = Phase::Closing { reason };
    }

    /// All was sent: it ends when the user has heard it.
    fn end_when_heard(&mut self, now: SessionTime) {
        let heard = now + self.floor.playout_delay();
        let drained = self.effects.timers.deadline(Timer::Drain).unwrap_or(heard);
        self.effects.timers.arm(Timer::Drain, drained.min(heard));
    }

    fn end_closing(&mut self) {
        if let Phase::Closing { reason } = &self.phase {
            self.end(reason.clone());
        }
    }

    fn end(&mut self, reason: EndReason) {
        self.phase = Phase::Ended;
        self.effects.timers = Timers::new();
        self.effects.outputs.push_back(Output::End(reason));
    }

    /// After each mutation: with nobody speaking, what waited for that happens.
    fn settle(&mut self, now: SessionTime) {
        if self.floor.state() != FloorState::Idle {
            return;
        }
        match self.phase {
            Phase::Connecting | Phase::Ended => {}
            Phase::Closing { .. } => self.end_when_heard(now),
            Phase::Open => {
                if let Some(text) = self.waiting_texts.pop_front() {
                    self.floor.take(now, Cause::Text(text), &mut self.effects);
                } else if mem::take(&mut self.backend_wants_to_speak) {
                    self.floor.take(now, Cause::Announcement, &mut self.effects);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
