//! One reply of a script while it is being made, step by step.

use std::time::Duration;

use crate::call::event::{BackendEvent, Generation, TurnId};
use crate::limits::FRAME_MS;
use crate::script::player::Act;
use crate::script::sound::Sound;
use crate::script::{Script, Speed, Step};
use crate::time::SessionTime;

/// Audio that is delivered ahead of its time, so that what plays it does not run dry between two
/// blocks.
const LEAD: Duration = Duration::from_millis(60);
/// What a given text sounds like: about fifteen characters a second, as people speak.
const SAID_MS_PER_CHAR: u64 = 65;
/// The shortest and the longest sound of a given text, in milliseconds.
const SAID_MS: (u64, u64) = (300, 30_000);
const SAID_HZ: f32 = 220.0;
const SAID_DBFS: f32 = -20.0;

/// A reply being made.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) generation: Generation,
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
    /// It was made ahead as far as it may be before it counts.
    is_held: bool,
}

/// What a reply does.
#[derive(Debug)]
pub(super) enum Steps {
    Greeting,
    Turn(usize),
    Said([Step; 2]),
    None,
}

/// What a player has, as far as a reply needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage<'a> {
    pub(super) script: &'a Script,
    pub(super) clips: &'a [Vec<i16>],
    /// Tool calls made before.
    pub(super) calls_made: u32,
}

/// What a reply does next.
#[derive(Debug)]
pub(super) enum Next {
    /// Nothing at this time.
    Wait,
    Act(Act),
    /// Its last act.
    End(Act),
}

/// What taking up a step led to.
enum Taken {
    /// Nothing to say: look again.
    Quietly,
    Acting(Act),
}

impl Steps {
    /// Says a given text: the text, then a tone as long as speaking it would take.
    pub(super) fn said(text: String) -> Self {
        let (least, most) = SAID_MS;
        let chars = text.chars().count() as u64;
        let length = Duration::from_millis((chars * SAID_MS_PER_CHAR).clamp(least, most));
        let tone = Step::Tone { frequency_hz: SAID_HZ, length, level_dbfs: SAID_DBFS };
        Self::Said([Step::Text(text), tone])
    }

    fn of<'a>(&'a self, script: &'a Script) -> &'a [Step] {
        match self {
            Self::Greeting => &script.greeting,
            Self::Turn(index) => &script.turns[*index].steps,
            Self::Said(steps) => steps,
            Self::None => &[],
        }
    }
}

impl Reply {
    pub(super) const fn new(
        not_before: SessionTime,
        generation: Generation,
        turn: Option<TurnId>,
        steps: Steps,
    ) -> Self {
        Self {
            generation,
            turn,
            steps,
            next_step: 0,
            not_before,
            awaiting: None,
            sound: None,
            delivered: Duration::ZERO,
            delivered_from: None,
            is_held: false,
        }
    }

    /// When the reply goes on; `None` while it may not.
    pub(super) fn due(&self, speed: Speed) -> Option<SessionTime> {
        if self.is_held {
            return None;
        }
        let Some(from) = self.delivered_from.filter(|_| self.sound.is_some()) else {
            return Some(self.not_before);
        };
        let paced = match speed {
            Speed::Max => from,
            Speed::Times(times) => {
                from + self.delivered.saturating_sub(LEAD).div_f64(f64::from(times))
            }
        };
        Some(paced.max(self.not_before))
    }

    /// The user's turn is over after all: what was made ahead counts and goes on.
    pub(super) const fn confirm(&mut self) {
        self.is_held = false;
    }

    /// The result of a tool call arrived.
    pub(super) fn handle_result(&mut self, now: SessionTime, call_id: &str) {
        if self.awaiting.as_deref() == Some(call_id) {
            self.awaiting = None;
            self.not_before = now;
        }
    }

    /// What the reply does at `now`. `ahead`: the turn may not be over, so that only text and audio
    /// are made, which can be taken back; it stops before anything else.
    pub(super) fn play(&mut self, now: SessionTime, ahead: bool, stage: Stage<'_>) -> Next {
        let rate_hz = stage.script.sample_rate_hz;
        loop {
            if self.due(stage.script.speed).is_none_or(|due| now < due) {
                return Next::Wait;
            }
            self.awaiting = None;
            if let Some(pcm) = self.next_block(now, rate_hz, stage.clips) {
                return Next::Act(Act::Audio { generation: self.generation, pcm });
            }
            let step = self.steps.of(stage.script).get(self.next_step).cloned();
            if ahead && step.as_ref().is_none_or(|step| !can_be_taken_back(step)) {
                self.is_held = true;
                return Next::Wait;
            }
            let Some(step) = step else {
                let generation = self.generation;
                return Next::End(Act::Event(BackendEvent::ReplyFinished { generation }));
            };
            self.next_step += 1;
            match self.take_up(now, step, stage) {
                Taken::Quietly => {}
                Taken::Acting(act @ Act::Event(BackendEvent::ReplyFailed { .. })) => {
                    return Next::End(act);
                }
                Taken::Acting(act) => return Next::Act(act),
            }
        }
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

    fn take_up(&mut self, now: SessionTime, step: Step, stage: Stage<'_>) -> Taken {
        let generation = self.generation;
        let rate_hz = stage.script.sample_rate_hz;
        let transcript = |text: String, is_final| match self.turn {
            None => Taken::Quietly,
            Some(turn) => {
                Taken::Acting(Act::Event(BackendEvent::UserTranscript { turn, text, is_final }))
            }
        };
        let event = |event| Taken::Acting(Act::Event(event));
        match step {
            Step::Tone { frequency_hz, length, level_dbfs } => {
                self.sound = Some(Sound::tone(frequency_hz, length, level_dbfs, rate_hz));
                Taken::Quietly
            }
            Step::Silence { length } => {
                self.sound = Some(Sound::silence(length, rate_hz));
                Taken::Quietly
            }
            Step::Wav { index } => {
                self.sound = Some(Sound::clip(index, stage.clips));
                Taken::Quietly
            }
            Step::UserPartial(text) => transcript(text, false),
            Step::UserFinal(text) => transcript(text, true),
            Step::Text(text) => event(BackendEvent::ReplyText { generation, text }),
            Step::Words(words) => event(BackendEvent::ReplyWords { generation, words }),
            Step::Interrupted => event(BackendEvent::Interrupted { generation }),
            Step::Tool { name, arguments, wait } => {
                self.pause(now, wait);
                let call_id = format!("call-{}", stage.calls_made + 1);
                self.awaiting = Some(call_id.clone());
                event(BackendEvent::ToolCall { generation, call_id, name, arguments })
            }
            Step::Stall(length) => {
                self.pause(now, length);
                Taken::Quietly
            }
            Step::FailReply(message) => event(BackendEvent::ReplyFailed { generation, message }),
            Step::FailBackend(message) => event(BackendEvent::Failed { message }),
            Step::Drop => Taken::Acting(Act::Drop),
            Step::HangUp(reason) => event(BackendEvent::HangUp { reason }),
        }
    }

    /// Nothing for so long; audio after it is paced afresh.
    fn pause(&mut self, now: SessionTime, length: Duration) {
        self.not_before = now + length;
        self.delivered = Duration::ZERO;
        self.delivered_from = None;
    }
}

/// Whether nobody but the call learns of it, so that a reply made ahead may do it.
const fn can_be_taken_back(step: &Step) -> bool {
    match step {
        Step::Tone { .. }
        | Step::Silence { .. }
        | Step::Wav { .. }
        | Step::Text(_)
        | Step::Words(_)
        | Step::Stall(_) => true,
        Step::UserPartial(_)
        | Step::UserFinal(_)
        | Step::Interrupted
        | Step::Tool { .. }
        | Step::FailReply(_)
        | Step::FailBackend(_)
        | Step::Drop
        | Step::HangUp(_) => false,
    }
}
