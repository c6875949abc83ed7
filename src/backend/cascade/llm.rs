//! A language model, as a stage: asked with the conversation, writes the answer.

pub(super) mod chain;
pub(super) mod converse;
pub(super) mod model;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub use self::converse::ConverseSettings;
pub use self::model::LlmSettings;

use self::converse::Converse;
use self::model::Model;
use super::error::StageError;
use super::settings::ModelSettings;
use crate::backend::{BackendError, Problem};
use crate::call::event::Generation;
use crate::cascade::chat::{RefusedCall, ToolDeclaration};
use crate::cascade::context::{Context, ToolCall};
use crate::limits::MODEL_REPORTS_MAX;

/// What answers an agent's calls.
#[derive(Clone, Debug)]
pub(in crate::backend) enum LlmStage {
    /// An OpenAI-compatible chat endpoint.
    Chat(Arc<Model>),
    /// A model on Amazon Bedrock.
    Converse(Arc<Converse>),
}

impl LlmStage {
    /// Checks the settings. Nothing is sent yet.
    pub(super) fn load(settings: ModelSettings) -> Result<Self, BackendError> {
        Ok(match settings {
            ModelSettings::Chat(settings) => Self::Chat(Arc::new(Model::new(settings)?)),
            ModelSettings::Converse(settings) => {
                Self::Converse(Arc::new(Converse::new(*settings)?))
            }
        })
    }

    /// Whether it would work as things stand: keys and whatever else is known without asking it.
    pub(super) async fn check(&self) -> Result<(), Problem> {
        match self {
            Self::Chat(_) => Ok(()),
            Self::Converse(model) => model.check().await,
        }
    }

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
            Self::Converse(model) => Converse::ask(model, work, context, tools, reports),
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
