mod breakers;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::time::SessionTime;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn at(millis: u64) -> SessionTime {
    SessionTime::from_millis(millis)
}

/// A budget of 1 s, no hedge; three failures in 10 s open for 5 s.
fn plain() -> ProviderSettings {
    let breaker = BreakerSettings { failures: 3, window: ms(10_000), cooling: ms(5_000) };
    let (budget, whole) = (ms(1_000), ms(60_000));
    ProviderSettings { budget, whole, hedge: Hedge::Off, breaker, check_every: None }
}

fn hedged(until_known: u64) -> ProviderSettings {
    let hedge = Hedge::P95 { until_known: ms(until_known), at_least: ms(50) };
    ProviderSettings { hedge, ..plain() }
}

fn breakers(settings: &[ProviderSettings]) -> Breakers {
    Breakers::new(settings.to_vec()).expect("good settings")
}

fn acts(attempt: &mut Attempt) -> Vec<Act> {
    std::iter::from_fn(|| attempt.poll_act()).collect()
}

fn begun(now: SessionTime, preferred: Option<usize>, breakers: &mut Breakers) -> Attempt {
    let mut attempt = Attempt::new(preferred);
    attempt.begin(now, breakers);
    attempt
}

fn start(provider: usize) -> Act {
    Act::Start { provider }
}

fn stop(provider: usize) -> Act {
    Act::Cancel { provider }
}

/// Makes one request that `provider`, preferred, answers after `latency`.
fn answer(now: SessionTime, provider: usize, latency: Duration, breakers: &mut Breakers) {
    let permit = breakers.admit(now, provider).expect("it may be asked");
    breakers.record(now + latency, permit, Outcome::Answered { latency });
}

fn fail(now: SessionTime, provider: usize, breakers: &mut Breakers) {
    let permit = breakers.admit(now, provider).expect("it may be asked");
    breakers.record(now, permit, Outcome::Failed(FailureKind::Broken));
}

// ==== An attempt ====

#[test]
fn the_first_provider_is_asked_and_wins() {
    let mut known = breakers(&[plain(), plain()]);
    let mut attempt = begun(at(0), None, &mut known);
    assert_eq!(acts(&mut attempt), [start(0)]);
    assert_eq!(attempt.poll_timeout(), Some((at(1_000), Wait::Budget)));
    assert_eq!(attempt.handle_first(at(300), 0, &mut known), First::Wins);
    assert_eq!((attempt.winner(), attempt.poll_act()), (Some(0), None));
    assert_eq!(attempt.poll_timeout(), Some((at(60_300), Wait::Whole)));
    assert_eq!(attempt.handle_first(at(301), 0, &mut known), First::TooLate);
    attempt.handle_done(0);
    assert!(attempt.is_over() && attempt.poll_timeout().is_none());
}

#[test]
fn a_failure_and_a_spent_budget_lead_to_the_next() {
    let mut known = breakers(&[plain(), plain(), plain()]);
    let mut attempt = begun(at(0), None, &mut known);
    attempt.handle_failed(at(10), 0, FailureKind::Unreachable, &mut known);
    assert_eq!(acts(&mut attempt), [start(0), start(1)]);
    attempt.handle_timeout(at(1_009), &mut known);
    assert_eq!(acts(&mut attempt), []);
    attempt.handle_timeout(at(1_010), &mut known);
    assert_eq!(acts(&mut attempt), [stop(1), start(2)]);
    // Whatever they still say means nothing.
    assert_eq!(attempt.handle_first(at(1_011), 1, &mut known), First::TooLate);
    attempt.handle_failed(at(1_011), 0, FailureKind::Broken, &mut known);
    assert_eq!(acts(&mut attempt), []);
    attempt.handle_failed(at(1_020), 2, FailureKind::Busy, &mut known);
    let failed = Failure::Failed;
    let failures = vec![
        (0, failed(FailureKind::Unreachable)),
        (1, failed(FailureKind::TimedOut)),
        (2, failed(FailureKind::Busy)),
    ];
    assert_eq!(acts(&mut attempt), [Act::Exhausted { failures }]);
    assert!(attempt.is_over() && attempt.poll_timeout().is_none());
}

#[test]
fn the_budget_begins_once_there_is_a_place() {
    let mut known = breakers(&[plain(), plain()]);
    let mut attempt = begun(at(0), None, &mut known);
    attempt.handle_queued(0);
    attempt.handle_admitted(at(900), 0, &known);
    // Who has a place does not wait for one again.
    attempt.handle_queued(0);
    attempt.handle_admitted(at(1_000), 0, &known);
    assert_eq!(attempt.poll_timeout(), Some((at(1_900), Wait::Budget)));
    attempt.handle_timeout(at(1_900), &mut known);
    assert_eq!(acts(&mut attempt), [start(0), stop(0), start(1)]);
    let timed_out = Failure::Failed(FailureKind::TimedOut);
    assert_eq!(attempt.failures().collect::<Vec<_>>(), [(0, timed_out)]);
}

#[test]
fn a_provider_without_a_place_is_passed_over_and_not_blamed() {
    let mut known = breakers(&[plain(), plain()]);
    (0..20).for_each(|_| answer(at(0), 0, ms(100), &mut known));
    for n in 0..10 {
        let mut attempt = begun(at(n), None, &mut known);
        attempt.handle_queued(0);
        attempt.handle_timeout(at(n + 1_000), &mut known);
        assert_eq!(acts(&mut attempt), [start(0), stop(0), start(1)]);
        assert_eq!(attempt.failures().collect::<Vec<_>>(), [(0, Failure::Full)]);
    }
    assert_eq!(known.permits(at(2_000), 0), Ok(()));
    assert_eq!(known.p95(0), Some(ms(100)), "it is not slow");
}

#[test]
fn a_hedge_asks_the_next_and_the_first_answer_wins() {
    for winner in [0, 1] {
        let mut known = breakers(&[hedged(200), hedged(200), plain()]);
        let mut attempt = begun(at(0), None, &mut known);
        assert_eq!(attempt.poll_timeout(), Some((at(200), Wait::Hedge)));
        attempt.handle_timeout(at(200), &mut known);
        assert_eq!(acts(&mut attempt), [start(0), start(1)]);
        // A third is not asked while two are.
        attempt.handle_timeout(at(400), &mut known);
        assert_eq!(attempt.poll_timeout(), Some((at(1_000), Wait::Budget)));
        assert_eq!(attempt.handle_first(at(500), winner, &mut known), First::Wins);
        assert_eq!(acts(&mut attempt), [stop(1 - winner)]);
        assert_eq!(attempt.handle_first(at(501), 1 - winner, &mut known), First::TooLate);
    }
}

#[test]
fn the_hedge_replaces_a_first_that_fails() {
    let mut known = breakers(&[hedged(200), plain(), plain()]);
    let mut attempt = begun(at(0), None, &mut known);
    attempt.handle_timeout(at(200), &mut known);
    attempt.handle_failed(at(300), 0, FailureKind::Broken, &mut known);
    assert_eq!(acts(&mut attempt), [start(0), start(1)]);
    assert_eq!(attempt.poll_timeout(), Some((at(1_200), Wait::Budget)));
}

#[test]
fn the_hedge_comes_after_the_measured_percentile() {
    let mut known = breakers(&[hedged(700), plain()]);
    let first_deadline = |known: &Breakers| {
        let mut known = known.clone();
        begun(at(0), None, &mut known).poll_timeout()
    };
    for n in 1..=19 {
        answer(at(0), 0, ms(100 + n), &mut known);
    }
    assert_eq!((known.p95(0), first_deadline(&known)), (None, Some((at(700), Wait::Hedge))));
    answer(at(0), 0, ms(900), &mut known);
    // The 19th of 20.
    assert_eq!(known.p95(0), Some(ms(119)));
    assert_eq!(first_deadline(&known), Some((at(119), Wait::Hedge)));
    for _ in 0..64 {
        answer(at(0), 0, ms(1), &mut known);
    }
    assert_eq!((known.p95(0), known.hedge_after(0)), (Some(ms(1)), Some(ms(50))));
}

#[test]
fn a_provider_that_becomes_slow_is_known_to_be_although_it_always_loses() {
    let mut known = breakers(&[hedged(200), plain()]);
    for _ in 0..20 {
        answer(at(0), 0, ms(100), &mut known);
    }
    for _ in 0..64 {
        let mut attempt = begun(at(0), None, &mut known);
        let (hedge_at, wait) = attempt.poll_timeout().expect("a deadline");
        assert_eq!(wait, Wait::Hedge);
        attempt.handle_timeout(hedge_at, &mut known);
        assert_eq!(attempt.handle_first(at(900), 1, &mut known), First::Wins);
    }
    assert_eq!(known.p95(0), Some(ms(900)));
}

#[test]
fn a_call_stays_with_its_provider_while_that_is_healthy() {
    let mut known = breakers(&[plain(), plain(), plain()]);
    assert_eq!(acts(&mut begun(at(0), Some(2), &mut known)), [start(2)]);
    known.mark(2, Health::DownUntil(at(1_000)));
    assert_eq!(acts(&mut begun(at(999), Some(2), &mut known)), [start(0)]);
    assert_eq!(acts(&mut begun(at(1_000), Some(2), &mut known)), [start(2)]);
    known.mark(2, Health::DownUntil(at(9_000)));
    known.mark(2, Health::Up);
    assert_eq!(acts(&mut begun(at(2_000), Some(2), &mut known)), [start(2)]);
    assert_eq!(acts(&mut begun(at(0), Some(17), &mut known)), [start(0)]);
}

#[test]
fn a_winner_that_breaks_is_told_and_avoided_for_the_rest() {
    let mut known = breakers(&[plain(), plain()]);
    let mut attempt = begun(at(0), None, &mut known);
    attempt.handle_first(at(100), 0, &mut known);
    attempt.handle_failed(at(200), 0, FailureKind::Broken, &mut known);
    let broken = |kind| Act::Broken { provider: 0, kind };
    assert_eq!(acts(&mut attempt), [start(0), broken(FailureKind::Broken)]);
    let mut rest = Attempt::new(Some(0)).avoiding(0);
    rest.begin(at(200), &mut known);
    rest.handle_failed(at(210), 1, FailureKind::Refused, &mut known);
    assert_eq!(acts(&mut rest), [start(1), start(0)]);
    rest.handle_first(at(300), 0, &mut known);
    rest.handle_timeout(at(60_300), &mut known);
    assert_eq!(acts(&mut rest), [stop(0), broken(FailureKind::TimedOut)]);
    assert!(rest.is_over());
}

#[test]
fn cancelling_stops_whoever_is_asked() {
    let mut known = breakers(&[hedged(200), plain()]);
    let mut attempt = begun(at(0), None, &mut known);
    attempt.handle_timeout(at(200), &mut known);
    attempt.cancel(at(300), &mut known);
    assert_eq!(acts(&mut attempt), [start(0), start(1), stop(0), stop(1)]);
    assert_eq!(attempt.handle_first(at(301), 0, &mut known), First::TooLate);
    let mut attempt = begun(at(0), None, &mut known);
    attempt.handle_first(at(100), 0, &mut known);
    attempt.cancel(at(200), &mut known);
    attempt.cancel(at(201), &mut known);
    assert_eq!(acts(&mut attempt), [start(0), stop(0)]);
    assert_eq!(known.state(at(300), 0), BreakerState::Closed);
}

#[test]
fn nobody_to_ask_is_told_at_once() {
    let mut known = breakers(&[plain(), plain()]);
    (0..3).for_each(|n| fail(at(n), 0, &mut known));
    (0..3).for_each(|n| fail(at(n), 1, &mut known));
    // Marks change nothing where breakers are open.
    known.mark(1, Health::DownUntil(at(10_000)));
    let failures = vec![(0, Failure::CircuitOpen), (1, Failure::CircuitOpen)];
    assert_eq!(acts(&mut begun(at(10), None, &mut known)), [Act::Exhausted { failures }]);
}

#[test]
fn settings_that_make_no_sense_are_refused_by_name() {
    let refused = |settings| Breakers::new(settings).expect_err("bad settings").to_string();
    assert!(refused(vec![]).contains("0 providers"));
    assert!(refused(vec![plain(); 9]).contains("1 to 8"));
    let settings = ProviderSettings { budget: ms(0), ..plain() };
    let error = refused(vec![plain(), settings]);
    assert_eq!(error, "`budget` of provider 1 is 0 s; set more than 0 and at most 600 s");
    let error = refused(vec![ProviderSettings { check_every: Some(ms(0)), ..plain() }]);
    assert!(error.starts_with("`check_every` of provider 0 is 0 s"), "{error}");
    let breaker = BreakerSettings { failures: 33, ..plain().breaker };
    let error = refused(vec![ProviderSettings { breaker, ..plain() }]);
    assert_eq!(error, "`breaker.failures` of provider 0 is 33; set 1 to 32");
    assert!(refused(vec![hedged(700_000)]).contains("`hedge.until_known`"));
}

// ==== Any order of events ====

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    First(usize),
    Failed(usize, FailureKind),
    Done(usize),
    Queued(usize),
    Admitted(usize),
    Down(usize, u64),
    Deadline,
    Cancel,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(vec![FailureKind::Broken, FailureKind::Refused]);
    prop_oneof![
        4 => (0..700_u64).prop_map(Step::Wait),
        2 => (0..5_usize).prop_map(Step::First),
        4 => (0..5_usize, kind).prop_map(|(provider, kind)| Step::Failed(provider, kind)),
        1 => (0..5_usize).prop_map(Step::Done),
        2 => (0..5_usize).prop_map(Step::Queued),
        2 => (0..5_usize).prop_map(Step::Admitted),
        1 => (0..4_usize, 0..3_000_u64).prop_map(|(provider, ms)| Step::Down(provider, ms)),
        4 => Just(Step::Deadline),
        1 => Just(Step::Cancel),
    ]
}

/// What a shell sees of one attempt, and what must hold of it.
#[derive(Default)]
struct Book {
    started: Vec<usize>,
    running: Vec<usize>,
    winners: usize,
    ends: usize,
}

impl Book {
    fn drain(&mut self, attempt: &mut Attempt) {
        while let Some(act) = attempt.poll_act() {
            match act {
                Act::Start { provider } => {
                    assert!(!self.started.contains(&provider), "{provider} is asked twice");
                    assert!(self.winners == 0, "asked after the answer");
                    self.started.push(provider);
                    self.running.push(provider);
                }
                Act::Cancel { provider } => {
                    assert!(self.running.contains(&provider), "{provider} was not running");
                    self.running.retain(|running| *running != provider);
                }
                Act::Broken { provider, .. } => {
                    assert_eq!(self.winners, 1, "{provider} broke");
                    self.running.retain(|running| *running != provider);
                }
                Act::Exhausted { failures } => {
                    assert_eq!((self.winners, failures.len()), (0, 4));
                    self.ends += 1;
                }
            }
        }
        assert!(self.running.len() <= 2, "{:?}", self.running);
        assert_eq!(attempt.poll_timeout().is_some(), !attempt.is_over(), "waits without end");
        assert_eq!(self.running.is_empty(), attempt.is_over(), "{:?}", self.running);
        if attempt.winner().is_some() {
            assert_eq!(self.running, attempt.winner().into_iter().collect::<Vec<_>>());
        }
        assert!(self.winners + self.ends <= 1);
    }
}

fn run(steps: &[Step], now: &mut SessionTime, attempt: &mut Attempt, known: &mut Breakers) {
    let mut book = Book::default();
    attempt.begin(*now, known);
    book.drain(attempt);
    let mut cancelled = false;
    for step in steps {
        match *step {
            Step::Wait(millis) => *now += ms(millis),
            Step::First(provider) => {
                let was_running = book.running.contains(&provider) && book.winners == 0;
                let first = attempt.handle_first(*now, provider, known);
                assert_eq!(first == First::Wins, was_running);
                book.winners += usize::from(was_running);
            }
            Step::Failed(provider, kind) => {
                attempt.handle_failed(*now, provider, kind, known);
                book.running.retain(|running| *running != provider);
            }
            Step::Done(provider) => {
                if attempt.winner() == Some(provider) {
                    book.running.clear();
                }
                attempt.handle_done(provider);
            }
            Step::Queued(provider) => attempt.handle_queued(provider),
            Step::Admitted(provider) => attempt.handle_admitted(*now, provider, known),
            Step::Down(provider, millis) => {
                known.mark(provider, Health::DownUntil(*now + ms(millis)));
            }
            Step::Deadline => *now = (*now).max(attempt.poll_timeout().map_or(*now, |(at, _)| at)),
            Step::Cancel => {
                attempt.cancel(*now, known);
                cancelled = true;
            }
        }
        attempt.handle_timeout(*now, known);
        book.drain(attempt);
        assert!(attempt.poll_timeout().is_none_or(|(at, _)| at > *now), "a deadline is overdue");
    }
    // Left alone, it ends.
    while let Some((at, _)) = attempt.poll_timeout() {
        *now = at;
        attempt.handle_timeout(*now, known);
        book.drain(attempt);
    }
    assert!(cancelled || book.winners + book.ends == 1, "neither a winner nor an end");
}

proptest! {
    #[test]
    fn one_wins_or_all_have_failed(
        attempts in prop::collection::vec(
            (prop::collection::vec(step(), 0..25), prop::option::of(0..5_usize)),
            1..8,
        ),
    ) {
        let mut known = breakers(&[hedged(200), plain(), hedged(900), hedged(60)]);
        let mut now = at(0);
        for (steps, preferred) in &attempts {
            let mut attempt = Attempt::new(*preferred);
            run(steps, &mut now, &mut attempt, &mut known);
        }
        // Whatever has happened, in time all are asked again.
        for provider in 0..known.count() {
            prop_assert_eq!(known.permits(now + ms(10_000), provider), Ok(()));
        }
    }
}
