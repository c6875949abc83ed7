//! One call's WebRTC session, sans-IO and told the time.
//!
//! ```text
//!   handle_datagram --> path --> rtc (ICE, DTLS, SRTP, SCTP) --> poll_event
//!   send_frame, send_text -----> rtc -----> path ------------> poll_transmit
//! ```
//!
//! One mutation, then drain [`Session::poll_transmit`] and [`Session::poll_event`] to `None`.

mod channels;
mod ice;
mod media;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::peer_connection::RTCPeerConnection;
use rtc::peer_connection::event::RTCPeerConnectionEvent;
use rtc::peer_connection::message::RTCMessage;
use rtc::peer_connection::state::{RTCIceConnectionState, RTCPeerConnectionState};
use rtc::peer_connection::transport::RTCDtlsTransportState;
use rtc::rtp_transceiver::RTCRtpSenderId;
use rtc::sansio::Protocol as _;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};

use self::channels::Channels;
use self::media::Media;
use super::Identity;
use super::path::Path;
use super::stack::{self, LOCAL_PORT, LOCAL_V4, LOCAL_V6, Plan, StagedRestart};
use crate::agent::PayloadKind;
use crate::limits::{CONNECT_TIMEOUT, PEER_SILENCE_MAX};
use crate::peer::datagram::{Carrier, Datagram, Route};
use crate::rtp::rtcp::{NtpTime, PathStats};
use crate::rtp::stun::{Binding, Class, Protocol};
use crate::sdp::offer::AudioFormat;
use crate::sdp::{Candidate, Fingerprint, IceCredentials, Offer};
use crate::time::SessionTime;

/// The session cannot be set up; a bug, for what came from outside was checked before.
#[derive(Debug, thiserror::Error)]
#[error("the WebRTC stack refused: {0}")]
pub(crate) struct StackError(#[from] rtc::shared::error::Error);

/// What a session tells its driver.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    /// Media may flow. Once.
    Connected,
    /// A packet of the user's audio.
    Rtp(RtpIn),
    /// The peer's report gave the round trip.
    RoundTrip(Duration),
    /// A data channel can be written to.
    ChannelOpened,
    /// The data channel that was written to is gone.
    ChannelClosed,
    /// The peer sent a text message.
    Text(String),
    /// Authenticated checks came on this route. That its address is the peer's is not proven: a
    /// sender can lie about it.
    Seen(Route),
    /// A check that we sent on this route was answered and the peer chose it: it is the peer's.
    Proven(Route),
    /// Nothing more will come.
    Ended(End),
}

/// A packet of the user's audio stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RtpIn {
    pub(crate) kind: PayloadKind,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) level_dbfs: Option<i8>,
    pub(crate) payload: Bytes,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The peer closed it (DTLS close_notify).
    Closed,
    /// Nothing came for too long.
    Silent,
    /// It did not connect in time, or its handshake failed.
    NotConnected,
}

/// What was counted in the session, beside RTCP's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionStats {
    /// Datagrams that no protocol could use.
    pub unusable: u64,
    /// Datagrams dropped while there was no path.
    pub early_dropped: u64,
    /// Outgoing frames dropped while there was no path.
    pub frames_dropped: u64,
    /// RTP packets of a payload type that was not agreed on.
    pub foreign_rtp: u64,
    /// Data-channel messages dropped: not text, or not read by the client.
    pub messages_dropped: u64,
    /// ICE restarts that took place.
    pub restarts: u32,
}

/// What a session is made from.
#[derive(Debug)]
pub(crate) struct Setup<'a> {
    pub(crate) offer: &'a Offer,
    pub(crate) format: AudioFormat,
    pub(crate) identity: &'a Identity,
    pub(crate) chance: Chance,
    /// The wall clock at the start of the call.
    pub(crate) epoch: NtpTime,
}

/// Random numbers of a call (RFC 3550 §5.1, §8.1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chance {
    pub(crate) ssrc: u32,
    pub(crate) first_sequence: u16,
    pub(crate) first_timestamp: u32,
}

/// A WebRTC session.
pub(crate) struct Session {
    stack: RTCPeerConnection,
    sender: RTCRtpSenderId,
    started: Instant,
    phase: Phase,
    path: Path,
    /// The last authenticated sign of life.
    heard: Instant,
    format: AudioFormat,
    has_data: bool,
    fingerprint: Fingerprint,
    identity: Identity,
    local: IceCredentials,
    remote: IceCredentials,
    restart: Option<PendingRestart>,
    candidates_taken: usize,
    media: Media,
    channels: Channels,
    transmits: VecDeque<Datagram>,
    events: VecDeque<Event>,
    stats: SessionStats,
}

/// What the stack sent to whom a packet had come from; the last is the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Response {
    Nothing,
    /// A check of its own.
    Check,
    /// The STUN success of a check.
    Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Connected,
    Over,
}

/// A restart that the peer asked for, waiting for its first check.
struct PendingRestart {
    staged: StagedRestart,
    remote: IceCredentials,
    candidates: Vec<Candidate>,
}

impl Session {
    /// Answers an offer. Checks may arrive from now on.
    pub(crate) fn new(now: Instant, setup: &Setup<'_>) -> Result<Self, StackError> {
        let Setup { offer, format, identity, chance, epoch } = *setup;
        let plan = Plan {
            format,
            has_data: offer.data.is_some(),
            ssrc: chance.ssrc,
            remote: &offer.credentials,
            fingerprint: &offer.fingerprint,
            identity,
        };
        let (stack, sender, local) = stack::answered(now, &plan)?;
        let mut session = Self {
            stack,
            sender,
            started: now,
            phase: Phase::Connecting,
            path: Path::default(),
            heard: now,
            format,
            has_data: plan.has_data,
            fingerprint: offer.fingerprint.clone(),
            identity: identity.clone(),
            local,
            remote: offer.credentials.clone(),
            restart: None,
            candidates_taken: 0,
            media: Media::new(format, offer.audio(), chance, epoch),
            channels: Channels::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            stats: SessionStats::default(),
        };
        session.add_candidates(&offer.candidates);
        session.handle_timeout(now);
        Ok(session)
    }

    /// Our credentials of the current ICE session.
    pub(crate) const fn local_credentials(&self) -> &IceCredentials {
        &self.local
    }

    /// Ours of the newest ICE session, which may be one that the peer has not checked yet.
    pub(crate) fn newest_local_credentials(&self) -> &IceCredentials {
        self.restart.as_ref().map_or(&self.local, |pending| &pending.staged.credentials)
    }

    /// When the session began.
    pub(crate) const fn started(&self) -> Instant {
        self.started
    }

    /// The peer's credentials, those of a restart that it asked for first.
    pub(crate) fn remote_credentials(&self) -> &IceCredentials {
        self.restart.as_ref().map_or(&self.remote, |pending| &pending.remote)
    }

    /// The time since the session began, as the core counts it.
    pub(crate) fn time(&self, now: Instant) -> SessionTime {
        let elapsed = now.saturating_duration_since(self.started);
        SessionTime::from_micros(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
    }

    /// A packet arrived.
    pub(crate) fn handle_datagram(&mut self, now: Instant, datagram: Datagram) {
        if self.phase == Phase::Over {
            return;
        }
        match Protocol::of(&datagram.bytes) {
            Protocol::Stun => self.handle_stun(now, datagram),
            Protocol::Dtls | Protocol::Rtp if self.path.is_open() => {
                self.feed(now, datagram);
            }
            Protocol::Dtls | Protocol::Rtp => self.path.keep(datagram),
            Protocol::Unknown => self.stats.unusable += 1,
        }
        self.notice_close();
    }

    /// Gives a packet to the stack and takes out all that comes of it.
    fn feed(&mut self, now: Instant, datagram: Datagram) -> Response {
        let route = datagram.route;
        let message = TaggedBytesMut { now, transport: transport(route), message: datagram.bytes };
        // The stack counts and logs what it cannot use; there is nothing to do about it here.
        let _ = self.stack.handle_read(message);
        self.drain(now, Some(route))
    }

    /// A deadline of [`Session::poll_timeout`] was reached.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.phase == Phase::Over {
            return;
        }
        if self.stack.poll_timeout().is_some_and(|deadline| deadline <= now) {
            let _ = self.stack.handle_timeout(now);
        }
        self.drain(now, None);
        if let Some(report) = self.media.poll_report(self.time(now)) {
            self.send_rtcp(now, &report);
        }
        if self.phase != Phase::Over && now >= self.patience() {
            self.end(match self.phase {
                Phase::Connecting => End::NotConnected,
                Phase::Connected | Phase::Over => End::Silent,
            });
        }
    }

    /// When the peer will have been silent for too long.
    fn patience(&self) -> Instant {
        match self.phase {
            Phase::Connecting => self.started + CONNECT_TIMEOUT,
            Phase::Connected | Phase::Over => self.heard + PEER_SILENCE_MAX,
        }
    }

    /// When [`Session::handle_timeout`] wants to be called next.
    pub(crate) fn poll_timeout(&mut self) -> Option<Instant> {
        if self.phase == Phase::Over {
            return None;
        }
        let report = self.media.poll_timeout().map(|at| self.started + since_start(at));
        [self.stack.poll_timeout(), report, Some(self.patience())].into_iter().flatten().min()
    }

    /// The next packet to send.
    pub(crate) fn poll_transmit(&mut self) -> Option<Datagram> {
        self.transmits.pop_front()
    }

    /// The next thing that happened.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Says goodbye. What is still to be sent is drained as usual.
    pub(crate) fn close(&mut self, now: Instant) {
        if self.phase == Phase::Over {
            return;
        }
        if self.phase == Phase::Connected {
            let goodbye = self.media.goodbye();
            self.send_rtcp(now, &goodbye);
        }
        let _ = self.stack.close();
        self.drain(now, None);
        self.phase = Phase::Over;
    }

    /// What was counted so far.
    pub(crate) fn stats(&self) -> (SessionStats, PathStats) {
        let mut stats = self.stats;
        stats.early_dropped = self.path.early_dropped();
        stats.frames_dropped = self.media.frames_dropped();
        stats.foreign_rtp = self.media.foreign();
        stats.messages_dropped = self.channels.dropped();
        (stats, self.media.path_stats())
    }

    /// Takes everything out of the stack. Returns what of it was for `sender`.
    fn drain(&mut self, now: Instant, sender: Option<Route>) -> Response {
        let response = self.drain_writes(sender);
        while let Some(event) = self.stack.poll_event() {
            self.handle_stack_event(now, event);
        }
        while let Some(tagged) = self.stack.poll_read() {
            match tagged.message {
                RTCMessage::RtpPacket(_, packet) => {
                    self.heard = now;
                    let at = self.time(now);
                    self.events.extend(self.media.handle_rtp(at, packet).map(Event::Rtp));
                }
                RTCMessage::RtcpPacket(_, packets) => {
                    self.heard = now;
                    let at = self.time(now);
                    self.events.extend(self.media.handle_rtcp(at, &packets).map(Event::RoundTrip));
                }
                RTCMessage::DataChannelMessage(_, message) => {
                    self.heard = now;
                    self.events.extend(self.channels.handle_message(message).map(Event::Text));
                }
                _ => {}
            }
        }
        // What was taken in may be answered at once: acknowledgements, a new window.
        self.drain_writes(sender).max(response)
    }

    fn drain_writes(&mut self, sender: Option<Route>) -> Response {
        let mut response = Response::Nothing;
        while let Some(written) = self.stack.poll_write() {
            let mut route = route_of(&written.transport);
            match Binding::parse(&written.message) {
                Some(binding) if Some(route) == sender => {
                    response = response.max(match binding.class {
                        Class::Success => Response::Answer,
                        Class::Request => Response::Check,
                        Class::Error | Class::Indication => Response::Nothing,
                    });
                }
                Some(_) => {}
                // The stack addresses it to its first pair; the peer may have moved since.
                None => route = self.path.route().unwrap_or(route),
            }
            self.transmits.push_back(Datagram { route, bytes: written.message });
        }
        response
    }

    fn handle_stack_event(&mut self, now: Instant, event: RTCPeerConnectionEvent) {
        match event {
            RTCPeerConnectionEvent::OnIceConnectionStateChangeEvent(
                RTCIceConnectionState::Connected,
            ) => self.open_path(now),
            RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) => match state {
                RTCPeerConnectionState::Connected if self.phase == Phase::Connecting => {
                    self.phase = Phase::Connected;
                    self.heard = now;
                    let at = self.time(now);
                    self.media.handle_connected(at);
                    self.events.push_back(Event::Connected);
                }
                RTCPeerConnectionState::Failed => self.end(match self.phase {
                    Phase::Connecting => End::NotConnected,
                    Phase::Connected | Phase::Over => End::Silent,
                }),
                _ => {}
            },
            RTCPeerConnectionEvent::OnDataChannel(event) => {
                self.events.extend(self.channels.handle_event(&mut self.stack, event));
            }
            _ => {}
        }
    }

    /// The stack selected a pair: what waited for one goes through.
    fn open_path(&mut self, now: Instant) {
        for datagram in self.path.opened() {
            self.feed(now, datagram);
        }
        for frame in self.media.release_held() {
            self.send_frame(now, &frame);
        }
    }

    /// The stack does not tell of the peer's close_notify.
    fn notice_close(&mut self) {
        if self.phase == Phase::Over {
            return;
        }
        let sender = self.stack.rtp_sender(self.sender);
        let state = sender.and_then(|sender| sender.transport().map(|it| it.state()));
        if state == Some(RTCDtlsTransportState::Closed) {
            self.end(End::Closed);
        }
    }

    fn end(&mut self, end: End) {
        self.phase = Phase::Over;
        self.events.push_back(Event::Ended(end));
    }
}

fn since_start(at: SessionTime) -> Duration {
    at.since(SessionTime::ZERO)
}

/// A route as the stack knows it: our side is always the same.
fn transport(route: Route) -> TransportContext {
    let local = if route.address.is_ipv4() { LOCAL_V4 } else { LOCAL_V6 };
    let local = local.parse().expect("a constant address");
    TransportContext {
        local_addr: SocketAddr::new(local, LOCAL_PORT),
        peer_addr: route.address,
        transport_protocol: match route.carrier {
            Carrier::Udp => TransportProtocol::UDP,
            Carrier::Tcp => TransportProtocol::TCP,
        },
        ecn: None,
    }
}

fn route_of(transport: &TransportContext) -> Route {
    match transport.transport_protocol {
        TransportProtocol::TCP => Route::tcp(transport.peer_addr),
        _ => Route::udp(transport.peer_addr),
    }
}

#[cfg(test)]
mod tests;
