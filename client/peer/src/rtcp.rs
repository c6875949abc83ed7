//! Looking at the RTCP that passes through the stack, which itself computes no round trip time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rtc::interceptor::{Interceptor, Packet, Slot, StreamInfo, TaggedPacket};
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::reception_report::ReceptionReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use crate::measure::round_trip::{FarReport, RoundTrip};

/// Next to the wire: below everything that makes reports, so that all of them pass.
pub(crate) const SLOT: usize = 500;

/// A link of the stack's chain that changes nothing and notes the reports that pass.
pub(crate) struct RtcpWatch {
    round_trip: Arc<Mutex<RoundTrip>>,
    read: VecDeque<TaggedPacket>,
    write: VecDeque<TaggedPacket>,
}

impl RtcpWatch {
    /// A watch that notes into `round_trip`.
    pub(crate) fn new(round_trip: Arc<Mutex<RoundTrip>>) -> Self {
        Self { round_trip, read: VecDeque::new(), write: VecDeque::new() }
    }

    /// Its place in the chain.
    pub(crate) fn slot() -> Slot {
        Slot::from(SLOT)
    }

    fn with(&self, note: impl FnOnce(&mut RoundTrip)) {
        note(&mut self.round_trip.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for RtcpWatch {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, message: TaggedPacket) -> Result<(), Self::Error> {
        if let Packet::Rtcp(packets) = &message.message.packet {
            let reports = packets.iter().flat_map(|packet| reception_reports(packet.as_ref()));
            self.with(|round_trip| {
                for report in reports {
                    round_trip.handle_report(message.now, far_report(report));
                }
            });
        }
        self.read.push_back(message);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<Self::Rout> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, message: TaggedPacket) -> Result<(), Self::Error> {
        if let Packet::Rtcp(packets) = &message.message.packet {
            for packet in packets {
                if let Some(report) = packet.as_any().downcast_ref::<SenderReport>() {
                    self.with(|round_trip| {
                        round_trip.handle_sent(message.now, report.ssrc, report.ntp_time);
                    });
                }
            }
        }
        self.write.push_back(message);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<Self::Wout> {
        self.write.pop_front()
    }
}

impl Interceptor for RtcpWatch {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}

/// The report blocks of a receiver report, or of a sender report, which carries them too.
fn reception_reports(packet: &dyn rtc::rtcp::Packet) -> &[ReceptionReport] {
    let packet = packet.as_any();
    if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
        return &report.reports;
    }
    packet.downcast_ref::<SenderReport>().map_or(&[], |report| &report.reports)
}

const fn far_report(report: &ReceptionReport) -> FarReport {
    FarReport {
        ssrc: report.ssrc,
        last_sender_report: report.last_sender_report,
        delay_since: report.delay,
        lost: report.total_lost,
        jitter: report.jitter,
    }
}
