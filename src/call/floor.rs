//! Who holds the floor. The only place that opens and closes turns and replies.
//!
//! ```text
//! Idle --speech--> User --speech ends--> Settling --endpoint--> Thinking --first audio--> Agent
//!   ^               ^ ^                     | speech               | speech                 |
//!   |               | '---------------------'  (the same turn)     | (cancel)               |
//!   |               '----------------------------------------------'<-----------------------'
//!   '-- the reply was played, failed or came to nothing                   speech (flush, cancel)
//! ```
//!
//! A user who speaks on in `Settling` continues the turn. In `Thinking` the turn was already given
//! to the backend, so its reply is cancelled, with nothing heard, and a new turn opens. The audio of
//! both reached the backend, which so has two user turns in a row in its history and answers both.
//!
//! Each reply that is opened is closed once, by `Played` or by `Cancel`. What arrives for a reply
//! that is closed is dropped in [`Floor::admit`].

mod reply;

use std::mem;
use std::time::Duration;

use crate::call::effects::Effects;
use crate::call::event::{
    BackendCommand, ClientEvent, Disposition, DownlinkCommand, FloorState, Generation, Output,
    TurnId,
};
use crate::call::metrics::TurnClock;
use crate::call::settings::CallSettings;
use crate::call::{CallStats, Timer};
use crate::time::SessionTime;

use reply::Reply;

/// The floor of one call.
#[derive(Clone, Debug)]
pub(super) struct Floor {
    state: State,
    /// The last turn that was opened.
    turn: TurnId,
    /// The last reply that was opened.
    generation: Generation,
    backend_ready: bool,
    /// From the host to the user's ear.
    playout_delay: Duration,
    turn_max: Duration,
    reply_timeout: Duration,
    stall_timeout: Duration,
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Idle,
    User {
        turn: TurnClock,
    },
    Settling {
        turn: TurnClock,
    },
    Thinking {
        reply: Reply,
    },
    Agent {
        reply: Reply,
    },
}

/// Why a reply is asked for.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    /// The agent speaks first.
    Greeting,
    /// The backend wanted to speak.
    Announcement,
    /// The user typed, or pressed keys.
    Text(String),
}

impl Floor {
    pub(super) const fn new(settings: &CallSettings) -> Self {
        Self {
            state: State::Idle,
            turn: TurnId(0),
            generation: Generation(0),
            backend_ready: false,
            playout_delay: settings.client_buffer,
            turn_max: settings.turn_max,
            reply_timeout: settings.reply_timeout,
            stall_timeout: settings.stall_timeout,
        }
    }

    pub(super) const fn state(&self) -> FloorState {
        match self.state {
            State::Idle => FloorState::Idle,
            State::User { .. } => FloorState::User,
            State::Settling { .. } => FloorState::Settling,
            State::Thinking { .. } => FloorState::Thinking,
            State::Agent { .. } => FloorState::Agent,
        }
    }

    /// The last turn opened; no other can follow it yet.
    pub(super) const fn turn(&self) -> TurnId {
        self.turn
    }

    pub(super) const fn set_playout_delay(&mut self, delay: Duration) {
        self.playout_delay = delay;
    }

    pub(super) const fn playout_delay(&self) -> Duration {
        self.playout_delay
    }

    /// What becomes of the user's audio: it belongs to the open turn, or waits for one to open.
    pub(super) const fn disposition(&self) -> Disposition {
        match self.state {
            State::User { .. } | State::Settling { .. } => Disposition::Forward,
            State::Idle | State::Thinking { .. } | State::Agent { .. } => Disposition::Hold,
        }
    }

    /// The floor as it is now, for an observer.
    pub(super) const fn event(&self, at: SessionTime) -> ClientEvent {
        let (turn, generation) = (self.turn, self.generation);
        ClientEvent::Floor { at, state: self.state(), turn, generation }
    }

    // ---- the user ----

    /// The user began to speak, at `first`.
    pub(super) fn speech_started(
        &mut self,
        now: SessionTime,
        first: SessionTime,
        effects: &mut Effects,
    ) {
        match mem::take(&mut self.state) {
            State::User { turn } | State::Settling { turn } => {
                effects.timers.disarm(Timer::Endpoint);
                effects.client(ClientEvent::UserStartedSpeaking { turn: turn.turn() });
                self.enter(now, State::User { turn }, effects);
            }
            State::Thinking { reply } | State::Agent { reply } => {
                self.interrupt(now, reply, effects);
                self.open_turn(now, first, effects);
            }
            State::Idle => self.open_turn(now, first, effects),
        }
    }

    /// The user was still speaking at `at`.
    pub(super) const fn speech_goes_on(&mut self, at: SessionTime) {
        if let State::User { turn } = &mut self.state {
            turn.note_voiced(at);
        }
    }

    /// The user stopped speaking; the turn is over at `deadline` if nothing follows.
    pub(super) fn speech_stopped(
        &mut self,
        now: SessionTime,
        deadline: SessionTime,
        effects: &mut Effects,
    ) {
        match mem::take(&mut self.state) {
            State::User { turn } => {
                effects.client(ClientEvent::UserStoppedSpeaking { turn: turn.turn() });
                effects.timers.arm(Timer::Endpoint, deadline);
                self.enter(now, State::Settling { turn }, effects);
            }
            other => self.state = other,
        }
    }

    /// The turn is over, if one is open.
    pub(super) fn end_turn(&mut self, now: SessionTime, effects: &mut Effects) {
        let mut clock = match mem::take(&mut self.state) {
            State::User { turn } => {
                effects.client(ClientEvent::UserStoppedSpeaking { turn: turn.turn() });
                turn
            }
            State::Settling { turn } => turn,
            other => {
                self.state = other;
                return;
            }
        };
        effects.timers.disarm(Timer::Endpoint);
        effects.timers.disarm(Timer::Turn);
        clock.note_endpoint(now);
        let generation = self.next_generation();
        let turn = clock.turn();
        effects.backend(BackendCommand::UserTurnEnded { turn, generation });
        self.open_reply(now, Some(clock), effects);
    }

    /// Closes a turn that is open and will not be answered: the call is ending.
    pub(super) fn abandon_turn(&mut self, now: SessionTime, effects: &mut Effects) {
        match mem::take(&mut self.state) {
            State::User { turn: clock } | State::Settling { turn: clock } => {
                effects.timers.disarm(Timer::Endpoint);
                effects.timers.disarm(Timer::Turn);
                effects.backend(BackendCommand::UserTurnDismissed { turn: clock.turn() });
                self.enter(now, State::Idle, effects);
            }
            other => self.state = other,
        }
    }

    /// A final transcript of a turn arrived.
    pub(super) fn transcribed(&mut self, now: SessionTime, turn: TurnId) {
        let clock = match &mut self.state {
            State::User { turn } | State::Settling { turn } => Some(turn),
            State::Thinking { reply } | State::Agent { reply } => reply.clock.as_mut(),
            State::Idle => None,
        };
        if let Some(clock) = clock.filter(|clock| clock.turn() == turn) {
            clock.note_transcript(now);
        }
    }

    /// Takes the floor for a reply that no speech asked for. An open turn is ended, and the reply to
    /// it, or one being made, is cancelled.
    pub(super) fn take(&mut self, now: SessionTime, cause: Cause, effects: &mut Effects) {
        self.end_turn(now, effects);
        if let State::Thinking { reply } | State::Agent { reply } = mem::take(&mut self.state) {
            self.interrupt(now, reply, effects);
        }
        let generation = self.next_generation();
        let (command, clock) = match cause {
            Cause::Greeting => (BackendCommand::Greet { generation }, None),
            Cause::Announcement => (BackendCommand::Speak { generation }, None),
            Cause::Text(text) => {
                let turn = self.next_turn(effects);
                let clock = TurnClock::typed(turn, now);
                (BackendCommand::UserText { turn, generation, text }, Some(clock))
            }
        };
        effects.backend(command);
        self.open_reply(now, clock, effects);
    }

    /// Whether `generation` is the open reply.
    pub(super) fn admits(&mut self, generation: Generation, stats: &mut CallStats) -> bool {
        self.admit(generation, stats).is_some()
    }

    // ---- opening and closing ----

    fn open_turn(&mut self, now: SessionTime, first: SessionTime, effects: &mut Effects) {
        let turn = self.next_turn(effects);
        effects.backend(BackendCommand::UserSpeechStarted { turn });
        effects.outputs.push_back(Output::ReleaseHeld);
        effects.client(ClientEvent::UserStartedSpeaking { turn });
        effects.timers.arm(Timer::Turn, now + self.turn_max);
        self.enter(now, State::User { turn: TurnClock::spoken(turn, first) }, effects);
    }

    /// Waits for the reply that the backend was just asked for.
    fn open_reply(&mut self, now: SessionTime, clock: Option<TurnClock>, effects: &mut Effects) {
        let generation = self.generation;
        effects.stats.replies += 1;
        effects.downlink(DownlinkCommand::Play { generation });
        if self.backend_ready {
            effects.timers.arm(Timer::Reply, now + self.reply_timeout);
        }
        self.enter(now, State::Thinking { reply: Reply::new(generation, clock) }, effects);
    }

    /// What happens to a reply when the user takes the floor from it: it ends, at once. The one place
    /// where an interruption is decided.
    fn interrupt(&mut self, now: SessionTime, reply: Reply, effects: &mut Effects) {
        effects.stats.interruptions += 1;
        self.cancel(now, reply, effects);
    }

    /// Closes a reply before its end.
    fn cancel(&mut self, now: SessionTime, reply: Reply, effects: &mut Effects) {
        disarm_reply(effects);
        reply.cancel(now, self.playout_delay, effects);
    }

    /// Closes a reply that was sent to its end.
    fn close(&mut self, now: SessionTime, reply: Reply, effects: &mut Effects) {
        disarm_reply(effects);
        reply.close(effects);
        self.enter(now, State::Idle, effects);
    }

    fn enter(&mut self, now: SessionTime, state: State, effects: &mut Effects) {
        self.state = state;
        effects.client(self.event(now));
    }

    const fn next_turn(&mut self, effects: &mut Effects) -> TurnId {
        self.turn.0 += 1;
        effects.stats.turns += 1;
        self.turn
    }

    const fn next_generation(&mut self) -> Generation {
        self.generation.0 += 1;
        self.generation
    }

    /// The open reply, if `generation` is it and the backend has not finished it. Everything that a
    /// backend makes passes here; what is late is dropped here and counted.
    fn admit(&mut self, generation: Generation, stats: &mut CallStats) -> Option<&mut Reply> {
        match &mut self.state {
            State::Thinking { reply } | State::Agent { reply } if reply.accepts(generation) => {
                Some(reply)
            }
            _ => {
                stats.stale_messages += 1;
                None
            }
        }
    }
}

fn disarm_reply(effects: &mut Effects) {
    effects.timers.disarm(Timer::Reply);
    effects.timers.disarm(Timer::Stall);
}
