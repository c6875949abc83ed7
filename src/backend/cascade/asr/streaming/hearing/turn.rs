//! One turn: its audio, and what was understood of it.
//!
//! Positions are milliseconds of the audio of one connection, as the services count.

use crate::agent::PcmFrame;
use crate::call::event::{Generation, TurnId};
use crate::cascade::recognition::{Flushed, Heard, HeardText};
use crate::limits::{TRANSCRIPT_BYTES_MAX, UTTERANCE_FRAMES_MAX, WIDEBAND_FRAME, WIDEBAND_HZ};
use crate::time::SessionTime;

/// Peak of a sample, about -46 dBFS, from which something was said.
const SOUND_PEAK: u16 = 160;
/// What the services' positions may differ from ours by.
const SLACK_MS: u64 = 20;

/// What became of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Open,
    /// Somebody waits for its text.
    Ended {
        generation: Generation,
        deadline: SessionTime,
    },
    /// Nobody does; it stands between what is still to come of it and the next turn.
    Forgotten {
        deadline: SessionTime,
    },
}

/// Somebody waits for what would be understood if the turn were over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peek {
    pub(super) generation: Generation,
    pub(super) deadline: SessionTime,
}

/// The newest request to write out what is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flush {
    number: i64,
    /// Requests without an answer, this one among them.
    unanswered: u32,
    until_ms: u64,
}

#[derive(Debug)]
pub(super) struct Turn {
    pub(super) id: TurnId,
    pub(super) fate: Fate,
    pub(super) peek: Option<Peek>,
    /// Something came since it began.
    pub(super) was_answered: bool,
    /// All of it, to be sent again if the connection breaks.
    pcm: Vec<i16>,
    /// Samples of it that were sent on this connection.
    sent: usize,
    begins_ms: u64,
    /// The end of the last sound that was sent.
    sound_until_ms: u64,
    heard_until_ms: u64,
    settled_until_ms: u64,
    settled: String,
    interim: String,
    /// What was understood on a connection that broke.
    before: String,
    told: String,
    flush: Option<Flush>,
}

pub(super) const fn position_ms(samples: u64) -> u64 {
    samples * 1_000 / WIDEBAND_HZ as u64
}

impl Turn {
    pub(super) const fn new(id: TurnId) -> Self {
        Self {
            id,
            fate: Fate::Open,
            peek: None,
            was_answered: false,
            pcm: Vec::new(),
            sent: 0,
            begins_ms: 0,
            sound_until_ms: 0,
            heard_until_ms: 0,
            settled_until_ms: 0,
            settled: String::new(),
            interim: String::new(),
            before: String::new(),
            told: String::new(),
            flush: None,
        }
    }

    /// Beyond [`UTTERANCE_FRAMES_MAX`] frames nothing is kept, nor heard.
    pub(super) fn hear(&mut self, frame: &PcmFrame) {
        if self.pcm.len() < UTTERANCE_FRAMES_MAX * WIDEBAND_FRAME {
            self.pcm.extend_from_slice(&frame.0);
        }
    }

    /// The connection is gone, and what was said on it.
    pub(super) fn lose(&mut self) {
        let text = self.text();
        if !text.is_empty() {
            self.before = text;
        }
        (self.sent, self.flush) = (0, None);
        self.settled.clear();
        self.interim.clear();
    }

    /// The next piece to be sent, of at most `most` samples, and only if there are `least`. It will lie
    /// behind `position` samples of the connection.
    pub(super) fn take(&mut self, least: usize, most: usize, position: u64) -> Option<Vec<i16>> {
        let unsent = &self.pcm[self.sent..];
        let piece = &unsent[..unsent.len().min(most)];
        if piece.is_empty() || piece.len() < least {
            return None;
        }
        if self.sent == 0 {
            self.begins_ms = position_ms(position);
            (self.sound_until_ms, self.heard_until_ms) = (self.begins_ms, self.begins_ms);
            self.settled_until_ms = self.begins_ms;
        }
        self.sent += piece.len();
        if let Some(last) = piece.iter().rposition(is_sound) {
            self.sound_until_ms = position_ms(position + last as u64);
        }
        Some(piece.to_vec())
    }

    pub(super) const fn was_sent(&self) -> bool {
        self.sent > 0
    }

    /// Whether a message that reaches so far can be about it. Those about earlier ones reach its
    /// beginning.
    pub(super) const fn is_reached(&self, until_ms: u64) -> bool {
        self.was_sent() && self.begins_ms + SLACK_MS < until_ms
    }

    /// What was said is understood and will not change.
    pub(super) fn is_settled(&self) -> bool {
        self.interim.is_empty() && self.covers(self.settled_until_ms)
    }

    /// What was said is understood, as well as it is by now.
    pub(super) fn is_understood(&self) -> bool {
        self.covers(self.heard_until_ms.max(self.settled_until_ms))
    }

    fn covers(&self, until_ms: u64) -> bool {
        self.sound_until_ms <= until_ms.saturating_add(SLACK_MS)
            && !self.pcm[self.sent..].iter().any(is_sound)
    }

    pub(super) const fn is_flushing(&self) -> bool {
        self.flush.is_some()
    }

    /// Whether what is held back of it has been asked for already.
    pub(super) fn has_asked_for_all(&self) -> bool {
        self.flush.is_some_and(|flush| self.covers(flush.until_ms))
    }

    /// What is held back is asked for, at this position.
    pub(super) fn asked_to_flush(&mut self, number: i64, until_ms: u64) {
        let before = self.flush.map_or(0, |flush| flush.unanswered);
        self.flush = Some(Flush { number, unanswered: before.saturating_add(1), until_ms });
    }

    /// Whether the answer to request `number` can be its.
    pub(super) fn awaits(&self, number: i64) -> bool {
        self.flush.is_some_and(|flush| flush.number >= number)
    }

    pub(super) fn understand(&mut self, heard: &Heard) {
        self.was_answered = true;
        let until_ms = heard.until_ms.unwrap_or(0);
        match &heard.text {
            HeardText::None => {}
            HeardText::Interim(text) => {
                self.heard_until_ms = self.heard_until_ms.max(until_ms);
                self.interim = bounded(text, TRANSCRIPT_BYTES_MAX);
            }
            HeardText::Settled(text) => {
                self.settled_until_ms = self.settled_until_ms.max(until_ms);
                self.interim.clear();
                let room = TRANSCRIPT_BYTES_MAX.saturating_sub(self.settled.len());
                self.settled = joined(&self.settled, &bounded(text, room));
            }
        }
        if let Some(flushed) = heard.flushed {
            self.was_flushed(flushed, heard.until_ms);
        }
    }

    /// An answer that reaches as far as the newest request is the answer to it, whatever became of those
    /// before.
    fn was_flushed(&mut self, flushed: Flushed, until_ms: Option<u64>) {
        let Some(flush) = &mut self.flush else { return };
        flush.unanswered -= 1;
        let is_newest = match flushed {
            Flushed::Number(number) => number == flush.number,
            Flushed::Oldest => {
                let reaches = |until_ms: u64| until_ms.saturating_add(SLACK_MS) >= flush.until_ms;
                flush.unanswered == 0 || until_ms.is_some_and(reaches)
            }
        };
        if is_newest {
            self.settled_until_ms = self.settled_until_ms.max(flush.until_ms);
            self.interim.clear();
            self.flush = None;
        } else {
            flush.unanswered = flush.unanswered.max(1);
        }
    }

    /// What is understood so far.
    pub(super) fn text(&self) -> String {
        joined(&self.settled, &self.interim)
    }

    /// What is understood so far, or was before the connection broke.
    pub(super) fn last_known(&self) -> String {
        let text = self.text();
        if text.is_empty() { self.before.clone() } else { text }
    }

    /// The text, if it is another than the last time.
    pub(super) fn news(&mut self) -> Option<String> {
        let text = self.text();
        (!text.is_empty() && text != self.told).then(|| {
            self.told.clone_from(&text);
            text
        })
    }
}

const fn is_sound(sample: &i16) -> bool {
    sample.unsigned_abs() > SOUND_PEAK
}

fn joined(text: &str, more: &str) -> String {
    let space = if text.is_empty() || more.is_empty() { "" } else { " " };
    [text, space, more].concat()
}

/// The beginning of a text.
fn bounded(text: &str, bytes_max: usize) -> String {
    text[..text.floor_char_boundary(bytes_max)].to_owned()
}
