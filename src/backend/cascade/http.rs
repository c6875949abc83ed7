//! What the stages behind HTTP have in common.

use std::fmt;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Client, RequestBuilder, Response, Url, redirect};

use super::error::{StageError, kind_of_status};
use super::health;
use crate::backend::{BackendError, Problem};
use crate::cascade::chat::read_error;
use crate::cascade::failover::FailureKind;
use crate::limits::STAGE_ERROR_BYTES_MAX;

/// One endpoint of an OpenAI-compatible API, and the list of its models.
pub(super) struct Api {
    /// The settings of its stage, to name them in an error.
    section: &'static str,
    client: Client,
    endpoint: Url,
    models: Url,
    key: Option<String>,
}

/// Shows that there is a key, never the key.
impl fmt::Debug for Api {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Api")
            .field("section", &self.section)
            .field("endpoint", &self.endpoint.path())
            .field("key", &self.key.as_ref().map(|_| "set"))
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Checks a base address. Nothing is sent yet.
    pub(super) fn new(
        section: &'static str,
        (base, path): (&str, &str),
        key: Option<&str>,
        connect_timeout: Duration,
    ) -> Result<Self, BackendError> {
        let what = format!("{section}.url");
        let (endpoint, models) = (endpoint(&what, base, path)?, endpoint(&what, base, "models")?);
        let client = client(section, connect_timeout)?;
        Ok(Self { section, client, endpoint, models, key: key.map(str::to_owned) })
    }

    /// A request, with the key, to which its body is to be added.
    pub(super) fn post(&self) -> RequestBuilder {
        self.with_key(self.client.post(self.endpoint.clone()))
    }

    /// Whether a server is there and accepts the key, by the list of its models, which is part of every
    /// OpenAI-compatible API and costs nothing. Small servers have no such list and answer something
    /// else: they are there too. What is in the list means nothing, since models have aliases.
    pub(super) async fn check(&self) -> Result<(), Problem> {
        let failed = |kind, message: String| {
            Err(health::problem(self.section, &self.models, &StageError::new(kind, message)))
        };
        let request = self.with_key(self.client.get(self.models.clone()));
        let Ok(response) = request.send().await else {
            return failed(FailureKind::Unreachable, "cannot be reached".to_owned());
        };
        let status = response.status().as_u16();
        // 501: it is there, and does not know the question.
        let is_there = status < 500 && !matches!(status, 401 | 403 | 429) || status == 501;
        if is_there {
            return Ok(());
        }
        let body = whole(response, STAGE_ERROR_BYTES_MAX).await;
        let message = body.map(|body| read_error(&body)).unwrap_or_default();
        failed(kind_of_status(status), format!("answered {status}{}", detail(&message)))
    }

    fn with_key(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }
}

fn client(section: &str, connect_timeout: Duration) -> Result<Client, BackendError> {
    // Whoever installed one before is as good: the process has only one provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .connect_timeout(connect_timeout)
        // A redirect would take the key and the user's words to somewhere nobody configured.
        .redirect(redirect::Policy::none())
        .build()
        .map_err(|error| BackendError::Invalid { problem: format!("{section}: {error}") })
}

fn endpoint(what: &str, base: &str, path: &str) -> Result<Url, BackendError> {
    let address = format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'));
    let url = Url::parse(&address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| BackendError::Invalid {
        problem: format!("{what}: expected http(s)://..., received {base}"),
    })
}

/// Why a body is not text that can be looked at. The texts follow the name of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    #[error("hung up before the end of its answer")]
    Broken,
    #[error("answered with more than {0} bytes")]
    TooLarge(usize),
    #[error("answered with text that is no UTF-8")]
    NotText,
}

impl BodyError {
    pub(super) const fn kind(self) -> FailureKind {
        match self {
            Self::Broken => FailureKind::Broken,
            Self::TooLarge(_) | Self::NotText => FailureKind::Malformed,
        }
    }
}

/// A whole body of text.
pub(super) async fn whole(response: Response, bytes_max: usize) -> Result<String, BodyError> {
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(|_| BodyError::Broken)?);
        if body.len() > bytes_max {
            return Err(BodyError::TooLarge(bytes_max));
        }
    }
    String::from_utf8(body).map_err(|_| BodyError::NotText)
}

/// What a server's error says behind its status: `: busy`, or nothing.
pub(super) fn detail(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}
