//! Static files that are part of the binary: the demo page and its modules.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha1::{Digest, Sha1};

/// One static file.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Its path, such as `/` or `/app.js`; without `{` and `}`, and not below `/v1`.
    pub path: &'static str,
    /// Its media type, such as `text/html; charset=utf-8`.
    pub content_type: &'static str,
    /// Its bytes.
    pub body: &'static [u8],
}

pub(crate) const METHODS: &str = "GET, HEAD, OPTIONS";

/// Scripts, styles and connections from this server only; nothing inline, nobody may frame it.
/// `blob:` lets the page make a worklet or play a recording of its own.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
     style-src 'self'; img-src 'self' data:; font-src 'self'; media-src 'self' blob:; \
     worker-src 'self' blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

/// A page and its entity tag, which is computed once.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    page: Page,
    etag: HeaderValue,
}

impl Served {
    pub(crate) fn new(page: Page) -> Self {
        let digest = Sha1::digest(page.body);
        let hex: String = digest.iter().take(10).map(|byte| format!("{byte:02x}")).collect();
        let etag = HeaderValue::try_from(format!("\"{hex}\"")).expect("hex digits fit a header");
        Self { page, etag }
    }

    /// The page, or 304 if the client has it already. Paths carry no version, so a browser must
    /// ask each time (`no-cache`); the tag makes that cheap.
    pub(crate) fn respond(&self, request: &HeaderMap) -> Response {
        let known = request.get_all(header::IF_NONE_MATCH).iter().any(|list| self.is_in(list));
        let mut response = if known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let content_type = HeaderValue::from_static(self.page.content_type);
            ([(header::CONTENT_TYPE, content_type)], self.page.body).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.etag.clone());
        for (name, value) in PAGE_HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }

    /// Whether an `If-None-Match` lists the page, by weak comparison (RFC 9110 §13.1.2).
    fn is_in(&self, list: &HeaderValue) -> bool {
        let Ok(list) = list.to_str() else {
            return false;
        };
        list.split(',').map(str::trim).any(|tag| {
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == self.etag.as_bytes()
        })
    }
}

const PAGE_HEADERS: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-cache"),
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("permissions-policy"), "microphone=(self), camera=()"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];
