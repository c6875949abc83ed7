//! What happens when nothing happens: an open stream has no time limit but these.

use std::time::Duration;

use super::Conversation;
use super::commands::filled;
use super::losing::GoingOn;
use crate::nova::fault::{Fault, Silence};
use crate::nova::settings::ModelVersion;
use crate::time::SessionTime;

/// How long Nova is given to notice speech that the call took for a turn.
const NOTICES_WITHIN: Duration = Duration::from_secs(3);
/// How long it is still given once the user has been silent for so long that the call ended the turn.
const ENDS_WITHIN: Duration = Duration::from_secs(1);
/// So soon after a connection was taken to be deaf, what it does not notice is taken for noise.
const DEAF_PAUSE: Duration = Duration::from_secs(60);
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
    /// A sentence that was held has to sound.
    Hold,
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
            Watch::Renew | Watch::Retry | Watch::UserSilence => self.open_next(now),
            Watch::AtLatest => {
                self.timers.arm(Watch::AtLatest, now + LATE_PAUSE);
                self.hand_over_now(now);
            }
            Watch::StandBy => self.replace_stand_by(now),
            Watch::Deaf => self.deaf(now),
            // It may wait for another tool.
            Watch::FirstEvent if self.desk.pending() > 0 => {
                self.timers.arm(Watch::FirstEvent, now + patience.first_event);
            }
            Watch::FirstEvent => self.silent(now),
            // What it says may be waiting to be read, or for a tool.
            Watch::Stall if !self.wants_events() || self.desk.pending() > 0 => {
                self.timers.arm(Watch::Stall, now + patience.stall);
            }
            Watch::Stall => {
                let fault = Fault::Silent { waited: patience.stall, what: Silence::Stall };
                self.give_up_finishing(now);
                self.lose(now, &fault);
            }
            Watch::Tool => {
                if self.asked.is_some_and(|asked| !asked.has_content) {
                    self.finish_asked();
                }
            }
            Watch::Usage => self.tell_usage(),
            Watch::Hold => self.release_held(now),
            Watch::GoOn => {
                self.going_on = GoingOn::No;
                self.finish_asked();
            }
        }
    }

    /// Nova shows that it hears the user.
    pub(super) fn hears_turn(&mut self, now: SessionTime) {
        self.nova_knows = true;
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
        let patience = match hears {
            // The call gave up waiting for the end of the user's speech, and that is long.
            true if self.nova_hears => patience.min(ENDS_WITHIN),
            true => patience,
            false => patience.min(NOTICES_WITHIN),
        };
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
        let is_open = self.turn.is_some_and(|open| !open.told) && !self.nova_hears;
        if is_open && self.version == ModelVersion::V2 && !self.tried_again && self.may_be_deaf(now)
        {
            self.tried_again = true;
            self.lose_silent(now);
        }
    }

    /// Whether a turn that Nova did not notice is reason enough to replace its connection, this time.
    fn may_be_deaf(&mut self, now: SessionTime) -> bool {
        let may = self.deaf_at.is_none_or(|at| now.since(at) >= DEAF_PAUSE);
        if may {
            self.deaf_at = Some(now);
        }
        may
    }

    /// How long Nova is given to notice a turn. It says so within a second, if it says so at all.
    pub(super) fn notices_within(&self) -> Duration {
        let patience = self.setup.settings.patience.first_event;
        if self.says_when_it_hears { patience.min(NOTICES_WITHIN) } else { patience }
    }

    /// An answer was due.
    fn silent(&mut self, now: SessionTime) {
        if self.asked.is_none() && self.unanswered.is_none() && self.last_result.is_none() {
            return;
        }
        if let Some(result) = self.last_result.take() {
            let text = filled(&self.setup.settings.instructions.late_result, &result);
            return self.say(now, None, text);
        }
        let hears = self.nova_knows || self.unanswered.is_some();
        if self.tried_again || (!hears && !self.may_be_deaf(now)) {
            // It was nothing, or nothing that can be answered.
            self.recent.end_turn();
            self.unanswered = None;
            return self.finish_asked();
        }
        self.tried_again = true;
        self.lose_silent(now);
    }

    fn lose_silent(&mut self, now: SessionTime) {
        let waited = self.setup.settings.patience.first_event;
        self.lose(now, &Fault::Silent { waited, what: Silence::FirstEvent });
    }
}
