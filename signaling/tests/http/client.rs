//! A client that can write anything, and a server to write it to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use antiphon_signaling::{Limits, Page, Secret, SignalingConfig, router, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::fake::FakePort;

/// Long enough for a loaded machine; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Names and values.
pub(crate) type Headers<'a> = &'a [(&'a str, &'a str)];

/// A configuration with these access keys, and nothing else of note.
pub(crate) fn config(keys: &[&str]) -> SignalingConfig {
    SignalingConfig {
        access_keys: keys.iter().map(|key| Secret::new(*key)).collect(),
        allowed_origins: Vec::new(),
        public_url: None,
        limits: Limits::STANDARD,
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) port: Arc<FakePort>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(config: SignalingConfig) -> Self {
        Self::start_with(config, &[]).await
    }

    pub(crate) async fn start_with(config: SignalingConfig, pages: &'static [Page]) -> Self {
        let port = Arc::new(FakePort::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let limits = config.limits;
        let router = router(Arc::clone(&port), config, pages);
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _either_way = stopped.await;
        };
        let ended = tokio::spawn(serve(listener, router, limits, shutdown));
        Self { address, port, stop, ended }
    }

    /// Asks the server to stop; the handle is ready when it has.
    pub(crate) fn stop(self) -> (JoinHandle<()>, Arc<FakePort>) {
        self.stop.send(()).expect("the server runs");
        (self.ended, self.port)
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection(TcpStream::connect(self.address).await.expect("the server listens"))
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: Headers<'_>,
        body: &[u8],
    ) -> Reply {
        let mut connection = self.connect().await;
        connection.write(&request(method, path, headers, body)).await;
        let received = connection.read_to_end().await;
        Reply::parse(&received).expect("a response")
    }
}

/// The bytes of a request after which the server closes. A `Host` among `headers` replaces the
/// usual one.
pub(crate) fn request(method: &str, path: &str, headers: Headers<'_>, body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        text.push_str("host: 127.0.0.1:8080\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}

pub(crate) struct Connection(pub(crate) TcpStream);

impl Connection {
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        // The server may have answered and closed before it took everything.
        let _cut_off = self.0.write_all(bytes).await;
    }

    /// Everything until the server closes the connection, which it must.
    pub(crate) async fn read_to_end(&mut self) -> Vec<u8> {
        let mut received = Vec::new();
        let reading = async {
            // A reset ends a connection too; what came before it counts.
            let _reset = self.0.read_to_end(&mut received).await;
        };
        timeout(PATIENCE, reading).await.expect("the server closes the connection");
        received
    }

    /// Bytes up to and including `end`.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        let mut received = Vec::new();
        let reading = async {
            while !received.ends_with(end.as_bytes()) {
                received.push(self.0.read_u8().await.expect("more bytes"));
            }
        };
        timeout(PATIENCE, reading).await.expect("the server answers");
        String::from_utf8(received).expect("text")
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Some(Self { status, headers, body: bytes[end + 4..].to_vec() })
    }

    /// All values of a header, joined by ` | `; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> String {
        let values = self.headers.iter().filter(|(known, _)| known == name);
        values.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" | ")
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Checks that this is a problem document whose members agree with the status, and returns it.
    pub(crate) fn problem(&self, what: &str) -> serde_json::Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{what}: {self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{what}");
        for member in ["type", "title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{what}");
        }
        problem
    }
}
