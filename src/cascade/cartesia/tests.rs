use std::time::Duration;

use super::*;

fn wire() -> CartesiaWire {
    let voice = CartesiaVoice {
        model: "sonic-3".to_owned(),
        voice: "v1".to_owned(),
        language: Some("de".to_owned()),
        sample_rate_hz: 24_000,
    };
    CartesiaWire::new(voice)
}

fn sent(wire: &mut CartesiaWire) -> Vec<Value> {
    let read = |message| match message {
        Message::Text(text) => serde_json::from_str(&text).expect("it is JSON"),
        Message::Binary(_) => panic!("only texts are sent"),
    };
    std::iter::from_fn(|| wire.poll_message()).map(read).collect()
}

#[test]
fn a_phrase_is_a_whole_context_and_is_cancelled_by_name() {
    let mut wire = wire();
    wire.speak("Guten Tag.", 1.2);
    let expected = json!({
        "context_id": "phrase-1", "model_id": "sonic-3", "transcript": "Guten Tag.",
        "voice": {"mode": "id", "id": "v1"}, "language": "de",
        "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24000},
        "continue": false, "add_timestamps": true, "max_buffer_delay_ms": 0,
        "generation_config": {"speed": 1.2},
    });
    assert_eq!(sent(&mut wire), [expected]);
    wire.stop();
    assert_eq!(sent(&mut wire), [json!({"context_id": "phrase-1", "cancel": true})]);
    wire.speak("Ja.", 2.0);
    let next = &sent(&mut wire)[0];
    assert_eq!(next["context_id"], "phrase-2");
    assert_eq!(next["generation_config"]["speed"], 1.5);
}

#[test]
fn sound_words_and_the_end_are_of_the_phrase_that_is_spoken() {
    let mut wire = wire();
    wire.speak("One.", 1.0);
    wire.stop();
    wire.speak("Two.", 1.0);
    let rows = [
        (r#"{"type":"chunk","context_id":"phrase-1","data":"AQIDBA=="}"#, Heard::default()),
        (r#"{"type":"done","context_id":"phrase-1"}"#, Heard::default()),
        (r#"{"type":"error","context_id":"phrase-1","message":"cancelled"}"#, Heard::default()),
        (r#"{"type":"chunk","context_id":"phrase-2","data":"AQID"}"#, Heard::pcm(vec![513])),
        (r#"{"type":"chunk","context_id":"phrase-2","data":"BA=="}"#, Heard::pcm(vec![1027])),
        (r#"{"type":"flush_done","context_id":"phrase-2"}"#, Heard::default()),
        (r#"{"type":"done","context_id":"phrase-2"}"#, Heard::done()),
        (r#"{"type":"chunk","context_id":"phrase-2","data":"AQI="}"#, Heard::default()),
    ];
    for (message, expected) in rows {
        assert_eq!(wire.handle_message(Received::Text(message)), Ok(expected), "{message}");
    }
    wire.speak("Three four.", 1.0);
    let message = r#"{"type":"timestamps","context_id":"phrase-3","word_timestamps":
        {"words":["Three","four.",5],"start":[0.1,0.5,0.6],"end":[0.4,0.75]}}"#;
    let heard = wire.handle_message(Received::Text(message)).expect("it is read");
    let ms = Duration::from_millis;
    let row = |text: &str, start, end| WordTime { text: text.to_owned(), start, end };
    assert_eq!(heard.words, [row("Three", ms(100), ms(400)), row("four.", ms(500), ms(750))]);
}

#[test]
fn errors_are_told_with_their_status() {
    let refused = VoiceError::Refused { status: 429, message: "slow down".to_owned() };
    let rows = [
        (r#"{"type":"error","message":"slow down","status_code":429}"#, refused),
        (r#"{"type":"error","title":"x"}"#, VoiceError::Failed("x".to_owned())),
        (r#"{"type":"chunk","data":"*"}"#, VoiceError::Unreadable),
        ("[1]", VoiceError::Unreadable),
        ("", VoiceError::Unreadable),
    ];
    for (message, expected) in rows {
        let mut wire = wire();
        wire.speak("One.", 1.0);
        assert_eq!(wire.handle_message(Received::Text(message)), Err(expected), "{message}");
    }
    assert_eq!(wire().handle_message(Received::Binary(&[0])), Err(VoiceError::Unreadable));
}
