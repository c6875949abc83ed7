//! Plays a script: told the time and what the call sends, says what the backend does and when.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::sound::Sound;
use super::{Script, Speed, Step};
use crate::call::event::{BackendCommand, BackendEvent, Generation, TurnId};
use crate::limits::FRAME_MS;
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

/// Audio that is delivered ahead of its time, so that what plays it does not run dry between two
/// blocks.
const LEAD: Duration = Duration::from_millis(60);
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

/// A reply being made.
#[derive(Debug)]
struct Reply {
    generation: Generation,
    turn: Option<TurnId>,
    steps: Steps,
    next_step: usize,
    /// Nothing happens before.
    not_before: SessionTime,
    /// The call id of the tool whose result is waited for until `not_before`.
    awaiting: Option<String>,
    sound: Option<Sound>,
    /// Audio delivered since the last break, and when that began.
    delivered: Duration,
    delivered_from: Option<SessionTime>,
}

#[derive(Clone, Copy, Debug)]
enum Steps {
    Greeting,
    Turn(usize),
    None,
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
            calls_made: 0,
            events: VecDeque::new(),
            gone: false,
        }
    }

    /// 20 ms of the user's voice arrived.
    pub fn handle_frame(&mut self) {
        let Some(listening) = &mut self.listening else { return };
        listening.frames = listening.frames.saturating_add(1);
        if listening.frames % FRAMES_PER_WORD != 0 || self.events.len() >= EVENTS_WAITING_MAX {
            return;
        }
        let words = (listening.frames / FRAMES_PER_WORD) as usize;
        let turn = listening.turn;
        let Some(hears) =
            self.turn_index().and_then(|index| self.script.turns[index].hears.clone())
        else {
            return;
        };
        let so_far = hears.split_whitespace().take(words).collect::<Vec<_>>();
        if so_far.len() == words {
            let text = so_far.join(" ");
            self.event(BackendEvent::UserTranscript { turn, text, is_final: false });
        }
    }

    /// The call asks for something.
    pub fn handle_command(&mut self, now: SessionTime, command: BackendCommand) {
        match command {
            BackendCommand::Greet { generation } => {
                self.begin(now, generation, None, Steps::Greeting);
            }
            BackendCommand::Speak { generation } | BackendCommand::Say { generation, .. } => {
                self.begin(now, generation, None, Steps::None);
            }
            BackendCommand::UserSpeechStarted { turn } => {
                self.listening = Some(Listening { turn, frames: 0 });
            }
            BackendCommand::UserTurnEnded { turn, generation } => {
                let index = self.turn_index();
                let hears = index.and_then(|index| self.script.turns[index].hears.clone());
                if let Some(text) = hears {
                    self.event(BackendEvent::UserTranscript { turn, text, is_final: true });
                }
                self.answer(now, turn, generation, index);
            }
            BackendCommand::UserText { turn, generation, .. } => {
                self.answer(now, turn, generation, self.turn_index());
            }
            BackendCommand::UserTurnDismissed { .. } => self.listening = None,
            BackendCommand::Cancel { generation, .. } => {
                if self.reply.as_ref().is_some_and(|reply| reply.generation == generation) {
                    self.reply = None;
                }
            }
            BackendCommand::ToolResult { call_id, .. } => {
                if let Some(reply) = &mut self.reply
                    && reply.awaiting.as_deref() == Some(call_id.as_str())
                {
                    reply.awaiting = None;
                    reply.not_before = now;
                }
            }
            BackendCommand::Speculate { .. }
            | BackendCommand::Withdraw { .. }
            | BackendCommand::Played { .. }
            | BackendCommand::Measured(_) => {}
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
        self.reply.as_ref().map(|reply| reply.due(self.script.speed))
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

    fn answer(
        &mut self,
        now: SessionTime,
        turn: TurnId,
        generation: Generation,
        index: Option<usize>,
    ) {
        self.next_turn += 1;
        self.listening = None;
        let think = index.map_or(Duration::ZERO, |index| self.script.turns[index].think);
        let steps = index.map_or(Steps::None, Steps::Turn);
        self.begin(now + think, generation, Some(turn), steps);
    }

    fn begin(
        &mut self,
        not_before: SessionTime,
        generation: Generation,
        turn: Option<TurnId>,
        steps: Steps,
    ) {
        self.event(BackendEvent::ReplyStarted { generation });
        self.reply = Some(Reply {
            generation,
            turn,
            steps,
            next_step: 0,
            not_before,
            awaiting: None,
            sound: None,
            delivered: Duration::ZERO,
            delivered_from: None,
        });
    }

    /// What the reply does at `now`, if anything.
    fn play(&mut self, now: SessionTime) -> Option<Act> {
        loop {
            let reply = self.reply.as_mut()?;
            if now < reply.due(self.script.speed) {
                return None;
            }
            reply.awaiting = None;
            if let Some(pcm) = reply.next_block(now, self.script.sample_rate_hz, &self.clips) {
                return Some(Act::Audio { generation: reply.generation, pcm });
            }
            let steps: &[Step] = match reply.steps {
                Steps::Greeting => &self.script.greeting,
                Steps::Turn(index) => &self.script.turns[index].steps,
                Steps::None => &[],
            };
            let Some(step) = steps.get(reply.next_step) else {
                let generation = reply.generation;
                self.reply = None;
                return Some(Act::Event(BackendEvent::ReplyFinished { generation }));
            };
            reply.next_step += 1;
            let call_id = format!("call-{}", self.calls_made + 1);
            match reply.take_up(now, step, self.script.sample_rate_hz, &self.clips, call_id) {
                Taken::Quietly => {}
                Taken::Acting(act) => {
                    if let Act::Event(BackendEvent::ToolCall { .. }) = act {
                        self.calls_made += 1;
                    }
                    if let Act::Event(BackendEvent::ReplyFailed { .. }) = act {
                        self.reply = None;
                    }
                    return Some(act);
                }
            }
        }
    }
}

/// What taking up a step led to.
enum Taken {
    /// Nothing to say: look again.
    Quietly,
    Acting(Act),
}

impl Reply {
    /// When the reply goes on.
    fn due(&self, speed: Speed) -> SessionTime {
        let Some(from) = self.delivered_from.filter(|_| self.sound.is_some()) else {
            return self.not_before;
        };
        let paced = match speed {
            Speed::Max => from,
            Speed::Times(times) => {
                from + self.delivered.saturating_sub(LEAD).div_f64(f64::from(times))
            }
        };
        paced.max(self.not_before)
    }

    /// The next block of the sound being delivered, or `None` if there is no sound left.
    fn next_block(
        &mut self,
        now: SessionTime,
        sample_rate_hz: u32,
        clips: &[Vec<i16>],
    ) -> Option<Vec<i16>> {
        let block = (sample_rate_hz / 1_000 * FRAME_MS) as usize;
        let pcm = self.sound.as_mut()?.pop(block, clips);
        if pcm.is_empty() {
            self.sound = None;
            return None;
        }
        self.delivered_from.get_or_insert(now);
        self.delivered += Duration::from_secs_f64(pcm.len() as f64 / f64::from(sample_rate_hz));
        Some(pcm)
    }

    fn take_up(
        &mut self,
        now: SessionTime,
        step: &Step,
        sample_rate_hz: u32,
        clips: &[Vec<i16>],
        call_id: String,
    ) -> Taken {
        let generation = self.generation;
        let transcript = |text: &str, is_final| match self.turn {
            None => Taken::Quietly,
            Some(turn) => Taken::Acting(Act::Event(BackendEvent::UserTranscript {
                turn,
                text: text.to_owned(),
                is_final,
            })),
        };
        let event = |event| Taken::Acting(Act::Event(event));
        match step {
            Step::Tone { frequency_hz, length, level_dbfs } => {
                self.sound = Some(Sound::tone(*frequency_hz, *length, *level_dbfs, sample_rate_hz));
                Taken::Quietly
            }
            Step::Silence { length } => {
                self.sound = Some(Sound::silence(*length, sample_rate_hz));
                Taken::Quietly
            }
            Step::Wav { index } => {
                self.sound = Some(Sound::clip(*index, clips));
                Taken::Quietly
            }
            Step::UserPartial(text) => transcript(text, false),
            Step::UserFinal(text) => transcript(text, true),
            Step::Text(text) => event(BackendEvent::ReplyText { generation, text: text.clone() }),
            Step::Tool { name, arguments, wait } => {
                self.pause(now, *wait);
                self.awaiting = Some(call_id.clone());
                let (name, arguments) = (name.clone(), arguments.clone());
                event(BackendEvent::ToolCall { generation, call_id, name, arguments })
            }
            Step::Stall(length) => {
                self.pause(now, *length);
                Taken::Quietly
            }
            Step::FailReply(message) => {
                event(BackendEvent::ReplyFailed { generation, message: message.clone() })
            }
            Step::FailBackend(message) => event(BackendEvent::Failed { message: message.clone() }),
            Step::Drop => Taken::Acting(Act::Drop),
            Step::HangUp(reason) => event(BackendEvent::HangUp { reason: reason.clone() }),
        }
    }

    /// Nothing for so long; audio after it is paced afresh.
    fn pause(&mut self, now: SessionTime, length: Duration) {
        self.not_before = now + length;
        self.delivered = Duration::ZERO;
        self.delivered_from = None;
    }
}

#[cfg(test)]
mod tests;
