//! Tokens and what they cost.
//!
//! The service reports running totals, many times in a turn, which begin at zero with each connection.
//! [`Meter`] makes differences of them that can be added up over a call, whatever connections carried it.

use std::ops::{Add, AddAssign};

use crate::limits::NOVA_METERED_CONNECTIONS_MAX;

/// Tokens by kind and direction, from the model's view: what the user says goes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// The user's audio. About 25 a second of speech; silence is free.
    pub speech_in: u64,
    /// System prompt, history, tools and their results, typed text.
    pub text_in: u64,
    /// The agent's audio.
    pub speech_out: u64,
    /// Transcripts and the arguments of tools.
    pub text_out: u64,
}

impl Tokens {
    /// What is in this beyond `earlier`; a kind that shrank counts as zero.
    pub const fn saturating_sub(self, earlier: Self) -> Self {
        Self {
            speech_in: self.speech_in.saturating_sub(earlier.speech_in),
            text_in: self.text_in.saturating_sub(earlier.text_in),
            speech_out: self.speech_out.saturating_sub(earlier.speech_out),
            text_out: self.text_out.saturating_sub(earlier.text_out),
        }
    }

    /// Of each kind the larger number.
    fn max(self, other: Self) -> Self {
        Self {
            speech_in: self.speech_in.max(other.speech_in),
            text_in: self.text_in.max(other.text_in),
            speech_out: self.speech_out.max(other.speech_out),
            text_out: self.text_out.max(other.text_out),
        }
    }
}

/// Saturating: the numbers come from outside.
impl Add for Tokens {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            speech_in: self.speech_in.saturating_add(other.speech_in),
            text_in: self.text_in.saturating_add(other.text_in),
            speech_out: self.speech_out.saturating_add(other.speech_out),
            text_out: self.text_out.saturating_add(other.text_out),
        }
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// The running totals of one connection, as one event tells them. What the event left out, or told in no
/// way that is understood, is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// See [`Tokens::speech_in`].
    pub speech_in: Option<u64>,
    /// See [`Tokens::text_in`].
    pub text_in: Option<u64>,
    /// See [`Tokens::speech_out`].
    pub speech_out: Option<u64>,
    /// See [`Tokens::text_out`].
    pub text_out: Option<u64>,
}

impl Totals {
    /// As numbers; what is not known is zero.
    fn tokens(self) -> Tokens {
        Tokens {
            speech_in: self.speech_in.unwrap_or(0),
            text_in: self.text_in.unwrap_or(0),
            speech_out: self.speech_out.unwrap_or(0),
            text_out: self.text_out.unwrap_or(0),
        }
    }
}

/// Makes differences of the running totals of a call's connections.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    /// The highest totals of each connection so far.
    running: Vec<(u32, Tokens)>,
    sum: Tokens,
}

impl Meter {
    /// A meter at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// What `totals` adds to what its connection had reported before. `connection` numbers the call's
    /// connections, upwards; several may report at a time. Totals that fall add nothing, and neither do
    /// those of a connection so old that it was forgotten.
    pub fn handle(&mut self, connection: u32, totals: Totals) -> Tokens {
        let Some(running) = self.running(connection) else { return Tokens::default() };
        let now = running.max(totals.tokens());
        let added = now.saturating_sub(*running);
        *running = now;
        self.sum += added;
        added
    }

    /// Everything that was added.
    pub const fn sum(&self) -> Tokens {
        self.sum
    }

    /// The oldest connection makes room for a newer one. One that is older than all of a full table was
    /// among the forgotten: counted anew it would be paid for twice.
    fn running(&mut self, connection: u32) -> Option<&mut Tokens> {
        let known = self.running.iter().position(|(number, _)| *number == connection);
        if known.is_none() {
            if self.running.len() == NOVA_METERED_CONNECTIONS_MAX {
                let numbers = self.running.iter().map(|(number, _)| *number).enumerate();
                let (at, _) =
                    numbers.min_by_key(|(_, number)| *number).filter(|(_, it)| *it < connection)?;
                self.running.remove(at);
            }
            self.running.push((connection, Tokens::default()));
        }
        let at = known.unwrap_or(self.running.len() - 1);
        Some(&mut self.running[at].1)
    }
}

/// US dollars for 1 000 tokens of each kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// Default 0.003.
    pub speech_in: f64,
    /// Default 0.00033.
    pub text_in: f64,
    /// Default 0.012.
    pub speech_out: f64,
    /// Default 0.00275.
    pub text_out: f64,
}

impl Prices {
    /// What `tokens` cost, in US dollars.
    pub fn cost(&self, tokens: &Tokens) -> f64 {
        let kinds = [
            (tokens.speech_in, self.speech_in),
            (tokens.text_in, self.text_in),
            (tokens.speech_out, self.speech_out),
            (tokens.text_out, self.text_out),
        ];
        kinds.iter().map(|(count, price)| *count as f64 * price / 1_000.0).sum()
    }
}

/// The list of Nova 2 Sonic in us-east-1.
impl Default for Prices {
    fn default() -> Self {
        Self { speech_in: 0.003, text_in: 0.000_33, speech_out: 0.012, text_out: 0.002_75 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(speech_in: u64, text_in: u64, speech_out: u64, text_out: u64) -> Totals {
        Totals {
            speech_in: Some(speech_in),
            text_in: Some(text_in),
            speech_out: Some(speech_out),
            text_out: Some(text_out),
        }
    }

    fn tokens(speech_in: u64, text_in: u64, speech_out: u64, text_out: u64) -> Tokens {
        Tokens { speech_in, text_in, speech_out, text_out }
    }

    #[test]
    fn differences_of_running_totals_are_told_connection_by_connection() {
        let partial = Totals { speech_out: Some(70), ..Totals::default() };
        let rows = [
            ("the first report counts whole", 1, totals(10, 100, 0, 0), tokens(10, 100, 0, 0)),
            ("a repetition adds nothing", 1, totals(10, 100, 0, 0), tokens(0, 0, 0, 0)),
            ("growth is the difference", 1, totals(25, 100, 40, 5), tokens(15, 0, 40, 5)),
            ("a new connection begins at zero", 2, totals(3, 90, 0, 0), tokens(3, 90, 0, 0)),
            ("the old one is still metered", 1, totals(25, 100, 60, 5), tokens(0, 0, 20, 0)),
            ("what is not told has not changed", 1, partial, tokens(0, 0, 10, 0)),
            ("a total that falls adds nothing", 1, totals(5, 5, 5, 5), tokens(0, 0, 0, 0)),
            ("nor does its way back", 1, totals(25, 100, 70, 5), tokens(0, 0, 0, 0)),
            (
                "an absurd number is only large",
                2,
                totals(u64::MAX, 90, 0, 0),
                tokens(u64::MAX - 3, 0, 0, 0),
            ),
        ];
        let mut meter = Meter::new();
        let mut sum = Tokens::default();
        for (what, connection, totals, added) in rows {
            assert_eq!(meter.handle(connection, totals), added, "{what}");
            sum += added;
            assert_eq!(meter.sum(), sum, "{what}");
        }
    }

    #[test]
    fn forgotten_connections_are_not_counted_twice() {
        let mut meter = Meter::new();
        let count = NOVA_METERED_CONNECTIONS_MAX as u32 + 10;
        for connection in 0..count {
            assert_eq!(meter.handle(connection, totals(1, 0, 0, 0)), tokens(1, 0, 0, 0));
            assert!(meter.running.len() <= NOVA_METERED_CONNECTIONS_MAX);
        }
        assert_eq!(meter.handle(0, totals(5, 0, 0, 0)), Tokens::default());
        assert_eq!(meter.handle(count - 1, totals(5, 0, 0, 0)), tokens(4, 0, 0, 0));
        assert_eq!(meter.sum().speech_in, u64::from(count) + 4);
    }

    #[test]
    fn prices_are_for_a_thousand_tokens() {
        let prices = Prices::default();
        let rows = [
            (tokens(1_000, 0, 0, 0), 0.003),
            (tokens(0, 1_000, 0, 0), 0.000_33),
            (tokens(0, 0, 1_000, 0), 0.012),
            (tokens(0, 0, 0, 1_000), 0.002_75),
            // An hour of a user who speaks all the time.
            (tokens(25 * 3_600, 0, 0, 0), 0.27),
        ];
        for (tokens, dollars) in rows {
            assert!((prices.cost(&tokens) - dollars).abs() < 1e-12, "{tokens:?}");
        }
    }
}
