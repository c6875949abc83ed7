//! The flight recorder: a call as a file, and the file as a call again.
//!
//! ```text
//! live    driver -> Recorded<agent> -> blocks -> (queue, disk)         handle_* noted, then performed
//! later   file -> Reader -> Replay -> the same agent -> trace          compared line by line
//! ```
//!
//! The core is told the time and everything else that it knows, so what it was told is all that has to be
//! kept to see it decide again: packets, backend output, the client's requests, and when its deadlines were
//! handled. What it decided is kept beside that, as lines of a trace, and so is what was measured of each
//! frame. There are two [`Kind`]s of file:
//!
//! - [`Kind::Full`] holds packets and words, and replays the whole agent.
//! - [`Kind::Features`] holds no audio and no words: measurements, lengths and times. It replays the
//!   conversation ([`crate::call::Call`]) alone, from the point where frames have become features.
//!   [`redact`] says what is left of texts.
//!
//! [`file`] describes the format.

pub mod drawing;
mod events;
pub mod file;
pub mod header;
mod pcm;
pub mod record;
pub mod recorder;
pub mod redact;
pub mod replay;
pub mod settings;
mod wire;

pub use file::{FileError, Reader};
pub use header::{Header, Kind};
pub use recorder::{Recorded, Recorder};

#[cfg(test)]
mod tests;
