//! The tools of an agent whose language model calls them.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::mpsc;

use crate::backend::BackendError;
use crate::cascade::chat::{RefusedCall, ToolDeclaration, can_be_strict};
use crate::cascade::context::ToolCall;
use crate::time::SessionTime;
use crate::tools::runner::{RunHandle, Runner};
use crate::tools::{Desk, DeskAct, Names, ToolDone, Toolbox};

/// What an agent's calls share.
#[derive(Clone, Debug)]
pub(super) struct Tools {
    toolbox: Arc<Toolbox>,
    names: Arc<Names>,
    declarations: Arc<[ToolDeclaration]>,
    runner: Runner,
}

impl Tools {
    /// Sets up what executions share.
    pub(super) fn new(toolbox: Arc<Toolbox>) -> Result<Self, BackendError> {
        let names: Vec<&str> = toolbox.specs().map(|spec| spec.name.as_str()).collect();
        let names = Names::new(&names);
        let declare = |(index, spec): (usize, &crate::tools::ToolSpec)| ToolDeclaration {
            name: names.wire(index).to_owned(),
            description: spec.description.clone(),
            schema: spec.parameters.clone(),
            can_be_strict: can_be_strict(&spec.parameters),
        };
        let declarations = toolbox.specs().enumerate().map(declare).collect();
        let runner =
            Runner::new().map_err(|error| BackendError::Invalid { problem: error.to_string() })?;
        Ok(Self { toolbox, names: Arc::new(names), declarations, runner })
    }

    /// What a model is told of them.
    pub(super) const fn declarations(&self) -> &Arc<[ToolDeclaration]> {
        &self.declarations
    }

    /// What a call has of them.
    pub(super) fn open(&self, call_id: &str) -> (Hands, mpsc::Receiver<ToolDone>) {
        let (done_to, done) = Runner::reports();
        let desk = Desk::new(Arc::clone(&self.toolbox), call_id.to_owned());
        (Hands { tools: self.clone(), desk, runs: HashMap::new(), done_to }, done)
    }
}

/// One call's tools at work. Dropping it stops what runs.
#[derive(Debug)]
pub(super) struct Hands {
    tools: Tools,
    desk: Desk,
    runs: HashMap<u64, RunHandle>,
    done_to: mpsc::Sender<ToolDone>,
}

/// What is left to be done by others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HandsAct {
    /// The model is answered.
    Answer { id: String, result: String },
    /// The user's client does this one.
    AskClient { id: String, name: String, arguments: String },
    /// The user is told this meanwhile.
    Filler(String),
}

impl Hands {
    /// What a model is told of the tools.
    pub(super) const fn declarations(&self) -> &Arc<[ToolDeclaration]> {
        self.tools.declarations()
    }

    /// The model calls a tool, by the name that it knows.
    pub(super) fn request(&mut self, now: SessionTime, call: &ToolCall) {
        let declared = self.tools.names.original(&call.name);
        let name = declared
            .map_or(call.name.as_str(), |index| self.tools.toolbox.spec(index).name.as_str());
        self.desk.request(now, &call.id, name, &call.arguments);
    }

    /// What the user said may be a yes.
    pub(super) fn user_said(&mut self, now: SessionTime, text: &str) {
        self.desk.user_said(now, text);
    }

    /// The model begins a reply that is not to anything the user said.
    pub(super) fn reply_begins(&mut self) {
        self.desk.reply_begins();
    }

    /// A run is over.
    pub(super) fn finished(&mut self, now: SessionTime, done: ToolDone) {
        self.runs.remove(&done.ticket);
        self.desk.finished(now, done);
    }

    /// The user's client has done one.
    pub(super) fn client_answered(&mut self, now: SessionTime, id: &str, result: &str) {
        self.desk.client_answered(now, id, result);
    }

    /// Runs what is to be run; answers the next thing for others to do.
    pub(super) fn poll_act(&mut self, now: SessionTime) -> Option<HandsAct> {
        loop {
            match self.desk.poll_act(now)? {
                DeskAct::Run(run) => {
                    let ticket = run.ticket;
                    let handle = self.tools.runner.start(run, self.done_to.clone());
                    self.runs.insert(ticket, handle);
                }
                DeskAct::Abort { ticket } => {
                    self.runs.remove(&ticket);
                }
                DeskAct::Answer { use_id: id, result, .. } => {
                    return Some(HandsAct::Answer { id, result });
                }
                DeskAct::AskClient { use_id: id, name, arguments } => {
                    return Some(HandsAct::AskClient { id, name, arguments });
                }
                DeskAct::Filler { text, .. } => return Some(HandsAct::Filler(text)),
            }
        }
    }

    /// When [`Hands::poll_act`] has something.
    pub(super) fn poll_timeout(&self) -> Option<SessionTime> {
        self.desk.poll_timeout()
    }

    /// Whether any of these calls has no result.
    pub(super) fn are_pending(&self, ids: &[String]) -> bool {
        ids.iter().any(|id| self.desk.is_pending(id))
    }
}

/// A call that is carried out, or one that is not and what the model is told of it.
pub(super) fn told(call: Result<ToolCall, RefusedCall>) -> (ToolCall, Option<String>) {
    match call {
        Ok(call) => (call, None),
        Err(refused) => {
            let error = json!({ "error": refused.to_string() }).to_string();
            let RefusedCall { id, name, .. } = refused;
            let name = if name.is_empty() { "unknown".to_owned() } else { name };
            (ToolCall { id, name, arguments: "{}".to_owned() }, Some(error))
        }
    }
}
