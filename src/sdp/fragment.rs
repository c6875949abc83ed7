//! Trickle-ICE fragments (RFC 8840 §9, as WHIP uses them: RFC 9725 §4.3.1).

use std::fmt::Write;

use super::candidate::Candidate;
use super::lines::{BadLine, lines};
use super::{IceCredentials, is_ice_char};
use crate::limits::{ICE_CANDIDATES_MAX, SDP_BYTES_MAX};

/// What a fragment holds that matters here: everything is bundled on one transport, so the media
/// lines in it only say to whom the candidates belong, which is always the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// The ICE session it speaks of, if it says so. A new one asks for a restart.
    pub credentials: Option<IceCredentials>,
    /// The candidates that can be used, in order and each once.
    pub candidates: Vec<Candidate>,
    /// No more candidates will come.
    pub end_of_candidates: bool,
}

/// Why a fragment cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FragmentError {
    #[error("the fragment has {bytes} bytes; at most {SDP_BYTES_MAX} are accepted")]
    TooLarge { bytes: usize },
    #[error("line {line} is not of the form <letter>=<value>")]
    Line { line: usize },
    #[error("a={attribute} is missing or not as RFC 8839 writes it")]
    Credentials { attribute: &'static str },
}

impl Fragment {
    /// Reads a fragment. Candidates that cannot be used, and those beyond
    /// [`ICE_CANDIDATES_MAX`], are passed over.
    pub fn parse(text: &str) -> Result<Self, FragmentError> {
        if text.len() > SDP_BYTES_MAX {
            return Err(FragmentError::TooLarge { bytes: text.len() });
        }
        let mut fragment = Self::default();
        let (mut ufrag, mut pwd) = (None, None);
        for line in lines(text) {
            let line = line.map_err(|BadLine(line)| FragmentError::Line { line })?;
            match line.attribute() {
                Some(("ice-ufrag", value)) => ufrag = ufrag.or(Some(value)),
                Some(("ice-pwd", value)) => pwd = pwd.or(Some(value)),
                Some(("candidate", value)) => fragment.add(Candidate::parse(value)),
                Some(("end-of-candidates", _)) => fragment.end_of_candidates = true,
                _ => {}
            }
        }
        fragment.credentials = match (ufrag, pwd) {
            (None, None) => None,
            (ufrag, pwd) => {
                let (ufrag, pwd) = (ufrag.unwrap_or_default(), pwd.unwrap_or_default());
                let checked = IceCredentials::checked(ufrag, pwd);
                Some(checked.map_err(|attribute| FragmentError::Credentials { attribute })?)
            }
        };
        Ok(fragment)
    }

    fn add(&mut self, candidate: Option<Candidate>) {
        let Some(candidate) = candidate else { return };
        if self.candidates.len() < ICE_CANDIDATES_MAX && !self.candidates.contains(&candidate) {
            self.candidates.push(candidate);
        }
    }

    /// Writes the answer to an ICE restart: our new session with all its candidates
    /// (RFC 9725 §4.3.3). `mid` is that of the first media line.
    pub fn write(&self, mid: &str) -> String {
        let mut text = String::with_capacity(512);
        if let Some(IceCredentials { ufrag, pwd }) = &self.credentials {
            debug_assert!(ufrag.bytes().all(is_ice_char), "our own credentials");
            let _ = write!(text, "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\n");
        }
        let _ = write!(text, "a=ice-options:trickle\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n");
        let _ = write!(text, "a=mid:{mid}\r\n");
        for (place, candidate) in self.candidates.iter().enumerate() {
            let _ = write!(text, "a={}\r\n", candidate.to_attribute(place as u16));
        }
        if self.end_of_candidates {
            text.push_str("a=end-of-candidates\r\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PWD: &str = "abcdefghijklmnopqrstuvwx";

    #[test]
    fn a_trickle_fragment_yields_its_usable_candidates_once() {
        let text = format!(
            "a=ice-ufrag:EsAw\r\na=ice-pwd:{PWD}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
             a=candidate:1 1 udp 2122260223 192.0.2.3 46243 typ host generation 0\r\n\
             a=candidate:1 1 udp 2122260223 192.0.2.3 46243 typ host generation 0\r\n\
             a=candidate:2 1 udp 2122260223 aa-bb.local 46243 typ host\r\n\
             a=candidate:nonsense\r\na=end-of-candidates\r\n"
        );
        let fragment = Fragment::parse(&text).expect("a good fragment");
        let credentials = IceCredentials { ufrag: "EsAw".into(), pwd: PWD.into() };
        assert_eq!(fragment.credentials, Some(credentials));
        assert_eq!(fragment.candidates.len(), 1);
        assert!(fragment.end_of_candidates);
        assert_eq!(Fragment::parse(&fragment.write("0")), Ok(fragment));
    }

    #[test]
    fn an_empty_fragment_is_a_trickle_of_nothing() {
        assert_eq!(Fragment::parse(""), Ok(Fragment::default()));
    }

    #[test]
    fn bad_fragments_name_what_is_wrong() {
        let rows = [
            ("hello", FragmentError::Line { line: 1 }),
            ("a=mid:0\nB=2\n", FragmentError::Line { line: 2 }),
            ("a=ice-ufrag:abcd\n", FragmentError::Credentials { attribute: "ice-pwd" }),
            (
                "a=ice-ufrag:ab\na=ice-pwd:abcdefghijklmnopqrstuvwx\n",
                FragmentError::Credentials { attribute: "ice-ufrag" },
            ),
            (
                "a=ice-pwd:abcdefghijklmnopqrstuvwx\n",
                FragmentError::Credentials { attribute: "ice-ufrag" },
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(Fragment::parse(text), Err(expected), "{text}");
        }
        let large = "a".repeat(SDP_BYTES_MAX + 1);
        assert!(matches!(Fragment::parse(&large), Err(FragmentError::TooLarge { .. })));
    }

    #[test]
    fn candidates_are_bounded() {
        let text = (0..500)
            .map(|port| format!("a=candidate:1 1 udp 1 192.0.2.3 {} typ host\n", 1_000 + port))
            .collect::<String>();
        let fragment = Fragment::parse(&text).expect("a good fragment");
        assert_eq!(fragment.candidates.len(), ICE_CANDIDATES_MAX);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(a=(ice-ufrag|candidate|mid):[ -~]{0,60}\r?\n|\\PC{0,20}){0,12}") {
            let _ = Fragment::parse(&text);
        }
    }
}
