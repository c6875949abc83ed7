//! The user waits: for a reply that is late, or because nobody speaks.

use super::{Floor, State};
use crate::call::Timer;
use crate::call::effects::Effects;
use crate::call::event::{Clip, DownlinkCommand, SentFrame};
use crate::call::floor::reply::{AUDIBLE_DBFS, Reply};
use crate::time::SessionTime;

/// Slots in which a clip that was asked for may begin; after them there is none.
const CLIP_PATIENCE_SLOTS: u32 = 5;

/// What becomes of a clip that plays while no reply is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClipPlaying {
    None,
    /// It was asked for; silence was sent for so many slots since.
    Asked {
        silent_slots: u32,
    },
    Sounding,
}

impl Floor {
    /// Waits for the first audio of a reply.
    pub(super) fn await_reply(&mut self, now: SessionTime, reply: Reply, effects: &mut Effects) {
        if self.backend_ready {
            effects.timers.arm(Timer::Reply, now + self.settings.reply_timeout);
        }
        if let Some(after) = self.settings.wait.filler.filter(|_| reply.may_be_filled()) {
            effects.timers.arm(Timer::Filler, now + after);
        }
        self.enter(now, State::Thinking { reply }, effects);
    }

    /// Goes back to a reply that was contested, or on to one that was made ahead.
    pub(super) fn return_to(&mut self, now: SessionTime, reply: Reply, effects: &mut Effects) {
        if reply.has_audio() {
            self.enter(now, State::Agent { reply }, effects);
            self.sign_of_life(now, effects);
        } else {
            self.await_reply(now, reply, effects);
        }
    }

    /// The reply keeps the user waiting: the filler bridges that, once a reply.
    pub(in crate::call) fn fill(&mut self, effects: &mut Effects) {
        if let State::Thinking { reply } | State::Agent { reply } = &mut self.state
            && reply.fill()
        {
            effects.stats.fillers += 1;
            effects.downlink(DownlinkCommand::Clip { clip: Clip::Filler });
        }
    }

    /// Says sorry for a reply that never came. Nothing else is playing.
    pub(in crate::call) fn apologise(&mut self, effects: &mut Effects) {
        if self.settings.wait.apologise {
            self.clip = ClipPlaying::Asked { silent_slots: 0 };
            effects.downlink(DownlinkCommand::Clip { clip: Clip::Apology });
        }
    }

    /// Whether a clip sounds, or is about to, while no reply is open.
    pub(in crate::call) fn plays_clip(&self) -> bool {
        self.clip != ClipPlaying::None
    }

    /// A frame of no reply was sent.
    pub(super) fn sent_beside(&mut self, sent: &SentFrame) {
        let is_audible = sent.level_dbfs >= AUDIBLE_DBFS;
        self.clip = match self.clip {
            ClipPlaying::Asked { .. } | ClipPlaying::Sounding if is_audible => {
                ClipPlaying::Sounding
            }
            ClipPlaying::Asked { silent_slots } if silent_slots < CLIP_PATIENCE_SLOTS => {
                ClipPlaying::Asked { silent_slots: silent_slots + 1 }
            }
            _ => ClipPlaying::None,
        };
    }

    /// The user speaks over a clip.
    pub(super) fn stop_clip(&mut self, effects: &mut Effects) {
        if self.plays_clip() {
            self.clip = ClipPlaying::None;
            effects.downlink(DownlinkCommand::Flush);
        }
    }
}
