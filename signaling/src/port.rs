//! What this crate asks of whoever carries the calls.

use std::fmt;
use std::future::Future;
use std::time::{Duration, SystemTime};

use serde::Serialize;

/// Answers offers and keeps calls and sessions. Implemented by the server; every method returns
/// promptly, bounded by time limits of its own.
pub trait Port: Send + Sync + 'static {
    /// Negotiates a new call.
    fn answer(&self, offer: Offer) -> impl Future<Output = Result<Answer, Refusal>> + Send;

    /// Applies a trickle-ICE fragment (RFC 8840) to a running call: more candidates, or, if its
    /// ICE user name differs from the current one, an ICE restart.
    fn patch(
        &self,
        call: &str,
        patch: Patch,
    ) -> impl Future<Output = Result<Patched, Refusal>> + Send;

    /// Ends a call and frees all it holds.
    fn end(&self, call: &str) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Registers a session, whose join token then admits one call.
    fn open_session(
        &self,
        request: SessionRequest,
    ) -> impl Future<Output = Result<Session, Refusal>> + Send;

    /// Looks a session up.
    fn session(&self, id: &str) -> impl Future<Output = Result<SessionStatus, Refusal>> + Send;

    /// Ends a session and its call.
    fn close_session(&self, id: &str) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// ICE servers for a client, with time-limited credentials for `user`.
    fn ice_servers(&self, user: &str) -> Vec<IceServer>;

    /// What calls did and used, as OpenMetrics text.
    fn metrics(&self) -> String;

    /// Whether new calls are welcome: `Err` says why not (draining, full, a backend is down).
    fn readiness(&self) -> Result<(), String>;
}

/// An SDP offer and on whose authority it came.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The SDP, not looked at.
    pub sdp: String,
    /// The agent asked for by name; `None` for the default one.
    pub agent: Option<String>,
    /// Who asks.
    pub authority: Authority,
}

/// On whose authority a request is made. Tokens are left out of the `Debug` form.
#[derive(Clone, PartialEq, Eq)]
pub enum Authority {
    /// The server has no access key: anyone who can reach it (loopback by default) may.
    Open,
    /// The request carried the access key.
    AccessKey,
    /// The request carried a bearer token that is not the access key: perhaps a join token, which
    /// the port redeems.
    JoinToken(String),
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Open => "Open",
            Self::AccessKey => "AccessKey",
            Self::JoinToken(_) => "JoinToken(..)",
        })
    }
}

/// The accepted offer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The call's unguessable id, URL-safe.
    pub call: String,
    /// The SDP answer, all candidates included.
    pub sdp: String,
    /// The strong entity tag of the ICE session, quotes included.
    pub etag: String,
}

/// A trickle-ICE fragment and the `If-Match` it came with.
#[derive(Clone, Debug)]
pub struct Patch {
    /// The fragment, not looked at.
    pub fragment: String,
    /// The precondition.
    pub if_match: IfMatch,
}

/// The `If-Match` header of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// There was none.
    Missing,
    /// `*`, also when quoted.
    Any,
    /// The tags listed, quotes included.
    Tags(Vec<String>),
}

/// What a fragment did.
#[derive(Clone, Debug)]
pub enum Patched {
    /// Its candidates were taken: 204.
    Trickled,
    /// ICE was restarted: 200 with our fragment and the new tag.
    Restarted { fragment: String, etag: String },
}

/// A request to register a session.
#[derive(Clone, Debug)]
pub struct SessionRequest {
    /// The agent the call will talk to; `None` for the default one.
    pub agent: Option<String>,
    /// How long the join token stays valid; `None` for the default.
    pub ttl: Option<Duration>,
}

/// A registered session. The token is left out of the `Debug` form.
#[derive(Clone)]
pub struct Session {
    pub id: String,
    /// Admits one call, until `expires_at`.
    pub join_token: String,
    pub expires_at: SystemTime,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("id", &self.id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A session as it stands.
#[derive(Clone, Debug)]
pub struct SessionStatus {
    pub id: String,
    pub agent: String,
    pub state: SessionState,
    pub expires_at: SystemTime,
    /// The session's call, once its token was used.
    pub call: Option<String>,
}

/// Where a session is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionState {
    /// The token was not used yet.
    Waiting,
    /// Its call is running.
    Active,
    /// Its call is over, or the token expired unused.
    Ended,
}

/// A STUN or TURN server for the client, in the form of `RTCIceServer` (W3C WebRTC §4.2.2). The
/// credential is left out of the `Debug` form.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct IceServer {
    pub urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

impl fmt::Debug for IceServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("IceServer")
            .field("urls", &self.urls)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Why a request was refused. The HTTP status follows from the variant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400: the field does not parse.
    #[error("{field}: {problem}")]
    Malformed { field: &'static str, problem: String },
    /// 422: it parses but cannot be served.
    #[error("{field}: {problem}")]
    Unprocessable { field: &'static str, problem: String },
    /// 401: no or a wrong token.
    #[error("{0}")]
    Unauthorized(String),
    /// 404: no such call, session or agent.
    #[error("{0}")]
    NotFound(String),
    /// 412: the tag names an older ICE session.
    #[error("{0}")]
    PreconditionFailed(String),
    /// 428: a tag is needed.
    #[error("{0}")]
    PreconditionRequired(String),
    /// 503 with `Retry-After`: full or draining.
    #[error("{problem}")]
    Busy { problem: String, retry_after: Duration },
    /// 500: a bug or a lost task. The text is for the log, not for the client.
    #[error("{0}")]
    Internal(String),
}
