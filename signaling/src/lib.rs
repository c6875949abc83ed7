//! Antiphon's HTTP face: an SDP exchange that follows WHIP (RFC 9725), sessions with join tokens,
//! health, and the demo page. It knows no media: SDP and fragments are opaque strings that it passes
//! to the [`Port`](port::Port) it declares.
//!
//! ```text
//! POST   /v1/rtc[?agent=NAME]   application/sdp -> 201 application/sdp, Location, ETag, Link
//! PATCH  /v1/rtc/{call}         application/trickle-ice-sdpfrag -> 204, or 200 with a new ETag
//! DELETE /v1/rtc/{call}         -> 200
//! POST   /v1/session            {"agent"?, "ttl_s"?} -> 201 {session_id, join_token, rtc_url, ...}
//! GET    /v1/session/{id}       -> 200 {session_id, agent, state, expires_at, call?}
//! DELETE /v1/session/{id}       -> 204
//! GET    /healthz, /readyz      -> 200, or 503 with the reason
//! GET    /...                   static pages
//! ```
//!
//! Errors are `application/problem+json` (RFC 9457) with `type`, `title`, `status`, `detail` and,
//! where they make sense, `field`, `limit` and `received`. Only what never becomes a request (a head
//! that is malformed, too large or too late) is answered by the HTTP library, without a body.
//!
//! # Departures from RFC 9725
//!
//! - **Media is two-way.** WHIP is ingest: offers send, answers receive. A voice agent speaks too,
//!   so an offer may be `sendrecv` and is then answered so. Clients that only send still work.
//! - **`GET` of a call is 204 whether or not the call exists**, so that it does not tell which ids
//!   do.
//! - **The token is read from `Authorization` only**, never from the URL, which gets logged.
//! - **ICE servers in `OPTIONS`** are given only with an access key (or where none is configured):
//!   a join token is redeemed once, by the `POST`, whose 201 has them too.
//! - **`If-Match: "*"`** is understood as `*`, which the RFC's own example writes in quotes.
//! - **`PATCH` and `DELETE` belong to whoever made the call**: where access keys exist, they need an
//!   access key, or the join token that the call was made with; `auth.rs` says how that is checked.
//!   Where none exists, the call's unguessable id is enough.
//! - **Extensions**: none.
//!
//! # Patience
//!
//! [`serve`] bounds the number of connections, the time for a request's head and for its body, how
//! long a connection idles and how old it gets; [`limits`] has the figures and their reasons.

mod app;
mod auth;
mod body;
pub mod config;
pub mod header;
pub mod limits;
mod link;
pub mod origin;
mod page;
pub mod port;
mod problem;
mod router;
mod rtc;
mod secret;
mod serve;
pub mod session;
pub mod turn;

pub use config::{Limits, SignalingConfig};
pub use page::Page;
pub use router::router;
pub use secret::Secret;
pub use serve::serve;
