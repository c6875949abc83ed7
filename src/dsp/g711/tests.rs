use super::*;

/// Decoded values of one segment of the standard: the first and the step, in 16 bits.
/// ITU-T G.711 tables 1a (A-law) and 2a (µ-law), column 7, times 8 and 4.
const ALAW_SEGMENTS: [(i32, i32); 8] = [
    (8, 16),
    (264, 16),
    (528, 32),
    (1_056, 64),
    (2_112, 128),
    (4_224, 256),
    (8_448, 512),
    (16_896, 1_024),
];
const ULAW_SEGMENTS: [(i32, i32); 8] = [
    (0, 8),
    (132, 16),
    (396, 32),
    (924, 64),
    (1_980, 128),
    (4_092, 256),
    (8_316, 512),
    (16_764, 1_024),
];

/// The 128 magnitudes of a law, ascending.
fn magnitudes(segments: &[(i32, i32); 8]) -> Vec<i32> {
    let steps = |&(first, step): &(i32, i32)| (0..16).map(move |i| first + i * step);
    segments.iter().flat_map(steps).collect()
}

#[test]
fn every_code_decodes_to_the_value_of_the_standard() {
    for (index, magnitude) in magnitudes(&ULAW_SEGMENTS).into_iter().enumerate() {
        assert_eq!(i32::from(ulaw_decode(!(index as u8))), magnitude);
        assert_eq!(i32::from(ulaw_decode(!(index as u8 | 0x80))), -magnitude);
    }
    for (index, magnitude) in magnitudes(&ALAW_SEGMENTS).into_iter().enumerate() {
        assert_eq!(i32::from(alaw_decode((index as u8 | 0x80) ^ 0x55)), magnitude);
        assert_eq!(i32::from(alaw_decode(index as u8 ^ 0x55)), -magnitude);
    }
}

#[test]
fn every_code_survives_decoding_and_encoding() {
    for code in 0..=255_u8 {
        assert_eq!(alaw_encode(alaw_decode(code)), code);
        // µ-law has two zeros; the encoder uses the positive one.
        let expected = if code == 0x7f { 0xff } else { code };
        assert_eq!(ulaw_encode(ulaw_decode(code)), expected);
    }
}

/// Decision values of one segment of the standard: where its first interval begins, and the step.
/// Column 3 of the same tables. µ-law's first interval is half a step, because zero is its middle.
const ALAW_DECISIONS: [(i32, i32); 8] = [
    (0, 16),
    (256, 16),
    (512, 32),
    (1_024, 64),
    (2_048, 128),
    (4_096, 256),
    (8_192, 512),
    (16_384, 1_024),
];
const ULAW_DECISIONS: [(i32, i32); 8] = [
    (-4, 8),
    (124, 16),
    (380, 32),
    (892, 64),
    (1_916, 128),
    (3_964, 256),
    (8_060, 512),
    (16_252, 1_024),
];

#[test]
fn every_sample_is_coded_as_the_interval_it_lies_in() {
    for (decode, encode, segments, decisions) in [
        (ulaw_decode as fn(u8) -> i16, ulaw_encode as fn(i16) -> u8, ULAW_SEGMENTS, ULAW_DECISIONS),
        (alaw_decode, alaw_encode, ALAW_SEGMENTS, ALAW_DECISIONS),
    ] {
        let values = magnitudes(&segments);
        let starts = magnitudes(&decisions);
        for sample in i16::MIN..=i16::MAX {
            // Intervals of the positive half hold their lower bound, those of the other their upper.
            let magnitude = i32::from(if sample < 0 { !sample } else { sample });
            let interval = starts.partition_point(|start| *start <= magnitude) - 1;
            let expected = if sample < 0 { -values[interval] } else { values[interval] };
            assert_eq!(i32::from(decode(encode(sample))), expected, "{sample}");
        }
    }
}

#[test]
fn known_codes() {
    let rows = [
        (0, 0xff, 0xd5),
        (-1, 0x7f, 0x55),
        (8, 0xfe, 0xd5),
        (1_000, 0xce, 0xfa),
        (-1_000, 0x4e, 0x7a),
        (i16::MAX, 0x80, 0xaa),
        (i16::MIN, 0x00, 0x2a),
    ];
    for (sample, ulaw, alaw) in rows {
        assert_eq!((ulaw_encode(sample), alaw_encode(sample)), (ulaw, alaw), "{sample}");
    }
    assert_eq!(ulaw_decode(ULAW_SILENCE), 0);
    assert_eq!(alaw_decode(ALAW_SILENCE), 8);
}

#[test]
fn the_laws_are_monotonic() {
    for sample in i16::MIN..i16::MAX {
        let next = sample + 1;
        assert!(ulaw_decode(ulaw_encode(sample)) <= ulaw_decode(ulaw_encode(next)));
        assert!(alaw_decode(alaw_encode(sample)) <= alaw_decode(alaw_encode(next)));
    }
}

#[test]
fn sixteen_bit_samples_survive_as_floats_and_floats_saturate() {
    for sample in i16::MIN..=i16::MAX {
        assert_eq!(i16_from_f32(f32_from_i16(sample)), sample);
    }
    let rows = [(1.0, i16::MAX), (7.5, i16::MAX), (-1.0, i16::MIN), (-9.0, i16::MIN)];
    for (float, expected) in rows {
        assert_eq!(i16_from_f32(float), expected);
    }
    assert_eq!(i16_from_f32(f32::NAN), 0);
}
