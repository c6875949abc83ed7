//! The sender's clock against ours.
//!
//! Queueing only ever adds to transit time, so the fastest packet of every few seconds lies close to
//! the bare path, and the slope through those minima is the difference of the clocks. The median of
//! the slopes between all pairs (Theil and Sen) is not moved by the few blocks that were congested
//! throughout.

use std::time::Duration;

use crate::time::SessionTime;

/// One minimum is taken over this long.
const BLOCK: Duration = Duration::from_secs(10);
/// Minima kept: two minutes.
const BLOCKS: usize = 12;
/// Below this many minima nothing is said.
const BLOCKS_MIN: usize = 3;

/// A point on the lower edge of the transit times.
#[derive(Clone, Copy, Debug, Default)]
struct Minimum {
    at: SessionTime,
    transit_us: i64,
}

/// Estimates the drift of the sender's clock.
#[derive(Debug, Default)]
pub(super) struct Drift {
    minima: [Minimum; BLOCKS],
    count: usize,
    block: Option<(SessionTime, Minimum)>,
    ppm: i32,
}

impl Drift {
    /// The last estimate in parts per million, positive where the sender's clock is fast; 0 until
    /// there is one.
    pub(super) const fn ppm(&self) -> i32 {
        self.ppm
    }

    /// Takes in one packet's transit time.
    pub(super) fn push(&mut self, at: SessionTime, transit_us: i64) {
        let here = Minimum { at, transit_us };
        match &mut self.block {
            None => self.block = Some((at, here)),
            Some((began, lowest)) if at.since(*began) < BLOCK => {
                if transit_us < lowest.transit_us {
                    *lowest = here;
                }
            }
            Some((_, lowest)) => {
                let lowest = *lowest;
                self.block = Some((at, here));
                self.close_block(lowest);
            }
        }
    }

    /// Forgets everything but the estimate, which is still the best guess.
    pub(super) fn clear(&mut self) {
        self.count = 0;
        self.block = None;
    }

    fn close_block(&mut self, lowest: Minimum) {
        if self.count == BLOCKS {
            self.minima.rotate_left(1);
            self.count -= 1;
        }
        self.minima[self.count] = lowest;
        self.count += 1;
        if self.count >= BLOCKS_MIN {
            self.ppm = self.median_slope_ppm();
        }
    }

    fn median_slope_ppm(&self) -> i32 {
        let mut slopes = [0_i64; BLOCKS * (BLOCKS - 1) / 2];
        let mut found = 0;
        let minima = &self.minima[..self.count];
        for (index, early) in minima.iter().enumerate() {
            for late in &minima[index + 1..] {
                let elapsed_us = late.at.since(early.at).as_micros() as i64;
                if elapsed_us > 0 {
                    let change_us = early.transit_us.saturating_sub(late.transit_us);
                    slopes[found] = change_us.saturating_mul(1_000_000) / elapsed_us;
                    found += 1;
                }
            }
        }
        let slopes = &mut slopes[..found];
        slopes.sort_unstable();
        let median = slopes.get(found / 2).copied().unwrap_or(0);
        median.clamp(-1_000_000, 1_000_000) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets every 20 ms for `seconds`, from a clock `ppm` fast, each later by what `queue_us`
    /// says of its index.
    fn estimate(ppm: i64, seconds: u64, queue_us: impl Fn(u64) -> i64) -> i32 {
        let mut drift = Drift::default();
        for n in 0..seconds * 50 {
            let arrival_us = n as i64 * 20_000;
            let transit_us = -arrival_us * ppm / 1_000_000 + queue_us(n);
            drift.push(SessionTime::from_micros((arrival_us + queue_us(n)) as u64), transit_us);
        }
        drift.ppm()
    }

    #[test]
    fn drift_is_found_under_jitter() {
        for ppm in [-200, -50, 0, 50, 200] {
            let found = estimate(ppm, 120, |n| (n as i64 * 7_919) % 30_000);
            assert!((i64::from(found) - ppm).abs() <= 5, "{ppm} ppm was taken for {found}");
        }
    }

    #[test]
    fn a_congested_minute_end_is_not_drift() {
        let found = estimate(0, 120, |n| if n < 5_000 { 10_000 } else { 60_000 });
        assert_eq!(found, 0);
    }

    #[test]
    fn nothing_is_said_too_early() {
        assert_eq!(estimate(200, 29, |_| 0), 0);
    }
}
