use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::call::event::WordTime;

fn packed(packet: &Value) -> Vec<u8> {
    rmp_serde::to_vec_named(packet).expect("it can be written")
}

fn hear(wire: &mut MoshiVoiceWire, packet: &Value) -> Result<Heard, VoiceError> {
    wire.handle_message(Received::Binary(&packed(packet)))
}

fn sent(wire: &mut MoshiVoiceWire) -> Vec<Value> {
    let read = |message| match message {
        Message::Binary(bytes) => rmp_serde::from_slice(&bytes).expect("it is MessagePack"),
        Message::Text(_) => panic!("only packets are sent"),
    };
    std::iter::from_fn(|| wire.poll_message()).map(read).collect()
}

#[test]
fn the_text_waits_until_the_server_is_ready() {
    let mut wire = MoshiVoiceWire::default();
    wire.speak("It\u{2019}s *fine*.", 1.5);
    assert_eq!(hear(&mut wire, &json!({"type": "Audio", "pcm": [0.5]})), Ok(Heard::default()));
    assert_eq!(sent(&mut wire), [] as [Value; 0]);
    assert_eq!(hear(&mut wire, &json!({"type": "Ready"})), Ok(Heard::default()));
    let expected = [json!({"type": "Text", "text": "It's fine."}), json!({"type": "Eos"})];
    assert_eq!(sent(&mut wire), expected);
}

#[test]
fn sound_is_clipped_and_words_have_times() {
    let mut wire = MoshiVoiceWire::default();
    hear(&mut wire, &json!({"type": "Ready"})).expect("it is read");
    wire.speak("Hello.", 1.0);
    let heard = hear(&mut wire, &json!({"type": "Audio", "pcm": [0, 0.5, 1.0, -1.0, 7.5, -7.5]}));
    assert_eq!(heard, Ok(Heard::pcm(vec![0, 16_383, 32_767, -32_767, i16::MAX, i16::MIN])));
    // As the server writes it: 32 bits a sample.
    let mut bytes = b"\x82\xa4type\xa5Audio\xa3pcm\x92\xca".to_vec();
    bytes.extend(0.25_f32.to_be_bytes());
    bytes.push(0xca);
    bytes.extend(f32::NAN.to_be_bytes());
    assert_eq!(wire.handle_message(Received::Binary(&bytes)), Ok(Heard::pcm(vec![8_191, 0])));
    let empty = json!({"type": "Text", "text": "", "start_s": 0.0, "stop_s": 0.0});
    assert_eq!(hear(&mut wire, &empty), Ok(Heard::default()));
    let text = json!({"type": "Text", "text": "Hello.", "start_s": 0.25, "stop_s": 0.5});
    let ms = Duration::from_millis;
    let word = WordTime { text: "Hello.".to_owned(), start: ms(250), end: ms(500) };
    assert_eq!(hear(&mut wire, &text), Ok(Heard { words: vec![word], ..Heard::default() }));
    assert_eq!(hear(&mut wire, &json!({"type": "New", "what": [{}]})), Ok(Heard::default()));
    wire.stop();
    assert_eq!(hear(&mut wire, &json!({"type": "Audio", "pcm": [0.5]})), Ok(Heard::default()));
}

#[test]
fn errors_and_garbage_are_told() {
    let mut wire = MoshiVoiceWire::default();
    let busy = hear(&mut wire, &json!({"type": "Error", "message": "no free channels"}));
    assert_eq!(busy, Err(VoiceError::Busy("no free channels".to_owned())));
    let failed = hear(&mut wire, &json!({"type": "Error", "message": "a\nb"}));
    assert_eq!(failed, Err(VoiceError::Failed("a b".to_owned())));
    let truncated = packed(&json!({"type": "Audio", "pcm": [0.5, 0.5]}));
    for garbage in [&truncated[..truncated.len() - 3], b"", b"\xc1", b"\xdd\xff\xff\xff\xff"] {
        let heard = wire.handle_message(Received::Binary(garbage));
        assert_eq!(heard, Err(VoiceError::Unreadable), "{garbage:?}");
    }
    assert_eq!(wire.handle_message(Received::Text("hello")), Ok(Heard::default()));
}
