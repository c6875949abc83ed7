//! `tools`: the functions that an agent's model may call.

mod mcp;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Number, Value};

use super::Environment;
use crate::limits::{TOOL_TIMEOUT_MAX, TOOL_TIMEOUT_MIN, TOOLS_MAX};
use crate::tools::mcp::McpSettings;
use crate::tools::{
    Builtin, Confirm, Executor, Filler, Job, Secret, ToolError, ToolSpec, Toolbox, WebhookSettings,
    webhook,
};
use crate::yaml::{self, Errors, Fields, Location, Node, Place};

const TIMEOUT_MS: RangeInclusive<u64> =
    TOOL_TIMEOUT_MIN.as_millis() as u64..=TOOL_TIMEOUT_MAX.as_millis() as u64;
/// A phrase list is checked with the tool; this only bounds what is read.
const PHRASES_MAX: usize = 1_000;

/// Decodes the list: the agent's own tools, and the servers of others. What is wrong with it was reported;
/// what is left of it is of no use then.
pub(super) fn tools(
    fields: &mut Fields<'_, '_>,
    environment: &Environment,
) -> (Arc<Toolbox>, Vec<McpSettings>) {
    let places = fields.list("tools", TOOLS_MAX);
    let errors = fields.errors();
    let (mut kept, mut specs, mut servers) = (Vec::new(), Vec::new(), Vec::new());
    for place in places {
        if entry(place.node, "mcp").is_some() {
            mcp::server(&place, errors, environment, &mut servers);
        } else if let Some(spec) = tool(&place, errors, environment) {
            kept.push(place);
            specs.push(spec);
        }
    }
    let toolbox = match Toolbox::new(specs) {
        Ok(toolbox) => Arc::new(toolbox),
        Err(mistakes) => {
            for mistake in &mistakes {
                report(errors, &kept[mistake.index], mistake);
            }
            Arc::default()
        }
    };
    (toolbox, servers)
}

/// `None` where something is missing or of the wrong kind, which was reported; the rest is for the toolbox
/// to check.
fn tool(place: &Place<'_>, errors: &mut Errors, environment: &Environment) -> Option<ToolSpec> {
    let known = [
        "name",
        "description",
        "parameters",
        "webhook",
        "client",
        "builtin",
        "timeout_ms",
        "idempotent",
        "confirm",
        "filler",
    ];
    let mut fields = place.fields(errors, &known)?;
    let name = fields.required("name").and_then(|name| name.string(fields.errors()));
    let description = fields.required("description").and_then(|text| text.string(fields.errors()));
    let executor = executor(&mut fields, environment);
    let confirm = confirm(&mut fields);
    let filler = filler(&mut fields);
    let mut spec = ToolSpec::new(&name?, &description?, executor?);
    if let Some(schema) = fields.place("parameters") {
        spec.parameters = json(schema.node);
    }
    spec.timeout = fields.duration_ms("timeout_ms", TIMEOUT_MS, spec.timeout);
    spec.idempotent = fields.bool("idempotent", spec.idempotent);
    spec.confirm = confirm;
    spec.filler = filler;
    Some(spec)
}

fn executor(fields: &mut Fields<'_, '_>, environment: &Environment) -> Option<Executor> {
    let kinds = ["webhook", "client", "builtin"];
    let given: Vec<&str> = fields.keys().filter(|key| kinds.contains(key)).collect();
    match given[..] {
        ["webhook"] => {
            let webhook = webhook_settings(fields, environment)?;
            Some(Executor::Server(Job::Webhook(webhook)))
        }
        ["client"] => {
            let place = fields.required("client")?;
            if !place.bool(fields.errors())? {
                place.expected(fields.errors(), "true, or `webhook` or `builtin` in its place");
            }
            Some(Executor::Client)
        }
        ["builtin"] => Some(Executor::Server(Job::Builtin(builtin(fields)?))),
        [] => {
            let problem = "expected one of `webhook`, `client` and `builtin`, received none";
            fields.refuse("webhook", problem);
            None
        }
        [.., last] => {
            let problem = format!(
                "expected one of `webhook`, `client` and `builtin`, received {} of them",
                given.len()
            );
            fields.refuse(last, problem);
            None
        }
    }
}

fn webhook_settings(
    fields: &mut Fields<'_, '_>,
    environment: &Environment,
) -> Option<WebhookSettings> {
    let place = fields.required("webhook")?;
    let mut fields = place.fields(fields.errors(), &["url", "secret_env"])?;
    let url = fields.required_string("url");
    if let Err(problem) = webhook::check_url(&url, "secret_env")
        && fields.place("url").is_some()
    {
        fields.refuse("url", problem);
    }
    let secret = secret(&mut fields, "secret_env", environment);
    Some(WebhookSettings { url, secret })
}

/// What the environment variable holds that the key names.
fn secret(fields: &mut Fields<'_, '_>, key: &str, environment: &Environment) -> Option<Secret> {
    let variable = fields.string(key)?;
    let secret = environment.get(&variable).map(|secret| Secret::new(secret.to_owned()));
    if secret.is_none() {
        fields.refuse(key, Environment::absence(&variable));
    }
    secret
}

fn builtin(fields: &mut Fields<'_, '_>) -> Option<Builtin> {
    let place = fields.required("builtin")?;
    let text = place.string(fields.errors())?;
    let wait = || text.strip_prefix("wait_")?.parse().ok().map(Duration::from_millis);
    let builtin = match text.as_str() {
        "echo" => Some(Builtin::Echo),
        "fail" => Some(Builtin::Fail),
        _ => wait().filter(|time| *time <= TOOL_TIMEOUT_MAX).map(Builtin::Wait),
    };
    if builtin.is_none() {
        let longest = TOOL_TIMEOUT_MAX.as_millis();
        let expected = format!("`echo`, `fail` or `wait_0` to `wait_{longest}` (milliseconds)");
        place.expected(fields.errors(), &expected);
    }
    builtin
}

/// `true`, a question, or a map with words of its own.
fn confirm(fields: &mut Fields<'_, '_>) -> Option<Confirm> {
    let place = fields.place("confirm")?;
    let errors = fields.errors();
    let mut confirm = Confirm::default();
    match &place.node.value {
        yaml::Value::Scalar { text, plain: true } if text == "false" => return None,
        yaml::Value::Scalar { text, plain: true } if text == "true" => {}
        yaml::Value::Scalar { text, .. } => confirm.question = Some(text.clone()),
        yaml::Value::Map(_) => {
            let mut fields = place.fields(errors, &["question", "yes", "no"])?;
            confirm.question = fields.string("question");
            for (key, phrases) in [("yes", &mut confirm.yes), ("no", &mut confirm.no)] {
                if fields.place(key).is_some() {
                    let places = fields.list(key, PHRASES_MAX);
                    let texts = places.iter().filter_map(|place| place.string(fields.errors()));
                    *phrases = texts.collect();
                }
            }
        }
        yaml::Value::List(_) => {
            place.expected(errors, "true, a question, or a map with question, yes and no");
        }
    }
    Some(confirm)
}

fn filler(fields: &mut Fields<'_, '_>) -> Option<Filler> {
    let mut fields = fields.fields("filler", &["after_ms", "text"])?;
    let after = fields.required("after_ms");
    let after = after.and_then(|place| place.duration_ms(fields.errors(), TIMEOUT_MS));
    let text = fields.required("text").and_then(|place| place.string(fields.errors()));
    Some(Filler { after: after?, text: text? })
}

/// A mistake that the toolbox found, where the file has what it is about.
fn report(errors: &mut Errors, place: &Place<'_>, mistake: &ToolError) {
    let (at, path) = match entry(place.node, mistake.field) {
        Some(at) => (at, format!("{}.{}", place.path, mistake.field)),
        None => (place.node.at, place.path.clone()),
    };
    errors.push(at, &path, &*mistake.problem);
}

fn entry(node: &Node, key: &str) -> Option<Location> {
    let yaml::Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|entry| entry.key == key).map(|entry| entry.at)
}

/// What YAML says as JSON. Plain scalars that JSON has a meaning for are that; all others, and quoted
/// ones, are text. The reader of YAML bounded the depth.
fn json(node: &Node) -> Value {
    match &node.value {
        yaml::Value::Scalar { text, plain } if *plain => typed(node, text),
        yaml::Value::Scalar { text, .. } => Value::String(text.clone()),
        yaml::Value::List(items) => items.iter().map(json).collect(),
        yaml::Value::Map(entries) => {
            let pairs = entries.iter().map(|entry| (entry.key.clone(), json(&entry.node)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
    }
}

fn typed(node: &Node, text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if node.is_null() => Value::Null,
        _ => match serde_json::from_str::<Number>(text) {
            Ok(number) => Value::Number(number),
            Err(_) => Value::String(text.to_owned()),
        },
    }
}

#[cfg(test)]
mod tests;
