//! Which web pages may call, and the CORS answers that tell their browsers so.
//!
//! A browser lets any page send some requests (an empty POST, say) to any address, this machine's
//! own included, and only keeps the page from reading the answer. So a request that changes
//! something is refused here when a page that is not allowed sent it, rather than left to CORS.
//!
//! A page of this server itself is allowed only where an access key exists. Without one the server
//! listens on loopback, where its own pages have a loopback origin anyway; any other name in `Host`
//! is then a hostile name that was made to resolve to 127.0.0.1 (DNS rebinding).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::config::SignalingConfig;
use crate::limits::PREFLIGHT_AGE_S;
use crate::problem::{Kind, Problem};

/// The pages that may call.
#[derive(Clone, Debug)]
pub struct Origins {
    listed: Vec<String>,
    own: bool,
}

impl Origins {
    /// The policy that `config` describes.
    pub fn new(config: &SignalingConfig) -> Self {
        Self { listed: config.allowed_origins.clone(), own: !config.access_keys.is_empty() }
    }

    /// Whether a page from `origin` may call the server that it addressed as `host`.
    pub fn allow(&self, origin: &str, host: Option<&str>) -> bool {
        let listed = |entry: &String| entry == "*" || entry.eq_ignore_ascii_case(origin);
        is_loopback(origin)
            || self.listed.iter().any(listed)
            || (self.own && host.is_some_and(|host| is_same(origin, host)))
    }
}

/// Whether an origin is `http(s)://` on this machine: `localhost`, a name below it, 127.0.0.0/8
/// or `[::1]`, with any port.
pub fn is_loopback(origin: &str) -> bool {
    let Some((host, port)) = authority(origin).map(split_port) else {
        return false;
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return false;
    }
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback());
    }
    let name = host.to_ascii_lowercase();
    name == "localhost"
        || name.strip_suffix(".localhost").is_some_and(is_host_name)
        || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// Whether `origin` is the server addressed as `host`, whatever the scheme: behind a proxy that
/// terminates TLS the page has `https` and this server has not.
fn is_same(origin: &str, host: &str) -> bool {
    authority(origin).is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

/// Host and port of an origin.
fn authority(origin: &str) -> Option<&str> {
    origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))
}

/// Splits `host:port`, where the host may be an IPv6 address in brackets.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    let after_brackets = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    match authority[after_brackets..].find(':') {
        Some(colon) => {
            let (host, port) = authority.split_at(after_brackets + colon);
            (host, Some(&port[1..]))
        }
        None => (authority, None),
    }
}

/// Letters, digits, hyphens and dots, as in a DNS name.
fn is_host_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
}

/// The layer around every route: answers preflights, refuses pages that may not call, and tells
/// browsers which pages may read the response.
pub(crate) async fn guard(
    State(origins): State<Arc<Origins>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else {
        return vary(next.run(request).await);
    };
    if !is_allowed(&origins, &origin, request.headers()) {
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            // Without the headers below its browser keeps the response from the page.
            return vary(next.run(request).await);
        }
        return vary(refuse(&origin).into_response());
    }
    let mut response = if is_preflight(&request) { preflight() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("location, etag, link, accept-post, retry-after"),
    );
    vary(response)
}

fn is_allowed(origins: &Origins, origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    origin.to_str().is_ok_and(|origin| origins.allow(origin, host))
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight() -> Response {
    let headers = [
        (
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("POST, PATCH, DELETE, OPTIONS, GET"),
        ),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("authorization, content-type, if-match"),
        ),
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(PREFLIGHT_AGE_S)),
    ];
    (StatusCode::OK, headers).into_response()
}

fn refuse(origin: &HeaderValue) -> Problem {
    Problem::new(
        Kind::OriginRefused,
        "Pages from this origin may not call. Add it to the server's allowed origins, or open the \
         page from the server's own address (with an access key configured, if that address is \
         not a loopback one).",
    )
    .field("Origin")
    .received(String::from_utf8_lossy(origin.as_bytes()).as_ref())
}

/// Caches must not give one origin's response to another.
fn vary(mut response: Response) -> Response {
    response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(listed: &[&str], own: bool) -> Origins {
        Origins { listed: listed.iter().map(|entry| (*entry).into()).collect(), own }
    }

    #[test]
    fn loopback_origins_are_told_from_names_that_look_like_them() {
        let rows = [
            ("http://localhost", true),
            ("https://LocalHost:8443", true),
            ("http://app.localhost:3000", true),
            ("http://127.0.0.1:8080", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:8080", true),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://evil.com/.localhost", false),
            ("http://.localhost", false),
            ("http://evil@localhost", false),
            ("http://localhost:80:80", false),
            ("http://localhost:99999", false),
            ("http://[::2]", false),
            ("http://[::1", false),
            ("http://128.0.0.1", false),
            ("ftp://localhost", false),
            ("null", false),
            ("", false),
            ("http://", false),
        ];
        for (origin, expect) in rows {
            assert_eq!(is_loopback(origin), expect, "{origin:?}");
        }
    }

    #[test]
    fn a_page_is_allowed_by_place_list_or_being_ours() {
        let page = "https://voice.example.com";
        let rows = [
            (origins(&[], false), page, Some("voice.example.com"), false),
            (origins(&[], true), page, Some("voice.example.com"), true),
            (origins(&[], true), page, Some("other.example.com"), false),
            (origins(&[], true), page, None, false),
            (origins(&["https://Voice.example.com"], false), page, None, true),
            (origins(&["http://voice.example.com"], false), page, None, false),
            (origins(&["*"], false), "null", None, true),
            (origins(&[], true), "null", Some("null"), false),
            (origins(&[], false), "http://localhost:1", None, true),
        ];
        for (origins, origin, host, expect) in rows {
            assert_eq!(origins.allow(origin, host), expect, "{origins:?} {origin} {host:?}");
        }
    }
}
