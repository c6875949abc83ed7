//! The agent's side of a loopback call: an endpoint, and a backend that is the test itself.

use std::time::Duration;

use antiphon::agent::{Agent, AgentSettings, BackendInput};
use antiphon::backend::relief::Relief;
use antiphon::backend::{
    Backend as _, BackendChannels, BackendOutput, CallContext, ReplyAudio, channels,
};
use antiphon::call::event::{BackendCommand, BackendEvent, Generation};
use antiphon::call::settings::EndpointSettings;
use antiphon::dsp::vad::level::LevelVoice;
use antiphon::dsp::vad::{VoiceModel, WINDOW_SAMPLES};
use antiphon::media::codec::Codec as _;
use antiphon::media::g711::Law;
use antiphon::media::negotiated::NegotiatedCodec;
use antiphon::metrics::Metrics;
use antiphon::peer::{Advertise, CallHandle, CallParts, Endpoint, EndpointConfig};
use antiphon::sdp::{AudioCodec, AudioFormat};
use antiphon::telemetry::recordings::{CallFacts, Recordings};
use antiphon_loopback::{Caller, Codec, PATIENCE, Sockets};
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

/// What an RTVI client says when it is ready.
pub(crate) const READY: &str =
    r#"{"label":"rtvi-ai","type":"client-ready","id":"1","data":{"version":"2.1.0"}}"#;

/// The id of every call here.
pub(crate) const CALL_ID: &str = "loopback";

/// Which voice detector a call has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voice {
    Level,
    /// Panics when it hears something.
    Broken,
}

/// An endpoint on loopback.
pub(crate) struct Desk {
    pub(crate) endpoint: Endpoint,
    /// Who answers its calls; `None`: [`backend_task`].
    pub(crate) backend: Option<Relief>,
    /// Where its calls are recorded.
    pub(crate) recordings: Option<Recordings>,
}

/// A call in progress.
pub(crate) struct Call {
    pub(crate) handle: CallHandle,
    pub(crate) etag: String,
    /// The turns that the backend was told of.
    turns: mpsc::Receiver<()>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let loopback = ([127, 0, 0, 1], 0).into();
        let config =
            EndpointConfig { udp: loopback, tcp: Some(loopback), advertise: Advertise::Host };
        let endpoint = Endpoint::bind(&config).expect("loopback can be bound");
        Self { endpoint, backend: None, recordings: None }
    }

    pub(crate) async fn connected(&self, codec: Codec, sockets: Sockets) -> (Caller, Call) {
        self.connect(Caller::new(codec, sockets).await, Voice::Level).await
    }

    pub(crate) async fn connected_with(&self, codec: Codec, voice: Voice) -> (Caller, Call) {
        self.connect(Caller::new(codec, Sockets::Udp).await, voice).await
    }

    async fn connect(&self, mut caller: Caller, voice: Voice) -> (Caller, Call) {
        let offer = caller.offer().await;
        let (answer, call) = self.answer(&offer, voice);
        caller.accept(&answer).await;
        caller.connected().await;
        (caller, call)
    }

    pub(crate) fn answer(&self, offer: &str, voice: Voice) -> (String, Call) {
        let (turn, turns) = mpsc::channel(16);
        let build = |format: AudioFormat| {
            let backend = match &self.backend {
                Some(backend) => backend.open(context()).expect("there is room"),
                None => {
                    let (session, channels) = channels();
                    tokio::spawn(backend_task(channels, turn));
                    session
                }
            };
            let voice = Detector { voice, level: LevelVoice::new(-50.0) };
            let mut settings = AgentSettings::default();
            settings.call.endpoint = EndpointSettings::silence(Duration::from_millis(600));
            let facts = CallFacts {
                call: CALL_ID,
                began: "2026-01-01T00:00:00Z",
                codec: "opus",
                voice_model: "level",
                settings: &settings,
            };
            let recording = self.recordings.as_ref().map(|recordings| recordings.begin(&facts));
            let agent = Agent::new(settings.clone(), codec(format), voice);
            let call_id = CALL_ID.to_owned();
            let metrics = Metrics::new().agent("loopback");
            Ok(CallParts { call_id, agent, backend, recording, turn_judge: None, metrics })
        };
        let answered = self.endpoint.answer(offer, build).expect("the offer can be served");
        (answered.sdp, Call { handle: answered.call, etag: answered.etag, turns })
    }
}

fn context() -> CallContext {
    CallContext {
        call_id: CALL_ID.to_owned(),
        persona: String::new(),
        greeting: None,
        language: "en".to_owned(),
        reply_timeout: Duration::from_secs(10),
        history: Vec::new(),
    }
}

impl Call {
    /// The caller hums for a second; whether the backend was told that somebody speaks.
    pub(crate) async fn hears_a_turn_of(&mut self, caller: &Caller, kind: Codec) -> bool {
        let mut codec = match kind {
            Codec::Opus => NegotiatedCodec::opus(48_000).expect("Opus"),
            Codec::Pcmu => NegotiatedCodec::g711(Law::Mu),
        };
        let rate = codec.encode_rate_hz();
        let samples = rate as usize / 50;
        let ticks = codec.rtp_clock_hz() / 50;
        let mut beat = interval(Duration::from_millis(20));
        for index in 0..50_u16 {
            beat.tick().await;
            let from = usize::from(index) * samples;
            let pcm = (from..from + samples).map(|sample| hum(sample, rate, CALLER_HZ));
            let mut payload = [0; 512];
            let length = codec.encode(&pcm.collect::<Vec<_>>(), &mut payload).expect("a frame");
            caller.send(index, u32::from(index) * ticks, &payload[..length]).await;
        }
        timeout(PATIENCE, self.turns.recv()).await.is_ok_and(|turn| turn.is_some())
    }
}

/// The two voices differ: a caller with the agent's own would be its echo.
const AGENT_HZ: f32 = 150.0;
const CALLER_HZ: f32 = 233.0;

/// A voiced sound with overtones, which is not steady either.
fn hum(sample: usize, rate_hz: u32, pitch_hz: f32) -> f32 {
    let turn = |hz: f32| (sample as f32 * hz / rate_hz as f32 * std::f32::consts::TAU).sin();
    let swell = 0.7 + 0.3 * turn(pitch_hz / 40.0);
    swell * (0.2 * turn(pitch_hz) + 0.1 * turn(2.0 * pitch_hz) + 0.05 * turn(3.0 * pitch_hz))
}

/// Speaks for five seconds when asked to greet, and reports each turn of the user.
async fn backend_task(mut channels: BackendChannels, turns: mpsc::Sender<()>) {
    let _ = channels.output.send(BackendOutput::Event(BackendEvent::Ready)).await;
    while let Some(input) = channels.input.recv().await {
        match input {
            BackendInput::Command(BackendCommand::Greet { generation }) => {
                speak(&channels, generation).await;
            }
            BackendInput::Command(BackendCommand::UserSpeechStarted { .. }) => {
                let _ = turns.try_send(());
            }
            _ => {}
        }
    }
}

async fn speak(channels: &BackendChannels, generation: Generation) {
    let started = BackendEvent::ReplyStarted { generation };
    let _ = channels.output.send(BackendOutput::Event(started)).await;
    for block in 0..25_usize {
        let pcm =
            (0..4_800).map(|it| (hum(block * 4_800 + it, 24_000, AGENT_HZ) * 16_000.0) as i16);
        let audio = ReplyAudio { generation, sample_rate_hz: 24_000, pcm: pcm.collect() };
        let _ = channels.output.send(BackendOutput::Audio(audio)).await;
    }
    let finished = BackendEvent::ReplyFinished { generation };
    let _ = channels.output.send(BackendOutput::Event(finished)).await;
}

struct Detector {
    voice: Voice,
    level: LevelVoice,
}

impl VoiceModel for Detector {
    fn step(&mut self, window: &[f32; WINDOW_SAMPLES]) -> f32 {
        let probability = self.level.step(window);
        assert!(self.voice == Voice::Level || probability < 0.5, "a bug, on purpose");
        probability
    }

    fn reset(&mut self) {
        self.level.reset();
    }
}

fn codec(format: AudioFormat) -> NegotiatedCodec {
    match format.codec {
        AudioCodec::Opus => NegotiatedCodec::opus(16_000).expect("Opus"),
        AudioCodec::Pcmu => NegotiatedCodec::g711(Law::Mu),
        AudioCodec::Pcma => NegotiatedCodec::g711(Law::A),
    }
}
