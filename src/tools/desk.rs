//! One call's ledger of tool uses: what was asked for, who is at it, and what the model was answered.
//!
//! Pure and told the time. After every `request`, `user_said`, `finished`, `client_answered` or
//! `cancel_all`, and at [`Desk::poll_timeout`], drain [`Desk::poll_act`]. It knows nothing of connections:
//! a use may be asked for on one and answered on the next.

mod act;
mod ask;
mod ledger;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::act::{DeskAct, DeskStats, Outcome, ToolDone, ToolRun};
use serde_json::{Value, json};

use self::ask::Ask;
use self::ledger::{Answered, Pending, Worker};
use super::json::{self, clip};
use super::spec::Executor;
use super::toolbox::Toolbox;
use crate::limits::{
    TOOL_ERROR_CHARS_MAX, TOOL_JSON_DEPTH_MAX, TOOL_NAME_CHARS_MAX, TOOL_RESULT_BYTES_MAX,
    TOOL_USE_ID_BYTES_MAX, TOOL_USES_PENDING_MAX,
};
use crate::time::SessionTime;

/// So long a reply waits that has nothing but tools to wait for; then it is closed and the conversation goes
/// on. A use without a filler that took longer is a late one: what the model says of it is a reply by itself.
pub const TOOL_PATIENCE: Duration = Duration::from_secs(4);

/// The tool uses of one call.
///
/// Whatever happens, each use is answered exactly once, at the latest when its tool's time is over.
#[derive(Debug)]
pub struct Desk {
    toolbox: Arc<Toolbox>,
    call_id: String,
    pending: Vec<Pending>,
    answered: Answered,
    ask: Ask,
    acts: VecDeque<DeskAct>,
    /// Tools that were called with arguments that do not fit, in the reply that the model is at.
    misfits: Vec<usize>,
    tickets: u64,
    stats: DeskStats,
}

impl Desk {
    /// An empty desk. `call_id` is part of the idempotency keys.
    pub fn new(toolbox: Arc<Toolbox>, call_id: String) -> Self {
        Self {
            toolbox,
            call_id,
            pending: Vec::new(),
            answered: Answered::default(),
            ask: Ask::default(),
            acts: VecDeque::new(),
            misfits: Vec::new(),
            tickets: 0,
            stats: DeskStats::default(),
        }
    }

    /// The model asks for a tool. `arguments` is JSON text, possibly encoded more than once.
    pub fn request(&mut self, now: SessionTime, use_id: &str, name: &str, arguments: &str) {
        if use_id.len() > TOOL_USE_ID_BYTES_MAX {
            self.stats.ids_refused += 1;
        } else if self.is_pending(use_id) || self.answered.contains(use_id) {
            self.stats.duplicates += 1;
        } else {
            self.stats.requests += 1;
            if let Err(result) = self.begin(now, use_id, name, arguments) {
                self.answer(use_id.to_owned(), result, false);
            }
        }
    }

    /// The model begins another reply: what it did not get right in the last one counts no more.
    pub fn reply_begins(&mut self) {
        self.misfits.clear();
    }

    /// A final transcript, or what the user typed: it may be the answer to a question, and another reply
    /// follows.
    pub fn user_said(&mut self, now: SessionTime, text: &str) {
        self.reply_begins();
        self.ask.handle_utterance(now, text, &self.toolbox);
    }

    /// An execution ended.
    pub fn finished(&mut self, now: SessionTime, done: ToolDone) {
        let is_it = |pending: &Pending| pending.worker == Worker::Runner { ticket: done.ticket };
        let Some(pending) = self.take(is_it) else {
            self.stats.late += 1;
            return;
        };
        let outcome = match done.outcome {
            Outcome::Result(value) => Ok(value),
            Outcome::Failed(problem) => Err(problem),
        };
        self.settle(now, pending, outcome);
    }

    /// The user's client executed a use. `result_json` is JSON text.
    pub fn client_answered(&mut self, now: SessionTime, use_id: &str, result_json: &str) {
        let is_it =
            |pending: &Pending| pending.worker == Worker::Client && pending.use_id == use_id;
        let Some(pending) = self.take(is_it) else {
            self.stats.late += 1;
            return;
        };
        match json::read(result_json, TOOL_RESULT_BYTES_MAX, TOOL_JSON_DEPTH_MAX) {
            Ok(value) => self.settle(now, pending, Ok(value)),
            Err(problem) => {
                self.stats.results_refused += 1;
                self.end(now, pending, error(&format!("the result cannot be used: {problem}")));
            }
        }
    }

    /// Answers every pending use with an error that says `reason`, and stops what runs. Questions to the
    /// user are withdrawn.
    pub fn cancel_all(&mut self, now: SessionTime, reason: &str) {
        self.ask = Ask::default();
        for pending in std::mem::take(&mut self.pending) {
            self.stats.cancelled += 1;
            self.abort(&pending);
            self.end(now, pending, error(&format!("cancelled: {reason}")));
        }
    }

    /// The next thing to do, in order.
    pub fn poll_act(&mut self, now: SessionTime) -> Option<DeskAct> {
        self.handle_timeouts(now);
        self.acts.pop_front()
    }

    /// When [`Desk::poll_act`] has something: [`SessionTime::ZERO`] if it has something already.
    pub fn poll_timeout(&self) -> Option<SessionTime> {
        if !self.acts.is_empty() {
            return Some(SessionTime::ZERO);
        }
        self.pending.iter().map(Pending::wakes_at).min()
    }

    /// Uses that wait for a result: at most [`TOOL_USES_PENDING_MAX`].
    pub const fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Whether this use waits for a result.
    pub fn is_pending(&self, use_id: &str) -> bool {
        self.pending.iter().any(|pending| pending.use_id == use_id)
    }

    /// What has happened so far.
    pub const fn stats(&self) -> &DeskStats {
        &self.stats
    }

    /// Begins a use, or says what the model is answered at once.
    fn begin(
        &mut self,
        now: SessionTime,
        use_id: &str,
        name: &str,
        arguments: &str,
    ) -> Result<(), String> {
        if self.pending.len() == TOOL_USES_PENDING_MAX {
            self.stats.crowded += 1;
            return Err(error(&format!(
                "{TOOL_USES_PENDING_MAX} tools are running already; wait for one of their results"
            )));
        }
        let Some(tool) = self.toolbox.find(name) else {
            self.stats.unknown += 1;
            return Err(self.no_such_tool(name));
        };
        let checked = self.toolbox.check_arguments(tool, arguments);
        let arguments = checked.map_err(|problem| self.misfit(tool, &problem))?;
        self.ask.admit(now, tool, &arguments, &self.toolbox, &mut self.stats)?;
        self.execute(now, use_id, tool, arguments);
        Ok(())
    }

    /// What the model is answered whose arguments do not fit: once in a reply it is asked to put them right.
    fn misfit(&mut self, tool: usize, problem: &str) -> String {
        self.stats.invalid += 1;
        let then = if self.misfits.contains(&tool) {
            self.stats.unrepaired += 1;
            "do not call it again: tell the user that it cannot be done now"
        } else {
            self.misfits.push(tool);
            "call it once more with arguments that fit"
        };
        json!({ "error": clip(problem, TOOL_ERROR_CHARS_MAX), "then": then }).to_string()
    }

    fn execute(&mut self, now: SessionTime, use_id: &str, tool: usize, arguments: Value) {
        let spec = self.toolbox.spec(tool);
        self.stats.executed += 1;
        let (worker, act) = match &spec.executor {
            Executor::Client => (
                Worker::Client,
                DeskAct::AskClient {
                    use_id: use_id.to_owned(),
                    name: spec.name.clone(),
                    arguments: arguments.to_string(),
                },
            ),
            Executor::Server(job) => {
                self.tickets += 1;
                let run = ToolRun {
                    ticket: self.tickets,
                    call_id: self.call_id.clone(),
                    use_id: use_id.to_owned(),
                    tool: spec.name.clone(),
                    job: job.clone(),
                    arguments,
                    idempotency_key: format!("{}/{}", Printable(&self.call_id), Printable(use_id)),
                    timeout: spec.timeout,
                    idempotent: spec.idempotent,
                };
                (Worker::Runner { ticket: self.tickets }, DeskAct::Run(run))
            }
        };
        let filler = spec.filler.as_ref();
        self.pending.push(Pending {
            use_id: use_id.to_owned(),
            tool,
            worker,
            deadline: now + spec.timeout,
            filler_at: filler.map(|filler| now + filler.after),
            late_at: now + filler.map_or(TOOL_PATIENCE, |filler| filler.after),
        });
        self.acts.push_back(act);
    }

    fn handle_timeouts(&mut self, now: SessionTime) {
        while let Some(pending) = self.take(|pending| pending.deadline <= now) {
            self.stats.timed_out += 1;
            self.abort(&pending);
            let timeout = self.toolbox.spec(pending.tool).timeout.as_secs_f32();
            self.end(now, pending, error(&format!("no result came within {timeout} s")));
        }
        for pending in &mut self.pending {
            if pending.filler_at.take_if(|at| *at <= now).is_some()
                && let Some(filler) = &self.toolbox.spec(pending.tool).filler
            {
                self.stats.fillers += 1;
                let (use_id, text) = (pending.use_id.clone(), filler.text.clone());
                self.acts.push_back(DeskAct::Filler { use_id, text });
            }
        }
    }

    fn take(&mut self, is_it: impl Fn(&Pending) -> bool) -> Option<Pending> {
        let at = self.pending.iter().position(is_it)?;
        Some(self.pending.remove(at))
    }

    fn abort(&mut self, pending: &Pending) {
        if let Worker::Runner { ticket } = pending.worker {
            self.acts.push_back(DeskAct::Abort { ticket });
        }
    }

    /// Answers a use with what came of its execution.
    fn settle(&mut self, now: SessionTime, pending: Pending, outcome: Result<Value, String>) {
        let result = match outcome.map(object_text) {
            Ok(Ok(text)) => {
                self.stats.results += 1;
                text
            }
            Ok(Err(problem)) => {
                self.stats.results_refused += 1;
                error(&format!("the result cannot be used: {problem}"))
            }
            Err(problem) => {
                self.stats.failed += 1;
                error(&problem)
            }
        };
        self.end(now, pending, result);
    }

    fn end(&mut self, now: SessionTime, pending: Pending, result: String) {
        self.answer(pending.use_id, result, pending.late_at <= now);
    }

    fn answer(&mut self, use_id: String, result: String, was_late: bool) {
        self.answered.push(use_id.clone());
        self.acts.push_back(DeskAct::Answer { use_id, result, was_late });
    }

    fn no_such_tool(&self, name: &str) -> String {
        let known: Vec<&str> = self.toolbox.specs().map(|spec| spec.name.as_str()).collect();
        let name = clip(name, TOOL_NAME_CHARS_MAX);
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        // Not cut: what the model needs is at the end of it, and the toolbox bounds it.
        json!({ "error": format!("there is no tool `{name}`; there are: {known}") }).to_string()
    }
}

/// The text of a result as models are given it: that of an object.
fn object_text(value: Value) -> Result<String, String> {
    if !json::is_within(&value, TOOL_JSON_DEPTH_MAX) {
        return Err(json::JsonError::TooDeep { max: TOOL_JSON_DEPTH_MAX }.to_string());
    }
    let object = if value.is_object() { value } else { json!({ "result": value }) };
    let text = object.to_string();
    if text.len() > TOOL_RESULT_BYTES_MAX {
        let (max, received) = (TOOL_RESULT_BYTES_MAX, text.len());
        return Err(json::JsonError::TooLarge { max, received }.to_string());
    }
    Ok(text)
}

/// The text of an error as models are given it.
fn error(problem: &str) -> String {
    json!({ "error": clip(problem, TOOL_ERROR_CHARS_MAX) }).to_string()
}

/// An id from outside as printable ASCII, for a header: other bytes as in a URL, so that two ids stay two.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' => {
                write!(formatter, "{}", char::from(byte))
            }
            _ => write!(formatter, "%{byte:02X}"),
        })
    }
}

#[cfg(test)]
mod tests;
