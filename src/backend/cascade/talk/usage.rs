//! Tells the call what its stages used.

use std::sync::Arc;
use std::time::Duration;

use super::{Report, Talk};
use crate::backend::cascade::asr::AsrReport;
use crate::backend::cascade::llm::ModelReport;
use crate::backend::cascade::meter::Meter;
use crate::backend::cascade::tts::TtsReport;
use crate::call::event::{BackendCommand, BackendEvent, TurnId, Usage};
use crate::time::SessionTime;

/// What several workers use at about the same time is told together, and what is cancelled needs a moment to
/// stop.
const PAUSE: Duration = Duration::from_secs(1);
/// Some services are paid while nobody says anything.
const EVERY: Duration = Duration::from_secs(5);

/// What was used, and for which turn.
pub(super) struct Accounts {
    meter: Arc<Meter>,
    /// The newest turn.
    turn: TurnId,
    /// The newest that is answered.
    answered: TurnId,
    /// When it is told.
    due: Option<SessionTime>,
}

impl Accounts {
    pub(super) const fn new(meter: Arc<Meter>) -> Self {
        Self { meter, turn: TurnId(0), answered: TurnId(0), due: None }
    }

    /// When something wants to be told.
    pub(super) const fn due(&self) -> Option<SessionTime> {
        self.due
    }

    /// Whatever was done may have to be paid for: it is told soon, and not later than it would be anyway.
    fn expect(&mut self, now: SessionTime) {
        let soon = now + PAUSE;
        self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
    }
}

impl Talk {
    /// The call asks for something.
    pub(super) fn watch_command(&mut self, now: SessionTime, command: &BackendCommand) {
        match command {
            BackendCommand::UserSpeechStarted { turn } => {
                self.tell_usage();
                self.accounts.turn = *turn;
            }
            BackendCommand::UserTurnEnded { turn, .. } | BackendCommand::UserText { turn, .. } => {
                if self.accounts.turn != *turn {
                    self.tell_usage();
                }
                (self.accounts.turn, self.accounts.answered) = (*turn, *turn);
            }
            BackendCommand::UserTurnDismissed { .. } => {
                self.accounts.turn = self.accounts.answered;
            }
            _ => {}
        }
        self.accounts.expect(now);
    }

    /// A worker has done something.
    pub(super) fn watch_report(&mut self, now: SessionTime, report: &Report) {
        if matches!(
            report,
            Report::Asr(AsrReport::Ready | AsrReport::Final { .. } | AsrReport::Missed { .. })
                | Report::Model(ModelReport::Done { .. })
                | Report::Tts(TtsReport::Done { .. })
        ) {
            self.accounts.expect(now);
        }
    }

    /// Tells it if it is time.
    pub(super) fn tell_usage_due(&mut self, now: SessionTime) {
        if self.accounts.due.is_some_and(|due| due <= now) {
            self.tell_usage();
            self.accounts.due = Some(now + EVERY);
        }
    }

    /// Tells what was used since it was told last, if anything was.
    pub(super) fn tell_usage(&mut self) {
        self.accounts.due = None;
        let (turn, usage) = (self.accounts.turn, self.accounts.meter.take());
        if usage != Usage::default() {
            self.events.push_back(BackendEvent::Used { turn, usage });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_is_told_soon_however_far_the_next_telling_is() {
        let at = SessionTime::from_millis;
        let mut accounts = Accounts::new(Arc::default());
        accounts.due = Some(at(0) + EVERY);
        accounts.expect(at(500));
        assert_eq!(accounts.due(), Some(at(500) + PAUSE));
        accounts.expect(at(900));
        assert_eq!(accounts.due(), Some(at(500) + PAUSE), "what follows does not put it off");
    }
}
