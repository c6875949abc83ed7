//! What the servers of an OpenAI-compatible API send, one event a line: read as what a language model and a
//! recogniser say, and its tool calls put together.
#![no_main]

use std::collections::BTreeSet;

use antiphon::cascade::chat::{ChatEvent, ToolCalls, read_error, read_event};
use antiphon::cascade::transcript;
use antiphon::limits::{
    MODEL_CALLS_MAX, MODEL_ERROR_CHARS_MAX, TOOL_ARGUMENTS_BYTES_MAX, TOOL_NAME_CHARS_MAX,
    TOOL_USE_ID_BYTES_MAX,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &[u8]| {
    let mut calls = ToolCalls::new(lines.len() as u32);
    for line in lines.split(|byte| *byte == b'\n') {
        let data = String::from_utf8_lossy(line);
        check_error(&read_error(&data));
        if let Some(text) = transcript::read(&data) {
            assert!(text.len() <= data.len() && text.trim() == text, "{text:?}");
        }
        match read_event(&data) {
            ChatEvent::Chunk(chunk) => {
                assert!(chunk.text.len() <= data.len(), "more text than was sent");
                for fragment in &chunk.calls {
                    assert!(fragment.id.as_ref().is_none_or(|id| !id.is_empty()));
                    assert!(fragment.name.as_ref().is_none_or(|name| !name.is_empty()));
                    calls.push(fragment);
                }
            }
            ChatEvent::Failed(message) => check_error(&message),
            ChatEvent::Done | ChatEvent::Malformed => {}
        }
    }
    check_calls(calls);
});

fn check_error(message: &str) {
    assert!(message.chars().count() <= MODEL_ERROR_CHARS_MAX, "{message:?}");
    assert!(!message.contains(char::is_control), "{message:?}");
}

fn check_calls(calls: ToolCalls) {
    let mut ids = BTreeSet::new();
    let (mut good, mut bytes) = (0, 0);
    let finished = calls.finish();
    assert!(finished.len() <= 2 * MODEL_CALLS_MAX);
    for call in finished {
        let (id, name) = match call {
            Ok(call) => {
                good += 1;
                // Those that were left out are written as `{}`.
                bytes += if call.arguments == "{}" { 0 } else { call.arguments.len() };
                assert!(!call.name.is_empty());
                (call.id, call.name)
            }
            Err(refused) => (refused.id, refused.name),
        };
        assert!(name.chars().count() <= TOOL_NAME_CHARS_MAX, "{name:?}");
        assert!((1..=TOOL_USE_ID_BYTES_MAX).contains(&id.len()), "{id:?}");
        assert!(ids.insert(id), "two calls of one id");
    }
    assert!(good <= MODEL_CALLS_MAX && bytes <= TOOL_ARGUMENTS_BYTES_MAX);
}
