//! What a recording says of itself: JSON, so that any tool can show it.

use serde_json::{Map, Value};

use super::settings::{self, Pass};
use crate::agent::AgentSettings;

/// How much of the call a recording holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Measurements, lengths and times: no audio, no words. Replays the conversation.
    #[default]
    Features,
    /// Packets, reply audio and words. Replays the whole agent.
    Full,
}

impl Kind {
    /// Its name in headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Features => "features",
            Self::Full => "full",
        }
    }
}

/// The header of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// Version of the program that recorded: decisions may differ in another.
    pub program: String,
    /// When the call began, as ISO 8601; told by whoever has a clock.
    pub began: String,
    /// The call's id.
    pub call: String,
    pub kind: Kind,
    /// The codec's name, as [`Header::CODECS`] has it.
    pub codec: String,
    /// Which voice model judged the audio.
    pub voice_model: String,
    /// How the call was set up. In features files without the words that [`super::redact`] removes.
    pub settings: AgentSettings,
}

impl Header {
    /// The codecs that a replay can decode; `pcm16` is what simulations speak.
    pub const CODECS: [&str; 4] = ["opus", "pcmu", "pcma", "pcm16"];

    pub(super) fn to_json(&self) -> String {
        let Self { program, began, call, kind, codec, voice_model, settings } = self;
        let text = |text: &str| Value::String(text.to_owned());
        let map = [
            ("antiphon", text(program)),
            ("began", text(began)),
            ("call", text(call)),
            ("kind", text(kind.name())),
            ("codec", text(codec)),
            ("voice_model", text(voice_model)),
            ("settings", Value::Object(settings::to_json(settings))),
        ];
        let map: Map<String, Value> =
            map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Value::Object(map).to_string()
    }

    pub(super) fn from_json(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let Value::Object(map) = value else { return Err("it is not a JSON object".to_owned()) };
        let mut pass = Pass::reading(map, String::new());
        let (mut program, mut began, mut call) = (String::new(), String::new(), String::new());
        let (mut codec, mut voice_model) = (String::new(), String::new());
        let mut kind = Kind::default();
        let mut settings = AgentSettings::default();
        pass.item("antiphon", &mut program);
        pass.item("began", &mut began);
        pass.item("call", &mut call);
        pass.item("kind", &mut kind);
        pass.item("codec", &mut codec);
        pass.item("voice_model", &mut voice_model);
        pass.section("settings", |pass| settings::agent(pass, &mut settings));
        pass.finish()?;
        if !Self::CODECS.contains(&codec.as_str()) {
            return Err(format!("codec: expected one of {:?}, received `{codec}`", Self::CODECS));
        }
        Ok(Self { program, began, call, kind, codec, voice_model, settings })
    }
}
