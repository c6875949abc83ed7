//! What the process knows of a stage's providers.

use std::collections::VecDeque;
use std::time::Duration;

use super::{BadSettings, Failure, FailureKind, Hedge, ProviderSettings};
use crate::limits::{PROVIDER_LATENCIES_MAX, PROVIDERS_MAX};
use crate::time::SessionTime;

/// Answers that must be known before their percentile means anything: of fewer it is just the slowest.
const LATENCIES_KNOWN: usize = 20;

/// The breakers, latencies and health of a stage's providers, by their place in the order. A place that there
/// is not is a bug of the caller, and panics.
#[derive(Clone, Debug)]
pub struct Breakers {
    providers: Vec<Provider>,
}

/// The right to ask a provider once, to be handed back with what came of it. One that is lost does no lasting
/// harm: another request may find out later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    provider: usize,
    /// It is the one request that a half-open breaker lets through.
    is_probe: bool,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered for the first time after so long.
    Answered {
        /// From the request on.
        latency: Duration,
    },
    /// It failed, before or after its first answer.
    Failed(FailureKind),
    /// It was cancelled before it answered.
    Cancelled {
        /// From the request on.
        waited: Duration,
    },
}

/// What a check from outside says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It works. Its breaker stays as it is: only a request knows.
    Up,
    /// It is not to be asked until then while others may be, unless it is marked anew before. A check that
    /// has died must not keep a provider out for ever.
    DownUntil(SessionTime),
}

/// The state of a breaker, for metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Requests pass.
    Closed,
    /// None does.
    Open,
    /// One does.
    HalfOpen,
}

#[derive(Clone, Debug)]
struct Provider {
    settings: ProviderSettings,
    breaker: Breaker,
    down_until: SessionTime,
    /// When a request was last answered.
    answered_at: Option<SessionTime>,
    /// The newest times to the first answer, oldest first.
    latencies: VecDeque<Duration>,
}

#[derive(Clone, Debug)]
enum Breaker {
    /// With the times of the newest failures, oldest first.
    Closed { failed_at: VecDeque<SessionTime> },
    /// Half open from then on.
    Open { until: SessionTime },
    /// A request is finding out; if nothing was heard of it by then, another one does.
    Probing { until: SessionTime },
}

impl Breakers {
    /// All closed, nothing known. The settings are in the order in which the providers are asked.
    ///
    /// # Errors
    ///
    /// There are none or more than [`PROVIDERS_MAX`], or a setting is outside its range.
    pub fn new(settings: Vec<ProviderSettings>) -> Result<Self, BadSettings> {
        if !(1..=PROVIDERS_MAX).contains(&settings.len()) {
            return Err(BadSettings::Count(settings.len()));
        }
        for (provider, settings) in settings.iter().enumerate() {
            settings.check(provider)?;
        }
        Ok(Self { providers: settings.into_iter().map(Provider::new).collect() })
    }

    /// How many providers there are.
    pub const fn count(&self) -> usize {
        self.providers.len()
    }

    /// Whether a request may go to `provider`, without asking for it.
    ///
    /// # Errors
    ///
    /// Why not: [`Failure::CircuitOpen`] or [`Failure::MarkedDown`].
    pub fn permits(&self, now: SessionTime, provider: usize) -> Result<(), Failure> {
        self.providers[provider].permits(now)
    }

    /// Takes the right to ask `provider`. Of a half-open breaker only one has it at a time.
    ///
    /// # Errors
    ///
    /// As of [`Breakers::permits`].
    pub fn admit(&mut self, now: SessionTime, provider: usize) -> Result<Permit, Failure> {
        self.permits(now, provider)?;
        self.admit_in_need(now, provider)
    }

    /// The same where nobody else is left to ask: what a check says does not count.
    ///
    /// # Errors
    ///
    /// [`Failure::CircuitOpen`].
    pub fn admit_in_need(&mut self, now: SessionTime, provider: usize) -> Result<Permit, Failure> {
        let known = &mut self.providers[provider];
        known.lets_through(now)?;
        let is_probe = !matches!(known.breaker, Breaker::Closed { .. });
        if is_probe {
            let ProviderSettings { budget, breaker, .. } = known.settings;
            known.breaker = Breaker::Probing { until: now + budget.max(breaker.cooling) };
        }
        Ok(Permit { provider, is_probe })
    }

    /// Notes what came of a request. A failure after the first answer is told with the same permit.
    pub fn record(&mut self, now: SessionTime, permit: Permit, outcome: Outcome) {
        self.providers[permit.provider].record(now, permit.is_probe, outcome);
    }

    /// Hands back the right to find out whether a provider works, so that another request can have it. With
    /// what is left of the permit a failure can still be told.
    pub fn give_back(&mut self, now: SessionTime, permit: &mut Permit) {
        self.providers[permit.provider].release(now, std::mem::take(&mut permit.is_probe));
    }

    /// Notes what a check from outside says.
    pub fn mark(&mut self, provider: usize, health: Health) {
        self.providers[provider].down_until = match health {
            Health::Up => SessionTime::ZERO,
            Health::DownUntil(until) => until,
        };
    }

    /// Whether calls ask it as they should: no check says that it is down, and its breaker is not open.
    pub fn is_up(&self, now: SessionTime, provider: usize) -> bool {
        let is_marked_down = now < self.providers[provider].down_until;
        !is_marked_down && self.state(now, provider) != BreakerState::Open
    }

    /// When a request to it was last answered.
    pub fn answered_at(&self, provider: usize) -> Option<SessionTime> {
        self.providers[provider].answered_at
    }

    /// The 95th percentile of the newest [`PROVIDER_LATENCIES_MAX`] times to the first answer; `None` while
    /// fewer than 20 are known.
    pub fn p95(&self, provider: usize) -> Option<Duration> {
        self.providers[provider].p95()
    }

    /// The state of a provider's breaker.
    pub fn state(&self, now: SessionTime, provider: usize) -> BreakerState {
        match self.providers[provider].breaker {
            Breaker::Closed { .. } => BreakerState::Closed,
            Breaker::Open { until } if now < until => BreakerState::Open,
            Breaker::Open { .. } | Breaker::Probing { .. } => BreakerState::HalfOpen,
        }
    }

    /// The settings of a provider.
    pub fn settings(&self, provider: usize) -> &ProviderSettings {
        &self.providers[provider].settings
    }

    /// How long after a request the next provider is asked as well; `None` if it is not.
    pub fn hedge_after(&self, provider: usize) -> Option<Duration> {
        let known = &self.providers[provider];
        match known.settings.hedge {
            Hedge::Off => None,
            Hedge::P95 { until_known, at_least } => {
                Some(known.p95().map_or(until_known, |p95| p95.max(at_least)))
            }
        }
    }
}

impl Provider {
    fn new(settings: ProviderSettings) -> Self {
        Self {
            settings,
            breaker: Breaker::CLOSED,
            down_until: SessionTime::ZERO,
            answered_at: None,
            latencies: VecDeque::new(),
        }
    }

    fn permits(&self, now: SessionTime) -> Result<(), Failure> {
        if now < self.down_until {
            return Err(Failure::MarkedDown);
        }
        self.lets_through(now)
    }

    /// Whether its breaker does.
    fn lets_through(&self, now: SessionTime) -> Result<(), Failure> {
        match self.breaker {
            Breaker::Closed { .. } => Ok(()),
            Breaker::Open { until } | Breaker::Probing { until } if now >= until => Ok(()),
            Breaker::Open { .. } | Breaker::Probing { .. } => Err(Failure::CircuitOpen),
        }
    }

    fn record(&mut self, now: SessionTime, is_probe: bool, outcome: Outcome) {
        match outcome {
            Outcome::Answered { latency } => {
                self.remember(latency);
                self.answered_at = Some(now);
                if is_probe {
                    self.breaker = Breaker::CLOSED;
                }
            }
            Outcome::Failed(kind) if kind.counts() => self.fail(now, is_probe),
            Outcome::Failed(_) => self.release(now, is_probe),
            Outcome::Cancelled { waited } => {
                // It takes at least so long. Were that left out, a provider that has become slow would be
                // known by its fast answers alone, and every request would be hedged.
                if self.p95().is_some_and(|p95| waited > p95) {
                    self.remember(waited);
                }
                self.release(now, is_probe);
            }
        }
    }

    fn fail(&mut self, now: SessionTime, is_probe: bool) {
        let settings = self.settings.breaker;
        match &mut self.breaker {
            Breaker::Closed { failed_at } => {
                failed_at.retain(|at| now.since(*at) < settings.window);
                failed_at.push_back(now);
                if failed_at.len() >= settings.failures {
                    self.breaker = Breaker::Open { until: now + settings.cooling };
                }
            }
            Breaker::Probing { .. } if is_probe => {
                self.breaker = Breaker::Open { until: now + settings.cooling };
            }
            // Of a request from before it opened.
            Breaker::Open { .. } | Breaker::Probing { .. } => {}
        }
    }

    /// A probe that found nothing out makes way for the next.
    fn release(&mut self, now: SessionTime, is_probe: bool) {
        if is_probe && matches!(self.breaker, Breaker::Probing { .. }) {
            self.breaker = Breaker::Open { until: now };
        }
    }

    fn remember(&mut self, latency: Duration) {
        if self.latencies.len() == PROVIDER_LATENCIES_MAX {
            self.latencies.pop_front();
        }
        self.latencies.push_back(latency);
    }

    fn p95(&self) -> Option<Duration> {
        if self.latencies.len() < LATENCIES_KNOWN {
            return None;
        }
        let mut sorted: Vec<_> = self.latencies.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get((sorted.len() * 95).div_ceil(100) - 1).copied()
    }
}

impl Breaker {
    const CLOSED: Self = Self::Closed { failed_at: VecDeque::new() };
}
