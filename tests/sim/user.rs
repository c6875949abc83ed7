//! The simulated user's microphone: packets of PCM whose every frame with sound says which one it is.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use antiphon::dsp::vad::{VoiceModel, WINDOW_SAMPLES};
use antiphon::limits::WIDEBAND_FRAME;
use antiphon::time::SessionTime;

use crate::room::Air;
use crate::sound::{self, MARK_SAMPLES, Mark, NOISE, USER_VOICE};

/// Frames that can be told apart: eleven minutes of them.
const FRAMES_MAX: u32 = 1 << 15;
/// The bit of a mark's number that says that the user spoke.
const SPOKEN: u16 = 1 << 15;

/// What the user does for 20 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sound {
    #[default]
    Silence,
    /// Words.
    Speech,
    /// "Mhm": a voice, lower.
    Hum,
    /// A cough, a click, a key pressed.
    Burst,
}

/// One packet as the user sent it.
#[derive(Clone, Debug)]
pub(crate) struct UserPacket {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) payload: Vec<u8>,
}

/// One frame that was recognised by its mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserFrame {
    /// Counted from 0, sent or not.
    pub(crate) number: u32,
    /// The user spoke in it.
    pub(crate) is_spoken: bool,
}

/// A microphone that is always open.
#[derive(Clone, Debug)]
pub(crate) struct Microphone {
    frames: u32,
    spoken: u32,
    first_sequence: u16,
}

impl Microphone {
    pub(crate) const fn new(first_sequence: u16) -> Self {
        Self { frames: 0, spoken: 0, first_sequence }
    }

    /// The 20 ms before `now`.
    pub(crate) fn record(&mut self, now: SessionTime, sound: Sound, air: &Air) -> UserPacket {
        let mut mix = [0.0; WIDEBAND_FRAME];
        let start = self.frames as usize * WIDEBAND_FRAME;
        match sound {
            Sound::Silence => {}
            Sound::Speech => sound::add(&mut mix, &USER_VOICE, start, 1.0),
            Sound::Hum => sound::add(&mut mix, &USER_VOICE, start, 0.3),
            Sound::Burst => sound::add(&mut mix, &NOISE, start, 1.5),
        }
        air.add(now, &mut mix);
        let mut pcm = mix.map(sound::pcm_of);
        let is_spoken = sound != Sound::Silence;
        self.spoken += u32::from(is_spoken);
        // Digital silence stays what it is; it has no name.
        if pcm.iter().any(|sample| *sample != 0) {
            assert!(self.frames < FRAMES_MAX, "longer calls need longer marks");
            let number = self.frames as u16 | if is_spoken { SPOKEN } else { 0 };
            Mark { tag: Mark::USER, number }.put(&mut pcm);
        }
        let mut payload = Vec::with_capacity(2 * WIDEBAND_FRAME);
        pcm.iter().for_each(|sample| payload.extend_from_slice(&sample.to_le_bytes()));
        let sequence = self.first_sequence.wrapping_add(self.frames as u16);
        let timestamp = self.frames.wrapping_mul(WIDEBAND_FRAME as u32);
        self.frames += 1;
        UserPacket { sequence, timestamp, payload }
    }

    /// Frames so far.
    pub(crate) const fn frames(&self) -> u32 {
        self.frames
    }

    /// Frames in which the user made a sound, so far.
    pub(crate) const fn spoken(&self) -> u32 {
        self.spoken
    }
}

/// Which frame of the user's this is, if it is a whole one with sound.
pub(crate) fn user_frame(samples: impl ExactSizeIterator<Item = i16>) -> Option<UserFrame> {
    let (_, Mark { tag, number }) = Mark::find(samples)?;
    let frame = || UserFrame { number: (number & !SPOKEN).into(), is_spoken: number & SPOKEN != 0 };
    (tag == Mark::USER).then(frame)
}

/// A frame of the user's that came through the agent's uplink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tapped {
    pub(crate) frame: UserFrame,
    /// Up to 32 ms late: a detector window was waited for.
    pub(crate) at: SessionTime,
    pub(crate) is_muted: bool,
    /// It was heard while muted or just after, and may be older than that.
    pub(crate) may_be_muted: bool,
}

/// How late a frame is tapped at most: a detector window and a frame.
const LATE_MAX: Duration = Duration::from_millis(52);

/// What is known of the uplink from its inside, where the voice model sits.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    pub(crate) now: SessionTime,
    pub(crate) is_muted: bool,
    /// When that was last changed.
    pub(crate) muted_at: SessionTime,
    pub(crate) frames: Vec<Tapped>,
}

/// A voice model that takes loud for speech, and notes which frames it was given: those are the frames
/// that the conversation decided on. What lies before it (network, jitter buffer) may lose some.
///
/// It cannot tell the user's voice from an echo of the agent's, as a trained one cannot either: that is
/// the work of the canceller and the echo gate.
#[derive(Debug, Default)]
pub(crate) struct LevelVoice {
    tap: Rc<RefCell<Tap>>,
    /// The end of the last window, in which a mark may have begun.
    tail: Vec<i16>,
}

impl LevelVoice {
    pub(crate) fn new(tap: Rc<RefCell<Tap>>) -> Self {
        Self { tap, tail: Vec::new() }
    }

    fn note_marks(&mut self, window: &[f32; WINDOW_SAMPLES]) {
        let samples = window.iter().copied().map(sound::pcm_of);
        self.tail.extend(samples);
        let mut from = 0;
        while let Some((start, mark)) = Mark::find(self.tail[from..].iter().copied()) {
            from += start + MARK_SAMPLES;
            if mark.tag == Mark::USER {
                let number = u32::from(mark.number & !SPOKEN);
                let frame = UserFrame { number, is_spoken: mark.number & SPOKEN != 0 };
                let mut tap = self.tap.borrow_mut();
                let (at, is_muted) = (tap.now, tap.is_muted);
                let may_be_muted = is_muted || at.since(tap.muted_at) < LATE_MAX;
                tap.frames.push(Tapped { frame, at, is_muted, may_be_muted });
            }
        }
        let kept = from.max(self.tail.len().saturating_sub(MARK_SAMPLES - 1));
        self.tail.drain(..kept);
    }
}

impl VoiceModel for LevelVoice {
    fn step(&mut self, window: &[f32; WINDOW_SAMPLES]) -> f32 {
        let power = window.iter().map(|sample| sample * sample).sum::<f32>();
        if power == 0.0 {
            self.tail.clear();
            return 0.02;
        }
        self.note_marks(window);
        if power / WINDOW_SAMPLES as f32 > 1e-4 { 0.95 } else { 0.02 }
    }

    fn reset(&mut self) {
        self.tail.clear();
    }
}
