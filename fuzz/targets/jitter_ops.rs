//! Packets of any number, time and size into the jitter buffer, and slots out of it.
#![no_main]

use std::time::Duration;

use antiphon::limits::{JITTER_DEPTH_MS_MAX, JITTER_DEPTH_MS_MIN, JITTER_HELD_MS_MAX};
use antiphon::rtp::jitter::{
    Arrival, JitterBuffer, JitterSettings, Passage, Playhead, Pop, Recovery, Redundancy, Surplus,
};
use antiphon::time::SessionTime;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

const CLOCK_HZ: u32 = 48_000;
const SLOT_TICKS: u32 = 960;

#[derive(Arbitrary, Debug)]
enum Operation {
    Wait {
        ms: u16,
    },
    /// So many packets in a row, of 20 ms each or, if `long`, of 120 ms. The first comes `skipped`
    /// packets after (or before) the one that would be next.
    Next {
        skipped: i8,
        packets: u8,
        long: bool,
        marker: bool,
    },
    Any {
        sequence: u16,
        timestamp: u32,
        ticks: u16,
        length: u16,
    },
    Foreign {
        ahead: i8,
    },
    Slot {
        silence: bool,
    },
}

fuzz_target!(|input: (bool, Vec<Operation>)| {
    let (fec, operations) = input;
    let redundancy = if fec { Redundancy::NextPacket } else { Redundancy::None };
    let mut buffer = JitterBuffer::new(JitterSettings::CONVERSATION, CLOCK_HZ, redundancy);
    let mut now = SessionTime::ZERO;
    let (mut sequence, mut timestamp) = (0_u16, 0_u32);
    let payload = [7; 2_000];
    let mut ahead_ticks = 0;
    for operation in operations {
        match operation {
            Operation::Wait { ms } => now += Duration::from_millis(ms.into()),
            Operation::Next { skipped, packets, long, marker } => {
                let ticks = if long { 6 * SLOT_TICKS } else { SLOT_TICKS };
                sequence = sequence.wrapping_add_signed(skipped.into());
                timestamp = timestamp.wrapping_add_signed(i32::from(skipped) * ticks as i32);
                for _ in 0..packets {
                    let packet = Arrival { sequence, timestamp, ticks, marker, payload: &[1] };
                    let _counted = buffer.push(now, &packet);
                    sequence = sequence.wrapping_add(1);
                    timestamp = timestamp.wrapping_add(ticks);
                }
            }
            Operation::Any { sequence, timestamp, ticks, length } => {
                let payload = &payload[..usize::from(length).min(payload.len())];
                let ticks = ticks.into();
                let packet = Arrival { sequence, timestamp, ticks, marker: false, payload };
                let _counted = buffer.push(now, &packet);
            }
            Operation::Foreign { ahead } => {
                buffer.push_foreign(sequence.wrapping_add_signed(ahead.into()));
            }
            Operation::Slot { silence } => {
                ahead_ticks = slot(&mut buffer, now, ahead_ticks, silence)
            }
        }
        check(&buffer);
    }
});

/// Fills one slot as the uplink does, and returns what is left over of it.
fn slot(buffer: &mut JitterBuffer, now: SessionTime, mut ahead: u32, silence: bool) -> u32 {
    let passage = if silence { Passage::Silence } else { Passage::Speech };
    let mut pops = 0;
    while ahead < SLOT_TICKS {
        pops += 1;
        assert!(pops <= 1_000, "a slot is never filled");
        match buffer.pop(now, Playhead { ahead_ticks: ahead, passage }) {
            Pop::Frame { ticks, surplus, .. } => {
                assert!(ticks > 0, "a frame without length");
                ahead += ticks;
                if surplus != Surplus::None && ahead >= SLOT_TICKS {
                    buffer.handle_left_out(Duration::from_millis(20));
                    ahead -= SLOT_TICKS;
                }
            }
            Pop::Conceal { ticks, next } => {
                assert!(ticks > 0, "a concealment without length");
                let by = next.map_or(Recovery::Plc, |_| Recovery::Fec);
                buffer.handle_concealed(by);
                ahead += ticks;
            }
            Pop::Wait => ahead = ahead.max(SLOT_TICKS),
        }
    }
    ahead - SLOT_TICKS
}

fn check(buffer: &JitterBuffer) {
    let stats = buffer.stats();
    assert!((JITTER_DEPTH_MS_MIN..=JITTER_DEPTH_MS_MAX).contains(&stats.target_ms), "{stats:?}");
    assert!(stats.held_ms <= JITTER_HELD_MS_MAX, "{stats:?}");
    assert!(stats.played <= stats.received, "{stats:?}");
}
