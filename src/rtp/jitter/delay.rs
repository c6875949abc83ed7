//! How late packets are: the transit times of the recent past, in order of size.
//!
//! Transit is arrival minus media time, in microseconds. Its zero point is unknown (two clocks), so
//! only differences mean anything: the fastest packet of the window is the reference, and everything
//! else is so much later than it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::SessionTime;

/// Packets remembered: 10 s of 20 ms packets. Within it a clock that is 200 ppm off moves 2 ms.
const PACKETS_MAX: usize = 512;
/// Packets older than this are forgotten, so that sparse packets (DTX) do not stretch the window.
const AGE_MAX: Duration = Duration::from_secs(10);
/// These many are remembered however old they are: a pause does not erase what is known.
const PACKETS_MIN: usize = 25;

/// A sliding window of transit times.
#[derive(Debug)]
pub(super) struct DelayWindow {
    by_arrival: VecDeque<(SessionTime, i64)>,
    by_size: Vec<i64>,
}

impl DelayWindow {
    pub(super) fn new() -> Self {
        Self {
            by_arrival: VecDeque::with_capacity(PACKETS_MAX + 1),
            by_size: Vec::with_capacity(PACKETS_MAX + 1),
        }
    }

    /// Takes in one packet's transit time.
    pub(super) fn push(&mut self, arrival: SessionTime, transit_us: i64) {
        self.by_arrival.push_back((arrival, transit_us));
        let place = self.by_size.partition_point(|smaller| *smaller < transit_us);
        self.by_size.insert(place, transit_us);
        while let Some((oldest, _)) = self.by_arrival.front() {
            let count = self.by_arrival.len();
            let is_old = arrival.since(*oldest) > AGE_MAX && count > PACKETS_MIN;
            if !is_old && count <= PACKETS_MAX {
                break;
            }
            self.forget_oldest();
        }
    }

    /// The transit time of the fastest packet; 0 before the first.
    pub(super) fn fastest_us(&self) -> i64 {
        self.by_size.first().copied().unwrap_or(0)
    }

    /// How much later than the fastest packet the given share of packets (0 to 1) at most is.
    pub(super) fn quantile_us(&self, share: f64) -> i64 {
        let count = self.by_size.len();
        let rank = (count as f64 * share).ceil() as usize;
        let slowest = self.by_size.get(rank.clamp(1, count.max(1)) - 1).copied().unwrap_or(0);
        slowest - self.fastest_us()
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.by_arrival.clear();
        self.by_size.clear();
    }

    fn forget_oldest(&mut self) {
        if let Some((_, transit_us)) = self.by_arrival.pop_front() {
            let place = self.by_size.partition_point(|smaller| *smaller < transit_us);
            self.by_size.remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> SessionTime {
        SessionTime::from_millis(millis)
    }

    #[test]
    fn delays_count_from_the_fastest_packet() {
        let mut window = DelayWindow::new();
        for n in 0..100 {
            window.push(at(n * 20), 5_000 + 1_000 * (n as i64 % 10));
        }
        assert_eq!(window.fastest_us(), 5_000);
        assert_eq!(window.quantile_us(0.5), 4_000);
        assert_eq!(window.quantile_us(0.9), 8_000);
        assert_eq!(window.quantile_us(1.0), 9_000);
    }

    #[test]
    fn old_packets_are_forgotten_but_never_the_last_few() {
        let mut window = DelayWindow::new();
        for n in 0..100 {
            window.push(at(n * 20), 0);
        }
        window.push(at(60_000), 70_000);
        assert_eq!(window.by_size.len(), PACKETS_MIN);
        assert_eq!(window.fastest_us(), 0);
        for n in 0..PACKETS_MIN as u64 {
            window.push(at(60_020 + n * 20), 70_000);
        }
        assert_eq!(window.fastest_us(), 70_000, "a longer path becomes the reference");
        assert_eq!(window.quantile_us(1.0), 0);
    }

    #[test]
    fn the_window_is_bounded() {
        let mut window = DelayWindow::new();
        for n in 0..5_000 {
            window.push(at(0), n % 7);
        }
        assert_eq!(window.by_arrival.len(), PACKETS_MAX);
        assert_eq!(window.by_size.len(), PACKETS_MAX);
        assert!(window.by_size.is_sorted());
    }

    #[test]
    fn an_empty_window_knows_of_no_delay() {
        assert_eq!(DelayWindow::new().quantile_us(0.98), 0);
    }
}
