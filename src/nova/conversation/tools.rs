//! Between the model and the tools that it calls.

use super::commands::filled;
use super::watches::Watch;
use super::{Act, Conversation, LineId};
use crate::call::event::BackendEvent;
use crate::nova::settings::ModelVersion;
use crate::time::SessionTime;
use crate::tools::DeskAct;

impl Conversation {
    pub(super) fn tool_use(
        &mut self,
        now: SessionTime,
        line: LineId,
        use_id: String,
        name: &str,
        arguments: &str,
    ) {
        self.end_turn();
        self.unanswered = None;
        self.recent.end_turn();
        self.timers.disarm(Watch::FirstEvent);
        self.timers.disarm(Watch::Deaf);
        self.timers.arm(Watch::Tool, now + self.tool_patience());
        let declared = self.names.original(name);
        let name = declared.map_or(name, |index| self.setup.tools.spec(index).name.as_str());
        self.desk.request(now, &use_id, name, arguments);
        if !self.uses.iter().any(|(known, _)| *known == use_id) {
            self.uses.push((use_id, line));
        }
    }

    /// Does what the desk wants done.
    pub(super) fn follow_desk(&mut self, now: SessionTime) {
        while let Some(act) = self.desk.poll_act(now) {
            match act {
                DeskAct::Run(run) => self.acts.push_back(Act::Run(run)),
                DeskAct::Abort { ticket } => self.acts.push_back(Act::AbortRun { ticket }),
                DeskAct::AskClient { use_id, name, arguments } => {
                    // The reply that it is part of may be over.
                    let (generation, call_id) = (self.last_reply, use_id);
                    self.tell(BackendEvent::ToolCall { generation, call_id, name, arguments });
                }
                DeskAct::Answer { use_id, result, .. } => self.answer_tool(now, &use_id, result),
                DeskAct::Filler { text, .. } => self.fill(now, &text),
            }
        }
    }

    /// A tool has answered. The connection that asked may be gone: its successor is told by a text.
    fn answer_tool(&mut self, now: SessionTime, use_id: &str, result: String) {
        let at = self.uses.iter().position(|(asked, _)| asked == use_id);
        let line = at.map(|at| self.uses.swap_remove(at).1);
        if line.is_some_and(|line| self.send_tool_result(line, use_id, &result)) {
            self.timers.arm(Watch::FirstEvent, now + self.setup.settings.patience.first_event);
            self.last_result = Some(result);
        } else if self.version == ModelVersion::V2 && !self.is_over {
            let text = filled(&self.setup.settings.instructions.late_result, &result);
            self.say(now, None, text);
        }
    }

    /// Has the model say that it takes a while, unless somebody speaks.
    fn fill(&mut self, now: SessionTime, text: &str) {
        let is_silent = self.answer.is_none() && self.sounding.is_none();
        let nobody_speaks = self.turn.is_none() && !self.nova_hears;
        if self.version == ModelVersion::V2 && is_silent && nobody_speaks {
            let text = filled(&self.setup.settings.instructions.say, text);
            self.say(now, None, text);
        }
    }
}
