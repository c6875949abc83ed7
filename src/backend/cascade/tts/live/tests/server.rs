//! A provider, as its documentation has it: scripted connection by connection.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use crate::backend::tests::within;

/// What a connection does next.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Waits for a message of the client.
    Read,
    /// Sends this, `CONTEXT` being that of the newest message that was read.
    Text(String),
    Binary(Vec<u8>),
    /// MessagePack.
    Packet(Value),
    /// Sends this again and again.
    Flood(&'static str),
    /// Waits until the client has gone.
    Stay,
    /// Closes in order.
    Close(u16, &'static str),
    /// Instead of a handshake.
    Answer(&'static str),
    /// Takes the connection and says nothing.
    Silence,
}

/// What the client did.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    /// Opened a connection: the path with its query, and the headers' lines.
    Opened(String, String),
    /// Sent this; packets and texts alike.
    Sent(Value),
    /// Closed the connection.
    Closed,
}

pub(super) struct Server {
    pub(super) url: String,
    seen: mpsc::UnboundedReceiver<Seen>,
}

impl Server {
    /// Each connection in turn does what one of the scripts says, then is dropped.
    pub(super) async fn start(scripts: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("ws://{}", listener.local_addr().expect("it is bound"));
        let (tell, seen) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for script in scripts {
                let (stream, _) = listener.accept().await.expect("somebody connects");
                tokio::spawn(serve(stream, script, tell.clone()));
            }
        });
        Self { url, seen }
    }

    pub(super) async fn next(&mut self) -> Seen {
        within(self.seen.recv()).await.expect("the client does more")
    }

    /// What the client did already.
    pub(super) fn seen_now(&mut self) -> Result<Seen, TryRecvError> {
        self.seen.try_recv()
    }

    pub(super) async fn opened(&mut self) -> (String, String) {
        match self.next().await {
            Seen::Opened(path, headers) => (path, headers),
            other => panic!("expected a connection: {other:?}"),
        }
    }

    pub(super) async fn sent(&mut self) -> Value {
        match self.next().await {
            Seen::Sent(message) => message,
            other => panic!("expected a message: {other:?}"),
        }
    }
}

async fn serve(mut stream: TcpStream, script: Vec<Act>, tell: mpsc::UnboundedSender<Seen>) {
    match script.first() {
        Some(Act::Answer(answer)) => {
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
            return;
        }
        Some(Act::Silence) => return std::future::pending().await,
        _ => {}
    }
    let mut opened = None;
    #[expect(clippy::result_large_err, reason = "the library's signature")]
    let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let headers = request.headers().iter();
        let line = |(name, value): (_, &HeaderValue)| {
            format!("{name}: {}\n", value.to_str().expect("it is text"))
        };
        opened = Some(Seen::Opened(request.uri().to_string(), headers.map(line).collect()));
        Ok(response)
    };
    let mut socket = accept_hdr_async(stream, look).await.expect("it is a handshake");
    let _ = tell.send(opened.expect("it was looked at"));
    let mut context = String::new();
    for act in script {
        match act {
            Act::Read => {
                let Some(message) = read(&mut socket).await else { break };
                if let Some(named) = message["context_id"].as_str() {
                    named.clone_into(&mut context);
                }
                let _ = tell.send(Seen::Sent(message));
            }
            Act::Text(text) => {
                let _ = socket.send(Message::text(text.replace("CONTEXT", &context))).await;
            }
            Act::Binary(bytes) => {
                let _ = socket.send(Message::binary(bytes)).await;
            }
            Act::Packet(packet) => {
                let bytes = rmp_serde::to_vec_named(&packet).expect("it can be written");
                let _ = socket.send(Message::binary(bytes)).await;
            }
            Act::Flood(text) => while socket.send(Message::text(text)).await.is_ok() {},
            Act::Stay => while read(&mut socket).await.is_some() {},
            Act::Close(code, reason) => {
                let frame = CloseFrame { code: code.into(), reason: reason.into() };
                let _ = socket.close(Some(frame)).await;
                while socket.next().await.is_some_and(|message| message.is_ok()) {}
                return;
            }
            Act::Answer(_) | Act::Silence => unreachable!("they are the first of their script"),
        }
    }
    let _ = tell.send(Seen::Closed);
}

/// The client's next message; `None` if it closed the connection.
async fn read(socket: &mut WebSocketStream<TcpStream>) -> Option<Value> {
    loop {
        match socket.next().await?.ok()? {
            Message::Text(text) => return Some(serde_json::from_str(&text).expect("it is JSON")),
            Message::Binary(bytes) => {
                return Some(rmp_serde::from_slice(&bytes).expect("it is MessagePack"));
            }
            Message::Close(_) => return None,
            _ => {}
        }
    }
}
