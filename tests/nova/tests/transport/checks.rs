//! The question at start whether calls would work, and what is told if not.

use std::sync::Arc;

use antiphon::backend::Problem;
use antiphon::backend::aws::credentials::Credentials;
use antiphon::backend::nova_sonic::ConnectionSettings;
use antiphon::backend::nova_sonic::account::Account;
use antiphon::backend::nova_sonic::check::check;
use antiphon::backend::nova_sonic::line::Dial;
use antiphon::backend::nova_sonic::pool::SetUp;

use crate::support::{Bench, account, dial, set_up, within};

/// The text of what must be changed.
async fn mistake(dial: &Dial, set_up: &SetUp) -> String {
    match within(check(dial, set_up)).await {
        Err(Problem::Mistake(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// The text of what may pass.
async fn passing(dial: &Dial) -> String {
    match within(check(dial, &set_up())).await {
        Err(Problem::Passing(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_works_is_asked_and_leaves_nothing_behind() {
    let bench = Bench::new(&[]).await;
    assert_eq!(within(check(&bench.dial(), &set_up())).await, Ok(()));
    bench.until(|counts| counts.streams_open == 0).await;
    assert_eq!(bench.sim.counts().protocol_errors, [""; 0]);
}

#[tokio::test]
async fn what_somebody_must_change_is_said_with_the_way_to_change_it() {
    let rows = [
        ("open access-denied", "grant bedrock:InvokeModel"),
        ("open unrecognized-client", "the access key is not known"),
        ("open not-found", "check nova_sonic.model"),
        ("open open-validation", "model identifier is invalid"),
    ];
    for (fault, expected) in rows {
        let bench = Bench::new(&[fault]).await;
        let text = mistake(&bench.dial(), &set_up()).await;
        assert!(text.contains(expected), "{fault}: {text}");
        assert!(text.contains("amazon.nova-2-sonic-v1:0 in us-east-1"), "{fault}: {text}");
    }
}

#[tokio::test]
async fn what_may_pass_is_said_to_be_so() {
    let rows = [
        ("open open-throttling", "lower nova_sonic.sessions_max"),
        ("open open-unavailable", "503"),
        ("open open-close", "cannot be reached"),
        ("open hang", "has not answered within"),
    ];
    for (fault, expected) in rows {
        let bench = Bench::new(&[fault]).await;
        let text = passing(&bench.dial()).await;
        assert!(text.contains(expected), "{fault}: {text}");
    }
}

#[tokio::test]
async fn a_secret_of_another_key_is_a_mistake() {
    let bench = Bench::new(&[]).await;
    let keys = Credentials::fixed("AKIDSIM", "another secret");
    let account = Account::with_keys(&bench.connection(), keys).expect("the settings are right");
    let text = mistake(&dial(Arc::new(account)), &set_up()).await;
    assert!(text.contains("does not belong to the access key"), "{text}");
    assert!(!text.contains("another secret"), "{text}");
}

#[tokio::test]
async fn a_model_that_the_region_lacks_is_a_mistake() {
    let bench = Bench::new(&[]).await;
    let unknown = Dial { model: "amazon.nova-9-opera".to_owned(), ..bench.dial() };
    let text = mistake(&unknown, &set_up()).await;
    assert!(text.contains("amazon.nova-9-opera in us-east-1"), "{text}");
}

#[tokio::test]
async fn a_set_up_that_the_service_refuses_is_a_mistake() {
    let bench = Bench::new(&[]).await;
    let mut silent = set_up();
    silent.settings.voice = String::new();
    let text = mistake(&bench.dial(), &silent).await;
    assert!(text.contains("Received invalid voiceId"), "{text}");
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_is_a_mistake() {
    let (bench, other) = (Bench::new(&[]).await, Bench::new(&[]).await);
    let ca_file = Some(other.ca_file.clone());
    let account = account(&ConnectionSettings { ca_file, ..bench.connection() });
    let text = mistake(&dial(account), &set_up()).await;
    assert!(text.contains("is not trusted") && text.contains("nova_sonic.ca_file"), "{text}");
}
