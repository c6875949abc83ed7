//! The simulated user: a person with a way of talking.
//!
//! ```text
//! Listening --the agent is silent for a while--> Talking (sentences, pauses, hesitations)
//!     ^   \--the agent speaks--> a backchannel, a cough, an interruption, or nothing
//!     '---------- done --------------------------'
//! ```

use std::collections::VecDeque;

use crate::random::Random;
use crate::user::Sound;

/// How somebody talks. Chances are in percent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Silence of the agent before they speak.
    pub(crate) patience_ms: u64,
    /// Longest pause within what they say.
    pub(crate) pause_ms: u64,
    /// They say nothing for up to half a minute.
    pub(crate) silence: u64,
    /// They talk for up to 20 s.
    pub(crate) monologue: u64,
    /// Per second of the agent's speech: "mhm".
    pub(crate) backchannel: u64,
    /// A cough or a click, at any time, per second.
    pub(crate) burst: u64,
    /// Per second of the agent's speech: they interrupt.
    pub(crate) interrupt: u64,
    /// They begin just when the agent does.
    pub(crate) overlap: u64,
}

impl Manner {
    pub(crate) fn random(random: &mut Random) -> Self {
        let mut often = |percent: u64, most: u64| {
            if random.percent(percent) { random.between(1, most) } else { 0 }
        };
        Self {
            silence: often(40, 30),
            monologue: often(30, 15),
            backchannel: often(50, 25),
            burst: often(30, 15),
            interrupt: often(60, 25),
            overlap: often(40, 30),
            patience_ms: often(100, 15) * 100,
            pause_ms: often(100, 15) * 100,
        }
    }
}

/// The person.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    manner: Manner,
    /// What comes next, in frames of 20 ms.
    plan: VecDeque<(Sound, u64)>,
    /// Frames for which the agent was not heard, or was heard.
    agent_silent: u64,
    agent_heard: u64,
    /// Frames to wait before the next turn.
    wait: u64,
    random: Random,
}

/// Frames in a second.
const SECOND: u64 = 50;

impl Person {
    pub(crate) fn new(manner: Manner, random: Random) -> Self {
        let wait = manner.patience_ms / 20;
        let plan = VecDeque::new();
        Self { manner, plan, agent_silent: 0, agent_heard: 0, wait, random }
    }

    /// The next 20 ms.
    pub(crate) fn next(&mut self, hears_agent: bool) -> Sound {
        if hears_agent {
            (self.agent_heard, self.agent_silent) = (self.agent_heard + 1, 0);
        } else {
            // Gaps between words are not an end.
            self.agent_silent += 1;
            if self.agent_silent > 10 {
                self.agent_heard = 0;
            }
        }
        if self.plan.is_empty() {
            self.decide();
        }
        let Some((sound, frames)) = self.plan.front_mut() else { return Sound::Silence };
        let sound = *sound;
        *frames -= 1;
        if *frames == 0 {
            self.plan.pop_front();
        }
        sound
    }

    fn decide(&mut self) {
        let Manner { burst, backchannel, interrupt, overlap, .. } = self.manner;
        // A chance per second, asked 50 times a second.
        let mut happens =
            |percent: u64| self.random.permille(percent * 10 / SECOND + 1) && percent > 0;
        if happens(burst) {
            self.burst();
        } else if self.agent_heard > 0 {
            if happens(backchannel) {
                let frames = self.random.between(6, 18);
                self.plan.push_back((Sound::Hum, frames));
            } else if happens(interrupt) || (self.agent_heard == 1 && self.random.percent(overlap))
            {
                self.utterance(1);
            }
            self.wait = self.manner.patience_ms / 20;
        } else if self.agent_silent > self.wait {
            self.turn();
        }
    }

    fn turn(&mut self) {
        let Manner { silence, monologue, patience_ms, .. } = self.manner;
        self.wait = patience_ms / 20;
        if self.random.percent(silence) {
            self.wait = self.random.between(SECOND, 30 * SECOND);
            return;
        }
        let sentences = if self.random.percent(monologue) { self.random.between(5, 12) } else { 1 };
        self.utterance(sentences);
        // Time for an answer to come.
        self.wait += self.random.between(SECOND, 3 * SECOND);
        self.agent_silent = 0;
    }

    fn utterance(&mut self, sentences: u64) {
        for _ in 0..sentences {
            if self.random.percent(20) {
                self.plan.push_back((Sound::Hum, self.random.between(8, 25)));
                self.pause();
            }
            self.plan.push_back((Sound::Speech, self.random.between(8, 120)));
            if self.random.percent(40) {
                self.pause();
                self.plan.push_back((Sound::Speech, self.random.between(5, 100)));
            }
            if sentences > 1 {
                self.pause();
            }
        }
    }

    fn pause(&mut self) {
        let frames = self.random.between(1, self.manner.pause_ms / 20 + 1);
        self.plan.push_back((Sound::Silence, frames));
    }

    fn burst(&mut self) {
        let frames = if self.random.percent(50) { 1 } else { self.random.between(2, 12) };
        self.plan.push_back((Sound::Burst, frames));
    }
}
