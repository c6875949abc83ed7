//! Connections that die, and what is done about it.

use std::time::Duration;

use super::answers::Answer;
use super::watches::Watch;
use super::{Act, Conversation, LineId};
use crate::call::event::{BackendEvent, Generation};
use crate::nova::fault::{self, Fault, Remedy};
use crate::nova::history::History;
use crate::nova::settings::ModelVersion;
use crate::time::SessionTime;

/// Two deaths so soon after opening, and the history may be the cause.
pub(super) const EARLY_DEATH: Duration = Duration::from_secs(10);
/// A connection that lived so long worked: the next one is not a further attempt.
const WORKED_AFTER: Duration = Duration::from_secs(3);
/// While the budget has no place for a renewal, it is tried again so often.
const BUSY_PAUSE: Duration = Duration::from_secs(2);

/// Whether a reply that the death of its connection cut short is gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GoingOn {
    No,
    /// The next connection is to be asked to.
    Due(Generation),
    /// It was asked to and has not begun.
    Asked(Generation),
}

impl Conversation {
    pub(super) fn handle_ended(&mut self, now: SessionTime, line: LineId, fault: &Fault) {
        self.connections.leaving.retain(|leaving| leaving.id != line);
        if self.connections.finishing == Some(line) {
            self.connections.finishing = None;
            self.break_off(now, line);
            if matches!(self.going_on, GoingOn::Due(_)) {
                // Whoever goes on must know what was said; the live one was told less.
                return self.lose(now, fault);
            }
        }
        if self.connections.next.as_ref().is_some_and(|next| next.id == line) {
            self.connections.next = None;
            self.timers.disarm(Watch::Open);
            self.timers.disarm(Watch::StandBy);
            return self.try_again(now, fault);
        }
        if self.connections.live.as_ref().is_some_and(|live| live.id == line) {
            self.lose(now, fault);
        }
    }

    /// The live connection is of no use any more.
    pub(super) fn lose(&mut self, now: SessionTime, fault: &Fault) {
        let Some(live) = self.connections.live.take() else { return };
        self.stats.deaths += 1;
        self.acts.push_back(Act::Abort { line: live.id });
        for watch in Watch::OF_A_CONNECTION {
            self.timers.disarm(watch);
        }
        self.nova_hears = false;
        self.break_off(now, live.id);
        let age = now.since(live.opened);
        if age >= WORKED_AFTER {
            self.connections.attempts = 0;
        }
        self.connections.early_deaths =
            if age < EARLY_DEATH { self.connections.early_deaths + 1 } else { 0 };
        let is_refused = fault::remedy(fault) == Remedy::RenewWithoutHistory;
        if live.had_history && (is_refused || self.connections.early_deaths >= 2) {
            self.forget_history();
        }
        self.try_again(now, fault);
    }

    /// The replaced connection that was to finish its answer does not.
    pub(super) fn give_up_finishing(&mut self, now: SessionTime) {
        if let Some(line) = self.connections.finishing.take() {
            self.connections.leaving.retain(|leaving| leaving.id != line);
            self.acts.push_back(Act::Abort { line });
            self.break_off(now, line);
        }
    }

    /// An answer whose connection is gone: its successor goes on where it stopped.
    fn break_off(&mut self, now: SessionTime, line: LineId) {
        let Some(answer) = self.answer.take_if(|answer| answer.line == line) else { return };
        let Some(generation) = answer.generation() else {
            self.announce_nothing(&answer);
            return;
        };
        let so_far = answer.text_so_far();
        self.history.agent_so_far(generation.0, &so_far);
        let has_moved_on =
            self.turn.is_some() || self.asked.is_some_and(|asked| asked.generation != generation);
        if self.version == ModelVersion::V2 && !has_moved_on {
            self.going_on = GoingOn::Due(generation);
            self.timers.arm(Watch::GoOn, now + self.setup.settings.patience.stall);
        } else if self.asked.is_some_and(|asked| asked.generation == generation) {
            self.finish_asked();
        }
    }

    /// What waited for the floor is lost with its connection: the question is asked again.
    fn announce_nothing(&mut self, answer: &Answer) {
        if answer.waiting() > 0 {
            self.unanswered = self.history.last_user().map(str::to_owned);
        }
    }

    fn try_again(&mut self, now: SessionTime, fault: &Fault) {
        let is_live = self.connections.live.is_some();
        let remedy = fault::remedy(fault);
        if matches!(fault, Fault::Busy) && is_live {
            self.timers.arm(Watch::Retry, now + BUSY_PAUSE);
            return;
        }
        self.connections.attempts += 1;
        let is_last = self.connections.attempts > self.setup.settings.patience.attempts_max;
        match remedy {
            // While one works, the next can wait.
            Remedy::End if !is_live => return self.fail(fault),
            _ if is_last && !is_live => return self.fail(fault),
            Remedy::TellUser => {
                self.unanswered = None;
                if let Some(asked) = self.asked.take() {
                    let message = fault.to_string();
                    let generation = asked.generation;
                    self.tell(BackendEvent::ReplyFailed { generation, message });
                }
            }
            Remedy::End | Remedy::Renew | Remedy::RenewWithoutHistory | Remedy::BackOff => {}
        }
        if self.connections.next.as_ref().is_some_and(|next| next.opened.is_some()) {
            return self.hand_over_if_quiet(now);
        }
        let attempt = self.connections.attempts + u32::from(remedy == Remedy::BackOff);
        let delay = fault::delay(attempt, self.connections.whim());
        match delay {
            Duration::ZERO => self.open_next(now),
            delay => self.timers.arm(Watch::Retry, now + delay),
        }
    }

    /// What was said before is not told to another connection.
    fn forget_history(&mut self) {
        self.history = History::default();
        self.connections.early_deaths = 0;
    }

    fn fail(&mut self, fault: &Fault) {
        self.is_over = true;
        self.close_all();
        self.tell(BackendEvent::Failed { message: fault.to_string() });
    }
}
