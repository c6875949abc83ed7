//! How a connection ends: by a fault, by what the client did, by its limits.

use std::time::Duration;

use super::request::Violation;
use super::{Life, Output, Session};
use crate::faults::{ExceptionKind, StreamFault};
use crate::model::Generation;

impl Session {
    pub(super) fn fail(&mut self, fault: StreamFault) {
        match fault {
            StreamFault::Exception(kind, message) => self.end_with(kind, message),
            StreamFault::ErrorFrame { code, message } => {
                self.die(Output::ErrorFrame { code, message });
            }
            StreamFault::Reset(reason) => self.die(Output::Reset(reason)),
            StreamFault::GoAwayGraceful => {
                self.outputs.push_back(Output::GoAway { is_abrupt: false });
            }
            StreamFault::GoAwayAbrupt => self.die(Output::GoAway { is_abrupt: true }),
            StreamFault::Close => self.die(Output::Close),
            StreamFault::End => self.die(Output::End),
            StreamFault::Silence => self.life = Life::Deaf,
            StreamFault::Truncated => self.die(Output::BrokenFrame { is_truncated: true }),
            StreamFault::BadCrc => {
                self.outputs.push_back(Output::BrokenFrame { is_truncated: false });
            }
            StreamFault::Garbage(garbage) => {
                self.outputs.extend(garbage.payloads().into_iter().map(Output::Event));
            }
        }
    }

    pub(super) fn refuse(&mut self, violation: Violation) {
        self.violation = Some(violation.0.clone());
        // The same sentence comes in three wrappings.
        let message = match self.random.below(3) {
            0 => violation.0,
            1 => format!("RequestId={} : {}", self.random.id(), violation.0),
            _ => format!("Error(s):\nError 1 : {}", violation.0),
        };
        self.end_with(ExceptionKind::Validation, message);
    }

    pub(super) fn end_with(&mut self, kind: ExceptionKind, message: String) {
        self.die(Output::Exception { kind, message });
    }

    pub(super) fn die(&mut self, last: Output) {
        self.outputs.push_back(last);
        self.life = Life::Over;
    }

    pub(super) fn idle_limit(&self) -> Duration {
        match self.generation {
            // The older model waits five seconds longer.
            Generation::First => self.settings.idle_limit + Duration::from_secs(5),
            Generation::Second => self.settings.idle_limit,
        }
    }

    pub(super) fn idle_message(&self) -> String {
        match self.generation {
            Generation::First => "Timed out waiting for input events".to_owned(),
            Generation::Second => format!(
                "InternalErrorCode=532::Timed out waiting for audio bytes or interactive content. \
                 Please ensure gaps between audio bytes and interactive content are less than {} \
                 seconds",
                self.settings.idle_limit.as_secs()
            ),
        }
    }
}
