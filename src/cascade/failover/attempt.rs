//! One request, from the first provider asked to the one that answers.
//!
//! ```text
//!       begin              first answer            done
//!  New -------> Asking ---------------------> Won ------> Over
//!                 |  ^ | a failure, a budget    '-- failed, or too long: Broken --> Over
//!                 |  '-' or a hedge: the next
//!                 '-- nobody is left: Exhausted --> Over
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use super::{Breakers, Failure, FailureKind, Outcome, Permit};
use crate::limits::{PROVIDERS_ASKED_MAX, PROVIDERS_MAX};
use crate::time::SessionTime;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Ask this provider.
    Start {
        /// Its place in the order.
        provider: usize,
    },
    /// Stop asking it, at once.
    Cancel {
        /// Its place in the order.
        provider: usize,
    },
    /// The winner stopped before its end. What is missing is a new request: see [`Attempt::avoiding`].
    Broken {
        /// Its place in the order.
        provider: usize,
        /// How.
        kind: FailureKind,
    },
    /// Nobody answered. For the log: how each provider failed, in the order of the stage.
    Exhausted {
        /// Place and failure.
        failures: Vec<(usize, Failure)>,
    },
}

/// What a first answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The one that is used.
    Wins,
    /// Of a provider that was cancelled or had failed: it is dropped.
    TooLate,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A provider's first answer within its budget.
    Budget,
    /// The time to ask a second one as well.
    Hedge,
    /// The end of the answer.
    Whole,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Attempt {
    preferred: Option<usize>,
    avoided: Option<usize>,
    hedges: bool,
    state: State,
    slots: [Slot; PROVIDERS_MAX],
    acts: VecDeque<Act>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    New,
    Asking,
    Won { provider: usize, permit: Permit, until: SessionTime },
    Over,
}

/// What has become of a provider in this request. None leaves `Untried` twice.
#[derive(Clone, Copy, Debug)]
enum Slot {
    Untried,
    Asked(Asked),
    Failed(Failure),
    /// It won, or was cancelled.
    Done,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    since: SessionTime,
    permit: Permit,
    budget_at: SessionTime,
    /// When another is asked as well; `None` if none is, or it was.
    hedge_at: Option<SessionTime>,
    place: Place,
}

/// Whether its adapter had to wait before it asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// No.
    Free,
    /// It waits.
    Awaited,
    /// It has.
    Taken,
}

impl Attempt {
    /// A request not made yet. `preferred` is asked first if it may be, so that a call keeps the provider,
    /// and with it the voice, that it began with.
    pub const fn new(preferred: Option<usize>) -> Self {
        Self {
            preferred,
            avoided: None,
            hedges: true,
            state: State::New,
            slots: [Slot::Untried; PROVIDERS_MAX],
            acts: VecDeque::new(),
        }
    }

    /// One for which `provider` is asked only after all others: it has just failed in the middle of an
    /// answer, of which this is the rest.
    #[must_use]
    pub const fn avoiding(mut self, provider: usize) -> Self {
        self.avoided = Some(provider);
        self
    }

    /// One for which a second provider is asked only after the first has failed.
    #[must_use]
    pub const fn unhedged(mut self) -> Self {
        self.hedges = false;
        self
    }

    /// Asks the first provider. Once begun, it is not begun again.
    pub fn begin(&mut self, now: SessionTime, breakers: &mut Breakers) {
        if matches!(self.state, State::New) {
            self.state = State::Asking;
            self.ask_or_give_up(now, breakers);
        }
    }

    /// A provider has no place free, and was not asked yet. That it must be waited for is not its fault.
    pub fn handle_queued(&mut self, provider: usize) {
        if let Some(Slot::Asked(asked)) = self.slots.get_mut(provider)
            && asked.place == Place::Free
        {
            asked.place = Place::Awaited;
        }
    }

    /// It has a place now, and is asked: its budget begins.
    pub fn handle_admitted(&mut self, now: SessionTime, provider: usize, breakers: &Breakers) {
        if let Some(Slot::Asked(asked)) = self.slots.get_mut(provider)
            && asked.place == Place::Awaited
        {
            (asked.place, asked.since) = (Place::Taken, now);
            asked.budget_at = now + breakers.settings(provider).budget;
        }
    }

    /// A provider has answered for the first time. The first of them wins, and the others are cancelled.
    pub fn handle_first(
        &mut self,
        now: SessionTime,
        provider: usize,
        breakers: &mut Breakers,
    ) -> First {
        let (State::Asking, Some(asked)) = (self.state, self.asked(provider)) else {
            return First::TooLate;
        };
        let latency = now.since(asked.since);
        breakers.record(now, asked.permit, Outcome::Answered { latency });
        self.slots[provider] = Slot::Done;
        self.cancel_asked(now, breakers);
        let until = now + breakers.settings(provider).whole;
        self.state = State::Won { provider, permit: asked.permit, until };
        First::Wins
    }

    /// A provider has failed, before or after its first answer. Of one that was cancelled it means nothing.
    pub fn handle_failed(
        &mut self,
        now: SessionTime,
        provider: usize,
        kind: FailureKind,
        breakers: &mut Breakers,
    ) {
        match self.state {
            State::Asking => {
                if let Some(asked) = self.asked(provider) {
                    self.fail(now, provider, asked, kind, breakers);
                    self.replace_failed(now, breakers);
                }
            }
            State::Won { provider: winner, permit, .. } if winner == provider => {
                breakers.record(now, permit, Outcome::Failed(kind));
                self.acts.push_back(Act::Broken { provider, kind });
                self.state = State::Over;
            }
            State::New | State::Won { .. } | State::Over => {}
        }
    }

    /// The answer of `provider` is complete.
    pub fn handle_done(&mut self, provider: usize) {
        if self.winner() == Some(provider) {
            self.state = State::Over;
        }
    }

    /// Nobody wants the answer any more: whoever is asked is cancelled.
    pub fn cancel(&mut self, now: SessionTime, breakers: &mut Breakers) {
        match self.state {
            State::Asking => self.cancel_asked(now, breakers),
            State::Won { provider, .. } => self.acts.push_back(Act::Cancel { provider }),
            State::New | State::Over => {}
        }
        self.state = State::Over;
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: SessionTime, breakers: &mut Breakers) {
        match self.state {
            State::Asking => self.check_asked(now, breakers),
            State::Won { provider, until, .. } if until <= now => {
                self.acts.push_back(Act::Cancel { provider });
                self.handle_failed(now, provider, FailureKind::TimedOut, breakers);
            }
            State::New | State::Won { .. } | State::Over => {}
        }
    }

    /// What is to be done next; call it until it says `None`.
    pub fn poll_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// The soonest deadline and what it is for; `None` before the beginning and after the end.
    pub fn poll_timeout(&self) -> Option<(SessionTime, Wait)> {
        match self.state {
            State::Asking => {
                let budgets = self.all_asked().map(|(_, asked)| (asked.budget_at, Wait::Budget));
                let hedge = self.hedge_at().map(|at| (at, Wait::Hedge));
                budgets.chain(hedge).min_by_key(|(at, _)| *at)
            }
            State::Won { until, .. } => Some((until, Wait::Whole)),
            State::New | State::Over => None,
        }
    }

    /// The provider whose answer is used and not complete yet.
    pub const fn winner(&self) -> Option<usize> {
        match self.state {
            State::Won { provider, .. } => Some(provider),
            State::New | State::Asking | State::Over => None,
        }
    }

    /// Whether this provider was asked and has neither answered nor failed.
    pub fn is_asking(&self, provider: usize) -> bool {
        matches!(self.state, State::Asking) && self.asked(provider).is_some()
    }

    /// Whether there is nothing to wait for any more.
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Those that failed or were not asked so far, in the order of the stage.
    pub fn failures(&self) -> impl Iterator<Item = (usize, Failure)> + '_ {
        self.slots.iter().enumerate().filter_map(|(provider, slot)| match slot {
            Slot::Failed(failure) => Some((provider, *failure)),
            _ => None,
        })
    }
}

impl Attempt {
    fn asked(&self, provider: usize) -> Option<Asked> {
        match self.slots.get(provider) {
            Some(Slot::Asked(asked)) => Some(*asked),
            _ => None,
        }
    }

    fn all_asked(&self) -> impl Iterator<Item = (usize, Asked)> + '_ {
        (0..self.slots.len()).filter_map(|provider| Some((provider, self.asked(provider)?)))
    }

    /// When one more is asked. Not while as many are as may be; should one of them fail, the hedge of the
    /// other is due then.
    fn hedge_at(&self) -> Option<SessionTime> {
        if self.all_asked().count() >= PROVIDERS_ASKED_MAX {
            return None;
        }
        self.all_asked().filter_map(|(_, asked)| asked.hedge_at).min()
    }

    fn check_asked(&mut self, now: SessionTime, breakers: &mut Breakers) {
        for provider in 0..self.slots.len() {
            if let Some(asked) = self.asked(provider)
                && asked.budget_at <= now
            {
                self.acts.push_back(Act::Cancel { provider });
                if asked.place == Place::Awaited {
                    asked.release(now, breakers);
                    self.slots[provider] = Slot::Failed(Failure::Full);
                } else {
                    self.fail(now, provider, asked, FailureKind::TimedOut, breakers);
                }
            }
        }
        self.replace_failed(now, breakers);
        if self.hedge_at().is_some_and(|at| at <= now) {
            for slot in &mut self.slots {
                if let Slot::Asked(asked) = slot {
                    asked.hedge_at = asked.hedge_at.filter(|at| *at > now);
                }
            }
            self.ask_next(now, breakers);
        }
    }

    fn fail(
        &mut self,
        now: SessionTime,
        provider: usize,
        asked: Asked,
        kind: FailureKind,
        breakers: &mut Breakers,
    ) {
        breakers.record(now, asked.permit, Outcome::Failed(kind));
        self.slots[provider] = Slot::Failed(Failure::Failed(kind));
    }

    /// After a failure. Where another one is asked already, that is its replacement.
    fn replace_failed(&mut self, now: SessionTime, breakers: &mut Breakers) {
        if self.all_asked().next().is_none() {
            self.ask_or_give_up(now, breakers);
        }
    }

    fn ask_or_give_up(&mut self, now: SessionTime, breakers: &mut Breakers) {
        if !self.ask_next(now, breakers) && !self.ask_marked_down(now, breakers) {
            self.acts.push_back(Act::Exhausted { failures: self.failures().collect() });
            self.state = State::Over;
        }
    }

    /// Asks the next provider that may be asked, if there is one.
    fn ask_next(&mut self, now: SessionTime, breakers: &mut Breakers) -> bool {
        let is_untried = |slot: &Slot| matches!(slot, Slot::Untried);
        while let Some(provider) = self.next_of(breakers.count(), is_untried) {
            match breakers.admit(now, provider) {
                Ok(permit) => {
                    self.ask(now, provider, permit, breakers);
                    return true;
                }
                Err(failure) => self.slots[provider] = Slot::Failed(failure),
            }
        }
        false
    }

    /// Asks the next of those that a check says are down: nobody else is left, and a check may be wrong.
    fn ask_marked_down(&mut self, now: SessionTime, breakers: &mut Breakers) -> bool {
        let is_marked = |slot: &Slot| matches!(slot, Slot::Failed(Failure::MarkedDown));
        while let Some(provider) = self.next_of(breakers.count(), is_marked) {
            match breakers.admit_in_need(now, provider) {
                Ok(permit) => {
                    self.ask(now, provider, permit, breakers);
                    return true;
                }
                Err(failure) => self.slots[provider] = Slot::Failed(failure),
            }
        }
        false
    }

    fn ask(&mut self, now: SessionTime, provider: usize, permit: Permit, breakers: &Breakers) {
        let hedge_after: Option<Duration> = breakers.hedge_after(provider).filter(|_| self.hedges);
        self.slots[provider] = Slot::Asked(Asked {
            since: now,
            permit,
            budget_at: now + breakers.settings(provider).budget,
            hedge_at: hedge_after.map(|after| now + after),
            place: Place::Free,
        });
        self.acts.push_back(Act::Start { provider });
    }

    /// The first such one, in the order in which they are asked.
    fn next_of(&self, count: usize, is_such: impl Fn(&Slot) -> bool) -> Option<usize> {
        let order = self.preferred.into_iter().chain(0..count).filter(|provider| *provider < count);
        let others = order.clone().filter(|provider| Some(*provider) != self.avoided);
        others.chain(order).find(|provider| is_such(&self.slots[*provider]))
    }

    fn cancel_asked(&mut self, now: SessionTime, breakers: &mut Breakers) {
        for provider in 0..self.slots.len() {
            if let Some(asked) = self.asked(provider) {
                asked.release(now, breakers);
                self.acts.push_back(Act::Cancel { provider });
                self.slots[provider] = Slot::Done;
            }
        }
    }
}

impl Asked {
    /// Nobody waits for it any more.
    fn release(self, now: SessionTime, breakers: &mut Breakers) {
        let is_asked = self.place != Place::Awaited;
        let waited = if is_asked { now.since(self.since) } else { Duration::ZERO };
        breakers.record(now, self.permit, Outcome::Cancelled { waited });
    }
}
