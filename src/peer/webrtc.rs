//! The WebRTC stack of one call, around the sans-IO `rtc` crate; the only place that names it.
//!
//! `rtc` does DTLS, SRTP, SCTP and the cryptography of ICE. It is fed descriptions that we wrote from
//! checked types, never a stranger's text, and its gaps are closed here from outside:
//!
//! | gap in `rtc` 0.21.1 | what [`session`] does |
//! |---|---|
//! | a nomination that comes before its own check succeeded is neither answered nor remembered | [`path`] keeps it and gives it again |
//! | what arrives before a pair is selected is dropped, the first DTLS flight with it | it is kept and given again |
//! | the selected pair never changes | datagrams are sent where the peer last nominated |
//! | an ICE restart drops the running path at once | it is staged until the peer's first check on it |
//! | the silence of a peer is judged by STUN on the first pair only | any authenticated sign of life counts |
//! | round trip, loss and jitter are missing or wrong | [`crate::rtp::rtcp`] |

mod identity;
mod interfaces;
mod path;
mod reports;
pub(super) mod session;
mod stack;

pub(super) use identity::Identity;
pub use identity::IdentityError;
pub(super) use interfaces::host_addresses;
pub use session::SessionStats;
