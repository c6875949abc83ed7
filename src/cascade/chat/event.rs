//! One event of an answer, or the whole answer of a server that does not stream.

use serde::Deserialize;
use serde_json::Value;

use crate::cascade::price::Tokens;
use crate::limits::MODEL_ERROR_CHARS_MAX;

/// What one event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatEvent {
    /// More of the answer; an empty one for events that hold none, such as a role.
    Chunk(Chunk),
    /// The answer is complete.
    Done,
    /// The server says what went wrong: at most [`MODEL_ERROR_CHARS_MAX`] characters on one line.
    Failed(String),
    /// It is none of the protocol's.
    Malformed,
}

/// A piece of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// Text to be spoken, as it is: white space at its ends belongs to it.
    pub text: String,
    /// Pieces of tool calls, for [`ToolCalls`](super::ToolCalls).
    pub calls: Vec<CallFragment>,
    /// The model reasons, of which nothing is kept: a sign of life before the first text.
    pub is_reasoning: bool,
    /// Why the model stopped, once it has.
    pub finish: Option<Finish>,
    /// What the answer used so far. Usually told once, at the end; a later one replaces it.
    pub usage: Option<Tokens>,
}

/// A piece of a tool call. Nothing in it is certain to be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFragment {
    /// Which call of the answer it belongs to.
    pub index: Option<u64>,
    /// The call's id. Never empty.
    pub id: Option<String>,
    /// The tool's name. Never empty.
    pub name: Option<String>,
    /// The next piece of the arguments' JSON text.
    pub arguments: String,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It had said everything, or calls tools at a server that says so with this too.
    Stop,
    /// The answer's tokens were used up.
    Length,
    /// It calls tools.
    ToolCalls,
    /// The server's filter held the rest back.
    ContentFilter,
    /// A reason that is not known.
    Other,
}

#[derive(Deserialize)]
struct Event {
    choices: Option<Vec<Choice>>,
    error: Option<Value>,
    /// `error` in the events of some servers, whose `message` says the rest.
    object: Option<Value>,
    message: Option<Value>,
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    /// In a stream.
    delta: Option<Content>,
    /// From a server that does not stream.
    message: Option<Content>,
    finish_reason: Option<Value>,
}

#[derive(Deserialize)]
struct Content {
    content: Option<Text>,
    tool_calls: Option<Vec<Option<Call>>>,
    function_call: Option<Function>,
    /// A model's reasoning, as DeepSeek's API and vLLM send it.
    reasoning_content: Option<Value>,
    /// The same, as OpenRouter and Ollama do.
    reasoning: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Whole(String),
    Parts(Vec<Part>),
}

/// One part of a content; those that are not text, such as a model's reasoning, are left out.
#[derive(Deserialize)]
struct Part {
    text: Option<String>,
}

#[derive(Deserialize)]
struct Call {
    index: Option<Value>,
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: Option<String>,
    arguments: Option<Value>,
}

/// Reads one event's data, or the whole body of an answer that was not streamed.
pub fn read_event(data: &str) -> ChatEvent {
    if data.trim() == "[DONE]" {
        return ChatEvent::Done;
    }
    let Ok(event) = serde_json::from_str::<Event>(data) else { return ChatEvent::Malformed };
    if let Some(error) = event.error {
        return ChatEvent::Failed(error_text(&error));
    }
    if event.object.is_some_and(|object| object == "error") {
        return ChatEvent::Failed(error_text(&event.message.unwrap_or_default()));
    }
    let mut chunk = Chunk { usage: event.usage.as_ref().and_then(usage), ..Chunk::default() };
    if let Some(choice) = event.choices.and_then(|choices| choices.into_iter().next()) {
        chunk.finish = choice.finish_reason.as_ref().and_then(Value::as_str).map(finish);
        if let Some(content) = choice.delta.or(choice.message) {
            let reasoning = [&content.reasoning_content, &content.reasoning];
            chunk.is_reasoning = reasoning.into_iter().flatten().any(is_text);
            chunk.text = content.content.map(text).unwrap_or_default();
            chunk.calls = fragments(content.tool_calls.unwrap_or_default(), content.function_call);
        }
    }
    ChatEvent::Chunk(chunk)
}

/// The message in an error answer's body, short and on one line; empty if there is none.
pub fn read_error(body: &str) -> String {
    let body: Option<Value> = serde_json::from_str(body).ok();
    body.and_then(|body| body.get("error").map(error_text)).unwrap_or_default()
}

fn error_text(error: &Value) -> String {
    let message = error.get("message").and_then(Value::as_str).or(error.as_str());
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    message.unwrap_or("unknown error").chars().take(MODEL_ERROR_CHARS_MAX).map(plain).collect()
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn text(text: Text) -> String {
    match text {
        Text::Whole(text) => text,
        Text::Parts(parts) => parts.into_iter().filter_map(|part| part.text).collect(),
    }
}

fn finish(reason: &str) -> Finish {
    match reason {
        "stop" => Finish::Stop,
        "length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::ContentFilter,
        _ => Finish::Other,
    }
}

/// What was used, as far as it is told in whole numbers.
fn usage(usage: &Value) -> Option<Tokens> {
    let count = |pointer| usage.pointer(pointer).and_then(Value::as_u64);
    let cached = count("/prompt_tokens_details/cached_tokens");
    let told = Tokens {
        prompt: count("/prompt_tokens").unwrap_or(0),
        completion: count("/completion_tokens").unwrap_or(0),
        cached: cached.or_else(|| count("/prompt_cache_hit_tokens")).unwrap_or(0),
    };
    usage.is_object().then_some(told)
}

fn fragments(calls: Vec<Option<Call>>, older_form: Option<Function>) -> Vec<CallFragment> {
    let older_form =
        older_form.map(|function| Call { index: None, id: None, function: Some(function) });
    let calls: Vec<Call> = calls.into_iter().flatten().chain(older_form).collect();
    // Several in one list are several calls, with an index or without.
    let has_several = calls.len() > 1;
    let place = |at: usize| has_several.then_some(at as u64);
    calls.into_iter().enumerate().map(|(at, call)| fragment(call, place(at))).collect()
}

fn fragment(call: Call, place: Option<u64>) -> CallFragment {
    let is_there = |text: &String| !text.is_empty();
    let function = call.function.unwrap_or(Function { name: None, arguments: None });
    let arguments = match function.arguments {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(whole) => whole.to_string(),
    };
    CallFragment {
        index: call.index.as_ref().and_then(Value::as_u64).or(place),
        id: call.id.filter(is_there),
        name: function.name.filter(is_there),
        arguments,
    }
}
