//! The adaptive jitter buffer: packets in any order in, audio in order out, each piece when it is due.
//!
//! Everything is reckoned in one quantity, the *delay*: how long after the fastest packet's arrival a
//! piece of audio is heard.
//!
//! ```text
//! media time       |---- n ----|--- n+1 ---|            what the sender recorded
//! fastest arrival       ^n          ^n+1                 media time + the fastest transit lately
//! this arrival            ^n              ^n+1           the difference is the packet's lateness
//! heard                       |---- n ----|--- n+1 ---|
//!                       '-----' delay; n+1 came 2/3 of it late, and in time
//! ```
//!
//! The target for the delay is a high quantile of lateness. The delay grows wherever audio is made up
//! anyway (a packet is missing, a talk spurt begins) or where nobody speaks, and shrinks by leaving
//! out silence. Because the reference is the fastest packet of the last seconds, a drifting clock
//! shows as a delay that slides off its target, and is corrected the same way.
//!
//! When nothing is held it cannot be known whether the sender paused or the network did: the cursor
//! stays, so that late audio is heard late and not lost; the wait is made up for when the numbers of
//! the next packet show that there was nothing to wait for.

use std::time::Duration;

use crate::limits::{
    FRAME_MS, JITTER_DEPTH_MS_MAX, JITTER_DEPTH_MS_MIN, JITTER_HELD_MS_MAX, JITTER_PACKETS_MAX,
    PACKET_MS_MAX, RTP_PAYLOAD_BYTES_MAX,
};
use crate::rtp::jitter::delay::DelayWindow;
use crate::rtp::jitter::drift::Drift;
use crate::rtp::jitter::ring::{Content, Ring, SPAN};
pub use crate::rtp::jitter::stats::JitterStats;
use crate::rtp::sequence::{extend_sequence, extend_timestamp};
use crate::time::SessionTime;

mod delay;
mod drift;
mod filing;
mod playing;
mod ring;
mod stats;
#[cfg(test)]
mod tests;

/// How deep the buffer may become, and how sure it is to be of the next packet's arrival.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JitterSettings {
    /// The smallest target depth. Default 20 ms; range 20 to 400 ms.
    pub depth_min: Duration,
    /// The largest target depth. Default 400 ms; range `depth_min` to 400 ms.
    pub depth_max: Duration,
    /// The share of packets that is to arrive in time. Default 0.98; range 0.5 to 1.
    pub quantile: f32,
}

impl JitterSettings {
    /// The settings for conversation over the open internet.
    pub const CONVERSATION: Self = Self {
        depth_min: Duration::from_millis(JITTER_DEPTH_MS_MIN as u64),
        depth_max: Duration::from_millis(JITTER_DEPTH_MS_MAX as u64),
        quantile: 0.98,
    };
}

/// Whether a lost packet can be had from the one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redundancy {
    /// No.
    None,
    /// Packets carry a copy of the one before (in-band FEC): under loss it pays to be a packet deeper.
    NextPacket,
}

/// One audio packet on its way in.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// How long it lasts, in ticks of the RTP clock: 1 tick to 120 ms.
    pub ticks: u32,
    /// The start of a talk spurt: a good place to let the buffer fill.
    pub marker: bool,
    /// At most [`RTP_PAYLOAD_BYTES_MAX`] bytes.
    pub payload: &'a [u8],
}

/// Why a packet was not filed. All are ordinary on the open internet; all are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// Its turn is over: it was concealed.
    Late,
    /// It was here already.
    Duplicate,
    /// The buffer is full and this would be the oldest in it.
    Overflow,
    /// Its payload is too long, or its duration is zero or too long.
    Oversize,
    /// Its number or time is far from the stream's. A second one that follows on it moves the stream.
    Stray,
}

/// What is to be heard at the moment, as the caller knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Playhead {
    /// Audio popped before and not yet heard, in ticks.
    pub ahead_ticks: u32,
    /// What was heard last.
    pub passage: Passage,
}

/// Whether anything would be noticed if time were stretched here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Someone speaks, or may.
    Speech,
    /// Nobody speaks: silence may be put in.
    Silence,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pop<'a> {
    /// A packet: decode it.
    Frame {
        /// The payload.
        payload: &'a [u8],
        /// How long it lasts.
        ticks: u32,
        /// Whether part of it is to be left out.
        surplus: Surplus,
    },
    /// A packet is lost: make up as much audio, from the redundancy in `next` if there is any.
    Conceal {
        /// How long the lost packet was.
        ticks: u32,
        /// The packet after it, if held.
        next: Option<&'a [u8]>,
    },
    /// Nothing in this slot: fill it, with the decoder's invention at first and then with silence.
    Wait,
}

/// Whether the delay is longer than it need be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surplus {
    /// It is as it should be.
    None,
    /// Up to 20 ms may be left out if nothing is said in them.
    InSilence,
    /// Up to 20 ms are to be left out whatever is in them: the delay is beyond its bound.
    Now,
}

/// What a lost packet was replaced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// The redundancy in the next packet.
    Fec,
    /// The decoder's invention.
    Plc,
}

/// Sequence numbers ahead of the newest beyond which a packet is a stray (RFC 3550 appendix A.1).
const DROPOUT_MAX: i64 = 3_000;
/// Sequence numbers behind the newest beyond which a packet is a stray, there too.
const MISORDER_MAX: i64 = 100;
/// A packet this much faster or slower than the stream belongs to another clock.
const LATENESS_MAX_US: i64 = 3_000_000;
/// Two strays this close to each other in transit are of the same stream.
const STRAY_SPREAD_US: i64 = 1_000_000;
/// After this long without a packet, one that is later than the deepest target is the start of a new
/// reference: the path changed, or the sender's clock stood still while it paused.
const PAUSE_MS: u32 = 200;
/// A delay this much short of its target is left as it is.
const SHORT_US: i64 = 5_000;
/// A delay is cut where it stays no more than this below what it should be: noise of the target.
const NOISE_US: i64 = 2_000;
/// A delay beyond the deepest target by this much is cut whatever is said.
const BEYOND_US: i64 = 20_000;
/// The target falls at most this much with each packet played; it rises at once.
const TARGET_FALL_US: i64 = 500;
/// Weight of one packet in the running share of losses, and the share from which FEC pays.
const LOSS_WEIGHT: f32 = 1.0 / 128.0;
const LOSS_WORTH_WAITING: f32 = 0.01;

/// The stream as it is played.
#[derive(Debug)]
struct Stream {
    phase: Phase,
    /// The packet to be played next.
    next_sequence: i64,
    next_timestamp: i64,
    /// The newest numbers accepted: the anchor for extending the wire's.
    newest_sequence: i64,
    newest_timestamp: i64,
    /// How long packets last lately.
    packet_ticks: u32,
    /// Filler handed out since the cursor last moved.
    waited_ticks: u32,
    /// Bit n: the packet n + 1 before the cursor was played.
    played: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing was popped yet: an earlier packet may still move the cursor back.
    Filling,
    Playing,
}

/// A packet that was far from the stream.
#[derive(Clone, Copy, Debug)]
struct Stray {
    sequence: u16,
    timestamp: u32,
    arrived: SessionTime,
}

/// The buffer. See the module's description.
#[derive(Debug)]
pub struct JitterBuffer {
    settings: JitterSettings,
    redundancy: Redundancy,
    clock_hz: u32,
    slot_ticks: u32,
    stream: Option<Stream>,
    stray: Option<Stray>,
    ring: Ring,
    window: DelayWindow,
    drift: Drift,
    target_us: i64,
    loss_share: f32,
    stats: JitterStats,
}

impl JitterBuffer {
    /// An empty buffer for a stream whose timestamps tick at `clock_hz` (at least 1 000).
    pub fn new(settings: JitterSettings, clock_hz: u32, redundancy: Redundancy) -> Self {
        Self {
            settings,
            redundancy,
            clock_hz,
            slot_ticks: clock_hz / 1_000 * FRAME_MS,
            stream: None,
            stray: None,
            ring: Ring::new(),
            window: DelayWindow::new(),
            drift: Drift::default(),
            target_us: micros(settings.depth_min),
            loss_share: 0.0,
            stats: JitterStats::default(),
        }
    }

    /// Files a packet.
    pub fn push(&mut self, now: SessionTime, packet: &Arrival<'_>) -> Result<(), Rejected> {
        self.stats.received += 1;
        let ticks_max = self.clock_hz / 1_000 * PACKET_MS_MAX;
        let fits = packet.payload.len() <= RTP_PAYLOAD_BYTES_MAX;
        if !fits || !(1..=ticks_max).contains(&packet.ticks) {
            self.stats.overflow += 1;
            return Err(Rejected::Oversize);
        }
        let Some(stream) = &self.stream else {
            self.begin(now, packet);
            return Ok(());
        };
        let sequence = extend_sequence(stream.newest_sequence, packet.sequence);
        let timestamp = extend_timestamp(stream.newest_timestamp, packet.timestamp);
        let ahead = sequence - stream.newest_sequence;
        let transit_us = self.transit_us(now, timestamp);
        let lateness_us = transit_us - self.window.fastest_us();
        if self.is_stray(ahead, timestamp - stream.newest_timestamp, lateness_us) {
            return self.push_stray(now, packet);
        }
        self.stray = None;
        self.check_order(sequence)?;
        self.take_lateness(now, transit_us, lateness_us);
        self.check_turn(sequence, timestamp)?;
        self.make_room(sequence, packet.ticks)?;
        let content = Content::Audio { timestamp, ticks: packet.ticks, marker: packet.marker };
        self.ring.insert(sequence, content, packet.payload);
        if let Some(stream) = &mut self.stream
            && ahead > 0
        {
            stream.newest_sequence = sequence;
            stream.newest_timestamp = timestamp;
        }
        Ok(())
    }

    /// Tells that a sequence number was used by something that is not audio (a telephone event), so
    /// that it is not missed.
    pub fn push_foreign(&mut self, sequence: u16) {
        let Some(stream) = &mut self.stream else { return };
        let sequence = extend_sequence(stream.newest_sequence, sequence);
        let is_near = (stream.next_sequence..stream.next_sequence + SPAN).contains(&sequence);
        if is_near
            && self.ring.packets() < JITTER_PACKETS_MAX
            && self.ring.content(sequence) == Content::Empty
        {
            self.ring.insert(sequence, Content::Foreign, &[]);
            stream.newest_sequence = stream.newest_sequence.max(sequence);
        }
    }

    /// The next piece of audio for the slot at `now`. Call while less than a slot is ahead.
    pub fn pop(&mut self, now: SessionTime, playhead: Playhead) -> Pop<'_> {
        match self.advance(now, playhead) {
            Step::Wait => Pop::Wait,
            Step::Conceal { ticks, next } => {
                Pop::Conceal { ticks, next: next.map(|sequence| self.ring.payload(sequence)) }
            }
            Step::Play { sequence, ticks, surplus } => {
                Pop::Frame { payload: self.ring.payload(sequence), ticks, surplus }
            }
        }
    }

    /// Tells how a [`Pop::Conceal`] was met.
    pub const fn handle_concealed(&mut self, by: Recovery) {
        match by {
            Recovery::Fec => self.stats.concealed_fec += 1,
            Recovery::Plc => self.stats.concealed_plc += 1,
        }
    }

    /// Tells that so much of a frame with a [`Surplus`] was left out.
    pub fn handle_left_out(&mut self, left_out: Duration) {
        self.stats.accelerated_ms += left_out.as_millis() as u64;
    }

    /// How long the first packet is to wait before it is heard.
    pub const fn depth_min(&self) -> Duration {
        self.settings.depth_min
    }

    /// What was counted, and where the buffer stands.
    pub fn stats(&self) -> JitterStats {
        let held_ms = self.ring.held_ticks() * 1_000 / u64::from(self.clock_hz);
        JitterStats {
            target_ms: (self.target_us / 1_000) as u32,
            held_ms: held_ms as u32,
            drift_ppm: self.drift.ppm(),
            ..self.stats
        }
    }
}

/// [`Pop`] before the payload is looked up.
enum Step {
    Play { sequence: i64, ticks: u32, surplus: Surplus },
    Conceal { ticks: u32, next: Option<i64> },
    Wait,
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
