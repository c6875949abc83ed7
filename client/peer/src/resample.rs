//! Whole clips from one sample rate to another: a windowed-sinc polyphase filter.
//!
//! The ratio is reduced to `up / down`; one row of coefficients per phase is computed once and each
//! output sample is a dot product with the input around it. Delay is compensated: sample `n` of the
//! output is the same moment as sample `n * from / to` of the input.

/// Zero crossings of the sinc on each side. 24 with a Blackman window is about 74 dB of rejection.
const HALF_CROSSINGS: f64 = 24.0;
/// The pass band's edge as a part of the lower Nyquist frequency.
const PASS_BAND: f64 = 0.94;

/// `input`, at `from_hz`, as the same sound at `to_hz`. Samples are in -1..1.
pub fn resample(input: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    if from_hz == to_hz || input.is_empty() {
        return input.to_vec();
    }
    let filter = Filter::new(from_hz, to_hz);
    let length = (input.len() as u64 * u64::from(to_hz)).div_ceil(u64::from(from_hz));
    (0..length).map(|index| filter.at(input, index)).collect()
}

struct Filter {
    up: u64,
    down: u64,
    /// Taps of one phase. Tap `t` of a phase meets the input at `centre - half + 1 + t`.
    taps: usize,
    coefficients: Vec<f32>,
}

impl Filter {
    fn new(from_hz: u32, to_hz: u32) -> Self {
        let divisor = greatest_common_divisor(from_hz, to_hz);
        let (up, down) = (u64::from(to_hz / divisor), u64::from(from_hz / divisor));
        // Below 1 when going down, so that what the lower rate cannot hold is removed.
        let cutoff = PASS_BAND * (f64::from(to_hz) / f64::from(from_hz)).min(1.0);
        let half = (HALF_CROSSINGS / cutoff).ceil();
        let taps = 2 * half as usize;
        let mut coefficients = Vec::with_capacity(taps * up as usize);
        for phase in 0..up {
            let offset = phase as f64 / up as f64;
            let row: Vec<f64> = (0..taps)
                .map(|tap| {
                    let distance = tap as f64 - (half - 1.0) - offset;
                    sinc(distance * cutoff) * blackman(distance / half)
                })
                .collect();
            // Each phase is made to pass a constant exactly; otherwise phases differ in gain.
            let gain: f64 = row.iter().sum();
            coefficients.extend(row.iter().map(|value| (value / gain) as f32));
        }
        Self { up, down, taps, coefficients }
    }

    fn at(&self, input: &[f32], index: u64) -> f32 {
        let position = index * self.down;
        let centre = (position / self.up) as i64;
        let phase = (position % self.up) as usize;
        let row = &self.coefficients[phase * self.taps..(phase + 1) * self.taps];
        let first = centre - self.taps as i64 / 2 + 1;
        let skipped = usize::try_from(-first).unwrap_or(0).min(self.taps);
        let start = usize::try_from(first).unwrap_or(0).min(input.len());
        row[skipped..].iter().zip(&input[start..]).map(|(tap, sample)| tap * sample).sum()
    }
}

fn sinc(x: f64) -> f64 {
    let angle = std::f64::consts::PI * x;
    if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle }
}

/// The Blackman window over -1..1, 0 outside.
fn blackman(x: f64) -> f64 {
    if x.abs() >= 1.0 {
        return 0.0;
    }
    let angle = std::f64::consts::PI * x;
    0.42 + 0.5 * angle.cos() + 0.08 * (2.0 * angle).cos()
}

const fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(frequency_hz: f64, rate_hz: u32, seconds: f64) -> Vec<f32> {
        let step = std::f64::consts::TAU * frequency_hz / f64::from(rate_hz);
        (0..(seconds * f64::from(rate_hz)) as usize)
            .map(|index| (0.5 * (index as f64 * step).sin()) as f32)
            .collect()
    }

    #[test]
    fn a_tone_stays_the_same_tone_at_the_same_time() {
        for (from_hz, to_hz) in
            [(8_000, 48_000), (16_000, 48_000), (44_100, 48_000), (48_000, 8_000), (24_000, 8_000)]
        {
            let output = resample(&sine(1_000.0, from_hz, 0.25), from_hz, to_hz);
            let expected = sine(1_000.0, to_hz, 0.25);
            assert_eq!(output.len(), expected.len(), "{from_hz} -> {to_hz}");
            // The ends miss the input beyond them.
            let inside = to_hz as usize / 50..output.len() - to_hz as usize / 50;
            let error: f32 = inside.clone().map(|i| (output[i] - expected[i]).powi(2)).sum();
            let energy: f32 = inside.map(|i| expected[i].powi(2)).sum();
            assert!(error / energy < 1e-4, "{from_hz} -> {to_hz}: {}", error / energy);
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_removed() {
        let output = resample(&sine(6_000.0, 48_000, 0.25), 48_000, 8_000);
        let loudest = output[200..output.len() - 200].iter().fold(0.0_f32, |a, b| a.max(b.abs()));
        assert!(loudest < 0.002, "{loudest}");
    }

    #[test]
    fn short_and_empty_clips_are_no_special_case() {
        assert!(resample(&[], 8_000, 48_000).is_empty());
        assert_eq!(resample(&[0.5], 8_000, 48_000).len(), 6);
        assert_eq!(resample(&[0.5, 0.25], 48_000, 8_000).len(), 1);
    }
}
