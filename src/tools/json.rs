//! JSON from outside, bounded before it is read.

use serde_json::Value;

/// Why a text was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum JsonError {
    #[error("expected at most {max} bytes, received {received}")]
    TooLarge { max: usize, received: usize },
    #[error("expected at most {max} levels of lists and objects within each other, received more")]
    TooDeep { max: usize },
    #[error("expected JSON, received something else: {problem}")]
    Malformed { problem: String },
}

/// Reads a text of at most `bytes_max` bytes and `depth_max` levels.
pub(super) fn read(text: &str, bytes_max: usize, depth_max: usize) -> Result<Value, JsonError> {
    if text.len() > bytes_max {
        return Err(JsonError::TooLarge { max: bytes_max, received: text.len() });
    }
    if depth_of_text(text) > depth_max {
        return Err(JsonError::TooDeep { max: depth_max });
    }
    // The parser's messages say where and what, never a word of the text.
    serde_json::from_str(text).map_err(|error| JsonError::Malformed { problem: error.to_string() })
}

/// The most brackets that are open at once outside of strings: the depth of what is JSON, and a bound of
/// the work on what is not.
fn depth_of_text(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Whether lists and objects lie within each other at most so deep. A scalar is zero levels deep.
pub(super) fn is_within(value: &Value, depth_max: usize) -> bool {
    match value {
        Value::Array(items) => {
            depth_max > 0 && items.iter().all(|item| is_within(item, depth_max - 1))
        }
        Value::Object(entries) => {
            depth_max > 0 && entries.values().all(|entry| is_within(entry, depth_max - 1))
        }
        _ => true,
    }
}

/// What a value is, in an error.
pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The first `chars_max` characters of a text from outside, on one line.
pub(super) fn clip(text: &str, chars_max: usize) -> String {
    let mut clipped: String =
        text.chars().take(chars_max).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(chars_max).is_some() {
        clipped.pop();
        clipped.push('…');
    }
    clipped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn depth_is_counted_outside_of_strings_only() {
        let rows = [
            ("1", 0),
            (r#""[[[[""#, 0),
            (r#"{"a\"[[": [1]}"#, 2),
            (r#"{"a\\": [1]}"#, 2),
            ("[[],[[]]]", 3),
            ("]]][", 1),
        ];
        for (text, depth) in rows {
            assert_eq!(depth_of_text(text), depth, "{text}");
        }
        let nested = json!({ "a": [{}] });
        assert!(is_within(&nested, 3) && !is_within(&nested, 2));
        assert!(is_within(&json!(1), 0) && !is_within(&json!([]), 0));
    }

    #[test]
    fn limits_are_named_before_anything_is_parsed() {
        let deep = "[".repeat(10_000);
        assert_eq!(read(&deep, 20_000, 32), Err(JsonError::TooDeep { max: 32 }));
        assert_eq!(read("[1, 2]", 5, 32), Err(JsonError::TooLarge { max: 5, received: 6 }));
        assert_eq!(read("[[1]]", 5, 2), Ok(json!([[1]])));
        let problem = read("{hunter2}", 100, 2).expect_err("it is no JSON").to_string();
        assert!(problem.contains("expected JSON") && !problem.contains("hunter2"), "{problem}");
    }

    #[test]
    fn clipped_text_has_the_length_that_was_asked_for() {
        assert_eq!(clip("añb", 3), "añb");
        assert_eq!(clip("a\nbcd", 3), "a …");
    }
}
