//! An event as it may stand in a log: what it is and what it is about, without a word or sound of anybody.

use std::fmt::Write;

use serde_json::Value;

use crate::limits::NOVA_OUTLINE_CHARS_MAX;

/// Members whose values are names, numbers or reasons of the protocol.
const SHOWN: [&str; 9] = [
    "type",
    "role",
    "interactive",
    "stopReason",
    "inputAudioOffsetMs",
    "inputAudioDetectionOffsetMs",
    "additionalModelFields",
    "totalInputTokens",
    "totalOutputTokens",
];

/// One line about an event of either direction. Texts and audio are told by their length in bytes.
pub fn outline(json: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<Value>(json) else {
        return format!("not JSON, {} bytes", json.len());
    };
    let event = value.get("event").and_then(Value::as_object).and_then(|event| event.iter().next());
    let Some((name, body)) = event else { return format!("no event, {} bytes", json.len()) };
    let mut line = name.clone();
    for member in SHOWN {
        if let Some(value) = body.get(member).filter(|value| !value.is_object()) {
            // Writing to a string cannot fail.
            let _ = write!(line, " {member}={value}");
        }
    }
    if let Some(content) = body.get("content").and_then(Value::as_str) {
        let _ = write!(line, " content={} bytes", content.len());
    }
    line.chars().filter(|letter| !letter.is_control()).take(NOVA_OUTLINE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_tells_what_it_is_and_not_what_was_said() {
        let rows = [
            (
                r#"{"event":{"userSpeechStart":{"inputAudioOffsetMs":640}}}"#,
                "userSpeechStart inputAudioOffsetMs=640",
            ),
            (
                r#"{"event":{"textOutput":{"contentId":"a","role":"USER","content":"my secret"}}}"#,
                "textOutput role=\"USER\" content=9 bytes",
            ),
            (
                r#"{"event":{"contentEnd":{"type":"AUDIO","stopReason":"END_TURN"}}}"#,
                "contentEnd type=\"AUDIO\" stopReason=\"END_TURN\"",
            ),
            (
                r#"{"event":{"toolUse":{"toolName":"x","content":"{\"card\":1}"}}}"#,
                "toolUse content=10 bytes",
            ),
            ("nothing", "not JSON, 7 bytes"),
            ("[1]", "no event, 3 bytes"),
        ];
        for (json, expected) in rows {
            assert_eq!(outline(json.as_bytes()), expected);
        }
    }
}
