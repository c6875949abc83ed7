//! A headless caller: it rings a voice agent over WebRTC, says wav files, listens, and measures at
//! its own end what a person would notice.
//!
//! ```text
//! cli        arguments -> CallOptions
//! report     what came of it, for programs; `text` for people
//! bench      many calls at once, as percentiles
//! duplex     many calls by plan, as a table of how the agent takes turns
//! call       the one loop: owns the clock, the connection and everything below
//! whip       HTTP: offer in, answer out, hang up
//! peer       the WebRTC stack, adapted to a channel; `rtcp` watches what passes through it
//! ------------------------------ pure: told the time ------------------------------
//! conversation   what is said when, and what came back
//! ear            packets -> what is heard: `measure::receive`, `playout`, `codec`
//! measure        order, loss and jitter of packets; replies and the holes in them
//! impair         a bad network, from a seed            rtvi   messages of the data channel
//! wav, resample, level, g711                           files -> samples at the codec's rate
//! ```
//!
//! **How latencies are taken.** The response latency of a turn is the time from sending the last
//! packet with speech to the arrival of the first packet with sound. A packet holds speech, or
//! sound, if its level exceeds a threshold (-50 dBFS unless set otherwise); for clips that is found
//! out before the call. The barge-in stop time is from sending the first packet with speech of the
//! interruption to the arrival of the last packet with sound of the interrupted reply. Sending is
//! the moment at which a packet leaves the mouth, before any impairment; arrival the one at which
//! it reaches the ear, after it: a simulated network is part of what is measured, as a real one
//! would be.

pub mod agent_log;
pub mod bench;
pub mod call;
pub mod cli;
pub mod codec;
pub mod conversation;
pub mod duplex;
pub mod ear;
pub mod error;
pub mod g711;
pub mod impair;
pub mod level;
pub mod limits;
pub mod measure;
pub mod options;
mod peer;
pub mod playout;
pub mod record;
pub mod report;
pub mod resample;
mod rtcp;
pub mod rtvi;
mod summary;
pub mod text;
pub mod wav;
pub mod whip;

pub use call::{Progress, call, call_with};
pub use codec::CodecKind;
pub use conversation::Manners;
pub use error::CallError;
pub use impair::Impairment;
pub use options::{CallOptions, Turn};
pub use report::Report;
