use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_bedrockruntime::error::ErrorMetadata;
use aws_sdk_bedrockruntime::types::error::{ModelStreamErrorException, ThrottlingException};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};

use super::*;
use crate::backend::aws::errors::has_answered;

fn answer(status: u16) -> Response {
    Response::new(status.try_into().expect("a status"), SdkBody::empty())
}

fn raw(headers: &[(&'static str, &'static str)]) -> RawMessage {
    let header = |(name, value): &(&'static str, &'static str)| {
        Header::new(*name, HeaderValue::String((*value).into()))
    };
    RawMessage::Decoded(Message::new_from_parts(headers.iter().map(header).collect(), ""))
}

/// What the SDK reads of a payload.
fn said(message: &str) -> ErrorMetadata {
    ErrorMetadata::builder().message(message).build()
}

fn exception(code: &str, message: &str) -> Fault {
    Fault::Exception { code: code.to_owned(), message: message.to_owned() }
}

#[test]
fn a_refusal_has_its_status_its_code_and_its_text() {
    let meta = ErrorMetadata::builder().code("ThrottlingException").message("Slow\ndown").build();
    let error = SdkError::service_error(OpeningError::generic(meta), answer(429));
    let expected = Fault::Opening {
        status: Some(429),
        code: "ThrottlingException".to_owned(),
        message: "Slow down".to_owned(),
    };
    assert_eq!(opening(&error), expected);
    assert!(has_answered(&error));
    let odd = SdkError::<OpeningError, _>::response_error("not JSON", answer(502));
    let fault = opening(&odd);
    assert!(matches!(&fault, Fault::Opening { status: Some(502), code, .. } if code.is_empty()));
    assert!(fault.to_string().contains("not JSON"), "{fault}");
}

#[test]
fn a_network_that_fails_is_told_from_missing_keys() {
    let refused = || ConnectorError::io("tcp connect error: refused".into());
    let error = SdkError::<OpeningError, Response>::dispatch_failure(refused());
    let Fault::Transport { message } = opening(&error) else { panic!("{:?}", opening(&error)) };
    assert!(message.contains("refused"), "{message}");
    assert!(!has_answered(&error));
    let keys = CredentialsError::not_loaded("nobody has any");
    let keys = ConnectorError::other(keys.into(), None);
    let error = SdkError::<OpeningError, Response>::dispatch_failure(keys);
    assert!(matches!(opening(&error), Fault::Credentials { .. }), "{:?}", opening(&error));
}

#[test]
fn an_exception_on_the_stream_is_named_by_its_frame() {
    let throttled = ThrottlingException::builder().meta(said("Too many tokens")).build();
    let error = SdkError::service_error(
        StreamError::ThrottlingException(throttled),
        raw(&[(":message-type", "exception"), (":exception-type", "throttlingException")]),
    );
    assert_eq!(stream(&error), exception("throttlingException", "Too many tokens"));
    let of_model = ModelStreamErrorException::builder()
        .meta(said("The system encountered an unexpected error"))
        .original_message("shape mismatch")
        .build();
    let error = SdkError::service_error(
        StreamError::ModelStreamErrorException(of_model),
        raw(&[(":exception-type", "modelStreamErrorException")]),
    );
    let text = "The system encountered an unexpected error (shape mismatch)";
    assert_eq!(stream(&error), exception("modelStreamErrorException", text));
    let error = SdkError::service_error(
        StreamError::generic(said("new")),
        raw(&[(":exception-type", "somethingNewException")]),
    );
    assert_eq!(stream(&error), exception("somethingNewException", "new"));
}

#[test]
fn a_frame_that_says_error_is_an_exception_too() {
    let headers = [
        (":message-type", "error"),
        (":error-code", "InternalError"),
        (":error-message", "It broke"),
    ];
    let error = SdkError::<StreamError, _>::response_error("unrecognized", raw(&headers));
    assert_eq!(stream(&error), exception("InternalError", "It broke"));
}

#[test]
fn a_broken_stream_is_told_from_a_broken_network() {
    let bad_crc = SdkError::<StreamError, _>::response_error("bad CRC", RawMessage::invalid(None));
    assert!(matches!(stream(&bad_crc), Fault::Malformed { message } if message.contains("CRC")));
    let odd = SdkError::<StreamError, _>::response_error("no type", raw(&[(":other", "x")]));
    assert!(matches!(stream(&odd), Fault::Malformed { .. }));
    let reset = ConnectorError::io("stream error received: CANCEL".into());
    let error = SdkError::<StreamError, RawMessage>::dispatch_failure(reset);
    assert!(matches!(stream(&error), Fault::Transport { message } if message.contains("CANCEL")));
}
