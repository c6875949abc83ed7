//! Session descriptions as this server needs them (RFC 8866, RFC 9429): an offer read into types, the
//! answer and trickle fragments written from types.
//!
//! What a stranger sends is read here, bounded and strictly, and nothing of its text is passed on to
//! the WebRTC stack except what was checked character by character.

pub mod answer;
pub mod candidate;
pub mod fragment;
mod lines;
pub mod offer;

pub use answer::{Answer, MediaAnswer};
pub use candidate::{Candidate, CandidateKind, Transport};
pub use fragment::{Fragment, FragmentError};
pub use offer::{
    AudioCodec, AudioFormat, Direction, Fingerprint, Media, MediaKind, Offer, OfferError,
    PayloadType,
};

/// The credentials of one ICE session (RFC 8839 §5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceCredentials {
    /// 4 to 256 characters of letters, digits, `+` and `/`.
    pub ufrag: String,
    /// 22 to 256 of the same.
    pub pwd: String,
}

/// Characters of a user fragment at least and at most (RFC 8839 §5.4).
const UFRAG_CHARS: std::ops::RangeInclusive<usize> = 4..=256;
/// Characters of a password at least and at most (RFC 8839 §5.4).
const PWD_CHARS: std::ops::RangeInclusive<usize> = 22..=256;

impl IceCredentials {
    /// Checks both against the grammar; the error names the attribute.
    fn checked(ufrag: &str, pwd: &str) -> Result<Self, &'static str> {
        if !UFRAG_CHARS.contains(&ufrag.len()) || !ufrag.bytes().all(is_ice_char) {
            return Err("ice-ufrag");
        }
        if !PWD_CHARS.contains(&pwd.len()) || !pwd.bytes().all(is_ice_char) {
            return Err("ice-pwd");
        }
        Ok(Self { ufrag: ufrag.to_owned(), pwd: pwd.to_owned() })
    }
}

/// RFC 8839 §5.1, with `-`, `_` and `=` besides, which some implementations use in base64 strings.
const fn is_ice_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}
