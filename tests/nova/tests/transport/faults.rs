//! Each fault of the service, as it becomes a fault of ours with a remedy.

use std::time::Duration;

use antiphon::backend::aws::credentials::Credentials;
use antiphon::backend::nova_sonic::account::Account;
use antiphon::nova::fault::Remedy::{BackOff, End, Renew, RenewWithoutHistory, TellUser};
use antiphon::nova::fault::{Fault, remedy};
use std::sync::Arc;

use crate::support::{Bench, Talk, dial, ended};

/// What a fault is, without its words.
fn class(fault: &Fault) -> String {
    match fault {
        Fault::Opening { status, code, .. } => format!("{} {code}", status.unwrap_or_default()),
        Fault::Exception { code, .. } => code.clone(),
        Fault::Transport { .. } => "transport".to_owned(),
        Fault::Ended => "ended".to_owned(),
        Fault::Silent { what, .. } => format!("silent {what:?}"),
        Fault::Credentials { .. } => "credentials".to_owned(),
        Fault::Malformed { .. } => "malformed".to_owned(),
        Fault::Busy => "busy".to_owned(),
    }
}

#[tokio::test]
async fn each_failure_of_an_opening_is_told_apart() {
    let rows = [
        ("access-denied", "403 AccessDeniedException", End),
        ("unrecognized-client", "403 UnrecognizedClientException", End),
        ("invalid-signature", "403 InvalidSignatureException", End),
        ("expired-token", "403 ExpiredTokenException", Renew),
        ("not-found", "404 ResourceNotFoundException", End),
        ("open-throttling", "429 ThrottlingException", BackOff),
        ("quota", "400 ServiceQuotaExceededException", BackOff),
        ("model-not-ready", "429 ModelNotReadyException", BackOff),
        ("model-error", "424 ModelErrorException", BackOff),
        ("open-validation", "400 ValidationException", End),
        ("open-timeout", "408 ModelTimeoutException", Renew),
        ("open-internal", "500 InternalServerException", Renew),
        ("open-unavailable", "503 ServiceUnavailableException", BackOff),
        ("open-close", "transport", Renew),
        ("open-reset", "transport", Renew),
        ("refused-stream", "transport", Renew),
    ];
    for (name, expected, done) in rows {
        let bench = Bench::new(&[&format!("open nth=1 {name}")]).await;
        let dial = bench.dial();
        let mut talk = Talk::dialled(&dial, 1);
        let fault = ended(&mut talk.heard).await;
        assert_eq!((class(&fault).as_str(), remedy(&fault)), (expected, done), "{name}: {fault}");
        assert_eq!(bench.sim.counts().streams, 1, "{name}: nobody tries again on their own");
        // Whatever it was, the next opening works.
        let talk = Talk::open(&dial, 2).await;
        talk.line.abort();
    }
}

#[tokio::test]
async fn each_failure_of_an_open_stream_is_told_apart() {
    let rows = [
        ("validation", "validationException", RenewWithoutHistory),
        ("throttling", "throttlingException", BackOff),
        ("tokens-per-day", "throttlingException", BackOff),
        ("model-timeout", "modelTimeoutException", Renew),
        ("model-stream-error", "modelStreamErrorException", Renew),
        ("internal", "internalServerException", Renew),
        ("unavailable", "serviceUnavailableException", BackOff),
        ("system-instability", "validationException", Renew),
        ("rst-531", "validationException", Renew),
        ("idle-532", "validationException", Renew),
        ("input-timeout", "validationException", Renew),
        ("tool-response", "validationException", Renew),
        ("content-filter", "validationException", TellUser),
        ("history-limit", "validationException", RenewWithoutHistory),
        ("unknown-exception", "modelMoodException", Renew),
        ("error-frame", "InternalError", Renew),
        // Looks like an end in order.
        ("reset-no-error", "ended", Renew),
        ("end", "ended", Renew),
        ("reset-internal", "transport", Renew),
        ("reset-cancel", "transport", Renew),
        ("goaway-abrupt", "transport", Renew),
        ("close", "transport", Renew),
        ("truncated", "malformed", Renew),
        // The service goes on; we do not, since an event is lost.
        ("bad-crc", "malformed", Renew),
    ];
    for (name, expected, done) in rows {
        let bench = Bench::new(&[&format!("at=20ms nth=1 {name}")]).await;
        let dial = bench.dial();
        let mut talk = Talk::open(&dial, 1).await;
        let fault = ended(&mut talk.heard).await;
        assert_eq!((class(&fault).as_str(), remedy(&fault)), (expected, done), "{name}: {fault}");
        bench.until(|counts| counts.streams_open == 0).await;
        let talk = Talk::open(&dial, 2).await;
        talk.line.abort();
    }
}

#[tokio::test]
async fn texts_of_the_service_are_told() {
    let bench = Bench::new(&["at=20ms system-instability"]).await;
    let mut talk = Talk::open(&bench.dial(), 1).await;
    let fault = ended(&mut talk.heard).await.to_string();
    assert!(fault.contains("System instability detected. Please retry your request."), "{fault}");
}

#[tokio::test]
async fn wrong_keys_are_refused_and_read_anew_the_next_time() {
    let bench = Bench::new(&[]).await;
    let keys = Credentials::fixed("AKIDSIM", "another secret");
    let account = Account::with_keys(&bench.connection(), keys).expect("the settings are right");
    let mut talk = Talk::dialled(&dial(Arc::new(account)), 1);
    let fault = ended(&mut talk.heard).await;
    assert_eq!(class(&fault), "403 InvalidSignatureException", "{fault}");
    assert_eq!(remedy(&fault), End);
}

#[tokio::test]
async fn garbage_is_handed_on_for_the_codec_to_judge() {
    for name in ["garbage", "wrong-types", "huge-field", "missing-fields"] {
        let bench = Bench::new(&[&format!("at=20ms {name}"), "at=200ms throttling"]).await;
        let mut talk = Talk::open(&bench.dial(), 1).await;
        let fault = ended(&mut talk.heard).await;
        assert_eq!(class(&fault), "throttlingException", "{name}: {fault}");
    }
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_the_conversations_to_notice() {
    let bench = Bench::new(&["at=20ms silence"]).await;
    let mut talk = Talk::open(&bench.dial(), 1).await;
    bench.until(|counts| counts.requests.contains_key("audioInput")).await;
    let last = talk.scribe.close();
    talk.line.close(last, None);
    // The service never ends its half; the line does not wait for it for ever.
    tokio::time::timeout(Duration::from_secs(20), ended(&mut talk.heard)).await.expect("an end");
}
