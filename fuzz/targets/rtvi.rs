//! Messages of a client's data channel.
#![no_main]

use antiphon::call::event::ClientCommand;
use antiphon::limits::{DATA_MESSAGE_BYTES_MAX, USER_TEXT_CHARS_MAX};
use antiphon::rtvi::{Incoming, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &str| {
    let reply = match parse(message) {
        Ok(Incoming::Commands { commands, reply }) => {
            for command in commands {
                if let ClientCommand::Text { text, .. } = command {
                    assert!(text.chars().count() <= USER_TEXT_CHARS_MAX);
                }
            }
            reply
        }
        Ok(Incoming::Ping | Incoming::ClientReady { .. } | Incoming::Nothing) => None,
        Err(refusal) => Some(refusal.reply()),
    };
    if let Some(reply) = reply {
        assert!(reply.len() <= DATA_MESSAGE_BYTES_MAX, "{} bytes", reply.len());
        serde_json::from_str::<serde_json::Value>(&reply).expect("replies are JSON");
    }
});
