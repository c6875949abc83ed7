use std::time::Duration;

use super::super::tests::{parse, settings};
use super::*;

fn asr(section: &str) -> AsrSettings {
    settings(&format!("{{asr: {section}}}")).asr.remove(0).settings
}

fn key() -> Option<String> {
    Some("secret".to_owned())
}

#[test]
fn the_streaming_kinds_have_defaults() {
    let deepgram = asr("{kind: deepgram, api_key_env: KEY}");
    assert_eq!(deepgram, AsrSettings::Deepgram(DeepgramSettings::new(key())));
    assert_eq!(asr("{kind: flux, api_key_env: KEY}"), AsrSettings::Flux(FluxSettings::new(key())));
    let moshi = asr("{kind: moshi, url: 'ws://127.0.0.1:8080'}");
    let expected = MoshiSettings::new("ws://127.0.0.1:8080".to_owned(), None);
    assert_eq!(moshi, AsrSettings::Moshi(expected));
}

#[test]
fn every_key_of_the_streaming_kinds_is_read() {
    let (short, longer) = (Duration::from_millis(100), Duration::from_millis(200));
    let timeouts = "connect_timeout_ms: 100, answer_timeout_ms: 200";
    let shared = "url: 'ws://x', model: m, language: de, vocabulary: [Antiphon], api_key_env: KEY";

    let mut expected = DeepgramSettings::new(key());
    (expected.url, expected.model) = ("ws://x".to_owned(), "m".to_owned());
    expected.language = Some("de".to_owned());
    expected.vocabulary = vec!["Antiphon".to_owned()];
    (expected.connect_timeout, expected.answer_timeout) = (short, longer);
    let read = asr(&format!("{{kind: deepgram, {shared}, {timeouts}}}"));
    assert_eq!(read, AsrSettings::Deepgram(expected));

    let mut expected = FluxSettings::new(key());
    (expected.url, expected.model) = ("ws://x".to_owned(), "m".to_owned());
    expected.language = Some("de".to_owned());
    expected.vocabulary = vec!["Antiphon".to_owned()];
    (expected.eot_threshold, expected.eager_eot_threshold) = (0.8, 0.6);
    expected.eot_timeout = Duration::from_secs(2);
    (expected.connect_timeout, expected.answer_timeout) = (short, longer);
    let thresholds = "eot_threshold: 0.8, eager_eot_threshold: 0.6, eot_timeout_ms: 2000";
    let read = asr(&format!("{{kind: flux, {shared}, {thresholds}, {timeouts}}}"));
    assert_eq!(read, AsrSettings::Flux(expected));

    let mut expected = MoshiSettings::new("ws://x".to_owned(), key());
    expected.delay = Duration::from_millis(2_500);
    (expected.connect_timeout, expected.answer_timeout) = (short, longer);
    let moshi = "{kind: moshi, url: 'ws://x', api_key_env: KEY, delay_ms: 2500";
    assert_eq!(asr(&format!("{moshi}, {timeouts}}}")), AsrSettings::Moshi(expected));
}

#[test]
fn each_mistake_is_told_with_what_was_expected() {
    let rows = [
        ("{kind: deepgram}", "api_key_env: is required"),
        ("{kind: flux}", "api_key_env: is required"),
        ("{kind: flux, api_key_env: NONE}", "`NONE` is not set"),
        ("{kind: moshi}", "url: is required"),
        ("{kind: moshi, url: 'ws://x', model: m}", "`moshi` has no such key"),
        ("{kind: deepgram, api_key_env: KEY, delay_ms: 1}", "`deepgram` has no such key"),
        ("{kind: flux, url: 'ws://x', eot_threshold: 0.4}", "from 0.5 to 1"),
        (
            "{kind: flux, url: 'ws://x', eot_threshold: 0.5, eager_eot_threshold: 0.6}",
            "expected at most `eot_threshold`, which is 0.5",
        ),
        ("{kind: moshi, url: 'ws://x', delay_ms: 6000}", "delay_ms"),
    ];
    for (section, expected) in rows {
        let refused = parse(&format!("{{asr: {section}}}")).expect_err(section);
        assert!(refused.contains(expected), "{section}: {refused:?} should contain {expected:?}");
    }
}

#[test]
fn a_cascade_shows_who_hears_and_never_a_key() {
    for (section, expected) in [
        ("{kind: deepgram, api_key_env: KEY}", "nova-3 at wss://api.deepgram.com/v1 hears"),
        ("{kind: flux, api_key_env: KEY}", "flux-general-en at wss://api.deepgram.com/v2 hears"),
        ("{kind: moshi, url: 'ws://x', api_key_env: KEY}", "moshi at ws://x hears"),
    ] {
        let settings = settings(&format!("{{asr: {section}}}"));
        let shown = settings.to_string();
        assert!(shown.contains(expected), "{shown}");
        let shown = format!("{settings:?}");
        assert!(!shown.contains("secret") && shown.contains("set"), "{shown}");
    }
}
