//! From 20 ms of decoded audio to what the call and the backend are given.

use crate::dsp::denoise::{DenoiseMode, Denoiser};
use crate::dsp::g711::i16_from_f32;
use crate::dsp::level;
use crate::dsp::pitch::PitchTracker;
use crate::dsp::resample::Resampler;
use crate::dsp::vad::{VoiceDetector, VoiceModel};
use crate::limits::WIDEBAND_FRAME;
use crate::media::frame::PcmFrame;

/// After this many frames of digital silence (200 ms) the voice model is no longer asked: there is
/// nothing to judge, and judging it costs as much as speech.
const SILENT_FRAMES_MAX: u32 = 10;

/// Below this probability of speech no pitch is looked for. Low, since the probability lags behind.
const PITCH_VOICE_MIN: f32 = 0.2;

/// One frame, judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) pcm: PcmFrame,
    /// Probability of speech, 0 to 1.
    pub(super) voice: f32,
    pub(super) level_dbfs: f32,
    /// Fundamental frequency where it is voiced.
    pub(super) pitch_hz: Option<f32>,
}

/// The stages between decoder and features.
#[derive(Debug)]
pub(super) struct Chain<V> {
    to_denoiser: Resampler,
    denoiser: Denoiser,
    detector: VoiceDetector<V>,
    pitch: PitchTracker,
    /// Frames of digital silence up to now.
    silent_frames: u32,
    resampled: Vec<f32>,
    wideband: Vec<f32>,
}

impl<V: VoiceModel> Chain<V> {
    /// A chain for frames at `decode_rate_hz`: 8 000, 16 000 or 48 000.
    pub(super) fn new(decode_rate_hz: u32, noise: DenoiseMode, voice: V) -> Self {
        let to_denoiser = Resampler::new(decode_rate_hz, noise.input_rate_hz())
            .expect("codecs decode to rates that can be converted");
        Self {
            to_denoiser,
            denoiser: Denoiser::new(noise),
            detector: VoiceDetector::new(voice),
            pitch: PitchTracker::new(),
            silent_frames: 0,
            resampled: Vec::new(),
            wideband: Vec::with_capacity(2 * WIDEBAND_FRAME),
        }
    }

    /// Takes 20 ms at the decode rate.
    pub(super) fn step(&mut self, frame: &mut [f32]) -> Judged {
        if !level::energy(frame).is_finite() {
            // The filters and the voice model would never recover from not-a-number.
            frame.fill(0.0);
        }
        self.resampled.clear();
        self.to_denoiser.step(frame, &mut self.resampled);
        // Echo cancellation belongs here: it needs the echo as the room made it, before noise
        // suppression bends it.
        self.wideband.clear();
        self.denoiser.step(&self.resampled, &mut self.wideband);
        self.wideband.resize(WIDEBAND_FRAME, 0.0);
        let voice = self.judge_voice();
        Judged {
            voice,
            pitch_hz: self.find_pitch(voice),
            level_dbfs: level::rms_dbfs(&self.wideband),
            pcm: PcmFrame(std::array::from_fn(|n| i16_from_f32(self.wideband[n]))),
        }
    }

    fn find_pitch(&mut self, voice: f32) -> Option<f32> {
        if voice < PITCH_VOICE_MIN {
            self.pitch.reset();
            return None;
        }
        self.pitch.step(&self.wideband)
    }

    fn judge_voice(&mut self) -> f32 {
        if self.wideband.iter().any(|sample| *sample != 0.0) {
            self.silent_frames = 0;
        } else {
            self.silent_frames = self.silent_frames.saturating_add(1);
        }
        if self.silent_frames == SILENT_FRAMES_MAX {
            self.detector.reset();
        } else if self.silent_frames < SILENT_FRAMES_MAX {
            self.detector.step(&self.wideband);
        }
        self.detector.probability()
    }
}
