//! A conversation and tools in the SDK's types.

use aws_sdk_bedrockruntime::error::BuildError;
use aws_sdk_bedrockruntime::types as sdk;
use aws_smithy_types::{Document, Number};
use serde_json::Value;

use crate::cascade::chat::ToolDeclaration;
use crate::cascade::converse::{Block, Conversation, Message, Role};

/// The instructions and the messages.
pub(super) fn messages(
    conversation: Conversation,
) -> Result<(Option<sdk::SystemContentBlock>, Vec<sdk::Message>), BuildError> {
    let Conversation { system, messages } = conversation;
    let messages = messages.into_iter().map(message).collect::<Result<_, _>>()?;
    Ok((system.map(sdk::SystemContentBlock::Text), messages))
}

/// The tools that may be called; `None` if there are none.
pub(super) fn tools(
    tools: &[ToolDeclaration],
) -> Result<Option<sdk::ToolConfiguration>, BuildError> {
    if tools.is_empty() {
        return Ok(None);
    }
    let tools = tools.iter().map(tool).collect::<Result<_, _>>()?;
    sdk::ToolConfiguration::builder().set_tools(Some(tools)).build().map(Some)
}

fn message(message: Message) -> Result<sdk::Message, BuildError> {
    let role = match message.role {
        Role::User => sdk::ConversationRole::User,
        Role::Assistant => sdk::ConversationRole::Assistant,
    };
    let blocks = message.blocks.into_iter().map(block).collect::<Result<_, _>>()?;
    sdk::Message::builder().role(role).set_content(Some(blocks)).build()
}

fn block(block: Block) -> Result<sdk::ContentBlock, BuildError> {
    Ok(match block {
        Block::Text(text) => sdk::ContentBlock::Text(text),
        Block::ToolUse { id, name, input } => {
            let call = sdk::ToolUseBlock::builder().tool_use_id(id).name(name);
            sdk::ContentBlock::ToolUse(call.input(document(input)).build()?)
        }
        Block::ToolResult { id, content } => {
            let content = match content {
                Value::String(text) => sdk::ToolResultContentBlock::Text(text),
                object => sdk::ToolResultContentBlock::Json(document(object)),
            };
            let result = sdk::ToolResultBlock::builder().tool_use_id(id).content(content);
            sdk::ContentBlock::ToolResult(result.build()?)
        }
    })
}

fn tool(tool: &ToolDeclaration) -> Result<sdk::Tool, BuildError> {
    let ToolDeclaration { name, description, schema, can_be_strict: _ } = tool;
    let schema = sdk::ToolInputSchema::Json(document(schema.clone()));
    let specification = sdk::ToolSpecification::builder()
        .name(name)
        // An empty one is refused.
        .set_description(Some(description.clone()).filter(|text| !text.is_empty()))
        .input_schema(schema);
    specification.build().map(sdk::Tool::ToolSpec)
}

fn document(value: Value) -> Document {
    match value {
        Value::Null => Document::Null,
        Value::Bool(truth) => Document::Bool(truth),
        Value::String(text) => Document::String(text),
        Value::Array(items) => Document::Array(items.into_iter().map(document).collect()),
        Value::Object(members) => {
            let member = |(name, value)| (name, document(value));
            Document::Object(members.into_iter().map(member).collect())
        }
        Value::Number(number) => Document::Number(match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Number::PosInt(number),
            (None, Some(number)) => Number::NegInt(number),
            (None, None) => Number::Float(number.as_f64().unwrap_or_default()),
        }),
    }
}
