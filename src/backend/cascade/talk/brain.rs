//! Who answers: the small dialogue or a language model.

use std::sync::Arc;

use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use crate::backend::cascade::dialogue::Dialogue;
use crate::backend::cascade::llm::model::{Model, ModelReport};
use crate::cascade::context::{Context, ContextSettings};

/// Who answers.
pub(in crate::backend) enum Brain {
    /// The small dialogue.
    Dialogue { dialogue: Box<Dialogue>, time_zone: TimeZone },
    /// A language model.
    Model {
        model: Arc<Model>,
        context: Context,
        greeting: Option<String>,
        reports: mpsc::Sender<ModelReport>,
    },
}

impl Brain {
    pub(in crate::backend) fn dialogue(
        greeting: Option<String>,
        time_zone: TimeZone,
    ) -> BrainParts {
        let (_, reported) = Model::reports();
        let dialogue = Box::new(Dialogue::new(greeting));
        BrainParts { brain: Self::Dialogue { dialogue, time_zone }, reported }
    }

    pub(in crate::backend) fn model(
        model: Arc<Model>,
        persona: String,
        greeting: Option<String>,
    ) -> BrainParts {
        let (reports, reported) = Model::reports();
        let context = Context::new(persona, ContextSettings::default());
        BrainParts { brain: Self::Model { model, context, greeting, reports }, reported }
    }
}

/// A brain and where its model reports.
pub(in crate::backend) struct BrainParts {
    pub(super) brain: Brain,
    pub(super) reported: mpsc::Receiver<ModelReport>,
}
