//! An OpenAI-compatible transcription endpoint, such as a Whisper server: a whole turn, or what there is of
//! it, goes up as a wav file.
//!
//! Only what the call takes for speech is sent, never silence by itself, of which such models make words.
//! Where a turn may be over it is asked ahead; if nothing but silence follows, that answer is the turn's.

mod turn;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::multipart::{Form, Part};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use self::turn::{Asked, Turn, TurnAct};
use super::listener::Listener;
use super::{Ask, AsrReport};
use crate::backend::cascade::error::{StageError, kind_of_status};
use crate::backend::cascade::http::{self, Api, detail};
use crate::backend::cascade::meter::Bill;
use crate::backend::{BackendError, Problem, wav};
use crate::cascade::chat::read_error;
use crate::cascade::failover::FailureKind;
use crate::cascade::transcript;
use crate::limits::{TRANSCRIPT_BYTES_MAX, WIDEBAND_HZ};

/// Where it is and how long it may take.
#[derive(Clone, PartialEq, Eq)]
pub struct TranscriptionSettings {
    /// Base address of the API, up to and with its version, such as `http://127.0.0.1:8000/v1`. Required.
    pub url: String,
    /// The model's name there. Default `whisper-1`.
    pub model: String,
    /// ISO 639-1; `None` lets the model find out.
    pub language: Option<String>,
    /// Words that the model should expect, such as names. At most 100, default none.
    pub vocabulary: Vec<String>,
    /// Sent as a bearer token, if set.
    pub api_key: Option<String>,
    /// To connect, 0.1 to 120 s, default 3 s.
    pub connect_timeout: Duration,
    /// From the request to the text, 0.1 to 120 s, default 10 s.
    pub answer_timeout: Duration,
}

impl TranscriptionSettings {
    /// An address and the defaults for the rest.
    pub fn new(url: String, api_key: Option<String>) -> Self {
        Self {
            url,
            model: "whisper-1".to_owned(),
            language: None,
            vocabulary: Vec::new(),
            api_key,
            connect_timeout: Duration::from_secs(3),
            answer_timeout: Duration::from_secs(10),
        }
    }
}

/// Shows that there is a key, never the key.
impl fmt::Debug for TranscriptionSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TranscriptionSettings")
            .field("url", &self.url)
            .field("model", &self.model)
            .field("api_key", &self.api_key.as_ref().map(|_| "set"))
            .finish_non_exhaustive()
    }
}

/// An endpoint that can be asked.
#[derive(Debug)]
pub(in crate::backend::cascade) struct Transcription {
    api: Api,
    settings: TranscriptionSettings,
}

impl Transcription {
    /// Checks the settings. Nothing is sent yet.
    pub(in crate::backend::cascade) fn new(
        settings: TranscriptionSettings,
    ) -> Result<Self, BackendError> {
        let (at, key) = ((settings.url.as_str(), "audio/transcriptions"), &settings.api_key);
        let api = Api::new("asr", at, key.as_deref(), settings.connect_timeout)?;
        Ok(Self { api, settings })
    }

    pub(in crate::backend::cascade) async fn check(&self) -> Result<(), Problem> {
        self.api.check().await
    }

    /// What is said in `pcm`, or why that is not known, without a word of it.
    async fn transcribe(&self, pcm: Vec<i16>) -> Result<String, StageError> {
        let settings = &self.settings;
        let file = Part::bytes(wav::write(&pcm, WIDEBAND_HZ)).file_name("turn.wav");
        let file = file
            .mime_str("audio/wav")
            .map_err(|_| failed(FailureKind::Refused, "cannot be asked"))?;
        let mut form = Form::new()
            .part("file", file)
            .text("model", settings.model.clone())
            .text("response_format", "json");
        if let Some(language) = &settings.language {
            form = form.text("language", language.clone());
        }
        if !settings.vocabulary.is_empty() {
            form = form.text("prompt", settings.vocabulary.join(", "));
        }
        let request = self.api.post().multipart(form);
        let patience = settings.answer_timeout;
        let answer = timeout(patience, async {
            let response = request.send().await;
            let response =
                response.map_err(|_| failed(FailureKind::Unreachable, "cannot be reached"))?;
            let status = response.status();
            let body = http::whole(response, TRANSCRIPT_BYTES_MAX).await;
            let body = body.map_err(|error| failed(error.kind(), error))?;
            if !status.is_success() {
                let message = read_error(&body);
                let status = status.as_u16();
                let problem = format!("answered {status}{}", detail(&message));
                return Err(failed(kind_of_status(status), problem));
            }
            transcript::read(&body).ok_or_else(|| {
                failed(FailureKind::Malformed, "sent something that is no transcript")
            })
        });
        answer.await.unwrap_or_else(|_| {
            let problem = format!("did not answer within {} s", patience.as_secs_f32());
            Err(failed(FailureKind::TimedOut, problem))
        })
    }
}

fn failed(kind: FailureKind, problem: impl fmt::Display) -> StageError {
    StageError::new(kind, format!("the transcription server {problem}"))
}

/// Begins to listen to a call.
pub(super) fn open(
    endpoint: Arc<Transcription>,
    bill: Bill,
) -> (Listener, mpsc::Receiver<AsrReport>) {
    Listener::spawn(|asked, reports| listen(endpoint, bill, asked, reports))
}

/// The task of a call: what is asked goes through [`Turn`], which says when to ask the endpoint.
async fn listen(
    endpoint: Arc<Transcription>,
    bill: Bill,
    mut asked: mpsc::Receiver<Ask>,
    reports: mpsc::Sender<AsrReport>,
) {
    let mut turn = Turn::default();
    let mut requests: JoinSet<(Asked, Result<String, StageError>)> = JoinSet::new();
    let mut running: HashMap<Asked, AbortHandle> = HashMap::new();
    if reports.send(AsrReport::Ready).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            ask = asked.recv() => match ask {
                None => return,
                Some(ask) => turn.handle(ask),
            },
            Some(answered) = requests.join_next() => {
                // One that was aborted has nothing to say.
                if let Ok((asked, result)) = answered {
                    running.remove(&asked);
                    turn.handle_answer(asked, result);
                }
            }
        }
        while let Some(act) = turn.poll_act() {
            match act {
                TurnAct::Ask { asked, pcm } => {
                    let endpoint = Arc::clone(&endpoint);
                    let mut entry = bill.hears(pcm.len());
                    let request = async move {
                        let text = endpoint.transcribe(pcm).await;
                        entry.settle(&text);
                        (asked, text)
                    };
                    running.insert(asked, requests.spawn(request));
                }
                TurnAct::Abort(asked) => {
                    if let Some(request) = running.remove(&asked) {
                        request.abort();
                    }
                }
                TurnAct::Report(report) => {
                    if reports.send(report).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
