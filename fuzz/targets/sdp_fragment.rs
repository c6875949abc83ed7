//! Trickle-ICE fragments; what is written from one reads as the same.
#![no_main]

use antiphon::sdp::Fragment;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(fragment) = Fragment::parse(text) else { return };
    let again = Fragment::parse(&fragment.write("0")).expect("what we write can be read");
    assert_eq!(again.credentials, fragment.credentials);
    assert_eq!(again.candidates, fragment.candidates);
});
