//! How a stage fails: for a log, and for whoever decides which provider is asked next.

use std::fmt;

use crate::cascade::failover::FailureKind;

/// A failure of a stage. The text may stand in a log and be shown to the user: it holds no word of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::backend) struct StageError {
    pub(super) kind: FailureKind,
    pub(super) message: String,
}

impl StageError {
    pub(super) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for StageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

/// What a status that is no success says of a server.
pub(super) const fn kind_of_status(status: u16) -> FailureKind {
    match status {
        401 | 403 => FailureKind::Unauthorized,
        408 | 504 => FailureKind::TimedOut,
        429 | 503 | 529 => FailureKind::Busy,
        400..=499 => FailureKind::Refused,
        _ => FailureKind::Broken,
    }
}
