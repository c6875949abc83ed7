//! Where packets wait: a fixed ring of slots, one per sequence number.

use crate::limits::JITTER_PACKETS_MAX;

/// Sequence numbers that the ring spans. A power of two above the packets held, so that a few may
/// be missing between them.
pub(super) const SPAN: i64 = 128;

const _: () = assert!(SPAN as usize > JITTER_PACKETS_MAX && (SPAN as u64).is_power_of_two());

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing. The buffer of the last packet is kept for the next one.
    Empty,
    /// Audio lasting `ticks`.
    Audio { timestamp: i64, ticks: u32, marker: bool },
    /// A number used by something that is not audio: skipped, not missed.
    Foreign,
}

#[derive(Debug)]
struct Slot {
    sequence: i64,
    content: Content,
    payload: Vec<u8>,
}

/// The ring. The caller keeps the sequence numbers held within [`SPAN`] of each other.
#[derive(Debug)]
pub(super) struct Ring {
    slots: Box<[Slot]>,
    packets: usize,
    held_ticks: u64,
}

impl Ring {
    pub(super) fn new() -> Self {
        let slot = || Slot { sequence: 0, content: Content::Empty, payload: Vec::new() };
        let slots = (0..SPAN).map(|_| slot()).collect();
        Self { slots, packets: 0, held_ticks: 0 }
    }

    /// Packets held, placeholders included.
    pub(super) const fn packets(&self) -> usize {
        self.packets
    }

    /// The audio held, in ticks.
    pub(super) const fn held_ticks(&self) -> u64 {
        self.held_ticks
    }

    /// What is held under this number.
    pub(super) fn content(&self, sequence: i64) -> Content {
        let slot = &self.slots[index(sequence)];
        if slot.sequence == sequence { slot.content } else { Content::Empty }
    }

    /// The first number from `start` on that holds something, if one within the span does.
    pub(super) fn first_from(&self, start: i64) -> Option<i64> {
        if self.packets == 0 {
            return None;
        }
        (start..start + SPAN).find(|sequence| self.content(*sequence) != Content::Empty)
    }

    /// Files a packet. Allocates only while a slot has not yet seen a payload as long as this one.
    pub(super) fn insert(&mut self, sequence: i64, content: Content, payload: &[u8]) {
        self.remove(sequence);
        let slot = &mut self.slots[index(sequence)];
        slot.sequence = sequence;
        slot.content = content;
        slot.payload.clear();
        slot.payload.extend_from_slice(payload);
        self.packets += 1;
        if let Content::Audio { ticks, .. } = content {
            self.held_ticks += u64::from(ticks);
        }
    }

    /// Empties whatever slot this number belongs to. Its payload stays readable until the next
    /// insertion.
    pub(super) fn remove(&mut self, sequence: i64) {
        let slot = &mut self.slots[index(sequence)];
        match slot.content {
            Content::Empty => return,
            Content::Audio { ticks, .. } => self.held_ticks -= u64::from(ticks),
            Content::Foreign => {}
        }
        self.packets -= 1;
        slot.content = Content::Empty;
    }

    /// The payload last filed under this number.
    pub(super) fn payload(&self, sequence: i64) -> &[u8] {
        &self.slots[index(sequence)].payload
    }

    /// Empties every slot.
    pub(super) fn clear(&mut self) {
        for slot in &mut self.slots {
            slot.content = Content::Empty;
        }
        self.packets = 0;
        self.held_ticks = 0;
    }
}

fn index(sequence: i64) -> usize {
    sequence.rem_euclid(SPAN) as usize
}
