//! Runs calls on all cores, says how fast, and how to repeat the first that fails.

use std::any::Any;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use super::memory;
use crate::sound;
use crate::world::World;

/// Calls where nobody says how many. The optimised build runs the full swarm; the quick one, in which
/// the pure rooms are checked after each change, a share of it.
const CALLS: u64 = if cfg!(debug_assertions) { 500 } else { 10_000 };
/// Lines of a failed call's trace that are shown.
const TAIL_LINES: usize = 40;

/// A call that failed.
struct Failure {
    seed: u64,
    message: String,
    tail: String,
}

/// What happened in all calls together: a swarm in which little happens proves little.
#[derive(Default)]
struct Totals {
    turns: AtomicU64,
    replies: AtomicU64,
    interruptions: AtomicU64,
}

impl Totals {
    fn add(&self, world: Option<World>) {
        if let Some(world) = world {
            let stats = world.agent().stats().call;
            self.turns.fetch_add(stats.turns, Ordering::Relaxed);
            self.replies.fetch_add(stats.replies, Ordering::Relaxed);
            self.interruptions.fetch_add(stats.interruptions, Ordering::Relaxed);
        }
    }

    fn as_text(&self) -> String {
        let of = |total: &AtomicU64| total.load(Ordering::Relaxed);
        let (turns, replies) = (of(&self.turns), of(&self.replies));
        format!("{turns} turns, {replies} replies, {} interruptions", of(&self.interruptions))
    }
}

/// Runs every call; `run` leaves its world where a failure can be explained from.
pub(super) fn run_all(run: impl Fn(u64, &mut Option<World>) + Sync) {
    let seeds = seeds();
    let calls = seeds.end - seeds.start;
    let next = AtomicU64::new(seeds.start);
    let failures = Mutex::new(Vec::new());
    let totals = Totals::default();
    sound::prepare();
    let started = Instant::now();
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            if let Err(failure) = one(seed, &run, &totals) {
                failures.lock().expect("nobody panics with it").push(failure);
                next.store(seeds.end, Ordering::Relaxed);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads.min(calls as usize) {
            scope.spawn(work);
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    let mut failures = failures.into_inner().expect("nobody panics with it");
    failures.sort_by_key(|failure| failure.seed);
    if let Some(Failure { seed, message, tail }) = failures.first() {
        panic!("{message}\n\nthe end of call {seed}:\n{tail}\nrun it again: {}\n", again(*seed));
    }
    let per_minute = calls as f64 * 60.0 / seconds;
    say(&format!(
        "swarm: {calls} simulated calls of 60 s in {seconds:.1} s on {threads} threads, \
         {per_minute:.0} calls per minute, no invariant broken; {}\n",
        totals.as_text()
    ));
}

/// What a call that fails says, if it fails.
pub(super) fn caught(run: impl FnOnce()) -> Option<String> {
    catch_unwind(AssertUnwindSafe(run)).err().map(|panic| message_of(&*panic))
}

fn one(seed: u64, run: &impl Fn(u64, &mut Option<World>), totals: &Totals) -> Result<(), Failure> {
    let mut world = None;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        memory::check(|| {
            run(seed, &mut world);
            totals.add(world.take());
        });
    }));
    outcome.map_err(|panic| {
        let trace = world.as_ref().map_or("", |world| world.trace.as_str());
        let lines: Vec<&str> = trace.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
        Failure { seed, message: message_of(&*panic), tail }
    })
}

fn again(seed: u64) -> String {
    let features = if cfg!(debug_assertions) { "--no-default-features" } else { "--release" };
    format!("ANTIPHON_SEED={seed} cargo test {features} --test sim no_random_call")
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    // `assert_eq` puts its own words first.
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    match text.split_once("failed: ") {
        Some((assertion, rest)) if assertion.starts_with("assertion") => rest.to_owned(),
        _ => text.to_owned(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how a failed call is run again, and how many are run"
)]
fn seeds() -> std::ops::Range<u64> {
    let number = |name| {
        let text = std::env::var(name).ok()?;
        Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
    };
    match number("ANTIPHON_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("ANTIPHON_CALLS").unwrap_or(CALLS),
    }
}

/// Past the test harness, which keeps what passing tests print to itself.
fn say(line: &str) {
    // Nothing is lost but the figure if nobody listens.
    let _ = std::io::stderr().write_all(line.as_bytes());
}
