//! Voices over HTTP of which some refuse or break off.

use tokio::task::JoinHandle;

use super::*;
use crate::backend::cascade::TtsSettings;
use crate::backend::cascade::llm::model::tests::{Act as Does, answer, serve_all};
use crate::backend::cascade::stage::Ranked;
use crate::backend::cascade::tts::SpeechSettings;
use crate::backend::tests::within;
use crate::cascade::failover::{BreakerSettings, ProviderSettings};

const WORK: Generation = Generation(7);
const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: audio/pcm\r\ntransfer-encoding: chunked\r\n\r\n";

/// What a server does that streams so many samples, to the end or not.
fn audio(samples: usize, is_whole: bool) -> Vec<Does> {
    let bytes = [0x00, 0x10].repeat(samples);
    let end = is_whole.then(|| Does::Raw("0\r\n\r\n".to_owned()));
    [Does::Raw(STREAM.to_owned()), Does::Bytes(bytes)].into_iter().chain(end).collect()
}

/// Voices with a rate each, whose servers answer their requests in turn.
async fn chain(
    servers: Vec<(u32, Vec<Vec<Does>>)>,
) -> (Chain, mpsc::Receiver<TtsReport>, Vec<JoinHandle<Vec<String>>>) {
    let (stage, handles) = stage(servers, ProviderSettings::default(), 8).await;
    let (chain, reports) = Chain::open(&stage, &Arc::default());
    (chain, reports, handles)
}

/// The stage of such voices, each of which is used so and has so many places.
async fn stage(
    servers: Vec<(u32, Vec<Vec<Does>>)>,
    usage: ProviderSettings,
    requests_max: usize,
) -> (Arc<Stage<TtsStage>>, Vec<JoinHandle<Vec<String>>>) {
    let (mut ranked, mut handles) = (Vec::new(), Vec::new());
    for (rate_hz, answers) in servers {
        let (url, server) = serve_all(answers).await;
        handles.push(server);
        let mut settings = SpeechSettings::new(url, None);
        (settings.sample_rate_hz, settings.requests_max) = (rate_hz, requests_max);
        ranked.push(Ranked { usage, ..TtsSettings::Speech(Box::new(settings)).into() });
    }
    let stage = Stage::new("tts", ranked, TtsStage::load).expect("the settings are right");
    (Arc::new(stage), handles)
}

/// How many samples a phrase has, and how it ended.
async fn spoken(
    chain: &Chain,
    reports: &mut mpsc::Receiver<TtsReport>,
    text: &str,
) -> (usize, Result<(), StageError>) {
    let _speaking = chain.speak(WORK, text.to_owned(), 1.0);
    let mut samples = 0;
    loop {
        match within(reports.recv()).await.expect("the phrase ends") {
            TtsReport::Block { work, pcm } => {
                assert_eq!(work, WORK);
                samples += pcm.len();
            }
            TtsReport::Done { work, result } => {
                assert_eq!(work, WORK);
                return (samples, result);
            }
            other => panic!("these voices do not wait and know no word times: {other:?}"),
        }
    }
}

fn input_of(request: &str) -> String {
    let body = request.split_once("\r\n\r\n").expect("there is a body").1;
    let body: serde_json::Value = serde_json::from_str(body).expect("it is JSON");
    body["input"].as_str().expect("it has a text").to_owned()
}

#[tokio::test]
async fn the_next_voice_says_the_rest_and_keeps_the_call() {
    // 0.7 s, in which a voice says some ten characters: "One two th".
    let first = (24_000, vec![audio(16_800, false)]);
    let second = (24_000, vec![audio(4_800, true), audio(2_400, true)]);
    let (chain, mut reports, servers) = chain(vec![first, second]).await;
    let (samples, result) = spoken(&chain, &mut reports, "One two three four five.").await;
    assert_eq!(result, Ok(()));
    // Whole blocks of the first, and all of the second.
    assert_eq!(samples, 16_800 + 4_800);
    assert_eq!(spoken(&chain, &mut reports, "Six.").await, (2_400, Ok(())));
    let mut inputs = Vec::new();
    for server in servers {
        let requests = within(server).await.expect("it was served");
        inputs.push(requests.iter().map(|request| input_of(request)).collect::<Vec<_>>());
    }
    assert_eq!(inputs, [vec!["One two three four five."], vec!["three four five.", "Six."]]);
}

#[tokio::test]
async fn a_voice_of_another_rate_is_heard_at_the_rate_of_the_first() {
    let refused = answer("500 Oops", "application/json", "{}");
    let servers = vec![(24_000, vec![refused]), (16_000, vec![audio(16_000, true)])];
    let (chain, mut reports, _servers) = chain(servers).await;
    assert_eq!(chain.sample_rate_hz(), 24_000);
    let (samples, result) = spoken(&chain, &mut reports, "One.").await;
    assert_eq!(result, Ok(()));
    assert!((24_000..24_100).contains(&samples), "{samples} samples for a second");
}

#[tokio::test]
async fn without_any_voice_it_is_said_how_each_one_failed() {
    let refused = || answer("503 Busy", "application/json", "{}");
    let servers = vec![(24_000, vec![refused()]), (24_000, vec![refused()])];
    let (chain, mut reports, _servers) = chain(servers).await;
    let (samples, result) = spoken(&chain, &mut reports, "One.").await;
    let error = result.expect_err("both refuse");
    assert_eq!((samples, error.kind), (0, FailureKind::Busy));
    assert!(
        error.message.contains("number 1 is at its limit, number 2 is at its limit"),
        "{error}"
    );
}

#[tokio::test]
async fn a_phrase_that_is_dropped_leaves_nothing_in_the_next() {
    let endless = [audio(4_800, false), vec![Does::Hang]].concat();
    let servers = vec![(24_000, vec![endless, audio(480, true)]), (24_000, vec![])];
    let (chain, mut reports, _servers) = chain(servers).await;
    let speaking = chain.speak(Generation(6), "One two three.".to_owned(), 1.0);
    let first = within(reports.recv()).await;
    assert!(matches!(first, Some(TtsReport::Block { .. })), "{first:?}");
    drop(speaking);
    // The reply that was dropped is known by another number, so that what is on its way can be told apart.
    let _speaking = chain.speak(WORK, "Four.".to_owned(), 1.0);
    let (mut samples, mut is_done) = (0, false);
    while !is_done {
        match within(reports.recv()).await.expect("the phrase ends") {
            TtsReport::Block { work: WORK, pcm } => samples += pcm.len(),
            TtsReport::Done { work: WORK, result } => {
                assert_eq!(result, Ok(()));
                is_done = true;
            }
            TtsReport::Block { work, .. } => assert_eq!(work, Generation(6)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(samples, 480);
}

#[tokio::test]
async fn a_voice_whose_places_are_taken_is_passed_over_and_not_blamed() {
    let endless = [audio(4_800, false), vec![Does::Hang]].concat();
    let servers = vec![(24_000, vec![endless, audio(960, true)]), (24_000, vec![audio(480, true)])];
    // One failure would be enough.
    let breaker = BreakerSettings { failures: 1, ..BreakerSettings::default() };
    let budget = Duration::from_millis(500);
    let usage = ProviderSettings { budget, breaker, ..ProviderSettings::default() };
    let (stage, _servers) = stage(servers, usage, 1).await;
    let (first, mut reports) = Chain::open(&stage, &Arc::default());
    let speaking = first.speak(WORK, "One.".to_owned(), 1.0);
    let block = within(reports.recv()).await;
    assert!(matches!(block, Some(TtsReport::Block { .. })), "{block:?}");
    let (second, mut reports) = Chain::open(&stage, &Arc::default());
    assert_eq!(spoken(&second, &mut reports, "Two.").await, (480, Ok(())));
    // Its place is free once the call has hung up.
    drop(speaking);
    let (third, mut reports) = Chain::open(&stage, &Arc::default());
    assert_eq!(spoken(&third, &mut reports, "Three.").await, (960, Ok(())));
}
