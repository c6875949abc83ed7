//! RTVI 2.x, as far as the caller speaks it: messages of the data channel to and from the agent.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The label of the data channel.
pub const CHANNEL: &str = "chat";
/// The version announced.
pub const VERSION: &str = "2.1.0";
/// What marks a message as RTVI.
const LABEL: &str = "rtvi-ai";

/// What the caller says over the data channel.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// It understands RTVI and is ready.
    ClientReady,
    /// Typed words in the place of spoken ones.
    SendText {
        /// The words.
        text: String,
    },
    /// The microphone is off, or on again.
    Mute {
        /// Whether it is off.
        muted: bool,
    },
    /// So much of a reply has been played.
    Playout {
        /// The reply.
        generation: u64,
        /// From its first sound on, in milliseconds.
        played_ms: u64,
    },
}

impl Request {
    /// The message, numbered `id`.
    pub fn to_message(&self, id: u64) -> String {
        let (kind, data) = match self {
            Self::ClientReady => (
                "client-ready",
                json!({
                    "version": VERSION,
                    "about": {
                        "library": env!("CARGO_PKG_NAME"),
                        "library_version": env!("CARGO_PKG_VERSION"),
                    },
                }),
            ),
            Self::SendText { text } => ("send-text", json!({ "content": text })),
            Self::Mute { muted } => {
                ("client-message", json!({ "t": "mute", "d": { "muted": muted } }))
            }
            Self::Playout { generation, played_ms } => (
                "client-message",
                json!({
                    "t": "playout",
                    "d": { "generation": generation, "played_ms": played_ms },
                }),
            ),
        };
        json!({ "label": LABEL, "type": kind, "id": id.to_string(), "data": data }).to_string()
    }
}

/// A message of the agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its data; null if it has none.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

/// What the caller makes of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// The agent speaks RTVI and is ready.
    BotReady,
    /// Who holds the floor.
    Floor {
        /// The state's name.
        state: String,
        /// The reply that is, or was, spoken.
        generation: u64,
    },
    /// How much of a reply was heard.
    Heard {
        /// The reply.
        generation: u64,
        /// Whether the caller interrupted it.
        interrupted: bool,
    },
    /// Where the time of a turn went.
    TurnBreakdown,
    /// What the agent understood of the user, if final.
    UserSaid(String),
    /// What the agent is about to say.
    BotSays(String),
    /// Something went wrong.
    Error {
        /// What.
        message: String,
        /// Whether the call is over.
        is_fatal: bool,
    },
    /// Nothing that the caller reacts to.
    Other,
}

impl Message {
    /// The message in `text`, or `None` if that is not RTVI.
    pub fn parse(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Envelope {
            label: String,
            #[serde(flatten)]
            message: Message,
        }
        let Envelope { label, message } = serde_json::from_str(text).ok()?;
        (label == LABEL).then_some(message)
    }

    /// What it means to the caller.
    pub fn meaning(&self) -> Meaning {
        let text = |key: &str| self.data[key].as_str().unwrap_or_default().to_owned();
        match self.kind.as_str() {
            "bot-ready" => Meaning::BotReady,
            "user-transcription" if self.data["final"] == true => Meaning::UserSaid(text("text")),
            "bot-output" if self.data["spoken_status"] == "new" => Meaning::BotSays(text("text")),
            "error" => {
                Meaning::Error { message: text("error"), is_fatal: self.data["fatal"] == true }
            }
            "error-response" => Meaning::Error { message: text("error"), is_fatal: false },
            "server-message" => self.server_message(),
            _ => Meaning::Other,
        }
    }

    fn server_message(&self) -> Meaning {
        match self.data["type"].as_str() {
            Some("floor") => Meaning::Floor {
                state: self.data["state"].as_str().unwrap_or_default().to_owned(),
                generation: self.data["generation"].as_u64().unwrap_or_default(),
            },
            Some("heard") => Meaning::Heard {
                generation: self.data["generation"].as_u64().unwrap_or_default(),
                interrupted: self.data["interrupted"] == true,
            },
            Some("turn") => Meaning::TurnBreakdown,
            _ => Meaning::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_rtvi_messages() {
        for (request, kind, data) in [
            (
                Request::SendText { text: "hello \"you\"".into() },
                "send-text",
                json!({"content": "hello \"you\""}),
            ),
            (
                Request::Mute { muted: true },
                "client-message",
                json!({"t": "mute", "d": {"muted": true}}),
            ),
            (
                Request::Playout { generation: 4, played_ms: 1_320 },
                "client-message",
                json!({"t": "playout", "d": {"generation": 4, "played_ms": 1320}}),
            ),
        ] {
            let message: Value = serde_json::from_str(&request.to_message(3)).unwrap();
            let expected = json!({"label": "rtvi-ai", "type": kind, "id": "3", "data": data});
            assert_eq!(message, expected);
        }
        let ready: Value = serde_json::from_str(&Request::ClientReady.to_message(1)).unwrap();
        assert_eq!(
            (&ready["type"], &ready["data"]["version"]),
            (&json!("client-ready"), &json!("2.1.0"))
        );
    }

    #[test]
    fn messages_are_understood_as_far_as_they_matter() {
        let meaning = |kind: &str, data: Value| {
            let text = json!({"label": "rtvi-ai", "type": kind, "data": data}).to_string();
            Message::parse(&text).unwrap().meaning()
        };
        for (kind, data, expected) in [
            ("bot-ready", json!({"version": "2.1.0"}), Meaning::BotReady),
            (
                "server-message",
                json!({"type": "floor", "state": "agent", "turn": 1, "generation": 2, "at_ms": 40}),
                Meaning::Floor { state: "agent".into(), generation: 2 },
            ),
            ("server-message", json!({"type": "turn", "turn": 1}), Meaning::TurnBreakdown),
            (
                "server-message",
                json!({"type": "heard", "generation": 3, "heard_ms": 40, "interrupted": true}),
                Meaning::Heard { generation: 3, interrupted: true },
            ),
            ("server-message", json!("anything"), Meaning::Other),
            ("user-transcription", json!({"text": "hi", "final": false}), Meaning::Other),
            (
                "user-transcription",
                json!({"text": "hi", "final": true}),
                Meaning::UserSaid("hi".into()),
            ),
            (
                "bot-output",
                json!({"text": "Yes.", "spoken_status": "new"}),
                Meaning::BotSays("Yes.".into()),
            ),
            (
                "error",
                json!({"error": "no backend", "fatal": true}),
                Meaning::Error { message: "no backend".into(), is_fatal: true },
            ),
            ("bot-started-speaking", Value::Null, Meaning::Other),
        ] {
            assert_eq!(meaning(kind, data.clone()), expected, "{kind} {data}");
        }
    }

    #[test]
    fn what_is_not_rtvi_is_none() {
        for text in
            ["", "ping: 12", "{", "[]", r#"{"type":"x"}"#, r#"{"label":"other","type":"x"}"#]
        {
            assert_eq!(Message::parse(text), None, "{text}");
        }
        let bare = Message::parse(r#"{"label":"rtvi-ai","type":"bot-stopped-speaking"}"#).unwrap();
        assert_eq!(bare.data, Value::Null);
    }

    proptest::proptest! {
        #[test]
        fn no_message_is_too_strange(
            text in r#"[\[\]{}":,a-z0-9\- ]{0,80}"#,
            kind in "[a-z-]{0,20}",
        ) {
            drop(Message::parse(&text));
            let floor = r#"{"type":"floor","generation":-1}"#;
            for data in ["1", "null", "[]", r#"{"type":7}"#, floor] {
                let text = format!(r#"{{"label":"rtvi-ai","type":"{kind}","data":{data}}}"#);
                drop(Message::parse(&text).map(|message| message.meaning()));
            }
        }
    }
}
