//! A simulator, a cascade that reaches it, and a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use antiphon::agent::{BackendInput, PcmFrame};
use antiphon::backend::aws::{AwsKeys, AwsSettings};
use antiphon::backend::cascade::asr::TranscribeSettings;
use antiphon::backend::cascade::llm::ConverseSettings;
use antiphon::backend::cascade::tts::PollySettings;
use antiphon::backend::cascade::{
    AsrSettings, BrainSettings, Cascade, CascadeSettings, ModelSettings, TtsSettings,
};
use antiphon::backend::{Backend, BackendOutput, BackendSession, CallContext};
use antiphon::call::event::{BackendCommand, BackendEvent, Generation, Heard, TurnId};
use antiphon::limits::WIDEBAND_FRAME;
use antiphon::tools::{Builtin, Executor, Job, ToolSpec, Toolbox};
use antiphon_nova_sim::{Sim, SimHandle, SimSettings};
use tokio::time::timeout;

/// Far more than anything here takes; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the stages wait, so that a service that is silent is told within a test.
const SHORT: Duration = Duration::from_millis(600);

pub(crate) struct Bench {
    pub(crate) sim: SimHandle,
    pub(crate) backend: Cascade,
}

/// A voice whose way is added.
pub(crate) fn polly() -> PollySettings {
    PollySettings { first_audio_timeout: SHORT, stall_timeout: SHORT, ..PollySettings::default() }
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with(polly()).await
    }

    pub(crate) async fn with(polly: PollySettings) -> Self {
        Self::new(polly, None).await
    }

    pub(crate) async fn with_secret(secret: &str) -> Self {
        Self::new(polly(), Some(secret)).await
    }

    async fn new(polly: PollySettings, secret: Option<&str>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("antiphon-stages-{}-{number}.pem", std::process::id());
        let ca_file = std::env::temp_dir().join(name);
        let settings = SimSettings::tones();
        let secret = secret.unwrap_or(&settings.secret).to_owned();
        let (key_id, region) = (settings.key_id.clone(), settings.region.clone());
        let sim = Sim::start(settings).await.expect("a simulator starts on a free port");
        std::fs::write(&ca_file, sim.ca_pem()).expect("the folder for temporary files is writable");
        let aws = AwsSettings {
            region: Some(region),
            endpoint_url: Some(sim.endpoint_url()),
            ca_file: Some(ca_file.clone()),
            instance_metadata: false,
            keys: Some(AwsKeys { access_key_id: key_id, secret_access_key: secret }),
        };
        let asr = TranscribeSettings {
            aws: aws.clone(),
            answer_timeout: Duration::from_secs(2),
            ..TranscribeSettings::default()
        };
        let mut llm = ConverseSettings::new("anthropic.claude-test-v1:0".to_owned());
        llm.aws = aws.clone();
        (llm.first_token_timeout, llm.stall_timeout) = (SHORT, SHORT);
        let asr = AsrSettings::Transcribe(Box::new(asr));
        let brain = BrainSettings::Llm(vec![ModelSettings::Converse(Box::new(llm)).into()]);
        let tts = TtsSettings::Polly(Box::new(PollySettings { aws, ..polly }));
        let settings = CascadeSettings::new(asr, brain, tts);
        let echo = Executor::Server(Job::Builtin(Builtin::Echo));
        let mut echo = ToolSpec::new("echo", "Says it again.", echo);
        echo.parameters["properties"]["text"]["type"] = "string".into();
        let tools = Toolbox::new(vec![echo]).expect("lawful tools");
        let backend = Cascade::new("cascade", settings, Arc::new(tools)).expect("lawful settings");
        // It was read.
        let _ = std::fs::remove_file(&ca_file);
        Self { sim, backend }
    }

    pub(crate) async fn open(&self) -> Call {
        let context = CallContext {
            call_id: "test".to_owned(),
            persona: "You repeat.".to_owned(),
            greeting: Some("Hello.".to_owned()),
            language: "en".to_owned(),
            reply_timeout: Duration::from_secs(10),
            history: Vec::new(),
        };
        let mut call = Call(self.backend.open(context).expect("there is room"));
        assert_eq!(call.next().await, BackendOutput::Event(BackendEvent::Ready));
        call
    }
}

pub(crate) struct Call(BackendSession);

/// What came of one reply.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    events: Vec<BackendEvent>,
    pub(crate) samples: usize,
    pub(crate) rates: Vec<u32>,
    /// How it ended.
    pub(crate) last: Option<BackendEvent>,
}

impl Seen {
    /// All that was said.
    pub(crate) fn text(&self) -> String {
        let text = |event: &BackendEvent| match event {
            BackendEvent::ReplyText { text, .. } => Some(text.trim().to_owned()),
            _ => None,
        };
        self.events.iter().filter_map(text).collect::<Vec<_>>().join(" ")
    }

    /// What was understood in the end.
    pub(crate) fn transcript(&self) -> Option<&str> {
        self.events.iter().find_map(|event| match event {
            BackendEvent::UserTranscript { text, is_final: true, .. } => Some(text.as_str()),
            _ => None,
        })
    }
}

impl Call {
    async fn next(&mut self) -> BackendOutput {
        let next = timeout(PATIENCE, self.0.output.recv()).await;
        next.expect("the backend says something").expect("the session lives")
    }

    async fn send(&self, input: BackendInput) {
        let sent = timeout(PATIENCE, self.0.input.send(input)).await;
        sent.expect("the backend takes it").expect("the session lives");
    }

    async fn command(&self, command: BackendCommand) {
        self.send(BackendInput::Command(command)).await;
    }

    pub(crate) async fn type_in(&self, n: u32, text: &str) {
        let (turn, generation) = (TurnId(n), Generation(n));
        let text = text.to_owned();
        self.command(BackendCommand::UserText { turn, generation, text }).await;
    }

    pub(crate) async fn greet(&self, n: u32) {
        self.command(BackendCommand::Greet { generation: Generation(n) }).await;
    }

    pub(crate) async fn played(&self, n: u32, text: &str) {
        let heard = Heard { text: text.to_owned(), ..Heard::default() };
        self.command(BackendCommand::Played { generation: Generation(n), heard }).await;
    }

    /// A turn of so many frames of sound, and a short pause.
    pub(crate) async fn speak(&self, n: u32, frames: usize) {
        self.begin(n, frames).await;
        self.end(n).await;
    }

    /// The same without its end.
    pub(crate) async fn begin(&self, n: u32, frames: usize) {
        let turn = TurnId(n);
        self.command(BackendCommand::UserSpeechStarted { turn }).await;
        for frame in 0..frames + 10 {
            let loud = if frame < frames { 3_000 } else { 0 };
            self.send(BackendInput::Audio(PcmFrame([loud; WIDEBAND_FRAME]))).await;
        }
    }

    pub(crate) async fn end(&self, n: u32) {
        let (turn, generation) = (TurnId(n), Generation(n));
        self.command(BackendCommand::UserTurnEnded { turn, generation }).await;
    }

    /// Reads until something is understood of a turn that goes on.
    pub(crate) async fn until_partial(&mut self) -> String {
        loop {
            if let BackendOutput::Event(BackendEvent::UserTranscript { text, is_final, .. }) =
                self.next().await
            {
                assert!(!is_final, "the turn goes on");
                return text;
            }
        }
    }

    /// Reads until the reply is over.
    pub(crate) async fn until_over(&mut self, n: u32) -> Seen {
        let mut seen = Seen::default();
        loop {
            match self.next().await {
                BackendOutput::Audio(block) => {
                    assert_eq!(block.generation, Generation(n));
                    seen.samples += block.pcm.len();
                    if !seen.rates.contains(&block.sample_rate_hz) {
                        seen.rates.push(block.sample_rate_hz);
                    }
                }
                BackendOutput::Event(event) => {
                    let is_last = match &event {
                        BackendEvent::ReplyFinished { generation }
                        | BackendEvent::ReplyFailed { generation, .. } => generation.0 == n,
                        BackendEvent::Failed { message } => panic!("{message}"),
                        _ => false,
                    };
                    if is_last {
                        seen.last = Some(event);
                        return seen;
                    }
                    seen.events.push(event);
                }
            }
        }
    }
}
