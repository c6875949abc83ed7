//! Every bound of the HTTP face, with its unit, its reason and what happens at the limit.
//!
//! What a deployment or a test may want to change is in [`Limits`](crate::config::Limits), whose
//! standard values are taken from here.

use std::time::Duration;

// ==== Connections ====

/// Connections open at once. One more waits in the kernel's accept queue until another closes.
pub const CONNECTIONS_MAX: usize = 512;
/// The time in which a request's whole head must arrive, counted from the moment the connection
/// became ready for it; so also the longest a kept-alive connection may idle. Then it is closed.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(10);
/// The time in which a request's body must arrive. Then 408, and the connection is closed.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(10);
/// The age at which a connection is closed after the request it is busy with, and cut off if that
/// does not end within [`SHUTDOWN_GRACE`]. It bounds a client that never reads its response.
pub const CONNECTION_AGE_MAX: Duration = Duration::from_secs(120);
/// How long requests in progress may still take once the server stops. Then they are cut off.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// Bytes of a request's head (and of the connection's read buffer). More is 431.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Header fields of one request. More is 431.
pub const HEADERS_MAX: usize = 64;

// ==== Requests ====

/// Requests to the port in progress at once, those whose client hung up included. More is 503.
pub const REQUESTS_MAX: usize = 256;
/// Bytes of an SDP or a fragment. A browser's audio offer is 3 to 8 KiB. More is 413.
pub const SDP_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a JSON body. More is 413.
pub const JSON_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a body too large that are still read (and thrown away) so that the client is ready to
/// read the 413. A client that sends more is answered while it is still sending.
pub const DISCARDED_BYTES_MAX: usize = 1024 * 1024;
/// Characters of an agent's name.
pub const AGENT_CHARS_MAX: usize = 64;
/// Characters of the id of a call or session in a path. A longer one is not found.
pub const ID_CHARS_MAX: usize = 128;
/// Bytes of a bearer token. A longer one is refused as malformed.
pub const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// Entity tags in one `If-Match`. A call has one; more than this is a mistake or an attack.
pub const ENTITY_TAGS_MAX: usize = 16;
/// Characters of what was received that a problem document quotes; the rest is cut.
pub const QUOTED_CHARS_MAX: usize = 64;
/// Seconds that a session's token may stay valid: an hour. More is 422.
pub const SESSION_TTL_S_MAX: u64 = 60 * 60;

/// What a client is told to wait when [`REQUESTS_MAX`] is reached.
pub const BUSY_RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long a browser may remember the answer to a CORS preflight, in seconds.
pub const PREFLIGHT_AGE_S: u32 = 600;
/// The pause after a failed `accept`, when the process is out of file descriptors.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const _: () = assert!(JSON_BYTES_MAX < SDP_BYTES_MAX && SDP_BYTES_MAX < DISCARDED_BYTES_MAX);
const _: () = assert!(TOKEN_BYTES_MAX < HEAD_BYTES_MAX, "a longest token must fit a head");
const _: () = assert!(HEAD_BYTES_MAX >= 8 * 1024, "the smallest buffer that hyper takes");
