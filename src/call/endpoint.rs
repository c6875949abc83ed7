//! When the user's turn is over.
//!
//! ```text
//! speech ▇▇▇▇▇|....... silence .......|
//!             ^ last voiced           ^ the turn is over
//!             |--100 ms--| "stopped speaking" (shown; the end of the turn is judged from here on)
//! ```
//!
//! The silence counts from the end of the last voiced frame as it left the jitter buffer, so neither
//! the detector's own hold time nor the buffer's delay is waited for a second time.
//!
//! How long it has to last is the strategy's: a fixed time; or as long as it takes until it is unlikely
//! that *this* user, after *this* ending, goes on ([`adaptive`]); the same with a model's opinion in
//! place of the sound of the ending; or until the backend says so. The last three are told what happens
//! in the call and remember a bounded part of it.

pub mod adaptive;
pub mod pauses;
pub mod prosody;

use std::time::Duration;

use crate::call::endpoint::adaptive::{Adaptive, logit};
use crate::call::event::{FrameFeatures, TurnId};
use crate::call::settings::{EndpointSettings, EndpointStrategy};
use crate::limits::FRAME;
use crate::time::SessionTime;

/// Silence for which a model's answer is waited for, where it was asked and is still busy: it takes
/// 10 to 100 ms, and who answers faster than this is not felt to be faster.
const MODEL_PATIENCE: Duration = Duration::from_millis(500);
/// An end that is this unlikely to be one is worth starting the backend ahead.
const SPECULATION_RISK: f32 = 0.4;
/// Speculation that is less than this ahead of the end gains nothing.
const SPECULATION_GAIN_MIN: Duration = Duration::from_millis(60);

/// What the endpointer says when its deadline is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The turn is over.
    Over,
    /// It probably is: the backend may be started ahead. Ask again then. At most once in each pause,
    /// and only with [`EndpointSettings::speculate`].
    Speculate(SessionTime),
    /// It may not be. Ask again then.
    AskAgain(SessionTime),
}

/// What others think of the open turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TurnHint {
    /// The backend read the text so far: the probability that it is a finished thought.
    Text { turn: TurnId, probability: f32 },
    /// The model heard the sound so far: the probability that the turn is over; `None` if it failed,
    /// or had no time.
    Model { turn: TurnId, probability: Option<f32> },
}

/// The endpointer of one call.
#[derive(Clone, Debug)]
pub struct Endpoint {
    strategy: Strategy,
}

#[derive(Clone, Debug)]
enum Strategy {
    /// `by_backend`: the backend decides, and the silence is for when it does not.
    Fixed {
        silence: Duration,
        last: SessionTime,
        by_backend: bool,
    },
    Adaptive(Box<Judge>),
}

/// The strategies that weigh what they know.
#[derive(Clone, Debug)]
struct Judge {
    adaptive: Adaptive,
    min: Duration,
    max: Duration,
    speculate: bool,
    /// The model's neutral probability, where there is a model.
    model_threshold: Option<f32>,
    turn: TurnId,
    /// Log-odds by the text of the turn so far.
    text: Option<f32>,
    pause: Option<Pause>,
}

/// The pause that is being judged.
#[derive(Clone, Copy, Debug)]
struct Pause {
    last: SessionTime,
    model: Model,
    has_speculated: bool,
}

/// How far the model is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Model {
    /// There is none, or it could not say: the ending is judged by its sound.
    None,
    Asked,
    /// Log-odds, zero at the threshold.
    Answered(f32),
}

impl Endpoint {
    /// An endpointer.
    pub fn new(settings: &EndpointSettings) -> Self {
        let last = SessionTime::ZERO;
        let judge = |model_threshold| {
            Strategy::Adaptive(Box::new(Judge {
                adaptive: Adaptive::new(),
                min: settings.min,
                max: settings.max,
                speculate: settings.speculate,
                model_threshold,
                turn: TurnId(0),
                text: None,
                pause: None,
            }))
        };
        let strategy = match settings.strategy {
            EndpointStrategy::Silence(silence) => {
                Strategy::Fixed { silence, last, by_backend: false }
            }
            EndpointStrategy::Adaptive => judge(None),
            EndpointStrategy::Semantic { threshold } => judge(Some(threshold)),
            EndpointStrategy::Backend => {
                Strategy::Fixed { silence: EndpointSettings::BACKSTOP, last, by_backend: true }
            }
        };
        Self { strategy }
    }

    /// Takes one frame of the user into account. `is_voiced`: it belongs to speech.
    pub fn handle_frame(&mut self, frame: &FrameFeatures, is_voiced: bool) {
        if let Strategy::Adaptive(judge) = &mut self.strategy
            && is_voiced
        {
            judge.adaptive.handle_voiced(frame);
        }
    }

    /// `turn` was opened; its speech began at `at`.
    pub fn turn_opened(&mut self, turn: TurnId, at: SessionTime) {
        if let Strategy::Adaptive(judge) = &mut self.strategy {
            (judge.turn, judge.text, judge.pause) = (turn, None, None);
            judge.adaptive.turn_opened(at);
        }
    }

    /// The user went on speaking within the turn, at `at`: the pause was none of its end.
    pub fn speech_started(&mut self, at: SessionTime) {
        if let Strategy::Adaptive(judge) = &mut self.strategy {
            (judge.text, judge.pause) = (None, None);
            judge.adaptive.speech_resumed(at);
        }
    }

    /// The user stopped speaking: the last voiced frame ended at `last`. When to judge first.
    pub fn speech_stopped(&mut self, now: SessionTime, last: SessionTime) -> SessionTime {
        match &mut self.strategy {
            Strategy::Fixed { silence, last: stopped, .. } => {
                *stopped = last;
                last + *silence
            }
            Strategy::Adaptive(judge) => judge.speech_stopped(now, last),
        }
    }

    /// Whether the model is to be asked about the pause that just began.
    pub fn asks_model(&self) -> bool {
        let asked = |pause: Pause| pause.model == Model::Asked;
        matches!(&self.strategy, Strategy::Adaptive(judge) if judge.pause.is_some_and(asked))
    }

    /// Whether the backend decides.
    pub const fn is_backend(&self) -> bool {
        matches!(self.strategy, Strategy::Fixed { by_backend: true, .. })
    }

    /// Judges at the deadline. `starting`: voice is being confirmed as speech, which takes a few
    /// frames and then is either the turn going on or nothing.
    pub fn judge(&mut self, now: SessionTime, starting: bool) -> Verdict {
        if starting {
            return Verdict::AskAgain(now + FRAME);
        }
        let over_at = match &mut self.strategy {
            Strategy::Fixed { silence, last, .. } => *last + *silence,
            Strategy::Adaptive(judge) => return judge.judge(now),
        };
        if now < over_at { Verdict::AskAgain(over_at) } else { Verdict::Over }
    }

    /// Somebody has an opinion on the turn. When to judge next, if that changed and a pause is being
    /// judged. Opinions on other turns, and those nobody asked for, are no use.
    pub fn hint(&mut self, now: SessionTime, hint: TurnHint) -> Option<SessionTime> {
        match &mut self.strategy {
            Strategy::Adaptive(judge) => judge.hint(now, hint),
            Strategy::Fixed { .. } => None,
        }
    }

    /// The turn is over, for whatever reason.
    pub fn turn_ended(&mut self) {
        if let Strategy::Adaptive(judge) = &mut self.strategy {
            judge.text = None;
            // Only an end that was decided on a pause says anything about the user's pauses.
            judge.adaptive.turn_ended(judge.pause.take().map(|pause| pause.last));
        }
    }
}

impl Judge {
    fn speech_stopped(&mut self, now: SessionTime, last: SessionTime) -> SessionTime {
        let model = if self.model_threshold.is_some() { Model::Asked } else { Model::None };
        self.pause = Some(Pause { last, model, has_speculated: false });
        self.adaptive.speech_stopped(last);
        self.next_look().max(now)
    }

    fn judge(&mut self, now: SessionTime) -> Verdict {
        let over_at = self.over_at();
        let next = self.next_look();
        let Some(pause) = &mut self.pause else { return Verdict::Over };
        if now >= over_at {
            return Verdict::Over;
        }
        if now < next {
            return Verdict::AskAgain(next);
        }
        pause.has_speculated = true;
        Verdict::Speculate(over_at)
    }

    fn hint(&mut self, now: SessionTime, hint: TurnHint) -> Option<SessionTime> {
        match (hint, &mut self.pause) {
            (TurnHint::Text { turn, probability }, _) if turn == self.turn => {
                self.text = Some(logit(probability));
            }
            (TurnHint::Model { turn, probability }, Some(pause))
                if turn == self.turn && pause.model == Model::Asked =>
            {
                let neutral = logit(self.model_threshold?);
                pause.model = probability.map_or(Model::None, |probability| {
                    Model::Answered(logit(probability) - neutral)
                });
            }
            _ => return None,
        }
        self.pause?;
        Some(self.next_look().max(now))
    }

    /// When the pause is worth a look: when it may be speculated on, or when the turn is over.
    fn next_look(&self) -> SessionTime {
        let over_at = self.over_at();
        let Some(pause) = self.pause.filter(|pause| self.speculate && !pause.has_speculated) else {
            return over_at;
        };
        let ahead = pause.last + self.silence_at(pause, SPECULATION_RISK);
        if over_at.since(ahead) >= SPECULATION_GAIN_MIN { ahead } else { over_at }
    }

    /// When the turn is over, if nothing follows.
    fn over_at(&self) -> SessionTime {
        let Some(pause) = self.pause else { return SessionTime::ZERO };
        let silence = self.silence_at(pause, adaptive::RISK);
        let patience = if pause.model == Model::Asked { MODEL_PATIENCE } else { Duration::ZERO };
        pause.last + silence.max(patience).min(self.max)
    }

    /// The silence after which the user goes on with this probability.
    fn silence_at(&self, pause: Pause, risk: f32) -> Duration {
        let opinion = match pause.model {
            Model::Answered(log_odds) => Some(log_odds),
            Model::None | Model::Asked => None,
        };
        self.adaptive.silence(opinion, self.text, risk).clamp(self.min, self.max)
    }
}

#[cfg(test)]
mod tests;
