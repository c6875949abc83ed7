//! Several language models, of which one writes: the next stands in for one that fails, also in the middle.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::{Asking, Calls, LlmStage, ModelReport, Silence, reports};
use crate::backend::cascade::error::StageError;
use crate::backend::cascade::meter::Meter;
use crate::backend::cascade::stage::{Stage, exhausted};
use crate::call::event::Generation;
use crate::cascade::chat::ToolDeclaration;
use crate::cascade::context::Context;
use crate::cascade::failover::{Act, Attempt, FailureKind, First};
use crate::cascade::phrase::{wants_blank, whole_words};
use crate::limits::PROVIDERS_MAX;

/// Said to a model that goes on where another one broke off, in the user's place.
const GO_ON: &str = "(Your answer was cut off here. Go on with its next word. Repeat nothing.)";

/// As [`LlmStage::ask`], of whichever provider can.
pub(in crate::backend::cascade) fn ask(
    stage: &Arc<Stage<LlmStage>>,
    work: Generation,
    context: &Context,
    tools: &Arc<[ToolDeclaration]>,
    to: mpsc::Sender<ModelReport>,
    meter: &Arc<Meter>,
) -> Asking {
    if let Some(only) = stage.only() {
        return only.ask(work, context, tools, to, Silence::Fails, &stage.bill(0, meter));
    }
    let request = Request {
        stage: Arc::clone(stage),
        context: context.clone(),
        tools: Arc::clone(tools),
        work,
        to,
        meter: Arc::clone(meter),
        written: String::new(),
        held: String::new(),
        is_seam: false,
    };
    Asking(tokio::spawn(request.run()))
}

struct Request {
    stage: Arc<Stage<LlmStage>>,
    context: Context,
    tools: Arc<[ToolDeclaration]>,
    work: Generation,
    to: mpsc::Sender<ModelReport>,
    meter: Arc<Meter>,
    /// What was told of the answer: whole words.
    written: String,
    /// The beginning of a word, which the next provider would not know how to end.
    held: String,
    /// What comes next is another provider's than what was told.
    is_seam: bool,
}

/// How one provider, or all of them, ended.
enum Ended {
    Complete(Calls),
    /// In the middle of its answer.
    Broken(usize),
    Exhausted(StageError),
    /// Nobody reads the answer.
    Unread,
}

impl Request {
    async fn run(mut self) {
        let mut avoided = None;
        // Each round but the last has lost a provider in the middle of its answer.
        for _ in 0..PROVIDERS_MAX {
            let result = match self.attempt(avoided).await {
                Ended::Unread => return,
                Ended::Broken(provider) => {
                    avoided = Some(provider);
                    continue;
                }
                Ended::Complete(calls) => Ok(calls),
                Ended::Exhausted(error) => Err(error),
            };
            return self.finish(result).await;
        }
        let problem =
            "the language models stop in the middle of their answers, one after the other";
        self.finish(Err(StageError::new(FailureKind::Broken, problem))).await;
    }

    /// Asks until somebody has written the rest.
    async fn attempt(&mut self, avoided: Option<usize>) -> Ended {
        let context = self.context_so_far();
        // The one that broke off may have written everything.
        let silence = if self.written.is_empty() { Silence::Fails } else { Silence::Counts };
        let mut attempt = Attempt::new(None);
        if let Some(provider) = avoided {
            attempt = attempt.avoiding(provider);
        }
        let stage = Arc::clone(&self.stage);
        let (to, mut from) = reports();
        let mut asked: Vec<Option<Asking>> = stage.providers().iter().map(|_| None).collect();
        let mut last = None;
        let mut attempt = stage.begin(attempt);
        loop {
            while let Some(act) = attempt.poll_act() {
                match act {
                    Act::Start { provider } => {
                        let work = Generation(u32::try_from(provider).unwrap_or(u32::MAX));
                        let model = &stage.providers()[provider];
                        let bill = stage.bill(provider, &self.meter);
                        let to = to.clone();
                        let asking = model.ask(work, &context, &self.tools, to, silence, &bill);
                        asked[provider] = Some(asking);
                    }
                    Act::Cancel { provider } => asked[provider] = None,
                    Act::Broken { provider, .. } => return Ended::Broken(provider),
                    Act::Exhausted { failures } => {
                        return Ended::Exhausted(exhausted("language model", &failures, last));
                    }
                }
            }
            let due = attempt.poll_timeout();
            let report = tokio::select! {
                Some(report) = from.recv() => report,
                () = sleep_until(due.unwrap_or_else(tokio::time::Instant::now)), if due.is_some() => {
                    attempt.handle_timeout();
                    continue;
                }
                else => return Ended::Unread,
            };
            // Each reports as its place.
            let provider = report.work().0 as usize;
            if let ModelReport::Done { result: Err(error), .. } = report {
                let kind = error.kind;
                last = Some(error);
                attempt.handle_failed(provider, kind);
                continue;
            }
            if attempt.winner() != Some(provider)
                && attempt.handle_first(provider) == First::TooLate
            {
                continue;
            }
            match report {
                ModelReport::Done { result: Ok(calls), .. } => return Ended::Complete(calls),
                ModelReport::Done { .. } | ModelReport::Working { .. } => {}
                ModelReport::Text { text, .. } => {
                    if self.write(&text).await.is_err() {
                        return Ended::Unread;
                    }
                }
            }
        }
    }

    /// What a provider is told that is to write the rest.
    fn context_so_far(&mut self) -> Context {
        let mut context = self.context.clone();
        self.held.clear();
        self.is_seam = !self.written.is_empty();
        if self.is_seam {
            context.agent_says(self.work, self.written.trim());
            context.user_said(GO_ON);
        }
        context
    }

    /// Tells more of the answer, up to its last [whole word](whole_words).
    async fn write(&mut self, text: &str) -> Result<(), mpsc::error::SendError<ModelReport>> {
        if std::mem::take(&mut self.is_seam)
            && wants_blank(&self.written)
            && !text.starts_with(char::is_whitespace)
        {
            self.held.push(' ');
        }
        self.held.push_str(text);
        let rest = self.held.split_off(whole_words(&self.held));
        let text = std::mem::replace(&mut self.held, rest);
        if text.is_empty() {
            return Ok(());
        }
        self.tell(text).await
    }

    async fn tell(&mut self, text: String) -> Result<(), mpsc::error::SendError<ModelReport>> {
        self.written.push_str(&text);
        self.to.send(ModelReport::Text { generation: self.work, text }).await
    }

    async fn finish(mut self, result: Result<Calls, StageError>) {
        let held = std::mem::take(&mut self.held);
        if result.is_ok() && !held.is_empty() && self.tell(held).await.is_err() {
            return;
        }
        let _ = self.to.send(ModelReport::Done { generation: self.work, result }).await;
    }
}

#[cfg(test)]
mod tests;
