//! What an agent declares. Plain values; [`Toolbox::new`](super::Toolbox::new) checks them.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

/// One function that a model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    /// 1 to [`TOOL_NAME_CHARS_MAX`](crate::limits::TOOL_NAME_CHARS_MAX) characters, none of them a control
    /// character; unique within the agent.
    pub name: String,
    /// What it does, for the model, which chooses by it: 1 to
    /// [`TOOL_DESCRIPTION_CHARS_MAX`](crate::limits::TOOL_DESCRIPTION_CHARS_MAX) characters.
    pub description: String,
    /// The JSON Schema of its arguments, draft 2020-12 unless `$schema` names another: an object whose
    /// `type` is `object`. References stay within it, and patterns are those of the crate `regex`, which
    /// match in linear time but cannot look around.
    pub parameters: Value,
    /// Who does it.
    pub executor: Executor,
    /// From the request to the result, attempts and all. Default 10 s.
    pub timeout: Duration,
    /// Doing it twice does no more than doing it once, so that it may be tried again. Default no.
    pub idempotent: bool,
    /// It is done only after the user has said yes. Default: it is done at once.
    pub confirm: Option<Confirm>,
    /// What the user is told while waiting for it. Default nothing.
    pub filler: Option<Filler>,
}

impl ToolSpec {
    /// A tool without arguments, and the defaults for the rest.
    pub fn new(name: &str, description: &str, executor: Executor) -> Self {
        Self {
            name: name.to_owned(),
            description: description.to_owned(),
            parameters: json!({ "type": "object", "properties": {} }),
            executor,
            timeout: Duration::from_secs(10),
            idempotent: false,
            confirm: None,
            filler: None,
        }
    }
}

/// Who executes a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executor {
    /// The user's client, over the data channel.
    Client,
    /// This server.
    Server(Job),
}

/// What this server does to execute a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Posts the use to a web server, whose answer is the result.
    Webhook(WebhookSettings),
    /// Calls a tool of an MCP server.
    #[cfg(feature = "shell")]
    Mcp(super::mcp::McpTool),
    /// For trying things out.
    Builtin(Builtin),
}

/// Where a use is posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// `http://` or `https://`.
    pub url: String,
    /// The key of the signature; without one nothing is signed.
    pub secret: Option<Secret>,
}

/// A key. Shows that it is set, never what it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` out of sight.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The key itself, for whoever signs with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(set)")
    }
}

/// A tool that needs nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// Its result is its arguments.
    Echo,
    /// It fails.
    Fail,
    /// It takes so long.
    Wait(Duration),
}

/// How the user is asked before a tool is executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// The question, at most [`TOOL_SAYING_CHARS_MAX`](crate::limits::TOOL_SAYING_CHARS_MAX) characters.
    /// `{argument}` stands for the value of that property of the arguments. `None` asks with the tool's
    /// name and all of its arguments.
    pub question: Option<String>,
    /// Words and phrases that are a yes where an utterance begins or ends with one. Default English.
    pub yes: Vec<String>,
    /// Words and phrases with which an utterance is no yes, wherever they stand in it: a no, a doubt, or
    /// the wish for something else. Default English.
    pub no: Vec<String>,
}

impl Default for Confirm {
    fn default() -> Self {
        let owned = |phrases: &[&str]| phrases.iter().map(|phrase| (*phrase).to_owned()).collect();
        Self { question: None, yes: owned(&YES), no: owned(&NO) }
    }
}

const YES: [&str; 27] = [
    "yes",
    "yeah",
    "yep",
    "yup",
    "sure",
    "correct",
    "okay",
    "ok",
    "alright",
    "all right",
    "go ahead",
    "please do",
    "do it",
    "do that",
    "confirm",
    "confirmed",
    "that's right",
    "that is right",
    "that's fine",
    "that is fine",
    "that's it",
    "exactly",
    "absolutely",
    "definitely",
    "certainly",
    "of course",
    "sounds good",
];

const NO: [&str; 43] = [
    "no",
    "nope",
    "nah",
    "not",
    "never",
    "nevermind",
    "don't",
    "doesn't",
    "didn't",
    "isn't",
    "aren't",
    "won't",
    "wouldn't",
    "shouldn't",
    "can't",
    "cannot",
    "stop",
    "wait",
    "cancel",
    "abort",
    "hold on",
    "hang on",
    "hold off",
    "one moment",
    "forget it",
    "forget about it",
    "wrong",
    "incorrect",
    "correct it",
    "correct that",
    "correct the",
    "change",
    "make it",
    "make that",
    "instead",
    "rather",
    "actually",
    "but",
    "except",
    "unless",
    "if",
    "maybe",
    "later",
];

/// What the user is told while a tool runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filler {
    /// So long after the request; less than the tool's time-out.
    pub after: Duration,
    /// 1 to [`TOOL_SAYING_CHARS_MAX`](crate::limits::TOOL_SAYING_CHARS_MAX) characters.
    pub text: String,
}
