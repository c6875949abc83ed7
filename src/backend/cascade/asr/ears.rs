//! The recognisers of one call, on a thread of their own.
//!
//! Speech is recognised while it is spoken, so that little is left to do when the turn ends: half
//! of the thread's time at most goes by for a second of audio, and the end takes some 50 ms.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::mpsc;

use super::listener::Listener;
use super::phones::{BELIEVED, likeness};
use super::pocketsphinx::{PocketSphinx, Recogniser, RecogniserFailed, Vocabulary};
use super::{Ask, AsrReport};
use crate::agent::PcmFrame;
use crate::backend::BackendError;
use crate::backend::cascade::PocketSphinxSettings;
use crate::backend::cascade::error::StageError;
use crate::call::event::TurnId;
use crate::cascade::failover::FailureKind;
use crate::limits::UTTERANCE_FRAMES_MAX;

/// What the dialogue understands.
const COMMANDS: &str = include_str!("commands.gram");
/// Frames between two looks at what was understood so far: 240 ms.
const FRAMES_PER_PARTIAL: usize = 12;

/// Makes recognisers and keeps some ready for the next calls.
///
/// A recogniser adapts to its caller's voice and room, so it serves one call only: the next caller
/// would be heard worse. A fresh one is made when a call ends, when nobody waits for it.
#[derive(Debug)]
pub(in crate::backend) struct Clinic {
    engine: Arc<PocketSphinx>,
    settings: PocketSphinxSettings,
    with_commands: bool,
    ready: Mutex<Vec<Pair>>,
    busy: AtomicUsize,
}

/// One of the places for recognisers in use; dropping it frees the place.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The recognisers that hear the same utterance.
#[derive(Debug)]
struct Pair {
    free: Recogniser,
    /// Set where a dialogue of known commands answers.
    commands: Option<Recogniser>,
}

impl Clinic {
    /// Sets up the first recognisers, so that what is missing is known at start and the first call
    /// need not wait.
    pub(in crate::backend) fn new(
        settings: PocketSphinxSettings,
        with_commands: bool,
    ) -> Result<Self, BackendError> {
        let engine = PocketSphinx::load()?;
        let ready = Mutex::new(Vec::new());
        let busy = AtomicUsize::new(0);
        let clinic = Self { engine, settings, with_commands, ready, busy };
        let first = clinic.set_up()?;
        clinic.ready().push(first);
        Ok(clinic)
    }

    fn set_up(&self) -> Result<Pair, BackendError> {
        let free = self.engine.recogniser(&self.settings.model, &Vocabulary::Free)?;
        let commands = match self.with_commands {
            true => {
                let vocabulary =
                    Vocabulary::Grammar { jsgf: COMMANDS.to_owned(), words: words_of(&free)? };
                Some(self.engine.recogniser(&self.settings.model, &vocabulary)?)
            }
            false => None,
        };
        Ok(Pair { free, commands })
    }

    fn admit(&self) -> Result<Place<'_>, BackendError> {
        let busy_max = self.settings.most;
        let next = |busy: usize| (busy < busy_max).then_some(busy + 1);
        match self.busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(_) => Ok(Place(&self.busy)),
            Err(_) => {
                let problem =
                    format!("all {busy_max} speech recognisers are in use; try again later");
                Err(BackendError::Invalid { problem })
            }
        }
    }

    fn take(&self) -> Result<Pair, BackendError> {
        let ready = self.ready().pop();
        ready.map_or_else(|| self.set_up(), Ok)
    }

    /// Makes one for the next call, unless there are enough. A failure will be that call's.
    fn replenish(&self) {
        if self.ready().len() < self.settings.kept
            && let Ok(pair) = self.set_up()
        {
            let mut ready = self.ready();
            if ready.len() < self.settings.kept {
                ready.push(pair);
            }
        }
    }

    fn ready(&self) -> MutexGuard<'_, Vec<Pair>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a call's thread. It reports [`AsrReport::Ready`] or [`AsrReport::Failed`] first.
pub(super) fn open(clinic: Arc<Clinic>) -> (Listener, mpsc::Receiver<AsrReport>) {
    Listener::begin(|asked, reports| {
        let failure = reports.clone();
        let spawned = thread::Builder::new()
            .name("recogniser".to_owned())
            .spawn(move || listen(&clinic, asked, &reports));
        if let Err(error) = spawned {
            // The channel is new and empty: this fits.
            let _ = failure.try_send(AsrReport::Failed(unavailable(&error.to_string())));
        }
    })
}

fn unavailable(problem: &str) -> StageError {
    StageError::new(FailureKind::Busy, problem)
}

/// The thread: ends when the call drops its handle or no longer reads.
fn listen(clinic: &Clinic, mut asked: mpsc::Receiver<Ask>, reports: &mpsc::Sender<AsrReport>) {
    let admitted = clinic.admit().and_then(|place| Ok((clinic.take()?, place)));
    let (pair, place) = match admitted {
        Ok(admitted) => admitted,
        Err(error) => {
            let _ = reports.blocking_send(AsrReport::Failed(unavailable(&error.to_string())));
            return;
        }
    };
    let mut hearing = Hearing { pair, state: State::Quiet, partial: String::new() };
    let mut report = Some(AsrReport::Ready);
    loop {
        if let Some(report) = report.take()
            && reports.blocking_send(report).is_err()
        {
            break;
        }
        let Some(ask) = asked.blocking_recv() else { break };
        report = match hearing.handle(ask) {
            Ok(report) => report,
            Err(RecogniserFailed) => {
                let message = "the speech recogniser failed";
                let _ = reports.blocking_send(AsrReport::Failed(StageError::new(
                    FailureKind::Broken,
                    message,
                )));
                break;
            }
        };
    }
    drop(hearing);
    drop(place);
    clinic.replenish();
}

struct Hearing {
    pair: Pair,
    state: State,
    partial: String,
}

enum State {
    Quiet,
    Utterance { turn: TurnId, frames: usize },
}

impl Hearing {
    fn handle(&mut self, ask: Ask) -> Result<Option<AsrReport>, RecogniserFailed> {
        match ask {
            Ask::Start(turn) => {
                self.finish()?;
                self.pair.each(Recogniser::start)?;
                self.state = State::Utterance { turn, frames: 0 };
                self.partial.clear();
                Ok(None)
            }
            Ask::Frame(frame) => self.hear(&frame),
            Ask::Peek { turn, generation } => {
                let hears_it = matches!(self.state, State::Utterance { turn: t, .. } if t == turn);
                let text = if hears_it { self.pair.decide() } else { String::new() };
                Ok(Some(AsrReport::Likely { turn, generation, text }))
            }
            Ask::End { turn, generation } => {
                let heard_it = matches!(self.state, State::Utterance { turn: t, .. } if t == turn);
                self.finish()?;
                let text = if heard_it { self.pair.decide() } else { String::new() };
                Ok(Some(AsrReport::Final { turn, generation, text }))
            }
            Ask::Forget => self.finish().map(|()| None),
        }
    }

    fn hear(&mut self, frame: &PcmFrame) -> Result<Option<AsrReport>, RecogniserFailed> {
        let State::Utterance { turn, frames } = &mut self.state else { return Ok(None) };
        let turn = *turn;
        *frames += 1;
        if *frames > UTTERANCE_FRAMES_MAX {
            return Ok(None);
        }
        let look = frames.is_multiple_of(FRAMES_PER_PARTIAL);
        self.pair.each(|recogniser| recogniser.hear(&frame.0))?;
        if !look {
            return Ok(None);
        }
        let text = self.pair.free.words();
        if text.is_empty() || text == self.partial {
            return Ok(None);
        }
        self.partial.clone_from(&text);
        Ok(Some(AsrReport::Partial { turn, text }))
    }

    fn finish(&mut self) -> Result<(), RecogniserFailed> {
        match std::mem::replace(&mut self.state, State::Quiet) {
            State::Quiet => Ok(()),
            State::Utterance { .. } => self.pair.each(Recogniser::finish),
        }
    }
}

impl Pair {
    fn each(
        &mut self,
        mut act: impl FnMut(&mut Recogniser) -> Result<(), RecogniserFailed>,
    ) -> Result<(), RecogniserFailed> {
        act(&mut self.free)?;
        self.commands.as_mut().map_or(Ok(()), act)
    }

    /// What was said: the command, if it sounds like what was freely heard.
    fn decide(&mut self) -> String {
        let free = self.free.words();
        let Some(commands) = &mut self.commands else { return free };
        let command = commands.words();
        // What follows `say` is free speech, however much it sounds like a command.
        let is_quotation =
            ["say ", "repeat "].iter().any(|word| free.starts_with(word)) && free != command;
        if is_quotation || command.is_empty() {
            return free;
        }
        let alike = likeness(&phones(&self.free, &free), &phones(&self.free, &command));
        if alike >= BELIEVED { command } else { free }
    }
}

fn phones(dictionary: &Recogniser, text: &str) -> Vec<String> {
    let pronounced = text.split_whitespace().filter_map(|word| dictionary.pronunciation(word));
    pronounced.flat_map(|phones| phones.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The grammar's words with all of their pronunciations, from the model's dictionary.
fn words_of(dictionary: &Recogniser) -> Result<Vec<(String, String)>, BackendError> {
    const VARIANTS_MAX: usize = 4;
    let rules = COMMANDS.lines().filter(|line| !line.trim_start().starts_with("//")).skip(2);
    let mut words = HashMap::new();
    for line in rules {
        let mut in_rule_name = false;
        let spoken = line.replace("public", " ").replace(
            |c: char| {
                in_rule_name = (in_rule_name || c == '<') && c != '>';
                in_rule_name || !(c.is_ascii_lowercase() || c == '\'')
            },
            " ",
        );
        for word in spoken.split_whitespace() {
            words.insert(word.to_owned(), dictionary.pronunciation(word));
        }
    }
    let mut entries = Vec::new();
    for (word, phones) in words {
        let phones = phones.ok_or_else(|| BackendError::Invalid {
            problem: format!("the recogniser's dictionary lacks the word `{word}`"),
        })?;
        entries.push((word.clone(), phones));
        for variant in 2..=VARIANTS_MAX {
            let name = format!("{word}({variant})");
            entries.extend(dictionary.pronunciation(&name).map(|phones| (name, phones)));
        }
    }
    // A variant may only follow its word.
    entries.sort();
    Ok(entries)
}
