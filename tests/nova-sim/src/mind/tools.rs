//! Which tool is meant, with which arguments; and what a result says.

use serde_json::{Map, Value, json};

use super::talk::words_of;
use super::{Call, ToolCard};

/// Words of a tool's name that tell nothing of what it is about.
const FILLERS: &[&str] = &["get", "set", "do", "fetch", "find", "the", "a", "my", "make", "tool"];
/// Parts of a result that are told; the rest is left out.
const TOLD_MAX: usize = 8;
/// Longest result that is told, in letters.
const TOLD_LETTERS_MAX: usize = 300;

/// The calls that a text asks for. Usually one at most; `in_parallel`: one for each tool that is
/// named as clearly as the clearest, and for each number where one tool is named.
pub(super) fn calls_for(text: &str, tools: &[ToolCard], in_parallel: bool) -> Vec<Call> {
    let words = words_of(text);
    let rated = tools.iter().map(|tool| (share_named(&tool.name, &words), tool));
    let rated: Vec<_> = rated.filter(|(share, _)| *share >= 0.5).collect();
    let Some(best) = rated.iter().map(|(share, _)| *share).reduce(f64::max) else {
        return Vec::new();
    };
    let named: Vec<_> = rated.into_iter().filter(|(share, _)| *share == best).collect();
    let numbers: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    let call = |tool: &ToolCard, numbers: &[&str]| Call {
        name: tool.name.clone(),
        arguments: arguments(&tool.schema, text, &words, numbers),
    };
    match named[..] {
        [(_, tool)] if in_parallel && numbers.len() > 1 => {
            numbers.iter().map(|number| call(tool, &[number])).collect()
        }
        [(_, tool), ..] if !in_parallel => vec![call(tool, &numbers)],
        _ => named.iter().map(|(_, tool)| call(tool, &numbers)).collect(),
    }
}

/// The question that a result wants to be asked before the action is done, if it wants one.
pub(super) fn question_in(result: &Value) -> Option<String> {
    let inner = result.get("result").filter(|inner| inner.is_object()).unwrap_or(result);
    let is_wanted = inner.get("confirmation").is_some()
        || inner.get("status").and_then(Value::as_str) == Some("confirmation_required");
    let keys = ["say", "question", "prompt", "message", "confirmation"];
    let question = keys.iter().find_map(|key| inner.get(key).and_then(Value::as_str));
    is_wanted.then(|| question.unwrap_or("Shall I do that?").to_owned())
}

/// A result in words; `Err` if it tells of an error.
pub(super) fn told(result: &Value) -> Result<String, String> {
    let is_error = result.get("error").is_some();
    let inner = result.get("error").or_else(|| result.get("result")).unwrap_or(result);
    let mut parts = Vec::new();
    flatten(inner, "", &mut parts);
    let told: String = parts.join(", ").chars().take(TOLD_LETTERS_MAX).collect();
    let told = if told.is_empty() { "nothing".to_owned() } else { told };
    if is_error { Err(told) } else { Ok(told) }
}

fn flatten(value: &Value, name: &str, parts: &mut Vec<String>) {
    if parts.len() >= TOLD_MAX {
        return;
    }
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                flatten(value, &key.replace('_', " "), parts);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| flatten(value, name, parts)),
        Value::String(text) => parts.push(format!("{name} {text}").trim().to_owned()),
        Value::Null => {}
        other => parts.push(format!("{name} {other}").trim().to_owned()),
    }
}

/// How much of a tool's name occurs in a text, from 0 to 1.
fn share_named(name: &str, words: &[String]) -> f64 {
    let parts = parts_of(name);
    let telling: Vec<_> = parts.iter().filter(|part| !FILLERS.contains(&part.as_str())).collect();
    let parts: Vec<_> = if telling.is_empty() { parts.iter().collect() } else { telling };
    let named = parts.iter().filter(|part| words.contains(part)).count();
    named as f64 / parts.len().max(1) as f64
}

/// `get_orderStatus` as `get`, `order`, `status`.
fn parts_of(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for letter in name.chars() {
        if letter.is_uppercase() || !letter.is_alphanumeric() {
            parts.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(part) = parts.last_mut()
        {
            part.extend(letter.to_lowercase());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Arguments that a schema asks for, as far as the text holds them.
fn arguments(schema: &Map<String, Value>, text: &str, words: &[String], numbers: &[&str]) -> Value {
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let required: Vec<&str> = match schema.get("required") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let mut numbers = numbers.iter().copied();
    let mut arguments = Map::new();
    for (name, property) in properties {
        let is_required = required.contains(&name.as_str());
        let value = argument(name, property, text, words, &mut numbers, is_required);
        if let Some(value) = value {
            arguments.insert(name.clone(), value);
        }
    }
    Value::Object(arguments)
}

/// One argument; `None` where the text holds none and none is required.
fn argument<'a>(
    name: &str,
    property: &Value,
    text: &str,
    words: &[String],
    numbers: &mut impl Iterator<Item = &'a str>,
    is_required: bool,
) -> Option<Value> {
    if let Some(Value::Array(choices)) = property.get("enum") {
        let is_named = |choice: &&Value| {
            choice.as_str().is_some_and(|choice| words.contains(&choice.to_lowercase()))
        };
        let named = choices.iter().find(is_named);
        return named.or_else(|| choices.first().filter(|_| is_required)).cloned();
    }
    let kind = match property.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str).unwrap_or("string"),
        _ => "string",
    };
    match kind {
        "integer" | "number" => match numbers.next().and_then(|number| number.parse().ok()) {
            Some(number) => Some(Value::Number(number)),
            None => is_required.then(|| Value::from(1)),
        },
        "boolean" => is_required.then(|| Value::from(!words.iter().any(|word| word == "not"))),
        "array" => is_required.then(|| json!([])),
        "object" => is_required.then(|| json!({})),
        _ => {
            let is_number = ["id", "number", "code", "order"]
                .iter()
                .any(|part| parts_of(name).iter().any(|known| known == part));
            match is_number.then(|| numbers.next()).flatten() {
                Some(number) => Some(Value::from(number)),
                None => is_required.then(|| Value::from(behind(name, text, words))),
            }
        }
    }
}

/// What is said behind the argument's name, as in `order seventeen`; all of it, where that is not named.
fn behind(name: &str, text: &str, words: &[String]) -> String {
    let named = words.iter().rposition(|word| parts_of(name).contains(word));
    let rest = named.map(|at| words[at + 1..].join(" ")).filter(|rest| !rest.is_empty());
    let whole = || text.trim_end_matches(['.', '?', '!', ' ']).to_owned();
    rest.unwrap_or_else(whole)
}
