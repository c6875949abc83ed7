//! What the errors of all SDKs have in common.
//!
//! Their `Display` says "service error" and no more; the reason is in the sources, the codes, the raw
//! message.

use std::error::Error;
use std::fmt::Debug;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::event_stream::Message;

use crate::nova::fault::clipped;

/// An error with all its sources, as one bounded line.
pub(in crate::backend) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    for source in sources(error).skip(1) {
        let text = source.to_string();
        // Many wrappers repeat what they wrap.
        if !said.ends_with(&text) {
            said = format!("{said}: {text}");
        }
    }
    clipped(&said)
}

/// Whether the service has answered at all, whatever it said.
pub(in crate::backend) fn has_answered<E: Debug>(error: &SdkError<E, Response>) -> bool {
    matches!(error, SdkError::ServiceError(_) | SdkError::ResponseError(_))
}

/// Whether there were no keys to sign with.
pub(in crate::backend) fn caused_by_credentials(error: &(dyn Error + 'static)) -> bool {
    sources(error).any(|error| error.is::<CredentialsError>())
}

/// The error and its sources, at most sixteen of them.
fn sources<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source()).take(16)
}

/// A text header of an event's frame.
pub(in crate::backend) fn header(message: &Message, name: &str) -> Option<String> {
    let header = message.headers().iter().find(|header| header.name().as_str() == name)?;
    header.value().as_string().ok().map(|value| clipped(value.as_str()))
}
