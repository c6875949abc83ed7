//! The simulated room: what the microphone picks up beside the user.

use antiphon::limits::{WIDEBAND_FRAME, WIDEBAND_HZ};
use antiphon::time::SessionTime;

use crate::sound::{self, NOISE, OTHER_VOICE};

/// What the loudspeaker played, this far back: 2 s.
const PLAYED_SAMPLES: usize = 1 << 15;
/// The way through the room: samples after the direct sound, and how loud.
const REFLECTIONS: [(usize, f32); 4] = [(0, 0.8), (31, 0.35), (77, -0.25), (190, 0.12)];

/// Somebody beside the user talks so long, and then listens as long.
const OTHER_MS: u64 = 3_500;

/// Where the user is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Room {
    /// The agent's voice comes back so much louder, in dB, mostly below zero. `None`: headphones.
    pub(crate) echo_db: Option<f32>,
    /// From the moment that the agent sends it to the moment that the microphone hears it, in ms.
    pub(crate) echo_delay_ms: u64,
    /// A fan, in dB against a voice.
    pub(crate) noise_db: Option<f32>,
    /// Somebody talks beside the user, in dB against a voice.
    pub(crate) other_db: Option<f32>,
}

/// What is heard in it.
#[derive(Clone, Debug)]
pub(crate) struct Air {
    pub(crate) room: Room,
    /// The agent's sound by the time of its sending, as a ring.
    played: Vec<f32>,
    /// The sample after the last one in it.
    until: u64,
}

impl Air {
    pub(crate) const fn new() -> Self {
        let room = Room { echo_db: None, echo_delay_ms: 0, noise_db: None, other_db: None };
        Self { room, played: Vec::new(), until: 0 }
    }

    /// The agent sent 20 ms; they are little-endian 16 bit.
    pub(crate) fn play(&mut self, now: SessionTime, payload: &[u8]) {
        if self.room.echo_db.is_none() {
            return;
        }
        self.played.resize(PLAYED_SAMPLES, 0.0);
        let start = sample_of(now);
        for silent in self.until..start.min(self.until + PLAYED_SAMPLES as u64) {
            self.played[silent as usize % PLAYED_SAMPLES] = 0.0;
        }
        let (values, _) = payload.as_chunks::<2>();
        for (at, value) in (start..).zip(values) {
            let sample = f32::from(i16::from_le_bytes(*value)) / 32_768.0;
            self.played[at as usize % PLAYED_SAMPLES] = sample;
        }
        self.until = self.until.max(start + values.len() as u64);
    }

    /// Adds what the microphone picked up in the 20 ms before `now`.
    pub(crate) fn add(&self, now: SessionTime, mix: &mut [f32; WIDEBAND_FRAME]) {
        let start = sample_of(now);
        if let Some(noise_db) = self.room.noise_db {
            sound::add(mix, &NOISE, start as usize, amplitude(noise_db));
        }
        let other_db = self.room.other_db.filter(|_| now.as_millis() / OTHER_MS % 2 == 1);
        if let Some(other_db) = other_db {
            sound::add(mix, &OTHER_VOICE, start as usize, amplitude(other_db));
        }
        let Some(echo_db) = self.room.echo_db.filter(|_| !self.played.is_empty()) else { return };
        let gain = amplitude(echo_db);
        let delay = self.room.echo_delay_ms * u64::from(WIDEBAND_HZ) / 1_000;
        let frame = WIDEBAND_FRAME as u64;
        for (after, share) in REFLECTIONS {
            let Some(first) = start.checked_sub(delay + after as u64 + frame) else { continue };
            for (at, mixed) in (first..).zip(mix.iter_mut()) {
                if at < self.until && at + PLAYED_SAMPLES as u64 > self.until {
                    *mixed += gain * share * self.played[at as usize % PLAYED_SAMPLES];
                }
            }
        }
    }
}

fn sample_of(time: SessionTime) -> u64 {
    time.as_micros() * u64::from(WIDEBAND_HZ) / 1_000_000
}

fn amplitude(db: f32) -> f32 {
    10.0_f32.powf(db / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_echo_comes_after_its_delay_and_at_its_level() {
        let mut air = Air::new();
        air.room = Room { echo_db: Some(-6.0), echo_delay_ms: 100, ..Room::default() };
        let loud: Vec<u8> = (0..WIDEBAND_FRAME).flat_map(|_| 16_384_i16.to_le_bytes()).collect();
        air.play(SessionTime::from_millis(40), &loud);
        let heard = |at_ms| {
            let mut mix = [0.0; WIDEBAND_FRAME];
            air.add(SessionTime::from_millis(at_ms), &mut mix);
            mix
        };
        assert!(heard(140).iter().all(|sample| *sample == 0.0), "it is still on its way");
        let echo = heard(160);
        assert!((echo[0] - 0.5 * 0.8 * amplitude(-6.0)).abs() < 1e-3, "{}", echo[0]);
        assert!(heard(200).iter().all(|sample| *sample == 0.0), "it is over");
    }
}
