//! How speech ends: what its last half second sounds like beside the rest.
//!
//! ```text
//! pitch   ▔▔▔╲▁▁      a fall to the bottom of the voice: finished
//!         ▔▔▔▔▔▔      level, in mid-voice: going on
//!         ▁▁╱▔▔       a rise: going on, or, if steep, a question
//!         ▔▔▔▔▔▔▔▔▔▔  level and long: "um", thinking aloud
//! ```
//!
//! Listeners use these cues together, and the more of them agree, the surer they are (Duncan 1972;
//! Gravano & Hirschberg, Computer Speech & Language 25, 2011: turns are yielded on falling or high-rising
//! pitch, softer voice and longer phrases, held on a plateau; Ferrer, Shriberg & Stolcke, ICSLP 2002;
//! filled pauses are long and flat: Shriberg & Lickley, Phonetica 50, 1993). The directions of the weights
//! in [`Ending::log_odds`] are from there. Their sizes are set by hand, so that no single cue decides: a
//! cue at its strongest changes the odds by a factor of two to eight, as the likelihood ratios reported
//! for them do, and what cannot be measured (whisper, noise, a bad line) changes nothing.

use std::time::Duration;

use crate::call::event::FrameFeatures;
use crate::limits::FRAME_MS;
use crate::time::SessionTime;

/// The part of speech that is its ending.
const ENDING: Duration = Duration::from_millis(500);
/// Voiced frames kept: enough for the ending.
const FRAMES_KEPT: usize = 32;
/// Frames with pitch that the ending needs before anything is said of its melody.
const PITCHED_MIN: usize = 6;
/// Frames with pitch of this user before it is known where the voice usually lies: 1 s.
const REGISTER_MIN: u32 = 1_000 / FRAME_MS;
/// Such frames after which half of what can be known is: 2 s.
const HALF_KNOWN: f32 = 2_000.0 / FRAME_MS as f32;
/// At this count the memory of the voice is halved, so that it follows the newest minute or so.
const REGISTER_MAX: u32 = 60 * 1_000 / FRAME_MS;
/// Semitones above 55 Hz, in steps of a third: to 440 Hz.
const REGISTER_STEPS: usize = 36 * 3 + 1;
const STEPS_PER_ST: f32 = 3.0;
const REGISTER_BASE_HZ: f32 = 55.0;
/// Frames this much softer than the turn's mean are breath or the tail of a word.
const AUDIBLE_DB: f32 = 25.0;
/// How much a steady sound may move, in semitones and dB, from frame to frame of it.
const STEADY_ST: f32 = 0.8;
const STEADY_DB: f32 = 5.0;

/// What is known of how the speech ended. `None` where it could not be measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ending {
    /// Slope of the pitch over the last half second, semitones per second; falling is negative.
    pub slope_st_per_s: Option<f32>,
    /// Where the pitch ended in this user's voice.
    pub rank: Option<Rank>,
    /// Level of the last 120 ms beside the turn's mean, in dB.
    pub fade_db: Option<f32>,
    /// How long the last sound was held, level and steady.
    pub held: Duration,
    /// Speech since the last pause.
    pub spoken: Duration,
    /// There was speech before that pause.
    pub is_continuation: bool,
}

/// A place in a voice. By rank, since one voice spans three semitones and another two octaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rank {
    /// The share of the voice that is lower, 0 to 1.
    pub below: f32,
    /// How much of the voice is known, 0 to 1: speech sinks on its way, so that after a single sentence
    /// its last part is the lowest that was heard, finished or not.
    pub known: f32,
}

impl Rank {
    fn is_up(self) -> f32 {
        self.known * interpolate(&IS_UP, self.below)
    }
}

impl Ending {
    /// How much more, or less, likely than usual this makes it that the turn is over: the change of the
    /// log-odds.
    pub fn log_odds(&self) -> f32 {
        // A fall that ends above the bottom of the voice is an accent's.
        let is_up = self.rank.map_or(0.0, Rank::is_up);
        let slope = self.slope_st_per_s.map_or(0.0, |slope| interpolate(&SLOPE, slope));
        let slope = if slope > 0.0 { (1.0 - is_up) * slope } else { slope };
        let rank = self.rank.map_or(0.0, |rank| rank.known * interpolate(&RANK, rank.below));
        let fade = self.fade_db.map_or(0.0, |fade| interpolate(&FADE, fade));
        // A held sound is no hesitation if it falls, or lies at the bottom of the voice: the last syllable
        // of a sentence is long too.
        let is_level = self.slope_st_per_s.is_none_or(|slope| slope > -4.0);
        let is_low = self.rank.is_some_and(|rank| rank.known > 0.5 && rank.is_up() == 0.0);
        let held =
            if is_level && !is_low { interpolate(&HELD, self.held.as_secs_f32()) } else { 0.0 };
        let fragment = if self.is_continuation {
            interpolate(&FRAGMENT, self.spoken.as_secs_f32())
        } else {
            0.0
        };
        slope + rank + fade + held + fragment
    }
}

/// Log-odds by cue, linear between the rows and constant beyond them.
type Weights = [(f32, f32)];
/// Of the slope, in semitones per second. Speech sinks by 1 to 3 on its way; a final fall is steeper by
/// far, but so is the fall of an accent within a sentence. A steep rise is a question as often as not.
const SLOPE: [(f32, f32); 5] = [(-14.0, 2.0), (-7.0, 1.0), (-2.0, -0.4), (8.0, -1.4), (30.0, 0.0)];
/// Of the end's place in the voice: sentences end at its bottom, which tells more than how steeply.
const RANK: [(f32, f32); 5] = [(0.03, 2.4), (0.12, 1.8), (0.2, 1.0), (0.3, -0.4), (0.5, -1.0)];
/// How far above the bottom of the voice that is, 0 to 1.
const IS_UP: [(f32, f32); 2] = [(0.2, 0.0), (0.4, 1.0)];
/// Of the fading, in dB: sentences end softer, and so does a word that ends in a closure.
const FADE: [(f32, f32); 3] = [(-8.0, 0.4), (-3.0, 0.0), (2.0, -0.3)];
/// Of a held sound, in seconds: ordinary vowels are shorter.
const HELD: [(f32, f32); 3] = [(0.22, 0.0), (0.34, -1.0), (0.6, -2.0)];
/// Of the speech after a pause, in seconds: a word by itself is a new start ("and ...", "the ...").
const FRAGMENT: [(f32, f32); 2] = [(0.25, -0.6), (0.6, 0.0)];

fn interpolate(weights: &Weights, x: f32) -> f32 {
    let mut previous = weights[0];
    for &(at, weight) in weights {
        if x <= at {
            let span = at - previous.0;
            let share = if span > 0.0 { ((x - previous.0) / span).max(0.0) } else { 1.0 };
            return previous.1 + share * (weight - previous.1);
        }
        previous = (at, weight);
    }
    previous.1
}

/// One voiced frame.
#[derive(Clone, Copy, Debug, Default)]
struct Voiced {
    at: SessionTime,
    /// Semitones above [`REGISTER_BASE_HZ`].
    pitch_st: Option<f32>,
    level_dbfs: f32,
}

/// Follows the speech of one user.
#[derive(Clone, Debug)]
pub struct Prosody {
    frames: [Voiced; FRAMES_KEPT],
    count: usize,
    next: usize,
    register: Register,
    /// Of the turn: voiced frames and the sum of their levels.
    turn_frames: u32,
    turn_level_sum: f32,
    /// Voiced frames since the last pause.
    phrase_frames: u32,
}

impl Prosody {
    /// A user who was not heard yet.
    pub fn new() -> Self {
        Self {
            frames: [Voiced::default(); FRAMES_KEPT],
            count: 0,
            next: 0,
            register: Register::default(),
            turn_frames: 0,
            turn_level_sum: 0.0,
            phrase_frames: 0,
        }
    }

    /// A turn begins.
    pub const fn begin_turn(&mut self) {
        (self.turn_frames, self.turn_level_sum) = (0, 0.0);
        self.begin_phrase();
    }

    /// Speech begins after a pause.
    pub const fn begin_phrase(&mut self) {
        (self.count, self.next, self.phrase_frames) = (0, 0, 0);
    }

    /// Takes a frame of speech. One that was made up because its packet was lost says nothing.
    pub fn handle_voiced(&mut self, frame: &FrameFeatures) {
        self.phrase_frames = self.phrase_frames.saturating_add(1);
        if frame.concealed {
            return;
        }
        let pitch_st = frame.pitch_hz.and_then(semitones);
        if let Some(pitch_st) = pitch_st {
            self.register.learn(pitch_st);
        }
        let level_dbfs = frame.level_dbfs.clamp(-127.0, 20.0);
        self.turn_frames = self.turn_frames.saturating_add(1);
        self.turn_level_sum += level_dbfs;
        self.frames[self.next] = Voiced { at: frame.at, pitch_st, level_dbfs };
        self.next = (self.next + 1) % FRAMES_KEPT;
        self.count = (self.count + 1).min(FRAMES_KEPT);
    }

    /// How the speech ended whose last voiced frame ended at `last`.
    pub fn ending(&self, last: SessionTime) -> Ending {
        let mean_dbfs = self.turn_level_sum / self.turn_frames.max(1) as f32;
        let (mut heard, mut count) = ([Voiced::default(); FRAMES_KEPT], 0);
        for age in (1..=self.count).rev() {
            let frame = self.frames[(self.next + FRAMES_KEPT - age) % FRAMES_KEPT];
            let is_recent = last.since(frame.at) <= ENDING;
            if is_recent && frame.level_dbfs > mean_dbfs - AUDIBLE_DB {
                heard[count] = frame;
                count += 1;
            }
        }
        let heard = &heard[..count];
        let (slope_st_per_s, end_st) = melody(heard).unzip();
        Ending {
            slope_st_per_s,
            rank: end_st.and_then(|end_st| self.register.rank(end_st)),
            fade_db: fade(heard, mean_dbfs),
            held: held(heard),
            spoken: Duration::from_millis(u64::from(self.phrase_frames) * u64::from(FRAME_MS)),
            is_continuation: self.turn_frames > self.phrase_frames,
        }
    }
}

impl Default for Prosody {
    fn default() -> Self {
        Self::new()
    }
}

/// Semitones above the base; `None` for what is no pitch of a voice.
fn semitones(pitch_hz: f32) -> Option<f32> {
    (50.0..=500.0).contains(&pitch_hz).then(|| 12.0 * (pitch_hz / REGISTER_BASE_HZ).log2())
}

/// The slope of the pitch and where it ends. Points far from the median are octave errors of the pitch
/// tracker and are left out.
fn melody(heard: &[Voiced]) -> Option<(f32, f32)> {
    let end = heard.last()?.at;
    let (mut points, mut count) = ([(0.0_f32, 0.0_f32); FRAMES_KEPT], 0);
    for frame in heard {
        if let Some(pitch_st) = frame.pitch_st {
            points[count] = (-end.since(frame.at).as_secs_f32(), pitch_st);
            count += 1;
        }
    }
    let points = &mut points[..count];
    let middle_st = median(points.iter().map(|(_, pitch_st)| *pitch_st))?;
    let is_near = |point: &(f32, f32)| (point.1 - middle_st).abs() <= 7.0;
    let near = || points.iter().filter(|point| is_near(point));
    let count = near().count();
    if count < PITCHED_MIN {
        return None;
    }
    let total = count as f32;
    let (sum_t, sum_p) = near().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
    let (mean_t, mean_p) = (sum_t / total, sum_p / total);
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (t, p) in near() {
        covariance += (t - mean_t) * (p - mean_p);
        variance += (t - mean_t) * (t - mean_t);
    }
    let slope = if variance > 1e-6 { covariance / variance } else { 0.0 };
    let end_st = median(near().skip(count.saturating_sub(5)).map(|(_, pitch_st)| *pitch_st))?;
    Some((slope.clamp(-60.0, 60.0), end_st))
}

fn median(values: impl Iterator<Item = f32>) -> Option<f32> {
    let (mut sorted, mut count) = ([0.0_f32; FRAMES_KEPT], 0);
    for value in values.take(FRAMES_KEPT) {
        sorted[count] = value;
        count += 1;
    }
    let sorted = &mut sorted[..count];
    sorted.sort_by(f32::total_cmp);
    sorted.get(count / 2).copied()
}

fn fade(heard: &[Voiced], mean_dbfs: f32) -> Option<f32> {
    let ending = &heard[heard.len().checked_sub(6)?..];
    let mean = ending.iter().map(|frame| frame.level_dbfs).sum::<f32>() / ending.len() as f32;
    Some(mean - mean_dbfs)
}

/// How long the last sound was held: frames in a row, from the end back, that keep pitch and level.
/// Two frames in which it dies away do not count.
fn held(heard: &[Voiced]) -> Duration {
    let longest = (0..=2.min(heard.len())).map(|dying| {
        let sound = &heard[..heard.len() - dying];
        let steps = sound.windows(2).rev().take_while(|pair| {
            let near = |a: f32, b: f32, most: f32| (a - b).abs() <= most;
            let in_pitch = pair[0].pitch_st.zip(pair[1].pitch_st);
            in_pitch.is_some_and(|(a, b)| near(a, b, STEADY_ST))
                && near(pair[0].level_dbfs, pair[1].level_dbfs, STEADY_DB)
        });
        steps.count()
    });
    let steps = longest.max().unwrap_or(0) as u64;
    Duration::from_millis(if steps == 0 { 0 } else { (steps + 1) * u64::from(FRAME_MS) })
}

/// Where this user's voice lies: how often each pitch was heard.
#[derive(Clone, Debug)]
struct Register {
    heard: [u32; REGISTER_STEPS],
    total: u32,
}

impl Default for Register {
    fn default() -> Self {
        Self { heard: [0; REGISTER_STEPS], total: 0 }
    }
}

impl Register {
    fn learn(&mut self, pitch_st: f32) {
        self.heard[Self::step(pitch_st)] += 1;
        self.total += 1;
        if self.total >= REGISTER_MAX {
            self.heard.iter_mut().for_each(|count| *count /= 2);
            self.total = self.heard.iter().sum();
        }
    }

    /// The share of the voice that lies below a pitch, of its own step the half.
    fn rank(&self, pitch_st: f32) -> Option<Rank> {
        if self.total < REGISTER_MIN {
            return None;
        }
        let step = Self::step(pitch_st);
        let below: u32 = self.heard[..step].iter().sum();
        let total = self.total as f32;
        let below = (below as f32 + self.heard[step] as f32 / 2.0) / total;
        Some(Rank { below, known: total / (total + HALF_KNOWN) })
    }

    fn step(pitch_st: f32) -> usize {
        // The cast saturates at zero.
        ((pitch_st * STEPS_PER_ST).round() as usize).min(REGISTER_STEPS - 1)
    }
}

#[cfg(test)]
mod tests;
