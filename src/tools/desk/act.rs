//! What goes between a desk, those that execute tools, and the model.

use std::time::Duration;

use serde_json::Value;

use crate::tools::spec::Job;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum DeskAct {
    /// Run this and say [`Desk::finished`](super::Desk::finished).
    Run(ToolRun),
    /// Nobody waits for this run any more: stop it. What it still reports is dropped.
    Abort { ticket: u64 },
    /// Have the user's client run this and say
    /// [`Desk::client_answered`](super::Desk::client_answered). `arguments` is the text of a JSON object.
    AskClient { use_id: String, name: String, arguments: String },
    /// Tell the model. `result` is the text of a JSON object: what the tool said (in `result` if it was
    /// no object), or `{"error": "..."}`. With `was_late` the user has been waiting for so long that the
    /// conversation has gone on.
    Answer { use_id: String, result: String, was_late: bool },
    /// Say this to the user, who is waiting; once a use.
    Filler { use_id: String, text: String },
}

/// One execution on this server.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolRun {
    /// Its number within the call, from 1.
    pub ticket: u64,
    /// The call.
    pub call_id: String,
    /// The use that is executed.
    pub use_id: String,
    /// The tool's name.
    pub tool: String,
    /// What is to be done.
    pub job: Job,
    /// A JSON object that the tool's schema holds valid.
    pub arguments: Value,
    /// The same for every attempt of this execution, and for no other: printable ASCII.
    pub idempotency_key: String,
    /// For all attempts together.
    pub timeout: Duration,
    /// It may be tried again.
    pub idempotent: bool,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolDone {
    /// That of its [`ToolRun`].
    pub ticket: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an execution.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It was done and said this.
    Result(Value),
    /// It failed, for the model: what happened.
    Failed(String),
}

/// What has happened so far, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeskStats {
    /// Uses that the model asked for, duplicates and the like not among them.
    pub requests: u64,
    /// Requests for a use that was pending or answered, ignored.
    pub duplicates: u64,
    /// Requests with an id that is too long, ignored.
    pub ids_refused: u64,
    /// Answered: there is no such tool.
    pub unknown: u64,
    /// Answered: the arguments are wrong.
    pub invalid: u64,
    /// Of these, those of a tool that was called wrongly before in the same reply.
    pub unrepaired: u64,
    /// Answered: too many are pending.
    pub crowded: u64,
    /// Answered with the question that the user is to be asked.
    pub questions: u64,
    /// Answered: the user has not been heard since the question.
    pub unconfirmed: u64,
    /// Executions begun, of the client's too.
    pub executed: u64,
    /// Answered with a result.
    pub results: u64,
    /// Answered: the execution failed.
    pub failed: u64,
    /// Answered: the result was too large, too deep or no JSON.
    pub results_refused: u64,
    /// Answered: no result came in time.
    pub timed_out: u64,
    /// Answered: cancelled.
    pub cancelled: u64,
    /// Results that nobody waited for, dropped.
    pub late: u64,
    /// Fillers said.
    pub fillers: u64,
}
