//! What happens while nobody speaks, and how a call ends.

use std::mem;
use std::time::Duration;

use super::{Call, Phase};
use crate::call::Timer;
use crate::call::event::{ClientEvent, EndReason, FloorState, Output, TurnId};
use crate::call::floor::Cause;
use crate::time::{SessionTime, Timers};

/// What is still played when the backend failed for good: the end of a reply, or an apology.
const FAILED_DRAIN_MAX: Duration = Duration::from_secs(4);
/// What is still said when the backend hangs up: a farewell.
pub(super) const HANG_UP_DRAIN_MAX: Duration = Duration::from_secs(30);

impl Call {
    /// The backend is gone. What it already said is still played, briefly.
    pub(super) fn fail(&mut self, now: SessionTime, message: String) {
        self.effects.timers.disarm(Timer::BackendSetup);
        self.effects.client(ClientEvent::Error { message: message.clone(), fatal: true });
        self.close(now, EndReason::BackendFailed { message }, FAILED_DRAIN_MAX);
        self.floor.finish(now, &mut self.effects);
        if self.floor.state() == FloorState::Idle {
            self.floor.apologise(&mut self.effects);
        }
    }

    /// Nothing new begins; it ends when the open reply was played, or after `drain`.
    pub(super) fn close(&mut self, now: SessionTime, reason: EndReason, drain: Duration) {
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

    pub(super) fn end_closing(&mut self) {
        if let Phase::Closing { reason } = &self.phase {
            self.end(reason.clone());
        }
    }

    pub(super) fn end(&mut self, reason: EndReason) {
        self.phase = Phase::Ended;
        self.effects.timers = Timers::new();
        self.effects.outputs.push_back(Output::End(reason));
    }

    /// After each mutation: with nobody speaking, what waited for that happens.
    pub(super) fn settle(&mut self, now: SessionTime) {
        self.settle_turn(now);
        self.follow_turn();
        if self.floor.state() != FloorState::Idle {
            self.effects.timers.disarm(Timer::Idle);
            return;
        }
        match self.phase {
            Phase::Connecting | Phase::Ended => {}
            Phase::Closing { .. } if self.floor.plays_clip() => {}
            Phase::Closing { .. } => self.end_when_heard(now),
            Phase::Open => {
                if let Some(text) = self.waiting_texts.pop_front() {
                    self.floor.take(now, Cause::Text(text), &mut self.effects);
                } else if mem::take(&mut self.backend_wants_to_speak) {
                    self.floor.take(now, Cause::Announcement, &mut self.effects);
                } else {
                    self.await_anybody(now);
                }
            }
        }
    }

    /// A turn that was won by words may be silent already: it is settled like any other.
    fn settle_turn(&mut self, now: SessionTime) {
        let is_silent = self.speech.last_voiced().is_none() && !self.speech.is_starting();
        if is_silent && let Some(last) = self.floor.last_voiced() {
            self.follow_turn();
            self.handle_speech_stopped(now, last);
        }
    }

    /// Nobody speaks: something will be done about it, unless all was.
    fn await_anybody(&mut self, now: SessionTime) {
        self.prompts.forget_if_new(self.floor.turn());
        let idle = &self.settings.idle;
        let is_left = self.prompts.given < idle.prompts.len() || idle.hang_up;
        if let Some(after) = idle.after.filter(|_| is_left)
            && self.effects.timers.deadline(Timer::Idle).is_none()
        {
            let heard = self.floor.playout_delay();
            self.effects.timers.arm(Timer::Idle, now + heard + after);
        }
    }

    /// Nobody has spoken for long: the user is prompted, and at last the call ends.
    pub(super) fn break_silence(&mut self, now: SessionTime) {
        match self.settings.idle.prompts.get(self.prompts.given) {
            Some(text) => {
                self.prompts.given += 1;
                self.effects.stats.prompts += 1;
                self.floor.take(now, Cause::Prompt(text.clone()), &mut self.effects);
            }
            None => self.close(now, EndReason::Idle, FAILED_DRAIN_MAX),
        }
    }
}

/// Prompts since the user last said something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prompts {
    given: usize,
    turn: TurnId,
}

impl Prompts {
    fn forget_if_new(&mut self, turn: TurnId) {
        if turn != self.turn {
            *self = Self { given: 0, turn };
        }
    }
}
