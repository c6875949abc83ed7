//! What a whole call costs, without the network: the agent's core in virtual time.

use std::time::{Duration, Instant};

use antiphon::agent::{Agent, AgentOutput, AgentSettings, BackendInput, PayloadKind, RtpPacket};
use antiphon::call::event::{BackendCommand, BackendEvent, Generation};
use antiphon::dsp::g711;
use antiphon::dsp::vad::VoiceModel;
use antiphon::dsp::vad::level::LevelVoice;
use antiphon::limits::{ENCODED_FRAME_BYTES_MAX, FRAME_MS, FULLBAND_FRAME, FULLBAND_HZ};
use antiphon::media::codec::Codec;
use antiphon::media::opus::OpusCodec;
use antiphon::time::SessionTime;

use crate::{FRAMES_PER_S, Frames, RUNS, model, opus};

/// The call, and how long the user speaks and is silent in turn, in seconds.
const CALL_S: u32 = 60;
const HALF_S: u32 = 5;
const REPLY_RATE_HZ: u32 = 24_000;

/// Prints a line for each voice model.
pub(crate) fn print() {
    print_with("level (simulation)", || LevelVoice::new(-50.0));
    let model = model(1);
    print_with("silero", || model.stream());
}

fn print_with<V: VoiceModel>(name: &str, voice: impl Fn() -> V) {
    let packets = user_packets();
    let runs = (0..RUNS).map(|_| Conversation::new(voice()).hold(&packets));
    let (least, heard) = runs.min_by_key(|(took, _)| *took).expect("there were runs");
    let name = format!("whole agent: both talking, {name}");
    println!("{name:<44}{:>10.3}", least.as_secs_f64() * 1_000.0 / f64::from(CALL_S));
    let seconds = |frames: u32| frames / FRAMES_PER_S;
    let (user, agent) = (seconds(heard.frames), seconds(heard.packets));
    println!("  of {CALL_S} s, {user} s went to the backend and {agent} s were sent");
}

/// The user's packets: speech and silence by turns, as a microphone that is always on sends them.
fn user_packets() -> Vec<Vec<u8>> {
    let mut frames = Frames::new(FULLBAND_HZ, 0.0);
    let mut codec = opus();
    let mut payload = [0; ENCODED_FRAME_BYTES_MAX];
    let mut packet = |index: u32| {
        let speaks = (index / (HALF_S * FRAMES_PER_S)).is_multiple_of(2);
        let pcm = if speaks { frames.next() } else { &[0.0; FULLBAND_FRAME] };
        let length = codec.encode(pcm, &mut payload).expect("a frame");
        payload[..length].to_vec()
    };
    (0..CALL_S * FRAMES_PER_S).map(&mut packet).collect()
}

/// What went through.
#[derive(Clone, Copy, Default)]
struct Through {
    /// Frames of the user that reached the backend.
    frames: u32,
    /// Packets to the user.
    packets: u32,
}

/// An agent and a backend that answers each turn, and goes on until it is interrupted.
struct Conversation<V> {
    agent: Agent<OpusCodec, V>,
    speech: Vec<Vec<i16>>,
    spoken: usize,
    reply: Option<Generation>,
    through: Through,
}

impl<V: VoiceModel> Conversation<V> {
    fn new(voice: V) -> Self {
        let mut frames = Frames::new(REPLY_RATE_HZ, 0.0);
        let mut frame = || frames.next().iter().copied().map(g711::i16_from_f32).collect();
        let speech = (0..HALF_S * FRAMES_PER_S).map(|_| frame()).collect();
        let agent = Agent::new(AgentSettings::default(), opus(), voice);
        Self { agent, speech, spoken: 0, reply: None, through: Through::default() }
    }

    /// Holds the whole call; how long that took.
    fn hold(mut self, packets: &[Vec<u8>]) -> (Duration, Through) {
        let start = Instant::now();
        self.agent.handle_connected(SessionTime::ZERO);
        self.agent.handle_backend(SessionTime::ZERO, BackendEvent::Ready);
        for (index, payload) in packets.iter().enumerate() {
            let now = SessionTime::from_millis(index as u64 * u64::from(FRAME_MS));
            self.run_until(now);
            self.hear(now, index as u32, payload);
            self.speak(now);
        }
        (start.elapsed(), self.through)
    }

    fn run_until(&mut self, end: SessionTime) {
        self.drain(end);
        while let Some((at, _)) = self.agent.poll_timeout().filter(|(at, _)| *at <= end) {
            self.agent.handle_timeout(at);
            self.drain(at);
        }
    }

    fn hear(&mut self, now: SessionTime, index: u32, payload: &[u8]) {
        let packet = RtpPacket {
            kind: PayloadKind::Audio,
            sequence: index as u16,
            timestamp: index * FULLBAND_FRAME as u32,
            marker: false,
            level_dbfs: None,
            payload,
        };
        self.agent.handle_rtp(now, &packet);
        self.drain(now);
    }

    fn speak(&mut self, now: SessionTime) {
        if let Some(generation) = self.reply {
            let pcm = &self.speech[self.spoken % self.speech.len()];
            self.spoken += 1;
            self.agent.handle_backend_audio(now, generation, REPLY_RATE_HZ, pcm);
            self.drain(now);
        }
    }

    fn drain(&mut self, now: SessionTime) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                AgentOutput::Packet(_) => self.through.packets += 1,
                AgentOutput::Backend(BackendInput::Audio(_)) => self.through.frames += 1,
                AgentOutput::Backend(BackendInput::Command(command)) => self.obey(now, &command),
                AgentOutput::JudgeTurn { .. } | AgentOutput::Client(_) | AgentOutput::End(_) => {}
            }
        }
    }

    fn obey(&mut self, now: SessionTime, command: &BackendCommand) {
        match command {
            BackendCommand::Greet { generation }
            | BackendCommand::UserTurnEnded { generation, .. } => {
                let generation = *generation;
                self.reply = Some(generation);
                self.agent.handle_backend(now, BackendEvent::ReplyStarted { generation });
            }
            BackendCommand::Cancel { .. } => self.reply = None,
            _ => {}
        }
    }
}
