//! Between the language model and the tools that it calls.
//!
//! ```text
//! model writes --calls--> tools work --all results--> model writes on
//!       |                     '--too long--> the reply ends; its rest is announced
//!       '--calls for ever--> no tool works any more, then the reply ends
//! ```

use std::mem;

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Late {
    /// None is awaited.
    #[default]
    None,
    /// A reply was closed before the results of these calls came: the model is to speak of them.
    Awaited(Vec<String>),
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
        let calls = mem::take(calls);
        let generation = reply.generation;
        // What was said before the calls stands before them.
        let unrecorded: Vec<String> =
            reply.sentences.iter().skip(reply.recorded).cloned().collect();
        reply.recorded = reply.sentences.len();
        self.record(generation, &unrecorded);
        let Brain::Model(brain) = &mut self.brain else { return };
        let calls: Vec<_> = calls.into_iter().map(told).collect();
        let ids = calls.iter().map(|(call, _)| call.id.clone()).collect();
        if let Some(reply) = &mut self.reply {
            reply.source = Source::Working { since: now, calls: ids };
        }
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
        while let Some(act) = brain.hands.poll_act(now) {
            match act {
                HandsAct::Answer { id, result } => {
                    brain.context.tool_result(&id, &result);
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
        self.announce_late();
        self.go_on();
        self.give_up_waiting(now);
        self.speak_on();
    }

    /// The results that a reply was closed without may all be there.
    fn announce_late(&mut self) {
        let (Late::Awaited(late), Brain::Model(brain)) = (&self.late, &self.brain) else { return };
        if brain.hands.are_pending(late) {
            return;
        }
        let is_working = |reply: &Reply| matches!(reply.source, Source::Working { .. });
        if self.reply.as_ref().is_some_and(is_working) {
            // The model is told of them when this one goes on.
            self.late = Late::None;
        } else {
            self.late = Late::Announced;
            self.events.push_back(BackendEvent::WantsToSpeak);
        }
    }

    /// The reply's own results may all be there.
    fn go_on(&mut self) {
        let (Some(reply), Brain::Model(brain)) = (&self.reply, &self.brain) else { return };
        if let Source::Working { calls, .. } = &reply.source
            && !brain.hands.are_pending(calls)
        {
            self.ask_model();
        }
    }

    /// The user has waited long enough for a reply of which nothing is heard.
    fn give_up_waiting(&mut self, now: SessionTime) {
        let (Some(reply), Brain::Model(brain)) = (&mut self.reply, &self.brain) else { return };
        if reply.waits_since().is_some_and(|since| now.since(since) >= brain.patience)
            && let Source::Working { calls, .. } = mem::replace(&mut reply.source, Source::Complete)
        {
            let late = match mem::take(&mut self.late) {
                // Those of another reply are spoken of with these.
                Late::Awaited(others) => [others, calls].concat(),
                Late::None | Late::Announced => calls,
            };
            self.late = Late::Awaited(late);
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
        if self.late == Late::Announced {
            self.late = Late::None;
            self.ask_model();
        } else if let Some(reply) = &mut self.reply {
            reply.source = Source::Complete;
        }
    }
}
