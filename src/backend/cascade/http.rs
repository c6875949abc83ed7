//! What the stages behind HTTP have in common.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Client, Response, Url, redirect};

use super::error::{StageError, kind_of_status};
use super::health;
use crate::backend::{BackendError, Problem};
use crate::cascade::chat::read_error;
use crate::cascade::failover::FailureKind;
use crate::limits::STAGE_ERROR_BYTES_MAX;

/// A client for one provider. `what` names the setting in an error.
pub(super) fn client(what: &str, connect_timeout: Duration) -> Result<Client, BackendError> {
    // Whoever installed one before is as good: the process has only one provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .connect_timeout(connect_timeout)
        // A redirect would take the key and the user's words to somewhere nobody configured.
        .redirect(redirect::Policy::none())
        .build()
        .map_err(|error| BackendError::Invalid { problem: format!("{what}: {error}") })
}

/// The address of `path` below a base address.
pub(super) fn endpoint(what: &str, base: &str, path: &str) -> Result<Url, BackendError> {
    let address = format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'));
    let url = Url::parse(&address).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| BackendError::Invalid {
        problem: format!("{what}: expected http(s)://..., received {base}"),
    })
}

/// Whether a server is there and accepts the key, by the list of its models, which is part of every
/// OpenAI-compatible API and costs nothing. Small servers have no such list and answer something else: they
/// are there too. What is in the list means nothing, since models have aliases. `section` names the settings.
pub(super) async fn check(
    section: &str,
    client: &Client,
    models: &Url,
    key: Option<&str>,
) -> Result<(), Problem> {
    let failed = |kind, message: String| {
        Err(health::problem(section, models, &StageError::new(kind, message)))
    };
    let mut request = client.get(models.clone());
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
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
