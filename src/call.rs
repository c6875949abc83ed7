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

mod asked;
pub mod barge_in;
pub mod echo_gate;
mod effects;
mod ending;
pub mod endpoint;
pub mod event;
mod floor;
mod keys;
pub mod metrics;
pub mod playout;
pub mod settings;
pub mod speech;
pub mod trace;
mod turn_end;

use std::collections::VecDeque;
use std::time::Duration;

use crate::call::echo_gate::EchoGate;
use crate::call::effects::Effects;
use crate::call::ending::{HANG_UP_DRAIN_MAX, Prompts};
use crate::call::endpoint::{Endpoint, TurnHint};
use crate::call::event::{
    BackendCommand, BackendEvent, Canceller, ClientCommand, ClientEvent, Disposition, EchoVerdict,
    EndReason, FloorState, FrameFeatures, Generation, Output, Playout, SentFrame, TurnId, Usage,
};
use crate::call::floor::{Cause, Floor};
use crate::call::keys::Keys;
use crate::call::settings::{CallSettings, TurnAuthority};
use crate::call::speech::{Speech, SpeechChange};
use crate::time::SessionTime;

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
    /// The user waits for a reply: the filler is due.
    Filler,
    /// A possible interruption was decided by nothing.
    Contest,
    /// Nobody has spoken for long.
    Idle,
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
    /// Possible interruptions that were nothing: backchannels, coughs, clicks.
    pub dismissals: u64,
    /// Replies begun ahead of the end of a turn.
    pub speculations: u64,
    /// Those of them that were the answer.
    pub speculations_used: u64,
    /// Characters of text in those that were not: four make about one token of a language model.
    pub speculated_chars_wasted: u64,
    /// Fillers played.
    pub fillers: u64,
    /// Prompts after a long silence.
    pub prompts: u64,
    /// Replies that never began within their time.
    pub reply_timeouts: u64,
    /// Replies that ran dry.
    pub stalls: u64,
    /// Events and blocks of audio dropped because their reply, or turn, was not the open one.
    pub stale_messages: u64,
    /// Interruptions for which the client had reported what it played.
    pub heard_reported: u64,
    /// Interruptions for which what was heard follows from the measured round trip.
    pub heard_by_round_trip: u64,
    /// Interruptions for which what was heard is an estimate.
    pub heard_estimated: u64,
    /// Playout reports of more than was sent.
    pub playout_lies: u64,
    /// Pieces of reply text not kept because the reply had too much of it.
    pub text_overflows: u64,
    /// Typed texts refused: too long, or too many waiting.
    pub texts_refused: u64,
    /// Pauses that the turn's model was asked about.
    pub judgements: u64,
    /// Of those, pauses that it could not judge: it failed, or was busy. They were judged by their sound.
    pub judgements_missed: u64,
    /// Errors that the client was told of and the call survived.
    pub complaints: u64,
    /// What the backend used.
    pub usage: Usage,
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
    /// The turn of the user that the endpointer was told of.
    turn_open: Option<TurnId>,
    keys: Keys,
    muted: bool,
    prompts: Prompts,
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
            turn_open: None,
            keys: Keys::default(),
            muted: false,
            prompts: Prompts::default(),
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
        self.floor.heard(now, features, echo, change, &mut self.effects);
        self.follow_turn();
        if let Some(SpeechChange::Started { first }) = change {
            let may_be_echo =
                echo == EchoVerdict::Likely && features.echo.canceller == Canceller::Searching;
            if may_be_echo && self.floor.state() == FloorState::Idle {
                self.floor.doubt(first);
            } else {
                self.handle_speech_started(now, first);
            }
        }
        let last_voiced = self.speech.last_voiced();
        self.endpoint.handle_frame(features, last_voiced == Some(features.at));
        if let Some(last) = last_voiced {
            self.floor.speech_goes_on(last);
        }
        if let Some(SpeechChange::Stopped { last }) = change {
            self.handle_speech_stopped(now, last);
        }
        self.settle(now);
        self.floor.disposition(echo)
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
                if !self.floor.wants_transcript(turn) {
                    self.effects.stats.stale_messages += 1;
                    return;
                }
                if is_final {
                    self.floor.transcribed(now, turn);
                }
                self.floor.understood(now, turn, &text, is_final, &mut self.effects);
                self.effects.client(ClientEvent::UserTranscript { turn, text, is_final });
            }
            BackendEvent::TurnLooksComplete { turn, probability } => {
                self.handle_hint(now, TurnHint::Text { turn, probability });
            }
            BackendEvent::UserTurnEnded { turn } => self.handle_backend_ends_turn(now, turn),
            BackendEvent::Used { turn, usage } => {
                self.effects.stats.usage += usage;
                self.effects.client(ClientEvent::Used { turn, usage });
            }
            BackendEvent::TurnsAreYours => self.take_turns(now),
            BackendEvent::WantsToSpeak => self.backend_wants_to_speak = true,
            BackendEvent::Failed { message } => self.fail(now, message),
            BackendEvent::HangUp { reason } => {
                self.close(now, EndReason::Backend { reason }, HANG_UP_DRAIN_MAX);
            }
            BackendEvent::Prompted { .. } => {}
            of_a_reply => self.floor.reply_event(now, of_a_reply, &mut self.effects),
        }
        self.settle(now);
    }

    /// Whether `generation` is the open reply, and its audio wanted. What is not is counted.
    pub fn admits(&mut self, generation: Generation) -> bool {
        self.phase != Phase::Ended && self.floor.admits(generation, &mut self.effects.stats)
    }

    /// The downlink took audio of this length for the reply, `speech` of which is sound.
    pub fn handle_reply_audio(
        &mut self,
        now: SessionTime,
        generation: Generation,
        duration: Duration,
        speech: Duration,
    ) {
        if self.phase != Phase::Ended {
            self.floor.reply_audio(now, generation, duration, speech, &mut self.effects);
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
        self.floor.set_round_trip(round_trip);
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
                Timer::Endpoint => self.judge_pause(now),
                Timer::Turn => self.end_turn(now),
                Timer::Reply | Timer::Stall => self.floor.give_up(now, &mut self.effects),
                Timer::Filler => self.floor.fill(&mut self.effects),
                Timer::Contest => self.floor.contest_timeout(now, &mut self.effects),
                Timer::Idle => self.break_silence(now),
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

    /// Who decides whose turn it is, as things stand.
    pub const fn authority(&self) -> TurnAuthority {
        self.floor.authority()
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

#[cfg(test)]
mod tests;
