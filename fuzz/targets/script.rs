//! YAML in general, and scripts in it.
#![no_main]

use antiphon::limits::YAML_ERRORS_MAX;
use antiphon::{script, yaml};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(errors) = yaml::parse(text) {
        assert!(!errors.is_empty(), "refused without a reason");
    }
    match script::parse(text) {
        Ok(script) => assert!(!script.turns.is_empty(), "a script without turns"),
        // One more line says that there are more.
        Err(errors) => assert!((1..=YAML_ERRORS_MAX + 1).contains(&errors.len())),
    }
});
