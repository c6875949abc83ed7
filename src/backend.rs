//! The speech-to-speech port and its adapters.
//!
//! A backend is a task (or a few) at the other end of two bounded channels. It is sent the user's
//! voice and the conversation's commands in order, and answers with events and audio, each tagged
//! with the generation it was made for. It may run faster than real time: the channel pushes back.

pub mod aws;
pub mod cascade;
pub mod echo;
pub mod local;
pub mod nova_sonic;
pub mod relief;
pub mod scripted;
mod session;
pub(crate) mod wav;

use std::future::{Future, ready};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::agent::BackendInput;
use crate::call::event::{BackendEvent, Generation};
use crate::limits::{BACKEND_INPUT_MAX, BACKEND_OUTPUT_MAX};
use crate::yaml::YamlError;

/// Something that can hold a spoken conversation.
pub trait Backend: Send + Sync + 'static {
    /// Its name in configuration, logs and metrics.
    fn name(&self) -> &'static str;

    /// What it can do beyond answering turns, so that a configuration that asks for more is refused at
    /// start.
    fn abilities(&self) -> Abilities;

    /// Starts a conversation. Never blocks: slow set-up happens in the session's own task, which
    /// says [`BackendEvent::Ready`] when done or [`BackendEvent::Failed`]. The session ends when
    /// either side drops its ends of the channels. A backend that has no room for the call refuses
    /// it, before it is answered.
    fn open(&self, call: CallContext) -> Result<BackendSession, Busy>;

    /// Whether it would work as things stand now: keys, access, whatever it needs beyond this machine.
    /// Asked once at start. What is on this machine was checked when it was built.
    fn check(&self) -> Checking<'_> {
        Box::pin(ready(Ok(())))
    }

    /// Which of its providers are up, of those that others can stand in for. Asked while the server runs;
    /// answers from what is known already.
    fn health(&self) -> Vec<ProviderHealth> {
        Vec::new()
    }

    /// Calls may come from now on: what is made ahead of them, and may cost, is begun, in tasks of its own.
    /// Said once; never of a configuration that is only checked.
    fn begin(&self) {}

    /// A text in the voice with which its calls begin, if it was spoken ahead.
    fn spoken(&self, _text: &str) -> Option<Spoken> {
        None
    }
}

/// A provider that a backend relies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderHealth {
    /// What it is needed for, such as `asr`.
    pub stage: &'static str,
    /// How the configuration and the logs name it.
    pub provider: String,
    /// Whether it is asked as it should be, and others only in its place.
    pub is_up: bool,
}

/// A check under way.
pub type Checking<'a> = Pin<Box<dyn Future<Output = Result<(), Problem>> + Send + 'a>>;

/// A backend takes no further call now. The text names the limit and how to raise it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Busy(pub String);

/// Why a backend would not work as things stand. The texts say what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Somebody must change the configuration or an account: the server does not start.
    #[error("{0}")]
    Mistake(String),
    /// It may pass by itself: the server starts and says so.
    #[error("{0}")]
    Passing(String),
}

/// What a backend can do beyond answering turns; by default nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// It answers [`BackendCommand::Speculate`](crate::call::event::BackendCommand::Speculate) ahead.
    /// Text and audio of that answer may be delivered at once or once it counts; its end, a failure
    /// and anything that has effects outside come only once it counts. One that cannot ignores it.
    pub speculates: bool,
    /// It says what the user says while the user speaks.
    pub transcribes: bool,
    /// It speaks a text that it is given ([`BackendCommand::Say`](crate::call::event::BackendCommand::Say)).
    pub says: bool,
    /// It speaks first, before the user has said anything
    /// ([`BackendCommand::Greet`](crate::call::event::BackendCommand::Greet)).
    pub greets: bool,
    /// It can say that the user's turn is over.
    pub ends_turns: bool,
    /// Its model calls the agent's tools.
    pub tools: bool,
    /// It knows what was said before it took a call over ([`CallContext::history`]).
    pub recalls: bool,
}

/// What a backend may know of the call it serves.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// The call's id, for logs.
    pub call_id: String,
    /// Instructions to the model: who it is and how it behaves.
    pub persona: String,
    /// The first words, if fixed by configuration.
    pub greeting: Option<String>,
    /// BCP 47 tag of the conversation's language.
    pub language: String,
    /// How long the call waits for a reply's first sound before it gives the reply up.
    pub reply_timeout: Duration,
    /// What was said before this backend took the call over, the oldest first; nothing, as a rule. At most
    /// [`crate::limits::HISTORY_SAID_MAX`]. A backend that cannot be told of it ignores it.
    pub history: Vec<Said>,
}

/// Something that was said in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// By the user, or typed.
    User(String),
    /// By the agent. What of it was heard may be told later, by
    /// [`Cancel`](crate::call::event::BackendCommand::Cancel) or
    /// [`Played`](crate::call::event::BackendCommand::Played).
    Agent { generation: Generation, text: String },
}

/// The call's ends of a conversation with a backend.
#[derive(Debug)]
pub struct BackendSession {
    /// To the backend. Full means that it is stuck.
    pub input: mpsc::Sender<BackendInput>,
    /// From the backend.
    pub output: mpsc::Receiver<BackendOutput>,
}

/// The backend's ends of the same conversation.
#[derive(Debug)]
pub struct BackendChannels {
    /// From the call.
    pub input: mpsc::Receiver<BackendInput>,
    /// To the call.
    pub output: mpsc::Sender<BackendOutput>,
}

/// One message of a backend.
#[derive(Clone, Debug, PartialEq)]
pub enum BackendOutput {
    /// Something happened.
    Event(BackendEvent),
    /// Reply audio.
    Audio(ReplyAudio),
}

/// A block of reply audio: mono, signed 16 bit, at most
/// [`crate::limits::BACKEND_BLOCK_SAMPLES_MAX`] samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyAudio {
    /// The reply it belongs to.
    pub generation: Generation,
    /// 8 000, 16 000, 24 000 or 48 000; it may not change within a reply.
    pub sample_rate_hz: u32,
    /// The samples.
    pub pcm: Vec<i16>,
}

/// Speech that belongs to no reply: mono, signed 16 bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// 8 000, 16 000, 24 000 or 48 000.
    pub sample_rate_hz: u32,
    /// The samples.
    pub pcm: Vec<i16>,
}

/// Why a backend cannot be built: said at start, before any call.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// A library, voice or model is not on this machine.
    #[error("{what} is missing: {reason}; {remedy}")]
    Missing { what: String, reason: String, remedy: &'static str },
    /// A file cannot be read or used.
    #[error("{}: {error}", path.display())]
    Unreadable { path: PathBuf, error: String },
    /// A script has mistakes.
    #[error("{}:{}", path.display(), listed(errors))]
    Script { path: PathBuf, errors: Vec<YamlError> },
    /// A setting is out of its range.
    #[error("{problem}")]
    Invalid { problem: String },
}

fn listed(errors: &[YamlError]) -> String {
    errors.iter().map(|error| format!("\n  {error}")).collect()
}

/// Both ends of a conversation, with the channels bounded as `limits` says.
pub fn channels() -> (BackendSession, BackendChannels) {
    let (input_sender, input_receiver) = mpsc::channel(BACKEND_INPUT_MAX);
    let (output_sender, output_receiver) = mpsc::channel(BACKEND_OUTPUT_MAX);
    (
        BackendSession { input: input_sender, output: output_receiver },
        BackendChannels { input: input_receiver, output: output_sender },
    )
}

#[cfg(test)]
mod tests;
