//! What the stages of a call use, wherever they work, and for whoever it is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::StageError;
use crate::call::event::Usage;
use crate::cascade::failover::FailureKind;
use crate::cascade::price::{Prices, Tokens};
use crate::limits::WIDEBAND_HZ;

/// What was used and not told yet. Each task of a call adds to it, in the moment in which a provider takes
/// something; its lock is held for an addition.
#[derive(Debug, Default)]
pub(super) struct Meter(Mutex<Usage>);

impl Meter {
    /// All of it, once.
    pub(super) fn take(&self) -> Usage {
        std::mem::take(&mut *self.lock())
    }

    fn add(&self, usage: Usage) {
        *self.lock() += usage;
    }

    fn lock(&self) -> MutexGuard<'_, Usage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one provider's work for a call is put down to.
#[derive(Clone, Debug)]
pub(super) struct Bill {
    meter: Arc<Meter>,
    prices: Prices,
}

impl Bill {
    /// An empty one.
    pub(super) fn new(meter: &Arc<Meter>, prices: Prices) -> Self {
        Self { meter: Arc::clone(meter), prices }
    }

    /// A recogniser was sent this many samples at [`WIDEBAND_HZ`].
    pub(super) fn heard(&self, samples: usize) {
        self.meter.add(self.prices.heard(samples as u64, WIDEBAND_HZ));
    }

    /// A recogniser is asked what is said in this many samples.
    pub(super) fn hears(&self, samples: usize) -> Entry {
        self.entry(self.prices.heard(samples as u64, WIDEBAND_HZ))
    }

    /// A voice is asked to speak this.
    pub(super) fn speaks(&self, text: &str) -> Entry {
        self.entry(self.prices.spoke(text))
    }

    /// A language model is asked with so long a text.
    pub(super) fn asks(&self, prompt_chars: u64) -> Exchange {
        let tokens = Tokens::estimate(prompt_chars, 0);
        let entry = self.entry(self.prices.asked(tokens));
        Exchange { entry, prices: self.prices, prompt_chars, written_chars: 0, is_told: false }
    }

    fn entry(&self, usage: Usage) -> Entry {
        Entry { meter: Arc::clone(&self.meter), usage }
    }
}

/// One request. It is put down when this is dropped, so also if it is cancelled.
#[derive(Debug)]
#[must_use = "it is put down when it is dropped"]
pub(super) struct Entry {
    meter: Arc<Meter>,
    usage: Usage,
}

impl Entry {
    /// The request is over. One that its provider did not take costs nothing.
    pub(super) fn settle<T>(&mut self, result: &Result<T, StageError>) {
        if result.as_ref().is_err_and(|error| !was_taken(error.kind)) {
            self.usage = Usage::default();
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.meter.add(self.usage);
    }
}

const fn was_taken(failure: FailureKind) -> bool {
    match failure {
        FailureKind::Unreachable
        | FailureKind::Unauthorized
        | FailureKind::Refused
        | FailureKind::Busy => false,
        FailureKind::Broken | FailureKind::Malformed | FailureKind::TimedOut => true,
    }
}

/// One request to a language model. Until its server says how many tokens it was, they are estimated.
#[derive(Debug)]
#[must_use = "it is put down when it is dropped"]
pub(super) struct Exchange {
    entry: Entry,
    prices: Prices,
    prompt_chars: u64,
    written_chars: u64,
    is_told: bool,
}

impl Exchange {
    /// The model wrote this.
    pub(super) fn wrote(&mut self, text: &str) {
        self.written_chars += text.chars().count() as u64;
        if !self.is_told {
            let tokens = Tokens::estimate(self.prompt_chars, self.written_chars);
            self.entry.usage = self.prices.asked(tokens);
        }
    }

    /// The server counted. A later count replaces an earlier one.
    pub(super) fn told(&mut self, tokens: Tokens) {
        self.is_told = true;
        self.entry.usage = self.prices.asked(tokens);
    }

    /// As [`Entry::settle`].
    pub(super) fn settle<T>(&mut self, result: &Result<T, StageError>) {
        self.entry.settle(result);
    }
}

#[cfg(test)]
impl Bill {
    /// One that nobody looks at.
    pub(super) fn unseen() -> Self {
        Self::new(&Arc::default(), Prices::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_put_down_however_it_ends_unless_it_was_not_taken() {
        let meter = Arc::default();
        let bill = Bill::new(&meter, Prices { chars: 1.0, ..Prices::default() });
        let failed = |kind| Err::<(), _>(StageError::new(kind, "it failed"));
        for (result, chars) in [
            (None, 5),
            (Some(Ok(())), 5),
            (Some(failed(FailureKind::Broken)), 5),
            (Some(failed(FailureKind::Unreachable)), 0),
            (Some(failed(FailureKind::Busy)), 0),
        ] {
            let mut entry = bill.speaks("Hello");
            if let Some(result) = &result {
                entry.settle(result);
            }
            drop(entry);
            let used = meter.take();
            assert_eq!((used.spoken_chars, used.cost.tts_nanos), (chars, chars * 1_000_000));
        }
        assert_eq!(meter.take(), Usage::default());
    }

    #[test]
    fn tokens_are_estimated_until_they_are_told() {
        let meter = Arc::default();
        let bill = Bill::new(&meter, Prices::default());
        let tokens = |used: Usage| (used.text_in, used.text_out);
        let mut cancelled = bill.asks(400);
        cancelled.wrote("It is nine");
        drop(cancelled);
        assert_eq!(tokens(meter.take()), (100, 3));
        let mut told = bill.asks(400);
        told.wrote("It is");
        told.told(Tokens { prompt: 120, completion: 9, cached: 0 });
        told.wrote(" nine o'clock.");
        drop(told);
        assert_eq!(tokens(meter.take()), (120, 9));
    }
}
