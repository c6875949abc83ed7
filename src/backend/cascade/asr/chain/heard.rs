//! The turns that are heard and awaited, kept so that another recogniser can be given them. Pure.

use std::collections::VecDeque;

use crate::agent::PcmFrame;
use crate::backend::cascade::asr::{Ask, AsrReport};
use crate::backend::cascade::error::StageError;
use crate::call::event::{Generation, TurnId};
use crate::cascade::failover::{Act, Attempt, Breakers, FailureKind};
use crate::limits::{TRANSCRIPTS_AWAITED_MAX, UTTERANCE_FRAMES_MAX};
use crate::time::SessionTime;

/// One turn.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) turn: TurnId,
    frames: Vec<PcmFrame>,
    /// Who waits for what would be understood if it were over.
    likely: Option<Generation>,
    state: State,
}

#[derive(Debug)]
enum State {
    Open,
    Over { generation: Generation, attempt: Box<Attempt> },
}

impl Heard {
    /// All that a recogniser is told of it.
    pub(super) fn asks(&self) -> impl Iterator<Item = Ask> + '_ {
        let turn = self.turn;
        let frames = self.frames.iter().map(|frame| Ask::Frame(Box::new(*frame)));
        std::iter::once(Ask::Start(turn)).chain(frames).chain(self.last_ask())
    }

    /// The last of it: whether it is over, or may be.
    pub(super) fn last_ask(&self) -> Option<Ask> {
        let turn = self.turn;
        match (&self.state, self.likely) {
            (State::Over { generation, .. }, _) => Some(Ask::End { turn, generation: *generation }),
            (State::Open, Some(generation)) => Some(Ask::Peek { turn, generation }),
            (State::Open, None) => None,
        }
    }

    /// Who is asked what was said in it, once it is over.
    pub(super) fn attempt(&mut self) -> Option<&mut Attempt> {
        match &mut self.state {
            State::Open => None,
            State::Over { attempt, .. } => Some(attempt),
        }
    }

    /// What is told if nobody understands it; `None` while it is open.
    pub(super) fn missed(self, error: StageError) -> Option<AsrReport> {
        match self.state {
            State::Open => None,
            State::Over { generation, .. } => {
                Some(AsrReport::Missed { turn: self.turn, generation, error })
            }
        }
    }
}

/// The turns, the oldest first; an open one is the last.
#[derive(Debug, Default)]
pub(super) struct Turns {
    turns: VecDeque<Heard>,
}

impl Turns {
    pub(super) fn start(&mut self, turn: TurnId) {
        self.forget();
        self.turns.push_back(Heard { turn, frames: Vec::new(), likely: None, state: State::Open });
    }

    /// Some audio of the open turn. Beyond [`UTTERANCE_FRAMES_MAX`] frames nothing is kept.
    pub(super) fn frame(&mut self, frame: &PcmFrame) {
        if let Some(open) = self.open_mut()
            && open.frames.len() < UTTERANCE_FRAMES_MAX
        {
            open.frames.push(*frame);
        }
    }

    pub(super) fn peek(&mut self, turn: TurnId, generation: Generation) {
        if let Some(open) = self.open_mut().filter(|open| open.turn == turn) {
            open.likely = Some(generation);
        }
    }

    /// The open turn was none.
    pub(super) fn forget(&mut self) {
        self.turns.pop_back_if(|last| matches!(last.state, State::Open));
    }

    /// A turn is over. If too many wait, the oldest is given up, which is told.
    pub(super) fn end(
        &mut self,
        turn: TurnId,
        generation: Generation,
        attempt: Attempt,
    ) -> Option<AsrReport> {
        if self.open_mut().is_none_or(|open| open.turn != turn) {
            self.start(turn);
        }
        if let Some(open) = self.open_mut() {
            open.state = State::Over { generation, attempt: Box::new(attempt) };
        }
        if self.turns.len() <= TRANSCRIPTS_AWAITED_MAX {
            return None;
        }
        let problem = "the speech recognisers are too far behind";
        self.turns.pop_front()?.missed(StageError::new(FailureKind::Busy, problem))
    }

    pub(super) fn open(&self) -> Option<&Heard> {
        self.turns.back().filter(|last| matches!(last.state, State::Open))
    }

    pub(super) fn get(&self, turn: TurnId) -> Option<&Heard> {
        self.turns.iter().find(|heard| heard.turn == turn)
    }

    /// The attempt to understand a turn that is over.
    pub(super) fn attempt(&mut self, turn: TurnId) -> Option<&mut Attempt> {
        self.turns.iter_mut().find(|heard| heard.turn == turn)?.attempt()
    }

    pub(super) fn remove(&mut self, turn: TurnId) -> Option<Heard> {
        let at = self.turns.iter().position(|heard| heard.turn == turn)?;
        self.turns.remove(at)
    }

    /// Whether no turn that is over waits for its text.
    pub(super) fn none_awaited(&self) -> bool {
        self.turns.iter().all(|heard| matches!(heard.state, State::Open))
    }

    /// Whether the call still waits for what this says.
    pub(super) fn is_peeked(&self, generation: Generation) -> bool {
        self.open().is_some_and(|open| open.likely == Some(generation))
    }

    /// A recogniser is gone. Whether a turn that is over waited for it, whose attempt has noted it then.
    pub(super) fn failed(
        &mut self,
        now: SessionTime,
        provider: usize,
        kind: FailureKind,
        breakers: &mut Breakers,
    ) -> bool {
        let mut is_noted = false;
        for attempt in self.turns.iter_mut().filter_map(Heard::attempt) {
            if attempt.is_asking(provider) {
                attempt.handle_failed(now, provider, kind, breakers);
                is_noted = true;
            }
        }
        is_noted
    }

    pub(super) fn handle_timeout(&mut self, now: SessionTime, breakers: &mut Breakers) {
        for attempt in self.turns.iter_mut().filter_map(Heard::attempt) {
            attempt.handle_timeout(now, breakers);
        }
    }

    pub(super) fn poll_act(&mut self) -> Option<(TurnId, Act)> {
        self.turns.iter_mut().find_map(|heard| {
            let turn = heard.turn;
            heard.attempt()?.poll_act().map(|act| (turn, act))
        })
    }

    pub(super) fn poll_timeout(&self) -> Option<SessionTime> {
        let due = |heard: &Heard| match &heard.state {
            State::Open => None,
            State::Over { attempt, .. } => attempt.poll_timeout().map(|(at, _)| at),
        };
        self.turns.iter().filter_map(due).min()
    }

    fn open_mut(&mut self) -> Option<&mut Heard> {
        self.turns.back_mut().filter(|last| matches!(last.state, State::Open))
    }
}
