//! A session and a peer on a simulated wire.

use std::collections::VecDeque;

use rtc::data_channel::RTCDataChannelId;
use rtc::ice::attributes::control::AttrControlling;
use rtc::ice::attributes::priority::PriorityAttr;
use rtc::ice::attributes::use_candidate::UseCandidateAttr;
use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::RTCPeerConnectionBuilder;
use rtc::peer_connection::configuration::interceptor_registry::configure_rtcp_reports;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use rtc::peer_connection::event::RTCDataChannelEvent;
use rtc::peer_connection::message::TaggedRTCMessage;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::transport::RTCIceCandidateInit;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RtpCodecKind,
};
use rtc::stun::attributes::ATTR_USERNAME;
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{BINDING_REQUEST, Message, TransactionId};
use rtc::stun::textattrs::Username;

use super::*;
use crate::agent::EncodedFrame;
use crate::sdp::{Answer, CandidateKind, Transport};

const PEER: &str = "198.51.100.1:5000";
const PEER_SSRC: u32 = 77;

/// How a pair differs from the plain one.
#[derive(Clone, Copy)]
pub(super) struct PairSettings {
    /// One way.
    pub(super) latency: Duration,
    pub(super) codec: &'static str,
    pub(super) has_data: bool,
    /// The offer names the peer's address.
    pub(super) has_candidates: bool,
    /// Our own checks take so much longer than everything else.
    pub(super) checks_delay: Duration,
}

impl Default for PairSettings {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(1),
            codec: "opus",
            has_data: true,
            has_candidates: true,
            checks_delay: Duration::ZERO,
        }
    }
}

pub(super) struct Pair {
    pub(super) session: Session,
    pub(super) now: Instant,
    pub(super) is_cut: bool,
    pub(super) connected_after: Option<Duration>,
    pub(super) ended_at: Option<Instant>,
    pub(super) peer_rtp: Vec<rtc::rtp::Packet>,
    pub(super) peer_texts: Vec<String>,
    /// RTP packets on the wire, to the peer and to the session.
    pub(super) carried_rtp: [usize; 2],
    settings: PairSettings,
    started: Instant,
    peer: RTCPeerConnection,
    peer_channel: Option<RTCDataChannelId>,
    peer_dtls: RTCRtpSenderId,
    peer_payload_type: u8,
    offer: Offer,
    restart_offer: Option<RTCSessionDescription>,
    /// `(when, to the session, packet)`, in order.
    wire: VecDeque<(Instant, bool, BytesMut)>,
    events: Vec<Event>,
}

impl Pair {
    pub(super) fn new(settings: PairSettings) -> Self {
        let now = Instant::now();
        let (mut peer, peer_dtls, peer_payload_type) = peer(now, settings.codec);
        let peer_channel = settings
            .has_data
            .then(|| peer.create_data_channel("chat", None).expect("a channel can be made").id());
        let candidate = RTCIceCandidateInit {
            candidate: "1 1 udp 2130706431 198.51.100.1 5000 typ host".to_owned(),
            ..Default::default()
        };
        peer.add_local_candidate(candidate).expect("a good candidate");
        let offer = peer.create_offer(None).expect("an offer");
        let mut text = offer.sdp.clone();
        peer.set_local_description(now, offer).expect("our own offer");
        if !settings.has_candidates {
            text = text
                .lines()
                .filter(|it| !it.contains("candidate"))
                .map(|it| format!("{it}\r\n"))
                .collect();
        }
        let offer = Offer::parse(&text).expect("a good offer");
        let identity = Identity::generate().expect("an identity");
        let setup = Setup {
            offer: &offer,
            format: offer.audio_format().expect("a common codec"),
            identity: &identity,
            chance: Chance { ssrc: 99, first_sequence: 65_530, first_timestamp: 0xffff_0000 },
            epoch: NtpTime::from_unix(Duration::from_secs(1_700_000_000)),
        };
        let session = Session::new(now, &setup).expect("a session");
        let mut pair = Self {
            session,
            now,
            is_cut: false,
            connected_after: None,
            ended_at: None,
            peer_rtp: Vec::new(),
            peer_texts: Vec::new(),
            carried_rtp: [0; 2],
            settings,
            started: now,
            peer,
            peer_channel,
            peer_dtls,
            peer_payload_type,
            offer,
            restart_offer: None,
            wire: VecDeque::new(),
            events: Vec::new(),
        };
        let answer = pair.answer(&pair.session.local_credentials().clone());
        let answer = RTCSessionDescription::answer(answer).expect("a good answer");
        pair.peer.set_remote_description(now, answer).expect("an answer that fits");
        pair
    }

    fn answer(&self, credentials: &IceCredentials) -> String {
        let candidate = Candidate {
            transport: Transport::Udp,
            address: "192.0.2.9:40000".parse().expect("an address"),
            kind: CandidateKind::Host,
        };
        Answer {
            offer: &self.offer,
            format: self.session.format,
            session_id: 1,
            credentials,
            fingerprint: self.session.identity.fingerprint(),
            candidates: &[candidate],
            ssrc: 99,
            message_bytes_max: 65_536,
        }
        .write()
    }

    pub(super) fn peer_route(&self) -> Route {
        Route::udp(PEER.parse().expect("an address"))
    }

    /// Lets time pass, jumping from one deadline to the next.
    pub(super) fn run(&mut self, duration: Duration) {
        let until = self.now + duration;
        loop {
            self.drain();
            let wire = self.wire.front().map(|(at, ..)| *at);
            let next = [wire, self.session.poll_timeout(), self.peer.poll_timeout()];
            // A deadline that stays in the past must not stop the clock.
            let soonest = self.now + Duration::from_micros(100);
            let next = next.into_iter().flatten().min().unwrap_or(until).max(soonest);
            if next > until {
                self.now = until;
                return;
            }
            self.now = next;
            while self.wire.front().is_some_and(|(at, ..)| *at <= self.now) {
                let (_, to_session, bytes) = self.wire.pop_front().expect("it is there");
                self.deliver(to_session, bytes);
                self.drain();
            }
            self.session.handle_timeout(self.now);
            let _ = self.peer.handle_timeout(self.now);
        }
    }

    fn deliver(&mut self, to_session: bool, bytes: BytesMut) {
        if to_session {
            let route = self.peer_route();
            self.session.handle_datagram(self.now, Datagram { route, bytes });
            return;
        }
        let transport = TransportContext {
            local_addr: PEER.parse().expect("an address"),
            peer_addr: "192.0.2.9:40000".parse().expect("an address"),
            transport_protocol: TransportProtocol::UDP,
            ecn: None,
        };
        let _ = self.peer.handle_read(TaggedBytesMut { now: self.now, transport, message: bytes });
    }

    pub(super) fn drain(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Connected => self.connected_after = Some(self.now - self.started),
                Event::Ended(_) => self.ended_at = Some(self.now),
                _ => {}
            }
            self.events.push(event);
        }
        while let Some(datagram) = self.session.poll_transmit() {
            let class = Binding::parse(&datagram.bytes).map(|it| it.class);
            let is_check = class == Some(Class::Request);
            let extra = if is_check { self.settings.checks_delay } else { Duration::ZERO };
            self.carry(false, datagram.bytes, extra);
        }
        while let Some(written) = self.peer.poll_write() {
            self.carry(true, written.message, Duration::ZERO);
        }
        while let Some(event) = self.peer.poll_event() {
            if let RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnOpen(id)) = event {
                self.peer_channel = Some(id);
            }
        }
        while let Some(tagged) = self.peer.poll_read() {
            match tagged.message {
                RTCMessage::RtpPacket(_, packet) => self.peer_rtp.push(packet),
                RTCMessage::DataChannelMessage(_, message) => {
                    let text = String::from_utf8(message.data.to_vec()).expect("text");
                    self.peer_texts.push(text);
                }
                _ => {}
            }
        }
    }

    fn carry(&mut self, to_session: bool, bytes: BytesMut, extra: Duration) {
        if self.is_cut {
            return;
        }
        let is_rtp = Protocol::of(&bytes) == Protocol::Rtp && !(192..=223).contains(&bytes[1]);
        self.carried_rtp[usize::from(to_session)] += usize::from(is_rtp);
        let at = self.now + self.settings.latency + extra;
        let place =
            self.wire.iter().rposition(|(earlier, ..)| *earlier <= at).map_or(0, |it| it + 1);
        self.wire.insert(place, (at, to_session, bytes));
    }

    pub(super) fn saw(&self, event: &Event) -> bool {
        self.events.contains(event)
    }

    pub(super) fn end(&self) -> Option<End> {
        self.events.iter().find_map(|event| match event {
            Event::Ended(end) => Some(*end),
            _ => None,
        })
    }

    pub(super) fn rtp(&self) -> Vec<RtpIn> {
        let rtp = |event: &Event| match event {
            Event::Rtp(packet) => Some(packet.clone()),
            _ => None,
        };
        self.events.iter().filter_map(rtp).collect()
    }

    pub(super) fn round_trips(&self) -> Vec<Duration> {
        let round_trip = |event: &Event| match event {
            Event::RoundTrip(round_trip) => Some(*round_trip),
            _ => None,
        };
        self.events.iter().filter_map(round_trip).collect()
    }

    pub(super) fn send_frame(&mut self, frame: &EncodedFrame) {
        self.session.send_frame(self.now, frame);
    }

    pub(super) fn peer_sends_rtp(&mut self, sequence: u16, timestamp: u32, payload: &[u8]) {
        let header = rtc::rtp::Header {
            version: 2,
            payload_type: self.peer_payload_type,
            sequence_number: sequence,
            timestamp,
            ssrc: PEER_SSRC,
            ..Default::default()
        };
        let packet = rtc::rtp::Packet { header, payload: Bytes::copy_from_slice(payload) };
        let message = RTCMessage::RtpPacket("peer".to_owned(), packet);
        self.peer.handle_write(TaggedRTCMessage { now: self.now, message }).expect("it is open");
    }

    pub(super) fn peer_sends_text(&mut self, text: &str) {
        let id = self.peer_channel.expect("the peer made a channel");
        let mut channel = self.peer.data_channel(id).expect("it is there");
        channel.send_text(self.now, text).expect("it is open");
    }

    pub(super) fn peer_closes(&mut self) {
        self.peer.close().expect("it can be closed");
    }

    pub(super) fn peer_saw_close(&mut self) -> bool {
        let sender = self.peer.rtp_sender(self.peer_dtls).expect("it is there");
        sender.transport().map(|it| it.state()) == Some(RTCDtlsTransportState::Closed)
    }

    /// The peer offers a restart; its new credentials.
    pub(super) fn peer_restarts(&mut self) -> IceCredentials {
        self.peer.restart_ice();
        let offer = self.peer.create_offer(None).expect("an offer");
        let credentials = Offer::parse(&offer.sdp).expect("a good offer").credentials;
        self.restart_offer = Some(offer);
        credentials
    }

    /// The peer got our answer to its restart.
    pub(super) fn peer_takes_restart(&mut self, ours: &IceCredentials) {
        let offer = self.restart_offer.take().expect("it offered one");
        self.peer.set_local_description(self.now, offer).expect("its own offer");
        let answer = RTCSessionDescription::answer(self.answer(ours)).expect("a good answer");
        self.peer.set_remote_description(self.now, answer).expect("an answer that fits");
    }
}

/// A peer as a browser is one: it offers audio, and would be the DTLS client.
fn peer(now: Instant, codec: &str) -> (RTCPeerConnection, RTCRtpSenderId, u8) {
    let (payload_type, clock_rate, channels) = match codec {
        "opus" => (111, 48_000, 2),
        "PCMU" => (0, 8_000, 1),
        _ => (8, 8_000, 1),
    };
    let rtp_codec = RTCRtpCodec {
        mime_type: format!("audio/{codec}"),
        clock_rate,
        channels,
        sdp_fmtp_line: String::new(),
        rtcp_feedback: Vec::new(),
    };
    let mut media = MediaEngine::default();
    let parameters = RTCRtpCodecParameters { rtp_codec: rtp_codec.clone(), payload_type };
    media.register_codec(parameters, RtpCodecKind::Audio).expect("a good codec");
    let registry = configure_rtcp_reports(Registry::new());
    let mut peer = RTCPeerConnectionBuilder::new()
        .with_media_engine(media)
        .with_interceptor_registry(registry)
        .with_setting_engine(SettingEngineBuilder::new().build())
        .build(now)
        .expect("a peer");
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(PEER_SSRC),
            ..Default::default()
        },
        codec: rtp_codec,
        ..Default::default()
    };
    let name = "peer".to_owned();
    let track = MediaStreamTrack::new(
        name.clone(),
        name.clone(),
        name,
        RtpCodecKind::Audio,
        vec![encoding],
    );
    let sender = peer.add_track(track).expect("a track can be added");
    (peer, sender, payload_type)
}

/// A check that nominates, as a peer that knows `pwd` would send it.
pub(super) fn nomination(session: &Session, pwd: String) -> BytesMut {
    let username = format!("{}:{}", session.local.ufrag, session.remote.ufrag);
    let provider = rtc::crypto::default_provider().expect("it is built in");
    let integrity =
        MessageIntegrity::new_short_term_integrity_with_provider(pwd, provider.crypto());
    let mut message = Message::new();
    message
        .build(&[
            Box::new(BINDING_REQUEST),
            Box::new(TransactionId::new()),
            Box::new(Username::new(ATTR_USERNAME, username)),
            Box::<UseCandidateAttr>::default(),
            Box::new(AttrControlling(1)),
            Box::new(PriorityAttr(1)),
            Box::new(integrity),
            Box::new(FINGERPRINT),
        ])
        .expect("a good message");
    BytesMut::from(message.raw.as_slice())
}
