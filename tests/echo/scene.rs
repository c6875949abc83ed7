//! A canceller, a gate and a room between them, frame by frame.

use antiphon::call::echo_gate::EchoGate;
use antiphon::call::event::{Canceller, EchoEvidence, EchoVerdict, FrameFeatures};
use antiphon::dsp::echo::{Echo, EchoCanceller, EchoMode, EchoState};
use antiphon::dsp::level;
use antiphon::limits::{FRAME_MS, WIDEBAND_FRAME};
use antiphon::time::SessionTime;
use std::time::Duration;

use crate::room::{Random, Room};

/// One frame of a scene, and what was made of it.
pub(crate) struct Outcome {
    pub(crate) at_ms: u64,
    /// Level of the near speech in it.
    pub(crate) near_dbfs: f32,
    /// Level of the echo in it.
    pub(crate) echo_dbfs: f32,
    pub(crate) captured: [f32; WIDEBAND_FRAME],
    pub(crate) cancelled: [f32; WIDEBAND_FRAME],
    pub(crate) echo: Echo,
    pub(crate) verdict: EchoVerdict,
}

impl Outcome {
    pub(crate) fn attenuation_db(&self) -> f32 {
        level::rms_dbfs(&self.captured) - level::rms_dbfs(&self.cancelled)
    }
}

/// What the agent says, who speaks, and the way between loudspeaker and microphone.
pub(crate) struct Scene {
    pub(crate) mode: EchoMode,
    pub(crate) sent: Vec<f32>,
    /// What the loudspeaker is given, where that is not what was sent (a codec lies between).
    pub(crate) played: Option<Vec<f32>>,
    pub(crate) near: Vec<f32>,
    /// `None`: the client cancels.
    pub(crate) room: Option<Room>,
    /// From sending to hearing in ms, by time in ms.
    pub(crate) delay_ms: Box<dyn Fn(u64) -> f32>,
    pub(crate) noise_dbfs: f32,
}

impl Scene {
    pub(crate) fn new(sent: Vec<f32>, echo_db: f32, delay_ms: f32) -> Self {
        Self {
            mode: EchoMode::Auto,
            sent,
            played: None,
            near: Vec::new(),
            room: Some(Room::new(7, echo_db)),
            delay_ms: Box::new(move |_| delay_ms),
            noise_dbfs: -65.0,
        }
    }

    /// The microphone: echo, near speech and noise, and the levels of the first two, by frame.
    pub(crate) fn microphone(&self) -> (Vec<f32>, Vec<(f32, f32)>) {
        let mut random = Random::new(99);
        let noise = level::amplitude_from_dbfs(self.noise_dbfs) * 3.0_f32.sqrt();
        let played = self.played.as_ref().unwrap_or(&self.sent);
        let (mut mic, mut levels) = (Vec::new(), Vec::new());
        for frame in 0..self.sent.len() / WIDEBAND_FRAME {
            let delay = ((self.delay_ms)(frame as u64 * u64::from(FRAME_MS)) * 16.0) as i64;
            let (mut near, mut echo) = ([0.0; WIDEBAND_FRAME], [0.0; WIDEBAND_FRAME]);
            for n in 0..WIDEBAND_FRAME {
                let at = frame * WIDEBAND_FRAME + n;
                near[n] = self.near.get(at).copied().unwrap_or(0.0);
                echo[n] =
                    self.room.as_ref().map_or(0.0, |room| room.echo(played, at as i64 - delay));
                mic.push((near[n] + echo[n] + noise * random.noise()).clamp(-1.0, 1.0));
            }
            levels.push((level::rms_dbfs(&near), level::rms_dbfs(&echo)));
        }
        (mic, levels)
    }

    pub(crate) fn play(&self) -> Vec<Outcome> {
        let (mic, levels) = self.microphone();
        self.judge(&mic, &levels)
    }

    /// What is made of a microphone that recorded `mic`.
    pub(crate) fn judge(&self, mic: &[f32], levels: &[(f32, f32)]) -> Vec<Outcome> {
        let (mut canceller, mut gate) = (EchoCanceller::new(self.mode), EchoGate::default());
        let sent = self.sent.as_chunks::<WIDEBAND_FRAME>().0;
        let captured = mic.as_chunks::<WIDEBAND_FRAME>().0;
        let mut judge = |index: usize| {
            let at = (index * WIDEBAND_FRAME) as i64;
            canceller.push_sent(at, &sent[index]);
            let mut cancelled = captured[index];
            let echo = canceller.step(at, &mut cancelled);
            let at_ms = index as u64 * u64::from(FRAME_MS);
            let verdict = gate.step(&features(at_ms, &cancelled, &echo));
            let (near_dbfs, echo_dbfs) = levels[index];
            let captured = captured[index];
            Outcome { at_ms, near_dbfs, echo_dbfs, captured, cancelled, echo, verdict }
        };
        (0..levels.len()).map(&mut judge).collect()
    }
}

fn features(at_ms: u64, cancelled: &[f32], echo: &Echo) -> FrameFeatures {
    FrameFeatures {
        at: SessionTime::from_millis(at_ms + u64::from(FRAME_MS)),
        voice: 0.9,
        level_dbfs: level::rms_dbfs(cancelled),
        pitch_hz: None,
        echo: EchoEvidence {
            reference_dbfs: echo.reference_dbfs,
            captured_dbfs: echo.captured_dbfs,
            likeness: echo.likeness,
            delay: echo
                .delay_samples
                .map(|samples| Duration::from_micros(u64::from(samples) * 1_000 / 16)),
            canceller: match echo.state {
                EchoState::Off => Canceller::Off,
                EchoState::Searching => Canceller::Searching,
                EchoState::Converged => Canceller::Converged,
            },
        },
        concealed: false,
    }
}
