//! What the conversation tells its client, as RTVI messages.

use std::time::Duration;

use serde_json::Value;

use super::VERSION;
use super::segments::{Segments, Spoken, clipped, pieces};
use super::wire::{
    About, Message, Metric, ServerMessage, SpokenProgress, SpokenStatus, TokenCount, Used, millis,
    seconds, text,
};
use crate::call::event::{ClientEvent, Generation, Heard, TurnMetrics, Usage};
use crate::limits::DATA_MESSAGE_BYTES_MAX;

/// The message that says that the agent has left: Pipecat's transport ends the call when it reads
/// it. It is not RTVI. Send it before a call is closed in good order.
pub fn peer_left() -> String {
    r#"{"type":"signalling","message":{"type":"peerLeft"}}"#.to_owned()
}

/// Turns the events of one call into messages. Remembers the reply in the making, so that its parts
/// begin and end once and in order.
#[derive(Debug)]
pub struct Encoder {
    user_id: String,
    segments_made: u32,
    reply: Option<Reply>,
}

/// The newest reply, as the client was told of it.
#[derive(Debug)]
struct Reply {
    generation: Generation,
    stage: Stage,
    segments: Segments,
}

/// How far the making of a reply was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// `bot-llm-started`.
    Asked,
    /// `bot-tts-started` too.
    Worded,
    /// Both stopped.
    Made,
}

impl Encoder {
    /// An encoder for one call. `user_id` names the user in transcripts; the call's id will do.
    pub fn new(user_id: &str) -> Self {
        Self { user_id: clipped(user_id).to_owned(), segments_made: 0, reply: None }
    }

    /// The answer to `client-ready`. A client of another major version is warned, and served.
    pub fn bot_ready(&self, id: &str, client_version: &str) -> Vec<String> {
        let mut messages = Vec::new();
        if client_version.split('.').next() != VERSION.split('.').next() {
            let error = format!("RTVI {VERSION} is spoken here; this client says another version");
            messages.push(text(Some(id), &Message::ErrorResponse { error: &error }));
        }
        let about =
            About { library: env!("CARGO_PKG_NAME"), library_version: env!("CARGO_PKG_VERSION") };
        messages.push(text(Some(id), &Message::BotReady { version: VERSION, about }));
        messages
    }

    /// The messages that tell of `event`, in order; each at most
    /// [`DATA_MESSAGE_BYTES_MAX`] bytes. `timestamp` is the wall clock in ISO 8601, for transcripts.
    pub fn encode(&mut self, event: &ClientEvent, timestamp: &str) -> Vec<String> {
        let mut out = Out(Vec::new());
        match event {
            ClientEvent::UserStartedSpeaking { .. } => out.push(&Message::UserStartedSpeaking),
            ClientEvent::UserStoppedSpeaking { .. } => out.push(&Message::UserStoppedSpeaking),
            ClientEvent::UserMuted { muted: true } => out.push(&Message::UserMuteStarted),
            ClientEvent::UserMuted { muted: false } => out.push(&Message::UserMuteStopped),
            ClientEvent::UserTranscript { text, is_final, .. } => {
                self.transcript(&mut out, text, *is_final, timestamp);
            }
            ClientEvent::ReplyStarted { generation } => {
                self.reply_to(&mut out, *generation);
            }
            ClientEvent::ReplyText { generation, text } => {
                self.reply_text(&mut out, *generation, text);
            }
            ClientEvent::ReplyFinished { generation } => {
                self.reply_to(&mut out, *generation).stop(&mut out);
            }
            ClientEvent::BotStartedSpeaking { .. } => out.push(&Message::BotStartedSpeaking),
            ClientEvent::BotStoppedSpeaking { generation, interrupted, heard } => {
                self.bot_stopped(&mut out, *generation, *interrupted, heard);
            }
            ClientEvent::Floor { at, state, turn, generation } => {
                out.push(&Message::ServerMessage(ServerMessage::Floor {
                    state: state.name(),
                    turn: turn.0,
                    generation: generation.0,
                    at_ms: at.as_millis(),
                }));
            }
            ClientEvent::Turn(metrics) => turn(&mut out, metrics),
            ClientEvent::Used { turn, usage } => used(&mut out, turn.0, usage),
            ClientEvent::ToolCall { call_id, name, arguments, .. } => {
                tool_call(&mut out, call_id, name, arguments);
            }
            ClientEvent::Error { message, fatal } => out.error(message, *fatal),
        }
        out.0
    }

    /// A final text that is too long for one message becomes several final ones, which clients
    /// append; of a partial one the beginning is enough.
    fn transcript(&self, out: &mut Out, text: &str, is_final: bool, timestamp: &str) {
        let user_id = self.user_id.as_str();
        let parts = if is_final { usize::MAX } else { 1 };
        for text in pieces(text).take(parts) {
            out.push(&Message::UserTranscription { text, is_final, timestamp, user_id });
        }
    }

    /// The reply `generation`; if it is a new one, the one before it ends and it begins.
    fn reply_to(&mut self, out: &mut Out, generation: Generation) -> &mut Reply {
        let same = self.reply.as_ref().is_some_and(|reply| reply.generation == generation);
        if !same {
            if let Some(old) = &mut self.reply {
                old.stop(out);
            }
            out.push(&Message::BotLlmStarted);
            self.reply = None;
        }
        self.reply.get_or_insert_with(|| Reply {
            generation,
            stage: Stage::Asked,
            segments: Segments::default(),
        })
    }

    fn reply_text(&mut self, out: &mut Out, generation: Generation, text: &str) {
        let mut id = self.segments_made;
        let reply = self.reply_to(out, generation);
        for text in pieces(text) {
            id = id.wrapping_add(1);
            out.push(&Message::BotLlmText { text });
            if reply.stage == Stage::Asked {
                reply.stage = Stage::Worded;
                out.push(&Message::BotTtsStarted);
            }
            out.push(&Message::BotTtsText { text });
            out.segment(id, text, SpokenStatus::New, None);
            reply.segments.push(id, text);
        }
        self.segments_made = id;
    }

    /// Which segments were spoken, then that it is silent, then what was heard in words.
    fn bot_stopped(
        &mut self,
        out: &mut Out,
        generation: Generation,
        interrupted: bool,
        heard: &Heard,
    ) {
        if let Some(reply) = self.reply.as_mut().filter(|reply| reply.generation == generation) {
            reply.stop(out);
            if interrupted {
                reply.tell_heard(out, &heard.text);
            } else {
                for segment in reply.segments.iter() {
                    out.segment(segment.id, &segment.text, SpokenStatus::Completed, None);
                }
            }
            // Told once; text that arrives for this reply later begins anew.
            reply.segments = Segments::default();
        }
        out.push(&Message::BotStoppedSpeaking);
        out.push(&Message::ServerMessage(ServerMessage::Heard {
            generation: generation.0,
            heard_ms: millis(heard.duration),
            text: clipped(&heard.text),
            source: heard.source.name(),
            interrupted,
        }));
    }
}

impl Reply {
    /// Tells, once, that nothing more is made of this reply.
    fn stop(&mut self, out: &mut Out) {
        match self.stage {
            Stage::Asked => out.push(&Message::BotLlmStopped),
            Stage::Worded => {
                out.push(&Message::BotLlmStopped);
                out.push(&Message::BotTtsStopped);
            }
            Stage::Made => {}
        }
        self.stage = Stage::Made;
    }

    /// The segment in which the reply was cut stays without `completed`, as RTVI wants it, and says
    /// where; those behind it are not mentioned.
    fn tell_heard(&self, out: &mut Out, heard: &str) {
        for (segment, spoken) in self.segments.heard(heard) {
            match spoken {
                Spoken::All => {
                    out.segment(segment.id, &segment.text, SpokenStatus::Completed, None);
                }
                Spoken::Part { accumulated, remaining } => {
                    let progress =
                        SpokenProgress { accumulated_text: accumulated, remaining_text: remaining };
                    let status = SpokenStatus::InProgress;
                    out.segment(segment.id, &segment.text, status, Some(progress));
                }
                Spoken::Nothing => break,
            }
        }
    }
}

/// The times of a turn, twice: as RTVI metrics for clients that know those, and as they are.
fn turn(out: &mut Out, metrics: &TurnMetrics) {
    let between = |from: Option<Duration>, to: Option<Duration>| to?.checked_sub(from?);
    let metric = |processor: &'static str, duration: Option<Duration>| {
        duration.map(|duration| Metric { processor, value: seconds(duration) })
    };
    let ttfb = [
        metric("agent", metrics.first_packet),
        metric("llm", between(metrics.endpoint, metrics.first_text)),
        metric("tts", between(metrics.first_text, metrics.first_audio)),
    ];
    let processing = [metric("endpoint", metrics.endpoint)];
    out.push(&Message::Metrics {
        ttfb: ttfb.into_iter().flatten().collect(),
        processing: processing.into_iter().flatten().collect(),
        tokens: Vec::new(),
        characters: Vec::new(),
    });
    out.push(&Message::ServerMessage(ServerMessage::Turn(metrics.into())));
}

fn used(out: &mut Out, turn: u32, usage: &Usage) {
    let prompt_tokens = usage.speech_in.saturating_add(usage.text_in);
    let completion_tokens = usage.speech_out.saturating_add(usage.text_out);
    let mut tokens = vec![TokenCount { processor: "llm", prompt_tokens, completion_tokens }];
    tokens.retain(|count| count.prompt_tokens > 0 || count.completion_tokens > 0);
    let mut characters = vec![Metric { processor: "tts", value: usage.spoken_chars as f64 }];
    characters.retain(|count| count.value > 0.0);
    if !(tokens.is_empty() && characters.is_empty()) {
        let (ttfb, processing) = (Vec::new(), Vec::new());
        out.push(&Message::Metrics { ttfb, processing, tokens, characters });
    }
    let usage = Used {
        turn,
        speech_in: usage.speech_in,
        text_in: usage.text_in,
        speech_out: usage.speech_out,
        text_out: usage.text_out,
        heard_ms: usage.heard_ms,
        spoken_chars: usage.spoken_chars,
        cost: usage.cost(),
        cost_by_stage: usage.cost.into(),
    };
    out.push(&Message::ServerMessage(ServerMessage::Used(usage)));
}

/// Arguments that are not JSON are handed on as a text: the client's function is the judge. A call
/// that does not fit a message is not sent in part, since half its arguments would be wrong ones.
fn tool_call(out: &mut Out, call_id: &str, name: &str, arguments: &str) {
    let arguments =
        serde_json::from_str(arguments).unwrap_or_else(|_| Value::String(arguments.to_owned()));
    let message = Message::LlmFunctionCallInProgress {
        tool_call_id: call_id,
        function_name: name,
        arguments,
    };
    let message = text(None, &message);
    if message.len() <= DATA_MESSAGE_BYTES_MAX {
        out.0.push(message);
    } else {
        let bytes = message.len();
        let error = format!("a tool call of {bytes} bytes, more than {DATA_MESSAGE_BYTES_MAX}");
        out.error(&error, false);
    }
}

/// The messages of one event.
struct Out(Vec<String>);

impl Out {
    fn push(&mut self, message: &Message<'_>) {
        self.0.push(text(None, message));
    }

    fn error(&mut self, error: &str, fatal: bool) {
        let error = clipped(error);
        self.push(&Message::Error { error, message: error, fatal });
    }

    fn segment(
        &mut self,
        segment_id: u32,
        text: &str,
        spoken_status: SpokenStatus,
        spoken_progress: Option<SpokenProgress<'_>>,
    ) {
        self.push(&Message::BotOutput {
            text,
            segment_id,
            will_be_spoken: true,
            spoken_status,
            spoken_progress,
            aggregated_by: "sentence",
        });
    }
}

#[cfg(test)]
mod tests;
