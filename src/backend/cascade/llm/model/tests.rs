//! The model's client against a server that streams, dawdles, breaks and lies.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::backend::cascade::llm::{Calls, LlmStage, ModelReport, Silence, reports, silent};
use crate::backend::cascade::meter::Bill;
use crate::backend::tests::within;
use crate::call::event::Generation;
use crate::cascade::context::{Context, ContextSettings, ToolCall};

/// What the server does once it has read the request.
#[derive(Clone, Debug)]
pub(in crate::backend::cascade) enum Act {
    /// Sends this as it is.
    Raw(String),
    /// Sends this as one chunk of a chunked body.
    Chunk(String),
    /// The same, of bytes that are no text.
    Bytes(Vec<u8>),
    /// Dawdles.
    Wait(Duration),
    /// Waits until the client hangs up.
    Hang,
}

/// The patience in the tests where it must run out.
const FIRST: Duration = Duration::from_millis(1_000);
const STALL: Duration = Duration::from_millis(300);

const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

pub(in crate::backend::cascade) fn event(text: &str) -> Act {
    let content = serde_json::json!({ "choices": [{ "delta": { "content": text } }] });
    Act::Chunk(format!("data: {content}\n\n"))
}

pub(in crate::backend::cascade) fn stream(rest: Vec<Act>) -> Vec<Act> {
    [vec![Act::Raw(STREAM.to_owned())], rest].concat()
}

pub(in crate::backend::cascade) fn answer(status: &str, kind: &str, body: &str) -> Vec<Act> {
    let length = body.len();
    vec![Act::Raw(format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    ))]
}

/// Reads one request: its head and as much of a body as the head says.
async fn read_request(socket: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let count = socket.read(&mut buffer).await.expect("the client sends");
        request.extend_from_slice(&buffer[..count]);
        if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]);
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.parse().ok())?
            });
            if request.len() - end - 4 >= length.unwrap_or(0) {
                return String::from_utf8_lossy(&request).into_owned();
            }
        }
        assert!(count > 0, "the client hung up in the middle of its request");
    }
}

/// Serves one request and returns its text once the client has hung up or everything was sent.
pub(in crate::backend::cascade) async fn serve(listener: &TcpListener, acts: Vec<Act>) -> String {
    serve_by(listener, |_| acts).await
}

/// A server of so many requests, one after the other; its address, and the texts of the requests.
pub(in crate::backend::cascade) async fn serve_all(
    answers: Vec<Vec<Act>>,
) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/v1", listener.local_addr().expect("it is bound"));
    let server = tokio::spawn(async move {
        let mut requests = Vec::new();
        for acts in answers {
            requests.push(serve(&listener, acts).await);
        }
        requests
    });
    (url, server)
}

/// The same, where what is done depends on the request.
pub(in crate::backend::cascade) async fn serve_by(
    listener: &TcpListener,
    acts: impl FnOnce(&str) -> Vec<Act>,
) -> String {
    let (mut socket, _) = listener.accept().await.expect("the client connects");
    let request = read_request(&mut socket).await;
    for act in acts(&request) {
        let bytes = match act {
            Act::Raw(text) => text.into_bytes(),
            Act::Chunk(text) => format!("{:x}\r\n{text}\r\n", text.len()).into_bytes(),
            Act::Bytes(bytes) => {
                [format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat()
            }
            Act::Wait(time) => {
                tokio::time::sleep(time).await;
                continue;
            }
            Act::Hang => {
                // Ends when the client closes its side.
                let _ = socket.read(&mut [0; 1]).await;
                return request;
            }
        };
        // The client may hang up when it has seen enough.
        if socket.write_all(&bytes).await.is_err() {
            break;
        }
    }
    request
}

async fn model(change: fn(&mut LlmSettings)) -> (Model, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let key = Some("the-key".to_owned());
    let mut settings = LlmSettings::new(format!("http://{address}/v1/"), "small".to_owned(), key);
    change(&mut settings);
    (Model::new(settings).expect("the settings are right"), listener)
}

/// The text and the end of an answer.
async fn asked(model: Model) -> (String, Result<(), StageError>) {
    let mut context = Context::new("Be brief.".to_owned(), ContextSettings::default());
    context.user_said("hello");
    let (text, result) = asked_with(model, &context).await;
    (text, result.map(|calls| assert!(calls.is_empty())))
}

async fn asked_with(model: Model, context: &Context) -> (String, Result<Calls, StageError>) {
    let (reports, mut reported) = reports();
    let model = LlmStage::Chat(Arc::new(model));
    let bill = Bill::unseen();
    let _asking = model.ask(Generation(1), context, &[], reports, Silence::Fails, &bill);
    let mut seen = String::new();
    loop {
        match within(reported.recv()).await.expect("the request ends with a report") {
            ModelReport::Working { .. } => {}
            ModelReport::Text { text, .. } => seen += &text,
            ModelReport::Done { result, .. } => return (seen, result),
        }
    }
}

async fn check(acts: Vec<Act>, text: &str, result: Result<(), ModelError>) {
    let impatient = |settings: &mut LlmSettings| {
        settings.first_token_timeout = FIRST;
        settings.stall_timeout = STALL;
    };
    let is_slow = matches!(result, Err(ModelError::Slow(_)));
    let (model, listener) = model(if is_slow { impatient } else { |_| () }).await;
    let shown = format!("{acts:.200?}");
    let server = tokio::spawn(async move { serve(&listener, acts).await });
    assert_eq!(asked(model).await, (text.to_owned(), result.map_err(StageError::from)), "{shown}");
    server.abort();
}

#[tokio::test]
async fn a_stream_is_read_as_it_comes() {
    let done = || Act::Chunk("data: [DONE]\n\n".to_owned());
    let end = || Act::Chunk(String::new());
    let role = r#"data: {"choices":[{"delta":{"role":"assistant"}}]}"#;
    let comment = Act::Chunk(format!(": waking up\r\n\r\n{role}\r\n\r\n"));
    let split = |text: &str| Act::Chunk(text.to_owned());
    let rows = [
        (stream(vec![event("Hel"), event("lo."), done()]), "Hello."),
        (stream(vec![comment, event("Hi"), done()]), "Hi"),
        // What follows the last word is not waited for.
        (stream(vec![event("Hi"), done(), Act::Hang]), "Hi"),
        // Some servers only close.
        (stream(vec![event("Hi"), end()]), "Hi"),
        (
            stream(vec![
                split(r#"data: {"choices":[{"delta":{"con"#),
                split("tent\":\"é\"}}]}\n\n"),
                done(),
            ]),
            "é",
        ),
        (
            // Cut within a character.
            stream(vec![
                Act::Bytes(b"data: {\"choices\":[{\"delta\":{\"content\":\"\xc3".to_vec()),
                Act::Bytes(b"\xa9\"}}]}\n\n".to_vec()),
                done(),
            ]),
            "é",
        ),
        (
            answer("200 OK", "application/json", r#"{"choices":[{"message":{"content":"All."}}]}"#),
            "All.",
        ),
    ];
    for (acts, text) in rows {
        check(acts, text, Ok(())).await;
    }
}

#[tokio::test]
async fn what_goes_wrong_is_told_apart() {
    let refused =
        |status, message: &str| ModelError::Refused { status, message: message.to_owned() };
    let huge = "x".repeat(MODEL_EVENT_BYTES_MAX);
    let moved = "HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n";
    let short = STREAM.replace("transfer-encoding: chunked", "content-length: 900");
    let rows = [
        (vec![Act::Hang], "", ModelError::Slow(FIRST)),
        (stream(vec![Act::Hang]), "", ModelError::Slow(FIRST)),
        (stream(vec![event("One "), Act::Hang]), "One ", ModelError::Slow(STALL)),
        (stream(vec![Act::Chunk(String::new())]), "", ModelError::Broken),
        (vec![Act::Raw(short), Act::Raw("data: {}\n\n".into())], "", ModelError::Broken),
        (vec![], "", ModelError::Unreachable),
        (vec![Act::Raw("SMTP ready\r\n\r\n".into())], "", ModelError::Unreachable),
        (answer("503 Busy", "text/html", "<p>busy</p>"), "", refused(503, "")),
        (vec![Act::Raw(moved.into())], "", refused(307, "")),
        (
            answer("404 No", "application/json", r#"{"error":{"message":"no such model"}}"#),
            "",
            refused(404, "no such model"),
        ),
        (answer("500 No", "text/plain", &huge.repeat(2)), "", refused(500, "")),
        (
            stream(vec![
                event("One"),
                Act::Chunk("data: {\"error\":\"out of memory\"}\n\n".into()),
            ]),
            "One",
            ModelError::Failed("out of memory".to_owned()),
        ),
        (stream(vec![Act::Chunk("data: hello\n\n".into())]), "", ModelError::Malformed),
        (
            // Half a character, and never the rest of it.
            stream(vec![
                event("One"),
                Act::Bytes(b"data: \xc3\n\n".to_vec()),
                Act::Bytes(Vec::new()),
            ]),
            "One",
            ModelError::Malformed,
        ),
        (answer("200 OK", "application/json", "no"), "", ModelError::Malformed),
        (
            stream(vec![Act::Chunk(huge.clone()), Act::Chunk(huge.clone())]),
            "",
            ModelError::Oversized,
        ),
        (
            stream(vec![Act::Chunk(format!("data: {}\n", huge.replace('x', "\ndata: "))); 2]),
            "",
            ModelError::Oversized,
        ),
        (answer("200 OK", "application/json", &huge.repeat(2)), "", ModelError::Oversized),
    ];
    for (acts, text, error) in rows {
        check(acts, text, Err(error)).await;
    }
}

/// Answers without a word.
fn silences() -> Vec<Vec<Act>> {
    let done = || Act::Chunk("data: [DONE]\n\n".to_owned());
    let filtered = r#"data: {"choices":[{"delta":{},"finish_reason":"content_filter"}]}"#;
    vec![
        stream(vec![done()]),
        stream(vec![event("\n"), done()]),
        stream(vec![Act::Chunk(format!("{filtered}\n\n")), done()]),
        answer("200 OK", "application/json", "{}"),
    ]
}

#[tokio::test]
async fn an_answer_without_a_word_is_none() {
    for acts in silences() {
        let shown = format!("{acts:?}");
        let (model, listener) = model(|_| ()).await;
        let server = tokio::spawn(async move { serve(&listener, acts).await });
        assert_eq!(asked(model).await.1, Err(silent()), "{shown}");
        server.abort();
    }
}

#[tokio::test]
async fn after_its_tools_a_model_may_have_nothing_to_say() {
    let mut context = Context::new(String::new(), ContextSettings::default());
    context.user_said("Turn off the light.");
    let (id, name, arguments) = ("a".to_owned(), "light_off".to_owned(), "{}".to_owned());
    let calls = vec![ToolCall { id, name, arguments }];
    context.agent_calls(Generation(1), calls).expect("it is short");
    context.tool_result("a", "{}");
    for acts in silences() {
        let shown = format!("{acts:?}");
        let (model, listener) = model(|_| ()).await;
        let server = tokio::spawn(async move { serve(&listener, acts).await });
        assert_eq!(asked_with(model, &context).await.1, Ok(Calls::new()), "{shown}");
        server.abort();
    }
}

#[tokio::test]
async fn a_stream_that_closes_before_its_first_word_has_not_finished_whatever_the_patience() {
    let (model, listener) =
        model(|settings| settings.stall_timeout = settings.first_token_timeout).await;
    let acts = stream(vec![Act::Chunk(String::new())]);
    let server = tokio::spawn(async move { serve(&listener, acts).await });
    assert_eq!(asked(model).await, (String::new(), Err(ModelError::Broken.into())));
    server.abort();
}

#[tokio::test]
async fn many_events_in_one_body_are_not_taken_for_one_large_event() {
    let text = "x".repeat(1_000);
    let count = MODEL_EVENT_BYTES_MAX / 1_000 + 50;
    let mut acts: Vec<Act> = (0..count).map(|_| event(&text)).collect();
    acts.push(Act::Chunk("data: [DONE]\n\n".to_owned()));
    check(stream(acts), &text.repeat(count), Ok(())).await;
}

#[tokio::test]
async fn the_request_is_what_servers_expect() {
    let (model, listener) = model(|settings| settings.tokens_max = 7).await;
    let acts = stream(vec![event("Hi"), Act::Chunk("data: [DONE]\n\n".to_owned())]);
    let server = tokio::spawn(async move { serve(&listener, acts).await });
    assert_eq!(asked(model).await, ("Hi".to_owned(), Ok(())));
    let request = within(server).await.expect("the server is right");
    let (head, body) = request.split_once("\r\n\r\n").expect("it has a body");
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: Bearer the-key"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).expect("it is JSON");
    let expected = serde_json::json!({
        "model": "small", "stream": true, "max_tokens": 7,
        "stream_options": { "include_usage": true },
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "hello" },
        ],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn dropping_the_request_hangs_up_at_once() {
    let (model, listener) = model(|_| ()).await;
    let acts = stream(vec![event("One"), Act::Hang]);
    let server = tokio::spawn(async move { serve(&listener, acts).await });
    let (reports, mut reported) = reports();
    let context = Context::new(String::new(), ContextSettings::default());
    let model = LlmStage::Chat(Arc::new(model));
    let bill = Bill::unseen();
    let asking = model.ask(Generation(1), &context, &[], reports, Silence::Fails, &bill);
    assert!(matches!(within(reported.recv()).await, Some(ModelReport::Text { .. })));
    drop(asking);
    // The server returns when it sees the connection close.
    within(server).await.expect("the server is right");
    assert_eq!(within(reported.recv()).await, None);
}

#[test]
fn the_key_is_never_shown() {
    let settings = LlmSettings::new("http://x".into(), "m".into(), Some("the-key".into()));
    assert!(!format!("{settings:?}").contains("the-key"));
}
