//! Errors as `application/problem+json` (RFC 9457).

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::limits::QUOTED_CHARS_MAX;
use crate::port::Refusal;

/// What went wrong, for the client. The status, the title and the `type` follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Malformed,
    Unauthorized,
    OriginRefused,
    NotFound,
    MethodNotAllowed,
    BodyTooSlow,
    PreconditionFailed,
    TooLarge,
    UnsupportedMediaType,
    Unprocessable,
    PreconditionRequired,
    Internal,
    Unavailable,
}

impl Kind {
    /// Status, last part of the `type` URN, and title.
    const fn describe(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed => {
                (StatusCode::BAD_REQUEST, "malformed", "The request cannot be understood")
            }
            Self::Unauthorized => {
                (StatusCode::UNAUTHORIZED, "unauthorized", "A valid token is needed")
            }
            Self::OriginRefused => {
                (StatusCode::FORBIDDEN, "origin-refused", "This web page may not call")
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is no such thing"),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "The method is not allowed here",
            ),
            Self::BodyTooSlow => {
                (StatusCode::REQUEST_TIMEOUT, "body-too-slow", "The body took too long")
            }
            Self::PreconditionFailed => (
                StatusCode::PRECONDITION_FAILED,
                "precondition-failed",
                "The entity tag is not the current one",
            ),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large"),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "The body has the wrong media type",
            ),
            Self::Unprocessable => {
                (StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", "The request cannot be served")
            }
            Self::PreconditionRequired => (
                StatusCode::PRECONDITION_REQUIRED,
                "precondition-required",
                "An If-Match header is needed",
            ),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "The server failed"),
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The server cannot take this now")
            }
        }
    }
}

/// A bound or something received: a count or a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Measure {
    Count(u64),
    Text(String),
}

impl From<usize> for Measure {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

impl From<u64> for Measure {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

/// Text from outside is cut to [`QUOTED_CHARS_MAX`] characters.
impl From<&str> for Measure {
    fn from(text: &str) -> Self {
        match text.char_indices().nth(QUOTED_CHARS_MAX) {
            Some((end, _)) => Self::Text(format!("{}…", &text[..end])),
            None => Self::Text(text.to_owned()),
        }
    }
}

/// A refused request: what the client is told.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    kind: Kind,
    /// What happened and what to do about it, in sentences.
    detail: String,
    field: Option<&'static str>,
    limit: Option<Measure>,
    received: Option<Measure>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The members of the document, in the order in which a reader wants them.
#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'a Measure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<&'a Measure>,
}

impl Problem {
    /// A problem with its explanation. One that lacks a token says how tokens are sent.
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let problem = Self {
            kind,
            detail: detail.into(),
            field: None,
            limit: None,
            received: None,
            headers: Vec::new(),
        };
        match kind {
            Kind::Unauthorized => {
                problem.header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            // What is left of the body would be read as the next request.
            Kind::BodyTooSlow => {
                problem.header(header::CONNECTION, HeaderValue::from_static("close"))
            }
            _ => problem,
        }
    }

    /// The part of the request that is at fault: a header, a member of the body, or `body`.
    pub(crate) fn field(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }

    /// What would have been accepted.
    pub(crate) fn limit(mut self, limit: impl Into<Measure>) -> Self {
        self.limit = Some(limit.into());
        self
    }

    /// What came instead.
    pub(crate) fn received(mut self, received: impl Into<Measure>) -> Self {
        self.received = Some(received.into());
        self
    }

    /// A header of the response; a later one of the same name replaces an earlier one.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Asks the client to wait: whole seconds, at least one.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.header(header::RETRY_AFTER, HeaderValue::from(whole.max(1)))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed { field, problem } => {
                Self::new(Kind::Malformed, problem).field(field)
            }
            Refusal::Unprocessable { field, problem } => {
                Self::new(Kind::Unprocessable, problem).field(field)
            }
            Refusal::Unauthorized(detail) => Self::new(Kind::Unauthorized, detail).header(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer error=\"invalid_token\""),
            ),
            Refusal::NotFound(detail) => Self::new(Kind::NotFound, detail),
            Refusal::PreconditionFailed(detail) => {
                Self::new(Kind::PreconditionFailed, detail).field("If-Match")
            }
            Refusal::PreconditionRequired(detail) => {
                Self::new(Kind::PreconditionRequired, detail).field("If-Match")
            }
            Refusal::Busy { problem, retry_after } => {
                Self::new(Kind::Unavailable, problem).retry_after(retry_after)
            }
            Refusal::Internal(reason) => {
                tracing::error!(reason, "a request failed");
                Self::new(
                    Kind::Internal,
                    "This is a fault of the server; its log says more. Try again, and report it \
                     if it stays.",
                )
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, name, title) = self.kind.describe();
        let document = Document {
            r#type: format!("urn:antiphon:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            field: self.field,
            limit: self.limit.as_ref(),
            received: self.received.as_ref(),
        };
        let body = serde_json::to_vec(&document).expect("strings and numbers always serialize");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_its_status() {
        let text = String::from("x");
        let rows = [
            (Refusal::Malformed { field: "body", problem: text.clone() }, 400),
            (Refusal::Unprocessable { field: "body", problem: text.clone() }, 422),
            (Refusal::Unauthorized(text.clone()), 401),
            (Refusal::NotFound(text.clone()), 404),
            (Refusal::PreconditionFailed(text.clone()), 412),
            (Refusal::PreconditionRequired(text.clone()), 428),
            (Refusal::Busy { problem: text.clone(), retry_after: Duration::ZERO }, 503),
            (Refusal::Internal(text), 500),
        ];
        for (refusal, status) in rows {
            let response = Problem::from(refusal.clone()).into_response();
            assert_eq!(response.status().as_u16(), status, "{refusal:?}");
        }
    }

    #[test]
    fn waits_are_rounded_up_to_whole_seconds() {
        for (wait_ms, expect) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (9_999, "10")] {
            let wait = Duration::from_millis(wait_ms);
            let response = Problem::new(Kind::Unavailable, "").retry_after(wait).into_response();
            assert_eq!(response.headers()[header::RETRY_AFTER], expect, "{wait_ms} ms");
        }
    }

    #[test]
    fn long_quotes_are_cut_between_characters() {
        let Measure::Text(cut) = Measure::from("é".repeat(100).as_str()) else {
            panic!("a text stays a text");
        };
        assert_eq!(cut.chars().count(), QUOTED_CHARS_MAX + 1);
    }
}
