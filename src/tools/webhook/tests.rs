//! What goes over the wire, against a server that checks, dawdles, breaks and lies.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::tools::Job;

/// A server on a port of its own that answers one request after the other.
pub(in crate::tools) struct Server {
    pub(in crate::tools) url: String,
    requests: mpsc::UnboundedReceiver<String>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the server does once it has read a request.
pub(in crate::tools) enum Act {
    /// Sends this as it is and closes the connection.
    Send(String),
    /// Waits until the client hangs up.
    Hang,
}

impl Server {
    /// Serves as many requests as there are acts; further ones are not accepted.
    pub(in crate::tools) async fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (seen, requests) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            for act in acts {
                let (mut socket, _) = listener.accept().await.expect("the client connects");
                seen.send(request(&mut socket).await).expect("the test still runs");
                match act {
                    // The client may hang up when it has seen enough.
                    Act::Send(text) => drop(socket.write_all(text.as_bytes()).await),
                    Act::Hang => drop(socket.read(&mut [0; 1]).await),
                }
            }
        });
        Self { url: format!("http://{address}/hook"), requests, task }
    }

    /// The requests that came so far.
    pub(in crate::tools) fn requests(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }
}

/// Reads one request: its head and as much of a body as the head says.
async fn request(socket: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let count = socket.read(&mut buffer).await.expect("the client sends");
        request.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8(request.clone()).expect("it is text");
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length").and_then(|length| length.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        assert!(count > 0, "the client hung up in the middle of its request");
    }
}

fn header<'t>(request: &'t str, name: &str) -> Option<&'t str> {
    let lines = request.lines().take_while(|line| !line.is_empty());
    let mut pairs = lines.filter_map(|line| line.split_once(": "));
    pairs.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

pub(in crate::tools) fn answer(status: &str, body: &str) -> Act {
    let length = body.len();
    Act::Send(format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ))
}

fn settings(url: &str) -> WebhookSettings {
    WebhookSettings { url: url.to_owned(), secret: Some(Secret::new("the-key".to_owned())) }
}

pub(in crate::tools) fn run(url: &str, idempotent: bool, time: Duration) -> ToolRun {
    ToolRun {
        ticket: 7,
        call_id: "call-1".to_owned(),
        use_id: "tu-9".to_owned(),
        tool: "weather".to_owned(),
        job: Job::Webhook(settings(url)),
        arguments: json!({ "city": "Zürich" }),
        idempotency_key: "call-1/tu-9".to_owned(),
        timeout: time,
        idempotent,
    }
}

/// The result of one call, and the requests that it took.
async fn called(acts: Vec<Act>, idempotent: bool) -> (Result<Value, WebhookError>, Vec<String>) {
    let mut server = Server::start(acts).await;
    let run = run(&server.url, idempotent, Duration::from_secs(10));
    let webhooks = Webhooks::new().expect("the client can be set up");
    let settings = settings(&server.url);
    let call = webhooks.call(&settings, &run, Instant::now() + run.timeout);
    let result = timeout(Duration::from_secs(10), call).await.expect("it comes to an end");
    (result, server.requests())
}

#[tokio::test]
async fn the_request_is_what_was_promised_and_its_signature_can_be_checked() {
    let (result, requests) = called(vec![answer("200 OK", r#"{"sunny":true}"#)], false).await;
    assert_eq!(result, Ok(json!({ "sunny": true })));
    let (head, body) = requests[0].split_once("\r\n\r\n").expect("it has a body");
    assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
    let expected = json!({
        "call_id": "call-1", "tool": "weather", "use_id": "tu-9", "arguments": { "city": "Zürich" },
    });
    assert_eq!(serde_json::from_str::<Value>(body).expect("it is JSON"), expected);
    assert_eq!(header(head, "content-type"), Some("application/json"));
    assert_eq!(header(head, "antiphon-tool"), Some("weather"));
    assert_eq!(header(head, "idempotency-key"), Some("call-1/tu-9"));
    let signature = header(head, "antiphon-signature").expect("it is signed");
    let (time, digest) = signature.split_once(",v1=").expect("it has two parts");
    let time = time.strip_prefix("t=").expect("the time comes first");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    assert!(now.abs_diff(time.parse().expect("it is in seconds")) < 60, "{signature}");
    let digest: Vec<u8> = (0..digest.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digest[at..at + 2], 16).expect("it is hexadecimal"))
        .collect();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"the-key").expect("any length");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    mac.verify_slice(&digest).expect("the signature is of this body and time");
}

#[test]
fn the_signature_is_the_one_that_others_compute() {
    // printf '1767225600.{}' | openssl dgst -sha256 -hmac the-key
    let expected =
        "t=1767225600,v1=9298b4e214cdef12f2545ef7ced3171781fd6ceefa0564e1fec89618ae1ccba8";
    assert_eq!(sign(&Secret::new("the-key".to_owned()), 1_767_225_600, "{}"), expected);
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed() {
    let mut server = Server::start(vec![answer("200 OK", "{}")]).await;
    let settings = WebhookSettings { url: server.url.clone(), secret: None };
    let run = run(&server.url, false, Duration::from_secs(10));
    let webhooks = Webhooks::new().expect("the client can be set up");
    let result = webhooks.call(&settings, &run, Instant::now() + run.timeout).await;
    assert_eq!(result, Ok(json!({})));
    assert_eq!(header(&server.requests()[0], "antiphon-signature"), None);
}

#[tokio::test]
async fn answers_are_results_or_told_apart() {
    let refused = |status, body: &str| WebhookError::Refused { status, body: body.to_owned() };
    let unusable = |problem: &str| WebhookError::Unusable(problem.to_owned());
    let large = json!("x".repeat(TOOL_RESULT_BYTES_MAX - 2)).to_string();
    let endless = "x".repeat(TOOL_RESULT_BYTES_MAX + 1);
    let deep = "[".repeat(TOOL_JSON_DEPTH_MAX + 1);
    let moved = "307 Moved\r\nlocation: http://127.0.0.1:9/";
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{";
    let short = format!("{}…", "é".repeat(WEBHOOK_ERROR_CHARS_MAX - 1));
    let rows = [
        (answer("200 OK", "[1]"), Ok(json!([1]))),
        (answer("201 Created", &large), Ok(json!("x".repeat(TOOL_RESULT_BYTES_MAX - 2)))),
        (answer("204 No Content", ""), Ok(Value::Null)),
        (answer("200 OK", &endless), Err(WebhookError::TooLarge)),
        (
            answer("200 OK", &deep),
            Err(unusable(
                "expected at most 32 levels of lists and objects within each other, received more",
            )),
        ),
        (answer("500 Oh", " no stock\n"), Err(refused(500, "no stock"))),
        (answer("500 Oh", &"é".repeat(5_000)), Err(refused(500, &short))),
        (answer("500 Oh", &endless), Err(refused(500, ""))),
        (answer(moved, ""), Err(refused(307, ""))),
        (Act::Send(cut.to_owned()), Err(WebhookError::Broken)),
        (Act::Send("SMTP ready\r\n".to_owned()), Err(WebhookError::Broken)),
        (Act::Send(String::new()), Err(WebhookError::Broken)),
    ];
    for (act, expected) in rows {
        let (result, requests) = called(vec![act], false).await;
        assert_eq!(result, expected);
        assert_eq!(requests.len(), 1);
    }
    let (result, _) = called(vec![answer("200 OK", "<p>fine</p>")], false).await;
    let Err(WebhookError::Unusable(problem)) = result else { panic!("{result:?}") };
    assert!(problem.starts_with("expected JSON") && !problem.contains("fine"), "{problem}");
}

#[tokio::test]
async fn only_what_is_idempotent_is_tried_again_and_with_the_same_key() {
    for passing in ["429 Slow down", "502 Bad", "503 Busy", "504 Late"] {
        let acts = || vec![answer(passing, ""), answer("200 OK", "{}")];
        let (result, requests) = called(acts(), true).await;
        assert_eq!((result, requests.len()), (Ok(json!({})), 2), "{passing}");
        let keys: Vec<_> = requests.iter().map(|text| header(text, "idempotency-key")).collect();
        assert_eq!(keys, [Some("call-1/tu-9"); 2]);
        let (result, requests) = called(acts(), false).await;
        assert!(matches!(result, Err(WebhookError::Refused { .. })), "{passing}: {result:?}");
        assert_eq!(requests.len(), 1, "{passing}");
    }
    let dropped = vec![Act::Send(String::new()), answer("200 OK", "{}")];
    assert_eq!(called(dropped, true).await.0, Ok(json!({})));
    for lasting in ["400 Bad", "401 Who", "404 No", "500 Oh"] {
        let (result, requests) =
            called(vec![answer(lasting, ""), answer("200 OK", "{}")], true).await;
        assert!(matches!(result, Err(WebhookError::Refused { .. })), "{lasting}: {result:?}");
        assert_eq!(requests.len(), 1, "{lasting}");
    }
}

#[tokio::test]
async fn attempts_come_to_an_end() {
    let (result, requests) =
        called((0..4).map(|n| answer("503 Busy", &n.to_string())).collect(), true).await;
    assert_eq!(result, Err(WebhookError::Refused { status: 503, body: "2".to_owned() }));
    assert_eq!(requests.len(), 1 + WEBHOOK_RETRY_PAUSES.len());
    // No time is left for the pause before the third.
    let mut server = Server::start((0..3).map(|_| answer("503 Busy", "")).collect()).await;
    let run = run(&server.url, true, Duration::from_secs(10));
    let webhooks = Webhooks::new().expect("the client can be set up");
    let deadline = Instant::now() + WEBHOOK_RETRY_PAUSES[1];
    let result = webhooks.call(&settings(&server.url), &run, deadline).await;
    assert!(matches!(result, Err(WebhookError::Refused { status: 503, .. })), "{result:?}");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn nobody_listening_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
    drop(listener);
    let run = run(&url, false, Duration::from_secs(10));
    let webhooks = Webhooks::new().expect("the client can be set up");
    let result = webhooks.call(&settings(&url), &run, Instant::now() + run.timeout).await;
    assert_eq!(result, Err(WebhookError::Unreachable));
}

#[test]
fn addresses_are_checked_without_repeating_a_password() {
    assert_eq!(check_url("https://example.com/hook?x=1", "secret_env"), Ok(()));
    assert_eq!(check_url("http://127.0.0.1:9", "secret_env"), Ok(()));
    let rows = [
        ("example.com", "no address"),
        ("", "no address"),
        ("https://", "no address"),
        ("ftp://example.com", "begins with ftp:"),
        ("https://u:hunter2@example.com", "use secret_env"),
    ];
    for (url, expected) in rows {
        let problem = check_url(url, "secret_env").expect_err(url);
        assert!(problem.contains(expected) && !problem.contains("hunter2"), "{problem}");
    }
}

#[test]
fn what_the_server_said_stays_out_of_the_log() {
    let error = WebhookError::Refused { status: 500, body: "Ann owes 5".to_owned() };
    assert_eq!(error.for_log(), "the tool's server answered 500");
    assert_eq!(error.to_string(), "the tool's server answered 500: Ann owes 5");
    let secret = settings("http://a");
    assert!(!format!("{secret:?}").contains("the-key"));
}
