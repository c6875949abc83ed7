//! Whether what the microphone picked up is the agent's own voice.
//!
//! The measurements come with each frame ([`EchoEvidence`]); this is what they are taken to mean.
//!
//! ```text
//! reference inaudible ................................................ Clear
//! the microphone is what was sent (likeness), and
//!     the canceller takes it away, or has not learned to, or lost it . Certain
//!     the canceller works and yet much is left ....................... Likely: somebody speaks too
//! somewhat like it, or a sound so new that nothing is known yet ...... Likely
//! unlike it .......................................................... Clear
//! ```
//!
//! `Certain` is left as soon as the likeness falls: another voice takes its share of the energy at
//! once, an echo keeps its likeness while it lasts.

use crate::call::event::{Canceller, EchoEvidence, EchoVerdict, FrameFeatures};

/// A reference below this was not audible, and has no echo.
const AUDIBLE_DBFS: f32 = -60.0;

/// From this likeness on a sound is taken for the agent's own. Echo alone has 0.8 to 1 once it has
/// lasted as long as the measurement; an echo and a voice as loud as it have 0.5.
const CERTAIN_LIKENESS: f32 = 0.7;
/// Down to this likeness it goes on being that: echo dips where a syllable is weak.
const STILL_CERTAIN_LIKENESS: f32 = 0.55;
/// From this likeness on it may be. Unrelated speech rarely reaches 0.3.
const LIKELY_LIKENESS: f32 = 0.35;

/// How far the attenuation may fall behind what is usual for echo alone, in dB, before something else
/// is in what is left. Echo alone varies by about 10.
const SHORTFALL_DB: f32 = 16.0;
/// What is left below this level is no speech, whatever it is.
const FAINT_DBFS: f32 = -50.0;
/// A canceller that takes so much less away than what the likeness explains has lost the echo: a voice on
/// top would have lowered the likeness too.
const LOST_DB: f32 = 4.0;
/// From this likeness on that is asked at all.
const LOST_LIKENESS: f32 = 0.85;
/// No more than this is expected to be explained: the likeness is not that exact.
const EXPLAINED_DB_MAX: f32 = 15.0;
/// How fast the usual attenuation is learned: over about 20 frames of echo.
const USUAL_KEPT: f32 = 0.95;

/// A sound begins when it is so much louder than the quietest of late, in dB.
const SOUND_OVER_FLOOR_DB: f32 = 10.0;
/// How fast that floor rises, in dB a frame: 5 dB a second, slower than syllables.
const FLOOR_RISE_DB: f32 = 0.1;
/// Below this level nothing is a sound, in dBFS.
const FLOOR_MIN_DBFS: f32 = -65.0;
/// Frames (100 ms) of a new sound in which the likeness is not yet to be trusted; and while no delay is
/// known, so that it has to be looked for at all delays at once, 320 ms. Only in a call's first seconds is
/// that so: later there was an echo, or the client is known to have none.
const NEW_FRAMES: u32 = 5;
const NEW_FRAMES_UNKNOWN: u32 = 16;
/// Frames (100 ms) of quiet after which a sound is a new one.
const GAP_FRAMES: u32 = 5;

/// The gate of one call.
#[derive(Clone, Debug)]
pub struct EchoGate {
    verdict: EchoVerdict,
    /// What cancelling usually takes away of echo alone, in dB, once learned.
    usual_db: Option<f32>,
    /// The quietest level of late, in dBFS.
    floor_dbfs: f32,
    sound: Sound,
}

/// The sound that the microphone hears now: frames of it, and frames of quiet since.
#[derive(Clone, Copy, Debug, Default)]
struct Sound {
    frames: u32,
    quiet_frames: u32,
}

impl Default for EchoGate {
    fn default() -> Self {
        Self {
            verdict: EchoVerdict::Clear,
            usual_db: None,
            floor_dbfs: FLOOR_MIN_DBFS,
            sound: Sound::default(),
        }
    }
}

impl EchoGate {
    /// Judges the next frame.
    pub fn step(&mut self, frame: &FrameFeatures) -> EchoVerdict {
        let is_new = self.follow_sound(frame);
        let verdict = self.judge(frame);
        if verdict == EchoVerdict::Certain && frame.echo.canceller == Canceller::Converged {
            let attenuation_db = attenuation_db(frame);
            let usual_db = self.usual_db.get_or_insert(attenuation_db);
            *usual_db = USUAL_KEPT * *usual_db + (1.0 - USUAL_KEPT) * attenuation_db;
        }
        self.verdict = match verdict {
            // Where the canceller was turned off, the client plainly has no echo to be expected.
            EchoVerdict::Clear
                if is_new && is_audible(&frame.echo) && frame.echo.canceller != Canceller::Off =>
            {
                EchoVerdict::Likely
            }
            verdict => verdict,
        };
        self.verdict
    }

    fn judge(&self, frame: &FrameFeatures) -> EchoVerdict {
        let EchoEvidence { likeness, canceller, delay, .. } = frame.echo;
        if !is_audible(&frame.echo) || likeness.is_nan() || likeness < LIKELY_LIKENESS {
            return EchoVerdict::Clear;
        }
        let certain = match self.verdict {
            EchoVerdict::Certain => STILL_CERTAIN_LIKENESS,
            EchoVerdict::Clear | EchoVerdict::Likely => CERTAIN_LIKENESS,
        };
        if likeness < certain {
            // The end of an echo drowns in noise, and with it the likeness.
            let dies_away = self.verdict == EchoVerdict::Certain && frame.level_dbfs < FAINT_DBFS;
            return if dies_away { EchoVerdict::Certain } else { EchoVerdict::Likely };
        }
        let is_own = match canceller {
            // At the best of all delays a vowel is like some other vowel now and then.
            Canceller::Off | Canceller::Searching => delay.is_some(),
            Canceller::Converged => self.leaves_nothing(frame) || is_lost(frame),
        };
        if is_own { EchoVerdict::Certain } else { EchoVerdict::Likely }
    }

    /// Whether what is left is no more than what cancelling leaves of echo alone.
    fn leaves_nothing(&self, frame: &FrameFeatures) -> bool {
        let usual_db = self.usual_db.unwrap_or(0.0);
        frame.level_dbfs < FAINT_DBFS || attenuation_db(frame) > usual_db - SHORTFALL_DB
    }

    /// Whether the microphone's sound began just now.
    fn follow_sound(&mut self, frame: &FrameFeatures) -> bool {
        // What is left counts: a voice over an echo that is taken away is a new sound.
        let level_dbfs = frame.level_dbfs.max(FLOOR_MIN_DBFS);
        let sounds = level_dbfs > self.floor_dbfs + SOUND_OVER_FLOOR_DB;
        self.floor_dbfs = level_dbfs.min(self.floor_dbfs + FLOOR_RISE_DB);
        let Sound { frames, quiet_frames } = self.sound;
        self.sound = match (sounds, quiet_frames) {
            (true, _) => Sound { frames: frames.saturating_add(1), quiet_frames: 0 },
            (false, GAP_FRAMES) => Sound { frames: 0, quiet_frames },
            (false, _) => Sound { frames, quiet_frames: quiet_frames + 1 },
        };
        let new_frames = match frame.echo.delay {
            Some(_) => NEW_FRAMES,
            None => NEW_FRAMES_UNKNOWN,
        };
        sounds && self.sound.frames <= new_frames
    }
}

fn is_audible(echo: &EchoEvidence) -> bool {
    echo.reference_dbfs >= AUDIBLE_DBFS
}

/// How much less is left than was picked up.
fn attenuation_db(frame: &FrameFeatures) -> f32 {
    (frame.echo.captured_dbfs - frame.level_dbfs).clamp(0.0, 40.0)
}

/// Whether the canceller leaves much more than what was sent does not explain.
fn is_lost(frame: &FrameFeatures) -> bool {
    let likeness = frame.echo.likeness;
    let explained_db = (-10.0 * (1.0 - likeness).max(1e-3).log10()).min(EXPLAINED_DB_MAX);
    likeness >= LOST_LIKENESS && attenuation_db(frame) < explained_db - LOST_DB
}

#[cfg(test)]
mod tests;
