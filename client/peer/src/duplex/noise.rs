//! Sounds that are no speech, made from a seed: a cough, typing, and music. All in -1..1.

use std::f64::consts::TAU;

use crate::impair::SplitMix64;

/// A cough: an explosion of breath, a weaker flow with some voice in it, and mostly a second burst.
/// Durations and bands as in Korpáš et al., "Analysis of the cough sound" (1996). Peaks about -10 dBFS.
pub fn cough(seed: u64, rate_hz: u32) -> Vec<f32> {
    let mut random = SplitMix64(seed);
    let bursts = if random.unit() < 0.6 { 2 } else { 1 };
    let mut out = Vec::new();
    for burst in 0..bursts {
        let loudness = if burst == 0 { 0.3 } else { 0.2 };
        let explosion_s = 0.05 + 0.03 * random.unit();
        let flow_s = 0.10 + 0.08 * random.unit();
        let pitch_hz = 140.0 + 80.0 * random.unit();
        let mut band = Band::new(450.0 + 200.0 * random.unit(), 2_800.0, rate_hz);
        let count = ((explosion_s + flow_s + 0.06) * f64::from(rate_hz)) as usize;
        for index in 0..count {
            let at_s = index as f64 / f64::from(rate_hz);
            let attack = (at_s / 0.004).min(1.0);
            let explosion = attack * (-(at_s / explosion_s).powi(2)).exp();
            let flow = 0.35 * attack * (-((at_s - explosion_s) / flow_s).powi(2)).exp();
            let voice = 0.3 * flow * (at_s * pitch_hz * TAU).sin().powi(9);
            let breath = band.step(2.0 * random.unit() - 1.0) * (explosion + flow);
            out.push((loudness * (2.2 * breath + voice)) as f32);
        }
    }
    out
}

/// Typing for `length_s`: a key goes down and comes up, six to ten times a second. Peaks about -20 dBFS.
pub fn typing(seed: u64, rate_hz: u32, length_s: f64) -> Vec<f32> {
    let mut random = SplitMix64(seed);
    let mut out = vec![0.0; (length_s * f64::from(rate_hz)) as usize];
    let mut key_s = 0.0;
    while key_s < length_s {
        let loudness = 0.08 + 0.06 * random.unit();
        let up_s = key_s + 0.05 + 0.03 * random.unit();
        for (at_s, gain) in [(key_s, loudness), (up_s, 0.5 * loudness)] {
            click(&mut out[..], at_s, gain, rate_hz, &mut random);
        }
        key_s += 0.10 + 0.07 * random.unit();
    }
    out
}

/// A few milliseconds of bright noise.
fn click(out: &mut [f32], at_s: f64, gain: f64, rate_hz: u32, random: &mut SplitMix64) {
    let first = (at_s * f64::from(rate_hz)) as usize;
    let mut band = Band::new(1_500.0, 0.45 * f64::from(rate_hz).min(16_000.0), rate_hz);
    for (index, sample) in out.iter_mut().skip(first).take(rate_hz as usize / 50).enumerate() {
        let decay = (-(index as f64) / (0.003 * f64::from(rate_hz))).exp();
        *sample += (gain * decay * 1.6 * band.step(2.0 * random.unit() - 1.0)) as f32;
    }
}

/// Music from another room for `length_s`: plucked chords, a bass and a melody above them.
/// About -34 dBFS.
pub fn music(seed: u64, rate_hz: u32, length_s: f64) -> Vec<f32> {
    const CHORDS: [[i32; 3]; 4] = [[0, 4, 7], [-3, 0, 4], [-7, -3, 0], [-5, -1, 2]];
    const SCALE: [i32; 6] = [12, 14, 16, 19, 21, 24];
    const BEAT_S: f64 = 0.3;
    let mut random = SplitMix64(seed);
    let mut out = vec![0.0; (length_s * f64::from(rate_hz)) as usize];
    for beat in 0..(length_s / BEAT_S).ceil() as usize {
        let at_s = beat as f64 * BEAT_S;
        let chord = CHORDS[beat / 4 % CHORDS.len()];
        if beat.is_multiple_of(2) {
            for note in chord {
                pluck(&mut out, at_s, note, 0.010, rate_hz);
            }
            pluck(&mut out, at_s, chord[0] - 12, 0.020, rate_hz);
        }
        let melody = SCALE[(random.unit() * SCALE.len() as f64) as usize % SCALE.len()];
        pluck(&mut out, at_s, melody, 0.018, rate_hz);
    }
    out
}

/// A note that decays; `semitones` are above middle C.
fn pluck(out: &mut [f32], at_s: f64, semitones: i32, gain: f64, rate_hz: u32) {
    let hz = 261.63 * 2_f64.powf(f64::from(semitones) / 12.0);
    let first = (at_s * f64::from(rate_hz)) as usize;
    for (index, sample) in out.iter_mut().skip(first).take(rate_hz as usize).enumerate() {
        let since_s = index as f64 / f64::from(rate_hz);
        let tone: f64 = (1..=4)
            .map(f64::from)
            .map(|harmonic| (since_s * hz * harmonic * TAU).sin() / harmonic.powi(2))
            .sum();
        let envelope = (since_s / 0.005).min(1.0) * (-since_s / 0.35).exp();
        *sample += (gain * envelope * tone) as f32;
    }
}

/// A band of noise: one pole at each edge.
#[derive(Debug)]
struct Band {
    low: f64,
    high: f64,
    low_step: f64,
    high_step: f64,
}

impl Band {
    fn new(from_hz: f64, to_hz: f64, rate_hz: u32) -> Self {
        let step = |hz: f64| 1.0 - (-TAU * hz / f64::from(rate_hz)).exp();
        Self { low: 0.0, high: 0.0, low_step: step(from_hz), high_step: step(to_hz) }
    }

    fn step(&mut self, input: f64) -> f64 {
        self.high += self.high_step * (input - self.high);
        self.low += self.low_step * (self.high - self.low);
        self.high - self.low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peak_dbfs(samples: &[f32]) -> f32 {
        20.0 * samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs())).log10()
    }

    fn rms_dbfs(samples: &[f32]) -> f32 {
        10.0 * (samples.iter().map(|sample| sample * sample).sum::<f32>() / samples.len() as f32)
            .log10()
    }

    #[test]
    fn each_noise_has_its_level_and_is_repeatable() {
        for seed in 0..20 {
            let peaks = [cough(seed, 48_000), typing(seed, 48_000, 1.5)].map(|it| peak_dbfs(&it));
            assert!((-15.0..-5.0).contains(&peaks[0]), "cough {}", peaks[0]);
            assert!((-30.0..-15.0).contains(&peaks[1]), "typing {}", peaks[1]);
            let music = rms_dbfs(&music(seed, 48_000, 3.0));
            assert!((-38.0..-30.0).contains(&music), "music {music}");
        }
        assert_eq!(cough(1, 48_000), cough(1, 48_000));
        assert_ne!(cough(1, 48_000), cough(2, 48_000));
    }

    #[test]
    fn a_cough_is_short() {
        for seed in 0..20 {
            let seconds = cough(seed, 48_000).len() as f64 / 48_000.0;
            assert!((0.2..0.7).contains(&seconds), "{seconds}");
        }
    }
}
