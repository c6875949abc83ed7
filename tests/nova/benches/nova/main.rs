//! What the Nova Sonic backend costs and how soon it does things. Prints figures; asserts nothing.
//!
//! `cargo bench -p antiphon-nova-tests --bench nova -- [--full | --dense] [part ...]`, on a machine that does
//! nothing else. The parts are `uplink`, `opening`, `turns`, `long` and `many`; without a part, all of them.
//! They take two minutes; with `--full`, `long` is an hour with a fault each three minutes and `many` 100
//! calls of 50 turns. `--dense` in its place packs the faults of an hour into 33 minutes.
//!
//! The simulator is in the same process, behind TLS and HTTP/2 on the loopback, and what it costs is in the
//! figures.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod figures;
mod long;
mod many;
mod opening;
mod turns;
mod uplink;

use std::time::Duration;

use antiphon_nova_tests::caller::Manners;

/// Answers of seven words, and a second to think.
const MANNERS: Manners = Manners {
    preface: "",
    answer_words: 7,
    pause_ms: 1_000,
    patience_ms: 12_000,
    interrupts_after: None,
};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let (mut is_full, mut is_dense) = (false, false);
    let mut parts = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            // What cargo adds.
            "--bench" => {}
            "--full" => is_full = true,
            "--dense" => is_dense = true,
            _ => parts.push(argument),
        }
    }
    let wants = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    if wants("uplink") {
        uplink::print().await;
    }
    if wants("opening") {
        opening::print().await;
    }
    if wants("turns") {
        turns::print().await;
    }
    if wants("long") {
        let seconds = Duration::from_secs;
        let (length, limit, fault_every) = match (is_full, is_dense) {
            (true, _) => (seconds(3_600), seconds(60), seconds(180)),
            (false, true) => (seconds(1_980), seconds(60), seconds(100)),
            (false, false) => (seconds(60), seconds(15), seconds(25)),
        };
        long::print(length, limit, fault_every).await;
    }
    if wants("many") {
        let (calls, turns) = if is_full { (100, 50) } else { (20, 3) };
        many::print(calls, turns, Duration::from_millis(37)).await;
    }
}
