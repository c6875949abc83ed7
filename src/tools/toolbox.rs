//! The tools of one agent, checked once, and the check of what a model asks of them.

use std::fmt;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

use super::consent::placeholders;
use super::json::{self, JsonError, clip};
use super::spec::{Confirm, Filler, ToolSpec};
use crate::limits::{
    TOOL_ARGUMENTS_BYTES_MAX, TOOL_CONSENT_PHRASE_CHARS_MAX, TOOL_CONSENT_PHRASES_MAX,
    TOOL_DESCRIPTION_CHARS_MAX, TOOL_ENCODINGS_MAX, TOOL_ERROR_CHARS_MAX, TOOL_JSON_DEPTH_MAX,
    TOOL_NAME_CHARS_MAX, TOOL_SAYING_CHARS_MAX, TOOL_SCHEMA_BYTES_MAX, TOOL_SCHEMA_DEPTH_MAX,
    TOOLS_MAX,
};

/// What a model may call. Made once at start and shared by the agent's calls; empty by default.
#[derive(Default)]
pub struct Toolbox {
    tools: Vec<Tool>,
}

struct Tool {
    spec: ToolSpec,
    validator: Validator,
}

/// One mistake in a declaration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tool `{tool}`: {field}: {problem}")]
pub struct ToolError {
    /// Which of the declared tools, counted from 0.
    pub index: usize,
    /// Its name, cut to a length that can be shown.
    pub tool: String,
    /// The field, as the configuration names it.
    pub field: &'static str,
    /// What was expected and what was received.
    pub problem: String,
}

impl Toolbox {
    /// Checks the declarations and compiles their schemas.
    ///
    /// # Errors
    ///
    /// Every mistake: one for each field that is wrong.
    pub fn new(specs: Vec<ToolSpec>) -> Result<Self, Vec<ToolError>> {
        if specs.len() > TOOLS_MAX {
            let problem = format!("expected at most {TOOLS_MAX} tools, received {}", specs.len());
            return Err(vec![mistake(TOOLS_MAX, &specs[TOOLS_MAX], "name", problem)]);
        }
        let mut mistakes = Vec::new();
        let mut tools = Vec::new();
        let names: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
        for (index, spec) in specs.into_iter().enumerate() {
            let before = mistakes.len();
            let mut refuse = |field, problem| mistakes.push(mistake(index, &spec, field, problem));
            check_plain_fields(&spec, &mut refuse);
            if let Some(confirm) = &spec.confirm {
                check_confirm(confirm, &spec.parameters, &mut refuse);
            }
            if names[..index].contains(&spec.name) {
                refuse("name", "expected a name of its own, received one that is taken".to_owned());
            }
            match compile(&spec.parameters) {
                Ok(validator) if mistakes.len() == before => tools.push(Tool { spec, validator }),
                Ok(_) => {}
                Err(problem) => mistakes.push(mistake(index, &spec, "parameters", problem)),
            }
        }
        if mistakes.is_empty() { Ok(Self { tools }) } else { Err(mistakes) }
    }

    /// Whether there is nothing to call.
    pub const fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// How many tools there are: at most [`TOOLS_MAX`].
    pub const fn len(&self) -> usize {
        self.tools.len()
    }

    /// The declarations, in their order.
    pub fn specs(&self) -> impl ExactSizeIterator<Item = &ToolSpec> {
        self.tools.iter().map(|tool| &tool.spec)
    }

    /// The place of the tool with this name among [`Toolbox::specs`].
    pub fn find(&self, name: &str) -> Option<usize> {
        self.tools.iter().position(|tool| tool.spec.name == name)
    }

    /// The declaration at this place.
    ///
    /// # Panics
    ///
    /// If there is no such place.
    pub fn spec(&self, index: usize) -> &ToolSpec {
        &self.tools[index].spec
    }

    /// The arguments of a use of the tool at this place: an object that its schema holds valid. A text
    /// within the text is decoded, up to [`TOOL_ENCODINGS_MAX`] texts in all; nothing else is changed.
    ///
    /// # Errors
    ///
    /// For the model: which field is wrong and what was expected there, at most
    /// [`TOOL_ERROR_CHARS_MAX`] characters. The values are not repeated.
    ///
    /// # Panics
    ///
    /// If there is no such place.
    pub fn check_arguments(&self, index: usize, text: &str) -> Result<Value, String> {
        let arguments = decode(text)?;
        let found = self.tools[index].validator.iter_errors(&arguments);
        // A model repairs a few at a time; the rest shows when it tries again.
        let shown: Vec<String> = found.take(3).map(|error| described(&error)).collect();
        if shown.is_empty() {
            return Ok(arguments);
        }
        Err(clip(&format!("invalid arguments: {}", shown.join("; ")), TOOL_ERROR_CHARS_MAX))
    }
}

/// Shows the declarations; the compiled schemas say nothing more.
impl fmt::Debug for Toolbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.specs()).finish()
    }
}

fn mistake(index: usize, spec: &ToolSpec, field: &'static str, problem: String) -> ToolError {
    ToolError { index, tool: clip(&spec.name, TOOL_NAME_CHARS_MAX), field, problem }
}

fn check_plain_fields(spec: &ToolSpec, refuse: &mut impl FnMut(&'static str, String)) {
    if let Err(problem) = check_length(&spec.name, TOOL_NAME_CHARS_MAX) {
        refuse("name", problem);
    } else if spec.name.contains(char::is_control) {
        refuse("name", "expected no control characters, received some".to_owned());
    }
    if let Err(problem) = check_length(&spec.description, TOOL_DESCRIPTION_CHARS_MAX) {
        refuse("description", problem);
    }
    if let Some(Filler { after, text }) = &spec.filler {
        if let Err(problem) = check_length(text, TOOL_SAYING_CHARS_MAX) {
            refuse("filler", format!("text: {problem}"));
        }
        if *after >= spec.timeout {
            let (after_ms, timeout_ms) = (after.as_millis(), spec.timeout.as_millis());
            let problem = format!(
                "after_ms: expected less than timeout_ms ({timeout_ms}), received {after_ms}"
            );
            refuse("filler", problem);
        }
    }
}

fn check_confirm(
    confirm: &Confirm,
    parameters: &Value,
    refuse: &mut impl FnMut(&'static str, String),
) {
    if let Some(question) = &confirm.question {
        let named = check_length(question, TOOL_SAYING_CHARS_MAX)
            .and_then(|()| placeholders(question))
            .and_then(|names| names.into_iter().try_for_each(|name| check_named(name, parameters)));
        if let Err(problem) = named {
            refuse("confirm", format!("question: {problem}"));
        }
    }
    for (key, phrases) in [("yes", &confirm.yes), ("no", &confirm.no)] {
        let expected = format!(
            "{key}: expected at most {TOOL_CONSENT_PHRASES_MAX} phrases of 1 to \
             {TOOL_CONSENT_PHRASE_CHARS_MAX} characters"
        );
        if phrases.len() > TOOL_CONSENT_PHRASES_MAX {
            refuse("confirm", format!("{expected}, received {} phrases", phrases.len()));
        }
        let check = |phrase: &String| check_length(phrase, TOOL_CONSENT_PHRASE_CHARS_MAX).is_err();
        if let Some(wrong) = phrases.iter().find(|phrase| check(phrase)) {
            let count = wrong.chars().count();
            refuse("confirm", format!("{expected}, received one of {count} characters"));
        }
    }
    if confirm.yes.is_empty() {
        // Nothing could ever be confirmed.
        refuse("confirm", "yes: expected at least one phrase, received none".to_owned());
    }
}

fn check_named(name: &str, parameters: &Value) -> Result<(), String> {
    if parameters["properties"].get(name).is_some() {
        return Ok(());
    }
    let name = clip(name, TOOL_NAME_CHARS_MAX);
    Err(format!("expected an argument of `parameters.properties` within {{}}, received `{name}`"))
}

fn check_length(text: &str, chars_max: usize) -> Result<(), String> {
    let chars = text.chars().count();
    if text.trim().is_empty() || chars > chars_max {
        return Err(format!("expected 1 to {chars_max} characters, received {chars}"));
    }
    Ok(())
}

/// The compiled schema, or why it is none.
fn compile(schema: &Value) -> Result<Validator, String> {
    let Some(root) = schema.as_object() else {
        return Err(format!("expected a JSON Schema, an object, received {}", json::kind(schema)));
    };
    if !json::is_within(schema, TOOL_SCHEMA_DEPTH_MAX) {
        return Err(format!(
            "expected at most {TOOL_SCHEMA_DEPTH_MAX} levels of lists and objects within each other, \
             received more"
        ));
    }
    let bytes = schema.to_string().len();
    if bytes > TOOL_SCHEMA_BYTES_MAX {
        return Err(format!("expected at most {TOOL_SCHEMA_BYTES_MAX} bytes, received {bytes}"));
    }
    match root.get("type") {
        Some(Value::String(kind)) if kind == "object" => {}
        Some(other) => {
            let shown = clip(&other.to_string(), 40);
            return Err(format!("type: expected `object`, received {shown}"));
        }
        None => return Err("type: expected `object`, received nothing".to_owned()),
    }
    // Linear time whatever the pattern: what it is matched with comes from a model.
    let options = jsonschema::options().offline().with_pattern_options(PatternOptions::regex());
    options.build(schema).map_err(|error| {
        clip(&format!("expected a JSON Schema; {}", described(&error)), TOOL_ERROR_CHARS_MAX)
    })
}

/// The object that a text encodes, as JSON or as JSON within JSON.
fn decode(text: &str) -> Result<Value, String> {
    let unreadable = |error: JsonError| format!("invalid arguments: {error}");
    let read = |text: &str| json::read(text, TOOL_ARGUMENTS_BYTES_MAX, TOOL_JSON_DEPTH_MAX);
    let mut value = read(text).map_err(unreadable)?;
    for _ in 1..TOOL_ENCODINGS_MAX {
        let Value::String(inner) = &value else { break };
        value = read(inner).map_err(unreadable)?;
    }
    if value.is_object() {
        return Ok(value);
    }
    Err(format!("invalid arguments: expected a JSON object, received {}", json::kind(&value)))
}

/// Where and what, without the value that was received.
fn described(error: &ValidationError<'_>) -> String {
    let place = clip(error.instance_path().as_str().trim_start_matches('/'), 100);
    let problem = match error.kind() {
        // The library's own message leaves out most of the options.
        ValidationErrorKind::Enum { options } => format!("expected one of {options}"),
        _ => error.masked().to_string(),
    };
    if place.is_empty() { problem } else { format!("{place}: {problem}") }
}

#[cfg(test)]
mod tests;
