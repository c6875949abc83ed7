//! Many random calls of a minute, each from a seed, through the same checks.
//!
//! `ANTIPHON_CALLS=n` chooses how many; `ANTIPHON_SEED=n` runs that one alone.

mod draw;
mod memory;
mod runner;

use antiphon::agent::AgentSettings;

use crate::backend::Behaviour;
use crate::canary::{Fault, Kind};
use crate::network::Network;
use crate::room::Room;
use crate::world::{Step, World};
use runner::{caught, run_all};

/// Length of a call.
const CALL_MS: u64 = 60_000;
/// By then a call that is left alone has come to rest: a reply is waited for, and dries up.
const REST_MS: u64 = 60_000;

#[test]
fn no_random_call_breaks_an_invariant() {
    run_all(|seed, world| {
        *world = Some(draw::world(seed));
        live(seed, world.as_mut().expect("it was just made"));
    });
}

/// The same seed is the same call, to the last decision.
#[test]
fn a_seed_repeats_its_call() {
    let trace = |seed| {
        let mut world = draw::world(seed);
        live(seed, &mut world);
        world.trace
    };
    for seed in 0..3 {
        assert_eq!(trace(seed).as_str(), trace(seed).as_str());
    }
}

/// The checks can fail, each for its reason: with a fault put in, most calls are caught by the
/// invariant that the fault breaks, and none gets through the others.
#[test]
fn every_fault_is_caught_by_its_invariant() {
    for (kind, invariants) in [
        (Kind::DoublesUserAudio, &["[user audio]"][..]),
        (Kind::LosesUserAudio, &["[user audio]"]),
        (Kind::SwapsUserAudio, &["[user audio]"]),
        (Kind::KeepsDeadAudio, &["[dead audio]"]),
        (Kind::SkipsReplyAudio, &["[ring]"]),
        (Kind::HidesCancel, &["[history]", "[replies]", "[timers]", "[dead audio]"]),
        (Kind::ClosesAnother, &["[replies]", "[heard]", "[ring]"]),
        (Kind::ExaggeratesHeard, &["[heard]", "[history]"]),
        (Kind::InventsWords, &["[history]"]),
    ] {
        let mut count = 0;
        for seed in 0..10 {
            let message = caught(|| {
                let mut world = draw::world(seed);
                world.fault = Some(Fault::new(kind));
                live(seed, &mut world);
            });
            let Some(message) = message else { continue };
            let is_its_own = invariants.iter().any(|invariant| message.starts_with(invariant));
            assert!(is_its_own, "{kind:?} was caught by another check, in call {seed}: {message}");
            count += 1;
        }
        assert!(count >= 6, "{kind:?} was caught in {count} of 10 calls");
    }
}

/// A state without an end is caught: here a backend that never answers may take a day.
#[test]
fn a_wait_without_an_end_is_caught() {
    let message = caught(|| {
        let mut settings = AgentSettings::default();
        settings.call.reply_timeout = std::time::Duration::from_secs(86_400);
        let mut world = World::new(settings, 1);
        world.step(&Step::Backend(Behaviour { is_deaf: true, ..Behaviour::default() }));
        world.run(CALL_MS);
    });
    assert!(message.is_some_and(|message| message.starts_with("[timers]")));
}

/// A call of a minute, then left alone.
fn live(seed: u64, world: &mut World) {
    draw::play(seed, world, CALL_MS);
    world.person = None;
    world.step(&Step::Network(Network::default()));
    world.step(&Step::Room(Room::default()));
    world.step(&Step::Backend(Behaviour::default()));
    let by = world.now.as_millis() + REST_MS;
    // At rest for a second, that nothing may wake it from.
    let mut rested_ms = 0;
    while world.end.is_none() && rested_ms < 1_000 && world.now.as_millis() < by {
        world.run(100);
        rested_ms = if world.checks.is_at_rest() { rested_ms + 100 } else { 0 };
    }
    world.checks.at_rest();
    world.checks.whole();
}
