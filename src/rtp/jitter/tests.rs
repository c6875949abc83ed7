use super::*;

mod network;
mod properties;

/// Timestamps in these tests tick at 1 kHz: one tick is one millisecond.
const CLOCK_HZ: u32 = 1_000;

fn at(millis: u64) -> SessionTime {
    SessionTime::from_millis(millis)
}

/// The payload of packet `sequence`.
fn payload(sequence: u16) -> [u8; 2] {
    sequence.to_be_bytes()
}

fn number(payload: &[u8]) -> u16 {
    u16::from_be_bytes([payload[0], payload[1]])
}

/// A buffer and a listener that takes 20 ms of it per slot and writes down what it hears.
struct Player {
    buffer: JitterBuffer,
    passage: Passage,
    ahead_ticks: u32,
    /// `7` played, `~` concealed, `7'` recovered from packet 7, `.` waited, `x` left out.
    heard: Vec<String>,
}

impl Player {
    fn new(redundancy: Redundancy, passage: Passage) -> Self {
        let buffer = JitterBuffer::new(JitterSettings::CONVERSATION, CLOCK_HZ, redundancy);
        Self { buffer, passage, ahead_ticks: 0, heard: Vec::new() }
    }

    fn push(&mut self, now: SessionTime, sequence: u16, timestamp: u32) -> Result<(), Rejected> {
        self.push_lasting(now, sequence, timestamp, 20)
    }

    fn push_lasting(
        &mut self,
        now: SessionTime,
        sequence: u16,
        timestamp: u32,
        ticks: u32,
    ) -> Result<(), Rejected> {
        let payload = payload(sequence);
        let arrival = Arrival { sequence, timestamp, ticks, marker: false, payload: &payload };
        self.buffer.push(now, &arrival)
    }

    fn slot(&mut self, now: SessionTime) {
        while self.ahead_ticks < 20 {
            let playhead = Playhead { ahead_ticks: self.ahead_ticks, passage: self.passage };
            let passage = self.passage;
            let heard = match self.buffer.pop(now, playhead) {
                Pop::Frame { payload, ticks, surplus } => {
                    let is_cut = surplus == Surplus::Now
                        || (surplus == Surplus::InSilence && passage == Passage::Silence);
                    let cut = if is_cut { ticks.min(20) } else { 0 };
                    let name = number(payload);
                    self.ahead_ticks += ticks - cut;
                    self.buffer.handle_left_out(Duration::from_millis(u64::from(cut)));
                    if cut > 0 { format!("x{name}") } else { format!("{name}") }
                }
                Pop::Conceal { ticks, next } => {
                    let heard = next.map_or("~".to_owned(), |next| format!("{}'", number(next)));
                    let by = if next.is_some() { Recovery::Fec } else { Recovery::Plc };
                    self.ahead_ticks += ticks;
                    self.buffer.handle_concealed(by);
                    heard
                }
                Pop::Wait => {
                    self.ahead_ticks = 20;
                    ".".to_owned()
                }
            };
            self.heard.push(heard);
        }
        self.ahead_ticks -= 20;
    }
}

/// Rows of (sequence, timestamp, arrival in ms), in order of arrival; what is heard in `slots` slots,
/// the first 20 ms after the first arrival.
fn listen(passage: Passage, slots: u64, rows: &[(u16, u32, u64)]) -> (String, JitterStats) {
    let mut player = Player::new(Redundancy::NextPacket, passage);
    let mut rows = rows.iter().peekable();
    let start = rows.peek().map_or(0, |row| row.2);
    for slot in 1..=slots {
        let now = start + slot * 20;
        while let Some((sequence, timestamp, arrival)) = rows.next_if(|row| row.2 <= now) {
            // Refusals show in the counters.
            let _ = player.push(at(*arrival), *sequence, *timestamp);
        }
        player.slot(at(now));
    }
    (player.heard.join(" "), player.buffer.stats())
}

#[track_caller]
fn check(rows: &[(u16, u32, u64)], slots: u64, expected: &str) -> JitterStats {
    let (heard, stats) = listen(Passage::Speech, slots, rows);
    assert_eq!(heard, expected);
    stats
}

#[test]
fn a_clean_stream_is_heard_20_ms_after_it_came() {
    let stats = check(&[(7, 0, 0), (8, 20, 20), (9, 40, 40), (10, 60, 60)], 4, "7 8 9 10");
    assert_eq!((stats.delay_ms, stats.target_ms, stats.held_ms), (20, 20, 0));
    assert_eq!((stats.received, stats.played, stats.lost, stats.starved), (4, 4, 0, 0));
}

#[test]
fn reordered_packets_are_heard_in_order() {
    check(&[(1, 0, 0), (3, 40, 30), (2, 20, 35), (4, 60, 60)], 4, "1 2 3 4");
}

#[test]
fn a_packet_before_the_first_moves_the_beginning_back_while_nothing_was_heard() {
    check(&[(2, 20, 0), (1, 0, 10), (3, 40, 20)], 3, "1 2 3");
}

#[test]
fn duplicates_and_late_packets_are_refused_and_counted() {
    let rows =
        [(1, 0, 0), (1, 0, 5), (2, 20, 20), (1, 0, 25), (4, 60, 61), (5, 80, 80), (3, 40, 90)];
    let stats = check(&rows, 5, "1 2 . 4 5");
    assert_eq!((stats.duplicate, stats.late, stats.lost), (2, 1, 1));
    assert_eq!(stats.received, stats.played + stats.duplicate + stats.late);
}

#[test]
fn numbers_and_timestamps_wrap() {
    let ts = u32::MAX - 29;
    let rows = [(65_534, ts, 0), (65_535, ts.wrapping_add(20), 20), (0, 10, 40), (1, 30, 60)];
    let stats = check(&rows, 4, "65534 65535 0 1");
    assert_eq!(stats.resyncs, 0);
}

#[test]
fn a_single_loss_is_made_up_for_without_becoming_later() {
    let rows = [(1, 0, 0), (2, 20, 20), (4, 60, 61), (5, 80, 81)];
    let stats = check(&rows, 5, "1 2 . 4 5");
    assert_eq!((stats.lost, stats.concealed_plc, stats.delay_ms), (1, 1, 20));
}

#[test]
fn repeated_loss_makes_room_for_the_redundancy_of_the_next_packet() {
    let lost = [5, 10, 20, 30, 40];
    let rows: Vec<_> = (0..50)
        .filter(|n| !lost.contains(n))
        // All but the first come just after a slot: with 20 ms of depth the next is never here.
        .map(|n| (n, u32::from(n) * 20, u64::from(n) * 20 + u64::from(n > 0)))
        .collect();
    let (heard, stats) = listen(Passage::Speech, 50, &rows);
    assert!(heard.contains("29 31' 31"), "{heard}");
    assert!(heard.contains("39 41' 41"), "{heard}");
    assert_eq!((stats.lost, stats.concealed_fec + stats.concealed_plc), (5, 5));
    assert!((2..=4).contains(&stats.concealed_fec), "{stats:?}");
    assert!(stats.delay_ms <= 45, "{stats:?}");
}

#[test]
fn a_pause_of_the_sender_is_waited_out_in_silence() {
    // DTX: the numbers go on, the timestamps jump.
    let rows = [(1, 0, 0), (2, 20, 20), (3, 140, 140), (4, 160, 160)];
    let stats = check(&rows, 9, "1 2 . . . . . 3 4");
    assert_eq!((stats.lost, stats.delay_ms, stats.stretched_ms), (0, 20, 0));
}

#[test]
fn a_packet_lost_in_a_pause_does_not_delay_what_follows() {
    let rows = [(1, 0, 0), (2, 20, 20), (4, 140, 140), (5, 160, 160)];
    let stats = check(&rows, 9, "1 2 . . . . . 4 5");
    assert_eq!((stats.lost, stats.concealed_plc, stats.delay_ms), (1, 1, 20));
}

#[test]
fn audio_that_the_network_held_up_is_heard_late_rather_than_lost() {
    let rows = [(1, 0, 0), (2, 20, 20), (3, 40, 115), (4, 60, 115), (5, 80, 115), (6, 100, 120)];
    let stats = check(&rows, 9, "1 2 . . . 3 4 5 6");
    assert_eq!((stats.lost, stats.late, stats.starved), (0, 0, 1));
    assert_eq!(stats.target_ms, 75, "the target rises at once");
    assert_eq!(stats.delay_ms, 80);
}

#[test]
fn the_delay_grows_where_a_talk_spurt_begins() {
    for (marker, expected) in [(false, "1 . 3 4 5 6"), (true, "1 . 3 4 . . . 5 6")] {
        let mut player = Player::new(Redundancy::None, Passage::Speech);
        let rows = [(1, 0), (3, 41), (4, 60), (2, 100), (5, 100), (6, 101), (7, 120)];
        let mut rows = rows.iter().peekable();
        for slot in 1..=9 {
            while let Some((sequence, arrival)) = rows.next_if(|row| row.1 <= slot * 20) {
                let timestamp = u32::from(*sequence) * 20;
                let payload = payload(*sequence);
                let marker = marker && *sequence == 5;
                let arrival_of = Arrival {
                    sequence: *sequence,
                    timestamp,
                    ticks: 20,
                    marker,
                    payload: &payload,
                };
                let _ = player.buffer.push(at(*arrival), &arrival_of);
            }
            player.slot(at(slot * 20));
        }
        let heard = player.heard.join(" ");
        assert!(heard.starts_with(expected), "marker {marker}: {heard}");
    }
}

#[test]
fn short_packets_settle_after_a_burst() {
    let mut player = Player::new(Redundancy::None, Passage::Silence);
    for n in 0..2_000_u16 {
        let now = u64::from(n) * 10;
        let late = if (100..106).contains(&n) { 60 - u64::from(n - 100) * 10 } else { 0 };
        player.push_lasting(at(now + late), n, u32::from(n) * 10, 10).expect("filed");
        if n >= 2 && n % 2 == 0 {
            player.slot(at(now));
        }
    }
    let stats = player.buffer.stats();
    assert_eq!((stats.stretched_ms, stats.accelerated_ms), (30, 20), "{stats:?}");
    assert_eq!(stats.delay_ms, 30, "half a slot more than longer packets need");
}

#[test]
fn a_telephone_event_is_not_a_lost_packet() {
    let mut player = Player::new(Redundancy::None, Passage::Speech);
    player.push(at(0), 1, 0).expect("the first packet is filed");
    player.slot(at(20));
    for sequence in 2..=4 {
        player.buffer.push_foreign(sequence);
    }
    player.slot(at(40));
    player.slot(at(60));
    player.push(at(80), 5, 80).expect("the stream goes on");
    player.slot(at(80));
    player.slot(at(100));
    assert_eq!(player.heard.join(" "), "1 . . . 5");
    assert_eq!(player.buffer.stats().lost, 0);
}

#[test]
fn a_stream_that_begins_anew_is_followed_from_its_second_packet() {
    let rows = [
        (1, 0, 0),
        (2, 20, 20),
        (40_000, 777_777, 40),
        (40_001, 777_797, 60),
        (40_002, 777_817, 80),
    ];
    let stats = check(&rows, 5, "1 2 . 40001 40002");
    assert_eq!((stats.strayed, stats.resyncs, stats.lost), (1, 1, 0));
}

#[test]
fn stray_packets_that_do_not_follow_on_each_other_change_nothing() {
    let rows = [(1, 0, 0), (2, 20, 20), (40_000, 777, 30), (3, 40, 40), (900, 9, 50), (4, 60, 60)];
    let stats = check(&rows, 4, "1 2 3 4");
    assert_eq!((stats.strayed, stats.resyncs), (2, 0), "{stats:?}");
}

#[test]
fn a_clock_that_stood_still_during_a_pause_becomes_the_new_reference() {
    let mut rows: Vec<_> = (0..50).map(|n| (n, u32::from(n) * 20, u64::from(n) * 20)).collect();
    // Two seconds of nothing, then as if there had been none.
    rows.extend((50..150).map(|n| (n, u32::from(n) * 20, u64::from(n) * 20 + 2_000)));
    let (_, stats) = listen(Passage::Speech, 250, &rows);
    assert_eq!((stats.played, stats.lost, stats.accelerated_ms), (150, 0, 0));
    assert_eq!((stats.resyncs, stats.delay_ms, stats.target_ms), (1, 20, 20));
}

#[test]
fn one_packet_that_is_very_late_is_not_a_new_reference() {
    // All but the first come just after a slot, so that nothing is held between slot and arrival.
    let arrival = |n: u16| u64::from(n) * 20 + if n > 0 { 2 } else { 0 };
    let mut rows: Vec<_> = (0..100).map(|n| (n, u32::from(n) * 20, arrival(n))).collect();
    // Packet 50 comes half a second after its turn, just before packet 75.
    let (sequence, timestamp, _) = rows.remove(50);
    rows.insert(74, (sequence, timestamp, 1_501));
    let (_, stats) = listen(Passage::Speech, 100, &rows);
    assert_eq!((stats.late, stats.resyncs), (1, 0), "{stats:?}");
}

#[test]
fn a_full_buffer_drops_the_oldest() {
    let mut player = Player::new(Redundancy::None, Passage::Speech);
    for n in 0..130 {
        player.push(at(0), n, u32::from(n) * 20).expect("there is room, or made");
    }
    let stats = player.buffer.stats();
    assert_eq!((stats.overflow, stats.held_ms), (30, 2_000));
    assert_eq!(player.push(at(0), 29, 580), Err(Rejected::Late));
    player.slot(at(2_600));
    assert_eq!(player.heard.last().map(String::as_str), Some("129"), "beyond its bound it hurries");
}

#[test]
fn the_oldest_is_refused_by_a_full_buffer() {
    let mut player = Player::new(Redundancy::None, Passage::Speech);
    player.push(at(0), 0, 0).expect("filed");
    player.slot(at(20));
    for n in 2..=101 {
        player.push(at(20), n, u32::from(n) * 20).expect("filed");
    }
    assert_eq!(player.push(at(20), 1, 20), Err(Rejected::Overflow));
}

#[test]
fn what_cannot_be_held_is_refused() {
    let mut player = Player::new(Redundancy::None, Passage::Speech);
    for ticks in [0, 121, u32::MAX] {
        assert_eq!(player.push_lasting(at(0), 0, 0, ticks), Err(Rejected::Oversize));
    }
    let long = vec![0; RTP_PAYLOAD_BYTES_MAX + 1];
    let arrival = Arrival { sequence: 0, timestamp: 0, ticks: 20, marker: false, payload: &long };
    assert_eq!(player.buffer.push(at(0), &arrival), Err(Rejected::Oversize));
    assert_eq!(player.buffer.stats().overflow, 4);
}

#[test]
fn every_packet_duration_plays_without_a_gap() {
    for ticks in [10, 20, 40, 60, 120] {
        let mut player = Player::new(Redundancy::None, Passage::Silence);
        let mut next = 0_u16;
        for now in 0..6_000 {
            if now % u64::from(ticks) == 0 {
                let timestamp = u32::from(next) * ticks;
                player.push_lasting(at(now), next, timestamp, ticks).expect("filed");
                next += 1;
            }
            if now >= 20 && now % 20 == 0 {
                player.slot(at(now));
            }
        }
        let stats = player.buffer.stats();
        assert_eq!((stats.lost, stats.late, stats.starved), (0, 0, 0), "{ticks} ms: {stats:?}");
        assert!(stats.delay_ms <= 30, "{ticks} ms: {stats:?}");
        assert_eq!(stats.accelerated_ms, 0, "{ticks} ms: {stats:?}");
    }
}
