//! What a call waits for before it can be heard: a conversation opened cold, over a warm connection, and
//! taken from those that wait. On one machine, so what a network adds is not in it: two round trips of TCP
//! and TLS for the first, one of HTTP for the second.
//!
//! `cargo bench -p antiphon-nova-sim --bench opening`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon::backend::aws::credentials::Credentials;
use antiphon::backend::nova_sonic::account::Account;
use antiphon::backend::nova_sonic::line::{Dial, Line, LineReport};
use antiphon::backend::nova_sonic::pool::{SetUp, WarmPool};
use antiphon::backend::nova_sonic::{ConnectionSettings, WarmSettings};
use antiphon::nova::settings::{INPUT_CHUNK_SAMPLES, NovaSettings};
use antiphon_nova_sim::{Sim, SimHandle, SimSettings};
use tokio::sync::mpsc;

const ROUNDS: u32 = 200;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let settings = SimSettings { sessions_max: 1_000, ..SimSettings::tones() };
    let sim = Sim::start(settings).await.expect("a free port");
    let ca_file = std::env::temp_dir().join(format!("antiphon-opening-{}.pem", std::process::id()));
    std::fs::write(&ca_file, sim.ca_pem()).expect("a file for the authority");
    println!("{:34} {:>10} {:>10}", "until the caller can be heard", "p50 ms", "p99 ms");

    let mut cold = Vec::new();
    for round in 0..ROUNDS {
        cold.push(opened(&dial(&sim, &ca_file), round).await);
    }
    print("cold", cold);

    let dial = dial(&sim, &ca_file);
    opened(&dial, ROUNDS).await;
    let mut warm = Vec::new();
    for round in 0..ROUNDS {
        warm.push(opened(&dial, round).await);
    }
    print("over a warm connection", warm);

    let settings = WarmSettings { sessions: 1, ..WarmSettings::default() };
    let pool = WarmPool::start(dial.clone(), set_up(), settings);
    let mut waiting = Vec::new();
    for round in 0..ROUNDS {
        while pool.ready() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        waiting.push(taken(&pool, round));
    }
    print("a conversation that waits", waiting);
    std::fs::remove_file(&ca_file).expect("it was written above");
}

fn dial(sim: &SimHandle, ca_file: &Path) -> Dial {
    let settings = ConnectionSettings {
        region: Some("us-east-1".to_owned()),
        endpoint_url: Some(sim.endpoint_url()),
        ca_file: Some(ca_file.to_owned()),
        sessions_max: 1_000,
        ..ConnectionSettings::default()
    };
    let keys = Credentials::fixed("AKIDSIM", "sim-secret");
    let account = Account::with_keys(&settings, keys).expect("the settings are right");
    let (model, within) = (NovaSettings::default().model, Duration::from_secs(10));
    Dial { account: Arc::new(account), model, within }
}

fn set_up() -> SetUp {
    let (settings, system) = (NovaSettings::default(), "You count.".to_owned());
    SetUp { settings, system, tools: Vec::new() }
}

/// Opens one and sends the first audio.
async fn opened(dial: &Dial, round: u32) -> Duration {
    let (reports, mut heard) = mpsc::channel(64);
    let began = Instant::now();
    let (mut scribe, first) = set_up().begin(format!("opening-{round}"));
    let line = Line::open(dial, first, round, reports);
    match heard.recv().await {
        Some(LineReport::Opened { .. }) => {}
        other => panic!("{other:?}"),
    }
    line.send(scribe.open_audio().expect("it is set up")).expect("there is room");
    let audio = scribe.audio(&[0; INPUT_CHUNK_SAMPLES]).expect("the audio block is open");
    line.send(audio).expect("there is room");
    let took = began.elapsed();
    line.abort();
    took
}

/// Takes one and sends the first audio.
fn taken(pool: &WarmPool, round: u32) -> Duration {
    let (reports, _heard) = mpsc::channel(64);
    let began = Instant::now();
    let mut taken = pool.take(round, &reports).expect("one is ready");
    let audio = taken.scribe.audio(&[0; INPUT_CHUNK_SAMPLES]).expect("the audio block is open");
    taken.line.send(audio).expect("there is room");
    let took = began.elapsed();
    taken.line.abort();
    took
}

fn print(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1_000.0;
    println!("{what:34} {:>10.3} {:>10.3}", at(50), at(99));
}
