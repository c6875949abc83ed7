//! The texts of answers: how much was spoken of one, and what Nova says later that it spoke.

use std::collections::VecDeque;

use super::tempo::Tempo;
use crate::call::event::Generation;
use crate::limits::NOVA_ANSWERS_KEPT_MAX;

/// How fast an answer is spoken, to know how much of its text was, should its connection die.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// Sentences whose audio is complete.
    complete: String,
    /// The sentence whose audio is coming.
    sentence: String,
    sentence_samples: u64,
    rate_hz: u32,
    tempo: Tempo,
}

impl Pace {
    /// An answer of a voice, in samples of this rate.
    pub(super) fn of_voice(tempo: Tempo, rate_hz: u32) -> Self {
        Self {
            complete: String::new(),
            sentence: String::new(),
            sentence_samples: 0,
            rate_hz,
            tempo,
        }
    }

    /// The voice's tempo, for its next answer.
    pub(super) const fn tempo(&self) -> Tempo {
        self.tempo
    }

    pub(super) fn begin_sentence(&mut self, text: &str) {
        if self.sentence_samples > 0 {
            self.complete_sentence();
        }
        self.sentence.push_str(text);
    }

    pub(super) const fn push_audio(&mut self, samples: usize) {
        self.sentence_samples += samples as u64;
    }

    pub(super) fn complete_sentence(&mut self) {
        if self.sentence_samples > 0 {
            self.tempo.learn(&self.sentence, self.seconds());
        }
        if self.has_complete() && !self.complete.ends_with(' ') {
            self.complete.push(' ');
        }
        self.complete.push_str(std::mem::take(&mut self.sentence).trim_start());
        self.sentence_samples = 0;
    }

    /// Whether a sentence is complete.
    pub(super) const fn has_complete(&self) -> bool {
        !self.complete.is_empty()
    }

    /// The text of the audio so far, without its last samples, to a whole word: an estimate by the voice's
    /// tempo.
    pub(super) fn text_so_far(&self, without: usize) -> String {
        let seconds = self.seconds() - without as f64 / f64::from(self.rate_hz);
        let count = if seconds > 0.0 { self.tempo.words_in(&self.sentence, seconds) } else { 0 };
        let said: Vec<&str> = self.sentence.split_whitespace().take(count).collect();
        [self.complete.trim(), &said.join(" ")].join(" ").trim().to_owned()
    }

    fn seconds(&self) -> f64 {
        self.sentence_samples as f64 / f64::from(self.rate_hz)
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
