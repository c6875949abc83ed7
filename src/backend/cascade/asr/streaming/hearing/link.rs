//! The connection: what follows when it opens, and when it breaks.

use super::turn::{Fate, Turn};
use super::{Act, Hearing, Link};
use crate::backend::cascade::asr::AsrReport;
use crate::backend::cascade::error::StageError;
use crate::limits::{RECOGNISER_REOPEN_EVERY, RECOGNISER_REOPENS_FAILED_MAX};
use crate::time::SessionTime;

impl Hearing {
    /// The connection is open.
    pub(in super::super) fn handle_opened(&mut self, now: SessionTime) {
        match self.manner.ready_timeout {
            Some(patience) => self.link = Link::Greeting { until: now + patience },
            None => self.begin(now),
        }
    }

    /// The connection could not be opened, or is gone.
    pub(in super::super) fn handle_lost(&mut self, now: SessionTime, error: StageError) {
        let was_usable = self.link == Link::Up && self.is_proven;
        let was_reached = self.link == Link::Up;
        if self.link == Link::Gone {
            return;
        }
        self.acts.push_back(Act::HangUp);
        if self.reopened_at.is_some() && !was_usable {
            self.reopens_failed += 1;
        }
        if !self.was_ready || self.reopens_failed >= RECOGNISER_REOPENS_FAILED_MAX {
            self.link = Link::Gone;
            self.turns.clear();
            return self.report(AsrReport::Failed(error));
        }
        self.turns.retain(|turn| !matches!(turn.fate, Fate::Forgotten { .. }));
        self.turns.iter_mut().for_each(Turn::lose);
        if !was_reached {
            self.miss_all(&error);
        }
        let earliest = self.reopened_at.map(|at| at + RECOGNISER_REOPEN_EVERY);
        match earliest.filter(|earliest| *earliest > now) {
            Some(until) => self.link = Link::Resting { until },
            None => self.reopen(now),
        }
    }

    pub(super) fn reopen(&mut self, now: SessionTime) {
        self.link = Link::Opening;
        self.reopened_at = Some(now);
        self.acts.push_back(Act::Connect);
    }

    /// The connection takes audio: it is given all that is not known yet.
    pub(super) fn begin(&mut self, now: SessionTime) {
        self.link = Link::Up;
        self.position = 0;
        // What says that it is ready has said something.
        self.is_proven = self.manner.ready_timeout.is_some();
        if !std::mem::replace(&mut self.was_ready, true) {
            self.report(AsrReport::Ready);
        }
        self.rest(now);
        for index in 0..self.turns.len() {
            let patience = self.manner.answer_timeout;
            if let Fate::Ended { deadline, .. } = &mut self.turns[index].fate {
                *deadline = now + patience;
                self.ask_for_end(now, index);
            } else {
                self.send_audio(now, index, 1);
            }
        }
        (0..self.turns.len()).rev().for_each(|index| self.settle(index));
    }

    pub(super) fn prove(&mut self) {
        self.is_proven = true;
        self.reopens_failed = 0;
    }

    fn miss_all(&mut self, error: &StageError) {
        let Self { turns, acts, .. } = self;
        turns.retain(|turn| match turn.fate {
            Fate::Ended { generation, .. } => {
                let (turn, error) = (turn.id, error.clone());
                acts.push_back(Act::Report(AsrReport::Missed { turn, generation, error }));
                false
            }
            Fate::Open | Fate::Forgotten { .. } => true,
        });
    }
}
