//! The chat completions API, which most servers of language models speak: the request, and the events of
//! the streamed answer.
//!
//! Servers agree on little beyond the text, so fields that are not known are skipped, and what a server
//! leaves out or sends differently is taken for what it means: a call without an index or an id
//! ([`ToolCalls`]), arguments as an object, the call of the API's older form, a content in parts.
//! Whether tools are called is told by the presence of calls, never by the finish reason.

mod calls;
mod event;
mod strict;

use serde_json::{Value, json};

pub use self::calls::{CallFault, RefusedCall, ToolCalls};
pub use self::event::{CallFragment, ChatEvent, Chunk, Finish, read_error, read_event};
pub use self::strict::can_be_strict;
use super::context::{Prompt, ToolCall, Turn};

/// How a model is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChatSettings {
    /// Tokens of the answer, at most. Default 300: some two minutes of speech.
    pub tokens_max: u32,
    /// What the server calls them. Default [`TokensField::MaxTokens`].
    pub tokens_field: TokensField,
    /// How freely it chooses its words, 0 to 2, told with three decimals. Default: the server's own.
    pub temperature: Option<f32>,
    /// The server is asked to say what the answer used. Servers that refuse what they do not know may
    /// refuse that. Default yes.
    pub include_usage: bool,
    /// The server is asked to let the model write only what a tool's schema holds valid, for tools with a
    /// schema of which that [can be asked](can_be_strict). Many servers refuse the question. Default no.
    pub strict_tools: bool,
}

impl Default for ChatSettings {
    fn default() -> Self {
        Self {
            tokens_max: 300,
            tokens_field: TokensField::MaxTokens,
            temperature: None,
            include_usage: true,
            strict_tools: false,
        }
    }
}

/// The field that bounds an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokensField {
    /// `max_tokens`, which nearly all servers know.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`, which models that reason insist on where their makers serve them.
    MaxCompletionTokens,
}

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolDeclaration {
    /// Its name: for most servers 1 to 64 of `a-z`, `A-Z`, `0-9`, `_` and `-`.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The JSON Schema of its arguments, an object.
    pub schema: Value,
    /// Whether its schema is such that a server can force the model to keep to it: [`can_be_strict`].
    pub can_be_strict: bool,
}

impl ToolDeclaration {
    /// How long it is, in characters.
    pub fn chars(&self) -> u64 {
        let texts = [&self.name, &self.description, &self.schema.to_string()];
        texts.map(|text| text.chars().count() as u64).iter().sum()
    }
}

/// The body of the request for the next answer, streamed.
pub fn request(
    prompt: &Prompt,
    model: &str,
    settings: &ChatSettings,
    tools: &[ToolDeclaration],
) -> Value {
    let mut body = json!({ "model": model, "messages": messages(prompt), "stream": true });
    let tokens_field = match settings.tokens_field {
        TokensField::MaxTokens => "max_tokens",
        TokensField::MaxCompletionTokens => "max_completion_tokens",
    };
    body[tokens_field] = json!(settings.tokens_max);
    if let Some(temperature) = settings.temperature {
        // As it was configured: 0.7, not the 0.699999988 that it is in 32 bits.
        body["temperature"] = json!((f64::from(temperature) * 1_000.0).round() / 1_000.0);
    }
    if settings.include_usage {
        body["stream_options"] = json!({ "include_usage": true });
    }
    if !tools.is_empty() {
        body["tools"] = tools.iter().map(|tool| declaration(tool, settings.strict_tools)).collect();
    }
    body
}

fn messages(prompt: &Prompt) -> Vec<Value> {
    let mut messages = Vec::new();
    if !prompt.system.is_empty() {
        messages.push(json!({ "role": "system", "content": prompt.system }));
    }
    for turn in &prompt.messages {
        match turn {
            Turn::User(text) => messages.push(json!({ "role": "user", "content": text })),
            Turn::Reminder(text) => messages.push(json!({ "role": "system", "content": text })),
            Turn::Assistant { text, calls } if calls.is_empty() => {
                messages.push(json!({ "role": "assistant", "content": text }));
            }
            Turn::Assistant { text, calls } => {
                let content = Some(text).filter(|text| !text.is_empty());
                let calls: Vec<Value> = calls.iter().map(called).collect();
                messages.push(
                    json!({ "role": "assistant", "content": content, "tool_calls": calls }),
                );
            }
            Turn::Results(results) => messages.extend(results.iter().map(|result| {
                json!({ "role": "tool", "tool_call_id": result.id, "content": result.text })
            })),
        }
    }
    messages
}

fn called(call: &ToolCall) -> Value {
    let ToolCall { id, name, arguments } = call;
    json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
}

fn declaration(tool: &ToolDeclaration, is_strict: bool) -> Value {
    let mut function = json!({
        "name": tool.name, "description": tool.description, "parameters": tool.schema,
    });
    // Left out where it is not asked for: not every server knows it.
    if is_strict && tool.can_be_strict {
        function["strict"] = json!(true);
    }
    json!({ "type": "function", "function": function })
}

#[cfg(test)]
mod tests;
