//! A call that is recorded, step by step.

use std::collections::VecDeque;
use std::time::Duration;

use crate::agent::{Agent, AgentOutput, AgentSettings, BackendInput, PayloadKind, RtpPacket};
use crate::call::event::{BackendCommand, BackendEvent, ClientCommand, Generation, TurnId};
use crate::dsp::vad::level::LevelVoice;
use crate::flight::{Header, Kind, Recorded, Recorder, file, redact};
use crate::media::pcm::PcmCodec;
use crate::time::SessionTime;

pub(super) const VOICE_DBFS: f32 = -40.0;

/// One thing that happens in a call.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// 20 ms packets of this amplitude, with this many of a hundred lost.
    Packets {
        count: u8,
        amplitude: i16,
        lost: u8,
    },
    Backend(BackendEvent),
    Audio {
        back: u32,
        samples: u16,
        rate_hz: u32,
    },
    Client(ClientCommand),
    RoundTrip(u16),
    SentLoss(f32),
    Key(u8),
    Stuck,
}

/// A call that is recorded.
pub(super) struct Scene {
    agent: Recorded<PcmCodec, LevelVoice>,
    now: SessionTime,
    sequence: u16,
    newest: Generation,
    turn: TurnId,
    /// Turns that the model is asked about.
    judgements: VecDeque<TurnId>,
    file: Vec<u8>,
    records: usize,
}

impl Scene {
    pub(super) fn play(kind: Kind, settings: &AgentSettings, steps: &[Step]) -> Vec<u8> {
        let agent = Agent::new(settings.clone(), PcmCodec, LevelVoice::new(VOICE_DBFS));
        let mut scene = Self {
            agent: Recorded::new(agent, Some(Recorder::new(kind, settings))),
            now: SessionTime::ZERO,
            sequence: u16::MAX - 20,
            newest: Generation(0),
            turn: TurnId(0),
            judgements: VecDeque::new(),
            file: file::begin(&header(kind, settings)),
            records: 0,
        };
        scene.agent.handle_connected(scene.now);
        scene.agent.handle_backend(scene.now, BackendEvent::Ready);
        for step in steps {
            scene.step(step);
            scene.pass(Duration::from_micros(20_137));
        }
        let now = scene.now;
        scene.recorder().finish(now, "client");
        scene.drain();
        scene.file.extend(file::end(""));
        scene.file
    }

    fn recorder(&mut self) -> &mut Recorder {
        self.agent.recorder().expect("it was given one")
    }

    fn step(&mut self, step: &Step) {
        let now = self.now;
        match step {
            Step::Packets { count, amplitude, lost } => self.packets(*count, *amplitude, *lost),
            Step::Backend(event) => {
                let event = self.about_now(event.clone());
                self.agent.handle_backend(now, event);
            }
            Step::Audio { back, samples, rate_hz } => {
                let generation = Generation(self.newest.0.saturating_sub(*back));
                let pcm: Vec<i16> = (0..*samples).map(|n| (n % 64) as i16 * 200 - 6_400).collect();
                self.agent.handle_backend_audio(now, generation, *rate_hz, &pcm);
            }
            Step::Client(command) => self.agent.handle_client(now, command.clone()),
            Step::RoundTrip(ms) => {
                self.agent.handle_round_trip(now, Duration::from_millis(u64::from(*ms)));
            }
            Step::SentLoss(share) => self.agent.handle_sent_loss(now, *share),
            Step::Key(key) => self.key(*key),
            Step::Stuck => self.agent.handle_backend_stuck(now),
        }
        self.drain();
    }

    /// Events are about the newest reply and turn: about others little happens.
    fn about_now(&self, mut event: BackendEvent) -> BackendEvent {
        match &mut event {
            BackendEvent::UserTranscript { turn, .. } => *turn = self.turn,
            BackendEvent::ReplyStarted { generation }
            | BackendEvent::ReplyText { generation, .. }
            | BackendEvent::ReplyWords { generation, .. }
            | BackendEvent::ReplyFinished { generation }
            | BackendEvent::ToolCall { generation, .. }
            | BackendEvent::ReplyFailed { generation, .. } => *generation = self.newest,
            _ => {}
        }
        event
    }

    fn packets(&mut self, count: u8, amplitude: i16, lost: u8) {
        for index in 0..count {
            self.sequence = self.sequence.wrapping_add(1);
            let timestamp = u32::from(self.sequence).wrapping_mul(320);
            let sample = |n: i32| ((n % 133) * i32::from(amplitude) / 133) as i16;
            let payload: Vec<u8> = (0..320).flat_map(|n| sample(n).to_le_bytes()).collect();
            let packet = packet(PayloadKind::Audio, self.sequence, timestamp, &payload);
            if u32::from(index) * 37 % 100 >= u32::from(lost) {
                self.agent.handle_rtp(self.now, &packet);
            }
            self.pass(Duration::from_micros(19_900 + u64::from(index) * 7));
        }
    }

    /// A key as a telephone event (RFC 4733).
    fn key(&mut self, key: u8) {
        self.sequence = self.sequence.wrapping_add(1);
        let timestamp = u32::from(self.sequence).wrapping_mul(320);
        let payload = [key % 16, 0x8a, 0x03, 0x20];
        let packet = packet(PayloadKind::TelephoneEvent, self.sequence, timestamp, &payload);
        self.agent.handle_rtp(self.now, &packet);
    }

    /// Lets time pass, with a loop that wakes a little late.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        self.drain();
        while let Some((at, _)) = self.agent.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at + Duration::from_micros(at.as_micros() % 1_700)).min(until);
            self.agent.handle_timeout(self.now);
            self.drain();
            self.judge();
        }
        self.now = until;
    }

    /// The turn's model, which now and then cannot say.
    fn judge(&mut self) {
        while let Some(turn) = self.judgements.pop_front() {
            let moment = self.now.as_micros() % 97;
            let probability = (!moment.is_multiple_of(7)).then_some(moment as f32 / 96.0);
            self.agent.handle_turn_judged(self.now, turn, probability);
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                AgentOutput::Backend(BackendInput::Command(command)) => self.follow(&command),
                AgentOutput::JudgeTurn { turn, .. } => self.judgements.push_back(turn),
                _ => {}
            }
        }
        while let Some(block) = self.recorder().poll_block() {
            self.records += 1;
            self.file.extend(file::block(&block));
        }
    }

    fn follow(&mut self, command: &BackendCommand) {
        match command {
            BackendCommand::Greet { generation }
            | BackendCommand::Speak { generation }
            | BackendCommand::Say { generation, .. } => self.newest = *generation,
            BackendCommand::Speculate { turn, generation }
            | BackendCommand::UserTurnEnded { turn, generation }
            | BackendCommand::UserText { turn, generation, .. } => {
                (self.turn, self.newest) = (*turn, *generation);
            }
            BackendCommand::UserSpeechStarted { turn } => self.turn = *turn,
            _ => {}
        }
    }
}

fn packet(kind: PayloadKind, sequence: u16, timestamp: u32, payload: &[u8]) -> RtpPacket<'_> {
    RtpPacket { kind, sequence, timestamp, marker: false, level_dbfs: Some(-20), payload }
}

pub(super) fn header(kind: Kind, settings: &AgentSettings) -> Header {
    Header {
        program: "0.1.0".to_owned(),
        began: "2026-01-01T00:00:00Z".to_owned(),
        call: "test".to_owned(),
        kind,
        codec: "pcm16".to_owned(),
        voice_model: "level".to_owned(),
        settings: if kind == Kind::Full { settings.clone() } else { redact::settings(settings) },
    }
}
