use super::*;
use crate::faults::Schedule;

fn rule(text: &str) -> FaultRule {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn rules_are_read() {
    let seconds = Duration::from_secs;
    for (text, when, number) in [
        ("open access-denied", When::Opening { nth: None }, 1),
        ("open nth=2 access-denied", When::Opening { nth: Some(2) }, 1),
        ("throttling at=12s", When::After { delay: seconds(12), nth: None }, 1),
        ("at=300ms nth=1 close", When::After { delay: seconds(3) / 10, nth: Some(1) }, 1),
        ("every=180s list=throttling,reset-cancel", When::Every { period: seconds(180) }, 2),
        ("history=5s system-instability", When::AfterHistory { within: seconds(5) }, 1),
    ] {
        let rule = rule(text);
        assert_eq!((rule.when, rule.faults.len()), (when, number), "{text}");
    }
    let all = rule("every=1s list=all").faults.len();
    let transient = rule("every=1s list=all-transient").faults.len();
    assert_eq!(all, fault_names().len());
    assert!(transient < all && transient > 20, "{transient} of {all}");
}

#[test]
fn mistakes_are_named_with_what_was_expected() {
    for (text, expected) in [
        ("", "expected the name of a fault"),
        ("open", "expected the name of a fault"),
        ("throttling", "expected when"),
        ("at=12s thottling", "`thottling` is no fault; known: access-denied"),
        ("at=soon throttling", "expected a time as 12s or 300ms, received `soon`"),
        ("at=-1s throttling", "expected a time"),
        ("at=1s every=2s throttling", "received two"),
        ("every=0s throttling", "expected a time above 0"),
        ("every=5s nth=2 throttling", "goes with `open` and `at` only"),
        ("open nth=0 hang", "expected a number from 1, received `0`"),
        ("at=5s access-denied", "write `open` in place of the time"),
        ("after=5s throttling", "expected at, every, history, nth or list"),
    ] {
        let error = text.parse::<FaultRule>().expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn names_are_unique() {
    let names: std::collections::BTreeSet<_> =
        fault_names().iter().map(|(name, ..)| *name).collect();
    assert_eq!(names.len(), fault_names().len());
}

#[test]
fn faults_are_dealt_at_their_openings_and_times() {
    let life = Duration::from_secs(100);
    let at = Duration::from_secs;
    let mut schedule = Schedule::new(&[
        rule("open nth=2 open-close"),
        rule("at=3s nth=3 close"),
        rule("at=9s list=end,silence"),
    ]);
    let mut deal = |now| {
        let (opening, later) = schedule.open(at(now), life);
        (
            opening,
            later.timed.into_iter().map(|(at, fault)| (at.as_secs(), fault)).collect::<Vec<_>>(),
        )
    };
    assert_eq!(deal(0), (None, vec![(9, StreamFault::End)]));
    assert_eq!(deal(1), (Some(OpeningFault::Close), vec![(9, StreamFault::Silence)]));
    assert_eq!(deal(2), (None, vec![(3, StreamFault::Close), (9, StreamFault::End)]));
    assert_eq!(deal(3), (None, vec![(9, StreamFault::Silence)]));
}

#[test]
fn periods_run_on_whatever_is_open() {
    let mut schedule = Schedule::new(&[rule("every=10s list=close,open-throttling,end")]);
    let at = Duration::from_secs;
    let mut deal = |now: u64| {
        let (opening, later) = schedule.open(at(now), at(25));
        let is_throttled = matches!(opening, Some(OpeningFault::Refused(_)));
        (is_throttled, later.timed.into_iter().map(|(at, f)| (at.as_secs(), f)).collect::<Vec<_>>())
    };
    // Due at 10 s: close, at 20 s: throttling of the next opening, at 30 s: end, and so on.
    assert_eq!(deal(0), (false, vec![(10, StreamFault::Close)]));
    assert_eq!(deal(11), (false, vec![(19, StreamFault::End)]));
    assert_eq!(deal(21), (true, vec![(9, StreamFault::End), (19, StreamFault::Close)]));
    assert_eq!(deal(22), (false, vec![(8, StreamFault::End), (18, StreamFault::Close)]));
}
