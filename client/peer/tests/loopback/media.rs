//! The media side of the tests' agent: hears speech by its level and answers with a tone.

use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use antiphon_peer::CodecKind;
use antiphon_peer::codec::{Decoder, Encoder};
use antiphon_peer::level::level_dbfs;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::configure_rtcp_reports;
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval};
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler,
    RTCIceGatheringState, RTCPeerConnectionState, RTCSessionDescription, Registry,
    SettingEngineBuilder,
};

use super::answerer::{Asked, ENDPOINT, Manner, Seen, TONE, read_message, rtvi};

const SSRC: u32 = 77;
const FRAME: Duration = Duration::from_millis(20);

/// One call of the agent.
#[derive(Clone)]
pub(crate) struct Session {
    connection: Arc<dyn PeerConnection>,
}

/// What the agent's voice is told.
enum Cue {
    Connected,
    /// A packet of the caller, loud or not.
    Heard {
        is_speech: bool,
    },
    Speak,
    Channel(Arc<dyn DataChannel>),
}

impl Session {
    pub(crate) async fn answer(
        offer: String,
        codec: CodecKind,
        manner: Manner,
        seen: Arc<Seen>,
    ) -> (Self, String) {
        let (cues, cue_receiver) = mpsc::channel(256);
        let (gathered, mut is_gathered) = watch::channel(false);
        let mut engine = MediaEngine::default();
        let parameters = RTCRtpCodecParameters {
            rtp_codec: rtp_codec(codec),
            payload_type: codec.payload_type(),
        };
        engine.register_codec(parameters, RtpCodecKind::Audio).unwrap();
        // With one codec only, so that both answers are met.
        if codec == CodecKind::Pcmu {
            let uri = rtc::sdp::extmap::AUDIO_LEVEL_URI.to_owned();
            let level = RTCRtpHeaderExtensionCapability { uri };
            engine.register_header_extension(level, RtpCodecKind::Audio, None).unwrap();
        }
        let settings = SettingEngineBuilder::new()
            .with_ice_connection_attempts(Some(FRAME), Some(500))
            .with_include_loopback_candidate(true)
            .build();
        let connection: Arc<dyn PeerConnection> = Arc::new(
            PeerConnectionBuilder::<SocketAddr>::new()
                .with_media_engine(engine)
                .with_setting_engine(settings)
                .with_interceptor_registry(configure_rtcp_reports(Registry::new()))
                .with_handler(Arc::new(Handler { cues, gathered, codec, seen }))
                .with_udp_addrs(vec![SocketAddr::from(([127, 0, 0, 1], 0))])
                .build()
                .await
                .unwrap(),
        );
        let track = Arc::new(TrackLocalStaticRTP::new(local_track(codec)));
        connection.add_track(Arc::clone(&track) as Arc<dyn TrackLocal>).await.unwrap();
        let offer = RTCSessionDescription::offer(offer).unwrap();
        connection.set_remote_description(offer).await.unwrap();
        let answer = connection.create_answer(None).await.unwrap();
        connection.set_local_description(answer).await.unwrap();
        is_gathered.wait_for(|gathered| *gathered).await.unwrap();
        let sdp = connection.local_description().await.unwrap().sdp;
        tokio::spawn(Voice::new(track, codec, manner).run(cue_receiver));
        (Self { connection }, sdp)
    }

    pub(crate) async fn close(&self) {
        self.connection.close().await.unwrap();
    }
}

fn rtp_codec(codec: CodecKind) -> RTCRtpCodec {
    let (mime_type, channels) = match codec {
        CodecKind::Opus => ("audio/opus", 2),
        CodecKind::Pcmu => ("audio/PCMU", 0),
        CodecKind::Pcma => ("audio/PCMA", 0),
    };
    let (clock_rate, sdp_fmtp_line) = (codec.rate_hz(), String::new());
    RTCRtpCodec {
        mime_type: mime_type.into(),
        clock_rate,
        channels,
        sdp_fmtp_line,
        rtcp_feedback: vec![],
    }
}

fn local_track(codec: CodecKind) -> MediaStreamTrack {
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(SSRC), ..Default::default() },
        codec: rtp_codec(codec),
        ..Default::default()
    };
    let name = || "agent".to_owned();
    MediaStreamTrack::new(name(), name(), name(), RtpCodecKind::Audio, vec![encoding])
}

struct Handler {
    cues: mpsc::Sender<Cue>,
    gathered: watch::Sender<bool>,
    codec: CodecKind,
    seen: Arc<Seen>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        self.gathered.send_replace(state == RTCIceGatheringState::Complete);
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if state == RTCPeerConnectionState::Connected {
            drop(self.cues.send(Cue::Connected).await);
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let (cues, mut decoder) = (self.cues.clone(), Decoder::new(self.codec).unwrap());
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                let TrackRemoteEvent::OnRtpPacket(packet) = event else { continue };
                let samples = decoder.decode(&packet.payload).unwrap();
                let is_speech = level_dbfs(&samples) > -50.0;
                drop(cues.send(Cue::Heard { is_speech }).await);
            }
        });
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        let (cues, seen) = (self.cues.clone(), Arc::clone(&self.seen));
        tokio::spawn(async move {
            drop(cues.send(Cue::Channel(Arc::clone(&channel))).await);
            while let Some(event) = channel.poll().await {
                let DataChannelEvent::OnMessage(message) = event else { continue };
                match read_message(std::str::from_utf8(&message.data).unwrap()) {
                    Asked::Answer(answer) => channel.send_text(&answer).await.unwrap(),
                    Asked::Speak => drop(cues.send(Cue::Speak).await),
                    Asked::Playout(generation) => {
                        seen.playout_generation.store(generation, Ordering::SeqCst);
                    }
                    Asked::Nothing => {}
                }
            }
        });
    }
}

/// Sends 20 ms frames for ever: a tone while it speaks, silence otherwise.
struct Voice {
    track: Arc<TrackLocalStaticRTP>,
    codec: CodecKind,
    encoder: Encoder,
    manner: Manner,
    channel: Option<Arc<dyn DataChannel>>,
    last_speech: Option<Instant>,
    generation: u32,
    tone_left: u32,
    sent: u32,
    is_connected: bool,
}

impl Voice {
    fn new(track: Arc<TrackLocalStaticRTP>, codec: CodecKind, manner: Manner) -> Self {
        let encoder = Encoder::new(codec).unwrap();
        Self {
            track,
            codec,
            encoder,
            manner,
            channel: None,
            last_speech: None,
            generation: 0,
            tone_left: 0,
            sent: 0,
            is_connected: false,
        }
    }

    async fn run(mut self, mut cues: mpsc::Receiver<Cue>) {
        let mut clock = interval(FRAME);
        loop {
            tokio::select! {
                cue = cues.recv() => match cue {
                    Some(cue) => self.handle(cue).await,
                    None => return,
                },
                _ = clock.tick() => if self.is_connected { self.tick().await },
            }
        }
    }

    async fn handle(&mut self, cue: Cue) {
        match cue {
            Cue::Connected => {
                self.is_connected = true;
                if self.manner.greets {
                    self.speak().await;
                }
            }
            Cue::Heard { is_speech: true } => {
                self.last_speech = Some(Instant::now());
                self.tone_left = 0;
            }
            Cue::Heard { is_speech: false } => {
                if self.last_speech.is_some_and(|at| at.elapsed() >= ENDPOINT) {
                    self.last_speech = None;
                    self.speak().await;
                }
            }
            Cue::Speak => self.speak().await,
            Cue::Channel(channel) => self.channel = Some(channel),
        }
    }

    async fn speak(&mut self) {
        if self.manner.is_silent {
            return;
        }
        self.generation += 1;
        self.tone_left = (TONE.as_millis() / FRAME.as_millis()) as u32;
        if let Some(channel) = &self.channel {
            let floor = json!({"type": "floor", "state": "agent", "generation": self.generation});
            drop(channel.send_text(&rtvi("server-message", &floor)).await);
        }
    }

    async fn tick(&mut self) {
        let samples = self.codec.frame_samples();
        let mut frame = vec![0; samples];
        if self.tone_left > 0 {
            self.tone_left -= 1;
            let step = TAU * 440.0 / f64::from(self.codec.rate_hz());
            for (index, sample) in frame.iter_mut().enumerate() {
                let at = self.sent as usize * samples + index;
                *sample = (8_192.0 * (at as f64 * step).sin()) as i16;
            }
        }
        let header = rtp::Header {
            version: 2,
            payload_type: self.codec.payload_type(),
            sequence_number: self.sent as u16,
            timestamp: self.sent * samples as u32,
            ssrc: SSRC,
            ..Default::default()
        };
        self.sent += 1;
        let payload = self.encoder.encode(&frame).unwrap().into();
        drop(self.track.write_rtp(rtp::Packet { header, payload }).await);
    }
}
