//! Offers of strangers, and the answers written from those that can be served.
#![no_main]

use antiphon::sdp::{Answer, Fingerprint, IceCredentials, Offer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(offer) = Offer::parse(text) else { return };
    let Ok(format) = offer.audio_format() else { return };
    let credentials = IceCredentials { ufrag: "ours".into(), pwd: "p".repeat(24) };
    let fingerprint = Fingerprint { algorithm: "sha-256".into(), value: "AA:BB".into() };
    let answer = Answer {
        offer: &offer,
        format,
        session_id: 1,
        credentials: &credentials,
        fingerprint: &fingerprint,
        candidates: &offer.candidates,
        ssrc: 1,
        message_bytes_max: 1_024,
    }
    .write();
    assert!(answer.ends_with("\r\n"));
    let mut sections = 0;
    for line in answer.trim_end_matches("\r\n").split("\r\n") {
        let (letter, _) = line.split_once('=').expect("every line is an assignment");
        assert!(letter.len() == 1 && !line.contains(['\r', '\n', '\0']), "{line:?}");
        sections += usize::from(letter == "m");
    }
    assert_eq!(sections, offer.media.len(), "one section for each that was offered");
});
