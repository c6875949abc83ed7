//! An `rtc` peer connection, set up for one call: one audio section, perhaps data channels, nothing
//! that a stranger wrote.

use std::fmt::Write;
use std::time::{Duration, Instant};

use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::peer_connection::configuration::setting_engine::{
    SctpMaxMessageSize, SettingEngine, SettingEngineBuilder,
};
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::transport::{RTCDtlsRole, RTCIceCandidateInit};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp_transceiver::RTCRtpSenderId;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RtpCodecKind,
};
use rtc::shared::error::Error;

use super::{Identity, reports};
use crate::limits::SCTP_MESSAGE_BYTES_MAX;
use crate::sdp::offer::{AudioCodec, AudioFormat};
use crate::sdp::{Candidate, Fingerprint, IceCredentials};

/// Between connectivity checks while there is no path. The default of 200 ms is what a connection
/// waits for when its first check crosses the answer.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);
/// Checks sent to one candidate of our own accord: half a second. Later ones are triggered by the
/// peer's (RFC 8445 §7.3.1.4), so that an offer cannot point us at somebody for long.
const CHECKS_MAX: u16 = 25;
/// Between checks on the chosen path: consent (RFC 7675 §5.1 has 5 s at most) and round trip.
const CONSENT_INTERVAL: Duration = Duration::from_secs(2);

/// The track's id inside the stack; never sent.
pub(super) const TRACK: &str = "voice";

/// What the stack calls our own address, whatever it is. One socket serves all calls and its
/// addresses are written into the answer by us, so the stack needs one of each kind and need not
/// know which. (TEST-NET-1 and the documentation prefix: never on a wire.)
pub(super) const LOCAL_V4: &str = "192.0.2.1";
pub(super) const LOCAL_V6: &str = "2001:db8::1";
pub(super) const LOCAL_PORT: u16 = 9;

/// What a stack is made for.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) format: AudioFormat,
    pub(super) has_data: bool,
    pub(super) ssrc: u32,
    pub(super) remote: &'a IceCredentials,
    pub(super) fingerprint: &'a Fingerprint,
    pub(super) identity: &'a Identity,
}

/// A stack that has answered, with our credentials.
pub(super) fn answered(
    now: Instant,
    plan: &Plan<'_>,
) -> Result<(RTCPeerConnection, RTCRtpSenderId, IceCredentials), Error> {
    let mut media = MediaEngine::default();
    media.register_codec(codec_parameters(&plan.format), RtpCodecKind::Audio)?;
    if let Some(event) = telephone_event(&plan.format) {
        media.register_codec(event, RtpCodecKind::Audio)?;
    }
    let configuration = RTCConfigurationBuilder::new()
        .with_certificates(vec![plan.identity.certificate.clone()])
        .build();
    let mut stack = RTCPeerConnectionBuilder::new()
        .with_configuration(configuration)
        .with_setting_engine(settings())
        .with_media_engine(media)
        .with_interceptor_registry(reports::registry())
        .build(now)?;
    for candidate in [
        format!("1 1 udp 1 {LOCAL_V4} {LOCAL_PORT} typ host"),
        format!("2 1 udp 1 {LOCAL_V6} {LOCAL_PORT} typ host"),
        format!("3 1 tcp 1 {LOCAL_V4} {LOCAL_PORT} typ host tcptype passive"),
        format!("4 1 tcp 1 {LOCAL_V6} {LOCAL_PORT} typ host tcptype passive"),
    ] {
        stack.add_local_candidate(RTCIceCandidateInit { candidate, ..Default::default() })?;
    }
    let sender = stack.add_track(track(plan))?;
    let remote = description(plan, plan.remote, "actpass");
    stack.set_remote_description(now, RTCSessionDescription::offer(remote)?)?;
    let answer = stack.create_answer(None)?;
    let credentials = local_credentials(&answer.sdp)?;
    stack.set_local_description(now, answer)?;
    Ok((stack, sender, credentials))
}

/// Stages an ICE restart: the running session goes on, and the credentials of the next one are
/// returned. `rtc` can only do this as if we offered it.
pub(super) fn stage_restart(stack: &mut RTCPeerConnection) -> Result<StagedRestart, Error> {
    stack.restart_ice();
    let offer = stack.create_offer(None)?;
    let credentials = local_credentials(&offer.sdp)?;
    Ok(StagedRestart { offer, credentials })
}

/// A restart of which the peer has been told but on which it has not been heard yet.
#[derive(Debug)]
pub(super) struct StagedRestart {
    offer: RTCSessionDescription,
    pub(super) credentials: IceCredentials,
}

/// Leaves the old ICE session for the staged one.
pub(super) fn apply_restart(
    now: Instant,
    stack: &mut RTCPeerConnection,
    staged: StagedRestart,
    plan: &Plan<'_>,
) -> Result<(), Error> {
    stack.set_local_description(now, staged.offer)?;
    let answer = description(plan, plan.remote, "active");
    stack.set_remote_description(now, RTCSessionDescription::answer(answer)?)
}

/// Gives the stack somewhere to send checks to.
pub(super) fn add_candidate(
    stack: &mut RTCPeerConnection,
    candidate: Candidate,
) -> Result<(), Error> {
    let candidate = candidate.to_attribute(0).to_string();
    stack.add_remote_candidate(RTCIceCandidateInit { candidate, ..Default::default() })
}

fn settings() -> SettingEngine {
    SettingEngineBuilder::new()
        .with_answering_dtls_role(RTCDtlsRole::Server)
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(CHECKS_MAX))
        // Zero: the stack itself never gives up, for it judges by less than we know.
        .with_ice_timeouts(Some(Duration::ZERO), Some(Duration::ZERO), Some(CONSENT_INTERVAL))
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(SCTP_MESSAGE_BYTES_MAX as u32))
        .build()
}

fn codec(format: &AudioFormat) -> RTCRtpCodec {
    let AudioFormat { codec, .. } = format;
    RTCRtpCodec {
        mime_type: format!("audio/{}", codec.name()),
        clock_rate: codec.clock_hz(),
        channels: u16::from(codec.channels()),
        sdp_fmtp_line: codec.parameters().unwrap_or_default().to_owned(),
        rtcp_feedback: Vec::new(),
    }
}

fn codec_parameters(format: &AudioFormat) -> RTCRtpCodecParameters {
    RTCRtpCodecParameters { rtp_codec: codec(format), payload_type: format.payload_type }
}

fn telephone_event(format: &AudioFormat) -> Option<RTCRtpCodecParameters> {
    let payload_type = format.telephone_event?;
    let rtp_codec = RTCRtpCodec {
        mime_type: "audio/telephone-event".to_owned(),
        clock_rate: format.codec.clock_hz(),
        channels: 1,
        sdp_fmtp_line: "0-15".to_owned(),
        rtcp_feedback: Vec::new(),
    };
    Some(RTCRtpCodecParameters { rtp_codec, payload_type })
}

fn track(plan: &Plan<'_>) -> MediaStreamTrack {
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(plan.ssrc),
            ..RTCRtpCodingParameters::default()
        },
        active: true,
        codec: codec(&plan.format),
        ..RTCRtpEncodingParameters::default()
    };
    let name = TRACK.to_owned();
    MediaStreamTrack::new(name.clone(), name.clone(), name, RtpCodecKind::Audio, vec![encoding])
}

/// The peer's description as the stack is told of it: mids of our own, one codec, no candidates.
/// Sources are left out, so that the first one heard is taken.
fn description(plan: &Plan<'_>, ice: &IceCredentials, setup: &str) -> String {
    let mut text = String::with_capacity(1_024);
    let bundle = if plan.has_data { "0 1" } else { "0" };
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {bundle}\r\n"
    );
    let transport = format!(
        "c=IN IP4 0.0.0.0\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:{} {}\r\na=setup:{setup}\r\n",
        ice.ufrag, ice.pwd, plan.fingerprint.algorithm, plan.fingerprint.value,
    );
    let AudioFormat { codec, payload_type, telephone_event, .. } = plan.format;
    let _ = write!(text, "m=audio 9 UDP/TLS/RTP/SAVPF {payload_type}");
    if let Some(event) = telephone_event {
        let _ = write!(text, " {event}");
    }
    let _ = write!(text, "\r\n{transport}a=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n");
    let channels = if codec == AudioCodec::Opus { "/2" } else { "" };
    let _ =
        write!(text, "a=rtpmap:{payload_type} {}/{}{channels}\r\n", codec.name(), codec.clock_hz());
    if let Some(parameters) = codec.parameters() {
        let _ = write!(text, "a=fmtp:{payload_type} {parameters}\r\n");
    }
    if let Some(event) = telephone_event {
        let _ = write!(text, "a=rtpmap:{event} telephone-event/{}\r\n", codec.clock_hz());
        let _ = write!(text, "a=fmtp:{event} 0-15\r\n");
    }
    if plan.has_data {
        let _ = write!(text, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{transport}");
        let _ = write!(text, "a=mid:1\r\na=sctp-port:5000\r\na=max-message-size:65536\r\n");
    }
    text
}

/// The ICE credentials in a description that the stack made.
fn local_credentials(sdp: &str) -> Result<IceCredentials, Error> {
    let value = |name: &str| {
        sdp.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
    };
    match (value("a=ice-ufrag:"), value("a=ice-pwd:")) {
        (Some(ufrag), Some(pwd)) => Ok(IceCredentials { ufrag, pwd }),
        _ => Err(Error::Other("the stack's description has no ICE credentials".to_owned())),
    }
}
