//! One reply of the agent: from its first packet with sound to its last, and the holes in between.

use std::time::Duration;

use crate::level::energy_dbfs;
use crate::limits::HOLES_MAX;

/// Silence inside a reply that is longer than this is a hole. One lost packet of 20 or 40 ms is
/// covered by concealment; 60 ms and more are heard. A pause between words is a hole too: only for
/// an agent that answers with a tone are all holes faults.
pub const HOLE: Duration = Duration::from_millis(60);

/// One decoded packet of the agent's voice. Both times are since the call began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// When the packet arrived.
    pub arrived: Duration,
    /// Where its audio begins in what the caller hears: the arrivals without their jitter.
    pub position: Duration,
    /// How much audio it holds.
    pub length: Duration,
    /// Its samples.
    pub samples: usize,
    /// The sum of their squares, full scale being 1.
    pub energy: f64,
}

impl Heard {
    /// The packet's level, in dBFS.
    pub fn level_dbfs(&self) -> f64 {
        energy_dbfs(self.energy, self.samples)
    }
}

/// A stretch without sound inside a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Where it begins in what the caller hears.
    pub position: Duration,
    /// How long it is.
    pub length: Duration,
    /// Silent packets received in it. With none, the network or the agent delivered nothing.
    pub silent_packets: u32,
}

/// A reply so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// When the first packet with sound arrived.
    pub first_sound_at: Duration,
    /// When the last packet with sound so far arrived.
    pub last_sound_at: Duration,
    /// All packets with sound, together.
    pub sound: Duration,
    /// The first [`HOLES_MAX`] holes.
    pub holes: Vec<Hole>,
    /// How many holes there were.
    pub hole_count: u32,
    /// The loudest packet's level, in dBFS.
    pub peak_dbfs: f64,
    start_position: Duration,
    end_position: Duration,
    silent_packets: u32,
    energy: f64,
    samples: usize,
}

impl Reply {
    /// A reply whose first packet with sound is `heard`.
    pub fn begin(heard: &Heard) -> Self {
        Self {
            first_sound_at: heard.arrived,
            last_sound_at: heard.arrived,
            sound: heard.length,
            holes: Vec::new(),
            hole_count: 0,
            peak_dbfs: heard.level_dbfs(),
            start_position: heard.position,
            end_position: heard.position + heard.length,
            silent_packets: 0,
            energy: heard.energy,
            samples: heard.samples,
        }
    }

    /// Takes in a further packet with sound.
    pub fn handle_sound(&mut self, heard: &Heard) {
        let length = heard.position.saturating_sub(self.end_position);
        if length > HOLE {
            self.hole_count += 1;
            if self.holes.len() < HOLES_MAX {
                let silent_packets = self.silent_packets;
                self.holes.push(Hole { position: self.end_position, length, silent_packets });
            }
        }
        self.last_sound_at = self.last_sound_at.max(heard.arrived);
        self.sound += heard.length;
        self.peak_dbfs = self.peak_dbfs.max(heard.level_dbfs());
        self.end_position = heard.position + heard.length;
        self.silent_packets = 0;
        self.energy += heard.energy;
        self.samples += heard.samples;
    }

    /// Takes in a packet without sound.
    pub const fn handle_quiet(&mut self) {
        self.silent_packets += 1;
    }

    /// The level over all packets with sound, in dBFS.
    pub fn level_dbfs(&self) -> f64 {
        energy_dbfs(self.energy, self.samples)
    }

    /// From its first sound to the end of its last so far, as the caller hears it.
    pub const fn length(&self) -> Duration {
        self.end_position.saturating_sub(self.start_position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    fn heard(arrived_ms: u64, position_ms: u64) -> Heard {
        Heard {
            arrived: Duration::from_millis(arrived_ms),
            position: Duration::from_millis(position_ms),
            length: FRAME,
            samples: 960,
            energy: 9.6,
        }
    }

    #[test]
    fn holes_are_measured_in_what_is_heard_not_in_arrivals() {
        for (name, packets, expected) in [
            ("steady", &[(0, 0), (20, 20), (40, 40)][..], &[][..]),
            ("jitter only", &[(0, 0), (200, 20), (201, 40)], &[]),
            ("two packets gone", &[(0, 0), (60, 60)], &[]),
            ("three gone: exactly 60 ms", &[(0, 0), (80, 80)], &[]),
            ("four gone", &[(0, 0), (100, 100)], &[(20, 80)]),
            ("two holes", &[(0, 0), (120, 120), (300, 300)], &[(20, 100), (140, 160)]),
        ] {
            let mut reply = Reply::begin(&heard(packets[0].0, packets[0].1));
            for &(arrived_ms, position_ms) in &packets[1..] {
                reply.handle_sound(&heard(arrived_ms, position_ms));
            }
            let holes: Vec<_> = reply
                .holes
                .iter()
                .map(|hole| (hole.position.as_millis() as u64, hole.length.as_millis() as u64))
                .collect();
            assert_eq!(holes, expected, "{name}");
        }
    }

    #[test]
    fn the_ends_are_arrivals_and_the_level_is_that_of_the_sound() {
        let mut reply = Reply::begin(&heard(103, 103));
        reply.handle_sound(&heard(150, 123));
        reply.handle_quiet();
        reply.handle_quiet();
        // Overtaken: arrived before the last one.
        reply.handle_sound(&heard(149, 263));
        assert_eq!(reply.first_sound_at, Duration::from_millis(103));
        assert_eq!(reply.last_sound_at, Duration::from_millis(150));
        assert_eq!(reply.sound, FRAME * 3);
        assert_eq!(reply.holes[0].silent_packets, 2);
        assert!((reply.level_dbfs() + 20.0).abs() < 0.01);
    }

    #[test]
    fn the_list_of_holes_is_bounded_and_their_count_is_not() {
        let mut reply = Reply::begin(&heard(0, 0));
        for index in 1..=HOLES_MAX as u64 + 5 {
            reply.handle_sound(&heard(200 * index, 200 * index));
        }
        assert_eq!((reply.holes.len(), reply.hole_count), (HOLES_MAX, HOLES_MAX as u32 + 5));
    }
}
