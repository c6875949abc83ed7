//! The sound of the open turn, for the model that judges whether it is over.

use std::collections::VecDeque;

use super::{BackendInput, PcmFrame};
use crate::call::event::BackendCommand;
use crate::limits::{FRAME_MS, TURN_SOUND_MS};

const FRAMES_MAX: usize = (TURN_SOUND_MS / FRAME_MS) as usize;

/// What the backend was given of the open turn, its pre-roll included: the newest 8 s. The oldest is
/// overwritten. 256 kB, taken once.
#[derive(Debug)]
pub(super) struct TurnSound {
    frames: VecDeque<PcmFrame>,
}

impl TurnSound {
    pub(super) fn new() -> Self {
        Self { frames: VecDeque::with_capacity(FRAMES_MAX) }
    }

    /// Takes what goes to the backend.
    pub(super) fn follow(&mut self, input: &BackendInput) {
        match input {
            BackendInput::Command(BackendCommand::UserSpeechStarted { .. }) => self.frames.clear(),
            BackendInput::Command(_) => {}
            BackendInput::Audio(frame) => {
                if self.frames.len() == FRAMES_MAX {
                    self.frames.pop_front();
                }
                self.frames.push_back(*frame);
            }
        }
    }

    /// All of it. A copy: it goes to another thread, once in a pause.
    pub(super) fn samples(&self) -> Vec<i16> {
        self.frames.iter().flat_map(|frame| frame.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::event::TurnId;
    use crate::limits::WIDEBAND_FRAME;

    #[test]
    fn it_holds_the_open_turn_and_no_more_than_its_last_eight_seconds() {
        let mut sound = TurnSound::new();
        let frame = |value: usize| BackendInput::Audio(PcmFrame([value as i16; WIDEBAND_FRAME]));
        let opened = BackendCommand::UserSpeechStarted { turn: TurnId(1) };
        sound.follow(&frame(7));
        sound.follow(&BackendInput::Command(opened));
        assert!(sound.samples().is_empty());
        (0..FRAMES_MAX + 3).for_each(|value| sound.follow(&frame(value)));
        let samples = sound.samples();
        assert_eq!((samples.len(), samples[0]), (FRAMES_MAX * WIDEBAND_FRAME, 3));
    }
}
