//! What Deepgram's Flux sends, one message a line.
#![no_main]

use antiphon::cascade::flux;
use antiphon::cascade::recognition::{HeardText, Recognised};
use antiphon::limits::MODEL_ERROR_CHARS_MAX;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &[u8]| {
    for line in lines.split(|byte| *byte == b'\n') {
        let message = String::from_utf8_lossy(line);
        match flux::read(&message) {
            Recognised::Heard(heard) => {
                assert!(heard.complete.is_none_or(|complete| (0.0..=1.0).contains(&complete)));
                if let HeardText::Interim(text) | HeardText::Settled(text) = &heard.text {
                    assert!(text.len() <= message.len(), "more text than was sent");
                    assert_eq!(text, text.trim());
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
