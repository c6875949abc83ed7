//! Conversations that were opened before anybody called.
//!
//! An agent whose set-up is the same for every call can have some waiting, so that a call's first word waits
//! for nothing. Each holds a place of the account, which a call without one of these takes away; each is fed
//! silence, without which the service ends it; and each is replaced before it is so old that the service
//! ends it for hearing nobody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::budget::{Seat, WarmSeat};
use super::line::{Dial, Line, LineReport};
use super::settings::WarmSettings;
use crate::limits::{NOVA_REPORTS_MAX, NOVA_WARM_FEED, NOVA_WARM_RETRY};
use crate::nova::fault::{self, Fault, Remedy};
use crate::nova::request::{Scribe, ToolDeclaration, Unit};
use crate::nova::settings::{INPUT_CHUNK_SAMPLES, NovaSettings};

/// What every conversation of an agent begins with.
#[derive(Clone, Debug, PartialEq)]
pub struct SetUp {
    /// Voice, limits, and the like.
    pub settings: NovaSettings,
    /// The system prompt.
    pub system: String,
    /// The functions that the model may call.
    pub tools: Vec<ToolDeclaration>,
}

impl SetUp {
    /// Begins a conversation: the writer of its events and the first of them. `prompt` must be unlike those
    /// of other conversations.
    pub fn begin(&self, prompt: String) -> (Scribe, Unit) {
        let mut scribe = Scribe::new(prompt);
        let first = scribe.session(&self.settings, &self.system, &self.tools);
        (scribe, first)
    }
}

/// A conversation that waits, taken for a call. It was accepted and its audio block is open.
#[derive(Debug)]
pub struct WarmLine {
    /// Reports where it was asked to.
    pub line: Line,
    /// Knows what was sent on it.
    pub scribe: Scribe,
    /// The call's place now.
    pub seat: Seat,
    /// When it was opened.
    pub opened_at: Instant,
    /// When the credentials expire that it was signed with; `None`: never.
    pub credentials_until: Option<Instant>,
}

/// The waiting conversations of one agent. Dropping it ends them.
#[derive(Debug)]
pub struct WarmPool {
    shelf: Arc<Shelf>,
    keeper: AbortHandle,
}

/// What the pool and its keeper share.
#[derive(Debug)]
struct Shelf {
    dial: Dial,
    set_up: SetUp,
    settings: WarmSettings,
    /// Woken when one was taken, for a call or by the budget.
    changed: Arc<Notify>,
    waiting: Mutex<Vec<Waiting>>,
}

#[derive(Debug)]
struct Waiting {
    line: Line,
    scribe: Scribe,
    seat: WarmSeat,
    state: State,
}

#[derive(Debug)]
enum State {
    Opening,
    Open { at: Instant, credentials_until: Option<Instant>, fed_at: Instant },
}

impl WarmPool {
    /// Begins to keep `settings.sessions` conversations ready. Must be called inside a tokio runtime.
    pub fn start(dial: Dial, set_up: SetUp, settings: WarmSettings) -> Self {
        let (changed, waiting) = (Arc::new(Notify::new()), Mutex::new(Vec::new()));
        let shelf = Arc::new(Shelf { dial, set_up, settings, changed, waiting });
        let (reports, heard) = mpsc::channel(NOVA_REPORTS_MAX);
        let keeper = Keeper { shelf: Arc::clone(&shelf), reports, failures: 0, retry_at: None };
        let keeper = tokio::spawn(keeper.run(heard)).abort_handle();
        Self { shelf, keeper }
    }

    /// The oldest one that is ready. From here on it reports to `reports`, as line `id`.
    pub fn take(&self, id: u32, reports: &mpsc::Sender<LineReport>) -> Option<WarmLine> {
        let mut waiting = self.shelf.lock();
        let taken = loop {
            let index = waiting.iter().position(Waiting::is_open)?;
            if let Some(taken) = waiting.remove(index).hand_over(id, reports) {
                break taken;
            }
        };
        self.shelf.changed.notify_one();
        Some(taken)
    }

    /// How many are ready now.
    pub fn ready(&self) -> usize {
        self.shelf.lock().iter().filter(|waiting| waiting.is_open()).count()
    }
}

impl Drop for WarmPool {
    fn drop(&mut self) {
        self.keeper.abort();
        self.shelf.lock().clear();
    }
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    fn is_older_than(&self, age_max: Duration) -> bool {
        matches!(self.state, State::Open { at, .. } if at.elapsed() >= age_max)
    }

    fn hand_over(mut self, id: u32, reports: &mpsc::Sender<LineReport>) -> Option<WarmLine> {
        let State::Open { at, credentials_until, .. } = self.state else { return None };
        let seat = self.seat.into_seat()?;
        self.line.hand_over(id, reports.clone()).then_some(WarmLine {
            line: self.line,
            scribe: self.scribe,
            seat,
            opened_at: at,
            credentials_until,
        })
    }

    /// Sends silence if it is time to.
    fn feed(&mut self, now: Instant) {
        let State::Open { fed_at, .. } = &mut self.state else { return };
        if now >= *fed_at + NOVA_WARM_FEED {
            *fed_at = now;
            self.send_silence();
        }
    }

    fn send_silence(&mut self) {
        if let Ok(unit) = self.scribe.audio(&[0; INPUT_CHUNK_SAMPLES]) {
            // A line that takes nothing more reports its end.
            let _over = self.line.send(unit);
        }
    }

    fn end(mut self) {
        let last = self.scribe.close();
        self.line.close(last, None);
    }
}

/// Keeps the shelf full.
#[derive(Debug)]
struct Keeper {
    shelf: Arc<Shelf>,
    reports: mpsc::Sender<LineReport>,
    /// Openings that failed since one succeeded.
    failures: u32,
    /// Nothing is opened before.
    retry_at: Option<Instant>,
}

impl Keeper {
    async fn run(mut self, mut heard: mpsc::Receiver<LineReport>) {
        let changed = Arc::clone(&self.shelf.changed);
        loop {
            let again_at = self.tend(Instant::now());
            tokio::select! {
                // This task has a sender, so there is always a next one.
                Some(report) = heard.recv() => self.handle(report),
                () = changed.notified() => {}
                () = sleep_until(again_at) => {}
            }
        }
    }

    /// Feeds, replaces and fills up. Answers when to come again.
    fn tend(&mut self, now: Instant) -> Instant {
        let shelf = Arc::clone(&self.shelf);
        let mut waiting = shelf.lock();
        for lost in waiting.extract_if(.., |waiting| waiting.seat.is_lost()) {
            lost.line.abort();
        }
        let age_max = shelf.settings.age_max;
        for old in waiting.extract_if(.., |waiting| waiting.is_older_than(age_max)) {
            old.end();
        }
        for waiting in waiting.iter_mut() {
            waiting.feed(now);
        }
        if self.retry_at.is_none_or(|at| at <= now) {
            while waiting.len() < shelf.settings.sessions {
                let Some(seat) = shelf.dial.account.budget().warm(&shelf.changed) else { break };
                waiting.push(self.open(seat));
            }
        }
        let soon = now + NOVA_WARM_FEED / 4;
        self.retry_at.filter(|at| *at > now).map_or(soon, |at| at.min(soon))
    }

    fn open(&self, seat: WarmSeat) -> Waiting {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (scribe, first) = self.shelf.set_up.begin(format!("warm-{number}"));
        // Only this pool's own lines are told apart by it.
        let line = Line::open(&self.shelf.dial, first, number as u32, self.reports.clone());
        Waiting { line, scribe, seat, state: State::Opening }
    }

    fn handle(&mut self, report: LineReport) {
        let shelf = Arc::clone(&self.shelf);
        let mut waiting = shelf.lock();
        let of = |line: u32| move |waiting: &Waiting| waiting.line.id() == line;
        match report {
            LineReport::Opened { line, took, credentials_last } => {
                (self.failures, self.retry_at) = (0, None);
                let Some(index) = waiting.iter().position(of(line)) else { return };
                tracing::debug!(?took, "a conversation waits for a call");
                let opened = &mut waiting[index];
                let now = Instant::now();
                let credentials_until = credentials_last.map(|last| now + last);
                if let Ok(unit) = opened.scribe.open_audio() {
                    let _over = opened.line.send(unit);
                }
                opened.state = State::Open { at: now, credentials_until, fed_at: now };
                opened.send_silence();
            }
            LineReport::Event { .. } => {}
            LineReport::Ended { line, fault } => {
                if let Some(index) = waiting.iter().position(of(line)) {
                    let was_open = waiting.remove(index).is_open();
                    self.failed(&fault, was_open);
                }
            }
        }
    }

    /// One that was taken for ready is gone, or was never opened.
    fn failed(&mut self, fault: &Fault, was_open: bool) {
        if was_open {
            tracing::debug!(%fault, "a waiting conversation ended");
        } else if self.failures == 0 {
            tracing::warn!(%fault, "no conversation can be kept waiting");
        }
        self.failures = self.failures.saturating_add(1);
        let pause = match fault::remedy(fault) {
            Remedy::End => NOVA_WARM_RETRY,
            _ => fault::delay(self.failures + 1, 1.0),
        };
        self.retry_at = Some(Instant::now() + pause);
    }
}

/// Names the conversations of all pools apart.
static NUMBER: AtomicU64 = AtomicU64::new(1);
