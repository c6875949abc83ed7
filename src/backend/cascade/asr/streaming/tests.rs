//! The clients against servers that are built from the services' documents: over real sockets, on time, late,
//! wrong, and gone.

use std::sync::Mutex;

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use super::*;
use crate::agent::PcmFrame;
use crate::backend::tests::within;
use crate::call::event::{Generation, TurnId};
use crate::cascade::failover::FailureKind;
use crate::limits::WIDEBAND_FRAME;

mod deepgram_services;
mod faults;
mod moshi_service;

const LOUD: PcmFrame = PcmFrame([1_000; WIDEBAND_FRAME]);
const TURN: TurnId = TurnId(1);
/// The patience in the tests where it must run out.
const SOON: Duration = Duration::from_millis(300);

/// One side of a connection, as a server has it.
type Peer = WebSocketStream<TcpStream>;

async fn socket() -> (TcpListener, String) {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("ws://{}/base", socket.local_addr().expect("it is bound"));
    (socket, url)
}

/// Accepts a connection, and tells its path with query and one of its headers.
#[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
async fn accept(socket: &TcpListener, header: &str) -> (Peer, String, String) {
    let (stream, _) = socket.accept().await.expect("somebody connects");
    let asked = Mutex::new((String::new(), String::new()));
    let look = |request: &Request, response: Response| {
        let value = request.headers().get(header).map(|value| value.to_str().unwrap_or("?"));
        let value = value.unwrap_or_default().to_owned();
        *asked.lock().expect("no panic") = (request.uri().to_string(), value);
        Ok(response)
    };
    let peer = accept_hdr_async(stream, look).await.expect("a handshake");
    let (uri, value) = asked.into_inner().expect("no panic");
    (peer, uri, value)
}

/// The next message that is audio or text; pings are answered by the library.
async fn next(peer: &mut Peer) -> Option<Message> {
    loop {
        match peer.next().await? {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => return Some(message),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

/// Reads until a text of this type comes; tells the bytes of audio before it.
async fn until(peer: &mut Peer, kind: &str) -> usize {
    let mut bytes = 0;
    loop {
        match next(peer).await.expect("more comes") {
            Message::Binary(audio) => bytes += audio.len(),
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text).expect("it is JSON");
                if message["type"] == kind {
                    return bytes;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn tell(peer: &mut Peer, message: &Value) {
    peer.send(Message::text(message.to_string())).await.expect("it is sent");
}

fn open(service: Result<Streaming, BackendError>) -> (Listener, mpsc::Receiver<AsrReport>) {
    super::open(Arc::new(service.expect("the settings are right")), Bill::unseen())
}

fn say(listener: &mut Listener, frames: usize) {
    listener.ask(Ask::Start(TURN)).expect("there is room");
    (0..frames).for_each(|_| listener.hear(LOUD));
}

fn end(listener: &mut Listener, generation: u32) {
    let generation = Generation(generation);
    listener.ask(Ask::End { turn: TURN, generation }).expect("there is room");
}

/// The next report that is neither a partial text nor a look.
async fn answer(reports: &mut mpsc::Receiver<AsrReport>) -> AsrReport {
    loop {
        match within(reports.recv()).await.expect("the recogniser lives") {
            AsrReport::Partial { .. } | AsrReport::LooksComplete { .. } => {}
            other => return other,
        }
    }
}

fn finally(generation: u32, text: &str) -> AsrReport {
    AsrReport::Final { turn: TURN, generation: Generation(generation), text: text.to_owned() }
}

fn deepgram_at(url: String) -> DeepgramSettings {
    let mut settings = DeepgramSettings::new(Some("the-key".to_owned()));
    (settings.url, settings.connect_timeout) = (url, SOON * 10);
    settings
}

/// A piece of what Deepgram's Nova heard, from a second of its audio on.
fn results(text: &str, start: f64, duration: f64, flags: &[&str]) -> Value {
    let mut message = json!({
        "type": "Results", "channel_index": [0, 1], "start": start, "duration": duration,
        "is_final": false, "speech_final": false, "from_finalize": false,
        "channel": { "alternatives": [{ "transcript": text, "confidence": 0.98, "words": [] }] },
    });
    flags.iter().for_each(|flag| message[*flag] = true.into());
    message
}

/// Hears one turn of 400 ms.
async fn hear_a_turn(peer: &mut Peer, text: &str) {
    assert_eq!(until(peer, "Finalize").await, 20 * 2 * WIDEBAND_FRAME);
    tell(peer, &results(text, 0.0, 0.4, &["is_final", "from_finalize"])).await;
}
