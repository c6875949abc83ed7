//! What is exchanged with a language model: the history as it was heard, the request and the events
//! of its answer. Pure.
//!
//! The protocol is the chat completions API that Ollama, vLLM and llama.cpp serve too. Fields that
//! are not known are skipped, tools are not offered.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::call::event::Generation;
use crate::limits::{HISTORY_CHARS_MAX, HISTORY_MESSAGES_MAX};

/// The conversation so far, as the user knows it.
#[derive(Clone, Debug)]
pub(in crate::backend) struct History {
    persona: String,
    messages: VecDeque<Message>,
    chars: usize,
}

#[derive(Clone, Debug)]
struct Message {
    /// The reply it was, if it was the agent's.
    generation: Option<Generation>,
    text: String,
}

impl History {
    /// A conversation with a model that is told who it is.
    pub(in crate::backend) fn new(persona: String) -> Self {
        Self { persona, messages: VecDeque::new(), chars: 0 }
    }

    /// The user said something.
    pub(in crate::backend) fn user_said(&mut self, text: &str) {
        self.push(None, text);
    }

    /// The agent is saying more of a reply.
    pub(in crate::backend) fn agent_says(&mut self, generation: Generation, text: &str) {
        match self.messages.back_mut().filter(|last| last.generation == Some(generation)) {
            Some(message) => {
                message.text.push(' ');
                message.text.push_str(text);
                self.chars += text.chars().count() + 1;
                self.forget_oldest();
            }
            None => self.push(Some(generation), text),
        }
    }

    /// Only this much of a reply was heard: the rest was never said.
    pub(in crate::backend) fn was_heard(&mut self, generation: Generation, heard: &str) {
        let is_it = |message: &Message| message.generation == Some(generation);
        let Some(at) = self.messages.iter().position(is_it) else { return };
        self.chars -= self.messages[at].text.chars().count();
        if heard.trim().is_empty() {
            self.messages.remove(at);
        } else {
            self.chars += heard.chars().count();
            heard.clone_into(&mut self.messages[at].text);
        }
    }

    /// The body of the request that asks for the next reply.
    pub(in crate::backend) fn request(&self, model: &str, tokens_max: u32) -> Value {
        let persona = Some(json!({ "role": "system", "content": self.persona }));
        let messages = self.messages.iter().map(|message| {
            let role = if message.generation.is_some() { "assistant" } else { "user" };
            json!({ "role": role, "content": message.text })
        });
        let persona = persona.filter(|_| !self.persona.is_empty());
        let messages: Vec<Value> = persona.into_iter().chain(messages).collect();
        json!({ "model": model, "messages": messages, "stream": true, "max_tokens": tokens_max })
    }

    fn push(&mut self, generation: Option<Generation>, text: &str) {
        self.chars += text.chars().count();
        self.messages.push_back(Message { generation, text: text.to_owned() });
        self.forget_oldest();
    }

    fn forget_oldest(&mut self) {
        let is_too_much = |history: &Self| {
            history.messages.len() > HISTORY_MESSAGES_MAX
                || (history.chars > HISTORY_CHARS_MAX && history.messages.len() > 1)
        };
        while is_too_much(self) {
            let forgotten = self.messages.pop_front();
            self.chars -= forgotten.map_or(0, |message| message.text.chars().count());
        }
    }
}

/// What one event of the answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::backend) enum ChatEvent {
    /// More text; empty for events that hold none, such as a role or usage.
    Text(String),
    /// The answer is complete.
    Done,
    /// The server says what went wrong.
    Failed(String),
    /// It is none of the protocol's.
    Malformed,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    /// In a stream.
    delta: Option<Content>,
    /// From a server that does not stream.
    message: Option<Content>,
}

#[derive(Deserialize)]
struct Content {
    content: Option<String>,
}

/// Reads one event's data, or the whole body of an answer that was not streamed.
pub(in crate::backend) fn read_event(data: &str) -> ChatEvent {
    if data.trim() == "[DONE]" {
        return ChatEvent::Done;
    }
    let Ok(chunk) = serde_json::from_str::<Chunk>(data) else { return ChatEvent::Malformed };
    if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
        return ChatEvent::Failed(error_text(&error));
    }
    let content = |choice: Choice| choice.delta.or(choice.message).and_then(|it| it.content);
    ChatEvent::Text(chunk.choices.into_iter().next().and_then(content).unwrap_or_default())
}

/// The message in an error answer's body, short and on one line; empty if there is none.
pub(in crate::backend) fn read_error(body: &str) -> String {
    let body: Option<Value> = serde_json::from_str(body).ok();
    body.and_then(|body| body.get("error").map(error_text)).unwrap_or_default()
}

fn error_text(error: &Value) -> String {
    const SHOWN_CHARS_MAX: usize = 200;
    let message = error.get("message").and_then(Value::as_str).or(error.as_str());
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    message.unwrap_or("unknown error").chars().take(SHOWN_CHARS_MAX).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_many_servers_are_read() {
        let text = |text: &str| ChatEvent::Text(text.to_owned());
        let rows = [
            (r#"{"choices":[{"delta":{"content":"Hi"}}]}"#, text("Hi")),
            (r#"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#, text("")),
            (r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, text("")),
            (r#"{"choices":[],"usage":{"total_tokens":5}}"#, text("")),
            (r#"{"choices":[{"delta":{"reasoning_content":"hmm"}}],"error":null}"#, text("")),
            (r#"{"choices":[{"message":{"content":"All"},"index":0}]}"#, text("All")),
            ("[DONE]", ChatEvent::Done),
            (" [DONE] ", ChatEvent::Done),
            (r#"{"error":{"message":"no such model"}}"#, ChatEvent::Failed("no such model".into())),
            (r#"{"error":"busy\nnow"}"#, ChatEvent::Failed("busy now".into())),
            (r#"{"error":{}}"#, ChatEvent::Failed("unknown error".into())),
            ("{", ChatEvent::Malformed),
            ("", ChatEvent::Malformed),
            (r#"{"choices":3}"#, ChatEvent::Malformed),
        ];
        for (data, expected) in rows {
            assert_eq!(read_event(data), expected, "{data}");
        }
    }

    #[test]
    fn the_history_holds_what_was_heard() {
        let mut history = History::new("Be brief.".to_owned());
        let said = |history: &History| {
            let request = history.request("m", 5);
            let texts = request["messages"].as_array().expect("a list").iter();
            texts
                .map(|message| {
                    let [role, text] = ["role", "content"].map(|key| message[key].as_str());
                    format!("{}: {}", role.expect("text"), text.expect("text"))
                })
                .collect::<Vec<_>>()
                .join(" | ")
        };
        history.user_said("tell me");
        history.agent_says(Generation(1), "One two.");
        history.agent_says(Generation(1), "Three four.");
        let expected = "system: Be brief. | user: tell me | assistant: One two. Three four.";
        assert_eq!(said(&history), expected);
        history.was_heard(Generation(1), "One two. Three");
        history.user_said("stop");
        history.agent_says(Generation(2), "Never heard.");
        history.was_heard(Generation(2), "");
        history.was_heard(Generation(7), "Never said.");
        let expected = "system: Be brief. | user: tell me | assistant: One two. Three | user: stop";
        assert_eq!(said(&history), expected);
    }

    #[test]
    fn the_history_is_bounded() {
        let mut history = History::new(String::new());
        for n in 0..2_000 {
            history.user_said(&"x".repeat(n));
            history.agent_says(Generation(n as u32), "y");
            assert!(history.messages.len() <= HISTORY_MESSAGES_MAX);
            assert!(history.chars <= HISTORY_CHARS_MAX);
            let counted: usize = history.messages.iter().map(|m| m.text.chars().count()).sum();
            assert_eq!(history.chars, counted);
        }
    }
}
