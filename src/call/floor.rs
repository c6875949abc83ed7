//! Who holds the floor. The only place that opens and closes turns and replies.
//!
//! ```text
//! Idle --speech--> User --speech ends--> Settling --endpoint--> Thinking --first audio--> Agent
//!   ^               ^ ^                   |    |  ^                 |                     | ^
//!   |               | '-------------------'    v  | speech      voice                voice | it was
//!   |               |  (the same turn)    Speculating               v                     v | nothing
//!   |               '------- commit -------------- Yielding <--confirm-- Contested --------'
//!   |                 (cancel, flush)                 '------ it was nothing ------> (back)
//!   '-- the reply was played, failed or came to nothing
//! ```
//!
//! A user who speaks on in `Settling` continues the turn; a reply that was begun ahead (`Speculating`) is
//! withdrawn and never was. Who speaks in `Thinking` or `Agent` may be interrupting: see `contest`. When
//! that is certain the reply is cancelled and a new turn is open. The audio of both turns reached the
//! backend, which so has two user turns in a row in its history and answers both.
//!
//! Each reply that is opened is closed once, by `Played`, `Cancel` or `Withdraw`. What arrives for a reply
//! that is closed is dropped in [`Floor::admit`].

mod ahead;
mod contest;
mod reply;
mod waiting;

use std::mem;
use std::time::Duration;

use crate::call::barge_in::BargeIn;
use crate::call::effects::Effects;
use crate::call::event::{
    BackendCommand, ClientEvent, Disposition, DownlinkCommand, EchoVerdict, FloorState, Generation,
    Output, TurnId,
};
use crate::call::metrics::TurnClock;
use crate::call::playout::Delay;
use crate::call::settings::{CallSettings, TurnAuthority};
use crate::call::{CallStats, Timer};
use crate::time::SessionTime;

use ahead::Ahead;
use contest::Overlap;
use reply::Reply;
use waiting::ClipPlaying;

/// The floor of one call.
#[derive(Clone, Debug)]
pub(super) struct Floor {
    settings: CallSettings,
    state: State,
    barge_in: BargeIn,
    /// Speech of the user while the agent has the floor, which no attempt covers.
    overlap: Option<Overlap>,
    /// The last turn that was opened.
    turn: TurnId,
    /// The last turn that came to nothing: what is understood of it late is of no interest.
    dismissed: Option<TurnId>,
    /// The last reply that was opened.
    generation: Generation,
    backend_ready: bool,
    clip: ClipPlaying,
    /// From the host to the user's ear.
    playout_delay: Delay,
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
    /// As `Settling`, and a reply is being made ahead.
    Speculating {
        ahead: Ahead,
    },
    Thinking {
        reply: Reply,
    },
    Agent {
        reply: Reply,
    },
    /// Voice since `first`; nobody but the downlink knows of it.
    Contested {
        reply: Reply,
        first: SessionTime,
    },
    /// The backend hears the user; the reply is kept.
    Yielding {
        reply: Reply,
        turn: TurnClock,
    },
}

/// Why a reply is asked for.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    /// The agent speaks first.
    Greeting,
    /// The backend wanted to speak.
    Announcement,
    /// Nobody spoke for long.
    Prompt(String),
    /// The user typed, or pressed keys.
    Text(String),
}

impl Floor {
    pub(super) fn new(settings: &CallSettings) -> Self {
        Self {
            settings: settings.clone(),
            state: State::Idle,
            barge_in: BargeIn::new(settings.interruption.clone(), settings.speech.clone()),
            overlap: None,
            turn: TurnId(0),
            dismissed: None,
            generation: Generation(0),
            backend_ready: false,
            clip: ClipPlaying::None,
            playout_delay: Delay::assumed(settings.client_buffer),
        }
    }

    pub(super) const fn state(&self) -> FloorState {
        match self.state {
            State::Idle => FloorState::Idle,
            State::User { .. } => FloorState::User,
            State::Settling { .. } | State::Speculating { .. } => FloorState::Settling,
            State::Thinking { .. } => FloorState::Thinking,
            State::Agent { .. } => FloorState::Agent,
            State::Contested { .. } => FloorState::Contested,
            State::Yielding { .. } => FloorState::Yielding,
        }
    }

    pub(super) const fn authority(&self) -> TurnAuthority {
        self.settings.authority
    }

    /// The conversation decides from now on whose turn it is.
    pub(super) const fn take_turns(&mut self) {
        self.settings.authority = TurnAuthority::Local;
    }

    /// The last turn opened; no other can follow it yet.
    pub(super) const fn turn(&self) -> TurnId {
        self.turn
    }

    /// Half the measured round trip is on the way to the client.
    pub(super) fn set_round_trip(&mut self, round_trip: Duration) {
        self.playout_delay = Delay::measured(round_trip / 2 + self.settings.client_buffer);
    }

    pub(super) const fn playout_delay(&self) -> Duration {
        self.playout_delay.duration
    }

    /// What becomes of the user's audio: it belongs to an open turn, or waits for one to open. A backend
    /// that decides itself hears everything but echo, and what may be an interruption.
    pub(super) fn disposition(&self, echo: EchoVerdict) -> Disposition {
        let is_local = self.settings.authority == TurnAuthority::Local;
        let undecided = match &self.state {
            State::User { .. }
            | State::Settling { .. }
            | State::Speculating { .. }
            | State::Yielding { .. } => None,
            State::Thinking { .. } if !is_local => None,
            State::Contested { reply, .. } if is_local || reply.has_audio() => {
                Some(Disposition::HoldAll)
            }
            State::Contested { .. } => None,
            State::Idle | State::Thinking { .. } | State::Agent { .. } => {
                if self.overlap.is_some_and(|overlap| overlap.is_over())
                    && !self.barge_in.is_listening()
                {
                    Some(Disposition::HoldTail)
                } else if self.overlap.is_some() || self.barge_in.is_listening() {
                    Some(Disposition::HoldAll)
                } else {
                    is_local.then_some(Disposition::Hold)
                }
            }
        };
        match undecided {
            Some(held) => held,
            None if !is_local && echo == EchoVerdict::Certain => Disposition::ForwardSilence,
            None => Disposition::Forward,
        }
    }

    /// The floor as it is now, for an observer.
    pub(super) const fn event(&self, at: SessionTime) -> ClientEvent {
        let (turn, generation) = (self.turn, self.generation);
        ClientEvent::Floor { at, state: self.state(), turn, generation }
    }

    // ---- the user ----

    /// The user began to speak, at `first`. Whether that interrupts a reply is judged in `contest`.
    pub(super) fn speech_started(
        &mut self,
        now: SessionTime,
        first: SessionTime,
        effects: &mut Effects,
    ) {
        match mem::take(&mut self.state) {
            State::User { turn } | State::Settling { turn } => self.go_on(now, turn, effects),
            State::Speculating { ahead } => {
                let turn = self.withdraw(ahead, effects);
                self.go_on(now, turn, effects);
            }
            State::Idle => self.open_turn(now, first, effects),
            with_a_reply => self.state = with_a_reply,
        }
    }

    /// The user was still speaking at `at`.
    pub(super) const fn speech_goes_on(&mut self, at: SessionTime) {
        if let State::User { turn } | State::Yielding { turn, .. } = &mut self.state {
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

    /// The end of the last voiced frame of the user who holds the floor.
    pub(super) const fn last_voiced(&self) -> Option<SessionTime> {
        match &self.state {
            State::User { turn } => Some(turn.last_voiced()),
            _ => None,
        }
    }

    /// The turn that is the user's for certain, and where its first voiced frame began.
    pub(super) fn user_turn(&self) -> Option<(TurnId, SessionTime)> {
        let clock = match &self.state {
            State::User { turn } | State::Settling { turn } => turn,
            State::Speculating { ahead } => ahead.reply.clock.as_ref()?,
            State::Idle
            | State::Thinking { .. }
            | State::Agent { .. }
            | State::Contested { .. }
            | State::Yielding { .. } => return None,
        };
        Some((clock.turn(), clock.first_voiced()))
    }

    /// The turn is over, if one is open.
    pub(super) fn end_turn(&mut self, now: SessionTime, effects: &mut Effects) {
        let mut clock = match mem::take(&mut self.state) {
            State::User { turn } => {
                effects.client(ClientEvent::UserStoppedSpeaking { turn: turn.turn() });
                self.barge_in.expect_more();
                turn
            }
            State::Settling { turn } => turn,
            State::Speculating { ahead } => return self.make_it_count(now, ahead, effects),
            other => {
                self.state = other;
                return;
            }
        };
        disarm_turn(effects);
        self.barge_in.learn_level();
        clock.note_endpoint(now);
        let generation = self.next_generation();
        let turn = clock.turn();
        effects.backend(BackendCommand::UserTurnEnded { turn, generation });
        self.open_reply(now, Some(clock), effects);
    }

    /// Closes a turn that is open and will not be answered: the call is ending. An attempt to interrupt
    /// comes to nothing.
    pub(super) fn abandon_turn(&mut self, now: SessionTime, effects: &mut Effects) {
        self.overlap = None;
        let clock = match mem::take(&mut self.state) {
            State::User { turn } | State::Settling { turn } => turn,
            State::Speculating { ahead } => self.withdraw(ahead, effects),
            other => {
                self.state = other;
                return self.dismiss(now, effects);
            }
        };
        disarm_turn(effects);
        effects.backend(BackendCommand::UserTurnDismissed { turn: clock.turn() });
        self.enter(now, State::Idle, effects);
    }

    /// A final transcript of a turn arrived.
    pub(super) fn transcribed(&mut self, now: SessionTime, turn: TurnId) {
        let clock = match &mut self.state {
            State::User { turn } | State::Settling { turn } | State::Yielding { turn, .. } => {
                Some(turn)
            }
            State::Speculating { ahead } => ahead.reply.clock.as_mut(),
            State::Thinking { reply } | State::Agent { reply } | State::Contested { reply, .. } => {
                reply.clock.as_mut()
            }
            State::Idle => None,
        };
        if let Some(clock) = clock.filter(|clock| clock.turn() == turn) {
            clock.note_transcript(now);
        }
    }

    /// Whether a transcript of `turn` is about something that was or may be a turn.
    pub(super) fn wants_transcript(&self, turn: TurnId) -> bool {
        turn <= self.turn && self.dismissed != Some(turn)
    }

    /// Takes the floor for a reply that no speech asked for. An open turn is ended, and the reply to
    /// it, or one being made, is cancelled. Who was just interrupting has interrupted.
    pub(super) fn take(&mut self, now: SessionTime, cause: Cause, effects: &mut Effects) {
        self.commit(now, effects);
        self.end_turn(now, effects);
        if let State::Thinking { reply } | State::Agent { reply } = mem::take(&mut self.state) {
            self.interrupt(now, reply, effects);
        }
        self.overlap = None;
        let generation = self.next_generation();
        let (command, clock) = match cause {
            Cause::Greeting => (BackendCommand::Greet { generation }, None),
            Cause::Announcement => (BackendCommand::Speak { generation }, None),
            Cause::Prompt(text) => (BackendCommand::Say { generation, text }, None),
            Cause::Text(text) => {
                let turn = self.next_turn();
                effects.stats.turns += 1;
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
        // Whoever was in doubt has the floor, or somebody else does.
        self.overlap = None;
        let turn = self.offer_turn(effects);
        self.stop_clip(effects);
        self.hold_turn(now, TurnClock::spoken(turn, first), effects);
    }

    /// Lets the backend hear what was held, and what follows, as a turn that may come to nothing.
    fn offer_turn(&mut self, effects: &mut Effects) -> TurnId {
        let turn = self.next_turn();
        effects.backend(BackendCommand::UserSpeechStarted { turn });
        effects.outputs.push_back(Output::ReleaseHeld);
        effects.client(ClientEvent::UserStartedSpeaking { turn });
        turn
    }

    /// The user has the floor.
    fn hold_turn(&mut self, now: SessionTime, turn: TurnClock, effects: &mut Effects) {
        effects.stats.turns += 1;
        effects.timers.arm(Timer::Turn, now + self.settings.turn_max);
        self.enter(now, State::User { turn }, effects);
    }

    /// The user speaks on within the turn.
    fn go_on(&mut self, now: SessionTime, turn: TurnClock, effects: &mut Effects) {
        effects.timers.disarm(Timer::Endpoint);
        effects.client(ClientEvent::UserStartedSpeaking { turn: turn.turn() });
        self.enter(now, State::User { turn }, effects);
    }

    /// Waits for the reply that the backend was just asked for.
    fn open_reply(&mut self, now: SessionTime, clock: Option<TurnClock>, effects: &mut Effects) {
        let generation = self.generation;
        effects.stats.replies += 1;
        self.clip = ClipPlaying::None;
        effects.downlink(DownlinkCommand::Play { generation });
        self.await_reply(now, Reply::new(generation, clock), effects);
    }

    /// What happens to a reply when the user takes the floor from it: it ends, at once.
    fn interrupt(&mut self, now: SessionTime, reply: Reply, effects: &mut Effects) {
        effects.stats.interruptions += 1;
        self.cancel(now, reply, effects);
    }

    /// Closes a reply before its end.
    fn cancel(&mut self, now: SessionTime, reply: Reply, effects: &mut Effects) {
        disarm_reply(effects);
        reply.cancel(now, self.playout_delay, effects);
    }

    /// Closes a reply that was sent to its end. Who spoke over it and was not heard is heard now.
    fn close(&mut self, now: SessionTime, reply: Reply, effects: &mut Effects) {
        disarm_reply(effects);
        reply.close(self.playout_delay, effects);
        self.enter(now, State::Idle, effects);
        self.hear_overlap(now, effects);
    }

    fn enter(&mut self, now: SessionTime, state: State, effects: &mut Effects) {
        self.state = state;
        effects.client(self.event(now));
    }

    const fn next_turn(&mut self) -> TurnId {
        self.turn.0 += 1;
        self.turn
    }

    const fn next_generation(&mut self) -> Generation {
        self.generation.0 += 1;
        self.generation
    }

    /// The open reply, whatever became of the floor meanwhile.
    const fn reply_mut(&mut self) -> Option<&mut Reply> {
        match &mut self.state {
            State::Thinking { reply }
            | State::Agent { reply }
            | State::Contested { reply, .. }
            | State::Yielding { reply, .. } => Some(reply),
            State::Speculating { ahead } => Some(&mut ahead.reply),
            State::Idle | State::User { .. } | State::Settling { .. } => None,
        }
    }

    /// The open reply, if `generation` is it and the backend has not finished it. Everything that a
    /// backend makes passes here; what is late is dropped here and counted.
    fn admit(&mut self, generation: Generation, stats: &mut CallStats) -> Option<&mut Reply> {
        let open = self.reply_mut().filter(|reply| reply.accepts(generation));
        stats.stale_messages += u64::from(open.is_none());
        open
    }
}

fn disarm_reply(effects: &mut Effects) {
    for timer in [Timer::Reply, Timer::Stall, Timer::Filler, Timer::Contest] {
        effects.timers.disarm(timer);
    }
}

fn disarm_turn(effects: &mut Effects) {
    effects.timers.disarm(Timer::Endpoint);
    effects.timers.disarm(Timer::Turn);
}
