//! ICE-TCP (RFC 6544): one listener for all calls, packets in RFC 4571 frames.
//!
//! A connection says whose it is with its first packet, which must be a check for a call that exists
//! and must come in time. Until then it holds one task and a few bytes; afterwards it can do nothing
//! that a datagram could not.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use super::datagram::{Datagram, Inbound, Route};
use super::routes::{Routes, TcpMembership};
use crate::limits::{
    DATAGRAM_BYTES_MAX, SOCKET_PAUSE, TCP_CONNECTIONS_MAX, TCP_FIRST_PACKET_TIMEOUT,
    TCP_IDLE_TIMEOUT, TCP_OUTPUT_MAX, TCP_WRITE_TIMEOUT,
};
use crate::rtp::framing::{Deframer, frame};

/// Accepts connections for ever.
pub(super) async fn accept(listener: TcpListener, routes: Arc<Routes>) {
    let places = Arc::new(Semaphore::new(TCP_CONNECTIONS_MAX));
    loop {
        // A failure concerns one connection, or passes (too many files); a pause lets it.
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(SOCKET_PAUSE).await;
            continue;
        };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                let connection = Connection::new(stream, peer);
                tokio::spawn(connection.serve(Arc::clone(&routes), place));
            }
            Err(_) => routes.count_tcp_refused(),
        }
    }
}

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    deframer: Deframer,
}

impl Connection {
    fn new(stream: TcpStream, peer: SocketAddr) -> Self {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        Self { stream, peer, deframer: Deframer::new(DATAGRAM_BYTES_MAX) }
    }

    async fn serve(mut self, routes: Arc<Routes>, _place: OwnedSemaphorePermit) {
        let first = timeout(TCP_FIRST_PACKET_TIMEOUT, self.read_packet()).await;
        let Ok(Ok(first)) = first else { return routes.count_tcp_refused() };
        let Some(membership) = routes.join(&first) else { return routes.count_tcp_refused() };
        // Packets are small and late ones worthless: never wait to fill a segment.
        let _ = self.stream.set_nodelay(true);
        let peer = self.peer;
        let (output, outgoing) = mpsc::channel(TCP_OUTPUT_MAX);
        if membership.inbound.send(Inbound::TcpOpened { peer, output }).await.is_ok() {
            let ended = self.exchange(&membership, &routes, first, outgoing).await;
            tracing::debug!(?ended, "an ICE-TCP connection ended");
            let _ = membership.inbound.send(Inbound::TcpClosed { peer }).await;
        }
    }

    /// Carries packets until the connection, the call or anybody's patience ends.
    async fn exchange(
        &mut self,
        membership: &TcpMembership,
        routes: &Routes,
        first: BytesMut,
        mut outgoing: mpsc::Receiver<BytesMut>,
    ) -> io::Result<()> {
        let route = Route::tcp(self.peer);
        let mut packet = Some(first);
        let mut framed = Vec::with_capacity(DATAGRAM_BYTES_MAX);
        loop {
            if let Some(bytes) = packet.take() {
                let inbound = Inbound::Datagram(Datagram { route, bytes });
                // Waiting makes the peer wait, which is what a stream is for.
                if membership.inbound.send(inbound).await.is_err() {
                    return Ok(());
                }
                routes.count_delivered();
            }
            tokio::select! {
                read = timeout(TCP_IDLE_TIMEOUT, self.read_packet()) => packet = Some(read??),
                written = outgoing.recv() => {
                    let Some(bytes) = written else { return Ok(()) };
                    framed.clear();
                    frame(&bytes, &mut framed);
                    timeout(TCP_WRITE_TIMEOUT, self.stream.write_all(&framed)).await??;
                }
            }
        }
    }

    /// The next packet. Cancelling loses nothing: what was read stays in the deframer.
    async fn read_packet(&mut self) -> io::Result<BytesMut> {
        loop {
            match self.deframer.pop() {
                Ok(Some(packet)) => return Ok(BytesMut::from(packet)),
                Ok(None) => {}
                Err(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
            let mut bytes = [0; DATAGRAM_BYTES_MAX];
            let length = self.stream.read(&mut bytes).await?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.deframer.push(&bytes[..length]);
        }
    }
}
