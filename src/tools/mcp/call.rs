//! Calls a tool of a server.
//!
//! The request's `_meta` carries `antiphon/call-id` and `antiphon/idempotency-key`; the latter is the same
//! for every attempt of one use and for no other.
#![cfg(feature = "shell")]

use std::fmt;
use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, RequestMetaObject,
};
use rmcp::service::ServiceError;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::session::{Server, reason};
use crate::limits::{
    TOOL_ERROR_CHARS_MAX, TOOL_JSON_DEPTH_MAX, TOOL_RESULT_BYTES_MAX, WEBHOOK_ERROR_CHARS_MAX,
    WEBHOOK_RETRY_PAUSES,
};
use crate::tools::desk::ToolRun;
use crate::tools::json::{self, JsonError, clip};

/// A tool of a server, and the way to it.
#[derive(Clone)]
pub struct McpTool {
    server: Arc<Server>,
    /// The server's name for it.
    name: String,
}

impl fmt::Debug for McpTool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "McpTool({} of {})", self.name, self.server.settings.name)
    }
}

/// Two of the same name at the same session.
impl PartialEq for McpTool {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.server, &other.server) && self.name == other.name
    }
}

impl Eq for McpTool {}

/// Why there is no result: for the model. What the server said may be of the user, so that it belongs into
/// no log; [`CallError::for_log`] leaves it out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::tools) enum CallError {
    #[error("the tool's server cannot be reached")]
    Unreachable { reason: String },
    #[error("the tool's server hung up before the end of its answer")]
    Broken { reason: String },
    #[error("the tool's server refused the call{}", detail(message))]
    Refused { reason: String, message: String },
    #[error("the tool failed{}", detail(.0))]
    Failed(String),
    #[error("the answer of the tool's server cannot be used: {0}")]
    Unusable(String),
}

fn detail(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

impl CallError {
    /// The same without anything that the server said of it.
    pub(in crate::tools) fn for_log(&self) -> String {
        match self {
            Self::Failed(_) => "the tool failed".to_owned(),
            Self::Unreachable { reason } | Self::Broken { reason } => format!("{self}: {reason}"),
            Self::Refused { reason, .. } => format!("the tool's server refused the call: {reason}"),
            Self::Unusable(_) => self.to_string(),
        }
    }

    /// Whether another attempt may go better. Something may have been done all the same.
    const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Broken { .. })
    }
}

impl McpTool {
    pub(super) const fn new(server: Arc<Server>, name: String) -> Self {
        Self { server, name }
    }

    /// Calls it until there is a result, an error that lasts, or no time left until `deadline` for another
    /// attempt. Whoever calls it stops waiting at `deadline`; the server is told of it.
    pub(in crate::tools) async fn call(
        &self,
        run: &ToolRun,
        deadline: Instant,
    ) -> Result<Value, CallError> {
        let pauses: &[_] = if run.idempotent { &WEBHOOK_RETRY_PAUSES } else { &[] };
        let mut result = self.attempt(run).await;
        for pause in pauses {
            let is_final = result.as_ref().map_or_else(|error| !error.is_passing(), |_| true);
            if is_final || Instant::now() + *pause >= deadline {
                break;
            }
            sleep(*pause).await;
            result = self.attempt(run).await;
        }
        result
    }

    async fn attempt(&self, run: &ToolRun) -> Result<Value, CallError> {
        let session = self.server.session().await;
        let session = session.map_err(|reason| CallError::Unreachable { reason })?;
        let arguments = run.arguments.as_object().cloned().unwrap_or_default();
        let mut params = CallToolRequestParams::new(self.name.clone()).with_arguments(arguments);
        params.meta = Some(meta(run));
        match session.call_tool_once(params).await {
            Ok(CallToolResponse::Complete(result)) => value_of(result),
            Ok(_) => Err(CallError::Unusable("it asks for more than a call can give".to_owned())),
            Err(error) => {
                let reason = reason(&error);
                match error {
                    ServiceError::McpError(error) => {
                        let message = clip(error.message.trim(), WEBHOOK_ERROR_CHARS_MAX);
                        Err(CallError::Refused { reason, message })
                    }
                    ServiceError::TransportSend(_) | ServiceError::TransportClosed => {
                        self.server.forget(&session).await;
                        Err(CallError::Broken { reason })
                    }
                    _ => Err(CallError::Unusable(reason)),
                }
            }
        }
    }
}

fn meta(run: &ToolRun) -> RequestMetaObject {
    let mut meta = RequestMetaObject::new();
    let entries =
        [("antiphon/call-id", &run.call_id), ("antiphon/idempotency-key", &run.idempotency_key)];
    for (key, value) in entries {
        meta.0.0.insert(key.to_owned(), Value::String(value.clone()));
    }
    meta
}

/// What a result says: its structure where it has one, else its text, read as JSON where it is an object or a
/// list. Of images and other things the model is told that they are there.
fn value_of(result: CallToolResult) -> Result<Value, CallError> {
    let text: Vec<String> = result.content.into_iter().map(told).collect();
    let text = text.join("\n");
    if result.is_error == Some(true) {
        return Err(CallError::Failed(clip(text.trim(), TOOL_ERROR_CHARS_MAX)));
    }
    let unusable = |error: JsonError| CallError::Unusable(error.to_string());
    if let Some(value) = result.structured_content {
        let text = value.to_string();
        return json::read(&text, TOOL_RESULT_BYTES_MAX, TOOL_JSON_DEPTH_MAX).map_err(unusable);
    }
    if text.len() > TOOL_RESULT_BYTES_MAX {
        let (max, received) = (TOOL_RESULT_BYTES_MAX, text.len());
        return Err(unusable(JsonError::TooLarge { max, received }));
    }
    match json::read(&text, TOOL_RESULT_BYTES_MAX, TOOL_JSON_DEPTH_MAX) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => Ok(value),
        _ => Ok(Value::String(text)),
    }
}

fn told(block: ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text,
        ContentBlock::Image(_) => "(an image, which cannot be told)".to_owned(),
        ContentBlock::Audio(_) => "(a sound, which cannot be told)".to_owned(),
        ContentBlock::Resource(_) | ContentBlock::ResourceLink(_) => {
            "(a document, which cannot be told)".to_owned()
        }
        _ => "(something that cannot be told)".to_owned(),
    }
}
