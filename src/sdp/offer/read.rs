//! From text to [`Offer`].

use super::{Direction, Fingerprint, Media, MediaKind, Offer, OfferError, PayloadType, Setup};
use crate::limits::{ICE_CANDIDATES_MAX, MEDIA_SECTIONS_MAX, SDP_BYTES_MAX};
use crate::sdp::IceCredentials;
use crate::sdp::candidate::Candidate;
use crate::sdp::lines::{BadLine, Line, lines};

/// Formats, extensions and such read of one section; a browser's video section has about 50.
const SECTION_ITEMS_MAX: usize = 128;
/// Characters of a mid (RFC 5888 §4 sets no limit; browsers use one to three, and the header
/// extension that carries it has 16 bytes at most).
const MID_CHARS_MAX: usize = 16;

/// The attributes of one section, or of the session, that are looked up by name.
#[derive(Default)]
struct Section<'a> {
    media_line: Option<&'a str>,
    attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> Section<'a> {
    fn first(&self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a str> + 's {
        self.attributes.iter().filter(move |(found, _)| *found == name).map(|(_, value)| *value)
    }

    fn has(&self, name: &str) -> bool {
        self.first(name).is_some()
    }
}

pub(super) fn read(text: &str) -> Result<Offer, OfferError> {
    if text.len() > SDP_BYTES_MAX {
        return Err(OfferError::TooLarge { bytes: text.len() });
    }
    let (session, sections) = split(text)?;
    let groups = session
        .all("group")
        .filter_map(|value| value.strip_prefix("BUNDLE"))
        .map(|mids| mids.split_ascii_whitespace().collect::<Vec<_>>())
        .collect::<Vec<_>>();
    let mut media = Vec::with_capacity(sections.len());
    for (index, section) in sections.iter().enumerate() {
        let read = read_media(index, section, &groups)?;
        if media.iter().any(|earlier: &Media| earlier.mid == read.mid) {
            return Err(OfferError::Mid { section: index });
        }
        media.push(read);
    }
    let served = |media: &Media| media.kind == MediaKind::Audio && !media.rejected;
    let audio = media.iter().position(served).ok_or(OfferError::NoAudio)?;
    check_audio(&media[audio], &session, &sections[audio])?;
    bundle(&mut media, audio, &groups);
    let data = media.iter().position(|it| it.kind == MediaKind::Data && it.bundled);
    let transport = Transport { session: &session, section: &sections[audio] };
    transport.check_setup()?;
    Ok(Offer {
        credentials: transport.credentials()?,
        fingerprint: transport.fingerprint()?,
        candidates: candidates(&sections[audio]),
        extmap_allow_mixed: session.has("extmap-allow-mixed"),
        media,
        audio,
        data,
    })
}

/// The session part and the media sections.
fn split(text: &str) -> Result<(Section<'_>, Vec<Section<'_>>), OfferError> {
    let mut session = Section::default();
    let mut sections: Vec<Section<'_>> = Vec::new();
    for (index, line) in lines(text).enumerate() {
        let line = line.map_err(|BadLine(line)| OfferError::Line { line })?;
        if index == 0 && (line != Line { letter: b'v', value: "0" }) {
            return Err(OfferError::Version);
        }
        if line.letter == b'm' {
            if sections.len() == MEDIA_SECTIONS_MAX {
                return Err(OfferError::TooManySections);
            }
            sections.push(Section { media_line: Some(line.value), ..Section::default() });
        } else if let Some(attribute) = line.attribute() {
            sections.last_mut().unwrap_or(&mut session).attributes.push(attribute);
        }
    }
    // The first line decides, so only an empty text gets here without one.
    if text.trim().is_empty() { Err(OfferError::Version) } else { Ok((session, sections)) }
}

fn read_media(
    index: usize,
    section: &Section<'_>,
    groups: &[Vec<&str>],
) -> Result<Media, OfferError> {
    let line = section.media_line.unwrap_or_default();
    let unreadable =
        || OfferError::MediaLine { section: index, value: line.chars().take(80).collect() };
    let mut fields = line.split_ascii_whitespace();
    let name = fields.next().filter(|name| is_token(name)).ok_or_else(unreadable)?;
    let port = fields.next().ok_or_else(unreadable)?;
    let port = port.split('/').next().and_then(|port| port.parse::<u16>().ok());
    let port = port.ok_or_else(unreadable)?;
    let is_protocol = |text: &&str| text.split('/').all(is_token);
    let protocol = fields.next().filter(is_protocol).ok_or_else(unreadable)?;
    let formats = fields.take(SECTION_ITEMS_MAX).map(str::to_owned).collect::<Vec<_>>();
    if formats.is_empty() || !formats.iter().all(|format| is_token(format)) {
        return Err(unreadable());
    }
    let mid = section.first("mid").unwrap_or_default();
    if mid.len() > MID_CHARS_MAX || !is_token(mid) {
        return Err(OfferError::Mid { section: index });
    }
    let kind = match name {
        "audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        "application" if formats[0] == "webrtc-datachannel" => MediaKind::Data,
        _ => MediaKind::Other,
    };
    let in_group = groups.iter().any(|group| group.contains(&mid));
    Ok(Media {
        kind,
        name: name.to_owned(),
        protocol: protocol.to_owned(),
        mid: mid.to_owned(),
        bundled: false,
        rejected: port == 0 && !(in_group && section.has("bundle-only")),
        direction: direction(section),
        payload_types: payload_types(section, &formats),
        extensions: extensions(section),
        formats,
    })
}

/// Marks what shares the audio's transport. Without a group that is the audio alone.
fn bundle(media: &mut [Media], audio: usize, groups: &[Vec<&str>]) {
    let audio_mid = media[audio].mid.clone();
    let group = groups.iter().find(|group| group.contains(&audio_mid.as_str()));
    for section in media {
        let in_group = group.is_some_and(|group| group.contains(&section.mid.as_str()));
        section.bundled = !section.rejected && (in_group || section.mid == audio_mid);
    }
}

fn check_audio(
    audio: &Media,
    session: &Section<'_>,
    section: &Section<'_>,
) -> Result<(), OfferError> {
    if !matches!(audio.protocol.as_str(), "UDP/TLS/RTP/SAVPF" | "UDP/TLS/RTP/SAVP") {
        return Err(OfferError::Protocol(audio.protocol.clone()));
    }
    if matches!(audio.direction, Direction::Inactive | Direction::RecvOnly) {
        return Err(OfferError::AudioDirection(audio.direction.name()));
    }
    let muxed = ["rtcp-mux", "rtcp-mux-only"].iter().any(|it| section.has(it) || session.has(it));
    if !muxed {
        return Err(OfferError::NoRtcpMux);
    }
    Ok(())
}

/// The transport attributes of a section, which may stand at session level.
struct Transport<'a, 't> {
    session: &'a Section<'t>,
    section: &'a Section<'t>,
}

impl<'t> Transport<'_, 't> {
    fn first(&self, name: &str) -> Option<&'t str> {
        self.section.first(name).or_else(|| self.session.first(name))
    }

    fn credentials(&self) -> Result<IceCredentials, OfferError> {
        let ufrag = self.first("ice-ufrag").unwrap_or_default();
        let pwd = self.first("ice-pwd").unwrap_or_default();
        IceCredentials::checked(ufrag, pwd)
            .map_err(|attribute| OfferError::Credentials { attribute })
    }

    fn check_setup(&self) -> Result<Setup, OfferError> {
        match self.first("setup") {
            // RFC 5763 §5 has the offerer say actpass; without the attribute RFC 4145 means active.
            Some("actpass") => Ok(Setup::Actpass),
            Some("active") | None => Ok(Setup::Active),
            Some(other) => Err(OfferError::Setup(other.chars().take(20).collect())),
        }
    }

    fn fingerprint(&self) -> Result<Fingerprint, OfferError> {
        let level = if self.section.has("fingerprint") { self.section } else { self.session };
        let mut refused = None;
        // Several may be given for one certificate; any of them will do (RFC 8122 §5.1).
        for value in level.all("fingerprint") {
            match read_fingerprint(value) {
                Some(fingerprint) => return Ok(fingerprint),
                None => refused = refused.or(Some(value)),
            }
        }
        match refused {
            Some(value) => Err(OfferError::Fingerprint(value.chars().take(40).collect())),
            None => Err(OfferError::NoFingerprint),
        }
    }
}

/// A SHA-256 fingerprint, the one algorithm that everybody has to know (RFC 8122 §5).
fn read_fingerprint(value: &str) -> Option<Fingerprint> {
    const BYTES: usize = 32;
    let (algorithm, digest) = value.split_once(' ')?;
    let digest = digest.trim();
    let pairs = digest.split(':').take(BYTES + 1).collect::<Vec<_>>();
    let is_pair = |pair: &&str| pair.len() == 2 && pair.bytes().all(|it| it.is_ascii_hexdigit());
    (algorithm.eq_ignore_ascii_case("sha-256") && pairs.len() == BYTES && pairs.iter().all(is_pair))
        .then(|| Fingerprint {
            algorithm: "sha-256".to_owned(),
            value: digest.to_ascii_uppercase(),
        })
}

fn candidates(section: &Section<'_>) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for candidate in section.all("candidate").filter_map(Candidate::parse) {
        if candidates.len() < ICE_CANDIDATES_MAX && !candidates.contains(&candidate) {
            candidates.push(candidate);
        }
    }
    candidates
}

fn direction(section: &Section<'_>) -> Direction {
    let named = |direction: &Direction| section.has(direction.name());
    [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
        .into_iter()
        .find(named)
        .unwrap_or_default()
}

/// The payload types of `formats`, in that order. The static ones need no `a=rtpmap` (RFC 3551 §6).
fn payload_types(section: &Section<'_>, formats: &[String]) -> Vec<PayloadType> {
    let value_for = |name: &str, format: &str| {
        section.all(name).find_map(|value| {
            value.split_once(' ').filter(|(number, _)| *number == format).map(|(_, rest)| rest)
        })
    };
    formats
        .iter()
        .filter_map(|format| {
            let number = format.parse::<u8>().ok().filter(|number| *number < 128)?;
            let map = match (value_for("rtpmap", format), number) {
                (Some(map), _) => map,
                (None, 0) => "PCMU/8000",
                (None, 8) => "PCMA/8000",
                (None, _) => return None,
            };
            let mut parts = map.trim().split('/');
            let encoding = parts.next().filter(|encoding| is_token(encoding))?;
            let clock_hz = parts.next()?.parse::<u32>().ok().filter(|hz| *hz > 0)?;
            let channels = parts.next().map_or(Some(1), |it| it.parse().ok())?;
            let parameters = value_for("fmtp", format).filter(|it| is_printable(it));
            Some(PayloadType {
                number,
                encoding: encoding.to_owned(),
                clock_hz,
                channels,
                parameters: parameters.map(str::to_owned),
            })
        })
        .collect()
}

fn extensions(section: &Section<'_>) -> Vec<(u8, String)> {
    section
        .all("extmap")
        .take(SECTION_ITEMS_MAX)
        .filter_map(|value| {
            let (id, uri) = value.split_once(' ')?;
            let id = id.split('/').next()?.parse::<u8>().ok()?;
            // Ids above 14 need two-byte headers, which we do not send (RFC 8285 §4.2).
            let uri = uri.split_ascii_whitespace().next()?;
            (1..=14).contains(&id).then(|| (id, uri.to_owned()))
        })
        .collect()
}

/// RFC 8866 §9 `token`, as far as it occurs.
fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}
