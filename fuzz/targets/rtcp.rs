//! RTCP compounds from the network between packets and reports of our own.
#![no_main]

use std::time::Duration;

use antiphon::rtp::rtcp::{Control, NtpTime, parse};
use antiphon::time::SessionTime;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Operation<'a> {
    Wait {
        ms: u16,
    },
    Sent {
        timestamp: u32,
        octets: u16,
    },
    Rtp {
        ssrc: u8,
        sequence: u16,
        timestamp: u32,
    },
    Rtcp(&'a [u8]),
    /// Our own report, as a peer would echo it: bytes that do parse.
    Echo,
}

fuzz_target!(|operations: Vec<Operation<'_>>| {
    let mut now = SessionTime::ZERO;
    let epoch = NtpTime::from_unix(Duration::from_secs(1_800_000_000));
    let mut control = Control::new(7, "name", 48_000, epoch);
    control.handle_connected(now);
    for operation in operations {
        match operation {
            Operation::Wait { ms } => now += Duration::from_millis(ms.into()),
            Operation::Sent { timestamp, octets } => {
                control.handle_sent(now, timestamp, octets.into());
            }
            Operation::Rtp { ssrc, sequence, timestamp } => {
                control.handle_rtp(now, ssrc.into(), sequence, timestamp);
            }
            Operation::Rtcp(compound) => {
                let _round_trip = control.handle_rtcp(now, compound);
            }
            Operation::Echo => {
                let goodbye = control.goodbye();
                let _round_trip = control.handle_rtcp(now, &goodbye);
            }
        }
        while let Some(report) = control.poll_report(now) {
            assert!(parse(&report).all(|packet| packet.is_ok()), "our own report");
        }
        assert!(control.poll_timeout().is_none_or(|at| at > now), "overdue");
        let stats = control.stats();
        assert!((0.0..=1.0).contains(&stats.sent_loss), "{stats:?}");
    }
});
