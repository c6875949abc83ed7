//! The caller's playout buffer: packets in, in whatever order, out in the order of their timestamps
//! and at the places in time that those name.
//!
//! It is deliberately simple. The delay is fixed, so that a recording can be read against a clock;
//! what does not arrive within it is late. Time runs in samples of the RTP clock since the call
//! began. A packet's place is that of the packet that anchored its talk spurt, plus the difference
//! of their timestamps:
//!
//! ```text
//! arrivals   |0--|1----|2-|3--|        (jittered)
//! places     |0--|1--|2--|3--|         (packet 0 is the anchor: its place is its arrival)
//! read head     ^ always `delay` behind now
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::limits::PLAYOUT_PACKETS_MAX;
use crate::measure::receive::extend_timestamp;

/// A received packet, in samples of the RTP clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The extended sequence number.
    pub sequence: u64,
    /// The RTP timestamp.
    pub timestamp: u32,
    /// When it arrived.
    pub arrived: u64,
    /// Encoded audio.
    pub payload: Bytes,
}

/// Why a packet will not be heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// Its place has been played already.
    Late,
    /// The buffer is full.
    Overflow,
}

/// What comes next at the read head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This packet.
    Play(Packet),
    /// Up to so many samples in place of a lost packet; the packet after it may carry a copy.
    Conceal {
        /// At most so many samples.
        samples: u64,
        /// The payload of the packet right after the lost one.
        copy: Option<Bytes>,
    },
    /// Nothing is known for the next so many samples at least; `u64::MAX` if nothing is queued.
    Silence {
        /// Up to the next packet's place.
        samples: u64,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Playout {
    /// Samples between a packet's place and its playing.
    delay: u64,
    /// Arrivals further apart than this are talk spurts of their own.
    spurt_gap: u64,
    /// Samples of a lost packet.
    frame: u64,
    anchor: Option<Anchor>,
    queue: BTreeMap<u64, Queued>,
    last_played: Option<u64>,
    last_arrived: u64,
    last_timestamp: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    timestamp: u64,
    place: u64,
}

#[derive(Debug)]
struct Queued {
    place: u64,
    packet: Packet,
}

impl Playout {
    /// An empty buffer with a fixed `delay_ms`.
    pub const fn new(rate_hz: u32, delay_ms: u32) -> Self {
        let per_ms = (rate_hz / 1_000) as u64;
        Self {
            delay: delay_ms as u64 * per_ms,
            spurt_gap: 200 * per_ms,
            frame: crate::limits::FRAME_MS as u64 * per_ms,
            anchor: None,
            queue: BTreeMap::new(),
            last_played: None,
            last_arrived: 0,
            last_timestamp: None,
        }
    }

    /// Files `packet`; `head` is the place up to which has been played.
    pub fn push(&mut self, packet: Packet, head: u64) -> Result<(), Rejected> {
        if self.last_played.is_some_and(|played| packet.sequence <= played) {
            return Err(Rejected::Late);
        }
        if self.queue.len() >= PLAYOUT_PACKETS_MAX {
            return Err(Rejected::Overflow);
        }
        let timestamp = extend_timestamp(self.last_timestamp, packet.timestamp);
        let newest = self.queue.last_key_value().is_none_or(|(last, _)| packet.sequence > *last);
        let place = match self.place(timestamp, &packet, newest) {
            Some(place) if place + self.frame > head => place,
            // Nothing else waits: the whole stream has moved, and it is heard from here on.
            _ if newest && self.queue.is_empty() => self.anchor_at(timestamp, &packet, head),
            Some(_) => return Err(Rejected::Late),
            None => self.anchor_at(timestamp, &packet, head),
        };
        if newest {
            self.last_arrived = packet.arrived;
            self.last_timestamp = Some(timestamp);
        }
        self.queue.insert(packet.sequence, Queued { place, packet });
        Ok(())
    }

    /// What is to be played at `head`. The caller plays it and comes back with `head` moved on.
    pub fn pop(&mut self, head: u64) -> Next {
        let Some(first) = self.queue.first_entry() else {
            return Next::Silence { samples: u64::MAX };
        };
        let (sequence, place) = (*first.key(), first.get().place);
        if place <= head {
            self.last_played = Some(sequence);
            return Next::Play(first.remove().packet);
        }
        let samples = place - head;
        match self.last_played {
            Some(played) if sequence > played + 1 && samples <= 5 * self.frame => {
                let copy = (sequence == played + 2 && samples <= self.frame)
                    .then(|| first.get().packet.payload.clone());
                Next::Conceal { samples: samples.min(self.frame), copy }
            }
            _ => Next::Silence { samples },
        }
    }

    /// The place of a packet by the anchor; `None` if it begins a talk spurt or there is no anchor.
    fn place(&self, timestamp: u64, packet: &Packet, newest: bool) -> Option<u64> {
        let anchor = self.anchor?;
        let pause = packet.arrived.saturating_sub(self.last_arrived);
        if newest && self.queue.is_empty() && pause > self.spurt_gap {
            return None;
        }
        let place = (anchor.place + timestamp).checked_sub(anchor.timestamp)?;
        // A clock that jumped ahead would be heard seconds from now: not believed.
        let believed = place <= packet.arrived + PLAYOUT_PACKETS_MAX as u64 * self.frame;
        believed.then_some(place)
    }

    fn anchor_at(&mut self, timestamp: u64, packet: &Packet, head: u64) -> u64 {
        let queued_to = self.queue.last_key_value().map_or(0, |(_, last)| last.place + self.frame);
        let place = packet.arrived.max(head).max(queued_to);
        self.anchor = Some(Anchor { timestamp, place });
        place
    }

    /// Samples between a packet's place and its playing.
    pub const fn delay(&self) -> u64 {
        self.delay
    }
}

#[cfg(test)]
mod tests;
