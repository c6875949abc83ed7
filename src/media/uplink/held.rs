//! User audio kept while it is not known whether the backend should hear it.

use std::collections::VecDeque;

use crate::limits::{FRAME_MS, HELD_MS_MAX, PRE_ROLL_MS};
use crate::media::frame::PcmFrame;

/// How much of the held audio is worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// [`PRE_ROLL_MS`]: nobody speaks, and the first phoneme is not to be cut.
    PreRoll,
    /// [`HELD_MS_MAX`]: an interruption is being judged.
    Contested,
    /// [`HELD_MS_MAX`], of which the silence after what was held before is the first to go, but for the last
    /// [`PRE_ROLL_MS`]: speech that is to be heard later, however long that takes.
    Tail,
}

impl Keep {
    const fn frames(self) -> usize {
        let ms = match self {
            Self::PreRoll => PRE_ROLL_MS,
            Self::Contested | Self::Tail => HELD_MS_MAX,
        };
        (ms / FRAME_MS) as usize
    }
}

/// The held ring.
#[derive(Debug)]
pub(super) struct Held {
    frames: VecDeque<PcmFrame>,
    /// Frames held before the tail, while there is one.
    speech: Option<usize>,
}

impl Held {
    pub(super) fn new() -> Self {
        Self { frames: VecDeque::with_capacity(Keep::PreRoll.frames() + 1), speech: None }
    }

    pub(super) fn push(&mut self, frame: PcmFrame, keep: Keep) {
        let speech = match keep {
            Keep::Tail => Some(self.speech.unwrap_or(self.frames.len())),
            Keep::PreRoll | Keep::Contested => None,
        };
        self.speech = speech;
        self.frames.push_back(frame);
        if let Some(speech) = speech
            && self.frames.len() > keep.frames().max(speech + Keep::PreRoll.frames())
        {
            self.frames.remove(speech);
        }
        while self.frames.len() > keep.frames() {
            self.frames.pop_front();
        }
    }

    pub(super) fn pop(&mut self) -> Option<PcmFrame> {
        self.speech = None;
        self.frames.pop_front()
    }

    pub(super) fn clear(&mut self) {
        self.speech = None;
        self.frames.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::WIDEBAND_FRAME;

    #[test]
    fn speech_outlasts_the_silence_after_it() {
        let frame = |n: i16| PcmFrame([n; WIDEBAND_FRAME]);
        let mut held = Held::new();
        (0..50).for_each(|n| held.push(frame(n), Keep::Contested));
        (50..400).for_each(|n| held.push(frame(n), Keep::Tail));
        assert_eq!(held.frames.len(), 400, "nothing goes while there is room");
        (400..2_000).for_each(|n| held.push(frame(n), Keep::Tail));
        let kept: Vec<i16> = std::iter::from_fn(|| held.pop()).map(|frame| frame.0[0]).collect();
        assert_eq!(kept, (0..50).chain(1_650..2_000).collect::<Vec<i16>>());
    }

    #[test]
    fn the_newest_audio_is_kept_in_order() {
        let frame = |n: i16| PcmFrame([n; WIDEBAND_FRAME]);
        let mut held = Held::new();
        (0..40).for_each(|n| held.push(frame(n), Keep::PreRoll));
        (40..60).for_each(|n| held.push(frame(n), Keep::Contested));
        let kept: Vec<i16> = std::iter::from_fn(|| held.pop()).map(|frame| frame.0[0]).collect();
        assert_eq!(kept, (15..60).collect::<Vec<i16>>());
        (0..1_000).for_each(|n| held.push(frame(n), Keep::Contested));
        assert_eq!(held.frames.len(), Keep::Contested.frames());
        held.clear();
        assert_eq!(held.pop(), None);
    }
}
