//! What a shared port must know of a datagram before any call has seen it: its protocol by the first
//! byte (RFC 7983) and, of a STUN message, whose it claims to be (RFC 8489, RFC 8445 §7.2.2).
//!
//! Nothing here is proof of anything. The message integrity is checked by the call's own ICE agent,
//! which alone holds the password; this parser only finds that call.

/// The fixed bits at bytes 4 to 7 of every STUN message (RFC 8489 §5).
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER_BYTES: usize = 20;
const ATTRIBUTE_USERNAME: u16 = 0x0006;
const ATTRIBUTE_USE_CANDIDATE: u16 = 0x0025;
const METHOD_BINDING: u16 = 0x0001;
/// Two ICE user fragments of at most 256 characters (RFC 8839 §5.4) and the colon.
const USERNAME_BYTES_MAX: usize = 513;

/// Which protocol a datagram on a WebRTC port belongs to, by its first byte (RFC 7983 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// 0 to 3.
    Stun,
    /// 20 to 63.
    Dtls,
    /// 128 to 191: RTP and RTCP, protected.
    Rtp,
    /// Nothing that is spoken here, or no byte at all.
    Unknown,
}

impl Protocol {
    /// The protocol of `datagram`.
    pub fn of(datagram: &[u8]) -> Self {
        match datagram.first() {
            Some(0..=3) => Self::Stun,
            Some(20..=63) => Self::Dtls,
            Some(128..=191) => Self::Rtp,
            _ => Self::Unknown,
        }
    }
}

/// The class of a STUN message (RFC 8489 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Request,
    Indication,
    Success,
    Error,
}

/// A STUN binding message, as far as finding its call needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding<'a> {
    pub class: Class,
    /// The two halves of USERNAME as the receiver reads it: its own user fragment, the sender's.
    pub username: Option<(&'a str, &'a str)>,
    /// The sender nominates the pair this message came on (RFC 8445 §8.1.1).
    pub use_candidate: bool,
}

impl<'a> Binding<'a> {
    /// Reads a datagram, or `None` if it is not a whole STUN binding message.
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (header, body) = datagram.split_at_checked(HEADER_BYTES)?;
        let kind = be16(header)?;
        let length = usize::from(be16(&header[2..])?);
        if header[4..8] != MAGIC_COOKIE || length != body.len() || length % 4 != 0 {
            return None;
        }
        let mut binding = Self { class: class_of(kind)?, username: None, use_candidate: false };
        for (name, value) in Attributes(body) {
            match name {
                // Only the first one counts (RFC 8489 §14).
                ATTRIBUTE_USERNAME if binding.username.is_none() => {
                    binding.username = Some(split_username(value)?);
                }
                ATTRIBUTE_USE_CANDIDATE => binding.use_candidate = true,
                _ => {}
            }
        }
        Some(binding)
    }
}

/// The class, if the method is Binding. The bits are interleaved: `M11..M7 C1 M6..M4 C0 M3..M0`.
fn class_of(kind: u16) -> Option<Class> {
    let method = (kind & 0x000f) | ((kind & 0x00e0) >> 1) | ((kind & 0x3e00) >> 2);
    if kind & 0xc000 != 0 || method != METHOD_BINDING {
        return None;
    }
    Some(match ((kind >> 7) & 2) | ((kind >> 4) & 1) {
        0 => Class::Request,
        1 => Class::Indication,
        2 => Class::Success,
        _ => Class::Error,
    })
}

fn split_username(value: &[u8]) -> Option<(&str, &str)> {
    if value.len() > USERNAME_BYTES_MAX {
        return None;
    }
    std::str::from_utf8(value).ok()?.split_once(':')
}

fn be16(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.first_chunk::<2>()?))
}

/// The attributes of a message body; ends early where one does not fit.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.0.split_at_checked(4)?;
        let length = usize::from(be16(&head[2..])?);
        let value = rest.get(..length)?;
        // Values are padded to four bytes (RFC 8489 §14).
        self.0 = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((be16(head)?, value))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A message of `kind` with these attributes.
    fn message(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in attributes {
            body.extend(name.to_be_bytes());
            body.extend((value.len() as u16).to_be_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend((body.len() as u16).to_be_bytes());
        bytes.extend(MAGIC_COOKIE);
        bytes.extend([7; 12]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn the_first_byte_tells_the_protocol() {
        let rows = [
            (0, Protocol::Stun),
            (3, Protocol::Stun),
            (4, Protocol::Unknown),
            (19, Protocol::Unknown),
            (20, Protocol::Dtls),
            (63, Protocol::Dtls),
            (64, Protocol::Unknown),
            (127, Protocol::Unknown),
            (128, Protocol::Rtp),
            (191, Protocol::Rtp),
            (192, Protocol::Unknown),
        ];
        for (byte, expected) in rows {
            assert_eq!(Protocol::of(&[byte, 0]), expected, "byte {byte}");
        }
        assert_eq!(Protocol::of(&[]), Protocol::Unknown);
    }

    #[test]
    fn a_request_names_its_call_and_whether_it_nominates() {
        let priority: (u16, &[u8]) = (0x0024, &[1, 2, 3, 4]);
        let username: (u16, &[u8]) = (ATTRIBUTE_USERNAME, b"ours:their");
        let nominate: (u16, &[u8]) = (ATTRIBUTE_USE_CANDIDATE, b"");
        for (kind, class) in [
            (0x0001, Class::Request),
            (0x0011, Class::Indication),
            (0x0101, Class::Success),
            (0x0111, Class::Error),
        ] {
            let bytes = message(kind, &[priority, username]);
            let expected =
                Binding { class, username: Some(("ours", "their")), use_candidate: false };
            assert_eq!(Binding::parse(&bytes), Some(expected), "kind {kind:#06x}");
        }
        let bytes = message(0x0001, &[username, nominate]);
        assert!(Binding::parse(&bytes).expect("a request").use_candidate);
        let again: (u16, &[u8]) = (ATTRIBUTE_USERNAME, b"other:call");
        let bytes = message(0x0001, &[username, again]);
        assert_eq!(Binding::parse(&bytes).expect("a request").username, Some(("ours", "their")));
    }

    #[test]
    fn what_is_not_a_whole_binding_message_is_refused() {
        let good = message(0x0001, &[(ATTRIBUTE_USERNAME, b"a:b")]);
        let patched = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        let rows = [
            ("empty", Vec::new()),
            ("header cut", good[..19].to_vec()),
            ("body cut", good[..good.len() - 4].to_vec()),
            ("trailing byte", [good.as_slice(), &[0]].concat()),
            ("wrong cookie", patched(4, 0)),
            ("allocate, not binding", patched(1, 3)),
            ("length not a multiple of four", patched(3, 7)),
            ("no colon", message(0x0001, &[(ATTRIBUTE_USERNAME, b"ab")])),
            ("not UTF-8", message(0x0001, &[(ATTRIBUTE_USERNAME, &[0xff, b':', 0xfe])])),
            ("too long a name", message(0x0001, &[(ATTRIBUTE_USERNAME, &[b':'; 514])])),
        ];
        for (name, bytes) in rows {
            assert_eq!(Binding::parse(&bytes), None, "{name}");
        }
        // An attribute that does not fit ends the list; what came before it stands.
        let mut bytes = good.clone();
        bytes[3] += 4;
        bytes.extend([0, 9, 0, 200]);
        assert_eq!(Binding::parse(&bytes).expect("a request").username, Some(("a", "b")));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Binding::parse(&bytes);
            let mut framed = message(0x0001, &[]);
            framed[2..4].copy_from_slice(&(bytes.len() as u16 & !3).to_be_bytes());
            framed.extend(&bytes[..bytes.len() & !3]);
            prop_assert!(Binding::parse(&framed).is_none_or(|it| it.class == Class::Request));
        }
    }
}
