//! The round trip time, from RTCP reports as RFC 3550 §6.4.1 has it.
//!
//! ```text
//! caller   SR(t) ----.                       .--> RR(lsr = t, dlsr)    rtt = now - sent(t) - dlsr
//! agent               '--> ...dlsr... ------'
//! ```
//!
//! The moment at which a report was sent is remembered under the middle 32 bits of its NTP time, so
//! that no clock but the caller's own is trusted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Reports remembered: at one a second, more than any delay that would still be called a call.
const SENT_MAX: usize = 16;
/// Round trips kept for the median: over an hour at one a second.
const SAMPLES_MAX: usize = 4_096;

/// What the far end reports about our stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FarReport {
    /// The stream reported on.
    pub ssrc: u32,
    /// The middle 32 bits of the NTP time of the last sender report received; 0 for none.
    pub last_sender_report: u32,
    /// Since then, in units of 1/65536 s.
    pub delay_since: u32,
    /// Packets lost since the beginning.
    pub lost: u32,
    /// Jitter, in units of the RTP clock.
    pub jitter: u32,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct RoundTrip {
    sent: VecDeque<(u32, u32, Instant)>,
    samples: Vec<Duration>,
    last: Option<FarReport>,
}

impl RoundTrip {
    /// Takes note of a sender report about `ssrc` that leaves at `now`.
    pub fn handle_sent(&mut self, now: Instant, ssrc: u32, ntp_time: u64) {
        if self.sent.len() == SENT_MAX {
            self.sent.pop_front();
        }
        self.sent.push_back((ssrc, (ntp_time >> 16) as u32, now));
    }

    /// Takes in a report of the far end that arrived at `now`. One on a stream that is not ours is
    /// passed over.
    pub fn handle_report(&mut self, now: Instant, report: FarReport) {
        let Some(&(.., sent_at)) = self
            .sent
            .iter()
            .find(|(ssrc, middle, _)| *ssrc == report.ssrc && *middle == report.last_sender_report)
        else {
            if self.sent.iter().any(|(ssrc, ..)| *ssrc == report.ssrc) {
                self.last = Some(report);
            }
            return;
        };
        self.last = Some(report);
        let held = Duration::from_secs_f64(f64::from(report.delay_since) / 65_536.0);
        // The far end rounds; a negative round trip is a short one.
        let sample = now.saturating_duration_since(sent_at).saturating_sub(held);
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(sample);
        }
    }

    /// Every round trip measured.
    pub fn samples(&self) -> &[Duration] {
        &self.samples
    }

    /// The far end's last report on our stream.
    pub const fn last_report(&self) -> Option<FarReport> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NTP: u64 = 0xAAAA_1234_5678_BBBB;

    fn report(last_sender_report: u32, delay_ms: u32) -> FarReport {
        FarReport {
            ssrc: 7,
            last_sender_report,
            delay_since: delay_ms * 65_536 / 1_000,
            lost: 3,
            jitter: 0,
        }
    }

    #[test]
    fn the_time_held_by_the_far_end_is_taken_off() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        for (name, reported_at, report, expected_ms) in [
            ("at once", at(30), report(0x1234_5678, 0), Some(30)),
            ("held", at(530), report(0x1234_5678, 500), Some(30)),
            ("held longer than it took", at(100), report(0x1234_5678, 101), Some(0)),
            ("no sender report seen yet", at(30), report(0, 0), None),
            ("another sender report", at(30), report(0x1234_5679, 0), None),
            ("another stream", at(30), FarReport { ssrc: 8, ..report(0x1234_5678, 0) }, None),
        ] {
            let mut round_trip = RoundTrip::default();
            round_trip.handle_sent(start, 7, NTP);
            round_trip.handle_report(reported_at, report);
            let measured = round_trip.samples().first().map(|sample| sample.as_micros());
            let near =
                |micros: u128| expected_ms.is_some_and(|ms: u128| micros.abs_diff(ms * 1_000) < 50);
            assert_eq!(measured.is_some(), expected_ms.is_some(), "{name}");
            assert!(measured.is_none_or(near), "{name}: {measured:?}");
            assert_eq!(round_trip.last_report().is_some(), report.ssrc == 7, "{name}");
        }
    }
}
