//! The body of a speech request, whole and cut into pieces of the length that the first byte says.
#![no_main]

use antiphon::cascade::speech_body::{SpeechBody, SpeechBodyError};
use antiphon::limits::REPLY_RATES_HZ;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((length, bytes)) = input.split_first() else { return };
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(whole, read(bytes, usize::from(*length).max(1)), "cutting changes the samples");
    let (samples, rate_hz, result) = whole;
    assert!(samples.len() <= bytes.len(), "more samples than bytes");
    assert!(samples.is_empty() || rate_hz.is_some_and(|hz| REPLY_RATES_HZ.contains(&hz)));
    assert!(result.is_err() || !samples.is_empty(), "nothing is not an error");
});

type Read = (Vec<i16>, Option<u32>, Result<(), SpeechBodyError>);

fn read(bytes: &[u8], length: usize) -> Read {
    let mut body = SpeechBody::new(24_000);
    let mut samples = Vec::new();
    let pushed = bytes.chunks(length).try_for_each(|piece| body.push(piece, &mut samples));
    let result = pushed.and_then(|()| body.finish(&mut samples));
    (samples, body.rate_hz(), result)
}
