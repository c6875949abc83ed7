//! The simulated backend: answers each reply asked for as its behaviour says.

use std::collections::BTreeSet;
use std::time::Duration;

use antiphon::call::event::{BackendCommand, BackendEvent, Generation, TurnId, WordTime};
use antiphon::limits::WIDEBAND_HZ;
use antiphon::time::SessionTime;

use crate::sound::{self, AGENT_VOICE, MARK_SAMPLES, Mark};

/// The rate of its voice.
pub(crate) const REPLY_HZ: u32 = WIDEBAND_HZ;
/// Milliseconds of audio in one of its blocks.
const BLOCK_MS: u64 = 100;
/// What it says in each second of a reply that comes in pieces.
const WORDS: [&str; 5] = ["one", "two", "three", "four", "five"];

/// How it answers from now on.
#[derive(Clone, Debug)]
pub(crate) struct Behaviour {
    /// From being asked to the first audio.
    pub(crate) think_ms: u64,
    /// Length of a reply; none at all for zero.
    pub(crate) reply_ms: u64,
    /// How much faster than real time its audio comes, in percent.
    pub(crate) speed_percent: u64,
    /// Audio after which nothing more comes of a reply.
    pub(crate) stalls_after_ms: Option<u64>,
    /// Says that it failed instead of finishing a reply.
    pub(crate) fails: bool,
    /// Never answers.
    pub(crate) is_deaf: bool,
    /// What is still on its way when a reply is cancelled.
    pub(crate) late_ms: u64,
    /// Its text comes second by second, with the audio, instead of all at once.
    pub(crate) in_pieces: bool,
    /// It says when its words sound.
    pub(crate) times_words: bool,
    /// It transcribes while the user speaks, and says how finished that sounds.
    pub(crate) transcribes_early: bool,
    /// Its own detector hears an interruption so long after the first audio.
    pub(crate) interrupted_after_ms: Option<u64>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            think_ms: 100,
            reply_ms: 1_000,
            speed_percent: 400,
            stalls_after_ms: None,
            fails: false,
            is_deaf: false,
            late_ms: 0,
            in_pieces: false,
            times_words: false,
            transcribes_early: false,
            interrupted_after_ms: None,
        }
    }
}

/// Something that it made.
#[derive(Clone, Debug)]
pub(crate) enum Made {
    Event(BackendEvent),
    Audio { generation: Generation, pcm: Vec<i16> },
}

impl Made {
    /// The reply it belongs to.
    fn generation(&self) -> Option<Generation> {
        match self {
            Self::Audio { generation, .. }
            | Self::Event(
                BackendEvent::ReplyStarted { generation }
                | BackendEvent::ReplyText { generation, .. }
                | BackendEvent::ReplyWords { generation, .. }
                | BackendEvent::Interrupted { generation }
                | BackendEvent::ReplyFinished { generation }
                | BackendEvent::ReplyFailed { generation, .. },
            ) => Some(*generation),
            Self::Event(_) => None,
        }
    }
}

/// The backend of one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct SimBackend {
    pub(crate) behaviour: Behaviour,
    /// Cancelled replies, and how long their messages still come.
    cancelled: Vec<(Generation, SessionTime)>,
    /// Replies that are being made ahead.
    ahead: BTreeSet<Generation>,
    /// The turn that is being spoken.
    listening: Option<TurnId>,
}

impl SimBackend {
    /// Takes a command, and returns what it will make of it and when.
    pub(crate) fn command(
        &mut self,
        now: SessionTime,
        command: &BackendCommand,
    ) -> Vec<(SessionTime, Made)> {
        match command {
            BackendCommand::Greet { generation }
            | BackendCommand::Speak { generation }
            | BackendCommand::UserText { generation, .. } => self.answer(now, *generation, None),
            BackendCommand::Say { generation, text } => self.say(now, *generation, text),
            BackendCommand::UserSpeechStarted { turn } => {
                self.listening = Some(*turn);
                self.transcribe(now, *turn)
            }
            BackendCommand::Speculate { turn, generation } => {
                self.ahead.insert(*generation);
                self.answer(now, *generation, Some(*turn))
            }
            BackendCommand::UserTurnEnded { turn, generation } => {
                self.listening = None;
                if self.ahead.remove(generation) {
                    return Vec::new();
                }
                self.answer(now, *generation, Some(*turn))
            }
            BackendCommand::Withdraw { generation, .. } => {
                self.ahead.remove(generation);
                self.drop_reply(now, *generation);
                Vec::new()
            }
            BackendCommand::Cancel { generation, .. } => {
                self.drop_reply(now, *generation);
                Vec::new()
            }
            BackendCommand::UserTurnDismissed { .. } => {
                self.listening = None;
                Vec::new()
            }
            BackendCommand::Played { .. }
            | BackendCommand::ToolResult { .. }
            | BackendCommand::Measured(_) => Vec::new(),
        }
    }

    /// Whether something that it planned to say is still said.
    pub(crate) fn still_says(&self, now: SessionTime, made: &Made) -> bool {
        if let Made::Event(BackendEvent::UserTranscript { turn, is_final: false, .. }) = made {
            return self.listening == Some(*turn);
        }
        let Some(generation) = made.generation() else { return true };
        let cancelled = self.cancelled.iter().find(|(cancelled, _)| *cancelled == generation);
        cancelled.is_none_or(|(_, last)| now <= *last)
    }

    fn drop_reply(&mut self, now: SessionTime, generation: Generation) {
        let last = now + Duration::from_millis(self.behaviour.late_ms);
        self.cancelled.push((generation, last));
    }

    /// What it says of a turn while the turn is spoken.
    fn transcribe(&self, now: SessionTime, turn: TurnId) -> Vec<(SessionTime, Made)> {
        if !self.behaviour.transcribes_early {
            return Vec::new();
        }
        let mut plan = Vec::new();
        for count in 1..=WORDS.len() {
            let at = now + Duration::from_millis(350 * count as u64);
            let text = WORDS[..count].join(" ");
            let transcript = BackendEvent::UserTranscript { turn, text, is_final: false };
            let probability = count as f32 / WORDS.len() as f32;
            let looks = BackendEvent::TurnLooksComplete { turn, probability };
            plan.extend([transcript, looks].map(|event| (at, Made::Event(event))));
        }
        plan
    }

    fn answer(
        &self,
        now: SessionTime,
        generation: Generation,
        turn: Option<TurnId>,
    ) -> Vec<(SessionTime, Made)> {
        if self.behaviour.is_deaf {
            return Vec::new();
        }
        let half = now + Duration::from_millis(self.behaviour.think_ms / 2);
        let mut plan = Vec::new();
        if let Some(turn) = turn {
            let text = "what was said".to_owned();
            let transcript = BackendEvent::UserTranscript { turn, text, is_final: true };
            plan.push((half, Made::Event(transcript)));
        }
        plan.extend(self.say(now, generation, &WORDS.join(" ")));
        plan
    }

    fn say(
        &self,
        now: SessionTime,
        generation: Generation,
        text: &str,
    ) -> Vec<(SessionTime, Made)> {
        let behaviour = &self.behaviour;
        let think_ms = behaviour.think_ms;
        let at = |millis: u64| now + Duration::from_millis(millis);
        let made_at = |audio_ms: u64| at(think_ms + audio_ms * 100 / behaviour.speed_percent);
        let mut plan = Vec::new();
        let mut event = |at, event| plan.push((at, Made::Event(event)));
        event(at(think_ms / 2), BackendEvent::ReplyStarted { generation });
        let pieces = if behaviour.in_pieces { behaviour.reply_ms.div_ceil(1_000) } else { 1 };
        for piece in 0..pieces {
            let due = made_at(piece * 1_000);
            event(due, BackendEvent::ReplyText { generation, text: text.to_owned() });
            if behaviour.times_words {
                let words = times(text, piece * 1_000);
                event(due, BackendEvent::ReplyWords { generation, words });
            }
        }
        if let Some(after_ms) = behaviour.interrupted_after_ms {
            event(made_at(after_ms), BackendEvent::Interrupted { generation });
        }
        let available = behaviour.stalls_after_ms.unwrap_or(u64::MAX).min(behaviour.reply_ms);
        let end = made_at(behaviour.reply_ms);
        if behaviour.fails {
            let message = "the model failed".to_owned();
            event(end, BackendEvent::ReplyFailed { generation, message });
        } else if behaviour.stalls_after_ms.is_none() {
            event(end, BackendEvent::ReplyFinished { generation });
        }
        let is_end = |made: &Made| {
            matches!(
                made,
                Made::Event(BackendEvent::ReplyFinished { .. } | BackendEvent::ReplyFailed { .. })
            )
        };
        for made_ms in (0..available).step_by(BLOCK_MS as usize) {
            let pcm = reply_pcm(generation, made_ms, BLOCK_MS.min(available - made_ms));
            plan.push((made_at(made_ms), Made::Audio { generation, pcm }));
        }
        // In order, the text before its audio and the end after it all.
        plan.sort_by_key(|(at, made)| (*at, is_end(made)));
        plan
    }
}

/// The times of the words of one piece, which takes a second.
fn times(text: &str, start_ms: u64) -> Vec<WordTime> {
    let count = text.split_whitespace().count().max(1) as u64;
    let at = |index: u64| Duration::from_millis(start_ms + 1_000 * index / count);
    let word = |(index, text): (usize, &str)| WordTime {
        text: text.to_owned(),
        start: at(index as u64),
        end: at(index as u64 + 1),
    };
    text.split_whitespace().enumerate().map(word).collect()
}

/// Part of the sound of a reply. Every 64 samples say which ones they are.
fn reply_pcm(generation: Generation, from_ms: u64, length_ms: u64) -> Vec<i16> {
    let per_ms = REPLY_HZ as usize / 1_000;
    let (start, count) = (from_ms as usize * per_ms, length_ms as usize * per_ms);
    // Whole cells, cut to what is wanted.
    let first_cell = start / MARK_SAMPLES;
    let cells = (start + count).div_ceil(MARK_SAMPLES) - first_cell;
    let mut mix = vec![0.0; cells * MARK_SAMPLES];
    sound::add(&mut mix, &AGENT_VOICE, first_cell * MARK_SAMPLES, 1.0);
    let mut pcm: Vec<i16> = mix.into_iter().map(sound::pcm_of).collect();
    for (index, cell) in pcm.chunks_exact_mut(MARK_SAMPLES).enumerate() {
        let number = (first_cell + index) as u16;
        Mark { tag: Mark::of_reply(generation.0), number }.put(cell);
    }
    let skip = start - first_cell * MARK_SAMPLES;
    pcm[skip..skip + count].to_vec()
}
