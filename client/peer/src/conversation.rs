//! The caller's side of the conversation: what is said when, and what came back.
//!
//! A pure state machine, told the time. Every 20 ms it gives the frame to send; every decoded
//! packet of the agent is shown to it. All times are since the call began.
//!
//! ```text
//! Greeting --sound--> Hearing --it ended--> Saying --clip ended--> Awaiting --sound--> Hearing ...
//!     | no sound in time           ^           | sound meanwhile      | no reply in time
//!     '----------------------------+-----------+----------------------+--> next turn, or
//!                                                                          Listening -> Done
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use crate::measure::replies::{Heard, Reply};
use crate::wav::Clip;

/// What the caller does in one turn.
#[derive(Clone, Debug, PartialEq)]
pub enum Utterance {
    /// Plays a clip.
    Clip(Clip),
    /// Sends a text over the data channel.
    Text(String),
}

/// How the caller behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manners {
    /// A packet louder than this is sound, in dBFS.
    pub sound_dbfs: f64,
    /// How long to wait after connecting for whether the agent speaks first.
    pub greeting_wait: Duration,
    /// How long a reply must have been silent to be over.
    pub turn_gap: Duration,
    /// How long to wait for a reply to begin.
    pub reply_timeout: Duration,
    /// Speak the next turn over a reply so long after its first sound.
    pub interrupt_after: Option<Duration>,
    /// How long to go on listening after the last turn.
    pub listen: Duration,
}

/// Once the caller speaks over a reply, the reply is over after so little silence, and what sounds
/// later answers the interruption. Longer than the pauses between most words, shorter than the time
/// in which an agent takes the turn and answers.
const YIELD_GAP: Duration = Duration::from_millis(300);

/// One turn as it went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TurnRecord {
    /// When the first frame of the clip, or the text, was sent.
    pub began_at: Option<Duration>,
    /// When the first packet with speech was sent.
    pub speech_began_at: Option<Duration>,
    /// When the last packet with speech was sent; for a text, when it was sent.
    pub speech_ended_at: Option<Duration>,
    /// What the agent answered.
    pub reply: Option<Reply>,
    /// The turn that was spoken over that answer.
    pub interrupted_by: Option<usize>,
    /// Answers that ended before the caller had finished, as when a pause was taken for the end.
    pub premature: Vec<Reply>,
}

/// What the shell is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this text to the agent.
    SendText(String),
    /// Tell the user how the call goes.
    Progress(Progress),
}

/// How the call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The agent speaks first.
    Greeted,
    /// A turn begins.
    Saying(usize),
    /// The reply to a turn begins.
    Answered(usize),
    /// No reply came in time.
    Unanswered(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Greeting { until: Duration },
    Saying { turn: usize, frame: usize },
    Awaiting { turn: usize, until: Duration },
    Hearing { speak_over_at: Option<Duration> },
    Listening { until: Duration },
    Done,
}

/// A reply that goes on.
#[derive(Debug)]
struct Current {
    reply: Reply,
    /// The turn it answers; `None` for what the agent says of its own accord.
    turn: Option<usize>,
    interrupted_by: Option<usize>,
}

/// See the module.
#[derive(Debug)]
pub struct Conversation {
    manners: Manners,
    frame_samples: usize,
    utterances: Vec<Utterance>,
    turns: Vec<TurnRecord>,
    /// What the agent said first, and later of its own accord.
    unprompted: Vec<Reply>,
    phase: Phase,
    current: Option<Current>,
    outputs: VecDeque<Output>,
}

impl Conversation {
    /// A conversation that begins at `now`, when the call has connected.
    pub fn new(
        manners: Manners,
        frame_samples: usize,
        utterances: Vec<Utterance>,
        now: Duration,
    ) -> Self {
        Self {
            manners,
            frame_samples,
            turns: vec![TurnRecord::default(); utterances.len()],
            utterances,
            unprompted: Vec::new(),
            phase: Phase::Greeting { until: now + manners.greeting_wait },
            current: None,
            outputs: VecDeque::new(),
        }
    }

    /// The frame to send at `now`, silence included.
    pub fn next_frame(&mut self, now: Duration) -> Vec<i16> {
        self.move_on(now);
        let mut samples = vec![0; self.frame_samples];
        let Phase::Saying { turn, frame } = self.phase else { return samples };
        let Utterance::Clip(clip) = &self.utterances[turn] else { return samples };
        let start = frame * self.frame_samples;
        let rest = &clip.samples[start.min(clip.samples.len())..];
        let count = rest.len().min(self.frame_samples);
        samples[..count].copy_from_slice(&rest[..count]);
        let is_speech = clip.speech.as_ref().is_some_and(|speech| speech.contains(&frame));
        let is_last = rest.len() <= self.frame_samples;
        let record = &mut self.turns[turn];
        record.began_at.get_or_insert(now);
        if is_speech {
            record.speech_began_at.get_or_insert(now);
            record.speech_ended_at = Some(now);
        }
        self.phase = if is_last {
            self.after_saying(turn, now)
        } else {
            Phase::Saying { turn, frame: frame + 1 }
        };
        samples
    }

    /// Takes in a packet of the agent, decoded.
    pub fn handle_heard(&mut self, heard: &Heard) {
        let is_sound = heard.level_dbfs() > self.manners.sound_dbfs;
        if is_sound && self.is_premature(Some(heard.arrived)) {
            self.close_reply(heard.arrived);
        }
        match (&mut self.current, is_sound) {
            (Some(current), true) => current.reply.handle_sound(heard),
            (Some(current), false) => current.reply.handle_quiet(),
            (None, true) => self.begin_reply(heard),
            (None, false) => {}
        }
    }

    /// What the shell is to do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether everything has been said and heard.
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// The reply that goes on.
    pub fn current(&self) -> Option<&Reply> {
        self.current.as_ref().map(|current| &current.reply)
    }

    /// Ends the conversation where it is, as when the call broke.
    pub fn end(&mut self, now: Duration) {
        self.close_reply(now);
        self.phase = Phase::Done;
    }

    /// The turns as they went so far.
    pub fn turns(&self) -> &[TurnRecord] {
        &self.turns
    }

    /// What was to be said.
    pub fn utterances(&self) -> &[Utterance] {
        &self.utterances
    }

    /// What the agent said without being spoken to, the greeting among it.
    pub fn unprompted(&self) -> &[Reply] {
        &self.unprompted
    }

    fn begin_reply(&mut self, heard: &Heard) {
        let turn = match self.phase {
            Phase::Saying { turn, .. } | Phase::Awaiting { turn, .. } => {
                // Before its first packet of speech there is nothing that it could answer.
                self.turns[turn].speech_began_at.is_some().then_some(turn)
            }
            Phase::Greeting { .. } | Phase::Hearing { .. } => None,
            Phase::Listening { .. } | Phase::Done => None,
        };
        self.current = Some(Current { reply: Reply::begin(heard), turn, interrupted_by: None });
        let progress = turn.map_or(Progress::Greeted, Progress::Answered);
        match self.phase {
            Phase::Greeting { .. } | Phase::Awaiting { .. } => {
                self.outputs.push_back(Output::Progress(progress));
                self.phase = self.hearing();
            }
            Phase::Saying { .. }
            | Phase::Hearing { .. }
            | Phase::Listening { .. }
            | Phase::Done => {}
        }
    }

    /// Listening to the current reply, to be spoken over if that is asked for and something is left
    /// to say.
    fn hearing(&self) -> Phase {
        let speak_over_at = self.current.as_ref().and_then(|current| {
            let next = current.turn? + 1;
            let after = self.manners.interrupt_after?;
            (next < self.utterances.len()).then(|| current.reply.first_sound_at + after)
        });
        Phase::Hearing { speak_over_at }
    }

    /// Whether the current reply stopped before the caller had finished speaking. With
    /// `next_sound_at`, whether it did so for long enough that the sound then is another reply.
    fn is_premature(&self, next_sound_at: Option<Duration>) -> bool {
        let Some(current) = &self.current else { return false };
        let Some(turn) = current.turn.filter(|_| current.interrupted_by.is_none()) else {
            return false;
        };
        let last_sound_at = current.reply.last_sound_at;
        let stopped_early = self.has_more_to_say(turn)
            || self.turns[turn].speech_ended_at.is_some_and(|ended_at| last_sound_at < ended_at);
        let is_apart = next_sound_at.is_none_or(|at| at.saturating_sub(last_sound_at) >= YIELD_GAP);
        stopped_early && is_apart
    }

    /// Whether the clip of `turn` is being played and its last packet with speech is still to come.
    fn has_more_to_say(&self, turn: usize) -> bool {
        match (self.phase, &self.utterances[turn]) {
            (Phase::Saying { turn: said, frame }, Utterance::Clip(clip)) if said == turn => {
                clip.speech.as_ref().is_some_and(|speech| frame < speech.end)
            }
            _ => false,
        }
    }

    fn after_saying(&self, turn: usize, now: Duration) -> Phase {
        match &self.current {
            Some(current) if current.turn == Some(turn) => self.hearing(),
            _ => Phase::Awaiting { turn, until: now + self.manners.reply_timeout },
        }
    }

    fn move_on(&mut self, now: Duration) {
        if self.current.as_ref().is_some_and(|current| self.is_over(current, now)) {
            self.close_reply(now);
        }
        match self.phase {
            Phase::Greeting { until } if now >= until => self.advance(now),
            // Answered in full during the silence at the end of the clip.
            Phase::Awaiting { turn, .. } if self.turns[turn].reply.is_some() => self.advance(now),
            Phase::Awaiting { turn, until } if now >= until && self.current.is_none() => {
                self.outputs.push_back(Output::Progress(Progress::Unanswered(turn)));
                self.advance(now);
            }
            Phase::Hearing { .. } if self.current.is_none() => self.advance(now),
            Phase::Hearing { speak_over_at: Some(at) } if now >= at => self.speak_over(now),
            Phase::Listening { until } if now >= until && self.current.is_none() => {
                self.phase = Phase::Done;
            }
            _ => {}
        }
    }

    fn is_over(&self, current: &Current, now: Duration) -> bool {
        let silent_for = now.saturating_sub(current.reply.last_sound_at);
        silent_for >= self.manners.turn_gap
            || (current.interrupted_by.is_some() && silent_for >= YIELD_GAP)
    }

    /// Files the current reply at `now`. After a premature one the caller goes on waiting.
    fn close_reply(&mut self, now: Duration) {
        let is_premature = self.is_premature(None);
        let Some(Current { reply, turn, interrupted_by }) = self.current.take() else { return };
        match turn.map(|turn| &mut self.turns[turn]) {
            Some(record) if is_premature => {
                record.premature.push(reply);
                if let (Phase::Hearing { .. }, Some(turn)) = (self.phase, turn) {
                    let until = now + self.manners.reply_timeout;
                    self.phase = Phase::Awaiting { turn, until };
                }
            }
            Some(record) if record.reply.is_none() => {
                record.reply = Some(reply);
                record.interrupted_by = interrupted_by;
            }
            _ => self.unprompted.push(reply),
        }
    }

    fn speak_over(&mut self, now: Duration) {
        let Some(next) = self.next_turn() else { return };
        if let Some(current) = &mut self.current {
            current.interrupted_by = Some(next);
        }
        self.begin_turn(next, now);
        // The clip's own silence would make the interruption later than it was asked for.
        if let (Utterance::Clip(Clip { speech: Some(speech), .. }), Phase::Saying { frame, .. }) =
            (&self.utterances[next], &mut self.phase)
        {
            *frame = speech.start;
        }
    }

    fn advance(&mut self, now: Duration) {
        match self.next_turn() {
            Some(turn) => self.begin_turn(turn, now),
            None => self.phase = Phase::Listening { until: now + self.manners.listen },
        }
    }

    fn next_turn(&self) -> Option<usize> {
        self.turns.iter().position(|turn| turn.began_at.is_none())
    }

    fn begin_turn(&mut self, turn: usize, now: Duration) {
        self.outputs.push_back(Output::Progress(Progress::Saying(turn)));
        match &self.utterances[turn] {
            Utterance::Clip(_) => self.phase = Phase::Saying { turn, frame: 0 },
            Utterance::Text(text) => {
                self.outputs.push_back(Output::SendText(text.clone()));
                let record = &mut self.turns[turn];
                record.began_at = Some(now);
                record.speech_began_at = Some(now);
                record.speech_ended_at = Some(now);
                self.phase = Phase::Awaiting { turn, until: now + self.manners.reply_timeout };
            }
        }
    }
}

#[cfg(test)]
mod tests;
