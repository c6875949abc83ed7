//! What moves between the sockets and a call.

use std::net::SocketAddr;

use bytes::BytesMut;
use tokio::sync::mpsc;

/// A way to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    /// The peer's address as we see it.
    pub(crate) address: SocketAddr,
    pub(crate) carrier: Carrier,
}

/// What carries the packets of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Carrier {
    Udp,
    /// RFC 4571 frames in a connection that the peer opened.
    Tcp,
}

impl Route {
    pub(crate) const fn udp(address: SocketAddr) -> Self {
        Self { address, carrier: Carrier::Udp }
    }

    pub(crate) const fn tcp(address: SocketAddr) -> Self {
        Self { address, carrier: Carrier::Tcp }
    }
}

/// A packet from or to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    pub(crate) route: Route,
    pub(crate) bytes: BytesMut,
}

/// What the sockets hand to a call.
#[derive(Debug)]
pub(crate) enum Inbound {
    /// A packet claims to be this call's.
    Datagram(Datagram),
    /// A TCP connection named this call; packets for `peer` go into `output`.
    TcpOpened { peer: SocketAddr, output: mpsc::Sender<BytesMut> },
    /// It is gone.
    TcpClosed { peer: SocketAddr },
}
