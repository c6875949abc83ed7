//! The oldest turns put in short by the model itself, beside the conversation.
//!
//! ```text
//! a reply ends, the context overflows --> the model is asked aside --> the summary takes their place
//!                                                     '--it failed--> asked again after the next turn
//! ```
//!
//! What it writes is never spoken. Until it has come the turns are told whole; what grows beyond twice the
//! window meanwhile is forgotten, so that a model that cannot summarise costs the oldest turns, no more.

use super::Talk;
use super::brain::Brain;
use crate::backend::cascade::llm::{Asking, ModelReport};
use crate::call::event::Generation;
use crate::cascade::context::{Context, ContextSettings};
use crate::limits::CONTEXT_SUMMARY_CHARS_MAX;

/// What the model is told in place of who it is.
const INSTRUCTIONS: &str = "Put the following part of a telephone conversation in short, for the one who \
    goes on with it. Keep names, numbers, dates, what was decided, what was promised and what is still \
    open. Write plain sentences in the language of the conversation, and nothing else.";
/// What it is asked then.
const ASKED: &str = "Write the summary.";

/// A summary being written.
pub(super) struct Summing {
    /// What the model knows it by; no reply of the call has the same.
    work: Generation,
    text: String,
    /// Dropping it cancels the request.
    _asking: Asking,
}

impl Talk {
    /// Has the oldest turns summarised if they are too many and it is not being done.
    pub(super) fn summarise(&mut self) {
        let Brain::Model(brain) = &mut self.brain else { return };
        if brain.summing.is_some() {
            return;
        }
        let Some(oldest) = brain.context.wants_summary() else { return };
        self.replies += 1;
        let work = Generation(self.replies);
        let mut context =
            Context::new(format!("{INSTRUCTIONS}\n\n{oldest}"), ContextSettings::default());
        context.user_said(ASKED);
        let _asking = brain.ask_aside(work, &context);
        brain.summing = Some(Summing { work, text: String::new(), _asking });
    }

    /// Takes what the model says of a summary; answers what it says of anything else.
    pub(super) fn take_summary(&mut self, report: ModelReport) -> Option<ModelReport> {
        let Brain::Model(brain) = &mut self.brain else { return Some(report) };
        let work = report.work();
        let Some(summing) = brain.summing.as_mut().filter(|summing| summing.work == work) else {
            return Some(report);
        };
        match report {
            ModelReport::Working { .. } => {}
            ModelReport::Text { text, .. } => {
                let room = CONTEXT_SUMMARY_CHARS_MAX.saturating_sub(summing.text.chars().count());
                summing.text.extend(text.chars().take(room));
            }
            ModelReport::Done { result, .. } => {
                // An empty summary is none: the context asks again later.
                let text = result.map_or_else(
                    |error| {
                        tracing::warn!(problem = %error.for_log(), "no summary was made");
                        String::new()
                    },
                    |_| std::mem::take(&mut summing.text),
                );
                brain.context.summarised(&text);
                brain.summing = None;
            }
        }
        None
    }
}
