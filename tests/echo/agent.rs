//! The whole core, whose packets come back to it: does the agent interrupt itself?

use antiphon::agent::{Agent, AgentOutput, AgentSettings, BackendInput, PayloadKind, RtpPacket};
use antiphon::call::event::{BackendCommand, BackendEvent, Generation};
use antiphon::dsp::echo::EchoMode;
use antiphon::dsp::g711::i16_from_f32;
use antiphon::dsp::vad::level::LevelVoice;
use antiphon::limits::WIDEBAND_FRAME;
use antiphon::media::codec::Codec;
use antiphon::media::pcm::PcmCodec;
use antiphon::time::SessionTime;

use crate::room::{Room, golden};

/// What a loudspeaker plays, and what a microphone beside it sends back.
struct Caller {
    played: Vec<f32>,
    room: Room,
    delay: i64,
    sent: usize,
}

impl Caller {
    fn play(&mut self, at: SessionTime, payload: &[u8]) {
        let mut pcm = [0.0; WIDEBAND_FRAME];
        PcmCodec.decode(payload, &mut pcm).expect("the agent's own packet");
        let start = (at.as_micros() * 16 / 1_000) as usize;
        self.played.resize(start, 0.0);
        self.played.extend_from_slice(&pcm);
    }

    fn record(&mut self) -> Vec<u8> {
        let at = (self.sent * WIDEBAND_FRAME) as i64 - self.delay;
        let mut pcm = [0.0; WIDEBAND_FRAME];
        for (n, sample) in pcm.iter_mut().enumerate() {
            *sample = self.room.echo(&self.played, at + n as i64);
        }
        self.sent += 1;
        let mut payload = vec![0; 2 * WIDEBAND_FRAME];
        PcmCodec.encode(&pcm, &mut payload).expect("it fits");
        payload
    }
}

/// Turns that a user who never speaks is said to have begun, in 20 s of the agent's speech.
fn turns(mode: EchoMode, delay_ms: i64, echo_db: f32, speech_s: f32) -> usize {
    let mut settings = AgentSettings::default();
    settings.uplink.echo = mode;
    let mut agent = Agent::new(settings, PcmCodec, LevelVoice::new(-50.0));
    let (played, room) = (Vec::new(), Room::new(7, echo_db));
    let mut caller = Caller { played, room, delay: delay_ms * 16, sent: 0 };
    let speech: Vec<i16> = golden(speech_s).into_iter().map(i16_from_f32).collect();
    let mut speech = speech.chunks(WIDEBAND_FRAME);
    let (mut reply, mut turns): (Option<Generation>, _) = (None, 0);
    agent.handle_connected(SessionTime::ZERO);
    agent.handle_backend(SessionTime::ZERO, BackendEvent::Ready);
    // The caller's packets come 7 ms after the agent's slots.
    for slot in 0..1_000_u64 {
        let now = SessionTime::from_millis(slot * 20 + 7);
        while let Some((at, _)) = agent.poll_timeout().filter(|(at, _)| *at <= now) {
            agent.handle_timeout(at);
            while let Some(output) = agent.poll_output() {
                match output {
                    AgentOutput::Packet(packet) => caller.play(at, packet.payload()),
                    AgentOutput::Backend(BackendInput::Command(command)) => match command {
                        BackendCommand::Greet { generation }
                        | BackendCommand::UserTurnEnded { generation, .. } => {
                            reply = Some(generation);
                        }
                        BackendCommand::UserSpeechStarted { .. } => turns += 1,
                        _ => {}
                    },
                    _ => {}
                }
            }
        }
        if let Some(generation) = reply
            && let Some(pcm) = speech.next()
        {
            agent.handle_backend_audio(now, generation, 16_000, pcm);
        }
        let payload = caller.record();
        let packet = RtpPacket {
            kind: PayloadKind::Audio,
            sequence: slot as u16,
            timestamp: slot as u32 * WIDEBAND_FRAME as u32,
            marker: false,
            level_dbfs: None,
            payload: &payload,
        };
        agent.handle_rtp(now, &packet);
    }
    turns
}

#[test]
fn an_agent_that_hears_only_itself_is_not_interrupted() {
    println!("turns begun by echo alone in 20 s, by a detector that takes loud for speech");
    for echo_db in [-6.0, -12.0, -20.0] {
        for delay_ms in [40, 100, 200, 400, 550, 700] {
            // The echo of a short greeting comes when the agent is silent again, and is all there is.
            for speech_s in [20.0, 0.4, 1.0] {
                let turns = turns(EchoMode::Auto, delay_ms, echo_db, speech_s);
                println!("{delay_ms:>4} ms, {echo_db:>4} dB, {speech_s:>4} s: {turns}");
                assert_eq!(turns, 0, "at {delay_ms} ms, {echo_db} dB, {speech_s} s");
            }
        }
    }
    let turns = turns(EchoMode::Off, 200, -12.0, 20.0);
    println!("without cancelling: {turns}");
    assert!(turns > 1, "the test would not notice");
}
