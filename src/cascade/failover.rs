//! Which of a stage's providers is asked.
//!
//! A stage has its providers in order. One is asked; if it fails, is too slow for its budget, or is slower
//! than it usually is (a hedge), so is the next. The first answer wins and all others are cancelled.
//!
//! [`Breakers`] are what the process knows of the providers: which of them fail at the moment, and how fast
//! they are. All calls share them, behind a lock that is held for an instant. An [`Attempt`] is one request
//! of one call. A [`Checkup`] asks a provider from time to time whether it is well, and so keeps calls from
//! being the first to notice. What it says is a hint: a provider that it holds for down is asked after all
//! others rather than not at all, since a call that nobody answers is worse than one that is answered late.
//!
//! All times here are of one clock that the process shares, since the breakers are: a
//! [`SessionTime`](crate::time::SessionTime) that counts from any one moment, not from the beginning of a
//! call.

mod attempt;
mod breakers;
mod checkup;

use std::fmt;
use std::time::Duration;

pub use attempt::{Act, Attempt, First, Wait};
pub use breakers::{BreakerState, Breakers, Health, Outcome, Permit};
pub use checkup::{Change, Checked, Checkup};

use crate::limits::{BREAKER_FAILURES_MAX, PROVIDER_TIME_MAX, PROVIDERS_MAX};

/// How one provider is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderSettings {
    /// Time to the first answer; after it the provider is cancelled and counts as failed. Where its places
    /// are taken, as much is waited for one, which counts against nobody. Default: 2 s.
    pub budget: Duration,
    /// Time from the first answer to the last. Speech is fetched as it plays, so it is generous.
    /// Default: 180 s.
    pub whole: Duration,
    /// When the next provider is asked as well. Default: [`Hedge::Off`].
    pub hedge: Hedge,
    /// When it is not asked any more.
    pub breaker: BreakerSettings,
    /// How often it is asked whether it is well, where there are others to ask instead; `None`: never, not
    /// even at start. Default: 15 s.
    pub check_every: Option<Duration>,
}

/// When the next provider is asked although this one has neither answered nor failed. Both are paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hedge {
    /// Never.
    Off,
    /// After this provider's 95th percentile of times to the first answer.
    P95 {
        /// After this time while too few answers are known.
        until_known: Duration,
        /// Not before this time, however fast the provider usually is.
        at_least: Duration,
    },
}

/// A circuit breaker: open for `cooling` after `failures` within `window`, then half open, which lets one
/// request through to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures that open it, 1 to [`BREAKER_FAILURES_MAX`]. Default: 3.
    pub failures: usize,
    /// The time within which they count. Default: 30 s.
    pub window: Duration,
    /// How long it stays open. Default: 15 s.
    pub cooling: Duration,
}

/// How a provider failed, as its adapter tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// No connection: name, network or TLS.
    Unreachable,
    /// The key or the account is not accepted.
    Unauthorized,
    /// It will not answer this request, whoever asks: a text it does not take. Says nothing against the
    /// provider, so its breaker does not count it.
    Refused,
    /// At its limit: a quota, or no free channel.
    Busy,
    /// An error of the provider, or a stream that ended too early.
    Broken,
    /// What came cannot be read.
    Malformed,
    /// Neither an answer within the budget nor an end within the whole time.
    TimedOut,
}

/// Why a provider gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It was asked and failed.
    Failed(FailureKind),
    /// It was not asked: its breaker is open, or half open and another request is finding out.
    CircuitOpen,
    /// It was not asked, or not yet: a check from outside says that it is down.
    MarkedDown,
    /// It was not asked: others had all its places until the budget was spent.
    Full,
}

/// Settings that make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSettings {
    /// None, or too many providers.
    #[error("a stage has {0} providers; name 1 to {PROVIDERS_MAX}")]
    Count(usize),
    /// A time is zero or too long.
    #[error(
        "`{field}` of provider {provider} is {} s; set more than 0 and at most {} s",
        .value.as_secs_f64(), PROVIDER_TIME_MAX.as_secs()
    )]
    Time {
        /// Its place in the order, from 0.
        provider: usize,
        /// The setting.
        field: &'static str,
        /// What it is.
        value: Duration,
    },
    /// A breaker waits for no failure, or for too many.
    #[error(
        "`breaker.failures` of provider {provider} is {value}; set 1 to {BREAKER_FAILURES_MAX}"
    )]
    Failures {
        /// Its place in the order, from 0.
        provider: usize,
        /// What it is.
        value: usize,
    },
}

impl Default for ProviderSettings {
    fn default() -> Self {
        Self {
            budget: Duration::from_secs(2),
            whole: Duration::from_secs(180),
            hedge: Hedge::Off,
            breaker: BreakerSettings::default(),
            check_every: Some(Duration::from_secs(15)),
        }
    }
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { failures: 3, window: Duration::from_secs(30), cooling: Duration::from_secs(15) }
    }
}

impl ProviderSettings {
    /// `provider` is its place, for the error.
    fn check(&self, provider: usize) -> Result<(), BadSettings> {
        let mut times = vec![
            ("budget", self.budget),
            ("whole", self.whole),
            ("breaker.window", self.breaker.window),
            ("breaker.cooling", self.breaker.cooling),
        ];
        if let Hedge::P95 { until_known, at_least } = self.hedge {
            times.extend([("hedge.until_known", until_known), ("hedge.at_least", at_least)]);
        }
        times.extend(self.check_every.map(|every| ("check_every", every)));
        for (field, value) in times {
            if value.is_zero() || value > PROVIDER_TIME_MAX {
                return Err(BadSettings::Time { provider, field, value });
            }
        }
        let value = self.breaker.failures;
        if !(1..=BREAKER_FAILURES_MAX).contains(&value) {
            return Err(BadSettings::Failures { provider, value });
        }
        Ok(())
    }
}

impl FailureKind {
    /// Whether it speaks against the provider.
    const fn counts(self) -> bool {
        !matches!(self, Self::Refused)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Failed(FailureKind::Unreachable) => "cannot be reached",
            Self::Failed(FailureKind::Unauthorized) => "does not accept the key",
            Self::Failed(FailureKind::Refused) => "refused the request",
            Self::Failed(FailureKind::Busy) => "is at its limit",
            Self::Failed(FailureKind::Broken) => "failed",
            Self::Failed(FailureKind::Malformed) => "sent what cannot be read",
            Self::Failed(FailureKind::TimedOut) => "took too long",
            Self::CircuitOpen => "was not asked: it failed lately",
            Self::MarkedDown => "was not asked: its check says that it is down",
            Self::Full => "was not asked: no place became free in time",
        })
    }
}

#[cfg(test)]
mod tests;
