//! An entry of `tools` that is a server: `mcp`.

use std::ops::RangeInclusive;

use super::{TIMEOUT_MS, filler, secret};
use crate::config::Environment;
use crate::limits::{
    MCP_COMMAND_PART_CHARS_MAX, MCP_COMMAND_PARTS_MAX, MCP_SERVERS_MAX, MCP_START_TIMEOUT_MAX,
    MCP_TOOLS_LISTED_MAX, TOOL_NAME_CHARS_MAX, TOOL_TIMEOUT_MIN,
};
use crate::tools::mcp::{McpReach, McpSettings, Which};
use crate::tools::webhook;
use crate::yaml::{Errors, Fields, Place, Value};

const START_TIMEOUT_MS: RangeInclusive<u64> =
    TOOL_TIMEOUT_MIN.as_millis() as u64..=MCP_START_TIMEOUT_MAX.as_millis() as u64;
/// So long that a prefix leaves room for the names behind it.
const NAME_CHARS_MAX: usize = TOOL_NAME_CHARS_MAX / 2;

/// Decodes a server and adds it. What is wrong was reported; then nothing is added.
pub(super) fn server(
    place: &Place<'_>,
    errors: &mut Errors,
    environment: &Environment,
    servers: &mut Vec<McpSettings>,
) {
    let known = [
        "mcp",
        "name",
        "bearer_env",
        "only",
        "confirm",
        "idempotent",
        "filler",
        "timeout_ms",
        "start_timeout_ms",
    ];
    let Some(mut fields) = place.fields(errors, &known) else { return };
    let reach = reach(&mut fields, environment);
    let name = fields.required_string("name");
    let chars = name.chars().count();
    if !(1..=NAME_CHARS_MAX).contains(&chars) && fields.place("name").is_some() {
        let problem = format!("expected 1 to {NAME_CHARS_MAX} characters, received {chars}");
        fields.refuse("name", problem);
    } else if servers.iter().any(|server| server.name == name) {
        fields.refuse("name", "expected a name of its own, received one that is taken");
    }
    if servers.len() == MCP_SERVERS_MAX {
        fields.refuse("mcp", format!("expected at most {MCP_SERVERS_MAX} servers, received more"));
    }
    let Some(reach) = reach else { return };
    let mut settings = McpSettings::new(name, reach);
    for (key, which) in [
        ("only", &mut settings.only),
        ("confirm", &mut settings.confirm),
        ("idempotent", &mut settings.idempotent),
    ] {
        if let Some(told) = which_of(&mut fields, key) {
            *which = told;
        }
    }
    settings.timeout = fields.duration_ms("timeout_ms", TIMEOUT_MS, settings.timeout);
    settings.start_timeout =
        fields.duration_ms("start_timeout_ms", START_TIMEOUT_MS, settings.start_timeout);
    settings.filler = filler(&mut fields);
    servers.push(settings);
}

/// An address, or the command of a process.
fn reach(fields: &mut Fields<'_, '_>, environment: &Environment) -> Option<McpReach> {
    let place = fields.required("mcp")?;
    if let Value::List(_) = place.node.value {
        if fields.place("bearer_env").is_some() {
            fields.refuse("bearer_env", "a process has no such key: it inherits the environment");
        }
        return command(&place, fields.errors());
    }
    let url = place.string(fields.errors())?;
    if let Err(problem) = webhook::check_url(&url, "bearer_env") {
        fields.refuse("mcp", problem);
        return None;
    }
    Some(McpReach::Http { url, bearer: secret(fields, "bearer_env", environment) })
}

fn command(place: &Place<'_>, errors: &mut Errors) -> Option<McpReach> {
    let places = place.list(errors, MCP_COMMAND_PARTS_MAX)?;
    let parts: Vec<String> = places.iter().filter_map(|part| part.string(errors)).collect();
    let is_long = |part: &String| part.chars().count() > MCP_COMMAND_PART_CHARS_MAX;
    if parts.first().is_none_or(String::is_empty) || parts.iter().any(is_long) {
        let expected = format!(
            "an address, or a program and its arguments, each of at most \
             {MCP_COMMAND_PART_CHARS_MAX} characters"
        );
        place.expected(errors, &expected);
        return None;
    }
    Some(McpReach::Process(parts))
}

/// `true` for all of the server's tools, `false` for none, or their names.
fn which_of(fields: &mut Fields<'_, '_>, key: &str) -> Option<Which> {
    let place = fields.place(key)?;
    if let Value::List(_) = place.node.value {
        let places = fields.list(key, MCP_TOOLS_LISTED_MAX);
        let names = places.iter().filter_map(|place| place.string(fields.errors()));
        return Some(Which::These(names.collect()));
    }
    Some(if place.bool(fields.errors())? { Which::All } else { Which::NONE })
}

#[cfg(test)]
mod tests;
