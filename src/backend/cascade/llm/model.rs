//! Asks a language model over HTTP and streams its answer.

use std::fmt;
use std::time::Duration;

use eventsource_stream::Eventsource;
use futures_util::{Stream, StreamExt};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use tokio::time::timeout;

use super::{Answer, Asking};
use crate::backend::cascade::error::{StageError, kind_of_status};
use crate::backend::cascade::http::{self, Api, BodyError, detail};
use crate::backend::{BackendError, Problem};
use crate::cascade::chat::{
    ChatEvent, ChatSettings, ToolDeclaration, read_error, read_event, request,
};
use crate::cascade::context::Prompt;
use crate::cascade::failover::FailureKind;
use crate::limits::MODEL_EVENT_BYTES_MAX;

/// Where the language model is and how long it may take.
#[derive(Clone, PartialEq, Eq)]
pub struct LlmSettings {
    /// Base address of an OpenAI-compatible API, up to and with its version, such as
    /// `http://127.0.0.1:11434/v1` for Ollama. Required.
    pub url: String,
    /// The model's name there. Required.
    pub model: String,
    /// Sent as a bearer token, if set.
    pub api_key: Option<String>,
    /// Tokens of one reply, 1 to 4 096, default 300: some two minutes of speech.
    pub tokens_max: u32,
    /// The server is asked to force the model to keep to the schemas of tools, where they
    /// [can be](crate::cascade::chat::can_be_strict). Many servers refuse the question. Default no: what a
    /// model asks for is checked in any case.
    pub strict_tools: bool,
    /// The server is asked how many tokens an answer was. Otherwise, and where it does not tell, they are
    /// estimated. Default yes: nearly all servers know the question (`stream_options`).
    pub include_usage: bool,
    /// To connect, 0.1 to 120 s, default 3 s.
    pub connect_timeout: Duration,
    /// From the request to the first text, 0.1 to 120 s, default 20 s: a model may have to load.
    pub first_token_timeout: Duration,
    /// Between two pieces of text, 0.1 to 120 s, default 10 s.
    pub stall_timeout: Duration,
}

impl LlmSettings {
    /// These settings and the defaults for the rest.
    pub fn new(url: String, model: String, api_key: Option<String>) -> Self {
        Self {
            url,
            model,
            api_key,
            tokens_max: 300,
            strict_tools: false,
            include_usage: true,
            connect_timeout: Duration::from_secs(3),
            first_token_timeout: Duration::from_secs(20),
            stall_timeout: Duration::from_secs(10),
        }
    }
}

/// Shows that there is a key, never the key.
impl fmt::Debug for LlmSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LlmSettings")
            .field("url", &self.url)
            .field("model", &self.model)
            .field("api_key", &self.api_key.as_ref().map(|_| "set"))
            .finish_non_exhaustive()
    }
}

/// Why a reply broke off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum ModelError {
    #[error("the language model cannot be reached")]
    Unreachable,
    #[error("the language model did not answer within {} s", .0.as_secs_f32())]
    Slow(Duration),
    #[error("the language model stopped in the middle of its answer")]
    Broken,
    #[error("the language model's server answered {status}{}", detail(message))]
    Refused { status: u16, message: String },
    #[error("the language model failed{}", detail(.0))]
    Failed(String),
    #[error("the language model's server sent something that is no chat completion")]
    Malformed,
    #[error("the language model's server sent more than {MODEL_EVENT_BYTES_MAX} bytes at once")]
    Oversized,
}

impl From<BodyError> for ModelError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Broken => Self::Broken,
            BodyError::TooLarge(_) => Self::Oversized,
            BodyError::NotText => Self::Malformed,
        }
    }
}

impl From<ModelError> for StageError {
    fn from(error: ModelError) -> Self {
        let kind = match &error {
            ModelError::Unreachable => FailureKind::Unreachable,
            ModelError::Slow(_) => FailureKind::TimedOut,
            ModelError::Broken | ModelError::Failed(_) => FailureKind::Broken,
            ModelError::Refused { status, .. } => kind_of_status(*status),
            ModelError::Malformed | ModelError::Oversized => FailureKind::Malformed,
        };
        Self::new(kind, error.to_string())
    }
}

/// A model that can be asked.
#[derive(Debug)]
pub(in crate::backend) struct Model {
    api: Api,
    settings: LlmSettings,
}

impl Model {
    /// Checks the settings. Nothing is sent yet.
    pub(in crate::backend) fn new(settings: LlmSettings) -> Result<Self, BackendError> {
        let invalid = |problem: String| BackendError::Invalid { problem };
        let (at, key) = ((settings.url.as_str(), "chat/completions"), &settings.api_key);
        let api = Api::new("llm", at, key.as_deref(), settings.connect_timeout)?;
        if settings.model.is_empty() {
            return Err(invalid("llm.model: is required but empty".to_owned()));
        }
        Ok(Self { api, settings })
    }

    pub(super) async fn check(&self) -> Result<(), Problem> {
        self.api.check().await
    }

    /// As [`LlmStage::ask`](super::LlmStage::ask).
    pub(super) fn ask(
        &self,
        prompt: &Prompt,
        tools: &[ToolDeclaration],
        mut answer: Answer,
    ) -> Asking {
        let LlmSettings { tokens_max, include_usage, strict_tools, .. } = self.settings;
        let settings =
            ChatSettings { tokens_max, include_usage, strict_tools, ..ChatSettings::default() };
        let body = request(prompt, &self.settings.model, &settings, tools);
        let request = self.api.post().json(&body);
        let (first, stall) = (self.settings.first_token_timeout, self.settings.stall_timeout);
        Asking(tokio::spawn(async move {
            let result = match timeout(first, request.send()).await {
                Err(_) => Err(ModelError::Slow(first)),
                Ok(Err(_)) => Err(ModelError::Unreachable),
                Ok(Ok(response)) => answer.read(response, first, stall).await,
            };
            drop(answer.finish(result.map_err(StageError::from)).await);
        }))
    }
}

impl Answer {
    async fn read(
        &mut self,
        response: Response,
        first: Duration,
        stall: Duration,
    ) -> Result<(), ModelError> {
        if !response.status().is_success() {
            let status = response.status().as_u16();
            let body = timeout(stall, http::whole(response, MODEL_EVENT_BYTES_MAX))
                .await
                .ok()
                .and_then(Result::ok);
            let message = body.map(|body| read_error(&body)).unwrap_or_default();
            return Err(ModelError::Refused { status, message });
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if kind.is_some_and(|kind| kind.starts_with("application/json")) {
            // It did not stream although it was asked to.
            let body = timeout(first, http::whole(response, MODEL_EVENT_BYTES_MAX)).await;
            let body = body.map_err(|_| ModelError::Slow(first))??;
            return self.take(&body).await.map(|_| ());
        }
        self.read_events(response, first, stall).await
    }

    async fn read_events(
        &mut self,
        response: Response,
        first: Duration,
        stall: Duration,
    ) -> Result<(), ModelError> {
        let mut events = Box::pin(metered(response).eventsource());
        let mut has_begun = false;
        loop {
            let patience = if has_begun { stall } else { first };
            let next = timeout(patience, events.next());
            let event = match next.await {
                Err(_) => return Err(ModelError::Slow(patience)),
                // Servers that close without a last word are taken to have finished only if they
                // said something.
                Ok(None) if has_begun => return Ok(()),
                Ok(None) => return Err(ModelError::Broken),
                Ok(Some(Err(eventsource_stream::EventStreamError::Transport(error)))) => {
                    return Err(error);
                }
                Ok(Some(Err(_))) => return Err(ModelError::Malformed),
                Ok(Some(Ok(event))) => event,
            };
            match self.take(&event.data).await? {
                Taken::Something => has_begun = true,
                Taken::Nothing => {}
                Taken::End => return Ok(()),
            }
        }
    }

    async fn take(&mut self, data: &str) -> Result<Taken, ModelError> {
        match read_event(data) {
            ChatEvent::Chunk(chunk) => {
                chunk.calls.iter().for_each(|call| self.calls.push(call));
                if let Some(tokens) = chunk.usage {
                    self.exchange.told(tokens);
                }
                if chunk.is_reasoning || !chunk.calls.is_empty() {
                    self.works().await;
                }
                if chunk.text.is_empty() {
                    let taken =
                        if chunk.calls.is_empty() { Taken::Nothing } else { Taken::Something };
                    return Ok(taken);
                }
                Ok(if self.say(chunk.text).await { Taken::Something } else { Taken::End })
            }
            ChatEvent::Done => Ok(Taken::End),
            ChatEvent::Failed(message) => Err(ModelError::Failed(message)),
            ChatEvent::Malformed => Err(ModelError::Malformed),
        }
    }
}

enum Taken {
    Something,
    Nothing,
    End,
}

/// The body's bytes, broken off once a single event grows beyond its limit.
fn metered(response: Response) -> impl Stream<Item = Result<Vec<u8>, ModelError>> {
    let mut event_bytes = 0;
    let mut line_bytes = 0;
    response.bytes_stream().map(move |chunk| {
        let chunk = chunk.map_err(|_| ModelError::Broken)?;
        for byte in &chunk {
            event_bytes += 1;
            match byte {
                b'\r' => {}
                // An empty line ends an event.
                b'\n' if line_bytes == 0 => event_bytes = 0,
                b'\n' => line_bytes = 0,
                _ => line_bytes += 1,
            }
        }
        if event_bytes > MODEL_EVENT_BYTES_MAX {
            return Err(ModelError::Oversized);
        }
        Ok(chunk.to_vec())
    })
}

#[cfg(test)]
pub(in crate::backend) mod tests;
