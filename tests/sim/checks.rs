//! What holds in every call, whatever happens: checked as it runs.

use std::time::Duration;

use antiphon::agent::{Agent, EncodedFrame};
use antiphon::call::Timer;
use antiphon::call::event::{BackendCommand, ClientEvent, FloorState, Generation, Heard, TurnId};
use antiphon::limits::{FRAME, WIDEBAND_FRAME};
use antiphon::media::pcm::PcmCodec;

use crate::user::{LevelVoice, SPOKEN_FRAMES_MAX, spoken_frame};

/// Level in dBFS above which a packet sounds.
const SOUND_DBFS: i8 = -60;
/// Packets with sound that may follow the end of a reply: the one that fades, or its last samples.
const FAREWELL_PACKETS_MAX: u32 = 1;

/// The book that is kept of one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checks {
    last_turn: u32,
    open_turn: Option<TurnId>,
    last_generation: u32,
    open_reply: Option<OpenReply>,
    /// Packets with sound since the last reply was closed.
    farewell_packets: u32,
    last_timestamp: Option<u32>,
    /// The last spoken frame that the backend was given.
    last_spoken: u32,
    /// Spoken frames that the backend was given.
    pub(crate) spoken: u32,
    bot_speaks: Option<Generation>,
    ended: bool,
}

#[derive(Clone, Debug)]
struct OpenReply {
    generation: Generation,
    queued: Duration,
    /// Packets since its audio was there: no less than were sent of it.
    packets: u32,
}

impl Checks {
    /// Audio was given to the agent.
    pub(crate) fn reply_audio(&mut self, generation: Generation, duration: Duration) {
        if let Some(reply) = self.open_reply.as_mut().filter(|open| open.generation == generation) {
            reply.queued += duration;
        }
    }

    pub(crate) fn packet(&mut self, packet: &EncodedFrame) {
        assert!(!self.ended, "a packet after the end");
        let timestamp = packet.timestamp;
        assert!(
            self.last_timestamp.is_none_or(|last| timestamp.wrapping_sub(last) as i32 > 0),
            "RTP time went back to {timestamp}"
        );
        self.last_timestamp = Some(timestamp);
        match self.open_reply.as_mut().filter(|reply| !reply.queued.is_zero()) {
            Some(reply) => reply.packets += 1,
            None if packet.level_dbfs > SOUND_DBFS => {
                self.farewell_packets += 1;
                assert!(
                    self.farewell_packets <= FAREWELL_PACKETS_MAX,
                    "sound of a reply that is closed: {} dBFS, {} packets, {:?}",
                    packet.level_dbfs,
                    self.farewell_packets,
                    self.open_reply
                );
            }
            None => {}
        }
    }

    /// The user's audio reached the backend.
    pub(crate) fn user_audio(&mut self, pcm: &[i16; WIDEBAND_FRAME]) {
        assert!(!self.ended, "audio after the end");
        assert!(self.open_turn.is_some(), "the user's audio outside a turn");
        if let Some(frame) = spoken_frame(pcm) {
            let ahead = (frame + SPOKEN_FRAMES_MAX - self.last_spoken) % SPOKEN_FRAMES_MAX;
            assert!(
                (1..SPOKEN_FRAMES_MAX / 2).contains(&ahead),
                "spoken frame {frame} after {}",
                self.last_spoken
            );
            self.last_spoken = frame;
            self.spoken += 1;
        }
    }

    pub(crate) fn command(&mut self, command: &BackendCommand) {
        assert!(!self.ended, "{command:?} after the end");
        match command {
            BackendCommand::UserSpeechStarted { turn } => {
                self.turn_opens(*turn);
                self.open_turn = Some(*turn);
            }
            BackendCommand::UserTurnEnded { turn, generation } => {
                assert_eq!(self.open_turn.take(), Some(*turn), "a turn ends that is not open");
                self.reply_opens(*generation);
            }
            BackendCommand::UserTurnDismissed { turn } => {
                assert_eq!(self.open_turn.take(), Some(*turn), "a turn ends that is not open");
            }
            BackendCommand::UserText { turn, generation, .. } => {
                self.turn_opens(*turn);
                self.reply_opens(*generation);
            }
            BackendCommand::Greet { generation }
            | BackendCommand::Speak { generation }
            | BackendCommand::Say { generation, .. } => {
                self.reply_opens(*generation);
            }
            BackendCommand::Cancel { generation, heard }
            | BackendCommand::Played { generation, heard } => self.reply_closes(*generation, heard),
            BackendCommand::Measured(metrics) => {
                let packet = metrics.first_packet.expect("the first packet was just sent");
                let steps = [metrics.endpoint, metrics.transcript, metrics.first_audio];
                assert!(steps.iter().flatten().all(|step| *step <= packet), "{metrics:?}");
            }
            BackendCommand::Speculate { .. }
            | BackendCommand::Withdraw { .. }
            | BackendCommand::ToolResult { .. } => {}
        }
    }

    pub(crate) fn client(&mut self, event: &ClientEvent) {
        assert!(!self.ended, "{event:?} after the end");
        match event {
            ClientEvent::BotStartedSpeaking { generation } => {
                assert_eq!(self.bot_speaks.replace(*generation), None, "it speaks already");
            }
            ClientEvent::BotStoppedSpeaking { generation, .. } => {
                assert_eq!(self.bot_speaks.take(), Some(*generation), "it was not speaking");
            }
            _ => {}
        }
    }

    pub(crate) fn end(&mut self) {
        assert!(!self.ended, "it ends twice");
        self.ended = true;
    }

    /// After each mutation: whatever waits has something that ends the waiting.
    pub(crate) fn agent(&self, agent: &Agent<PcmCodec, LevelVoice>) {
        if self.ended {
            assert_eq!(agent.poll_timeout(), None, "woken after the end");
            return;
        }
        let call = agent.call();
        let is_armed = |timer| call.deadline(timer).is_some();
        let can_end = match call.floor() {
            FloorState::Idle => self.open_turn.is_none() && self.open_reply.is_none(),
            FloorState::User => self.open_turn.is_some() && is_armed(Timer::Turn),
            FloorState::Settling => is_armed(Timer::Turn) && is_armed(Timer::Endpoint),
            FloorState::Thinking => is_armed(Timer::Reply) || is_armed(Timer::BackendSetup),
            FloorState::Agent => self.open_reply.is_some() && is_armed(Timer::Stall),
            FloorState::Contested | FloorState::Yielding => is_armed(Timer::Contest),
        };
        assert!(can_end, "{} can last for ever", call.floor().name());
    }

    /// After a call that was left alone for long enough: nothing is open.
    pub(crate) fn at_rest(&self) {
        assert_eq!(self.open_turn, None, "a turn is open");
        assert!(self.open_reply.is_none(), "{:?} is open", self.open_reply);
        assert_eq!(self.bot_speaks, None, "it speaks");
    }

    fn turn_opens(&mut self, turn: TurnId) {
        assert_eq!(self.open_turn, None, "{turn} opens within a turn");
        assert_eq!(turn.0, self.last_turn + 1, "turns are counted");
        self.last_turn = turn.0;
    }

    fn reply_opens(&mut self, generation: Generation) {
        assert!(self.open_reply.is_none(), "{generation} opens within {:?}", self.open_reply);
        assert_eq!(generation.0, self.last_generation + 1, "replies are counted");
        self.last_generation = generation.0;
        self.open_reply = Some(OpenReply { generation, queued: Duration::ZERO, packets: 0 });
    }

    fn reply_closes(&mut self, generation: Generation, heard: &Heard) {
        let reply = self.open_reply.take().expect("a reply is closed that is not open");
        assert_eq!(reply.generation, generation, "another reply is closed");
        let sent = FRAME * reply.packets;
        assert!(heard.duration <= sent, "heard {:?} of {sent:?} sent", heard.duration);
        assert!(heard.duration <= reply.queued, "heard more than was queued");
        self.farewell_packets = 0;
    }
}
