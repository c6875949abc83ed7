//! Any sequence of operations.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Push { sequence: u16, timestamp: u32, ticks: u32, marker: bool },
    PushNext { skip: u16, lasting: u32 },
    Foreign { sequence: u16 },
    Slot,
    Pass { micros: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    let any_packet = (any::<u16>(), any::<u32>(), 0_u32..130, any::<bool>());
    prop_oneof![
        1 => any_packet.prop_map(|(sequence, timestamp, ticks, marker)| Op::Push {
            sequence, timestamp, ticks, marker
        }),
        8 => (0_u16..5, prop::sample::select(vec![10_u32, 20, 60, 120]))
            .prop_map(|(skip, lasting)| Op::PushNext { skip, lasting }),
        1 => (0_u16..300).prop_map(|sequence| Op::Foreign { sequence }),
        6 => Just(Op::Slot),
        3 => (0_u64..60_000).prop_map(|micros| Op::Pass { micros }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]


    /// Whatever comes, every packet is accounted for, what is played is in order between resyncs,
    /// and the depth is bounded.
    #[test]
    fn nothing_is_lost_in_silence(ops in prop::collection::vec(op(), 1..400), is_quiet: bool) {
        let passage = if is_quiet { Passage::Silence } else { Passage::Speech };
        let mut player = Player::new(Redundancy::NextPacket, passage);
        let (mut now, mut newest, mut resyncs) = (SessionTime::ZERO, 0_u16, 0);
        let mut last: Option<u16> = None;
        for op in ops {
            match op {
                Op::Push { sequence, timestamp, ticks, marker } => {
                    let payload = payload(sequence);
                    let arrival =
                        Arrival { sequence, timestamp, ticks, marker, payload: &payload };
                    let _ = player.buffer.push(now, &arrival);
                }
                Op::PushNext { skip, lasting } => {
                    newest = newest.wrapping_add(skip);
                    let timestamp = u32::from(newest) * 20;
                    let _ = player.push_lasting(now, newest, timestamp, lasting);
                }
                Op::Foreign { sequence } => player.buffer.push_foreign(sequence),
                Op::Slot => player.slot(now),
                Op::Pass { micros } => now += Duration::from_micros(micros),
            }
            let stats = player.buffer.stats();
            if stats.resyncs != resyncs {
                (last, resyncs) = (None, stats.resyncs);
            }
            for heard in player.heard.drain(..) {
                if let Ok(number) = heard.trim_start_matches('x').parse::<u16>() {
                    let ahead = last.map_or(1, |last| number.wrapping_sub(last) as i16);
                    prop_assert!(ahead > 0, "{number} after {last:?}");
                    last = Some(number);
                }
            }
            prop_assert!(stats.held_ms <= JITTER_HELD_MS_MAX);
            prop_assert!(player.buffer.ring.packets() <= JITTER_PACKETS_MAX, "{stats:?}");
            prop_assert!((20..=400).contains(&stats.target_ms));
            let held = player.buffer.held_packets();
            let ended = stats.played + stats.late + stats.duplicate + stats.overflow + stats.strayed;
            prop_assert_eq!(stats.received, ended + held);
        }
    }
}
