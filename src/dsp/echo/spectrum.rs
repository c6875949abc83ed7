//! Real transforms of 240 samples at 4 kHz (60 ms).

use std::fmt;

use sonora_fft::pffft::{FftType, Pffft, PffftBuffer};

/// Samples of one transform.
pub(super) const LENGTH: usize = 240;
/// The bins used, 17 Hz apart: 83 to 1800 Hz. Below is hum, above the decimator's slope.
pub(super) const BINS: usize = 104;
const FIRST_BIN: usize = 5;

/// Some bins of a spectrum; real and imaginary parts apart, so that loops over them vectorise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spectrum {
    pub(super) re: [f32; BINS],
    pub(super) im: [f32; BINS],
}

impl Spectrum {
    pub(super) const ZERO: Self = Self { re: [0.0; BINS], im: [0.0; BINS] };

    /// The sum of squares.
    pub(super) fn energy(&self) -> f32 {
        self.re.iter().zip(&self.im).map(|(re, im)| re * re + im * im).sum()
    }
}

/// A transform and its buffers.
pub(super) struct Fft {
    fft: Pffft,
    time: PffftBuffer,
    frequency: PffftBuffer,
}

impl Fft {
    pub(super) fn new() -> Self {
        let fft = Pffft::new(LENGTH, FftType::Real);
        let (time, frequency) = (fft.create_buffer(), fft.create_buffer());
        Self { fft, time, frequency }
    }

    /// The spectrum of `samples`.
    pub(super) fn forward(&mut self, samples: &[f32; LENGTH]) -> Spectrum {
        self.time.as_mut_slice()[..LENGTH].copy_from_slice(samples);
        self.fft.forward(&self.time, &mut self.frequency, true);
        let values = self.frequency.as_slice();
        Spectrum {
            re: std::array::from_fn(|bin| values[2 * (bin + FIRST_BIN)]),
            im: std::array::from_fn(|bin| values[2 * (bin + FIRST_BIN) + 1]),
        }
    }

    /// The samples of a spectrum whose other bins are empty.
    pub(super) fn inverse(&mut self, spectrum: &Spectrum) -> &[f32] {
        let values = self.frequency.as_mut_slice();
        values.fill(0.0);
        for bin in 0..BINS {
            values[2 * (bin + FIRST_BIN)] = spectrum.re[bin];
            values[2 * (bin + FIRST_BIN) + 1] = spectrum.im[bin];
        }
        self.fft.backward(&self.frequency, &mut self.time, true);
        let time = self.time.as_mut_slice();
        time.iter_mut().for_each(|sample| *sample /= LENGTH as f32);
        &time[..LENGTH]
    }
}

impl fmt::Debug for Fft {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Fft").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_within_the_bins_survives_both_ways() {
        let angle = |n: usize| n as f32 * 400.0 / 4_000.0 * std::f32::consts::TAU;
        let samples: [f32; LENGTH] = std::array::from_fn(|n| angle(n).sin());
        let mut fft = Fft::new();
        let spectrum = fft.forward(&samples);
        // Half of the energy, as the other half is in the mirrored bins.
        let energy: f32 = samples.iter().map(|sample| sample * sample).sum();
        assert!((2.0 * spectrum.energy() / LENGTH as f32 - energy).abs() < 1e-2 * energy);
        for (found, sample) in fft.inverse(&spectrum).iter().zip(samples) {
            assert!((found - sample).abs() < 1e-3, "{found} {sample}");
        }
    }
}
