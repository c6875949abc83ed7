//! What happens when nothing happens: an open stream has no time limit but these.

use std::time::Duration;

use super::Conversation;
use super::commands::filled;
use crate::nova::fault::{Fault, Silence};
use crate::nova::settings::ModelVersion;
use crate::time::SessionTime;

/// How long Nova is given to notice speech that the call took for a turn.
const NOTICES_WITHIN: Duration = Duration::from_secs(3);
/// Turns in a row that it did not notice, before its connection is taken to be deaf.
const UNHEARD_MAX: u32 = 2;
/// How often a hand-over is tried again once time has run out.
const LATE_PAUSE: Duration = Duration::from_secs(2);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// The service to accept a connection.
    Open,
    /// The time to look for the next connection.
    Renew,
    /// The time when the next must take over.
    AtLatest,
    /// A quiet moment for the next connection.
    StandBy,
    /// The time to try again.
    Retry,
    /// Any word of Nova's while the user speaks.
    Deaf,
    /// The beginning of an answer.
    FirstEvent,
    /// More of an answer.
    Stall,
    /// A tool, while a reply waits.
    Tool,
    /// A connection that goes on with a reply that broke off.
    GoOn,
    /// The user, who has said nothing for long.
    UserSilence,
    /// The time to tell what was used.
    Usage,
}

impl Watch {
    /// Those that end with the connection.
    pub(super) const OF_A_CONNECTION: [Self; 7] = [
        Self::Renew,
        Self::AtLatest,
        Self::StandBy,
        Self::Deaf,
        Self::FirstEvent,
        Self::Stall,
        Self::UserSilence,
    ];
}

impl Conversation {
    pub(super) fn handle_watch(&mut self, now: SessionTime, watch: Watch) {
        let patience = self.setup.settings.patience;
        match watch {
            Watch::Open => {
                let fault = Fault::Silent { waited: patience.open, what: Silence::Open };
                self.give_up_opening(now, fault);
            }
            Watch::Renew | Watch::Retry => self.open_next(now),
            Watch::UserSilence => self.open_next(now),
            Watch::AtLatest => {
                self.timers.arm(Watch::AtLatest, now + LATE_PAUSE);
                self.hand_over_now(now);
            }
            Watch::StandBy => self.replace_stand_by(now),
            Watch::Deaf => self.deaf(now),
            Watch::FirstEvent => self.silent(now),
            // What it says may be waiting to be read.
            Watch::Stall if !self.wants_events() => {
                self.timers.arm(Watch::Stall, now + patience.stall);
            }
            Watch::Stall => {
                let fault = Fault::Silent { waited: patience.stall, what: Silence::Stall };
                self.lose(now, &fault);
            }
            Watch::Tool => {
                if self.asked.is_some_and(|asked| !asked.has_content) {
                    self.finish_asked();
                }
            }
            Watch::Usage => self.tell_usage(),
            Watch::GoOn => {
                self.goes_on = false;
                self.finish_asked();
            }
        }
    }

    /// Nova shows that it hears the user.
    pub(super) fn hears_turn(&mut self, now: SessionTime) {
        (self.nova_knows, self.turns_unheard) = (true, 0);
        self.timers.disarm(Watch::Deaf);
        self.timers.arm(Watch::UserSilence, now + self.setup.settings.renewal.user_silence);
    }

    /// An answer is due.
    pub(super) fn await_answer(&mut self, now: SessionTime) {
        if self.answer.is_some() {
            return;
        }
        let patience = self.setup.settings.patience.first_event;
        let hears = self.nova_knows || self.version == ModelVersion::V1;
        let patience = if hears { patience } else { patience.min(NOTICES_WITHIN) };
        self.timers.arm(Watch::FirstEvent, now + patience);
    }

    /// After a connection was replaced: what was awaited of the last one is awaited of this one.
    pub(super) fn watch_again(&mut self, now: SessionTime) {
        if self.asked.is_some() && self.answer.is_none() {
            self.timers.arm(Watch::FirstEvent, now + self.setup.settings.patience.first_event);
        }
    }

    /// The user speaks, and Nova has not noticed.
    fn deaf(&mut self, now: SessionTime) {
        let is_speaking = self.turn.is_some_and(|open| !open.told);
        if is_speaking && self.version == ModelVersion::V2 && !self.tried_again {
            self.tried_again = true;
            self.lose_silent(now);
        }
    }

    /// An answer was due.
    fn silent(&mut self, now: SessionTime) {
        if self.asked.is_none() && self.unanswered.is_none() && self.last_result.is_none() {
            return;
        }
        if let Some(result) = self.last_result.take() {
            let text = filled(&self.setup.settings.instructions.late_result, &result);
            return self.say(now, text);
        }
        let hears = self.nova_knows || self.unanswered.is_some();
        if !hears {
            self.turns_unheard += 1;
        }
        if self.tried_again || (!hears && self.turns_unheard < UNHEARD_MAX) {
            // It was nothing, or nothing that can be answered.
            self.recent.end_turn();
            self.unanswered = None;
            return self.finish_asked();
        }
        (self.tried_again, self.turns_unheard) = (true, 0);
        self.lose_silent(now);
    }

    fn lose_silent(&mut self, now: SessionTime) {
        let waited = self.setup.settings.patience.first_event;
        self.lose(now, &Fault::Silent { waited, what: Silence::FirstEvent });
    }
}
