//! What an agent says again and again, spoken once: greetings, fillers, common answers.

mod preparing;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) use self::preparing::Preparing;

use super::PACE_RANGE;
use super::stage::Stage;
use super::tts::TtsStage;
use crate::backend::Spoken;
use crate::cascade::phrase::Phrases;
use crate::cascade::prepared::{Prepared, PreparedKey, PreparedStats, VoiceKey};
use crate::limits::SENTENCE_BLOCKS_MAX;

/// The sentences that an agent's calls share, and their audio.
#[derive(Debug)]
pub(super) struct Larder {
    stage: Arc<Stage<TtsStage>>,
    sentences: BTreeSet<String>,
    /// Held for an instant.
    store: Mutex<Prepared>,
}

impl Larder {
    /// Nothing is spoken yet of these texts, of which each sentence is kept by itself.
    pub(super) fn new(stage: Arc<Stage<TtsStage>>, texts: &[String]) -> Self {
        let sentences = texts.iter().flat_map(|text| sentences_of(text)).collect();
        Self { stage, sentences, store: Mutex::default() }
    }

    /// Has the first voice speak all of them at this pace. What it cannot speak is spoken when it is needed.
    pub(super) fn prepare(self: &Arc<Self>, pace: f32) -> Preparing {
        Preparing::start(Arc::clone(self), pace)
    }

    /// The audio of a sentence in the voice of this provider, if it was spoken before.
    pub(super) fn get(&self, provider: usize, sentence: &str, pace: f32) -> Option<Arc<[i16]>> {
        if !self.sentences.contains(sentence) {
            return None;
        }
        self.store().get(&self.key(provider, sentence, pace))
    }

    /// A whole text as the first voice says it at this pace, if all of it was spoken before.
    pub(super) fn spoken(&self, text: &str, pace: f32) -> Option<Spoken> {
        let sentences = sentences_of(text).into_iter();
        let spoken = sentences.map(|it| self.get(0, &it, pace));
        let pcm = spoken.collect::<Option<Vec<_>>>()?.concat();
        (!pcm.is_empty()).then_some(Spoken { sample_rate_hz: self.rate_hz(), pcm })
    }

    /// Whether there is this audio.
    fn has(&self, provider: usize, sentence: &str, pace: f32) -> bool {
        self.store().contains(&self.key(provider, sentence, pace))
    }

    /// Whether a sentence that is being spoken is worth keeping.
    pub(super) fn wants(&self, sentence: &str) -> bool {
        self.sentences.contains(sentence)
    }

    /// A sentence was spoken whole by this provider alone.
    pub(super) fn keep(&self, provider: usize, sentence: &str, pace: f32, pcm: Vec<i16>) {
        let samples_max = SENTENCE_BLOCKS_MAX * (self.rate_hz() / 50) as usize;
        if self.wants(sentence) && !pcm.is_empty() && pcm.len() <= samples_max {
            let key = self.key(provider, sentence, pace);
            self.store().insert(key, pcm.into());
        }
    }

    /// What was found and kept.
    pub(super) fn stats(&self) -> PreparedStats {
        self.store().stats()
    }

    fn key(&self, provider: usize, sentence: &str, pace: f32) -> PreparedKey {
        let key = VoiceKey {
            provider: provider.to_string(),
            voice: self.stage.name(provider).to_owned(),
            pace_percent: (pace.clamp(*PACE_RANGE.start(), *PACE_RANGE.end()) * 100.0).round()
                as u16,
            rate_hz: self.rate_hz(),
        };
        PreparedKey::new(key, sentence)
    }

    /// Whoever speaks is heard at the rate of the first.
    fn rate_hz(&self) -> u32 {
        self.stage.providers()[0].sample_rate_hz()
    }

    fn store(&self) -> MutexGuard<'_, Prepared> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As a reply is cut into sentences.
pub(super) fn sentences_of(text: &str) -> Vec<String> {
    let mut phrases = Phrases::default();
    phrases.push(text);
    std::iter::from_fn(|| phrases.finish()).collect()
}
