//! Speculation: a reply that is made while it is not certain yet that the turn is over.
//!
//! Until the turn is over nothing of it can be seen: its audio waits in a paused downlink, what the client
//! would be told is kept back, and the backend keeps its own side effects back (see
//! [`BackendCommand::Speculate`]). If the user goes on, all of that is forgotten.

use std::mem;

use super::{Floor, State, disarm_turn};
use crate::call::Timer;
use crate::call::effects::Effects;
use crate::call::event::{BackendCommand, ClientEvent, DownlinkCommand, Output};
use crate::call::floor::reply::Reply;
use crate::call::floor::waiting::ClipPlaying;
use crate::call::metrics::TurnClock;
use crate::limits::AHEAD_EVENTS_MAX;
use crate::time::SessionTime;

/// A reply made ahead, and what is kept back of it.
#[derive(Clone, Debug)]
pub(super) struct Ahead {
    /// With the open turn's clock.
    pub(super) reply: Reply,
    events: Vec<ClientEvent>,
}

impl Ahead {
    /// Keeps back what the client was to be told since there were `told` outputs.
    pub(super) fn keep_back(&mut self, told: usize, effects: &mut Effects) {
        let told = effects.outputs.len().min(told);
        for output in effects.outputs.split_off(told) {
            match output {
                Output::Client(event) if self.events.len() < AHEAD_EVENTS_MAX => {
                    self.events.push(event);
                }
                Output::Client(_) => effects.stats.text_overflows += 1,
                other => effects.outputs.push_back(other),
            }
        }
    }
}

impl Floor {
    /// Asks for a reply ahead, if the user has just stopped speaking and none was asked for.
    pub(in crate::call) fn speculate(&mut self, effects: &mut Effects) {
        let clock = match mem::take(&mut self.state) {
            State::Settling { turn } => turn,
            other => {
                self.state = other;
                return;
            }
        };
        let generation = self.next_generation();
        effects.stats.speculations += 1;
        effects.backend(BackendCommand::Speculate { turn: clock.turn(), generation });
        self.clip = ClipPlaying::None;
        effects.downlink(DownlinkCommand::Play { generation });
        effects.downlink(DownlinkCommand::Pause);
        let reply = Reply::new(generation, Some(clock));
        // For the client nothing has changed: it is told of no state.
        self.state = State::Speculating { ahead: Ahead { reply, events: Vec::new() } };
    }

    /// The turn is over: the reply made ahead is the answer.
    pub(super) fn make_it_count(&mut self, now: SessionTime, ahead: Ahead, effects: &mut Effects) {
        disarm_turn(effects);
        self.barge_in.learn_level();
        let Ahead { mut reply, events } = ahead;
        let generation = reply.generation();
        if let Some(clock) = &mut reply.clock {
            clock.note_endpoint(now);
            let turn = clock.turn();
            effects.backend(BackendCommand::UserTurnEnded { turn, generation });
        }
        effects.stats.replies += 1;
        effects.stats.speculations_used += 1;
        events.into_iter().for_each(|event| effects.client(event));
        effects.downlink(DownlinkCommand::Resume);
        if reply.is_over_before_it_sounds() {
            return self.close(now, reply, effects);
        }
        self.return_to(now, reply, effects);
    }

    /// The user goes on: the reply made ahead never was. Answers the turn's clock.
    pub(super) fn withdraw(&mut self, ahead: Ahead, effects: &mut Effects) -> TurnClock {
        let reply = ahead.reply;
        effects.timers.disarm(Timer::Endpoint);
        effects.stats.speculated_chars_wasted += reply.text_chars() as u64;
        effects.downlink(DownlinkCommand::Flush);
        let generation = reply.generation();
        let mut clock = reply.clock.expect("a reply made ahead answers a turn");
        clock.forget_reply();
        effects.backend(BackendCommand::Withdraw { turn: clock.turn(), generation });
        clock
    }

    /// The backend could not make the reply ahead. It is asked again when the turn is over.
    pub(super) fn give_up_ahead(&mut self, now: SessionTime, effects: &mut Effects) {
        match mem::take(&mut self.state) {
            State::Speculating { ahead } => {
                let deadline = effects.timers.deadline(Timer::Endpoint);
                let turn = self.withdraw(ahead, effects);
                effects.timers.arm(Timer::Endpoint, deadline.unwrap_or(now));
                self.state = State::Settling { turn };
            }
            other => self.state = other,
        }
    }
}
