//! What a backend used.

use std::ops::{Add, AddAssign};

/// Tokens by kind and direction as the model sees it, and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The user's audio.
    pub speech_in: u64,
    /// Instructions, history, tools and their results, typed text.
    pub text_in: u64,
    /// The agent's audio.
    pub speech_out: u64,
    /// Transcripts, answers and the arguments of tools.
    pub text_out: u64,
    /// In billionths of the currency of the configured prices, US dollars unless they were changed.
    pub cost_nanos: u64,
}

impl Usage {
    /// The cost in the currency's own unit.
    pub fn cost(&self) -> f64 {
        self.cost_nanos as f64 / 1e9
    }
}

/// Saturating: the numbers come from outside.
impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            speech_in: self.speech_in.saturating_add(other.speech_in),
            text_in: self.text_in.saturating_add(other.text_in),
            speech_out: self.speech_out.saturating_add(other.speech_out),
            text_out: self.text_out.saturating_add(other.text_out),
            cost_nanos: self.cost_nanos.saturating_add(other.cost_nanos),
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
