//! G.711: the A-law and µ-law companding of telephony (ITU-T G.711), one octet per sample at 8 kHz.

/// Added before µ-law segments are found, so that every segment is a power of two.
const ULAW_BIAS: i32 = 0x84;
const ULAW_MAX: i32 = 32_635;

/// One sample as µ-law.
pub fn ulaw_encode(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(ULAW_MAX) + ULAW_BIAS;
    // The bias makes the magnitude at least 0x84, whose highest bit is bit 7: segment 0.
    let segment = 24 - magnitude.leading_zeros() as i32;
    let mantissa = (magnitude >> (segment + 3)) & 0x0F;
    !((sign | (segment << 4) | mantissa) as u8)
}

/// The sample that a µ-law octet stands for.
pub fn ulaw_decode(octet: u8) -> i16 {
    let octet = i32::from(!octet);
    let (segment, mantissa) = ((octet >> 4) & 7, octet & 0x0F);
    let magnitude = (((mantissa << 3) + ULAW_BIAS) << segment) - ULAW_BIAS;
    (if octet & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

/// One sample as A-law.
pub fn alaw_encode(sample: i16) -> u8 {
    let (sign, magnitude) =
        if sample >= 0 { (0x80, i32::from(sample)) } else { (0, -1 - i32::from(sample)) };
    let magnitude = magnitude >> 4;
    // Segments 0 and 1 share one step; from there on each doubles it.
    let octet = if magnitude < 32 {
        magnitude
    } else {
        let segment = 28 - magnitude.leading_zeros() as i32;
        (segment << 4) | ((magnitude >> (segment - 1)) & 0x0F)
    };
    (sign | octet) as u8 ^ 0x55
}

/// The sample that an A-law octet stands for.
pub fn alaw_decode(octet: u8) -> i16 {
    let octet = i32::from(octet ^ 0x55);
    let (segment, mantissa) = ((octet >> 4) & 7, octet & 0x0F);
    let magnitude = match segment {
        0 => (mantissa << 4) + 8,
        _ => ((mantissa << 4) + 0x108) << (segment - 1),
    };
    (if octet & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_survives_a_round_trip() {
        for octet in 0..=255_u8 {
            assert_eq!(alaw_encode(alaw_decode(octet)), octet, "A-law {octet:#x}");
            // µ-law has two zeros; negative zero is not sent.
            if octet != 0x7F {
                assert_eq!(ulaw_encode(ulaw_decode(octet)), octet, "µ-law {octet:#x}");
            }
        }
    }

    #[test]
    fn known_values_of_the_recommendation() {
        for (sample, ulaw, alaw) in
            [(0, 0xFF, 0xD5), (32_767, 0x80, 0xAA), (-32_768, 0x00, 0x2A), (1_000, 0xCE, 0xFA)]
        {
            assert_eq!((ulaw_encode(sample), alaw_encode(sample)), (ulaw, alaw), "{sample}");
        }
    }

    #[test]
    fn the_error_stays_below_a_sixteenth_of_the_sample() {
        for sample in (i16::MIN..=i16::MAX).step_by(7) {
            for decoded in [ulaw_decode(ulaw_encode(sample)), alaw_decode(alaw_encode(sample))] {
                let error = (i32::from(decoded) - i32::from(sample)).abs();
                assert!(error <= i32::from(sample).abs() / 16 + 16, "{sample} became {decoded}");
            }
        }
    }
}
