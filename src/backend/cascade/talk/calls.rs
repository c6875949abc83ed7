//! Between the language model and the tools that it calls.
//!
//! ```text
//! model writes --calls--> tools work --all results--> model writes on
//!       |                     '--too long--> the reply ends; its rest is announced
//!       '--calls for ever--> no tool works any more, then the reply ends
//! ```

use super::Talk;
use super::brain::Brain;
use super::reply::{Reply, Source};
use crate::backend::cascade::tools::{HandsAct, told};
use crate::call::event::{BackendEvent, Generation};
use crate::limits::MODEL_TOOL_ROUNDS_MAX;
use crate::time::SessionTime;
use crate::tools::ToolDone;

/// What the model is told of the calls that are one round too many.
const ENOUGH: &str =
    r#"{"error":"too many tools were called for one answer: call none, answer the user now"}"#;

/// What becomes of results that nobody waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Late {
    /// None is awaited.
    #[default]
    None,
    /// A reply was closed before they came: the model is to speak of them.
    Awaited,
    /// They have come, and the call was asked for the floor.
    Announced,
}

impl Talk {
    /// The model's answer is written and asks for tools: they are called, if the answer counts.
    pub(super) fn call_tools(&mut self, now: SessionTime) {
        let Some(reply) = &mut self.reply else { return };
        let Source::Calls(calls) = &mut reply.source else { return };
        if reply.rounds > MODEL_TOOL_ROUNDS_MAX {
            reply.give_up("the language model calls tools without end");
            return;
        }
        reply.rounds += 1;
        let is_enough = reply.rounds > MODEL_TOOL_ROUNDS_MAX;
        let calls = std::mem::take(calls);
        reply.source = Source::Working { since: now };
        let generation = reply.generation;
        // What was said before the calls stands before them.
        let unrecorded: Vec<String> =
            reply.sentences.iter().skip(reply.recorded).cloned().collect();
        reply.recorded = reply.sentences.len();
        self.record(generation, &unrecorded);
        let Brain::Model(brain) = &mut self.brain else { return };
        let calls: Vec<_> = calls.into_iter().map(told).collect();
        let recorded = calls.iter().map(|(call, _)| call.clone()).collect();
        if brain.context.agent_calls(generation, recorded).is_err() {
            // Longer together than a conversation can hold: the model would not be told of them.
            if let Some(reply) = &mut self.reply {
                reply.source = Source::Complete;
            }
            return;
        }
        for (call, refusal) in &calls {
            match refusal {
                _ if is_enough => {
                    brain.context.tool_result(&call.id, ENOUGH);
                }
                Some(error) => {
                    brain.context.tool_result(&call.id, error);
                }
                None => brain.hands.request(now, call),
            }
        }
        self.follow_tools(now);
    }

    /// A run is over.
    pub(super) fn handle_tool(&mut self, now: SessionTime, done: ToolDone) {
        if let Brain::Model(brain) = &mut self.brain {
            brain.hands.finished(now, done);
        }
        self.follow_tools(now);
    }

    /// Does what the tools need; asks the model again once it has all results.
    pub(super) fn follow_tools(&mut self, now: SessionTime) {
        let Brain::Model(brain) = &mut self.brain else { return };
        let mut has_answers = false;
        while let Some(act) = brain.hands.poll_act(now) {
            match act {
                HandsAct::Answer { id, result } => {
                    brain.context.tool_result(&id, &result);
                    has_answers = true;
                }
                HandsAct::AskClient { id: call_id, name, arguments } => {
                    let generation = self.newest;
                    let event = BackendEvent::ToolCall { generation, call_id, name, arguments };
                    self.events.push_back(event);
                }
                HandsAct::Filler(text) => {
                    if let Some(reply) = self.reply.as_mut().filter(|reply| reply.is_waiting()) {
                        // Not the model's words: it is not told that it said them.
                        reply.sentences.push_back(text);
                        reply.recorded = reply.sentences.len();
                    }
                }
            }
        }
        if brain.hands.pending() == 0 {
            self.go_on(has_answers);
        }
        self.give_up_waiting(now);
        self.speak_on();
    }

    /// All results are there.
    fn go_on(&mut self, has_answers: bool) {
        match &self.reply {
            Some(reply) if matches!(reply.source, Source::Working { .. }) => self.ask_model(),
            _ if has_answers && self.late == Late::Awaited => {
                self.late = Late::Announced;
                self.events.push_back(BackendEvent::WantsToSpeak);
            }
            _ => {}
        }
    }

    /// The user has waited long enough for a reply of which nothing is heard.
    fn give_up_waiting(&mut self, now: SessionTime) {
        let (Some(reply), Brain::Model(brain)) = (&mut self.reply, &self.brain) else { return };
        if reply.waits_since().is_some_and(|since| now.since(since) >= brain.patience) {
            reply.source = Source::Complete;
            self.late = Late::Awaited;
        }
    }

    /// When the tools, or those who wait for them, want to be looked at.
    pub(super) fn tools_due(&self) -> Option<SessionTime> {
        let Brain::Model(brain) = &self.brain else { return None };
        let given_up =
            self.reply.as_ref().and_then(Reply::waits_since).map(|at| at + brain.patience);
        [brain.hands.poll_timeout(), given_up].into_iter().flatten().min()
    }

    /// The call gives the floor for results that came late: the model speaks of them.
    pub(super) fn speak_of_results(&mut self, generation: Generation) {
        self.begin(generation);
        if let Brain::Model(brain) = &mut self.brain {
            brain.hands.reply_begins();
        }
        if std::mem::take(&mut self.late) == Late::Announced {
            self.ask_model();
        } else if let Some(reply) = &mut self.reply {
            reply.source = Source::Complete;
        }
    }
}
