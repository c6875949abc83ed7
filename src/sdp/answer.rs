//! The answer (RFC 9429 §5.3), written from an [`Offer`].

use std::fmt::Write;

use super::candidate::Candidate;
use super::offer::{AUDIO_LEVEL_URI, AudioFormat, Direction, MID_URI, Media, MediaKind, Offer};
use super::{Fingerprint, IceCredentials};

/// The identity of our one media stream, the same in every answer: streams are told apart by call.
const STREAM_ID: &str = "antiphon";
const TRACK_ID: &str = "voice";

/// What we answer with.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    pub offer: &'a Offer,
    pub format: AudioFormat,
    /// Numeric session id (RFC 8866 §5.2).
    pub session_id: u64,
    pub credentials: &'a IceCredentials,
    pub fingerprint: &'a Fingerprint,
    /// All our candidates: none will be trickled.
    pub candidates: &'a [Candidate],
    pub ssrc: u32,
    /// The largest data-channel message we take (RFC 8841 §6).
    pub message_bytes_max: usize,
}

/// What becomes of one offered section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaAnswer {
    /// The conversation.
    Audio,
    /// Data channels.
    Data,
    /// Accepted, but nothing flows: a rejected section would stop the offerer's transceiver and
    /// shift the numbering that some clients rely on.
    Inactive,
    /// Port 0: it cannot share the transport.
    Rejected,
}

impl Answer<'_> {
    /// What becomes of the section at `index`.
    pub fn media_answer(&self, index: usize) -> MediaAnswer {
        let media = &self.offer.media[index];
        if index == self.offer.audio {
            MediaAnswer::Audio
        } else if Some(index) == self.offer.data {
            MediaAnswer::Data
        } else if media.bundled
            && matches!(media.kind, MediaKind::Audio | MediaKind::Video)
            && !media.payload_types.is_empty()
        {
            MediaAnswer::Inactive
        } else {
            MediaAnswer::Rejected
        }
    }

    /// The answer as text.
    pub fn write(&self) -> String {
        let mut text = String::with_capacity(2_048);
        // Writing to a string cannot fail.
        let _ = self.write_session(&mut text);
        for index in 0..self.offer.media.len() {
            let _ = self.write_media(&mut text, index);
        }
        text
    }

    fn write_session(&self, text: &mut String) -> std::fmt::Result {
        write!(text, "v=0\r\no=- {} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n", self.session_id)?;
        let bundled = (0..self.offer.media.len())
            .filter(|index| self.media_answer(*index) != MediaAnswer::Rejected)
            .map(|index| self.offer.media[index].mid.as_str())
            .collect::<Vec<_>>();
        write!(text, "a=group:BUNDLE {}\r\n", bundled.join(" "))?;
        if self.offer.extmap_allow_mixed {
            text.push_str("a=extmap-allow-mixed\r\n");
        }
        write!(text, "a=msid-semantic: WMS {STREAM_ID}\r\n")
    }

    fn write_media(&self, text: &mut String, index: usize) -> std::fmt::Result {
        let media = &self.offer.media[index];
        match self.media_answer(index) {
            MediaAnswer::Audio => self.write_audio(text, media),
            MediaAnswer::Data => self.write_data(text, media),
            MediaAnswer::Inactive => self.write_inactive(text, media),
            MediaAnswer::Rejected => write_rejected(text, media),
        }
    }

    fn write_audio(&self, text: &mut String, media: &Media) -> std::fmt::Result {
        let AudioFormat { codec, payload_type, telephone_event, .. } = self.format;
        write!(text, "m=audio 9 {} {payload_type}", media.protocol)?;
        if let Some(event) = telephone_event {
            write!(text, " {event}")?;
        }
        text.push_str("\r\n");
        self.write_transport(text, media)?;
        for (place, candidate) in self.candidates.iter().enumerate() {
            write!(text, "a={}\r\n", candidate.to_attribute(place as u16))?;
        }
        text.push_str("a=end-of-candidates\r\na=rtcp-mux\r\n");
        for (id, uri) in
            [(self.format.level_extension, AUDIO_LEVEL_URI), (self.format.mid_extension, MID_URI)]
        {
            if let Some(id) = id {
                write!(text, "a=extmap:{id} {uri}\r\n")?;
            }
        }
        let sends = media.direction == Direction::SendRecv;
        text.push_str(if sends { "a=sendrecv\r\n" } else { "a=recvonly\r\n" });
        write!(text, "a=rtpmap:{payload_type} {}/{}", codec.name(), codec.clock_hz())?;
        if codec.channels() > 1 {
            write!(text, "/{}", codec.channels())?;
        }
        text.push_str("\r\n");
        if let Some(parameters) = codec.parameters() {
            write!(text, "a=fmtp:{payload_type} {parameters}\r\n")?;
        }
        if let Some(event) = telephone_event {
            write!(text, "a=rtpmap:{event} telephone-event/{}\r\n", codec.clock_hz())?;
            write!(text, "a=fmtp:{event} 0-15\r\n")?;
        }
        text.push_str("a=ptime:20\r\n");
        if sends {
            write!(text, "a=msid:{STREAM_ID} {TRACK_ID}\r\n")?;
            write!(text, "a=ssrc:{} cname:{STREAM_ID}\r\n", self.ssrc)?;
        }
        Ok(())
    }

    fn write_data(&self, text: &mut String, media: &Media) -> std::fmt::Result {
        write!(text, "m=application 9 {} {}\r\n", media.protocol, media.formats[0])?;
        self.write_transport(text, media)?;
        write!(text, "a=sctp-port:5000\r\na=max-message-size:{}\r\n", self.message_bytes_max)
    }

    fn write_inactive(&self, text: &mut String, media: &Media) -> std::fmt::Result {
        let first = &media.payload_types[0];
        write!(text, "m={} 9 {} {}\r\n", media.name, media.protocol, first.number)?;
        self.write_transport(text, media)?;
        write!(text, "a=rtcp-mux\r\na=inactive\r\n")?;
        write!(text, "a=rtpmap:{} {}/{}", first.number, first.encoding, first.clock_hz)?;
        if first.channels > 1 {
            write!(text, "/{}", first.channels)?;
        }
        text.push_str("\r\n");
        match &first.parameters {
            Some(parameters) => write!(text, "a=fmtp:{} {parameters}\r\n", first.number),
            None => Ok(()),
        }
    }

    fn write_transport(&self, text: &mut String, media: &Media) -> std::fmt::Result {
        let IceCredentials { ufrag, pwd } = self.credentials;
        let Fingerprint { algorithm, value } = self.fingerprint;
        write!(text, "c=IN IP4 0.0.0.0\r\na=mid:{}\r\n", media.mid)?;
        write!(text, "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\na=ice-options:trickle\r\n")?;
        write!(text, "a=fingerprint:{algorithm} {value}\r\na=setup:passive\r\n")
    }
}

fn write_rejected(text: &mut String, media: &Media) -> std::fmt::Result {
    write!(text, "m={} 0 {} {}\r\n", media.name, media.protocol, media.formats[0])?;
    write!(text, "c=IN IP4 0.0.0.0\r\na=mid:{}\r\na=inactive\r\n", media.mid)
}
