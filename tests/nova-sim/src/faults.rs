//! What can go wrong with the service, and when it does.

mod schedule;
mod text;

use std::time::Duration;

pub use self::schedule::{Schedule, ScheduledFaults};
pub use self::text::{FaultSyntax, duration, fault_names};

/// Something that goes wrong at certain times.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultRule {
    /// What. More than one take turns, each time the next. Not empty.
    pub faults: Vec<Fault>,
    /// When.
    pub when: When,
}

/// When something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At each opening, or at opening number `nth` only, counted from 1.
    Opening {
        /// Which opening; `None`: each.
        nth: Option<u64>,
    },
    /// A time after the opening of each stream, or of stream number `nth` only.
    After {
        /// Since the opening.
        delay: Duration,
        /// Which stream, counted from 1; `None`: each.
        nth: Option<u64>,
    },
    /// Again and again, counted from the simulator's start, whatever streams are open then. A fault
    /// at opening waits for the next opening.
    Every {
        /// From each time to the next. Above zero.
        period: Duration,
    },
    /// On streams to which history was replayed, at a random moment after their audio began.
    AfterHistory {
        /// At the latest.
        within: Duration,
    },
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// With an opening. On a stream that is open, it is nothing.
    Opening(OpeningFault),
    /// With an open stream. At an opening, it comes right after the headers.
    Stream(StreamFault),
}

/// How an opening fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpeningFault {
    /// An HTTP error.
    Refused(Refusal),
    /// No answer ever comes: the headers are withheld.
    Hang,
    /// The socket is closed, and with it every stream on it.
    Close,
    /// The stream is reset.
    Reset(ResetReason),
}

/// An HTTP error at opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The error's type, as `x-amzn-errortype` tells it.
    pub code: String,
    /// What the body says.
    pub message: String,
}

/// How an open stream fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamFault {
    /// An exception frame; the stream ends.
    Exception(ExceptionKind, String),
    /// A frame of message type `error`; the stream ends.
    ErrorFrame {
        /// `:error-code`.
        code: String,
        /// `:error-message`.
        message: String,
    },
    /// The stream is reset.
    Reset(ResetReason),
    /// The connection is going away; what is open goes on.
    GoAwayGraceful,
    /// The connection goes away at once.
    GoAwayAbrupt,
    /// The socket is closed.
    Close,
    /// The stream ends as if all were said.
    End,
    /// Nothing more is said, and nothing tells why.
    Silence,
    /// The stream ends within a frame.
    Truncated,
    /// A frame arrives damaged; the stream goes on.
    BadCrc,
    /// A payload that is no sensible event; the stream goes on.
    Garbage(Garbage),
}

/// The exceptions of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExceptionKind {
    /// `validationException`.
    Validation,
    /// `throttlingException`.
    Throttling,
    /// `modelTimeoutException`.
    ModelTimeout,
    /// `modelStreamErrorException`.
    ModelStreamError,
    /// `internalServerException`.
    InternalServer,
    /// `serviceUnavailableException`.
    ServiceUnavailable,
    /// One that no client knows, by its name.
    Unknown(String),
}

impl ExceptionKind {
    /// Its name in a frame.
    pub fn name(&self) -> &str {
        match self {
            Self::Validation => "validationException",
            Self::Throttling => "throttlingException",
            Self::ModelTimeout => "modelTimeoutException",
            Self::ModelStreamError => "modelStreamErrorException",
            Self::InternalServer => "internalServerException",
            Self::ServiceUnavailable => "serviceUnavailableException",
            Self::Unknown(name) => name,
        }
    }

    /// What it is as an HTTP error: a status and a type.
    pub fn as_refusal(&self, message: &str) -> Refusal {
        let (status, code) = match self {
            Self::Validation => (400, "ValidationException"),
            Self::Throttling => (429, "ThrottlingException"),
            Self::ModelTimeout => (408, "ModelTimeoutException"),
            Self::ModelStreamError => (424, "ModelStreamErrorException"),
            Self::InternalServer => (500, "InternalServerException"),
            Self::ServiceUnavailable => (503, "ServiceUnavailableException"),
            Self::Unknown(name) => (400, name.as_str()),
        };
        Refusal { status, code: code.to_owned(), message: message.to_owned() }
    }
}

/// Why an HTTP/2 stream is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetReason {
    /// NO_ERROR, which clients take for an end.
    NoError,
    /// INTERNAL_ERROR.
    Internal,
    /// CANCEL.
    Cancel,
    /// REFUSED_STREAM.
    Refused,
}

/// Payloads that are no sensible events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Garbage {
    /// Not JSON.
    NotJson,
    /// Events whose fields have other types.
    WrongTypes,
    /// An event with a field of a quarter of a megabyte.
    Huge,
    /// Events that lack their fields.
    Missing,
}

impl Garbage {
    /// The payloads.
    pub(crate) fn payloads(self) -> Vec<Vec<u8>> {
        let texts: Vec<String> = match self {
            Self::NotJson => vec!["{\"event\":{\"textOutp".into(), "\u{0}\u{7f}not json".into()],
            Self::WrongTypes => [
                r#"{"event":{"textOutput":{"contentId":7,"content":{"a":[]},"role":null}}}"#,
                r#"{"event":{"audioOutput":{"contentId":[],"content":"%%%not base64%%%"}}}"#,
                r#"{"event":{"userSpeechEnd":{"inputAudioOffsetMs":"soon"}}}"#,
                r#"{"event":{"contentStart":"TEXT"}}"#,
                r#"{"event":{"usageEvent":{"details":3,"totalTokens":-1}}}"#,
                r#"{"event":["contentEnd"]}"#,
                "[]",
            ]
            .map(str::to_owned)
            .to_vec(),
            Self::Huge => {
                let content = "x".repeat(256 * 1024);
                vec![format!(
                    r#"{{"event":{{"moodEvent":{{"contentId":"{content}","level":1}}}}}}"#
                )]
            }
            Self::Missing => ["contentStart", "textOutput", "audioOutput", "toolUse", "contentEnd"]
                .map(|name| format!(r#"{{"event":{{"{name}":{{}}}}}}"#))
                .to_vec(),
        };
        texts.into_iter().map(String::into_bytes).collect()
    }
}
