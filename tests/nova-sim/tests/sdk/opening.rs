//! Openings: signatures, withheld headers, refusals, concurrency.

use antiphon_nova_sim::faults::{Fault, OpeningFault, fault_names};
use antiphon_nova_sim::{Sighting, SimSettings};
use aws_sdk_bedrockruntime::config::{Config, Token};
use aws_sdk_bedrockruntime::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::auth::AuthSchemeId;

use crate::support::{Client, MODEL, OpenFailure, hurried, seen, session_start, sim, start};

/// The code of a refusal.
fn code_of(error: OpenFailure) -> String {
    error.into_service_error().code().unwrap_or("(none)").to_owned()
}

#[tokio::test]
async fn a_wrong_secret_or_key_is_refused() {
    let sim = sim(&[]).await;
    for (key_id, secret, code) in [
        ("AKIDSIM", "another secret", "InvalidSignatureException"),
        ("AKIDOTHER", "sim-secret", "UnrecognizedClientException"),
    ] {
        let opened = Client::with(&sim, key_id, secret).open(MODEL, vec![session_start()]).await;
        assert_eq!(code_of(opened.err().expect("a refusal")), code);
    }
}

#[tokio::test]
async fn another_region_or_an_api_key_is_refused() {
    let sim = start(SimSettings { region: "eu-north-1".to_owned(), ..hurried() }).await;
    let opened = Client::of(&sim).open(MODEL, vec![session_start()]).await;
    assert_eq!(code_of(opened.err().expect("a refusal")), "InvalidSignatureException");

    let bearer = |config: aws_sdk_bedrockruntime::config::Builder| {
        config
            .bearer_token(Token::new("an API key", None))
            .auth_scheme_preference([AuthSchemeId::from("httpBearerAuth")])
    };
    let client = Client::configured(&sim, "AKIDSIM", "sim-secret", bearer);
    let opened = client.open(MODEL, vec![session_start()]).await;
    assert_eq!(code_of(opened.err().expect("a refusal")), "AccessDeniedException");
}

#[tokio::test]
async fn a_model_that_is_not_there_is_refused() {
    let sim = sim(&[]).await;
    let opened = Client::of(&sim).open("amazon.titan", vec![session_start()]).await;
    assert_eq!(code_of(opened.err().expect("a refusal")), "ResourceNotFoundException");
}

#[tokio::test]
async fn every_refusal_of_an_opening_has_its_code() {
    for (name, fault, _) in fault_names() {
        let Fault::Opening(fault) = fault else { continue };
        if fault == OpeningFault::Hang {
            continue;
        }
        let sim = sim(&[&format!("open nth=1 {name}")]).await;
        let client = Client::of(&sim);
        let opened = client.open(MODEL, vec![session_start()]).await;
        let error = opened.err().unwrap_or_else(|| panic!("{name}: it opened"));
        match fault {
            OpeningFault::Refused(refusal) => {
                let status = error.raw_response().map(|raw| raw.status().as_u16());
                assert_eq!(status, Some(refusal.status), "{name}");
                assert_eq!(code_of(error), refusal.code, "{name}");
            }
            _ => assert!(matches!(error, SdkError::DispatchFailure(_)), "{name}: {error:?}"),
        }
        // The SDK tries nothing again by itself, and the next opening is not affected.
        assert_eq!(sim.counts().streams, 1, "{name}");
        client.open(MODEL, vec![session_start()]).await.expect("an open stream");
    }
}

#[tokio::test]
async fn headers_are_withheld_until_the_session_starts() {
    let sim = sim(&[]).await;
    let mut sightings = sim.watch();
    let client = Client::of(&sim);
    let (events, opening) = client.begin(MODEL);
    let mut opening = tokio::spawn(opening);
    tokio::select! {
        _ = &mut opening => panic!("it opened before anything was said"),
        _ = seen(&mut sightings, Sighting::OPENED) => {}
    }
    events.send(session_start()).await.expect("an open stream");
    opening.await.expect("it ends").expect("an open stream");
}

#[tokio::test]
async fn an_opening_may_hang() {
    let sim = sim(&["open nth=1 hang"]).await;
    let mut sightings = sim.watch();
    let client = Client::of(&sim);
    let (events, opening) = client.begin(MODEL);
    let mut opening = tokio::spawn(opening);
    events.send(session_start()).await.expect("an open stream");
    seen(&mut sightings, "sessionStart").await;
    // The other stream's answer comes after whatever the first would have been told.
    let _second = client.talk().await;
    assert!(!opening.is_finished());
    opening.abort();
    let ended = seen(&mut sightings, Sighting::ENDED).await;
    assert_eq!(ended.stream, 1, "giving up resets the stream");
    let _ = (&mut opening).await;
}

#[tokio::test]
async fn one_session_too_many_is_throttled() {
    let sim = start(SimSettings { sessions_max: 2, ..hurried() }).await;
    let mut sightings = sim.watch();
    let client = Client::of(&sim);
    let first = client.talk().await;
    let _second = client.talk().await;
    let refused = client.open(MODEL, vec![session_start()]).await;
    assert_eq!(code_of(refused.err().expect("a refusal")), "ThrottlingException");
    drop(first);
    seen(&mut sightings, Sighting::ENDED).await;
    let _third = client.talk().await;
    let counts = sim.counts();
    assert_eq!((counts.streams_throttled, counts.streams_open_max), (1, 2));
}

#[tokio::test]
async fn a_connection_can_be_warmed() {
    let sim = sim(&[]).await;
    let client = Client::of(&sim);
    let listed = client.sdk().list_async_invokes().max_results(1).send().await;
    assert_eq!(listed.expect("an empty list").async_invoke_summaries(), []);
    let _talk = client.talk().await;
    assert_eq!(sim.counts().connections, 1);
}

#[tokio::test]
async fn without_credentials_nothing_is_sent() {
    let sim = sim(&[]).await;
    let without = |_: aws_sdk_bedrockruntime::config::Builder| {
        Config::builder().endpoint_url(sim.endpoint_url())
    };
    let client = Client::configured(&sim, "AKIDSIM", "sim-secret", without);
    let opened = client.open(MODEL, vec![session_start()]).await;
    assert!(opened.is_err());
    assert_eq!(sim.counts().streams, 0);
}
