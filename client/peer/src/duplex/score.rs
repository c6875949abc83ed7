//! From what happened to what it is worth. Pure: a log in, scores out.

pub mod words;

use std::time::Duration;

use super::listener::ReplyTrack;
use super::log::{CallLog, Said};

/// An interruption that stops the reply later than this is missed.
pub const TAKEN_WITHIN: Duration = Duration::from_millis(600);
/// How long after a stimulus a reply that stops is taken to have stopped because of it.
const AFTERMATH: Duration = Duration::from_millis(1_500);
/// The reply has to be heard so shortly before a stimulus to be the one that is spoken over.
const JUST_HEARD: Duration = Duration::from_millis(200);
/// How much shorter than expected a reply that ended by itself may be: pauses at its ends.
const SHORTER: Duration = Duration::from_millis(1_000);
/// A reply whose last sound is so shortly before the call's end may have gone on.
const UNFINISHED: Duration = Duration::from_millis(2_500);
/// One packet.
const PACKET: Duration = Duration::from_millis(20);

/// What a sound that is no interruption did to the reply that it was made over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reaction {
    /// Nothing was being said, or the reply was at its end: nothing can be told.
    Void,
    /// The reply went on.
    Untouched,
    /// It fell silent and went on where it was.
    Resumed {
        /// The longest silence, in milliseconds.
        gap_ms: f64,
        /// How long after the end of the sound that caused it the reply went on, in milliseconds.
        after_ms: f64,
    },
    /// It never went on.
    Ended,
}

/// What an interruption did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Interruption {
    /// See [`Reaction::Void`].
    Void,
    /// The reply was heard to the end of the interruption, or went on afterwards.
    Ignored,
    /// The reply stopped for good.
    Stopped {
        /// From the interruption's first packet to the reply's last, in milliseconds.
        stop_ms: f64,
    },
}

impl Interruption {
    /// Whether the interruption was taken, in time; `None` if that cannot be told.
    pub fn is_taken(self) -> Option<bool> {
        match self {
            Self::Void => None,
            Self::Ignored => Some(false),
            Self::Stopped { stop_ms } => Some(stop_ms <= TAKEN_WITHIN.as_secs_f64() * 1_000.0),
        }
    }
}

/// How a turn was answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Response {
    /// Not at all.
    None,
    /// Before it was over.
    Premature,
    /// So long after its last packet with speech left, in milliseconds.
    After(f64),
}

/// How the agent fared in an echo of itself, while the caller was silent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Alone {
    /// How long the agent was heard.
    pub spoke: Duration,
    /// Replies that ended before their time: false barge-ins.
    pub ended: u32,
    /// Silences within a reply that then went on.
    pub paused: u32,
    /// Replies that nobody asked for: the agent answered its own echo.
    pub answered_itself: u32,
}

/// What `said` did to the reply; replies last `reply` if nobody stops them.
pub fn reaction(log: &CallLog, said: &Said, reply: Duration) -> Reaction {
    let Some(over) = spoken_over(log, said) else { return Reaction::Void };
    let until = said.ended_at + AFTERMATH;
    if log.ended_at < until {
        return Reaction::Void;
    }
    if over.ended_at() < until {
        let is_natural = over.sound() + SHORTER >= reply;
        return if is_natural { Reaction::Void } else { Reaction::Ended };
    }
    let gaps = over.pieces.windows(2).map(|pair| pair[0].end..pair[1].start);
    let caused = gaps.filter(|gap| gap.start >= said.began_at && gap.start < until);
    match caused.max_by_key(|gap| gap.end - gap.start) {
        Some(gap) => Reaction::Resumed {
            gap_ms: ms(gap.end - gap.start),
            after_ms: ms(gap.end.saturating_sub(said.ended_at)),
        },
        None => Reaction::Untouched,
    }
}

/// What the interruption `said` did to the reply; replies last `reply` if nobody stops them.
pub fn interruption(log: &CallLog, said: &Said, reply: Duration) -> Interruption {
    let Some(over) = spoken_over(log, said) else { return Interruption::Void };
    if over.ended_at() > said.ended_at {
        return Interruption::Ignored;
    }
    // It was at its end anyway.
    if over.sound() + SHORTER >= reply {
        return Interruption::Void;
    }
    let from = over.began_at().saturating_sub(PACKET);
    let of_it =
        log.packets.iter().filter(|it| it.position >= from && it.position < over.ended_at());
    let Some(last) = of_it.map(|packet| packet.arrived).max() else { return Interruption::Void };
    Interruption::Stopped { stop_ms: between_ms(said.began_at, last) }
}

/// How `said` was answered, until something else was said.
pub fn response(log: &CallLog, said: &Said) -> Response {
    let next = log.said.iter().map(|other| other.began_at).find(|at| *at > said.began_at);
    let until = next.unwrap_or(log.ended_at);
    let mut replies = log.replies.iter().map(ReplyTrack::began_at);
    let Some(began) = replies.find(|at| *at > said.began_at && *at < until) else {
        return Response::None;
    };
    if began < said.ended_at {
        return Response::Premature;
    }
    let from = began.saturating_sub(PACKET);
    let first = log.packets.iter().find(|packet| packet.position >= from);
    first.map_or(Response::None, |first| Response::After(between_ms(said.ended_at, first.arrived)))
}

/// How the agent fared alone, in a call in which the caller only prompts.
pub fn alone(log: &CallLog, reply: Duration) -> Alone {
    let mut score = Alone::default();
    let mut was_natural = false;
    let mut prompted_until = Duration::ZERO;
    for (index, heard) in log.replies.iter().enumerate() {
        score.spoke += heard.sound();
        score.paused += heard.pieces.len() as u32 - 1;
        let prompted = |from: Duration, to: Duration| {
            log.said.iter().any(|said| said.began_at > from && said.began_at <= to)
        };
        let was_asked = index == 0 || prompted(prompted_until, heard.began_at());
        score.answered_itself += u32::from(was_natural && !was_asked);
        was_natural = heard.sound() + SHORTER >= reply;
        let may_go_on = heard.ended_at() + UNFINISHED > log.ended_at;
        let was_spoken_over = prompted(heard.began_at(), heard.ended_at() + JUST_HEARD);
        score.ended += u32::from(!was_natural && !may_go_on && !was_spoken_over);
        prompted_until = heard.ended_at();
    }
    score
}

/// The reply that is being heard when `said` begins.
fn spoken_over<'a>(log: &'a CallLog, said: &Said) -> Option<&'a ReplyTrack> {
    let heard = |reply: &&ReplyTrack| {
        let mut pieces = reply.pieces.iter();
        pieces.any(|piece| piece.start < said.began_at && piece.end + JUST_HEARD > said.began_at)
    };
    log.replies.iter().rfind(heard)
}

fn ms(duration: Duration) -> f64 {
    crate::summary::ms(duration)
}

fn between_ms(earlier: Duration, later: Duration) -> f64 {
    ms(later) - ms(earlier)
}

#[cfg(test)]
mod tests;
