//! When a provider is asked whether it is well, and when its answers turn calls away from it.
//!
//! ```text
//!      well              fails               fails
//!  Up ------> Up    Up ---------> Failing ---------> Down, marked anew by each check that fails
//!                   ^--- well -------'                |
//!                   ^------------- well --------------'
//! ```

use std::time::Duration;

use super::Health;
use crate::limits::{PROVIDER_CHECK_TIMEOUT, PROVIDER_CHECKS_FAILED};
use crate::time::SessionTime;

/// The checks of one provider, one after the other, whether or not a call needs it.
#[derive(Clone, Debug)]
pub struct Checkup {
    every: Duration,
    due: SessionTime,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// With the checks that have failed since the last good one.
    Up {
        failures: u32,
    },
    Down {
        until: SessionTime,
    },
}

/// What a check made of a provider that was something else before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is well again.
    Up,
    /// It has failed [`PROVIDER_CHECKS_FAILED`] checks in a row.
    Down,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// When it began. It ended at most [`PROVIDER_CHECK_TIMEOUT`] later.
    pub began: SessionTime,
    /// What it found.
    pub is_well: bool,
    /// When a call last had an answer from the provider. A server that makes one thing at a time may keep a
    /// check waiting because it works, so that an answer within the last interval outweighs a failure.
    pub answered_at: Option<SessionTime>,
}

impl Checkup {
    /// A provider that is taken to be well, to be asked once in `every`. Its first check comes after `share`
    /// of that, 0 to 1, so that the providers take turns.
    pub fn new(now: SessionTime, every: Duration, share: f64) -> Self {
        let due = now + every.mul_f64(share.clamp(0.0, 1.0));
        Self { every, due, state: State::Up { failures: 0 } }
    }

    /// Takes in what a check found.
    pub fn handle_checked(&mut self, now: SessionTime, checked: Checked) -> Option<Change> {
        let Checked { began, is_well, answered_at } = checked;
        let is_outweighed = answered_at.is_some_and(|at| now.since(at) < self.every);
        // One that took longer than the interval is followed by the next at once, never overtaken.
        self.due = (began + self.every).max(now);
        let before = self.state;
        self.state = match before {
            _ if is_well || is_outweighed => State::Up { failures: 0 },
            State::Up { failures } if failures + 1 < PROVIDER_CHECKS_FAILED => {
                State::Up { failures: failures + 1 }
            }
            // Beyond the end of the next check, and of one more that nobody made.
            _ => State::Down { until: now + 2 * self.every + PROVIDER_CHECK_TIMEOUT },
        };
        match (before, self.state) {
            (State::Up { .. }, State::Down { .. }) => Some(Change::Down),
            (State::Down { .. }, State::Up { .. }) => Some(Change::Up),
            (State::Up { .. }, State::Up { .. }) | (State::Down { .. }, State::Down { .. }) => None,
        }
    }

    /// What the checks so far say.
    pub const fn health(&self) -> Health {
        match self.state {
            State::Up { .. } => Health::Up,
            State::Down { until } => Health::DownUntil(until),
        }
    }

    /// When the next check is due.
    pub const fn poll_timeout(&self) -> SessionTime {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(10);

    const fn at(millis: u64) -> SessionTime {
        SessionTime::from_millis(millis)
    }

    /// A check that took 100 ms.
    fn check(checkup: &mut Checkup, is_well: bool, answered_at: Option<u64>) -> Option<Change> {
        let began = checkup.poll_timeout();
        let answered_at = answered_at.map(at);
        let now = began + Duration::from_millis(100);
        checkup.handle_checked(now, Checked { began, is_well, answered_at })
    }

    #[test]
    fn the_first_checks_of_several_are_spread_over_the_interval() {
        let due = |share| Checkup::new(at(500), EVERY, share).poll_timeout();
        assert_eq!([due(0.0), due(0.25), due(1.0)], [at(500), at(3_000), at(10_500)]);
        assert_eq!([due(-1.0), due(7.0)], [at(500), at(10_500)]);
    }

    #[test]
    fn two_failures_in_a_row_mark_down_and_one_success_marks_up() {
        let mut checkup = Checkup::new(at(0), EVERY, 0.0);
        assert_eq!(check(&mut checkup, false, None), None);
        assert_eq!(check(&mut checkup, true, None), None);
        assert_eq!(check(&mut checkup, false, None), None, "the row was broken");
        assert_eq!(checkup.health(), Health::Up);
        assert_eq!(check(&mut checkup, false, None), Some(Change::Down));
        // The check at 30 s, two intervals, and the time of a check.
        let until = at(30_100) + 2 * EVERY + PROVIDER_CHECK_TIMEOUT;
        assert_eq!(checkup.health(), Health::DownUntil(until));
        assert_eq!(check(&mut checkup, false, None), None, "it is told once");
        assert_eq!(checkup.health(), Health::DownUntil(until + EVERY));
        assert_eq!(check(&mut checkup, true, None), Some(Change::Up));
        assert_eq!(checkup.health(), Health::Up);
    }

    #[test]
    fn a_mark_lasts_until_the_next_check_has_had_its_time() {
        let mut checkup = Checkup::new(at(0), EVERY, 0.0);
        check(&mut checkup, false, None);
        check(&mut checkup, false, None);
        let Health::DownUntil(until) = checkup.health() else { panic!("it is down") };
        assert!(until > checkup.poll_timeout() + PROVIDER_CHECK_TIMEOUT);
    }

    #[test]
    fn checks_follow_the_clock_and_never_overlap() {
        let mut checkup = Checkup::new(at(0), EVERY, 0.0);
        check(&mut checkup, true, None);
        assert_eq!(checkup.poll_timeout(), at(10_000), "not 10 s after its end");
        let checked = Checked { began: at(10_000), is_well: true, answered_at: None };
        checkup.handle_checked(at(21_000), checked);
        assert_eq!(checkup.poll_timeout(), at(21_000));
    }

    #[test]
    fn an_answer_to_a_call_outweighs_a_check_that_fails() {
        let mut checkup = Checkup::new(at(0), EVERY, 0.0);
        check(&mut checkup, false, None);
        assert_eq!(check(&mut checkup, false, Some(9_000)), None, "it has just answered");
        assert_eq!(check(&mut checkup, false, Some(9_000)), None, "the count begins anew");
        assert_eq!(check(&mut checkup, false, Some(9_000)), Some(Change::Down));
        assert_eq!(check(&mut checkup, false, Some(39_000)), Some(Change::Up));
    }
}
