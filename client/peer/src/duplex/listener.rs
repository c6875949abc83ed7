//! Which sound belongs to which reply, by ear: it has to work for agents that say nothing about it.
//!
//! ```text
//! level   ####################________##############
//! pieces  |-------- 1 --------|  gap  |----- 2 -----|
//!                                      ^ the same reply, resumed - or a new one that begins again?
//! ```
//!
//! Sound after a gap of less than 2 s begins a new reply if its first 600 ms rise and fall as the
//! beginning of a known reply did, or if the agent says over the data channel that it is another one;
//! otherwise it resumes the old one. After a longer gap it is a new one. So the ear alone suffices for
//! an agent whose replies begin alike, as one with a script does.

use std::ops::Range;
use std::time::Duration;

use crate::level::level_dbfs;

/// The grid on which levels are taken.
const STEP: Duration = Duration::from_millis(5);
/// Silence that is longer ends a piece: 160 ms, more than the pauses between and within words.
const GAP_STEPS: usize = 32;
/// Sound after so much silence is another reply: 2 s.
const APART_STEPS: usize = 400;
/// How much of a beginning is compared: 600 ms; with less than 200 ms nothing is concluded.
const OPENING_STEPS: usize = 120;
const OPENING_STEPS_MIN: usize = 40;
/// How far two beginnings may be shifted against each other: 20 ms.
const SHIFT_STEPS: usize = 4;
/// Correlation of levels from which two beginnings are the same. Two different stretches of one voice
/// reach about 0.6, the same stretch through the codec twice more than 0.95.
const SAME: f32 = 0.85;
/// Levels are compared down to here.
const COMPARED_DBFS_MIN: f32 = -60.0;
/// Beginnings remembered, at most: an agent has a few ways to begin, not hundreds.
const OPENINGS_MAX: usize = 16;

/// One reply as it was heard, in the call's clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplyTrack {
    /// Its pieces; there is at least one.
    pub pieces: Vec<Range<Duration>>,
    /// Whether only the agent's own account told it from the one before.
    pub by_account: bool,
}

impl ReplyTrack {
    /// When its first sound is heard.
    pub fn began_at(&self) -> Duration {
        self.pieces.first().map_or(Duration::ZERO, |piece| piece.start)
    }

    /// When its last sound is over.
    pub fn ended_at(&self) -> Duration {
        self.pieces.last().map_or(Duration::ZERO, |piece| piece.end)
    }

    /// How much of it was heard.
    pub fn sound(&self) -> Duration {
        self.pieces.iter().map(|piece| piece.end - piece.start).sum()
    }
}

/// A reply in steps, and what the agent called it.
#[derive(Debug, Default)]
struct Heard {
    pieces: Vec<Range<usize>>,
    generation: Option<u64>,
    by_account: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Listener {
    sound_dbfs: f64,
    /// Where the first level is, in the call's clock.
    start: Option<Duration>,
    levels: Vec<f32>,
    replies: Vec<Heard>,
    /// The beginning of a piece of which is not known yet what it is.
    undecided: Option<usize>,
    openings: Vec<Vec<f32>>,
    generation: Option<u64>,
}

impl Listener {
    /// A listener that knows these beginnings of replies from before.
    pub const fn new(sound_dbfs: f64, openings: Vec<Vec<f32>>) -> Self {
        Self {
            sound_dbfs,
            start: None,
            levels: Vec::new(),
            replies: Vec::new(),
            undecided: None,
            openings,
            generation: None,
        }
    }

    /// Takes in the next 20 ms of what is heard; `at` is their place in the call's clock.
    pub fn handle_played(&mut self, at: Duration, frame: &[i16]) {
        self.start.get_or_insert(at);
        for samples in frame.chunks((frame.len() / 4).max(1)) {
            let level = level_dbfs(samples);
            self.levels.push(level as f32);
            self.step(level > self.sound_dbfs);
        }
    }

    /// The agent says that it speaks, and which reply.
    pub const fn handle_generation(&mut self, generation: u64) {
        self.generation = Some(generation);
    }

    /// For how long nothing has been heard; `None` before the first sound.
    pub fn silent_for(&self) -> Option<Duration> {
        let end = self.replies.last()?.pieces.last()?.end;
        Some(STEP * (self.levels.len() - end) as u32)
    }

    /// How much of the current reply was heard, and for how long without a gap; `None` if there is
    /// none or it is silent.
    pub fn sounding(&self) -> Option<(Duration, Duration)> {
        let reply = self.replies.last()?;
        let last = reply.pieces.last()?;
        if self.levels.len() - last.end > GAP_STEPS {
            return None;
        }
        let all: usize = reply.pieces.iter().map(ExactSizeIterator::len).sum();
        Some((STEP * all as u32, STEP * last.len() as u32))
    }

    /// The replies so far, and the beginnings known now.
    pub fn finish(mut self) -> (Vec<ReplyTrack>, Vec<Vec<f32>>) {
        self.decide();
        let openings: Vec<_> = (0..self.replies.len()).filter_map(|it| self.opening(it)).collect();
        for opening in openings {
            let is_known = self.openings.iter().any(|known| is_same(known, &opening));
            if !is_known && opening.len() == OPENING_STEPS && self.openings.len() < OPENINGS_MAX {
                self.openings.push(opening);
            }
        }
        let start = self.start.unwrap_or_default();
        let place = |step: usize| start + STEP * step as u32;
        let track = |heard: &Heard| ReplyTrack {
            pieces: heard.pieces.iter().map(|it| place(it.start)..place(it.end)).collect(),
            by_account: heard.by_account,
        };
        (self.replies.iter().map(track).collect(), self.openings)
    }

    /// One more level, the last in `levels`.
    fn step(&mut self, is_sound: bool) {
        let index = self.levels.len() - 1;
        if is_sound {
            let last = self.replies.last_mut().and_then(|reply| reply.pieces.last_mut());
            match last {
                Some(piece) if index - piece.end <= GAP_STEPS => piece.end = index + 1,
                Some(piece) => {
                    let is_apart = index - piece.end >= APART_STEPS;
                    self.decide();
                    self.begin(index, is_apart);
                }
                None => self.begin(index, true),
            }
        }
        if self.undecided.is_some_and(|from| index + 1 - from >= OPENING_STEPS) {
            self.decide();
        }
    }

    fn begin(&mut self, index: usize, is_new: bool) {
        let piece = index..index + 1;
        match self.replies.last_mut() {
            Some(reply) if !is_new => {
                reply.pieces.push(piece);
                self.undecided = Some(index);
            }
            _ => self.push(piece, false),
        }
    }

    fn push(&mut self, piece: Range<usize>, by_account: bool) {
        let generation = self.generation;
        self.replies.push(Heard { pieces: vec![piece], generation, by_account });
    }

    /// Whether the piece that began last is a new reply, by what there is of it.
    fn decide(&mut self) {
        let Some(from) = self.undecided.take() else { return };
        let Some(reply) = self.replies.last() else { return };
        let piece = reply.pieces.last().cloned().unwrap_or_default();
        let heard = &self.levels[from..piece.end.min(from + OPENING_STEPS)];
        let before: usize = reply.pieces.iter().rev().skip(1).map(ExactSizeIterator::len).sum();
        let account = reply.generation.zip(self.generation).map(|(old, new)| old != new);
        let own = self.opening(self.replies.len() - 1);
        let sounds_new = self.openings.iter().chain(&own).any(|known| is_same(known, heard));
        // So soon after its beginning a reply that resumes sounds as one that begins again.
        let is_new = match account {
            Some(account) if before < OPENING_STEPS_MIN => account,
            account => sounds_new || account == Some(true),
        };
        if is_new {
            if let Some(reply) = self.replies.last_mut() {
                reply.pieces.pop();
            }
            self.push(piece, !sounds_new);
        }
    }

    /// How the reply of this number begins, if its first piece is long enough to tell.
    fn opening(&self, number: usize) -> Option<Vec<f32>> {
        let first = self.replies.get(number)?.pieces.first()?;
        let levels = &self.levels[first.start..first.end.min(first.start + OPENING_STEPS)];
        (levels.len() >= OPENING_STEPS_MIN).then(|| levels.to_vec())
    }
}

/// Whether two beginnings rise and fall alike, by the best correlation over small shifts.
fn is_same(known: &[f32], heard: &[f32]) -> bool {
    let best = (0..=2 * SHIFT_STEPS).map(|shift| {
        let known = known.get(shift.saturating_sub(SHIFT_STEPS)..).unwrap_or_default();
        let heard = heard.get(SHIFT_STEPS.saturating_sub(shift)..).unwrap_or_default();
        correlation(known, heard)
    });
    best.fold(-1.0, f32::max) >= SAME
}

/// Pearson's correlation over what both have; -1 if that is too little or never changes.
fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let count = a.len().min(b.len());
    if count < OPENING_STEPS_MIN - SHIFT_STEPS {
        return -1.0;
    }
    let clipped = |levels: &[f32]| -> Vec<f32> {
        levels[..count].iter().map(|level| level.max(COMPARED_DBFS_MIN)).collect()
    };
    let centred = |levels: Vec<f32>| -> Vec<f32> {
        let mean = levels.iter().sum::<f32>() / count as f32;
        levels.into_iter().map(|level| level - mean).collect()
    };
    let (a, b) = (centred(clipped(a)), centred(clipped(b)));
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let energy = dot(&a, &a) * dot(&b, &b);
    if energy > 0.0 { dot(&a, &b) / energy.sqrt() } else { -1.0 }
}

#[cfg(test)]
mod tests;
