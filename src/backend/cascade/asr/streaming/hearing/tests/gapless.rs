//! Services that want audio without a gap, and those that say when they are ready.

use super::*;

fn flux() -> Manner {
    Manner { is_gapless: true, flushes_likely_ends: false, ..kept_alive() }
}

fn moshi() -> Manner {
    let ready_timeout = Some(Duration::from_secs(3));
    Manner { ready_timeout, is_gapless: true, ..kept_alive() }
}

fn looks(text: HeardText, until_ms: u64, complete: f32) -> Heard {
    Heard { text, until_ms: Some(until_ms), flushed: None, complete: Some(complete) }
}

#[test]
fn silence_takes_the_place_of_audio_at_its_pace() {
    let mut bench = Bench::opened(flux());
    bench.pass(159);
    assert_eq!(bench.acts(), NOTHING);
    bench.pass(1_601);
    assert_eq!(bench.acts(), ["silence 1680"]);
    bench.now += Duration::from_secs(60);
    bench.hearing.handle_timeout(bench.now);
    assert_eq!(bench.acts(), ["silence 480"], "what is owed is bounded");
}

#[test]
fn audio_goes_in_pieces_and_its_rest_with_the_end() {
    let mut bench = Bench::opened(flux());
    bench.start(1);
    bench.hear(&LOUD, 3);
    assert_eq!(bench.acts(), NOTHING);
    bench.hear(&LOUD, 3);
    assert_eq!(bench.acts(), ["audio 80"]);
    bench.end(1, 1);
    assert_eq!(bench.acts(), ["audio 40", "flush 1"]);
    bench.start(2);
    bench.hear(&LOUD, 1);
    bench.pass(160);
    assert_eq!(bench.acts(), ["audio 20", "silence 80"], "what there is goes before silence");
}

#[test]
fn turn_events_feed_the_endpointer() {
    let mut bench = Bench::opened(flux());
    bench.start(1);
    bench.hear(&LOUD, 20);
    bench.acts();
    bench.heard(looks(HeardText::Interim("I am".to_owned()), 240, 0.5));
    bench.heard(looks(HeardText::Interim("I am".to_owned()), 320, 0.1));
    bench.heard(looks(HeardText::Settled("I am here.".to_owned()), 400, 0.75));
    let expected = [
        "partial 1 I am",
        "complete 1 0.5",
        "complete 1 0.1",
        "partial 1 I am here.",
        "complete 1 0.75",
    ];
    assert_eq!(bench.acts(), expected);
    bench.end(1, 2);
    assert_eq!(bench.acts(), ["final 1 2 I am here."], "it said itself that its turn is over");
}

#[test]
fn a_likely_end_waits_for_what_it_tells_by_itself() {
    let mut bench = Bench::opened(flux());
    bench.start(1);
    bench.hear(&LOUD, 20);
    bench.interim("I am", 160);
    bench.peek(2);
    assert_eq!(bench.acts(), ["audio 400", "partial 1 I am"]);
    bench.interim("I am here", 400);
    assert_eq!(bench.acts(), ["partial 1 I am here", "likely 2 I am here"]);
}

#[test]
fn words_that_count_no_time_belong_to_the_turn_before_its_marker() {
    let mut bench = Bench::new(moshi());
    bench.open();
    bench.hearing.handle_message(bench.now, Recognised::Ready);
    bench.start(1);
    bench.hear(&LOUD, 20);
    bench.ask(Ask::Forget);
    bench.start(2);
    bench.hear(&LOUD, 20);
    bench.end(2, 2);
    assert_eq!(bench.acts(), ["ready", "audio 400", "flush 1", "audio 400", "flush 2"]);
    let word = |text: &str| Heard::text(HeardText::Settled(text.to_owned()));
    let marker = |number| Heard { flushed: Some(Flushed::Number(number)), ..Heard::default() };
    bench.heard(word("cough"));
    bench.heard(marker(1));
    bench.heard(word("hello"));
    bench.heard(word("there"));
    bench.heard(marker(2));
    bench.heard(marker(2));
    assert_eq!(bench.acts(), ["final 2 2 hello there"]);
}

#[test]
fn the_silence_of_a_flush_is_no_pause() {
    let mut bench = Bench::new(moshi());
    bench.open();
    bench.hearing.handle_message(bench.now, Recognised::Ready);
    bench.start(1);
    bench.hear(&LOUD, 20);
    bench.peek(1);
    bench.acts();
    let pause = || Heard { complete: Some(0.9), ..Heard::default() };
    bench.heard(pause());
    assert_eq!(bench.acts(), NOTHING);
    bench.heard(Heard { flushed: Some(Flushed::Number(1)), ..Heard::default() });
    bench.heard(pause());
    assert_eq!(bench.acts(), ["likely 1 ", "complete 1 0.9"]);
}

#[test]
fn one_that_says_when_it_is_ready_is_waited_for() {
    let mut bench = Bench::new(moshi());
    bench.start(1);
    bench.hear(&LOUD, 20);
    bench.open();
    bench.heard(Heard::text(HeardText::Settled("somebody else's".to_owned())));
    bench.pass(2_999);
    assert_eq!(bench.acts(), NOTHING);
    bench.hearing.handle_message(bench.now, Recognised::Ready);
    assert_eq!(bench.acts(), ["ready", "audio 400"]);

    let mut bench = Bench::new(moshi());
    bench.open();
    bench.pass(3_000);
    assert_eq!(bench.acts(), ["hang up", "failed it did not get ready in time"]);
}
