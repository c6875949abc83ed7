//! A bad network between the caller's voice and the stack: loss, bursts, delay, jitter, reordering.
//!
//! It works on RTP packets, above encryption, so that sequence numbers show the receiver what was
//! lost, while the stack's own traffic (ICE, DTLS, RTCP, data channel) is left alone. A round trip
//! time measured from RTCP therefore does not contain it. Everything follows from the seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::LINK_PACKETS_MAX;

/// What is done to the media in each direction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Impairment {
    /// Packets lost, in percent, 0 to 100.
    pub loss_percent: f64,
    /// Packets lost together, 1 or more. The share of lost packets stays `loss_percent`.
    pub burst_packets: u32,
    /// Added to every packet, in milliseconds.
    pub delay_ms: u32,
    /// The largest further delay, in milliseconds. Each packet's is drawn uniformly, so packets
    /// overtake one another when it exceeds their distance.
    pub jitter_ms: u32,
    /// Where the draws begin. The same seed is the same fate for the same packets.
    pub seed: u64,
}

impl Default for Impairment {
    fn default() -> Self {
        Self { loss_percent: 0.0, burst_packets: 1, delay_ms: 0, jitter_ms: 0, seed: 1 }
    }
}

/// Which way a link carries. Each way draws its own fates from the one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the caller to the agent.
    Uplink,
    /// From the agent to the caller.
    Downlink,
}

/// One direction of the bad network.
#[derive(Debug)]
pub struct Link<T> {
    impairment: Impairment,
    random: SplitMix64,
    /// Packets still to be lost of the burst that goes on.
    burst_left: u32,
    travelling: BinaryHeap<Reverse<Travelling<T>>>,
    accepted: u64,
    lost: u64,
}

impl<T> Link<T> {
    /// An empty link.
    pub fn new(impairment: Impairment, direction: Direction) -> Self {
        let salt = match direction {
            Direction::Uplink => 0x5550_4C49_4E4B,
            Direction::Downlink => 0x444F_574E_4C4B,
        };
        Self {
            impairment,
            random: SplitMix64(impairment.seed ^ salt),
            burst_left: 0,
            travelling: BinaryHeap::new(),
            accepted: 0,
            lost: 0,
        }
    }

    /// Sends `packet` into the link at `now`; it may never come out.
    pub fn push(&mut self, now: Duration, packet: T) {
        self.accepted += 1;
        // Both are drawn for every packet, so that one setting does not move the other's draws.
        let (loss_draw, jitter_draw) = (self.random.unit(), self.random.unit());
        if self.is_lost(loss_draw) || self.travelling.len() >= LINK_PACKETS_MAX {
            self.lost += 1;
            return;
        }
        let delay_ms = f64::from(self.impairment.delay_ms);
        let jitter_ms = f64::from(self.impairment.jitter_ms) * jitter_draw;
        let due = now + Duration::from_secs_f64((delay_ms + jitter_ms) / 1_000.0);
        self.travelling.push(Reverse(Travelling { due, order: self.accepted, packet }));
    }

    /// The next packet that has arrived at `now`.
    pub fn pop(&mut self, now: Duration) -> Option<T> {
        self.pop_due(now).map(|(_, packet)| packet)
    }

    /// The next packet that has arrived at `now`, and when it did.
    pub fn pop_due(&mut self, now: Duration) -> Option<(Duration, T)> {
        if self.poll_timeout()? > now {
            return None;
        }
        self.travelling.pop().map(|Reverse(travelling)| (travelling.due, travelling.packet))
    }

    /// When the next packet arrives.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.travelling.peek().map(|Reverse(travelling)| travelling.due)
    }

    /// Packets lost on this link so far.
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    fn is_lost(&mut self, draw: f64) -> bool {
        if self.burst_left > 0 {
            self.burst_left -= 1;
            return true;
        }
        let burst = f64::from(self.impairment.burst_packets.max(1));
        let share = (self.impairment.loss_percent / 100.0).clamp(0.0, 1.0);
        // A burst of `b` begins with probability `q` at a packet outside bursts; the lost share is
        // then `qb / (qb + 1 - q)`, solved for `q`.
        let begins = draw < share / (burst * (1.0 - share) + share);
        if begins {
            self.burst_left = self.impairment.burst_packets.max(1) - 1;
        }
        begins
    }
}

#[derive(Debug)]
struct Travelling<T> {
    due: Duration,
    order: u64,
    packet: T,
}

impl<T> PartialEq for Travelling<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.order) == (other.due, other.order)
    }
}

impl<T> Eq for Travelling<T> {}

impl<T> PartialOrd for Travelling<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Travelling<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): the
/// same numbers on every machine and in every version, which is all that is asked of it.
#[derive(Debug)]
pub(crate) struct SplitMix64(pub(crate) u64);

impl SplitMix64 {
    /// The next draw, in 0..1.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    /// Sends `count` packets 20 ms apart and returns what came out, with its delay.
    fn run(impairment: Impairment, direction: Direction, count: u32) -> Vec<(u32, Duration)> {
        let mut link = Link::new(impairment, direction);
        let mut arrived = Vec::new();
        for number in 0..count {
            link.push(FRAME * number, number);
        }
        while let Some(due) = link.poll_timeout() {
            let number = link.pop(due).expect("a packet that is due comes out");
            arrived.push((number, due - FRAME * number));
        }
        assert_eq!(arrived.len() as u64 + link.lost(), u64::from(count));
        arrived
    }

    #[test]
    fn a_good_network_changes_nothing() {
        let expected: Vec<_> = (0..500).map(|number| (number, Duration::ZERO)).collect();
        assert_eq!(run(Impairment::default(), Direction::Uplink, 500), expected);
    }

    #[test]
    fn the_share_lost_is_the_share_asked_for_whatever_the_burst() {
        for loss_percent in [0.0, 1.0, 5.0, 30.0, 100.0] {
            for burst_packets in [1, 3, 10] {
                let impairment =
                    Impairment { loss_percent, burst_packets, ..Impairment::default() };
                let count = 900;
                let lost = count - run(impairment, Direction::Downlink, count).len() as u32;
                let percent = f64::from(lost) * 100.0 / f64::from(count);
                let tolerance = 1.0 + 0.15 * loss_percent + 0.4 * f64::from(burst_packets);
                assert!(
                    (percent - loss_percent).abs() <= tolerance,
                    "{loss_percent} % in bursts of {burst_packets}: {percent} %"
                );
            }
        }
    }

    #[test]
    fn losses_come_in_bursts_of_the_length_asked_for() {
        let impairment =
            Impairment { loss_percent: 5.0, burst_packets: 4, ..Impairment::default() };
        let arrived = run(impairment, Direction::Uplink, 900);
        let gaps: Vec<_> = arrived.windows(2).map(|pair| pair[1].0 - pair[0].0 - 1).collect();
        assert!(gaps.iter().any(|&gap| gap > 0));
        assert!(gaps.iter().all(|gap| gap % 4 == 0), "{gaps:?}");
    }

    #[test]
    fn delay_and_jitter_stay_in_their_bounds_and_reorder() {
        let impairment = Impairment { delay_ms: 50, jitter_ms: 60, ..Impairment::default() };
        let arrived = run(impairment, Direction::Uplink, 500);
        let bounds = Duration::from_millis(50)..=Duration::from_millis(110);
        assert!(arrived.iter().all(|(_, delay)| bounds.contains(delay)));
        assert!(arrived.windows(2).any(|pair| pair[1].0 < pair[0].0), "60 ms overtakes 20 ms");
    }

    #[test]
    fn the_seed_decides_and_the_directions_differ() {
        let impairment = Impairment { loss_percent: 20.0, jitter_ms: 30, ..Impairment::default() };
        let again = run(impairment, Direction::Uplink, 300);
        assert_eq!(run(impairment, Direction::Uplink, 300), again);
        assert_ne!(run(impairment, Direction::Downlink, 300), again);
        assert_ne!(run(Impairment { seed: 2, ..impairment }, Direction::Uplink, 300), again);
    }

    #[test]
    fn a_packet_is_not_early() {
        let mut link =
            Link::new(Impairment { delay_ms: 10, ..Impairment::default() }, Direction::Uplink);
        link.push(Duration::ZERO, ());
        assert_eq!(link.pop(Duration::from_micros(9_999)), None);
        assert_eq!(link.pop(Duration::from_millis(10)), Some(()));
    }
}
