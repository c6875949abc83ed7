//! RTP and RTCP of a session.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use rtc::sansio::Protocol as _;

use super::{Chance, RtpIn, Session};
use crate::agent::{EncodedFrame, PayloadKind};
use crate::limits::HELD_FRAMES_MAX;
use crate::peer::webrtc::stack::TRACK;
use crate::rtp::rtcp::{Control, NtpTime, PathStats};
use crate::sdp::offer::{AudioFormat, Direction, Media as OfferedMedia};
use crate::time::SessionTime;

/// The canonical name in RTCP; the same as in answers.
const CNAME: &str = "antiphon";
/// The bit of the audio level extension that says that there is voice (RFC 6464 §3).
const VOICE_BIT: u8 = 0x80;

/// The two audio streams of a session.
#[derive(Debug)]
pub(super) struct Media {
    format: AudioFormat,
    /// The peer wants to hear us.
    is_wanted: bool,
    mid: Bytes,
    ssrc: u32,
    sequence: u16,
    /// Added to the agent's timestamps (RFC 3550 §5.1).
    timestamp_offset: u32,
    rtcp: Control,
    held: VecDeque<EncodedFrame>,
    frames_dropped: u64,
    foreign: u64,
}

impl Media {
    pub(super) fn new(
        format: AudioFormat,
        audio: &OfferedMedia,
        chance: Chance,
        epoch: NtpTime,
    ) -> Self {
        Self {
            format,
            is_wanted: audio.direction == Direction::SendRecv,
            mid: Bytes::copy_from_slice(audio.mid.as_bytes()),
            ssrc: chance.ssrc,
            sequence: chance.first_sequence,
            timestamp_offset: chance.first_timestamp,
            rtcp: Control::new(chance.ssrc, CNAME, format.codec.clock_hz(), epoch),
            held: VecDeque::new(),
            frames_dropped: 0,
            foreign: 0,
        }
    }

    pub(super) const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(super) const fn frames_dropped(&self) -> u64 {
        self.frames_dropped
    }

    pub(super) const fn foreign(&self) -> u64 {
        self.foreign
    }

    pub(super) fn path_stats(&self) -> PathStats {
        self.rtcp.stats()
    }

    pub(super) fn handle_connected(&mut self, now: SessionTime) {
        self.rtcp.handle_connected(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<SessionTime> {
        self.rtcp.poll_timeout()
    }

    pub(super) fn poll_report(&mut self, now: SessionTime) -> Option<Vec<u8>> {
        self.rtcp.poll_report(now)
    }

    pub(super) fn goodbye(&self) -> Vec<u8> {
        self.rtcp.goodbye()
    }

    /// A packet came out of the stack, decrypted.
    pub(super) fn handle_rtp(
        &mut self,
        now: SessionTime,
        packet: rtc::rtp::Packet,
    ) -> Option<RtpIn> {
        let header = &packet.header;
        let kind = if header.payload_type == self.format.payload_type {
            PayloadKind::Audio
        } else if Some(header.payload_type) == self.format.telephone_event {
            PayloadKind::TelephoneEvent
        } else {
            self.foreign += 1;
            return None;
        };
        self.rtcp.handle_rtp(now, header.ssrc, header.sequence_number, header.timestamp);
        let level = self.format.level_extension.and_then(|id| header.get_extension(id));
        // The level is given as dB below full scale, 0 to 127.
        let level_dbfs = level.and_then(|it| it.first().copied());
        Some(RtpIn {
            kind,
            sequence: header.sequence_number,
            timestamp: header.timestamp,
            marker: header.marker,
            level_dbfs: level_dbfs.map(|byte| -((byte & !VOICE_BIT).cast_signed())),
            payload: packet.payload,
        })
    }

    /// A compound came out of the stack. It parsed it already, but leaves out what we need, so it is
    /// written again and read by our own parser. A few per call and second at most.
    pub(super) fn handle_rtcp(
        &mut self,
        now: SessionTime,
        packets: &[Box<dyn rtc::rtcp::Packet>],
    ) -> Option<Duration> {
        let compound = rtc::rtcp::packet::marshal(packets).ok()?;
        self.rtcp.handle_rtcp(now, &compound)
    }

    /// Keeps a frame until there is a path.
    fn hold(&mut self, frame: &EncodedFrame) {
        if self.held.len() == HELD_FRAMES_MAX {
            self.held.pop_front();
            self.frames_dropped += 1;
        }
        self.held.push_back(frame.clone());
    }

    pub(super) fn release_held(&mut self) -> VecDeque<EncodedFrame> {
        std::mem::take(&mut self.held)
    }

    /// The packet that carries `frame`.
    fn packet(&mut self, now: SessionTime, frame: &EncodedFrame) -> rtc::rtp::Packet {
        let timestamp = frame.timestamp.wrapping_add(self.timestamp_offset);
        let mut header = rtc::rtp::Header {
            version: 2,
            marker: frame.marker,
            payload_type: self.format.payload_type,
            sequence_number: self.sequence,
            timestamp,
            ssrc: self.ssrc,
            ..rtc::rtp::Header::default()
        };
        // Both fit one-byte headers: ids are 1 to 14, the level is one byte, a mid at most sixteen.
        if let Some(id) = self.format.level_extension {
            let voice = if frame.level_dbfs > -127 { VOICE_BIT } else { 0 };
            let level = voice | frame.level_dbfs.unsigned_abs().min(127);
            let _ = header.set_extension(id, Bytes::copy_from_slice(&[level]));
        }
        // Until the peer has reported on our stream it may not know it (RFC 8843 §9.2).
        if let Some(id) = self.format.mid_extension
            && self.rtcp.stats().round_trip.is_none()
        {
            let _ = header.set_extension(id, self.mid.clone());
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.rtcp.handle_sent(now, timestamp, frame.payload().len());
        rtc::rtp::Packet { header, payload: Bytes::copy_from_slice(frame.payload()) }
    }
}

impl Session {
    /// Sends one frame of audio; while there is no path it is kept for a moment.
    pub(crate) fn send_frame(&mut self, now: Instant, frame: &EncodedFrame) {
        match self.phase {
            // The offer was sendonly.
            _ if !self.media.is_wanted => return,
            super::Phase::Connected if self.path.is_open() => {}
            super::Phase::Connected => return self.media.hold(frame),
            super::Phase::Connecting | super::Phase::Over => return,
        }
        let at = self.time(now);
        let packet = self.media.packet(at, frame);
        let message = RTCMessage::RtpPacket(TRACK.to_owned(), packet);
        let _ = self.stack.handle_write(TaggedRTCMessage { now, message });
        self.drain_writes(None);
    }

    /// Sends a compound RTCP packet.
    pub(super) fn send_rtcp(&mut self, now: Instant, compound: &[u8]) {
        let raw = rtc::rtcp::raw_packet::RawPacket(BytesMut::from(compound).freeze());
        let message = RTCMessage::RtcpPacket(TRACK.to_owned(), vec![Box::new(raw)]);
        let _ = self.stack.handle_write(TaggedRTCMessage { now, message });
        self.drain_writes(None);
    }
}
