//! The question that stands between a model and what must not be done unasked.
//!
//! ```text
//! None --request--> Waiting --yes--> Agreed --the same request--> None, and it is executed
//!   ^                  |               |
//!   |--no, other words-'               |
//!   |--no, other request---------------'
//!   '--a minute, from either
//! ```
//!
//! One question at a time, so that it is never in doubt what a yes was said to.

use serde_json::{Value, json};

use super::{DeskStats, error};
use crate::limits::TOOL_CONFIRMATION_KEPT;
use crate::time::SessionTime;
use crate::tools::consent::{Reply, judge, question};
use crate::tools::toolbox::Toolbox;

/// The open question, if any.
#[derive(Debug, Default)]
pub(super) enum Ask {
    #[default]
    None,
    /// The model was told what to ask; the user has not been heard since.
    Waiting { action: Action, until: SessionTime },
    /// The user has said yes.
    Agreed { action: Action, until: SessionTime },
}

/// What the user is asked about.
#[derive(Debug, PartialEq)]
pub(super) struct Action {
    tool: usize,
    arguments: Value,
}

impl Ask {
    /// Lets a use pass that needs no yes, or has one, which is used up. Else says what the model is
    /// answered.
    pub(super) fn admit(
        &mut self,
        now: SessionTime,
        tool: usize,
        arguments: &Value,
        toolbox: &Toolbox,
        stats: &mut DeskStats,
    ) -> Result<(), String> {
        let spec = toolbox.spec(tool);
        let Some(confirm) = &spec.confirm else { return Ok(()) };
        self.expire(now);
        let wanted = Action { tool, arguments: arguments.clone() };
        match std::mem::take(self) {
            Self::Agreed { action, .. } if action == wanted => Ok(()),
            Self::Waiting { action, until } => {
                stats.unconfirmed += 1;
                let problem = unanswered(&action, &wanted, toolbox);
                *self = Self::Waiting { action, until };
                Err(error(&problem))
            }
            Self::None | Self::Agreed { .. } => {
                stats.questions += 1;
                let say = question(spec, confirm, arguments);
                *self = Self::Waiting { action: wanted, until: now + TOOL_CONFIRMATION_KEPT };
                Err(json!({
                    "status": "confirmation_required",
                    "say": say,
                    "then": "call the tool again with the same arguments once the user has said yes",
                })
                .to_string())
            }
        }
    }

    /// The user said something.
    pub(super) fn handle_utterance(&mut self, now: SessionTime, text: &str, toolbox: &Toolbox) {
        self.expire(now);
        let (Self::Waiting { action, .. } | Self::Agreed { action, .. }) = &*self else { return };
        let Some(confirm) = &toolbox.spec(action.tool).confirm else { return };
        let reply = judge(text, confirm);
        *self = match (std::mem::take(self), reply) {
            (Self::Waiting { action, .. }, Reply::Yes) => {
                Self::Agreed { action, until: now + TOOL_CONFIRMATION_KEPT }
            }
            // What else is said after a yes changes nothing, unless it takes the yes back.
            (agreed @ Self::Agreed { .. }, Reply::Yes | Reply::Other) => agreed,
            (before, Reply::Nothing) => before,
            _ => Self::None,
        };
    }

    fn expire(&mut self, now: SessionTime) {
        let (Self::Waiting { until, .. } | Self::Agreed { until, .. }) = self else { return };
        if *until <= now {
            *self = Self::None;
        }
    }
}

fn unanswered(asked: &Action, wanted: &Action, toolbox: &Toolbox) -> String {
    if asked == wanted {
        return "the user has not confirmed: ask, wait for a yes, and only then call again"
            .to_owned();
    }
    let name = &toolbox.spec(asked.tool).name;
    format!(
        "the user has not answered the question about {name} yet: ask that first and wait for the \
         answer, one question at a time"
    )
}
