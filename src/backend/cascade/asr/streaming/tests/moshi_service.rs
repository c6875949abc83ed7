//! Kyutai's server: msgpack, 24 kHz, a model that lags behind, and markers.

use serde::{Deserialize, Serialize};

use super::*;

/// Steps by which the server's words lag behind: 0.5 s and the rest of a step.
const DELAY_STEPS: usize = 7;
const STEP: usize = 1_920;

/// What a client may send.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum FromClient {
    Audio { pcm: Vec<f32> },
    Marker { id: i64 },
}

/// What the server sends.
#[derive(Serialize)]
#[serde(tag = "type")]
enum FromServer {
    Ready,
    Word { text: &'static str, start_time: f64 },
    EndWord { stop_time: f64 },
    Step { step_idx: usize, prs: Vec<f32>, buffered_pcm: usize },
    Marker { id: i64 },
    Error { message: &'static str },
}

async fn reply(peer: &mut Peer, message: &FromServer) {
    let bytes = rmp_serde::to_vec_named(message).expect("it can be written");
    peer.send(Message::binary(bytes)).await.expect("it is sent");
}

/// Counts steps; says a word a lag after the first sound, tells a pause with each step, and returns a marker
/// once the lag behind it has been heard. Until the client is gone; tells the loudest sample.
async fn serve(peer: &mut Peer, word: &'static str) -> f32 {
    let (mut samples, mut steps, mut loudest) = (0, 0, 0.0_f32);
    let mut word_at = None;
    let mut marker: Option<(i64, usize)> = None;
    while let Some(message) = next(peer).await {
        match rmp_serde::from_slice(&message.into_data()).expect("it is of the protocol") {
            FromClient::Audio { pcm } => {
                samples += pcm.len();
                let peak = pcm.iter().fold(0.0, |peak: f32, sample| peak.max(sample.abs()));
                loudest = loudest.max(peak);
                if peak > 0.01 && word_at.is_none() {
                    word_at = Some(samples / STEP + DELAY_STEPS);
                }
            }
            FromClient::Marker { id } => marker = Some((id, samples / STEP + DELAY_STEPS)),
        }
        while steps < samples / STEP {
            steps += 1;
            let pause = if steps < 12 { 0.9 } else { 0.25 };
            let prs = vec![0.0, 0.0, pause, 0.0];
            reply(peer, &FromServer::Step { step_idx: steps, prs, buffered_pcm: 0 }).await;
            if word_at == Some(steps) {
                reply(peer, &FromServer::Word { text: word, start_time: 0.1 }).await;
                reply(peer, &FromServer::EndWord { stop_time: 0.4 }).await;
            }
            if let Some((id, _)) = marker.take_if(|(_, at)| *at == steps) {
                reply(peer, &FromServer::Marker { id }).await;
            }
        }
    }
    loudest
}

fn moshi_at(url: String) -> MoshiSettings {
    let mut settings = MoshiSettings::new(url, None);
    settings.connect_timeout = SOON * 10;
    settings
}

#[tokio::test]
async fn words_are_brought_by_a_marker_and_the_silence_behind_it() {
    let (socket, url) = socket().await;
    let (mut listener, mut reports) = open(Streaming::moshi(moshi_at(url)));
    let server = tokio::spawn(async move {
        let (mut peer, uri, key) = accept(&socket, "kyutai-api-key").await;
        assert_eq!((uri.as_str(), key.as_str()), ("/base/api/asr-streaming", "public_token"));
        // Left from somebody else's connection.
        reply(&mut peer, &FromServer::Word { text: "stale", start_time: 3.0 }).await;
        reply(&mut peer, &FromServer::Ready).await;
        serve(&mut peer, " hello").await
    });
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready));
    say(&mut listener, 20);
    end(&mut listener, 2);
    assert_eq!(answer(&mut reports).await, finally(2, "hello"));
    drop(listener);
    let loudest = within(server).await.expect("the server is content");
    // 1 000 of 32 768, and what a filter rings at a step.
    assert!((0.03..0.04).contains(&loudest), "{loudest}");
}

#[tokio::test]
async fn a_pause_is_told_once_the_model_has_an_opinion() {
    let (socket, url) = socket().await;
    let (mut listener, mut reports) = open(Streaming::moshi(moshi_at(url)));
    let server = tokio::spawn(async move {
        let (mut peer, ..) = accept(&socket, "kyutai-api-key").await;
        reply(&mut peer, &FromServer::Ready).await;
        serve(&mut peer, "hello").await
    });
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready));
    say(&mut listener, 100);
    let told = [within(reports.recv()).await, within(reports.recv()).await];
    let partial = AsrReport::Partial { turn: TURN, text: "hello".to_owned() };
    let looks = AsrReport::LooksComplete { turn: TURN, probability: 0.25 };
    assert_eq!(told, [Some(partial), Some(looks)]);
    drop(listener);
    within(server).await.expect("the server is content");
}

#[tokio::test]
async fn a_server_without_a_free_channel_is_busy() {
    let (socket, url) = socket().await;
    let (_listener, mut reports) = open(Streaming::moshi(moshi_at(url)));
    let _server = tokio::spawn(async move {
        let (mut peer, ..) = accept(&socket, "kyutai-api-key").await;
        reply(&mut peer, &FromServer::Error { message: "no free channels" }).await;
        next(&mut peer).await
    });
    let AsrReport::Failed(error) = answer(&mut reports).await else { panic!("it should fail") };
    assert_eq!(error.kind, FailureKind::Busy);
    assert_eq!(error.to_string(), "the moshi server gave up: no free channels");
}

#[tokio::test]
async fn a_server_that_is_never_ready_is_too_slow() {
    let (socket, url) = socket().await;
    let mut settings = moshi_at(url);
    settings.connect_timeout = SOON;
    let (_listener, mut reports) = open(Streaming::moshi(settings));
    let _server = tokio::spawn(async move {
        let (mut peer, ..) = accept(&socket, "kyutai-api-key").await;
        next(&mut peer).await
    });
    let AsrReport::Failed(error) = answer(&mut reports).await else { panic!("it should fail") };
    assert_eq!(error.kind, FailureKind::TimedOut);
}
