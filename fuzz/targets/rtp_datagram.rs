//! Datagrams before it is known whose they are, and TCP streams of them, however they are cut.
#![no_main]

use antiphon::media::opus_packet::{duration_ticks, has_fec};
use antiphon::rtp::framing::Deframer;
use antiphon::rtp::stun::{Binding, Protocol};
use libfuzzer_sys::fuzz_target;

const PACKET_BYTES_MAX: usize = 1_500;

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, bytes) = input;
    let _protocol = Protocol::of(bytes);
    let _call = Binding::parse(bytes);
    let _may_be_any_packet = has_fec(bytes);
    if let Ok(ticks) = duration_ticks(bytes) {
        assert!(ticks > 0 && ticks <= 48 * 120, "an Opus packet of {ticks} ticks");
    }
    let whole = packets(bytes, bytes.len().max(1));
    let pieces = packets(bytes, usize::from(cut).max(1));
    assert_eq!(whole, pieces, "the cut changed what was read");
});

/// The packets in a stream that arrives in pieces of `length` bytes, up to one that is too long.
fn packets(stream: &[u8], length: usize) -> Vec<Vec<u8>> {
    let mut deframer = Deframer::new(PACKET_BYTES_MAX);
    let mut found = Vec::new();
    for piece in stream.chunks(length) {
        deframer.push(piece);
        loop {
            match deframer.pop() {
                Ok(Some(packet)) => found.push(packet.to_vec()),
                Ok(None) => break,
                Err(_too_long) => return found,
            }
        }
    }
    found
}
