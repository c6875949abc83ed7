//! G.711: one byte per sample at 8 kHz (ITU-T G.711, RFC 3551 §4.5.14), and 16-bit PCM.
//!
//! Both laws code a sign, a 3-bit exponent (segment) and a 4-bit mantissa. The standard counts in
//! 14 bits (µ-law) and 13 bits (A-law); here samples are 16 bits, so its values are scaled by 4 and 8.

/// The µ-law bias, 33 in the standard's 14 bits: it makes every segment start at a power of two.
const ULAW_BIAS: i32 = 33 << 2;
/// The largest magnitude µ-law can code before the bias is added.
const ULAW_CLIP: i32 = 32_635;
/// A-law inverts the even bits so that idle channels carry ones for the line's clock recovery.
const ALAW_EVEN_BITS: u8 = 0x55;
/// The µ-law code of zero, which is also how a line says nothing.
pub const ULAW_SILENCE: u8 = 0xff;
/// The A-law code nearest to zero.
pub const ALAW_SILENCE: u8 = 0xd5;

/// Encodes one sample as µ-law.
pub const fn ulaw_encode(sample: i16) -> u8 {
    let sign: u8 = if sample < 0 { 0x80 } else { 0 };
    let magnitude = mirrored(sample);
    let biased = if magnitude > ULAW_CLIP { ULAW_CLIP } else { magnitude } + ULAW_BIAS;
    // The bias guarantees that bit 7 or a higher one is set.
    let exponent = 24 - biased.leading_zeros() as i32;
    let mantissa = (biased >> (exponent + 3)) & 0x0f;
    // The line carries the complement.
    !(sign | (exponent as u8) << 4 | mantissa as u8)
}

/// Decodes one µ-law byte.
pub const fn ulaw_decode(code: u8) -> i16 {
    let bits = !code;
    let exponent = (bits >> 4) & 0x07;
    let mantissa = (bits & 0x0f) as i32;
    let magnitude = (((mantissa << 3) + ULAW_BIAS) << exponent) - ULAW_BIAS;
    if bits & 0x80 != 0 { -magnitude as i16 } else { magnitude as i16 }
}

/// Encodes one sample as A-law.
pub const fn alaw_encode(sample: i16) -> u8 {
    let sign: u8 = if sample < 0 { 0 } else { 0x80 };
    let magnitude = mirrored(sample) >> 4;
    // The first two segments share one step size, so there the code is the magnitude.
    let code = if magnitude < 32 {
        magnitude
    } else {
        let exponent = 28 - magnitude.leading_zeros() as i32;
        exponent << 4 | (magnitude >> (exponent - 1)) & 0x0f
    };
    (sign | code as u8) ^ ALAW_EVEN_BITS
}

/// Decodes one A-law byte.
pub const fn alaw_decode(code: u8) -> i16 {
    let bits = code ^ ALAW_EVEN_BITS;
    let exponent = ((bits >> 4) & 0x07) as i32;
    let mantissa = (bits & 0x0f) as i32;
    // The middle of the interval; segments above the first have an implied leading one.
    let magnitude = match exponent {
        0 => (mantissa << 4) + 8,
        _ => ((mantissa << 4) + 0x108) << (exponent - 1),
    };
    if bits & 0x80 != 0 { magnitude as i16 } else { -magnitude as i16 }
}

/// The complement of a negative sample, not its negative: the standard's decision values belong to
/// the upper interval of the positive and to the lower one of the negative half.
const fn mirrored(sample: i16) -> i32 {
    (if sample < 0 { !sample } else { sample }) as i32
}

/// A 16-bit sample in -1 to 1.
pub fn f32_from_i16(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

/// The nearest 16-bit sample. What is out of range saturates; not-a-number is 0.
pub fn i16_from_f32(sample: f32) -> i16 {
    // `as` saturates and maps NaN to 0.
    (sample * 32_768.0).round() as i16
}

#[cfg(test)]
mod tests;
