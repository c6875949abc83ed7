//! Plays a script: told the time and what the call sends, says what the backend does and when.
//!
//! A reply that is made ahead of the end of its turn delivers text and audio and stops before the first
//! thing that could not be taken back: a tool call, its end, a failure. Until it counts, the script
//! stands where it stood.

mod reply;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use self::reply::{Next, Reply, Stage, Steps};
use super::{Script, Turn};
use crate::call::event::{BackendCommand, BackendEvent, Generation, TurnId};
use crate::limits::FRAME;
use crate::time::SessionTime;

/// One thing that the scripted backend does.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Says that something happened.
    Event(BackendEvent),
    /// Delivers at most 20 ms of reply audio at the script's rate.
    Audio { generation: Generation, pcm: Vec<i16> },
    /// Breaks the connection; nothing follows.
    Drop,
}

/// How often another word is understood while the user speaks, in frames of 20 ms.
const FRAMES_PER_WORD: u32 = 15;
/// Events waiting to be taken, beyond which words are no longer shown as they come.
const EVENTS_WAITING_MAX: usize = 16;

/// A script being played for one call.
#[derive(Debug)]
pub struct Player {
    script: Arc<Script>,
    clips: Arc<[Vec<i16>]>,
    /// When set-up is done; `None` once that was said.
    ready_at: Option<SessionTime>,
    /// The turn of the script that answers the next turn of the user.
    next_turn: usize,
    listening: Option<Listening>,
    reply: Option<Reply>,
    /// The answer to a turn that may be over. It waits while a reply is being made.
    ahead: Option<Reply>,
    calls_made: u32,
    events: VecDeque<Act>,
    gone: bool,
}

/// The user is speaking.
#[derive(Debug)]
struct Listening {
    turn: TurnId,
    frames: u32,
}

impl Player {
    /// A player that begins at `now`. `clips` are the script's recordings in its order, at its rate.
    pub fn new(script: Arc<Script>, clips: Arc<[Vec<i16>]>, now: SessionTime) -> Self {
        debug_assert_eq!(script.wavs.len(), clips.len(), "every recording was loaded");
        let ready_at = Some(now + script.ready_after);
        Self {
            script,
            clips,
            ready_at,
            next_turn: 0,
            listening: None,
            reply: None,
            ahead: None,
            calls_made: 0,
            events: VecDeque::new(),
            gone: false,
        }
    }

    /// 20 ms of the user's voice arrived.
    pub fn handle_frame(&mut self) {
        let Some(listening) = &mut self.listening else { return };
        listening.frames = listening.frames.saturating_add(1);
        let (turn, frames) = (listening.turn, listening.frames);
        let script = Arc::clone(&self.script);
        let Some(scripted) = self.turn_index().map(|index| &script.turns[index]) else { return };
        let ends_now = |after: Duration| FRAME * (frames - 1) < after && after <= FRAME * frames;
        if scripted.ends_after.is_some_and(|after| ends_now(after.max(FRAME))) {
            self.event(BackendEvent::UserTurnEnded { turn });
        }
        if frames.is_multiple_of(FRAMES_PER_WORD) && self.events.len() < EVENTS_WAITING_MAX {
            self.understand(turn, (frames / FRAMES_PER_WORD) as usize, scripted);
        }
    }

    /// So many words of the turn are understood by now.
    fn understand(&mut self, turn: TurnId, words: usize, scripted: &Turn) {
        let Some(hears) = &scripted.hears else { return };
        let so_far = hears.split_whitespace().take(words).collect::<Vec<_>>();
        if so_far.len() < words {
            return;
        }
        let text = so_far.join(" ");
        self.event(BackendEvent::UserTranscript { turn, text, is_final: false });
        if let Some(probability) = scripted.looks_complete
            && hears.split_whitespace().count() == words
        {
            self.event(BackendEvent::TurnLooksComplete { turn, probability });
        }
    }

    /// The call asks for something.
    pub fn handle_command(&mut self, now: SessionTime, command: BackendCommand) {
        match command {
            BackendCommand::Greet { generation } => {
                self.begin(Reply::new(now, generation, None, Steps::Greeting));
            }
            BackendCommand::Speak { generation } => {
                self.begin(Reply::new(now, generation, None, Steps::None));
            }
            BackendCommand::Say { generation, text } => {
                self.begin(Reply::new(now, generation, None, Steps::said(text)));
            }
            BackendCommand::UserSpeechStarted { turn } => {
                self.listening = Some(Listening { turn, frames: 0 });
            }
            BackendCommand::Speculate { turn, generation } => {
                self.take_back();
                let reply = self.answer_to(now, turn, generation);
                self.event(BackendEvent::ReplyStarted { generation });
                self.ahead = Some(reply);
            }
            BackendCommand::Withdraw { generation, .. } => {
                if self.ahead.as_ref().is_some_and(|ahead| ahead.generation == generation) {
                    self.take_back();
                }
            }
            BackendCommand::UserTurnEnded { turn, generation } => {
                let index = self.turn_index();
                let hears = index.and_then(|index| self.script.turns[index].hears.clone());
                if let Some(text) = hears {
                    self.event(BackendEvent::UserTranscript { turn, text, is_final: true });
                }
                self.answer(now, turn, generation);
            }
            BackendCommand::UserText { turn, generation, .. } => {
                self.answer(now, turn, generation);
            }
            BackendCommand::UserTurnDismissed { turn } => {
                self.listening.take_if(|listening| listening.turn == turn);
            }
            BackendCommand::Cancel { generation, .. } => {
                self.reply.take_if(|reply| reply.generation == generation);
            }
            BackendCommand::ToolResult { call_id, .. } => {
                if let Some(reply) = &mut self.reply {
                    reply.handle_result(now, &call_id);
                }
            }
            BackendCommand::Played { .. } | BackendCommand::Measured(_) => {}
        }
    }

    /// The next thing that is due at `now`.
    pub fn poll_output(&mut self, now: SessionTime) -> Option<Act> {
        if self.gone {
            return None;
        }
        if let Some(ready_at) = self.ready_at {
            if now < ready_at {
                return None;
            }
            self.ready_at = None;
            return Some(Act::Event(BackendEvent::Ready));
        }
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        let act = self.play(now);
        self.gone |= matches!(act, Some(Act::Drop | Act::Event(BackendEvent::Failed { .. })));
        act
    }

    /// When [`Player::poll_output`] has something next, unless a command comes first.
    pub fn poll_timeout(&self) -> Option<SessionTime> {
        if self.gone {
            return None;
        }
        if self.ready_at.is_some() {
            return self.ready_at;
        }
        if !self.events.is_empty() {
            return Some(SessionTime::ZERO);
        }
        self.reply.as_ref().or(self.ahead.as_ref())?.due(self.script.speed)
    }

    /// Events waiting to be taken; commands should wait while there are many.
    pub fn events_waiting(&self) -> usize {
        self.events.len()
    }

    /// The script failed the backend or dropped the connection.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    fn event(&mut self, event: BackendEvent) {
        self.events.push_back(Act::Event(event));
    }

    /// Where the script stands, or `None` past its end.
    fn turn_index(&self) -> Option<usize> {
        let count = self.script.turns.len();
        if self.script.repeat {
            return self.next_turn.checked_rem(count);
        }
        (self.next_turn < count).then_some(self.next_turn)
    }

    /// What the script answers where it stands.
    fn answer_to(&self, now: SessionTime, turn: TurnId, generation: Generation) -> Reply {
        let index = self.turn_index();
        let think = index.map_or(Duration::ZERO, |index| self.script.turns[index].think);
        let steps = index.map_or(Steps::None, Steps::Turn);
        Reply::new(now + think, generation, Some(turn), steps)
    }

    /// Answers the turn: with what was made ahead as `generation`, or anew.
    fn answer(&mut self, now: SessionTime, turn: TurnId, generation: Generation) {
        match self.ahead.take_if(|ahead| ahead.generation == generation) {
            Some(mut ahead) => {
                ahead.confirm();
                self.reply = Some(ahead);
            }
            None => {
                self.take_back();
                let reply = self.answer_to(now, turn, generation);
                self.begin(reply);
            }
        }
        self.next_turn += 1;
        self.listening = None;
    }

    /// Forgets what was made ahead and what was to be said of it.
    fn take_back(&mut self) {
        let Some(ahead) = self.ahead.take() else { return };
        let of_it = Act::Event(BackendEvent::ReplyStarted { generation: ahead.generation });
        self.events.retain(|event| *event != of_it);
    }

    fn begin(&mut self, reply: Reply) {
        self.event(BackendEvent::ReplyStarted { generation: reply.generation });
        self.reply = Some(reply);
    }

    /// What the reply, or else the one made ahead, does at `now`, if anything.
    fn play(&mut self, now: SessionTime) -> Option<Act> {
        let stage = Stage { script: &self.script, clips: &self.clips, calls_made: self.calls_made };
        let next = match (&mut self.reply, &mut self.ahead) {
            (Some(reply), _) => reply.play(now, false, stage),
            (None, Some(ahead)) => ahead.play(now, true, stage),
            (None, None) => return None,
        };
        match next {
            Next::Wait => None,
            Next::Act(act) => {
                if let Act::Event(BackendEvent::ToolCall { .. }) = act {
                    self.calls_made += 1;
                }
                Some(act)
            }
            Next::End(act) => {
                self.reply = None;
                Some(act)
            }
        }
    }
}

#[cfg(test)]
mod tests;
