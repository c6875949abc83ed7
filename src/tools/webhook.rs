//! Posts a use to a web server, whose answer is the result.
//!
//! ```text
//! POST /their/path
//! Content-Type: application/json
//! Antiphon-Tool: weather
//! Idempotency-Key: 6f1c/tu-9                          the same for every attempt
//! Antiphon-Signature: t=1767225600,v1=5257a869e7...   only with a secret
//!
//! {"call_id":"6f1c","tool":"weather","use_id":"tu-9","arguments":{"city":"Paris"}}
//! ```
//!
//! `v1` is the HMAC-SHA256, in hexadecimal, of the number after `t` (seconds since 1970 in UTC), a full stop
//! and the body as it was sent. Who receives it computes the same with the shared secret, and refuses what
//! differs or is older than a few minutes.
//!
//! An answer of the 200s with JSON is the result; without a body it is `null`. Redirects are not
//! followed: they would take the arguments to somewhere nobody configured. Only what is declared
//! idempotent is tried again: when no whole answer came, or one that asks for it (429, 502, 503, 504).
#![cfg(feature = "shell")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::time::{Instant, sleep};

use super::desk::ToolRun;
use super::json::{self, JsonError, clip};
use super::spec::{Secret, WebhookSettings};
use crate::limits::{
    TOOL_JSON_DEPTH_MAX, TOOL_RESULT_BYTES_MAX, WEBHOOK_CONNECT_TIMEOUT, WEBHOOK_ERROR_CHARS_MAX,
    WEBHOOK_RETRY_PAUSES,
};

/// Why there is no result: for the model. What the server said may be of the user, so that it belongs into
/// no log; [`WebhookError::for_log`] leaves it out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WebhookError {
    #[error("the tool's server cannot be reached")]
    Unreachable,
    #[error("the tool's server hung up before the end of its answer")]
    Broken,
    #[error("the tool's server answered {status}{}", detail(body))]
    Refused { status: u16, body: String },
    #[error("the tool's server answered with more than {TOOL_RESULT_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the answer of the tool's server cannot be used: {0}")]
    Unusable(String),
}

fn detail(body: &str) -> String {
    if body.is_empty() { String::new() } else { format!(": {body}") }
}

impl WebhookError {
    /// The same without anything that the server said.
    pub(super) fn for_log(&self) -> String {
        match self {
            Self::Refused { status, .. } => {
                Self::Refused { status: *status, body: String::new() }.to_string()
            }
            other => other.to_string(),
        }
    }

    /// Whether another attempt may go better. Something may have been done all the same.
    const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable | Self::Broken => true,
            Self::Refused { status, .. } => matches!(status, 429 | 502 | 503 | 504),
            Self::TooLarge | Self::Unusable(_) => false,
        }
    }
}

/// Whether a use could be posted there: `http://` or `https://`, and a host. `secret_key` is the setting that
/// takes the secret which does not belong into an address.
///
/// # Errors
///
/// What was expected and what was received, without a password that stands in it.
pub fn check_url(text: &str, secret_key: &str) -> Result<(), String> {
    const EXPECTED: &str = "expected http://HOST/... or https://HOST/...";
    let Ok(url) = Url::parse(text) else {
        return Err(format!("{EXPECTED}, received something that is no address"));
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{EXPECTED}, received one that begins with {}:", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "{EXPECTED} without a user's name, received one with it; use {secret_key}"
        ));
    }
    Ok(())
}

/// The client of all webhooks. Clones share its connections.
#[derive(Clone, Debug)]
pub(super) struct Webhooks {
    client: Client,
}

impl Webhooks {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        // Whoever installed one before is as good: the process has only one provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(WEBHOOK_CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("antiphon/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client })
    }

    /// Posts a use until there is a result, an error that lasts, or no time left until `deadline` for
    /// another attempt. Whoever calls it stops waiting at `deadline`.
    pub(super) async fn call(
        &self,
        settings: &WebhookSettings,
        run: &ToolRun,
        deadline: Instant,
    ) -> Result<Value, WebhookError> {
        let body = json!({
            "call_id": run.call_id,
            "tool": run.tool,
            "use_id": run.use_id,
            "arguments": run.arguments,
        })
        .to_string();
        let pauses: &[Duration] = if run.idempotent { &WEBHOOK_RETRY_PAUSES } else { &[] };
        let mut result = self.attempt(settings, run, &body).await;
        for pause in pauses {
            let is_final = result.as_ref().map_or_else(|error| !error.is_passing(), |_| true);
            if is_final || Instant::now() + *pause >= deadline {
                break;
            }
            sleep(*pause).await;
            result = self.attempt(settings, run, &body).await;
        }
        result
    }

    async fn attempt(
        &self,
        settings: &WebhookSettings,
        run: &ToolRun,
        body: &str,
    ) -> Result<Value, WebhookError> {
        let mut request = self
            .client
            .post(&settings.url)
            .header(CONTENT_TYPE, "application/json")
            .header("antiphon-tool", run.tool.as_bytes())
            .header("idempotency-key", &run.idempotency_key);
        if let Some(secret) = &settings.secret {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            request = request.header("antiphon-signature", sign(secret, now.as_secs(), body));
        }
        let response = request.body(body.to_owned()).send().await;
        let mut response = response.map_err(|error| {
            if error.is_connect() { WebhookError::Unreachable } else { WebhookError::Broken }
        })?;
        let status = response.status();
        if !status.is_success() {
            return Err(refused(status, &mut response).await);
        }
        let body = read(&mut response).await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        let text = str::from_utf8(&body)
            .map_err(|_| WebhookError::Unusable("expected JSON, received no UTF-8".to_owned()))?;
        let unusable = |error: JsonError| WebhookError::Unusable(error.to_string());
        json::read(text, TOOL_RESULT_BYTES_MAX, TOOL_JSON_DEPTH_MAX).map_err(unusable)
    }
}

async fn refused(status: StatusCode, response: &mut Response) -> WebhookError {
    // What it says about it is a help, no more: without it the status stands alone.
    let body = read(response).await.unwrap_or_default();
    let body = clip(String::from_utf8_lossy(&body).trim(), WEBHOOK_ERROR_CHARS_MAX);
    WebhookError::Refused { status: status.as_u16(), body }
}

/// A whole body, bounded.
async fn read(response: &mut Response) -> Result<Vec<u8>, WebhookError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| WebhookError::Broken)? {
        if body.len() + chunk.len() > TOOL_RESULT_BYTES_MAX {
            return Err(WebhookError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The value of the header `Antiphon-Signature`.
fn sign(secret: &Secret, unix_seconds: u64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(format!("{unix_seconds}.{body}").as_bytes());
    let digest = mac.finalize().into_bytes();
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={unix_seconds},v1={digest}")
}

#[cfg(test)]
pub(super) mod tests;
