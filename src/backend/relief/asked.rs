//! What the call asked of a backend, and how far that was answered.

use std::collections::VecDeque;

use super::history::History;
use crate::agent::{BackendInput, PcmFrame};
use crate::call::event::{BackendCommand, Generation, TurnId};
use crate::limits::UTTERANCE_FRAMES_MAX;

/// What a backend is told that takes over in the middle of an answer.
pub(super) const GO_ON: &str =
    "(Your answer was cut off. Go on from exactly there, without a word about it.)";
/// The same, after a tool was called of which nobody knows what came.
pub(super) const GO_ON_AFTER_CALL: &str = "(Your answer was cut off, and what you began to do may be done: \
     do not do it again unasked. Go on from there.)";

/// What a reply was asked with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ask {
    /// To speak first.
    Greeting,
    /// To say what was announced.
    Announcement,
    /// To say this.
    Prompt(String),
    /// A turn that was typed.
    Text { turn: TurnId, text: String },
    /// A turn that was spoken.
    Turn(UserTurn),
    /// To go on with what somebody else began.
    GoOn { after_call: bool },
}

/// A turn of the user, to be told again.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct UserTurn {
    pub(super) turn: TurnId,
    /// At most [`UTTERANCE_FRAMES_MAX`]: no recogniser hears more of it.
    pub(super) frames: VecDeque<PcmFrame>,
}

impl Ask {
    /// What asks for it, as `generation`. Of a turn of which nothing is understood it is the end.
    pub(super) fn command(
        &self,
        generation: Generation,
        last_turn: TurnId,
        history: &History,
    ) -> BackendCommand {
        let text = |turn, text: &str| {
            let text = text.to_owned();
            BackendCommand::UserText { turn, generation, text }
        };
        match self {
            Self::Greeting => BackendCommand::Greet { generation },
            Self::Announcement => BackendCommand::Speak { generation },
            Self::Prompt(text) => BackendCommand::Say { generation, text: text.clone() },
            Self::GoOn { after_call: true } => text(last_turn, GO_ON_AFTER_CALL),
            Self::GoOn { after_call: false } => text(last_turn, GO_ON),
            Self::Text { turn, text: typed } => text(*turn, typed),
            Self::Turn(UserTurn { turn, .. }) => match history.of_turn(*turn) {
                Some(understood) => text(*turn, understood),
                None => BackendCommand::UserTurnEnded { turn: *turn, generation },
            },
        }
    }

    /// Whether it can be asked again after something of the reply sounded: no audio is kept of its turn.
    pub(super) fn is_known(&self, history: &History) -> bool {
        !matches!(self, Self::Turn(spoken) if history.of_turn(spoken.turn).is_none())
    }
}

impl UserTurn {
    /// Another 20 ms of it.
    pub(super) fn push(&mut self, frame: PcmFrame) {
        if self.frames.len() < UTTERANCE_FRAMES_MAX {
            self.frames.push_back(frame);
        }
    }

    /// All of it as the call sent it, but for its end.
    pub(super) fn tell(&self, inputs: &mut VecDeque<BackendInput>) {
        let started = BackendCommand::UserSpeechStarted { turn: self.turn };
        inputs.push_back(BackendInput::Command(started));
        inputs.extend(self.frames.iter().copied().map(BackendInput::Audio));
    }
}

/// A reply that a backend was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) generation: Generation,
    pub(super) ask: Ask,
    pub(super) made: Made,
}

/// A reply to an open turn that is made ahead.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ahead {
    pub(super) generation: Generation,
    pub(super) made: Made,
    /// Who made it is gone, and the call was told that it failed.
    pub(super) is_lost: bool,
}

/// What of a reply the call was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    /// That work on it began.
    pub(super) started: bool,
    /// Text.
    pub(super) text: bool,
    /// Audio.
    pub(super) sound: bool,
    /// A tool for the client to run.
    pub(super) call: bool,
}

impl Made {
    /// Whether somebody may have noticed it, so that it cannot be made once more in its own name.
    pub(super) const fn shows(self) -> bool {
        self.text || self.sound || self.call
    }
}
