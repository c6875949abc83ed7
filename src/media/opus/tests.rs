use super::*;
use crate::dsp::level;
use crate::limits::WIDEBAND_FRAME;

/// Something like a voice: a gliding pitch with a few harmonics under a syllable rhythm, at 48 kHz.
fn voice(frames: usize) -> Vec<f32> {
    let mut phase = 0.0_f32;
    (0..frames * FULLBAND_FRAME)
        .map(|n| {
            let time_s = n as f32 / FULLBAND_HZ as f32;
            let pitch_hz = 140.0 + 30.0 * (time_s * 5.0).sin();
            phase = (phase + pitch_hz / FULLBAND_HZ as f32).fract();
            let angle = phase * std::f32::consts::TAU;
            let tone: f32 = (1..8).map(|k| (angle * k as f32).sin() / k as f32).sum();
            tone * 0.15 * (0.6 + 0.4 * (time_s * 25.0).sin())
        })
        .collect()
}

fn encoded(codec: &mut OpusCodec, pcm: &[f32]) -> Vec<Vec<u8>> {
    pcm.chunks(FULLBAND_FRAME)
        .map(|frame| {
            let mut payload = [0; ENCODED_FRAME_BYTES_MAX];
            let length = codec.encode(frame, &mut payload).expect("a frame is encoded");
            payload[..length].to_vec()
        })
        .collect()
}

/// Decodes all packets; of those in `lost`, whatever `conceal` makes of the next.
fn decoded(packets: &[Vec<u8>], lost: &[usize], with_next: bool) -> Vec<f32> {
    let mut codec = OpusCodec::new(WIDEBAND_HZ).expect("a codec");
    let mut pcm = Vec::new();
    for (index, packet) in packets.iter().enumerate() {
        let mut frame = [0.0; WIDEBAND_FRAME];
        if lost.contains(&index) {
            let next = packets.get(index + 1).filter(|_| with_next).map(Vec::as_slice);
            let by = codec.conceal(next, &mut frame);
            let expected = if with_next { Concealment::Fec } else { Concealment::Plc };
            assert_eq!(by, expected, "packet {index}");
        } else {
            assert_eq!(codec.decode(packet, &mut frame), Ok(WIDEBAND_FRAME));
        }
        pcm.extend_from_slice(&frame);
    }
    pcm
}

/// Energy of the difference over the energy of the reference, over the given frames.
fn relative_error(reference: &[f32], other: &[f32], frames: &[usize]) -> f32 {
    let (mut error, mut energy) = (0.0, 0.0);
    for frame in frames {
        let range = frame * WIDEBAND_FRAME..(frame + 1) * WIDEBAND_FRAME;
        for (a, b) in reference[range.clone()].iter().zip(&other[range]) {
            error += (a - b) * (a - b);
            energy += a * a;
        }
    }
    error / energy
}

#[test]
fn speech_survives_the_round_trip_at_every_decode_rate() {
    let pcm = voice(50);
    for rate_hz in [NARROWBAND_HZ, WIDEBAND_HZ, FULLBAND_HZ] {
        let mut codec = OpusCodec::new(rate_hz).expect("a codec");
        let samples = (rate_hz / 50) as usize;
        let mut heard = Vec::new();
        for packet in encoded(&mut codec, &pcm) {
            assert_eq!(codec.packet_samples(&packet), Ok(samples));
            let mut frame = vec![0.0; samples];
            assert_eq!(codec.decode(&packet, &mut frame), Ok(samples));
            heard.extend(frame);
        }
        let (sent_dbfs, heard_dbfs) = (level::rms_dbfs(&pcm), level::rms_dbfs(&heard));
        assert!((sent_dbfs - heard_dbfs).abs() < 1.0, "{sent_dbfs} became {heard_dbfs} dBFS");
    }
    assert!(OpusCodec::new(44_100).is_err());
}

#[test]
fn the_next_packet_recovers_a_lost_one_better_than_invention_does() {
    let mut codec = OpusCodec::new(WIDEBAND_HZ).expect("a codec");
    codec.set_expected_loss_percent(20);
    let packets = encoded(&mut codec, &voice(200));
    let lost: Vec<usize> =
        (20..190).step_by(10).filter(|n| opus_packet::has_fec(&packets[n + 1])).collect();
    assert!(lost.len() >= 8, "FEC is in the packets: {}", lost.len());
    let whole = decoded(&packets, &[], true);
    let by_fec = relative_error(&whole, &decoded(&packets, &lost, true), &lost);
    let by_plc = relative_error(&whole, &decoded(&packets, &lost, false), &lost);
    assert!(by_fec < 0.5 * by_plc, "FEC leaves {by_fec} of the energy wrong, PLC {by_plc}");
}

#[test]
fn silence_is_a_small_packet_that_decodes_to_silence() {
    let mut codec = OpusCodec::new(WIDEBAND_HZ).expect("a codec");
    let silence = codec.silence().to_vec();
    assert!(silence.len() <= 24, "{} bytes", silence.len());
    assert_eq!(codec.packet_samples(&silence), Ok(WIDEBAND_FRAME));
    let mut frame = [1.0; WIDEBAND_FRAME];
    assert_eq!(codec.decode(&silence, &mut frame), Ok(WIDEBAND_FRAME));
    assert!(level::rms_dbfs(&frame) < -80.0, "{} dBFS", level::rms_dbfs(&frame));
}

#[test]
fn stereo_is_decoded_to_mono() {
    let mut encoder =
        Encoder::new(FULLBAND_HZ, Channels::Stereo, Application::Audio).expect("an encoder");
    let mut codec = OpusCodec::new(WIDEBAND_HZ).expect("a codec");
    let mono = voice(20);
    let mut heard = Vec::new();
    for frame in mono.chunks(FULLBAND_FRAME) {
        let stereo: Vec<f32> = frame.iter().flat_map(|sample| [*sample, *sample]).collect();
        let packet = encoder.encode_vec_float(&stereo, 1_000).expect("a packet");
        let mut pcm = [0.0; WIDEBAND_FRAME];
        assert_eq!(codec.decode(&packet, &mut pcm), Ok(WIDEBAND_FRAME));
        heard.extend(pcm);
    }
    assert!((level::rms_dbfs(&mono) - level::rms_dbfs(&heard)).abs() < 1.0);
}

#[test]
fn packets_of_up_to_120_ms_are_decoded() {
    let mut codec = OpusCodec::new(WIDEBAND_HZ).expect("a codec");
    let mut encoder =
        Encoder::new(FULLBAND_HZ, Channels::Mono, Application::Voip).expect("an encoder");
    let pcm = voice(6);
    for frames in [2, 3, 6] {
        let packet =
            encoder.encode_vec_float(&pcm[..frames * FULLBAND_FRAME], 1_400).expect("a packet");
        let mut decoded = [0.0; 6 * WIDEBAND_FRAME];
        assert_eq!(codec.decode(&packet, &mut decoded), Ok(frames * WIDEBAND_FRAME));
    }
}

#[test]
fn garbage_is_refused_and_the_codec_goes_on() {
    let mut codec = OpusCodec::new(WIDEBAND_HZ).expect("a codec");
    let packets = encoded(&mut codec, &voice(10));
    let mut pcm = [0.0; 6 * WIDEBAND_FRAME];
    let mut state = 1_u32;
    for length in 0..600 {
        let garbage: Vec<u8> = (0..length % 200)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        let _ = codec.decode(&garbage, &mut pcm);
        let _ = codec.conceal(Some(&garbage), &mut pcm[..WIDEBAND_FRAME]);
        assert!(pcm.iter().all(|sample| sample.is_finite()));
    }
    assert_eq!(codec.decode(&[], &mut pcm), Err(CodecError::Malformed));
    assert_eq!(codec.decode(&packets[5], &mut pcm), Ok(WIDEBAND_FRAME));
}

#[test]
fn any_length_can_be_concealed() {
    let mut codec = OpusCodec::new(WIDEBAND_HZ).expect("a codec");
    for packet in encoded(&mut codec, &voice(10)) {
        let mut pcm = [0.0; WIDEBAND_FRAME];
        assert!(codec.decode(&packet, &mut pcm).is_ok());
    }
    for length in [1, 39, 40, 41, 320, 1_919] {
        let mut pcm = vec![0.0; length];
        assert_eq!(codec.conceal(None, &mut pcm), Concealment::Plc);
    }
    let mut pcm = [1.0; 320];
    for _ in 0..50 {
        codec.conceal(None, &mut pcm);
    }
    assert!(level::rms_dbfs(&pcm) < -50.0, "the decoder's own concealment fades");
}
