//! RTCP reports: what each side of a call says it received (RFC 3550 §6.4), read and written here so
//! that loss, jitter and round trip are our own figures.
//!
//! ```text
//!   we            SR, NTP time A ----------->            peer
//!                                                  | DLSR: delay since last SR
//!   now  <--------- report block: LSR = A, DLSR ---'
//!   round trip = now - LSR - DLSR                       (RFC 3550 §6.4.1, figure 2)
//! ```

mod reception;
mod wire;

use std::time::Duration;

pub use reception::Reception;
pub use wire::{Malformed, Packet, ReportBlock, Reports, SenderInfo, parse};

use crate::time::SessionTime;

/// Between our own reports. RFC 3550 §6.2 asks for 5 s unless bandwidth allows more (§6.2: 360
/// divided by the session bandwidth in kb/s); at Opus rates this is well under 5 %.
const REPORT_INTERVAL: Duration = Duration::from_millis(2_500);
/// The first report is early, so that the round trip is known while it matters most.
const FIRST_REPORT_AFTER: Duration = Duration::from_millis(300);
/// A longer round trip than this is a broken clock, not a path.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(20);

/// Wall-clock time in NTP's format: seconds since 1900 and a 32-bit fraction (RFC 3550 §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// Seconds between 1900 and 1970.
    const UNIX_OFFSET_S: u64 = 2_208_988_800;

    /// From the time since 1970.
    pub fn from_unix(since_1970: Duration) -> Self {
        let seconds = since_1970.as_secs().wrapping_add(Self::UNIX_OFFSET_S);
        let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
        Self((seconds << 32) | fraction)
    }

    fn after(self, elapsed: Duration) -> Self {
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        Self(self.0.wrapping_add((elapsed.as_secs() << 32) + fraction))
    }

    /// The middle 32 bits, in which reports give times: units of 1/65 536 s.
    pub const fn compact(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// What is known of the path, both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PathStats {
    /// Round trip of the latest report about us.
    pub round_trip: Option<Duration>,
    /// Packets the peer says it never got, of those we sent (duplicates make it smaller).
    pub sent_lost: i32,
    /// Share of our packets lost in the peer's last reporting interval, 0 to 1.
    pub sent_loss: f32,
    /// Interarrival jitter of our packets at the peer (RFC 3550 §A.8).
    pub sent_jitter: Duration,
    /// Packets received.
    pub received: u64,
    /// Packets that never came, of those the peer sent.
    pub received_lost: i64,
    /// Interarrival jitter of the peer's packets here.
    pub received_jitter: Duration,
    /// RTCP packets that did not parse.
    pub malformed: u64,
}

/// The RTCP side of one call: counts both ways, says when to report, and reads the peer's reports.
#[derive(Debug)]
pub struct Control {
    ssrc: u32,
    clock_hz: u32,
    name: String,
    /// Wall-clock time of [`SessionTime::ZERO`].
    epoch: NtpTime,
    sent: Option<LastSent>,
    packets_sent: u32,
    octets_sent: u32,
    reception: Option<Reception>,
    last_sr: Option<LastSenderReport>,
    next_report: Option<SessionTime>,
    stats: PathStats,
}

/// Ties the RTP clock to ours.
#[derive(Clone, Copy, Debug)]
struct LastSent {
    at: SessionTime,
    timestamp: u32,
}

#[derive(Clone, Copy, Debug)]
struct LastSenderReport {
    compact: u32,
    at: SessionTime,
}

impl Control {
    /// The RTCP of a call that sends as `ssrc`, known as `name` (CNAME), with RTP clocks of
    /// `clock_hz` both ways, that began at `epoch`.
    pub fn new(ssrc: u32, name: &str, clock_hz: u32, epoch: NtpTime) -> Self {
        Self {
            ssrc,
            clock_hz,
            name: name.to_owned(),
            epoch,
            sent: None,
            packets_sent: 0,
            octets_sent: 0,
            reception: None,
            last_sr: None,
            next_report: None,
            stats: PathStats::default(),
        }
    }

    /// Media may flow: reports begin.
    pub fn handle_connected(&mut self, now: SessionTime) {
        self.next_report = Some(now + FIRST_REPORT_AFTER);
    }

    /// One RTP packet of `octets` payload bytes left.
    pub fn handle_sent(&mut self, now: SessionTime, timestamp: u32, octets: usize) {
        self.sent = Some(LastSent { at: now, timestamp });
        self.packets_sent = self.packets_sent.wrapping_add(1);
        self.octets_sent = self.octets_sent.wrapping_add(octets as u32);
    }

    /// One RTP packet arrived. A new `ssrc` starts its statistics afresh.
    pub fn handle_rtp(&mut self, now: SessionTime, ssrc: u32, sequence: u16, timestamp: u32) {
        match &mut self.reception {
            Some(reception) if reception.ssrc() == ssrc => {
                reception.handle_packet(now, sequence, timestamp);
            }
            _ => {
                let mut reception = Reception::new(ssrc, self.clock_hz, sequence);
                reception.handle_packet(now, sequence, timestamp);
                self.reception = Some(reception);
                self.last_sr = None;
            }
        }
    }

    /// A compound RTCP packet arrived. Returns the round trip if one of its reports gave it.
    pub fn handle_rtcp(&mut self, now: SessionTime, compound: &[u8]) -> Option<Duration> {
        let mut round_trip = None;
        for packet in parse(compound) {
            match packet {
                Ok(Packet::SenderReport { ssrc, info, reports }) => {
                    if self.reception.as_ref().is_some_and(|it| it.ssrc() == ssrc) {
                        let compact = info.ntp.compact();
                        self.last_sr = Some(LastSenderReport { compact, at: now });
                    }
                    round_trip = self.handle_reports(now, reports).or(round_trip);
                }
                Ok(Packet::ReceiverReport { reports, .. }) => {
                    round_trip = self.handle_reports(now, reports).or(round_trip);
                }
                Ok(Packet::Bye { .. } | Packet::Other { .. }) => {}
                Err(Malformed) => self.stats.malformed += 1,
            }
        }
        round_trip
    }

    fn handle_reports(&mut self, now: SessionTime, reports: Reports<'_>) -> Option<Duration> {
        let block = reports.into_iter().find(|block| block.ssrc == self.ssrc)?;
        self.stats.sent_lost = block.cumulative_lost;
        self.stats.sent_loss = f32::from(block.fraction_lost) / 256.0;
        self.stats.sent_jitter = ticks(block.jitter, self.clock_hz);
        if block.last_sr == 0 {
            return None;
        }
        let elapsed = self.ntp(now).compact().wrapping_sub(block.last_sr);
        // A delay longer than the time elapsed would be a round trip below zero.
        let round_trip = compact_duration(elapsed.checked_sub(block.delay_since_last_sr)?);
        if round_trip > ROUND_TRIP_MAX {
            return None;
        }
        self.stats.round_trip = Some(round_trip);
        Some(round_trip)
    }

    /// When [`Control::poll_report`] has something next.
    pub fn poll_timeout(&self) -> Option<SessionTime> {
        self.next_report
    }

    /// The compound report that is due: a sender report once we have sent, else a receiver report,
    /// with our name (RFC 3550 §6.1).
    pub fn poll_report(&mut self, now: SessionTime) -> Option<Vec<u8>> {
        if self.next_report.is_none_or(|at| now < at) {
            return None;
        }
        self.next_report = Some(now + REPORT_INTERVAL);
        let block = self.report_block(now);
        let mut bytes = Vec::with_capacity(96);
        match self.sent {
            Some(sent) => {
                // The RTP time of now, counted on from the last packet: silence is not sent, but
                // the clock runs through it.
                let elapsed = duration_ticks(now.since(sent.at), self.clock_hz);
                let info = SenderInfo {
                    ntp: self.ntp(now),
                    timestamp: sent.timestamp.wrapping_add(elapsed),
                    packets: self.packets_sent,
                    octets: self.octets_sent,
                };
                wire::write_sender_report(&mut bytes, self.ssrc, &info, block.as_ref());
            }
            None => wire::write_receiver_report(&mut bytes, self.ssrc, block.as_ref()),
        }
        wire::write_name(&mut bytes, self.ssrc, &self.name);
        Some(bytes)
    }

    /// The goodbye sent when the call ends (RFC 3550 §6.6), as the compound it must come in.
    pub fn goodbye(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(48);
        wire::write_receiver_report(&mut bytes, self.ssrc, None);
        wire::write_name(&mut bytes, self.ssrc, &self.name);
        wire::write_bye(&mut bytes, self.ssrc);
        bytes
    }

    /// What is known of the path so far.
    pub fn stats(&self) -> PathStats {
        let mut stats = self.stats;
        if let Some(reception) = &self.reception {
            stats.received = reception.received();
            stats.received_lost = reception.lost();
            stats.received_jitter = reception.jitter();
        }
        stats
    }

    fn report_block(&mut self, now: SessionTime) -> Option<ReportBlock> {
        let mut block = self.reception.as_mut()?.report();
        if let Some(last) = self.last_sr {
            block.last_sr = last.compact;
            block.delay_since_last_sr = duration_ticks(now.since(last.at), 65_536);
        }
        Some(block)
    }

    fn ntp(&self, now: SessionTime) -> NtpTime {
        self.epoch.after(now.since(SessionTime::ZERO))
    }
}

/// `ticks` of a clock as a duration.
fn ticks(ticks: u32, clock_hz: u32) -> Duration {
    Duration::from_nanos(u64::from(ticks) * 1_000_000_000 / u64::from(clock_hz.max(1)))
}

fn compact_duration(compact: u32) -> Duration {
    ticks(compact, 65_536)
}

/// A duration in ticks of a clock, wrapping as RTP clocks do.
fn duration_ticks(duration: Duration, clock_hz: u32) -> u32 {
    (duration.as_nanos() * u128::from(clock_hz) / 1_000_000_000) as u32
}

#[cfg(test)]
mod tests;
