//! How turns of the user end: the endpointer between the user's speech and the floor.

use super::Call;
use crate::call::Timer;
use crate::call::endpoint::{Endpoint, TurnHint, Verdict};
use crate::call::event::{FloorState, Output, TurnId};
use crate::call::settings::EndpointStrategy;
use crate::time::SessionTime;

impl Call {
    /// What the turn's model made of the sound so far; `None` if it could not say.
    pub fn handle_turn_judged(&mut self, now: SessionTime, turn: TurnId, probability: Option<f32>) {
        if self.phase != super::Phase::Ended {
            self.effects.stats.judgements_missed += u64::from(probability.is_none());
            self.handle_hint(now, TurnHint::Model { turn, probability });
        }
    }

    /// The user speaks, since `first`: in the open turn, or in a new one.
    pub(super) fn handle_speech_started(&mut self, now: SessionTime, first: SessionTime) {
        let before = self.turn_open;
        self.floor.speech_started(now, first, &mut self.effects);
        self.follow_turn();
        if self.turn_open.is_some() && self.turn_open == before {
            self.endpoint.speech_started(first);
        }
    }

    /// Tells the endpointer of turns that were opened or ended by whatever happened last.
    pub(super) fn follow_turn(&mut self) {
        let open = self.floor.user_turn();
        let turn = open.map(|(turn, _)| turn);
        if turn == self.turn_open {
            return;
        }
        if self.turn_open.is_some() {
            self.endpoint.turn_ended();
        }
        if let Some((turn, first)) = open {
            self.endpoint.turn_opened(turn, first);
        }
        self.turn_open = turn;
    }

    pub(super) fn handle_speech_stopped(&mut self, now: SessionTime, last: SessionTime) {
        let deadline = self.endpoint.speech_stopped(now, last);
        self.floor.speech_stopped(now, deadline, &mut self.effects);
        if self.floor.state() == FloorState::Settling && self.endpoint.asks_model() {
            self.effects.stats.judgements += 1;
            self.effects.outputs.push_back(Output::JudgeTurn { turn: self.floor.turn() });
        }
    }

    pub(super) fn handle_hint(&mut self, now: SessionTime, hint: TurnHint) {
        if let Some(at) = self.endpoint.hint(now, hint)
            && self.floor.state() == FloorState::Settling
        {
            self.effects.timers.arm(Timer::Endpoint, at);
        }
    }

    /// The deadline that the endpointer named was reached.
    pub(super) fn judge_pause(&mut self, now: SessionTime) {
        match self.endpoint.judge(now, self.speech.is_starting()) {
            Verdict::Over => self.floor.end_turn(now, &mut self.effects),
            Verdict::AskAgain(at) => self.effects.timers.arm(Timer::Endpoint, at),
            Verdict::Speculate(at) => {
                self.effects.timers.arm(Timer::Endpoint, at);
                self.floor.speculate(&mut self.effects);
            }
        }
    }

    /// A backend took over that does not decide whose turn it is. A pause that its forerunner was judging is
    /// judged as one that has just begun.
    pub(super) fn take_turns(&mut self, now: SessionTime) {
        self.floor.take_turns();
        if !self.endpoint.is_backend() {
            return;
        }
        self.settings.endpoint.strategy = EndpointStrategy::Adaptive;
        self.endpoint = Endpoint::new(&self.settings.endpoint);
        if let Some((turn, first)) = self.floor.user_turn() {
            self.endpoint.turn_opened(turn, first);
        }
        if self.floor.state() == FloorState::Settling {
            let deadline = self.endpoint.speech_stopped(now, now);
            self.effects.timers.arm(Timer::Endpoint, deadline);
        }
    }

    /// The backend says that the turn is over: it is, where the backend decides.
    pub(super) fn handle_backend_ends_turn(&mut self, now: SessionTime, turn: TurnId) {
        if self.endpoint.is_backend() && turn == self.floor.turn() {
            self.end_turn(now);
        }
    }
}
