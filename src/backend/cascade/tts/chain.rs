//! Several voices, of which one speaks: the next stands in for one that fails, also in mid-phrase.
//!
//! A call keeps the voice that it began with for as long as it can.

mod rest;

use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep_until};

use self::rest::Spoken;
use super::{Speaking, Tts, TtsReport, TtsStage};
use crate::backend::cascade::error::StageError;
use crate::backend::cascade::meter::Meter;
use crate::backend::cascade::stage::{Stage, exhausted};
use crate::call::event::{Generation, WordTime};
use crate::cascade::failover::{Act, Attempt, FailureKind, First};
use crate::dsp::resample::Resampler;
use crate::limits::{PROVIDERS_MAX, SENTENCE_BLOCKS_MAX};

/// A call's handle on its voices.
pub(in crate::backend::cascade) struct Chain {
    rate_hz: u32,
    known: Known,
    voices: Arc<Mutex<Voices>>,
    reports: mpsc::Sender<TtsReport>,
}

impl Chain {
    /// A handle and where it reports. Audio has the rate of the first voice.
    pub(super) fn open(
        stage: &Arc<Stage<TtsStage>>,
        meter: &Arc<Meter>,
    ) -> (Self, mpsc::Receiver<TtsReport>) {
        let (reports, reported) = mpsc::channel(SENTENCE_BLOCKS_MAX);
        let mut voices = Voices {
            stage: Arc::clone(stage),
            meter: Arc::clone(meter),
            opened: stage.providers().iter().map(|_| None).collect(),
            known: Known::default(),
            works: 0,
            spoken: Spoken::new(0),
            before: 0,
            rate_hz: 0,
        };
        // The first is opened at once, so that the first phrase does not wait for it.
        let rate_hz = voices.open(0).tts.sample_rate_hz();
        (voices.rate_hz, voices.spoken) = (rate_hz, Spoken::new(rate_hz));
        let known = voices.known.clone();
        (Self { rate_hz, known, voices: Arc::new(Mutex::new(voices)), reports }, reported)
    }
}

impl Tts for Chain {
    fn sample_rate_hz(&self) -> u32 {
        self.rate_hz
    }

    fn provider(&self) -> usize {
        self.known.with(|heard| heard.voice.unwrap_or_default())
    }

    fn stay(&self) {
        self.known.with(|heard| {
            heard.voice.get_or_insert_default();
        });
    }

    fn spoke_whole(&self, work: Generation) -> Option<usize> {
        self.known.with(|heard| heard.whole.filter(|(of, _)| *of == work).map(|(_, voice)| voice))
    }

    fn speak(&self, work: Generation, text: String, pace: f32) -> Speaking {
        let (voices, to) = (Arc::clone(&self.voices), self.reports.clone());
        let task = tokio::spawn(async move {
            // Phrases come one at a time: it is free, or about to be.
            let mut voices = voices.lock().await;
            let phrase = Phrase { work, text, pace, to: to.clone() };
            let result = voices.speak(phrase).await;
            let _ = to.send(TtsReport::Done { work, result }).await;
        });
        Speaking::Task(task.abort_handle())
    }
}

struct Voices {
    stage: Arc<Stage<TtsStage>>,
    meter: Arc<Meter>,
    opened: Vec<Option<Opened>>,
    known: Known,
    /// Phrases given to any voice, by which its reports are told apart.
    works: u32,
    spoken: Spoken,
    /// Samples of the phrase that voices before this one have spoken.
    before: usize,
    rate_hz: u32,
}

/// What was heard of the voices, which the task and the handle know. Its lock is held for an instant.
#[derive(Clone, Default)]
struct Known(Arc<std::sync::Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    /// Who spoke last.
    voice: Option<usize>,
    /// Whose phrase was spoken to its end by one voice, and by which, if the last one was.
    whole: Option<(Generation, usize)>,
}

impl Known {
    fn with<T>(&self, act: impl FnOnce(&mut Heard) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Opened {
    tts: Box<dyn Tts>,
    reports: mpsc::Receiver<TtsReport>,
}

struct Phrase {
    work: Generation,
    text: String,
    pace: f32,
    to: mpsc::Sender<TtsReport>,
}

/// A voice that was asked. Dropping it stops it.
struct Asked {
    provider: usize,
    work: Generation,
    words: Vec<WordTime>,
    _speaking: Speaking,
}

enum Ended {
    Complete,
    Broken(usize),
    Exhausted(StageError),
}

impl Voices {
    async fn speak(&mut self, mut phrase: Phrase) -> Result<(), StageError> {
        let mut avoided = None;
        self.before = 0;
        self.known.with(|heard| heard.whole = None);
        for _ in 0..PROVIDERS_MAX {
            self.spoken.begin();
            match self.attempt(&phrase, avoided).await {
                Ended::Complete => {
                    if self.before == 0 {
                        let work = phrase.work;
                        self.known.with(|heard| heard.whole = heard.voice.map(|it| (work, it)));
                    }
                    return Ok(());
                }
                Ended::Exhausted(error) => return Err(error),
                Ended::Broken(provider) => {
                    avoided = Some(provider);
                    self.before += self.spoken.samples;
                    phrase.text = self.spoken.rest(&phrase.text).to_owned();
                    if phrase.text.is_empty() {
                        return Ok(());
                    }
                }
            }
        }
        let problem = "the voices stop in the middle of a phrase, one after the other";
        Err(StageError::new(FailureKind::Broken, problem))
    }

    async fn attempt(&mut self, phrase: &Phrase, avoided: Option<usize>) -> Ended {
        let kept = self.known.with(|heard| heard.voice);
        let mut attempt = Attempt::new(kept);
        if let Some(provider) = avoided {
            attempt = attempt.avoiding(provider);
        } else if kept.is_some() {
            // Somebody else's voice in the middle of a call is worse than a wait.
            attempt = attempt.unhedged();
        }
        let stage = Arc::clone(&self.stage);
        let mut asked: Vec<Asked> = Vec::new();
        let mut out = None;
        let mut last = None;
        let mut attempt = stage.begin(attempt);
        loop {
            while let Some(act) = attempt.poll_act() {
                match act {
                    Act::Start { provider } => asked.push(self.ask(provider, phrase)),
                    Act::Cancel { provider } => asked.retain(|asked| asked.provider != provider),
                    Act::Broken { provider, .. } => return Ended::Broken(provider),
                    Act::Exhausted { failures } => {
                        return Ended::Exhausted(exhausted("voice", &failures, last));
                    }
                }
            }
            let due = attempt.poll_timeout();
            let (at, report) = tokio::select! {
                report = self.next_report(&asked) => report,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    attempt.handle_timeout();
                    continue;
                }
            };
            let provider = asked[at].provider;
            let is_answer =
                matches!(report, TtsReport::Block { .. } | TtsReport::Done { result: Ok(()), .. });
            if is_answer && attempt.winner() != Some(provider) {
                if attempt.handle_first(provider) == First::TooLate {
                    continue;
                }
                self.known.with(|heard| heard.voice = Some(provider));
                out = Some(self.output(provider));
                let words = std::mem::take(&mut asked[at].words);
                self.tell_words(phrase, words).await;
            }
            match (report, &mut out) {
                (TtsReport::Queued { .. }, _) => attempt.handle_queued(provider),
                (TtsReport::Admitted { .. }, _) => attempt.handle_admitted(provider),
                (TtsReport::Words { words, .. }, Some(_)) => self.tell_words(phrase, words).await,
                (TtsReport::Words { words, .. }, None) => asked[at].words.extend(words),
                (TtsReport::Block { pcm, .. }, Some(output)) => {
                    let pcm = output.convert(&pcm);
                    self.tell(phrase, pcm).await;
                }
                (TtsReport::Done { result: Err(error), .. }, _) => {
                    let kind = error.kind;
                    last = Some(error);
                    attempt.handle_failed(provider, kind);
                }
                (TtsReport::Done { result: Ok(()), .. }, Some(output)) => {
                    let pcm = output.finish();
                    self.tell(phrase, pcm).await;
                    self.spoken.end(&phrase.text);
                    return Ended::Complete;
                }
                (TtsReport::Done { .. } | TtsReport::Block { .. }, None) => {}
            }
        }
    }

    fn open(&mut self, provider: usize) -> &mut Opened {
        let voice = &self.stage.providers()[provider];
        self.opened[provider].get_or_insert_with(|| {
            let (tts, reports) = voice.open(self.stage.bill(provider, &self.meter));
            Opened { tts, reports }
        })
    }

    fn ask(&mut self, provider: usize, phrase: &Phrase) -> Asked {
        self.works = self.works.wrapping_add(1);
        let work = Generation(self.works);
        let opened = self.open(provider);
        let speaking = opened.tts.speak(work, phrase.text.clone(), phrase.pace);
        Asked { provider, work, words: Vec::new(), _speaking: speaking }
    }

    /// The next report of those that were asked, and whose it is. What they still have of earlier phrases is
    /// thrown away. A voice whose task is gone has failed.
    async fn next_report(&mut self, asked: &[Asked]) -> (usize, TtsReport) {
        poll_fn(|context| {
            for (at, asked) in asked.iter().enumerate() {
                let Some(opened) = &mut self.opened[asked.provider] else { continue };
                while let Poll::Ready(report) = opened.reports.poll_recv(context) {
                    let gone = || {
                        let error = StageError::new(FailureKind::Broken, "the voice is gone");
                        TtsReport::Done { work: asked.work, result: Err(error) }
                    };
                    let is_gone = report.is_none();
                    let report = report.unwrap_or_else(gone);
                    if is_gone {
                        self.opened[asked.provider] = None;
                        return Poll::Ready((at, report));
                    }
                    if work_of(&report) == asked.work {
                        return Poll::Ready((at, report));
                    }
                }
            }
            Poll::Pending
        })
        .await
    }

    fn output(&mut self, provider: usize) -> Output {
        let (rate_hz, from_hz) = (self.rate_hz, self.open(provider).tts.sample_rate_hz());
        // Rates are checked with the settings.
        let resampler = Resampler::new(from_hz, rate_hz).ok().filter(|_| from_hz != rate_hz);
        let tail = resampler
            .as_ref()
            .map_or(0, |it| (it.delay().as_micros() * u128::from(from_hz) / 1_000_000) as usize);
        Output { resampler, tail }
    }

    async fn tell(&mut self, phrase: &Phrase, pcm: Vec<i16>) {
        if !pcm.is_empty() {
            self.spoken.samples += pcm.len();
            let _ = phrase.to.send(TtsReport::Block { work: phrase.work, pcm }).await;
        }
    }

    async fn tell_words(&mut self, phrase: &Phrase, mut words: Vec<WordTime>) {
        if !words.is_empty() {
            self.spoken.words(&words);
            let micros = self.before as u64 * 1_000_000 / u64::from(self.rate_hz);
            let before = Duration::from_micros(micros);
            for word in &mut words {
                word.start += before;
                word.end += before;
            }
            let _ = phrase.to.send(TtsReport::Words { work: phrase.work, words }).await;
        }
    }
}

/// From a voice's rate to the call's.
struct Output {
    resampler: Option<Resampler>,
    /// Samples of silence that push out what the filter holds.
    tail: usize,
}

impl Output {
    fn convert(&mut self, pcm: &[i16]) -> Vec<i16> {
        let Some(resampler) = &mut self.resampler else { return pcm.to_vec() };
        let input: Vec<f32> = pcm.iter().map(|sample| f32::from(*sample)).collect();
        let mut output = Vec::new();
        resampler.step(&input, &mut output);
        // Saturates, as it should.
        output.iter().map(|sample| sample.round() as i16).collect()
    }

    fn finish(&mut self) -> Vec<i16> {
        if self.resampler.is_none() { Vec::new() } else { self.convert(&vec![0; self.tail]) }
    }
}

const fn work_of(report: &TtsReport) -> Generation {
    match report {
        TtsReport::Queued { work }
        | TtsReport::Admitted { work }
        | TtsReport::Words { work, .. }
        | TtsReport::Block { work, .. }
        | TtsReport::Done { work, .. } => *work,
    }
}

#[cfg(test)]
mod tests;
