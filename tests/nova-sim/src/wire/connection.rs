//! One connection: TLS and HTTP/2 on a socket, and its requests.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{Request, Response, StatusCode};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::stages::{self, Operation};
use super::stream;
use crate::faults::Refusal;
use crate::limits::{HANDSHAKE_MAX, STREAMS_PER_CONNECTION_MAX};
use crate::server::Shared;

/// Bytes that a client may send ahead, on a stream and on the connection.
const WINDOW_BYTES: u32 = 1 << 20;

/// What a stream does to its whole connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionFate {
    GoAwayGraceful,
    GoAwayAbrupt,
    Close,
}

/// Serves one socket until it is closed.
pub(crate) async fn serve(socket: TcpStream, tls: TlsAcceptor, shared: Arc<Shared>) {
    // Delayed small frames would be measured as the service's latency.
    let _ = socket.set_nodelay(true);
    let Ok(Ok(socket)) = timeout(HANDSHAKE_MAX, tls.accept(socket)).await else { return };
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES * 8)
        .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX);
    let handshake = builder.handshake::<_, Bytes>(socket);
    let Ok(Ok(mut connection)) = timeout(HANDSHAKE_MAX, handshake).await else { return };
    shared.counts().connections += 1;
    let (fates, mut decided) = mpsc::channel(1);
    // Dropped with this function, and with it every stream that is left.
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            request = connection.accept() => match request {
                Some(Ok((request, respond))) => {
                    let shared = Arc::clone(&shared);
                    streams.spawn(answer(request, respond, shared, fates.clone()));
                }
                Some(Err(_)) | None => return,
            },
            Some(fate) = decided.recv() => match fate {
                ConnectionFate::GoAwayGraceful => connection.graceful_shutdown(),
                ConnectionFate::GoAwayAbrupt => {
                    connection.abrupt_shutdown(Reason::INTERNAL_ERROR);
                }
                ConnectionFate::Close => return,
            },
            Some(_) = streams.join_next() => {}
        }
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    shared: Arc<Shared>,
    fates: mpsc::Sender<ConnectionFate>,
) {
    let (parts, body) = request.into_parts();
    if let Some(operation) = Operation::of(&parts) {
        return stages::answer(operation, &parts, body, respond, shared).await;
    }
    let signature = match shared.signer().check(&parts, &[], SystemTime::now()) {
        Ok(signature) => signature,
        Err(refusal) => return refuse(&mut respond, &refusal),
    };
    let path = parts.uri.path();
    let model_id = path
        .strip_prefix("/model/")
        .and_then(|path| path.strip_suffix("/invoke-with-bidirectional-stream"))
        .map(|id| id.replace("%3A", ":").replace("%3a", ":"));
    match model_id {
        Some(model_id) if parts.method == http::Method::POST => {
            stream::serve(&model_id, signature, body, respond, shared, fates).await;
        }
        // What clients ask for to have a connection ready.
        None if path == "/async-invoke" => {
            reply(&mut respond, StatusCode::OK, None, &json!({ "asyncInvokeSummaries": [] }));
        }
        _ => {
            let message = format!("The simulator does not know {} {path}", parts.method);
            let code = "UnknownOperationException".to_owned();
            refuse(&mut respond, &Refusal { status: 404, code, message });
        }
    }
}

/// Answers with an HTTP error.
pub(crate) fn refuse(respond: &mut SendResponse<Bytes>, refusal: &Refusal) {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
    reply(respond, status, Some(&refusal.code), &json!({ "message": refusal.message }));
}

fn reply(
    respond: &mut SendResponse<Bytes>,
    status: StatusCode,
    error_type: Option<&str>,
    body: &serde_json::Value,
) {
    let mut response =
        Response::builder().status(status).header("content-type", "application/json");
    if let Some(error_type) = error_type {
        response = response.header("x-amzn-errortype", error_type);
    }
    let response = response.body(()).expect("the headers are valid");
    // The client may have gone; then there is nobody to tell.
    if let Ok(mut send) = respond.send_response(response, false) {
        let _ = send.send_data(Bytes::from(body.to_string()), true);
    }
}
