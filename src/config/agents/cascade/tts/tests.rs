use std::time::Duration;

use super::*;
use crate::config::agents::cascade::tests::{parse, settings};

fn patience() -> VoicePatience {
    let [connect_timeout, first_audio_timeout, stall_timeout] =
        [100, 200, 300].map(Duration::from_millis);
    VoicePatience { connect_timeout, first_audio_timeout, stall_timeout }
}

const TIMES: &str =
    "api_key_env: KEY, connect_timeout_ms: 100, first_audio_timeout_ms: 200, stall_timeout_ms: 300";

#[test]
fn every_key_of_the_voices_behind_websockets_is_read() {
    let key = || Some("secret".to_owned());
    let read =
        |keys: &str| settings(&format!("{{tts: {{{keys}, {TIMES}}}}}")).tts.remove(0).settings;

    let mut expected = CartesiaSettings::new("v1".to_owned(), key());
    (expected.url, expected.version) = ("ws://c".to_owned(), "2026-08-14".to_owned());
    (expected.model, expected.language) = ("sonic-3.5".to_owned(), Some("de".to_owned()));
    (expected.sample_rate_hz, expected.patience) = (16_000, patience());
    let keys = "kind: cartesia, url: 'ws://c', voice: v1, version: '2026-08-14', model: sonic-3.5, \
                language: de, sample_rate_hz: 16000";
    assert_eq!(read(keys), TtsSettings::Cartesia(Box::new(expected)));

    let mut expected = ElevenLabsSettings::new("v2".to_owned(), key());
    (expected.url, expected.model) = ("ws://e".to_owned(), "turbo".to_owned());
    expected.language = Some("de".to_owned());
    (expected.sample_rate_hz, expected.patience) = (8_000, patience());
    let keys = "kind: elevenlabs, url: 'ws://e', voice: v2, model: turbo, language: de, \
                sample_rate_hz: 8000";
    assert_eq!(read(keys), TtsSettings::ElevenLabs(Box::new(expected)));

    let mut expected = DeepgramVoiceSettings::new(key());
    (expected.url, expected.model) = ("ws://d".to_owned(), "aura-2-zeus-en".to_owned());
    (expected.sample_rate_hz, expected.patience) = (48_000, patience());
    let keys = "kind: deepgram, url: 'ws://d', model: aura-2-zeus-en, sample_rate_hz: 48000";
    assert_eq!(read(keys), TtsSettings::Deepgram(Box::new(expected)));

    let mut expected = MoshiVoiceSettings::new("ws://m".to_owned(), key());
    (expected.path, expected.voice) = ("tts".to_owned(), Some("a/b.wav".to_owned()));
    (expected.cfg_alpha, expected.patience) = (2.0, patience());
    let keys = "kind: moshi, url: 'ws://m', path: tts, voice: a/b.wav, cfg_alpha: 2.0";
    assert_eq!(read(keys), TtsSettings::Moshi(Box::new(expected)));
}

#[test]
fn mistakes_and_keys_of_other_kinds_are_told() {
    let rows = [
        ("kind: cartesia, api_key_env: KEY", "voice: is required"),
        ("kind: cartesia, voice: x", "api_key_env: is required"),
        ("kind: elevenlabs, voice: x", "api_key_env: is required"),
        ("kind: elevenlabs, api_key_env: KEY", "voice: is required"),
        ("kind: deepgram", "api_key_env: is required"),
        ("kind: deepgram, api_key_env: NONE", "`NONE` is not set"),
        ("kind: deepgram, api_key_env: KEY, voice: x", "the kind `deepgram` has no such key"),
        ("kind: deepgram, api_key_env: KEY, sample_rate_hz: 44100", "expected one of `8000`"),
        ("kind: moshi", "url: is required"),
        ("kind: moshi, url: 'ws://m', sample_rate_hz: 24000", "the kind `moshi` has no such key"),
        ("kind: speech, url: 'http://x', version: x", "the kind `speech` has no such key"),
        ("kind: flite, url: 'http://x'", "the kind `flite` has no such key"),
    ];
    for (keys, expected) in rows {
        let refused = parse(&format!("{{tts: {{{keys}}}}}")).expect_err(keys);
        assert!(refused.contains(expected), "{keys}: {refused:?} should contain {expected:?}");
    }
}
