//! Signaling over HTTP, as WHIP (RFC 9725) has it, except that the media goes both ways.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, LINK, LOCATION};
use reqwest::{Client, Response, StatusCode, Url};
use serde::{Deserialize, Serialize};

use crate::limits::{BODY_BYTES_MAX, HANG_UP_TIMEOUT, HTTP_TIMEOUT};

const SDP: &str = "application/sdp";

/// Why there is no call.
#[derive(Debug, thiserror::Error)]
pub enum SignalingError {
    /// The address is none.
    #[error("{url} is not an http address: {reason}")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server cannot be reached, or stopped answering.
    #[error("{url} does not answer: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// The whole chain of causes.
        reason: String,
    },
    /// The server said no.
    #[error("the server refused the call: {0}")]
    Refused(Problem),
    /// The server said yes in a way that is none.
    #[error("the server's answer is not usable: {0}")]
    Answer(&'static str),
}

/// Why the server said no: an `application/problem+json` document (RFC 9457), or what came instead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The kind of problem in a few words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// This problem in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The part of the request that is wrong.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.status)?;
        if !self.title.is_empty() {
            write!(formatter, " {}", self.title)?;
        }
        if !self.detail.is_empty() {
            write!(formatter, ": {}", self.detail)?;
        }
        if !self.field.is_empty() {
            write!(formatter, " (field: {})", self.field)?;
        }
        Ok(())
    }
}

impl Problem {
    /// Reads the body of a refusal; whatever is in it, the status stays that of the response.
    fn parse(status: StatusCode, body: &[u8]) -> Self {
        let reason = status.canonical_reason().unwrap_or_default();
        let mut problem: Self = serde_json::from_slice(body).unwrap_or_default();
        problem.status = status.as_u16();
        if problem.title.is_empty() {
            reason.clone_into(&mut problem.title);
        }
        problem
    }
}

/// A STUN or TURN server that the answer names (RFC 9725 §4.6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// `stun:` or `turn:` address.
    pub url: String,
    /// For TURN; never part of a report.
    #[serde(skip)]
    pub username: String,
    /// For TURN; never part of a report.
    #[serde(skip)]
    pub credential: String,
}

/// What the server gave for the offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The SDP answer.
    pub sdp: String,
    /// Where the call is ended.
    pub resource: Url,
    /// The ICE session's tag, if the server gives one.
    pub etag: Option<String>,
    /// Servers for crossing NATs.
    pub ice_servers: Vec<IceServer>,
}

/// The HTTP side of one call.
#[derive(Clone, Debug)]
pub struct Signaling {
    client: Client,
    endpoint: Url,
    token: Option<String>,
}

impl Signaling {
    /// Signaling with the server at `url`: its base, to which `/v1/rtc` is added, or a whole
    /// address.
    pub fn new(
        url: &str,
        agent: Option<&str>,
        token: Option<String>,
    ) -> Result<Self, SignalingError> {
        // Already done by an earlier call, or by the program: either will do.
        drop(rustls::crypto::ring::default_provider().install_default());
        let endpoint = endpoint(url, agent)?;
        let client = Client::builder().timeout(HTTP_TIMEOUT).build().map_err(|error| {
            SignalingError::Unreachable { url: url.into(), reason: causes(&error) }
        })?;
        Ok(Self { client, endpoint, token })
    }

    /// Where the offer goes.
    pub const fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// Offers a call.
    pub async fn offer(&self, sdp: String) -> Result<Answer, SignalingError> {
        let request = self.client.post(self.endpoint.clone()).header(CONTENT_TYPE, SDP).body(sdp);
        let response = self.authorized(request).send().await.map_err(|e| self.unreachable(&e))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.body(response).await?;
        if status != StatusCode::CREATED {
            return Err(SignalingError::Refused(Problem::parse(status, &body)));
        }
        let location = text(&headers, &LOCATION).ok_or(SignalingError::Answer("no Location"))?;
        let resource = self
            .endpoint
            .join(&location)
            .map_err(|_| SignalingError::Answer("its Location is no address"))?;
        let sdp =
            String::from_utf8(body).map_err(|_| SignalingError::Answer("its SDP is not UTF-8"))?;
        let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
        let ice_servers = links.flat_map(ice_servers).collect();
        Ok(Answer { sdp, resource, etag: text(&headers, &ETAG), ice_servers })
    }

    /// Ends the call. Returns the status, or what went wrong; either way the call is over.
    pub async fn hang_up(&self, resource: &Url) -> Result<u16, SignalingError> {
        let request = self.client.delete(resource.clone()).timeout(HANG_UP_TIMEOUT);
        let response = self.authorized(request).send().await.map_err(|e| self.unreachable(&e))?;
        Ok(response.status().as_u16())
    }

    fn authorized(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    /// The whole body, if it is not larger than is read.
    async fn body(&self, mut response: Response) -> Result<Vec<u8>, SignalingError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(SignalingError::Answer("it is too large"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn unreachable(&self, error: &reqwest::Error) -> SignalingError {
        SignalingError::Unreachable { url: self.endpoint.to_string(), reason: causes(error) }
    }
}

/// The time a whole signaling exchange may take at most.
pub const SIGNALING_TIMEOUT: Duration = HTTP_TIMEOUT;

fn endpoint(url: &str, agent: Option<&str>) -> Result<Url, SignalingError> {
    let problem = |reason: &str| SignalingError::Address { url: url.into(), reason: reason.into() };
    let mut endpoint = Url::parse(url).map_err(|error| problem(&error.to_string()))?;
    if !matches!(endpoint.scheme(), "http" | "https") {
        return Err(problem("its scheme is neither http nor https"));
    }
    if matches!(endpoint.path(), "" | "/") {
        endpoint.set_path("/v1/rtc");
    }
    if let Some(agent) = agent {
        endpoint.query_pairs_mut().append_pair("agent", agent);
    }
    Ok(endpoint)
}

fn text(headers: &HeaderMap, name: &reqwest::header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The ICE servers in one `Link` header, which may list several:
/// `<turn:host:3478>; rel="ice-server"; username="u"; credential="c"`.
fn ice_servers(header: &str) -> Vec<IceServer> {
    header.split('<').skip(1).filter_map(ice_server).collect()
}

fn ice_server(link: &str) -> Option<IceServer> {
    let (url, parameters) = link.split_once('>')?;
    let mut server = IceServer { url: url.to_owned(), ..IceServer::default() };
    let mut is_ice_server = false;
    for parameter in parameters.split(';') {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let value = value.trim().trim_end_matches(',').trim_matches('"');
        match name.trim() {
            "rel" => is_ice_server = value == "ice-server",
            "username" => value.clone_into(&mut server.username),
            "credential" => value.clone_into(&mut server.credential),
            _ => {}
        }
    }
    is_ice_server.then_some(server)
}

/// An error with everything that caused it, since `reqwest` tells the reason only there.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_becomes_an_endpoint_and_a_whole_address_stays_one() {
        for (url, agent, expected) in [
            ("http://127.0.0.1:8080", None, "http://127.0.0.1:8080/v1/rtc"),
            ("http://127.0.0.1:8080/", Some("a b"), "http://127.0.0.1:8080/v1/rtc?agent=a+b"),
            ("https://host/v1/rtc", Some("x"), "https://host/v1/rtc?agent=x"),
            ("https://host/other/whip?a=b", Some("x"), "https://host/other/whip?a=b&agent=x"),
        ] {
            assert_eq!(endpoint(url, agent).unwrap().as_str(), expected);
        }
        for url in ["127.0.0.1:8080", "ftp://host/", "", "http://"] {
            assert!(endpoint(url, None).is_err(), "{url}");
        }
    }

    #[test]
    fn ice_servers_are_read_out_of_link_headers() {
        let server = |url: &str, username: &str, credential: &str| IceServer {
            url: url.into(),
            username: username.into(),
            credential: credential.into(),
        };
        for (header, expected) in [
            (r#"<stun:a:3478>; rel="ice-server""#, vec![server("stun:a:3478", "", "")]),
            (
                "<turn:a?transport=udp>; rel=\"ice-server\"; username=\"1:u\"; \
                 credential=\"k+/=\"; credential-type=\"password\"",
                vec![server("turn:a?transport=udp", "1:u", "k+/=")],
            ),
            (
                r#"<stun:a>; rel="ice-server", <stun:b>; rel=ice-server"#,
                vec![server("stun:a", "", ""), server("stun:b", "", "")],
            ),
            (r#"<https://x>; rel="help""#, vec![]),
            ("garbage", vec![]),
        ] {
            assert_eq!(ice_servers(header), expected, "{header}");
        }
    }

    #[test]
    fn a_refusal_is_told_plainly_whatever_its_body() {
        for (status, body, expected) in [
            (
                422,
                r#"{"title":"Unusable offer","status":422,"detail":"no audio","field":"sdp"}"#,
                "422 Unusable offer: no audio (field: sdp)",
            ),
            (503, "", "503 Service Unavailable"),
            (404, "<html>", "404 Not Found"),
            (400, r#"{"title":7}"#, "400 Bad Request"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(Problem::parse(status, body.as_bytes()).to_string(), expected);
        }
    }
}
