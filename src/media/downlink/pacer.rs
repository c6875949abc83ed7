//! The downlink's clock: one slot every 20 ms, for ever, counted and never accumulated.
//!
//! Speech that begins after a silence does not wait for its slot: the slots come forward to it, and go
//! back to their places in the next silence. They are as many as ever.

use std::time::Duration;

use crate::limits::{DOWNLINK_CATCH_UP_SLOTS_MAX, FRAME};
use crate::time::SessionTime;

/// Slot `n` is due at `start + n * 20 ms - lead`, and its timestamp is `first` and as much time later.
#[derive(Clone, Debug)]
pub(super) struct Pacer {
    start: SessionTime,
    next: u64,
    /// How far the slots have come forward: whole milliseconds, which are whole samples at every rate,
    /// so that what was sent can be told to the sample. Less than a slot.
    lead: Duration,
    first_timestamp: u32,
    rtp_clock_hz: u32,
}

/// One slot that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    /// When the slot was due.
    pub(super) at: SessionTime,
    /// RTP timestamp of the slot.
    pub(super) timestamp: u32,
    /// Slots given up immediately before it.
    pub(super) skipped: u64,
}

impl Pacer {
    /// A clock whose first slot is due at `start`. `rtp_clock_hz` is the rate of its timestamps.
    pub(super) fn new(start: SessionTime, first_timestamp: u32, rtp_clock_hz: u32) -> Self {
        Self { start, next: 0, lead: Duration::ZERO, first_timestamp, rtp_clock_hz }
    }

    /// When the next slot is due.
    pub(super) fn next_at(&self) -> SessionTime {
        self.start + self.since_start()
    }

    /// Makes the next slot due within a millisecond, and those after it every 20 ms. Only while nothing
    /// is sent: a packet of the slot before would overlap with it.
    pub(super) fn come_forward(&mut self, now: SessionTime) {
        let early_ms = self.next_at().since(now).as_millis() as u64;
        // The first slot of all stays where it is.
        if self.next > 0 {
            let lead = self.lead + Duration::from_millis(early_ms);
            self.lead = lead.min(FRAME - Duration::from_millis(1));
        }
    }

    /// The slots go back to their places: the present one lasts longer for it.
    pub(super) fn go_back(&mut self) {
        self.lead = Duration::ZERO;
    }

    /// The next slot, if it is due. Call it until it says `None`.
    pub(super) fn poll(&mut self, now: SessionTime) -> Option<Tick> {
        if now < self.next_at() {
            return None;
        }
        let due = ((now.since(self.start) + self.lead).as_micros() / FRAME.as_micros()) as u64;
        let skipped = (due - self.next).saturating_sub(DOWNLINK_CATCH_UP_SLOTS_MAX);
        self.next += skipped;
        let at = self.next_at();
        // RTP timestamps wrap (RFC 3550 §5.1).
        let ticks = self.since_start().as_micros() * u128::from(self.rtp_clock_hz) / 1_000_000;
        let timestamp = self.first_timestamp.wrapping_add(ticks as u32);
        self.next += 1;
        Some(Tick { at, timestamp, skipped })
    }

    /// From the start to the next slot.
    fn since_start(&self) -> Duration {
        let micros = FRAME.as_micros() as u64 * self.next;
        Duration::from_micros(micros).saturating_sub(self.lead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drain(pacer: &mut Pacer, now_ms: u64) -> Vec<(u32, u64)> {
        std::iter::from_fn(|| pacer.poll(SessionTime::from_millis(now_ms)))
            .map(|tick| (tick.timestamp, tick.skipped))
            .collect()
    }

    #[test]
    fn a_late_wake_up_makes_up_for_three_slots_and_skips_the_rest() {
        let mut pacer = Pacer::new(SessionTime::from_millis(5), u32::MAX - 959, 48_000);
        assert_eq!(drain(&mut pacer, 4), []);
        assert_eq!(drain(&mut pacer, 5), [(u32::MAX - 959, 0)]);
        assert_eq!(drain(&mut pacer, 24), []);
        // One late, then three late: none is lost.
        assert_eq!(drain(&mut pacer, 45), [(0, 0), (960, 0)]);
        let late = [(1_920, 0), (2_880, 0), (3_840, 0), (4_800, 0)];
        assert_eq!(drain(&mut pacer, 125), late);
        // Six are due; the oldest two are given up, and the timestamps say so.
        let later = [(7_680, 2), (8_640, 0), (9_600, 0), (10_560, 0)];
        assert_eq!(drain(&mut pacer, 245), later);
        assert_eq!(pacer.next_at(), SessionTime::from_millis(265));
    }

    #[test]
    fn slots_come_forward_and_go_back_and_none_is_lost() {
        let mut pacer = Pacer::new(SessionTime::ZERO, 0, 48_000);
        assert_eq!(drain(&mut pacer, 45), [(0, 0), (960, 0), (1_920, 0)]);
        pacer.come_forward(SessionTime::from_millis(47));
        assert_eq!(pacer.next_at(), SessionTime::from_millis(47));
        assert_eq!(drain(&mut pacer, 47), [(47 * 48, 0)]);
        assert_eq!(drain(&mut pacer, 66), []);
        assert_eq!(drain(&mut pacer, 67), [(67 * 48, 0)]);
        // What is late has skipped as many.
        assert_eq!(drain(&mut pacer, 187)[0], (127 * 48, 2));
        pacer.go_back();
        assert_eq!(pacer.next_at(), SessionTime::from_millis(220));
        assert_eq!(drain(&mut pacer, 220), [(220 * 48, 0)]);
        // Nothing comes forward to a moment that has passed.
        pacer.come_forward(SessionTime::from_millis(300));
        assert_eq!(pacer.next_at(), SessionTime::from_millis(240));
    }

    proptest! {
        #[test]
        fn every_slot_is_polled_or_counted_as_skipped_and_the_clock_never_drifts(
            sleeps_ms in prop::collection::vec(0_u64..250, 1..60),
        ) {
            let mut pacer = Pacer::new(SessionTime::ZERO, 0, 8_000);
            let (mut now_ms, mut slots) = (0, 0);
            for sleep_ms in sleeps_ms {
                now_ms += sleep_ms;
                for (timestamp, skipped) in drain(&mut pacer, now_ms) {
                    slots += skipped;
                    prop_assert_eq!(u64::from(timestamp), slots * 160);
                    slots += 1;
                }
                prop_assert_eq!(slots, now_ms / 20 + 1);
                prop_assert_eq!(pacer.next_at(), SessionTime::from_millis(slots * 20));
            }
        }
    }
}
