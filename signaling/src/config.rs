//! What the owner of the server decides about its HTTP face.

use std::time::Duration;

use crate::limits;
use crate::secret::Secret;

/// Who may call, from which web pages, and how patient the server is.
#[derive(Clone, Debug)]
pub struct SignalingConfig {
    /// Keys that admit to everything. None: everybody who can connect is admitted, so the server
    /// must then listen on loopback only (which its owner checks; this crate is given a listener).
    /// An empty key would admit nobody, since an empty bearer token is malformed.
    pub access_keys: Vec<Secret>,
    /// Origins of web pages that may call, besides pages from a loopback address and (if there is
    /// an access key) pages of this server itself; such as `https://app.example.com`, or `*` for
    /// all. See [`Origins`](crate::origin::Origins) for the reasons.
    pub allowed_origins: Vec<String>,
    /// Where clients reach this server, such as `https://voice.example.com`, without a path. With
    /// it the `rtc_url` of a session is absolute; without it, it is the path only, since a server
    /// behind a proxy cannot know its own name.
    pub public_url: Option<String>,
    /// Sizes, times and counts.
    pub limits: Limits,
}

/// The bounds that a deployment may set; the others are constants in [`limits`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// See [`limits::CONNECTIONS_MAX`].
    pub connections_max: usize,
    /// See [`limits::HEAD_TIME_MAX`].
    pub head_time_max: Duration,
    /// See [`limits::BODY_TIME_MAX`].
    pub body_time_max: Duration,
    /// See [`limits::CONNECTION_AGE_MAX`].
    pub connection_age_max: Duration,
    /// See [`limits::SHUTDOWN_GRACE`].
    pub shutdown_grace: Duration,
    /// See [`limits::REQUESTS_MAX`].
    pub requests_max: usize,
    /// See [`limits::SDP_BYTES_MAX`].
    pub sdp_bytes_max: usize,
}

impl Limits {
    /// The values that [`limits`] gives reasons for.
    pub const STANDARD: Self = Self {
        connections_max: limits::CONNECTIONS_MAX,
        head_time_max: limits::HEAD_TIME_MAX,
        body_time_max: limits::BODY_TIME_MAX,
        connection_age_max: limits::CONNECTION_AGE_MAX,
        shutdown_grace: limits::SHUTDOWN_GRACE,
        requests_max: limits::REQUESTS_MAX,
        sdp_bytes_max: limits::SDP_BYTES_MAX,
    };
}
