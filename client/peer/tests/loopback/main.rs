//! Whole calls over real WebRTC on loopback, against an agent of the tests' own that answers each
//! utterance with a tone.

mod answerer;
mod media;

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::time::Duration;

use antiphon_peer::bench::bench;
use antiphon_peer::call::TurnProgress;
use antiphon_peer::{
    CallError, CallOptions, CodecKind, Impairment, Progress, Report, Turn, call, call_with,
};
use tokio::sync::{Notify, mpsc};

use answerer::{Agent, ENDPOINT, Manner, TONE};

/// A folder of one test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("antiphon-loopback-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A clip of 300 ms of a tone between 100 ms and 200 ms of silence, at 16 kHz.
    fn clip(&self) -> PathBuf {
        let path = self.0.join("clip.wav");
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        for index in 0..9_600 {
            let seconds = f64::from(index) / 16_000.0;
            let loud = (0.1..0.4).contains(&seconds);
            let sample = if loud { 8_000.0 * (seconds * 300.0 * TAU).sin() } else { 0.0 };
            writer.write_sample(sample as i16).unwrap();
        }
        writer.finalize().unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn options(agent: &Agent, clips: &[&Path]) -> CallOptions {
    let mut options = CallOptions::new(agent.url());
    options.turns = clips.iter().map(|clip| Turn::Say(clip.to_path_buf())).collect();
    options.manners.greeting_wait = Duration::from_millis(100);
    options.manners.reply_timeout = Duration::from_secs(3);
    options
}

async fn called(options: &CallOptions) -> Report {
    let report = call(options).await.unwrap();
    assert!(report.worked, "{:?}", report.problem);
    report
}

/// The latency that the agent really has, and what scheduling and frames may add to it.
fn assert_latency(report: &Report, extra_ms: f64) {
    let endpoint_ms = ENDPOINT.as_secs_f64() * 1_000.0;
    for turn in &report.turns {
        let latency_ms = turn.response_latency_ms.unwrap();
        // A frame less, since the agent counts from the end of the last frame with speech.
        let expected = endpoint_ms - 20.0..endpoint_ms + 100.0 + extra_ms;
        assert!(expected.contains(&latency_ms), "{latency_ms} ms is not in {expected:?}");
    }
}

#[tokio::test]
async fn every_codec_carries_a_conversation() {
    let folder = Folder::new("codecs");
    let clip = folder.clip();
    let agent = Agent::start(Manner::default()).await;
    for codec in [CodecKind::Opus, CodecKind::Pcmu, CodecKind::Pcma] {
        let report = called(&CallOptions { codec, ..options(&agent, &[&clip, &clip]) }).await;
        assert_eq!(report.turns.len(), 2);
        assert_latency(&report, 0.0);
        for turn in &report.turns {
            let reply = turn.reply.as_ref().unwrap();
            let tone_ms = TONE.as_secs_f64() * 1_000.0;
            assert!((reply.sound_ms - tone_ms).abs() <= 40.0, "{codec:?}: {reply:?}");
            assert!((reply.level_dbfs + 15.0).abs() < 2.0, "{codec:?}: {reply:?}");
            // A machine that stood still has made the hole itself, and the clock shows it.
            let stood_still = report.sent.late_ms_max > 40.0;
            assert!(reply.holes == 0 || stood_still, "{codec:?}: {reply:?}");
        }
        assert_eq!((report.received.lost, report.received.duplicate), (0, 0));
        assert!(report.connect.offer_to_connected_ms < 1_000.0, "{:?}", report.connect);
        assert!(report.agent.is_ready);
        assert!(report.round_trip.is_some_and(|rtt| rtt.median_ms < 100.0));
    }
    assert_eq!(agent.ended_calls(), 3, "every call is hung up");
}

#[tokio::test]
async fn the_recording_shows_the_same_latency_as_the_report() {
    let folder = Folder::new("recording");
    let (clip, both) = (folder.clip(), folder.0.join("both.wav"));
    let agent = Agent::start(Manner::default()).await;
    let mut options = options(&agent, &[&clip]);
    options.record_both = Some(both.clone());
    let report = called(&options).await;
    let samples: Vec<i16> =
        hound::WavReader::open(&both).unwrap().into_samples().map(Result::unwrap).collect();
    let side =
        |side: usize| samples.iter().skip(side).step_by(2).map(|sample| sample.unsigned_abs());
    let last_said = side(0).rposition(|sample| sample > 500).unwrap();
    let first_heard = side(1).position(|sample| sample > 500).unwrap();
    let seen_ms = (first_heard as f64 - last_said as f64) / 48.0;
    let told_ms = report.turns[0].response_latency_ms.unwrap();
    // The report counts from the beginning of the last frame, the file from the end of the sound.
    assert!((told_ms - 20.0 - seen_ms).abs() < 30.0, "told {told_ms} ms, seen {seen_ms} ms");
}

#[tokio::test]
async fn an_interruption_stops_the_agent_and_is_answered() {
    let folder = Folder::new("interruption");
    let clip = folder.clip();
    let agent = Agent::start(Manner::default()).await;
    let mut options = options(&agent, &[&clip, &clip]);
    options.manners.interrupt_after = Some(Duration::from_millis(300));
    let report = called(&options).await;
    let barge_in = report.turns[0].barge_in.as_ref().unwrap();
    assert!((0.0..200.0).contains(&barge_in.stop_ms), "{barge_in:?}");
    assert!(report.turns[0].reply.as_ref().unwrap().sound_ms < 800.0);
    assert!(report.turns[1].reply.is_some() && report.turns[1].barge_in.is_none());
}

#[tokio::test]
async fn a_bad_network_is_survived_and_reported() {
    let folder = Folder::new("network");
    let clip = folder.clip();
    let agent = Agent::start(Manner::default()).await;
    let mut options = options(&agent, &[&clip, &clip]);
    options.impairment =
        Impairment { loss_percent: 5.0, jitter_ms: 30, delay_ms: 40, ..Impairment::default() };
    let report = called(&options).await;
    // There and back, each with delay and up to its jitter; and a reply's first packet may be lost.
    assert_latency(&report, 2.0 * (40.0 + 30.0) + 40.0);
    let lowest = report.turns.iter().filter_map(|turn| turn.response_latency_ms);
    assert!(lowest.fold(f64::MAX, f64::min) > 240.0, "the network's delay is part of the latency");
    assert!(report.received.lost > 0 && report.received.reordered > 0, "{:?}", report.received);
    assert_eq!(report.received.lost, report.received.dropped_by_impairment);
    assert!(report.received.jitter_ms > 3.0, "{:?}", report.received);
}

#[tokio::test]
async fn an_agent_that_greets_is_let_finish() {
    let folder = Folder::new("greeting");
    let clip = folder.clip();
    let agent = Agent::start(Manner { greets: true, ..Manner::default() }).await;
    let mut options = options(&agent, &[&clip]);
    options.manners.greeting_wait = Duration::from_secs(2);
    let report = called(&options).await;
    let greeting = report.greeting.unwrap();
    assert!(report.turns[0].speech_began_at_ms.unwrap() > greeting.last_sound_at_ms + 600.0);
}

#[tokio::test]
async fn an_agent_that_does_not_answer_is_a_failed_call() {
    let folder = Folder::new("silence");
    let clip = folder.clip();
    let agent = Agent::start(Manner { is_silent: true, ..Manner::default() }).await;
    let mut options = options(&agent, &[&clip]);
    options.manners.reply_timeout = Duration::from_millis(500);
    let report = call(&options).await.unwrap();
    assert!(!report.worked);
    assert_eq!(report.problem.as_deref(), Some("no reply to turn 1 (clip.wav)"));
    let report = called(&CallOptions { expect_reply: false, ..options }).await;
    assert_eq!(report.turns[0].reply, None);
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason() {
    let agent = Agent::start(Manner { token: Some("secret"), ..Manner::default() }).await;
    let error = call(&options(&agent, &[])).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server refused the call: 401 No access: an access key is needed (field: authorization)"
    );
    let mut allowed = options(&agent, &[]);
    allowed.token = Some("secret".into());
    called(&allowed).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    // Bound and dropped: nobody listens there now.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = call(&CallOptions::new(&url)).await.unwrap_err();
    assert!(matches!(error, CallError::Signaling(_)) && !error.is_usage());
    assert!(error.to_string().starts_with(&url), "{error}");
}

#[tokio::test]
async fn a_missing_clip_is_found_before_anybody_is_called() {
    let agent = Agent::start(Manner::default()).await;
    let error = call(&options(&agent, &[Path::new("/nowhere/a.wav")])).await.unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("/nowhere/a.wav"), "{error}");
    assert_eq!(agent.ended_calls(), 0);
}

#[tokio::test]
async fn typed_words_are_answered_too() {
    let agent = Agent::start(Manner::default()).await;
    let mut options = options(&agent, &[]);
    options.turns = vec![Turn::Text("hello".into())];
    let report = called(&options).await;
    assert!(report.turns[0].response_latency_ms.unwrap() < 300.0, "{:?}", report.turns);
    assert!(report.agent.playout_reports > 0);
    assert_eq!(agent.last_playout_generation(), Some(1));
}

#[tokio::test]
async fn a_call_can_be_hung_up_early_and_is_still_reported_on() {
    let folder = Folder::new("early");
    let clip = folder.clip();
    let agent = Agent::start(Manner::default()).await;
    let (progress, mut happened) = mpsc::channel(16);
    let hang_up = Notify::new();
    let options = options(&agent, &[&clip, &clip]);
    let watch = async {
        while let Some(what) = happened.recv().await {
            if what == Progress::Turn(TurnProgress::Answered(0)) {
                hang_up.notify_one();
            }
        }
    };
    let (report, ()) = tokio::join!(call_with(&options, progress, &hang_up), watch);
    let report = report.unwrap();
    assert!(report.turns[0].reply.is_some() && report.turns[1].speech_began_at_ms.is_none());
    assert_eq!(report.problem.as_deref(), Some("no reply to turn 2 (clip.wav)"));
    assert_eq!(agent.ended_calls(), 1);
}

#[tokio::test]
async fn many_calls_at_once_are_percentiles() {
    let folder = Folder::new("bench");
    let clip = folder.clip();
    let agent = Agent::start(Manner::default()).await;
    let report = bench(&options(&agent, &[&clip]), 5, Duration::from_millis(20)).await.unwrap();
    assert_eq!((report.calls, report.worked), (5, 5), "{:?}", report.failures);
    assert_eq!(report.response_latency_ms.count, 5);
    assert!(report.response_latency_ms.p50 > 180.0, "{report:?}");
    assert!(bench(&options(&agent, &[&clip]), 0, Duration::ZERO).await.is_err());
}
