//! What happens inside an agent, for whoever records or replays it.
//!
//! It is what the conversation was told and what it asked for, in order: from it alone the conversation can
//! be told again. A call that nobody watches keeps none of it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::call::event::{EchoVerdict, FrameFeatures, Generation, Output, SentFrame, TurnId};
use crate::media::frame::PcmFrame;

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Observe {
    /// Nothing.
    #[default]
    Nothing,
    /// All but audio.
    Decisions,
    /// Audio too.
    Audio,
}

/// What the conversation is told of a block of reply audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub length: Duration,
    /// How much of it is sound.
    pub speech: Duration,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Observed {
    /// The conversation was given 20 ms of the user, and the echo gate judged them.
    Heard { features: FrameFeatures, echo: EchoVerdict },
    /// The same 20 ms as they were decoded, and as the backend would hear them.
    HeardAudio { decoded: Box<[f32]>, pcm: Box<PcmFrame> },
    /// The user's audio held a telephone key.
    Key { key: char },
    /// Reply audio was taken, or not.
    ReplyAudio { generation: Generation, taken: Option<Taken> },
    /// The turn's model was asked, and answered this.
    TurnJudged { turn: TurnId, probability: Option<f32> },
    /// What a language model was told.
    Prompted { generation: Generation, prompt: String },
    /// The conversation's deadlines were handled.
    Deadlines,
    /// 20 ms of the agent left.
    Sent(SentFrame),
    /// The same 20 ms as the user will hear them.
    SentAudio(Box<[f32]>),
    /// The conversation wanted this.
    Output(Output),
}

/// What was observed and not yet taken.
#[derive(Debug, Default)]
pub(super) struct Observations {
    what: Observe,
    kept: VecDeque<Observed>,
}

impl Observations {
    pub(super) fn keep(&mut self, what: Observe) {
        self.what = what;
    }

    pub(super) fn push(&mut self, observed: impl FnOnce() -> Observed) {
        if self.what >= Observe::Decisions {
            self.kept.push_back(observed());
        }
    }

    pub(super) fn push_audio(&mut self, observed: impl FnOnce() -> Observed) {
        if self.what == Observe::Audio {
            self.kept.push_back(observed());
        }
    }

    pub(super) fn pop(&mut self) -> Option<Observed> {
        self.kept.pop_front()
    }
}
