//! What a server lists as declarations of the agent.
#![cfg(feature = "shell")]

use std::sync::Arc;

use rmcp::model::{Tool, ToolAnnotations};
use serde_json::Value;

use super::call::McpTool;
use super::session::Server;
use crate::limits::{TOOL_DESCRIPTION_CHARS_MAX, TOOL_NAME_CHARS_MAX};
use crate::tools::json::clip;
use crate::tools::spec::{Confirm, Executor, Job, ToolSpec};

/// The tools that the agent may call. Names and schemas are checked with all others of the agent; a
/// description is cut to what one may have, and made of the title or the name where there is none.
pub(super) fn specs(server: &Arc<Server>, tools: Vec<Tool>) -> Result<Vec<ToolSpec>, String> {
    let settings = &server.settings;
    let named = [
        ("only", &settings.only),
        ("confirm", &settings.confirm),
        ("idempotent", &settings.idempotent),
    ];
    for (key, which) in named {
        // Else a slip of the pen would let a tool run unasked.
        if let Some(unknown) =
            which.names().iter().find(|name| !tools.iter().any(|tool| tool.name == name.as_str()))
        {
            let listed: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
            let unknown = clip(unknown, TOOL_NAME_CHARS_MAX);
            let listed = clip(&listed.join(", "), TOOL_DESCRIPTION_CHARS_MAX);
            return Err(format!("{key}: it has no tool `{unknown}`; it has: {listed}"));
        }
    }
    let chosen = tools.into_iter().filter(|tool| settings.only.has(&tool.name));
    Ok(chosen.map(|tool| spec(server, tool)).collect())
}

fn spec(server: &Arc<Server>, tool: Tool) -> ToolSpec {
    let settings = &server.settings;
    let name = tool.name.into_owned();
    let described = tool.description.as_deref().filter(|text| !text.trim().is_empty());
    let titled = tool.title.as_deref().filter(|text| !text.trim().is_empty());
    let description = described.or(titled).unwrap_or(&name);
    let job = Job::Mcp(McpTool::new(Arc::clone(server), name.clone()));
    let mut spec = ToolSpec::new(
        &format!("{}_{name}", settings.name),
        &clip(description, TOOL_DESCRIPTION_CHARS_MAX),
        Executor::Server(job),
    );
    spec.parameters = Value::Object(Arc::unwrap_or_clone(tool.input_schema));
    spec.timeout = settings.timeout;
    spec.idempotent =
        settings.idempotent.has(&name) || tool.annotations.as_ref().is_some_and(may_repeat);
    spec.confirm = settings.confirm.has(&name).then(Confirm::default);
    spec.filler = settings.filler.clone();
    spec
}

fn may_repeat(hints: &ToolAnnotations) -> bool {
    hints.read_only_hint == Some(true) || hints.idempotent_hint == Some(true)
}
