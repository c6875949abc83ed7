use serde_json::json;

use super::*;

fn read(event: &Value) -> Result<ServerEvent, Malformed> {
    parse(json!({ "event": event }).to_string().as_bytes())
}

fn start(id: &str, kind: Kind) -> ServerEvent {
    let content_id = id.to_owned();
    ServerEvent::ContentStart { content_id, kind, role: None, stage: None, sample_rate_hz: None }
}

fn start_stage(fields: Value) -> Option<Stage> {
    match read(&json!({"contentStart": {"type": "TEXT", "additionalModelFields": fields}})) {
        Ok(ServerEvent::ContentStart { stage, .. }) => stage,
        other => panic!("{other:?}"),
    }
}

fn tool_use(name: &str, arguments: &str) -> ServerEvent {
    ServerEvent::ToolUse {
        content_id: "t1".to_owned(),
        use_id: "tu-9".to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    }
}

fn unknown_event(name: &str) -> ServerEvent {
    ServerEvent::Unknown { name: name.to_owned() }
}

/// One event of each kind as it was seen, and what is read.
fn documented() -> Vec<(Value, ServerEvent)> {
    let id = |id: &str| id.to_owned();
    vec![
        (
            json!({"completionStart": {"completionId": "k1", "promptName": "p", "sessionId": "s"}}),
            ServerEvent::CompletionStart,
        ),
        (
            json!({"userSpeechStart": {"inputAudioOffsetMs": 640, "promptName": "p", "sessionId": "s"}}),
            ServerEvent::UserSpeechStart { offset_ms: Some(640) },
        ),
        (
            json!({"userSpeechEnd": {"inputAudioDetectionOffsetMs": 3040, "inputAudioOffsetMs": 2560}}),
            ServerEvent::UserSpeechEnd { offset_ms: Some(2_560), detected_ms: Some(3_040) },
        ),
        (
            json!({"contentStart": {
                "additionalModelFields": "{\"generationStage\":\"SPECULATIVE\"}",
                "completionId": "k1", "contentId": "a1", "role": "ASSISTANT",
                "textOutputConfiguration": {"mediaType": "text/plain"}, "type": "TEXT",
            }}),
            ServerEvent::ContentStart {
                content_id: id("a1"),
                kind: Kind::Text,
                role: Some(Role::Assistant),
                stage: Some(Stage::Speculative),
                sample_rate_hz: None,
            },
        ),
        (
            json!({"contentStart": {
                "audioOutputConfiguration": {
                    "audioType": "SPEECH", "channelCount": 1, "encoding": "base64",
                    "mediaType": "audio/lpcm", "sampleRateHertz": 24000, "sampleSizeBits": 16,
                },
                "contentId": "s1", "role": "ASSISTANT", "type": "AUDIO",
            }}),
            ServerEvent::ContentStart {
                content_id: id("s1"),
                kind: Kind::Audio,
                role: Some(Role::Assistant),
                stage: None,
                sample_rate_hz: Some(24_000),
            },
        ),
        (
            json!({"textOutput": {"content": "what time do you open", "contentId": "u1", "role": "USER"}}),
            ServerEvent::TextOutput {
                content_id: id("u1"),
                text: id("what time do you open"),
                role: Some(Role::User),
            },
        ),
        (
            json!({"audioOutput": {"content": "AQD//wCA", "contentId": "s1"}}),
            ServerEvent::AudioOutput {
                content_id: id("s1"),
                pcm: vec![1, -1, i16::MIN],
                is_torn: false,
            },
        ),
        (
            json!({"toolUse": {
                "content": "{\"id\":\"17\"}", "contentId": "t1", "role": "TOOL",
                "toolName": "get_order", "toolUseId": "tu-9",
            }}),
            tool_use("get_order", r#"{"id":"17"}"#),
        ),
        (
            json!({"contentEnd": {"contentId": "s2", "stopReason": "END_TURN", "type": "AUDIO"}}),
            ServerEvent::ContentEnd {
                content_id: id("s2"),
                kind: Some(Kind::Audio),
                stop: Stop::EndTurn,
            },
        ),
        (
            json!({"usageEvent": {
                "details": {
                    "delta": {"input": {"speechTokens": 5, "textTokens": 0}},
                    "total": {
                        "input": {"speechTokens": 55, "textTokens": 310},
                        "output": {"speechTokens": 140, "textTokens": 24},
                    },
                },
                "totalInputTokens": 365, "totalOutputTokens": 164, "totalTokens": 529,
            }}),
            ServerEvent::Usage(Totals {
                speech_in: Some(55),
                text_in: Some(310),
                speech_out: Some(140),
                text_out: Some(24),
            }),
        ),
        (
            json!({"completionEnd": {"completionId": "k1", "stopReason": "END_TURN"}}),
            ServerEvent::CompletionEnd { stop: Stop::EndTurn },
        ),
    ]
}

#[test]
fn documented_events_are_read() {
    for (event, expected) in documented() {
        assert_eq!(read(&event), Ok(expected), "{event}");
    }
}

#[test]
fn events_that_are_not_known_are_named() {
    let long = "x".repeat(2 * NOVA_EVENT_NAME_CHARS_MAX);
    let rows = [
        (json!({"event": {"userSpeechPaused": {}}}), "userSpeechPaused"),
        (json!({"event": {"a\nb é": 3}}), "a?b??"),
        (json!({"event": {&long: {}}}), &long[..NOVA_EVENT_NAME_CHARS_MAX]),
        (json!({"event": {}}), ""),
        // Another shape of the envelope: the name is what stands in its place.
        (json!({"event": "textOutput"}), "event"),
        (json!({"metrics": {}}), "metrics"),
        (json!({}), ""),
        (json!([1]), ""),
        (json!("textOutput"), ""),
        (json!(null), ""),
    ];
    for (message, name) in rows {
        assert_eq!(parse(message.to_string().as_bytes()), Ok(unknown_event(name)), "{message}");
    }
}

#[test]
fn a_known_event_is_found_among_others() {
    let event = json!({"added": {}, "completionStart": {}, "tracing": {}});
    assert_eq!(read(&event), Ok(ServerEvent::CompletionStart));
}

#[test]
fn other_shapes_of_a_field_are_understood_where_they_can_be() {
    let offset =
        |value: Value| match read(&json!({"userSpeechStart": {"inputAudioOffsetMs": value}})) {
            Ok(ServerEvent::UserSpeechStart { offset_ms }) => offset_ms,
            other => panic!("{other:?}"),
        };
    let numbers = [
        (json!(0), Some(0)),
        (json!(640.9), Some(640)),
        (json!("640"), Some(640)),
        (json!(" 6.4e2 "), Some(640)),
        (json!(-1), None),
        (json!(1e300), None),
        (json!(u64::MAX), None),
        (json!("NaN"), None),
        (json!("inf"), None),
        (json!("soon"), None),
        (json!(true), None),
        (json!([640]), None),
        (Value::Null, None),
    ];
    for (value, expected) in numbers {
        assert_eq!(offset(value.clone()), expected, "{value}");
    }
    let encoded = json!("{\"generationStage\":\"FINAL\"}");
    let stages = [
        (json!({"generationStage": "FINAL"}), Some(Stage::Final)),
        (encoded.clone(), Some(Stage::Final)),
        (json!(encoded.to_string()), Some(Stage::Final)),
        (json!({"generationStage": "DRAFT"}), None),
        (json!({"generationStage": 2}), None),
        (json!("FINAL"), None),
        (json!(["FINAL"]), None),
        (Value::Null, None),
    ];
    for (fields, expected) in stages {
        assert_eq!(start_stage(fields.clone()), expected, "{fields}");
    }
    let starts = [
        (json!({"contentId": "c", "textOutputConfiguration": {}}), start("c", Kind::Text)),
        (json!({"contentId": "c", "audioOutputConfiguration": 3}), start("c", Kind::Audio)),
        (json!({"toolUseOutputConfiguration": {}}), start("", Kind::Tool)),
        (json!({"type": "VIDEO", "role": "NARRATOR"}), start("", Kind::Unknown)),
        (
            json!({"type": "AUDIO", "audioOutputConfiguration": {"sampleRateHertz": 1}}),
            start("", Kind::Audio),
        ),
        (json!("text"), start("", Kind::Unknown)),
    ];
    for (body, expected) in starts {
        assert_eq!(read(&json!({"contentStart": body})), Ok(expected), "{body}");
    }
    let arguments = [
        (json!("{\"id\":17}"), "{\"id\":17}"),
        (json!("\"{\\\"id\\\":17}\""), "\"{\\\"id\\\":17}\""),
        (json!({"id": 17}), "{\"id\":17}"),
        (json!("order 17"), "order 17"),
    ];
    for (content, expected) in arguments {
        let event = json!({"toolUse": {
            "contentId": "t1", "toolUseId": "tu-9", "toolName": "get_order", "content": content,
        }});
        assert_eq!(read(&event), Ok(tool_use("get_order", expected)), "{content}");
    }
    let event = json!({"toolUse": {"contentId": "t1", "toolUseId": "tu-9", "toolName": 3}});
    assert_eq!(read(&event), Ok(tool_use("", "")));
}

#[test]
fn audio_is_read_as_far_as_it_goes() {
    let rows = [
        ("", Ok((vec![], false))),
        ("AQA=", Ok((vec![1], false))),
        ("AQA", Ok((vec![1], false))),
        ("AQAC", Ok((vec![1], true))),
        ("AQ==", Ok((vec![], true))),
        ("A", Err(Malformed::Audio { bytes: 1 })),
        ("AQA= ", Err(Malformed::Audio { bytes: 5 })),
        ("<wav>", Err(Malformed::Audio { bytes: 5 })),
    ];
    for (content, expected) in rows {
        let read = read(&json!({"audioOutput": {"content": content}})).map(|event| match event {
            ServerEvent::AudioOutput { pcm, is_torn, .. } => (pcm, is_torn),
            other => panic!("{other:?}"),
        });
        assert_eq!(read, expected, "{content}");
    }
}

#[test]
fn what_cannot_be_used_is_refused_without_its_words() {
    let long_id = "é".repeat(NOVA_ID_BYTES_MAX);
    let too_large = vec![b' '; NOVA_EVENT_BYTES_MAX + 1];
    let deep = "[".repeat(100_000);
    let rows: [(&[u8], Malformed); 6] = [
        (&too_large, Malformed::TooLarge { bytes: NOVA_EVENT_BYTES_MAX + 1 }),
        (b"", Malformed::NotJson { bytes: 0 }),
        (b"\xff\xfe", Malformed::NotJson { bytes: 2 }),
        (b"{\"event\":{\"textOutput\"", Malformed::NotJson { bytes: 22 }),
        (deep.as_bytes(), Malformed::NotJson { bytes: 100_000 }),
        (b"{\"event\":{\"toolUse\":{}}}", Malformed::ToolUseId { bytes: 0 }),
    ];
    for (json, expected) in rows {
        assert_eq!(parse(json), Err(expected));
    }
    let event = json!({"toolUse": {"toolUseId": long_id}});
    assert_eq!(read(&event), Err(Malformed::ToolUseId { bytes: 2 * NOVA_ID_BYTES_MAX }));
    // Of an id that need not be repeated the beginning is enough.
    let event = json!({"contentEnd": {"contentId": format!("x{long_id}")}});
    match read(&event) {
        Ok(ServerEvent::ContentEnd { content_id, .. }) => {
            assert_eq!(content_id.len(), NOVA_ID_BYTES_MAX - 1, "cut between characters");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn any_field_may_be_anything() {
    let odd = [
        Value::Null,
        json!(false),
        json!(-7),
        json!(1e308),
        json!(""),
        json!("{\"event\":"),
        json!("long ".repeat(10_000)),
        json!([[[]]]),
        json!({"input": {"speechTokens": {}}}),
    ];
    for (event, expected) in documented() {
        let (name, body) = event.as_object().and_then(|it| it.iter().next()).expect("one event");
        let is_same_kind = |read: &Result<ServerEvent, Malformed>| match read {
            Ok(read) => std::mem::discriminant(read) == std::mem::discriminant(&expected),
            Err(problem) => {
                matches!(problem, Malformed::Audio { .. } | Malformed::ToolUseId { .. })
            }
        };
        for field in body.as_object().expect("fields").keys() {
            for value in odd.iter().map(Some).chain([None]) {
                let mut body = body.clone();
                match value {
                    Some(value) => body[field] = value.clone(),
                    None => drop(body.as_object_mut().expect("fields").remove(field)),
                }
                let read = read(&json!({ name: body }));
                assert!(is_same_kind(&read), "{name}.{field} = {value:?}: {read:?}");
            }
        }
    }
}
