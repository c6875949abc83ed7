//! Tools over the real SDK: a web server's, several at once, and a connection that does not live to see the
//! result.

use std::sync::{Arc, Mutex};

use antiphon::tools::{Secret, WebhookSettings};
use antiphon_nova_sim::settings::Quirks;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use super::*;

/// A web server whose answer to each use is the arguments, after a while.
struct Shop {
    url: String,
    /// Heads and bodies of what came, in order.
    seen: Arc<Mutex<Vec<(String, Value)>>>,
    task: AbortHandle,
}

impl Shop {
    async fn open(takes: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/use", listener.local_addr().expect("it is bound"));
        let seen: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let kept = Arc::clone(&seen);
        let serve = async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&kept), takes));
            }
        };
        Self { url, seen, task: tokio::spawn(serve).abort_handle() }
    }

    /// A tool with one whole number, done here.
    fn tool(&self, name: &str, argument: &str) -> ToolSpec {
        let secret = Some(Secret::new("the key".to_owned()));
        let webhook = WebhookSettings { url: self.url.clone(), secret };
        let executor = Executor::Server(Job::Webhook(webhook));
        let mut spec = ToolSpec::new(name, "Looks something up.", executor);
        spec.parameters["properties"][argument]["type"] = "integer".into();
        spec
    }

    fn seen(&self) -> Vec<(String, Value)> {
        self.seen.lock().expect("whole").clone()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers one request of a connection.
async fn serve(mut socket: TcpStream, seen: Arc<Mutex<Vec<(String, Value)>>>, takes: Duration) {
    let mut request = Vec::new();
    let (head, body) = loop {
        let mut piece = [0; 4_096];
        let count = socket.read(&mut piece).await.expect("the client sends");
        assert!(count > 0, "the client hung up in the middle of its request");
        request.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str::<Value>(body)
        {
            break (head.to_lowercase(), body);
        }
    };
    let result = body["arguments"].to_string();
    seen.lock().expect("whole").push((head, body));
    // What this server takes, as real ones do.
    tokio::time::sleep(takes).await;
    let length = result.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    // The client may have given up.
    let _gone = socket.write_all(format!("{head}{result}").as_bytes()).await;
}

fn header<'h>(head: &'h str, name: &str) -> &'h str {
    let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {head}"))
}

#[tokio::test]
async fn tools_called_at_once_are_each_run_and_answered_once() {
    let shop = Shop::open(Duration::from_millis(50)).await;
    let quirks = Quirks { tools_in_parallel: true, tool_doubly_encoded: true, ..Quirks::default() };
    let service = Service::start(SimSettings { quirks, ..sim() }).await;
    let tools = vec![shop.tool("order_status", "order"), shop.tool("weather", "price")];
    let tools = Toolbox::new(tools).expect("lawful tools");
    let backend = service.backend(nova(), service.connection(), tools);
    let manners = Manners { preface: "order status weather", answer_words: 4, ..MANNERS };
    for mut exchange in talk(&mut call(&backend, manners), 2).await {
        let number = exchange.number;
        let mut expected = Word::all_in(&format!("order {number} price {number}"));
        expected.sort_unstable();
        exchange.words.sort_unstable();
        assert_eq!(exchange.words, expected, "{exchange:?}");
    }
    let counts = service.sim.counts();
    assert_lawful(&counts);
    assert_eq!(counts.requests.get("toolResult"), counts.replies.get("toolUse"), "{counts:?}");
    let mut keys: Vec<String> = Vec::new();
    for (head, _) in shop.seen() {
        assert!(header(&head, "antiphon-signature").contains("v1="), "{head}");
        keys.push(header(&head, "idempotency-key").to_owned());
    }
    let runs = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), runs, "each use has a key of its own");
    assert!(runs >= 4, "{runs} runs");
}

#[tokio::test]
async fn a_result_that_its_connection_does_not_live_to_see_is_told_to_the_next() {
    let shop = Shop::open(Duration::from_secs(2)).await;
    let when = When::After { delay: Duration::from_millis(2_600), nth: Some(1) };
    let faults = vec![FaultRule { faults: vec![Fault::Stream(StreamFault::Close)], when }];
    let service = Service::start(SimSettings { faults, ..sim() }).await;
    let tools = Toolbox::new(vec![shop.tool("lookup", "time")]).expect("a lawful tool");
    let backend = service.backend(nova(), service.connection(), tools);
    let mut call = call(&backend, Manners { preface: "lookup", ..MANNERS });
    let exchange = talk(&mut call, 1).await.remove(0);
    // The simulator takes the number in what it is told for a question.
    assert_eq!(exchange.words, count::answer(1, ANSWER_WORDS), "{exchange:?}");
    assert_eq!(shop.seen().len(), 1, "it was run once");
    let counts = service.sim.counts();
    assert_lawful(&counts);
    assert_eq!(counts.requests.get("toolResult"), None, "the connection that asked is gone");
    assert!(counts.streams >= 2, "{counts:?}");
}
