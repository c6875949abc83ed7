//! From 20 ms of decoded audio to what the call and the backend are given.

use std::time::Duration;

use crate::call::event::{Canceller, EchoEvidence};
use crate::dsp::denoise::Denoiser;
use crate::dsp::echo::{Echo, EchoCanceller, EchoMode, EchoState};
use crate::dsp::g711::i16_from_f32;
use crate::dsp::level;
use crate::dsp::pitch::PitchTracker;
use crate::dsp::resample::Resampler;
use crate::dsp::vad::{VoiceDetector, VoiceModel};
use crate::limits::{WIDEBAND_FRAME, WIDEBAND_HZ};
use crate::media::frame::PcmFrame;
use crate::media::uplink::UplinkSettings;
use crate::time::SessionTime;

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
    pub(super) echo: EchoEvidence,
    /// Fundamental frequency where it is voiced.
    pub(super) pitch_hz: Option<f32>,
}

/// The stages between decoder and features.
///
/// ```text
/// decoded -> 16 kHz -> echo -> 16 or 48 kHz -> noise -> 16 kHz -> voice, backend
/// decoded -------------------> 16 or 48 kHz -> noise -> 16 kHz -> voice, backend    (echo off)
/// ```
///
/// The canceller comes first: it needs the echo as the room made it, which noise suppression, whose
/// gains change with every frame, would bend beyond what a filter can follow. It works at 16 kHz, so
/// where it may run at all everything passes there: a path that changed its rate within a call would
/// click. The network for noise is then given nothing above 8 kHz, which its output never had anyway.
#[derive(Debug)]
pub(super) struct Chain<V> {
    echo: Option<EchoStage>,
    to_denoiser: Resampler,
    denoiser: Denoiser,
    detector: VoiceDetector<V>,
    pitch: PitchTracker,
    /// Frames of digital silence up to now.
    silent_frames: u32,
    resampled: Vec<f32>,
    wideband: Vec<f32>,
}

/// The canceller and the ways to its rate.
#[derive(Debug)]
struct EchoStage {
    canceller: Box<EchoCanceller>,
    heard_to_wideband: Resampler,
    sent_to_wideband: Resampler,
    /// Frames of digital silence sent up to now; after the second the converter holds nothing else.
    silent_frames: u32,
    wideband: Vec<f32>,
}

impl<V: VoiceModel> Chain<V> {
    /// A chain for frames at `decode_rate_hz`: 8 000, 16 000 or 48 000, and what was sent at
    /// `encode_rate_hz`.
    pub(super) fn new(
        settings: &UplinkSettings,
        decode_rate_hz: u32,
        encode_rate_hz: u32,
        voice: V,
    ) -> Self {
        let echo = (settings.echo != EchoMode::Off)
            .then(|| EchoStage::new(settings.echo, decode_rate_hz, encode_rate_hz));
        let rate_hz = if echo.is_some() { WIDEBAND_HZ } else { decode_rate_hz };
        Self {
            echo,
            to_denoiser: converter(rate_hz, settings.noise.input_rate_hz()),
            denoiser: Denoiser::new(settings.noise),
            detector: VoiceDetector::new(voice),
            pitch: PitchTracker::new(),
            silent_frames: 0,
            resampled: Vec::new(),
            wideband: Vec::with_capacity(2 * WIDEBAND_FRAME),
        }
    }

    /// Takes the 20 ms up to `at`, at the decode rate. `dictated` stands in for the model's probability of
    /// voice.
    pub(super) fn step(
        &mut self,
        at: SessionTime,
        frame: &mut [f32],
        dictated: Option<f32>,
    ) -> Judged {
        if !level::energy(frame).is_finite() {
            // The filters and the voice model would never recover from not-a-number.
            frame.fill(0.0);
        }
        self.resampled.clear();
        let echo = match &mut self.echo {
            Some(stage) => {
                let (echo, cancelled) = stage.step(at, frame);
                self.to_denoiser.step(cancelled, &mut self.resampled);
                echo
            }
            None => {
                self.to_denoiser.step(frame, &mut self.resampled);
                EchoEvidence::NONE
            }
        };
        self.wideband.clear();
        self.denoiser.step(&self.resampled, &mut self.wideband);
        self.wideband.resize(WIDEBAND_FRAME, 0.0);
        let voice = dictated.unwrap_or_else(|| self.judge_voice());
        Judged {
            voice,
            pitch_hz: self.find_pitch(voice),
            level_dbfs: level::rms_dbfs(&self.wideband),
            pcm: PcmFrame(std::array::from_fn(|n| i16_from_f32(self.wideband[n]))),
            echo,
        }
    }

    /// The 20 ms from `at` on, at the encode rate, are being sent.
    pub(super) fn handle_sent(&mut self, at: SessionTime, frame: &[f32]) {
        if let Some(stage) = &mut self.echo {
            stage.handle_sent(at, frame);
        }
    }

    /// How long what is sent probably takes to come back as an echo.
    pub(super) fn expect_echo_delay(&mut self, delay: Duration) {
        if let Some(stage) = &mut self.echo {
            stage.canceller.expect_delay(samples(delay));
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

impl EchoStage {
    fn new(mode: EchoMode, decode_rate_hz: u32, encode_rate_hz: u32) -> Self {
        Self {
            canceller: Box::new(EchoCanceller::new(mode)),
            heard_to_wideband: converter(decode_rate_hz, WIDEBAND_HZ),
            sent_to_wideband: converter(encode_rate_hz, WIDEBAND_HZ),
            silent_frames: 0,
            wideband: Vec::with_capacity(2 * WIDEBAND_FRAME),
        }
    }

    /// Takes the echo out of the 20 ms up to `at`.
    fn step(&mut self, at: SessionTime, frame: &[f32]) -> (EchoEvidence, &[f32]) {
        self.wideband.clear();
        self.heard_to_wideband.step(frame, &mut self.wideband);
        self.wideband.resize(WIDEBAND_FRAME, 0.0);
        let start = position(at) - WIDEBAND_FRAME as i64;
        let cancelled = self.wideband.first_chunk_mut().expect("it has just that length");
        let echo = self.canceller.step(start, cancelled);
        (evidence(&echo), &self.wideband)
    }

    fn handle_sent(&mut self, at: SessionTime, frame: &[f32]) {
        let is_silent = frame.iter().all(|sample| *sample == 0.0);
        self.silent_frames = if is_silent { self.silent_frames.saturating_add(1) } else { 0 };
        let mut sent = [0.0; WIDEBAND_FRAME];
        if self.silent_frames < 2 {
            self.wideband.clear();
            self.sent_to_wideband.step(frame, &mut self.wideband);
            for (sent, sample) in sent.iter_mut().zip(&self.wideband) {
                *sent = *sample;
            }
        }
        self.canceller.push_sent(position(at), &sent);
    }
}

fn converter(from_hz: u32, to_hz: u32) -> Resampler {
    Resampler::new(from_hz, to_hz).expect("codecs run at rates that can be converted")
}

/// The first sample at 16 kHz from a time on; one clock for what is sent and what is heard.
fn position(at: SessionTime) -> i64 {
    i64::from(WIDEBAND_HZ / 1_000) * at.as_micros() as i64 / 1_000
}

fn samples(duration: Duration) -> u32 {
    // The cast saturates; the canceller has its own bound.
    (duration.as_secs_f64() * f64::from(WIDEBAND_HZ)) as u32
}

fn evidence(echo: &Echo) -> EchoEvidence {
    let delay = |samples: u32| Duration::from_secs(1) * samples / WIDEBAND_HZ;
    EchoEvidence {
        reference_dbfs: echo.reference_dbfs,
        captured_dbfs: echo.captured_dbfs,
        likeness: echo.likeness,
        delay: echo.delay_samples.map(delay),
        canceller: match echo.state {
            EchoState::Off => Canceller::Off,
            EchoState::Searching => Canceller::Searching,
            EchoState::Converged => Canceller::Converged,
        },
    }
}
