//! What a client may send.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::wire::{LABEL, Message, text as encode};
use crate::call::event::{ClientCommand, Generation, Playout};
use crate::limits::{
    DATA_MESSAGE_BYTES_MAX, DTMF_KEYS_MAX, MESSAGE_ID_CHARS_MAX, USER_TEXT_CHARS_MAX,
};

/// A message of a client, understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// A sign of life that wants no answer.
    Ping,
    /// The client's event handlers are in place. Answer with `Encoder::bot_ready`; until then its
    /// `connect()` waits.
    ClientReady { id: String, version: String },
    /// What the conversation is asked to do, in order; usually one command. `reply` is the answer to
    /// send, if the message was of a kind that has one.
    Commands { commands: Vec<ClientCommand>, reply: Option<String> },
    /// Valid, and nothing to do: news about a camera, for example.
    Nothing,
}

/// Why a message was refused. Its text says nothing of what the message held, so it may be logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("a message of {bytes} bytes, more than {DATA_MESSAGE_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error("a message that is neither JSON with `type` and the label `{LABEL}` nor a ping")]
    NotRtvi,
    #[error("a message whose `id` is not a text of at most {MESSAGE_ID_CHARS_MAX} characters")]
    BadId,
    #[error("a message of an unsupported type")]
    Unsupported { id: Option<String>, kind: String },
    #[error("a `{kind}` message with invalid data")]
    Invalid { id: Option<String>, kind: &'static str, problem: String },
}

impl Refusal {
    /// The message to send back: an `error-response` if the refused one can be named, else `error`.
    pub fn reply(&self) -> String {
        let (id, error) = match self {
            Self::TooLong { .. } | Self::NotRtvi | Self::BadId => (None, self.to_string()),
            Self::Unsupported { id, kind } => (id.as_deref(), format!("Unsupported type {kind}")),
            Self::Invalid { id, kind, problem } => (id.as_deref(), format!("{kind}: {problem}")),
        };
        let error = super::segments::clipped(&error);
        match id {
            Some(_) => encode(id, &Message::ErrorResponse { error }),
            None => encode(None, &Message::Error { error, message: error, fatal: false }),
        }
    }
}

/// Understands one message of a client's data channel. Total: any text gives a value.
pub fn parse(message: &str) -> Result<Incoming, Refusal> {
    if message.len() > DATA_MESSAGE_BYTES_MAX {
        return Err(Refusal::TooLong { bytes: message.len() });
    }
    if message.starts_with("ping") {
        return Ok(Incoming::Ping);
    }
    let envelope: Envelope = serde_json::from_str(message).map_err(|_| Refusal::NotRtvi)?;
    if envelope.kind == "signalling" {
        return signalling(envelope.message);
    }
    if envelope.label.as_deref() != Some(LABEL) {
        return Err(Refusal::NotRtvi);
    }
    let id = match envelope.id {
        Value::Null => None,
        Value::String(id) if id.chars().count() <= MESSAGE_ID_CHARS_MAX => Some(id),
        _ => return Err(Refusal::BadId),
    };
    Request { id, data: envelope.data }.dispatch(&envelope.kind)
}

#[derive(Deserialize)]
struct Envelope {
    label: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: Value,
    #[serde(default)]
    data: Value,
    /// Only in `signalling`.
    #[serde(default)]
    message: Value,
}

/// `{"type":"trackStatus","receiver_index":0,"enabled":false}` is a muted microphone; the other
/// receivers are cameras and screens, of which nothing is made.
fn signalling(message: Value) -> Result<Incoming, Refusal> {
    #[derive(Deserialize)]
    struct TrackStatus {
        receiver_index: u32,
        enabled: bool,
    }
    if message.get("type").and_then(Value::as_str) != Some("trackStatus") {
        return Ok(Incoming::Nothing);
    }
    let request = Request { id: None, data: message };
    let status: TrackStatus = request.data("trackStatus")?;
    Ok(match status.receiver_index {
        0 => Incoming::Commands {
            commands: vec![ClientCommand::Mute { muted: !status.enabled }],
            reply: None,
        },
        _ => Incoming::Nothing,
    })
}

/// One RTVI message whose type is still to be looked at.
struct Request {
    id: Option<String>,
    data: Value,
}

impl Request {
    fn dispatch(self, kind: &str) -> Result<Incoming, Refusal> {
        match kind {
            "client-ready" => self.client_ready(),
            "disconnect-bot" => Ok(command(ClientCommand::Disconnect)),
            "send-text" => self.send_text(),
            "dtmf" => self.dtmf(),
            "llm-function-call-result" => self.function_call_result(),
            "client-message" => self.client_message(),
            _ => Err(self.unsupported(kind)),
        }
    }

    fn client_ready(self) -> Result<Incoming, Refusal> {
        // A client that does not say its version is as welcome as one that says a strange one.
        let version = self.data.get("version").and_then(Value::as_str).unwrap_or_default();
        let version = version.chars().take(MESSAGE_ID_CHARS_MAX).collect();
        Ok(Incoming::ClientReady { id: self.id.unwrap_or_default(), version })
    }

    fn send_text(self) -> Result<Incoming, Refusal> {
        #[derive(Deserialize)]
        struct SendText {
            content: String,
            #[serde(default)]
            options: Option<Options>,
        }
        #[derive(Deserialize)]
        struct Options {
            run_immediately: Option<bool>,
        }
        let data: SendText = self.data("send-text")?;
        let interrupt = data.options.and_then(|options| options.run_immediately).unwrap_or(true);
        Ok(command(self.user_text("send-text", data.content, interrupt)?))
    }

    fn dtmf(self) -> Result<Incoming, Refusal> {
        #[derive(Deserialize)]
        struct Dtmf {
            #[serde(default)]
            buttons: Vec<String>,
            button: Option<String>,
        }
        let mut data: Dtmf = self.data("dtmf")?;
        data.buttons.extend(data.button);
        if data.buttons.is_empty() || data.buttons.len() > DTMF_KEYS_MAX {
            let count = data.buttons.len();
            return Err(self.invalid("dtmf", format!("{count} buttons, not 1 to {DTMF_KEYS_MAX}")));
        }
        let keys: Option<Vec<char>> =
            data.buttons.iter().map(|button| telephone_key(button)).collect();
        let Some(keys) = keys else {
            return Err(self.invalid("dtmf", "a button is none of 0-9, *, #, A-D".to_owned()));
        };
        let commands = keys.into_iter().map(|key| ClientCommand::Dtmf { key }).collect();
        Ok(Incoming::Commands { commands, reply: None })
    }

    fn function_call_result(self) -> Result<Incoming, Refusal> {
        #[derive(Deserialize)]
        struct CallResult {
            tool_call_id: String,
            #[serde(default)]
            result: Value,
        }
        let data: CallResult = self.data("llm-function-call-result")?;
        let result = data.result.to_string();
        Ok(command(ClientCommand::ToolResult { call_id: data.tool_call_id, result }))
    }

    fn client_message(self) -> Result<Incoming, Refusal> {
        #[derive(Deserialize)]
        struct ClientMessage {
            t: String,
            #[serde(default)]
            d: Value,
        }
        let ClientMessage { t, d } = self.data("client-message")?;
        let request = Self { id: self.id, data: d };
        match t.as_str() {
            "playout" => request.playout(),
            "mute" => request.mute(),
            "text" => request.text(),
            _ => Err(request.unsupported(&format!("client-message {t}"))),
        }
    }

    /// Sent several times a second, so it is not answered.
    fn playout(self) -> Result<Incoming, Refusal> {
        #[derive(Deserialize)]
        struct PlayoutReport {
            generation: u32,
            played_ms: f64,
        }
        let data: PlayoutReport = self.data("playout")?;
        let Ok(played) = Duration::try_from_secs_f64(data.played_ms / 1_000.0) else {
            return Err(self.invalid("playout", "played_ms is not a duration".to_owned()));
        };
        let generation = Generation(data.generation);
        Ok(command(ClientCommand::Playout(Playout { generation, played })))
    }

    fn mute(self) -> Result<Incoming, Refusal> {
        #[derive(Deserialize)]
        struct Mute {
            muted: bool,
        }
        let Mute { muted } = self.data("mute")?;
        Ok(self.accepted("mute", ClientCommand::Mute { muted }))
    }

    fn text(self) -> Result<Incoming, Refusal> {
        #[derive(Deserialize)]
        struct Text {
            text: String,
            interrupt: Option<bool>,
        }
        let data: Text = self.data("text")?;
        let command = self.user_text("text", data.text, data.interrupt.unwrap_or(true))?;
        Ok(self.accepted("text", command))
    }

    fn user_text(
        &self,
        kind: &'static str,
        text: String,
        interrupt: bool,
    ) -> Result<ClientCommand, Refusal> {
        let length = text.chars().count();
        if length > USER_TEXT_CHARS_MAX {
            let problem = format!("{length} characters, more than {USER_TEXT_CHARS_MAX}");
            return Err(self.invalid(kind, problem));
        }
        if text.trim().is_empty() {
            return Err(self.invalid(kind, "the text is empty".to_owned()));
        }
        Ok(ClientCommand::Text { text, interrupt })
    }

    fn data<T: DeserializeOwned>(&self, kind: &'static str) -> Result<T, Refusal> {
        T::deserialize(&self.data).map_err(|error| self.invalid(kind, error.to_string()))
    }

    /// A `client-message` may be a request that waits for its answer; the answer is harmless if not.
    fn accepted(self, t: &str, command: ClientCommand) -> Incoming {
        let reply = self.id.map(|id| {
            encode(Some(&id), &Message::ServerResponse { t, d: Value::Object(Default::default()) })
        });
        Incoming::Commands { commands: vec![command], reply }
    }

    fn invalid(&self, kind: &'static str, problem: String) -> Refusal {
        Refusal::Invalid { id: self.id.clone(), kind, problem }
    }

    fn unsupported(self, kind: &str) -> Refusal {
        Refusal::Unsupported {
            id: self.id,
            kind: kind.chars().take(MESSAGE_ID_CHARS_MAX).collect(),
        }
    }
}

fn command(command: ClientCommand) -> Incoming {
    Incoming::Commands { commands: vec![command], reply: None }
}

fn telephone_key(button: &str) -> Option<char> {
    let mut characters = button.chars();
    let key = characters.next()?.to_ascii_uppercase();
    let known = matches!(key, '0'..='9' | '*' | '#' | 'A'..='D');
    (known && characters.next().is_none()).then_some(key)
}

#[cfg(test)]
mod tests;
