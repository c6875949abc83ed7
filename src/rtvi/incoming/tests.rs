use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

/// What a message gives, or the reply that refuses it.
fn check(message: &str, expect: &Expect) {
    let found = match parse(message) {
        Ok(incoming) => format!("{incoming:?}"),
        Err(refusal) => format!("{refusal}\n{}", refusal.reply()),
    };
    expect.assert_eq(&found);
}

fn rtvi(kind: &str, data: &str) -> String {
    format!(r#"{{"label":"rtvi-ai","type":"{kind}","id":"a1","data":{data}}}"#)
}

#[test]
fn a_client_says_that_it_is_ready_and_alive() {
    check(
        &rtvi("client-ready", r#"{"version":"2.1.0","about":{"library":"x"}}"#),
        &expect![[r#"ClientReady { id: "a1", version: "2.1.0" }"#]],
    );
    check(
        r#"{"label":"rtvi-ai","type":"client-ready"}"#,
        &expect![[r#"ClientReady { id: "", version: "" }"#]],
    );
    check("ping: 1700000000000", &expect!["Ping"]);
}

#[test]
fn a_track_status_of_the_microphone_is_a_mute() {
    let status = |index: u32, enabled: bool| {
        format!(
            r#"{{"type":"signalling","message":{{"type":"trackStatus","receiver_index":{index},"enabled":{enabled}}}}}"#
        )
    };
    check(
        &status(0, false),
        &expect!["Commands { commands: [Mute { muted: true }], reply: None }"],
    );
    check(
        &status(0, true),
        &expect!["Commands { commands: [Mute { muted: false }], reply: None }"],
    );
    check(&status(1, true), &expect!["Nothing"]);
    check(r#"{"type":"signalling"}"#, &expect!["Nothing"]);
}

#[test]
fn text_interrupts_unless_told_to_wait() {
    check(
        &rtvi("send-text", r#"{"content":"hello"}"#),
        &expect![[
            r#"Commands { commands: [Text { text: "hello", interrupt: true }], reply: None }"#
        ]],
    );
    check(
        &rtvi("send-text", r#"{"content":"hello","options":{"run_immediately":false}}"#),
        &expect![[
            r#"Commands { commands: [Text { text: "hello", interrupt: false }], reply: None }"#
        ]],
    );
}

#[test]
fn a_client_message_is_a_command_and_is_answered_except_for_playout() {
    check(
        &rtvi("client-message", r#"{"t":"mute","d":{"muted":true}}"#),
        &expect![[
            r#"Commands { commands: [Mute { muted: true }], reply: Some("{\"label\":\"rtvi-ai\",\"id\":\"a1\",\"type\":\"server-response\",\"data\":{\"t\":\"mute\",\"d\":{}}}") }"#
        ]],
    );
    check(
        &rtvi("client-message", r#"{"t":"text","d":{"text":"hi","interrupt":false}}"#),
        &expect![[
            r#"Commands { commands: [Text { text: "hi", interrupt: false }], reply: Some("{\"label\":\"rtvi-ai\",\"id\":\"a1\",\"type\":\"server-response\",\"data\":{\"t\":\"text\",\"d\":{}}}") }"#
        ]],
    );
    check(
        &rtvi("client-message", r#"{"t":"playout","d":{"generation":3,"played_ms":240.5}}"#),
        &expect![
            "Commands { commands: [Playout(Playout { generation: Generation(3), played: 240.5ms })], reply: None }"
        ],
    );
}

#[test]
fn keys_tool_results_and_good_byes_are_commands() {
    check(
        &rtvi("dtmf", r##"{"buttons":["1","#","a"]}"##),
        &expect![
            "Commands { commands: [Dtmf { key: '1' }, Dtmf { key: '#' }, Dtmf { key: 'A' }], reply: None }"
        ],
    );
    check(
        &rtvi("dtmf", r#"{"button":"*"}"#),
        &expect!["Commands { commands: [Dtmf { key: '*' }], reply: None }"],
    );
    check(
        &rtvi(
            "llm-function-call-result",
            r#"{"function_name":"f","tool_call_id":"c7","arguments":{},"result":{"ok":[1,2]}}"#,
        ),
        &expect![[
            r#"Commands { commands: [ToolResult { call_id: "c7", result: "{\"ok\":[1,2]}" }], reply: None }"#
        ]],
    );
    check(
        &rtvi("disconnect-bot", "{}"),
        &expect!["Commands { commands: [Disconnect], reply: None }"],
    );
}

#[test]
fn what_is_not_understood_is_refused_under_its_own_id() {
    check(
        &rtvi("raw-audio", "{}"),
        &expect![[r#"
            a message of an unsupported type
            {"label":"rtvi-ai","id":"a1","type":"error-response","data":{"error":"Unsupported type raw-audio"}}"#]],
    );
    check(
        &rtvi("client-message", r#"{"t":"dance"}"#),
        &expect![[r#"
            a message of an unsupported type
            {"label":"rtvi-ai","id":"a1","type":"error-response","data":{"error":"Unsupported type client-message dance"}}"#]],
    );
    check(
        &rtvi("send-text", r#"{"text":"secret"}"#),
        &expect![[r#"
            a `send-text` message with invalid data
            {"label":"rtvi-ai","id":"a1","type":"error-response","data":{"error":"send-text: missing field `content`"}}"#]],
    );
    check(
        &rtvi("send-text", r#"{"content":"  "}"#),
        &expect![[r#"
            a `send-text` message with invalid data
            {"label":"rtvi-ai","id":"a1","type":"error-response","data":{"error":"send-text: the text is empty"}}"#]],
    );
    check(
        &rtvi("dtmf", r#"{"buttons":["12"]}"#),
        &expect![[r#"
            a `dtmf` message with invalid data
            {"label":"rtvi-ai","id":"a1","type":"error-response","data":{"error":"dtmf: a button is none of 0-9, *, #, A-D"}}"#]],
    );
    check(
        &rtvi("client-message", r#"{"t":"playout","d":{"generation":1,"played_ms":-1}}"#),
        &expect![[r#"
            a `playout` message with invalid data
            {"label":"rtvi-ai","id":"a1","type":"error-response","data":{"error":"playout: played_ms is not a duration"}}"#]],
    );
}

#[test]
fn what_is_not_rtvi_is_refused_without_an_id() {
    let not_rtvi = expect![[r#"
        a message that is neither JSON with `type` and the label `rtvi-ai` nor a ping
        {"label":"rtvi-ai","type":"error","data":{"error":"a message that is neither JSON with `type` and the label `rtvi-ai` nor a ping","message":"a message that is neither JSON with `type` and the label `rtvi-ai` nor a ping","fatal":false}}"#]];
    for message in ["", "hello", "[]", "{}", r#"{"type":"send-text"}"#, r#"{"label":"rtvi-ai"}"#] {
        check(message, &not_rtvi);
    }
    check(
        r#"{"label":"rtvi-ai","type":"send-text","id":7}"#,
        &expect![[r#"
            a message whose `id` is not a text of at most 64 characters
            {"label":"rtvi-ai","type":"error","data":{"error":"a message whose `id` is not a text of at most 64 characters","message":"a message whose `id` is not a text of at most 64 characters","fatal":false}}"#]],
    );
}

#[test]
fn every_limit_is_met_exactly() {
    let text =
        |length: usize| rtvi("send-text", &format!(r#"{{"content":"{}"}}"#, "é".repeat(length)));
    assert!(parse(&text(USER_TEXT_CHARS_MAX)).is_ok());
    assert!(matches!(parse(&text(USER_TEXT_CHARS_MAX + 1)), Err(Refusal::Invalid { .. })));

    let keys = |count: usize| rtvi("dtmf", &format!(r#"{{"buttons":{:?}}}"#, vec!["5"; count]));
    assert!(parse(&keys(DTMF_KEYS_MAX)).is_ok());
    assert!(matches!(parse(&keys(DTMF_KEYS_MAX + 1)), Err(Refusal::Invalid { .. })));
    assert!(matches!(parse(&keys(0)), Err(Refusal::Invalid { .. })));

    let id = |length: usize| {
        format!(r#"{{"label":"rtvi-ai","type":"client-ready","id":"{}"}}"#, "i".repeat(length))
    };
    assert!(parse(&id(MESSAGE_ID_CHARS_MAX)).is_ok());
    assert_eq!(parse(&id(MESSAGE_ID_CHARS_MAX + 1)), Err(Refusal::BadId));

    let bytes = |length: usize| format!("ping{}", " ".repeat(length - 4));
    assert!(parse(&bytes(DATA_MESSAGE_BYTES_MAX)).is_ok());
    assert!(matches!(parse(&bytes(DATA_MESSAGE_BYTES_MAX + 1)), Err(Refusal::TooLong { .. })));
}

/// JSON that is nearly a message: known keys and types over arbitrary values.
fn nearly_rtvi() -> impl Strategy<Value = String> {
    let kind = prop_oneof![
        Just("client-ready"),
        Just("send-text"),
        Just("dtmf"),
        Just("client-message"),
        Just("llm-function-call-result"),
        Just("disconnect-bot"),
        Just("signalling"),
        Just("?"),
    ];
    let value = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-1e999".to_owned()),
        Just("1e308".to_owned()),
        Just(r#""1""#.to_owned()),
        Just(r#"["1"]"#.to_owned()),
        Just("[".repeat(200)),
        "[0-9a-z\"{}:,\\[\\]]{0,30}",
    ];
    let key = prop_oneof![
        Just("content"),
        Just("options"),
        Just("buttons"),
        Just("t"),
        Just("d"),
        Just("version"),
        Just("tool_call_id"),
        Just("result"),
        Just("type"),
        Just("receiver_index"),
    ];
    (kind, proptest::collection::vec((key, value), 0..4)).prop_map(|(kind, fields)| {
        let data: Vec<String> = fields.iter().map(|(key, value)| format!(r#""{key}":{value}"#)).collect();
        let data = data.join(",");
        format!(
            r#"{{"label":"rtvi-ai","type":"{kind}","id":"a1","data":{{{data}}},"message":{{{data}}}}}"#
        )
    })
}

proptest! {
    #[test]
    fn any_text_gives_a_value_and_a_refusal_gives_a_bounded_json_reply(
        message in prop_oneof![".*", nearly_rtvi()],
    ) {
        if let Err(refusal) = parse(&message) {
            let reply = refusal.reply();
            prop_assert!(reply.len() <= DATA_MESSAGE_BYTES_MAX);
            prop_assert!(serde_json::from_str::<Value>(&reply).is_ok());
        }
    }
}
