//! What holds in every call, whatever happens: checked as it runs.
//!
//! Written against the conversation's vocabulary alone (commands, events, frames): how the floor comes to
//! its decisions is its own affair. Each message begins with the name of the invariant it is about.

mod history;
mod ring;
mod user_audio;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use antiphon::agent::{Agent, EncodedFrame};
use antiphon::call::Timer;
use antiphon::call::event::{BackendCommand, BackendEvent, ClientEvent, FloorState, Generation};
use antiphon::limits::WIDEBAND_FRAME;
use antiphon::media::pcm::PcmCodec;
use antiphon::time::SessionTime;

use crate::client::Received;
use crate::user::{LevelVoice, Tap};
use history::History;
use ring::Ring;
use user_audio::UserAudio;

/// What a simulation knows and the agent does not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Truth {
    /// What the user heard of the open reply, where the client tells it truthfully over a network that
    /// neither loses nor holds back.
    pub(crate) heard: Option<Duration>,
    /// By how much what the agent believes may differ from it.
    pub(crate) tolerance: Duration,
}

/// The books that are kept of one call.
#[derive(Debug)]
pub(crate) struct Checks {
    history: History,
    ring: Ring,
    user_audio: UserAudio,
    bot_speaks: Option<Generation>,
    /// The floor, and since when it is held so.
    floor: (FloorState, SessionTime),
    ended: bool,
    last_timestamp: Option<u32>,
}

impl Checks {
    pub(crate) fn new(tap: Rc<RefCell<Tap>>) -> Self {
        Self {
            history: History::default(),
            ring: Ring::default(),
            user_audio: UserAudio::new(tap),
            bot_speaks: None,
            floor: (FloorState::Idle, SessionTime::ZERO),
            ended: false,
            last_timestamp: None,
        }
    }

    /// Frames in which the user made a sound, of those that the backend was given.
    pub(crate) const fn spoken(&self) -> u32 {
        self.user_audio.spoken()
    }

    /// The reply that is open.
    pub(crate) fn open_reply(&self) -> Option<Generation> {
        self.history.open_reply()
    }

    /// The backend is about to tell the agent this.
    pub(crate) fn backend_event(&mut self, event: &BackendEvent) {
        self.history.backend_event(event);
    }

    /// Audio is about to be given to the agent.
    pub(crate) fn reply_audio(&mut self, generation: Generation, samples: usize) {
        if self.history.takes_audio(generation) {
            self.ring.queue(generation, samples);
        }
    }

    /// A packet was sent. Answers what the client will hear in it.
    pub(crate) fn packet(&mut self, packet: &EncodedFrame) -> Option<Received> {
        assert!(!self.ended, "[end] a packet after the end");
        let timestamp = packet.timestamp;
        assert!(
            self.last_timestamp.is_none_or(|last| timestamp.wrapping_sub(last) as i32 > 0),
            "[ring] RTP time went back to {timestamp}"
        );
        self.last_timestamp = Some(timestamp);
        self.ring.packet(packet, self.history.open_reply())
    }

    /// The user's audio reached the backend.
    pub(crate) fn user_audio(&mut self, pcm: &[i16; WIDEBAND_FRAME]) {
        assert!(!self.ended, "[end] audio after the end");
        let turn = self.history.open_turn();
        self.user_audio.delivered(pcm, turn.expect("[user audio] outside a turn"));
    }

    pub(crate) fn command(&mut self, now: SessionTime, command: &BackendCommand, truth: &Truth) {
        assert!(!self.ended, "[end] {command:?} after the end");
        match command {
            BackendCommand::UserSpeechStarted { turn } => self.user_audio.turn_opens(now, *turn),
            BackendCommand::UserTurnEnded { turn, .. }
            | BackendCommand::UserTurnDismissed { turn } => self.user_audio.turn_ends(now, *turn),
            BackendCommand::Cancel { generation, heard } => {
                self.ring.cancelled(*generation, heard);
                self.history.is_true(heard, truth);
            }
            BackendCommand::Played { generation, heard } => self.ring.played(*generation, heard),
            BackendCommand::Measured(metrics) => {
                let packet = metrics.first_packet.expect("[metrics] the first packet was sent");
                let steps = [metrics.endpoint, metrics.transcript, metrics.first_audio];
                let in_order = steps.iter().flatten().all(|step| *step <= packet);
                assert!(in_order, "[metrics] {metrics:?}");
            }
            _ => {}
        }
        self.history.command(command);
    }

    pub(crate) fn client(&mut self, event: &ClientEvent) {
        assert!(!self.ended, "[end] {event:?} after the end");
        match event {
            ClientEvent::BotStartedSpeaking { generation } => {
                assert_eq!(
                    self.bot_speaks.replace(*generation),
                    None,
                    "[events] it speaks already"
                );
            }
            ClientEvent::BotStoppedSpeaking { generation, heard, .. } => {
                let speaks = self.bot_speaks.take();
                assert_eq!(speaks, Some(*generation), "[events] it was not speaking");
                self.history.told_client(*generation, heard);
            }
            _ => {}
        }
    }

    pub(crate) fn end(&mut self) {
        assert!(!self.ended, "[end] it ends twice");
        self.ended = true;
    }

    /// After each mutation: whatever waits has something that ends the waiting, and has it soon.
    pub(crate) fn agent(&mut self, now: SessionTime, agent: &Agent<PcmCodec, LevelVoice>) {
        if self.ended {
            assert_eq!(agent.poll_timeout(), None, "[end] woken after the end");
            return;
        }
        let call = agent.call();
        let floor = call.floor();
        if floor != self.floor.0 {
            self.floor = (floor, now);
        }
        let is_armed = |timer| call.deadline(timer).is_some();
        let open_turn = self.history.open_turn().is_some();
        let open_reply = self.history.open_reply().is_some();
        let can_end = match floor {
            FloorState::Idle => !open_turn && !open_reply,
            FloorState::User => open_turn && is_armed(Timer::Turn),
            FloorState::Settling => is_armed(Timer::Turn) && is_armed(Timer::Endpoint),
            FloorState::Thinking => is_armed(Timer::Reply) || is_armed(Timer::BackendSetup),
            FloorState::Agent => open_reply && is_armed(Timer::Stall),
            FloorState::Contested | FloorState::Yielding => open_reply && is_armed(Timer::Contest),
        };
        assert!(can_end, "[timers] {} can last for ever", floor.name());
        let lasted = now.since(self.floor.1);
        assert!(lasted <= longest(floor), "[timers] {} lasted {lasted:?}", floor.name());
    }

    /// After a call that was left alone for long enough: nothing is open.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.ended
            || (self.history.open_turn().is_none()
                && self.history.open_reply().is_none()
                && self.bot_speaks.is_none())
    }

    pub(crate) fn at_rest(&self) {
        assert!(self.is_at_rest(), "[rest] {:?}, speaks: {:?}", self.history, self.bot_speaks);
    }

    /// After the call: what can only be judged as a whole.
    pub(crate) fn whole(&self) {
        self.user_audio.whole();
    }
}

/// Longer than the settings and the backends of any simulation make a state last.
const fn longest(floor: FloorState) -> Duration {
    Duration::from_secs(match floor {
        FloorState::Settling | FloorState::Contested | FloorState::Yielding => 5,
        FloorState::Thinking => 30,
        FloorState::User => 130,
        FloorState::Agent => 130,
        FloorState::Idle => return Duration::MAX,
    })
}
