//! What the stages that are AWS's have in common: what the SDK's errors say of a service.

use std::error::Error;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::event_stream::RawMessage;

use super::error::{StageError, kind_of_status};
use super::http::detail;
use crate::backend::BackendError;
use crate::backend::aws::Reach;
use crate::backend::aws::errors::{caused_by_credentials, chain, header};
use crate::cascade::failover::FailureKind;
use crate::nova::fault::clipped;

/// A client that could not be built: the region is not known.
pub(super) fn unready(error: &BackendError) -> StageError {
    StageError::new(FailureKind::Unauthorized, error.to_string())
}

/// Why `service` did not answer a request. Keys that it does not accept are not used again.
pub(super) async fn refused<C, E>(
    reach: &Reach<C>,
    service: &str,
    error: &SdkError<E, Response>,
) -> StageError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let refusal = refusal(service, error);
    if refusal.kind == FailureKind::Unauthorized {
        reach.forget_keys().await;
    }
    refusal
}

fn refusal<E>(service: &str, error: &SdkError<E, Response>) -> StageError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let failed = |kind, problem: String| StageError::new(kind, format!("{service} {problem}"));
    match error {
        SdkError::ServiceError(refusal) => {
            let status = refusal.raw().status().as_u16();
            let code = clipped(refusal.err().code().unwrap_or_default());
            let message = refusal.err().message().map(clipped).unwrap_or_default();
            let kind = kind_of_code(&code).unwrap_or_else(|| kind_of_status(status));
            failed(kind, format!("answered {status} {code}{}", detail(&message)))
        }
        SdkError::ResponseError(odd) => {
            let status = odd.raw().status();
            if status.is_success() {
                return failed(FailureKind::Malformed, "sent an answer that cannot be read".into());
            }
            let status = status.as_u16();
            failed(kind_of_status(status), format!("answered {status}"))
        }
        SdkError::TimeoutError(_) => failed(FailureKind::TimedOut, "did not answer in time".into()),
        _ if caused_by_credentials(error) => {
            failed(FailureKind::Unauthorized, format!("cannot be asked: {}", chain(error)))
        }
        _ => failed(FailureKind::Unreachable, format!("cannot be reached: {}", chain(error))),
    }
}

/// Why the open stream of `service` ended.
pub(super) fn ended<E>(service: &str, error: &SdkError<E, RawMessage>) -> StageError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let failed = |kind, problem: String| StageError::new(kind, format!("{service} {problem}"));
    let raw = match error.raw_response() {
        Some(RawMessage::Decoded(raw)) => Some(raw),
        _ => None,
    };
    let named = |name| raw.and_then(|raw| header(raw, name));
    let code = named(":exception-type").or_else(|| named(":error-code"));
    match (error, code) {
        (SdkError::ServiceError(_), code) | (_, code @ Some(_)) => {
            let code = code.unwrap_or_default();
            let message = match error {
                SdkError::ServiceError(said) => said.err().message().map(clipped),
                _ => named(":error-message"),
            };
            let kind = kind_of_code(&code).unwrap_or(FailureKind::Broken);
            let message = message.unwrap_or_default();
            failed(kind, format!("failed: {code}{}", detail(&message)))
        }
        (SdkError::DispatchFailure(_) | SdkError::TimeoutError(_), None) => {
            failed(FailureKind::Broken, format!("hung up: {}", chain(error)))
        }
        (_, None) => failed(FailureKind::Malformed, "sent something that is no event".into()),
    }
}

/// What the name of an exception says, in whichever of its spellings.
fn kind_of_code(code: &str) -> Option<FailureKind> {
    // Some carry a namespace before, or an address behind.
    let code = code.rsplit('#').next()?.split(':').next()?;
    let name = code.strip_suffix("Exception").unwrap_or(code).to_ascii_lowercase();
    match name.as_str() {
        "throttling"
        | "throttled"
        | "toomanyrequests"
        | "limitexceeded"
        | "servicequotaexceeded"
        | "serviceunavailable"
        | "modelnotready" => Some(FailureKind::Busy),
        "accessdenied"
        | "unrecognizedclient"
        | "invalidsignature"
        | "signaturedoesnotmatch"
        | "incompletesignature"
        | "missingauthenticationtoken"
        | "expiredtoken"
        | "invalidclienttokenid" => Some(FailureKind::Unauthorized),
        "validation"
        | "badrequest"
        | "resourcenotfound"
        | "textlengthexceeded"
        | "invalidssml"
        | "invalidsamplerate"
        | "languagenotsupported"
        | "enginenotsupported"
        | "lexiconnotfound" => Some(FailureKind::Refused),
        "modeltimeout" => Some(FailureKind::TimedOut),
        "internalserver" | "internalfailure" | "servicefailure" | "modelerror"
        | "modelstreamerror" => Some(FailureKind::Broken),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_in_whichever_spelling() {
        let rows = [
            ("ThrottlingException", Some(FailureKind::Busy)),
            ("throttlingException", Some(FailureKind::Busy)),
            ("LimitExceededException", Some(FailureKind::Busy)),
            ("AccessDeniedException", Some(FailureKind::Unauthorized)),
            ("com.amazonaws.polly#TextLengthExceededException", Some(FailureKind::Refused)),
            ("ValidationException:http://internal.amazon.com/", Some(FailureKind::Refused)),
            ("ModelTimeoutException", Some(FailureKind::TimedOut)),
            ("SomethingNewException", None),
            ("", None),
        ];
        for (code, expected) in rows {
            assert_eq!(kind_of_code(code), expected, "{code}");
        }
    }
}
