use proptest::prelude::*;

use super::*;
use crate::dsp::vad::level::LevelVoice;
use crate::limits::{FULLBAND_HZ, WIDEBAND_FRAME, WIDEBAND_HZ};
use crate::media::g711::{G711Codec, Law};
use crate::media::pcm::PcmCodec;

/// Samples by which the echo canceller delays.
const CANCELLER_DELAY: usize = 64;

fn at(millis: u64) -> SessionTime {
    SessionTime::from_millis(millis)
}

/// `length` samples of a voiced sound at 16 kHz, `start` samples into it.
fn voiced(start: usize, length: usize) -> Vec<f32> {
    let angle = |n: usize| (start + n) as f32 * 160.0 / 16_000.0 * std::f32::consts::TAU;
    (0..length).map(|n| 0.2 * angle(n).sin() + 0.1 * (3.0 * angle(n)).sin()).collect()
}

/// An uplink of raw PCM, and its sender.
struct Caller {
    uplink: Uplink<LevelVoice>,
    codec: PcmCodec,
    sequence: u16,
    /// Samples sent, which is also the timestamp.
    sent: usize,
}

impl Caller {
    fn new() -> Self {
        Self::with_noise(NoiseSuppression::Off)
    }

    fn with_noise(noise: NoiseSuppression) -> Self {
        let settings = UplinkSettings { noise, ..UplinkSettings::CONVERSATION };
        let uplink = Uplink::new(settings, &PcmCodec, LevelVoice::new(-50.0));
        Self { uplink, codec: PcmCodec, sequence: 0, sent: 0 }
    }

    fn send(&mut self, now: SessionTime, pcm: &[f32]) {
        let mut payload = vec![0; pcm.len() * 2];
        self.codec.encode(pcm, &mut payload).expect("it fits");
        self.send_bytes(now, PayloadKind::Audio, &payload);
        self.sent += pcm.len();
    }

    fn send_bytes(&mut self, now: SessionTime, kind: PayloadKind, payload: &[u8]) -> Option<char> {
        let packet = RtpPacket {
            kind,
            sequence: self.sequence,
            timestamp: self.sent as u32,
            marker: false,
            level_dbfs: None,
            payload,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.uplink.handle_rtp(now, &packet, &PcmCodec)
    }

    fn frames(&mut self, now: SessionTime) -> Vec<UplinkFrame> {
        std::iter::from_fn(|| self.uplink.poll_frame(now, &mut self.codec)).collect()
    }
}

#[test]
fn there_are_no_slots_before_the_first_packet() {
    let mut caller = Caller::new();
    assert_eq!(caller.uplink.next_slot(), None);
    assert!(caller.frames(at(10_000)).is_empty());
    caller.send(at(10_000), &voiced(0, WIDEBAND_FRAME));
    assert_eq!(caller.uplink.next_slot(), Some(at(10_020)));
    assert!(caller.frames(at(10_019)).is_empty());
    assert_eq!(caller.frames(at(10_020)).len(), 1);
}

#[test]
fn packets_of_any_duration_become_the_same_frames() {
    let sound = voiced(0, WIDEBAND_HZ as usize);
    let expected: Vec<i16> = sound.iter().map(|x| (x * 32_768.0).round() as i16).collect();
    for packet_ms in [5, 10, 20, 30, 40] {
        let mut caller = Caller::new();
        let mut heard = Vec::new();
        for now in 0..1_200 {
            let samples = packet_ms * 16;
            if now % packet_ms == 0
                && let Some(pcm) = sound.get(caller.sent..caller.sent + samples)
            {
                let pcm = pcm.to_vec();
                caller.send(at(now as u64), &pcm);
            }
            let frames = caller.frames(at(now as u64));
            heard.extend(frames.iter().filter(|frame| !frame.features.concealed).map(|f| f.pcm.0));
        }
        let heard = heard.concat();
        assert!(heard.len() > 14_000, "{packet_ms} ms packets: {} samples", heard.len());
        // Audio that passes the echo canceller is as late as what it works on.
        assert!(
            heard[CANCELLER_DELAY..14_000] == expected[..14_000 - CANCELLER_DELAY],
            "{packet_ms} ms packets"
        );
    }
}

#[test]
fn speech_and_silence_are_told_apart() {
    let mut caller = Caller::new();
    let mut voices = Vec::new();
    for n in 0..100 {
        let is_speech = (30..60).contains(&n);
        let pcm = if is_speech { voiced(n * 320, 320) } else { vec![0.0; 320] };
        caller.send(at(n as u64 * 20), &pcm);
        voices.extend(caller.frames(at(n as u64 * 20 + 20)).iter().map(|f| f.features));
    }
    assert_eq!(voices.len(), 100);
    assert!(voices[..30].iter().all(|frame| frame.voice < 0.1 && frame.level_dbfs == -127.0));
    assert!(voices[35..60].iter().all(|frame| frame.voice > 0.8), "{:?}", &voices[35..60]);
    assert!((-18.0..-14.0).contains(&voices[50].level_dbfs), "{}", voices[50].level_dbfs);
    assert!(voices[80..].iter().all(|frame| frame.voice < 0.1));
    assert!(voices.iter().all(|frame| !frame.concealed && frame.echo.reference_dbfs == -127.0));
    assert_eq!(voices[10].at, at(220));
}

/// Believes in speech until it is made to forget.
struct Stubborn;

impl VoiceModel for Stubborn {
    fn step(&mut self, _: &[f32; crate::dsp::vad::WINDOW_SAMPLES]) -> f32 {
        1.0
    }

    fn reset(&mut self) {}
}

#[test]
fn the_voice_model_is_not_asked_about_digital_silence() {
    let mut uplink = Uplink::new(UplinkSettings::CONVERSATION, &PcmCodec, Stubborn);
    let mut codec = PcmCodec;
    let voice: Vec<f32> = (0..30_u16)
        .filter_map(|n| {
            let packet = RtpPacket {
                kind: PayloadKind::Audio,
                sequence: n,
                timestamp: u32::from(n) * 320,
                marker: false,
                level_dbfs: None,
                payload: &[u8::from(n >= 20); 640],
            };
            uplink.handle_rtp(at(u64::from(n) * 20), &packet, &codec);
            let frame = uplink.poll_frame(at(u64::from(n) * 20 + 20), &mut codec);
            frame.map(|frame| frame.features.voice)
        })
        .collect();
    assert_eq!((voice[8], voice[9], voice[19], voice[25]), (1.0, 0.0, 0.0, 1.0));
}

#[test]
fn a_pause_is_seen_to_pass_in_silence() {
    let mut caller = Caller::new();
    for n in 0..25 {
        caller.send(at(n * 20), &voiced(n as usize * 320, 320));
        caller.frames(at(n * 20 + 20));
    }
    let frames: Vec<_> = (25..75).flat_map(|n| caller.frames(at(n * 20 + 20))).collect();
    assert_eq!(frames.len(), 50);
    assert!(frames.iter().all(|frame| frame.features.concealed));
    assert!(frames[8..].iter().all(|frame| frame.pcm.0 == [0; 320]));
    assert!(frames[10..].iter().all(|frame| frame.features.voice < 0.1));
    assert_eq!(caller.uplink.stats().frames_concealed, 50);
    caller.sent += 50 * 320;
    caller.send(at(1_500), &voiced(0, 320));
    let frame = caller.frames(at(1_520));
    assert!(!frame[0].features.concealed, "the next word is heard at once");
}

#[test]
fn a_corrupt_payload_is_dropped_and_concealed() {
    let mut caller = Caller::new();
    let mut concealed = Vec::new();
    for n in 0..20 {
        if n == 10 {
            caller.send_bytes(at(n * 20), PayloadKind::Audio, &[1, 2, 3]);
            caller.sent += 320;
        } else {
            caller.send(at(n * 20), &voiced(n as usize * 320, 320));
        }
        concealed.extend(caller.frames(at(n * 20 + 20)).iter().map(|f| f.features.concealed));
    }
    assert_eq!(concealed.iter().filter(|concealed| **concealed).count(), 1);
    let stats = caller.uplink.stats();
    assert_eq!((stats.malformed, stats.jitter.lost, stats.jitter.concealed_plc), (1, 1, 1));
}

#[test]
fn telephone_keys_are_heard_once_and_are_no_loss() {
    let mut caller = Caller::new();
    let mut keys = Vec::new();
    for n in 0..20 {
        if (5..10).contains(&n) {
            let payload = [7, 0x0a, 0, 0];
            keys.extend(caller.send_bytes(at(n * 20), PayloadKind::TelephoneEvent, &payload));
        } else {
            if n == 10 {
                caller.sent += 5 * 320;
            }
            caller.send(at(n * 20), &voiced(n as usize * 320, 320));
        }
        caller.frames(at(n * 20 + 20));
    }
    caller.send_bytes(at(400), PayloadKind::TelephoneEvent, &[7]);
    assert_eq!(keys, ['7']);
    let stats = caller.uplink.stats();
    assert_eq!((stats.keys, stats.malformed, stats.jitter.lost), (1, 1, 0));
    assert_eq!(stats.jitter.delay_ms, 20);
}

#[test]
fn a_late_driver_gets_the_slots_it_missed_up_to_a_second() {
    let mut caller = Caller::new();
    caller.send(at(0), &voiced(0, 320));
    assert_eq!(caller.frames(at(520)).len(), 26);
    assert_eq!(caller.frames(at(3_520)).len(), 51);
    assert_eq!(caller.uplink.stats().slots_skipped, 99);
    assert_eq!(caller.uplink.next_slot(), Some(at(3_540)));
}

#[test]
fn too_much_delay_is_cut_in_silence_and_not_in_speech() {
    let mut caller = Caller::new();
    let mut speech_samples = 0;
    for n in 0..400_u64 {
        let in_speech = n / 50 % 2 == 0;
        let pcm = if in_speech { voiced(n as usize * 320, 320) } else { vec![1e-4; 320] };
        // One packet in the first word comes 90 ms late, and with it all behind it.
        let late_ms = if (10..15).contains(&n) { 90 - (n - 10) * 20 } else { 0 };
        caller.send(at(n * 20 + late_ms), &pcm);
        for frame in caller.frames(at(n * 20 + 20)) {
            let is_loud = frame.pcm.0.iter().any(|sample| sample.abs() > 1_000);
            speech_samples += if is_loud && !frame.features.concealed { 320 } else { 0 };
        }
    }
    let stats = caller.uplink.stats().jitter;
    assert!(speech_samples >= 4 * 50 * 320, "no speech was cut: {speech_samples}");
    assert!(stats.accelerated_ms >= 60, "{stats:?}");
    assert!(stats.target_ms < 100 && stats.delay_ms < stats.target_ms + 20, "{stats:?}");
}

#[test]
fn every_way_of_suppressing_noise_yields_frames_of_the_voice() {
    for noise in [
        NoiseSuppression::Off,
        NoiseSuppression::Light,
        NoiseSuppression::Rnnoise,
        NoiseSuppression::Auto,
    ] {
        let mut caller = Caller::with_noise(noise);
        let mut heard = Vec::new();
        for n in 0..50 {
            caller.send(at(n * 20), &voiced(n as usize * 320, 320));
            heard.extend(caller.frames(at(n * 20 + 20)));
        }
        assert_eq!(heard.len(), 50, "{noise:?}");
        assert!(
            heard[10].features.level_dbfs > -30.0,
            "{noise:?}: {}",
            heard[10].features.level_dbfs
        );
        assert_eq!(caller.uplink.settings().noise, noise);
    }
}

#[test]
fn narrowband_becomes_wideband() {
    for packet_ms in [20, 60, 120] {
        let mut codec = G711Codec::new(Law::A);
        let mut uplink = Uplink::new(UplinkSettings::CONVERSATION, &codec, LevelVoice::new(-50.0));
        let samples = packet_ms * 8;
        let mut heard = Vec::new();
        for now in 0..1_200 {
            if now % packet_ms == 0 {
                let number = now / packet_ms;
                let wideband = voiced(number * 2 * samples, 2 * samples);
                let pcm: Vec<f32> = wideband.iter().step_by(2).copied().collect();
                let mut payload = vec![0; samples];
                codec.encode(&pcm, &mut payload).expect("it fits");
                let packet = RtpPacket {
                    kind: PayloadKind::Audio,
                    sequence: number as u16,
                    timestamp: (number * samples) as u32,
                    marker: number == 0,
                    level_dbfs: None,
                    payload: &payload,
                };
                uplink.handle_rtp(at(now as u64), &packet, &codec);
            }
            heard.extend(uplink.poll_frame(at(now as u64), &mut codec).map(|f| f.features));
        }
        assert_eq!(heard.len(), 59);
        let is_voice = |frame: &FrameFeatures| {
            frame.voice > 0.8 && (-18.0..-14.0).contains(&frame.level_dbfs) && !frame.concealed
        };
        assert!(heard[10..].iter().all(is_voice), "{packet_ms} ms packets");
    }
}

#[test]
fn the_decoder_runs_at_the_rate_that_is_needed() {
    let rate = |noise, echo| {
        UplinkSettings { noise, echo, ..UplinkSettings::CONVERSATION }.decode_rate_hz()
    };
    assert_eq!(rate(NoiseSuppression::Off, EchoMode::Off), WIDEBAND_HZ);
    assert_eq!(rate(NoiseSuppression::Rnnoise, EchoMode::Off), FULLBAND_HZ);
    assert_eq!(rate(NoiseSuppression::Rnnoise, EchoMode::Auto), WIDEBAND_HZ);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever arrives, one frame comes out per 20 ms.
    #[test]
    fn there_is_a_frame_for_every_slot(
        packets in prop::collection::vec(
            (0_u64..60, 0_u16..8, 0_u32..4_000, prop::collection::vec(any::<u8>(), 0..80), 0..20_u8),
            1..120,
        ),
    ) {
        let mut caller = Caller::new();
        caller.send(at(0), &voiced(0, 320));
        let (mut now, mut frames) = (0, 0);
        for (pause, skip, ticks, mut payload, kind) in packets {
            now += pause;
            let kind = if kind == 0 { PayloadKind::TelephoneEvent } else { PayloadKind::Audio };
            payload.resize(payload.len() * 8, 1);
            caller.sequence = caller.sequence.wrapping_add(skip);
            caller.sent += ticks as usize;
            caller.send_bytes(at(now), kind, &payload);
            frames += caller.frames(at(now)).len() as u64;
        }
        prop_assert_eq!(frames, now / 20);
    }
}
