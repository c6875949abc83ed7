use std::path::PathBuf;
use std::time::Duration;

use super::{parse, settings, told};
use crate::backend::aws::AwsSettings;
use crate::backend::cascade::asr::{Stability, TranscribeSettings};
use crate::backend::cascade::llm::ConverseSettings;
use crate::backend::cascade::tts::PollySettings;
use crate::backend::cascade::{AsrSettings, BrainSettings, ModelSettings, TtsSettings};
use crate::config::{BackendConfig, Config, Environment};

#[test]
fn every_key_of_the_stages_of_aws_is_read() {
    let there = "region: eu-west-1, endpoint_url: 'https://localhost:1', ca_file: ca.pem, \
                 instance_metadata: true";
    let read = settings(&format!(
        "{{asr: {{kind: transcribe, {there}, language: de-DE, vocabulary_name: names, \
                  stability: low, connect_timeout_ms: 100, answer_timeout_ms: 200, idle_ms: 300}}, \
           llm: {{kind: converse, {there}, model: a-model, tokens_max: 7, temperature: 0.5, \
                  first_token_timeout_ms: 200, stall_timeout_ms: 300}}, \
           tts: {{kind: polly, {there}, voice: Vicki, engine: neural, sample_rate_hz: 8000, \
                  first_audio_timeout_ms: 200, stall_timeout_ms: 300}}}}"
    ));
    let aws = || AwsSettings {
        region: Some("eu-west-1".to_owned()),
        endpoint_url: Some("https://localhost:1".to_owned()),
        ca_file: Some(PathBuf::from("ca.pem")),
        instance_metadata: true,
        keys: None,
    };
    let [short, longer, long] = [100, 200, 300].map(Duration::from_millis);
    let asr = TranscribeSettings {
        aws: aws(),
        language: "de-DE".to_owned(),
        vocabulary_name: Some("names".to_owned()),
        stability: Stability::Low,
        connect_timeout: short,
        answer_timeout: longer,
        idle: long,
    };
    assert_eq!(read.asr, [AsrSettings::Transcribe(Box::new(asr)).into()]);
    let mut llm = ConverseSettings::new("a-model".to_owned());
    (llm.aws, llm.tokens_max, llm.temperature) = (aws(), 7, Some(0.5));
    (llm.first_token_timeout, llm.stall_timeout) = (longer, long);
    assert_eq!(read.brain, BrainSettings::Llm(vec![ModelSettings::Converse(Box::new(llm)).into()]));
    let tts = PollySettings {
        aws: aws(),
        voice: "Vicki".to_owned(),
        engine: "neural".to_owned(),
        sample_rate_hz: 8_000,
        streaming: false,
        first_audio_timeout: longer,
        stall_timeout: long,
    };
    assert_eq!(read.tts, [TtsSettings::Polly(Box::new(tts)).into()]);
}

#[test]
fn mistakes_in_the_stages_of_aws_are_told_by_name() {
    let rows = [
        ("{asr: {kind: transcribe, url: 'http://x/v1'}}", "asr.url"),
        ("{asr: {kind: transcription, url: 'http://x/v1', vocabulary_name: x}}", "vocabulary_name"),
        ("{asr: {kind: transcribe, region: 'US East'}}", "region"),
        ("{llm: {kind: converse}}", "model"),
        ("{llm: {kind: converse, model: x, api_key_env: KEY}}", "api_key_env"),
        ("{llm: {url: 'http://x/v1', model: x, region: us-east-1}}", "region"),
        ("{llm: {kind: converse, model: x, endpoint_url: 'http://localhost'}}", "endpoint_url"),
        ("{tts: {kind: polly, engine: neural, streaming: true}}", "streaming"),
        ("{tts: {kind: polly, sample_rate_hz: 24000}}", "sample_rate_hz"),
        ("{tts: {kind: speech, url: 'http://x/v1', engine: neural}}", "engine"),
    ];
    for (cascade, expected) in rows {
        let problem = parse(cascade).expect_err(cascade);
        assert!(problem.contains(expected), "{cascade}: {problem}");
    }
}

#[test]
fn the_ready_agent_is_lawful() {
    let text = include_str!("../../../../../deploy/examples/aws-cascade.yaml");
    let config = Config::parse(text, None, &Environment::of(&[]));
    let config = config.unwrap_or_else(|errors| panic!("{}", told(&errors)));
    let BackendConfig::Cascade(cascade) = &config.agents["aws-cascade"].backend else {
        panic!("{:?}", config.agents);
    };
    let shown = cascade.to_string();
    for expected in ["Amazon Transcribe hears", "claude", "Bedrock answers", "Ruth of Amazon Polly"]
    {
        assert!(shown.contains(expected), "{shown}");
    }
}
