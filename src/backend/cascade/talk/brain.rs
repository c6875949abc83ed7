//! Who answers: the small dialogue or a language model.

use std::sync::Arc;

use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use super::reply::Source;
use crate::backend::CallContext;
use crate::backend::cascade::dialogue::Dialogue;
use crate::backend::cascade::llm::{self, LlmStage, ModelReport, chain};
use crate::backend::cascade::stage::Stage;
use crate::backend::cascade::tools::{Hands, Tools};
use crate::call::event::Generation;
use crate::cascade::context::{Context, ContextSettings};
use crate::tools::ToolDone;
use crate::tools::runner::Runner;

/// Who answers.
pub(in crate::backend) enum Brain {
    /// The small dialogue.
    Dialogue { dialogue: Box<Dialogue>, time_zone: TimeZone },
    /// A language model.
    Model(Box<ModelBrain>),
}

/// A language model, what it knows of the call, and its tools.
pub(in crate::backend) struct ModelBrain {
    model: Arc<Stage<LlmStage>>,
    pub(super) context: Context,
    pub(super) greeting: Option<String>,
    reports: mpsc::Sender<ModelReport>,
    pub(super) hands: Hands,
}

impl ModelBrain {
    /// Has the model write what follows in `context`, for this work.
    pub(super) fn ask(&self, work: Generation, context: &Context) -> Source {
        let reports = self.reports.clone();
        let _asking = chain::ask(&self.model, work, context, self.hands.declarations(), reports);
        Source::Writing { _asking, text: Box::default(), chars: 0 }
    }
}

impl Brain {
    pub(in crate::backend) fn dialogue(
        greeting: Option<String>,
        time_zone: TimeZone,
    ) -> BrainParts {
        let ((_, reported), (_, done)) = (llm::reports(), Runner::reports());
        let dialogue = Box::new(Dialogue::new(greeting));
        BrainParts { brain: Self::Dialogue { dialogue, time_zone }, reported, done }
    }

    pub(in crate::backend) fn model(
        model: Arc<Stage<LlmStage>>,
        tools: &Tools,
        call: CallContext,
    ) -> BrainParts {
        let (reports, reported) = llm::reports();
        let (hands, done) = tools.open(&call.call_id);
        let context = Context::new(call.persona, ContextSettings::default());
        let greeting = call.greeting;
        let brain = ModelBrain { model, context, greeting, reports, hands };
        BrainParts { brain: Self::Model(Box::new(brain)), reported, done }
    }
}

/// A brain, and where its model and its tools report.
pub(in crate::backend) struct BrainParts {
    pub(super) brain: Brain,
    pub(super) reported: mpsc::Receiver<ModelReport>,
    pub(super) done: mpsc::Receiver<ToolDone>,
}
