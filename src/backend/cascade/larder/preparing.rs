//! What an agent says often is spoken ahead, by a voice that may not be there yet.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::Larder;
use crate::backend::cascade::error::StageError;
use crate::backend::cascade::meter::Meter;
use crate::backend::cascade::tts::TtsReport;
use crate::call::event::Generation;
use crate::cascade::failover::FailureKind;
use crate::limits::{PREPARE_FAILURES_MAX, PREPARE_PAUSE_MAX, PREPARE_PAUSE_MIN};

/// The synthesis of what an agent says often, in the background. Dropping it ends it.
#[derive(Debug)]
pub(in crate::backend::cascade) struct Preparing(JoinHandle<()>);

impl Drop for Preparing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Preparing {
    /// Has the first voice speak all of it at this pace: calls begin with that one, and would not find what
    /// another one said in its place.
    pub(super) fn start(larder: Arc<Larder>, pace: f32) -> Self {
        Self(tokio::spawn(async move {
            let meter = Arc::new(Meter::default());
            let (voice, mut reports) =
                larder.stage.providers()[0].open(larder.stage.bill(0, &meter));
            let mut todo = Todo::new(larder.sentences.iter().cloned());
            let mut works = 0;
            while let Some(sentence) = todo.pop() {
                if larder.has(0, &sentence, pace) {
                    continue;
                }
                works += 1;
                let work = Generation(works);
                let _speaking = voice.speak(work, sentence.clone(), pace);
                match spoken(&mut reports, work).await {
                    Ok(pcm) => {
                        larder.keep(0, &sentence, pace, pcm);
                        todo.handle_spoken();
                    }
                    Err(error) => {
                        let how = error.for_log();
                        tracing::warn!(%how, "what an agent says often was not spoken ahead");
                        match todo.handle_failed(sentence, error.kind) {
                            Some(pause) => sleep(pause).await,
                            None => {
                                tracing::warn!("no more of it is spoken ahead of the calls");
                                break;
                            }
                        }
                    }
                }
            }
            let used = meter.take();
            let (chars, cost) = (used.spoken_chars, used.cost());
            tracing::info!(chars, cost, stats = ?larder.stats(), "spoken ahead");
        }))
    }
}

/// A sentence, once it is spoken to its end.
async fn spoken(
    reports: &mut mpsc::Receiver<TtsReport>,
    work: Generation,
) -> Result<Vec<i16>, StageError> {
    let mut pcm = Vec::new();
    while let Some(report) = reports.recv().await {
        match report {
            TtsReport::Block { work: of, pcm: block } if of == work => pcm.extend(block),
            TtsReport::Done { work: of, result } if of == work => return result.map(|()| pcm),
            // How it waits and when its words sound, or what is left of a sentence that failed.
            _ => {}
        }
    }
    Err(StageError::new(FailureKind::Broken, "the voice is gone"))
}

/// The sentences that are to be spoken, and how often the voice has failed. Pure.
#[derive(Debug)]
struct Todo {
    sentences: VecDeque<String>,
    failures: u32,
    failures_in_a_row: u32,
}

impl Todo {
    fn new(sentences: impl Iterator<Item = String>) -> Self {
        Self { sentences: sentences.collect(), failures: 0, failures_in_a_row: 0 }
    }

    fn pop(&mut self) -> Option<String> {
        self.sentences.pop_front()
    }

    fn handle_spoken(&mut self) {
        self.failures_in_a_row = 0;
    }

    /// How long to wait before the next; `None` if the voice has failed too often. The sentence comes again
    /// after all others, unless the voice does not take it.
    fn handle_failed(&mut self, sentence: String, kind: FailureKind) -> Option<Duration> {
        if kind == FailureKind::Refused {
            return Some(Duration::ZERO);
        }
        self.sentences.push_back(sentence);
        self.failures += 1;
        let doublings = self.failures_in_a_row.min(16);
        self.failures_in_a_row += 1;
        let pause = (PREPARE_PAUSE_MIN * 2_u32.pow(doublings)).min(PREPARE_PAUSE_MAX);
        (self.failures < PREPARE_FAILURES_MAX).then_some(pause)
    }
}

#[cfg(test)]
mod tests;
