//! One record: what the call was told, what was measured, or what it decided.

use std::borrow::Cow;
use std::time::Duration;

use super::events;
use super::pcm;
use super::wire::{Malformed, Put, Take};
use crate::agent::{PayloadKind, RtpPacket, Taken};
use crate::call::event::{
    BackendEvent, Canceller, ClientCommand, EchoEvidence, FrameFeatures, Generation, SentFrame,
    TurnId,
};
use crate::time::SessionTime;

/// One record of a recording. [`Kind::Features`](super::Kind::Features) files hold only those that say so.
#[derive(Clone, Debug)]
pub enum Record<'a> {
    /// Media may flow. In both kinds.
    Connected,
    /// A packet of the user's audio arrived.
    Rtp(RtpPacket<'a>),
    /// The round trip was measured. In both kinds.
    RoundTrip(Duration),
    /// The peer reported how much of what it was sent was lost, 0 to 1.
    SentLoss(f32),
    /// The backend said something. In both kinds; without words in a features file.
    Backend(Cow<'a, BackendEvent>),
    /// A block of reply audio arrived.
    ReplyAudio { generation: Generation, sample_rate_hz: u32, pcm: Cow<'a, [i16]> },
    /// The backend's queue was full. In both kinds.
    Stuck,
    /// The client asked for something. In both kinds; without words and digits in a features file.
    Client(Cow<'a, ClientCommand>),
    /// Deadlines were handled: the agent's, or the conversation's in a features file.
    Timeout,
    /// The turn's model answered. In both kinds.
    TurnJudged { turn: TurnId, probability: Option<f32> },
    /// Reply audio of this length was taken, or was refused. Only in features files.
    ReplyLength { generation: Generation, taken: Option<Taken> },
    /// 20 ms of the user, as measured. In both kinds.
    Heard(FrameFeatures),
    /// 20 ms of the agent as they left. In both kinds.
    Sent(SentFrame),
    /// A line of the trace. In both kinds.
    Line(Cow<'a, str>),
    /// The call is over, for this reason. In both kinds.
    Over(Cow<'a, str>),
}

impl Record<'_> {
    /// Appends the record and its time, as the difference to `last`.
    pub(super) fn put(&self, out: &mut Vec<u8>, last: SessionTime, at: SessionTime) {
        out.put_u8(self.number());
        out.put_u64(at.as_micros().saturating_sub(last.as_micros()));
        match self {
            Self::Connected | Self::Stuck | Self::Timeout => {}
            Self::Rtp(packet) => put_packet(out, packet),
            Self::RoundTrip(duration) => out.put_duration(*duration),
            Self::SentLoss(share) => out.put_f32(*share),
            Self::Backend(event) => events::put_backend(out, event),
            Self::ReplyAudio { generation, sample_rate_hz, pcm } => {
                out.put_u32(generation.0);
                out.put_u32(*sample_rate_hz);
                pcm::put(out, pcm);
            }
            Self::Client(command) => events::put_client(out, command),
            Self::ReplyLength { generation, taken } => {
                out.put_u32(generation.0);
                out.put_bool(taken.is_some());
                if let Some(Taken { length, speech }) = taken {
                    out.put_duration(*length);
                    out.put_duration(*speech);
                }
            }
            Self::TurnJudged { turn, probability } => {
                out.put_u32(turn.0);
                out.put_bool(probability.is_some());
                if let Some(probability) = probability {
                    out.put_f32(*probability);
                }
            }
            Self::Heard(features) => put_features(out, at, features),
            Self::Sent(sent) => put_sent(out, sent),
            Self::Line(text) | Self::Over(text) => out.put_str(text),
        }
    }

    const fn number(&self) -> u8 {
        match self {
            Self::Connected => 1,
            Self::Rtp(_) => 2,
            Self::RoundTrip(_) => 3,
            Self::SentLoss(_) => 4,
            Self::Backend(_) => 5,
            Self::ReplyAudio { .. } => 6,
            Self::Stuck => 7,
            Self::Client(_) => 8,
            Self::Timeout => 9,
            Self::ReplyLength { .. } => 10,
            Self::Heard(_) => 11,
            Self::Sent(_) => 12,
            Self::Line(_) => 13,
            Self::Over(_) => 14,
            Self::TurnJudged { .. } => 15,
        }
    }
}

/// Takes the next record, whose time follows `last`.
pub(super) fn take<'a>(
    bytes: &mut Take<'a>,
    last: SessionTime,
) -> Result<(SessionTime, Record<'a>), Malformed> {
    let number = bytes.u8()?;
    let at = SessionTime::from_micros(last.as_micros().saturating_add(bytes.u64()?));
    let record = match number {
        1 => Record::Connected,
        2 => Record::Rtp(packet(bytes)?),
        3 => Record::RoundTrip(bytes.duration()?),
        4 => Record::SentLoss(bytes.f32()?),
        5 => Record::Backend(Cow::Owned(events::take_backend(bytes)?)),
        6 => Record::ReplyAudio {
            generation: events::generation(bytes)?,
            sample_rate_hz: bytes.u32()?,
            pcm: Cow::Owned(pcm::take(bytes)?),
        },
        7 => Record::Stuck,
        8 => Record::Client(Cow::Owned(events::take_client(bytes)?)),
        9 => Record::Timeout,
        10 => {
            let generation = events::generation(bytes)?;
            let taken = if bytes.bool()? {
                Some(Taken { length: bytes.duration()?, speech: bytes.duration()? })
            } else {
                None
            };
            Record::ReplyLength { generation, taken }
        }
        11 => Record::Heard(features(bytes, at)?),
        12 => Record::Sent(sent(bytes)?),
        13 => Record::Line(Cow::Borrowed(bytes.str()?)),
        14 => Record::Over(Cow::Borrowed(bytes.str()?)),
        15 => {
            let turn = events::turn(bytes)?;
            let probability = if bytes.bool()? { Some(bytes.f32()?) } else { None };
            Record::TurnJudged { turn, probability }
        }
        _ => return Err(Malformed("a record is of an unknown kind")),
    };
    Ok((at, record))
}

const MARKER: u8 = 1;
const IS_EVENT: u8 = 2;
const HAS_LEVEL: u8 = 4;

fn put_packet(out: &mut Vec<u8>, packet: &RtpPacket<'_>) {
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    out.put_u8(
        flag(packet.marker, MARKER)
            | flag(packet.kind == PayloadKind::TelephoneEvent, IS_EVENT)
            | flag(packet.level_dbfs.is_some(), HAS_LEVEL),
    );
    if let Some(level_dbfs) = packet.level_dbfs {
        out.put_u8(level_dbfs as u8);
    }
    out.put_u64(packet.sequence.into());
    out.put_u32(packet.timestamp);
    out.put_slice(packet.payload);
}

fn packet<'a>(bytes: &mut Take<'a>) -> Result<RtpPacket<'a>, Malformed> {
    let flags = bytes.u8()?;
    if flags >= 2 * HAS_LEVEL {
        return Err(Malformed("a packet has unknown flags"));
    }
    let is_set = |bit: u8| flags & bit != 0;
    let level_dbfs = if is_set(HAS_LEVEL) { Some(bytes.u8()? as i8) } else { None };
    Ok(RtpPacket {
        kind: if is_set(IS_EVENT) { PayloadKind::TelephoneEvent } else { PayloadKind::Audio },
        marker: is_set(MARKER),
        level_dbfs,
        sequence: bytes.u16()?,
        timestamp: bytes.u32()?,
        payload: bytes.slice()?,
    })
}

const CONCEALED: u8 = 1;
const HAS_PITCH: u8 = 2;
const HAS_ECHO: u8 = 4;
const HAS_DELAY: u8 = 8;
const CANCELLER_SHIFT: u8 = 4;

fn put_features(out: &mut Vec<u8>, now: SessionTime, features: &FrameFeatures) {
    let FrameFeatures { at, voice, level_dbfs, pitch_hz, echo, concealed } = features;
    let EchoEvidence { reference_dbfs, captured_dbfs, likeness, delay, canceller } = echo;
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    let has_echo = *echo != EchoEvidence::NONE;
    let canceller = match canceller {
        Canceller::Off => 0_u8,
        Canceller::Searching => 1,
        Canceller::Converged => 2,
    };
    out.put_u8(
        flag(*concealed, CONCEALED)
            | flag(pitch_hz.is_some(), HAS_PITCH)
            | flag(has_echo, HAS_ECHO)
            | flag(delay.is_some(), HAS_DELAY)
            | canceller << CANCELLER_SHIFT,
    );
    // The slot is at or before the moment of its handling.
    out.put_u64(now.as_micros().saturating_sub(at.as_micros()));
    out.put_f32(*voice);
    out.put_f32(*level_dbfs);
    if let Some(pitch_hz) = pitch_hz {
        out.put_f32(*pitch_hz);
    }
    if has_echo {
        out.put_f32(*reference_dbfs);
        out.put_f32(*captured_dbfs);
        out.put_f32(*likeness);
    }
    if let Some(delay) = delay {
        out.put_duration(*delay);
    }
}

fn features(bytes: &mut Take<'_>, now: SessionTime) -> Result<FrameFeatures, Malformed> {
    let flags = bytes.u8()?;
    let canceller = match flags >> CANCELLER_SHIFT {
        0 => Canceller::Off,
        1 => Canceller::Searching,
        2 => Canceller::Converged,
        _ => return Err(Malformed("a frame has unknown flags")),
    };
    let is_set = |bit: u8| flags & bit != 0;
    let at = SessionTime::from_micros(now.as_micros().saturating_sub(bytes.u64()?));
    let (voice, level_dbfs) = (bytes.f32()?, bytes.f32()?);
    let pitch_hz = if is_set(HAS_PITCH) { Some(bytes.f32()?) } else { None };
    let mut echo = EchoEvidence { canceller, ..EchoEvidence::NONE };
    if is_set(HAS_ECHO) {
        (echo.reference_dbfs, echo.captured_dbfs) = (bytes.f32()?, bytes.f32()?);
        echo.likeness = bytes.f32()?;
    }
    echo.delay = if is_set(HAS_DELAY) { Some(bytes.duration()?) } else { None };
    let concealed = is_set(CONCEALED);
    Ok(FrameFeatures { at, voice, level_dbfs, pitch_hz, echo, concealed })
}

fn put_sent(out: &mut Vec<u8>, sent: &SentFrame) {
    // Generations count from 1.
    out.put_u32(sent.generation.map_or(0, |generation| generation.0));
    out.put_f32(sent.level_dbfs);
    out.put_duration(sent.queued);
}

fn sent(bytes: &mut Take<'_>) -> Result<SentFrame, Malformed> {
    let generation = events::generation(bytes)?;
    Ok(SentFrame {
        generation: (generation.0 != 0).then_some(generation),
        level_dbfs: bytes.f32()?,
        queued: bytes.duration()?,
    })
}
