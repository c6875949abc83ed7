//! Speaks sentences for one call, off the async workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use super::flite::Flite;
use crate::call::event::Generation;
use crate::limits::{SENTENCE_BLOCKS_MAX, WIDEBAND_FRAME};

/// Samples up to this peak, about -46 dBFS, before the first word are silence.
const LEAD_PEAK: u16 = 160;
/// How much of it is kept, so that no soft onset is cut: 10 ms at 16 kHz.
const LEAD_KEPT_SAMPLES: usize = 160;

/// What the synthesiser tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MouthReport {
    /// At most 20 ms of speech at 16 kHz.
    Block { generation: Generation, pcm: Vec<i16> },
    /// The sentence is complete, or could not be spoken.
    Done { generation: Generation, spoken: bool },
}

/// A call's handle on the synthesiser.
#[derive(Debug)]
pub(super) struct Mouth {
    flite: Flite,
    reports: mpsc::Sender<MouthReport>,
}

/// A sentence being spoken. Dropping it stops it.
#[derive(Debug)]
pub(super) struct Speaking {
    stop: Arc<AtomicBool>,
}

impl Drop for Speaking {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Mouth {
    /// A handle and where it reports. The queue holds the longest sentence, so that synthesis, which
    /// holds a lock that other calls wait for, never waits itself.
    pub(super) fn open(flite: Flite) -> (Self, mpsc::Receiver<MouthReport>) {
        let (reports, reported) = mpsc::channel(SENTENCE_BLOCKS_MAX);
        (Self { flite, reports }, reported)
    }

    /// Speaks one sentence. One at a time: the next after [`MouthReport::Done`].
    pub(super) fn speak(&self, generation: Generation, text: String, pace: f32) -> Speaking {
        let stop = Arc::new(AtomicBool::new(false));
        let speaking = Speaking { stop: Arc::clone(&stop) };
        let (flite, reports) = (self.flite, self.reports.clone());
        tokio::task::spawn_blocking(move || {
            let mut blocks =
                Blocks { pending: Vec::new(), has_begun: false, generation, reports: &reports };
            let result = flite
                .speak(&text, pace, &mut |pcm| !stop.load(Ordering::Relaxed) && blocks.push(pcm));
            if !stop.load(Ordering::Relaxed) {
                blocks.flush();
            }
            // An error means that the call is over.
            let done = MouthReport::Done { generation, spoken: result.is_ok() };
            let _ = reports.blocking_send(done);
        });
        speaking
    }
}

/// Cuts what the engine makes into frames.
struct Blocks<'a> {
    pending: Vec<i16>,
    /// The pause before the first word is over.
    has_begun: bool,
    generation: Generation,
    reports: &'a mpsc::Sender<MouthReport>,
}

impl Blocks<'_> {
    /// False when there is no room or nobody listens: the sentence ends.
    fn push(&mut self, mut pcm: &[i16]) -> bool {
        if !self.has_begun {
            pcm = without_lead(pcm);
            self.has_begun = !pcm.is_empty();
        }
        while self.pending.len() + pcm.len() >= WIDEBAND_FRAME {
            let (fits, rest) = pcm.split_at(WIDEBAND_FRAME - self.pending.len());
            self.pending.extend_from_slice(fits);
            pcm = rest;
            if !self.flush() {
                return false;
            }
        }
        self.pending.extend_from_slice(pcm);
        true
    }

    fn flush(&mut self) -> bool {
        let pcm = std::mem::take(&mut self.pending);
        if pcm.is_empty() {
            return true;
        }
        let generation = self.generation;
        self.reports.try_send(MouthReport::Block { generation, pcm }).is_ok()
    }
}

/// The samples from shortly before the first that can be heard. flite begins every sentence with 200 ms
/// of silence, which the user would wait for; the pause between sentences is at their ends.
pub(super) fn without_lead(pcm: &[i16]) -> &[i16] {
    let first = pcm.iter().position(|sample| sample.unsigned_abs() > LEAD_PEAK);
    first.map_or(&[], |first| &pcm[first.saturating_sub(LEAD_KEPT_SAMPLES)..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_before_the_first_word_is_left_out_but_for_its_last_moment() {
        let mut speech = vec![3_i16; 3_200];
        speech.extend([2_000; 100]);
        speech.extend([0; 500]);
        assert_eq!(without_lead(&speech).len(), LEAD_KEPT_SAMPLES + 600);
        assert_eq!(without_lead(&speech[3_200..]).len(), 600);
        assert!(without_lead(&speech[..3_200]).is_empty());
    }
}
