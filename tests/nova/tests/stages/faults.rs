//! What services may do wrong, each in turn.

use antiphon::backend::cascade::tts::PollySettings;
use antiphon::call::event::BackendEvent;
use antiphon_nova_sim::{Service, StageFault};

use super::support::{Bench, Seen, polly};

fn failure(seen: &Seen) -> &str {
    match &seen.last {
        Some(BackendEvent::ReplyFailed { message, .. }) => message,
        _ => panic!("it did not fail: {seen:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_fails_is_told_and_the_next_answer_comes() {
    let bench = Bench::start().await;
    let mut call = bench.open().await;
    let rows = [
        (StageFault::Throttle, "answered 429 ThrottlingException"),
        (StageFault::Deny, "answered 403 AccessDeniedException"),
        (StageFault::Refuse, "answered 400 ValidationException"),
        (StageFault::Hang, "did not answer within"),
        (StageFault::Stall, "did not answer within"),
        (StageFault::HangUp, "hung up"),
        (StageFault::End, "stopped in the middle"),
        (StageFault::Garbage, "no event"),
        (StageFault::Exception, "modelStreamErrorException"),
    ];
    for (n, (fault, expected)) in (1..).step_by(2).zip(rows) {
        bench.sim.fail_next(Service::Converse, fault);
        call.type_in(n, "One two three.").await;
        let seen = call.until_over(n).await;
        let message = failure(&seen);
        assert!(message.contains(expected), "{fault:?}: {message}");
        assert!(message.starts_with("the language model on Bedrock"), "{message}");
        call.type_in(n + 1, "Again.").await;
        let seen = call.until_over(n + 1).await;
        assert!(seen.text().starts_with("You said:"), "{fault:?}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voice_that_fails_is_told_and_speaks_again() {
    let in_words = [
        (StageFault::Throttle, "answered 429 ThrottlingException"),
        (StageFault::Hang, "sent no audio within"),
        (StageFault::Stall, "sent no audio within"),
    ];
    let of_bytes =
        [(StageFault::HangUp, "stopped in the middle"), (StageFault::Garbage, "cannot be played")];
    let of_events = [
        (StageFault::HangUp, "hung up"),
        (StageFault::End, "stopped in the middle"),
        (StageFault::Garbage, "no event"),
        (StageFault::Exception, "ServiceFailureException"),
    ];
    for (streaming, more) in [(false, &of_bytes[..]), (true, &of_events[..])] {
        let bench = Bench::with(PollySettings { streaming, ..polly() }).await;
        let mut call = bench.open().await;
        for (n, (fault, expected)) in (1..).step_by(2).zip(in_words.iter().chain(more)) {
            bench.sim.fail_next(Service::Polly, *fault);
            call.type_in(n, "One two three.").await;
            let seen = call.until_over(n).await;
            let message = failure(&seen);
            assert!(message.contains(expected), "{fault:?}: {message}");
            assert!(message.starts_with("Amazon Polly"), "{message}");
            call.type_in(n + 1, "Again.").await;
            let seen = call.until_over(n + 1).await;
            assert!(seen.samples > 15_000, "{fault:?}: {seen:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_dies_is_replaced_and_no_word_is_lost() {
    let faults = [
        StageFault::Throttle,
        StageFault::HangUp,
        StageFault::End,
        StageFault::Garbage,
        StageFault::Exception,
    ];
    for fault in faults {
        let bench = Bench::start().await;
        bench.sim.fail_next(Service::Transcribe, fault);
        let mut call = bench.open().await;
        call.speak(1, 60).await;
        let seen = call.until_over(1).await;
        assert_eq!(seen.transcript(), Some("What time is it?"), "{fault:?}: {seen:?}");
        let requests = bench.sim.counts().requests[Service::Transcribe.name()];
        assert_eq!(requests, 2, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recogniser_that_refuses_is_told_and_what_is_known_in_time_counts() {
    let bench = Bench::start().await;
    let mut call = bench.open().await;
    bench.sim.fail_next(Service::Transcribe, StageFault::Deny);
    call.speak(1, 60).await;
    let seen = call.until_over(1).await;
    let message = failure(&seen);
    assert!(message.starts_with("Amazon Transcribe answered 403"), "{message}");
    bench.sim.fail_next(Service::Transcribe, StageFault::Hang);
    call.speak(2, 60).await;
    let seen = call.until_over(2).await;
    assert!(failure(&seen).contains("did not answer in time"), "{seen:?}");
    // After its first partial result nothing comes any more.
    bench.sim.fail_next(Service::Transcribe, StageFault::Stall);
    call.speak(3, 60).await;
    let seen = call.until_over(3).await;
    assert_eq!(seen.transcript(), Some("what"), "{seen:?}");
}
