use proptest::prelude::*;

use super::*;

const OURS: u32 = 0x1111_1111;
const THEIRS: u32 = 0x2222_2222;

fn control() -> Control {
    Control::new(OURS, "antiphon", 48_000, NtpTime::from_unix(Duration::from_secs(1_700_000_000)))
}

/// A compound holding one receiver report about `block`.
fn receiver_report(block: &ReportBlock) -> Vec<u8> {
    let mut bytes = Vec::new();
    wire::write_receiver_report(&mut bytes, THEIRS, Some(block));
    bytes
}

fn at(millis: u64) -> SessionTime {
    SessionTime::from_millis(millis)
}

#[test]
fn what_is_written_reads_back() {
    let block = ReportBlock {
        ssrc: OURS,
        fraction_lost: 25,
        cumulative_lost: -3,
        highest_sequence: 0x0001_0005,
        jitter: 77,
        last_sr: 0x0102_0304,
        delay_since_last_sr: 0x0001_0000,
    };
    let info =
        SenderInfo { ntp: NtpTime(0x0102_0304_0506_0708), timestamp: 9, packets: 8, octets: 7 };
    let mut bytes = Vec::new();
    wire::write_sender_report(&mut bytes, THEIRS, &info, Some(&block));
    wire::write_name(&mut bytes, THEIRS, "abc");
    wire::write_bye(&mut bytes, THEIRS);
    let packets = parse(&bytes).collect::<Vec<_>>();
    assert_eq!(packets.len(), 3);
    let Ok(Packet::SenderReport { ssrc, info: read, reports }) = packets[0] else {
        panic!("not a sender report: {packets:?}");
    };
    assert_eq!((ssrc, read), (THEIRS, info));
    assert_eq!(reports.collect::<Vec<_>>(), [block]);
    assert_eq!(packets[1], Ok(Packet::Other { packet_type: 202 }));
    assert_eq!(packets[2], Ok(Packet::Bye { ssrc: Some(THEIRS) }));
}

#[test]
fn the_name_is_padded_as_the_rfc_draws_it() {
    let mut bytes = Vec::new();
    wire::write_name(&mut bytes, OURS, "abc");
    // Chunk: SSRC, CNAME item of 3 bytes, and zeros to the word boundary, at least one.
    assert_eq!(bytes[..4], [0x81, 202, 0, 3]);
    assert_eq!(bytes[8..], [1, 3, b'a', b'b', b'c', 0, 0, 0]);
}

#[test]
fn malformed_packets_end_the_compound() {
    let good = receiver_report(&ReportBlock::default());
    let patched = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let rows = [
        ("cut header", good[..3].to_vec()),
        ("cut body", good[..good.len() - 1].to_vec()),
        ("version 1", patched(0, 0x41)),
        ("two blocks announced, one there", patched(0, 0x82)),
        ("padding of zero bytes", patched(0, 0xa1)),
    ];
    for (name, bytes) in rows {
        assert_eq!(parse(&bytes).collect::<Vec<_>>(), [Err(Malformed)], "{name}");
    }
    let mut control = control();
    assert_eq!(control.handle_rtcp(at(0), &[0x80, 200, 0, 9]), None);
    assert_eq!(control.stats().malformed, 1);
}

#[test]
fn the_round_trip_is_elapsed_time_less_the_peers_delay() {
    let mut control = control();
    control.handle_connected(at(0));
    control.handle_sent(at(100), 960, 60);
    let report = control.poll_report(at(300)).expect("the first report is due");
    let Some(Ok(Packet::SenderReport { info, .. })) = parse(&report).next() else {
        panic!("not a sender report");
    };
    assert_eq!(info.timestamp, 960 + 200 * 48, "the RTP clock runs on through silence");
    let block = |last_sr: u32, delay_ms: u32| ReportBlock {
        ssrc: OURS,
        fraction_lost: 64,
        cumulative_lost: 5,
        jitter: 480,
        last_sr,
        delay_since_last_sr: delay_ms * 65_536 / 1_000,
        ..ReportBlock::default()
    };
    let rows = [
        // (LSR, DLSR in ms, arrives after ms, round trip in ms)
        (info.ntp.compact(), 500, 540, Some(40)),
        (info.ntp.compact(), 0, 25, Some(25)),
        (info.ntp.compact(), 50, 40, None),
        (info.ntp.compact(), 0, 30_000, None),
        (0, 0, 40, None),
    ];
    for (last_sr, delay_ms, after_ms, expected_ms) in rows {
        let bytes = receiver_report(&block(last_sr, delay_ms));
        let measured = control.handle_rtcp(at(300 + after_ms), &bytes);
        let measured_ms = measured.map(|it| (it.as_secs_f64() * 1_000.0).round() as u64);
        assert_eq!(measured_ms, expected_ms, "DLSR {delay_ms} ms, after {after_ms} ms");
    }
    let stats = control.stats();
    assert_eq!((stats.sent_loss, stats.sent_lost), (0.25, 5));
    assert_eq!(stats.sent_jitter, Duration::from_millis(10));
    // A report about somebody else's stream says nothing of ours.
    let foreign = ReportBlock { ssrc: 5, last_sr: info.ntp.compact(), ..ReportBlock::default() };
    assert_eq!(control.handle_rtcp(at(400), &receiver_report(&foreign)), None);
}

#[test]
fn our_report_returns_the_peers_clock_and_counts_its_losses() {
    let mut control = control();
    control.handle_connected(at(0));
    for sequence in [65_534_u16, 65_535, 0, 2, 3] {
        control.handle_rtp(at(0), THEIRS, sequence, 0);
    }
    let info =
        SenderInfo { ntp: NtpTime(0xaaaa_bbbb_cccc_dddd), timestamp: 0, packets: 0, octets: 0 };
    let mut bytes = Vec::new();
    wire::write_sender_report(&mut bytes, THEIRS, &info, None);
    control.handle_rtcp(at(200), &bytes);
    assert_eq!(control.poll_report(at(299)), None);
    let report = control.poll_report(at(300)).expect("the first report is due");
    let Some(Ok(Packet::ReceiverReport { mut reports, .. })) = parse(&report).next() else {
        panic!("nothing was sent, so this is a receiver report");
    };
    let block = reports.next().expect("one block");
    assert_eq!(block.last_sr, 0xbbbb_cccc);
    assert_eq!(block.delay_since_last_sr, 6_553, "100 ms in 1/65 536 s");
    assert_eq!(block.cumulative_lost, 1);
    assert_eq!(block.fraction_lost, 42, "one of six");
    assert_eq!(block.highest_sequence, 0x0001_0003);
    assert_eq!(control.poll_timeout(), Some(at(2_800)));
}

#[test]
fn jitter_follows_the_rfc() {
    let mut reception = Reception::new(THEIRS, 8_000, 0);
    let mut expected = 0_f64;
    // Every other packet 10 ms late: a change of 80 ticks each time.
    for index in 0..200_u16 {
        let late_ms = u64::from(index % 2) * 10;
        reception.handle_packet(at(u64::from(index) * 20 + late_ms), index, u32::from(index) * 160);
        if index > 0 {
            expected += (80.0 - expected) / 16.0;
        }
    }
    let jitter_ticks = reception.jitter().as_secs_f64() * 8_000.0;
    assert!((jitter_ticks - expected).abs() <= 1.5, "{jitter_ticks} against {expected}");
}

#[test]
fn a_source_that_restarts_is_followed_after_two_packets() {
    let mut reception = Reception::new(THEIRS, 8_000, 100);
    for sequence in [100, 101, 102] {
        reception.handle_packet(at(0), sequence, 0);
    }
    reception.handle_packet(at(0), 40_000, 0);
    assert_eq!(reception.report().highest_sequence, 102, "one stray packet changes nothing");
    reception.handle_packet(at(0), 40_001, 0);
    reception.handle_packet(at(0), 40_002, 0);
    assert_eq!(reception.report().highest_sequence, 40_002);
    assert_eq!(reception.lost(), 0);
}

#[test]
fn duplicates_make_the_loss_negative() {
    let mut reception = Reception::new(THEIRS, 8_000, 7);
    for _ in 0..4 {
        reception.handle_packet(at(0), 7, 0);
    }
    assert_eq!(reception.lost(), -3);
    assert_eq!(reception.report().fraction_lost, 0);
}

proptest! {
    #[test]
    fn any_bytes_and_packets_are_taken_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        packets in prop::collection::vec((any::<u16>(), any::<u32>(), 0_u64..100_000), 0..60),
        words in 0_u16..50,
    ) {
        let mut control = control();
        control.handle_connected(at(0));
        let mut framed = vec![0x81, 200];
        framed.extend(words.to_be_bytes());
        framed.extend(&bytes);
        for (sequence, timestamp, millis) in packets {
            control.handle_rtp(at(millis), THEIRS, sequence, timestamp);
            control.handle_rtcp(at(millis), &bytes);
            control.handle_rtcp(at(millis), &framed);
            let _ = control.poll_report(at(millis));
        }
        let _ = control.stats();
    }
}
