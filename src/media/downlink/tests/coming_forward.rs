//! What begins after a silence does not wait for its slot.

use super::*;

#[test]
fn speech_after_a_silence_begins_at_once_and_its_slots_are_no_more_than_they_were() {
    let mut rig = Rig::new();
    let ms = SessionTime::from_millis;
    rig.slots(12);
    rig.command(DownlinkCommand::Play { generation: ONE });
    rig.downlink.push(ms(226), ONE, 48_000, &tone(48_000, 440.0, 500)).expect("it is to be played");
    assert_eq!(rig.now(), ms(240), "half a frame does not sound yet");
    rig.downlink.push(ms(227), ONE, 48_000, &tone(48_000, 440.0, 1_420)).expect("and this too");
    rig.downlink.command(ms(228), DownlinkCommand::Finish { generation: ONE });
    let sent: Vec<(SessionTime, Option<u32>)> = rig
        .slots(9)
        .iter()
        .map(|slot| (slot.at, slot.packet.as_ref().map(|packet| packet.timestamp)))
        .collect();
    let (early, on_time) = (227, 380);
    for (n, (at, timestamp)) in sent[..6].iter().enumerate() {
        let expected_ms = early + 20 * n as u64;
        assert_eq!((*at, *timestamp), (ms(expected_ms), Some(expected_ms as u32 * 48)));
    }
    // At rest again, they are back where they were.
    let after: Vec<SessionTime> = sent[6..].iter().map(|(at, _)| *at).collect();
    assert_eq!(after, [ms(347), ms(on_time), ms(on_time + 20)]);
    assert_eq!(rig.downlink.stats().slots, 21, "one every 20 ms, as ever");
}

#[test]
fn nothing_comes_forward_while_packets_are_sent() {
    // The encoder is still being emptied, or a packet has just gone out to keep the track alive.
    for slots in [1, 2, 3, 23] {
        let mut rig = Rig::new();
        rig.slots(slots);
        let due = rig.now();
        let early = SessionTime::from_millis(slots as u64 * 20 - 15);
        rig.downlink.command(early, DownlinkCommand::Play { generation: ONE });
        rig.downlink.push(early, ONE, 48_000, &numbered(960)).expect("it is to be played");
        assert_eq!(rig.now(), due, "after {slots} slots");
    }
}
