use super::*;

fn sent(wire: &mut DeepgramVoiceWire) -> Vec<Value> {
    let read = |message| match message {
        Message::Text(text) => serde_json::from_str(&text).expect("it is JSON"),
        Message::Binary(_) => panic!("only texts are sent"),
    };
    std::iter::from_fn(|| wire.poll_message()).map(read).collect()
}

#[test]
fn a_phrase_is_flushed_and_what_was_stopped_is_cleared() {
    let mut wire = DeepgramVoiceWire::new();
    wire.stop();
    assert_eq!(sent(&mut wire), [] as [Value; 0]);
    wire.speak("One.", 1.5);
    assert_eq!(sent(&mut wire), [json!({"type":"Speak","text":"One."}), json!({"type":"Flush"})]);
    wire.stop();
    assert_eq!(sent(&mut wire), [json!({"type":"Clear"})]);
}

#[test]
fn nothing_that_came_before_cleared_is_heard() {
    let text = Received::Text;
    let flushed = text(r#"{"type":"Flushed","sequence_id":0}"#);
    let cleared = text(r#"{"type":"Cleared","sequence_id":1}"#);
    let mut wire = DeepgramVoiceWire::new();
    wire.speak("One.", 1.0);
    wire.stop();
    wire.speak("Two.", 1.0);
    wire.stop();
    wire.speak("Three.", 1.0);
    let nothing = Heard::default();
    let rows = [
        (Received::Binary(&[1]), nothing.clone()),
        (flushed, nothing.clone()),
        (cleared, nothing.clone()),
        (Received::Binary(&[1, 1]), nothing.clone()),
        (flushed, nothing.clone()),
        (cleared, nothing.clone()),
        (text(r#"{"type":"Metadata","model_name":"aura"}"#), nothing.clone()),
        (text(r#"{"type":"Warning","description":"slow"}"#), nothing.clone()),
        (Received::Binary(&[2, 1, 7]), Heard::pcm(vec![258])),
        (Received::Binary(&[1]), Heard::pcm(vec![263])),
        (flushed, Heard::done()),
        (Received::Binary(&[2, 1]), nothing),
    ];
    for (message, expected) in rows {
        assert_eq!(wire.handle_message(message), Ok(expected), "{message:?}");
    }
}

#[test]
fn errors_and_garbage_are_told() {
    let mut wire = DeepgramVoiceWire::default();
    let error = r#"{"type":"Error","description":"no such model","code":"X"}"#;
    let expected = Err(VoiceError::Failed("no such model".to_owned()));
    assert_eq!(wire.handle_message(Received::Text(error)), expected);
    assert_eq!(wire.handle_message(Received::Text("{")), Err(VoiceError::Unreadable));
}
