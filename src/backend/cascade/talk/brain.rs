//! Who answers: the small dialogue or a language model.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use super::reply::Source;
use super::summing::Summing;
use crate::backend::cascade::dialogue::Dialogue;
use crate::backend::cascade::llm::{self, Asking, LlmStage, ModelReport, chain};
use crate::backend::cascade::meter::Meter;
use crate::backend::cascade::settings::MemorySettings;
use crate::backend::cascade::stage::Stage;
use crate::backend::cascade::tools::{Hands, Tools};
use crate::backend::{CallContext, Said};
use crate::call::event::{BackendEvent, Generation};
use crate::cascade::chat::ToolDeclaration;
use crate::cascade::context::Context;
use crate::tools::runner::Runner;
use crate::tools::{TOOL_PATIENCE, ToolDone};

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
    call_id: String,
    pub(super) context: Context,
    /// The summary that the model is writing of the oldest turns.
    pub(super) summing: Option<Summing>,
    /// So long a reply waits that has nothing but tools to wait for: less than the call waits for it.
    pub(super) patience: Duration,
    /// The first words; `None`: the model's own.
    pub(super) greeting: Option<String>,
    /// Of the call, as its agent is configured.
    pub(super) language: String,
    reports: mpsc::Sender<ModelReport>,
    meter: Arc<Meter>,
    pub(super) hands: Hands,
}

impl ModelBrain {
    /// Has the model write what follows in `context`, for this work.
    pub(super) fn ask(&self, work: Generation, context: &Context) -> Source {
        tracing::debug!(call = self.call_id, work = work.0, told = %context.outline(), "asks the model");
        let _asking = self.request(work, context, self.hands.declarations());
        Source::Writing { _asking, text: Box::default(), chars: 0 }
    }

    /// What it is told of `context` for this reply, for a recording.
    pub(super) fn prompted(generation: Generation, context: &Context) -> BackendEvent {
        BackendEvent::Prompted { generation, prompt: context.prompt().shown() }
    }

    /// Has the model write something that is not a reply, without tools.
    pub(super) fn ask_aside(&self, work: Generation, context: &Context) -> Asking {
        tracing::debug!(call = self.call_id, work = work.0, told = %context.outline(), "asks aside");
        self.request(work, context, &Arc::default())
    }

    fn request(
        &self,
        work: Generation,
        context: &Context,
        tools: &Arc<[ToolDeclaration]>,
    ) -> Asking {
        chain::ask(&self.model, work, context, tools, self.reports.clone(), &self.meter)
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
        memory: &MemorySettings,
        call: CallContext,
        meter: &Arc<Meter>,
    ) -> BrainParts {
        let (reports, reported) = llm::reports();
        let (hands, done) = tools.open(&call.call_id);
        let mut context = memory.open(call.persona);
        for said in &call.history {
            match said {
                Said::User(text) => context.user_said(text),
                Said::Agent { generation, text } => context.agent_says(*generation, text),
            }
        }
        let brain = ModelBrain {
            model,
            context,
            call_id: call.call_id,
            summing: None,
            patience: TOOL_PATIENCE.min(call.reply_timeout / 2),
            greeting: call.greeting,
            language: call.language,
            reports,
            meter: Arc::clone(meter),
            hands,
        };
        BrainParts { brain: Self::Model(Box::new(brain)), reported, done }
    }
}

/// A brain, and where its model and its tools report.
pub(in crate::backend) struct BrainParts {
    pub(super) brain: Brain,
    pub(super) reported: mpsc::Receiver<ModelReport>,
    pub(super) done: mpsc::Receiver<ToolDone>,
}
