//! Amazon Nova Sonic on Bedrock: one stream in place of three hops.
//!
//! ```text
//! call -- BackendInput --> machine (joins) --> nova::session (pure) --> units --> line --> service
//!      <- BackendOutput --         <---------------------------------- reports <-'
//! ```
//!
//! What is said and when is decided in [`crate::nova`]; here are the streams ([`line`]), the account they
//! go to ([`account`], [`credentials`], [`client`]), how many there may be ([`budget`]), those kept ready
//! ([`pool`]), and the question at start whether it would work at all ([`check`]). Nobody else names a crate
//! of AWS.

pub mod account;
pub mod budget;
mod client;
pub mod credentials;
mod errors;
pub mod line;
pub mod settings;

pub use settings::{ConnectionSettings, NovaSonicSettings, WarmSettings};
