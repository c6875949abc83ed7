//! Amazon Polly: each phrase is a request, or a stream of both directions, whose audio comes as it is made.
//!
//! The pace is not told: the generative voices, and the streams, take no SSML that would say it.

mod stream;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_polly::Client;
use aws_sdk_polly::types::{Engine, OutputFormat, TextType, VoiceId};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::mouth::without_lead;
use super::{Speaking, Tts, TtsReport};
use crate::backend::aws::{AwsSettings, Reach};
use crate::backend::cascade::aws::{refused, unready};
use crate::backend::cascade::error::StageError;
use crate::backend::cascade::meter::Bill;
use crate::backend::{BackendError, Problem};
use crate::call::event::Generation;
use crate::cascade::failover::FailureKind;
use crate::cascade::speech_body::{SpeechBody, SpeechBodyError};
use crate::limits::{FRAME_MS, SENTENCE_BLOCKS_MAX};

const SERVICE: &str = "Amazon Polly";

/// Which voice and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollySettings {
    /// How the service is reached.
    pub aws: AwsSettings,
    /// As Polly names it, default `Ruth`.
    pub voice: String,
    /// `standard`, `neural`, `long-form` or `generative`, the default. Not every voice has every engine, nor
    /// every region.
    pub engine: String,
    /// 16 000, the default, or 8 000 Hz: Polly has no other for PCM.
    pub sample_rate_hz: u32,
    /// Phrases go over streams of both directions, which only the generative engine has. Default false: that
    /// these streams take the rates of PCM is not certain.
    pub streaming: bool,
    /// From the request to the first audio, 0.1 to 120 s, default 5 s.
    pub first_audio_timeout: Duration,
    /// Between two pieces of audio, 0.1 to 120 s, default 5 s.
    pub stall_timeout: Duration,
}

impl Default for PollySettings {
    fn default() -> Self {
        Self {
            aws: AwsSettings::default(),
            voice: "Ruth".to_owned(),
            engine: "generative".to_owned(),
            sample_rate_hz: 16_000,
            streaming: false,
            first_audio_timeout: Duration::from_secs(5),
            stall_timeout: Duration::from_secs(5),
        }
    }
}

/// A voice that can be asked.
#[derive(Debug)]
pub(in crate::backend::cascade) struct Polly {
    reach: Reach<Client>,
    settings: PollySettings,
}

impl Polly {
    /// Checks the settings. Nothing is sent yet.
    pub(in crate::backend::cascade) fn new(settings: PollySettings) -> Result<Self, BackendError> {
        let invalid = |problem: String| BackendError::Invalid { problem };
        if ![8_000, 16_000].contains(&settings.sample_rate_hz) {
            let received = settings.sample_rate_hz;
            let problem =
                format!("tts.sample_rate_hz: expected 8000 or 16000 of Polly, received {received}");
            return Err(invalid(problem));
        }
        if settings.streaming && settings.engine != "generative" {
            let received = &settings.engine;
            let problem =
                format!("tts.streaming: expected the engine generative, received {received}");
            return Err(invalid(problem));
        }
        let reach = Reach::new("tts", settings.aws.clone(), Client::new)?;
        Ok(Self { reach, settings })
    }

    /// Rate of all that it says.
    pub(super) const fn sample_rate_hz(&self) -> u32 {
        self.settings.sample_rate_hz
    }

    /// Whether there are a region and keys.
    pub(in crate::backend::cascade) async fn check(&self) -> Result<(), Problem> {
        self.reach.check().await
    }

    async fn speak(&self, text: String, audio: &mut Audio<'_>) -> Result<(), StageError> {
        if self.settings.streaming {
            stream::speak(self, text, audio).await?;
        } else {
            self.synthesise(text, audio).await?;
        }
        audio.finish().await
    }

    async fn synthesise(&self, text: String, audio: &mut Audio<'_>) -> Result<(), StageError> {
        let settings = &self.settings;
        let first = settings.first_audio_timeout;
        let asked = async {
            let client = self.reach.client().await.map_err(|error| unready(&error))?;
            let request = client
                .synthesize_speech()
                .engine(Engine::from(settings.engine.as_str()))
                .voice_id(VoiceId::from(settings.voice.as_str()))
                .output_format(OutputFormat::Pcm)
                .sample_rate(settings.sample_rate_hz.to_string())
                .text_type(TextType::Text)
                .text(text);
            match request.send().await {
                Ok(answer) => Ok(answer),
                Err(error) => Err(refused(&self.reach, SERVICE, &error).await),
            }
        };
        let answer = timeout(first, asked).await.unwrap_or_else(|_| Err(slow(first)))?;
        let mut body = answer.audio_stream;
        loop {
            let patience = self.patience(audio);
            match timeout(patience, body.next()).await {
                Err(_) => return Err(slow(patience)),
                Ok(None) => return Ok(()),
                Ok(Some(Err(_))) => return Err(broken()),
                Ok(Some(Ok(bytes))) => audio.push(&bytes).await?,
            }
        }
    }

    fn patience(&self, audio: &Audio<'_>) -> Duration {
        let PollySettings { first_audio_timeout, stall_timeout, .. } = self.settings;
        if audio.has_begun { stall_timeout } else { first_audio_timeout }
    }
}

fn failed(kind: FailureKind, problem: &str) -> StageError {
    StageError::new(kind, format!("{SERVICE} {problem}"))
}

fn slow(patience: Duration) -> StageError {
    let problem = format!("sent no audio within {} s", patience.as_secs_f32());
    failed(FailureKind::TimedOut, &problem)
}

fn broken() -> StageError {
    failed(FailureKind::Broken, "stopped in the middle of a phrase")
}

/// Bytes on their way to blocks: wherever they are cut, half a sample waits for its other half.
struct Audio<'a> {
    work: Generation,
    reports: &'a mpsc::Sender<TtsReport>,
    body: SpeechBody,
    pcm: Vec<i16>,
    block_samples: usize,
    has_begun: bool,
}

impl<'a> Audio<'a> {
    fn new(rate_hz: u32, work: Generation, reports: &'a mpsc::Sender<TtsReport>) -> Self {
        let block_samples = (rate_hz * FRAME_MS / 1_000) as usize;
        let (body, pcm) = (SpeechBody::new(rate_hz), Vec::new());
        Self { work, reports, body, pcm, block_samples, has_begun: false }
    }

    async fn push(&mut self, bytes: &[u8]) -> Result<(), StageError> {
        self.body.push(bytes, &mut self.pcm).map_err(unplayable)?;
        if !self.has_begun {
            // The user would wait for the silence at its beginning, and hear it as a seam.
            self.pcm.drain(..self.pcm.len() - without_lead(&self.pcm).len());
            self.has_begun = !self.pcm.is_empty();
        }
        let whole = self.pcm.len() - self.pcm.len() % self.block_samples;
        let blocks: Vec<i16> = self.pcm.drain(..whole).collect();
        for block in blocks.chunks(self.block_samples) {
            self.send(block.to_vec()).await;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), StageError> {
        self.body.finish(&mut self.pcm).map_err(unplayable)?;
        if !self.pcm.is_empty() {
            let rest = std::mem::take(&mut self.pcm);
            for block in rest.chunks(self.block_samples) {
                self.send(block.to_vec()).await;
            }
        }
        Ok(())
    }

    async fn send(&self, pcm: Vec<i16>) {
        // Nobody listening any more: the call is over, and this task with it.
        let _ = self.reports.send(TtsReport::Block { work: self.work, pcm }).await;
    }
}

fn unplayable(error: SpeechBodyError) -> StageError {
    let problem = format!("sent something that cannot be played: {error}");
    failed(FailureKind::Malformed, &problem)
}

/// A call's handle on the voice.
#[derive(Debug)]
pub(in crate::backend::cascade) struct Speaker {
    polly: Arc<Polly>,
    bill: Bill,
    reports: mpsc::Sender<TtsReport>,
}

impl Speaker {
    /// A handle and where it reports.
    pub(in crate::backend::cascade) fn open(
        polly: Arc<Polly>,
        bill: Bill,
    ) -> (Self, mpsc::Receiver<TtsReport>) {
        let (reports, reported) = mpsc::channel(SENTENCE_BLOCKS_MAX);
        (Self { polly, bill, reports }, reported)
    }
}

impl Tts for Speaker {
    fn sample_rate_hz(&self) -> u32 {
        self.polly.sample_rate_hz()
    }

    fn speak(&self, work: Generation, text: String, _pace: f32) -> Speaking {
        let (polly, reports) = (Arc::clone(&self.polly), self.reports.clone());
        let mut entry = self.bill.speaks(&text);
        let task = tokio::spawn(async move {
            let mut audio = Audio::new(polly.settings.sample_rate_hz, work, &reports);
            let result = polly.speak(text, &mut audio).await;
            entry.settle(&result);
            drop(entry);
            let _ = reports.send(TtsReport::Done { work, result }).await;
        });
        Speaking::Task(task.abort_handle())
    }
}
