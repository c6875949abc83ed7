//! What the work of a cascade's providers costs.

use crate::call::event::{Cost, Usage};

/// Characters of a text that make a token where nobody counted: the rule of thumb for English.
const CHARS_PER_TOKEN: u64 = 4;

/// What one provider asks for. Prices are in US dollars, or in any other currency if all of an agent's are;
/// each is 0 by default, as for a server of one's own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prices {
    /// For a minute of audio that a recogniser is sent.
    pub minute: f64,
    /// For a thousand tokens that a model reads.
    pub text_in: f64,
    /// For a thousand tokens of these that the provider had kept from an earlier request; `None`: as any
    /// other.
    pub text_cached: Option<f64>,
    /// For a thousand tokens that a model writes.
    pub text_out: f64,
    /// For a thousand characters that a voice is given to speak.
    pub chars: f64,
}

/// Tokens of a request to a language model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Read, those of `cached` among them.
    pub prompt: u64,
    /// Written.
    pub completion: u64,
    /// Read from the server's cache, which costs less.
    pub cached: u64,
}

impl Tokens {
    /// Of a request that nobody counted, since it was cancelled or its server does not tell: by the length of
    /// what was told and written.
    pub const fn estimate(prompt_chars: u64, completion_chars: u64) -> Self {
        Self {
            prompt: prompt_chars.div_ceil(CHARS_PER_TOKEN),
            completion: completion_chars.div_ceil(CHARS_PER_TOKEN),
            cached: 0,
        }
    }
}

impl Prices {
    /// Audio that a recogniser was sent.
    pub fn heard(&self, samples: u64, rate_hz: u32) -> Usage {
        let seconds = samples as f64 / f64::from(rate_hz);
        let cost = Cost { asr_nanos: nanos(self.minute * seconds / 60.0), ..Cost::default() };
        Usage { heard_ms: (seconds * 1_000.0).round() as u64, cost, ..Usage::default() }
    }

    /// What a language model read and wrote.
    pub fn asked(&self, tokens: Tokens) -> Usage {
        let Tokens { prompt, completion, cached } = tokens;
        let cached = cached.min(prompt);
        let of_cached = self.text_cached.unwrap_or(self.text_in);
        let thousands = self.text_in * (prompt - cached) as f64
            + of_cached * cached as f64
            + self.text_out * completion as f64;
        let cost = Cost { llm_nanos: nanos(thousands / 1_000.0), ..Cost::default() };
        Usage { text_in: prompt, text_out: completion, cost, ..Usage::default() }
    }

    /// A text that a voice was given.
    pub fn spoke(&self, text: &str) -> Usage {
        let chars = text.chars().count() as u64;
        let cost =
            Cost { tts_nanos: nanos(self.chars * chars as f64 / 1_000.0), ..Cost::default() };
        Usage { spoken_chars: chars, cost, ..Usage::default() }
    }
}

/// A cast saturates; what is not a number is 0.
fn nanos(cost: f64) -> u64 {
    (cost * 1e9).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICES: Prices = Prices {
        minute: 0.006,
        text_in: 0.001,
        text_cached: Some(0.0001),
        text_out: 0.005,
        chars: 0.03,
    };

    #[test]
    fn each_stage_costs_its_own_price() {
        let heard = PRICES.heard(16_000 * 30, 16_000);
        let cost = Cost { asr_nanos: 3_000_000, ..Cost::default() };
        assert_eq!(heard, Usage { heard_ms: 30_000, cost, ..Usage::default() });
        let asked = PRICES.asked(Tokens { prompt: 1_500, completion: 200, cached: 1_000 });
        let cost = Cost { llm_nanos: 500_000 + 100_000 + 1_000_000, ..Cost::default() };
        assert_eq!(asked, Usage { text_in: 1_500, text_out: 200, cost, ..Usage::default() });
        let spoke = PRICES.spoke("Grüß Gott.");
        let cost = Cost { tts_nanos: 300_000, ..Cost::default() };
        assert_eq!(spoke, Usage { spoken_chars: 10, cost, ..Usage::default() });
        let sum = heard + asked + spoke;
        assert!((sum.cost() - 0.004_9).abs() < 1e-12, "{}", sum.cost());
    }

    #[test]
    fn cached_tokens_cost_as_much_as_others_unless_they_have_a_price() {
        let prices = Prices { text_cached: None, ..PRICES };
        let tokens = Tokens { prompt: 1_000, completion: 0, cached: 1_000 };
        assert_eq!(prices.asked(tokens).cost.llm_nanos, 1_000_000);
    }

    #[test]
    fn numbers_from_outside_do_no_harm() {
        let tokens = Tokens { prompt: 1, completion: u64::MAX, cached: u64::MAX };
        let prices = Prices { text_out: 100.0, ..PRICES };
        assert_eq!(prices.asked(tokens).cost.llm_nanos, u64::MAX);
        assert_eq!(
            Tokens::estimate(u64::MAX, 5),
            Tokens { prompt: u64::MAX / 4 + 1, completion: 2, cached: 0 }
        );
    }
}
