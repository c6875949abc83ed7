//! Time as the core knows it: told, never asked for.
//!
//! Two clocks are kept apart by type. [`SessionTime`] is the call's own clock, in microseconds since
//! the call began; the shell derives it from one monotonic clock read per wake-up. RTP timestamps
//! stay `u32` ticks of the codec's RTP clock (RFC 3550 §5.1) and are only ever compared by the jitter
//! buffer, which extends them.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// Microseconds since the call began. Never goes backwards: the shell clamps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionTime(u64);

impl SessionTime {
    /// The moment the call was created.
    pub const ZERO: Self = Self(0);

    /// A time this many milliseconds into the call.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000)
    }

    /// A time this many microseconds into the call.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Whole milliseconds since the call began, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Microseconds since the call began.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time since `earlier`, or zero if `earlier` is later than this.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for SessionTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl AddAssign<Duration> for SessionTime {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for SessionTime {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(micros))
    }
}

impl fmt::Display for SessionTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "@{}ms", self.as_millis())
    }
}

/// Every deadline of one state machine, visible in one table.
///
/// `K` names the reason; one reason has at most one deadline. The tables hold a handful of entries,
/// so a linear scan is the right data structure.
#[derive(Clone, Debug, Default)]
pub struct Timers<K> {
    armed: Vec<(K, SessionTime)>,
}

impl<K: Copy + PartialEq> Timers<K> {
    /// A table with nothing armed.
    pub const fn new() -> Self {
        Self { armed: Vec::new() }
    }

    /// Arms `reason` for `deadline`, replacing an earlier deadline for the same reason.
    pub fn arm(&mut self, reason: K, deadline: SessionTime) {
        match self.armed.iter_mut().find(|(armed, _)| *armed == reason) {
            Some((_, existing)) => *existing = deadline,
            None => self.armed.push((reason, deadline)),
        }
    }

    /// Disarms `reason`; harmless if it was not armed.
    pub fn disarm(&mut self, reason: K) {
        self.armed.retain(|(armed, _)| *armed != reason);
    }

    /// The deadline armed for `reason`.
    pub fn deadline(&self, reason: K) -> Option<SessionTime> {
        self.armed.iter().find(|(armed, _)| *armed == reason).map(|(_, deadline)| *deadline)
    }

    /// The soonest deadline and its reason. Among equals, the one armed first.
    pub fn next(&self) -> Option<(SessionTime, K)> {
        self.armed.iter().map(|(reason, at)| (*at, *reason)).min_by_key(|(at, _)| *at)
    }

    /// Takes the soonest deadline that is due at `now` out of the table.
    pub fn take_due(&mut self, now: SessionTime) -> Option<K> {
        let (deadline, reason) = self.next()?;
        (deadline <= now).then(|| {
            self.disarm(reason);
            reason
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soonest_deadline_is_taken_first_and_only_once() {
        let mut timers = Timers::new();
        timers.arm('b', SessionTime::from_millis(20));
        timers.arm('a', SessionTime::from_millis(10));
        timers.arm('b', SessionTime::from_millis(5));
        assert_eq!(timers.next(), Some((SessionTime::from_millis(5), 'b')));
        assert_eq!(timers.take_due(SessionTime::from_millis(4)), None);
        assert_eq!(timers.take_due(SessionTime::from_millis(10)), Some('b'));
        assert_eq!(timers.take_due(SessionTime::from_millis(10)), Some('a'));
        assert_eq!(timers.take_due(SessionTime::from_millis(10)), None);
    }

    #[test]
    fn time_differences_saturate_instead_of_wrapping() {
        let early = SessionTime::from_millis(1);
        let late = SessionTime::from_millis(2);
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early - Duration::from_secs(1), SessionTime::ZERO);
        assert_eq!(late.since(early), Duration::from_millis(1));
    }
}
