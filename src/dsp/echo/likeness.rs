//! How much of the microphone a linear echo path at a given lag explains: the magnitude-squared
//! coherence of the last 120 ms, weighted by the microphone's energy.
//!
//! ```text
//! C = sum over bins of |Sxy|^2 / Sxx   /   sum over bins of Syy
//! ```
//!
//! Each bin has a gain of its own, so neither the room nor the loudspeaker lowers it much; another voice
//! does, by its share of the energy. With so few frames two unrelated signals have a coherence above 0;
//! that much is taken off.

use super::delay::HOP;
use super::reference::Reference;
use super::spectrum::{BINS, Fft, LENGTH, Spectrum};

/// Frames that are compared.
const FRAMES: usize = 6;
/// Samples of one of them: 40 ms, each half of which is in the next one too.
const WINDOW: usize = 2 * HOP;
/// The coherence of unrelated speech over as many frames.
const CHANCE: f32 = 0.35;
/// Power per bin below which the reference is silence: what it cannot have caused is not explained.
const FLOOR: f32 = 1e-6;

#[derive(Debug)]
pub(super) struct Likeness {
    fft: Fft,
    window: [f32; WINDOW],
    /// The microphone's last samples.
    history: [f32; WINDOW],
    /// Its last spectra, oldest first.
    heard: [Spectrum; FRAMES],
    /// What was sent `lag` before each of them.
    sent: [Spectrum; FRAMES],
    /// The lag of `sent`, if that is complete.
    lag: Option<usize>,
    was_asked: bool,
    next: Option<i64>,
}

impl Likeness {
    pub(super) fn new() -> Self {
        let angle = |n: usize| (n as f32 + 0.5) / WINDOW as f32 * std::f32::consts::TAU;
        Self {
            fft: Fft::new(),
            window: std::array::from_fn(|n| 0.5 - 0.5 * angle(n).cos()),
            history: [0.0; WINDOW],
            heard: [Spectrum::ZERO; FRAMES],
            sent: [Spectrum::ZERO; FRAMES],
            lag: None,
            was_asked: false,
            next: None,
        }
    }

    /// Takes the microphone's frame from `at` on, at 4 kHz.
    pub(super) fn hear(&mut self, at: i64, capture: &[f32; HOP]) {
        if self.next != Some(at) {
            self.history.fill(0.0);
            self.heard.fill(Spectrum::ZERO);
        }
        if self.next != Some(at) || !self.was_asked {
            self.lag = None;
        }
        self.was_asked = false;
        self.next = Some(at + HOP as i64);
        self.history.copy_within(HOP.., 0);
        self.history[WINDOW - HOP..].copy_from_slice(capture);
        self.heard.rotate_left(1);
        self.heard[FRAMES - 1] = self.spectrum(&self.history.clone());
        self.sent.rotate_left(1);
        self.sent[FRAMES - 1] = Spectrum::ZERO;
    }

    /// The likeness, 0 to 1, to what was sent `lag` samples before.
    pub(super) fn at_lag(&mut self, lag: usize, reference: &Reference) -> f32 {
        let Some(next) = self.next else { return 0.0 };
        // At a lag that was asked for in the last frame too, only the newest is missing.
        let first = if self.lag == Some(lag) { FRAMES - 1 } else { 0 };
        (self.lag, self.was_asked) = (Some(lag), true);
        for index in first..FRAMES {
            let age = ((FRAMES - 1 - index) * HOP) as i64;
            let mut samples = [0.0; WINDOW];
            reference.read_band(next - age - lag as i64 - WINDOW as i64, &mut samples);
            self.sent[index] = self.spectrum(&samples);
        }
        self.coherence()
    }

    fn coherence(&self) -> f32 {
        let (mut explained, mut all) = (0.0, 0.0);
        for bin in 0..BINS {
            let (mut re, mut im, mut sent_power, mut heard_power) = (0.0, 0.0, 0.0, 0.0);
            for (sent, heard) in self.sent.iter().zip(&self.heard) {
                let (sent_re, sent_im) = (sent.re[bin], sent.im[bin]);
                let (heard_re, heard_im) = (heard.re[bin], heard.im[bin]);
                re += sent_re * heard_re + sent_im * heard_im;
                im += sent_re * heard_im - sent_im * heard_re;
                sent_power += sent_re * sent_re + sent_im * sent_im;
                heard_power += heard_re * heard_re + heard_im * heard_im;
            }
            explained += (re * re + im * im) / (sent_power + FLOOR);
            all += heard_power;
        }
        let coherence = explained / (all + FLOOR);
        ((coherence - CHANCE) / (1.0 - CHANCE)).clamp(0.0, 1.0)
    }

    fn spectrum(&mut self, samples: &[f32; WINDOW]) -> Spectrum {
        let mut windowed = [0.0; LENGTH];
        for (n, windowed) in windowed[..WINDOW].iter_mut().enumerate() {
            *windowed = samples[n] * self.window[n];
        }
        self.fft.forward(&windowed)
    }
}
