//! The caller of a duplex scenario: it waits for the right moment of the agent's reply and does what its
//! plan says. Pure, told the time; it judges nothing, it only writes the log that is scored.

use std::sync::Arc;
use std::time::Duration;

use super::listener::Listener;
use super::log::{CallLog, Cut, Role, Said, SoundPacket};
use super::plan::{Plan, When};
use super::room::Room;
use super::stimulus::{Sound, Stimulus};
use crate::codec::CodecKind;
use crate::measure::replies::Heard;
use crate::rtvi::{Meaning, Message};

/// An agent that has been silent for so long is prompted where its reply is needed.
const PROMPT_AFTER: Duration = Duration::from_millis(2_500);
/// A reply of which less than this is left is not spoken over: its end would be taken for an effect.
const LEFT_MIN: Duration = Duration::from_secs(6);
/// A cue that is not due for so long never will be: the agent cannot keep up a reply.
const STUCK_AFTER: Duration = Duration::from_secs(20);
/// How long an answer is waited for: whoever spoke on sooner would make a pause of it.
const ANSWER_PATIENCE: Duration = Duration::from_secs(4);
/// What a silent agent is prompted with.
const PROMPT: Stimulus = Stimulus::Finished(0);
/// How long the log goes on after the last stimulus.
const TAIL: Duration = Duration::from_millis(2_500);

/// What the suite knows before a call.
#[derive(Clone, Debug)]
pub struct Known {
    /// How long the agent's replies last if nobody stops them.
    pub reply: Duration,
    /// How its replies begin; see [`Listener`].
    pub openings: Vec<Vec<f32>>,
    /// A packet louder than this is sound, in dBFS.
    pub sound_dbfs: f64,
}

/// See the module.
#[derive(Debug)]
pub struct Actor {
    plan: Plan,
    reply: Duration,
    sound_dbfs: f64,
    frame_samples: usize,
    /// All that may be said, made beforehand: it would take longer than a frame.
    sounds: Vec<(Stimulus, Arc<Sound>)>,
    listener: Listener,
    log: CallLog,
    room: Option<Room>,
    /// What of the echo falls into the next frame.
    echo: Vec<f32>,
    began_at: Duration,
    next_cue: usize,
    speaking: Option<Speaking>,
    last_said_at: Duration,
    /// When the last cue was followed.
    last_cue_at: Duration,
    generation: Option<u64>,
    played: Duration,
    is_done: bool,
}

#[derive(Debug)]
struct Speaking {
    sound: Arc<Sound>,
    frame: usize,
    said: Said,
}

impl Actor {
    /// A caller with this plan.
    pub fn new(plan: Plan, known: &Known, codec: CodecKind) -> Self {
        let mut sounds: Vec<(Stimulus, Arc<Sound>)> = Vec::new();
        let stimuli = plan.cues.iter().map(|cue| cue.say).chain([PROMPT]);
        for stimulus in stimuli {
            if !sounds.iter().any(|(made, _)| *made == stimulus) {
                let sound = stimulus.sound(plan.voice, codec.rate_hz(), codec.frame_samples());
                sounds.push((stimulus, Arc::new(sound)));
            }
        }
        Self {
            room: plan.room.map(|room| Room::new(room, codec.rate_hz())),
            plan,
            reply: known.reply,
            sound_dbfs: known.sound_dbfs,
            sounds,
            frame_samples: codec.frame_samples(),
            listener: Listener::new(known.sound_dbfs, known.openings.clone()),
            log: CallLog::default(),
            echo: Vec::new(),
            began_at: Duration::ZERO,
            next_cue: 0,
            speaking: None,
            last_said_at: Duration::ZERO,
            last_cue_at: Duration::ZERO,
            generation: None,
            played: Duration::ZERO,
            is_done: false,
        }
    }

    /// The call has connected at `now`.
    pub const fn connected(&mut self, now: Duration) {
        (self.began_at, self.last_said_at, self.last_cue_at) = (now, now, now);
    }

    /// The plan, what happened, and how the agent's replies begin.
    pub fn finish(self) -> (Plan, CallLog, Vec<Vec<f32>>) {
        let (replies, openings) = self.listener.finish();
        (self.plan, CallLog { replies, ..self.log }, openings)
    }

    /// Takes in 20 ms as they are played at `at`.
    pub fn handle_played(&mut self, at: Duration, frame: &[i16]) {
        self.listener.handle_played(at, frame);
        if let Some(room) = &mut self.room {
            self.echo = room.step(frame);
        }
    }

    /// Takes in a packet of the agent, decoded.
    pub fn handle_heard(&mut self, heard: &Heard) {
        if heard.level_dbfs() > self.sound_dbfs {
            let (arrived, position) = (heard.arrived, heard.position);
            self.log.packets.push(SoundPacket { arrived, position });
            self.played += heard.length;
        }
    }

    /// Takes in a message of the agent.
    pub fn handle_message(&mut self, now: Duration, message: &Message) {
        let meaning = message.meaning();
        self.log.has_account |= matches!(meaning, Meaning::Floor { .. } | Meaning::Heard { .. });
        match meaning {
            Meaning::Floor { state, generation } if state == "agent" => {
                self.listener.handle_generation(generation);
                if self.generation.replace(generation) != Some(generation) {
                    self.played = Duration::ZERO;
                }
            }
            Meaning::Heard { generation, interrupted: true } => {
                self.log.cuts.push(Cut { at: now, generation });
            }
            Meaning::UserSaid(text) => self.log.transcripts.push(text),
            _ => {}
        }
    }

    /// The frame to send at `now`: what is said, and the room's echo.
    pub fn next_frame(&mut self, now: Duration) -> Vec<i16> {
        self.log.ended_at = now;
        if self.speaking.is_none() {
            self.decide(now);
        }
        let said = self.say(now);
        let echo = std::mem::take(&mut self.echo);
        let echo = echo.into_iter().chain(std::iter::repeat(0.0));
        // `as` saturates, as a microphone does.
        said.into_iter().zip(echo).map(|(said, echo)| (f32::from(said) + echo) as i16).collect()
    }

    /// How much of the reply that the agent says it speaks was heard.
    pub const fn played(&self) -> Duration {
        self.played
    }

    /// Whether the plan is carried out.
    pub const fn is_done(&self) -> bool {
        self.is_done
    }

    /// Ends the call where it is.
    pub const fn end(&mut self) {
        self.is_done = true;
    }

    fn decide(&mut self, now: Duration) {
        let since_said = now.saturating_sub(self.last_said_at);
        let Some(cue) = self.plan.cues.get(self.next_cue) else {
            let is_over = now >= self.began_at + self.plan.listen && since_said >= TAIL;
            if is_over || now >= self.began_at + self.plan.longest {
                self.is_done = true;
            } else if self.plan.listen > Duration::ZERO && self.needs_prompt(since_said) {
                self.begin(PROMPT, Role::Prompt, now);
            }
            return;
        };
        let is_due = match cue.when {
            When::Quiet(quiet) => {
                let quiet_for = self.quiet_for(now);
                let is_answered = self.log.said.is_empty() || quiet_for < since_said;
                let patience = if is_answered { quiet } else { quiet.max(ANSWER_PATIENCE) };
                quiet_for >= quiet && since_said >= patience
            }
            When::Sounding(after) => self.listener.sounding().is_some_and(|(heard, unbroken)| {
                let has_enough_left = heard + LEFT_MIN < self.reply;
                unbroken >= after && since_said >= after && has_enough_left
            }),
        };
        let needs_reply = matches!(cue.when, When::Sounding(_));
        if is_due {
            self.last_cue_at = now;
            let (stimulus, role) = (cue.say, cue.role);
            self.next_cue += 1;
            self.begin(stimulus, role, now);
        } else if now >= self.last_cue_at + STUCK_AFTER || now >= self.began_at + self.plan.longest
        {
            self.is_done = true;
        } else if needs_reply && self.needs_prompt(since_said) {
            self.begin(PROMPT, Role::Prompt, now);
        }
    }

    fn quiet_for(&self, now: Duration) -> Duration {
        let since_call = now.saturating_sub(self.began_at);
        self.listener.silent_for().unwrap_or(since_call)
    }

    fn needs_prompt(&self, since_said: Duration) -> bool {
        let silent_for = self.listener.silent_for();
        since_said >= PROMPT_AFTER && silent_for.is_none_or(|silent_for| silent_for >= PROMPT_AFTER)
    }

    fn begin(&mut self, stimulus: Stimulus, role: Role, now: Duration) {
        let Some((_, sound)) = self.sounds.iter().find(|(made, _)| *made == stimulus) else {
            return;
        };
        let sound = Arc::clone(sound);
        let said = Said { stimulus, role, began_at: now, ended_at: now, pause: None };
        self.speaking = Some(Speaking { sound, frame: 0, said });
    }

    fn say(&mut self, now: Duration) -> Vec<i16> {
        let mut samples = vec![0; self.frame_samples];
        let Some(Speaking { sound, frame, said }) = &mut self.speaking else { return samples };
        let rest = &sound.samples[(*frame * self.frame_samples).min(sound.samples.len())..];
        let count = rest.len().min(self.frame_samples);
        samples[..count].copy_from_slice(&rest[..count]);
        match &sound.pause {
            Some(pause) if *frame + 1 == pause.start => said.pause = Some(now..now),
            Some(pause) if *frame == pause.end => {
                if let Some(said) = &mut said.pause {
                    said.end = now;
                }
            }
            _ => {}
        }
        if sound.audible.contains(frame) {
            said.ended_at = now;
        }
        *frame += 1;
        if *frame * self.frame_samples >= sound.samples.len() {
            self.log.said.push(said.clone());
            self.speaking = None;
            self.last_said_at = now;
        }
        samples
    }
}

#[cfg(test)]
mod tests;
