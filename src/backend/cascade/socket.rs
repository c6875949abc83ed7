//! What the stages behind WebSockets have in common (RFC 6455).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
};

use super::error::{StageError, kind_of_status};
use super::health;
use super::http::detail;
use crate::backend::{BackendError, Problem};
use crate::cascade::chat::read_error;
use crate::cascade::failover::FailureKind;
use crate::limits::{RECOGNISER_CLOSE_TIMEOUT, STAGE_ERROR_BYTES_MAX, STAGE_MESSAGE_BYTES_MAX};

/// A connection. What it yields is bounded by [`STAGE_MESSAGE_BYTES_MAX`].
pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Where connections to one service are opened.
pub(super) struct Door {
    endpoint: Url,
    headers: Vec<(HeaderName, HeaderValue)>,
    connect_timeout: Duration,
    tls: Arc<ClientConfig>,
}

/// Why there is no connection, or no longer. The texts follow the name of a service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SocketError {
    #[error("cannot be reached")]
    Unreachable,
    #[error("did not accept a connection within {} s", .0.as_secs_f32())]
    Slow(Duration),
    #[error("answered {status}{}", detail(message))]
    Refused { status: u16, message: String },
    #[error("hung up")]
    Broken,
    #[error("sent more than {STAGE_MESSAGE_BYTES_MAX} bytes at once")]
    Oversized,
}

impl SocketError {
    pub(super) const fn kind(&self) -> FailureKind {
        match self {
            Self::Unreachable => FailureKind::Unreachable,
            Self::Slow(_) => FailureKind::TimedOut,
            Self::Refused { status, .. } => kind_of_status(*status),
            Self::Broken => FailureKind::Broken,
            Self::Oversized => FailureKind::Malformed,
        }
    }
}

impl From<Error> for SocketError {
    fn from(error: Error) -> Self {
        match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => Self::Oversized,
            Error::Http(response) => {
                let body = response.body().as_deref().unwrap_or_default();
                let body = &body[..body.len().min(STAGE_ERROR_BYTES_MAX)];
                let message = read_error(&String::from_utf8_lossy(body));
                Self::Refused { status: response.status().as_u16(), message }
            }
            _ => Self::Broken,
        }
    }
}

impl Door {
    /// Connections to `path` below a base address, `ws(s)://` or `http(s)://`, with these headers. `what`
    /// names the setting of the address in an error. Nothing is sent yet.
    pub(super) fn new(
        what: &str,
        base: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        connect_timeout: Duration,
    ) -> Result<Self, BackendError> {
        let invalid = |problem: String| BackendError::Invalid { problem };
        let socket = base.replacen("http", "ws", usize::from(base.starts_with("http")));
        let address = format!("{}/{}", socket.trim_end_matches('/'), path.trim_start_matches('/'));
        let endpoint = Url::parse(&address).ok();
        let endpoint = endpoint.filter(|url| matches!(url.scheme(), "ws" | "wss"));
        let endpoint = endpoint
            .ok_or_else(|| invalid(format!("{what}: expected ws(s)://..., received {base}")))?;
        let header = |(name, value): &(&'static str, &str)| {
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                invalid(format!("{what}: the header {name} cannot hold what is set for it"))
            })?;
            value.set_sensitive(true);
            Ok((HeaderName::from_static(name), value))
        };
        let headers = headers.iter().map(header).collect::<Result<_, _>>()?;
        // Whoever installed one before is as good: the process has only one provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tls = ClientConfig::with_platform_verifier()
            .map_err(|error| invalid(format!("{what}: TLS cannot be set up: {error}")))?;
        Ok(Self { endpoint, headers, connect_timeout, tls: Arc::new(tls) })
    }

    /// Opens one, asking for this.
    pub(super) async fn open(&self, query: &[(&str, &str)]) -> Result<Socket, SocketError> {
        let mut address = self.endpoint.clone();
        if !query.is_empty() {
            address.query_pairs_mut().extend_pairs(query);
        }
        let mut request =
            address.as_str().into_client_request().map_err(|_| SocketError::Unreachable)?;
        request.headers_mut().extend(self.headers.iter().cloned());
        let config = WebSocketConfig::default()
            .max_message_size(Some(STAGE_MESSAGE_BYTES_MAX))
            .max_frame_size(Some(STAGE_MESSAGE_BYTES_MAX));
        let connector = Connector::Rustls(Arc::clone(&self.tls));
        // Small messages that somebody waits for: none is held back to fill a packet.
        let no_delay = true;
        let opening =
            connect_async_tls_with_config(request, Some(config), no_delay, Some(connector));
        match timeout(self.connect_timeout, opening).await {
            Err(_) => Err(SocketError::Slow(self.connect_timeout)),
            Ok(Err(Error::Http(response))) => Err(Error::Http(response).into()),
            Ok(Err(_)) => Err(SocketError::Unreachable),
            Ok(Ok((socket, _))) => Ok(socket),
        }
    }

    /// Whether the service is there and accepts the key: a connection is opened, nothing is said, and it is
    /// closed in order. No service counts that: Deepgram counts audio, Cartesia and ElevenLabs count the text
    /// of contexts, of which none is opened, and a `moshi-server` lends one of its channels for the moment.
    /// `section` names the settings.
    pub(super) async fn check(
        &self,
        section: &str,
        query: &[(&'static str, String)],
    ) -> Result<(), Problem> {
        let query: Vec<_> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match self.open(&query).await {
            Ok(mut socket) => {
                // Nobody waits for the goodbye, in which the other side may still say something.
                tokio::spawn(timeout(RECOGNISER_CLOSE_TIMEOUT, async move {
                    if socket.close(None).await.is_ok() {
                        while let Some(Ok(_)) = socket.next().await {}
                    }
                }));
                Ok(())
            }
            Err(error) => {
                let error = StageError::new(error.kind(), error.to_string());
                Err(health::problem(section, &self.endpoint, &error))
            }
        }
    }
}

/// Shows where to, never the keys.
impl fmt::Debug for Door {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Door")
            .field("endpoint", &self.endpoint.as_str())
            .finish_non_exhaustive()
    }
}
