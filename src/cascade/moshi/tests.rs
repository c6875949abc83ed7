//! The bytes stand here as the format's own tables have them, not as the code under test writes them.

use super::*;

/// A map of strings to what is already encoded.
fn map(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0x80 | members.len() as u8];
    for (key, value) in members {
        bytes.extend(string(key));
        bytes.extend_from_slice(value);
    }
    bytes
}

fn string(text: &str) -> Vec<u8> {
    [&[0xa0 | text.len() as u8], text.as_bytes()].concat()
}

fn step(index: u8, pause: f32) -> Vec<u8> {
    let float = |value: f32| [&[0xca][..], &value.to_be_bytes()].concat();
    let prs = [vec![0x93], float(0.5), float(0.5), float(pause)].concat();
    map(&[("type", &string("Step")), ("step_idx", &[index]), ("prs", &prs), ("buffered_pcm", &[0])])
}

fn read(bytes: &[u8]) -> Recognised {
    Reader::default().read(bytes)
}

fn heard(heard: Heard) -> Recognised {
    Recognised::Heard(heard)
}

#[test]
fn requests_are_maps_with_their_type_first_and_single_floats() {
    let float = [0xca, 0x3f, 0, 0, 0];
    let pcm = [&[0x92][..], &float, &[0xca, 0, 0, 0, 0]].concat();
    assert_eq!(audio(&[0.5, 0.0]), map(&[("type", &string("Audio")), ("pcm", &pcm)]));
    assert_eq!(marker(7), map(&[("type", &string("Marker")), ("id", &[7])]));
}

#[test]
fn each_message_has_its_meaning() {
    let word = map(&[
        ("type", &string("Word")),
        ("text", &string(" hello")),
        ("start_time", &[0xcb, 0, 0, 0, 0, 0, 0, 0, 0]),
    ]);
    assert_eq!(read(&word), heard(Heard::text(HeardText::Settled("hello".to_owned()))));
    let marker = map(&[("id", &[0xd1, 0x01, 0x00]), ("type", &string("Marker"))]);
    let flushed = Some(Flushed::Number(256));
    assert_eq!(read(&marker), heard(Heard { flushed, ..Heard::default() }));
    assert_eq!(read(&map(&[("type", &string("Ready"))])), Recognised::Ready);
    assert_eq!(read(&map(&[("type", &string("EndWord"))])), Recognised::Other);
    for (text, kind) in [("no free channels", FailureKind::Busy), ("oh", FailureKind::Broken)] {
        let error = map(&[("type", &string("Error")), ("message", &string(text))]);
        assert_eq!(read(&error), Recognised::Failed(Fault::new(kind, text)));
    }
}

#[test]
fn a_pause_is_told_when_it_changes_and_not_of_the_first_steps() {
    let mut reader = Reader::default();
    let mut pause = |index, pause| match reader.read(&step(index, pause)) {
        Recognised::Heard(heard) => heard.complete,
        other => panic!("{other:?}"),
    };
    assert_eq!(pause(11, 0.9), None);
    assert_eq!(pause(12, 0.9), Some(0.9));
    assert_eq!(pause(13, 0.85), None);
    assert_eq!(pause(14, 0.75), Some(0.75));
    assert_eq!(pause(15, 7.0), None);
    assert_eq!(pause(16, f32::NAN), None);
    assert_eq!(pause(17, 0.0), Some(0.0));
}

#[test]
fn garbage_is_malformed() {
    let rows: [&[u8]; 8] = [
        b"",
        b"{\"type\":\"Ready\"}",
        &[0xc1],
        // A map that claims four thousand million members, and an array that does.
        &[0xdf, 0xff, 0xff, 0xff, 0xff],
        &[0xdd, 0xff, 0xff, 0xff, 0xff],
        &map(&[("type", &[3])]),
        &map(&[("type", &string("Word"))]),
        &map(&[("type", &string("Word")), ("text", &[0xa2, 0xff, 0xfe])]),
    ];
    for bytes in rows {
        assert_eq!(read(bytes), Recognised::Malformed, "{bytes:x?}");
    }
    let deep = [vec![0x91; 100_000], vec![0xc0]].concat();
    assert_eq!(read(&map(&[("extra", &deep), ("type", &string("Ready"))])), Recognised::Malformed);
}
