//! Telephone keys as they arrive in RTP (RFC 4733).
//!
//! ```text
//!  0                   1                   2                   3
//! |     event     |E|R| volume    |          duration             |
//! ```
//!
//! One press is many packets: they share the RTP timestamp of its beginning, the duration grows, and
//! the last is sent three times. A press is reported with the first packet that arrives of it.

use crate::media::codec::CodecError;

/// The keys, by event code (§3.2, table 3).
const KEYS: &[u8; 16] = b"0123456789*#ABCD";
/// A press so long that its duration does not fit goes on under a new timestamp, this much later
/// (§2.5.1.3).
const SEGMENT_TICKS: u32 = 0xffff;
/// A packet of a press before the last one is old if it is at most this much behind: 10 s at 48 kHz.
/// One farther behind is of a sender that began anew.
const OLD_TICKS_MAX: u32 = 480_000;

/// Turns event packets into keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyReceiver {
    last: Option<Press>,
}

/// The last press, or the last segment of a long one.
#[derive(Clone, Copy, Debug)]
struct Press {
    event: u8,
    timestamp: u32,
}

impl KeyReceiver {
    /// Takes a packet's timestamp and payload. Answers the key the first time that its press is
    /// heard of; events that are no keys (flash, tones) are passed over.
    pub fn take(&mut self, timestamp: u32, payload: &[u8]) -> Result<Option<char>, CodecError> {
        let &[event, _, _, _, ..] = payload else { return Err(CodecError::Malformed) };
        if let Some(last) = self.last {
            let ahead = timestamp.wrapping_sub(last.timestamp);
            if ahead == 0 || ahead.wrapping_neg() <= OLD_TICKS_MAX {
                return Ok(None);
            }
            if ahead == SEGMENT_TICKS && event == last.event {
                self.last = Some(Press { event, timestamp });
                return Ok(None);
            }
        }
        self.last = Some(Press { event, timestamp });
        Ok(KEYS.get(usize::from(event)).map(|key| char::from(*key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_press_is_reported_once() {
        let mut receiver = KeyReceiver::default();
        let rows: &[(u32, u8, u8, u16, Option<char>)] = &[
            (1_000, 5, 0x0a, 160, Some('5')),
            (1_000, 5, 0x0a, 320, None),
            (1_000, 5, 0x8a, 480, None),
            (1_000, 5, 0x8a, 480, None),
            // The same key again.
            (5_000, 5, 0x0a, 160, Some('5')),
            // An old packet of the first press.
            (1_000, 5, 0x8a, 480, None),
            // Only the end of a press arrived.
            (9_000, 11, 0x8a, 800, Some('#')),
            // Flash is no key.
            (12_000, 16, 0x8a, 800, None),
            (u32::MAX, 15, 0x0a, 160, None),
            (900_000, 15, 0x0a, 160, Some('D')),
            // A long press goes on.
            (900_000 + 0xffff, 15, 0x0a, 160, None),
            (900_000 + 2 * 0xffff, 15, 0x8a, 160, None),
            // The sender began anew.
            (7, 10, 0x0a, 160, Some('*')),
        ];
        for (timestamp, event, flags, duration, expected) in rows {
            let [high, low] = duration.to_be_bytes();
            let key = receiver.take(*timestamp, &[*event, *flags, high, low]);
            assert_eq!(key, Ok(*expected), "event {event} at {timestamp}");
        }
    }

    #[test]
    fn a_short_payload_is_malformed() {
        assert_eq!(KeyReceiver::default().take(0, &[1, 2, 3]), Err(CodecError::Malformed));
    }
}
