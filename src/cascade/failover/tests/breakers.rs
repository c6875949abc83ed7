//! Who is not asked, or only in need.

use super::*;

#[test]
fn a_breaker_opens_cools_and_lets_one_through() {
    let mut known = breakers(&[plain()]);
    let open = Err(Failure::CircuitOpen);
    fail(at(0), 0, &mut known);
    // The first is out of the window when the third comes.
    fail(at(9_000), 0, &mut known);
    fail(at(10_000), 0, &mut known);
    assert_eq!(known.state(at(10_000), 0), BreakerState::Closed);
    fail(at(11_000), 0, &mut known);
    assert_eq!(known.state(at(11_000), 0), BreakerState::Open);
    assert_eq!(known.permits(at(15_999), 0), open);
    assert_eq!(known.state(at(16_000), 0), BreakerState::HalfOpen);
    let probe = known.admit(at(16_000), 0).expect("one is let through");
    assert_eq!(known.permits(at(16_001), 0), open);
    known.record(at(16_100), probe, Outcome::Failed(FailureKind::Broken));
    assert_eq!(known.permits(at(21_099), 0), open);
    let probe = known.admit(at(21_100), 0).expect("one is let through");
    known.record(at(21_200), probe, Outcome::Cancelled { waited: ms(100) });
    let probe = known.admit(at(21_200), 0).expect("a cancelled one has found nothing out");
    known.record(at(21_300), probe, Outcome::Answered { latency: ms(100) });
    assert_eq!(known.state(at(21_300), 0), BreakerState::Closed);
    fail(at(21_400), 0, &mut known);
    assert_eq!(known.state(at(21_400), 0), BreakerState::Closed, "the count begins anew");
}

#[test]
fn a_lost_probe_does_not_keep_a_provider_out_for_ever() {
    let mut known = breakers(&[plain()]);
    (0..3).for_each(|n| fail(at(n), 0, &mut known));
    assert!(known.admit(at(6_000), 0).is_ok());
    assert_eq!(known.permits(at(10_999), 0), Err(Failure::CircuitOpen));
    assert_eq!(known.permits(at(11_000), 0), Ok(()));
}

#[test]
fn a_permit_that_is_handed_back_lets_another_find_out_and_can_still_tell_of_failures() {
    let mut known = breakers(&[plain()]);
    (0..3).for_each(|n| fail(at(n), 0, &mut known));
    let mut mine = known.admit(at(5_002), 0).expect("one is let through");
    known.give_back(at(5_100), &mut mine);
    let other = known.admit(at(5_100), 0).expect("it was handed back");
    known.give_back(at(5_100), &mut mine);
    assert_eq!(known.permits(at(5_101), 0), Err(Failure::CircuitOpen), "another is finding out");
    known.record(at(5_200), other, Outcome::Answered { latency: ms(100) });
    (0..3).for_each(|n| known.record(at(5_300 + n), mine, Outcome::Failed(FailureKind::Broken)));
    assert_eq!(known.state(at(5_303), 0), BreakerState::Open);
}

#[test]
fn old_requests_do_not_move_an_open_breaker() {
    let mut known = breakers(&[plain()]);
    let old = known.admit(at(0), 0).expect("closed");
    (0..3).for_each(|n| fail(at(n), 0, &mut known));
    for outcome in [
        Outcome::Answered { latency: ms(100) },
        Outcome::Failed(FailureKind::Broken),
        Outcome::Cancelled { waited: ms(100) },
    ] {
        known.record(at(4_000), old, outcome);
        assert_eq!(known.state(at(5_001), 0), BreakerState::Open, "{outcome:?}");
        assert_eq!(known.state(at(5_002), 0), BreakerState::HalfOpen, "{outcome:?}");
    }
}

#[test]
fn a_refused_text_says_nothing_against_the_provider() {
    let mut known = breakers(&[plain()]);
    for _ in 0..9 {
        let permit = known.admit(at(0), 0).expect("closed");
        known.record(at(0), permit, Outcome::Failed(FailureKind::Refused));
    }
    assert_eq!(known.state(at(0), 0), BreakerState::Closed);
}

#[test]
fn who_is_marked_down_is_asked_after_all_others() {
    let mut known = breakers(&[hedged(200), plain(), plain()]);
    known.mark(0, Health::DownUntil(at(10_000)));
    known.mark(1, Health::DownUntil(at(10_000)));
    let mut attempt = begun(at(0), Some(1), &mut known);
    assert_eq!(acts(&mut attempt), [start(2)]);
    attempt.handle_failed(at(10), 2, FailureKind::Broken, &mut known);
    // Nobody is left: the call's own provider first, and no hedge for what is likely in vain.
    assert_eq!(acts(&mut attempt), [start(1)]);
    attempt.handle_failed(at(20), 1, FailureKind::Broken, &mut known);
    assert_eq!(acts(&mut attempt), [start(0)]);
    assert_eq!(attempt.handle_first(at(30), 0, &mut known), First::Wins);
    assert_eq!((known.answered_at(0), known.answered_at(1)), (Some(at(30)), None));
}

#[test]
fn a_stage_that_is_all_marked_down_is_still_asked() {
    let mut known = breakers(&[hedged(200), plain()]);
    known.mark(0, Health::DownUntil(at(10_000)));
    known.mark(1, Health::DownUntil(at(10_000)));
    let mut attempt = begun(at(0), None, &mut known);
    assert_eq!(acts(&mut attempt), [start(0)]);
    attempt.handle_timeout(at(200), &mut known);
    assert_eq!(acts(&mut attempt), [], "a hedge is not worth a provider that is down");
    attempt.handle_timeout(at(1_000), &mut known);
    assert_eq!(acts(&mut attempt), [stop(0), start(1)]);
}

#[test]
fn a_provider_is_up_unless_it_is_marked_down_or_its_breaker_is_open() {
    let mut known = breakers(&[plain()]);
    assert!(known.is_up(at(0), 0));
    known.mark(0, Health::DownUntil(at(10)));
    assert!(!known.is_up(at(9), 0) && known.is_up(at(10), 0));
    (0..3).for_each(|n| fail(at(20 + n), 0, &mut known));
    assert!(!known.is_up(at(30), 0));
    assert!(known.is_up(at(5_022), 0), "it cools off no longer");
}
