//! Origins of pages, and URLs of ICE servers.
#![no_main]

use antiphon_signaling::origin::is_loopback;
use antiphon_signaling::turn::{check_stun_url, check_turn_url};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if is_loopback(text) {
        let loopback = ["localhost", "127.", "[", "::1"];
        let lower = text.to_ascii_lowercase();
        assert!(loopback.iter().any(|part| lower.contains(part)), "not on this machine");
        assert!(!text.contains(['@', '?', '#', ' ']), "more than an origin");
    }
    if check_stun_url(text).is_ok() || check_turn_url(text).is_ok() {
        assert!(!text.contains(['<', '>', '"', ',', '@']), "would not fit a Link header");
    }
});
