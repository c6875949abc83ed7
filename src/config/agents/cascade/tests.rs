mod aws;
mod example;

use std::time::Duration;

use crate::backend::cascade::asr::TranscriptionSettings;
use crate::backend::cascade::llm::LlmSettings;
use crate::backend::cascade::tts::{SpeechSettings, Voice};
use crate::backend::cascade::{
    AsrSettings, BrainSettings, CascadeSettings, MemorySettings, ModelSettings, OwnWords,
    PocketSphinxSettings, Ranked, TtsSettings,
};
use crate::cascade::failover::{Hedge, ProviderSettings};
use crate::cascade::intent::CommonAnswer;
use crate::cascade::price::Prices;
use crate::config::{BackendConfig, Config, Environment};
use crate::yaml::YamlError;

pub(super) fn parse(cascade: &str) -> Result<Config, String> {
    let text = format!("agents:\n  a:\n    backend: cascade\n    cascade: {cascade}\n");
    let environment = Environment::of(&[("KEY", "secret")]);
    Config::parse(&text, None, &environment).map_err(|errors| told(&errors))
}

fn told(errors: &[YamlError]) -> String {
    errors.iter().map(YamlError::to_string).collect::<Vec<_>>().join("\n")
}

pub(super) fn settings(cascade: &str) -> CascadeSettings {
    let config = parse(cascade).unwrap_or_else(|error| panic!("{error}"));
    match &config.agents["a"].backend {
        BackendConfig::Cascade(settings) => (**settings).clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cascade_of_nothing_is_what_is_on_this_machine() {
    let expected = CascadeSettings {
        asr: vec![AsrSettings::PocketSphinx(PocketSphinxSettings::default()).into()],
        brain: BrainSettings::Dialogue { time_zone: None },
        tts: vec![TtsSettings::Flite(Voice::Slt).into()],
        pace: 1.0,
        memory: MemorySettings::default(),
        prepared: Vec::new(),
        answers: Vec::new(),
        own_words: OwnWords::default(),
    };
    assert_eq!(settings("{}"), expected);
}

#[test]
fn every_key_is_read() {
    let read = settings(
        "{pace: 1.5, prepared: [One moment.], answers: [{when: [where are you], say: Here.}], \
         says: {not_heard: Wie bitte?, failed: Es geht gerade nicht.}, \
         asr: {kind: transcription, url: 'http://asr/v1', model: large, language: de, \
               vocabulary: [Antiphon], api_key_env: KEY, connect_timeout_ms: 100, answer_timeout_ms: 200, \
               prices: {minute: 0.006}}, \
         llm: {url: 'http://llm/v1', model: small, api_key_env: KEY, tokens_max: 7, strict_tools: true, \
               include_usage: false, prices: {text_in: 0.1, text_cached: 0.01, text_out: 0.4}, \
               connect_timeout_ms: 100, first_token_timeout_ms: 200, stall_timeout_ms: 300}, \
         tts: {kind: speech, url: 'http://tts/v1', path: audio/speech/stream, model: csm, voice: nova, \
               format: wav, api_key_env: KEY, sample_rate_hz: 16000, requests_max: 1, \
               extra: '{\"speaker_id\": 3}', connect_timeout_ms: 100, first_audio_timeout_ms: 200, \
               stall_timeout_ms: 300, prices: {chars: 0.03}}}",
    );
    let key = || Some("secret".to_owned());
    let [short, longer, long] = [100, 200, 300].map(Duration::from_millis);
    let mut asr = TranscriptionSettings::new("http://asr/v1".to_owned(), key());
    (asr.model, asr.language) = ("large".to_owned(), Some("de".to_owned()));
    asr.vocabulary = vec!["Antiphon".to_owned()];
    (asr.connect_timeout, asr.answer_timeout) = (short, longer);
    let mut llm = LlmSettings::new("http://llm/v1".to_owned(), "small".to_owned(), key());
    (llm.tokens_max, llm.strict_tools, llm.include_usage) = (7, true, false);
    (llm.connect_timeout, llm.first_token_timeout, llm.stall_timeout) = (short, longer, long);
    let mut tts = SpeechSettings::new("http://tts/v1".to_owned(), key());
    (tts.path, tts.model) = ("audio/speech/stream".to_owned(), "csm".to_owned());
    (tts.voice, tts.format) = ("nova".to_owned(), "wav".to_owned());
    (tts.sample_rate_hz, tts.requests_max) = (16_000, 1);
    tts.extra.insert("speaker_id".to_owned(), 3.into());
    (tts.connect_timeout, tts.first_audio_timeout, tts.stall_timeout) = (short, longer, long);
    let none = Prices::default();
    let of_llm = Prices { text_in: 0.1, text_cached: Some(0.01), text_out: 0.4, ..none };
    let (of_asr, of_tts) = (Prices { minute: 0.006, ..none }, Prices { chars: 0.03, ..none });
    let expected = CascadeSettings {
        asr: vec![Ranked { prices: of_asr, ..AsrSettings::Transcription(asr).into() }],
        brain: BrainSettings::Llm(vec![Ranked {
            prices: of_llm,
            ..ModelSettings::Chat(llm).into()
        }]),
        tts: vec![Ranked { prices: of_tts, ..TtsSettings::Speech(Box::new(tts)).into() }],
        pace: 1.5,
        memory: MemorySettings::default(),
        prepared: vec!["One moment.".to_owned()],
        answers: vec![CommonAnswer {
            when: vec!["where are you".to_owned()],
            say: "Here.".to_owned(),
        }],
        own_words: OwnWords {
            not_heard: "Wie bitte?".to_owned(),
            failed: "Es geht gerade nicht.".to_owned(),
        },
    };
    assert_eq!(read, expected);
}

#[test]
fn each_mistake_is_told_with_what_was_expected() {
    let rows = [
        ("{asr: {kind: whisper}}", "expected one of `pocketsphinx`, `transcription`, `deepgram`"),
        ("{asr: {kind: transcription}}", "url: is required"),
        ("{asr: {url: 'http://x'}}", "a stage of the kind `pocketsphinx` has no such key"),
        (
            "{asr: {kind: transcription, url: 'http://x', recognisers_max: 3}}",
            "`transcription` has no",
        ),
        ("{asr: {kind: transcription, url: 'http://x', vocabulary: ['']}}", "1 to 64 characters"),
        ("{asr: {kind: transcription, url: 'http://x', api_key_env: NONE}}", "`NONE` is not set"),
        (
            "{asr: {kind: transcription, url: 'http://x', api_key_env: sk-123}}",
            "api_key_env: expected the name of the environment variable",
        ),
        ("{tts: {kind: csm}}", "expected one of `flite`, `speech`"),
        ("{tts: {kind: speech}}", "url: is required"),
        ("{tts: {voice: nova}}", "expected one of `slt`"),
        ("{tts: {path: x}}", "a stage of the kind `flite` has no such key"),
        ("{tts: {kind: speech, url: 'http://x', extra: '[1]'}}", "expected a JSON object"),
        ("{tts: {kind: speech, url: 'http://x', sample_rate_hz: 44100}}", "expected one of `8000`"),
        ("{tts: {kind: speech, url: 'http://x', requests_max: 0}}", "from 1 to 1000"),
        ("{llm: {url: 'http://x'}}", "model: is required"),
        ("{tts: {prices: {chars: 1}}}", "a stage of the kind `flite` has no such key"),
        ("{asr: {kind: flux, prices: {chars: 1}}}", "unknown key"),
        ("{asr: {kind: flux, prices: {minute: -1}}}", "expected a number from 0 to 100"),
        ("{answers: [{when: [a], say: b}]}", "answers: is for a language model, but none answers"),
        ("{context: {facts: [a]}}", "context: is for a language model, but none answers"),
        (
            "{llm: {url: 'http://x', model: m}, says: {failed: ' '}}",
            "says.failed: expected some text",
        ),
        ("{says: {failed: Nein.}}", "says: is for a language model, but none answers"),
        (
            "{llm: {url: 'http://x', model: m}, time_zone: UTC}",
            "time_zone: is for the small dialogue",
        ),
        ("{asr: {kind: flux, hedge_ms: 200}}", "hedge_ms: the stage has no other provider"),
        ("{tts: [{kind: flite, budget_ms: 200}]}", "budget_ms: the stage has no other provider"),
        (
            "{tts: [{kind: cartesia, voice: v, budget_ms: 200, hedge_ms: 200}, {kind: flite}]}",
            "hedge_ms: expected less than budget_ms, 200, received 200",
        ),
        ("{pace: 3}", "pace: expected a number from 0.5 to 2"),
    ];
    for (cascade, expected) in rows {
        let refused = parse(cascade).expect_err(cascade);
        assert!(refused.contains(expected), "{cascade}: {refused:?} should contain {expected:?}");
    }
}

#[test]
fn a_language_that_a_stage_does_not_know_is_refused() {
    let model = "llm: {url: 'http://llm', model: m}";
    let asr = "asr: {kind: transcription, url: 'http://asr'}";
    let tts = "tts: {kind: speech, url: 'http://tts'}";
    let rows = [
        (
            format!("{{{model}, {tts}}}"),
            Some("language: the stage `pocketsphinx` hears English only"),
        ),
        (format!("{{{asr}, {tts}}}"), Some("language: the small dialogue")),
        (format!("{{{asr}, {model}}}"), Some("language: the stage `flite` speaks English only")),
        (format!("{{{asr}, {model}, {tts}}}"), None),
    ];
    for (stages, expected) in rows {
        let text = format!(
            "agents:\n  a:\n    language: de\n    backend: cascade\n    cascade: {stages}\n"
        );
        let parsed = Config::parse(&text, None, &Environment::of(&[]));
        match (parsed, expected) {
            (Ok(_), None) => {}
            (Err(errors), Some(expected)) => {
                let refused = told(&errors);
                assert!(refused.contains(expected), "{stages}: {refused}");
            }
            (parsed, _) => panic!("{stages}: {parsed:?}"),
        }
    }
}

#[test]
fn a_cascade_without_its_section_is_refused() {
    let text = "agents:\n  a:\n    backend: cascade\n";
    let refused = Config::parse(text, None, &Environment::of(&[])).expect_err("no stages");
    assert!(told(&refused).contains("the cascade needs its stages"), "{refused:?}");
}

#[test]
fn a_stage_may_have_several_providers_in_order() {
    let read = settings(
        "{asr: [{kind: transcription, url: 'http://asr/v1', budget_ms: 900, hedge_ms: 300}, \
                {kind: pocketsphinx}]}",
    );
    let [first, second] = &read.asr[..] else { panic!("{:?}", read.asr) };
    let transcription = TranscriptionSettings::new("http://asr/v1".to_owned(), None);
    assert_eq!(first.settings, AsrSettings::Transcription(transcription));
    let (until_known, at_least) = (Duration::from_millis(300), Duration::from_millis(50));
    let budget = Duration::from_millis(900);
    let hedge = Hedge::P95 { until_known, at_least };
    assert_eq!(first.usage, ProviderSettings { budget, hedge, ..ProviderSettings::default() });
    assert_eq!(*second, AsrSettings::PocketSphinx(PocketSphinxSettings::default()).into());
}

#[test]
fn a_provider_is_checked_as_often_as_is_said_or_not_at_all() {
    let read = settings(
        "{tts: [{kind: flite, check_every_s: 60}, {kind: flite, check_every_s: 0}, {kind: flite}]}",
    );
    let every: Vec<_> = read.tts.iter().map(|voice| voice.usage.check_every).collect();
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(every, [seconds(60), None, seconds(15)]);
    let refused = parse("{tts: {kind: flite, check_every_s: 601}}").expect_err("it is too long");
    assert!(refused.contains("cascade.tts.check_every_s"), "{refused}");
}

#[test]
fn a_stage_without_any_or_with_too_many_providers_is_refused() {
    let none = parse("{tts: []}").expect_err("nobody speaks");
    assert!(none.contains("cascade.tts: expected 1 to 8 providers, received none"), "{none}");
    let many = parse(&format!("{{tts: [{}]}}", ["{kind: flite}"; 9].join(", ")));
    let many = many.expect_err("too many speak");
    assert!(many.contains("expected at most 8 entries, received 9"), "{many}");
}
