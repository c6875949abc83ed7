//! Whatever is asked of Nova Sonic's scribe, in any order: what it writes is in the documented order.
#![no_main]

use std::collections::HashSet;

use antiphon::limits::NOVA_ANSWERED_TOOLS_MAX;
use antiphon::nova::history::{Message, Speaker};
use antiphon::nova::request::{Scribe, ToolDeclaration, Unit};
use antiphon::nova::settings::{NovaSettings, TextSettings};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

#[derive(Arbitrary, Debug)]
enum Operation {
    Session {
        first_generation: bool,
        system: String,
        tools: u8,
    },
    /// Messages of anybody in any order.
    History {
        messages: Vec<(bool, String)>,
    },
    /// So many in turn.
    Turns {
        count: u8,
    },
    OpenAudio,
    Audio {
        samples: u16,
    },
    Text {
        text: String,
    },
    /// The same character so often: texts that are sent in pieces.
    LongText {
        character: char,
        count: u16,
    },
    ToolResult {
        id: u8,
        result: String,
    },
    Close,
}

fuzz_target!(|operations: Vec<Operation>| {
    let mut scribe = Scribe::new("prompt".to_owned());
    let mut reader = Reader::default();
    for operation in operations {
        match operation {
            Operation::Session { first_generation, system, tools } => {
                reader.is_first_generation |= first_generation && !reader.has_started;
                reader.read(&session(&mut scribe, first_generation, &system, tools));
            }
            Operation::History { messages } => {
                let message = |(is_user, text)| Message { speaker: speaker(is_user), text };
                let messages: Vec<Message> = messages.into_iter().map(message).collect();
                reader.read(&scribe.history(&messages).unwrap_or_default());
            }
            Operation::Turns { count } => {
                let message = |turn| Message {
                    speaker: speaker(turn % 2 == 0),
                    text: format!("message {turn}"),
                };
                let messages: Vec<Message> = (0..count).map(message).collect();
                reader.read(&scribe.history(&messages).unwrap_or_default());
            }
            Operation::OpenAudio => reader.read(&scribe.open_audio().unwrap_or_default()),
            Operation::Audio { samples } => {
                let unit = scribe.audio(&vec![-2; usize::from(samples)]);
                assert_eq!(unit.is_ok(), reader.audio.is_some() && !reader.has_ended);
                reader.read(&unit.unwrap_or_default());
            }
            Operation::Text { text } => reader.read(&scribe.text(&text).unwrap_or_default()),
            Operation::LongText { character, count } => {
                let text: String = std::iter::repeat_n(character, count.into()).collect();
                reader.read(&scribe.text(&text).unwrap_or_default());
            }
            Operation::ToolResult { id, result } => {
                let unit = scribe.tool_result(&id.to_string(), &result);
                reader.read(&unit.unwrap_or_default());
            }
            Operation::Close => {
                reader.read(&scribe.close());
                assert!(reader.has_ended || !reader.has_started, "closed, but not ended");
            }
        }
        assert!(reader.block.is_none(), "a unit ends within a block");
    }
});

fn speaker(is_user: bool) -> Speaker {
    if is_user { Speaker::User } else { Speaker::Agent }
}

fn session(scribe: &mut Scribe, first_generation: bool, system: &str, tools: u8) -> Unit {
    let mut settings = NovaSettings::default();
    if first_generation {
        settings.model = "amazon.nova-sonic-v1:0".to_owned();
    }
    let tool = |number| ToolDeclaration {
        name: format!("tool_{number}"),
        description: system.to_owned(),
        schema: "{}".to_owned(),
    };
    let tools: Vec<ToolDeclaration> = (0..tools % 4).map(tool).collect();
    scribe.session(&settings, system, &tools)
}

/// The service, as far as it is strict: reads events and insists on their order.
#[derive(Default)]
struct Reader {
    is_first_generation: bool,
    has_started: bool,
    has_prompt: bool,
    has_system: bool,
    last_role: Option<String>,
    /// Names of all blocks so far.
    names: HashSet<String>,
    /// The open block of text or of a tool's result.
    block: Option<Block>,
    /// The audio block, also when it is closed again.
    audio: Option<Block>,
    is_audio_open: bool,
    answered: HashSet<String>,
    is_prompt_closed: bool,
    has_ended: bool,
}

struct Block {
    name: String,
    kind: String,
    has_content: bool,
}

impl Reader {
    fn read(&mut self, unit: &Unit) {
        for json in unit {
            let json: Value = serde_json::from_slice(json).expect("JSON");
            let envelope = json.as_object().expect("an object");
            assert_eq!(envelope.len(), 1, "{json}");
            let event = envelope["event"].as_object().expect("an event");
            assert_eq!(event.len(), 1, "{json}");
            let (name, body) = event.iter().next().expect("one");
            assert!(!self.has_ended, "{name} behind the end");
            self.event(name, body);
        }
    }

    fn event(&mut self, name: &str, body: &Value) {
        assert_eq!(self.has_started, name != "sessionStart", "{name}");
        match name {
            "sessionStart" => self.has_started = true,
            "sessionEnd" => {
                assert!(self.is_prompt_closed, "the session ends before its prompt");
                self.has_ended = true;
            }
            _ => {
                assert_eq!(body["promptName"], "prompt", "{name}");
                assert!(!self.is_prompt_closed, "{name} behind promptEnd");
                assert_eq!(self.has_prompt, name != "promptStart", "{name}");
                self.within_prompt(name, body);
            }
        }
    }

    fn within_prompt(&mut self, name: &str, body: &Value) {
        match name {
            "promptStart" => {
                let keys = ["toolConfiguration", "toolUseOutputConfiguration"];
                assert_eq!(body.get(keys[0]).is_some(), body.get(keys[1]).is_some());
                self.has_prompt = true;
            }
            "contentStart" => self.content_start(body),
            "textInput" => {
                let content = self.content("TEXT", body);
                assert!(content.len() <= TextSettings::default().piece_bytes_max);
            }
            "toolResult" => {
                let content = self.content("TOOL", body);
                let value: Value = serde_json::from_str(&content).expect("a result is JSON");
                assert!(value.is_object(), "{content}");
            }
            "audioInput" => {
                assert!(self.block.is_none(), "audio within a block of text");
                let block =
                    self.audio.as_mut().filter(|_| self.is_audio_open).expect("audio is open");
                assert_eq!(body["contentName"], block.name.as_str());
                assert!(body["content"].as_str().is_some_and(|content| !content.is_empty()));
                block.has_content = true;
            }
            "contentEnd" => self.content_end(body),
            "promptEnd" => {
                assert!(self.block.is_none() && !self.is_audio_open, "open blocks");
                assert!(self.audio.is_some(), "a prompt without audio");
                self.is_prompt_closed = true;
            }
            _ => panic!("an event that the service does not know: {name}"),
        }
    }

    fn content_start(&mut self, body: &Value) {
        assert!(self.block.is_none(), "a block within a block");
        let text = |key: &str| body[key].as_str().expect("a text").to_owned();
        let (name, kind, role) = (text("contentName"), text("type"), text("role"));
        assert!(self.names.insert(name.clone()), "a name for the second time");
        assert_eq!(role == "SYSTEM", !self.has_system, "SYSTEM comes first and once");
        let is_interactive = body["interactive"].as_bool().expect("a truth");
        let block = Block { name, kind, has_content: false };
        match (block.kind.as_str(), role.as_str(), is_interactive) {
            ("TEXT", "SYSTEM", false) => self.has_system = true,
            ("TEXT", "USER" | "ASSISTANT", false) => {
                assert!(self.audio.is_none(), "history behind audio");
                assert!(self.last_role.is_some() || role == "USER", "the user is first");
                assert_ne!(self.last_role.as_ref(), Some(&role), "in turn");
                self.last_role = Some(role);
            }
            ("TEXT", "USER", true) => {
                assert!(self.is_audio_open && !self.is_first_generation);
            }
            ("TOOL", "TOOL", false) => {
                assert!(self.is_audio_open, "a result before audio");
                let id = body["toolResultInputConfiguration"]["toolUseId"].as_str().expect("an id");
                assert!(self.answered.insert(id.to_owned()), "a second result");
                assert!(self.answered.len() <= NOVA_ANSWERED_TOOLS_MAX, "there are no more ids");
            }
            ("AUDIO", "USER", true) => {
                assert!(self.audio.is_none(), "a second audio block");
                self.is_audio_open = true;
                self.audio = Some(block);
                return;
            }
            other => panic!("a block of {other:?}"),
        }
        self.block = Some(block);
    }

    fn content(&mut self, kind: &str, body: &Value) -> String {
        let block = self.block.as_mut().expect("an open block");
        assert_eq!(body["contentName"], block.name.as_str());
        assert_eq!(block.kind, kind);
        block.has_content = true;
        body["content"].as_str().expect("a text").to_owned()
    }

    fn content_end(&mut self, body: &Value) {
        let block = match self.block.take() {
            Some(block) => block,
            None => {
                assert!(std::mem::take(&mut self.is_audio_open), "nothing is open");
                let audio = self.audio.as_ref().expect("there is audio");
                Block {
                    name: audio.name.clone(),
                    kind: String::new(),
                    has_content: audio.has_content,
                }
            }
        };
        assert_eq!(body["contentName"], block.name.as_str());
        assert!(block.has_content, "a block without content");
    }
}
