//! The texts of answers: how much was spoken of one, and what Nova says later that it spoke.

use std::collections::VecDeque;

use crate::call::event::Generation;
use crate::limits::NOVA_ANSWERS_KEPT_MAX;

/// How fast an answer is spoken, to know how much of its text was, should its connection die.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    /// Sentences whose audio is complete.
    complete: String,
    samples: u64,
    /// The sentence whose audio is coming.
    sentence: String,
    pub(super) sentence_samples: u64,
}

impl Pace {
    pub(super) fn begin_sentence(&mut self, text: &str) {
        if self.sentence_samples > 0 {
            self.complete_sentence();
        }
        self.sentence.push_str(text);
    }

    pub(super) fn complete_sentence(&mut self) {
        self.complete.push_str(&std::mem::take(&mut self.sentence));
        self.samples += std::mem::take(&mut self.sentence_samples);
    }

    /// The text of the audio so far, to a whole word. Without a complete sentence to measure by, 15
    /// characters a second are assumed.
    pub(super) fn text_so_far(&self, rate_hz: u32) -> String {
        let chars_complete = self.complete.chars().count().max(1) as f64;
        let samples_per_char = match self.samples {
            0 => f64::from(rate_hz) / 15.0,
            samples => samples as f64 / chars_complete,
        };
        let chars = (self.sentence_samples as f64 / samples_per_char).round() as usize;
        let mut end = 0;
        for (at, _) in self.sentence.match_indices(' ').chain([(self.sentence.len(), "")]) {
            if self.sentence[..at].chars().count() <= chars {
                end = at;
            }
        }
        format!("{}{}", self.complete, &self.sentence[..end])
    }
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
