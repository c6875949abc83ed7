//! The loop that accepts connections, bounds them, and ends them.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use crate::config::Limits;
use crate::limits::{ACCEPT_PAUSE, HEAD_BYTES_MAX, HEADERS_MAX};

/// Serves `router` until `shutdown` is ready, then lets the requests in progress end.
///
/// Every connection is bounded: in number, in the time for a request's head (so also in idling),
/// and in age. Returns when all connections are closed, at the latest `limits.shutdown_grace`
/// after `shutdown`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    let (stopping, stop) = watch::channel(());
    let mut connections = JoinSet::new();
    accept_until(listener, router, limits, shutdown, &mut connections, &stop).await;
    // Connections see the channel close, finish the request they are busy with and end; each cuts
    // itself off after the grace period.
    drop(stopping);
    while let Some(ended) = connections.join_next().await {
        note(ended);
    }
}

async fn accept_until(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
    connections: &mut JoinSet<()>,
    stop: &watch::Receiver<()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    tokio::pin!(shutdown);
    loop {
        // A place is taken before the connection is: without one, clients wait in the kernel.
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.expect("never closed");
            (place, listener.accept().await)
        };
        tokio::select! {
            biased;
            () = &mut shutdown => return,
            Some(ended) = connections.join_next() => note(ended),
            (place, accepted) = accepted => match accepted {
                Ok((stream, _peer)) => {
                    let service = TowerToHyperService::new(router.clone());
                    let stop = stop.clone();
                    connections.spawn(async move {
                        converse(stream, service, limits, stop).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, as a rule: trying again at once would spin.
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

/// One connection, from its first byte to its end.
async fn converse(
    stream: TcpStream,
    service: TowerToHyperService<Router>,
    limits: Limits,
    mut stop: watch::Receiver<()>,
) {
    // Small answers must not wait for the client's acknowledgement of the last one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps Nagle's algorithm");
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time_max)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = ending(&mut stop, limits) => {
            connection.as_mut().graceful_shutdown();
            match timeout(limits.shutdown_grace, connection).await {
                Ok(ended) => ended,
                Err(_elapsed) => {
                    tracing::info!("a connection outlived its grace period and was cut off");
                    return;
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

/// Ready when the connection must take no further request.
async fn ending(stop: &mut watch::Receiver<()>, limits: Limits) {
    tokio::select! {
        // An error says that the sender is gone, which is the signal.
        _closed = stop.changed() => {}
        () = sleep(limits.connection_age_max) => {}
    }
}

/// A panic ends one connection, not the server; it must not go unnoticed.
fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked");
    }
}
