//! Several backends, of which the next takes a call over when the one before is lost.
//!
//! A backend is lost when it says so, hangs up, has no room, is not ready in time, stops reading or fails
//! reply after reply. What its follower is told and asked is decided in [`watch`]; this is the channels. The
//! last one's failure is the call's.

mod asked;
mod history;
mod watch;

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, pending};
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::mpsc::error::TrySendError;

use self::watch::Watch;
use super::session::{self, Machine};
use super::{
    Abilities, Backend, BackendOutput, BackendSession, Busy, CallContext, Checking, Problem,
    ProviderHealth, Spoken, channels,
};
use crate::agent::BackendInput;
use crate::time::SessionTime;

/// A backend and those behind it.
pub struct Relief {
    first: Arc<dyn Backend>,
    others: Vec<Arc<dyn Backend>>,
}

impl fmt::Debug for Relief {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.all().map(|backend| backend.name())).finish()
    }
}

impl Relief {
    /// `first`, and `others` in the order in which they take over.
    pub fn new(first: Arc<dyn Backend>, others: Vec<Arc<dyn Backend>>) -> Self {
        Self { first, others }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<dyn Backend>> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl Backend for Relief {
    fn name(&self) -> &'static str {
        self.first.name()
    }

    /// Those of the first: what another cannot do it ignores or says nothing to, for the rest of a call. But
    /// who cannot be heard while speaking could never be interrupted by words.
    fn abilities(&self) -> Abilities {
        let transcribes = self.all().all(|backend| backend.abilities().transcribes);
        Abilities { transcribes, ..self.first.abilities() }
    }

    fn open(&self, call: CallContext) -> Result<BackendSession, Busy> {
        let mut waiting: VecDeque<_> = self.all().cloned().collect();
        let mut refusal = None;
        while let Some(backend) = waiting.pop_front() {
            match backend.open(call.clone()) {
                Ok(session) => {
                    let mut watch = Watch::new(self.first.abilities().ends_turns);
                    watch.handle_relief(SessionTime::ZERO, backend.abilities(), waiting.is_empty());
                    let (ends, channels) = channels();
                    let relay = Relay { watch, session: Some(session), waiting, call };
                    tokio::spawn(session::run(relay, channels));
                    return Ok(ends);
                }
                Err(busy) => refusal = refusal.or(Some(busy)),
            }
        }
        Err(refusal.expect("the first one was asked"))
    }

    /// A mistake in any of them is one. What may pass by itself is told of the first that has it.
    fn check(&self) -> Checking<'_> {
        Box::pin(async {
            let answers = join_all(self.all().map(|backend| backend.check())).await;
            let mut problems: Vec<Problem> = answers.into_iter().filter_map(Result::err).collect();
            problems.sort_by_key(|problem| matches!(problem, Problem::Passing(_)));
            problems.into_iter().next().map_or(Ok(()), Err)
        })
    }

    fn health(&self) -> Vec<ProviderHealth> {
        self.all().flat_map(|backend| backend.health()).collect()
    }

    fn begin(&self) {
        self.all().for_each(|backend| backend.begin());
    }

    /// Calls begin with the first.
    fn spoken(&self, text: &str) -> Option<Spoken> {
        self.first.spoken(text)
    }
}

/// One call.
struct Relay {
    watch: Watch,
    /// With the backend that has the call; `None` once nobody has.
    session: Option<BackendSession>,
    /// Who takes over next.
    waiting: VecDeque<Arc<dyn Backend>>,
    call: CallContext,
}

/// What the backend did.
enum Report {
    Sent(BackendOutput),
    HungUp,
    /// Its queue has room again.
    HasRoom,
}

impl Relay {
    /// Passes on what can be, and sees to it that somebody has the call.
    fn follow(&mut self, now: SessionTime) {
        loop {
            if let Some(why) = self.watch.loss() {
                let why = why.to_owned();
                self.relieve(now, why);
            }
            let Some(session) = &self.session else { return };
            let Some(input) = self.watch.poll_input() else { return };
            match session.input.try_send(input) {
                Ok(()) => self.watch.handle_room(),
                Err(TrySendError::Full(input)) => {
                    return self.watch.handle_full(now, input);
                }
                // What it said last may still be read; then it is found to be gone.
                Err(TrySendError::Closed(_)) => {}
            }
        }
    }

    fn relieve(&mut self, now: SessionTime, mut why: String) {
        self.session = None;
        while let Some(next) = self.waiting.pop_front() {
            let call_id = &self.call.call_id;
            // Why is told to the client: it may hold what a provider said, which is for no log.
            tracing::warn!(call = call_id, to = next.name(), "backend relieved");
            let call = CallContext { history: self.watch.said(), ..self.call.clone() };
            match next.open(call) {
                Ok(session) => {
                    self.session = Some(session);
                    let is_last = self.waiting.is_empty();
                    return self.watch.handle_relief(now, next.abilities(), is_last);
                }
                Err(Busy(refusal)) => why = refusal,
            }
        }
        self.watch.handle_nobody(why);
    }
}

impl Machine for Relay {
    type Report = Report;

    fn handle_input(&mut self, now: SessionTime, input: BackendInput) {
        self.watch.handle_input(input);
        self.follow(now);
    }

    fn handle_report(&mut self, now: SessionTime, report: Report) {
        match report {
            Report::Sent(output) => self.watch.handle_output(output),
            Report::HungUp => {
                self.session = None;
                self.watch.handle_gone();
            }
            Report::HasRoom => {}
        }
        self.follow(now);
    }

    fn next_report(&mut self) -> impl Future<Output = Report> + Send {
        let (reads, writes) = (self.watch.wants_output(), self.watch.has_input());
        let session = &mut self.session;
        async move {
            let Some(BackendSession { input, output }) = session else { return pending().await };
            tokio::select! {
                biased;
                output = output.recv(), if reads => output.map_or(Report::HungUp, Report::Sent),
                room = input.reserve(), if writes => match room {
                    Ok(_) => Report::HasRoom,
                    // Its last words may still be on their way.
                    Err(_) if reads => output.recv().await.map_or(Report::HungUp, Report::Sent),
                    Err(_) => pending().await,
                },
                else => pending().await,
            }
        }
    }

    fn poll_output(&mut self, now: SessionTime) -> Option<BackendOutput> {
        self.watch.handle_timeout(now);
        self.follow(now);
        self.watch.poll_output()
    }

    fn poll_timeout(&self) -> Option<SessionTime> {
        self.watch.poll_timeout()
    }

    fn wants_input(&self) -> bool {
        self.watch.wants_input()
    }

    fn is_over(&self) -> bool {
        self.watch.is_over()
    }
}

#[cfg(test)]
pub(super) mod tests;
