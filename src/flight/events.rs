//! What backends and clients say, as bytes.
//!
//! Every variant has a number that is never used again; a new one gets the next.

use super::wire::{Malformed, Put, Take};
use crate::call::event::{
    BackendEvent, ClientCommand, Cost, Generation, Playout, TurnId, Usage, WordTime,
};
use crate::limits::FLIGHT_RECORD_BYTES_MAX;

pub(super) fn put_backend(out: &mut Vec<u8>, event: &BackendEvent) {
    match event {
        BackendEvent::Ready => out.put_u8(0),
        BackendEvent::UserTranscript { turn, text, is_final } => {
            out.put_u8(1);
            out.put_u32(turn.0);
            out.put_str(text);
            out.put_bool(*is_final);
        }
        BackendEvent::WantsToSpeak => out.put_u8(2),
        BackendEvent::TurnLooksComplete { turn, probability } => {
            out.put_u8(3);
            out.put_u32(turn.0);
            out.put_f32(*probability);
        }
        BackendEvent::UserTurnEnded { turn } => {
            out.put_u8(4);
            out.put_u32(turn.0);
        }
        BackendEvent::Interrupted { generation } => put_reply(out, 5, *generation),
        BackendEvent::ReplyStarted { generation } => put_reply(out, 6, *generation),
        BackendEvent::ReplyText { generation, text } => {
            put_reply(out, 7, *generation);
            out.put_str(text);
        }
        BackendEvent::ReplyWords { generation, words } => {
            put_reply(out, 8, *generation);
            out.put_u64(words.len() as u64);
            for WordTime { text, start, end } in words {
                out.put_str(text);
                out.put_duration(*start);
                out.put_duration(*end);
            }
        }
        BackendEvent::ReplyFinished { generation } => put_reply(out, 9, *generation),
        BackendEvent::ToolCall { generation, call_id, name, arguments } => {
            put_reply(out, 10, *generation);
            out.put_str(call_id);
            out.put_str(name);
            out.put_str(arguments);
        }
        BackendEvent::ReplyFailed { generation, message } => {
            put_reply(out, 11, *generation);
            out.put_str(message);
        }
        BackendEvent::Failed { message } => {
            out.put_u8(12);
            out.put_str(message);
        }
        BackendEvent::HangUp { reason } => {
            out.put_u8(13);
            out.put_str(reason);
        }
        BackendEvent::Used { turn, usage } => {
            out.put_u8(16);
            out.put_u32(turn.0);
            let Usage { speech_in, text_in, speech_out, text_out, heard_ms, spoken_chars, cost } =
                *usage;
            let Cost { asr_nanos, llm_nanos, tts_nanos } = cost;
            for count in [speech_in, text_in, speech_out, text_out, heard_ms, spoken_chars] {
                out.put_u64(count);
            }
            for nanos in [asr_nanos, llm_nanos, tts_nanos] {
                out.put_u64(nanos);
            }
        }
        BackendEvent::TurnsAreYours => out.put_u8(15),
        BackendEvent::Prompted { generation, prompt } => {
            put_reply(out, 17, *generation);
            out.put_str(prompt);
        }
    }
}

pub(super) fn take_backend(bytes: &mut Take<'_>) -> Result<BackendEvent, Malformed> {
    let kind = bytes.u8()?;
    Ok(match kind {
        0 => BackendEvent::Ready,
        1 => BackendEvent::UserTranscript {
            turn: turn(bytes)?,
            text: bytes.string()?,
            is_final: bytes.bool()?,
        },
        2 => BackendEvent::WantsToSpeak,
        3 => BackendEvent::TurnLooksComplete { turn: turn(bytes)?, probability: bytes.f32()? },
        4 => BackendEvent::UserTurnEnded { turn: turn(bytes)? },
        5 => BackendEvent::Interrupted { generation: generation(bytes)? },
        6 => BackendEvent::ReplyStarted { generation: generation(bytes)? },
        7 => BackendEvent::ReplyText { generation: generation(bytes)?, text: bytes.string()? },
        8 => BackendEvent::ReplyWords { generation: generation(bytes)?, words: words(bytes)? },
        9 => BackendEvent::ReplyFinished { generation: generation(bytes)? },
        10 => BackendEvent::ToolCall {
            generation: generation(bytes)?,
            call_id: bytes.string()?,
            name: bytes.string()?,
            arguments: bytes.string()?,
        },
        11 => {
            BackendEvent::ReplyFailed { generation: generation(bytes)?, message: bytes.string()? }
        }
        12 => BackendEvent::Failed { message: bytes.string()? },
        13 => BackendEvent::HangUp { reason: bytes.string()? },
        // As it was written while only speech-to-speech models told what they used.
        14 => {
            let (turn, mut usage) = (turn(bytes)?, tokens(bytes)?);
            usage.cost.llm_nanos = bytes.u64()?;
            BackendEvent::Used { turn, usage }
        }
        15 => BackendEvent::TurnsAreYours,
        16 => {
            let (turn, mut usage) = (turn(bytes)?, tokens(bytes)?);
            usage.heard_ms = bytes.u64()?;
            usage.spoken_chars = bytes.u64()?;
            let (asr_nanos, llm_nanos) = (bytes.u64()?, bytes.u64()?);
            usage.cost = Cost { asr_nanos, llm_nanos, tts_nanos: bytes.u64()? };
            BackendEvent::Used { turn, usage }
        }
        17 => BackendEvent::Prompted { generation: generation(bytes)?, prompt: bytes.string()? },
        _ => return Err(Malformed("an event of the backend is of an unknown kind")),
    })
}

fn tokens(bytes: &mut Take<'_>) -> Result<Usage, Malformed> {
    let (speech_in, text_in) = (bytes.u64()?, bytes.u64()?);
    let (speech_out, text_out) = (bytes.u64()?, bytes.u64()?);
    Ok(Usage { speech_in, text_in, speech_out, text_out, ..Usage::default() })
}

pub(super) fn put_client(out: &mut Vec<u8>, command: &ClientCommand) {
    match command {
        ClientCommand::Ready => out.put_u8(0),
        ClientCommand::Text { text, interrupt } => {
            out.put_u8(1);
            out.put_str(text);
            out.put_bool(*interrupt);
        }
        ClientCommand::Mute { muted } => {
            out.put_u8(2);
            out.put_bool(*muted);
        }
        ClientCommand::Dtmf { key } => {
            out.put_u8(3);
            out.put_u32(u32::from(*key));
        }
        ClientCommand::Playout(Playout { generation, played }) => {
            put_reply(out, 4, *generation);
            out.put_duration(*played);
        }
        ClientCommand::ToolResult { call_id, result } => {
            out.put_u8(5);
            out.put_str(call_id);
            out.put_str(result);
        }
        ClientCommand::Disconnect => out.put_u8(6),
    }
}

pub(super) fn take_client(bytes: &mut Take<'_>) -> Result<ClientCommand, Malformed> {
    Ok(match bytes.u8()? {
        0 => ClientCommand::Ready,
        1 => ClientCommand::Text { text: bytes.string()?, interrupt: bytes.bool()? },
        2 => ClientCommand::Mute { muted: bytes.bool()? },
        3 => ClientCommand::Dtmf { key: key(bytes)? },
        4 => ClientCommand::Playout(Playout {
            generation: generation(bytes)?,
            played: bytes.duration()?,
        }),
        5 => ClientCommand::ToolResult { call_id: bytes.string()?, result: bytes.string()? },
        6 => ClientCommand::Disconnect,
        _ => return Err(Malformed("a request of the client is of an unknown kind")),
    })
}

pub(super) fn generation(bytes: &mut Take<'_>) -> Result<Generation, Malformed> {
    bytes.u32().map(Generation)
}

pub(super) fn turn(bytes: &mut Take<'_>) -> Result<TurnId, Malformed> {
    bytes.u32().map(TurnId)
}

fn key(bytes: &mut Take<'_>) -> Result<char, Malformed> {
    char::from_u32(bytes.u32()?).ok_or(Malformed("a key is not a character"))
}

fn words(bytes: &mut Take<'_>) -> Result<Vec<WordTime>, Malformed> {
    let count = bytes.u64()?;
    // Each takes three bytes at least, so a lying count runs into the end of the block first.
    if count > FLIGHT_RECORD_BYTES_MAX as u64 {
        return Err(Malformed("there are too many words"));
    }
    let word = |_| {
        Ok(WordTime { text: bytes.string()?, start: bytes.duration()?, end: bytes.duration()? })
    };
    (0..count).map(word).collect()
}

fn put_reply(out: &mut Vec<u8>, kind: u8, generation: Generation) {
    out.put_u8(kind);
    out.put_u32(generation.0);
}
