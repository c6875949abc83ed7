use proptest::prelude::*;

use super::*;
use crate::cascade::context::ToolResult;
use crate::cascade::price::Tokens;
use crate::limits::{
    MODEL_CALLS_MAX, MODEL_ERROR_CHARS_MAX, TOOL_ARGUMENTS_BYTES_MAX, TOOL_NAME_CHARS_MAX,
    TOOL_USE_ID_BYTES_MAX,
};

fn chunk(text: &str) -> Chunk {
    Chunk { text: text.to_owned(), ..Chunk::default() }
}

fn fragment(index: Option<u64>, id: &str, name: &str, arguments: &str) -> CallFragment {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    CallFragment { index, id: some(id), name: some(name), arguments: arguments.to_owned() }
}

/// The finished calls, or their refusals, a line each.
fn finished(calls: ToolCalls) -> Vec<String> {
    let line = |call: Result<ToolCall, RefusedCall>| match call {
        Ok(ToolCall { id, name, arguments }) => format!("{id} {name} {arguments}"),
        Err(refused) => format!("{} {refused}", refused.id),
    };
    calls.finish().into_iter().map(line).collect()
}

#[test]
fn events_of_many_servers_are_read() {
    let usage = |prompt, completion, cached| {
        let usage = Some(Tokens { prompt, completion, cached });
        ChatEvent::Chunk(Chunk { usage, ..Chunk::default() })
    };
    let ended = |finish| ChatEvent::Chunk(Chunk { finish: Some(finish), ..Chunk::default() });
    let text = |text: &str| ChatEvent::Chunk(chunk(text));
    let failed = |message: &str| ChatEvent::Failed(message.to_owned());
    let rows = [
        (r#"{"choices":[{"delta":{"content":"Hi"}}]}"#, text("Hi")),
        (
            r#"{"choices":[{"delta":{"content":[{"text":"H"},{"thinking":[]},{"text":"i"}]}}]}"#,
            text("Hi"),
        ),
        (r#"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#, text("")),
        (
            r#"{"choices":[{"delta":{"content":null,"tool_calls":null,"function_call":null}}]}"#,
            text(""),
        ),
        (r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, ended(Finish::Stop)),
        (r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#, ended(Finish::Length)),
        (r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#, ended(Finish::ToolCalls)),
        (r#"{"choices":[{"finish_reason":"content_filter"}]}"#, ended(Finish::ContentFilter)),
        (r#"{"choices":[{"finish_reason":"eos"}]}"#, ended(Finish::Other)),
        (r#"{"choices":[{"delta":{"content":"x"},"finish_reason":null}]}"#, text("x")),
        (r#"{"choices":[{"delta":{"content":"x"},"finish_reason":7}]}"#, text("x")),
        (
            r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,
                "prompt_tokens_details":{"cached_tokens":4}}}"#,
            usage(5, 2, 4),
        ),
        (r#"{"usage":{"prompt_tokens":5,"prompt_cache_hit_tokens":3}}"#, usage(5, 0, 3)),
        (
            r#"{"choices":null,"usage":{"prompt_tokens":-5,"completion_tokens":"2"}}"#,
            usage(0, 0, 0),
        ),
        (r#"{"choices":[],"usage":null}"#, text("")),
        (r#"{"choices":[],"usage":[1]}"#, text("")),
        (
            r#"{"choices":[{"delta":{"reasoning_content":["hmm"],"reasoning":1}}],"error":null}"#,
            text(""),
        ),
        (r#"{"choices":[{"message":{"content":"All"},"index":0}]}"#, text("All")),
        ("{}", text("")),
        ("[DONE]", ChatEvent::Done),
        (" [DONE] ", ChatEvent::Done),
        (r#"{"error":{"message":"no such model"}}"#, failed("no such model")),
        (r#"{"error":"busy\nnow"}"#, failed("busy now")),
        (r#"{"error":{}}"#, failed("unknown error")),
        (r#"{"object":"error","message":"too long","code":400}"#, failed("too long")),
        ("{", ChatEvent::Malformed),
        ("", ChatEvent::Malformed),
        (r#"{"choices":3}"#, ChatEvent::Malformed),
        (r#"{"choices":[{"delta":{"content":3}}]}"#, ChatEvent::Malformed),
        (r#"{"choices":[{"delta":{"tool_calls":[{"id":7}]}}]}"#, ChatEvent::Malformed),
    ];
    for (data, expected) in rows {
        assert_eq!(read_event(data), expected, "{data}");
    }
    let long = format!(r#"{{"error":"{}"}}"#, "é".repeat(5_000));
    assert_eq!(read_event(&long), failed(&"é".repeat(MODEL_ERROR_CHARS_MAX)));
}

#[test]
fn errors_of_a_refusal_are_read() {
    let rows = [
        (r#"{"error":{"message":"no such\nmodel"}}"#, "no such model"),
        (r#"{"error":3}"#, "unknown error"),
        (r#"{"detail":"x"}"#, ""),
        ("<p>busy</p>", ""),
    ];
    for (body, expected) in rows {
        assert_eq!(read_error(body), expected, "{body}");
    }
}

#[test]
fn pieces_of_calls_are_read_in_every_form() {
    let rows = [
        (
            r#"{"delta":{"tool_calls":[{"index":1,"id":"a","type":"function",
                "function":{"name":"look","arguments":""}}]}}"#,
            vec![fragment(Some(1), "a", "look", "")],
        ),
        (
            r#"{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{\"x\""}}]}}"#,
            vec![fragment(Some(1), "", "", "{\"x\"")],
        ),
        (
            r#"{"delta":{"tool_calls":[{"id":"","function":{"name":"look","arguments":{"x":1}}}]}}"#,
            vec![fragment(None, "", "look", r#"{"x":1}"#)],
        ),
        (
            r#"{"message":{"tool_calls":[null,{"function":{"name":"a"}},{"function":{"name":"b"}},{}]}}"#,
            vec![
                fragment(Some(0), "", "a", ""),
                fragment(Some(1), "", "b", ""),
                fragment(Some(2), "", "", ""),
            ],
        ),
        (
            r#"{"delta":{"function_call":{"name":"look","arguments":null}}}"#,
            vec![fragment(None, "", "look", "")],
        ),
    ];
    for (choice, calls) in rows {
        let expected = ChatEvent::Chunk(Chunk { calls, ..Chunk::default() });
        assert_eq!(read_event(&format!(r#"{{"choices":[{choice}]}}"#)), expected, "{choice}");
    }
}

#[test]
fn calls_are_put_together_whatever_the_server_leaves_out() {
    let at = |index, id, name, arguments| fragment(Some(index), id, name, arguments);
    let none = |id, name, arguments| fragment(None, id, name, arguments);
    let rows = [
        // As the API says.
        (
            vec![
                at(0, "a", "look", ""),
                at(0, "", "", "{\"x\":"),
                at(1, "b", "find", "{"),
                at(0, "", "", "1}"),
                at(1, "", "", "}"),
            ],
            vec!["a look {\"x\":1}", "b find {}"],
        ),
        // Id and name again with every piece, with an index and without.
        (
            vec![at(0, "a", "look", "{\"x\":"), at(0, "a", "look", "1}"), at(0, "a", "look", "")],
            vec!["a look {\"x\":1}"],
        ),
        (vec![none("a", "look", "{"), none("a", "", "}")], vec!["a look {}"]),
        (
            vec![none("", "look", "{"), none("", "look", "}"), none("", "look", "")],
            vec!["call-5 look {}"],
        ),
        // Pieces without anything but arguments.
        (vec![none("a", "look", ""), none("", "", "{"), none("", "", "}")], vec!["a look {}"]),
        // Whole calls one after the other, all with the same index or with none.
        (
            vec![at(0, "a", "look", "{}"), at(0, "b", "look", "{}"), at(0, "c", "find", "{}")],
            vec!["a look {}", "b look {}", "c find {}"],
        ),
        (
            vec![
                at(0, "", "look", "{}"),
                at(0, "", "look", "{\"x\":\"}\"}"),
                at(0, "", "find", ""),
            ],
            vec!["call-5 look {}", "call-6 look {\"x\":\"}\"}", "call-7 find {}"],
        ),
        (
            vec![none("", "look", "{}"), none("", "look", "{}"), none("", "find", "[]")],
            vec!["call-5 look {}", "call-6 look {}", "call-7 find []"],
        ),
        (vec![none("a", "look", "{}"), none("b", "look", "{}")], vec!["a look {}", "b look {}"]),
        // Pieces of two calls in turn, told apart by their ids alone.
        (
            vec![
                none("a", "look", "{"),
                none("b", "find", "["),
                none("a", "", "}"),
                none("b", "", "]"),
            ],
            vec!["a look {}", "b find []"],
        ),
        // The whole call once more at its end.
        (vec![at(0, "a", "look", "{}"), at(0, "a", "look", "{}")], vec!["a look {}"]),
        // One id for all, and one that looks like ours.
        (
            vec![at(0, "a", "look", "{}"), at(1, "a", "look", "{}"), at(2, "call-5", "find", "{}")],
            vec!["a look {}", "call-6 look {}", "call-5 find {}"],
        ),
        // An id that comes late.
        (vec![at(0, "", "look", ""), at(0, "a", "", "{}")], vec!["a look {}"]),
        // What never had a name.
        (
            vec![none("", "", "{}"), at(3, "a", "look", " ")],
            vec!["call-5 tool call ``: name: is required but missing", "a look {}"],
        ),
    ];
    for (fragments, expected) in rows {
        let mut calls = ToolCalls::new(5);
        assert!(calls.is_empty());
        fragments.iter().for_each(|fragment| calls.push(fragment));
        assert!(!calls.is_empty());
        assert_eq!(finished(calls), expected, "{fragments:?}");
    }
}

#[test]
fn calls_beyond_a_limit_are_refused_by_name() {
    let mut calls = ToolCalls::new(0);
    for n in 0..3 * MODEL_CALLS_MAX as u64 {
        calls.push(&fragment(Some(n), "", &format!("tool{n}"), "{}"));
        calls.push(&fragment(Some(n), "", "", " "));
    }
    let lines = finished(calls);
    assert_eq!(lines.len(), 2 * MODEL_CALLS_MAX);
    assert_eq!(lines[15], "call-15 tool15 {} ");
    let refused =
        "call-16 tool call `tool16`: expected at most 16 calls in one answer, received more";
    assert_eq!(lines[16], refused);

    let mut calls = ToolCalls::new(0);
    let half = "x".repeat(TOOL_ARGUMENTS_BYTES_MAX / 2);
    calls.push(&fragment(Some(0), "a", "short", &half));
    calls.push(&fragment(Some(1), "b", "long", &half));
    calls.push(&fragment(Some(1), "", "", "x"));
    calls.push(&fragment(Some(1), "", "", "x"));
    calls.push(&fragment(Some(2), "c", "next", &half));
    let results: Vec<_> = calls.finish();
    let faults = results.iter().map(|result| result.as_ref().err().map(|refused| refused.fault));
    assert_eq!(faults.collect::<Vec<_>>(), [None, Some(CallFault::LongArguments), None]);

    let mut calls = ToolCalls::new(0);
    let (id, name) = ("é".repeat(TOOL_USE_ID_BYTES_MAX), "é".repeat(TOOL_NAME_CHARS_MAX + 1));
    calls.push(&fragment(None, &id, "look", "{"));
    calls.push(&fragment(None, &id, "", "}"));
    calls.push(&fragment(None, "b", &name, "{}"));
    let expected = [
        "call-0 tool call `look`: id: expected at most 256 bytes, received more".to_owned(),
        format!(
            "b tool call `{}`: name: expected at most 64 characters, received more",
            "é".repeat(64)
        ),
    ];
    assert_eq!(finished(calls), expected);
}

#[test]
fn a_request_is_what_servers_expect() {
    let call = ToolCall { id: "a".into(), name: "look".into(), arguments: "{\"x\":1}".into() };
    let result = ToolResult { id: "a".into(), text: "{}".into() };
    let prompt = Prompt {
        system: "Be brief.".to_owned(),
        messages: vec![
            Turn::User("hello".to_owned()),
            Turn::Assistant { text: String::new(), calls: vec![call.clone()] },
            Turn::Results(vec![result]),
            Turn::Assistant { text: "Yes.".to_owned(), calls: Vec::new() },
            Turn::Reminder("Stay brief.".to_owned()),
            Turn::User("more".to_owned()),
        ],
    };
    let tool = |name: &str, can_be_strict| ToolDeclaration {
        name: name.to_owned(),
        description: "Looks.".to_owned(),
        schema: json!({ "type": "object" }),
        can_be_strict,
    };
    let settings = ChatSettings {
        tokens_max: 7,
        tokens_field: TokensField::MaxCompletionTokens,
        temperature: Some(0.7),
        include_usage: true,
        strict_tools: true,
    };
    let function = json!({
        "name": "look", "description": "Looks.", "parameters": { "type": "object" },
    });
    let mut strict = function.clone();
    strict["strict"] = json!(true);
    let expected = json!({
        "model": "small", "stream": true, "stream_options": { "include_usage": true },
        "max_completion_tokens": 7, "temperature": 0.7,
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "hello" },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "a", "type": "function",
                  "function": { "name": "look", "arguments": "{\"x\":1}" } },
            ] },
            { "role": "tool", "tool_call_id": "a", "content": "{}" },
            { "role": "assistant", "content": "Yes." },
            { "role": "system", "content": "Stay brief." },
            { "role": "user", "content": "more" },
        ],
        "tools": [
            { "type": "function", "function": function },
            { "type": "function", "function": strict },
        ],
    });
    let tools = [tool("look", false), tool("look", true)];
    assert_eq!(request(&prompt, "small", &settings, &tools), expected);

    let spoken = Turn::Assistant { text: "Let me look.".to_owned(), calls: vec![call] };
    let prompt = Prompt { system: String::new(), messages: vec![spoken] };
    let settings = ChatSettings { include_usage: false, ..ChatSettings::default() };
    let body = request(&prompt, "small", &settings, &tools);
    assert_eq!(body["tools"][1]["function"].get("strict"), None, "it was not asked for");
    let body = request(&prompt, "small", &settings, &[]);
    assert_eq!(body["messages"][0]["content"], "Let me look.");
    let keys: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["max_tokens", "messages", "model", "stream"]);
}

proptest! {
    #[test]
    fn any_pieces_give_calls_within_the_limits(
        pieces in prop::collection::vec(
            (prop::option::of(0_u64..40), "[ab]{0,2}", "[ab]{0,2}", "[{}\"x]{0,4}", 0_u8..16),
            0..80,
        ),
        first in any::<u32>(),
    ) {
        let mut calls = ToolCalls::new(first);
        for (index, id, name, arguments, long) in &pieces {
            // Now and then one of the three is too long.
            let stretched = |text: &str, at: u8, times| text.repeat(if *long == at { times } else { 1 });
            let (id, name) = (stretched(id, 1, 200), stretched(name, 2, 50));
            calls.push(&fragment(*index, &id, &name, &stretched(arguments, 3, 10_000)));
        }
        let finished = calls.finish();
        let good: Vec<&ToolCall> = finished.iter().flatten().collect();
        prop_assert!(good.len() <= MODEL_CALLS_MAX && finished.len() <= 2 * MODEL_CALLS_MAX);
        let written = good.iter().filter(|call| call.arguments != "{}");
        prop_assert!(written.map(|call| call.arguments.len()).sum::<usize>() <= TOOL_ARGUMENTS_BYTES_MAX);
        let id = |call: &Result<ToolCall, RefusedCall>| match call {
            Ok(call) => call.id.clone(),
            Err(refused) => refused.id.clone(),
        };
        let ids: Vec<String> = finished.iter().map(id).collect();
        let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
        prop_assert_eq!(distinct.len(), ids.len());
        for call in good {
            prop_assert!((1..=TOOL_USE_ID_BYTES_MAX).contains(&call.id.len()));
            prop_assert!((1..=TOOL_NAME_CHARS_MAX).contains(&call.name.chars().count()));
        }
    }
}

#[test]
fn that_a_model_reasons_is_told_and_not_what() {
    let rows = [
        (r#"{"choices":[{"delta":{"content":"","reasoning_content":"Hm"}}]}"#, true),
        (r#"{"choices":[{"delta":{"content":null,"reasoning":"Hm"}}]}"#, true),
        (r#"{"choices":[{"delta":{"content":null,"reasoning":""}}]}"#, false),
        (r#"{"choices":[{"delta":{"reasoning_content":null}}]}"#, false),
        (r#"{"choices":[{"delta":{"reasoning":{"effort":"low"}}}]}"#, false),
    ];
    for (data, is_reasoning) in rows {
        let expected = Chunk { is_reasoning, ..Chunk::default() };
        assert_eq!(read_event(data), ChatEvent::Chunk(expected), "{data}");
    }
}
