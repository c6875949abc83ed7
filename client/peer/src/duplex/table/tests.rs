use super::*;
use crate::duplex::plan::Extent;
use crate::duplex::report::{Echo, Event};
use std::time::Duration;

fn options() -> DuplexOptions {
    DuplexOptions {
        scenarios: Scenario::ALL.to_vec(),
        extent: Extent { is_quick: false, echo_minutes: 30.0, seed: 1 },
        parallel: 1,
        silence_ms: 200,
        reply: Duration::from_secs(30),
        pause_agent: None,
    }
}

fn call(scenario: Scenario, outcomes: &[Outcome]) -> CallScore {
    let event = |outcome: &Outcome| Event {
        stimulus: String::new(),
        at_ms: 0.0,
        account: None,
        outcome: *outcome,
    };
    CallScore {
        scenario,
        echo: None,
        events: outcomes.iter().map(event).collect(),
        unsaid: 0,
        alone: None,
        words: None,
        replies: 1,
        replies_by_account: 0,
        interrupted_by_account: None,
        send_late_ms: 0.0,
    }
}

/// The row whose name holds `name`.
fn row(calls: &[CallScore], name: &str) -> Row {
    rows(&options(), calls).into_iter().find(|row| row.name.contains(name)).unwrap()
}

const fn stopped(stop_ms: f64, response_ms: f64) -> Outcome {
    Outcome::Stopped { stop_ms, response_ms: Some(response_ms), premature: false }
}

#[test]
fn times_are_percentiles_beyond_the_silence_setting() {
    let calls = [call(Scenario::Timing, &[stopped(90.0, 250.0), stopped(140.0, 280.0)])];
    let (stop, response) = (row(&calls, "last audible"), row(&calls, "response beyond"));
    assert_eq!((stop.figures, stop.verdict), (vec![90.0, 140.0], Verdict::Met));
    assert_eq!((response.figures, response.verdict), (vec![50.0, 80.0], Verdict::Met));
    let late = [call(Scenario::Timing, &[stopped(90.0, 250.0), stopped(151.0, 291.0)])];
    assert_eq!(row(&late, "last audible").verdict, Verdict::Missed);
    assert_eq!(row(&late, "response beyond").verdict, Verdict::Missed);
}

#[test]
fn one_false_barge_in_is_a_miss_and_few_minutes_prove_nothing() {
    let alone = |minutes: f64, ended| CallScore {
        echo: Some(Echo { delay_ms: 40, level_db: -6.0 }),
        alone: Some(AloneScore { spoke_ms: minutes * 60_000.0, ended, ..AloneScore::default() }),
        ..call(Scenario::Echo, &[])
    };
    for (calls, expected) in [
        (vec![alone(15.0, 0), alone(16.0, 0)], Verdict::Met),
        (vec![alone(15.0, 0), alone(16.0, 1)], Verdict::Missed),
        (vec![alone(2.0, 0)], Verdict::NoGoal),
        (vec![alone(2.0, 1)], Verdict::Missed),
        (vec![], Verdict::NotMeasured),
    ] {
        assert_eq!(row(&calls, "false barge-ins").verdict, expected);
    }
    assert_eq!(row(&[alone(2.0, 5)], "at -6 dB after 40 ms").figures, [5.0, 2.0]);
}

#[test]
fn double_talk_counts_what_was_too_late_and_is_not_met_by_having_nothing_to_interrupt() {
    let taken = |count: usize| vec![stopped(300.0, 300.0); count];
    let mixed =
        [taken(97), vec![stopped(601.0, 300.0), Outcome::Ignored, Outcome::Ignored]].concat();
    assert_eq!(row(&[call(Scenario::DoubleTalk, &mixed)], "double talk").verdict, Verdict::Met);
    let worse = [taken(96), vec![Outcome::Ignored; 4]].concat();
    assert_eq!(row(&[call(Scenario::DoubleTalk, &worse)], "double talk").verdict, Verdict::Missed);
    let unsaid = CallScore { unsaid: 5, ..call(Scenario::DoubleTalk, &taken(4)) };
    assert_eq!(row(&[unsaid], "double talk").verdict, Verdict::Missed);
    assert_eq!(row(&[], "double talk").verdict, Verdict::NotMeasured);
}

#[test]
fn shares_leave_out_what_cannot_be_told() {
    let resumed = Outcome::Resumed { gap_ms: 400.0, after_ms: 250.0 };
    let mut outcomes = vec![Outcome::Untouched; 18];
    outcomes.extend([resumed, Outcome::Ended, Outcome::Void]);
    let calls = [call(Scenario::Cough, &outcomes)];
    let coughs = row(&calls, "coughs");
    assert_eq!((coughs.n, coughs.figures, coughs.verdict), (20, vec![5.0], Verdict::Met));
    assert_eq!(row(&calls, "resumed after").figures, [250.0, 250.0, 400.0, 400.0]);
    let worse = [call(Scenario::Cough, &[Outcome::Ended, Outcome::Untouched])];
    assert_eq!(row(&worse, "coughs").verdict, Verdict::Missed);
}

#[test]
fn pauses_are_judged_by_the_longest_and_finished_sentences_by_their_median() {
    let turn =
        |pause_ms, cut_off, response_ms| Outcome::Answered { pause_ms, cut_off, response_ms };
    let calls = [call(
        Scenario::Pause,
        &[
            turn(400.0, true, None),
            turn(1_200.0, false, Some(900.0)),
            turn(0.0, false, Some(440.0)),
            turn(0.0, false, Some(600.0)),
        ],
    )];
    assert_eq!(row(&calls, "0.4 s").verdict, Verdict::NoGoal);
    assert_eq!(row(&calls, "1.2 s").verdict, Verdict::Met);
    assert_eq!(row(&calls, "finished").verdict, Verdict::Met);
    let cut = [call(Scenario::Pause, &[turn(1_200.0, true, None)])];
    assert_eq!(row(&cut, "1.2 s").verdict, Verdict::Missed);
}

#[test]
fn words_are_summed_or_said_not_to_be_known() {
    let words = Words { said: 10, lost: 1, extra: 2 };
    let calls = [CallScore { words: Some(words), ..call(Scenario::Pause, &[]) }];
    let known = row(&[calls[0].clone(), calls[0].clone()], "user words");
    assert_eq!((known.n, known.figures), (20, vec![2.0, 4.0]));
    assert_eq!(row(&[], "user words").verdict, Verdict::NotMeasured);
}

#[test]
fn the_text_has_every_row_and_what_was_not_asked_for_is_left_out() {
    let text = text(&rows(&options(), &[call(Scenario::Timing, &[stopped(90.0, 250.0)])]));
    assert!(text.contains("90 / 90 ms") && text.contains("100 / 150 ms") && text.contains("met"));
    assert!(text.contains("not measured"));
    let only = DuplexOptions { scenarios: vec![Scenario::Control], ..options() };
    assert!(rows(&only, &[]).iter().all(|row| !row.name.contains("echo")));
}
