//! Executes on this server what desks ask for.
#![cfg(feature = "shell")]

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::desk::{Outcome, ToolDone, ToolRun};
use super::spec::{Builtin, Job};
use super::webhook::Webhooks;
use crate::limits::TOOL_REPORTS_MAX;

/// Executes tools, each in a task of its own. One serves all calls of the process: they share the
/// connections to the webhooks.
#[derive(Clone, Debug)]
pub struct Runner {
    webhooks: Webhooks,
}

/// Why there is no runner: the TLS client cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("tools cannot be executed: {0}; check the system's certificates")]
pub struct RunnerError(String);

/// An execution under way. Dropping it stops the execution; its report may already be on its way.
#[derive(Debug)]
pub struct RunHandle {
    ticket: u64,
    task: JoinHandle<()>,
}

impl RunHandle {
    /// That of the [`ToolRun`].
    pub const fn ticket(&self) -> u64 {
        self.ticket
    }
}

impl Drop for RunHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Runner {
    /// Sets up what executions share. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// The TLS client cannot be set up.
    pub fn new() -> Result<Self, RunnerError> {
        let webhooks = Webhooks::new().map_err(|error| RunnerError(error.to_string()))?;
        Ok(Self { webhooks })
    }

    /// Where one call's executions report.
    pub fn reports() -> (mpsc::Sender<ToolDone>, mpsc::Receiver<ToolDone>) {
        mpsc::channel(TOOL_REPORTS_MAX)
    }

    /// Begins an execution. It reports exactly once, at the latest when its time is over, unless it is
    /// dropped before. Has to be called within a Tokio runtime.
    pub fn start(&self, run: ToolRun, reports: mpsc::Sender<ToolDone>) -> RunHandle {
        let webhooks = self.webhooks.clone();
        let ticket = run.ticket;
        let task = tokio::spawn(async move {
            let deadline = Instant::now() + run.timeout;
            let outcome = timeout_at(deadline, execute(&webhooks, &run, deadline)).await;
            let outcome = outcome.unwrap_or_else(|_| {
                tracing::warn!(call = run.call_id, tool = run.tool, "a tool took too long");
                Outcome::Failed(format!("no result came within {} s", run.timeout.as_secs_f32()))
            });
            // Nobody listening any more is no error.
            let _ = reports.send(ToolDone { ticket, outcome }).await;
        });
        RunHandle { ticket, task }
    }
}

async fn execute(webhooks: &Webhooks, run: &ToolRun, deadline: Instant) -> Outcome {
    match &run.job {
        Job::Webhook(settings) => match webhooks.call(settings, run, deadline).await {
            Ok(value) => Outcome::Result(value),
            Err(error) => {
                let problem = error.for_log();
                tracing::warn!(call = run.call_id, tool = run.tool, problem, "a tool failed");
                Outcome::Failed(error.to_string())
            }
        },
        Job::Mcp(tool) => match tool.call(run, deadline).await {
            Ok(value) => Outcome::Result(value),
            Err(error) => {
                let problem = error.for_log();
                tracing::warn!(call = run.call_id, tool = run.tool, problem, "a tool failed");
                Outcome::Failed(error.to_string())
            }
        },
        Job::Builtin(Builtin::Echo) => Outcome::Result(run.arguments.clone()),
        Job::Builtin(Builtin::Fail) => {
            Outcome::Failed("this tool always fails, as it should".to_owned())
        }
        Job::Builtin(Builtin::Wait(time)) => {
            sleep(*time).await;
            let waited_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            Outcome::Result(serde_json::json!({ "waited_ms": waited_ms }))
        }
    }
}

#[cfg(test)]
mod tests;
