mod clips;
mod coming_forward;

use super::*;
use crate::dsp::g711::i16_from_f32;
use crate::media::codec::{CodecError, Concealment};
use proptest::prelude::*;

const ONE: Generation = Generation(1);
const TWO: Generation = Generation(2);
const FRAME_SAMPLES: usize = 960;

/// A codec that counts.
struct Counter {
    rate_hz: u32,
    encoded: u64,
    fails: bool,
}

impl Codec for Counter {
    fn decode_rate_hz(&self) -> u32 {
        48_000
    }
    fn encode_rate_hz(&self) -> u32 {
        self.rate_hz
    }
    fn rtp_clock_hz(&self) -> u32 {
        48_000
    }
    fn packet_samples(&self, _: &[u8]) -> Result<usize, CodecError> {
        Ok(FRAME_SAMPLES)
    }
    fn decode(&mut self, _: &[u8], _: &mut [f32]) -> Result<usize, CodecError> {
        Err(CodecError::Malformed)
    }
    fn conceal(&mut self, _: Option<&[u8]>, _: &mut [f32]) -> Concealment {
        Concealment::Plc
    }
    fn encode(&mut self, pcm: &[f32], payload: &mut [u8]) -> Result<usize, CodecError> {
        assert_eq!(pcm.len(), self.rate_hz as usize / 50);
        self.encoded += 1;
        payload[0] = b'e';
        if self.fails { Err(CodecError::Malformed) } else { Ok(1) }
    }
    fn silence(&self) -> &[u8] {
        b"quiet"
    }
}

/// A downlink, its clock, and everything it sent.
struct Rig {
    downlink: Downlink,
    codec: Counter,
    pcm: Vec<f32>,
}

impl Rig {
    fn new() -> Self {
        Self::encoding(48_000)
    }

    /// One whose codec encodes at `rate_hz`.
    fn encoding(rate_hz: u32) -> Self {
        let codec = Counter { rate_hz, encoded: 0, fails: false };
        let mut downlink = Downlink::new(&codec, 0);
        downlink.start(SessionTime::ZERO);
        Self { downlink, codec, pcm: Vec::new() }
    }

    /// One that plays `generation`, all of which is queued.
    fn playing(generation: Generation, rate_hz: u32, pcm: &[i16]) -> Self {
        let mut rig = Self::new();
        rig.command(DownlinkCommand::Play { generation });
        rig.push(generation, rate_hz, pcm);
        rig
    }

    fn push(&mut self, generation: Generation, rate_hz: u32, pcm: &[i16]) {
        for block in pcm.chunks(BACKEND_BLOCK_SAMPLES_MAX) {
            self.offer(generation, rate_hz, block).expect("it is to be played");
        }
    }

    fn offer(&mut self, generation: Generation, rate_hz: u32, pcm: &[i16]) -> Result<(), Rejected> {
        self.downlink.push(self.now(), generation, rate_hz, pcm)
    }

    fn command(&mut self, command: DownlinkCommand) {
        self.downlink.command(self.now(), command);
    }

    /// When the next slot is due.
    fn now(&self) -> SessionTime {
        self.downlink.next_slot().expect("it was started")
    }

    fn slot(&mut self) -> Slot {
        let slot = self.downlink.poll_slot(self.now(), &mut self.codec).expect("it is due");
        self.pcm.extend_from_slice(self.downlink.last_frame());
        slot
    }

    fn slots(&mut self, count: usize) -> Vec<Slot> {
        (0..count).map(|_| self.slot()).collect()
    }

    fn finish(&mut self, generation: Generation) {
        self.command(DownlinkCommand::Finish { generation });
    }
}

fn tone(rate_hz: u32, frequency_hz: f32, samples: usize) -> Vec<i16> {
    let step = std::f32::consts::TAU * frequency_hz / rate_hz as f32;
    (0..samples).map(|n| i16_from_f32(0.5 * (step * n as f32).sin())).collect()
}

/// Samples that say which one they are, so that a lost or doubled one shows.
fn numbered(samples: usize) -> Vec<i16> {
    (1..=samples as i16).collect()
}

fn number(sample: f32) -> i64 {
    i64::from(i16_from_f32(sample))
}

fn steepest(pcm: &[f32]) -> f32 {
    pcm.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

// ==== Content ====

#[test]
fn a_reply_at_the_codecs_rate_is_sent_unchanged_but_for_its_edges() {
    let reply = numbered(3 * FRAME_SAMPLES + 100);
    let mut rig = Rig::playing(ONE, 48_000, &reply);
    rig.finish(ONE);
    rig.slots(5);
    let sent: Vec<i64> = rig.pcm.iter().map(|sample| number(*sample)).collect();
    let reply: Vec<i64> = reply.into_iter().map(i64::from).collect();
    assert_eq!(sent[240..reply.len()], reply[240..], "after a rise of 5 ms");
    // Behind the last sample its mirror image fades for 5 ms.
    assert_eq!(sent[reply.len()], reply[reply.len() - 1]);
    assert!(sent[reply.len() + 240..].iter().all(|sample| *sample == 0));
}

#[test]
fn every_rate_keeps_its_length_and_its_energy() {
    for codec_rate_hz in [8_000, 16_000, 48_000] {
        for rate_hz in REPLY_RATES_HZ {
            let mut rig = Rig::encoding(codec_rate_hz);
            rig.command(DownlinkCommand::Play { generation: ONE });
            rig.push(ONE, rate_hz, &tone(rate_hz, 1_000.0, rate_hz as usize / 2));
            rig.finish(ONE);
            let slots = rig.slots(40);
            let name = format!("{rate_hz} -> {codec_rate_hz} Hz");
            let sounding = slots.iter().filter(|slot| slot.sent.generation == Some(ONE)).count();
            // Half a second, and one frame more for what was in the converter.
            assert_eq!(sounding, if rate_hz == codec_rate_hz { 25 } else { 26 }, "{name}");
            let energy: f32 = rig.pcm.iter().map(|sample| sample * sample).sum();
            let expected = 0.125 * 0.5 * codec_rate_hz as f32;
            assert!((energy / expected - 1.0).abs() < 0.02, "{name}: {energy}");
        }
    }
}

proptest! {
    #[test]
    fn no_sample_is_lost_or_doubled_but_for_the_frame_put_back_by_a_pause(
        commands in prop::collection::vec(0_u8..5, 10..45),
    ) {
        // At most 16 pauses fit the commands, and each takes a frame without using it up.
        let mut rig = Rig::playing(ONE, 48_000, &numbered(32_000));
        let (mut next, mut paused, mut sounding) = (1_i64, false, false);
        for command in commands {
            let was_paused = paused;
            match command {
                0 => { rig.command(DownlinkCommand::Pause); paused = true; }
                1 => { rig.command(DownlinkCommand::Resume); paused = false; }
                _ => {}
            }
            if next + 960 > 32_000 {
                break;
            }
            let sent = rig.slot().sent;
            let frame = rig.downlink.last_frame();
            if paused && sounding && !was_paused {
                // Fading from its first sample, which still has the full gain.
                prop_assert_eq!(number(frame[0]), next);
                prop_assert_eq!(sent.generation, Some(ONE));
                prop_assert!(frame[959].abs() < 1e-3);
            } else if paused {
                prop_assert_eq!(sent.generation, None);
                prop_assert_eq!(sent.level_dbfs, -127.0);
            } else {
                prop_assert_eq!(number(frame[959]), next + 959);
                prop_assert_eq!(number(frame[480] * if sounding { 1.0 } else { 0.0 }),
                    if sounding { next + 480 } else { 0 });
                next += 960;
            }
            sounding = !paused;
            let queued = Duration::from_micros((32_001 - next) as u64 * 1_000_000 / 48_000);
            prop_assert!(sent.queued.abs_diff(queued) < Duration::from_micros(2));
        }
    }
}

#[test]
fn a_pause_taken_back_before_its_frame_leaves_no_trace() {
    let mut rig = Rig::playing(ONE, 48_000, &numbered(5 * FRAME_SAMPLES));
    rig.slots(2);
    rig.command(DownlinkCommand::Pause);
    rig.command(DownlinkCommand::Resume);
    rig.slots(2);
    let sent = rig.pcm[240..].iter().map(|sample| number(*sample));
    assert!(sent.eq(241..=4 * 960));
}

#[test]
fn nothing_of_a_reply_is_left_in_the_next() {
    let mut rig = Rig::playing(ONE, 8_000, &[i16::MAX; 800]);
    rig.slots(2);
    rig.command(DownlinkCommand::Play { generation: TWO });
    rig.push(TWO, 8_000, &[0; 800]);
    assert_eq!(rig.slot().sent.generation, Some(ONE), "its last frame fades");
    for slot in rig.slots(4) {
        assert_eq!((slot.sent.generation, slot.sent.level_dbfs), (Some(TWO), -127.0));
    }
}

#[test]
fn waking_late_delays_audio_and_loses_none() {
    let mut rig = Rig::playing(ONE, 48_000, &numbered(12 * FRAME_SAMPLES));
    let mut last = Vec::new();
    let mut timestamps = Vec::new();
    for now_ms in [0, 20, 190, 210] {
        let now = SessionTime::from_millis(now_ms);
        while let Some(slot) = rig.downlink.poll_slot(now, &mut rig.codec) {
            last.push(number(rig.downlink.last_frame()[959]));
            timestamps.push(slot.packet.expect("it sounds").timestamp / 960);
        }
    }
    assert_eq!(last, (1..=7).map(|n| n * 960).collect::<Vec<i64>>());
    assert_eq!(timestamps, [0, 1, 6, 7, 8, 9, 10]);
    assert_eq!(rig.downlink.stats().slots_skipped, 4);
}

// ==== Clicks ====

/// The steepest step of a 440 Hz tone of amplitude 0.5 at 48 kHz is 0.0288; the steepest fade (5 ms)
/// adds pi/2 * 0.5 / 240 = 0.0033. A tone that just stops steps by up to 0.5.
const STEEPEST: f32 = 0.0288 + 0.0033 + 0.001;

#[test]
fn nothing_that_is_asked_for_clicks() {
    type Script = fn(&mut Rig);
    let scripts: [(&str, Script); 9] = [
        ("pause", |rig| rig.command(DownlinkCommand::Pause)),
        ("flush", |rig| rig.command(DownlinkCommand::Flush)),
        ("another reply", |rig| {
            rig.command(DownlinkCommand::Play { generation: TWO });
            rig.push(TWO, 24_000, &tone(24_000, 440.0, 4_000)[7..]);
        }),
        ("pause and resume", |rig| {
            rig.command(DownlinkCommand::Pause);
            rig.slots(3);
            rig.command(DownlinkCommand::Resume);
        }),
        ("pause and resume at once", |rig| {
            rig.command(DownlinkCommand::Pause);
            rig.command(DownlinkCommand::Resume);
        }),
        ("pause, then flush in the same slot", |rig| {
            rig.command(DownlinkCommand::Pause);
            rig.command(DownlinkCommand::Flush);
        }),
        ("pause, then flush a slot later", |rig| {
            rig.command(DownlinkCommand::Pause);
            rig.slot();
            rig.command(DownlinkCommand::Flush);
        }),
        ("finish", |rig| rig.finish(ONE)),
        ("flush twice with a reply between", |rig| {
            rig.command(DownlinkCommand::Flush);
            rig.command(DownlinkCommand::Play { generation: TWO });
            rig.push(TWO, 24_000, &tone(24_000, 440.0, 4_000)[9..]);
            rig.slots(2);
            rig.command(DownlinkCommand::Flush);
        }),
    ];
    for (name, script) in scripts {
        // Every length ends at another place of the wave, and at another place of a frame.
        for length in (3_000..5_000).step_by(97) {
            let mut rig = Rig::playing(ONE, 24_000, &tone(24_000, 440.0, length)[5..]);
            rig.slots(3);
            script(&mut rig);
            rig.slots(12);
            let step = steepest(&rig.pcm);
            assert!(step < STEEPEST, "{name}, {length} samples: {step}");
        }
    }
}

#[test]
fn a_reply_that_runs_dry_does_not_click_and_starts_again_once_there_is_enough() {
    for length in (480..1_500).step_by(13) {
        let wave = tone(24_000, 440.0, length + 2_160);
        let mut rig = Rig::playing(ONE, 24_000, &wave[..length]);
        rig.slots(5);
        assert_eq!(rig.downlink.stats().underruns, 1);
        rig.push(ONE, 24_000, &wave[length..length + 720]);
        assert_eq!(rig.slot().sent.level_dbfs, -127.0, "30 ms are not enough yet");
        rig.push(ONE, 24_000, &wave[length + 720..]);
        assert!(rig.slot().sent.level_dbfs > -20.0);
        rig.slots(8);
        assert_eq!(rig.downlink.stats().underruns, 2);
        let step = steepest(&rig.pcm);
        assert!(step < STEEPEST, "{length}: {step}");
    }
}

#[test]
fn a_little_audio_is_played_after_a_short_wait() {
    let mut rig = Rig::playing(ONE, 48_000, &numbered(400));
    let levels: Vec<bool> = rig.slots(6).iter().map(|slot| slot.sent.level_dbfs > -127.0).collect();
    assert_eq!(levels, [false, false, false, true, false, false]);
}

#[test]
fn flush_is_silent_after_one_frame() {
    let mut rig = Rig::playing(ONE, 24_000, &tone(24_000, 440.0, 24_000));
    rig.slots(5);
    rig.command(DownlinkCommand::Flush);
    let fading = rig.slot().sent;
    assert_eq!((fading.generation, fading.queued), (Some(ONE), Duration::ZERO));
    assert!(fading.level_dbfs < -11.0 && fading.level_dbfs > -20.0);
    let after = rig.slot().sent;
    assert_eq!((after.generation, after.level_dbfs), (None, -127.0));
}

// ==== Which reply ====

#[test]
fn only_the_announced_reply_is_taken() {
    let mut rig = Rig::new();
    let pcm = [100; 480];
    assert_eq!(rig.offer(ONE, 24_000, &pcm), Err(Rejected::Stale), "before Play");
    rig.command(DownlinkCommand::Play { generation: ONE });
    assert_eq!(rig.offer(ONE, 24_000, &pcm), Ok(()));
    assert_eq!(rig.offer(TWO, 24_000, &pcm), Err(Rejected::Stale));
    assert_eq!(rig.offer(ONE, 16_000, &pcm), Err(Rejected::BadRate), "it changed");
    rig.command(DownlinkCommand::Play { generation: TWO });
    assert_eq!(rig.offer(ONE, 24_000, &pcm), Err(Rejected::Stale));
    assert_eq!(rig.offer(TWO, 44_100, &pcm), Err(Rejected::BadRate));
    assert_eq!(rig.offer(TWO, 0, &pcm), Err(Rejected::BadRate));
    assert_eq!(rig.offer(TWO, 8_000, &[0; 9_601]), Err(Rejected::TooLong));
    assert_eq!(rig.offer(TWO, 8_000, &pcm), Ok(()));
    rig.finish(ONE);
    assert_eq!(rig.offer(TWO, 8_000, &pcm), Ok(()), "another one finished");
    rig.finish(TWO);
    assert_eq!(rig.offer(TWO, 8_000, &pcm), Err(Rejected::Stale), "it is complete");
    rig.command(DownlinkCommand::Flush);
    assert_eq!(rig.offer(TWO, 8_000, &pcm), Err(Rejected::Stale));
    let stats = rig.downlink.stats();
    assert_eq!((stats.blocks_stale, stats.blocks_refused), (5, 4));
}

#[test]
fn a_full_queue_says_so_and_forgets_nothing() {
    let mut rig = Rig::new();
    rig.command(DownlinkCommand::Play { generation: ONE });
    let second = vec![1; 8_000];
    for _ in 0..120 {
        assert!(rig.downlink.wants_more());
        assert_eq!(rig.offer(ONE, 8_000, &second), Ok(()));
    }
    assert!(!rig.downlink.wants_more());
    assert_eq!(rig.offer(ONE, 8_000, &second), Err(Rejected::Full));
    assert_eq!(rig.slot().sent.queued.as_millis(), 119_980, "one frame less");
    assert!(rig.downlink.wants_more());
}

#[test]
fn a_reply_is_over_with_exactly_one_frame_that_says_so() {
    type Script = fn(&mut Rig);
    let scripts: [(&str, Script); 5] = [
        ("finished before it sounds", |rig| rig.finish(ONE)),
        ("finished while it sounds", |rig| {
            rig.slots(2);
            rig.finish(ONE);
        }),
        ("finished when all was sent", |rig| {
            rig.slots(20);
            rig.finish(ONE);
        }),
        ("finished while paused", |rig| {
            rig.slots(2);
            rig.command(DownlinkCommand::Pause);
            rig.slots(2);
            rig.finish(ONE);
            rig.slots(5);
            rig.command(DownlinkCommand::Resume);
        }),
        ("finished twice", |rig| {
            rig.finish(ONE);
            rig.finish(ONE);
        }),
    ];
    for length in [0, 100, 480, 960, 2_400, 2_401] {
        for (name, script) in scripts {
            let mut rig = Rig::playing(ONE, 24_000, &tone(24_000, 440.0, length));
            script(&mut rig);
            let ends: Vec<Duration> = rig
                .slots(20)
                .iter()
                .filter(|slot| slot.sent.generation == Some(ONE))
                .map(|slot| slot.sent.queued)
                .collect();
            let zeros = ends.iter().filter(|queued| queued.is_zero()).count();
            assert_eq!(zeros, 1, "{name}, {length} samples: {ends:?}");
            assert_eq!(ends.last(), Some(&Duration::ZERO));
        }
    }
}

// ==== Packets ====

#[test]
fn in_silence_the_encoder_rests_and_a_packet_goes_out_now_and_then() {
    let mut rig = Rig::playing(ONE, 48_000, &tone(48_000, 440.0, 2 * FRAME_SAMPLES));
    rig.finish(ONE);
    let sent: String = rig
        .slots(60)
        .iter()
        .map(|slot| match &slot.packet {
            Some(packet) if packet.payload() == b"e" => 'e',
            Some(packet) if packet.payload() == b"quiet" => 'q',
            _ => '.',
        })
        .collect();
    assert_eq!(sent, "eeeqqq...................q...................q..............");
    assert_eq!(rig.codec.encoded, 3, "two frames, and one to empty the encoder");
    assert_eq!(rig.downlink.stats().silence_packets, 5);
}

#[test]
fn the_marker_is_on_the_first_packet_after_packets_were_left_out() {
    let mut rig = Rig::new();
    rig.slots(12);
    rig.command(DownlinkCommand::Play { generation: ONE });
    rig.push(ONE, 24_000, &tone(24_000, 440.0, 2_400));
    let packets: Vec<EncodedFrame> =
        rig.slots(40).into_iter().filter_map(|slot| slot.packet).collect();
    let marked: Vec<u32> =
        packets.iter().filter(|packet| packet.marker).map(|packet| packet.timestamp).collect();
    assert_eq!(marked, [12 * 960]);
    assert!(packets.windows(2).all(|pair| pair[0].timestamp < pair[1].timestamp));
    assert!(packets.iter().all(|packet| packet.timestamp % 960 == 0));
    assert_eq!(packets[1].level_dbfs, -9);
    assert_eq!(packets.last().map(|packet| packet.level_dbfs), Some(-127));
}

#[test]
fn what_the_encoder_refuses_is_sent_as_silence_and_counted() {
    let mut rig = Rig::playing(ONE, 48_000, &tone(48_000, 440.0, 4 * FRAME_SAMPLES));
    rig.codec.fails = true;
    let packet = rig.slot().packet.expect("a packet all the same");
    assert_eq!(packet.payload(), b"quiet");
    assert_eq!(rig.downlink.stats().encode_errors, 1);
}

#[test]
fn nothing_is_due_before_the_start() {
    let mut codec = Counter { rate_hz: 48_000, encoded: 0, fails: false };
    let mut downlink = Downlink::new(&codec, 7);
    assert_eq!(downlink.next_slot(), None);
    assert_eq!(downlink.poll_slot(SessionTime::from_millis(99), &mut codec), None);
    downlink.start(SessionTime::from_millis(100));
    downlink.start(SessionTime::from_millis(500));
    assert_eq!(downlink.next_slot(), Some(SessionTime::from_millis(100)));
    let slot = downlink.poll_slot(SessionTime::from_millis(100), &mut codec).expect("it is due");
    assert_eq!(slot.packet.expect("the track is opened").timestamp, 7);
}
