//! What the SDK's errors mean.
//!
//! Its `Display` says "service error" and no more; the reason is in the sources, the codes, the raw message.

use aws_sdk_bedrockruntime::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_bedrockruntime::operation::invoke_model_with_bidirectional_stream as operation;
use aws_sdk_bedrockruntime::types::error::InvokeModelWithBidirectionalStreamOutputError as StreamError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::event_stream::RawMessage;

use crate::backend::aws::errors::{caused_by_credentials, chain, header};
use crate::nova::fault::{Fault, clipped};

/// Why the service refuses to open a stream.
type OpeningError = operation::InvokeModelWithBidirectionalStreamError;

/// Why a stream was not opened.
pub(super) fn opening(error: &SdkError<OpeningError, Response>) -> Fault {
    match error {
        SdkError::ServiceError(refused) => {
            let message = refused.err().message().map_or_else(String::new, clipped);
            let code = clipped(refused.err().code().unwrap_or_default());
            Fault::Opening { status: Some(refused.raw().status().as_u16()), code, message }
        }
        SdkError::ResponseError(odd) => {
            let status = Some(odd.raw().status().as_u16());
            Fault::Opening { status, code: String::new(), message: chain(error) }
        }
        _ if caused_by_credentials(error) => Fault::Credentials { message: chain(error) },
        _ => Fault::Transport { message: chain(error) },
    }
}

/// Why an open stream ended.
pub(super) fn stream(error: &SdkError<StreamError, RawMessage>) -> Fault {
    match (error, error.raw_response()) {
        (SdkError::ServiceError(exception), Some(RawMessage::Decoded(raw))) => {
            let error = exception.err();
            let mut message = error.message().unwrap_or_default().to_owned();
            if let StreamError::ModelStreamErrorException(of_model) = error
                && let Some(original) = of_model.original_message()
            {
                message = format!("{message} ({original})");
            }
            let code = header(raw, ":exception-type").or_else(|| header(raw, ":error-code"));
            Fault::Exception { code: code.unwrap_or_default(), message: clipped(&message) }
        }
        (_, Some(RawMessage::Decoded(raw))) if header(raw, ":error-code").is_some() => {
            let text = |name| header(raw, name).unwrap_or_default();
            Fault::Exception { code: text(":error-code"), message: text(":error-message") }
        }
        (SdkError::DispatchFailure(_) | SdkError::TimeoutError(_), _) => {
            Fault::Transport { message: chain(error) }
        }
        _ => Fault::Malformed { message: chain(error) },
    }
}

#[cfg(test)]
mod tests;
