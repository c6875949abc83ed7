//! What the caller hears: playout buffer and decoder together, as one gapless stream of samples.

use std::time::Duration;

use bytes::Bytes;

use crate::codec::{CodecError, CodecKind, Decoder};
use crate::level::energy;
use crate::measure::receive::ReceiveStats;
use crate::measure::replies::Heard;
use crate::playout::{Next, Packet, Playout};

/// What became of the received packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EarCounts {
    /// Packets too late to be heard.
    pub late: u64,
    /// Packets that did not fit the buffer.
    pub overflowed: u64,
    /// Packets that could not be decoded.
    pub undecodable: u64,
    /// Frames invented or recovered in the place of lost ones.
    pub concealed: u64,
}

/// See the module.
pub struct Ear {
    kind: CodecKind,
    stats: ReceiveStats,
    playout: Playout,
    decoder: Decoder,
    counts: EarCounts,
    /// The place of the next sample that is not decoded yet, in samples since the call began.
    head: u64,
    /// Decoded and not yet read.
    ready: Vec<i16>,
    heard: Vec<Heard>,
    received_audio: Duration,
}

impl Ear {
    /// An ear that hears everything from `start` on, `delay_ms` after its place in time.
    pub fn new(kind: CodecKind, delay_ms: u32, start: Duration) -> Result<Self, CodecError> {
        Ok(Self {
            head: samples_at(start, kind.rate_hz()),
            kind,
            stats: ReceiveStats::default(),
            playout: Playout::new(kind.rate_hz(), delay_ms),
            decoder: Decoder::new(kind)?,
            counts: EarCounts::default(),
            ready: Vec::new(),
            heard: Vec::new(),
            received_audio: Duration::ZERO,
        })
    }

    /// Takes in a packet that arrived at `arrived`.
    pub fn handle_packet(
        &mut self,
        arrived: Duration,
        sequence: u16,
        timestamp: u32,
        payload: Bytes,
    ) {
        let rate_hz = self.kind.rate_hz();
        let Some(sequence) = self.stats.handle_packet(arrived, sequence, timestamp, rate_hz) else {
            return;
        };
        let packet = Packet { sequence, timestamp, arrived: samples_at(arrived, rate_hz), payload };
        match self.playout.push(packet, self.head) {
            Ok(()) => {}
            Err(crate::playout::Rejected::Late) => self.counts.late += 1,
            Err(crate::playout::Rejected::Overflow) => self.counts.overflowed += 1,
        }
    }

    /// The next frame of what is heard. Frame `n` holds the places `n * frame..(n + 1) * frame`
    /// after the start; it is complete once the buffer's delay has passed after its end.
    pub fn next_frame(&mut self) -> Vec<i16> {
        let wanted = self.kind.frame_samples();
        while self.ready.len() < wanted {
            let missing = wanted - self.ready.len();
            let samples = match self.playout.pop(self.head) {
                Next::Play(packet) => self.play(&packet),
                Next::Conceal { samples, copy } => self.conceal(samples as usize, copy.as_deref()),
                Next::Silence { samples } => {
                    vec![0; usize::try_from(samples).unwrap_or(usize::MAX).min(missing)]
                }
            };
            self.head += samples.len() as u64;
            self.ready.extend(samples);
        }
        self.ready.drain(..wanted).collect()
    }

    /// The next packet that was decoded, in the order of hearing.
    pub fn poll_heard(&mut self) -> Option<Heard> {
        (!self.heard.is_empty()).then(|| self.heard.remove(0))
    }

    /// The packets as they came from the network.
    pub const fn stats(&self) -> &ReceiveStats {
        &self.stats
    }

    /// What became of them.
    pub const fn counts(&self) -> EarCounts {
        self.counts
    }

    /// Audio in all packets decoded.
    pub const fn received_audio(&self) -> Duration {
        self.received_audio
    }

    /// How far behind its place everything is heard.
    pub fn delay(&self) -> Duration {
        self.duration(self.playout.delay())
    }

    fn play(&mut self, packet: &Packet) -> Vec<i16> {
        let Ok(samples) = self.decoder.decode(&packet.payload) else {
            self.counts.undecodable += 1;
            return Vec::new();
        };
        let length = self.duration(samples.len() as u64);
        self.received_audio += length;
        self.heard.push(Heard {
            arrived: self.duration(packet.arrived),
            position: self.duration(self.head),
            length,
            samples: samples.len(),
            energy: energy(&samples),
        });
        samples
    }

    fn conceal(&mut self, samples: usize, copy: Option<&[u8]>) -> Vec<i16> {
        self.counts.concealed += 1;
        // Opus conceals in steps of 2.5 ms only; the rest of a step is left out.
        let step = self.kind.rate_hz() as usize / 400;
        let whole = (samples / step * step).max(step);
        let mut heard = self.decoder.conceal(copy, whole).unwrap_or_default();
        heard.resize(samples, 0);
        heard
    }

    fn duration(&self, samples: u64) -> Duration {
        Duration::from_micros(samples * 1_000_000 / u64::from(self.kind.rate_hz()))
    }
}

fn samples_at(time: Duration, rate_hz: u32) -> u64 {
    (time.as_micros() as u64 * u64::from(rate_hz)).div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Encoder;
    use crate::level::level_dbfs;

    const FRAME: Duration = Duration::from_millis(20);

    fn tone(index: u32) -> Vec<i16> {
        let step = std::f64::consts::TAU * 440.0 / 48_000.0;
        (index * 960..(index + 1) * 960)
            .map(|sample| (8_000.0 * (f64::from(sample) * step).sin()) as i16)
            .collect()
    }

    /// Sends 50 frames of a tone, arriving at `100 ms + index * 20 ms + late_ms(index)`, `None`
    /// being lost; returns the ear and the 67 frames heard.
    fn hear(late_ms: &dyn Fn(u32) -> Option<u64>) -> (Ear, Vec<Vec<i16>>) {
        let mut ear = Ear::new(CodecKind::Opus, 60, Duration::ZERO).unwrap();
        let mut encoder = Encoder::new(CodecKind::Opus).unwrap();
        let mut arrivals: Vec<_> = (0..50)
            .filter_map(|index| {
                let payload = Bytes::from(encoder.encode(&tone(index)).unwrap());
                let arrived = Duration::from_millis(100 + late_ms(index)?) + FRAME * index;
                Some((arrived, index, payload))
            })
            .collect();
        arrivals.sort_by_key(|(arrived, ..)| *arrived);
        let mut arrivals = arrivals.into_iter().peekable();
        let mut frames = Vec::new();
        for tick in 0..70_u32 {
            let now = FRAME * (tick + 1);
            while let Some((arrived, index, payload)) = arrivals.next_if(|(at, ..)| *at <= now) {
                ear.handle_packet(arrived, index as u16, 960 * index, payload);
            }
            if tick >= 3 {
                frames.push(ear.next_frame());
            }
        }
        (ear, frames)
    }

    fn first_loud(frames: &[Vec<i16>]) -> usize {
        frames.iter().position(|frame| level_dbfs(frame) > -50.0).unwrap()
    }

    #[test]
    fn a_steady_stream_is_heard_where_it_arrived() {
        let (mut ear, frames) = hear(&|_| Some(0));
        assert_eq!(first_loud(&frames), 5, "100 ms");
        assert!(frames[6..54].iter().all(|frame| level_dbfs(frame) > -20.0));
        assert_eq!(ear.counts(), EarCounts::default());
        let heard: Vec<_> = std::iter::from_fn(|| ear.poll_heard()).collect();
        assert_eq!(heard.len(), 50);
        assert_eq!(heard[10].arrived, Duration::from_millis(300));
        assert_eq!(heard[10].position, Duration::from_millis(300));
        assert_eq!(ear.received_audio(), Duration::from_secs(1));
    }

    #[test]
    fn jitter_within_the_delay_is_not_heard() {
        let (mut ear, frames) = hear(&|index| Some(u64::from(index * 7 % 50)));
        assert!(frames[6..54].iter().all(|frame| level_dbfs(frame) > -20.0));
        assert_eq!(ear.counts(), EarCounts::default());
        let places: Vec<_> = std::iter::from_fn(|| ear.poll_heard()).map(|h| h.position).collect();
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] == FRAME), "{places:?}");
    }

    #[test]
    fn a_lost_packet_is_concealed() {
        let (ear, frames) = hear(&|index| (index % 10 != 5).then_some(0));
        assert_eq!((ear.stats().lost(), ear.counts().concealed), (5, 5));
        for (index, frame) in frames.iter().enumerate().take(54).skip(6) {
            assert!(level_dbfs(frame) > -35.0, "frame {index}: {} dBFS", level_dbfs(frame));
        }
    }

    #[test]
    fn a_stall_is_a_hole_and_then_the_stream_goes_on() {
        let (mut ear, frames) = hear(&|index| Some(if index < 20 { 0 } else { 120 }));
        let quiet = frames[6..60].iter().filter(|frame| level_dbfs(frame) < -50.0).count();
        assert!((5..=6).contains(&quiet), "{quiet} frames of 20 ms");
        let heard: Vec<_> = std::iter::from_fn(|| ear.poll_heard()).collect();
        assert_eq!(heard.len(), 50, "nothing is thrown away");
    }
}
