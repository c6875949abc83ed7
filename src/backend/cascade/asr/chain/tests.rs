//! Transcription servers of which some refuse or say nothing.

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::agent::PcmFrame;
use crate::backend::cascade::AsrSettings;
use crate::backend::cascade::asr::{DeepgramSettings, TranscriptionSettings};
use crate::backend::cascade::llm::model::tests::{Act as Does, answer, serve_all};
use crate::backend::cascade::stage::Ranked;
use crate::backend::tests::within;
use crate::call::event::Generation;
use crate::cascade::failover::{BreakerSettings, BreakerState, Health, Hedge, ProviderSettings};
use crate::limits::WIDEBAND_FRAME;
use crate::time::SessionTime;

const LOUD: PcmFrame = PcmFrame([1_000; WIDEBAND_FRAME]);
const TURN: TurnId = TurnId(1);
const END: Generation = Generation(3);

/// Servers, each of which answers its requests in turn.
async fn stage(
    servers: Vec<Vec<Vec<Does>>>,
    usage: ProviderSettings,
) -> (Arc<Stage<AsrStage>>, Vec<JoinHandle<Vec<String>>>) {
    let (mut ranked, mut handles) = (Vec::new(), Vec::new());
    for answers in servers {
        let (url, server) = serve_all(answers).await;
        handles.push(server);
        ranked.push(ranked_with(usage, TranscriptionSettings::new(url, None)));
    }
    (loaded(ranked), handles)
}

fn ranked_with(usage: ProviderSettings, it: TranscriptionSettings) -> Ranked<AsrSettings> {
    Ranked { usage, ..AsrSettings::Transcription(it).into() }
}

fn loaded(ranked: Vec<Ranked<AsrSettings>>) -> Arc<Stage<AsrStage>> {
    let load = |settings| AsrStage::load(settings, false);
    Arc::new(Stage::new("asr", ranked, load).expect("the settings are right"))
}

/// A chain of servers, each of which answers its requests in turn.
async fn chain(
    servers: Vec<Vec<Vec<Does>>>,
    usage: ProviderSettings,
) -> (Listener, mpsc::Receiver<AsrReport>, Vec<JoinHandle<Vec<String>>>) {
    let (stage, handles) = stage(servers, usage).await;
    let (chain, mut reports) = open(&stage, &Arc::default());
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready));
    (chain, reports, handles)
}

/// A breaker that one failure opens.
fn touchy(cooling: Duration) -> ProviderSettings {
    let breaker = BreakerSettings { failures: 1, cooling, ..BreakerSettings::default() };
    ProviderSettings { breaker, ..ProviderSettings::default() }
}

fn state(stage: &Stage<AsrStage>, provider: usize) -> BreakerState {
    stage.breakers(|now, breakers| breakers.state(now, provider))
}

fn say(chain: &mut Listener, turn: TurnId, frames: usize) {
    chain.ask(Ask::Start(turn)).expect("there is room");
    (0..frames).for_each(|_| chain.hear(LOUD));
}

fn transcript(text: &str) -> Vec<Does> {
    answer("200 OK", "application/json", &serde_json::json!({ "text": text }).to_string())
}

fn refused() -> Vec<Does> {
    answer("500 Oops", "application/json", "{}")
}

fn understood(text: &str) -> Option<AsrReport> {
    Some(AsrReport::Final { turn: TURN, generation: END, text: text.to_owned() })
}

#[tokio::test]
async fn the_next_is_given_the_whole_turn_and_keeps_the_call() {
    let servers = vec![vec![refused()], vec![transcript("one"), transcript("two")]];
    let (mut chain, mut reports, servers) = chain(servers, ProviderSettings::default()).await;
    say(&mut chain, TURN, 40);
    chain.ask(Ask::End { turn: TURN, generation: END }).expect("there is room");
    assert_eq!(within(reports.recv()).await, understood("one"));
    let (turn, generation) = (TurnId(2), Generation(4));
    say(&mut chain, turn, 10);
    chain.ask(Ask::End { turn, generation }).expect("there is room");
    let text = "two".to_owned();
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Final { turn, generation, text }));
    let mut sizes = Vec::new();
    for server in servers {
        let requests = within(server).await.expect("it was served");
        sizes.push(requests.iter().map(|request| audio_bytes(request)).collect::<Vec<_>>());
    }
    assert_eq!(sizes, [vec![40 * 640], vec![40 * 640, 10 * 640]]);
}

/// Bytes of samples in an upload, by its wav header.
fn audio_bytes(request: &str) -> usize {
    let length = request.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.and_then(|it| it.trim().parse().ok()).expect("it has a length");
    // The form around the samples takes less than a frame.
    length - length % 640
}

#[tokio::test]
async fn one_that_says_nothing_is_overtaken() {
    let (until_known, at_least) = (Duration::from_millis(30), Duration::from_millis(30));
    let hedge = Hedge::P95 { until_known, at_least };
    let usage = ProviderSettings { hedge, ..ProviderSettings::default() };
    let servers = vec![vec![vec![Does::Hang]], vec![transcript("one")]];
    let (mut chain, mut reports, servers) = chain(servers, usage).await;
    say(&mut chain, TURN, 20);
    chain.ask(Ask::End { turn: TURN, generation: END }).expect("there is room");
    assert_eq!(within(reports.recv()).await, understood("one"));
    for server in servers {
        within(server).await.expect("it was hung up on, or answered");
    }
}

#[tokio::test]
async fn a_turn_that_nobody_understands_is_missed_and_the_next_is_heard() {
    let first = vec![refused(), transcript("two")];
    let (mut chain, mut reports, _servers) =
        chain(vec![first, vec![refused()]], ProviderSettings::default()).await;
    say(&mut chain, TURN, 20);
    chain.ask(Ask::End { turn: TURN, generation: END }).expect("there is room");
    let missed = within(reports.recv()).await;
    let Some(AsrReport::Missed { turn: TURN, generation: END, error }) = missed else {
        panic!("{missed:?}")
    };
    assert!(error.message.contains("number 1 failed, number 2 failed"), "{error}");
    let (turn, generation) = (TurnId(2), Generation(4));
    say(&mut chain, turn, 10);
    chain.ask(Ask::End { turn, generation }).expect("there is room");
    let text = "two".to_owned();
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Final { turn, generation, text }));
}

#[tokio::test]
async fn what_may_be_the_end_is_told_once_and_not_after_the_turn_was_none() {
    let servers = vec![vec![transcript("one"), transcript("two")], vec![]];
    let (mut chain, mut reports, _servers) = chain(servers, ProviderSettings::default()).await;
    say(&mut chain, TURN, 20);
    let generation = Generation(1);
    chain.ask(Ask::Peek { turn: TURN, generation }).expect("there is room");
    let text = "one".to_owned();
    let likely = AsrReport::Likely { turn: TURN, generation, text };
    assert_eq!(within(reports.recv()).await, Some(likely));
    chain.ask(Ask::Forget).expect("there is room");
    say(&mut chain, TurnId(2), 20);
    chain.ask(Ask::End { turn: TurnId(2), generation: END }).expect("there is room");
    let text = "two".to_owned();
    let expected = AsrReport::Final { turn: TurnId(2), generation: END, text };
    assert_eq!(within(reports.recv()).await, Some(expected));
}

#[tokio::test]
async fn while_all_have_failed_lately_turns_are_missed_and_the_call_goes_on() {
    let usage = touchy(BreakerSettings::default().cooling);
    let servers = vec![vec![refused(), transcript("two")], vec![refused()]];
    let (mut chain, mut reports, _servers) = chain(servers, usage).await;
    say(&mut chain, TURN, 20);
    chain.ask(Ask::End { turn: TURN, generation: END }).expect("there is room");
    let missed = within(reports.recv()).await;
    assert!(matches!(missed, Some(AsrReport::Missed { .. })), "{missed:?}");
    // Both breakers are open now: nobody may be asked what was said, but the call goes on.
    say(&mut chain, TurnId(2), 20);
    let generation = Generation(4);
    chain.ask(Ask::End { turn: TurnId(2), generation }).expect("there is room");
    let missed = within(reports.recv()).await;
    let Some(AsrReport::Missed { error, .. }) = missed else { panic!("{missed:?}") };
    assert!(error.message.contains("it failed lately"), "{error}");
}

#[tokio::test]
async fn who_is_held_for_down_hears_if_nobody_else_can() {
    let (gone, well) = (TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0"));
    let (gone, well) = (gone.await.expect("a port"), well.await.expect("a port"));
    let url =
        |listener: &TcpListener| format!("ws://{}", listener.local_addr().expect("it is bound"));
    // The first cannot be reached, as its check says; the other's check is wrong.
    let ranked = [url(&gone), url(&well)].map(|url| {
        let mut settings = DeepgramSettings::new(None);
        settings.url = url;
        Ranked::from(AsrSettings::Deepgram(settings))
    });
    drop(gone);
    let load = |settings| AsrStage::load(settings, false);
    let stage = Stage::new("asr", ranked.into(), load).expect("the settings are right");
    let later = SessionTime::from_millis(u64::from(u32::MAX));
    stage.breakers(|_, known| (0..2).for_each(|it| known.mark(it, Health::DownUntil(later))));
    let (_chain, mut reports) = open(&Arc::new(stage), &Arc::default());
    let (stream, _) = within(well.accept()).await.expect("somebody connects");
    let _peer = tokio_tungstenite::accept_async(stream).await.expect("it is a handshake");
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready));
}

#[tokio::test]
async fn who_is_tried_again_is_asked_by_the_call_that_tries() {
    let servers = vec![vec![transcript("one")], vec![transcript("two")]];
    let (stage, _servers) = stage(servers, touchy(Duration::from_millis(1))).await;
    stage.breakers(|now, breakers| {
        let permit = breakers.admit(now, 0).expect("nothing is known of it");
        breakers.record(now, permit, Outcome::Failed(FailureKind::Broken));
    });
    while state(&stage, 0) != BreakerState::HalfOpen {
        tokio::task::yield_now().await;
    }
    let (mut chain, mut reports) = open(&stage, &Arc::default());
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready));
    say(&mut chain, TURN, 20);
    chain.ask(Ask::End { turn: TURN, generation: END }).expect("there is room");
    assert_eq!(within(reports.recv()).await, understood("one"));
    assert_eq!(state(&stage, 0), BreakerState::Closed, "it works again");
}

/// One that does not answer for a minute, with 100 ms to do so, and one that answers a turn.
async fn behind_a_black_hole() -> (TcpListener, Arc<Stage<AsrStage>>, JoinHandle<Vec<String>>) {
    let hole = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let mut settings = DeepgramSettings::new(Some("the-key".to_owned()));
    settings.url = format!("ws://{}", hole.local_addr().expect("it is bound"));
    settings.connect_timeout = Duration::from_secs(60);
    let budget = Duration::from_millis(100);
    let usage = ProviderSettings { budget, ..touchy(Duration::from_secs(15)) };
    let first = Ranked { usage, ..AsrSettings::Deepgram(settings).into() };
    let (url, server) = serve_all(vec![transcript("one")]).await;
    let usage = ProviderSettings::default();
    let second = ranked_with(usage, TranscriptionSettings::new(url, None));
    (hole, loaded(vec![first, second]), server)
}

#[tokio::test]
async fn a_call_begins_without_one_that_does_not_get_ready_within_its_budget() {
    let (_hole, stage, _server) = behind_a_black_hole().await;
    let (mut chain, mut reports) = open(&stage, &Arc::default());
    // What is said before anybody is ready is not lost.
    say(&mut chain, TURN, 20);
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready));
    assert_eq!(state(&stage, 0), BreakerState::Open, "the next call does not wait for it");
    chain.ask(Ask::End { turn: TURN, generation: END }).expect("there is room");
    assert_eq!(within(reports.recv()).await, understood("one"));
}

#[tokio::test]
async fn who_is_late_is_waited_for_if_nobody_else_may_be_asked() {
    let (hole, stage, _server) = behind_a_black_hole().await;
    stage.breakers(|now, breakers| {
        breakers.mark(1, Health::DownUntil(now + Duration::from_secs(600)));
    });
    let (_chain, mut reports) = open(&stage, &Arc::default());
    let (stream, _) = within(hole.accept()).await.expect("it connects");
    // Twice its budget.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let _peer = within(tokio_tungstenite::accept_async(stream)).await.expect("a handshake");
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready));
}
