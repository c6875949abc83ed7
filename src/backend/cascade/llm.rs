//! A language model, as a stage: asked with the conversation, writes the answer.

pub(super) mod chain;
pub(super) mod model;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub use self::model::LlmSettings;

use self::model::Model;
use super::error::StageError;
use crate::call::event::Generation;
use crate::cascade::chat::{RefusedCall, ToolDeclaration};
use crate::cascade::context::{Context, ToolCall};
use crate::limits::MODEL_REPORTS_MAX;

/// What answers an agent's calls.
#[derive(Clone, Debug)]
pub(in crate::backend) enum LlmStage {
    /// An OpenAI-compatible chat endpoint.
    Chat(Arc<Model>),
}

impl LlmStage {
    /// Has the model write what follows in `context`. Calls of tools without an id get one that no call of
    /// the context has. Reports end with exactly one [`ModelReport::Done`], unless the request is dropped.
    pub(super) fn ask(
        &self,
        work: Generation,
        context: &Context,
        tools: &[ToolDeclaration],
        reports: mpsc::Sender<ModelReport>,
    ) -> Asking {
        match self {
            Self::Chat(model) => model.ask(work, context, tools, reports),
        }
    }
}

/// What a model tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::backend) enum ModelReport {
    /// More text of the reply.
    Text { generation: Generation, text: String },
    /// The reply is complete, or broke off for a reason.
    Done { generation: Generation, result: Result<Calls, StageError> },
}

/// The tools that an answer calls; none for most.
pub(in crate::backend) type Calls = Vec<Result<ToolCall, RefusedCall>>;

/// Where a session's requests report.
pub(in crate::backend) fn reports() -> (mpsc::Sender<ModelReport>, mpsc::Receiver<ModelReport>) {
    mpsc::channel(MODEL_REPORTS_MAX)
}

/// A request under way. Dropping it drops the connection, which ends the work at the server too.
#[derive(Debug)]
pub(in crate::backend) struct Asking(JoinHandle<()>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abort();
    }
}
