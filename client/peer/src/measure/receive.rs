//! The received stream as packets: lost, reordered, duplicate, and its jitter (RFC 3550 §6.4.1,
//! A.8).

use std::collections::VecDeque;
use std::time::Duration;

/// Sequence numbers remembered, to tell a duplicate from a packet out of order: about 10 s.
const REMEMBERED: usize = 512;

/// Counts over one received RTP stream.
#[derive(Debug, Default)]
pub struct ReceiveStats {
    first: Option<u64>,
    highest: u64,
    recent: VecDeque<u64>,
    received: u64,
    duplicate: u64,
    reordered: u64,
    jitter: Jitter,
}

impl ReceiveStats {
    /// Takes in a packet that arrived at `arrived` in a stream whose clock runs at `rate_hz`.
    /// Returns the extended sequence number, or `None` for a duplicate.
    pub fn handle_packet(
        &mut self,
        arrived: Duration,
        sequence: u16,
        timestamp: u32,
        rate_hz: u32,
    ) -> Option<u64> {
        let extended = extend_sequence(self.first.map(|_| self.highest), sequence);
        if self.recent.contains(&extended) {
            self.duplicate += 1;
            return None;
        }
        self.received += 1;
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(extended);
        match self.first {
            Some(first) if extended < self.highest => {
                self.reordered += 1;
                // A packet from before the first one seen was sent, so it is expected after all.
                self.first = Some(first.min(extended));
            }
            Some(_) => self.highest = extended,
            None => (self.first, self.highest) = (Some(extended), extended),
        }
        self.jitter.handle_packet(arrived, timestamp, rate_hz);
        Some(extended)
    }

    /// Packets received, duplicates not counted.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Packets that were sent, by their numbers, and have not come.
    pub fn lost(&self) -> u64 {
        let expected = self.first.map_or(0, |first| self.highest - first + 1);
        expected.saturating_sub(self.received)
    }

    /// Packets that came more than once.
    pub const fn duplicate(&self) -> u64 {
        self.duplicate
    }

    /// Packets that came after one with a higher number.
    pub const fn reordered(&self) -> u64 {
        self.reordered
    }

    /// The interarrival jitter, in milliseconds: now, and the highest it has been.
    pub fn jitter_ms(&self) -> (f64, f64) {
        (self.jitter.ms, self.jitter.ms_max)
    }
}

/// `sequence` with the cycles that place it nearest to `highest`.
pub fn extend_sequence(highest: Option<u64>, sequence: u16) -> u64 {
    /// One cycle ahead, so that a packet from before the first one does not go below zero.
    const START: u64 = 1 << 16;
    let Some(highest) = highest else { return START + u64::from(sequence) };
    let step = sequence.wrapping_sub(highest as u16) as i16;
    highest.saturating_add_signed(i64::from(step))
}

/// `timestamp` with the cycles that place it nearest to `last`.
pub fn extend_timestamp(last: Option<u64>, timestamp: u32) -> u64 {
    const START: u64 = 1 << 32;
    let Some(last) = last else { return START + u64::from(timestamp) };
    let step = timestamp.wrapping_sub(last as u32) as i32;
    last.saturating_add_signed(i64::from(step))
}

/// RFC 3550 A.8, in milliseconds.
#[derive(Debug, Default)]
struct Jitter {
    last: Option<(Duration, u32)>,
    ms: f64,
    ms_max: f64,
}

impl Jitter {
    fn handle_packet(&mut self, arrived: Duration, timestamp: u32, rate_hz: u32) {
        if let Some((last_arrived, last_timestamp)) = self.last {
            let apart_ms = (arrived.as_secs_f64() - last_arrived.as_secs_f64()) * 1_000.0;
            let step = timestamp.wrapping_sub(last_timestamp) as i32;
            let sent_apart_ms = f64::from(step) * 1_000.0 / f64::from(rate_hz);
            self.ms += ((apart_ms - sent_apart_ms).abs() - self.ms) / 16.0;
            self.ms_max = self.ms_max.max(self.ms);
        }
        self.last = Some((arrived, timestamp));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds sequence numbers 20 ms apart; returns received, lost, duplicate and reordered.
    fn counts(sequences: &[u16]) -> (u64, u64, u64, u64) {
        let mut stats = ReceiveStats::default();
        for (index, &sequence) in sequences.iter().enumerate() {
            let arrived = Duration::from_millis(20 * index as u64);
            stats.handle_packet(arrived, sequence, 960 * index as u32, 48_000);
        }
        (stats.received(), stats.lost(), stats.duplicate(), stats.reordered())
    }

    #[test]
    fn packets_are_counted_by_their_numbers() {
        for (name, sequences, expected) in [
            ("nothing", &[][..], (0, 0, 0, 0)),
            ("in order", &[1, 2, 3], (3, 0, 0, 0)),
            ("one lost", &[1, 3, 4], (3, 1, 0, 0)),
            ("one twice", &[1, 2, 2, 3], (3, 0, 1, 0)),
            ("swapped", &[1, 3, 2, 4], (4, 0, 0, 1)),
            ("before the first", &[5, 4, 6], (3, 0, 0, 1)),
            ("around the end", &[65_534, 65_535, 0, 1], (4, 0, 0, 0)),
            ("lost around the end", &[65_534, 1], (2, 2, 0, 0)),
            ("old one around the end", &[65_535, 1, 0], (3, 0, 0, 1)),
        ] {
            assert_eq!(counts(sequences), expected, "{name}");
        }
    }

    #[test]
    fn jitter_is_that_of_the_rfc() {
        let run = |jitter_ms: &dyn Fn(u64) -> u64| {
            let mut stats = ReceiveStats::default();
            for index in 0..400_u64 {
                let arrived = Duration::from_millis(20 * index + jitter_ms(index));
                stats.handle_packet(arrived, index as u16, 960 * index as u32, 48_000);
            }
            stats.jitter_ms().0
        };
        assert!(run(&|_| 0) < 1e-6);
        assert!(run(&|_| 50) < 1e-6, "a constant delay is no jitter");
        // Every second packet 8 ms late: each difference is 8 ms.
        assert!((run(&|index| 8 * (index % 2)) - 8.0).abs() < 0.01);
    }

    #[test]
    fn a_pause_in_the_timestamps_is_no_jitter() {
        let mut stats = ReceiveStats::default();
        stats.handle_packet(Duration::from_millis(0), 1, u32::MAX - 100, 8_000);
        stats.handle_packet(Duration::from_millis(1_000), 2, 8_000 - 101, 8_000);
        assert!(stats.jitter_ms().0 < 1e-6);
    }
}
