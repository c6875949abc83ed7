use super::*;
use crate::call::event::Clip;
use crate::limits::FRAME;

const FILLER: DownlinkCommand = DownlinkCommand::Clip { clip: Clip::Filler };
const APOLOGY: DownlinkCommand = DownlinkCommand::Clip { clip: Clip::Apology };

/// A rig with a filler of 100 ms, whose samples count from 20 000, and an apology of a steady level.
fn rig(codec_rate_hz: u32) -> Rig {
    let filler: Vec<i16> = (20_000..20_000 + 5 * FRAME_SAMPLES as i16).collect();
    let filler = ClipAudio::new(48_000, &filler).expect("it is short");
    let apology = ClipAudio::new(16_000, &[-9_000; 320 * 4]).expect("it is short");
    with(codec_rate_hz, Clips { filler: Some(filler), apology: Some(apology) })
}

fn with(codec_rate_hz: u32, clips: Clips) -> Rig {
    let mut rig = Rig::encoding(codec_rate_hz);
    rig.downlink = Downlink::new(&rig.codec, 0).with_clips(clips);
    rig.downlink.start(SessionTime::ZERO);
    rig
}

fn is_of_clip(slot: &Slot) -> bool {
    slot.sent.generation.is_none() && slot.sent.level_dbfs > -100.0
}

fn sounds_of_clip(slots: &[Slot]) -> usize {
    slots.iter().filter(|slot| is_of_clip(slot)).count()
}

#[test]
fn a_clip_is_played_whole_while_no_reply_is_open_and_is_of_no_reply() {
    let mut rig = rig(48_000);
    rig.command(FILLER);
    let slots = rig.slots(8);
    assert_eq!(sounds_of_clip(&slots), 5);
    assert!(slots.iter().all(|slot| slot.sent.generation.is_none()));
    let sent: Vec<i64> = rig.pcm.iter().map(|sample| number(*sample)).collect();
    let inner = 240..5 * FRAME_SAMPLES - 240;
    let expected: Vec<i64> = inner.clone().map(|n| n as i64 + 20_000).collect();
    assert_eq!(sent[inner], expected, "but for 5 ms at each end");
    assert!(sent[0].abs() < 100 && sent[5 * FRAME_SAMPLES - 1].abs() < 100, "it rises and falls");
    assert!(sent[5 * FRAME_SAMPLES..].iter().all(|sample| *sample == 0));
}

#[test]
fn the_reply_waits_for_the_end_of_the_clip_and_loses_nothing() {
    let mut rig = rig(48_000);
    rig.command(DownlinkCommand::Play { generation: ONE });
    rig.command(FILLER);
    rig.slots(2);
    rig.push(ONE, 48_000, &numbered(4 * FRAME_SAMPLES));
    rig.finish(ONE);
    let slots = rig.slots(9);
    let of_reply: Vec<bool> = slots.iter().map(|slot| slot.sent.generation == Some(ONE)).collect();
    assert_eq!(of_reply, [false, false, false, true, true, true, true, false, false]);
    assert!(
        slots[..3].iter().all(|slot| slot.sent.queued == FRAME * 4),
        "the reply is still queued"
    );
    let reply: Vec<i64> = rig.pcm[5 * FRAME_SAMPLES..].iter().map(|it| number(*it)).collect();
    assert_eq!(reply[240..241], [241]);
    assert_eq!(reply[4 * FRAME_SAMPLES - 300], 4 * FRAME_SAMPLES as i64 - 299);
}

#[test]
fn a_reply_that_sounds_gives_way_and_goes_on_where_it_was_faded() {
    let mut rig = rig(48_000);
    rig.command(DownlinkCommand::Play { generation: ONE });
    rig.push(ONE, 48_000, &numbered(6 * FRAME_SAMPLES));
    rig.finish(ONE);
    rig.slots(2);
    rig.command(APOLOGY);
    let slots = rig.slots(10);
    let of_reply: Vec<bool> = slots.iter().map(|slot| slot.sent.generation == Some(ONE)).collect();
    // One frame that fades, four of the clip and what was in its converter, then the same frame again, rising.
    let expected = [true, false, false, false, false, false, true, true, true, true];
    assert_eq!(of_reply, expected);
    assert_eq!(sounds_of_clip(&slots), 5);
    let again = &rig.pcm[8 * FRAME_SAMPLES..9 * FRAME_SAMPLES];
    assert_eq!(number(again[FRAME_SAMPLES - 1]), 3 * FRAME_SAMPLES as i64);
}

#[test]
fn a_clip_can_be_held_and_goes_on_where_it_was_faded() {
    let mut rig = rig(48_000);
    rig.command(FILLER);
    rig.slots(2);
    rig.command(DownlinkCommand::Pause);
    let held = rig.slots(4);
    assert_eq!(sounds_of_clip(&held), 1, "one frame that fades");
    rig.command(DownlinkCommand::Resume);
    assert_eq!(sounds_of_clip(&rig.slots(5)), 3);
    let again = &rig.pcm[6 * FRAME_SAMPLES..7 * FRAME_SAMPLES];
    assert_eq!(number(again[FRAME_SAMPLES - 1]), 20_000 + 3 * FRAME_SAMPLES as i64 - 1);
    // Held before its first frame, it is not heard at all.
    rig.command(DownlinkCommand::Play { generation: ONE });
    rig.command(DownlinkCommand::Pause);
    rig.command(FILLER);
    assert_eq!(sounds_of_clip(&rig.slots(3)), 0);
    rig.command(DownlinkCommand::Resume);
    assert_eq!(sounds_of_clip(&rig.slots(7)), 5);
}

#[test]
fn a_flush_ends_the_clip_within_a_frame() {
    let mut rig = rig(48_000);
    rig.command(DownlinkCommand::Play { generation: ONE });
    rig.push(ONE, 48_000, &numbered(FRAME_SAMPLES));
    rig.command(FILLER);
    rig.slots(2);
    rig.command(DownlinkCommand::Flush);
    let slots = rig.slots(4);
    assert_eq!(sounds_of_clip(&slots), 1);
    assert!(slots.iter().all(|slot| slot.sent.generation.is_none()), "the reply is gone too");
    assert!(rig.pcm[3 * FRAME_SAMPLES - 1].abs() < 1e-3);
    rig.command(FILLER);
    assert_eq!(sounds_of_clip(&rig.slots(7)), 5, "and it can be played again, from its start");
}

#[test]
fn another_clip_takes_its_place_and_the_same_one_does_not_begin_again() {
    let mut rig = rig(48_000);
    rig.command(FILLER);
    rig.slots(2);
    rig.command(FILLER);
    rig.slot();
    rig.command(APOLOGY);
    assert_eq!(sounds_of_clip(&rig.slots(8)), 1 + 5);
    // A new reply does not end a clip.
    rig.command(APOLOGY);
    rig.command(DownlinkCommand::Play { generation: TWO });
    assert_eq!(sounds_of_clip(&rig.slots(6)), 5);
}

#[test]
fn no_change_of_clips_clicks_at_any_rate() {
    for codec_rate_hz in [8_000, 16_000, 48_000] {
        let clip = |rate_hz: u32| ClipAudio::new(rate_hz, &tone(rate_hz, 200.0, 3_210)).ok();
        let mut rig = with(codec_rate_hz, Clips { filler: clip(48_000), apology: clip(16_000) });
        rig.command(DownlinkCommand::Play { generation: ONE });
        rig.push(ONE, 24_000, &tone(24_000, 200.0, 24_000));
        for command in [APOLOGY, FILLER, DownlinkCommand::Pause, DownlinkCommand::Resume, APOLOGY] {
            rig.slots(2);
            rig.command(command);
        }
        rig.slots(2);
        rig.command(DownlinkCommand::Flush);
        rig.slots(2);
        rig.command(FILLER);
        rig.slots(6);
        // A tone and a ramp of 5 ms are no steeper than this together.
        let per_sample = 0.5 / codec_rate_hz as f32;
        let limit =
            (std::f32::consts::TAU * 200.0 + std::f32::consts::PI / 2.0 / 0.005) * per_sample;
        assert!(steepest(&rig.pcm) < limit, "{codec_rate_hz} Hz: {}", steepest(&rig.pcm));
    }
}

#[test]
fn what_cannot_be_a_clip_is_refused_and_none_plays_nothing() {
    assert_eq!(ClipAudio::new(44_100, &[1]), Err(ClipRefused::BadRate(44_100)));
    assert_eq!(ClipAudio::new(8_000, &[]), Err(ClipRefused::Empty));
    assert_eq!(ClipAudio::new(8_000, &[1; 80_800]), Err(ClipRefused::TooLong(10_100)));
    assert!(ClipAudio::new(8_000, &[1; 80_000]).is_ok());
    let mut rig = Rig::playing(ONE, 48_000, &numbered(3 * FRAME_SAMPLES));
    rig.slot();
    rig.command(FILLER);
    assert_eq!(rig.slot().sent.generation, Some(ONE));
}
