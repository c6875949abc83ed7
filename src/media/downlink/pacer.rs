//! The downlink's clock: one slot every 20 ms, for ever, counted and never accumulated.

use crate::limits::{DOWNLINK_CATCH_UP_SLOTS_MAX, FRAME};
use crate::time::SessionTime;

/// Slot `n` is due at `start + n * 20 ms` and has the timestamp `first + n * ticks`.
#[derive(Clone, Debug)]
pub(super) struct Pacer {
    start: SessionTime,
    next: u64,
    first_timestamp: u32,
    ticks: u32,
}

/// One slot that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    /// RTP timestamp of the slot.
    pub(super) timestamp: u32,
    /// Slots given up immediately before it.
    pub(super) skipped: u64,
}

impl Pacer {
    /// A clock whose first slot is due at `start`. `rtp_clock_hz` is the rate of its timestamps.
    pub(super) fn new(start: SessionTime, first_timestamp: u32, rtp_clock_hz: u32) -> Self {
        let ticks = rtp_clock_hz / 1_000 * crate::limits::FRAME_MS;
        Self { start, next: 0, first_timestamp, ticks }
    }

    /// When the next slot is due.
    pub(super) fn next_at(&self) -> SessionTime {
        let micros = FRAME.as_micros() as u64 * self.next;
        self.start + std::time::Duration::from_micros(micros)
    }

    /// The next slot, if it is due. Call it until it says `None`.
    pub(super) fn poll(&mut self, now: SessionTime) -> Option<Tick> {
        if now < self.next_at() {
            return None;
        }
        let due = (now.since(self.start).as_micros() / FRAME.as_micros()) as u64;
        let skipped = (due - self.next).saturating_sub(DOWNLINK_CATCH_UP_SLOTS_MAX);
        self.next += skipped;
        // RTP timestamps wrap (RFC 3550 §5.1), and so do the slots they are counted from.
        let timestamp =
            self.first_timestamp.wrapping_add((self.next as u32).wrapping_mul(self.ticks));
        self.next += 1;
        Some(Tick { timestamp, skipped })
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
