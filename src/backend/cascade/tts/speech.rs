//! A voice behind `POST /audio/speech`: OpenAI's, and the servers that carry Sesame CSM.
//!
//! Each phrase is a request, whose body is audio as it is made. Some servers make one at a time, or send
//! headers where none belong: see [`crate::cascade::speech_body`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{RequestBuilder, Response};
use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::mouth::without_lead;
use super::{Speaking, Tts, TtsReport};
use crate::backend::cascade::error::{StageError, kind_of_status};
use crate::backend::cascade::http::{self, Api, detail};
use crate::backend::cascade::meter::Bill;
use crate::backend::{BackendError, Problem};
use crate::call::event::Generation;
use crate::cascade::chat::read_error;
use crate::cascade::failover::FailureKind;
use crate::cascade::speech_body::SpeechBody;
use crate::limits::{FRAME_MS, SENTENCE_BLOCKS_MAX, STAGE_ERROR_BYTES_MAX};

/// Where the voice is and how long it may take.
#[derive(Clone, PartialEq)]
pub struct SpeechSettings {
    /// Base address of the API, up to and with its version, such as `http://127.0.0.1:8000/v1`. Required.
    pub url: String,
    /// Below it. Default `audio/speech`; sesame_csm_openai streams at `audio/speech/stream`.
    pub path: String,
    /// The model's name there. Default `csm-1b`.
    pub model: String,
    /// The voice's name there. Default `alloy`.
    pub voice: String,
    /// Default `pcm`; a server that has none sends WAV, which is understood too.
    pub format: String,
    /// Sent as a bearer token, if set.
    pub api_key: Option<String>,
    /// Rate of the audio: 8 000, 16 000, 24 000 or 48 000 Hz, default 24 000. What says otherwise is refused.
    pub sample_rate_hz: u32,
    /// Requests at once, of all calls; more wait. 1 to 1 000, default 8; csm.rs makes one at a time.
    pub requests_max: usize,
    /// Added to each request as they are, such as `temperature`.
    pub extra: Map<String, Value>,
    /// To connect, 0.1 to 120 s, default 3 s.
    pub connect_timeout: Duration,
    /// From the request to the first audio, 0.1 to 120 s, default 10 s.
    pub first_audio_timeout: Duration,
    /// Between two pieces of audio, 0.1 to 120 s, default 5 s.
    pub stall_timeout: Duration,
}

impl SpeechSettings {
    /// An address and the defaults for the rest.
    pub fn new(url: String, api_key: Option<String>) -> Self {
        Self {
            url,
            path: "audio/speech".to_owned(),
            model: "csm-1b".to_owned(),
            voice: "alloy".to_owned(),
            format: "pcm".to_owned(),
            api_key,
            sample_rate_hz: 24_000,
            requests_max: 8,
            extra: Map::new(),
            connect_timeout: Duration::from_secs(3),
            first_audio_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(5),
        }
    }
}

/// Shows that there is a key, never the key.
impl fmt::Debug for SpeechSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SpeechSettings")
            .field("url", &self.url)
            .field("model", &self.model)
            .field("voice", &self.voice)
            .field("api_key", &self.api_key.as_ref().map(|_| "set"))
            .finish_non_exhaustive()
    }
}

/// A voice that can be asked.
#[derive(Debug)]
pub(in crate::backend::cascade) struct Speech {
    api: Api,
    places: Semaphore,
    settings: SpeechSettings,
}

/// Why a phrase was not spoken, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum SpeechError {
    #[error("the speech synthesiser cannot be reached")]
    Unreachable,
    #[error("the speech synthesiser sent no audio within {} s", .0.as_secs_f32())]
    Slow(Duration),
    #[error("the speech synthesiser stopped in the middle of a phrase")]
    Broken,
    #[error("the speech synthesiser's server answered {status}{}", detail(message))]
    Refused { status: u16, message: String },
    #[error("the speech synthesiser's server sent something that cannot be played: {0}")]
    Unplayable(String),
}

impl From<SpeechError> for StageError {
    fn from(error: SpeechError) -> Self {
        let kind = match &error {
            SpeechError::Unreachable => FailureKind::Unreachable,
            SpeechError::Slow(_) => FailureKind::TimedOut,
            SpeechError::Broken => FailureKind::Broken,
            SpeechError::Refused { status, .. } => kind_of_status(*status),
            SpeechError::Unplayable(_) => FailureKind::Malformed,
        };
        Self::new(kind, error.to_string())
    }
}

impl Speech {
    /// Checks the settings. Nothing is sent yet.
    pub(in crate::backend::cascade) fn new(settings: SpeechSettings) -> Result<Self, BackendError> {
        let (at, key) = ((settings.url.as_str(), settings.path.as_str()), &settings.api_key);
        let api = Api::new("tts", at, key.as_deref(), settings.connect_timeout)?;
        let places = Semaphore::new(settings.requests_max);
        Ok(Self { api, places, settings })
    }

    pub(in crate::backend::cascade) async fn check(&self) -> Result<(), Problem> {
        self.api.check().await
    }

    /// Rate of all that it says.
    pub(super) const fn sample_rate_hz(&self) -> u32 {
        self.settings.sample_rate_hz
    }

    fn request(&self, text: &str, pace: f32) -> RequestBuilder {
        let settings = &self.settings;
        let mut body = settings.extra.clone();
        body.insert("model".to_owned(), json!(settings.model));
        body.insert("input".to_owned(), json!(text));
        body.insert("voice".to_owned(), json!(settings.voice));
        body.insert("response_format".to_owned(), json!(settings.format));
        if pace != 1.0 {
            body.insert("speed".to_owned(), json!(pace));
        }
        self.api.post().json(&Value::Object(body))
    }

    /// Speaks a phrase into `reports`.
    async fn speak(
        &self,
        phrase: &Phrase,
        reports: &mpsc::Sender<TtsReport>,
    ) -> Result<(), SpeechError> {
        let first = self.settings.first_audio_timeout;
        let request = self.request(&phrase.text, phrase.pace);
        let response = match timeout(first, request.send()).await {
            Err(_) => return Err(SpeechError::Slow(first)),
            Ok(Err(_)) => return Err(SpeechError::Unreachable),
            Ok(Ok(response)) => response,
        };
        if !response.status().is_success() {
            let status = response.status().as_u16();
            let body = http::whole(response, STAGE_ERROR_BYTES_MAX);
            let body = timeout(self.settings.stall_timeout, body).await.ok().and_then(Result::ok);
            let message = body.map(|body| read_error(&body)).unwrap_or_default();
            return Err(SpeechError::Refused { status, message });
        }
        self.read(response, phrase.work, reports).await
    }

    async fn read(
        &self,
        response: Response,
        work: Generation,
        reports: &mpsc::Sender<TtsReport>,
    ) -> Result<(), SpeechError> {
        let unplayable = |error: &dyn fmt::Display| SpeechError::Unplayable(error.to_string());
        let rate_hz = self.settings.sample_rate_hz;
        let block_samples = (rate_hz * FRAME_MS / 1_000) as usize;
        let (mut body, mut pcm) = (SpeechBody::new(rate_hz), Vec::new());
        let mut chunks = response.bytes_stream();
        let mut patience = self.settings.first_audio_timeout;
        let mut has_begun = false;
        loop {
            let chunk = match timeout(patience, chunks.next()).await {
                Err(_) => return Err(SpeechError::Slow(patience)),
                Ok(None) => break,
                Ok(Some(Err(_))) => return Err(SpeechError::Broken),
                Ok(Some(Ok(chunk))) => chunk,
            };
            body.push(&chunk, &mut pcm).map_err(|error| unplayable(&error))?;
            if let Some(told) = body.rate_hz().filter(|told| *told != rate_hz) {
                let problem =
                    format!("expected audio at tts.sample_rate_hz, {rate_hz} Hz, received {told}");
                return Err(SpeechError::Unplayable(problem));
            }
            if !has_begun {
                // The user would wait for the silence at its beginning, and hear it as a seam.
                pcm.drain(..pcm.len() - without_lead(&pcm).len());
                has_begun = !pcm.is_empty();
            }
            let whole = pcm.len() - pcm.len() % block_samples;
            for block in pcm.drain(..whole).as_slice().chunks(block_samples) {
                patience = self.settings.stall_timeout;
                send(reports, work, block).await;
            }
        }
        body.finish(&mut pcm).map_err(|error| unplayable(&error))?;
        if !pcm.is_empty() {
            send(reports, work, &pcm).await;
        }
        Ok(())
    }
}

async fn send(reports: &mpsc::Sender<TtsReport>, work: Generation, block: &[i16]) {
    // Nobody listening any more: the call is over, and this task with it.
    let _ = reports.send(TtsReport::Block { work, pcm: block.to_vec() }).await;
}

struct Phrase {
    work: Generation,
    text: String,
    pace: f32,
}

/// A call's handle on the voice.
#[derive(Debug)]
pub(in crate::backend::cascade) struct Speaker {
    speech: Arc<Speech>,
    bill: Bill,
    reports: mpsc::Sender<TtsReport>,
}

impl Speaker {
    /// A handle and where it reports.
    pub(in crate::backend::cascade) fn open(
        speech: Arc<Speech>,
        bill: Bill,
    ) -> (Self, mpsc::Receiver<TtsReport>) {
        let (reports, reported) = mpsc::channel(SENTENCE_BLOCKS_MAX);
        (Self { speech, bill, reports }, reported)
    }
}

impl Tts for Speaker {
    fn sample_rate_hz(&self) -> u32 {
        self.speech.sample_rate_hz()
    }

    fn speak(&self, work: Generation, text: String, pace: f32) -> Speaking {
        let (speech, reports) = (Arc::clone(&self.speech), self.reports.clone());
        let (bill, phrase) = (self.bill.clone(), Phrase { work, text, pace });
        let task = tokio::spawn(async move {
            let _place = match speech.places.try_acquire() {
                Ok(place) => Ok(place),
                Err(_) => {
                    let _ = reports.send(TtsReport::Queued { work }).await;
                    // It is closed by nobody.
                    let place = speech.places.acquire().await;
                    let _ = reports.send(TtsReport::Admitted { work }).await;
                    place
                }
            };
            let mut entry = bill.speaks(&phrase.text);
            let result = speech.speak(&phrase, &reports).await.map_err(StageError::from);
            entry.settle(&result);
            drop(entry);
            let _ = reports.send(TtsReport::Done { work, result }).await;
        });
        Speaking::Task(task.abort_handle())
    }
}

#[cfg(test)]
mod tests;
