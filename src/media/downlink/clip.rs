//! Audio that the server has by itself: played ahead of the reply, and of no reply.
//!
//! ```text
//!   Clip --> Sounding --its last sample--> (none)
//!              ^  | Pause             Flush, at any time --> (none)
//!       Resume |  v
//!             Paused (its last frame, faded, is put back)
//! ```

use std::fmt;
use std::sync::Arc;

use super::source::Source;
use super::{REPLY_RATES_HZ, fade};
use crate::call::event::Clip;
use crate::limits::{CLIP_MS_MAX, FRAME_MS};

/// One recording, shared by every call that may play it.
#[derive(Clone, PartialEq, Eq)]
pub struct ClipAudio {
    sample_rate_hz: u32,
    pcm: Arc<[i16]>,
}

/// Why a recording cannot be a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClipRefused {
    /// Its rate is not one of [`REPLY_RATES_HZ`].
    #[error("expected 8000, 16000, 24000 or 48000 Hz, received {0} Hz")]
    BadRate(u32),
    /// It is longer than [`CLIP_MS_MAX`].
    #[error("expected at most {CLIP_MS_MAX} ms, received {0} ms")]
    TooLong(u64),
    /// It has no samples.
    #[error("it is empty")]
    Empty,
}

impl ClipAudio {
    /// A recording: mono, signed 16 bit, at one of [`REPLY_RATES_HZ`], at most [`CLIP_MS_MAX`] long.
    pub fn new(sample_rate_hz: u32, pcm: &[i16]) -> Result<Self, ClipRefused> {
        if !REPLY_RATES_HZ.contains(&sample_rate_hz) {
            return Err(ClipRefused::BadRate(sample_rate_hz));
        }
        let ms = pcm.len() as u64 * 1_000 / u64::from(sample_rate_hz);
        match pcm.len() {
            0 => Err(ClipRefused::Empty),
            _ if ms > u64::from(CLIP_MS_MAX) => Err(ClipRefused::TooLong(ms)),
            _ => Ok(Self { sample_rate_hz, pcm: pcm.into() }),
        }
    }
}

impl ClipAudio {
    /// Its rate.
    pub const fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Its samples.
    pub fn pcm(&self) -> &[i16] {
        &self.pcm
    }
}

impl fmt::Debug for ClipAudio {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ClipAudio({} samples at {} Hz)", self.pcm.len(), self.sample_rate_hz)
    }
}

/// The clips that a call has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clips {
    /// For [`Clip::Filler`]; default none.
    pub filler: Option<ClipAudio>,
    /// For [`Clip::Apology`]; default none.
    pub apology: Option<ClipAudio>,
}

impl Clips {
    const fn audio(&self, clip: Clip) -> Option<&ClipAudio> {
        match clip {
            Clip::Filler => self.filler.as_ref(),
            Clip::Apology => self.apology.as_ref(),
        }
    }
}

/// What plays the clips of one call.
#[derive(Debug)]
pub(super) struct ClipPlayer {
    clips: Clips,
    source: Source,
    playing: Option<Playing>,
}

#[derive(Debug)]
struct Playing {
    clip: Clip,
    audio: ClipAudio,
    /// Samples given to the source.
    given: usize,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The next frame rises from silence over so many samples.
    Rising(usize),
    Sounding,
    /// The next frame fades out and is put back.
    Pausing,
    Paused,
}

impl ClipPlayer {
    pub(super) fn new(clips: Clips, codec_rate_hz: u32) -> Self {
        Self { clips, source: Source::new(codec_rate_hz), playing: None }
    }

    /// Whether a clip has the slots now, held or not.
    pub(super) const fn is_playing(&self) -> bool {
        self.playing.is_some()
    }

    /// Whether the next frame rises from silence.
    pub(super) fn begins(&self) -> bool {
        self.playing.as_ref().is_some_and(|playing| matches!(playing.phase, Phase::Rising(_)))
    }

    /// Whether there is anything to play for `clip` that is not being played.
    pub(super) fn would_start(&self, clip: Clip) -> bool {
        let is_same = self.playing.as_ref().is_some_and(|playing| playing.clip == clip);
        self.clips.audio(clip).is_some() && !is_same
    }

    /// Begins a clip, in place of one that is being played. It rises over `edge` samples.
    pub(super) fn start(&mut self, clip: Clip, edge: usize, held: bool) {
        let Some(audio) = self.clips.audio(clip).cloned() else { return };
        self.source.clear();
        let phase = if held { Phase::Paused } else { Phase::Rising(edge) };
        self.playing = Some(Playing { clip, audio, given: 0, phase });
    }

    pub(super) fn pause(&mut self) {
        if let Some(playing) = &mut self.playing {
            playing.phase = match playing.phase {
                Phase::Sounding | Phase::Pausing => Phase::Pausing,
                Phase::Rising(_) | Phase::Paused => Phase::Paused,
            };
        }
    }

    /// Goes on, rising over `rise` samples.
    pub(super) fn resume(&mut self, rise: usize) {
        if let Some(playing) = &mut self.playing {
            playing.phase = match playing.phase {
                // The fade had not begun.
                Phase::Pausing => Phase::Sounding,
                Phase::Paused => Phase::Rising(rise),
                phase @ (Phase::Rising(_) | Phase::Sounding) => phase,
            };
        }
    }

    /// Ends the clip. If it sounds, its last frame, faded out, is put into `farewell`: then true.
    pub(super) fn flush(&mut self, farewell: &mut [f32], before: &[f32]) -> bool {
        let sounds = self
            .playing
            .as_ref()
            .is_some_and(|playing| matches!(playing.phase, Phase::Sounding | Phase::Pausing));
        if sounds {
            let (count, _) = self.take(farewell);
            let length = farewell.len();
            fade::end(farewell, count, before, before.len(), length);
        }
        self.playing = None;
        self.source.clear();
        sounds
    }

    /// Makes the clip's next frame. `before` is the end of the frame before it.
    pub(super) fn step(&mut self, frame: &mut [f32], before: &[f32]) {
        let Some(phase) = self.playing.as_ref().map(|playing| playing.phase) else { return };
        let edge = before.len();
        match phase {
            Phase::Paused => frame.fill(0.0),
            Phase::Pausing => {
                let (count, _) = self.take(frame);
                let length = frame.len();
                fade::end(frame, count, before, edge, length);
                self.source.put_back(count);
                self.enter(Phase::Paused);
            }
            Phase::Sounding | Phase::Rising(_) => {
                let (count, is_last) = self.take(frame);
                if let Phase::Rising(rise) = phase {
                    fade::fade_in(&mut frame[..count], rise);
                }
                self.enter(Phase::Sounding);
                if is_last {
                    // Even where the last frame is a whole one: it may end in the middle of a wave.
                    fade::end(frame, count, before, edge, edge);
                    self.playing = None;
                    self.source.clear();
                }
            }
        }
    }

    fn enter(&mut self, phase: Phase) {
        if let Some(playing) = &mut self.playing {
            playing.phase = phase;
        }
    }

    /// Takes a frame of the clip. Says how many samples there were, and whether they are its last.
    fn take(&mut self, frame: &mut [f32]) -> (usize, bool) {
        let Some(playing) = &mut self.playing else { return (0, true) };
        let rate_hz = playing.audio.sample_rate_hz;
        // A frame at a time, so that no call has a copy of the whole; one more fills the converter.
        let step = (rate_hz / 1_000 * FRAME_MS) as usize;
        let frame_ms = u128::from(FRAME_MS);
        while self.source.queued().as_millis() < 2 * frame_ms
            && playing.given < playing.audio.pcm.len()
        {
            let end = (playing.given + step).min(playing.audio.pcm.len());
            self.source.push(rate_hz, &playing.audio.pcm[playing.given..end]);
            playing.given = end;
        }
        let all_given = playing.given == playing.audio.pcm.len();
        let count = self.source.take(frame, all_given);
        (count, all_given && self.source.is_empty())
    }
}
