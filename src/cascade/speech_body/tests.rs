use proptest::prelude::*;

use super::*;

const ENDLESS: u32 = u32::MAX;

fn read(rate_hz: u32, pieces: &[&[u8]]) -> (Vec<i16>, SpeechBody, Result<(), SpeechBodyError>) {
    let mut body = SpeechBody::new(rate_hz);
    let mut out = Vec::new();
    let pushed = pieces.iter().try_for_each(|piece| body.push(piece, &mut out));
    let result = pushed.and_then(|()| body.finish(&mut out));
    (out, body, result)
}

fn samples(body: &[u8]) -> Vec<i16> {
    let (out, _, result) = read(24_000, &[body]);
    assert_eq!(result, Ok(()));
    out
}

fn error(body: &[u8]) -> SpeechBodyError {
    read(24_000, &[body]).2.expect_err("an error")
}

fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// A tone, in which nothing looks like a header.
fn tone(length: usize) -> Vec<i16> {
    (0..length).map(|n| ((n as f32 * 0.1).sin() * 9_000.0) as i16).collect()
}

fn chunk(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let padding = vec![0; body.len() % 2];
    [id, &(body.len() as u32).to_le_bytes()[..], body, &padding].concat()
}

fn fmt(tag: u16, channels: u16, rate_hz: u32, bits: u16) -> Vec<u8> {
    let frame = channels * bits / 8;
    let words = [tag.to_le_bytes(), channels.to_le_bytes()].concat();
    let rates = [rate_hz.to_le_bytes(), (rate_hz * u32::from(frame)).to_le_bytes()].concat();
    chunk(b"fmt ", &[words, rates, [frame.to_le_bytes(), bits.to_le_bytes()].concat()].concat())
}

/// A header up to its samples, of which it says that there are `size` bytes.
fn header(rate_hz: u32, size: u32) -> Vec<u8> {
    wav(&fmt(1, 1, rate_hz, 16), size)
}

fn wav(chunks: &[u8], size: u32) -> Vec<u8> {
    let riff = size.saturating_add(36).to_le_bytes();
    [b"RIFF", &riff[..], b"WAVE", chunks, b"data", &size.to_le_bytes()].concat()
}

#[test]
fn bare_samples_are_taken_at_the_configured_rate() {
    let audio = tone(500);
    let (out, body, result) = read(16_000, &[&bytes(&audio)]);
    assert_eq!((out, result, body.rate_hz()), (audio, Ok(()), Some(16_000)));
}

#[test]
fn a_header_with_any_size_is_taken_off_and_its_rate_holds() {
    let audio = tone(500);
    for size in [1_000, 0, ENDLESS, ENDLESS - 36, 0x7FFF_FFFF] {
        let (out, body, result) = read(24_000, &[&header(16_000, size), &bytes(&audio)]);
        assert_eq!((out, result), (audio.clone(), Ok(())), "{size}");
        assert_eq!((body.rate_hz(), body.inner_headers()), (Some(16_000), 0), "{size}");
    }
}

#[test]
fn chunks_around_the_samples_are_not_played() {
    let audio = tone(100);
    let before = [chunk(b"LIST", b"INFOISFT\x05\0\0\0Lavf\0"), fmt(1, 1, 24_000, 16)].concat();
    let body = [
        wav(&[before, chunk(b"fact", &[1, 0, 0, 0])].concat(), 200),
        bytes(&audio),
        chunk(b"LIST", b"INFO"),
        chunk(b"id3 ", &[1; 33]),
    ];
    assert_eq!(samples(&body.concat()), audio);
}

#[test]
fn a_header_in_the_middle_is_taken_out() {
    let audio = tone(300);
    let parts = [bytes(&audio[..100]), bytes(&audio[100..200]), bytes(&audio[200..])];
    // What stands before the first, the second and the third part.
    let cases = [
        (
            "two at the beginning",
            [[header(24_000, ENDLESS), header(24_000, 200)].concat(), vec![], vec![]],
            0,
        ),
        ("of known sizes", [header(24_000, 200), header(24_000, 200), header(24_000, 200)], 2),
        ("of endless sizes", [header(24_000, 0), header(24_000, ENDLESS), header(24_000, 0)], 2),
        ("after bare samples", [vec![], header(24_000, 400), vec![]], 1),
    ];
    for (name, [first, second, third], inner) in cases {
        let body = [&first, &parts[0], &second, &parts[1], &third, &parts[2]];
        let body = body.map(Vec::as_slice).concat();
        let (out, reader, result) = read(24_000, &[&body]);
        assert_eq!((result, reader.inner_headers()), (Ok(()), inner), "{name}");
        assert!(out == audio, "{name}: {} samples", out.len());
    }
}

#[test]
fn a_size_that_is_wrong_and_odd_costs_one_sample() {
    let audio = tone(300);
    let body = [header(24_000, 7), bytes(&audio)].concat();
    // Three whole samples, half a sample with its padding, and the rest.
    assert_eq!(samples(&body), [&audio[..3], &audio[4..]].concat());
}

#[test]
fn audio_that_only_looks_a_little_like_a_header_stays() {
    for likely in [&b"RIFF"[..], b"RIFF1234WAVF", b"RIFFRIFF1234WAVX", b"RIFF1234"] {
        let body = [&bytes(&tone(50)), likely].concat();
        assert_eq!(bytes(&samples(&body)), body, "{likely:?}");
        let body = [likely, &bytes(&tone(50))].concat();
        assert_eq!(bytes(&samples(&body)), body, "{likely:?}");
    }
    // Between two samples no header begins.
    let body = [&[1][..], &header(24_000, 0), &bytes(&tone(50)), &[2]].concat();
    assert_eq!(bytes(&samples(&body)), body);
}

#[test]
fn other_sample_formats_become_mono_of_16_bits() {
    let float = |value: f32| value.to_le_bytes().to_vec();
    let floats = [0.5, -2.0, f32::NAN, f32::INFINITY].map(float).concat();
    // The extensible form, whose true format stands in its last part.
    let mut extensible = fmt(0xFFFE, 2, 24_000, 16);
    extensible[4] = 40;
    extensible.extend([22, 0, 16, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 16, 0]);
    extensible.extend([0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]);
    let cases = [
        (fmt(1, 1, 24_000, 8), vec![0, 128, 255], vec![-32_768, 0, 32_512]),
        (fmt(1, 2, 24_000, 16), bytes(&[100, 300, -32_768, -32_768]), vec![200, -32_768]),
        (extensible, bytes(&[100, 300, 32_767, 32_767]), vec![200, 32_767]),
        (fmt(1, 1, 24_000, 24), vec![9, 1, 0, 9, 0xFF, 0xFF], vec![1, -1]),
        (fmt(1, 1, 24_000, 32), vec![9, 9, 1, 0, 0, 0, 0xFF, 0x7F], vec![1, 32_767]),
        (fmt(3, 1, 24_000, 32), floats, vec![16_384, -32_768, 0, 32_767]),
    ];
    for (format, audio, expected) in cases {
        let body = [wav(&format, audio.len() as u32), audio].concat();
        assert_eq!(samples(&body), expected, "{format:?}");
    }
}

#[test]
fn what_is_no_audio_is_named() {
    let mp3 = |second: u8, third: u8, length: usize| {
        let frame = [vec![0xFF, second, third, 0], vec![0; length - 4]].concat();
        frame.repeat(2)
    };
    let adts = [&[0xFF, 0xF1, 0x50, 0x80, 0x02, 0x1F, 0xFC, 0][..], &[7; 8]].concat().repeat(2);
    let cases = [
        (b"ID3\x04\0\0\0\0\0\0".to_vec(), Came::Mp3),
        (mp3(0xFB, 0x90, 417), Came::Mp3),
        (mp3(0xF3, 0x84, 192), Came::Mp3),
        (adts, Came::Aac),
        (b"OggS\0\x02\0\0".to_vec(), Came::Ogg),
        (b"fLaC\0\0\0\x22".to_vec(), Came::Flac),
        (b"\x1A\x45\xDF\xA3\x9F".to_vec(), Came::WebM),
        (b"\0\0\0\x1CftypM4A ".to_vec(), Came::Mp4),
        (b"{\"error\":1}".to_vec(), Came::Json),
        (" \n{\"error\": \"字\"}".repeat(20).into_bytes(), Came::Json),
        (b"<!doctype html>".to_vec(), Came::Markup),
        (b"data: {\"type\":\"speech.audio.delta\"}\n\n".to_vec(), Came::EventStream),
        (b"Not Found".to_vec(), Came::Text),
    ];
    for (body, came) in cases {
        assert_eq!(error(&body), SpeechBodyError::NotSamples(came));
    }
    let message = SpeechBodyError::NotSamples(Came::Mp3).to_string();
    assert!(message.contains("MP3") && message.contains("response_format: pcm"), "{message}");
}

#[test]
fn samples_that_begin_like_another_format_stay_samples() {
    let quiet = bytes(&[-1; 100]);
    // The head of an MP3 frame, with no second one where it would have to be.
    let like_mp3 = [vec![0xFF, 0xFB, 0x90, 0x00], bytes(&tone(1_000))].concat();
    let like_json = [b"{\"".to_vec(), bytes(&tone(100))].concat();
    for body in [quiet, like_mp3.clone(), like_mp3[..100].to_vec(), like_json] {
        assert_eq!(bytes(&samples(&body)), body);
    }
}

#[test]
fn rates_that_no_reply_may_have_are_refused_by_name() {
    assert_eq!(error(&header(22_050, 0)), SpeechBodyError::UnsupportedRate { rate_hz: 22_050 });
    let (_, _, result) = read(44_100, &[&bytes(&tone(10))]);
    assert_eq!(result, Err(SpeechBodyError::UnsupportedRate { rate_hz: 44_100 }));
    // The configured one does not matter where a header tells it.
    let (_, body, result) = read(44_100, &[&header(8_000, 0), &bytes(&tone(10))]);
    assert_eq!((result, body.rate_hz()), (Ok(()), Some(8_000)));
    let changing = [header(24_000, 0), bytes(&tone(10)), header(16_000, 0)].concat();
    let changed = SpeechBodyError::RateChanged { from_hz: 24_000, to_hz: 16_000 };
    assert_eq!(error(&changing), changed);
    assert!(changed.to_string().contains("24000 to 16000"), "{changed}");
}

#[test]
fn headers_that_cannot_be_used_are_refused() {
    let unsupported = |tag, channels, bits| SpeechBodyError::UnsupportedWav { tag, channels, bits };
    assert_eq!(error(&wav(&fmt(7, 1, 8_000, 8), 0)), unsupported(7, 1, 8));
    assert_eq!(error(&wav(&fmt(1, 0, 8_000, 16), 0)), unsupported(1, 0, 16));
    assert_eq!(error(&wav(&fmt(1, 9, 8_000, 16), 0)), unsupported(1, 9, 16));
    let bad = |what| SpeechBodyError::BadHeader(what);
    assert_eq!(error(&wav(&[], 0)), bad(BadHeader::NoFormat));
    assert_eq!(error(&wav(&chunk(b"fmt ", &[0; 14]), 0)), bad(BadHeader::ShortFormat));
    let endless_chunk = [b"RIFF\0\0\0\0WAVELIST", &ENDLESS.to_le_bytes()[..]].concat();
    assert_eq!(error(&endless_chunk), bad(BadHeader::TooLong));
}

#[test]
fn nothing_at_all_is_an_error() {
    assert_eq!(error(b""), SpeechBodyError::NoAudio { bytes: 0 });
    assert_eq!(error(&[0]), SpeechBodyError::NoAudio { bytes: 1 });
    assert_eq!(error(&header(24_000, 0)), SpeechBodyError::NoAudio { bytes: 44 });
    assert_eq!(error(&header(24_000, 0)[..30]), SpeechBodyError::NoAudio { bytes: 30 });
}

#[test]
fn half_a_sample_at_the_end_is_dropped_and_counted() {
    let (out, body, result) = read(24_000, &[&bytes(&[1, 2]), &[3]]);
    assert_eq!((out, result, body.dropped_bytes()), (vec![1, 2], Ok(()), 1));
}

#[test]
fn a_phrase_without_end_is_stopped() {
    let second = bytes(&tone(8_000));
    let mut body = SpeechBody::new(8_000);
    let mut out = Vec::new();
    for _ in 0..SPEECH_SECONDS_MAX {
        assert_eq!(body.push(&second, &mut out), Ok(()));
    }
    let whole = out.len();
    assert_eq!(body.push(&[1, 0], &mut out), Err(SpeechBodyError::TooLong));
    assert_eq!(body.push(&[], &mut out), Err(SpeechBodyError::TooLong));
    assert_eq!(body.finish(&mut out), Err(SpeechBodyError::TooLong));
    assert_eq!((whole, out.len()), (8_000 * SPEECH_SECONDS_MAX as usize, whole));
}

fn part() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::collection::vec(any::<i16>(), 0..600).prop_map(|audio| bytes(&audio)),
        prop::sample::select(vec![0, 2, 7, 100, ENDLESS]).prop_map(|size| header(24_000, size)),
        Just(wav(&fmt(3, 2, 24_000, 32), 64)),
        Just(wav(&fmt(1, 1, 24_000, 24), 33)),
        Just(chunk(b"LIST", b"INFO?")),
        Just(b"RIFF".to_vec()),
        Just(b"RIFF1234WA".to_vec()),
        Just(vec![0xFF, 0xFB, 0x90, 0x00]),
        Just(b"{\"error\": {\"message\": \"".to_vec()),
        Just(vec![0xFF; 50]),
    ]
}

proptest! {
    #[test]
    fn cutting_changes_nothing(
        parts in prop::collection::vec(part(), 0..6),
        cuts in prop::collection::vec(1..50_usize, 1..8),
    ) {
        let body = parts.concat();
        let (whole, reader, result) = read(24_000, &[&body]);
        let mut pieces = Vec::new();
        let mut rest = body.as_slice();
        for length in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, later) = rest.split_at(rest.len().min(*length));
            pieces.push(piece);
            rest = later;
        }
        let (cut, cut_reader, cut_result) = read(24_000, &pieces);
        prop_assert_eq!(cut_result, result);
        prop_assert_eq!(cut, whole);
        prop_assert_eq!(cut_reader.dropped_bytes(), reader.dropped_bytes());
        prop_assert_eq!(cut_reader.rate_hz(), reader.rate_hz());
    }
}
