//! What arrived of one source: RFC 3550 §A.1 (sequence), §A.3 (loss) and §A.8 (jitter).

use std::time::Duration;

use super::{ReportBlock, duration_ticks, ticks};
use crate::time::SessionTime;

/// A jump of this many sequence numbers forward is a restart of the source, not loss (RFC 3550 §A.1).
const DROPOUT_MAX: u16 = 3_000;
/// As many backward are late packets (RFC 3550 §A.1).
const MISORDER_MAX: u16 = 100;

/// Counts what arrives of one source.
#[derive(Debug)]
pub struct Reception {
    ssrc: u32,
    clock_hz: u32,
    base_sequence: u32,
    highest: u16,
    /// Wrap-arounds of the sequence number, times 65 536.
    cycles: u32,
    /// The sequence number that would confirm that the source restarted.
    restart_at: Option<u16>,
    received: u64,
    /// Since the last restart of the sequence.
    received_since_base: u64,
    expected_prior: u64,
    received_prior: u64,
    transit: Option<u32>,
    /// In sixteenths of a tick, as §A.8 keeps it.
    jitter_sixteenths: u32,
}

impl Reception {
    /// Statistics of `ssrc`, whose first packet has this sequence number.
    pub fn new(ssrc: u32, clock_hz: u32, sequence: u16) -> Self {
        Self {
            ssrc,
            clock_hz,
            base_sequence: u32::from(sequence),
            highest: sequence,
            cycles: 0,
            restart_at: None,
            received: 0,
            received_since_base: 0,
            expected_prior: 0,
            received_prior: 0,
            transit: None,
            jitter_sixteenths: 0,
        }
    }

    /// The source.
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Counts a packet.
    pub fn handle_packet(&mut self, now: SessionTime, sequence: u16, timestamp: u32) {
        self.received += 1;
        if !self.follow_sequence(sequence) {
            return;
        }
        self.received_since_base += 1;
        let arrival = duration_ticks(now.since(SessionTime::ZERO), self.clock_hz);
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(previous) = self.transit.replace(transit) {
            let change = transit.wrapping_sub(previous).cast_signed().unsigned_abs();
            // jitter += (change - jitter) / 16, in sixteenths and rounded as §A.8 does. The change
            // is capped at a minute so that a timestamp out of nowhere cannot overflow.
            let change = change.min(self.clock_hz.saturating_mul(60));
            self.jitter_sixteenths += change;
            self.jitter_sixteenths -= (self.jitter_sixteenths.saturating_sub(change) + 8) >> 4;
        }
    }

    /// Follows the sequence; `false` for a packet that belongs to neither the old nor a new one.
    fn follow_sequence(&mut self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.highest);
        if ahead < DROPOUT_MAX {
            if sequence < self.highest {
                self.cycles = self.cycles.wrapping_add(1 << 16);
            }
            self.highest = sequence;
        } else if ahead <= u16::MAX - MISORDER_MAX {
            // Two packets in a row after a jump: the source restarted without a word.
            if self.restart_at != Some(sequence) {
                self.restart_at = Some(sequence.wrapping_add(1));
                return false;
            }
            self.base_sequence = u32::from(sequence);
            self.highest = sequence;
            self.cycles = 0;
            self.received_since_base = 0;
            self.expected_prior = 0;
            self.received_prior = 0;
        }
        self.restart_at = None;
        true
    }

    /// Packets received, duplicates and late ones included.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Packets that never came; below zero when duplicates outnumber them (RFC 3550 §A.3).
    pub fn lost(&self) -> i64 {
        self.expected().cast_signed() - self.received_since_base.cast_signed()
    }

    /// Interarrival jitter.
    pub fn jitter(&self) -> Duration {
        ticks(self.jitter_sixteenths >> 4, self.clock_hz)
    }

    /// The report block of now; the next one counts its fraction from here.
    pub fn report(&mut self) -> ReportBlock {
        let expected = self.expected();
        let expected_interval = expected.saturating_sub(self.expected_prior);
        let received_interval = self.received_since_base.saturating_sub(self.received_prior);
        self.expected_prior = expected;
        self.received_prior = self.received_since_base;
        let lost_interval = expected_interval.saturating_sub(received_interval);
        let fraction_lost = match expected_interval {
            0 => 0,
            expected => (lost_interval * 256 / expected).min(255) as u8,
        };
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost,
            cumulative_lost: self.lost().clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: self.cycles | u32::from(self.highest),
            jitter: self.jitter_sixteenths >> 4,
            last_sr: 0,
            delay_since_last_sr: 0,
        }
    }

    fn expected(&self) -> u64 {
        let highest = u64::from(self.cycles) + u64::from(self.highest);
        highest.saturating_sub(u64::from(self.base_sequence)) + 1
    }
}
