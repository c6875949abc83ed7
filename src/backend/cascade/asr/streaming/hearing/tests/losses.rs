//! Connections that do not open, break, and lie.

use super::*;

#[test]
fn audio_before_the_connection_is_open_is_sent_once_it_is() {
    let mut bench = Bench::new(kept_alive());
    bench.start(1);
    bench.hear(&LOUD, 10);
    bench.peek(1);
    bench.hear(&LOUD, 10);
    bench.end(1, 2);
    bench.start(2);
    bench.hear(&LOUD, 5);
    assert_eq!(bench.acts(), NOTHING);
    bench.open();
    assert_eq!(bench.acts(), ["ready", "audio 400", "flush 1", "audio 100"]);
    bench.flushed("One.", 400);
    assert_eq!(bench.acts(), ["final 1 2 One."]);
}

#[test]
fn a_turn_forgotten_before_it_was_sent_is_never_sent() {
    let mut bench = Bench::new(kept_alive());
    bench.start(1);
    bench.hear(&LOUD, 10);
    bench.ask(Ask::Forget);
    bench.open();
    assert_eq!(bench.acts(), ["ready"]);
}

#[test]
fn a_call_whose_first_connection_fails_is_told_so() {
    let mut bench = Bench::new(kept_alive());
    bench.lose();
    assert_eq!(bench.acts(), ["hang up", "failed gone"]);
    bench.start(1);
    bench.end(1, 1);
    bench.lose();
    bench.pass(60_000);
    assert_eq!(bench.acts(), NOTHING);
}

#[test]
fn what_was_said_is_said_again_on_a_new_connection() {
    let mut bench = Bench::hearing();
    bench.settled("Hello", 200);
    bench.lose();
    assert_eq!(bench.acts(), ["partial 1 Hello", "hang up", "connect"]);
    bench.hear(&LOUD, 10);
    bench.open();
    assert_eq!(bench.acts(), ["audio 600"]);
    bench.settled("Hello my", 300);
    bench.end(1, 4);
    bench.flushed("friend.", 600);
    assert_eq!(bench.acts(), ["partial 1 Hello my", "flush 1", "final 1 4 Hello my friend."]);
}

#[test]
fn an_end_that_is_waited_for_is_asked_for_again() {
    let mut bench = Bench::hearing();
    bench.interim("hello", 200);
    bench.end(1, 4);
    bench.pass(900);
    bench.lose();
    bench.open();
    assert_eq!(
        bench.acts(),
        ["partial 1 hello", "flush 1", "hang up", "connect", "audio 400", "flush 2"]
    );
    bench.pass(900);
    bench.flushed("Hello.", 400);
    assert_eq!(bench.acts(), ["final 1 4 Hello."]);
}

#[test]
fn what_was_known_before_the_loss_counts_where_nothing_better_comes() {
    let mut bench = Bench::hearing();
    bench.interim("hello", 200);
    bench.lose();
    bench.open();
    bench.interim("", 100);
    bench.end(1, 4);
    bench.pass(1_000);
    assert_eq!(bench.acts().last().expect("some"), "final 1 4 hello");
}

#[test]
fn an_end_is_missed_where_the_service_cannot_be_reached_again() {
    let mut bench = Bench::hearing();
    bench.interim("hello", 200);
    bench.end(1, 4);
    bench.acts();
    bench.lose();
    bench.lose();
    assert_eq!(bench.acts(), ["hang up", "connect", "hang up", "missed 1 4 gone"]);
    bench.start(2);
    bench.hear(&LOUD, 5);
    bench.end(2, 5);
    bench.pass(1_000);
    assert_eq!(bench.acts(), ["missed 2 5 it did not answer within 1 s"]);
}

#[test]
fn it_is_reopened_once_in_five_seconds_and_gone_after_two_failures() {
    let mut bench = Bench::hearing();
    bench.interim("hello", 200);
    bench.pass(1_000);
    bench.lose();
    bench.acts();
    bench.pass(1_000);
    bench.lose();
    bench.pass(3_999);
    assert_eq!(bench.acts(), ["hang up"]);
    bench.pass(1);
    assert_eq!(bench.acts(), ["connect"]);
    bench.open();
    bench.lose();
    assert_eq!(bench.acts(), ["audio 400", "hang up", "failed gone"]);
}

#[test]
fn a_connection_that_was_of_use_starts_the_count_anew() {
    let mut bench = Bench::hearing();
    for _ in 0..5 {
        bench.pass(6_000);
        bench.interim("hello", 200);
        bench.lose();
        bench.pass(6_000);
        bench.lose();
        bench.open();
    }
    assert!(!bench.acts().iter().any(|act| act.starts_with("failed")));
}

#[test]
fn garbage_and_errors_end_the_connection() {
    let fault = Fault::new(FailureKind::Busy, "no quota");
    for (message, kind) in [
        (Recognised::Malformed, FailureKind::Malformed),
        (Recognised::Failed(fault), FailureKind::Busy),
    ] {
        let mut hearing = Hearing::new(kept_alive());
        hearing.handle_message(SessionTime::ZERO, message);
        let acts: Vec<_> = std::iter::from_fn(|| hearing.poll_act()).collect();
        let Some(Act::Report(AsrReport::Failed(error))) = acts.last() else { panic!("{acts:?}") };
        assert_eq!(error.kind, kind);
    }
}
