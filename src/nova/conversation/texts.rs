//! The texts of answers: how much was spoken of one, and what Nova says later that it spoke.

use std::collections::VecDeque;

use crate::call::event::Generation;
use crate::limits::NOVA_ANSWERS_KEPT_MAX;

/// What the pause after a word takes, in characters of the word.
const WORD_WEIGHT: usize = 3;
/// Pace of a voice of which nothing is known: about 150 words a minute.
const WEIGHT_PER_SECOND: f64 = 22.0;

/// How fast an answer is spoken, to know how much of its text was, should its connection die.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// Sentences whose audio is complete.
    complete: String,
    /// The sentence whose audio is coming.
    sentence: String,
    pub(super) sentence_samples: u64,
    /// Samples by weight of text, as the last complete sentences had it.
    usual: Option<f64>,
}

impl Pace {
    /// An answer of a voice whose pace may be known.
    pub(super) fn of_voice(usual: Option<f64>) -> Self {
        Self { usual, ..Self::default() }
    }

    /// The voice's pace, for its next answer.
    pub(super) const fn usual(&self) -> Option<f64> {
        self.usual
    }

    pub(super) fn begin_sentence(&mut self, text: &str) {
        if self.sentence_samples > 0 {
            self.complete_sentence();
        }
        self.sentence.push_str(text);
    }

    pub(super) fn complete_sentence(&mut self) {
        let weight: usize = self.sentence.split_whitespace().map(weight).sum();
        if weight > 0 && self.sentence_samples > 0 {
            let pace = self.sentence_samples as f64 / weight as f64;
            self.usual = Some(self.usual.map_or(pace, |usual| (usual + pace) / 2.0));
        }
        self.complete.push_str(&std::mem::take(&mut self.sentence));
        self.sentence_samples = 0;
    }

    /// Whether a sentence is complete.
    pub(super) const fn has_complete(&self) -> bool {
        !self.complete.is_empty()
    }

    /// The sentences that are.
    pub(super) fn complete(&self) -> String {
        self.complete.clone()
    }

    /// The text of the audio so far, to a whole word: an estimate by the voice's usual pace.
    pub(super) fn text_so_far(&self, rate_hz: u32) -> String {
        let pace = self.usual.unwrap_or(f64::from(rate_hz) / WEIGHT_PER_SECOND);
        let mut left = self.sentence_samples as f64 / pace + 1.0;
        let is_said = |word: &&str| {
            left -= weight(word) as f64;
            left >= 0.0
        };
        let said: Vec<&str> = self.sentence.split_whitespace().take_while(is_said).collect();
        [self.complete.trim(), &said.join(" ")].join(" ").trim().to_owned()
    }
}

fn weight(word: &str) -> usize {
    word.chars().count() + WORD_WEIGHT
}

/// Answers whose final text is still to come: it says what was spoken, seconds later.
#[derive(Clone, Debug, Default)]
pub(super) struct Finals {
    answers: VecDeque<Unconfirmed>,
}

#[derive(Clone, Debug)]
struct Unconfirmed {
    generation: Generation,
    planned: Vec<String>,
    spoken: Vec<String>,
    /// The call cut it, and knows better what was heard.
    is_cut: bool,
}

impl Finals {
    pub(super) fn planned(&mut self, generation: Generation, text: &str) {
        match self.answers.back_mut().filter(|answer| answer.generation == generation) {
            Some(answer) => answer.planned.push(text.trim().to_owned()),
            None => {
                let planned = vec![text.trim().to_owned()];
                let unconfirmed =
                    Unconfirmed { generation, planned, spoken: Vec::new(), is_cut: false };
                self.answers.push_back(unconfirmed);
                if self.answers.len() > NOVA_ANSWERS_KEPT_MAX {
                    self.answers.pop_front();
                }
            }
        }
    }

    pub(super) fn cut(&mut self, generation: Generation) {
        if let Some(answer) = self.answers.iter_mut().find(|it| it.generation == generation) {
            answer.is_cut = true;
        }
    }

    /// A final text: the answer that it completes, with all of its words.
    pub(super) fn spoken(&mut self, text: &str) -> Option<(Generation, String)> {
        let text = text.trim();
        let is_of = |answer: &Unconfirmed| {
            let next = answer.planned.get(answer.spoken.len());
            next.is_some_and(|planned| planned.starts_with(text))
        };
        let is_open =
            |answer: &Unconfirmed| !answer.is_cut && answer.spoken.len() < answer.planned.len();
        let at = self
            .answers
            .iter()
            .position(is_of)
            .or_else(|| self.answers.iter().position(is_open))?;
        let answer = &mut self.answers[at];
        answer.spoken.push(text.to_owned());
        if answer.is_cut || answer.spoken.len() < answer.planned.len() {
            return None;
        }
        let complete = self.answers.remove(at)?;
        Some((complete.generation, complete.spoken.join(" ")))
    }
}
