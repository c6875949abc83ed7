//! Antiphon's HTTP face: an SDP exchange that follows WHIP (RFC 9725), sessions with join tokens,
//! health, and the demo page. It knows no media: SDP and fragments are opaque strings that it passes
//! to the [`Port`] it declares.

pub mod port;
