//! The messages to a client, as serde types. Nothing but their shape is decided here.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::call::event::{Cost, TurnMetrics};

/// The `label` of every RTVI message; clients drop what does not carry it.
pub(super) const LABEL: &str = "rtvi-ai";

/// The JSON text of `message`, as an answer to the message `id` if there is one.
pub(super) fn text(id: Option<&str>, message: &Message<'_>) -> String {
    serde_json::to_string(&Envelope { label: LABEL, id, message })
        .expect("messages have string keys only and serialise without failing")
}

#[derive(Serialize)]
struct Envelope<'a> {
    label: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(flatten)]
    message: &'a Message<'a>,
}

/// A message by its RTVI type.
#[derive(Serialize)]
#[serde(tag = "type", content = "data", rename_all = "kebab-case")]
pub(super) enum Message<'a> {
    BotReady {
        version: &'a str,
        about: About,
    },
    ErrorResponse {
        error: &'a str,
    },
    ServerResponse {
        t: &'a str,
        d: Value,
    },
    /// The written standard says `message`, clients read `error`: both hold the same text.
    Error {
        error: &'a str,
        message: &'a str,
        fatal: bool,
    },
    ServerMessage(ServerMessage<'a>),
    UserStartedSpeaking,
    UserStoppedSpeaking,
    UserMuteStarted,
    UserMuteStopped,
    UserTranscription {
        text: &'a str,
        #[serde(rename = "final")]
        is_final: bool,
        timestamp: &'a str,
        user_id: &'a str,
    },
    BotStartedSpeaking,
    BotStoppedSpeaking,
    BotLlmStarted,
    BotLlmText {
        text: &'a str,
    },
    BotLlmStopped,
    BotTtsStarted,
    BotTtsText {
        text: &'a str,
    },
    BotTtsStopped,
    BotOutput {
        text: &'a str,
        segment_id: u32,
        will_be_spoken: bool,
        spoken_status: SpokenStatus,
        #[serde(skip_serializing_if = "Option::is_none")]
        spoken_progress: Option<SpokenProgress<'a>>,
        aggregated_by: &'a str,
    },
    Metrics {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        ttfb: Vec<Metric>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        processing: Vec<Metric>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tokens: Vec<TokenCount>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        characters: Vec<Metric>,
    },
    LlmFunctionCallInProgress {
        tool_call_id: &'a str,
        function_name: &'a str,
        arguments: Value,
    },
}

/// Who answers.
#[derive(Serialize)]
pub(super) struct About {
    pub(super) library: &'static str,
    pub(super) library_version: &'static str,
}

/// How far a segment of the reply was spoken.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SpokenStatus {
    New,
    InProgress,
    Completed,
}

/// Where in its text a segment stands, or was cut.
#[derive(Serialize)]
pub(super) struct SpokenProgress<'a> {
    pub(super) accumulated_text: &'a str,
    pub(super) remaining_text: &'a str,
}

/// One measured time, in seconds, or a count.
#[derive(Serialize)]
pub(super) struct Metric {
    pub(super) processor: &'static str,
    pub(super) value: f64,
}

/// Tokens that a model took and gave.
#[derive(Serialize)]
pub(super) struct TokenCount {
    pub(super) processor: &'static str,
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
}

/// All that was used, and what it costs in the currency of the configured prices.
#[derive(Serialize)]
pub(super) struct Used {
    pub(super) turn: u32,
    pub(super) speech_in: u64,
    pub(super) text_in: u64,
    pub(super) speech_out: u64,
    pub(super) text_out: u64,
    pub(super) heard_ms: u64,
    pub(super) spoken_chars: u64,
    pub(super) cost: f64,
    pub(super) cost_by_stage: StageCosts,
}

/// What of the cost is whose.
#[derive(Serialize)]
pub(super) struct StageCosts {
    pub(super) asr: f64,
    pub(super) llm: f64,
    pub(super) tts: f64,
}

impl From<Cost> for StageCosts {
    fn from(cost: Cost) -> Self {
        let [(_, asr), (_, llm), (_, tts)] = cost.stages();
        Self { asr, llm, tts }
    }
}

/// What Antiphon tells beyond RTVI.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum ServerMessage<'a> {
    Floor { state: &'static str, turn: u32, generation: u32, at_ms: u64 },
    Turn(TurnTimes),
    Used(Used),
    Heard { generation: u32, heard_ms: f64, text: &'a str, source: &'static str, interrupted: bool },
}

/// [`TurnMetrics`] in milliseconds after the end of the user's speech. A step that did not happen is
/// left out.
#[derive(Serialize)]
pub(super) struct TurnTimes {
    turn: u32,
    generation: u32,
    speech_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transcript_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_text_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_audio_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_packet_ms: Option<f64>,
}

impl From<&TurnMetrics> for TurnTimes {
    fn from(metrics: &TurnMetrics) -> Self {
        Self {
            turn: metrics.turn.0,
            generation: metrics.generation.0,
            speech_ms: millis(metrics.speech),
            endpoint_ms: metrics.endpoint.map(millis),
            transcript_ms: metrics.transcript.map(millis),
            first_text_ms: metrics.first_text.map(millis),
            first_audio_ms: metrics.first_audio.map(millis),
            first_packet_ms: metrics.first_packet.map(millis),
        }
    }
}

/// Milliseconds with one decimal: what a person reads, and enough to see our own share.
pub(super) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Seconds with four decimals, as RTVI metrics want them.
pub(super) fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10_000.0
}
