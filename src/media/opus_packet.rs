//! What an Opus packet says about itself, without decoding it (RFC 6716 §3).

use crate::limits::PACKET_MS_MAX;
use crate::media::codec::CodecError;

/// Ticks of the 48 kHz clock in a millisecond.
const TICKS_PER_MS: u32 = 48;
/// A SILK or hybrid frame of up to this long holds one inner frame, longer ones several (§4.2.4).
const INNER_FRAME_TICKS: u32 = 20 * TICKS_PER_MS;

/// How long a packet lasts, in ticks of the 48 kHz clock: 2.5 to 120 ms.
pub fn duration_ticks(packet: &[u8]) -> Result<u32, CodecError> {
    let toc = *packet.first().ok_or(CodecError::Malformed)?;
    let ticks = frame_ticks(toc) * frame_count(toc, packet)?;
    if ticks > PACKET_MS_MAX * TICKS_PER_MS { Err(CodecError::TooLong) } else { Ok(ticks) }
}

/// Whether the packet carries a copy of the audio before it (in-band FEC, §2.1.7): the LBRR flags of
/// its first frame. `false` for anything that does not parse.
pub fn has_fec(packet: &[u8]) -> bool {
    let Some(toc) = packet.first() else { return false };
    let is_celt = toc & 0x80 != 0;
    let Some(first) = first_frame(packet).filter(|_| !is_celt) else { return false };
    // Each channel begins with one activity flag per inner frame, then its LBRR flag (§4.2.3).
    let inner_frames = (frame_ticks(*toc) / INNER_FRAME_TICKS).max(1);
    let is_stereo = toc & 0x04 != 0;
    let mid = first >> (7 - inner_frames) & 1;
    let side = if is_stereo { first >> (6 - 2 * inner_frames) & 1 } else { 0 };
    mid | side == 1
}

/// Ticks of one frame (§3.1, table 2).
fn frame_ticks(toc: u8) -> u32 {
    let (config, size) = (toc >> 3, u32::from(toc >> 3 & 3));
    match config {
        0..12 => [10, 20, 40, 60][size as usize] * TICKS_PER_MS,
        12..16 => [10, 20][(size & 1) as usize] * TICKS_PER_MS,
        _ => 120 << size,
    }
}

/// Frames in the packet (§3.2), with those of its length rules that show in the first bytes.
fn frame_count(toc: u8, packet: &[u8]) -> Result<u32, CodecError> {
    match toc & 3 {
        0 => Ok(1),
        1 if packet.len() % 2 == 1 => Ok(2),
        2 if packet.len() > 1 => Ok(2),
        3 => match packet.get(1).map(|byte| u32::from(byte & 0x3f)) {
            None | Some(0) => Err(CodecError::Malformed),
            Some(count) => Ok(count),
        },
        _ => Err(CodecError::Malformed),
    }
}

/// The first byte of the first frame; `None` if that frame is empty or cut off.
fn first_frame(packet: &[u8]) -> Option<u8> {
    let toc = *packet.first()?;
    let at = match toc & 3 {
        0 | 1 => 1,
        2 => 1 + frame_length(packet, 1)?.0,
        _ => {
            let flags = *packet.get(1)?;
            let (is_vbr, is_padded, count) = (flags & 0x80 != 0, flags & 0x40 != 0, flags & 0x3f);
            let mut at = 2;
            if is_padded {
                // 255 means 254 bytes of padding and another length byte.
                while *packet.get(at)? == 255 {
                    at += 1;
                }
                at += 1;
            }
            if is_vbr {
                let (_, first_length) = frame_length(packet, at)?;
                if count > 1 && first_length == 0 {
                    return None;
                }
                for _ in 1..count {
                    at += frame_length(packet, at)?.0;
                }
            }
            at
        }
    };
    packet.get(at).copied()
}

/// A frame length field: the bytes it takes, and its value (§3.2.1).
fn frame_length(packet: &[u8], at: usize) -> Option<(usize, usize)> {
    let first = usize::from(*packet.get(at)?);
    if first < 252 {
        Some((1, first))
    } else {
        Some((2, first + 4 * usize::from(*packet.get(at + 1)?)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_follow_the_table_of_contents() {
        const fn toc(config: u8, code: u8) -> u8 {
            config << 3 | code
        }
        for (packet, expected) in [
            (&[toc(0, 0)][..], Ok(480)),
            (&[toc(3, 0), 9], Ok(2_880)),
            (&[toc(12, 0), 9], Ok(480)),
            (&[toc(13, 1), 9, 9], Ok(1_920)),
            (&[toc(16, 0), 9], Ok(120)),
            (&[toc(31, 0), 9], Ok(960)),
            (&[toc(31, 2), 0], Ok(1_920)),
            (&[toc(31, 3), 6], Ok(5_760)),
            (&[toc(31, 3), 7], Err(CodecError::TooLong)),
            (&[toc(3, 3), 3], Err(CodecError::TooLong)),
            (&[toc(16, 3), 48], Ok(5_760)),
            (&[toc(31, 3), 0], Err(CodecError::Malformed)),
            (&[toc(31, 3)], Err(CodecError::Malformed)),
            (&[toc(31, 1), 9], Err(CodecError::Malformed)),
            (&[toc(31, 2)], Err(CodecError::Malformed)),
            (&[], Err(CodecError::Malformed)),
        ] {
            assert_eq!(duration_ticks(packet), expected, "{packet:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(packet in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(ticks) = duration_ticks(&packet) {
                prop_assert!((120..=5_760).contains(&ticks));
            }
            let _ = has_fec(&packet);
        }
    }
}
