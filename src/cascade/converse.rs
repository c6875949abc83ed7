//! A conversation as Amazon Bedrock's Converse wants to be told it.
//!
//! It is stricter than the chat completions API: the user speaks first and last, roles alternate, no text is
//! blank, results of tools stand in the user message right after their calls and before any other text, and
//! nothing may speak of tools if none are declared. What [`Prompt`] holds is brought into that form; its
//! words are kept.

use serde_json::{Value, json};

use super::context::{Prompt, ToolCall, ToolResult, Turn};

/// The longest id of a use of a tool that Bedrock takes, in bytes.
const ID_BYTES_MAX: usize = 64;
/// Said for the user where the agent spoke first.
const CALL_BEGINS: &str = "(The call begins.)";
/// Said for the user where the agent spoke last.
const GO_ON: &str = "(The user is silent. Go on.)";

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// The instructions; `None` if there are none.
    pub system: Option<String>,
    /// Never empty; roles alternate, the first and the last are the user's.
    pub messages: Vec<Message>,
}

/// What one side said or did.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Which side.
    pub role: Role,
    /// Never empty.
    pub blocks: Vec<Block>,
}

/// A side of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The caller, and what came of tools.
    User,
    /// The model.
    Assistant,
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Never blank.
    Text(String),
    /// The model called a tool.
    ToolUse {
        /// 1 to 64 of `a-z`, `A-Z`, `0-9`, `_` and `-`.
        id: String,
        /// Which tool.
        name: String,
        /// A JSON object.
        input: Value,
    },
    /// What came of a call.
    ToolResult {
        /// That of the call.
        id: String,
        /// A JSON object, or a text as a JSON string that is not blank.
        content: Value,
    },
}

/// What a model is told. `has_tools`: whether the request declares any; without, earlier calls are told in
/// words.
pub fn conversation(prompt: &Prompt, has_tools: bool) -> Conversation {
    let mut messages = Messages(Vec::new());
    for turn in &prompt.messages {
        match turn {
            Turn::User(text) => messages.say(Role::User, text),
            // There is no other place for it within a conversation.
            Turn::Reminder(text) => {
                let reminder = format!("<instructions>{text}</instructions>");
                messages.say(Role::User, &reminder);
            }
            Turn::Assistant { text, calls } => {
                messages.say(Role::Assistant, text);
                for call in calls {
                    messages.push(Role::Assistant, called(call, has_tools));
                }
            }
            Turn::Results(results) => {
                for result in results {
                    messages.push(Role::User, came_of(result, has_tools));
                }
            }
        }
    }
    let Messages(mut messages) = messages;
    if messages.first().is_none_or(|first| first.role == Role::Assistant) {
        messages.insert(0, Message::of_user(CALL_BEGINS));
    }
    if messages.last().is_some_and(|last| last.role == Role::Assistant) {
        messages.push(Message::of_user(GO_ON));
    }
    let system = Some(prompt.system.clone()).filter(|system| !system.trim().is_empty());
    Conversation { system, messages }
}

struct Messages(Vec<Message>);

impl Messages {
    fn say(&mut self, role: Role, text: &str) {
        if !text.trim().is_empty() {
            self.push(role, Block::Text(text.to_owned()));
        }
    }

    fn push(&mut self, role: Role, block: Block) {
        match self.0.last_mut().filter(|last| last.role == role) {
            Some(last) => last.blocks.push(block),
            None => self.0.push(Message { role, blocks: vec![block] }),
        }
    }
}

impl Message {
    fn of_user(text: &str) -> Self {
        Self { role: Role::User, blocks: vec![Block::Text(text.to_owned())] }
    }
}

fn called(call: &ToolCall, has_tools: bool) -> Block {
    let ToolCall { id, name, arguments } = call;
    if !has_tools {
        return Block::Text(format!("(called {name} with {arguments})"));
    }
    let input = match serde_json::from_str(arguments) {
        Ok(input @ Value::Object(_)) => input,
        // The result says what was wrong with it; it cannot be repeated as it was.
        Ok(_) | Err(_) => json!({ "malformed": arguments }),
    };
    Block::ToolUse { id: lawful_id(id), name: name.clone(), input }
}

fn came_of(result: &ToolResult, has_tools: bool) -> Block {
    let ToolResult { id, text } = result;
    if !has_tools {
        return Block::Text(format!("(the result is {text})"));
    }
    let content = match serde_json::from_str(text) {
        Ok(object @ Value::Object(_)) => object,
        _ if text.trim().is_empty() => json!("nothing"),
        _ => json!(text),
    };
    Block::ToolResult { id: lawful_id(id), content }
}

/// Ids of Bedrock's own are lawful; those of another provider, asked earlier in the call, need not be.
fn lawful_id(id: &str) -> String {
    let is_lawful = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let lawful = id.chars().map(|c| if is_lawful(c) { c } else { '_' });
    let lawful: String = lawful.take(ID_BYTES_MAX).collect();
    if lawful.is_empty() { "_".to_owned() } else { lawful }
}

#[cfg(test)]
mod tests;
