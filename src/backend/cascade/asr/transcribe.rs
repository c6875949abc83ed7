//! Amazon Transcribe, streaming: a turn is heard as it is spoken.
//!
//! A stream is opened when a turn begins and kept for the next one if that begins soon: the service bills
//! the audio that it is sent, and ends a stream that hears nothing for some 15 s. What is said before the
//! stream is open waits for it, so no first word is lost. See [`hearing`] for turns.

mod hearing;
mod stream;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_transcribestreaming::Client;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use self::hearing::{Hearing, HearingAct, Patience, StreamEvent};
use self::stream::Stream;
use super::listener::Listener;
use super::{Ask, AsrReport};
use crate::backend::aws::{AwsSettings, Reach};
use crate::backend::cascade::error::StageError;
use crate::backend::cascade::meter::Bill;
use crate::backend::{BackendError, Problem};
use crate::cascade::failover::FailureKind;
use crate::time::SessionTime;

/// How it recognises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscribeSettings {
    /// How the service is reached.
    pub aws: AwsSettings,
    /// Such as `en-US`, the default. One that the service does not know is refused by it.
    pub language: String,
    /// A custom vocabulary of the account in that language and region, by name.
    pub vocabulary_name: Option<String>,
    /// How much earlier words are settled for their accuracy. Default [`Stability::High`].
    pub stability: Stability,
    /// To open a stream, 0.1 to 120 s, default 5 s.
    pub connect_timeout: Duration,
    /// From the end of a turn to its text, 0.1 to 120 s, default 3 s. What is known by then counts.
    pub answer_timeout: Duration,
    /// How long a stream is kept for the next turn, 0.1 to 120 s, default 10 s.
    pub idle: Duration,
}

impl Default for TranscribeSettings {
    fn default() -> Self {
        Self {
            aws: AwsSettings::default(),
            language: "en-US".to_owned(),
            vocabulary_name: None,
            stability: Stability::default(),
            connect_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(3),
            idle: Duration::from_secs(10),
        }
    }
}

/// How soon a word of a partial result does not change any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stability {
    /// Late, and the most accurate.
    Low,
    /// In between.
    Medium,
    /// Early.
    #[default]
    High,
}

/// The service, for all calls of an agent.
pub(in crate::backend::cascade) struct Transcribe {
    reach: Reach<Client>,
    settings: TranscribeSettings,
}

impl Transcribe {
    /// Checks the settings. Nothing is sent yet.
    pub(in crate::backend::cascade) fn new(
        settings: TranscribeSettings,
    ) -> Result<Self, BackendError> {
        if settings.language.trim().is_empty() {
            let problem = "asr.language: expected such as en-US, received nothing".to_owned();
            return Err(BackendError::Invalid { problem });
        }
        let reach = Reach::new("asr", settings.aws.clone(), Client::new)?;
        Ok(Self { reach, settings })
    }

    /// Whether there are a region and keys.
    pub(in crate::backend::cascade) async fn check(&self) -> Result<(), Problem> {
        self.reach.check().await
    }
}

impl fmt::Debug for Transcribe {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Transcribe")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Begins to listen to a call.
pub(super) fn open(service: Arc<Transcribe>, bill: Bill) -> (Listener, mpsc::Receiver<AsrReport>) {
    Listener::spawn(|asked, reports| listen(service, bill, asked, reports))
}

/// The task of a call: what is asked goes through [`Hearing`], which says what the stream is told.
async fn listen(
    service: Arc<Transcribe>,
    bill: Bill,
    mut asked: mpsc::Receiver<Ask>,
    reports: mpsc::Sender<AsrReport>,
) {
    let TranscribeSettings { answer_timeout, idle, .. } = service.settings;
    let mut hearing = Hearing::new(Patience { answer: answer_timeout, idle });
    let mut stream: Option<Stream> = None;
    let began = Instant::now();
    let time = |at: Instant| SessionTime::ZERO + at.duration_since(began);
    if reports.send(AsrReport::Ready).await.is_err() {
        return;
    }
    loop {
        let deadline = hearing.poll_timeout().map(|at| began + at.since(SessionTime::ZERO));
        tokio::select! {
            ask = asked.recv() => match ask {
                None => return,
                Some(ask) => hearing.handle_ask(time(Instant::now()), ask),
            },
            event = heard(&mut stream) => hearing.handle_stream(time(Instant::now()), event),
            () = sleep_until(deadline.unwrap_or(began)), if deadline.is_some() => {
                hearing.handle_timeout(time(Instant::now()));
            }
        }
        while let Some(act) = hearing.poll_act() {
            match act {
                HearingAct::Open => stream = Some(Stream::open(Arc::clone(&service), bill.clone())),
                HearingAct::Close => stream = None,
                HearingAct::Send(pcm) => {
                    if let Some(Err(error)) = stream.as_mut().map(|stream| stream.send(&pcm)) {
                        stream = None;
                        hearing.handle_stream(time(Instant::now()), StreamEvent::Lost(error));
                    }
                }
                HearingAct::Report(report) => {
                    if reports.send(report).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// What the stream tells next; never, if there is none.
async fn heard(stream: &mut Option<Stream>) -> StreamEvent {
    match stream {
        Some(stream) => stream.event().await,
        None => std::future::pending().await,
    }
}

fn failed(kind: FailureKind, problem: &str) -> StageError {
    StageError::new(kind, format!("Amazon Transcribe {problem}"))
}
