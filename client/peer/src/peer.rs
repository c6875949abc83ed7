//! The WebRTC stack, adapted: callbacks become notices on bounded channels.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::configure_rtcp_reports;
use rtc::rtp::extension::HeaderExtension;
use rtc::rtp::extension::audio_level_extension::AudioLevelExtension;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use rtc::{rtp, sdp};
use tokio::sync::mpsc;
use tokio::time::timeout;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::error::Result;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler,
    RTCConfigurationBuilder, RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionState,
    RTCSessionDescription, SettingEngineBuilder,
};

use crate::codec::CodecKind;
use crate::limits::{
    GATHER_MAX, ICE_CHECK_INTERVAL, ICE_CHECKS_MAX, NOTICES_MAX, RECEIVED_PACKETS_MAX,
};
use crate::measure::round_trip::RoundTrip;
use crate::rtcp::RtcpWatch;
use crate::rtvi;

/// The one stream sent. Any number does; a fixed one makes captures easy to read.
const SSRC: u32 = 0x0A17_1F04;

/// Something happened to the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Local candidates are complete.
    Gathered,
    /// The path works; encryption is next.
    IceConnected,
    /// Media can flow.
    Connected,
    /// The connection is gone.
    Disconnected,
    /// Messages can be sent.
    ChannelOpen,
    /// A message of the agent.
    Message(String),
}

/// A packet of the agent.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// When it came.
    pub(crate) at: Instant,
    /// Its RTP sequence number.
    pub(crate) sequence: u16,
    /// Its RTP timestamp.
    pub(crate) timestamp: u32,
    /// Encoded audio.
    pub(crate) payload: Bytes,
}

/// One connection.
pub(crate) struct Peer {
    connection: Arc<dyn PeerConnection>,
    track: Arc<TrackLocalStaticRTP>,
    channel: Arc<dyn DataChannel>,
    round_trip: Arc<Mutex<RoundTrip>>,
    notices: mpsc::Receiver<(Instant, Notice)>,
    packets: mpsc::Receiver<Received>,
    codec: CodecKind,
    /// Whether the answer accepts the level of each packet in its header. The stack refuses to send
    /// a packet with an extension that was not negotiated.
    has_audio_level: bool,
}

impl Peer {
    /// A connection that offers `codec` and a data channel, with its media socket on `bind`.
    pub(crate) async fn new(codec: CodecKind, bind: IpAddr) -> Result<Self> {
        let (notice_sender, notices) = mpsc::channel(NOTICES_MAX);
        let (packet_sender, packets) = mpsc::channel(RECEIVED_PACKETS_MAX);
        let round_trip = Arc::new(Mutex::new(RoundTrip::default()));
        let handler = Handler { notices: notice_sender.clone(), packets: packet_sender, codec };
        let registry = configure_rtcp_reports(Registry::new())
            .with(RtcpWatch::slot(), RtcpWatch::new(Arc::clone(&round_trip)));
        let settings = SettingEngineBuilder::new()
            .with_ice_connection_attempts(Some(ICE_CHECK_INTERVAL), Some(ICE_CHECKS_MAX))
            .with_include_loopback_candidate(true)
            .build();
        let connection: Arc<dyn PeerConnection> = Arc::new(
            PeerConnectionBuilder::new()
                .with_configuration(RTCConfigurationBuilder::new().build())
                .with_media_engine(media_engine(codec)?)
                .with_setting_engine(settings)
                .with_interceptor_registry(registry)
                .with_handler(Arc::new(handler))
                .with_udp_addrs(vec![SocketAddr::new(bind, 0)])
                .build()
                .await?,
        );
        let track = Arc::new(TrackLocalStaticRTP::new(local_track(codec)));
        connection.add_track(Arc::clone(&track) as Arc<dyn TrackLocal>).await?;
        let channel = connection.create_data_channel(rtvi::CHANNEL, None).await?;
        tokio::spawn(forward_channel(Arc::clone(&channel), notice_sender));
        Ok(Self {
            connection,
            track,
            channel,
            round_trip,
            notices,
            packets,
            codec,
            has_audio_level: false,
        })
    }

    /// The offer, with every local candidate in it.
    pub(crate) async fn offer(&mut self) -> Result<String> {
        let offer = self.connection.create_offer(None).await?;
        self.connection.set_local_description(offer).await?;
        let gathered = async {
            while let Some((_, notice)) = self.notices.recv().await {
                if notice == Notice::Gathered {
                    break;
                }
            }
        };
        // Without an end of gathering the candidates found so far have to do.
        drop(timeout(GATHER_MAX, gathered).await);
        let description = self.connection.local_description().await;
        Ok(description.map(|description| description.sdp).unwrap_or_default())
    }

    /// Takes in the answer; connecting begins.
    pub(crate) async fn accept(&mut self, sdp: String) -> Result<()> {
        self.has_audio_level = sdp.contains(sdp::extmap::AUDIO_LEVEL_URI);
        self.connection.set_remote_description(RTCSessionDescription::answer(sdp)?).await
    }

    /// What happened next, and when.
    pub(crate) async fn next_notice(&mut self) -> Option<(Instant, Notice)> {
        self.notices.recv().await
    }

    /// What happened next, or the agent's next packet.
    pub(crate) async fn next(&mut self) -> Option<PeerEvent> {
        tokio::select! {
            biased;
            packet = self.packets.recv() => packet.map(PeerEvent::Packet),
            notice = self.notices.recv() => notice.map(|(_, notice)| PeerEvent::Notice(notice)),
        }
    }

    /// Sends one packet of the caller.
    pub(crate) async fn send(&self, packet: &Outgoing) -> Result<()> {
        let header = rtp::Header {
            version: 2,
            marker: packet.marker,
            payload_type: self.codec.payload_type(),
            sequence_number: packet.sequence,
            timestamp: packet.timestamp,
            ssrc: SSRC,
            ..rtp::Header::default()
        };
        let rtp_packet = rtp::Packet { header, payload: packet.payload.clone() };
        let level = AudioLevelExtension { level: packet.level_minus_dbov, voice: packet.voice };
        let extensions: &[_] = match self.has_audio_level {
            true => &[HeaderExtension::AudioLevel(level)],
            false => &[],
        };
        self.track.write_rtp_with_extensions(rtp_packet, extensions).await
    }

    /// Sends one message to the agent.
    pub(crate) async fn send_message(&self, message: &str) -> Result<()> {
        self.channel.send_text(message).await
    }

    /// The round trips so far.
    pub(crate) fn round_trip(&self) -> RoundTrip {
        self.round_trip.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the connection.
    pub(crate) async fn close(&self) {
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "closing the connection");
        }
    }
}

/// What [`Peer::next`] gives.
pub(crate) enum PeerEvent {
    /// A packet of the agent.
    Packet(Received),
    /// Anything else.
    Notice(Notice),
}

/// A packet of the caller.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    /// RTP sequence number.
    pub(crate) sequence: u16,
    /// RTP timestamp.
    pub(crate) timestamp: u32,
    /// The first packet of an utterance (RFC 3551 §4.1).
    pub(crate) marker: bool,
    /// Loudness for RFC 6464, 0 (loudest) to 127, in -dBov.
    pub(crate) level_minus_dbov: u8,
    /// Whether it holds speech.
    pub(crate) voice: bool,
    /// Encoded audio.
    pub(crate) payload: Bytes,
}

fn rtp_codec(codec: CodecKind) -> RTCRtpCodec {
    let (mime_type, channels, sdp_fmtp_line) = match codec {
        // Two channels by RFC 7587 §7, whatever is really sent.
        CodecKind::Opus => ("audio/opus", 2, "minptime=10;useinbandfec=1"),
        CodecKind::Pcmu => ("audio/PCMU", 0, ""),
        CodecKind::Pcma => ("audio/PCMA", 0, ""),
    };
    RTCRtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate: codec.rate_hz(),
        channels,
        sdp_fmtp_line: sdp_fmtp_line.to_owned(),
        rtcp_feedback: Vec::new(),
    }
}

fn media_engine(codec: CodecKind) -> Result<MediaEngine> {
    let mut engine = MediaEngine::default();
    let parameters =
        RTCRtpCodecParameters { rtp_codec: rtp_codec(codec), payload_type: codec.payload_type() };
    engine.register_codec(parameters, RtpCodecKind::Audio)?;
    let audio_level =
        RTCRtpHeaderExtensionCapability { uri: sdp::extmap::AUDIO_LEVEL_URI.to_owned() };
    engine.register_header_extension(audio_level, RtpCodecKind::Audio, None)?;
    Ok(engine)
}

fn local_track(codec: CodecKind) -> MediaStreamTrack {
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(SSRC),
            ..RTCRtpCodingParameters::default()
        },
        codec: rtp_codec(codec),
        ..RTCRtpEncodingParameters::default()
    };
    MediaStreamTrack::new(
        "caller".to_owned(),
        "voice".to_owned(),
        "voice".to_owned(),
        RtpCodecKind::Audio,
        vec![encoding],
    )
}

struct Handler {
    notices: mpsc::Sender<(Instant, Notice)>,
    packets: mpsc::Sender<Received>,
    codec: CodecKind,
}

impl Handler {
    fn notice(&self, notice: Notice) {
        if self.notices.try_send((Instant::now(), notice)).is_err() {
            tracing::debug!("a notice of the connection was dropped");
        }
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.notice(Notice::Gathered);
        }
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        if state == RTCIceConnectionState::Connected {
            self.notice(Notice::IceConnected);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        match state {
            RTCPeerConnectionState::Connected => self.notice(Notice::Connected),
            RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => {
                self.notice(Notice::Disconnected);
            }
            _ => {}
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        tokio::spawn(forward_packets(track, self.packets.clone(), self.codec));
    }
}

async fn forward_packets(
    track: Arc<dyn TrackRemote>,
    packets: mpsc::Sender<Received>,
    codec: CodecKind,
) {
    while let Some(event) = track.poll().await {
        let TrackRemoteEvent::OnRtpPacket(packet) = event else { continue };
        // `telephone-event` and the like are not heard.
        if packet.header.payload_type != codec.payload_type() {
            continue;
        }
        let received = Received {
            at: Instant::now(),
            sequence: packet.header.sequence_number,
            timestamp: packet.header.timestamp,
            payload: packet.payload,
        };
        if let Err(mpsc::error::TrySendError::Closed(_)) = packets.try_send(received) {
            return;
        }
    }
}

async fn forward_channel(channel: Arc<dyn DataChannel>, notices: mpsc::Sender<(Instant, Notice)>) {
    while let Some(event) = channel.poll().await {
        let notice = match event {
            DataChannelEvent::OnOpen => Notice::ChannelOpen,
            DataChannelEvent::OnMessage(message) if message.is_string => {
                match String::from_utf8(message.data.to_vec()) {
                    Ok(text) => Notice::Message(text),
                    Err(_) => continue,
                }
            }
            _ => continue,
        };
        if let Err(mpsc::error::TrySendError::Closed(_)) =
            notices.try_send((Instant::now(), notice))
        {
            return;
        }
    }
}
