//! How much silence ends a turn: as much as it takes until it is unlikely that the user goes on.
//!
//! Two things are weighed:
//!
//! - `p`, how likely it is that this ending is the turn's: how often this user's pauses are ends at all,
//!   changed by how the speech ended ([`prosody`](super::prosody)), by a model that heard it, and by
//!   the text, each as far as it is known;
//! - `S(t)`, how likely a pause *within* a turn lasts longer than `t`, for this user
//!   ([`pauses`](super::pauses)).
//!
//! After a silence of `t` the user still goes on with the probability (Bayes)
//!
//! ```text
//!              (1 - p) S(t)
//! risk(t) = ------------------
//!           p + (1 - p) S(t)
//! ```
//!
//! which falls as the silence lasts. The turn is over when it has fallen to [`RISK`]. An ending that
//! sounds finished gets there at once; one that does not waits until hardly any of this user's pauses
//! are that long. So the trade is the one that a user feels, cut off against kept waiting, and one
//! number sets it.
//!
//! A user who is cut off speaks on at once. Such a pause is learned like any other (a turn that opens
//! within [`CUT_OFF`] of the last word was the same turn), else only pauses that were waited for would
//! be learned, and the wait could never grow.

use std::time::Duration;

use crate::call::endpoint::pauses::Pauses;
use crate::call::endpoint::prosody::Prosody;
use crate::call::event::FrameFeatures;
use crate::limits::FRAME;
use crate::time::SessionTime;

/// The probability of cutting the user off at which a turn is ended.
pub const RISK: f32 = 0.08;
/// Who speaks again so soon was cut off, and does not answer the reply: that would take the time to
/// hear it.
const CUT_OFF: Duration = Duration::from_millis(1_600);
/// Ends and pauses as they are before anything was heard: two in three.
const ENDS_BEFORE: f32 = 4.0;
const PAUSES_BEFORE: f32 = 2.0;
/// At this many both counts are halved: people change.
const COUNT_MAX: u32 = 24;
/// No ending is surer than these. The first keeps a short breath in what sounds finished; the second
/// keeps the wait for what does not within reason.
const SURE: f32 = 0.94;
const UNSURE: f32 = 0.04;
/// A model or a text moves the log-odds by no more than this: each is wrong at times.
const OPINION_MAX: f32 = 3.0;
/// A text counts for less than a sound: transcripts lag and lack punctuation.
const TEXT_WEIGHT: f32 = 0.7;
/// The longest silence worth computing.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// What the endpointer knows of one user.
#[derive(Clone, Debug)]
pub struct Adaptive {
    prosody: Prosody,
    pauses: Pauses,
    /// Pauses that were ends of turns, and pauses that were not.
    ends: u32,
    continued: u32,
    /// The last word before the pause that is being judged, or that ended the last turn.
    last: Option<SessionTime>,
    /// What the ending's sound says: a change of the log-odds.
    sound: f32,
}

impl Adaptive {
    /// A user who was not heard yet.
    pub fn new() -> Self {
        Self {
            prosody: Prosody::new(),
            pauses: Pauses::default(),
            ends: 0,
            continued: 0,
            last: None,
            sound: 0.0,
        }
    }

    /// Takes a frame of speech.
    pub fn handle_voiced(&mut self, frame: &FrameFeatures) {
        self.prosody.handle_voiced(frame);
    }

    /// A turn opened whose speech began at `at`.
    pub fn turn_opened(&mut self, at: SessionTime) {
        let cut_off = self.last.take().map(|last| at.since(last));
        if let Some(pause) = cut_off.filter(|pause| *pause <= CUT_OFF) {
            self.ends = self.ends.saturating_sub(1);
            self.learn(pause);
        }
        self.prosody.begin_turn();
    }

    /// The user went on within the turn, at `at`.
    pub fn speech_resumed(&mut self, at: SessionTime) {
        if let Some(last) = self.last.take() {
            self.learn(at.since(last));
        }
        self.prosody.begin_phrase();
    }

    /// The user stopped speaking at `last`.
    pub fn speech_stopped(&mut self, last: SessionTime) {
        self.last = Some(last);
        self.sound = self.prosody.ending(last).log_odds();
    }

    /// The turn ended, by the pause after `last` if that is given.
    pub fn turn_ended(&mut self, last: Option<SessionTime>) {
        self.last = last;
        if last.is_some() {
            self.ends += 1;
            self.forget_some();
        }
    }

    /// The silence after which the user goes on with the probability `risk`, to a frame. `opinion`: a
    /// model's log-odds, which take the place of the ending's sound. `text`: those by the words.
    pub fn silence(&self, opinion: Option<f32>, text: Option<f32>, risk: f32) -> Duration {
        let heard = opinion.unwrap_or(self.sound).clamp(-OPINION_MAX, OPINION_MAX);
        let read = text.map_or(0.0, |text| (TEXT_WEIGHT * text).clamp(-OPINION_MAX, OPINION_MAX));
        let p = logistic(self.usual() + heard + read).clamp(UNSURE, SURE);
        // risk(t) <= risk, solved for S(t).
        let survival_max = risk * p / ((1.0 - risk) * (1.0 - p));
        let frames_max = SILENCE_MAX.as_millis() / FRAME.as_millis();
        let (mut too_short, mut enough) = (0, frames_max as u32);
        while too_short + 1 < enough {
            let middle = u32::midpoint(too_short, enough);
            if self.pauses.survival(FRAME * middle) <= survival_max {
                enough = middle;
            } else {
                too_short = middle;
            }
        }
        FRAME * enough
    }

    /// Log-odds that a pause of this user is the end of a turn, before it is listened to.
    fn usual(&self) -> f32 {
        let (ends, continued) = (self.ends as f32, self.continued as f32);
        ((ends + ENDS_BEFORE) / (continued + PAUSES_BEFORE)).ln()
    }

    fn learn(&mut self, pause: Duration) {
        self.pauses.learn(pause);
        self.continued += 1;
        self.forget_some();
    }

    fn forget_some(&mut self) {
        if self.ends + self.continued >= COUNT_MAX {
            self.ends /= 2;
            self.continued /= 2;
        }
    }
}

impl Default for Adaptive {
    fn default() -> Self {
        Self::new()
    }
}

/// The log-odds of a probability; what is no number is no opinion.
pub fn logit(probability: f32) -> f32 {
    if probability.is_nan() {
        return 0.0;
    }
    let bounded = probability.clamp(0.001, 0.999);
    (bounded / (1.0 - bounded)).ln()
}

fn logistic(log_odds: f32) -> f32 {
    1.0 / (1.0 + (-log_odds).exp())
}
