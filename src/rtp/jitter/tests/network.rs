//! Whole networks: loss, jitter, stalls and drifting clocks, over minutes and hours.

use super::*;

/// A small, seeded source of numbers for network models.
struct Lcg(u64);

impl Lcg {
    fn next(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Plays `seconds` of 20 ms packets from a clock `ppm` fast, each lost with `loss_percent` and later
/// by up to `jitter_us`. Speech for 3 s, silence for 2 s, and so on. Returns the listener and the
/// longest delay of the second half.
fn simulate(seconds: u64, ppm: i64, loss_percent: u64, jitter_us: u64) -> (Player, u32) {
    let mut player = Player::new(Redundancy::NextPacket, Passage::Speech);
    let mut random = Lcg(42);
    let mut in_flight = std::collections::BinaryHeap::new();
    let (mut sent, mut delay_max_ms) = (0_u64, 0);
    for slot in 0..seconds * 50 {
        let now_us = slot * 20_000 + 20_000;
        loop {
            let sent_us = (sent as i64 * 20_000 * 1_000_000 / (1_000_000 + ppm)) as u64;
            if sent_us > now_us {
                break;
            }
            if random.next(100) >= loss_percent {
                let arrival_us = sent_us + random.next(jitter_us + 1);
                in_flight.push(std::cmp::Reverse((arrival_us, sent)));
            }
            sent += 1;
        }
        while let Some(std::cmp::Reverse((arrival_us, n))) = in_flight.peek().copied() {
            if arrival_us > now_us {
                break;
            }
            in_flight.pop();
            let _ = player.push(SessionTime::from_micros(arrival_us), n as u16, n as u32 * 20);
        }
        let in_speech = slot / 50 % 5 < 3;
        player.passage = if in_speech { Passage::Speech } else { Passage::Silence };
        player.slot(SessionTime::from_micros(now_us));
        player.heard.clear();
        if slot > seconds * 25 {
            delay_max_ms = delay_max_ms.max(player.buffer.stats().delay_ms);
        }
    }
    (player, delay_max_ms)
}

#[test]
fn an_hour_of_clock_drift_neither_fills_nor_starves_the_buffer() {
    for ppm in [-200, 200] {
        let (player, delay_max_ms) = simulate(3_600, ppm, 0, 1_000);
        let stats = player.buffer.stats();
        assert!(delay_max_ms <= 45, "{ppm} ppm: {delay_max_ms} ms; {stats:?}");
        assert_eq!((stats.lost, stats.late), (0, 0), "{ppm} ppm: {stats:?}");
        assert!(stats.starved <= 2, "{ppm} ppm: {stats:?}");
        // 200 ppm of an hour are 720 ms.
        let corrected_ms = if ppm > 0 { stats.accelerated_ms } else { stats.stretched_ms };
        assert!((660..=800).contains(&corrected_ms), "{ppm} ppm: {stats:?}");
        assert!((i64::from(stats.drift_ppm) - ppm).abs() <= 10, "{ppm} ppm: {stats:?}");
    }
}

#[test]
fn loss_and_jitter_cost_little_more_than_the_network_took() {
    let (player, delay_max_ms) = simulate(600, 0, 5, 30_000);
    let stats = player.buffer.stats();
    let expected = stats.played + stats.lost;
    let lost_percent = stats.lost as f64 * 100.0 / expected as f64;
    assert!((4.0..6.5).contains(&lost_percent), "{lost_percent} % of {stats:?}");
    let by_fec_percent = stats.concealed_fec as f64 * 100.0 / stats.lost as f64;
    assert!(by_fec_percent > 85.0, "{by_fec_percent} % of {stats:?}");
    assert!(delay_max_ms <= 85, "{delay_max_ms} ms; {stats:?}");
    assert!(stats.late * 200 < stats.received, "{stats:?}");
}

#[test]
fn a_burst_raises_the_target_and_silence_brings_it_down_again() {
    let mut player = Player::new(Redundancy::None, Passage::Speech);
    let mut depths = Vec::new();
    for n in 0..1_500_u64 {
        // Between 4 s and 5 s the network stalls for 300 ms at a time.
        let stalled = (200..250).contains(&n);
        if !stalled || n % 15 == 14 || n == 249 {
            let first = if stalled { n.saturating_sub(n % 15).max(200) } else { n };
            for sent in first..=n {
                let _ = player.push(at(n * 20), sent as u16, sent as u32 * 20);
            }
        }
        if n == 750 {
            player.passage = Passage::Silence;
        }
        player.slot(at(n * 20 + 20));
        depths.push(player.buffer.stats().delay_ms);
    }
    let stats = player.buffer.stats();
    assert!(depths[240] >= 280, "it grows at once: {}", depths[240]);
    assert!(depths[740] >= 280, "it does not shrink in speech: {}", depths[740]);
    assert_eq!(depths[1_499], 20, "it shrinks in silence");
    assert_eq!((stats.lost, stats.late), (0, 0), "{stats:?}");
}
