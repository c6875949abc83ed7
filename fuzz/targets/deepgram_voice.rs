//! Sound and lines that a voice of Deepgram's may send, while phrases are spoken and stopped.
#![no_main]

use antiphon::cascade::deepgram_voice::DeepgramVoiceWire;
use antiphon::cascade::voice::{Message, Received, VoiceWire};
use antiphon::limits::MODEL_ERROR_CHARS_MAX;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut wire = DeepgramVoiceWire::new();
    let mut bytes = 0;
    let mut samples = 0;
    for piece in input.split(|byte| *byte == b'\n') {
        match piece.first() {
            Some(b's') => wire.speak("Hello.", 1.0),
            Some(b'c') => wire.stop(),
            _ => {}
        }
        let text = String::from_utf8_lossy(piece);
        for message in [Received::Binary(piece), Received::Text(&text)] {
            match wire.handle_message(message) {
                Ok(heard) => {
                    bytes += piece.len();
                    samples += heard.pcm.len();
                    assert!(samples <= bytes / 2, "more samples than bytes");
                }
                Err(error) => {
                    assert!(error.to_string().chars().count() <= MODEL_ERROR_CHARS_MAX + 40);
                }
            }
        }
        assert!(
            std::iter::from_fn(|| wire.poll_message()).all(|it| matches!(it, Message::Text(_)))
        );
    }
});
