use super::*;
use crate::call::event::WordTime;

fn sent(wire: &mut ElevenLabsWire) -> Vec<Value> {
    let read = |message| match message {
        Message::Text(text) => serde_json::from_str(&text).expect("it is JSON"),
        Message::Binary(_) => panic!("only texts are sent"),
    };
    std::iter::from_fn(|| wire.poll_message()).map(read).collect()
}

fn hear(wire: &mut ElevenLabsWire, message: &Value) -> Result<Heard, VoiceError> {
    wire.handle_message(Received::Text(&message.to_string()))
}

#[test]
fn a_phrase_is_a_context_that_is_closed_behind_its_text() {
    let mut wire = ElevenLabsWire::new(24_000);
    wire.speak("Hello there.", 2.0);
    let expected = [
        json!({"text": " ", "context_id": "phrase-1", "voice_settings": {"speed": 1.2}}),
        json!({"text": "Hello there. ", "context_id": "phrase-1", "flush": true}),
        json!({"context_id": "phrase-1", "close_context": true}),
    ];
    assert_eq!(sent(&mut wire), expected);
    wire.stop();
    wire.speak("Bye.", 1.0);
    assert_eq!(sent(&mut wire)[0], json!({"text": " ", "context_id": "phrase-2"}));
}

#[test]
fn only_the_phrase_that_is_spoken_is_heard() {
    let mut wire = ElevenLabsWire::new(24_000);
    wire.speak("One.", 1.0);
    wire.stop();
    let late = json!({"audio": "AQI=", "contextId": "phrase-1"});
    assert_eq!(hear(&mut wire, &late), Ok(Heard::default()));
    wire.speak("Two.", 1.0);
    assert_eq!(hear(&mut wire, &late), Ok(Heard::default()));
    assert_eq!(
        hear(&mut wire, &json!({"isFinal": true, "contextId": "phrase-1"})),
        Ok(Heard::default())
    );
    let sound = json!({"audio": "AQI=", "context_id": "phrase-2", "isFinal": null});
    assert_eq!(hear(&mut wire, &sound), Ok(Heard::pcm(vec![513])));
    assert_eq!(
        hear(&mut wire, &json!({"audio": null, "contextId": "phrase-2"})),
        Ok(Heard::default())
    );
    let last = json!({"audio": null, "isFinal": true, "contextId": "phrase-2"});
    assert_eq!(hear(&mut wire, &last), Ok(Heard::done()));
    assert_eq!(hear(&mut wire, &last), Ok(Heard::default()));
}

/// 100 ms of sound, and characters that begin at `first_ms` and last 10 ms each.
fn aligned(text: &str, first_ms: u64) -> Value {
    let chars: Vec<String> = text.chars().map(String::from).collect();
    let starts: Vec<u64> = (0..chars.len() as u64).map(|at| first_ms + 10 * at).collect();
    let durations = vec![10; chars.len()];
    json!({
        // 1 600 bytes of silence.
        "audio": "A".repeat(1_600 / 3 * 4 + 2), "contextId": "phrase-1",
        "alignment": {"chars": chars, "charStartTimesMs": starts, "charDurationsMs": durations},
    })
}

#[test]
fn characters_become_words_across_messages_whichever_way_their_times_count() {
    for second_ms in [0, 100] {
        let mut wire = ElevenLabsWire::new(8_000);
        wire.speak("It is fine.", 1.0);
        let first = hear(&mut wire, &aligned("It is fi", 0)).expect("it is read");
        assert_eq!(first.pcm.len(), 800);
        let second = hear(&mut wire, &aligned("ne.", second_ms)).expect("it is read");
        let last = json!({"isFinal": true, "contextId": "phrase-1"});
        let last = hear(&mut wire, &last).expect("it is read");
        assert_eq!(second.words, []);
        let words = [first.words, last.words].concat();
        let row =
            |word: &WordTime| (word.text.clone(), word.start.as_millis(), word.end.as_millis());
        let rows: Vec<_> = words.iter().map(row).collect();
        let row = |text: &str, start, end| (text.to_owned(), start, end);
        assert_eq!(rows, [row("It", 0, 20), row("is", 30, 50), row("fine.", 60, 130)]);
    }
}

#[test]
fn alignment_that_is_none_is_no_harm() {
    let rows = [
        json!({"alignment": 3, "contextId": "phrase-1"}),
        json!({"alignment": {"chars": ["a"]}, "contextId": "phrase-1"}),
        json!({"alignment": {"chars": [1, "a"], "charStartTimesMs": [0, "x"], "charDurationsMs": []}}),
    ];
    for message in rows {
        let mut wire = ElevenLabsWire::new(8_000);
        wire.speak("One.", 1.0);
        assert_eq!(hear(&mut wire, &message), Ok(Heard::default()), "{message}");
    }
}

#[test]
fn errors_are_told_and_limits_are_known() {
    let busy = |text: &str| VoiceError::Busy(text.to_owned());
    let failed = |text: &str| VoiceError::Failed(text.to_owned());
    let rows = [
        (json!({"error": "quota_exceeded", "message": "no credits"}), busy("no credits")),
        (json!({"error": "x", "message": "no such voice", "code": 1008}), failed("no such voice")),
        (json!({"error": {"message": "too_many requests"}}), busy("too_many requests")),
        (json!({"error": "input_timeout_exceeded"}), failed("input_timeout_exceeded")),
        (json!({"audio": 3}), VoiceError::Unreadable),
    ];
    for (message, expected) in rows {
        let mut wire = ElevenLabsWire::new(8_000);
        wire.speak("One.", 1.0);
        assert_eq!(hear(&mut wire, &message), Err(expected), "{message}");
    }
}
