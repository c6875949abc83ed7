//! A cascade of Transcribe, a model on Bedrock and Polly: the real SDK over TLS and HTTP/2 to the simulator.

mod faults;
mod support;

use antiphon::backend::Backend;
use antiphon::backend::cascade::tts::PollySettings;
use antiphon::call::event::BackendEvent;
use antiphon_nova_sim::Service;

use self::support::{Bench, polly};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_are_heard_answered_and_spoken_over_one_stream() {
    let bench = Bench::start().await;
    bench.backend.check().await.expect("there are a region and keys");
    let mut call = bench.open().await;
    let transcripts = ["What time is it?", "Thank you very much."];
    for (n, expected) in (1..).zip(transcripts) {
        call.begin(n, 60).await;
        let first = call.until_partial().await;
        assert!(expected.to_lowercase().starts_with(&first), "{first}");
        call.end(n).await;
        let seen = call.until_over(n).await;
        assert_eq!(seen.transcript(), Some(expected), "{seen:?}");
        assert_eq!(seen.text(), format!("You said: {expected}"));
        // 60 ms a character, at 16 kHz; the silence at the beginning is cut.
        let characters = seen.text().chars().count();
        let expected = characters * 960;
        assert_eq!(seen.rates, [16_000]);
        assert!((expected..expected + 1_600).contains(&seen.samples), "{seen:?}");
    }
    let counts = bench.sim.counts();
    assert_eq!(counts.requests[Service::Transcribe.name()], 1, "the stream is kept: {counts:?}");
    assert_eq!(counts.protocol_errors, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_are_called_and_their_results_told() {
    let bench = Bench::start().await;
    let mut call = bench.open().await;
    call.type_in(1, "Please use echo.").await;
    let seen = call.until_over(1).await;
    assert!(seen.text().starts_with("The result is"), "{seen:?}");
    assert!(seen.text().contains("Please use echo."), "{seen:?}");
    // The calls are in the history now, which the service checks.
    call.type_in(2, "Thanks.").await;
    let seen = call.until_over(2).await;
    assert_eq!(seen.text(), "You said: Thanks.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_spoke_first_can_be_answered() {
    let bench = Bench::start().await;
    let mut call = bench.open().await;
    call.greet(1).await;
    assert_eq!(call.until_over(1).await.text(), "Hello.");
    call.played(1, "Hello.").await;
    call.type_in(2, "Hi.").await;
    let seen = call.until_over(2).await;
    assert_eq!(seen.text(), "You said: Hi.", "the first message must be the user's: {seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_of_both_directions_speak_the_same() {
    let mut spoken = Vec::new();
    for (streaming, sample_rate_hz) in [(false, 16_000), (true, 16_000), (true, 8_000)] {
        let settings = PollySettings { streaming, sample_rate_hz, ..polly() };
        let bench = Bench::with(settings).await;
        let mut call = bench.open().await;
        call.type_in(1, "Hello there.").await;
        let seen = call.until_over(1).await;
        assert_eq!(seen.rates, [sample_rate_hz]);
        spoken.push(seen.samples);
    }
    assert!(spoken[0] > 16_000 && spoken[0] == spoken[1], "{spoken:?}");
    assert!(spoken[2].abs_diff(spoken[1] / 2) < 200, "{spoken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_keys_are_told_by_the_service_that_refuses_them() {
    let bench = Bench::with_secret("another-secret").await;
    let mut call = bench.open().await;
    call.type_in(1, "Hello.").await;
    let seen = call.until_over(1).await;
    let Some(BackendEvent::ReplyFailed { message, .. }) = &seen.last else { panic!("{seen:?}") };
    assert!(message.contains("403") && message.contains("InvalidSignature"), "{message}");
    assert!(!message.contains("another-secret"), "{message}");
}
