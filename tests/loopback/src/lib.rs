//! The other end of a loopback call: the asynchronous `webrtc` crate, as little of it as will do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use antiphon::sdp::{Fragment, IceCredentials, Offer};
use bytes::Bytes;
use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::configure_rtcp_reports;
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RtpCodecKind,
};
use tokio::sync::mpsc;
use tokio::time::timeout;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler,
    RTCIceCandidateInit, RTCIceGatheringState, RTCPeerConnectionState, RTCSessionDescription,
    SettingEngineBuilder,
};

/// Longer than anything here takes; reaching it is a failure.
pub const PATIENCE: Duration = Duration::from_secs(10);
const SSRC: u32 = 4_711;

/// A codec, as an offer names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    Opus,
    Pcmu,
}

/// What happens at the caller.
#[derive(Clone, Debug)]
pub enum Happened {
    Gathered,
    Connected,
    ChannelOpen,
    ChannelClosed,
    Text(String),
    Rtp(rtp::Packet),
}

/// A caller.
pub struct Caller {
    codec: Codec,
    connection: Arc<dyn PeerConnection>,
    track: Arc<TrackLocalStaticRTP>,
    channel: Arc<dyn DataChannel>,
    happened: mpsc::Receiver<Happened>,
    /// The offer as it was given out.
    offer: String,
    answer: String,
}

/// Which sockets a caller has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sockets {
    Udp,
    Tcp,
}

impl Caller {
    /// A caller on loopback that offers `codec` and a data channel.
    pub async fn new(codec: Codec, sockets: Sockets) -> Self {
        let (sender, happened) = mpsc::channel(4_096);
        let settings = SettingEngineBuilder::new()
            .with_include_loopback_candidate(true)
            .with_ice_connection_attempts(Some(Duration::from_millis(20)), Some(250))
            .build();
        let mut media = MediaEngine::default();
        let parameters = RTCRtpCodecParameters {
            rtp_codec: rtp_codec(codec),
            payload_type: payload_type(codec),
        };
        media.register_codec(parameters, RtpCodecKind::Audio).expect("a good codec");
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let builder = PeerConnectionBuilder::new()
            .with_media_engine(media)
            .with_setting_engine(settings)
            .with_interceptor_registry(configure_rtcp_reports(Registry::new()))
            .with_handler(Arc::new(Handler(sender.clone())));
        let builder = match sockets {
            Sockets::Udp => builder.with_udp_addrs(vec![loopback]),
            Sockets::Tcp => builder.with_tcp_addrs(vec![loopback]),
        };
        let connection: Arc<dyn PeerConnection> =
            Arc::new(builder.build().await.expect("a connection"));
        let track = Arc::new(TrackLocalStaticRTP::new(local_track(codec)));
        connection.add_track(Arc::clone(&track) as Arc<dyn TrackLocal>).await.expect("a track");
        let channel = connection.create_data_channel("chat", None).await.expect("a channel");
        tokio::spawn(forward_channel(Arc::clone(&channel), sender));
        let (offer, answer) = (String::new(), String::new());
        Self { codec, connection, track, channel, happened, offer, answer }
    }

    /// The offer, all candidates included.
    pub async fn offer(&mut self) -> String {
        let offer = self.connection.create_offer(None).await.expect("an offer");
        self.connection.set_local_description(offer).await.expect("our own offer");
        self.until(|it| matches!(it, Happened::Gathered)).await;
        let description = self.connection.local_description().await;
        self.offer = description.expect("it was set").sdp;
        self.offer.clone()
    }

    /// Takes the answer in; connecting begins.
    pub async fn accept(&mut self, sdp: &str) {
        self.answer = sdp.to_owned();
        let answer = RTCSessionDescription::answer(sdp.to_owned()).expect("a good answer");
        self.connection.set_remote_description(answer).await.expect("an answer that fits");
        // The stack opens connections only to candidates that it is given one by one.
        for candidate in sdp.lines().filter(|line| line.contains("tcptype passive")) {
            let candidate = candidate.trim_start_matches("a=").to_owned();
            let candidate = RTCIceCandidateInit { candidate, ..Default::default() };
            self.connection.add_ice_candidate(candidate).await.expect("a good candidate");
        }
    }

    /// Waits until media can flow.
    pub async fn connected(&mut self) {
        self.until(|it| matches!(it, Happened::Connected)).await;
    }

    /// Waits for something, passing over what else happens.
    pub async fn until(&mut self, wanted: impl Fn(&Happened) -> bool) -> Happened {
        let search = async {
            loop {
                let happened = self.happened.recv().await.expect("the connection lives");
                if wanted(&happened) {
                    return happened;
                }
            }
        };
        timeout(PATIENCE, search).await.expect("it did not happen in time")
    }

    /// The next packet of the agent.
    pub async fn next_rtp(&mut self) -> rtp::Packet {
        match self.until(|it| matches!(it, Happened::Rtp(_))).await {
            Happened::Rtp(packet) => packet,
            other => unreachable!("{other:?}"),
        }
    }

    /// The next message that contains `part`.
    pub async fn text_with(&mut self, part: &str) -> String {
        match self.until(|it| matches!(it, Happened::Text(text) if text.contains(part))).await {
            Happened::Text(text) => text,
            other => unreachable!("{other:?}"),
        }
    }

    /// Sends one packet.
    pub async fn send(&self, sequence: u16, timestamp: u32, payload: &[u8]) {
        let header = rtp::Header {
            version: 2,
            payload_type: payload_type(self.codec),
            sequence_number: sequence,
            timestamp,
            ssrc: SSRC,
            ..rtp::Header::default()
        };
        let packet = rtp::Packet { header, payload: Bytes::copy_from_slice(payload) };
        self.track.write_rtp(packet).await.expect("it is connected");
    }

    /// Sends a message.
    pub async fn send_text(&self, text: &str) {
        self.channel.send_text(text).await.expect("the channel is open");
    }

    /// Begins an ICE restart; the fragment to send.
    pub async fn restart(&mut self) -> Fragment {
        self.connection.restart_ice().await.expect("it can restart");
        let offer = self.offer().await;
        let offer = Offer::parse(&offer).expect("a good offer");
        Fragment {
            credentials: Some(offer.credentials),
            candidates: offer.candidates,
            end_of_candidates: true,
        }
    }

    /// Takes in the answer to a restart.
    pub async fn accept_restart(&mut self, credentials: &IceCredentials) {
        let replaced = |line: &str| match line {
            it if it.starts_with("a=ice-ufrag:") => format!("a=ice-ufrag:{}", credentials.ufrag),
            it if it.starts_with("a=ice-pwd:") => format!("a=ice-pwd:{}", credentials.pwd),
            other => other.to_owned(),
        };
        let answer = self.answer.lines().map(|line| replaced(line) + "\r\n").collect::<String>();
        self.accept(&answer).await;
    }

    /// Hangs up.
    pub async fn close(&self) {
        self.connection.close().await.expect("it can be closed");
    }
}

fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Opus => 111,
        Codec::Pcmu => 0,
    }
}

fn rtp_codec(codec: Codec) -> RTCRtpCodec {
    let (mime_type, clock_rate, channels) = match codec {
        Codec::Opus => ("audio/opus", 48_000, 2),
        Codec::Pcmu => ("audio/PCMU", 8_000, 0),
    };
    RTCRtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate,
        channels,
        sdp_fmtp_line: String::new(),
        rtcp_feedback: Vec::new(),
    }
}

fn local_track(codec: Codec) -> MediaStreamTrack {
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(SSRC),
            ..RTCRtpCodingParameters::default()
        },
        codec: rtp_codec(codec),
        ..RTCRtpEncodingParameters::default()
    };
    let name = "caller".to_owned();
    MediaStreamTrack::new(name.clone(), name.clone(), name, RtpCodecKind::Audio, vec![encoding])
}

struct Handler(mpsc::Sender<Happened>);

impl Handler {
    fn tell(&self, happened: Happened) {
        // Only a test that no longer listens has a full queue.
        let _ = self.0.try_send(happened);
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.tell(Happened::Gathered);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Connected {
            self.tell(Happened::Connected);
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let sender = self.0.clone();
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let _ = sender.try_send(Happened::Rtp(packet));
                }
            }
        });
    }
}

async fn forward_channel(channel: Arc<dyn DataChannel>, sender: mpsc::Sender<Happened>) {
    while let Some(event) = channel.poll().await {
        let happened = match event {
            DataChannelEvent::OnOpen => Happened::ChannelOpen,
            DataChannelEvent::OnClose => Happened::ChannelClosed,
            DataChannelEvent::OnMessage(message) => {
                Happened::Text(String::from_utf8_lossy(&message.data).into_owned())
            }
            _ => continue,
        };
        let _ = sender.try_send(happened);
    }
}
