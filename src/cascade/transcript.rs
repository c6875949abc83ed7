//! What a server of an OpenAI-compatible `/audio/transcriptions` answers.

use serde_json::Value;

/// The text of an answer: `{"text": ...}` from a server that keeps to the API, or any text from one that does
/// not. `None`: it is no transcript.
pub fn read(body: &str) -> Option<String> {
    match serde_json::from_str::<Value>(body) {
        Ok(Value::Object(answer)) => Some(answer.get("text")?.as_str()?.trim().to_owned()),
        Ok(_) => None,
        Err(_) if body.trim_start().starts_with(['{', '[', '<']) => None,
        Err(_) => Some(body.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transcripts_are_read_from_servers_that_keep_to_the_api_and_from_others() {
        let rows = [
            (r#"{"text":" Hi. ","duration":1.5}"#, Some("Hi.")),
            (r#"{"text":""}"#, Some("")),
            ("Hi.\n", Some("Hi.")),
            ("", Some("")),
            (r#"{"text":3}"#, None),
            (r#"["Hi."]"#, None),
            ("{", None),
            ("<!doctype html>", None),
            ("\"Hi.\"", None),
        ];
        for (body, expected) in rows {
            assert_eq!(read(body).as_deref(), expected, "{body:?}");
        }
    }
}
