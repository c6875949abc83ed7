//! What ConverseStream refuses, and what the model answers: what it was told, or a call of a tool.

use serde_json::{Value, json};

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Words.
    Say(String),
    /// These tools are called, with these inputs.
    Call(Vec<(String, Value)>),
}

/// Answers a request's body, or says what the service would refuse it for.
///
/// The model repeats what the user said. If that holds `use TOOL` and such a tool is declared, it calls it
/// with an input that names the text; results of tools it reads out.
pub fn reply(body: &Value) -> Result<Reply, String> {
    let messages = body["messages"].as_array().filter(|messages| !messages.is_empty());
    let messages = messages.ok_or("A conversation must have at least one message")?;
    let mut expected = "user";
    let mut pending: Vec<&str> = Vec::new();
    for message in messages {
        if message["role"] != expected {
            return Err(
                "A conversation must alternate between user and assistant roles, and must \
                        start with a user message"
                    .to_owned(),
            );
        }
        let content = message["content"].as_array().filter(|content| !content.is_empty());
        let content = content.ok_or("The content field is empty")?;
        let ids = |kind: &str| -> Vec<&str> {
            content.iter().filter_map(|block| block[kind]["toolUseId"].as_str()).collect()
        };
        if ids("toolResult") != std::mem::take(&mut pending) {
            return Err("The number of toolResult blocks exceeds, or falls short of, the toolUse \
                        blocks of the previous turn"
                .to_owned());
        }
        let is_blank = |text: &Value| text.as_str().is_some_and(|text| text.trim().is_empty());
        if content.iter().any(|block| is_blank(&block["text"])) {
            return Err("The text field in the ContentBlock is blank".to_owned());
        }
        if content.iter().any(|block| block["toolUse"]["input"].is_array()) {
            return Err("The format of the value at toolUse.input is invalid".to_owned());
        }
        pending = ids("toolUse");
        let has_tools = body["toolConfig"]["tools"].is_array();
        if !has_tools && content.iter().any(|block| !block["text"].is_string()) {
            return Err("The toolConfig field must be defined when using toolUse and toolResult \
                        content blocks"
                .to_owned());
        }
        expected = if expected == "user" { "assistant" } else { "user" };
    }
    if expected == "user" {
        return Err("The conversation must end with a user message".to_owned());
    }
    let last = messages.last().map_or(&Value::Null, |last| &last["content"]);
    Ok(answer(last.as_array().map_or(&[], Vec::as_slice), body))
}

fn answer(last: &[Value], body: &Value) -> Reply {
    let result = |block: &Value| -> Option<String> {
        let content = &block["toolResult"]["content"][0];
        let text = content["text"].as_str().map(str::to_owned);
        text.or_else(|| content.get("json").map(Value::to_string))
    };
    let results: Vec<String> = last.iter().filter_map(result).collect();
    if !results.is_empty() {
        return Reply::Say(format!("The result is {}.", results.join(" and ")));
    }
    let texts: Vec<&str> = last.iter().filter_map(|block| block["text"].as_str()).collect();
    let said = texts.join(" ");
    let tools = body["toolConfig"]["tools"].as_array();
    let names = tools.into_iter().flatten().filter_map(|tool| tool["toolSpec"]["name"].as_str());
    let called: Vec<_> = names
        .filter(|name| said.contains(&format!("use {name}")))
        .map(|name| (name.to_owned(), json!({ "text": said })))
        .collect();
    if called.is_empty() { Reply::Say(format!("You said: {said}")) } else { Reply::Call(called) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(content: Value) -> Value {
        json!({ "role": "user", "content": content })
    }

    #[test]
    fn what_the_service_refuses_is_refused() {
        let hello = || json!([{ "text": "Hello." }]);
        let agent = || json!({ "role": "assistant", "content": hello() });
        let call = json!([{ "toolUse": { "toolUseId": "a", "name": "t", "input": {} } }]);
        let call = || json!({ "role": "assistant", "content": call });
        let tools = json!({ "tools": [{ "toolSpec": { "name": "t" } }] });
        let rows = [
            (json!({ "messages": [] }), "at least one"),
            (json!({ "messages": [agent()] }), "alternate"),
            (json!({ "messages": [user(hello()), user(hello())] }), "alternate"),
            (json!({ "messages": [user(hello()), agent()] }), "end with a user"),
            (json!({ "messages": [user(json!([{ "text": " " }]))] }), "blank"),
            (json!({ "messages": [user(json!([]))] }), "empty"),
            (json!({ "messages": [user(hello()), call(), user(hello())] }), "toolConfig"),
            (
                json!({ "messages": [user(hello()), call(), user(hello())], "toolConfig": tools }),
                "toolResult",
            ),
        ];
        for (body, expected) in rows {
            let refused = reply(&body).expect_err(expected);
            assert!(refused.contains(expected), "{body}: {refused}");
        }
        let lawful = json!({ "messages": [user(hello())] });
        assert_eq!(reply(&lawful), Ok(Reply::Say("You said: Hello.".to_owned())));
    }
}
