//! Conversations over the real SDK, TLS and HTTP/2: every word of the script arrives once.

mod tools;

use std::time::Duration;

use antiphon::agent::AgentSettings;
use antiphon::backend::Backend;
use antiphon::backend::nova_sonic::NovaSonic;
use antiphon::nova::settings::NovaSettings;
use antiphon::tools::{Builtin, Executor, Job, ToolSpec, Toolbox};
use antiphon_nova_sim::count;
use antiphon_nova_sim::faults::{
    ExceptionKind, Fault, FaultRule, OpeningFault, Refusal, ResetReason, StreamFault, When,
};
use antiphon_nova_sim::settings::{BargeIn, MindKind};
use antiphon_nova_sim::tones::Word;
use antiphon_nova_sim::{Counts, SimSettings};
use antiphon_nova_tests::caller::{Exchange, Manners};
use antiphon_nova_tests::real_call::{RealCall, context};
use antiphon_nova_tests::service::Service;
use antiphon_nova_tests::virtual_call::agent_settings;
use tokio::task::JoinSet;
use tokio::time::timeout;

const ANSWER_WORDS: usize = 4;
/// No wait here is for time to pass; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(50);

const MANNERS: Manners = Manners {
    preface: "",
    answer_words: ANSWER_WORDS,
    pause_ms: 1_000,
    patience_ms: 12_000,
    interrupts_after: None,
};

/// A service that answers sooner and shorter than the real one.
fn sim() -> SimSettings {
    SimSettings {
        detection: Duration::from_millis(240),
        answer: Duration::from_millis(100),
        final_delay: Duration::from_millis(500),
        mind: MindKind::Count { words: ANSWER_WORDS, words_per_sentence: 2 },
        ..SimSettings::tones()
    }
}

/// A conversation whose silences are noticed sooner than by default.
fn nova() -> NovaSettings {
    let mut settings = NovaSettings::default();
    settings.patience.first_event = Duration::from_secs(2);
    settings.patience.stall = Duration::from_secs(2);
    settings
}

fn plain(service: &Service, nova: NovaSettings) -> NovaSonic {
    service.backend(nova, service.connection(), Toolbox::default())
}

fn call(backend: &NovaSonic, manners: Manners) -> RealCall {
    RealCall::new(agent_settings(), backend, context("real", None), manners).expect("there is room")
}

/// So many exchanges, of which all must have ended.
async fn talk(call: &mut RealCall, exchanges: usize) -> Vec<Exchange> {
    let talked = timeout(PATIENCE, call.talk(exchanges)).await;
    let heard = call.caller.exchanges();
    talked.unwrap_or_else(|_| panic!("no end after {heard:?}, {:?}", call.complaints));
    assert_eq!(call.end, None, "after {heard:?}, {:?}", call.complaints);
    heard[..exchanges].to_vec()
}

fn assert_word_for_word(exchanges: &[Exchange], what: &str) {
    for exchange in exchanges {
        let expected = count::answer(exchange.number, ANSWER_WORDS);
        assert_eq!(exchange.words, expected, "{what}: {exchange:?}");
    }
}

fn assert_lawful(counts: &Counts) {
    assert_eq!(counts.protocol_errors, [""; 0]);
}

#[tokio::test]
async fn ten_exchanges_arrive_word_for_word() {
    let service = Service::start(sim()).await;
    let mut call = call(&plain(&service, nova()), MANNERS);
    let exchanges = talk(&mut call, 10).await;
    assert_word_for_word(&exchanges, "a conversation");
    assert_eq!(call.complaints, [""; 0]);
    assert_lawful(&service.sim.counts());
    assert_eq!(service.sim.counts().streams, 1);
}

#[tokio::test]
async fn renewals_lose_and_double_no_word() {
    let sim = SimSettings { connection_limit: Duration::from_secs(8), ..sim() };
    let service = Service::start(sim).await;
    let mut nova = nova();
    nova.renewal.after = Duration::from_secs(5);
    nova.renewal.jitter = Duration::ZERO;
    nova.renewal.at_latest = Duration::from_secs(7);
    let mut call = call(&plain(&service, nova), MANNERS);
    let exchanges = talk(&mut call, 5).await;
    assert_word_for_word(&exchanges, "renewals");
    assert_eq!(call.complaints, [""; 0]);
    assert_lawful(&service.sim.counts());
    assert!(service.sim.counts().streams >= 3, "{:?}", service.sim.counts());
}

#[tokio::test]
async fn each_shape_of_an_interruption_leads_to_the_next_answer() {
    const WORDS: usize = 7;
    let sim = SimSettings { barge_in: BargeIn::Rotate, ..SimSettings::tones() };
    let service = Service::start(sim).await;
    let manners = Manners { answer_words: WORDS, interrupts_after: Some(2), ..MANNERS };
    let mut call = call(&plain(&service, nova()), manners);
    for exchange in talk(&mut call, BargeIn::SHAPES.len() + 1).await {
        let expected = count::answer(exchange.number, WORDS);
        assert!(expected.starts_with(&exchange.words), "{exchange:?}");
        assert!((2..WORDS).contains(&exchange.words.len()), "{exchange:?}");
    }
    assert_lawful(&service.sim.counts());
}

#[tokio::test]
async fn a_tool_is_called_once_for_each_question_and_its_result_is_told() {
    let service = Service::start(sim()).await;
    let executor = Executor::Server(Job::Builtin(Builtin::Echo));
    let mut spec = ToolSpec::new("order_status", "Tells how an order is.", executor);
    spec.parameters["properties"]["order"]["type"] = "integer".into();
    let tools = Toolbox::new(vec![spec]).expect("a lawful tool");
    let backend = service.backend(nova(), service.connection(), tools);
    let mut call = call(&backend, Manners { preface: "order status", answer_words: 2, ..MANNERS });
    for exchange in talk(&mut call, 3).await {
        let expected = Word::all_in(&format!("order {}", exchange.number));
        assert_eq!(exchange.words, expected, "{exchange:?}");
    }
    let counts = service.sim.counts();
    assert_lawful(&counts);
    assert_eq!(counts.requests.get("toolResult"), counts.replies.get("toolUse"), "{counts:?}");
    assert!(counts.replies.get("toolUse").is_some_and(|calls| *calls >= 3), "{counts:?}");
}

#[tokio::test]
async fn the_agent_greets_first_and_then_answers() {
    let service = Service::start(sim()).await;
    let backend = plain(&service, nova());
    let mut settings: AgentSettings = agent_settings();
    settings.call.greet = true;
    let greeting = context("greets", Some("hello 7 8"));
    let manners = Manners { pause_ms: 3_000, ..MANNERS };
    let mut call = RealCall::new(settings, &backend, greeting, manners).expect("there is room");
    let exchanges = talk(&mut call, 1).await;
    assert_eq!(call.caller.greeting(), Word::all_in("hello 7 8"));
    assert_word_for_word(&exchanges, "after a greeting");
    assert_lawful(&service.sim.counts());
}

#[tokio::test]
async fn a_call_beyond_the_budget_is_refused_and_has_room_when_another_has_left() {
    let service = Service::start(sim()).await;
    let mut connection = service.connection();
    (connection.sessions_max, connection.renewal_spare) = (2, 1);
    let backend = service.backend(nova(), connection, Toolbox::default());
    let mut first = call(&backend, MANNERS);
    let refused = backend.open(context("second", None)).expect_err("one place is for renewals");
    assert!(refused.to_string().contains("nova_sonic.sessions_max"), "{refused}");
    assert_word_for_word(&talk(&mut first, 1).await, "beside a refused call");
    assert_eq!(service.sim.counts().streams, 1, "the refused call asked for no stream");
    drop(first);
    let third = async {
        loop {
            match backend.open(context("third", None)) {
                Ok(session) => return session,
                // The place is taken until the first call's stream is over.
                Err(_busy) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    timeout(PATIENCE, third).await.expect("the place comes free");
    assert_eq!(service.sim.counts().streams_throttled, 0);
}

/// What ends a stream and passes by itself.
fn passing_faults() -> Vec<StreamFault> {
    let exception =
        |kind: ExceptionKind, message: &str| StreamFault::Exception(kind, message.to_owned());
    use ExceptionKind as Kind;
    vec![
        exception(Kind::InternalServer, "internal"),
        exception(Kind::Validation, "System instability detected. Please retry your request."),
        exception(Kind::Throttling, "slow down"),
        exception(Kind::ModelStreamError, "stream"),
        exception(Kind::ServiceUnavailable, "unavailable"),
        exception(Kind::ModelTimeout, "Model has timed out in processing the request."),
        exception(
            Kind::Validation,
            "InternalErrorCode=531::RST_STREAM closed stream. HTTP/2 error code: NO_ERROR",
        ),
        StreamFault::Reset(ResetReason::NoError),
        StreamFault::Reset(ResetReason::Internal),
        StreamFault::GoAwayAbrupt,
        StreamFault::Close,
        StreamFault::End,
        StreamFault::Truncated,
        StreamFault::Silence,
    ]
}

/// Each in a call of its own, in the middle of the first answer; all calls at once.
#[tokio::test]
async fn each_passing_fault_of_a_stream_costs_no_word() {
    let rules = passing_faults().into_iter().map(|fault| {
        let when = When::After { delay: Duration::from_millis(2_600), nth: Some(1) };
        vec![FaultRule { faults: vec![Fault::Stream(fault)], when }]
    });
    survive(rules).await;
}

/// Each at the first opening, and then at the one that replaces a connection that was lost.
#[tokio::test]
async fn each_passing_fault_of_an_opening_costs_no_word() {
    let refused = |status, code: &str| {
        let (code, message) = (code.to_owned(), "Try again.".to_owned());
        OpeningFault::Refused(Refusal { status, code, message })
    };
    let faults = [
        refused(503, "ServiceUnavailableException"),
        refused(500, "InternalServerException"),
        refused(429, "ThrottlingException"),
        OpeningFault::Close,
        OpeningFault::Reset(ResetReason::Refused),
    ];
    let rules = faults.into_iter().map(|fault| {
        let opening = |nth| FaultRule {
            faults: vec![Fault::Opening(fault.clone())],
            when: When::Opening { nth: Some(nth) },
        };
        let lost = FaultRule {
            faults: vec![Fault::Stream(StreamFault::Close)],
            when: When::After { delay: Duration::from_millis(2_600), nth: Some(2) },
        };
        vec![opening(1), lost, opening(3)]
    });
    survive(rules).await;
}

async fn survive(rules: impl Iterator<Item = Vec<FaultRule>>) {
    let mut calls = JoinSet::new();
    for faults in rules {
        calls.spawn(async move {
            let what = format!("{faults:?}");
            let service = Service::start(SimSettings { faults, ..sim() }).await;
            let mut call = call(&plain(&service, nova()), MANNERS);
            assert_word_for_word(&talk(&mut call, 3).await, &what);
            assert_lawful(&service.sim.counts());
            assert!(service.sim.counts().streams >= 2, "{what}");
        });
    }
    while let Some(ended) = calls.join_next().await {
        ended.expect("the call survives");
    }
}
