//! What passes between a call and its backend, watched so that another backend can take over.
//!
//! ```text
//! call -- commands, audio --> Watch --> backend, until it is lost; then the next one
//!      <-- events, audio  ---       <--
//! ```
//!
//! The one that takes over is opened with what was said so far. What was asked and shows nothing yet is asked
//! again in its own name. A reply of which something was given ends there, since neither its voice nor its
//! rate may change within it, and the next backend goes on in another once the call gives it the floor. A
//! turn that the user is speaking is told from its beginning. A backend whose replies fail is as lost as one
//! that is gone.

use std::collections::VecDeque;
use std::mem;

use super::asked::{Ahead, Ask, Asked, Made, UserTurn};
use super::history::History;
use crate::agent::{BackendInput, PcmFrame};
use crate::backend::{Abilities, BackendOutput, Said};
use crate::call::event::{BackendCommand, BackendEvent, Generation, TurnId};
use crate::limits::{
    FRAME_MS, PRE_ROLL_MS, RELIEF_OUTPUTS_MAX, RELIEF_READY_MAX, RELIEF_REPLIES_FAILED_MAX,
    RELIEF_STUCK_MAX, RELIEF_WAITING_MAX, TOOL_USES_PENDING_MAX,
};
use crate::time::SessionTime;

/// Frames before a turn that belong to it, where the backend hears the user all the time.
const PRE_ROLL_FRAMES: usize = (PRE_ROLL_MS / FRAME_MS) as usize;

/// One call's watch.
#[derive(Debug)]
pub(super) struct Watch {
    history: History,
    /// The turn that the user speaks.
    turn: Option<UserTurn>,
    /// What was heard last outside of turns.
    before: VecDeque<PcmFrame>,
    last_turn: TurnId,
    asked: Option<Asked>,
    ahead: Option<Ahead>,
    /// What is asked in another name once the floor is free, and the reply in whose place it comes.
    owed: Option<(Generation, Ask)>,
    /// A turn that was told as text, and is not to be shown as something that the user said.
    told: Option<TurnId>,
    /// Tools that the client runs.
    calls: Vec<String>,
    /// Those of backends that were lost.
    lost_calls: Vec<String>,
    /// The backend says when turns end, and hears the user all the time.
    ends_turns: bool,
    /// The backend was told of what was said before it.
    recalls: bool,
    /// The call was told once that its backend is ready.
    was_ready: bool,
    /// Replies that failed since one was heard.
    replies_failed: u32,
    /// Nobody is left to take over.
    is_last: bool,
    ready_by: Option<SessionTime>,
    stuck_by: Option<SessionTime>,
    state: State,
    to_backend: VecDeque<BackendInput>,
    to_call: VecDeque<BackendOutput>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Watching,
    /// The backend asked to end the call: nobody takes over.
    HungUp,
    /// The backend is gone, and why.
    Lost(String),
    /// There is none any more.
    Over,
}

impl Watch {
    /// Before the first backend is opened. `ends_turns`: the call expects that it says when a turn is over.
    pub(super) fn new(ends_turns: bool) -> Self {
        Self {
            history: History::default(),
            turn: None,
            before: VecDeque::new(),
            last_turn: TurnId(0),
            asked: None,
            ahead: None,
            owed: None,
            told: None,
            calls: Vec::new(),
            lost_calls: Vec::new(),
            ends_turns,
            recalls: false,
            was_ready: false,
            replies_failed: 0,
            is_last: false,
            ready_by: None,
            stuck_by: None,
            state: State::Watching,
            to_backend: VecDeque::new(),
            to_call: VecDeque::new(),
        }
    }

    // ---- the call ----

    /// The call sent something.
    pub(super) fn handle_input(&mut self, input: BackendInput) {
        match input {
            BackendInput::Audio(frame) => self.handle_frame(frame),
            BackendInput::Command(command) => self.handle_command(command),
        }
    }

    fn handle_frame(&mut self, frame: PcmFrame) {
        match &mut self.turn {
            Some(turn) => turn.push(frame),
            // The others hear turns, and of a call that has not yet changed over what is none.
            None if !self.ends_turns => return,
            None => {
                self.before.truncate(PRE_ROLL_FRAMES - 1);
                self.before.push_front(frame);
            }
        }
        self.to_backend.push_back(BackendInput::Audio(frame));
    }

    fn handle_command(&mut self, command: BackendCommand) {
        match &command {
            BackendCommand::Greet { generation } => self.note_asked(*generation, Ask::Greeting),
            BackendCommand::Say { generation, text } => {
                self.note_asked(*generation, Ask::Prompt(text.clone()));
            }
            BackendCommand::Speak { generation } => {
                let cannot = |ask: &Ask| matches!(ask, Ask::GoOn { .. }) && !self.recalls;
                if let Some((_, ask)) = self.owed.take().filter(|(_, ask)| !cannot(ask)) {
                    self.note_asked(*generation, ask);
                    return self.ask();
                }
                self.note_asked(*generation, Ask::Announcement);
            }
            BackendCommand::UserText { turn, generation, text } => {
                (self.owed, self.last_turn) = (None, *turn);
                self.history.user_said(*turn, text, None);
                self.note_asked(*generation, Ask::Text { turn: *turn, text: text.clone() });
            }
            BackendCommand::UserSpeechStarted { turn } => {
                let frames = self.before.drain(..).rev().collect();
                (self.turn, self.last_turn) = (Some(UserTurn { turn: *turn, frames }), *turn);
            }
            BackendCommand::UserTurnDismissed { turn } => {
                self.turn.take_if(|open| open.turn == *turn);
                self.history.forget_turn(*turn);
            }
            BackendCommand::Speculate { generation, .. } => {
                let (generation, made) = (*generation, Made::default());
                self.ahead = Some(Ahead { generation, made, is_lost: false });
            }
            BackendCommand::Withdraw { generation, .. } => {
                let withdrawn = self.ahead.take_if(|ahead| ahead.generation == *generation);
                self.history.was_heard(*generation, "");
                if withdrawn.is_none_or(|ahead| ahead.is_lost) {
                    return;
                }
            }
            BackendCommand::UserTurnEnded { turn, generation } => {
                let (turn, generation) = (*turn, *generation);
                let spoken = self.turn.take_if(|open| open.turn == turn);
                let spoken = spoken.unwrap_or(UserTurn { turn, frames: VecDeque::new() });
                let ahead = self.ahead.take().filter(|ahead| ahead.generation == generation);
                if ahead.as_ref().is_some_and(|ahead| ahead.is_lost) {
                    // Its failure and this have crossed.
                    let dismissed = BackendCommand::UserTurnDismissed { turn };
                    self.to_backend.push_back(BackendInput::Command(dismissed));
                    return self.owe(generation, Ask::Turn(spoken));
                }
                (self.owed, self.told) = (None, None);
                let made = ahead.map(|ahead| ahead.made).unwrap_or_default();
                self.asked = Some(Asked { generation, ask: Ask::Turn(spoken), made });
            }
            BackendCommand::Cancel { generation, heard } => {
                let asked = self.asked.take_if(|asked| asked.generation == *generation);
                if asked.is_some() && !heard.duration.is_zero() {
                    self.replies_failed = 0;
                }
                self.owed.take_if(|(instead_of, _)| instead_of == generation);
                self.history.was_heard(*generation, &heard.text);
            }
            BackendCommand::Played { generation, heard } => {
                self.history.was_heard(*generation, &heard.text);
            }
            BackendCommand::ToolResult { call_id, .. } => {
                if let Some(at) = self.lost_calls.iter().position(|lost| lost == call_id) {
                    self.lost_calls.swap_remove(at);
                    return;
                }
                self.calls.retain(|call| call != call_id);
            }
            BackendCommand::Measured(_) => {}
        }
        self.to_backend.push_back(BackendInput::Command(command));
    }

    // ---- the backend ----

    /// The backend sent something.
    pub(super) fn handle_output(&mut self, output: BackendOutput) {
        match output {
            BackendOutput::Audio(audio) => {
                self.note_made(audio.generation, |made| made.sound = true);
                self.to_call.push_back(BackendOutput::Audio(audio));
            }
            BackendOutput::Event(event) => self.handle_event(event),
        }
    }

    fn handle_event(&mut self, event: BackendEvent) {
        match &event {
            BackendEvent::Ready => {
                self.ready_by = None;
                if mem::replace(&mut self.was_ready, true) {
                    return;
                }
            }
            BackendEvent::Failed { message } => return self.lose(message.clone()),
            BackendEvent::HangUp { .. } => self.state = State::HungUp,
            BackendEvent::UserTranscript { turn, .. } if self.told == Some(*turn) => return,
            BackendEvent::UserTranscript { turn, text, is_final: true } => {
                match self.asked.as_ref().map(|asked| (&asked.ask, asked.generation)) {
                    // What was typed is known.
                    Some((Ask::Text { turn: typed, .. }, _)) if typed == turn => {}
                    Some((Ask::Turn(spoken), generation)) if spoken.turn == *turn => {
                        self.history.user_said(*turn, text, Some(generation));
                    }
                    _ => self.history.user_said(*turn, text, None),
                }
            }
            BackendEvent::ReplyStarted { generation } => {
                let before = self.note_made(*generation, |made| made.started = true);
                if before.is_some_and(|made| made.started) {
                    return;
                }
            }
            BackendEvent::ReplyText { generation, text } => {
                if self.note_made(*generation, |made| made.text = true).is_some() {
                    self.history.agent_says(*generation, text);
                }
            }
            BackendEvent::ToolCall { generation, call_id, .. } => {
                self.note_made(*generation, |made| made.call = true);
                if self.calls.len() < TOOL_USES_PENDING_MAX {
                    self.calls.push(call_id.clone());
                }
            }
            BackendEvent::ReplyFinished { generation } => {
                let asked = self.asked.take_if(|asked| asked.generation == *generation);
                if asked.is_some_and(|asked| asked.made.sound) {
                    self.replies_failed = 0;
                }
            }
            BackendEvent::ReplyFailed { generation, message } => {
                let is_it = |asked: &Asked| asked.generation == *generation;
                if self.asked.as_ref().is_some_and(is_it) {
                    self.replies_failed += 1;
                    if self.replies_failed >= RELIEF_REPLIES_FAILED_MAX && !self.is_last {
                        return self.lose(message.clone());
                    }
                    self.asked = None;
                }
            }
            BackendEvent::UserTranscript { .. }
            | BackendEvent::WantsToSpeak
            | BackendEvent::TurnLooksComplete { .. }
            | BackendEvent::UserTurnEnded { .. }
            | BackendEvent::Interrupted { .. }
            | BackendEvent::ReplyWords { .. }
            | BackendEvent::Prompted { .. }
            | BackendEvent::Used { .. }
            | BackendEvent::TurnsAreYours => {}
        }
        self.tell(event);
    }

    /// The backend dropped its ends of the channels.
    pub(super) fn handle_gone(&mut self) {
        match self.state {
            State::HungUp | State::Over => self.state = State::Over,
            State::Watching | State::Lost(_) => self.lose("the backend hung up".to_owned()),
        }
    }

    /// The backend's queue is full: it is given this again once there is room.
    pub(super) fn handle_full(&mut self, now: SessionTime, input: BackendInput) {
        self.to_backend.push_front(input);
        self.stuck_by.get_or_insert(now + RELIEF_STUCK_MAX);
    }

    /// Deadlines were reached.
    pub(super) fn handle_timeout(&mut self, now: SessionTime) {
        if self.ready_by.is_some_and(|at| at <= now) {
            self.lose("the backend was not ready in time".to_owned());
        } else if self.stuck_by.is_some_and(|at| at <= now) {
            self.lose("the backend stopped reading".to_owned());
        }
    }

    // ---- relief ----

    /// Why the backend is lost, if it is and nobody has taken over yet. It is not to be read any more, and
    /// [`Watch::handle_relief`] or [`Watch::handle_nobody`] follows.
    pub(super) fn loss(&self) -> Option<&str> {
        match &self.state {
            State::Lost(why) => Some(why),
            _ => None,
        }
    }

    /// What the next backend is told was said: not what it will be asked.
    pub(super) fn said(&self) -> Vec<Said> {
        let owed = self.owed.as_ref().map(|(_, ask)| ask);
        let asked = self.asked.as_ref().map(|asked| &asked.ask);
        self.history.said(asked.or(owed).and_then(|ask| match ask {
            Ask::Text { turn, .. } | Ask::Turn(UserTurn { turn, .. }) => Some(*turn),
            Ask::Greeting | Ask::Announcement | Ask::Prompt(_) | Ask::GoOn { .. } => None,
        }))
    }

    /// A backend that can do this was opened with what was said: it is told the rest.
    pub(super) fn handle_relief(&mut self, now: SessionTime, abilities: Abilities, is_last: bool) {
        self.state = State::Watching;
        // A call that was never ready waits for the last one itself.
        let is_awaited = is_last && !self.was_ready;
        self.ready_by = (!is_awaited).then(|| now + RELIEF_READY_MAX);
        self.recalls = abilities.recalls;
        (self.is_last, self.replies_failed) = (is_last, 0);
        let ended_turns = mem::replace(&mut self.ends_turns, abilities.ends_turns);
        if ended_turns && !self.ends_turns {
            self.tell(BackendEvent::TurnsAreYours);
        }
        if self.asked.is_some() {
            self.ask();
        }
        if let Some(turn) = &self.turn {
            // It will be understood once more.
            self.history.forget_turn(turn.turn);
            turn.tell(&mut self.to_backend);
        }
    }

    /// Nobody is left to take over.
    pub(super) fn handle_nobody(&mut self, message: String) {
        self.tell(BackendEvent::Failed { message });
        self.state = State::Over;
    }

    /// The backend is lost: what it owes is somebody else's.
    fn lose(&mut self, why: String) {
        if matches!(self.state, State::HungUp) {
            self.state = State::Over;
            return;
        }
        self.state = State::Lost(why);
        (self.ready_by, self.stuck_by) = (None, None);
        self.to_backend.clear();
        self.lost_calls.append(&mut self.calls);
        let surplus = self.lost_calls.len().saturating_sub(TOOL_USES_PENDING_MAX);
        self.lost_calls.drain(..surplus);
        if let Some(ahead) = &mut self.ahead
            && ahead.made.shows()
            && !ahead.is_lost
        {
            ahead.is_lost = true;
            let generation = ahead.generation;
            let message = "the backend was lost".to_owned();
            self.history.was_heard(generation, "");
            self.tell(BackendEvent::ReplyFailed { generation, message });
        }
        let is_over = |asked: &mut Asked| asked.made.shows() || asked.ask == Ask::Announcement;
        let Some(Asked { generation, ask, made }) = self.asked.take_if(is_over) else { return };
        self.tell(BackendEvent::ReplyFinished { generation });
        // What sounds of a reply that failed is an apology, with which nobody can go on.
        let is_apology =
            self.replies_failed >= RELIEF_REPLIES_FAILED_MAX && ask.is_known(&self.history);
        if made.call || (made.sound && !is_apology) {
            self.owe(generation, Ask::GoOn { after_call: made.call });
        } else if ask != Ask::Announcement {
            if !made.sound {
                // Its text will never sound.
                self.history.was_heard(generation, "");
            }
            self.owe(generation, ask);
        }
    }

    /// Has this asked in another name than that of `generation`, once the floor is free.
    fn owe(&mut self, generation: Generation, ask: Ask) {
        self.owed = Some((generation, ask));
        self.tell(BackendEvent::WantsToSpeak);
    }

    /// Asks the backend for the open reply in the call's place.
    fn ask(&mut self) {
        let Some(Asked { generation, ask, .. }) = &self.asked else { return };
        let command = ask.command(*generation, self.last_turn, &self.history);
        if let (Ask::Turn(spoken), BackendCommand::UserTurnEnded { .. }) = (ask, &command) {
            spoken.tell(&mut self.to_backend);
        }
        if let BackendCommand::UserText { turn, .. } = &command {
            self.told = Some(*turn);
        }
        self.to_backend.push_back(BackendInput::Command(command));
    }

    // ---- both ways ----

    /// The next thing for the backend. One that finds no room comes back by [`Watch::handle_full`].
    pub(super) fn poll_input(&mut self) -> Option<BackendInput> {
        self.to_backend.pop_front()
    }

    /// Something found room in the backend's queue.
    pub(super) const fn handle_room(&mut self) {
        self.stuck_by = None;
    }

    /// Whether something waits for the backend.
    pub(super) fn has_input(&self) -> bool {
        !self.to_backend.is_empty()
    }

    /// The next thing for the call.
    pub(super) fn poll_output(&mut self) -> Option<BackendOutput> {
        self.to_call.pop_front()
    }

    /// When there is something for the call, or [`Watch::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<SessionTime> {
        if !self.to_call.is_empty() {
            return Some(SessionTime::ZERO);
        }
        [self.ready_by, self.stuck_by].into_iter().flatten().min()
    }

    /// Whether the call may send more.
    pub(super) fn wants_input(&self) -> bool {
        self.to_backend.len() < RELIEF_WAITING_MAX
    }

    /// Whether the backend may be read.
    pub(super) fn wants_output(&self) -> bool {
        self.to_call.len() < RELIEF_OUTPUTS_MAX
    }

    /// Nothing more will come.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over && self.to_call.is_empty()
    }

    fn tell(&mut self, event: BackendEvent) {
        self.to_call.push_back(BackendOutput::Event(event));
    }

    fn note_asked(&mut self, generation: Generation, ask: Ask) {
        self.asked = Some(Asked { generation, ask, made: Made::default() });
    }

    /// More of a reply was made. Answers how much of it was before, if it is one that is wanted.
    fn note_made(&mut self, generation: Generation, note: impl FnOnce(&mut Made)) -> Option<Made> {
        let asked = self.asked.as_mut().filter(|asked| asked.generation == generation);
        let made = match asked {
            Some(asked) => {
                if asked.made.sound
                    && let Ask::Turn(spoken) = &mut asked.ask
                {
                    // It is never told again.
                    spoken.frames = VecDeque::new();
                }
                &mut asked.made
            }
            None => &mut self.ahead.as_mut().filter(|it| it.generation == generation)?.made,
        };
        let before = *made;
        note(made);
        Some(before)
    }
}

#[cfg(test)]
mod tests;
