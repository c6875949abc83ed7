//! What the service sends, read into types.
//!
//! An event is `{"event":{"<name>":{…}}}`. Reading is total and tolerant, since the service adds events and
//! fields without notice: any field may be absent or of another type, numbers may be texts, objects may be
//! encoded as texts. What cannot be understood without harm is [`Malformed`], what is not known is
//! [`ServerEvent::Unknown`].

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::usage::Totals;
use crate::limits::{NOVA_EVENT_BYTES_MAX, NOVA_EVENT_NAME_CHARS_MAX, NOVA_ID_BYTES_MAX};

/// One event of the service. Ids are at most [`NOVA_ID_BYTES_MAX`] bytes, and empty if they were left out;
/// other texts are bounded by the event.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerEvent {
    /// The first answer of the connection begins. Once per connection, whatever the documentation says.
    CompletionStart,
    /// The user began to speak, also while the agent does.
    UserSpeechStart {
        /// Where, in milliseconds of the audio sent on this connection.
        offset_ms: Option<u64>,
    },
    /// The user's utterance is over.
    UserSpeechEnd {
        /// Where it ended, in milliseconds of the audio sent on this connection.
        offset_ms: Option<u64>,
        /// Where this was decided.
        detected_ms: Option<u64>,
    },
    /// A content block begins.
    ContentStart {
        content_id: String,
        kind: Kind,
        role: Option<Role>,
        /// Of texts only.
        stage: Option<Stage>,
        /// Of audio only: one of the rates that can be asked for, 8 000, 16 000 or 24 000.
        sample_rate_hz: Option<u32>,
    },
    /// A piece of a block's text.
    TextOutput { content_id: String, text: String, role: Option<Role> },
    /// A piece of a block's audio.
    AudioOutput {
        content_id: String,
        /// Mono, at the rate of its block.
        pcm: Vec<i16>,
        /// Half a sample was left at the end, and dropped.
        is_torn: bool,
    },
    /// The model wants a function to be called.
    ToolUse {
        content_id: String,
        /// What the result must name; never empty.
        use_id: String,
        /// Empty if it was left out.
        name: String,
        /// JSON as it came: may be invalid, or a JSON text within a JSON text. Empty if it was left out.
        arguments: String,
    },
    /// A content block is over.
    ContentEnd { content_id: String, kind: Option<Kind>, stop: Stop },
    /// What the connection has used so far.
    Usage(Totals),
    /// The service is done with this connection.
    CompletionEnd { stop: Stop },
    /// An event that is not known here.
    Unknown {
        /// At most [`NOVA_EVENT_NAME_CHARS_MAX`] ASCII letters, digits and signs; what is no such character
        /// became `?`. Empty if there was none.
        name: String,
    },
}

/// What a content block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Audio,
    Tool,
    /// A kind that is not known here, or was left out.
    Unknown,
}

/// Who speaks in a content block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    User,
    Assistant,
    System,
    Tool,
}

/// How certain a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Planned: comes just before its audio.
    Speculative,
    /// What the user said, or what the service believes to have been heard of the agent.
    Final,
}

/// Why a block ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// More of the same turn follows.
    PartialTurn,
    /// The turn is over. Of audio blocks only this is true.
    EndTurn,
    /// The user spoke.
    Interrupted,
    /// A function is to be called.
    ToolUse,
    /// A reason that is not known here, or was left out.
    Unknown,
}

/// Why an event was not understood. Says nothing of what it held, so it may be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It was not read.
    #[error("an event of {bytes} bytes, more than {NOVA_EVENT_BYTES_MAX}")]
    TooLarge { bytes: usize },
    #[error("an event of {bytes} bytes that is not JSON")]
    NotJson { bytes: usize },
    #[error("an `audioOutput` whose `content` of {bytes} bytes is not base64")]
    Audio { bytes: usize },
    /// It cannot be answered, since the answer names the id.
    #[error(
        "a `toolUse` whose `toolUseId` is missing or longer than {NOVA_ID_BYTES_MAX} bytes ({bytes})"
    )]
    ToolUseId { bytes: usize },
}

/// Reads one event. Total: any bytes give a value.
///
/// # Errors
/// See [`Malformed`].
pub fn parse(json: &[u8]) -> Result<ServerEvent, Malformed> {
    let bytes = json.len();
    if bytes > NOVA_EVENT_BYTES_MAX {
        return Err(Malformed::TooLarge { bytes });
    }
    let message: Value = serde_json::from_slice(json).map_err(|_| Malformed::NotJson { bytes })?;
    let Some(event) = message.get("event").and_then(Value::as_object) else {
        return Ok(unknown(message.as_object()));
    };
    let nothing = Map::new();
    for (name, body) in event {
        let body = Body(body.as_object().unwrap_or(&nothing));
        return Ok(match name.as_str() {
            "completionStart" => ServerEvent::CompletionStart,
            "userSpeechStart" => {
                ServerEvent::UserSpeechStart { offset_ms: body.number("inputAudioOffsetMs") }
            }
            "userSpeechEnd" => ServerEvent::UserSpeechEnd {
                offset_ms: body.number("inputAudioOffsetMs"),
                detected_ms: body.number("inputAudioDetectionOffsetMs"),
            },
            "contentStart" => body.content_start(),
            "textOutput" => ServerEvent::TextOutput {
                content_id: body.id("contentId"),
                text: body.text("content").to_owned(),
                role: body.role(),
            },
            "audioOutput" => body.audio_output()?,
            "toolUse" => body.tool_use()?,
            "contentEnd" => ServerEvent::ContentEnd {
                content_id: body.id("contentId"),
                kind: body.kind(),
                stop: body.stop(),
            },
            "usageEvent" => ServerEvent::Usage(body.totals()),
            "completionEnd" => ServerEvent::CompletionEnd { stop: body.stop() },
            _ => continue,
        });
    }
    Ok(unknown(Some(event)))
}

/// Base64 as lenient as it can be: with or without padding, bits that are left over ignored.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How often a text may hold a JSON text in place of an object.
const ENCODINGS_MAX: usize = 3;

/// Numbers that are larger are none: JSON promises no more.
const NUMBER_MAX: f64 = 9_007_199_254_740_992.0;

/// The fields of one event, each of which may be anything.
#[derive(Clone, Copy)]
struct Body<'a>(&'a Map<String, Value>);

impl<'a> Body<'a> {
    fn text(self, name: &str) -> &'a str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn id(self, name: &str) -> String {
        let id = self.text(name);
        id[..id.floor_char_boundary(NOVA_ID_BYTES_MAX)].to_owned()
    }

    fn number(self, name: &str) -> Option<u64> {
        number(self.0.get(name)?)
    }

    fn role(self) -> Option<Role> {
        match self.text("role") {
            "USER" => Some(Role::User),
            "ASSISTANT" => Some(Role::Assistant),
            "SYSTEM" => Some(Role::System),
            "TOOL" => Some(Role::Tool),
            _ => None,
        }
    }

    fn kind(self) -> Option<Kind> {
        match self.text("type") {
            "TEXT" => Some(Kind::Text),
            "AUDIO" => Some(Kind::Audio),
            "TOOL" => Some(Kind::Tool),
            _ => None,
        }
    }

    fn stop(self) -> Stop {
        match self.text("stopReason") {
            "PARTIAL_TURN" => Stop::PartialTurn,
            "END_TURN" => Stop::EndTurn,
            "INTERRUPTED" => Stop::Interrupted,
            "TOOL_USE" => Stop::ToolUse,
            _ => Stop::Unknown,
        }
    }

    /// Without a type, the configuration that is there tells it.
    fn content_start(self) -> ServerEvent {
        let audio = self.0.get("audioOutputConfiguration");
        let kind = self.kind().unwrap_or_else(|| match audio {
            Some(_) => Kind::Audio,
            None if self.0.contains_key("textOutputConfiguration") => Kind::Text,
            None if self.0.contains_key("toolUseOutputConfiguration") => Kind::Tool,
            None => Kind::Unknown,
        });
        let rate_hz = audio.and_then(|audio| number(audio.get("sampleRateHertz")?));
        ServerEvent::ContentStart {
            content_id: self.id("contentId"),
            kind,
            role: self.role(),
            stage: self.stage(),
            sample_rate_hz: match rate_hz {
                Some(rate_hz @ (8_000 | 16_000 | 24_000)) => u32::try_from(rate_hz).ok(),
                _ => None,
            },
        }
    }

    fn stage(self) -> Option<Stage> {
        let fields = decoded(self.0.get("additionalModelFields")?)?;
        match fields.get("generationStage")?.as_str()? {
            "SPECULATIVE" => Some(Stage::Speculative),
            "FINAL" => Some(Stage::Final),
            _ => None,
        }
    }

    fn audio_output(self) -> Result<ServerEvent, Malformed> {
        let content = self.text("content");
        let bytes =
            BASE64.decode(content).map_err(|_| Malformed::Audio { bytes: content.len() })?;
        let (samples, torn) = bytes.as_chunks::<2>();
        Ok(ServerEvent::AudioOutput {
            content_id: self.id("contentId"),
            pcm: samples.iter().map(|sample| i16::from_le_bytes(*sample)).collect(),
            is_torn: !torn.is_empty(),
        })
    }

    /// Arguments that are not encoded as a text are written as one.
    fn tool_use(self) -> Result<ServerEvent, Malformed> {
        let use_id = self.text("toolUseId");
        if !(1..=NOVA_ID_BYTES_MAX).contains(&use_id.len()) {
            return Err(Malformed::ToolUseId { bytes: use_id.len() });
        }
        Ok(ServerEvent::ToolUse {
            content_id: self.id("contentId"),
            use_id: use_id.to_owned(),
            name: self.id("toolName"),
            arguments: match self.0.get("content") {
                Some(Value::String(text)) => text.clone(),
                Some(value) => value.to_string(),
                None => String::new(),
            },
        })
    }

    fn totals(self) -> Totals {
        let total = self.0.get("details").and_then(|details| details.get("total"));
        let count = |direction, kind| number(total?.get(direction)?.get(kind)?);
        Totals {
            speech_in: count("input", "speechTokens"),
            text_in: count("input", "textTokens"),
            speech_out: count("output", "speechTokens"),
            text_out: count("output", "textTokens"),
        }
    }
}

/// A whole number that is not negative, written as a number or as a text; a fraction is cut off.
fn number(value: &Value) -> Option<u64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        _ => return None,
    };
    (0.0..=NUMBER_MAX).contains(&number).then_some(number as u64)
}

/// An object, also if it is encoded as a text.
fn decoded(value: &Value) -> Option<Map<String, Value>> {
    let mut value = value.clone();
    for _ in 0..ENCODINGS_MAX {
        match value {
            Value::Object(fields) => return Some(fields),
            Value::String(text) => value = serde_json::from_str(&text).ok()?,
            _ => return None,
        }
    }
    value.as_object().cloned()
}

fn unknown(event: Option<&Map<String, Value>>) -> ServerEvent {
    let name = event.and_then(|event| event.keys().next()).map_or("", String::as_str);
    let shown = |it: char| if it.is_ascii_graphic() { it } else { '?' };
    ServerEvent::Unknown { name: name.chars().take(NOVA_EVENT_NAME_CHARS_MAX).map(shown).collect() }
}

#[cfg(test)]
mod tests;
