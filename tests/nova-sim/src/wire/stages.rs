//! The stages of a cascade on the wire: requests with a body, and streams of both directions.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_smithy_types::event_stream::{HeaderValue, Message};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::request::Parts;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::connection::refuse;
use super::frame::{self, FrameReader, header};
use crate::faults::Refusal;
use crate::limits::FRAME_BYTES_MAX;
use crate::server::Shared;
use crate::stages::{Reply, Service, StageEar, StageFault, reply, spoken};

/// Bytes of audio sent at once: half a sample is left over, so that clients must mind.
const PIECE_BYTES: usize = 1_777;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Transcribe,
    Converse,
    Synthesise,
    SynthesisStream,
}

/// The response has ended.
struct Over;

impl Operation {
    pub(super) fn of(parts: &Parts) -> Option<Self> {
        match parts.uri.path() {
            "/stream-transcription" => Some(Self::Transcribe),
            "/v1/speech" => Some(Self::Synthesise),
            "/v1/synthesisStream" => Some(Self::SynthesisStream),
            path => path.ends_with("/converse-stream").then_some(Self::Converse),
        }
    }

    const fn service(self) -> (Service, &'static str) {
        match self {
            Self::Transcribe => (Service::Transcribe, "transcribe"),
            Self::Converse => (Service::Converse, "bedrock"),
            Self::Synthesise | Self::SynthesisStream => (Service::Polly, "polly"),
        }
    }

    const fn is_stream(self) -> bool {
        matches!(self, Self::Transcribe | Self::SynthesisStream)
    }
}

/// Answers one request, to its end.
pub(super) async fn answer(
    operation: Operation,
    parts: &Parts,
    mut body: RecvStream,
    mut respond: SendResponse<Bytes>,
    shared: Arc<Shared>,
) {
    let (service, name) = operation.service();
    let whole = if operation.is_stream() { Vec::new() } else { whole(&mut body).await };
    let signer = shared.signer().of(name);
    let signature = match signer.check(parts, &whole, SystemTime::now()) {
        Ok(signature) => signature,
        Err(refusal) => return refuse(&mut respond, &refusal),
    };
    let fault = shared.next_fault(service);
    if let Some(refusal) = fault.and_then(refusal) {
        return refuse(&mut respond, &refusal);
    }
    if fault == Some(StageFault::Hang) {
        return std::future::pending().await;
    }
    let ended = match operation {
        Operation::Converse => converse(&whole, respond, &shared, fault).await,
        Operation::Synthesise => synthesise(&whole, respond, &shared, fault).await,
        Operation::Transcribe => {
            let frames = Frames { reader: FrameReader::new(signer, signature), body };
            transcribe(parts, frames, respond, &shared, fault).await
        }
        Operation::SynthesisStream => {
            let frames = Frames { reader: FrameReader::new(signer, signature), body };
            synthesis_stream(parts, frames, respond, &shared, fault).await
        }
    };
    // It ended early: by a fault, or because the client has gone.
    let _over = ended;
}

async fn transcribe(
    parts: &Parts,
    mut frames: Frames,
    mut respond: SendResponse<Bytes>,
    shared: &Shared,
    fault: Option<StageFault>,
) -> Result<(), Over> {
    let told = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let is_lawful = told("x-amzn-transcribe-sample-rate") == Some("16000")
        && told("x-amzn-transcribe-media-encoding") == Some("pcm")
        && told("x-amzn-transcribe-language-code").is_some_and(|code| code.contains('-'));
    if !is_lawful {
        refuse(&mut respond, &bad("BadRequestException", "expected a language, and PCM of 16 kHz"));
        return Err(Over);
    }
    let mut out = Out::start(respond, EVENT_STREAM)?;
    let mut ear = StageEar::new(&shared.settings().stages.transcripts);
    loop {
        let message = match frames.next().await {
            Ok(Some(message)) => message,
            Ok(None) => break,
            Err(problem) => {
                out.send(frame::exception("BadRequestException", &problem))?;
                return out.end();
            }
        };
        let bytes = message.payload();
        // An empty chunk is the end.
        if bytes.is_empty() {
            break;
        }
        let pairs = bytes.as_chunks::<2>().0;
        let pcm: Vec<i16> = pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
        for event in ear.push(&pcm) {
            out.send(frame::event("TranscriptEvent", &event))?;
            out.fail(fault, "InternalFailureException").await?;
        }
    }
    if let Some(event) = ear.finish() {
        out.send(frame::event("TranscriptEvent", &event))?;
    }
    out.end()
}

async fn converse(
    body: &[u8],
    mut respond: SendResponse<Bytes>,
    shared: &Shared,
    fault: Option<StageFault>,
) -> Result<(), Over> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let answer = match reply(&body) {
        Ok(answer) => answer,
        Err(problem) => {
            refuse(&mut respond, &bad("ValidationException", &problem));
            return Err(Over);
        }
    };
    let settings = &shared.settings().stages;
    let mut out = Out::start(respond, EVENT_STREAM)?;
    sleep(settings.first_token).await;
    out.send(frame::event("messageStart", &json!({ "role": "assistant" })))?;
    let delta = |block: usize, delta: Value| {
        let event = json!({ "contentBlockIndex": block, "delta": delta });
        frame::event("contentBlockDelta", &event)
    };
    let stop_reason = match answer {
        Reply::Say(text) => {
            for word in text.split_inclusive(' ') {
                out.send(delta(0, json!({ "text": word })))?;
                out.fail(fault, "modelStreamErrorException").await?;
                sleep(settings.word).await;
            }
            out.send(frame::event("contentBlockStop", &json!({ "contentBlockIndex": 0 })))?;
            "end_turn"
        }
        Reply::Call(calls) => {
            for (block, (name, input)) in calls.into_iter().enumerate() {
                let tool_use = json!({ "toolUseId": format!("tooluse_{block}"), "name": name });
                let start = json!({ "contentBlockIndex": block, "start": { "toolUse": tool_use } });
                out.send(frame::event("contentBlockStart", &start))?;
                let input: Vec<char> = input.to_string().chars().collect();
                for piece in input.chunks(5) {
                    let piece: String = piece.iter().collect();
                    out.send(delta(block, json!({ "toolUse": { "input": piece } })))?;
                    out.fail(fault, "modelStreamErrorException").await?;
                }
                out.send(frame::event("contentBlockStop", &json!({ "contentBlockIndex": block })))?;
            }
            "tool_use"
        }
    };
    out.send(frame::event("messageStop", &json!({ "stopReason": stop_reason })))?;
    let usage = json!({ "inputTokens": 10, "outputTokens": 5, "totalTokens": 15 });
    let metadata = json!({ "usage": usage, "metrics": { "latencyMs": 20 } });
    out.send(frame::event("metadata", &metadata))?;
    out.end()
}

async fn synthesise(
    body: &[u8],
    mut respond: SendResponse<Bytes>,
    shared: &Shared,
    fault: Option<StageFault>,
) -> Result<(), Over> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let told = |name: &str| body[name].as_str().unwrap_or_default();
    let rate_hz = match lawful_rate(told("OutputFormat"), told("SampleRate")) {
        Ok(rate_hz) if !told("VoiceId").is_empty() && !told("Text").is_empty() => rate_hz,
        _ => {
            refuse(&mut respond, &bad("InvalidSampleRateException", "The rate is not valid."));
            return Err(Over);
        }
    };
    sleep(shared.settings().stages.first_audio).await;
    let mut out = Out::start(respond, "audio/pcm")?;
    if fault == Some(StageFault::Garbage) {
        out.send(Bytes::from_static(b"<html><body>This is no audio.</body></html>"))?;
        return out.end();
    }
    for piece in spoken(told("Text"), rate_hz).chunks(PIECE_BYTES) {
        out.send(Bytes::copy_from_slice(piece))?;
        out.fail_in_bytes(fault).await?;
    }
    out.end()
}

async fn synthesis_stream(
    parts: &Parts,
    mut frames: Frames,
    mut respond: SendResponse<Bytes>,
    shared: &Shared,
    fault: Option<StageFault>,
) -> Result<(), Over> {
    let told = |name: &str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    };
    let is_generative = told("x-amzn-engine") == "generative";
    let rate_hz = match lawful_rate(told("x-amzn-outputformat"), told("x-amzn-samplerate")) {
        Ok(rate_hz) if is_generative => rate_hz,
        _ => {
            refuse(&mut respond, &bad("ValidationException", "The rate or engine is not valid."));
            return Err(Over);
        }
    };
    let mut out = Out::start(respond, EVENT_STREAM)?;
    let mut characters = 0;
    loop {
        let message = match frames.next().await {
            Ok(Some(message)) => message,
            Ok(None) => break,
            Err(problem) => {
                out.send(frame::exception("ValidationException", &problem))?;
                return out.end();
            }
        };
        if matches!(header(&message, ":event-type"),
            Some(HeaderValue::String(name)) if name.as_str() == "CloseStreamEvent")
        {
            let closed = json!({ "RequestCharacters": characters });
            out.send(frame::event("StreamClosedEvent", &closed))?;
            break;
        }
        let event: Value = serde_json::from_slice(message.payload()).unwrap_or_default();
        let text = event["Text"].as_str().unwrap_or_default();
        characters += text.chars().count();
        sleep(shared.settings().stages.first_audio).await;
        for piece in spoken(text, rate_hz).chunks(PIECE_BYTES) {
            out.send(frame::bytes_event("AudioEvent", piece.to_vec()))?;
            out.fail(fault, "ServiceFailureException").await?;
        }
    }
    out.end()
}

fn lawful_rate(format: &str, rate: &str) -> Result<u32, Over> {
    match (format, rate) {
        ("pcm", "8000") => Ok(8_000),
        ("pcm", "16000") => Ok(16_000),
        _ => Err(Over),
    }
}

const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

fn refusal(fault: StageFault) -> Option<Refusal> {
    let (status, code) = match fault {
        StageFault::Throttle => (429, "ThrottlingException"),
        StageFault::Deny => (403, "AccessDeniedException"),
        StageFault::Refuse => (400, "ValidationException"),
        _ => return None,
    };
    Some(Refusal { status, code: code.to_owned(), message: "As it was told to.".to_owned() })
}

fn bad(code: &str, problem: &str) -> Refusal {
    Refusal { status: 400, code: code.to_owned(), message: problem.to_owned() }
}

/// A whole body, as much of it as is taken.
async fn whole(body: &mut RecvStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(Ok(chunk)) = body.data().await {
        // The window is opened again by as much.
        let _ = body.flow_control().release_capacity(chunk.len());
        bytes.extend_from_slice(&chunk);
        if bytes.len() > FRAME_BYTES_MAX {
            break;
        }
    }
    bytes
}

/// A client's events.
struct Frames {
    reader: FrameReader,
    body: RecvStream,
}

impl Frames {
    /// The next one; `None` after the last.
    async fn next(&mut self) -> Result<Option<Message>, String> {
        loop {
            match self.reader.next_message() {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(problem) => return Err(problem.0),
            }
            let Some(Ok(chunk)) = self.body.data().await else { return Ok(None) };
            let _ = self.body.flow_control().release_capacity(chunk.len());
            self.reader.push(&chunk);
        }
    }
}

/// A response under way.
struct Out(SendStream<Bytes>);

impl Out {
    fn start(mut respond: SendResponse<Bytes>, content_type: &str) -> Result<Self, Over> {
        let response = Response::builder().status(StatusCode::OK);
        let response = response.header("content-type", content_type).body(());
        let response = response.expect("the headers are valid");
        respond.send_response(response, false).map(Self).map_err(|_| Over)
    }

    fn send(&mut self, bytes: Bytes) -> Result<(), Over> {
        self.0.send_data(bytes, false).map_err(|_| Over)
    }

    fn end(&mut self) -> Result<(), Over> {
        self.0.send_data(Bytes::new(), true).map_err(|_| Over)
    }

    /// What goes wrong in the middle, among events.
    async fn fail(&mut self, fault: Option<StageFault>, exception: &str) -> Result<(), Over> {
        match fault {
            Some(StageFault::Exception) => {
                self.send(frame::exception(exception, "As it was told to."))?;
                self.end()?;
                Err(Over)
            }
            Some(StageFault::Garbage) => {
                self.send(frame::broken(false))?;
                self.end()?;
                Err(Over)
            }
            fault => self.fail_in_bytes(fault).await,
        }
    }

    /// What goes wrong in the middle, whatever is sent.
    async fn fail_in_bytes(&mut self, fault: Option<StageFault>) -> Result<(), Over> {
        match fault {
            Some(StageFault::HangUp) => {
                // What was sent goes out first.
                sleep(Duration::from_millis(20)).await;
                self.0.send_reset(Reason::INTERNAL_ERROR);
                Err(Over)
            }
            Some(StageFault::Stall) => std::future::pending().await,
            Some(StageFault::End) => {
                self.end()?;
                Err(Over)
            }
            _ => Ok(()),
        }
    }
}
