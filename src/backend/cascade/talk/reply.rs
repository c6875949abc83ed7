//! One reply while it is being made: its text, sentence by sentence, and its audio.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::cascade::OwnWords;
use crate::backend::cascade::dialogue::Answer;
use crate::backend::cascade::error::StageError;
use crate::backend::cascade::larder::sentences_of;
use crate::backend::cascade::llm::{Asking, Calls};
use crate::backend::cascade::tts::Speaking;
use crate::call::event::{Generation, WordTime};
use crate::cascade::phrase::Phrases;
use crate::limits::{FRAME_MS, REPLY_CHARS_MAX};
use crate::time::SessionTime;

/// A reply being made.
pub(super) struct Reply {
    pub(super) generation: Generation,
    /// What its workers know it by. No two replies of a call share it, unlike the generation, which an
    /// answer that was withdrawn may leave to the next.
    pub(super) work: Generation,
    pub(super) source: Source,
    /// How often its tools were called, several at once counted as one.
    pub(super) rounds: u32,
    /// Sentences still to be spoken.
    pub(super) sentences: VecDeque<String>,
    pub(super) speaking: Option<Speaking>,
    /// What is being spoken, if it is said often.
    pub(super) keeping: Option<Kept>,
    /// Samples that were synthesised of it so far.
    pub(super) samples: usize,
    /// How many of them come before the sentence that is being spoken.
    pub(super) spoken_from: usize,
    /// Made and not yet taken.
    pub(super) made: VecDeque<Made>,
    pub(super) ending: Ending,
    /// How fast it is spoken, relative to the voice's own pace.
    pub(super) pace: f32,
    /// How many of them, from the first, the model need not be told of when they are spoken.
    pub(super) recorded: usize,
    /// Sentences given to the synthesiser, which the history does not hold yet.
    pub(super) unrecorded: Vec<String>,
    own_words: Arc<OwnWords>,
}

/// Where the reply's text comes from.
pub(super) enum Source {
    /// The turn is still being recognised.
    Hearing,
    /// A model is writing. Dropping it cancels the request.
    Writing { _asking: Asking, text: Box<Phrases>, chars: usize },
    /// The model has written what it had to say and calls these, which have not been carried out.
    Calls(Calls),
    /// These of its calls are at work; then the model writes on.
    Working { since: SessionTime, calls: Vec<String> },
    /// All of the text is there.
    Complete,
}

/// A sentence that is worth keeping, and what was spoken of it.
pub(super) struct Kept {
    pub(super) sentence: String,
    pub(super) pcm: Vec<i16>,
}

impl Kept {
    pub(super) fn new(sentence: &str) -> Self {
        Self { sentence: sentence.to_owned(), pcm: Vec::new() }
    }
}

pub(super) enum Made {
    Text(String),
    Words(Vec<WordTime>),
    Block(Vec<i16>),
}

/// How a reply ends once everything of it was said.
pub(super) enum Ending {
    Finished,
    HangUp,
    Failed(String),
}

impl Reply {
    pub(super) const fn hearing(
        generation: Generation,
        work: Generation,
        pace: f32,
        own_words: Arc<OwnWords>,
    ) -> Self {
        Self {
            generation,
            work,
            source: Source::Hearing,
            rounds: 0,
            sentences: VecDeque::new(),
            recorded: 0,
            speaking: None,
            keeping: None,
            samples: 0,
            spoken_from: 0,
            made: VecDeque::new(),
            ending: Ending::Finished,
            pace,
            unrecorded: Vec::new(),
            own_words,
        }
    }

    /// When the words of the sentence sound that is being spoken, counted from its first sample.
    pub(super) fn time_words(&mut self, mut words: Vec<WordTime>, rate_hz: u32) {
        let micros = self.spoken_from as u64 * 1_000_000 / u64::from(rate_hz);
        let before = Duration::from_micros(micros);
        for word in &mut words {
            word.start += before;
            word.end += before;
        }
        self.made.push_back(Made::Words(words));
    }

    /// A sentence that was spoken before.
    pub(super) fn add_spoken(&mut self, pcm: &[i16], rate_hz: u32) {
        self.samples += pcm.len();
        let block_samples = (rate_hz * FRAME_MS / 1_000) as usize;
        let blocks = pcm.chunks(block_samples).map(|block| Made::Block(block.to_vec()));
        self.made.extend(blocks);
    }

    /// The whole text.
    pub(super) fn complete(&mut self, answer: &Answer) {
        self.sentences.extend(sentences_of(&answer.text));
        self.source = Source::Complete;
        if answer.hang_up {
            self.ending = Ending::HangUp;
        }
    }

    /// More of a model's text.
    pub(super) fn write(&mut self, piece: &str) {
        let Source::Writing { text, chars, .. } = &mut self.source else { return };
        *chars += piece.chars().count();
        text.push(piece);
        self.sentences.extend(std::iter::from_fn(|| text.pop()));
        if *chars > REPLY_CHARS_MAX {
            self.written(Ok(Calls::new()));
        }
    }

    /// A model's text is complete or broke off. What came of it is said, then what went wrong.
    pub(super) fn written(&mut self, result: Result<Calls, StageError>) {
        let source = std::mem::replace(&mut self.source, Source::Complete);
        let Source::Writing { mut text, .. } = source else { return };
        self.sentences.extend(std::iter::from_fn(|| text.finish()));
        match result {
            Ok(calls) if calls.is_empty() => {}
            Ok(calls) => self.source = Source::Calls(calls),
            Err(error) => self.give_up(&error.to_string()),
        }
    }

    /// Nothing more comes of it: the user is told so, and the call what went wrong.
    pub(super) fn give_up(&mut self, problem: &str) {
        self.source = Source::Complete;
        self.sentences.extend(sentences_of(&self.own_words.failed));
        self.ending = Ending::Failed(problem.to_owned());
    }

    /// Since when it has nothing to say until its tools are done.
    pub(super) fn waits_since(&self) -> Option<SessionTime> {
        match self.source {
            Source::Working { since, .. } if self.is_waiting() => Some(since),
            _ => None,
        }
    }

    /// Whether nothing of it is left to be said, and it is not over.
    pub(super) fn is_waiting(&self) -> bool {
        let is_silent =
            self.sentences.is_empty() && self.speaking.is_none() && self.made.is_empty();
        is_silent && matches!(self.source, Source::Working { .. })
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self.source, Source::Complete)
            && self.sentences.is_empty()
            && self.speaking.is_none()
            && self.made.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_from_their_sentence_though_some_of_it_was_made() {
        let mut reply = Reply::hearing(Generation(1), Generation(1), 1.0, Arc::default());
        // A second before it, and half a second of it.
        (reply.spoken_from, reply.samples) = (8_000, 12_000);
        let ms = Duration::from_millis;
        let word = |start, end| WordTime { text: "a".to_owned(), start: ms(start), end: ms(end) };
        reply.time_words(vec![word(100, 200)], 8_000);
        let Some(Made::Words(words)) = reply.made.pop_front() else { panic!("words were made") };
        assert_eq!(words, [word(1_100, 1_200)]);
    }
}
