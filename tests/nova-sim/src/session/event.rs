//! What the service says: its events as JSON.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use crate::random::Random;

/// Writes the events of one connection: they all carry the same ids.
#[derive(Debug)]
pub(crate) struct Events {
    session_id: String,
    completion_id: String,
    pub(crate) prompt_name: String,
}

/// Who speaks in a text block, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// What the user said.
    User,
    /// What the assistant is going to say.
    Speculative,
    /// What the assistant has said.
    Final,
}

/// Why a block ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    PartialTurn,
    EndTurn,
    Interrupted,
}

/// Tokens so far, since the connection began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tokens {
    pub(crate) speech_in: f64,
    pub(crate) text_in: u64,
    pub(crate) speech_out: f64,
    pub(crate) text_out: u64,
}

impl Stop {
    fn name(self) -> &'static str {
        match self {
            Self::PartialTurn => "PARTIAL_TURN",
            Self::EndTurn => "END_TURN",
            Self::Interrupted => "INTERRUPTED",
        }
    }
}

impl Events {
    pub(crate) fn new(random: &mut Random) -> Self {
        let (session_id, completion_id) = (random.id(), random.id());
        Self { session_id, completion_id, prompt_name: String::new() }
    }

    pub(crate) fn completion_start(&self) -> Vec<u8> {
        self.event("completionStart", json!({}))
    }

    pub(crate) fn completion_end(&self) -> Vec<u8> {
        self.event("completionEnd", json!({ "stopReason": "END_TURN" }))
    }

    /// Speech events carry no completion id.
    pub(crate) fn user_speech_start(&self, at_ms: u64) -> Vec<u8> {
        self.speech_event("userSpeechStart", json!({ "inputAudioOffsetMs": at_ms }))
    }

    pub(crate) fn user_speech_end(&self, at_ms: u64, detected_ms: u64) -> Vec<u8> {
        let body =
            json!({ "inputAudioOffsetMs": at_ms, "inputAudioDetectionOffsetMs": detected_ms });
        self.speech_event("userSpeechEnd", body)
    }

    /// A whole text block: three events.
    pub(crate) fn text(
        &self,
        content_id: &str,
        stage: Stage,
        text: &str,
        stop: Stop,
    ) -> [Vec<u8>; 3] {
        let role = if stage == Stage::User { "USER" } else { "ASSISTANT" };
        let generation_stage = if stage == Stage::Speculative { "SPECULATIVE" } else { "FINAL" };
        let start = json!({
            "contentId": content_id,
            "type": "TEXT",
            "role": role,
            "textOutputConfiguration": { "mediaType": "text/plain" },
            // A string that holds JSON, and not an object.
            "additionalModelFields": format!("{{\"generationStage\":\"{generation_stage}\"}}"),
        });
        let output = json!({ "contentId": content_id, "role": role, "content": text });
        [
            self.event("contentStart", start),
            self.event("textOutput", output),
            self.content_end(content_id, "TEXT", stop.name()),
        ]
    }

    pub(crate) fn audio_start(&self, content_id: &str, rate_hz: u32) -> Vec<u8> {
        let start = json!({
            "contentId": content_id,
            "type": "AUDIO",
            "role": "ASSISTANT",
            "audioOutputConfiguration": {
                "mediaType": "audio/lpcm",
                "sampleRateHertz": rate_hz,
                "sampleSizeBits": 16,
                "encoding": "base64",
                "channelCount": 1,
            },
        });
        self.event("contentStart", start)
    }

    pub(crate) fn audio(&self, content_id: &str, pcm: &[i16]) -> Vec<u8> {
        let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let content = BASE64_STANDARD.encode(bytes);
        self.event("audioOutput", json!({ "contentId": content_id, "content": content }))
    }

    pub(crate) fn audio_end(&self, content_id: &str, stop: Stop) -> Vec<u8> {
        self.content_end(content_id, "AUDIO", stop.name())
    }

    /// A whole tool block: three events. `arguments` is what `content` holds, JSON as a string.
    pub(crate) fn tool_use(
        &self,
        content_id: &str,
        use_id: &str,
        name: &str,
        arguments: &str,
    ) -> [Vec<u8>; 3] {
        let start = json!({
            "contentId": content_id,
            "type": "TOOL",
            "role": "TOOL",
            "toolUseOutputConfiguration": { "mediaType": "application/json" },
        });
        let tool_use = json!({
            "contentId": content_id,
            "role": "TOOL",
            "toolName": name,
            "toolUseId": use_id,
            "content": arguments,
        });
        [
            self.event("contentStart", start),
            self.event("toolUse", tool_use),
            self.content_end(content_id, "TOOL", "TOOL_USE"),
        ]
    }

    /// The totals of the connection, and what came to them since `before`.
    pub(crate) fn usage(&self, before: Tokens, total: Tokens) -> Vec<u8> {
        let [before, total] = [before, total].map(|tokens| {
            // As whole tokens, so that the differences add up to the totals.
            let [speech_in, speech_out] =
                [tokens.speech_in, tokens.speech_out].map(|tokens| tokens.round() as u64);
            [speech_in, tokens.text_in, speech_out, tokens.text_out]
        });
        let split = |[speech_in, text_in, speech_out, text_out]: [u64; 4]| {
            json!({
                "input": { "speechTokens": speech_in, "textTokens": text_in },
                "output": { "speechTokens": speech_out, "textTokens": text_out },
            })
        };
        let delta = std::array::from_fn(|index| total[index] - before[index]);
        let (input, output) = (total[0] + total[1], total[2] + total[3]);
        let body = json!({
            "details": { "delta": split(delta), "total": split(total) },
            "totalInputTokens": input,
            "totalOutputTokens": output,
            "totalTokens": input + output,
        });
        self.event("usageEvent", body)
    }

    /// An event that no client knows.
    pub(crate) fn unknown(&self) -> Vec<u8> {
        self.event("modelMoodEvent", json!({ "mood": "curious", "details": { "level": [1, 2] } }))
    }

    fn content_end(&self, content_id: &str, kind: &str, stop: &str) -> Vec<u8> {
        let end = json!({ "contentId": content_id, "type": kind, "stopReason": stop });
        self.event("contentEnd", end)
    }

    fn event(&self, name: &str, mut body: Value) -> Vec<u8> {
        body["completionId"] = Value::from(self.completion_id.as_str());
        self.speech_event(name, body)
    }

    fn speech_event(&self, name: &str, mut body: Value) -> Vec<u8> {
        body["sessionId"] = Value::from(self.session_id.as_str());
        body["promptName"] = Value::from(self.prompt_name.as_str());
        let event = Map::from_iter([(name.to_owned(), body)]);
        json!({ "event": event }).to_string().into_bytes()
    }
}
