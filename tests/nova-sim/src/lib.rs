//! A local Amazon Nova Sonic, and beside it the services of a cascade ([`stages`]): what they say, when, and
//! what they refuse, for tests and for development without an account. **It is a simulator, and not
//! Amazon's.**
//!
//! It stands in for the service on the real wire: TLS, HTTP/2, event-stream frames, signatures that
//! are checked. Clients use the real AWS SDK and are told another endpoint, nothing else.
//!
//! ```text
//! socket -> wire -> session: request -> order -> ear -> mind -> delivery -> wire
//!                                                                 |
//!                                                        voice (a task, a thread)
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`session`] | one connection's behaviour; pure, told the time, so that it also runs without sockets |
//! | [`ear`] | speech in the input, by its energy |
//! | [`tones`] | a language that programs understand without a speech engine |
//! | [`mind`] | what is answered |
//! | [`count`] | the answers in a conversation of numbers |
//! | [`faults`] | what goes wrong, and when |
//! | [`stages`] | the services that a cascade is made of: Transcribe, ConverseStream, Polly |
//! | [`settings`] | what can be set |
//! | [`limits`] | the service's limits, and the simulator's own |
//!
//! [`Sim::start`] runs it within a test; the program `antiphon-nova-sim` is for everybody else. It is
//! built from what is known of the service, and shares nothing with the adapter that it tests.

pub mod count;
pub mod ear;
pub mod faults;
pub mod limits;
pub mod mind;
pub mod model;
mod random;
mod server;
pub mod session;
pub mod settings;
pub mod stages;
pub mod tones;
mod wire;

pub use self::server::{Counts, Sighting, Sim, SimHandle, StartError};
pub use self::settings::SimSettings;
pub use self::stages::{Service, StageFault};
