//! Reading a request's body: of one media type, bounded in bytes and in time.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::header::media_type;
use crate::limits::DISCARDED_BYTES_MAX;
use crate::problem::{Kind, Problem};

/// What a body may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accept {
    /// The media type; its parameters and case do not matter.
    pub(crate) media_type: &'static str,
    pub(crate) bytes_max: usize,
    pub(crate) time_max: Duration,
}

/// Reads a text body that `accept` describes. An empty one is an empty text of any type.
pub(crate) async fn read_text(request: Request, accept: Accept) -> Result<String, Problem> {
    let (head, body) = request.into_parts();
    let declared = declared_bytes(&head.headers);
    if declared != Some(0) {
        check_type(&head.headers, accept.media_type)?;
    }
    if let Some(declared) = declared.filter(|declared| *declared > DISCARDED_BYTES_MAX as u64) {
        return Err(too_large(declared, accept.bytes_max));
    }
    let bytes = timeout(accept.time_max, read_bytes(body, accept.bytes_max))
        .await
        .map_err(|_elapsed| too_slow(accept.time_max))??;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Problem::new(
            Kind::Malformed,
            format!("The body is not UTF-8: the bytes from offset {at} on are no character."),
        )
        .field("body")
    })
}

/// Reads up to `bytes_max` bytes. What is beyond is counted and thrown away, up to a bound: a
/// client that is still sending when the connection closes would never see the 413.
async fn read_bytes(body: Body, bytes_max: usize) -> Result<Vec<u8>, Problem> {
    let mut kept = Vec::new();
    let mut received = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_broken| {
            Problem::new(Kind::Malformed, "The body broke off or is wrongly framed. Send it again.")
                .field("body")
        })?;
        received += chunk.len();
        if received <= bytes_max {
            kept.extend_from_slice(&chunk);
        } else if received > DISCARDED_BYTES_MAX {
            break;
        }
    }
    if received > bytes_max {
        return Err(too_large(received as u64, bytes_max));
    }
    Ok(kept)
}

fn check_type(headers: &HeaderMap, expect: &'static str) -> Result<(), Problem> {
    let value = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let text = String::from_utf8_lossy(value.unwrap_or_default());
    if media_type(&text).is_some_and(|essence| essence.eq_ignore_ascii_case(expect)) {
        return Ok(());
    }
    let problem =
        Problem::new(Kind::UnsupportedMediaType, format!("Send `Content-Type: {expect}`."))
            .field("Content-Type")
            .limit(expect);
    Err(if value.is_some() { problem.received(text.as_ref()) } else { problem })
}

/// What `Content-Length` says; the HTTP library has refused values that are not a number.
fn declared_bytes(headers: &HeaderMap) -> Option<u64> {
    let chunked = headers.contains_key(header::TRANSFER_ENCODING);
    let value = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match value {
        Some(value) => value.parse().ok(),
        None => (!chunked).then_some(0),
    }
}

fn too_large(received: u64, bytes_max: usize) -> Problem {
    let detail = format!("The body may have {bytes_max} bytes. Send a smaller one.");
    Problem::new(Kind::TooLarge, detail).field("body").limit(bytes_max).received(received)
}

fn too_slow(time_max: Duration) -> Problem {
    let detail =
        format!("The body must arrive within {} s. Send it again.", time_max.as_secs_f64());
    Problem::new(Kind::BodyTooSlow, detail).field("body").limit(time_max.as_millis() as u64)
}
