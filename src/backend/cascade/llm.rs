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
use super::health::Provider;
use super::meter::{Bill, Exchange};
use super::settings::ModelSettings;
use crate::backend::{BackendError, Problem};
use crate::call::event::Generation;
use crate::cascade::chat::{RefusedCall, ToolCalls, ToolDeclaration};
use crate::cascade::context::{Context, ToolCall, Turn};
use crate::cascade::failover::FailureKind;
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

    /// Has the model write what follows in `context`, for which `bill` pays. Calls of tools without an id get
    /// one that no call of the context has. Reports end with exactly one [`ModelReport::Done`], unless the
    /// request is dropped. A model that was not asked by the user may have nothing to say; where it was,
    /// `silence` decides.
    pub(super) fn ask(
        &self,
        work: Generation,
        context: &Context,
        tools: &[ToolDeclaration],
        reports: mpsc::Sender<ModelReport>,
        silence: Silence,
        bill: &Bill,
    ) -> Asking {
        let chars = tools.iter().map(ToolDeclaration::chars).sum::<u64>();
        let prompt = context.prompt();
        let exchange = bill.asks(prompt.chars() + chars);
        let calls = ToolCalls::new(context.calls_so_far());
        // Results of tools, or what the agent said itself.
        let is_asked =
            !matches!(prompt.messages.last(), Some(Turn::Results(_) | Turn::Assistant { .. }));
        let silence = if is_asked { silence } else { Silence::Counts };
        let answer = Answer {
            generation: work,
            reports,
            calls,
            exchange,
            silence,
            has_said: false,
            is_working: false,
        };
        match self {
            Self::Chat(model) => model.ask(&prompt, tools, answer),
            Self::Converse(model) => Converse::ask(model, &prompt, tools, answer),
        }
    }
}

impl Provider for LlmStage {
    async fn check(&self) -> Result<(), Problem> {
        match self {
            Self::Chat(model) => model.check().await,
            Self::Converse(model) => model.check().await,
        }
    }
}

/// What a model tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::backend) enum ModelReport {
    /// It has begun with something that is not text: to call a tool, or to reason. Told once, if at all.
    Working { generation: Generation },
    /// More text of the reply.
    Text { generation: Generation, text: String },
    /// The reply is complete, or broke off for a reason.
    Done { generation: Generation, result: Result<Calls, StageError> },
}

/// The tools that an answer calls; none for most.
pub(in crate::backend) type Calls = Vec<Result<ToolCall, RefusedCall>>;

/// What an answer is that holds neither a word nor a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend) enum Silence {
    /// A failure: whoever asked waits for an answer.
    Fails,
    /// An answer: everything may have been said already.
    Counts,
}

/// An answer that a model is writing. Dropping it puts its cost down.
struct Answer {
    generation: Generation,
    reports: mpsc::Sender<ModelReport>,
    calls: ToolCalls,
    exchange: Exchange,
    silence: Silence,
    /// A word was written.
    has_said: bool,
    /// It was told that the model is at work.
    is_working: bool,
}

impl ModelReport {
    /// What the work is known by that it is about.
    pub(in crate::backend) const fn work(&self) -> Generation {
        match self {
            Self::Working { generation }
            | Self::Text { generation, .. }
            | Self::Done { generation, .. } => *generation,
        }
    }
}

impl Answer {
    /// More of its text. False: nobody listens any more, the session is over and the request with it.
    async fn say(&mut self, text: String) -> bool {
        self.exchange.wrote(&text);
        self.has_said |= !text.trim().is_empty();
        self.reports.send(ModelReport::Text { generation: self.generation, text }).await.is_ok()
    }

    /// It has begun, though there is no text yet.
    async fn works(&mut self) {
        if !std::mem::replace(&mut self.is_working, true) {
            // Nobody listening any more is found out by what follows.
            let _ = self.reports.send(ModelReport::Working { generation: self.generation }).await;
        }
    }

    /// It is complete, or broke off for a reason. What it cost may still be told.
    async fn finish(mut self, result: Result<(), StageError>) -> Exchange {
        let is_empty = !self.has_said && self.calls.is_empty();
        let result = match result {
            Ok(()) if is_empty && self.silence == Silence::Fails => Err(silent()),
            result => result,
        };
        self.exchange.settle(&result);
        let result = result.map(|()| self.calls.finish());
        // Nobody listening any more is no error.
        let _ = self.reports.send(ModelReport::Done { generation: self.generation, result }).await;
        self.exchange
    }
}

fn silent() -> StageError {
    StageError::new(FailureKind::Broken, "the language model ended its answer without a word")
}

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
