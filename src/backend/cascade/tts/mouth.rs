//! Speaks sentences for one call, off the async workers.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::flite::{Flite, Span};
use super::{Speaking, Tts, TtsReport};
use crate::backend::cascade::error::StageError;
use crate::call::event::{Generation, WordTime};
use crate::cascade::failover::FailureKind;
use crate::limits::{SENTENCE_BLOCKS_MAX, WIDEBAND_FRAME, WIDEBAND_HZ};

/// Samples up to this peak, about -46 dBFS, before the first word are silence.
const LEAD_PEAK: u16 = 160;
/// How much of it is kept, so that no soft onset is cut: 10 ms at 16 kHz.
const LEAD_KEPT_SAMPLES: usize = 160;

/// A call's handle on the synthesiser.
#[derive(Debug)]
pub(in crate::backend::cascade) struct Mouth {
    flite: Flite,
    reports: mpsc::Sender<TtsReport>,
}

impl Mouth {
    /// A handle and where it reports. The queue holds the longest sentence, so that synthesis, which
    /// holds a lock that other calls wait for, never waits itself.
    pub(in crate::backend::cascade) fn open(flite: Flite) -> (Self, mpsc::Receiver<TtsReport>) {
        let (reports, reported) = mpsc::channel(SENTENCE_BLOCKS_MAX);
        (Self { flite, reports }, reported)
    }
}

impl Tts for Mouth {
    fn sample_rate_hz(&self) -> u32 {
        WIDEBAND_HZ
    }

    fn speak(&self, work: Generation, text: String, pace: f32) -> Speaking {
        let stop = Arc::new(AtomicBool::new(false));
        let speaking = Speaking::Thread(Arc::clone(&stop));
        let (flite, reports) = (self.flite, self.reports.clone());
        tokio::task::spawn_blocking(move || {
            let spans = RefCell::new(Vec::new());
            let mut blocks = Blocks {
                text: &text,
                spans: &spans,
                pending: Vec::new(),
                lead: Some(0),
                work,
                reports: &reports,
            };
            let mut take = |pcm: &[i16]| !stop.load(Ordering::Relaxed) && blocks.push(pcm);
            let result =
                flite.speak_timed(&text, pace, &mut take, &mut |told| *spans.borrow_mut() = told);
            if !stop.load(Ordering::Relaxed) {
                blocks.flush();
            }
            let result =
                result.map_err(|_| StageError::new(FailureKind::Broken, "the synthesiser failed"));
            // An error means that the call is over.
            let _ = reports.blocking_send(TtsReport::Done { work, result });
        });
        speaking
    }
}

/// Cuts what the engine makes into frames.
struct Blocks<'a> {
    text: &'a str,
    spans: &'a RefCell<Vec<Span>>,
    pending: Vec<i16>,
    /// Samples of the pause before the first word, which are left out; `None` once it is over.
    lead: Option<usize>,
    work: Generation,
    reports: &'a mpsc::Sender<TtsReport>,
}

impl Blocks<'_> {
    /// False when there is no room or nobody listens: the sentence ends.
    fn push(&mut self, mut pcm: &[i16]) -> bool {
        if let Some(lead) = self.lead {
            let audible = without_lead(pcm);
            let left_out = lead + pcm.len() - audible.len();
            self.lead = audible.is_empty().then_some(left_out);
            pcm = audible;
            if self.lead.is_none() && !self.tell_words(left_out) {
                return false;
            }
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

    fn tell_words(&self, left_out: usize) -> bool {
        let lead = Duration::from_micros(left_out as u64 * 1_000_000 / u64::from(WIDEBAND_HZ));
        let words = word_times(self.text, &self.spans.borrow(), lead);
        let work = self.work;
        words.is_empty() || self.reports.try_send(TtsReport::Words { work, words }).is_ok()
    }

    fn flush(&mut self) -> bool {
        let pcm = std::mem::take(&mut self.pending);
        if pcm.is_empty() {
            return true;
        }
        let work = self.work;
        self.reports.try_send(TtsReport::Block { work, pcm }).is_ok()
    }
}

/// When the words of `text` sound if its tokens sound at `spans`, of which `lead` is left out. Where the
/// synthesiser counts its tokens otherwise than by spaces, they are spread over its speech by their length.
fn word_times(text: &str, spans: &[Span], lead: Duration) -> Vec<WordTime> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Vec::new() };
    let (from, to) = (first.start, last.end.max(first.start));
    let chars = words.iter().map(|word| word.chars().count()).sum::<usize>().max(1) as u32;
    let mut before = 0;
    let mut times = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let after = before + word.chars().count() as u32;
        let spread = |chars_before: u32| from + (to - from) * chars_before / chars;
        let span = match spans.get(index) {
            Some(span) if spans.len() == words.len() && span.start <= span.end => *span,
            _ => Span { start: spread(before), end: spread(after) },
        };
        let [start, end] = [span.start, span.end].map(|time| time.saturating_sub(lead));
        times.push(WordTime { text: (*word).to_owned(), start, end });
        before = after;
    }
    times
}

/// The samples from shortly before the first that can be heard. flite begins every sentence with 200 ms
/// of silence, which the user would wait for; the pause between sentences is at their ends.
pub(in crate::backend) fn without_lead(pcm: &[i16]) -> &[i16] {
    let first = pcm.iter().position(|sample| sample.unsigned_abs() > LEAD_PEAK);
    first.map_or(&[], |first| &pcm[first.saturating_sub(LEAD_KEPT_SAMPLES)..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_sound_where_their_tokens_do_or_are_spread_over_the_speech() {
        let ms = Duration::from_millis;
        let span = |start, end| Span { start: ms(start), end: ms(end) };
        let seen = |text: &str, spans: &[Span]| -> Vec<(String, u128, u128)> {
            let times = word_times(text, spans, ms(200));
            let row = |it: WordTime| (it.text, it.start.as_millis(), it.end.as_millis());
            times.into_iter().map(row).collect()
        };
        let row = |text: &str, start, end| (text.to_owned(), start, end);
        let spans = [span(210, 400), span(400, 900)];
        assert_eq!(seen("Hi, you.", &spans), [row("Hi,", 10, 200), row("you.", 200, 700)]);
        let spread = [row("a", 10, 240), row("b", 240, 470), row("c", 470, 700)];
        assert_eq!(seen("a b c", &spans), spread);
        assert_eq!(seen("a", &[]), []);
    }

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
