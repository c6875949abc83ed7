//! An offer, read into what can be answered (RFC 9429 §5.10, RFC 8843 for BUNDLE).

mod read;

use super::IceCredentials;
use super::candidate::Candidate;
use crate::limits::{MEDIA_SECTIONS_MAX, SDP_BYTES_MAX};

/// A well-formed offer with an audio section that we can serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Of the transport that carries the audio, and with it everything that is bundled.
    pub credentials: IceCredentials,
    pub fingerprint: Fingerprint,
    /// Usable candidates of that transport, at most [`crate::limits::ICE_CANDIDATES_MAX`].
    pub candidates: Vec<Candidate>,
    /// `a=extmap-allow-mixed` was offered for the session.
    pub extmap_allow_mixed: bool,
    /// Every section, in order. An answer has as many.
    pub media: Vec<Media>,
    /// Index of the audio section that is served.
    pub audio: usize,
    /// Index of the data section, if data channels are offered.
    pub data: Option<usize>,
}

/// One media section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    pub kind: MediaKind,
    /// The kind's name and the transport protocol, as offered.
    pub name: String,
    pub protocol: String,
    pub mid: String,
    /// In the same BUNDLE group as the audio that is served, or that audio itself.
    pub bundled: bool,
    /// Offered with port 0 and not bundled: nothing is to be set up (RFC 8843 §6).
    pub rejected: bool,
    pub direction: Direction,
    /// The formats in order of preference. For data: one, not a payload type.
    pub formats: Vec<String>,
    /// The formats that are RTP payload types with a known encoding.
    pub payload_types: Vec<PayloadType>,
    /// Header extensions, `(id, uri)`, with ids 1 to 14 (RFC 8285 §4.2).
    pub extensions: Vec<(u8, String)>,
}

/// What a section carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    Audio,
    Video,
    /// Data channels over SCTP (RFC 8841).
    Data,
    Other,
}

/// Which way media flows, as the offerer sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    #[default]
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

/// One `a=rtpmap` with its `a=fmtp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadType {
    pub number: u8,
    pub encoding: String,
    pub clock_hz: u32,
    pub channels: u8,
    /// Format parameters, as offered.
    pub parameters: Option<String>,
}

/// The certificate that the DTLS handshake must show (RFC 8122 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Lower case; of a peer always `sha-256`.
    pub algorithm: String,
    /// Upper-case hexadecimal pairs with colons.
    pub value: String,
}

/// Who begins the DTLS handshake (RFC 4145 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    Actpass,
    Active,
    Passive,
}

/// Why an offer cannot be answered. [`OfferError::field`] names the part at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    #[error("the offer has {bytes} bytes; at most {SDP_BYTES_MAX} are accepted")]
    TooLarge { bytes: usize },
    #[error("line {line} is not of the form <letter>=<value>")]
    Line { line: usize },
    #[error("this is not a session description: it does not begin with v=0")]
    Version,
    #[error("there are more than {MEDIA_SECTIONS_MAX} media sections")]
    TooManySections,
    #[error("media section {section} cannot be read: m={value}")]
    MediaLine { section: usize, value: String },
    #[error("media section {section} has no usable a=mid, or one used before")]
    Mid { section: usize },
    #[error("no audio section is offered")]
    NoAudio,
    #[error("the audio section is {0}; a conversation needs sendrecv (or sendonly)")]
    AudioDirection(&'static str),
    #[error("the audio protocol is {0}; UDP/TLS/RTP/SAVPF is needed")]
    Protocol(String),
    #[error(
        "no audio codec in common: {offered} offered; opus/48000/2, PCMU/8000 and PCMA/8000 are served"
    )]
    NoCommonCodec { offered: String },
    #[error("a={attribute} is missing or not as RFC 8839 writes it")]
    Credentials { attribute: &'static str },
    #[error("a=fingerprint is missing")]
    NoFingerprint,
    #[error("a=fingerprint must be sha-256 with 32 bytes: got {0}")]
    Fingerprint(String),
    #[error("a=setup:{0} is offered; actpass or active is needed, for this server answers passive")]
    Setup(String),
    #[error("a=rtcp-mux is missing; RTCP on a port of its own is not served")]
    NoRtcpMux,
}

impl OfferError {
    /// The part of the offer at fault, for error documents.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } | Self::Line { .. } | Self::Version => "sdp",
            Self::TooManySections | Self::MediaLine { .. } => "sdp.m",
            Self::Mid { .. } => "sdp.a=mid",
            Self::NoAudio | Self::Protocol(_) => "sdp.m=audio",
            Self::AudioDirection(_) => "sdp.m=audio.direction",
            Self::NoCommonCodec { .. } => "sdp.m=audio.a=rtpmap",
            Self::Credentials { attribute } => match attribute.as_bytes() {
                b"ice-pwd" => "sdp.a=ice-pwd",
                _ => "sdp.a=ice-ufrag",
            },
            Self::NoFingerprint | Self::Fingerprint(_) => "sdp.a=fingerprint",
            Self::Setup(_) => "sdp.a=setup",
            Self::NoRtcpMux => "sdp.a=rtcp-mux",
        }
    }

    /// Whether the text itself is at fault, rather than what it asks for.
    pub const fn is_malformed(&self) -> bool {
        matches!(
            self,
            Self::TooLarge { .. }
                | Self::Line { .. }
                | Self::Version
                | Self::MediaLine { .. }
                | Self::Mid { .. }
        )
    }
}

/// A codec that calls can be held in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// RFC 7587.
    Opus,
    /// G.711 µ-law (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law (RFC 3551 §4.5.14).
    Pcma,
}

impl AudioCodec {
    /// The rate of its RTP timestamps.
    pub const fn clock_hz(self) -> u32 {
        match self {
            Self::Opus => crate::limits::FULLBAND_HZ,
            Self::Pcmu | Self::Pcma => crate::limits::NARROWBAND_HZ,
        }
    }

    /// Its encoding name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// Channels as SDP counts them: Opus always says two (RFC 7587 §7).
    pub const fn channels(self) -> u8 {
        match self {
            Self::Opus => 2,
            Self::Pcmu | Self::Pcma => 1,
        }
    }

    /// The format parameters we answer with: what we like to receive.
    pub const fn parameters(self) -> Option<&'static str> {
        match self {
            Self::Opus => Some("minptime=10;useinbandfec=1;stereo=0;usedtx=0"),
            Self::Pcmu | Self::Pcma => None,
        }
    }

    fn matches(self, payload_type: &PayloadType) -> bool {
        payload_type.encoding.eq_ignore_ascii_case(self.name())
            && payload_type.clock_hz == self.clock_hz()
            && payload_type.channels == self.channels()
    }
}

/// The audio that was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFormat {
    pub codec: AudioCodec,
    pub payload_type: u8,
    /// Telephone events (RFC 4733), at the codec's own clock.
    pub telephone_event: Option<u8>,
    /// Id of the audio level extension (RFC 6464).
    pub level_extension: Option<u8>,
    /// Id of the MID extension (RFC 8843 §15).
    pub mid_extension: Option<u8>,
}

/// RFC 6464.
pub const AUDIO_LEVEL_URI: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// RFC 8843 §15.1.
pub const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

impl Offer {
    /// Reads an offer and checks that it can be served.
    pub fn parse(text: &str) -> Result<Self, OfferError> {
        read::read(text)
    }

    /// The audio section that is served.
    pub fn audio(&self) -> &Media {
        &self.media[self.audio]
    }

    /// The first offered codec that we have, and what goes with it.
    pub fn audio_format(&self) -> Result<AudioFormat, OfferError> {
        let audio = self.audio();
        let codecs = [AudioCodec::Opus, AudioCodec::Pcmu, AudioCodec::Pcma];
        let chosen = audio.payload_types.iter().find_map(|offered| {
            let codec = codecs.into_iter().find(|codec| codec.matches(offered))?;
            Some((codec, offered.number))
        });
        let Some((codec, payload_type)) = chosen else {
            let offered = audio.payload_types.iter().take(16).map(|it| it.encoding.as_str());
            let offered = offered.collect::<Vec<_>>().join(", ");
            return Err(OfferError::NoCommonCodec { offered });
        };
        let telephone_event = audio
            .payload_types
            .iter()
            .find(|offered| {
                offered.encoding.eq_ignore_ascii_case("telephone-event")
                    && offered.clock_hz == codec.clock_hz()
            })
            .map(|offered| offered.number);
        Ok(AudioFormat {
            codec,
            payload_type,
            telephone_event,
            level_extension: audio.extension(AUDIO_LEVEL_URI),
            mid_extension: audio.extension(MID_URI),
        })
    }
}

impl Media {
    /// The id under which a header extension was offered.
    pub fn extension(&self, uri: &str) -> Option<u8> {
        self.extensions.iter().find(|(_, offered)| offered == uri).map(|(id, _)| *id)
    }
}

impl Direction {
    /// Its attribute.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

#[cfg(test)]
mod tests;
