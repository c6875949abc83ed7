//! What carries media: WebRTC here; every other kind of peer will stand beside it.
//!
//! ```text
//!   UDP socket, TCP listener (endpoint, tcp) --> routes --> one bounded queue per call
//!        driver: the one loop of a call           <--------'
//!          webrtc::session (ICE, DTLS, SRTP, SCTP, RTCP), agent, backend, client (RTVI)
//! ```

mod call;
mod client;
mod datagram;
mod driver;
mod endpoint;
mod judge;
mod routes;
mod tape;
mod tcp;
mod webrtc;

pub use call::{
    Answered, CallHandle, CallParts, CallStats, CallSummary, PatchError, Patched, Precondition,
};
pub use endpoint::{Advertise, AnswerError, BindError, Endpoint, EndpointConfig};
pub use judge::TurnJudge;
pub use routes::PortStats;
pub use tape::{Recording, Tape, TapeItem};
pub use webrtc::{IdentityError, SessionStats};
