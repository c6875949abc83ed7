//! What a moshi server sends: messages one after the other, each behind its length in two bytes.
#![no_main]

use antiphon::cascade::moshi::Reader;
use antiphon::cascade::recognition::{HeardText, Recognised};
use antiphon::limits::MODEL_ERROR_CHARS_MAX;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut reader = Reader::default();
    let mut rest = input;
    while let [high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        let (message, next) = behind.split_at(length);
        rest = next;
        match reader.read(message) {
            Recognised::Heard(heard) => {
                assert!(heard.complete.is_none_or(|complete| (0.0..=1.0).contains(&complete)));
                if let HeardText::Interim(text) | HeardText::Settled(text) = &heard.text {
                    assert!(text.len() <= message.len(), "more text than was sent");
                }
            }
            Recognised::Failed(fault) => {
                assert!(fault.message.chars().count() <= MODEL_ERROR_CHARS_MAX);
                assert!(!fault.message.contains(char::is_control));
            }
            Recognised::Ready | Recognised::Other | Recognised::Malformed => {}
        }
    }
});
