//! Several recognisers, of which one hears: the next stands in for one that fails or is too slow, and is
//! given the turn from its beginning.

mod heard;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use self::heard::{Heard, Turns};
use super::listener::Listener;
use super::{Ask, AsrReport, AsrStage};
use crate::backend::cascade::error::StageError;
use crate::backend::cascade::meter::Meter;
use crate::backend::cascade::stage::{Stage, exhausted};
use crate::call::event::TurnId;
use crate::cascade::failover::{Act, Attempt, Breakers, FailureKind, First, Outcome, Permit};
use crate::limits::UTTERANCE_FRAMES_MAX;
use crate::time::SessionTime;

/// Begins to listen to a call.
pub(super) fn open(
    stage: &Arc<Stage<AsrStage>>,
    meter: &Arc<Meter>,
) -> (Listener, mpsc::Receiver<AsrReport>) {
    let listening = Listening {
        stage: Arc::clone(stage),
        meter: Arc::clone(meter),
        running: Vec::new(),
        turns: Turns::default(),
        is_ready: false,
        outbox: VecDeque::new(),
        last: None,
    };
    Listener::spawn(|asked, to| listening.run(asked, to))
}

/// The task of a call.
struct Listening {
    stage: Arc<Stage<AsrStage>>,
    meter: Arc<Meter>,
    /// Those that hear; the first is the one that is believed while the user speaks.
    running: Vec<Running>,
    turns: Turns,
    is_ready: bool,
    outbox: VecDeque<AsrReport>,
    /// The newest failure.
    last: Option<StageError>,
}

struct Running {
    provider: usize,
    /// The right to ask it, or what is left of it once turns' attempts have their own; `None` if it was
    /// opened for an attempt.
    permit: Option<Permit>,
    asr: Listener,
    reports: mpsc::Receiver<AsrReport>,
    /// By when it is to be ready, unless it is; `None` where a turn's attempt sees to that.
    ready_by: Option<SessionTime>,
    /// What it is to be told as soon as it has room: a turn that it is given as a whole.
    backlog: VecDeque<Ask>,
}

/// How soon a recogniser that had no room is tried again.
const ROOM_AGAIN: Duration = Duration::from_millis(20);

impl Listening {
    async fn run(mut self, mut asked: mpsc::Receiver<Ask>, to: mpsc::Sender<AsrReport>) {
        self.stand_in();
        loop {
            while let Some(report) = self.outbox.pop_front() {
                let is_last = matches!(report, AsrReport::Failed(_));
                if to.send(report).await.is_err() || is_last {
                    return;
                }
            }
            let due = self.due();
            tokio::select! {
                ask = asked.recv() => match ask {
                    None => return,
                    Some(ask) => self.handle_ask(&ask),
                },
                (provider, report) = next_report(&mut self.running) => {
                    self.handle_report(provider, report);
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let Self { stage, turns, .. } = &mut self;
                    stage.breakers(|now, breakers| turns.handle_timeout(now, breakers));
                    self.relieve_late();
                    self.running.iter_mut().for_each(Running::catch_up);
                }
            }
            self.act();
        }
    }

    fn due(&self) -> Option<Instant> {
        let turns = self.turns.poll_timeout().map(|at| self.stage.instant(at));
        let is_behind = self.running.iter().any(|running| !running.backlog.is_empty());
        let behind = is_behind.then(|| Instant::now() + ROOM_AGAIN);
        let ready = self.running.iter().filter_map(|running| running.ready_by).min();
        let ready = ready.map(|at| self.stage.instant(at));
        [turns, behind, ready].into_iter().flatten().min()
    }

    fn handle_ask(&mut self, ask: &Ask) {
        match ask {
            Ask::Start(turn) => self.turns.start(*turn),
            Ask::Frame(frame) => self.turns.frame(frame),
            Ask::Peek { turn, generation } => self.turns.peek(*turn, *generation),
            Ask::Forget => self.turns.forget(),
            Ask::End { turn, generation } => {
                let first = self.running.first_mut();
                let mut attempt = Attempt::new(first.as_ref().map(|first| first.provider));
                self.stage.breakers(|now, breakers| {
                    // From here on the attempt finds out whether it works.
                    if let Some(permit) = first.and_then(|first| first.permit.as_mut()) {
                        breakers.give_back(now, permit);
                    }
                    attempt.begin(now, breakers);
                });
                // Whoever is to understand it is told when the attempt says so.
                self.outbox.extend(self.turns.end(*turn, *generation, attempt));
                return;
            }
        }
        for running in &mut self.running {
            running.tell(ask.clone());
        }
    }

    fn handle_report(&mut self, provider: usize, report: Option<AsrReport>) {
        let is_first = self.running.first().is_some_and(|first| first.provider == provider);
        match report {
            Some(AsrReport::Ready) => {
                let ready = self.running.iter_mut().find(|running| running.provider == provider);
                ready.into_iter().for_each(|running| running.ready_by = None);
                if !std::mem::replace(&mut self.is_ready, true) {
                    self.outbox.push_back(AsrReport::Ready);
                }
            }
            Some(report @ (AsrReport::Partial { .. } | AsrReport::LooksComplete { .. })) => {
                self.outbox.extend(is_first.then_some(report));
            }
            Some(AsrReport::Likely { turn, generation, text }) => {
                let is_awaited = is_first && self.turns.is_peeked(generation);
                let report = is_awaited.then_some(AsrReport::Likely { turn, generation, text });
                self.outbox.extend(report);
            }
            Some(AsrReport::Final { turn, generation, text }) => {
                if self.is_understood(provider, turn) {
                    self.outbox.push_back(AsrReport::Final { turn, generation, text });
                }
            }
            Some(AsrReport::Missed { turn, error, .. }) => self.missed(provider, turn, error),
            Some(AsrReport::Failed(error)) => self.failed(provider, error),
            None => {
                self.failed(provider, StageError::new(FailureKind::Broken, "a recogniser is gone"));
            }
        }
    }

    /// Somebody says what was said in a turn. Whether it is the first, who is heard from now on.
    fn is_understood(&mut self, provider: usize, turn: TurnId) -> bool {
        let Some(attempt) = self.turns.attempt(turn) else { return false };
        let first = |now, breakers: &mut _| attempt.handle_first(now, provider, breakers);
        if self.stage.breakers(first) == First::TooLate {
            return false;
        }
        attempt.handle_done(provider);
        self.act();
        self.turns.remove(turn);
        if self.turns.none_awaited() {
            self.running.retain(|running| running.provider == provider);
        }
        true
    }

    /// A recogniser could not understand one turn.
    fn missed(&mut self, provider: usize, turn: TurnId, error: StageError) {
        let kind = error.kind;
        self.last = Some(error);
        if let Some(attempt) = self.turns.attempt(turn) {
            let fail = |now, breakers: &mut _| {
                attempt.handle_failed(now, provider, kind, breakers);
            };
            self.stage.breakers(fail);
        }
    }

    /// A recogniser is gone for good.
    fn failed(&mut self, provider: usize, error: StageError) {
        let Some(at) = self.running.iter().position(|running| running.provider == provider) else {
            return;
        };
        let Running { permit, .. } = self.running.remove(at);
        let how = error.for_log();
        tracing::warn!(provider = provider + 1, %how, "a speech recogniser failed");
        let kind = error.kind;
        self.last = Some(error);
        let Self { turns, stage, .. } = self;
        stage.breakers(|now, breakers| {
            let is_noted = turns.failed(now, provider, kind, breakers);
            if let Some(permit) = permit.filter(|_| !is_noted) {
                breakers.record(now, permit, Outcome::Failed(kind));
            }
        });
        self.act();
        if self.running.is_empty() {
            self.stand_in_for(Some(provider));
        }
    }

    /// Who is not ready within its budget has failed, if anybody else may be asked: a caller waits for it.
    fn relieve_late(&mut self) {
        let now = self.stage.now();
        let is_late = |running: &Running| running.ready_by.is_some_and(|at| at <= now);
        while let Some(late) = self.running.iter_mut().find(|running| is_late(running)) {
            late.ready_by = None;
            let late = late.provider;
            let mut others = (0..self.stage.providers().len()).filter(|other| *other != late);
            if self
                .stage
                .breakers(|now, breakers| others.any(|it| breakers.permits(now, it).is_ok()))
            {
                let problem = "the speech recogniser was not ready within its budget";
                self.failed(late, StageError::new(FailureKind::TimedOut, problem));
            }
        }
    }

    /// Does what the turns that are over ask for.
    fn act(&mut self) {
        while let Some((turn, act)) = self.turns.poll_act() {
            match act {
                Act::Start { provider } => self.understand(provider, turn),
                Act::Cancel { provider } => self.running.retain(|it| it.provider != provider),
                Act::Broken { .. } => {}
                Act::Exhausted { failures } => {
                    let error = exhausted("speech recogniser", &failures, self.last.clone());
                    let heard = self.turns.remove(turn);
                    self.outbox.extend(heard.and_then(|heard| heard.missed(error)));
                    if self.running.is_empty() {
                        self.stand_in();
                    }
                }
            }
        }
    }

    /// Has a provider say what was said in a turn that is over.
    fn understand(&mut self, provider: usize, turn: TurnId) {
        let Some(heard) = self.turns.get(turn) else { return };
        match self.running.iter_mut().find(|running| running.provider == provider) {
            // It has heard the turn already.
            Some(running) => heard.last_ask().into_iter().for_each(|end| running.tell(end)),
            None => {
                let mut running = Running::open(&self.stage, &self.meter, provider, None);
                let turns = [Some(heard), self.turns.open()];
                let asks = turns.into_iter().flatten().flat_map(Heard::asks);
                asks.for_each(|ask| running.tell(ask));
                self.running.push(running);
            }
        }
    }

    /// Somebody hears from now on: the first that may be asked.
    fn stand_in(&mut self) {
        self.stand_in_for(None);
    }

    /// Somebody hears from now on, who is not the one that has just failed. Without anybody, recognition is
    /// gone.
    fn stand_in_for(&mut self, failed: Option<usize>) {
        let places = 0..self.stage.providers().len();
        let admitted = self.stage.breakers(|now, breakers| {
            let others: Vec<_> = places.filter(|provider| Some(*provider) != failed).collect();
            let well = others.iter().find_map(|it| Some((*it, breakers.admit(now, *it).ok()?)));
            well.or_else(|| {
                let mut others = others.iter();
                others.find_map(|it| Some((*it, breakers.admit_in_need(now, *it).ok()?)))
            })
        });
        let admitted = admitted.map(|(provider, permit)| (provider, Some(permit)));
        // A call that begins while all have failed lately is better tried than refused.
        let Some((provider, permit)) = admitted.or(failed.is_none().then_some((0, None))) else {
            let error = exhausted("speech recogniser", &[], self.last.take());
            return self.outbox.push_back(AsrReport::Failed(error));
        };
        let mut running = Running::open(&self.stage, &self.meter, provider, permit);
        let budget = |now, breakers: &mut Breakers| now + breakers.settings(provider).budget;
        running.ready_by = Some(self.stage.breakers(budget));
        let asks = self.turns.open().into_iter().flat_map(Heard::asks);
        asks.for_each(|ask| running.tell(ask));
        self.running.push(running);
    }
}

impl Running {
    fn open(
        stage: &Stage<AsrStage>,
        meter: &Arc<Meter>,
        provider: usize,
        permit: Option<Permit>,
    ) -> Self {
        let (asr, reports) = stage.providers()[provider].open(stage.bill(provider, meter));
        Self { provider, permit, asr, reports, ready_by: None, backlog: VecDeque::new() }
    }

    fn tell(&mut self, ask: Ask) {
        self.backlog.push_back(ask);
        self.catch_up();
    }

    /// Bounded as the turns are that it is given: what it does not take in their time ends with them.
    fn catch_up(&mut self) {
        while let Some(ask) = self.backlog.front() {
            if self.asr.ask(ask.clone()).is_err() {
                self.backlog.truncate(UTTERANCE_FRAMES_MAX);
                return;
            }
            self.backlog.pop_front();
        }
    }
}

/// The next report of any, and whose it is; `None` of one that is gone.
async fn next_report(running: &mut [Running]) -> (usize, Option<AsrReport>) {
    poll_fn(|context| {
        for running in &mut *running {
            if let Poll::Ready(report) = running.reports.poll_recv(context) {
                return Poll::Ready((running.provider, report));
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests;
