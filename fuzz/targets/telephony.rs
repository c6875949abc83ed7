//! Telephone events and G.711, byte by byte.
#![no_main]

use antiphon::dsp::g711::{alaw_decode, alaw_encode, ulaw_decode, ulaw_encode};
use antiphon::media::codec::Codec;
use antiphon::media::g711::{G711Codec, Law};
use antiphon::media::telephone_event::KeyReceiver;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    events: Vec<(u32, [u8; 5], u8)>,
    a_law: bool,
    payload: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let mut keys = KeyReceiver::default();
    for (timestamp, payload, length) in &input.events {
        let length = usize::from(*length).min(payload.len());
        if let Ok(Some(key)) = keys.take(*timestamp, &payload[..length]) {
            assert!("0123456789*#ABCD".contains(key), "{key:?} is no key");
            assert_eq!(keys.take(*timestamp, payload), Ok(None), "one press, two keys");
        }
    }
    for &byte in input.payload {
        // A-law has no two codes for one value; µ-law has two zeroes.
        assert_eq!(alaw_encode(alaw_decode(byte)), byte);
        assert_eq!(ulaw_decode(ulaw_encode(ulaw_decode(byte))), ulaw_decode(byte));
    }
    let mut codec = G711Codec::new(if input.a_law { Law::A } else { Law::Mu });
    let mut pcm = vec![0.0; 8 * 120];
    if let Ok(samples) = codec.packet_samples(input.payload) {
        assert_eq!(codec.decode(input.payload, &mut pcm), Ok(samples));
        assert!(pcm[..samples].iter().all(|sample| sample.abs() <= 1.0));
    }
});
