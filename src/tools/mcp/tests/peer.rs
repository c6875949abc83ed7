//! A server of the protocol, written from its specification (2025-06-18, streamable HTTP): one answer a
//! connection, no stream of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How a server starts; its tools do what their names say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Works,
    Refuses,
    TalksNonsense,
    NeverLists,
    TurnsPages,
}

pub(super) struct Peer {
    pub(super) url: String,
    calls: mpsc::UnboundedReceiver<(String, Value)>,
    task: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Shared {
    manner: Manner,
    tools: Vec<Value>,
    /// The session that it knows.
    session: AtomicUsize,
    attempts: AtomicUsize,
    calls: mpsc::UnboundedSender<(String, Value)>,
}

enum Reply {
    Json(Value),
    /// The status and the rest of the head, and the body, as they are.
    Raw(&'static str, String),
    /// Promises more than it sends.
    Cut,
    Never,
}

/// A tool as a server lists it.
pub(super) fn tool(name: &str) -> Value {
    json!({
        "name": name,
        "description": format!("Does {name}."),
        "inputSchema": { "type": "object", "properties": {} },
    })
}

impl Peer {
    pub(super) async fn start(manner: Manner, tools: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}/mcp", listener.local_addr().expect("it is bound"));
        let (calls_to, calls) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            manner,
            tools,
            session: AtomicUsize::new(1),
            attempts: AtomicUsize::new(0),
            calls: calls_to,
        });
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&shared)));
            }
        });
        Self { url, calls, task }
    }

    /// The heads and bodies of the calls of tools so far.
    pub(super) fn calls(&mut self) -> Vec<(String, Value)> {
        std::iter::from_fn(|| self.calls.try_recv().ok()).collect()
    }
}

async fn serve(mut socket: TcpStream, shared: Arc<Shared>) {
    let Some((head, body)) = request(&mut socket).await else { return };
    let session = shared.session.load(Ordering::SeqCst);
    let told = format!("mcp-session-id: {session}");
    let reply = match head.split(' ').next().unwrap_or_default() {
        "GET" => Reply::Raw("405 Method Not Allowed", String::new()),
        "DELETE" => Reply::Raw("200 OK", String::new()),
        _ if shared.manner == Manner::Refuses => Reply::Raw("401 Unauthorized", String::new()),
        _ if body["method"] != "initialize" && !head.to_lowercase().contains(&told) => {
            Reply::Raw("404 Not Found", String::new())
        }
        _ => answer(&shared, &head, &body),
    };
    let text = match reply {
        Reply::Json(result) => {
            let body = json!({ "jsonrpc": "2.0", "id": body["id"], "result": result });
            whole("200 OK\r\ncontent-type: application/json", &told, &body.to_string())
        }
        Reply::Raw(head, body) => whole(head, &told, &body),
        Reply::Cut => {
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{\"js"
                .to_owned()
        }
        Reply::Never => {
            // Until the client hangs up.
            let _ = socket.read(&mut [0; 1]).await;
            return;
        }
    };
    // The client may have hung up.
    let _ = socket.write_all(text.as_bytes()).await;
}

fn whole(head: &str, session: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {head}\r\n{session}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn answer(shared: &Shared, head: &str, body: &Value) -> Reply {
    match body["method"].as_str().unwrap_or_default() {
        "initialize" if shared.manner == Manner::TalksNonsense => {
            Reply::Raw("200 OK\r\ncontent-type: application/json", "{\"caf\u{e9}\": [".to_owned())
        }
        "initialize" => Reply::Json(json!({
            "protocolVersion": "2025-06-18",
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "peer", "version": "1" },
        })),
        "tools/list" => match shared.manner {
            Manner::NeverLists => Reply::Never,
            Manner::TurnsPages => Reply::Json(json!({ "tools": [], "nextCursor": "again" })),
            // Two pages, if there are enough of them.
            _ if body["params"]["cursor"] == "rest" => {
                Reply::Json(json!({ "tools": shared.tools[1..] }))
            }
            _ if shared.tools.len() > 1 => {
                Reply::Json(json!({ "tools": shared.tools[..1], "nextCursor": "rest" }))
            }
            _ => Reply::Json(json!({ "tools": shared.tools })),
        },
        "tools/call" => {
            shared.calls.send((head.to_owned(), body.clone())).expect("the test still runs");
            called(shared, body)
        }
        _ => Reply::Raw("202 Accepted", String::new()),
    }
}

fn called(shared: &Shared, body: &Value) -> Reply {
    let says = |text: &str| Reply::Json(json!({ "content": [{ "type": "text", "text": text }] }));
    match body["params"]["name"].as_str().unwrap_or_default() {
        "structure" => Reply::Json(json!({
            "content": [{ "type": "text", "text": "ignored" }],
            "structuredContent": body["params"]["arguments"],
        })),
        "text" => Reply::Json(json!({ "content": [
            { "type": "text", "text": "One." },
            { "type": "image", "data": "AAAA", "mimeType": "image/png" },
        ] })),
        "fails" => Reply::Json(json!({
            "content": [{ "type": "text", "text": "no such order" }], "isError": true,
        })),
        "refuses" => {
            let error = json!({ "code": -32602, "message": "bad order" });
            let body = json!({ "jsonrpc": "2.0", "id": body["id"], "error": error });
            Reply::Raw("200 OK\r\ncontent-type: application/json", body.to_string())
        }
        "enormous" => says(&"x".repeat(40_000)),
        "hangs" => Reply::Never,
        "garbage" => Reply::Raw("200 OK\r\ncontent-type: application/json", "[[[".to_owned()),
        "dies" => Reply::Cut,
        "flaky" if shared.attempts.fetch_add(1, Ordering::SeqCst) == 0 => Reply::Cut,
        "forget" => {
            shared.session.fetch_add(1, Ordering::SeqCst);
            says("Who?")
        }
        _ => says("At last."),
    }
}

/// One request's head and body; `None` if the client hung up before.
async fn request(socket: &mut TcpStream) -> Option<(String, Value)> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                let body = serde_json::from_str(body).unwrap_or(Value::Null);
                return Some((head.to_owned(), body));
            }
        }
        let count = socket.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
    }
}
