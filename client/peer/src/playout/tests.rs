use proptest::prelude::*;

use super::*;

const FRAME: u64 = 960;

/// Packet `sequence` with the timestamp of frame `frame`, arriving at `arrived_ms`.
fn packet(sequence: u64, frame: u32, arrived_ms: u64) -> Packet {
    Packet { sequence, timestamp: 960 * frame, arrived: arrived_ms * 48, payload: Bytes::new() }
}

/// Plays from `head` to `end`; returns `(sequence, place)` of each packet, `None` for a
/// concealment.
fn play(playout: &mut Playout, mut head: u64, end: u64) -> Vec<(Option<u64>, u64)> {
    let mut played = Vec::new();
    while head < end {
        match playout.pop(head) {
            Next::Play(packet) => {
                played.push((Some(packet.sequence), head));
                head += FRAME;
            }
            Next::Conceal { samples, .. } => {
                played.push((None, head));
                head += samples;
            }
            Next::Silence { samples } => head = head.saturating_add(samples).min(end),
        }
    }
    played
}

#[test]
fn order_and_place_come_from_the_timestamps() {
    let mut playout = Playout::new(48_000, 60);
    for (sequence, frame, arrived_ms) in [(10, 0, 100), (12, 2, 141), (11, 1, 142), (13, 3, 160)] {
        playout.push(packet(sequence, frame, arrived_ms), 0).unwrap();
    }
    let start = 100 * 48;
    assert_eq!(
        play(&mut playout, 0, 20_000),
        (0..4).map(|i| (Some(10 + i), start + i * FRAME)).collect::<Vec<_>>()
    );
}

#[test]
fn only_a_loss_that_the_numbers_show_is_concealed() {
    for (name, packets, concealed) in [
        ("one lost", [(1, 0), (3, 2)], 1),
        ("three lost", [(1, 0), (5, 4)], 3),
        ("a pause in the sending", [(1, 0), (2, 4)], 0),
        ("too many lost to invent", [(1, 0), (20, 19)], 0),
    ] {
        let mut playout = Playout::new(48_000, 60);
        for (sequence, frame) in packets {
            playout.push(packet(sequence, frame, 20 * u64::from(frame)), 0).unwrap();
        }
        let played = play(&mut playout, 0, 30 * FRAME);
        let gaps = played.iter().filter(|(sequence, _)| sequence.is_none()).count();
        assert_eq!(gaps, concealed, "{name}");
        let last = u64::from(packets[1].1) * FRAME;
        assert_eq!(played.last(), Some(&(Some(packets[1].0), last)), "{name}");
    }
}

#[test]
fn the_packet_after_a_single_loss_offers_its_copy() {
    let mut playout = Playout::new(48_000, 60);
    playout.push(packet(1, 0, 0), 0).unwrap();
    playout.push(packet(3, 2, 40), 0).unwrap();
    assert!(matches!(playout.pop(0), Next::Play(_)));
    assert_eq!(playout.pop(FRAME), Next::Conceal { samples: FRAME, copy: Some(Bytes::new()) });
}

#[test]
fn a_packet_behind_the_head_is_late_unless_the_whole_stream_moved() {
    let mut playout = Playout::new(48_000, 60);
    playout.push(packet(1, 0, 0), 0).unwrap();
    playout.push(packet(3, 2, 40), 0).unwrap();
    play(&mut playout, 0, 3 * FRAME);
    assert_eq!(playout.push(packet(2, 1, 70), 3 * FRAME), Err(Rejected::Late));
    // The next one in order, 150 ms late, with nothing else waiting: heard from its arrival on.
    assert_eq!(playout.push(packet(4, 3, 210), 8 * FRAME), Ok(()));
    assert_eq!(playout.push(packet(5, 4, 230), 8 * FRAME), Ok(()));
    assert_eq!(
        play(&mut playout, 8 * FRAME, 20 * FRAME),
        [(Some(4), 210 * 48), (Some(5), 230 * 48)]
    );
}

#[test]
fn a_talk_spurt_is_anchored_anew() {
    let mut playout = Playout::new(48_000, 60);
    // Anchored by a packet that was 30 ms late itself.
    playout.push(packet(1, 0, 30), 0).unwrap();
    play(&mut playout, 0, 5 * FRAME);
    playout.push(packet(2, 50, 1_000), 40 * FRAME).unwrap();
    assert_eq!(play(&mut playout, 40 * FRAME, 60 * FRAME), [(Some(2), 1_000 * 48)]);
}

#[test]
fn clocks_and_numbers_that_jump_or_wrap_do_no_harm() {
    let mut playout = Playout::new(48_000, 60);
    let wrapping = |sequence, timestamp: u32, arrived_ms: u64| Packet {
        timestamp,
        ..packet(sequence, 0, arrived_ms)
    };
    playout.push(wrapping(1, u32::MAX - 479, 0), 0).unwrap();
    playout.push(wrapping(2, 480, 20), 0).unwrap();
    assert_eq!(play(&mut playout, 0, 2 * FRAME), [(Some(1), 0), (Some(2), FRAME)]);
    // An hour ahead, then back.
    playout.push(wrapping(3, 480 + 48_000 * 3_600, 40), 2 * FRAME).unwrap();
    playout.push(wrapping(4, 480 + 960 * 3, 60), 2 * FRAME).unwrap();
    assert_eq!(play(&mut playout, 2 * FRAME, 10 * FRAME).len(), 2);
}

#[test]
fn the_buffer_is_bounded() {
    let mut playout = Playout::new(48_000, 60);
    let count = PLAYOUT_PACKETS_MAX as u64;
    for sequence in 0..count {
        playout.push(packet(sequence, sequence as u32, 0), 0).unwrap();
    }
    let one_more = packet(count, count as u32, 0);
    assert_eq!(playout.push(one_more, 0), Err(Rejected::Overflow));
}

/// One packet of a hostile stream, and how far the head moves before it.
#[derive(Clone, Copy, Debug)]
struct Step {
    sequence: u64,
    timestamp: u32,
    arrived_ms: u64,
    frames: u64,
}

fn step() -> impl Strategy<Value = Step> {
    let near = (0_u64..300, 0_u32..300).prop_map(|(sequence, frame)| (sequence, frame * 960));
    let far = (any::<u16>().prop_map(u64::from), any::<u32>());
    (prop_oneof![near, far], 0_u64..5_000, 0_u64..4).prop_map(
        |((sequence, timestamp), arrived_ms, frames)| Step {
            sequence,
            timestamp,
            arrived_ms,
            frames,
        },
    )
}

proptest! {
    /// Whatever arrives: the head always moves on, numbers are played in order and once, and
    /// nothing is played before its place.
    #[test]
    fn a_hostile_stream_is_played_in_order_or_not_at_all(
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut playout = Playout::new(48_000, 60);
        let (mut head, mut last) = (0, None);
        for Step { sequence, timestamp, arrived_ms, frames } in steps {
            let hostile = Packet { timestamp, ..packet(sequence, 0, arrived_ms) };
            let _ = playout.push(hostile, head);
            for (played, place) in play(&mut playout, head, head + frames * FRAME) {
                prop_assert!(place >= head);
                if let Some(played) = played {
                    prop_assert!(last.is_none_or(|last| played > last));
                    last = Some(played);
                }
            }
            head += frames * FRAME;
        }
    }
}
