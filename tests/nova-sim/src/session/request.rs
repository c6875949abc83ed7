//! What a client says: its events, checked for their shape. Whether one may come now is
//! [`order`](super::order)'s question.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use crate::limits::{TEXT_INPUT_BYTES_MAX, TOKENS_MAX, TOOLS_MAX};
use crate::model::Generation;

/// What a client's event is refused with. All are fatal: the stream ends with a validation exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation(pub(crate) String);

impl Violation {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// What the service says where it says nothing more precise.
    pub(crate) fn invalid() -> Self {
        Self::new("Invalid input request, please fix your input and try again.")
    }

    pub(crate) fn unparsable() -> Self {
        Self::new("Unable to parse input chunk. Please check input format contains correct json.")
    }
}

/// One event of a client.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    SessionStart { endpointing: Option<Endpointing> },
    PromptStart(Box<Prompt>),
    ContentStart { prompt: String, content: String, opening: Opening },
    TextInput { prompt: String, content: String, text: String },
    AudioInput { prompt: String, content: String, pcm: Vec<i16> },
    ToolResult { prompt: String, content: String, result: String },
    ContentEnd { prompt: String, content: String },
    PromptEnd { prompt: String },
    SessionEnd,
}

/// How soon a pause ends a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpointing {
    High,
    Medium,
    Low,
}

/// What a prompt is to be like.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prompt {
    pub(crate) name: String,
    pub(crate) output_rate_hz: u32,
    pub(crate) voice_id: String,
    pub(crate) tools: Vec<Tool>,
}

/// A declared tool.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tool {
    pub(crate) name: String,
    /// The JSON Schema of its arguments.
    pub(crate) schema: Map<String, Value>,
}

/// How a content block begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    Text {
        role: Role,
        interactive: bool,
    },
    /// `is_from_user` is false where the role is missing; then nobody listens.
    Audio {
        rate_hz: u32,
        is_from_user: bool,
    },
    Tool {
        use_id: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    System,
    SystemSpeech,
    User,
    Assistant,
}

/// The event's name, for the log, and the event. The name is known even where the event is refused.
pub(crate) fn parse(json: &[u8], generation: Generation) -> (String, Result<Request, Violation>) {
    let Ok(Value::Object(envelope)) = serde_json::from_slice(json) else {
        return ("(not JSON)".to_owned(), Err(Violation::unparsable()));
    };
    let Some(Value::Object(event)) = envelope.get("event") else {
        return ("(no event)".to_owned(), Err(Violation::unparsable()));
    };
    let mut entries = event.iter();
    let (Some((name, body)), None) = (entries.next(), entries.next()) else {
        return ("(not one event)".to_owned(), Err(Violation::invalid()));
    };
    let request = match body {
        Value::Object(body) => request(name, &Body(body), generation),
        _ => Err(Violation::invalid()),
    };
    (name.chars().take(64).collect(), request)
}

fn request(name: &str, body: &Body<'_>, generation: Generation) -> Result<Request, Violation> {
    let prompt = || body.text("promptName");
    let content = || body.text("contentName");
    Ok(match name {
        "sessionStart" => session_start(body, generation)?,
        "promptStart" => Request::PromptStart(Box::new(prompt_start(body, generation)?)),
        "contentStart" => {
            let opening = opening(body)?;
            Request::ContentStart { prompt: prompt()?, content: content()?, opening }
        }
        "textInput" => {
            let text = body.string("content")?;
            if text.len() > TEXT_INPUT_BYTES_MAX {
                return Err(Violation::invalid());
            }
            Request::TextInput { prompt: prompt()?, content: content()?, text: text.to_owned() }
        }
        "audioInput" => {
            let pcm = samples(body.string("content")?)?;
            Request::AudioInput { prompt: prompt()?, content: content()?, pcm }
        }
        "toolResult" => {
            let result = body.string("content")?.to_owned();
            if !matches!(serde_json::from_str(&result), Ok(Value::Object(_))) {
                return Err(Violation::new("Tool Response parsing error"));
            }
            Request::ToolResult { prompt: prompt()?, content: content()?, result }
        }
        "contentEnd" => Request::ContentEnd { prompt: prompt()?, content: content()? },
        "promptEnd" => Request::PromptEnd { prompt: prompt()? },
        "sessionEnd" => Request::SessionEnd,
        _ => return Err(Violation::invalid()),
    })
}

fn session_start(body: &Body<'_>, generation: Generation) -> Result<Request, Violation> {
    // Where a client puts it by mistake; the service does not overlook it.
    if body.0.contains_key("endpointingSensitivity") {
        return Err(Violation::invalid());
    }
    if let Some(inference) = body.object_if("inferenceConfiguration")? {
        let is_share = |value: f64| (0.0..=1.0).contains(&value);
        let are_tokens = |value: f64| value >= 1.0 && value <= TOKENS_MAX as f64;
        inference.number_if("topP", is_share)?;
        inference.number_if("temperature", is_share)?;
        inference.number_if("maxTokens", are_tokens)?;
    }
    let endpointing = match body.object_if("turnDetectionConfiguration")? {
        None => None,
        Some(_) if generation == Generation::First => return Err(Violation::invalid()),
        Some(detection) => match detection.string("endpointingSensitivity")? {
            "HIGH" => Some(Endpointing::High),
            "MEDIUM" => Some(Endpointing::Medium),
            "LOW" => Some(Endpointing::Low),
            _ => return Err(Violation::invalid()),
        },
    };
    Ok(Request::SessionStart { endpointing })
}

fn prompt_start(body: &Body<'_>, generation: Generation) -> Result<Prompt, Violation> {
    let name = body.text("promptName")?;
    body.object("textOutputConfiguration")?.expect_string("mediaType", &["text/plain"])?;
    let audio = body.object("audioOutputConfiguration")?;
    let output_rate_hz = audio_format(&audio)?;
    let voice_id = audio.string("voiceId").unwrap_or_default();
    if voice_id.is_empty() {
        return Err(Violation::new("Received invalid voiceId: value must not be empty"));
    }
    if !generation.has_voice(voice_id) {
        return Err(Violation::new(format!("Received invalid voiceId: {voice_id}")));
    }
    if let Some(uses) = body.object_if("toolUseOutputConfiguration")? {
        uses.expect_string("mediaType", &["application/json"])?;
    }
    let tools = match body.object_if("toolConfiguration")? {
        None => Vec::new(),
        Some(configuration) => tools(&configuration)?,
    };
    Ok(Prompt { name, output_rate_hz, voice_id: voice_id.to_owned(), tools })
}

fn tools(configuration: &Body<'_>) -> Result<Vec<Tool>, Violation> {
    let declared = match configuration.0.get("tools") {
        None => return Ok(Vec::new()),
        Some(Value::Array(tools)) if tools.len() <= TOOLS_MAX => tools,
        Some(_) => return Err(Violation::invalid()),
    };
    let mut tools: Vec<Tool> = Vec::new();
    for (index, declaration) in declared.iter().enumerate() {
        let Value::Object(declaration) = declaration else { return Err(Violation::invalid()) };
        let spec = Body(declaration).object("toolSpec")?;
        let name = spec.string("name")?;
        let may_be = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
        if name.is_empty() || !name.chars().all(may_be) {
            return Err(Violation::new(format!(
                "Malformed input request: #/toolConfig/tools/{index}/toolSpec/name: string [{name}] \
                 does not match pattern ^[a-zA-Z0-9_-]+$, please reformat your input and try again."
            )));
        }
        // An object in its place looks right and is not: it is a string that holds JSON.
        let schema = spec.object("inputSchema")?.string("json");
        let schema = schema.map_err(|_| Violation::unparsable())?;
        let Ok(Value::Object(schema)) = serde_json::from_str(schema) else {
            return Err(Violation::unparsable());
        };
        if tools.iter().any(|known| known.name == name) {
            return Err(Violation::invalid());
        }
        tools.push(Tool { name: name.to_owned(), schema });
    }
    if let Some(choice) = configuration.object_if("toolChoice")? {
        let is_known = match choice.0.keys().map(String::as_str).collect::<Vec<_>>()[..] {
            ["auto" | "any"] => true,
            ["tool"] => {
                let chosen = choice.object("tool")?;
                let name = chosen.string("name")?;
                tools.iter().any(|tool| tool.name == name)
            }
            _ => false,
        };
        if !is_known {
            return Err(Violation::invalid());
        }
    }
    Ok(tools)
}

fn opening(body: &Body<'_>) -> Result<Opening, Violation> {
    let interactive = match body.0.get("interactive") {
        None => false,
        Some(Value::Bool(interactive)) => *interactive,
        Some(_) => return Err(Violation::invalid()),
    };
    match body.string("type")? {
        "TEXT" => {
            let role = match body.string("role")? {
                "SYSTEM" => Role::System,
                "SYSTEM_SPEECH" => Role::SystemSpeech,
                "USER" => Role::User,
                "ASSISTANT" => Role::Assistant,
                _ => return Err(Violation::invalid()),
            };
            let format = body.object("textInputConfiguration")?;
            format.expect_string("mediaType", &["text/plain"])?;
            Ok(Opening::Text { role, interactive })
        }
        "AUDIO" => {
            let is_from_user = match body.0.get("role") {
                None => false,
                Some(Value::String(role)) if role == "USER" => true,
                Some(_) => return Err(Violation::invalid()),
            };
            let rate_hz = audio_format(&body.object("audioInputConfiguration")?)?;
            Ok(Opening::Audio { rate_hz, is_from_user })
        }
        "TOOL" => {
            body.expect_string("role", &["TOOL"])?;
            let result = body.object("toolResultInputConfiguration")?;
            result.expect_string("type", &["TEXT"])?;
            let format = result.object("textInputConfiguration")?;
            if format.string("mediaType")? != "text/plain" {
                let message = "Tool result media type must be one of: [text/plain]";
                return Err(Violation::new(message));
            }
            Ok(Opening::Tool { use_id: result.text("toolUseId")? })
        }
        _ => Err(Violation::invalid()),
    }
}

/// Checks how audio is carried, and tells its rate, in Hz.
fn audio_format(format: &Body<'_>) -> Result<u32, Violation> {
    format.expect_string("mediaType", &["audio/lpcm"])?;
    format.expect_string("encoding", &["base64"])?;
    format.expect_string("audioType", &["SPEECH"])?;
    let is = |key: &str, expected: u64| format.0.get(key).and_then(Value::as_u64) == Some(expected);
    if !is("sampleSizeBits", 16) || !is("channelCount", 1) {
        return Err(Violation::invalid());
    }
    [8_000, 16_000, 24_000]
        .into_iter()
        .find(|rate_hz| is("sampleRateHertz", u64::from(*rate_hz)))
        .ok_or_else(Violation::invalid)
}

fn samples(content: &str) -> Result<Vec<i16>, Violation> {
    let bytes = BASE64_STANDARD.decode(content).map_err(|_| Violation::invalid())?;
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Violation::invalid());
    }
    Ok(pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect())
}

/// The fields of one JSON object. What is missing or of another type is an invalid input request.
struct Body<'a>(&'a Map<String, Value>);

impl<'a> Body<'a> {
    fn string(&self, key: &str) -> Result<&'a str, Violation> {
        self.0.get(key).and_then(Value::as_str).ok_or_else(Violation::invalid)
    }

    /// A name: not empty, and not so long that remembering it costs.
    fn text(&self, key: &str) -> Result<String, Violation> {
        let text = self.string(key)?;
        if text.is_empty() || text.len() > 256 {
            return Err(Violation::invalid());
        }
        Ok(text.to_owned())
    }

    fn expect_string(&self, key: &str, expected: &[&str]) -> Result<(), Violation> {
        let received = self.string(key)?;
        if expected.contains(&received) { Ok(()) } else { Err(Violation::invalid()) }
    }

    fn object(&self, key: &str) -> Result<Body<'a>, Violation> {
        self.object_if(key)?.ok_or_else(Violation::invalid)
    }

    fn object_if(&self, key: &str) -> Result<Option<Body<'a>>, Violation> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Body(object))),
            Some(_) => Err(Violation::invalid()),
        }
    }

    fn number_if(&self, key: &str, may_be: impl Fn(f64) -> bool) -> Result<(), Violation> {
        match self.0.get(key).map(Value::as_f64) {
            None => Ok(()),
            Some(Some(number)) if may_be(number) => Ok(()),
            Some(_) => Err(Violation::invalid()),
        }
    }
}
