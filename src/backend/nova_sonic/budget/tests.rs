use std::time::Duration;

use tokio::time::timeout;

use super::*;

#[test]
fn calls_leave_places_for_renewals() {
    let budget = Budget::new(5, 2);
    let calls: Vec<Seat> = (0..3).map(|_| budget.seat().expect("there is room")).collect();
    let Busy(problem) = budget.seat().expect_err("three is the most");
    assert!(problem.contains("3 calls and 0 renewals have all 5"), "{problem}");
    assert!(problem.contains("(2 are kept for renewals)"), "{problem}");
    assert!(problem.contains("raise"), "{problem}");
    let renewals = [budget.spare(), budget.spare()];
    assert!(renewals.iter().all(Option::is_some));
    assert!(budget.spare().is_none());
    drop(renewals);
    assert!(budget.spare().is_some());
    drop(calls);
    assert!(budget.seat().is_ok());
}

#[test]
fn renewals_may_use_what_calls_do_not_and_calls_wait_for_them() {
    let budget = Budget::new(3, 1);
    let call = budget.seat().expect("there is room");
    let renewals = [budget.spare(), budget.spare()];
    assert!(renewals.iter().all(Option::is_some));
    assert!(budget.seat().is_err(), "a fourth conversation would be refused by the service");
    drop(renewals);
    assert!(budget.seat().is_ok());
    drop(call);
}

#[test]
fn there_is_a_place_for_a_call_whatever_is_kept_back() {
    assert!(Budget::new(1, 5).seat().is_ok());
}

#[tokio::test]
async fn warm_conversations_give_way_to_calls_the_oldest_first() {
    let (budget, lost) = (Budget::new(4, 1), Arc::new(Notify::new()));
    let warm = || budget.warm(&lost);
    let mut waiting: Vec<WarmSeat> = (0..3).map(|_| warm().expect("there is room")).collect();
    assert!(warm().is_none(), "the fourth place is kept for renewals");
    assert!(!waiting.iter().any(WarmSeat::is_lost));
    let call = budget.seat().expect("calls come first");
    timeout(Duration::from_secs(20), lost.notified()).await.expect("somebody is told");
    let taken: Vec<bool> = waiting.iter().map(WarmSeat::is_lost).collect();
    assert_eq!(taken, [true, false, false]);
    assert!(waiting.remove(0).into_seat().is_none(), "its place is the call's");
    assert!(warm().is_none());
    // Giving back what was taken away frees no second place.
    drop(call);
    assert!(warm().is_some());
}

#[test]
fn warm_conversations_give_way_to_renewals() {
    let budget = Budget::new(2, 0);
    let _call = budget.seat().expect("there is room");
    let warm = budget.warm(&Arc::default()).expect("there is room");
    assert!(budget.spare().is_some());
    assert!(warm.is_lost());
}

#[test]
fn a_warm_conversation_becomes_a_call_in_its_own_place() {
    let budget = Budget::new(2, 1);
    let warm = budget.warm(&Arc::default()).expect("there is room");
    let call = warm.into_seat().expect("nobody else wanted it");
    assert!(budget.seat().is_err());
    drop(call);
    assert!(budget.seat().is_ok());
}
