//! The entries of a desk: uses that wait for a result, and ids of those that were answered.

use std::collections::VecDeque;

use crate::limits::TOOL_USES_REMEMBERED_MAX;
use crate::time::SessionTime;

/// A use that waits for its result.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) use_id: String,
    /// Its tool's place in the toolbox.
    pub(super) tool: usize,
    pub(super) worker: Worker,
    /// It is answered by then.
    pub(super) deadline: SessionTime,
    /// When the user is told that it takes time; `None` when it was said or there is nothing to say.
    pub(super) filler_at: Option<SessionTime>,
    /// From then on the user has waited long.
    pub(super) late_at: SessionTime,
}

impl Pending {
    /// When something about it is due.
    pub(super) fn wakes_at(&self) -> SessionTime {
        self.filler_at.map_or(self.deadline, |at| at.min(self.deadline))
    }
}

/// Who is at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worker {
    Runner { ticket: u64 },
    Client,
}

/// The ids that were answered last. A linear search: a call uses tools a few times a minute.
#[derive(Debug, Default)]
pub(super) struct Answered(VecDeque<String>);

impl Answered {
    pub(super) fn push(&mut self, use_id: String) {
        if self.0.len() == TOOL_USES_REMEMBERED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(use_id);
    }

    pub(super) fn contains(&self, use_id: &str) -> bool {
        self.0.iter().any(|answered| answered == use_id)
    }
}
