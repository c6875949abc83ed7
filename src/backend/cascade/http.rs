//! What the stages behind HTTP have in common.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Client, Response, Url, redirect};

use crate::backend::BackendError;
use crate::cascade::failover::FailureKind;

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
