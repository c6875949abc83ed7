//! Sessions in virtual time, without sockets.

mod answers;
mod faults;
mod input;
mod interruptions;
mod rules;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::faults::StreamFault;
use crate::tones::{Word, encode};

/// A client that talks to a session at its pace.
pub(super) struct Caller {
    pub(super) session: Session,
    pub(super) now: Duration,
    /// What came, with its time.
    pub(super) heard: Vec<(Duration, Output)>,
}

impl Caller {
    pub(super) fn new() -> Self {
        Self::with(SimSettings::tones(), ScheduledFaults::none())
    }

    pub(super) fn with(settings: SimSettings, faults: ScheduledFaults) -> Self {
        let session = Session::new(Arc::new(settings), faults, 5);
        Self { session, now: Duration::ZERO, heard: Vec::new() }
    }

    /// With the audio block open.
    pub(super) fn live(settings: SimSettings, faults: ScheduledFaults, tools: Value) -> Self {
        let mut caller = Self::with(settings, faults);
        caller.set_up(tools);
        caller.send(audio_start());
        caller
    }

    pub(super) fn set_up(&mut self, tools: Value) {
        self.send(session_start());
        self.send(prompt_start(tools));
        self.send_all(text_block("system", "SYSTEM", false, "You count."));
    }

    pub(super) fn send(&mut self, event: Value) {
        self.session.handle_event(self.now, event.to_string().as_bytes());
        self.drain();
    }

    pub(super) fn send_all(&mut self, events: impl IntoIterator<Item = Value>) {
        events.into_iter().for_each(|event| self.send(event));
    }

    /// Sends audio at its pace.
    pub(super) fn speak(&mut self, pcm: &[i16]) {
        for frame in pcm.chunks(512) {
            self.send(audio(frame));
            self.wait(Duration::from_micros(frame.len() as u64 * 1_000_000 / 16_000));
        }
    }

    pub(super) fn silence(&mut self, ms: usize) {
        self.speak(&vec![0; ms * 16]);
    }

    /// Says words, and the silence that ends the utterance.
    pub(super) fn say(&mut self, text: &str) {
        self.speak(&encode(&Word::all_in(text), 16_000));
        self.silence(500);
    }

    /// Lets time go by.
    pub(super) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.session.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.drain();
        }
        self.now = until;
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output(self.now) {
            self.heard.push((self.now, output));
        }
    }

    /// Events so far, with their times.
    pub(super) fn events(&self) -> Vec<(Duration, Value)> {
        let event = |(at, output): &(Duration, Output)| match output {
            Output::Event(json) => Some((*at, serde_json::from_slice(json).ok()?)),
            _ => None,
        };
        self.heard.iter().filter_map(event).collect()
    }

    /// Events as a line each: their name and what matters of them.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut stages = BTreeMap::new();
        let mut lines: Vec<String> = Vec::new();
        for (_, event) in self.events() {
            let line = line_of(&event, &mut stages);
            let is_more_audio = line == "audio" && lines.last() == Some(&line);
            if !line.is_empty() && !is_more_audio {
                lines.push(line);
            }
        }
        lines
    }

    pub(super) fn last_exception(&self) -> Option<(&ExceptionKind, &str)> {
        match &self.heard.last()?.1 {
            Output::Exception { kind, message } => Some((kind, message)),
            _ => None,
        }
    }

    /// Use ids and arguments of the tool calls so far.
    pub(super) fn tool_uses(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let uses = self.events().into_iter().filter_map(|(_, event)| {
            let tool_use = event["event"].get("toolUse")?;
            Some((text(&tool_use["toolUseId"]), text(&tool_use["content"])))
        });
        uses.collect()
    }
}

/// `USER 17`, `planned 17 5 9.`, `spoken 17 5 9.`, `audio`, `audio ends END_TURN`, or the name.
/// Usage, and the beginnings and ends of text blocks are left out.
fn line_of(event: &Value, stages: &mut BTreeMap<String, &'static str>) -> String {
    let Some((name, body)) = event["event"].as_object().and_then(|event| event.iter().next())
    else {
        return format!("garbage {event}");
    };
    let id = body["contentId"].to_string();
    match (name.as_str(), body["type"].as_str().unwrap_or_default()) {
        ("usageEvent", _) => String::new(),
        ("contentStart", "TEXT") => {
            let fields = body["additionalModelFields"].as_str().unwrap_or_default();
            let stage = match body["role"].as_str() {
                Some("USER") => "USER",
                _ if fields.contains("SPECULATIVE") => "planned",
                _ => "spoken",
            };
            stages.insert(id, stage);
            String::new()
        }
        ("textOutput", _) => {
            let text = body["content"].as_str().unwrap_or_default();
            format!("{} {text}", stages.get(&id).copied().unwrap_or("stray"))
        }
        ("contentEnd", "TEXT") if body["stopReason"] == "INTERRUPTED" => "interrupted".to_owned(),
        ("contentEnd", "AUDIO") => {
            format!("audio ends {}", body["stopReason"].as_str().unwrap_or_default())
        }
        ("contentStart" | "contentEnd", _) => String::new(),
        ("audioOutput", _) => "audio".to_owned(),
        ("toolUse", _) => format!("tool {}", body["toolName"].as_str().unwrap_or_default()),
        (name, _) => name.to_owned(),
    }
}

pub(super) fn session_start() -> Value {
    let inference = json!({ "maxTokens": 1024, "topP": 0.9, "temperature": 0.7 });
    event("sessionStart", json!({ "inferenceConfiguration": inference }))
}

pub(super) fn prompt_start(tools: Value) -> Value {
    event(
        "promptStart",
        json!({
            "textOutputConfiguration": { "mediaType": "text/plain" },
            "audioOutputConfiguration": {
                "mediaType": "audio/lpcm", "sampleRateHertz": 24000, "sampleSizeBits": 16,
                "channelCount": 1, "voiceId": "tiffany", "encoding": "base64",
                "audioType": "SPEECH",
            },
            "toolConfiguration": { "tools": tools },
        }),
    )
}

pub(super) fn text_start(name: &str, role: &str, interactive: bool) -> Value {
    event(
        "contentStart",
        json!({
            "contentName": name, "type": "TEXT", "role": role, "interactive": interactive,
            "textInputConfiguration": { "mediaType": "text/plain" },
        }),
    )
}

pub(super) fn text_input(name: &str, text: &str) -> Value {
    event("textInput", json!({ "contentName": name, "content": text }))
}

pub(super) fn text_block(name: &str, role: &str, interactive: bool, text: &str) -> [Value; 3] {
    [text_start(name, role, interactive), text_input(name, text), content_end(name)]
}

pub(super) fn audio_start() -> Value {
    event(
        "contentStart",
        json!({
            "contentName": "mic", "type": "AUDIO", "role": "USER", "interactive": true,
            "audioInputConfiguration": {
                "mediaType": "audio/lpcm", "sampleRateHertz": 16000, "sampleSizeBits": 16,
                "channelCount": 1, "audioType": "SPEECH", "encoding": "base64",
            },
        }),
    )
}

pub(super) fn audio(pcm: &[i16]) -> Value {
    let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    event("audioInput", json!({ "contentName": "mic", "content": BASE64_STANDARD.encode(bytes) }))
}

pub(super) fn tool_start(name: &str, use_id: &str, media_type: &str) -> Value {
    event(
        "contentStart",
        json!({
            "contentName": name, "type": "TOOL", "role": "TOOL", "interactive": false,
            "toolResultInputConfiguration": {
                "toolUseId": use_id, "type": "TEXT",
                "textInputConfiguration": { "mediaType": media_type },
            },
        }),
    )
}

pub(super) fn tool_result(use_id: &str, result: &str) -> [Value; 3] {
    let name = format!("result-{use_id}");
    [
        tool_start(&name, use_id, "text/plain"),
        event("toolResult", json!({ "contentName": name, "content": result })),
        content_end(&name),
    ]
}

pub(super) fn content_end(name: &str) -> Value {
    event("contentEnd", json!({ "contentName": name }))
}

pub(super) fn close() -> [Value; 3] {
    [content_end("mic"), event("promptEnd", json!({})), event("sessionEnd", json!({}))]
}

pub(super) fn event(name: &str, mut body: Value) -> Value {
    if !name.starts_with("session") {
        body["promptName"] = Value::from("prompt");
    }
    json!({ "event": { name: body } })
}

/// The declaration of a tool that takes an order's number.
pub(super) fn order_tool(name: &str) -> Value {
    let schema = json!({
        "type": "object",
        "properties": { "id": { "type": "string" } },
        "required": ["id"],
    });
    json!({ "toolSpec": {
        "name": name, "description": "Looks up.", "inputSchema": { "json": schema.to_string() },
    } })
}
