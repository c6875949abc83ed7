//! The simulated backend: answers each reply asked for as its behaviour says.

use std::collections::BTreeSet;
use std::time::Duration;

use antiphon::call::event::{BackendCommand, BackendEvent, Generation, TurnId};
use antiphon::time::SessionTime;

/// The rate of its voice.
pub(crate) const REPLY_HZ: u32 = 16_000;
/// Milliseconds of audio in one of its blocks.
const BLOCK_MS: u64 = 100;

/// How it answers from now on.
#[derive(Clone, Debug)]
pub(crate) struct Behaviour {
    /// From being asked to the first audio.
    pub(crate) think_ms: u64,
    /// Length of a reply; none at all for zero.
    pub(crate) reply_ms: u64,
    /// How much faster than real time its audio comes, in percent.
    pub(crate) speed_percent: u64,
    /// Audio after which nothing more comes of a reply.
    pub(crate) stalls_after_ms: Option<u64>,
    /// Says that it failed instead of finishing a reply.
    pub(crate) fails: bool,
    /// Never answers.
    pub(crate) is_deaf: bool,
    /// What is still on its way when a reply is cancelled.
    pub(crate) late_ms: u64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            think_ms: 100,
            reply_ms: 1_000,
            speed_percent: 400,
            stalls_after_ms: None,
            fails: false,
            is_deaf: false,
            late_ms: 0,
        }
    }
}

/// Something that it made.
#[derive(Clone, Debug)]
pub(crate) enum Made {
    Event(BackendEvent),
    Audio { generation: Generation, pcm: Vec<i16> },
}

impl Made {
    /// The reply it belongs to.
    fn generation(&self) -> Option<Generation> {
        match self {
            Self::Audio { generation, .. }
            | Self::Event(
                BackendEvent::ReplyStarted { generation }
                | BackendEvent::ReplyText { generation, .. }
                | BackendEvent::ReplyFinished { generation }
                | BackendEvent::ReplyFailed { generation, .. },
            ) => Some(*generation),
            Self::Event(_) => None,
        }
    }
}

/// The backend of one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct SimBackend {
    pub(crate) behaviour: Behaviour,
    /// Cancelled replies, and how long their messages still come.
    cancelled: Vec<(Generation, SessionTime)>,
    dismissed: BTreeSet<TurnId>,
}

impl SimBackend {
    /// Takes a command, and returns what it will make of it and when.
    pub(crate) fn command(
        &mut self,
        now: SessionTime,
        command: &BackendCommand,
    ) -> Vec<(SessionTime, Made)> {
        match command {
            BackendCommand::Greet { generation }
            | BackendCommand::Speak { generation }
            | BackendCommand::Say { generation, .. } => self.answer(now, *generation, None),
            BackendCommand::UserTurnEnded { turn, generation } => {
                self.answer(now, *generation, Some(*turn))
            }
            BackendCommand::UserText { generation, .. } => self.answer(now, *generation, None),
            BackendCommand::Cancel { generation, .. } => {
                let last = now + Duration::from_millis(self.behaviour.late_ms);
                self.cancelled.push((*generation, last));
                Vec::new()
            }
            BackendCommand::UserTurnDismissed { turn } => {
                self.dismissed.insert(*turn);
                Vec::new()
            }
            BackendCommand::UserSpeechStarted { .. }
            | BackendCommand::Speculate { .. }
            | BackendCommand::Withdraw { .. }
            | BackendCommand::Played { .. }
            | BackendCommand::ToolResult { .. }
            | BackendCommand::Measured(_) => Vec::new(),
        }
    }

    /// Whether something that it planned to say is still said.
    pub(crate) fn still_says(&self, now: SessionTime, made: &Made) -> bool {
        let Some(generation) = made.generation() else { return true };
        let cancelled = self.cancelled.iter().find(|(cancelled, _)| *cancelled == generation);
        cancelled.is_none_or(|(_, last)| now <= *last)
    }

    fn answer(
        &self,
        now: SessionTime,
        generation: Generation,
        turn: Option<TurnId>,
    ) -> Vec<(SessionTime, Made)> {
        let behaviour = &self.behaviour;
        let mut plan = Vec::new();
        if behaviour.is_deaf {
            return plan;
        }
        let at = |millis: u64| now + Duration::from_millis(millis);
        let half = at(behaviour.think_ms / 2);
        if let Some(turn) = turn {
            let text = "what was said".to_owned();
            let transcript = BackendEvent::UserTranscript { turn, text, is_final: true };
            plan.push((half, Made::Event(transcript)));
        }
        plan.push((half, Made::Event(BackendEvent::ReplyStarted { generation })));
        let text = "one two three four five".to_owned();
        let text = BackendEvent::ReplyText { generation, text };
        plan.push((at(behaviour.think_ms), Made::Event(text)));
        let available = behaviour.stalls_after_ms.unwrap_or(u64::MAX).min(behaviour.reply_ms);
        for made_ms in (0..available).step_by(BLOCK_MS as usize) {
            let pcm = tone(BLOCK_MS.min(available - made_ms));
            let due = at(behaviour.think_ms + made_ms * 100 / behaviour.speed_percent);
            plan.push((due, Made::Audio { generation, pcm }));
        }
        let end = at(behaviour.think_ms + behaviour.reply_ms * 100 / behaviour.speed_percent);
        if behaviour.fails {
            let message = "the model failed".to_owned();
            plan.push((end, Made::Event(BackendEvent::ReplyFailed { generation, message })));
        } else if behaviour.stalls_after_ms.is_none() {
            plan.push((end, Made::Event(BackendEvent::ReplyFinished { generation })));
        }
        plan
    }
}

fn tone(millis: u64) -> Vec<i16> {
    let samples = u64::from(REPLY_HZ) / 1_000 * millis;
    (0..samples).map(|index| if index % 32 < 16 { 8_000 } else { -8_000 }).collect()
}
