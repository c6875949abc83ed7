//! The agent of the tests: HTTP by hand, media by the `webrtc` crate, a tone for an answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_peer::CodecKind;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::media::Session;

/// How long the caller must be silent for the agent to answer.
pub(crate) const ENDPOINT: Duration = Duration::from_millis(200);
/// How long its answer is.
pub(crate) const TONE: Duration = Duration::from_millis(1_000);

/// How the agent behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    /// Speaks first.
    pub(crate) greets: bool,
    /// Never answers.
    pub(crate) is_silent: bool,
    /// Wants this bearer token.
    pub(crate) token: Option<&'static str>,
}

/// What the tests look at.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) ended: AtomicU32,
    pub(crate) playout_generation: AtomicU32,
}

/// A running agent.
pub(crate) struct Agent {
    url: String,
    seen: Arc<Seen>,
}

impl Agent {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Seen::default());
        let server = Arc::new(Server { manner, seen: Arc::clone(&seen), calls: Mutex::default() });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&server).serve(stream));
            }
        });
        Self { url, seen }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Calls that were ended by DELETE.
    pub(crate) fn ended_calls(&self) -> u32 {
        self.seen.ended.load(Ordering::SeqCst)
    }

    /// The reply that the last playout report was about.
    pub(crate) fn last_playout_generation(&self) -> Option<u32> {
        match self.seen.playout_generation.load(Ordering::SeqCst) {
            0 => None,
            generation => Some(generation),
        }
    }
}

struct Server {
    manner: Manner,
    seen: Arc<Seen>,
    calls: Mutex<HashMap<String, Session>>,
}

struct Request {
    method: String,
    path: String,
    authorization: Option<String>,
    body: String,
}

impl Server {
    /// Answers the requests of one connection.
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read_request(&mut stream).await {
            let response = self.respond(request).await;
            stream.write_all(response.as_bytes()).await.unwrap();
        }
    }

    async fn respond(&self, request: Request) -> String {
        let wanted = self.manner.token.map(|token| format!("Bearer {token}"));
        if wanted.is_some() && wanted != request.authorization {
            let problem = json!({
                "title": "No access",
                "detail": "an access key is needed",
                "field": "authorization",
            });
            let body = problem.to_string();
            return response(
                "401 Unauthorized",
                "Content-Type: application/problem+json\r\n",
                &body,
            );
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/v1/rtc") => {
                let codec = codec_of(&request.body);
                let seen = Arc::clone(&self.seen);
                let (session, answer) =
                    Session::answer(request.body, codec, self.manner, seen).await;
                let id = format!("/v1/rtc/{}", self.calls.lock().unwrap().len());
                let headers = format!(
                    "Content-Type: application/sdp\r\nLocation: {id}\r\nETag: \"1\"\r\n\
                     Link: <stun:127.0.0.1:9>; rel=\"ice-server\"\r\n"
                );
                self.calls.lock().unwrap().insert(id, session);
                response("201 Created", &headers, &answer)
            }
            ("DELETE", path) => {
                let session = self.calls.lock().unwrap().get(path).cloned();
                let Some(session) = session else { return response("404 Not Found", "", "") };
                session.close().await;
                self.seen.ended.fetch_add(1, Ordering::SeqCst);
                response("200 OK", "", "")
            }
            _ => response("404 Not Found", "", ""),
        }
    }
}

fn codec_of(offer: &str) -> CodecKind {
    match offer {
        offer if offer.contains("PCMU/8000") => CodecKind::Pcmu,
        offer if offer.contains("PCMA/8000") => CodecKind::Pcma,
        _ => CodecKind::Opus,
    }
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let authorization = headers.remove("authorization");
    Some(Request { method, path, authorization, body: String::from_utf8(body).unwrap() })
}

/// What the agent does about a message of the data channel.
pub(crate) enum Asked {
    Answer(String),
    Speak,
    Playout(u32),
    Nothing,
}

/// Just enough RTVI for the caller.
pub(crate) fn read_message(text: &str) -> Asked {
    let message: Value = serde_json::from_str(text).unwrap();
    assert_eq!(message["label"], "rtvi-ai");
    match message["type"].as_str().unwrap() {
        "client-ready" => Asked::Answer(rtvi("bot-ready", &json!({"version": "2.1.0"}))),
        "send-text" => Asked::Speak,
        "client-message" if message["data"]["t"] == "playout" => {
            Asked::Playout(message["data"]["d"]["generation"].as_u64().unwrap() as u32)
        }
        _ => Asked::Nothing,
    }
}

pub(crate) fn rtvi(kind: &str, data: &Value) -> String {
    json!({"label": "rtvi-ai", "type": kind, "data": data}).to_string()
}
