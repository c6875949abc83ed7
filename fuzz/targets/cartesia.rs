//! Lines that a voice of Cartesia's may send, before, while and after a phrase is spoken.
#![no_main]

use antiphon::cascade::cartesia::{CartesiaVoice, CartesiaWire};
use antiphon::cascade::voice::{Message, Received, VoiceWire};
use antiphon::limits::MODEL_ERROR_CHARS_MAX;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut wire = CartesiaWire::new(CartesiaVoice {
        model: String::new(),
        voice: String::new(),
        language: None,
        sample_rate_hz: 24_000,
    });
    for (at, line) in input.split(|byte| *byte == b'\n').enumerate() {
        match at % 8 {
            1 => wire.speak("Hello.", 1.2),
            7 => wire.stop(),
            _ => {}
        }
        let line = String::from_utf8_lossy(line);
        match wire.handle_message(Received::Text(&line)) {
            Ok(heard) => {
                assert!(heard.pcm.len() <= line.len(), "more samples than bytes");
                assert!(heard.words.iter().all(|word| !word.text.is_empty()));
            }
            Err(error) => assert!(error.to_string().chars().count() <= MODEL_ERROR_CHARS_MAX + 40),
        }
        assert!(
            std::iter::from_fn(|| wire.poll_message()).all(|it| matches!(it, Message::Text(_)))
        );
    }
});
