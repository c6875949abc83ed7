//! One whole call without a network: packets, reply audio and requests in any order, and what the
//! client is told of it as it would go out.
#![no_main]

use std::time::Duration;

use antiphon::agent::{Agent, AgentOutput, AgentSettings, BackendInput, PayloadKind, RtpPacket};
use antiphon::call::event::{
    BackendCommand, BackendEvent, ClientCommand, Generation, TurnId, WordTime,
};
use antiphon::call::settings::{EndpointStrategy, InterruptionPolicy};
use antiphon::dsp::vad::level::LevelVoice;
use antiphon::limits::DATA_MESSAGE_BYTES_MAX;
use antiphon::media::pcm::PcmCodec;
use antiphon::rtvi::{Encoder, Incoming, parse};
use antiphon::time::SessionTime;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Operation<'a> {
    Wait {
        ms: u16,
    },
    /// So many packets of 20 ms in a row, in time.
    Talk {
        packets: u8,
        value: i16,
    },
    Rtp {
        sequence: u16,
        timestamp: u32,
        marker: bool,
        event: bool,
        payload: &'a [u8],
    },
    Ready,
    Audio {
        back: u8,
        rate_hz: u32,
        samples: u16,
    },
    Speech {
        back: u8,
        ms: u8,
    },
    ReplyText {
        back: u8,
        text: &'a str,
    },
    ReplyWords {
        back: u8,
        start_ms: u16,
        text: &'a str,
    },
    Finished {
        back: u8,
    },
    Interrupted {
        back: u8,
    },
    LooksComplete {
        turn: u8,
        probability: f32,
    },
    Transcript {
        turn: u8,
        text: &'a str,
        is_final: bool,
    },
    Judged {
        turn: u8,
        probability: Option<f32>,
    },
    Message(&'a str),
    RoundTrip {
        ms: u16,
    },
    Stuck,
}

struct Run {
    agent: Agent<PcmCodec, LevelVoice>,
    encoder: Encoder,
    now: SessionTime,
    generation: u32,
    sequence: u16,
    timestamp: u32,
    ended: bool,
}

/// How turns end, and whether the backend is started ahead.
#[derive(Arbitrary, Debug)]
struct Ends {
    strategy: u8,
    speculate: bool,
    policy: u8,
}

fn settings(ends: &Ends) -> AgentSettings {
    let mut settings = AgentSettings::default();
    settings.call.endpoint.strategy = match ends.strategy % 4 {
        0 => EndpointStrategy::Adaptive,
        1 => EndpointStrategy::Semantic { threshold: 0.5 },
        2 => EndpointStrategy::Backend,
        _ => EndpointStrategy::Silence(Duration::from_millis(200)),
    };
    settings.call.endpoint.speculate = ends.speculate;
    settings.call.interruption.policy = match ends.policy % 4 {
        0 => InterruptionPolicy::Staged,
        1 => InterruptionPolicy::Immediate,
        2 => InterruptionPolicy::Words(2),
        _ => InterruptionPolicy::Never,
    };
    settings.call.idle.after = Some(Duration::from_secs(2));
    settings.call.idle.prompts = vec!["Hello?".to_owned()];
    settings
}

fuzz_target!(|input: (Ends, Vec<Operation<'_>>)| {
    let (ends, operations) = input;
    let mut run = Run {
        agent: Agent::new(settings(&ends), PcmCodec, LevelVoice::new(-40.0)),
        encoder: Encoder::new("user"),
        now: SessionTime::ZERO,
        generation: 0,
        sequence: u16::MAX - 5,
        timestamp: u32::MAX - 1_000,
        ended: false,
    };
    run.agent.handle_connected(run.now);
    for operation in operations {
        run.apply(operation);
        run.drain();
    }
});

impl Run {
    fn apply(&mut self, operation: Operation<'_>) {
        let now = self.now;
        match operation {
            // Up to a second: an hour of silence is fuzzed with the conversation alone.
            Operation::Wait { ms } => self.wait(Duration::from_millis(u64::from(ms) % 1_000)),
            Operation::Talk { packets, value } => self.talk(packets % 64, value),
            Operation::Rtp { sequence, timestamp, marker, event, payload } => {
                let kind = if event { PayloadKind::TelephoneEvent } else { PayloadKind::Audio };
                let level_dbfs = None;
                let packet = RtpPacket { kind, sequence, timestamp, marker, level_dbfs, payload };
                self.agent.handle_rtp(now, &packet);
            }
            Operation::Ready => self.agent.handle_backend(now, BackendEvent::Ready),
            Operation::Audio { back, rate_hz, samples } => {
                let pcm = vec![8_000; samples.into()];
                self.agent.handle_backend_audio(now, self.reply(back), rate_hz, &pcm);
            }
            Operation::Speech { back, ms } => {
                let pcm = vec![8_000; usize::from(ms) * 16];
                self.agent.handle_backend_audio(now, self.reply(back), 16_000, &pcm);
            }
            Operation::ReplyText { back, text } => {
                let (generation, text) = (self.reply(back), text.to_owned());
                self.agent.handle_backend(now, BackendEvent::ReplyText { generation, text });
            }
            Operation::ReplyWords { back, start_ms, text } => {
                let words = words(start_ms, text);
                let generation = self.reply(back);
                self.agent.handle_backend(now, BackendEvent::ReplyWords { generation, words });
            }
            Operation::Interrupted { back } => {
                let generation = self.reply(back);
                self.agent.handle_backend(now, BackendEvent::Interrupted { generation });
            }
            Operation::LooksComplete { turn, probability } => {
                let turn = TurnId(turn.into());
                let event = BackendEvent::TurnLooksComplete { turn, probability };
                self.agent.handle_backend(now, event);
            }
            Operation::Transcript { turn, text, is_final } => {
                let (turn, text) = (TurnId(turn.into()), text.to_owned());
                let event = BackendEvent::UserTranscript { turn, text, is_final };
                self.agent.handle_backend(now, event);
            }
            Operation::Finished { back } => {
                let generation = self.reply(back);
                self.agent.handle_backend(now, BackendEvent::ReplyFinished { generation });
            }
            Operation::Message(message) => {
                for command in commands(message) {
                    self.agent.handle_client(now, command);
                }
            }
            Operation::RoundTrip { ms } => {
                self.agent.handle_round_trip(now, Duration::from_millis(ms.into()));
            }
            Operation::Judged { turn, probability } => {
                self.agent.handle_turn_judged(now, TurnId(turn.into()), probability);
            }
            Operation::Stuck => self.agent.handle_backend_stuck(now),
        }
    }

    fn talk(&mut self, packets: u8, value: i16) {
        let payload: Vec<u8> = (0..320_i16)
            .flat_map(|n| if n % 8 < 4 { value } else { value.saturating_neg() }.to_le_bytes())
            .collect();
        for _ in 0..packets {
            let packet = RtpPacket {
                kind: PayloadKind::Audio,
                sequence: self.sequence,
                timestamp: self.timestamp,
                marker: false,
                level_dbfs: None,
                payload: &payload,
            };
            self.agent.handle_rtp(self.now, &packet);
            self.sequence = self.sequence.wrapping_add(1);
            self.timestamp = self.timestamp.wrapping_add(320);
            self.wait(Duration::from_millis(20));
        }
    }

    /// Wakes the agent whenever it wants to be woken, up to the end of `time`.
    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        self.drain();
        while let Some((at, _)) = self.agent.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.agent.handle_timeout(self.now);
            let next = self.agent.poll_timeout();
            assert!(next.is_none_or(|(at, _)| at > self.now), "{next:?} is overdue");
            self.drain();
        }
        self.now = until;
    }

    fn drain(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            assert!(!self.ended, "after the end: {output:?}");
            match output {
                AgentOutput::Packet(packet) => assert!(!packet.payload().is_empty()),
                AgentOutput::Backend(BackendInput::Command(command)) => self.follow(&command),
                AgentOutput::Backend(BackendInput::Audio(_)) | AgentOutput::JudgeTurn { .. } => {}
                AgentOutput::Client(event) => {
                    for message in self.encoder.encode(&event, "2026-01-01T00:00:00Z") {
                        assert!(message.len() <= DATA_MESSAGE_BYTES_MAX, "{}", message.len());
                    }
                }
                AgentOutput::End(_) => self.ended = true,
            }
        }
    }

    fn follow(&mut self, command: &BackendCommand) {
        if let BackendCommand::Greet { generation }
        | BackendCommand::Speak { generation }
        | BackendCommand::Say { generation, .. }
        | BackendCommand::Speculate { generation, .. }
        | BackendCommand::UserTurnEnded { generation, .. }
        | BackendCommand::UserText { generation, .. } = command
        {
            self.generation = generation.0;
        }
    }

    /// The reply `back` replies ago; 0 is the newest.
    fn reply(&self, back: u8) -> Generation {
        Generation(self.generation.saturating_sub(back.into()))
    }
}

/// The words of a text, 300 ms each.
fn words(start_ms: u16, text: &str) -> Vec<WordTime> {
    let at = |index: usize| Duration::from_millis(u64::from(start_ms) + 300 * index as u64);
    let word = |(index, text): (usize, &str)| WordTime {
        text: text.to_owned(),
        start: at(index),
        end: at(index + 1),
    };
    text.split_whitespace().enumerate().map(word).collect()
}

/// What a data-channel message asks for.
fn commands(message: &str) -> Vec<ClientCommand> {
    match parse(message) {
        Ok(Incoming::Commands { commands, .. }) => commands,
        _ => Vec::new(),
    }
}
