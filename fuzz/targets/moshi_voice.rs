//! Packets that a voice of a moshi-server may send. The first byte of each says how long it is.
#![no_main]

use antiphon::cascade::moshi_voice::MoshiVoiceWire;
use antiphon::cascade::voice::{Message, Received, VoiceWire};
use antiphon::limits::MODEL_ERROR_CHARS_MAX;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut wire = MoshiVoiceWire::default();
    wire.speak("Hello.", 1.0);
    let mut rest = input;
    while let Some((length, more)) = rest.split_first() {
        let (packet, more) = more.split_at(more.len().min(usize::from(*length)));
        rest = more;
        match wire.handle_message(Received::Binary(packet)) {
            Ok(heard) => {
                assert!(heard.pcm.len() <= packet.len(), "more samples than bytes");
                assert!(heard.words.iter().all(|word| !word.text.is_empty()));
            }
            Err(error) => assert!(error.to_string().chars().count() <= MODEL_ERROR_CHARS_MAX + 40),
        }
        assert!(
            std::iter::from_fn(|| wire.poll_message()).all(|it| matches!(it, Message::Binary(_)))
        );
    }
});
