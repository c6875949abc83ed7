//! Places, connections kept warm, and conversations that wait for a call.

use std::sync::Arc;
use std::time::Duration;

use antiphon::backend::nova_sonic::line::LineReport;
use antiphon::backend::nova_sonic::pool::{WarmLine, WarmPool};
use antiphon::backend::nova_sonic::{ConnectionSettings, NovaAgent, NovaSonic, WarmSettings};
use antiphon::backend::{Backend, CallContext};
use antiphon::nova::fault::Fault;
use antiphon_nova_sim::SimSettings;
use tokio::sync::mpsc;

use crate::support::{Bench, Heard, Talk, account, dial, ended, next, set_up, within};

fn context() -> CallContext {
    CallContext {
        call_id: "test".to_owned(),
        persona: "You count.".to_owned(),
        greeting: None,
        language: "en".to_owned(),
        reply_timeout: Duration::from_secs(10),
        history: Vec::new(),
    }
}

fn warm(sessions: usize) -> WarmSettings {
    WarmSettings { sessions, ..WarmSettings::default() }
}

async fn ready(pool: &WarmPool, count: usize) {
    within(async {
        while pool.ready() != count {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

fn take(pool: &WarmPool, id: u32) -> (WarmLine, Heard) {
    let (reports, heard) = mpsc::channel(64);
    (pool.take(id, &reports).expect("one is ready"), heard)
}

#[tokio::test]
async fn a_call_too_many_is_refused_before_it_is_answered() {
    let bench = Bench::new(&[]).await;
    let settings = ConnectionSettings { sessions_max: 3, renewal_spare: 1, ..bench.connection() };
    let account = account(&settings);
    let agent = NovaAgent {
        persona: "You count.".to_owned(),
        tools: Arc::default(),
        reply_timeout: Duration::from_secs(10),
    };
    let nova = NovaSonic::new(bench.settings(), agent, Arc::clone(&account));
    let nova = nova.expect("the settings are right");
    let seats = [account.budget().seat(), account.budget().seat()];
    let busy = nova.open(context()).expect_err("the third place is kept for renewals");
    assert!(busy.to_string().contains("nova_sonic.sessions_max"), "{busy}");
    drop(seats);
    assert!(nova.open(context()).is_ok());
}

#[tokio::test]
async fn a_connection_is_there_before_the_first_call() {
    let bench = Bench::new(&[]).await;
    let account = bench.account();
    account.keep_warm();
    account.keep_warm();
    bench.until(|counts| counts.connections == 1).await;
    assert_eq!(bench.sim.counts().streams, 0);
    let talk = Talk::open(&dial(account), 1).await;
    assert_eq!(bench.sim.counts().connections, 1, "the call uses it");
    talk.line.abort();
}

#[tokio::test]
async fn a_waiting_conversation_is_taken_and_replaced() {
    let bench = Bench::new(&[]).await;
    let account = bench.account();
    let pool = WarmPool::start(dial(Arc::clone(&account)), set_up(), warm(1));
    ready(&pool, 1).await;
    let (mut taken, mut heard) = take(&pool, 42);
    assert_eq!(taken.line.id(), 42);
    assert_eq!(taken.credentials_until, None);
    ready(&pool, 1).await;
    assert_eq!(bench.sim.counts().streams_open, 2);
    // It goes on where the pool left it.
    let silence = taken.scribe.audio(&[0; 512]).expect("its audio block is open");
    taken.line.send(silence).expect("there is room");
    taken.line.close(taken.scribe.close(), Some(taken.seat));
    let last = loop {
        match next(&mut heard).await {
            LineReport::Event { line, .. } => assert_eq!(line, 42),
            ended => break ended,
        }
    };
    assert_eq!(last, LineReport::Ended { line: 42, fault: Fault::Ended });
    assert_eq!(bench.sim.counts().protocol_errors, [""; 0]);
    drop(pool);
    bench.until(|counts| counts.streams_open == 0).await;
}

#[tokio::test]
async fn a_call_takes_the_place_of_a_waiting_conversation_and_not_one_more() {
    let bench = Bench::of(SimSettings { sessions_max: 2, ..SimSettings::tones() }).await;
    let settings = ConnectionSettings { sessions_max: 2, renewal_spare: 0, ..bench.connection() };
    let account = account(&settings);
    let pool = WarmPool::start(dial(Arc::clone(&account)), set_up(), warm(2));
    ready(&pool, 2).await;
    let seats = [account.budget().seat(), account.budget().seat()];
    assert!(seats.iter().all(Result::is_ok));
    bench.until(|counts| counts.streams_open == 0).await;
    assert_eq!(pool.ready(), 0);
    let (reports, _heard) = mpsc::channel(64);
    assert!(pool.take(1, &reports).is_none());
    drop(seats);
    ready(&pool, 2).await;
    assert_eq!(bench.sim.counts().streams_throttled, 0);
}

#[tokio::test]
async fn a_waiting_conversation_that_dies_is_replaced() {
    let bench = Bench::new(&["at=100ms nth=1 model-timeout"]).await;
    let pool = WarmPool::start(bench.dial(), set_up(), warm(1));
    bench.until(|counts| counts.streams == 2).await;
    ready(&pool, 1).await;
    let (taken, _heard) = take(&pool, 1);
    taken.line.abort();
}

#[tokio::test]
async fn a_waiting_conversation_that_grows_old_is_replaced() {
    let bench = Bench::new(&[]).await;
    let settings = WarmSettings { age_max: Duration::from_millis(50), ..warm(1) };
    let pool = WarmPool::start(bench.dial(), set_up(), settings);
    bench.until(|counts| counts.streams == 2).await;
    bench.until(|counts| counts.requests.contains_key("sessionEnd")).await;
    drop(pool);
    assert_eq!(bench.sim.counts().protocol_errors, [""; 0]);
}

#[tokio::test]
async fn a_place_is_given_back_when_the_service_has_ended_its_half() {
    let bench = Bench::new(&[]).await;
    let settings = ConnectionSettings { sessions_max: 1, renewal_spare: 0, ..bench.connection() };
    let dial = dial(account(&settings));
    let mut talk = Talk::open(&dial, 1).await;
    let seat = dial.account.budget().seat().expect("there is room");
    talk.line.close(talk.scribe.close(), Some(seat));
    assert!(dial.account.budget().seat().is_err(), "the service still counts it");
    ended(&mut talk.heard).await;
    within(async {
        while dial.account.budget().seat().is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
