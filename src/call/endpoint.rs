//! When the user's turn is over.
//!
//! ```text
//! speech ▇▇▇▇▇|....... silence .......|
//!             ^ last voiced           ^ the turn is over
//!             |--100 ms--| "stopped speaking" (shown, decides nothing)
//! ```
//!
//! The silence counts from the end of the last voiced frame as it left the jitter buffer, so neither
//! the detector's own hold time nor the buffer's delay is waited for a second time.

use std::time::Duration;

use crate::call::settings::EndpointSettings;
use crate::limits::FRAME;
use crate::time::SessionTime;

/// What the endpointer says when its deadline is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The turn is over.
    Over,
    /// It may be over: a reply may be begun ahead. Ask again then.
    Speculate(SessionTime),
    /// Voice was just noticed; ask again then.
    AskAgain(SessionTime),
}

/// The endpointer of one call.
#[derive(Clone, Debug)]
pub struct Endpoint {
    silence: Duration,
}

impl Endpoint {
    /// An endpointer.
    pub const fn new(settings: &EndpointSettings) -> Self {
        Self { silence: settings.silence }
    }

    /// When a turn is over whose last voiced frame ended at `last_voiced`, if nothing follows.
    pub fn deadline(&self, last_voiced: SessionTime) -> SessionTime {
        last_voiced + self.silence
    }

    /// Judges at the deadline. `starting`: voice is being confirmed as speech, which takes a few
    /// frames and then is either the turn going on or nothing.
    pub fn judge(&self, now: SessionTime, starting: bool) -> Verdict {
        if starting { Verdict::AskAgain(now + FRAME) } else { Verdict::Over }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_counts_from_the_end_of_the_last_voiced_frame() {
        let endpoint = Endpoint::new(&EndpointSettings { silence: Duration::from_millis(200) });
        let last = SessionTime::from_millis(1_000);
        assert_eq!(endpoint.deadline(last), SessionTime::from_millis(1_200));
    }

    #[test]
    fn voice_being_confirmed_is_waited_for() {
        let endpoint = Endpoint::new(&EndpointSettings::default());
        let now = SessionTime::from_millis(1_200);
        assert_eq!(endpoint.judge(now, false), Verdict::Over);
        assert_eq!(endpoint.judge(now, true), Verdict::AskAgain(SessionTime::from_millis(1_220)));
    }
}
