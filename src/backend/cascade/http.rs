//! What the stages behind HTTP have in common.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Client, Response, Url, redirect};

use crate::backend::BackendError;

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

/// A whole body of text. The error says what is wrong with it, and follows the server's name.
pub(super) async fn whole(response: Response, bytes_max: usize) -> Result<String, String> {
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let broken = |_| "hung up before the end of its answer".to_owned();
        body.extend_from_slice(&chunk.map_err(broken)?);
        if body.len() > bytes_max {
            return Err(format!("answered with more than {bytes_max} bytes"));
        }
    }
    String::from_utf8(body).map_err(|_| "answered with text that is no UTF-8".to_owned())
}
