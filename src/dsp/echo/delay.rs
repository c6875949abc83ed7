//! Where in what was sent the microphone is: the lag of their cross-correlation.
//!
//! A correlation over a second of lags, kept up to date frame by frame without ever being computed as
//! a whole. Both signals are whitened at 4 kHz. For each lag of whole frames ("partition") the cross
//! spectrum with the frame sent that long ago is averaged:
//!
//! ```text
//! S[p] = forget * S[p] + conj(X[t - p]) Y[t]        p = 0..52, 20 ms each
//! ```
//!
//! An echo at the lag `20 ms * p + l` adds up in `S[p]` with one sign; everything else adds up like
//! noise. So only the partitions with the most energy are transformed back to find `l`.

use std::collections::VecDeque;

use super::reference::Reference;
use super::spectrum::{BINS, Fft, LENGTH, Spectrum};

/// Samples in one hop, and in one partition: 20 ms at 4 kHz.
pub(super) const HOP: usize = 80;
/// Partitions: delays to 1.04 s. The longest to be covered is 0.9 s.
const PARTITIONS: usize = 52;
/// How much of the past is kept from frame to frame: a memory of about 160 ms. Shorter finds the lag of
/// nothing, longer finds a jump late.
const FORGET: f32 = 0.88;
/// Partitions transformed back for each estimate.
const CANDIDATES: usize = 5;
/// What whitening adds to a bin's power, so that silence stays silence: about -75 dBFS.
const WHITEN_FLOOR: f32 = 1e-6;
/// The energy below which a whitened frame is silence.
const SILENT_ENERGY: f32 = 1.0;
/// How much more energy of the same sound the window of what was sent lets through than the
/// microphone's.
const SENT_OVER_HEARD: f32 = 3.5;
/// Lags this close belong to the same peak: 6 ms, less than a pitch period of most voices.
const PEAK_WIDTH: usize = 24;

/// The best lag of one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Peak {
    /// Samples at 4 kHz.
    pub(super) lag: usize,
    /// The correlation there, 0 to 1.
    pub(super) height: f32,
    /// The highest correlation elsewhere.
    pub(super) rival: f32,
}

#[derive(Debug)]
pub(super) struct DelayEstimator {
    fft: Fft,
    /// Spectra of what was sent, newest first, each over the hop and the two hops before it.
    sent: VecDeque<(Spectrum, f32)>,
    partitions: Vec<Partition>,
    /// The microphone's frame before this one.
    before: [f32; HOP],
    capture_energy: f32,
    windows: Windows,
    sent_powers: Powers,
    capture_powers: Powers,
    /// The position after the last frame, at 4 kHz.
    next: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Partition {
    cross: Spectrum,
    sent_energy: f32,
}

impl DelayEstimator {
    pub(super) fn new() -> Self {
        let empty = Partition { cross: Spectrum::ZERO, sent_energy: 0.0 };
        Self {
            fft: Fft::new(),
            sent: (0..PARTITIONS).map(|_| (Spectrum::ZERO, 0.0)).collect(),
            partitions: vec![empty; PARTITIONS],
            before: [0.0; HOP],
            capture_energy: 0.0,
            windows: Windows::new(),
            sent_powers: Powers::new(),
            capture_powers: Powers::new(),
            next: None,
        }
    }

    /// Takes the microphone's frame from `at` on, at 4 kHz, and answers the lag that explains the last
    /// frames best, if there was anything to explain.
    pub(super) fn step(&mut self, at: i64, capture: &[f32; HOP], sent: &Reference) -> Option<Peak> {
        self.follow_sent(at, sent);
        let mut padded = [0.0; LENGTH];
        padded[HOP..2 * HOP].copy_from_slice(&self.before);
        padded[2 * HOP..].copy_from_slice(capture);
        self.before = *capture;
        apply(&self.windows.heard, &mut padded);
        let mut heard = self.fft.forward(&padded);
        self.capture_powers.whiten(&mut heard);
        let energy = heard.energy();
        self.capture_energy = FORGET * self.capture_energy + energy;
        for (partition, (sent, sent_energy)) in self.partitions.iter_mut().zip(&self.sent) {
            partition.sent_energy = FORGET * partition.sent_energy + sent_energy;
            accumulate(&mut partition.cross, sent, &heard);
        }
        (self.capture_energy > SILENT_ENERGY).then(|| self.peak())
    }

    /// Brings the spectra of what was sent up to the frame from `at` on.
    fn follow_sent(&mut self, at: i64, sent: &Reference) {
        let missing = match self.next {
            Some(next) if at == next => 1,
            _ => {
                let empty = Partition { cross: Spectrum::ZERO, sent_energy: 0.0 };
                self.partitions.fill(empty);
                self.capture_energy = 0.0;
                self.before = [0.0; HOP];
                PARTITIONS
            }
        };
        self.next = Some(at + HOP as i64);
        for age in (0..missing as i64).rev() {
            let mut samples = [0.0; LENGTH];
            sent.read_band(at - (age * HOP as i64) - (LENGTH - HOP) as i64, &mut samples);
            self.sent.pop_back();
            let mut spectrum = Spectrum::ZERO;
            if samples.iter().any(|sample| *sample != 0.0) {
                apply(&self.windows.sent, &mut samples);
                spectrum = self.fft.forward(&samples);
                self.sent_powers.whiten(&mut spectrum);
            }
            self.sent.push_front((spectrum, spectrum.energy()));
        }
    }

    fn peak(&mut self) -> Peak {
        let mut best = [(0.0_f32, 0_usize); CANDIDATES];
        for (index, partition) in self.partitions.iter().enumerate() {
            if partition.sent_energy > SILENT_ENERGY {
                let weight = partition.cross.energy() / partition.sent_energy;
                if let Some(place) = best.iter().position(|(other, _)| weight > *other) {
                    best[place..].rotate_right(1);
                    best[place] = (weight, index);
                }
            }
        }
        let mut peak = Peak::default();
        let mut heights = [[0.0; HOP]; CANDIDATES];
        for ((weight, index), heights) in best.iter().zip(&mut heights) {
            if *weight == 0.0 {
                continue;
            }
            let partition = &self.partitions[*index];
            let scale = (partition.sent_energy * self.capture_energy / SENT_OVER_HEARD).sqrt()
                * 2.0
                / LENGTH as f32;
            let correlation = self.fft.inverse(&partition.cross);
            for (lag, (height, value)) in heights.iter_mut().zip(correlation).enumerate() {
                // A loudspeaker may be wired either way round.
                *height = value.abs() / scale;
                if *height > peak.height {
                    peak = Peak { lag: index * HOP + lag, height: *height, rival: 0.0 };
                }
            }
        }
        for ((_, index), heights) in best.iter().zip(&heights) {
            for (lag, height) in heights.iter().enumerate() {
                if (index * HOP + lag).abs_diff(peak.lag) > PEAK_WIDTH {
                    peak.rival = peak.rival.max(*height);
                }
            }
        }
        peak
    }
}

/// The windows of the two signals. Whitening turns an edge into a click, and clicks correlate, so
/// neither has one; over all lags of a partition the microphone's sees the flat part of the other.
///
/// ```text
/// sent   /----------------\\   three hops
/// heard        .-^-.           the newer two
/// ```
#[derive(Debug)]
struct Windows {
    sent: [f32; LENGTH],
    heard: [f32; LENGTH],
}

impl Windows {
    /// Samples over which the longer one rises.
    const EDGE: usize = 24;

    fn new() -> Self {
        let rise = |share: f32| 0.5 - 0.5 * (share * std::f32::consts::PI).cos();
        let sent = |n: usize| {
            let inside = n.min(LENGTH - 1 - n) as f32 + 0.5;
            rise((inside / Self::EDGE as f32).min(1.0))
        };
        let heard = |n: usize| match n.checked_sub(HOP) {
            Some(n) => rise((n as f32 + 0.5) / HOP as f32),
            None => 0.0,
        };
        Self { sent: std::array::from_fn(sent), heard: std::array::from_fn(heard) }
    }
}

fn apply(window: &[f32; LENGTH], samples: &mut [f32; LENGTH]) {
    samples.iter_mut().zip(window).for_each(|(sample, weight)| *sample *= weight);
}

/// `cross = FORGET * cross + conj(sent) * heard`.
fn accumulate(cross: &mut Spectrum, sent: &Spectrum, heard: &Spectrum) {
    for bin in 0..BINS {
        let (sent_re, sent_im) = (sent.re[bin], sent.im[bin]);
        let (heard_re, heard_im) = (heard.re[bin], heard.im[bin]);
        cross.re[bin] = FORGET * cross.re[bin] + sent_re * heard_re + sent_im * heard_im;
        cross.im[bin] = FORGET * cross.im[bin] + sent_re * heard_im - sent_im * heard_re;
    }
}

/// The usual power of each bin, by which frames are whitened.
#[derive(Debug)]
struct Powers([f32; BINS]);

impl Powers {
    /// How slowly they follow: half a second.
    const KEPT: f32 = 0.96;

    const fn new() -> Self {
        Self([0.0; BINS])
    }

    /// Halfway between the phase transform, which makes a peak narrow but noise as loud as speech, and
    /// the plain spectrum, which does neither: divides by the roots of the frame's and the usual
    /// magnitude.
    fn whiten(&mut self, spectrum: &mut Spectrum) {
        for bin in 0..BINS {
            let (re, im) = (&mut spectrum.re[bin], &mut spectrum.im[bin]);
            let power = *re * *re + *im * *im;
            let usual = &mut self.0[bin];
            // Louder than ever is believed at once: the first syllable is not to outweigh all others.
            *usual = (Self::KEPT * *usual + (1.0 - Self::KEPT) * power).max(power / 16.0);
            let divisor = ((power + WHITEN_FLOOR) * (*usual + WHITEN_FLOOR)).sqrt().sqrt();
            *re /= divisor;
            *im /= divisor;
        }
    }
}
