//! What a backend used.

use std::ops::{Add, AddAssign};

/// Work that somebody may have to pay for, and what it costs. What a backend does not do stays zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the user's audio, which a speech-to-speech model reads.
    pub speech_in: u64,
    /// Tokens that a model reads: instructions, history, tools and their results, typed text.
    pub text_in: u64,
    /// Tokens of the agent's audio, which a speech-to-speech model makes.
    pub speech_out: u64,
    /// Tokens that a model writes: transcripts, answers and the arguments of tools.
    pub text_out: u64,
    /// Audio that a speech recogniser was sent, in milliseconds.
    pub heard_ms: u64,
    /// Characters that a voice was given to speak.
    pub spoken_chars: u64,
    /// What it costs.
    pub cost: Cost,
}

/// Costs by stage, in billionths of the currency of the configured prices: US dollars unless they were
/// changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Speech recognition.
    pub asr_nanos: u64,
    /// The model that answers. All of a speech-to-speech model.
    pub llm_nanos: u64,
    /// Speech synthesis.
    pub tts_nanos: u64,
}

impl Usage {
    /// The cost of all stages in the currency's own unit.
    pub fn cost(&self) -> f64 {
        self.cost.stages().map(|(_, cost)| cost).iter().sum()
    }
}

impl Cost {
    /// What each stage costs by its name, in the currency's own unit.
    pub fn stages(&self) -> [(&'static str, f64); 3] {
        let Self { asr_nanos, llm_nanos, tts_nanos } = *self;
        let unit = |nanos: u64| nanos as f64 / 1e9;
        [("asr", unit(asr_nanos)), ("llm", unit(llm_nanos)), ("tts", unit(tts_nanos))]
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
            heard_ms: self.heard_ms.saturating_add(other.heard_ms),
            spoken_chars: self.spoken_chars.saturating_add(other.spoken_chars),
            cost: self.cost + other.cost,
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// Saturating, as that of [`Usage`].
impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            asr_nanos: self.asr_nanos.saturating_add(other.asr_nanos),
            llm_nanos: self.llm_nanos.saturating_add(other.llm_nanos),
            tts_nanos: self.tts_nanos.saturating_add(other.tts_nanos),
        }
    }
}
