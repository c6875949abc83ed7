//! How a stage fails: for the user, and for whoever decides which provider is asked next.

use std::fmt;

use crate::cascade::failover::{Failure, FailureKind};

/// A failure of a stage. The text is shown to the user. It may hold what a server said, which may hold what
/// the server was asked, so it stands in no log: see [`StageError::for_log`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::backend) struct StageError {
    pub(super) kind: FailureKind,
    pub(super) message: String,
}

impl StageError {
    pub(super) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What a log may hold of it.
    pub(super) const fn for_log(&self) -> Failure {
        Failure::Failed(self.kind)
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
