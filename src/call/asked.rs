//! What the user's client asks for, beside speech: typed text, mute, telephone keys.

use super::{Call, Phase};
use crate::call::Timer;
use crate::call::event::ClientEvent;
use crate::call::floor::Cause;
use crate::limits::{USER_TEXT_CHARS_MAX, WAITING_TEXTS_MAX};
use crate::time::SessionTime;

impl Call {
    pub(super) fn handle_text(&mut self, now: SessionTime, text: String, interrupt: bool) {
        let is_ending = matches!(self.phase, Phase::Closing { .. } | Phase::Ended);
        if is_ending || text.trim().is_empty() {
            return;
        }
        if text.chars().count() > USER_TEXT_CHARS_MAX {
            self.refuse_text(format!("the text is longer than {USER_TEXT_CHARS_MAX} characters"));
        } else if interrupt && self.phase == Phase::Open {
            self.take_floor(now, Cause::Text(text));
        } else if self.waiting_texts.len() == WAITING_TEXTS_MAX {
            self.refuse_text(format!("{WAITING_TEXTS_MAX} texts are waiting already"));
        } else {
            self.waiting_texts.push_back(text);
        }
    }

    fn refuse_text(&mut self, message: String) {
        self.effects.stats.texts_refused += 1;
        self.effects.complain(message);
    }

    /// A muted user says nothing: an open turn is over.
    pub(super) fn handle_mute(&mut self, now: SessionTime, muted: bool) {
        if self.muted == muted {
            return;
        }
        self.muted = muted;
        self.effects.client(ClientEvent::UserMuted { muted });
        self.floor.forget_speech(now, &mut self.effects);
        self.end_turn(now);
    }

    pub(super) fn handle_key(&mut self, now: SessionTime, key: char) {
        if self.phase != Phase::Open {
            return;
        }
        if self.keys.push(key) {
            self.take_keys(now);
        } else if !self.keys.is_empty() {
            self.effects.timers.arm(Timer::Keys, now + self.settings.key_timeout);
        }
    }

    pub(super) fn take_keys(&mut self, now: SessionTime) {
        self.effects.timers.disarm(Timer::Keys);
        if let Some(keys) = self.keys.take().filter(|_| self.phase == Phase::Open) {
            self.take_floor(now, Cause::Text(keys));
        }
    }

    /// Ends an open turn, though the user may still be speaking. Who goes on opens another.
    pub(super) fn end_turn(&mut self, now: SessionTime) {
        self.speech.reset();
        self.floor.end_turn(now, &mut self.effects);
    }

    fn take_floor(&mut self, now: SessionTime, cause: Cause) {
        self.speech.reset();
        self.floor.take(now, cause, &mut self.effects);
    }
}
