use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::call::event::{FloorState, HeardSource, TurnId};
use crate::limits::MESSAGE_TEXT_CHARS_MAX;
use crate::time::SessionTime;

const NOW: &str = "2026-01-02T03:04:05.678Z";

/// The messages of a series of events, without the label that they all carry.
fn check(events: &[ClientEvent], expect: &Expect) {
    let mut encoder = Encoder::new("caller");
    let lines: Vec<String> = events
        .iter()
        .flat_map(|event| encoder.encode(event, NOW))
        .map(|line| short(&line))
        .collect();
    expect.assert_eq(&lines.join("\n"));
}

fn short(message: &str) -> String {
    let rest = message.strip_prefix(r#"{"label":"rtvi-ai","#).expect("every message has the label");
    format!("{{{rest}")
}

fn reply_text(generation: u32, text: &str) -> ClientEvent {
    ClientEvent::ReplyText { generation: Generation(generation), text: text.to_owned() }
}

fn stopped(generation: u32, interrupted: bool, heard_ms: u64, text: &str) -> ClientEvent {
    let heard = Heard {
        duration: Duration::from_millis(heard_ms),
        text: text.to_owned(),
        source: HeardSource::Reported,
    };
    ClientEvent::BotStoppedSpeaking { generation: Generation(generation), interrupted, heard }
}

#[test]
fn client_ready_is_answered_under_its_id_and_another_major_version_is_warned() {
    let encoder = Encoder::new("caller");
    let answer = |version: &str| encoder.bot_ready("a1", version).join("\n");
    expect![[r#"{"label":"rtvi-ai","id":"a1","type":"bot-ready","data":{"version":"2.1.0","about":{"library":"antiphon","library_version":"0.1.0"}}}"#]]
    .assert_eq(&answer("2.3.9"));
    expect![[r#"
        {"label":"rtvi-ai","id":"a1","type":"error-response","data":{"error":"RTVI 2.1.0 is spoken here; this client says another version"}}
        {"label":"rtvi-ai","id":"a1","type":"bot-ready","data":{"version":"2.1.0","about":{"library":"antiphon","library_version":"0.1.0"}}}"#]]
    .assert_eq(&answer("1.0.0"));
}

#[test]
fn a_turn_is_told_from_the_first_word_to_the_last_packet() {
    let (turn, generation) = (TurnId(1), Generation(2));
    let text = |text: &str, is_final| ClientEvent::UserTranscript {
        turn,
        text: text.to_owned(),
        is_final,
    };
    check(
        &[
            ClientEvent::Floor {
                at: SessionTime::from_millis(1_240),
                state: FloorState::User,
                turn,
                generation: Generation(1),
            },
            ClientEvent::UserStartedSpeaking { turn },
            text("what time", false),
            ClientEvent::UserStoppedSpeaking { turn },
            text("what time is it", true),
            ClientEvent::ReplyStarted { generation },
            reply_text(2, "It is noon. "),
            ClientEvent::BotStartedSpeaking { generation },
            reply_text(2, "Good night."),
            ClientEvent::ReplyFinished { generation },
            stopped(2, false, 2_100, "It is noon. Good night."),
        ],
        &expect![[r#"
            {"type":"server-message","data":{"type":"floor","state":"user","turn":1,"generation":1,"at_ms":1240}}
            {"type":"user-started-speaking"}
            {"type":"user-transcription","data":{"text":"what time","final":false,"timestamp":"2026-01-02T03:04:05.678Z","user_id":"caller"}}
            {"type":"user-stopped-speaking"}
            {"type":"user-transcription","data":{"text":"what time is it","final":true,"timestamp":"2026-01-02T03:04:05.678Z","user_id":"caller"}}
            {"type":"bot-llm-started"}
            {"type":"bot-llm-text","data":{"text":"It is noon. "}}
            {"type":"bot-tts-started"}
            {"type":"bot-tts-text","data":{"text":"It is noon. "}}
            {"type":"bot-output","data":{"text":"It is noon. ","segment_id":1,"will_be_spoken":true,"spoken_status":"new","aggregated_by":"sentence"}}
            {"type":"bot-started-speaking"}
            {"type":"bot-llm-text","data":{"text":"Good night."}}
            {"type":"bot-tts-text","data":{"text":"Good night."}}
            {"type":"bot-output","data":{"text":"Good night.","segment_id":2,"will_be_spoken":true,"spoken_status":"new","aggregated_by":"sentence"}}
            {"type":"bot-llm-stopped"}
            {"type":"bot-tts-stopped"}
            {"type":"bot-output","data":{"text":"It is noon. ","segment_id":1,"will_be_spoken":true,"spoken_status":"completed","aggregated_by":"sentence"}}
            {"type":"bot-output","data":{"text":"Good night.","segment_id":2,"will_be_spoken":true,"spoken_status":"completed","aggregated_by":"sentence"}}
            {"type":"bot-stopped-speaking"}
            {"type":"server-message","data":{"type":"heard","generation":2,"heard_ms":2100.0,"text":"It is noon. Good night.","source":"reported","interrupted":false}}"#]],
    );
}

#[test]
fn an_interrupted_reply_says_which_words_were_heard() {
    let generation = Generation(4);
    check(
        &[
            ClientEvent::ReplyStarted { generation },
            reply_text(4, "One two."),
            reply_text(4, "Three four."),
            reply_text(4, "Five six."),
            stopped(4, true, 1_320, "One two. Three"),
        ],
        &expect![[r#"
            {"type":"bot-llm-started"}
            {"type":"bot-llm-text","data":{"text":"One two."}}
            {"type":"bot-tts-started"}
            {"type":"bot-tts-text","data":{"text":"One two."}}
            {"type":"bot-output","data":{"text":"One two.","segment_id":1,"will_be_spoken":true,"spoken_status":"new","aggregated_by":"sentence"}}
            {"type":"bot-llm-text","data":{"text":"Three four."}}
            {"type":"bot-tts-text","data":{"text":"Three four."}}
            {"type":"bot-output","data":{"text":"Three four.","segment_id":2,"will_be_spoken":true,"spoken_status":"new","aggregated_by":"sentence"}}
            {"type":"bot-llm-text","data":{"text":"Five six."}}
            {"type":"bot-tts-text","data":{"text":"Five six."}}
            {"type":"bot-output","data":{"text":"Five six.","segment_id":3,"will_be_spoken":true,"spoken_status":"new","aggregated_by":"sentence"}}
            {"type":"bot-llm-stopped"}
            {"type":"bot-tts-stopped"}
            {"type":"bot-output","data":{"text":"One two.","segment_id":1,"will_be_spoken":true,"spoken_status":"completed","aggregated_by":"sentence"}}
            {"type":"bot-output","data":{"text":"Three four.","segment_id":2,"will_be_spoken":true,"spoken_status":"in-progress","spoken_progress":{"accumulated_text":"Three","remaining_text":" four."},"aggregated_by":"sentence"}}
            {"type":"bot-stopped-speaking"}
            {"type":"server-message","data":{"type":"heard","generation":4,"heard_ms":1320.0,"text":"One two. Three","source":"reported","interrupted":true}}"#]],
    );
}

#[test]
fn a_reply_that_never_sounded_is_closed_by_the_next_one() {
    check(
        &[
            ClientEvent::ReplyStarted { generation: Generation(1) },
            ClientEvent::ReplyStarted { generation: Generation(2) },
            ClientEvent::ReplyFinished { generation: Generation(2) },
            ClientEvent::ReplyFinished { generation: Generation(2) },
        ],
        &expect![[r#"
            {"type":"bot-llm-started"}
            {"type":"bot-llm-stopped"}
            {"type":"bot-llm-started"}
            {"type":"bot-llm-stopped"}"#]],
    );
}

#[test]
fn a_turns_times_are_told_as_metrics_and_as_they_are() {
    let metrics = TurnMetrics {
        turn: TurnId(3),
        generation: Generation(3),
        speech: Duration::from_millis(1_460),
        endpoint: Some(Duration::from_millis(200)),
        transcript: None,
        first_text: Some(Duration::from_micros(231_449)),
        first_audio: Some(Duration::from_micros(255_100)),
        first_packet: Some(Duration::from_millis(262)),
    };
    check(
        &[ClientEvent::Turn(metrics), ClientEvent::Turn(TurnMetrics::default())],
        &expect![[r#"
            {"type":"metrics","data":{"ttfb":[{"processor":"agent","value":0.262},{"processor":"llm","value":0.0314},{"processor":"tts","value":0.0237}],"processing":[{"processor":"endpoint","value":0.2}]}}
            {"type":"server-message","data":{"type":"turn","turn":3,"generation":3,"speech_ms":1460.0,"endpoint_ms":200.0,"first_text_ms":231.4,"first_audio_ms":255.1,"first_packet_ms":262.0}}
            {"type":"metrics","data":{}}
            {"type":"server-message","data":{"type":"turn","turn":0,"generation":0,"speech_ms":0.0}}"#]],
    );
}

#[test]
fn tool_calls_mutes_and_errors() {
    let call = |arguments: &str| ClientEvent::ToolCall {
        generation: Generation(1),
        call_id: "c1".to_owned(),
        name: "weather".to_owned(),
        arguments: arguments.to_owned(),
    };
    check(
        &[
            call(r#"{"city":"Bern"}"#),
            call("not json"),
            call(&format!("[{}1]", "1,".repeat(DATA_MESSAGE_BYTES_MAX / 2))),
            ClientEvent::UserMuted { muted: true },
            ClientEvent::UserMuted { muted: false },
            ClientEvent::Error { message: "the backend is gone".to_owned(), fatal: true },
        ],
        &expect![[r#"
            {"type":"llm-function-call-in-progress","data":{"tool_call_id":"c1","function_name":"weather","arguments":{"city":"Bern"}}}
            {"type":"llm-function-call-in-progress","data":{"tool_call_id":"c1","function_name":"weather","arguments":"not json"}}
            {"type":"error","data":{"error":"a tool call of 16513 bytes, more than 16384","message":"a tool call of 16513 bytes, more than 16384","fatal":false}}
            {"type":"user-mute-started"}
            {"type":"user-mute-stopped"}
            {"type":"error","data":{"error":"the backend is gone","message":"the backend is gone","fatal":true}}"#]],
    );
}

#[test]
fn a_long_final_transcript_is_sent_whole_in_several_messages() {
    let text = "word ".repeat(MESSAGE_TEXT_CHARS_MAX);
    let mut encoder = Encoder::new("caller");
    let event = ClientEvent::UserTranscript { turn: TurnId(1), text: text.clone(), is_final: true };
    let sent: String = encoder
        .encode(&event, NOW)
        .iter()
        .map(|message| serde_json::from_str::<Value>(message).expect("JSON"))
        .map(|message| message["data"]["text"].as_str().expect("a text").to_owned())
        .collect();
    assert_eq!(sent, text);
}

proptest! {
    /// The worst text for JSON is one of control characters.
    #[test]
    fn every_message_fits_whatever_a_backend_says(
        text in "[\u{1}\u{1f600}a ]{0,3000}",
        heard_chars in 0_usize..3_000,
    ) {
        let heard: String = text.chars().take(heard_chars).collect();
        let mut encoder = Encoder::new("caller");
        let events = [
            reply_text(1, &text),
            stopped(1, true, 0, &heard),
            ClientEvent::UserTranscript { turn: TurnId(1), text: text.clone(), is_final: false },
            ClientEvent::Error { message: text, fatal: false },
        ];
        for event in &events {
            for message in encoder.encode(event, NOW) {
                prop_assert!(message.len() <= DATA_MESSAGE_BYTES_MAX);
                prop_assert!(serde_json::from_str::<Value>(&message).is_ok());
            }
        }
    }
}
