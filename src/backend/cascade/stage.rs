//! The providers of one stage of an agent, in the order in which they are asked.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::backend::BackendError;
use crate::cascade::failover::{
    Act, Attempt, Breakers, Failure, FailureKind, First, ProviderSettings,
};
use crate::cascade::price::Prices;
use crate::time::SessionTime;

use super::error::StageError;
use super::http::detail;
use super::meter::{Bill, Meter};

/// The settings of one provider, and how it is used beside others.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked<S> {
    /// Of the provider.
    pub settings: S,
    /// Budget, hedge, breaker and checks. Where there is only one provider, it is checked at start and the
    /// rest is without effect.
    pub usage: ProviderSettings,
    /// What its work costs.
    pub prices: Prices,
}

/// Used as a provider is by default, for nothing.
impl<S> From<S> for Ranked<S> {
    fn from(settings: S) -> Self {
        Self { settings, usage: ProviderSettings::default(), prices: Prices::default() }
    }
}

/// The providers and what is known of them, shared by all calls of an agent.
pub(super) struct Stage<P> {
    what: &'static str,
    providers: Vec<P>,
    /// How each is named in logs.
    names: Vec<String>,
    prices: Vec<Prices>,
    /// Held for an instant, and never while something is waited for.
    breakers: Mutex<Breakers>,
    /// When the clock of the breakers began.
    began: Instant,
}

impl<P> Stage<P> {
    /// `what` names the stage in logs, errors and metrics.
    pub(super) fn new<S: fmt::Display>(
        what: &'static str,
        ranked: Vec<Ranked<S>>,
        load: impl Fn(S) -> Result<P, BackendError>,
    ) -> Result<Self, BackendError> {
        let usage = ranked.iter().map(|provider| provider.usage).collect();
        let breakers = Breakers::new(usage)
            .map_err(|error| BackendError::Invalid { problem: format!("{what}: {error}") })?;
        let names = ranked.iter().map(|provider| provider.settings.to_string()).collect();
        let prices = ranked.iter().map(|provider| provider.prices).collect();
        let providers = ranked.into_iter().map(|provider| load(provider.settings));
        let providers = providers.collect::<Result<_, _>>()?;
        let (breakers, began) = (Mutex::new(breakers), Instant::now());
        Ok(Self { what, providers, names, prices, breakers, began })
    }

    /// Which stage it is.
    pub(super) const fn what(&self) -> &'static str {
        self.what
    }

    pub(super) fn providers(&self) -> &[P] {
        &self.providers
    }

    /// How a provider is named in logs.
    pub(super) fn name(&self, provider: usize) -> &str {
        &self.names[provider]
    }

    /// What a provider's work for a call is put down to.
    pub(super) fn bill(&self, provider: usize, meter: &Arc<Meter>) -> Bill {
        Bill::new(meter, self.prices[provider])
    }

    /// The provider, where there is only one: nobody can stand in for it.
    pub(super) fn only(&self) -> Option<&P> {
        match &self.providers[..] {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Begins a request.
    pub(super) fn begin(self: &Arc<Self>, mut attempt: Attempt) -> Trying<P> {
        self.breakers(|now, breakers| attempt.begin(now, breakers));
        Trying { stage: Arc::clone(self), attempt }
    }

    /// The time, for the breakers.
    pub(super) fn now(&self) -> SessionTime {
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        SessionTime::from_micros(micros)
    }

    /// The moment of this time.
    pub(super) fn instant(&self, at: SessionTime) -> Instant {
        self.began + at.since(SessionTime::ZERO)
    }

    /// Looks at what is known, or adds to it.
    pub(super) fn breakers<T>(&self, act: impl FnOnce(SessionTime, &mut Breakers) -> T) -> T {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        act(self.now(), &mut breakers)
    }
}

impl<P> fmt::Debug for Stage<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stage").field("providers", &self.providers.len()).finish()
    }
}

/// A request under way, whose breakers are told what comes of it. Dropping it before that cancels it there,
/// so that what it was to find out is left to another one.
pub(super) struct Trying<P> {
    stage: Arc<Stage<P>>,
    attempt: Attempt,
}

impl<P> Trying<P> {
    /// As [`Attempt::poll_act`].
    pub(super) fn poll_act(&mut self) -> Option<Act> {
        self.attempt.poll_act()
    }

    /// The soonest deadline.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.attempt.poll_timeout().map(|(at, _)| self.stage.instant(at))
    }

    /// As [`Attempt::winner`].
    pub(super) const fn winner(&self) -> Option<usize> {
        self.attempt.winner()
    }

    /// As [`Attempt::handle_queued`].
    pub(super) fn handle_queued(&mut self, provider: usize) {
        self.attempt.handle_queued(provider);
    }

    /// As [`Attempt::handle_admitted`].
    pub(super) fn handle_admitted(&mut self, provider: usize) {
        let Self { stage, attempt } = self;
        stage.breakers(|now, breakers| attempt.handle_admitted(now, provider, breakers));
    }

    /// As [`Attempt::handle_first`].
    pub(super) fn handle_first(&mut self, provider: usize) -> First {
        let Self { stage, attempt } = self;
        stage.breakers(|now, breakers| attempt.handle_first(now, provider, breakers))
    }

    /// As [`Attempt::handle_failed`].
    pub(super) fn handle_failed(&mut self, provider: usize, kind: FailureKind) {
        let Self { stage, attempt } = self;
        stage.breakers(|now, breakers| attempt.handle_failed(now, provider, kind, breakers));
    }

    /// As [`Attempt::handle_timeout`].
    pub(super) fn handle_timeout(&mut self) {
        let Self { stage, attempt } = self;
        stage.breakers(|now, breakers| attempt.handle_timeout(now, breakers));
    }
}

impl<P> Drop for Trying<P> {
    fn drop(&mut self) {
        let Self { stage, attempt } = self;
        stage.breakers(|now, breakers| attempt.cancel(now, breakers));
    }
}

/// What is told if no provider was of use: how each one failed, by its place. What the last one said stands
/// in no log: some repeat what they were asked.
pub(super) fn exhausted(
    what: &str,
    failures: &[(usize, Failure)],
    last: Option<StageError>,
) -> StageError {
    let kind = last.as_ref().map_or(FailureKind::Unreachable, |error| error.kind);
    let each = failures.iter().map(|(place, failure)| format!("number {} {failure}", place + 1));
    let each = each.collect::<Vec<_>>().join(", ");
    let listed = format!("no {what} is left{}", detail(&each));
    tracing::warn!("{listed}");
    let last = last.map(|error| format!("; last: {error}")).unwrap_or_default();
    StageError::new(kind, format!("{listed}{last}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cascade::failover::BreakerSettings;

    #[test]
    fn a_request_that_is_dropped_leaves_it_to_the_next_to_find_out() {
        // Half open as soon as it has opened.
        let cooling = Duration::from_micros(1);
        let breaker = BreakerSettings { failures: 1, cooling, ..BreakerSettings::default() };
        let usage = ProviderSettings { breaker, ..ProviderSettings::default() };
        let ranked = Ranked { usage, ..Ranked::from("only") };
        let stage = Arc::new(Stage::new("llm", vec![ranked], |_| Ok(())).expect("they are right"));
        let start = Some(Act::Start { provider: 0 });
        let mut failing = stage.begin(Attempt::new(None));
        assert_eq!(failing.poll_act(), start);
        failing.handle_failed(0, FailureKind::Broken);
        let mut probe = stage.begin(Attempt::new(None));
        assert_eq!(probe.poll_act(), start);
        let failures = vec![(0, Failure::CircuitOpen)];
        let second = stage.begin(Attempt::new(None)).poll_act();
        assert_eq!(second, Some(Act::Exhausted { failures }), "the first is finding out");
        drop(probe);
        assert_eq!(stage.begin(Attempt::new(None)).poll_act(), start);
    }
}
