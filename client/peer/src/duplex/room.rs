//! The caller's room: what the loudspeaker plays comes back into the microphone.
//!
//! ```text
//! played  |----- frame n -----|
//! echo            |<- delay ->|-- direct sound, then its decay -->
//! ```
//!
//! Sample-exact, in the caller's own clock: sample `t` of the microphone holds sample `t - delay` of what
//! was played, and what the walls add to it. The decay is velvet noise (Järveläinen and Karjalainen,
//! "Reverberation modeling using velvet noise", 2007): few pulses of random sign and place, which sound
//! as smooth as dense noise at a hundredth of its cost. Nothing is distorted but by clipping.

use crate::impair::SplitMix64;

/// How long the walls answer.
const DECAY_MS: f64 = 120.0;
/// The time in which the decay falls by 60 dB.
const T60_MS: f64 = 250.0;
/// Pulses a second.
const DENSITY_HZ: f64 = 1_500.0;
/// The energy of the decay relative to the direct sound: a hands-free device on a desk.
const REVERBERANT: f64 = 0.5;

/// How a room sounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoomSpec {
    /// From playing a sample to capturing it, in milliseconds.
    pub delay_ms: u32,
    /// The level of the echo relative to what was played, in dB.
    pub level_db: f64,
    /// The same number is the same room.
    pub seed: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Room {
    /// How many samples ago, and how loud; the first is the direct sound.
    taps: Vec<(usize, f32)>,
    /// What was played last, a power of two long.
    played: Vec<f32>,
    at: usize,
}

impl Room {
    /// The room of `spec` for samples at `rate_hz`.
    pub fn new(spec: RoomSpec, rate_hz: u32) -> Self {
        let taps = taps(spec, f64::from(rate_hz) / 1_000.0);
        let longest = taps.iter().map(|(ago, _)| *ago).max().unwrap_or(0);
        Self { taps, played: vec![0.0; (longest + 1).next_power_of_two()], at: 0 }
    }

    /// Plays `frame` and gives what the microphone captures of the echo meanwhile.
    pub fn step(&mut self, frame: &[i16]) -> Vec<f32> {
        let mask = self.played.len() - 1;
        frame
            .iter()
            .map(|sample| {
                self.played[self.at & mask] = f32::from(*sample);
                let echo = |(ago, gain): &(usize, f32)| {
                    self.played[self.at.wrapping_sub(*ago) & mask] * gain
                };
                let captured = self.taps.iter().map(echo).sum();
                self.at = self.at.wrapping_add(1);
                captured
            })
            .collect()
    }
}

fn taps(spec: RoomSpec, per_ms: f64) -> Vec<(usize, f32)> {
    let mut random = SplitMix64(spec.seed);
    let direct = (f64::from(spec.delay_ms) * per_ms) as usize;
    let spacing_ms = 1_000.0 / DENSITY_HZ;
    let pulses = (DECAY_MS / spacing_ms) as u32;
    let decay: Vec<(usize, f64)> = (1..=pulses)
        .map(|index| {
            let after_ms = (f64::from(index) + random.unit()) * spacing_ms;
            let sign = if random.unit() < 0.5 { -1.0 } else { 1.0 };
            let gain = sign * 10_f64.powf(-3.0 * after_ms / T60_MS);
            (direct + (after_ms * per_ms) as usize, gain)
        })
        .collect();
    let energy: f64 = decay.iter().map(|(_, gain)| gain * gain).sum();
    let total = 10_f64.powf(spec.level_db / 20.0) / (1.0 + REVERBERANT).sqrt();
    let walls = total * (REVERBERANT / energy).sqrt();
    let decayed = decay.into_iter().map(|(ago, gain)| (ago, (gain * walls) as f32));
    std::iter::once((direct, total as f32)).chain(decayed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: RoomSpec = RoomSpec { delay_ms: 40, level_db: -6.0, seed: 1 };

    /// What comes back of a click, in frames of 20 ms.
    fn response(spec: RoomSpec) -> Vec<f32> {
        let mut room = Room::new(spec, 8_000);
        let mut click = vec![0; 160];
        click[7] = 10_000;
        let silence = vec![0; 160];
        (0..60).flat_map(|frame| room.step(if frame == 0 { &click } else { &silence })).collect()
    }

    #[test]
    fn the_echo_begins_at_its_sample_and_has_its_level() {
        for (delay_ms, level_db) in [(0, -6.0), (40, -12.0), (700, -20.0)] {
            let echo = response(RoomSpec { delay_ms, level_db, ..SPEC });
            let first = echo.iter().position(|sample| *sample != 0.0).unwrap();
            assert_eq!(first, delay_ms as usize * 8 + 7);
            let energy: f64 = echo.iter().map(|sample| f64::from(*sample / 10_000.0).powi(2)).sum();
            assert!((10.0 * energy.log10() - level_db).abs() < 0.2, "{}", 10.0 * energy.log10());
        }
    }

    #[test]
    fn it_decays_within_its_time_and_is_repeatable() {
        let echo = response(SPEC);
        let after = |ms: usize| echo[ms * 8..].iter().map(|sample| sample.powi(2)).sum::<f32>();
        assert!(after(40 + 60) < after(40) / 50.0);
        assert_eq!(after(40 + 125), 0.0);
        assert_eq!(echo, response(SPEC));
        assert_ne!(echo, response(RoomSpec { seed: 2, ..SPEC }));
    }
}
