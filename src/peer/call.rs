//! A running call as its owner sees it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::judge::TurnJudge;
use super::tape::Recording;
use super::webrtc::session::SessionStats;
use crate::agent::{Agent, AgentStats};
use crate::backend::BackendSession;
use crate::call::event::EndReason;
use crate::metrics::AgentMetrics;
use crate::rtp::rtcp::PathStats;
use crate::sdp::Fragment;
use crate::sdp::offer::AudioFormat;

/// What a call is made of, beside its network.
#[derive(Debug)]
pub struct CallParts<C, V> {
    /// The call's id, for logs and as the user's name in transcripts.
    pub call_id: String,
    pub agent: Agent<C, V>,
    pub backend: BackendSession,
    /// Where it is recorded, if it is.
    pub recording: Option<Recording>,
    /// The model that is asked whether a turn is over, if the agent's settings ask one.
    pub turn_judge: Option<TurnJudge>,
    /// Where what it does and uses is counted.
    pub metrics: AgentMetrics,
}

/// An offer that was answered.
#[derive(Debug)]
pub struct Answered {
    /// The SDP answer, all candidates included.
    pub sdp: String,
    /// The strong entity tag of the ICE session, quotes included.
    pub etag: String,
    /// The audio that was agreed on.
    pub format: AudioFormat,
    pub call: CallHandle,
}

/// A hand on a running call. Dropping it does not end the call.
#[derive(Clone, Debug)]
pub struct CallHandle {
    control: mpsc::Sender<Control>,
    finished: watch::Receiver<Option<Arc<CallSummary>>>,
}

/// What a call's owner asks of it.
#[derive(Debug)]
pub(crate) enum Control {
    Patch {
        fragment: Fragment,
        precondition: Precondition,
        reply: oneshot::Sender<Result<Patched, PatchError>>,
    },
    Stats {
        reply: oneshot::Sender<CallStats>,
    },
    End {
        reason: EndReason,
    },
}

/// The `If-Match` of a trickle or restart request (RFC 9725 §4.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    Missing,
    /// `*`.
    Any,
    /// Entity tags, quotes included.
    Tags(Vec<String>),
}

/// What a fragment did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patched {
    /// Its candidates were taken.
    Trickled,
    /// ICE restarts: our fragment and the new tag.
    Restarted { fragment: String, etag: String },
}

/// Why a fragment did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    #[error("If-Match is missing")]
    PreconditionRequired,
    #[error("If-Match names another ICE session than the current one")]
    PreconditionFailed,
    #[error("the call has too many requests waiting")]
    Busy,
    #[error("the call is over")]
    Gone,
    #[error("the ICE restart failed")]
    Internal,
}

/// What was counted in a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallStats {
    /// From the offer to the moment when media could flow.
    pub connected_after: Option<Duration>,
    /// Since the offer.
    pub duration: Duration,
    pub path: PathStats,
    pub session: SessionStats,
    pub agent: AgentStats,
    /// Messages to the client dropped because it was not ready for them.
    pub client_messages_dropped: u64,
    /// Messages of the client that were refused.
    pub client_messages_refused: u64,
}

/// A call that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct CallSummary {
    pub reason: EndReason,
    pub stats: CallStats,
}

impl CallHandle {
    pub(crate) const fn new(
        control: mpsc::Sender<Control>,
        finished: watch::Receiver<Option<Arc<CallSummary>>>,
    ) -> Self {
        Self { control, finished }
    }

    /// Applies a trickle-ICE fragment: more candidates, or, with new credentials, an ICE restart.
    pub async fn patch(
        &self,
        fragment: Fragment,
        precondition: Precondition,
    ) -> Result<Patched, PatchError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Control::Patch { fragment, precondition, reply })?;
        answer.await.unwrap_or(Err(PatchError::Gone))
    }

    /// Ends the call. Harmless if it is over.
    pub async fn end(&self, reason: EndReason) -> Option<Arc<CallSummary>> {
        // Ending must not fail for a full queue, so it waits; the call reads it promptly.
        let _ = self.control.send(Control::End { reason }).await;
        self.finished().await
    }

    /// What was counted so far; `None` once the call is over.
    pub async fn stats(&self) -> Option<CallStats> {
        let (reply, answer) = oneshot::channel();
        self.ask(Control::Stats { reply }).ok()?;
        answer.await.ok()
    }

    /// Waits for the end. `None` only if the runtime is shutting down.
    pub async fn finished(&self) -> Option<Arc<CallSummary>> {
        let mut finished = self.finished.clone();
        finished.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// The summary, if the call is over.
    pub fn summary(&self) -> Option<Arc<CallSummary>> {
        self.finished.borrow().clone()
    }

    fn ask(&self, request: Control) -> Result<(), PatchError> {
        self.control.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => PatchError::Busy,
            mpsc::error::TrySendError::Closed(_) => PatchError::Gone,
        })
    }
}

/// The strong entity tag of the ICE session in which we are `ufrag`.
pub(crate) fn etag(ufrag: &str) -> String {
    format!("\"{ufrag}\"")
}
