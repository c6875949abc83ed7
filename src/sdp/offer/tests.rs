use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::sdp::{Answer, Candidate, CandidateKind, Transport};

const HEAD: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
const TRANSPORT: &str = "a=ice-ufrag:EsAw\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
    a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:\
00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff\r\na=setup:actpass\r\n";

/// What a browser with microphone, camera, screen and a data channel offers, shortened.
fn browser_offer() -> String {
    format!(
        "{HEAD}a=group:BUNDLE 0 1 2\r\na=extmap-allow-mixed\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 63 111 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\n\
         a=candidate:1 1 udp 2122260223 192.0.2.3 46243 typ host\r\n\
         a=candidate:2 1 udp 2122260223 8a1f-22.local 46243 typ host\r\n{TRANSPORT}a=mid:0\r\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
         a=extmap:4/recvonly urn:ietf:params:rtp-hdrext:sdes:mid\r\na=sendrecv\r\na=rtcp-mux\r\n\
         a=rtpmap:63 red/48000/2\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\n\
         a=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\n\
         a=rtpmap:126 telephone-event/8000\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n{TRANSPORT}a=mid:1\r\na=sendonly\r\na=rtcp-mux\r\n\
         a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{TRANSPORT}a=mid:2\r\na=sctp-port:5000\r\n"
    )
}

fn answer(offer: &Offer) -> String {
    let credentials = IceCredentials { ufrag: "ours".into(), pwd: "p".repeat(24) };
    let candidate = Candidate {
        transport: Transport::Udp,
        address: "192.0.2.1:40000".parse().expect("an address"),
        kind: CandidateKind::Host,
    };
    let fingerprint = Fingerprint { algorithm: "sha-256".into(), value: "AA:BB".into() };
    Answer {
        offer,
        format: offer.audio_format().expect("a common codec"),
        session_id: 7,
        credentials: &credentials,
        fingerprint: &fingerprint,
        candidates: &[candidate],
        ssrc: 99,
        message_bytes_max: 16_384,
    }
    .write()
}

#[test]
fn a_browsers_offer_is_read() {
    let offer = Offer::parse(&browser_offer()).expect("a good offer");
    assert_eq!(offer.credentials.ufrag, "EsAw");
    assert_eq!((offer.audio, offer.data, offer.media.len()), (0, Some(2), 3));
    assert_eq!(offer.candidates.len(), 1, "the name of a host is passed over");
    assert_eq!(offer.fingerprint.value.len(), 95);
    let format = AudioFormat {
        codec: AudioCodec::Opus,
        payload_type: 111,
        telephone_event: Some(110),
        level_extension: Some(1),
        mid_extension: Some(4),
    };
    assert_eq!(offer.audio_format(), Ok(format));
}

#[test]
fn the_answer_takes_audio_and_data_and_keeps_video_alive_but_inactive() {
    let offer = Offer::parse(&browser_offer()).expect("a good offer");
    expect![[r#"
        v=0
        o=- 7 2 IN IP4 127.0.0.1
        s=-
        t=0 0
        a=group:BUNDLE 0 1 2
        a=extmap-allow-mixed
        a=msid-semantic: WMS antiphon
        m=audio 9 UDP/TLS/RTP/SAVPF 111 110
        c=IN IP4 0.0.0.0
        a=mid:0
        a=ice-ufrag:ours
        a=ice-pwd:pppppppppppppppppppppppp
        a=ice-options:trickle
        a=fingerprint:sha-256 AA:BB
        a=setup:passive
        a=candidate:1 1 udp 2130706431 192.0.2.1 40000 typ host
        a=end-of-candidates
        a=rtcp-mux
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
        a=sendrecv
        a=rtpmap:111 opus/48000/2
        a=fmtp:111 minptime=10;useinbandfec=1;stereo=0;usedtx=0
        a=rtpmap:110 telephone-event/48000
        a=fmtp:110 0-15
        a=ptime:20
        a=msid:antiphon voice
        a=ssrc:99 cname:antiphon
        m=video 9 UDP/TLS/RTP/SAVPF 96
        c=IN IP4 0.0.0.0
        a=mid:1
        a=ice-ufrag:ours
        a=ice-pwd:pppppppppppppppppppppppp
        a=ice-options:trickle
        a=fingerprint:sha-256 AA:BB
        a=setup:passive
        a=rtcp-mux
        a=inactive
        a=rtpmap:96 VP8/90000
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel
        c=IN IP4 0.0.0.0
        a=mid:2
        a=ice-ufrag:ours
        a=ice-pwd:pppppppppppppppppppppppp
        a=ice-options:trickle
        a=fingerprint:sha-256 AA:BB
        a=setup:passive
        a=sctp-port:5000
        a=max-message-size:16384
    "#]]
    .assert_eq(&answer(&offer).replace("\r\n", "\n"));
}

#[test]
fn telephone_event_is_taken_at_the_clock_of_the_codec() {
    let rows = [
        ("0", AudioCodec::Pcmu, 0, Some(126)),
        ("8", AudioCodec::Pcma, 8, Some(126)),
        ("111", AudioCodec::Opus, 111, Some(110)),
    ];
    for (first, codec, payload_type, telephone_event) in rows {
        let text = browser_offer()
            .replace("SAVPF 63 111 0 8 13 110 126", &format!("SAVPF {first} 110 126"));
        let offer = Offer::parse(&text).expect("a good offer");
        let format = offer.audio_format().expect("a common codec");
        assert_eq!((format.codec, format.payload_type), (codec, payload_type));
        assert_eq!(format.telephone_event, telephone_event, "{first}");
    }
}

#[test]
fn what_is_not_bundled_with_the_audio_is_rejected() {
    let text = browser_offer().replace("a=group:BUNDLE 0 1 2", "a=group:BUNDLE 0 2");
    let offer = Offer::parse(&text).expect("a good offer");
    assert!(answer(&offer).contains("m=video 0 "));
    let text = browser_offer().replace("a=group:BUNDLE 0 1 2\r\n", "");
    let offer = Offer::parse(&text).expect("a good offer");
    assert_eq!(offer.data, None);
    assert!(answer(&offer).contains("m=application 0 "));
}

#[test]
fn an_offer_that_cannot_be_served_says_which_part() {
    let good = browser_offer();
    let without = |part: &str| good.replace(part, "");
    let rows = [
        ("", "sdp"),
        ("hello", "sdp"),
        ("v=1\r\n", "sdp"),
        (HEAD, "sdp.m=audio"),
        (&without("a=mid:0\r\n"), "sdp.a=mid"),
        (&good.replace("a=mid:1", "a=mid:0"), "sdp.a=mid"),
        (&good.replace("a=mid:1", "a=mid:<1>"), "sdp.a=mid"),
        (&good.replace("m=audio 9", "m=audio nine"), "sdp.m"),
        (&good.replace("m=audio 9", "m=audio 0"), "sdp.m=audio"),
        (&good.replace("m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/AVP"), "sdp.m=audio"),
        (&good.replace("a=sendrecv", "a=recvonly"), "sdp.m=audio.direction"),
        (&good.replace("63 111 0 8 13 110 126", "63 13"), "sdp.m=audio.a=rtpmap"),
        (&without("a=ice-ufrag:EsAw\r\n"), "sdp.a=ice-ufrag"),
        (&good.replace("EsAw", "Es w"), "sdp.a=ice-ufrag"),
        (&without("a=ice-pwd:abcdefghijklmnopqrstuvwx\r\n"), "sdp.a=ice-pwd"),
        (&good.replace("a=fingerprint", "a=finger"), "sdp.a=fingerprint"),
        (&good.replace("sha-256", "sha-1"), "sdp.a=fingerprint"),
        (&good.replace("00:11", "00:1"), "sdp.a=fingerprint"),
        (&good.replace("setup:actpass", "setup:passive"), "sdp.a=setup"),
        (&without("a=rtcp-mux\r\n"), "sdp.a=rtcp-mux"),
        (&format!("{good}{}", " ".repeat(SDP_BYTES_MAX)), "sdp"),
        (&format!("{good}{}", "m=video 9 X 1\r\na=mid:9\r\n".repeat(20)), "sdp.m"),
    ];
    for (text, field) in rows {
        let refused = Offer::parse(text).and_then(|offer| offer.audio_format().map(|_| ()));
        let error = refused.expect_err(field);
        assert_eq!(error.field(), field, "{error}\n{text}");
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn transport_attributes_may_stand_at_session_level() {
    let text =
        browser_offer().replace(TRANSPORT, "").replace("a=group", &format!("{TRANSPORT}a=group"));
    assert_eq!(Offer::parse(&text).expect("a good offer").credentials.ufrag, "EsAw");
}

proptest! {
    /// Damage to a good offer is an error or another offer, and every offer can be answered with as
    /// many sections as it has.
    #[test]
    fn a_damaged_offer_is_refused_or_answered(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..20, "[ -~\r\n]{0,8}"), 0..6),
    ) {
        let mut bytes = browser_offer().into_bytes();
        for (at, length, replacement) in cuts {
            let at = at.index(bytes.len());
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, replacement.into_bytes());
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(offer) = Offer::parse(&text) && offer.audio_format().is_ok() {
            let text = answer(&offer);
            let sections = text.lines().filter(|line| line.starts_with("m=")).count();
            prop_assert_eq!(sections, offer.media.len());
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text in "(v=0\n)?([amcs]=[ -~]{0,40}\r?\n|\\PC{0,20}){0,20}") {
        let _ = Offer::parse(&text);
    }
}
