//! Echo cancellation against what was sent.
//!
//! ```text
//! sent, at its time ---> reference ring ---- delay ----.
//!                              |   '--> delay estimate ^
//!                              |            ^   '----> likeness, delay -----> Echo
//! microphone -----------------(+)-----------'--------> AEC3 --------> cancelled frame
//! ```
//!
//! The canceller knows to the sample what was sent and when. What it does not know is how long that
//! takes to come back: the network both ways, the client's buffers, the loudspeaker, the room. That
//! delay is measured ([`delay`]) and the reference read so much earlier, so that what AEC3 has to find
//! is always the same few milliseconds, also after a jump.
//!
//! Everything is counted in samples at 16 kHz since the call began, in both directions on one clock.
//! It runs while the agent is audible, and as long after as its echo may last, and only once an echo was
//! found: until AEC3 has learned a room it holds down whatever it hears, a caller in a headset too. At
//! other times the audio passes, as late as it would otherwise (4 ms), so that switching is not heard.
//!
//! Nothing here allocates, except for AEC3 itself: see `tests/allocation.rs`.

mod aec3;
mod decimate;
mod delay;
mod likeness;
mod reference;
mod spectrum;

use crate::dsp::level;
use aec3::Aec3;
use decimate::Decimator;
use delay::{DelayEstimator, HOP, Peak};
use likeness::Likeness;
use reference::Reference;

/// Samples of one frame.
const FRAME_SAMPLES: usize = crate::limits::WIDEBAND_FRAME;
/// From 16 to 4 kHz, where the delay is measured.
const BAND_RATIO: usize = 4;

/// What was sent below this level has no echo that matters.
const AUDIBLE_DBFS: f32 = -60.0;
/// How far back a sound may lie whose echo is still to come, where the delay is not known: 1.04 s.
const REACH_SAMPLES: i64 = 16 * 1_040;
/// How long a room sounds after the direct echo.
const TAIL_SAMPLES: i64 = 16 * 300;

/// A peak this high, and so much higher than any other, is the echo's.
const PEAK_HEIGHT: f32 = 0.4;
const PEAK_OVER_RIVAL: f32 = 1.4;
/// So is one at whose lag the microphone is what was sent, though a pitch period beside it there is
/// another nearly as high; that is near enough for the canceller's filter, and is corrected later.
const LIKE_PEAK_LIKENESS: f32 = 0.75;
const LIKE_PEAK_HEIGHT: f32 = 0.3;
const LIKE_PEAK_OVER_RIVAL: f32 = 1.1;
/// Frames in a row that must agree on a delay before it is believed.
const AGREEING_FRAMES: u32 = 3;
/// Delays within 2 ms (8 samples at 4 kHz) are the same.
const SAME_LAG: usize = 8;
/// The reference is moved for an echo that is off by more: 5 ms, half of what AEC3's filter has to spare.
const REALIGN_SAMPLES: i64 = 16 * 5;

/// Likeness from which a frame shows whether cancelling works, and such frames needed before it is
/// said that it does: at first AEC3 holds everything down, echo or not.
const TELLING_LIKENESS: f32 = 0.6;
const TELLING_FRAMES: u32 = 15;
/// Attenuation of such frames from which it does, and below which it no longer does, in dB.
const CONVERGED_DB: f32 = 10.0;
const LOST_DB: f32 = 4.0;
/// How fast the measured attenuation follows: over 5 frames.
const ATTENUATION_KEPT: f32 = 0.8;

/// Frames in which the agent was audible without an echo after which the client is taken to cancel by
/// itself: 2 s, of which the longest delay is one.
const CLEAN_FRAMES: u32 = 100;

/// When echo is cancelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EchoMode {
    /// From when an echo shows until the client plainly cancels by itself, and again as soon as one shows.
    #[default]
    Auto,
    /// Always while the agent is audible, also before its delay is known.
    On,
    /// Never, and nothing is measured.
    Off,
}

/// How far cancelling is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EchoState {
    /// The agent is inaudible, or the client plainly cancels by itself.
    #[default]
    Off,
    /// It has not found an echo so far, or cannot take it away.
    Searching,
    /// It takes the echo away.
    Converged,
}

/// What is known of the echo in one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Echo {
    /// Level of what was sent, at the delay of the echo and fading like a room; where that delay is not
    /// known, of the loudest frame of the last second. -127 dBFS for nothing.
    pub reference_dbfs: f32,
    /// Level of the microphone before cancelling.
    pub captured_dbfs: f32,
    /// How much of the microphone's sound what was sent explains, 0 to 1.
    pub likeness: f32,
    /// From sending to hearing, in samples at 16 kHz.
    pub delay_samples: Option<u32>,
    /// How far cancelling is.
    pub state: EchoState,
}

impl Echo {
    const NONE: Self = Self {
        reference_dbfs: level::SILENCE_DBFS,
        captured_dbfs: level::SILENCE_DBFS,
        likeness: 0.0,
        delay_samples: None,
        state: EchoState::Off,
    };
}

/// The canceller of one call.
#[derive(Debug)]
pub struct EchoCanceller {
    mode: EchoMode,
    reference: Reference,
    decimator: Decimator,
    estimator: DelayEstimator,
    likeness: Likeness,
    track: Track,
    aec3: Aec3,
    /// How much earlier AEC3's reference is read.
    bulk_samples: i64,
    /// The end of the last frame, for what passes.
    passed: [f32; aec3::DELAY_SAMPLES],
    is_running: bool,
    /// How much of the echo goes away, smoothed, in dB.
    attenuation_db: f32,
    is_converged: bool,
    /// Telling frames since the reference was aligned to a measured delay.
    telling_frames: u32,
    clean_frames: u32,
}

/// The delay that is believed, and the one that may be believed next; samples at 4 kHz.
#[derive(Clone, Copy, Debug, Default)]
struct Track {
    lag: Option<usize>,
    candidate: usize,
    agreeing: u32,
}

impl Track {
    /// Takes in a peak. Returns whether several in a row show an echo: a single one may be chance.
    fn follow(&mut self, peak: Peak, likeness: f32) -> bool {
        let rises =
            |height, over_rival| peak.height >= height && peak.height >= over_rival * peak.rival;
        let is_like = likeness >= LIKE_PEAK_LIKENESS && self.lag.is_none();
        let is_echo = rises(PEAK_HEIGHT, PEAK_OVER_RIVAL)
            || (is_like && rises(LIKE_PEAK_HEIGHT, LIKE_PEAK_OVER_RIVAL));
        if !is_echo {
            self.agreeing = 0;
            return false;
        }
        let is_same = peak.lag.abs_diff(self.candidate) <= SAME_LAG;
        self.agreeing = if is_same { self.agreeing + 1 } else { 1 };
        self.candidate = peak.lag;
        let is_believed = self.agreeing >= AGREEING_FRAMES;
        if is_believed {
            self.lag = Some(peak.lag);
        }
        is_believed
    }
}

impl EchoCanceller {
    /// A canceller that has heard nothing.
    pub fn new(mode: EchoMode) -> Self {
        Self {
            mode,
            reference: Reference::new(),
            decimator: Decimator::new(),
            estimator: DelayEstimator::new(),
            likeness: Likeness::new(),
            track: Track::default(),
            aec3: Aec3::new(),
            bulk_samples: 0,
            passed: [0.0; aec3::DELAY_SAMPLES],
            is_running: false,
            attenuation_db: 0.0,
            is_converged: false,
            telling_frames: 0,
            clean_frames: 0,
        }
    }

    /// Its mode.
    pub const fn mode(&self) -> EchoMode {
        self.mode
    }

    /// How long echo probably takes, in samples: where to begin with [`EchoMode::On`], which runs before that
    /// is measured.
    pub fn expect_delay(&mut self, delay_samples: u32) {
        if self.track.lag.is_none() {
            let delay_samples = i64::from(delay_samples).min(REACH_SAMPLES);
            self.bulk_samples = (delay_samples - aec3::LEAD_SAMPLES).max(0);
        }
    }

    /// The frame that is sent at `at`, as the far end will hear it; silence too.
    pub fn push_sent(&mut self, at: i64, frame: &[f32; FRAME_SAMPLES]) {
        if self.mode == EchoMode::Off {
            return;
        }
        if level::energy(frame).is_finite() {
            self.reference.write(whole(at), frame);
        } else {
            self.reference.write(whole(at), &[0.0; FRAME_SAMPLES]);
        }
    }

    /// Takes the echo out of the microphone's frame that begins at `at`, and tells what it found.
    pub fn step(&mut self, at: i64, frame: &mut [f32; FRAME_SAMPLES]) -> Echo {
        if self.mode == EchoMode::Off {
            return Echo::NONE;
        }
        if !level::energy(frame).is_finite() {
            frame.fill(0.0);
        }
        let at = whole(at);
        let captured_dbfs = level::rms_dbfs(frame);
        let reference_dbfs = self.reference_dbfs(at);
        if reference_dbfs < AUDIBLE_DBFS {
            self.pass(frame);
            return Echo {
                captured_dbfs,
                reference_dbfs,
                delay_samples: self.delay(),
                ..Echo::NONE
            };
        }
        let likeness = self.measure(at, frame);
        if self.is_client_clean() || !self.may_run() {
            self.pass(frame);
        } else {
            self.cancel(at, frame);
            self.judge(captured_dbfs - level::rms_dbfs(frame), likeness);
        }
        let state = match (self.is_client_clean(), self.is_converged) {
            (true, _) => EchoState::Off,
            (false, false) => EchoState::Searching,
            (false, true) => EchoState::Converged,
        };
        Echo { reference_dbfs, captured_dbfs, likeness, delay_samples: self.delay(), state }
    }

    fn delay(&self) -> Option<u32> {
        self.track.lag.map(|lag| (lag * BAND_RATIO) as u32)
    }

    fn reference_dbfs(&self, at: i64) -> f32 {
        let end = at + FRAME_SAMPLES as i64;
        match self.track.lag {
            Some(lag) if !self.is_client_clean() => {
                self.reference.echo_dbfs(end, (lag * BAND_RATIO) as i64)
            }
            _ => self.reference.recent_dbfs(end, REACH_SAMPLES + TAIL_SAMPLES),
        }
    }

    /// Whether the client cancels by itself, as far as was seen.
    fn is_client_clean(&self) -> bool {
        self.mode == EchoMode::Auto && self.clean_frames >= CLEAN_FRAMES
    }

    /// Whether there is an echo to be taken away, as far as was seen.
    fn may_run(&self) -> bool {
        self.mode == EchoMode::On || self.track.lag.is_some()
    }

    /// Measures delay and likeness.
    fn measure(&mut self, at: i64, frame: &[f32; FRAME_SAMPLES]) -> f32 {
        let mut band = [0.0; HOP];
        self.decimator.step(frame, &mut band);
        let band_at = at / BAND_RATIO as i64;
        self.likeness.hear(band_at, &band);
        let peak = self.estimator.step(band_at, &band, &self.reference);
        let known = self.track.lag;
        let other = peak.map(|peak| peak.lag);
        let other = other.filter(|lag| known.is_none_or(|known| known.abs_diff(*lag) > SAME_LAG));
        let mut likeness = 0.0_f32;
        for lag in [other, known].into_iter().flatten() {
            likeness = likeness.max(self.likeness.at_lag(lag, &self.reference));
        }
        let is_echo = peak.is_some_and(|peak| self.track.follow(peak, likeness));
        self.clean_frames = if is_echo { 0 } else { self.clean_frames.saturating_add(1) };
        likeness
    }

    fn cancel(&mut self, at: i64, frame: &mut [f32; FRAME_SAMPLES]) {
        if let Some(lag) = self.track.lag {
            let bulk = ((lag * BAND_RATIO) as i64 - aec3::LEAD_SAMPLES).max(0);
            if (bulk - self.bulk_samples).abs() > REALIGN_SAMPLES {
                self.bulk_samples = bulk;
            }
        }
        let mut reference = [0.0; FRAME_SAMPLES];
        self.reference.read(at - self.bulk_samples, &mut reference);
        let mut passing = *frame;
        self.delayed(&mut passing);
        self.aec3.step(&reference, frame);
        if !self.is_running {
            self.is_running = true;
            crossfade(&passing, frame);
        }
    }

    /// Lets the frame through, as late as it would be otherwise.
    fn pass(&mut self, frame: &mut [f32; FRAME_SAMPLES]) {
        self.delayed(frame);
        self.is_running = false;
    }

    fn delayed(&mut self, frame: &mut [f32; FRAME_SAMPLES]) {
        frame.rotate_right(aec3::DELAY_SAMPLES);
        frame[..aec3::DELAY_SAMPLES].swap_with_slice(&mut self.passed);
    }

    /// Learns from a frame whether cancelling works.
    fn judge(&mut self, attenuation_db: f32, likeness: f32) {
        if likeness < TELLING_LIKENESS || self.track.lag.is_none() {
            return;
        }
        self.telling_frames = self.telling_frames.saturating_add(1);
        self.attenuation_db +=
            (1.0 - ATTENUATION_KEPT) * (attenuation_db.clamp(0.0, 40.0) - self.attenuation_db);
        if self.attenuation_db >= CONVERGED_DB && self.telling_frames >= TELLING_FRAMES {
            self.is_converged = true;
        } else if self.attenuation_db < LOST_DB {
            self.is_converged = false;
        }
    }
}

/// A position of whole samples at 4 kHz too.
const fn whole(at: i64) -> i64 {
    at - at.rem_euclid(BAND_RATIO as i64)
}

/// From what was heard before to what is heard from now on.
fn crossfade(from: &[f32; FRAME_SAMPLES], to: &mut [f32; FRAME_SAMPLES]) {
    for (n, (from, to)) in from.iter().zip(to).enumerate() {
        let share = n as f32 / FRAME_SAMPLES as f32;
        *to = share * *to + (1.0 - share) * from;
    }
}
