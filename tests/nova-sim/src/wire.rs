//! The real wire: TLS, HTTP/2, event-stream frames with chained signatures. Thin: what is said, and
//! when, is decided by [`session`](crate::session).

mod connection;
mod engines;
mod frame;
mod signature;
mod stages;
mod stream;

pub(crate) use self::connection::serve;
pub(crate) use self::engines::Engines;
pub(crate) use self::signature::Signer;
