use serde_json::json;

use super::*;
use crate::nova::event::parse;

/// The name and body of one event.
type Event = (&'static str, Value);

/// What is said of events, each in a few characters.
fn said_of(contents: &mut Contents, events: &[Event]) -> Vec<String> {
    let read = |(name, body): &Event| {
        let json = json!({"event": {*name: body}}).to_string();
        parse(json.as_bytes()).expect("these can be read")
    };
    events
        .iter()
        .map(read)
        .flat_map(|event| contents.step(event))
        .map(|said| shown(&said))
        .collect()
}

fn said(events: &[Event]) -> Vec<String> {
    said_of(&mut Contents::new(), events)
}

fn shown(said: &Said) -> String {
    match said {
        Said::UserText(text) => format!("user: {text}"),
        Said::Planned { content, text } => format!("planned {}: {text}", content.0),
        Said::Spoken(text) => format!("spoken: {text}"),
        Said::AudioBegins { rate_hz } => format!("audio at {}", rate_hz.unwrap_or_default()),
        Said::Audio(pcm) => format!("{} samples", pcm.len()),
        Said::AudioEnds { stop, is_cut: false } => format!("audio ends: {stop:?}"),
        Said::AudioEnds { stop, is_cut: true } => format!("cut audio ends: {stop:?}"),
        Said::ToolUse { use_id, name, arguments } => format!("tool {name} {use_id} {arguments}"),
        Said::Usage(totals) => format!("usage: {:?} out", totals.speech_out),
        Said::UserSpeechStarted => "user starts".to_owned(),
        Said::UserSpeechEnded => "user stops".to_owned(),
        Said::Interrupted => "interrupted".to_owned(),
        Said::CompletionStarted => "completion".to_owned(),
        Said::CompletionEnded => "completion ends".to_owned(),
        Said::Unknown => "unknown".to_owned(),
    }
}

fn user_starts() -> Event {
    ("userSpeechStart", json!({"inputAudioOffsetMs": 640}))
}

fn user_stops() -> Event {
    ("userSpeechEnd", json!({"inputAudioOffsetMs": 2560, "inputAudioDetectionOffsetMs": 3040}))
}

/// A text block begins: `stage` may be empty for one that was left out, and so may `role`.
fn begins(id: &str, role: &str, stage: &str) -> Event {
    let mut body = json!({"contentId": id, "type": "TEXT"});
    if !role.is_empty() {
        body["role"] = json!(role);
    }
    if !stage.is_empty() {
        body["additionalModelFields"] = json!(json!({"generationStage": stage}).to_string());
    }
    ("contentStart", body)
}

fn text(id: &str, content: &str) -> Event {
    ("textOutput", json!({"contentId": id, "content": content}))
}

fn text_of(role: &str, id: &str, content: &str) -> Event {
    ("textOutput", json!({"contentId": id, "content": content, "role": role}))
}

fn audio_begins(id: &str) -> Event {
    let format = json!({"sampleRateHertz": 24000});
    let body = json!({"contentId": id, "type": "AUDIO", "role": "ASSISTANT", "audioOutputConfiguration": format});
    ("contentStart", body)
}

fn audio(id: &str) -> Event {
    ("audioOutput", json!({"contentId": id, "content": "AAAAAAAA"}))
}

fn ends(id: &str, kind: &str, stop: &str) -> Event {
    ("contentEnd", json!({"contentId": id, "type": kind, "stopReason": stop}))
}

#[test]
fn a_simple_turn() {
    let usage = json!({"details": {"total": {"output": {"speechTokens": 9}}}});
    let events = [
        ("usageEvent", usage),
        user_starts(),
        ("completionStart", json!({"completionId": "k1"})),
        user_stops(),
        begins("u1", "USER", "FINAL"),
        text("u1", "what time "),
        text("u1", "do you open "),
        ends("u1", "TEXT", "PARTIAL_TURN"),
        begins("a1", "ASSISTANT", "SPECULATIVE"),
        text("a1", "We open at nine."),
        ends("a1", "TEXT", "PARTIAL_TURN"),
        audio_begins("s1"),
        audio("s1"),
        audio("s1"),
        ends("s1", "AUDIO", "PARTIAL_TURN"),
        begins("a2", "ASSISTANT", "SPECULATIVE"),
        text("a2", " Anything else?"),
        ends("a2", "TEXT", "PARTIAL_TURN"),
        audio_begins("s2"),
        audio("s2"),
        ends("s2", "AUDIO", "END_TURN"),
        begins("f1", "ASSISTANT", "FINAL"),
        text("f1", "We open at nine."),
        ends("f1", "TEXT", "END_TURN"),
        ("completionEnd", json!({"stopReason": "END_TURN"})),
    ];
    let expected = [
        "usage: Some(9) out",
        "user starts",
        "completion",
        "user stops",
        "user: what time do you open",
        "planned 2: We open at nine.",
        "audio at 24000",
        "3 samples",
        "3 samples",
        "audio ends: PartialTurn",
        "planned 4:  Anything else?",
        "audio at 24000",
        "3 samples",
        "audio ends: EndTurn",
        "spoken: We open at nine.",
        "completion ends",
    ];
    assert_eq!(said(&events), expected);
}

#[test]
fn an_interruption_with_every_signal() {
    let events = [
        audio_begins("s3"),
        audio("s3"),
        user_starts(),
        ends("s3", "AUDIO", "INTERRUPTED"),
        begins("x1", "ASSISTANT", "FINAL"),
        text("x1", r#"{ "interrupted" : true }"#),
        ends("x1", "TEXT", "INTERRUPTED"),
        user_stops(),
        begins("u2", "USER", "FINAL"),
        text("u2", "no, on Sunday"),
        ends("u2", "TEXT", "PARTIAL_TURN"),
        begins("a4", "ASSISTANT", "SPECULATIVE"),
        text("a4", "On Sunday we are closed."),
        begins("f3", "ASSISTANT", "FINAL"),
        text("f3", "We open at"),
        ends("f3", "TEXT", "END_TURN"),
    ];
    let expected = [
        "audio at 24000",
        "3 samples",
        "user starts",
        "audio ends: Interrupted",
        "interrupted",
        // The marker; that its block was interrupted is no news.
        "interrupted",
        "user stops",
        "user: no, on Sunday",
        "planned 4: On Sunday we are closed.",
        "spoken: We open at",
    ];
    assert_eq!(said(&events), expected);
}

#[test]
fn each_sign_of_an_interruption_is_enough() {
    let marker = r#"{"interrupted":true}"#;
    let rows: [(&str, &[Event]); 9] = [
        ("the end of audio", &[audio_begins("s"), ends("s", "AUDIO", "INTERRUPTED")]),
        ("the end of audio that did not begin", &[ends("s", "AUDIO", "INTERRUPTED")]),
        ("the end of what did not begin", &[ends("s", "", "INTERRUPTED")]),
        (
            "the end of a plan",
            &[begins("a", "ASSISTANT", "SPECULATIVE"), ends("a", "TEXT", "INTERRUPTED")],
        ),
        (
            "the end of a text",
            &[begins("a", "ASSISTANT", "FINAL"), ends("a", "TEXT", "INTERRUPTED")],
        ),
        (
            "a marker",
            &[begins("a", "ASSISTANT", "FINAL"), text("a", marker), ends("a", "TEXT", "END_TURN")],
        ),
        ("a marker in a plan", &[begins("a", "ASSISTANT", "SPECULATIVE"), text("a", marker)]),
        ("a marker of nobody", &[text("a", "\n{\n\"at\": 3, \"interrupted\"\t:true }\n")]),
        (
            "a marker in pieces",
            &[
                begins("a", "ASSISTANT", "FINAL"),
                text("a", r#"{"interr"#),
                text("a", r#"upted":true}"#),
                ends("a", "TEXT", "INTERRUPTED"),
            ],
        ),
    ];
    for (what, events) in rows {
        let said = said(events);
        assert_eq!(said.iter().filter(|it| *it == "interrupted").count(), 1, "{what}: {said:?}");
        assert!(!said.iter().any(|it| it.contains("true")), "{what}: {said:?}");
    }
}

#[test]
fn what_only_looks_like_an_interruption_is_none() {
    let marker = r#"{"interrupted":true}"#;
    let long_marker = format!("{}{marker}", " ".repeat(MARKER_BYTES_MAX));
    let rows: [(&str, &[Event]); 7] = [
        (
            "the user's words",
            &[begins("u", "USER", "FINAL"), text("u", marker), ends("u", "TEXT", "PARTIAL_TURN")],
        ),
        (
            "the end of the user's words",
            &[begins("u", "USER", "FINAL"), ends("u", "TEXT", "INTERRUPTED")],
        ),
        (
            "a tool",
            &[
                ("contentStart", json!({"contentId": "t", "type": "TOOL", "role": "TOOL"})),
                ends("t", "TOOL", "INTERRUPTED"),
            ],
        ),
        (
            "a text about it",
            &[text("a", "it says {\"interrupted\":true}"), ends("a", "TEXT", "END_TURN")],
        ),
        ("another truth", &[text("a", r#"{"interrupted":false}"#), ends("a", "TEXT", "END_TURN")]),
        ("something very long", &[text("a", &long_marker)]),
        ("an ordinary end", &[audio_begins("s"), ends("s", "AUDIO", "END_TURN")]),
    ];
    for (what, events) in rows {
        let said = said(events);
        assert!(!said.iter().any(|it| it == "interrupted"), "{what}: {said:?}");
    }
}

#[test]
fn a_tool_is_asked_for() {
    let use_tool = json!({
        "contentId": "t1", "toolName": "get_order", "toolUseId": "tu-9", "content": "{\"id\":\"17\"}",
    });
    let events = [
        user_starts(),
        user_stops(),
        begins("u1", "USER", "FINAL"),
        text("u1", "status of order 17"),
        ends("u1", "TEXT", "PARTIAL_TURN"),
        ("contentStart", json!({"contentId": "t1", "type": "TOOL", "role": "TOOL"})),
        ("toolUse", use_tool),
        ends("t1", "TOOL", "TOOL_USE"),
        begins("a1", "ASSISTANT", "SPECULATIVE"),
        text("a1", "It shipped yesterday."),
    ];
    let expected = [
        "user starts",
        "user stops",
        "user: status of order 17",
        r#"tool get_order tu-9 {"id":"17"}"#,
        "planned 3: It shipped yesterday.",
    ];
    assert_eq!(said(&events), expected);
}

#[test]
fn whose_text_it_is() {
    let rows = [
        ("USER", "FINAL", "", "user: words"),
        ("USER", "", "", "user: words"),
        // A user does not plan.
        ("USER", "SPECULATIVE", "", "user: words"),
        ("ASSISTANT", "FINAL", "", "spoken: words"),
        ("ASSISTANT", "", "", "spoken: words"),
        ("ASSISTANT", "SPECULATIVE", "", "planned 1: words"),
        ("", "SPECULATIVE", "", "planned 1: words"),
        ("", "FINAL", "", "spoken: words"),
        ("", "", "", "spoken: words"),
        ("", "FINAL", "USER", "user: words"),
        ("", "SPECULATIVE", "ASSISTANT", "planned 1: words"),
        ("NARRATOR", "", "USER", "user: words"),
        // The block's own role counts.
        ("USER", "FINAL", "ASSISTANT", "user: words"),
        ("SYSTEM", "FINAL", "", ""),
        ("TOOL", "FINAL", "", ""),
    ];
    for (role, stage, text_role, expected) in rows {
        let events = [
            begins("c", role, stage),
            text_of(text_role, "c", "words"),
            ends("c", "TEXT", "END_TURN"),
        ];
        assert_eq!(said(&events).concat(), expected, "{role} {stage} {text_role}");
    }
}

#[test]
fn blanks_are_not_said() {
    let rows = [("USER", "FINAL"), ("ASSISTANT", "FINAL"), ("ASSISTANT", "SPECULATIVE")];
    for (role, stage) in rows {
        let end = ends("c", "TEXT", "PARTIAL_TURN");
        let events = [begins("c", role, stage), text("c", ""), text("c", " \n"), end];
        assert_eq!(said(&events), [""; 0], "{role} {stage}");
    }
    assert_eq!(said(&[("audioOutput", json!({"contentId": "s"}))]), [""; 0]);
}

#[test]
fn what_was_not_announced_is_understood_where_it_can_be() {
    let rows: [(&str, &[Event], &[&str]); 6] = [
        ("audio", &[audio("s")], &["3 samples"]),
        ("the end of audio", &[ends("s", "AUDIO", "END_TURN")], &["audio ends: EndTurn"]),
        ("the user's text", &[text_of("USER", "u", "hi"), ends("u", "TEXT", "")], &["user: hi"]),
        ("a text of nobody", &[text("a", "hi"), ends("a", "TEXT", "")], &["spoken: hi"]),
        ("an end", &[ends("a", "TEXT", "PARTIAL_TURN")], &[]),
        (
            "audio behind its end",
            &[audio_begins("s"), ends("s", "", "END_TURN"), audio("s")],
            &["audio at 24000", "audio ends: EndTurn", "3 samples"],
        ),
    ];
    for (what, events, expected) in rows {
        assert_eq!(said(events), expected, "{what}");
    }
}

#[test]
fn without_ids_each_block_follows_the_last() {
    let events = [
        begins("", "USER", "FINAL"),
        text("", "hello"),
        ends("", "TEXT", "PARTIAL_TURN"),
        begins("", "ASSISTANT", "SPECULATIVE"),
        text("", "Good day."),
        audio_begins(""),
        audio(""),
        ends("", "AUDIO", "END_TURN"),
    ];
    let expected = [
        "user: hello",
        "planned 2: Good day.",
        "audio at 24000",
        "3 samples",
        "audio ends: EndTurn",
    ];
    assert_eq!(said(&events), expected);
}

#[test]
fn blocks_that_never_end_are_forgotten() {
    let mut contents = Contents::new();
    for id in 0..NOVA_CONTENTS_MAX + 10 {
        let id = id.to_string();
        said_of(&mut contents, &[begins(&id, "USER", "FINAL"), text(&id, "words")]);
        assert!(contents.open.len() <= NOVA_CONTENTS_MAX);
    }
    assert_eq!(contents.stats().forgotten, 10);
    assert_eq!(said_of(&mut contents, &[ends("9", "TEXT", "END_TURN")]), [""; 0]);
    assert_eq!(said_of(&mut contents, &[ends("10", "TEXT", "END_TURN")]), ["user: words"]);
}

#[test]
fn a_text_without_end_is_cut_off() {
    let mut contents = Contents::new();
    let piece = "日".repeat(NOVA_CONTENT_BYTES_MAX / 4);
    for (id, stage) in [("f", "FINAL"), ("p", "SPECULATIVE")] {
        let block = [begins(id, "ASSISTANT", stage), text(id, &piece), text(id, &piece)];
        let mut all = said_of(&mut contents, &block);
        all.extend(said_of(&mut contents, &[text(id, "more"), ends(id, "TEXT", "END_TURN")]));
        let bytes = all.concat().matches('日').count() * "日".len();
        let wanted = NOVA_CONTENT_BYTES_MAX - 3..=NOVA_CONTENT_BYTES_MAX;
        assert!(wanted.contains(&bytes), "{stage}: {bytes} bytes");
    }
    assert_eq!(contents.stats().clipped, 4);
}

#[test]
fn what_should_not_happen_is_counted() {
    let mut contents = Contents::new();
    let torn = json!({"contentId": "s", "content": "AAAA"});
    let events = [("audioOutput", torn), ("somethingNew", json!({})), ("somethingElse", json!({}))];
    assert_eq!(said_of(&mut contents, &events), ["1 samples", "unknown", "unknown"]);
    let expected = ContentStats { unknown: 2, forgotten: 0, clipped: 0, torn: 1 };
    assert_eq!(contents.stats(), expected);
}

#[test]
fn of_what_was_cut_only_the_end_is_told() {
    let mut contents = Contents::new();
    said_of(&mut contents, &[audio_begins("s1"), audio("s1")]);
    contents.cut();
    let later = [
        audio("s1"),
        audio_begins("s2"),
        audio("s2"),
        audio("s1"),
        ends("s1", "AUDIO", "END_TURN"),
        ends("s2", "AUDIO", "END_TURN"),
    ];
    let expected =
        ["audio at 24000", "2 samples", "cut audio ends: EndTurn", "audio ends: EndTurn"];
    assert_eq!(
        said_of(&mut contents, &later)[..],
        expected.map(|it| it.replace("2 samples", "3 samples"))
    );
}
