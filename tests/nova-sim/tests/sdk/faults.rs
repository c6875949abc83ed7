//! Each fault of an open stream, as the SDK shows it.

use antiphon_nova_sim::faults::{ExceptionKind, Fault, StreamFault, fault_names};
use aws_sdk_bedrockruntime::error::SdkError;
use aws_sdk_bedrockruntime::types::error::InvokeModelWithBidirectionalStreamOutputError as StreamError;

use crate::support::{Client, StreamFailure, is_turn_end, name_of, sim};

/// What the SDK makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// A modelled exception, or one that is not.
    Service,
    /// A response that could not be read.
    Response,
    /// The transport failed.
    Dispatch,
    /// A clean end.
    End,
    Other,
}

fn class(failure: Option<&StreamFailure>) -> Seen {
    match failure {
        None => Seen::End,
        Some(SdkError::ServiceError(_)) => Seen::Service,
        Some(SdkError::ResponseError(_)) => Seen::Response,
        Some(SdkError::DispatchFailure(_)) => Seen::Dispatch,
        Some(_) => Seen::Other,
    }
}

#[tokio::test]
async fn faults_of_a_stream_have_their_class() {
    for (name, fault, _) in fault_names() {
        let Fault::Stream(fault) = fault else { continue };
        let expected = match &fault {
            StreamFault::Exception(..) => Seen::Service,
            StreamFault::ErrorFrame { .. } | StreamFault::Truncated | StreamFault::BadCrc => {
                Seen::Response
            }
            StreamFault::Reset(antiphon_nova_sim::faults::ResetReason::NoError)
            | StreamFault::End => Seen::End,
            StreamFault::Reset(_) | StreamFault::Close | StreamFault::GoAwayAbrupt => {
                Seen::Dispatch
            }
            // Nothing ends; other tests look at these.
            StreamFault::GoAwayGraceful | StreamFault::Silence | StreamFault::Garbage(_) => {
                continue;
            }
        };
        let sim = sim(&[&format!("at=50ms nth=1 {name}")]).await;
        let client = Client::of(&sim);
        let mut talk = client.talk().await;
        let failure = talk.last().await;
        assert_eq!(class(failure.as_ref()), expected, "{name}: {failure:?}");
        if let StreamFault::Exception(kind, message) = &fault {
            assert_exception(failure, kind, message, name);
        }
        // The same client opens the next stream without help.
        let mut next = client.talk().await;
        next.say("5").await;
        next.until(is_turn_end).await;
        assert_eq!(sim.counts().protocol_errors, [""; 0], "{name}");
    }
}

fn assert_exception(
    failure: Option<StreamFailure>,
    kind: &ExceptionKind,
    message: &str,
    name: &str,
) {
    let Some(SdkError::ServiceError(error)) = failure else { panic!("{name}: {failure:?}") };
    let raw = format!("{:?}", error.raw());
    assert!(raw.contains(kind.name()), "{name}: the frame's header names it: {raw}");
    let error = error.into_err();
    let is_typed = match kind {
        ExceptionKind::Validation => matches!(error, StreamError::ValidationException(_)),
        ExceptionKind::Throttling => matches!(error, StreamError::ThrottlingException(_)),
        ExceptionKind::ModelTimeout => matches!(error, StreamError::ModelTimeoutException(_)),
        ExceptionKind::ModelStreamError => {
            matches!(error, StreamError::ModelStreamErrorException(_))
        }
        ExceptionKind::InternalServer => matches!(error, StreamError::InternalServerException(_)),
        ExceptionKind::ServiceUnavailable => {
            matches!(error, StreamError::ServiceUnavailableException(_))
        }
        ExceptionKind::Unknown(_) => return,
    };
    assert!(is_typed, "{name}: {error:?}");
    assert_eq!(error.meta().message(), Some(message), "{name}");
}

#[tokio::test]
async fn a_stream_goes_on_after_a_graceful_goaway() {
    let sim = sim(&["at=50ms nth=1 goaway-graceful"]).await;
    let client = Client::of(&sim);
    let mut talk = client.talk().await;
    talk.say("5").await;
    talk.until(is_turn_end).await;
    let mut next = client.talk().await;
    next.say("6").await;
    next.until(is_turn_end).await;
    assert_eq!(sim.counts().connections, 2, "the next stream takes a new connection");
}

#[tokio::test]
async fn a_stream_goes_on_after_garbage() {
    for name in ["garbage", "wrong-types", "huge-field", "missing-fields"] {
        let sim = sim(&[&format!("at=50ms {name}")]).await;
        let mut talk = Client::of(&sim).talk().await;
        talk.say("5").await;
        talk.until(is_turn_end).await;
    }
}

#[tokio::test]
async fn a_damaged_frame_is_an_error_and_the_next_is_not() {
    let sim = sim(&["at=50ms bad-crc"]).await;
    let mut talk = Client::of(&sim).talk().await;
    let failure = talk.last().await;
    assert_eq!(class(failure.as_ref()), Seen::Response);
    talk.say("5").await;
    talk.until(|event| name_of(event) == "userSpeechStart").await;
}

#[tokio::test]
async fn a_violation_is_told_on_the_stream() {
    let sim = sim(&[]).await;
    let mut talk = Client::of(&sim).talk().await;
    talk.send(crate::support::event("responseCancel", serde_json::json!({}))).await;
    let failure = talk.last().await;
    let error = failure.expect("an exception").into_service_error();
    assert!(matches!(error, StreamError::ValidationException(_)), "{error:?}");
    assert!(error.meta().message().is_some_and(|text| text.contains("Invalid input request")));
    let told = &sim.counts().protocol_errors;
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("stream 1: Invalid input request"), "{told:?}");
}
