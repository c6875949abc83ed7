//! The events of a client, as serde types. Nothing but their shape is decided here.

use serde::Serialize;

use super::ToolDeclaration;
use crate::nova::history::Speaker;
use crate::nova::settings::{INPUT_RATE_HZ, ModelVersion, NovaSettings};

/// The JSON text of `event` in its envelope.
pub(super) fn text(event: &Event<'_>) -> Vec<u8> {
    serde_json::to_vec(&Envelope { event })
        .expect("events have string keys only and serialise without failing")
}

#[derive(Serialize)]
struct Envelope<'a> {
    event: &'a Event<'a>,
}

/// An event by its name.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Event<'a> {
    SessionStart(SessionStart),
    PromptStart(PromptStart<'a>),
    ContentStart(ContentStart<'a>),
    TextInput(Input<'a>),
    AudioInput(Input<'a>),
    ToolResult(Input<'a>),
    ContentEnd(ContentName<'a>),
    PromptEnd(PromptName<'a>),
    SessionEnd {},
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromptName<'a> {
    prompt_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContentName<'a> {
    prompt_name: &'a str,
    content_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input<'a> {
    prompt_name: &'a str,
    content_name: &'a str,
    content: &'a str,
}

/// What a block holds: the content of an event of its kind.
pub(super) const fn input<'a>(prompt: &'a str, name: &'a str, content: &'a str) -> Input<'a> {
    Input { prompt_name: prompt, content_name: name, content }
}

pub(super) const fn content_end<'a>(prompt: &'a str, name: &'a str) -> Event<'a> {
    Event::ContentEnd(ContentName { prompt_name: prompt, content_name: name })
}

pub(super) const fn prompt_end(prompt: &str) -> Event<'_> {
    Event::PromptEnd(PromptName { prompt_name: prompt })
}

// ==== Set-up ====

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionStart {
    inference_configuration: Inference,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn_detection_configuration: Option<TurnDetection>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inference {
    max_tokens: u32,
    top_p: f32,
    temperature: f32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TurnDetection {
    endpointing_sensitivity: &'static str,
}

/// The first generation refuses settings of its turn detection.
pub(super) fn session_start(settings: &NovaSettings) -> Event<'static> {
    Event::SessionStart(SessionStart {
        inference_configuration: Inference {
            max_tokens: settings.tokens_max,
            top_p: settings.top_p,
            temperature: settings.temperature,
        },
        turn_detection_configuration: match ModelVersion::of(&settings.model) {
            ModelVersion::V1 => None,
            ModelVersion::V2 => {
                Some(TurnDetection { endpointing_sensitivity: settings.endpointing.name() })
            }
        },
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromptStart<'a> {
    prompt_name: &'a str,
    text_output_configuration: MediaType,
    audio_output_configuration: AudioOutput<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_use_output_configuration: Option<MediaType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_configuration: Option<Tools<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AudioOutput<'a> {
    #[serde(flatten)]
    format: AudioFormat,
    voice_id: &'a str,
}

#[derive(Serialize)]
struct Tools<'a> {
    tools: Vec<Tool<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tool<'a> {
    tool_spec: ToolSpec<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolSpec<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: Schema<'a>,
}

/// A text that holds JSON: an object in its place is refused.
#[derive(Serialize)]
struct Schema<'a> {
    json: &'a str,
}

pub(super) fn prompt_start<'a>(
    prompt: &'a str,
    settings: &'a NovaSettings,
    tools: &'a [ToolDeclaration],
) -> Event<'a> {
    let has_tools = !tools.is_empty();
    let tool = |tool: &'a ToolDeclaration| Tool {
        tool_spec: ToolSpec {
            name: &tool.name,
            description: &tool.description,
            input_schema: Schema { json: &tool.schema },
        },
    };
    Event::PromptStart(PromptStart {
        prompt_name: prompt,
        text_output_configuration: PLAIN,
        audio_output_configuration: AudioOutput {
            format: AudioFormat::of_rate(settings.output_rate_hz),
            voice_id: &settings.voice,
        },
        tool_use_output_configuration: has_tools.then_some(JSON),
        tool_configuration: has_tools.then(|| Tools { tools: tools.iter().map(tool).collect() }),
    })
}

// ==== Content blocks ====

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContentStart<'a> {
    prompt_name: &'a str,
    content_name: &'a str,
    #[serde(flatten)]
    block: Block<'a>,
}

/// What a content block will hold.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Block<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    interactive: bool,
    #[serde(flatten)]
    configuration: Configuration<'a>,
}

#[derive(Serialize)]
enum Configuration<'a> {
    #[serde(rename = "textInputConfiguration")]
    Text(MediaType),
    #[serde(rename = "audioInputConfiguration")]
    Audio(AudioFormat),
    #[serde(rename = "toolResultInputConfiguration")]
    ToolResult(ToolResult<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolResult<'a> {
    tool_use_id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    text_input_configuration: MediaType,
}

pub(super) const fn content_start<'a>(
    prompt: &'a str,
    name: &'a str,
    block: Block<'a>,
) -> Event<'a> {
    Event::ContentStart(ContentStart { prompt_name: prompt, content_name: name, block })
}

impl<'a> Block<'a> {
    /// The system prompt.
    pub(super) const fn system() -> Self {
        Self::text("SYSTEM", false)
    }

    /// One message of the history. It must not be interactive: the model would answer it.
    pub(super) const fn history(speaker: Speaker) -> Self {
        Self::text(
            match speaker {
                Speaker::User => "USER",
                Speaker::Agent => "ASSISTANT",
            },
            false,
        )
    }

    /// A text that the model answers.
    pub(super) const fn interactive() -> Self {
        Self::text("USER", true)
    }

    /// The user's audio. Without the role nothing would ever be answered.
    pub(super) const fn audio() -> Self {
        let format = AudioFormat::of_rate(INPUT_RATE_HZ);
        let configuration = Configuration::Audio(format);
        Self { kind: "AUDIO", role: "USER", interactive: true, configuration }
    }

    /// The result of one tool use. Any other media type is refused.
    pub(super) const fn tool_result(tool_use_id: &'a str) -> Self {
        let result = ToolResult { tool_use_id, kind: "TEXT", text_input_configuration: PLAIN };
        let configuration = Configuration::ToolResult(result);
        Self { kind: "TOOL", role: "TOOL", interactive: false, configuration }
    }

    const fn text(role: &'static str, interactive: bool) -> Self {
        let configuration = Configuration::Text(PLAIN);
        Self { kind: "TEXT", role, interactive, configuration }
    }
}

// ==== Formats ====

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MediaType {
    media_type: &'static str,
}

const PLAIN: MediaType = MediaType { media_type: "text/plain" };
const JSON: MediaType = MediaType { media_type: "application/json" };

/// Linear PCM, mono, signed 16 bit, little endian, without a header.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AudioFormat {
    media_type: &'static str,
    sample_rate_hertz: u32,
    sample_size_bits: u32,
    channel_count: u32,
    audio_type: &'static str,
    encoding: &'static str,
}

impl AudioFormat {
    const fn of_rate(sample_rate_hertz: u32) -> Self {
        Self {
            media_type: "audio/lpcm",
            sample_rate_hertz,
            sample_size_bits: 16,
            channel_count: 1,
            audio_type: "SPEECH",
            encoding: "base64",
        }
    }
}
