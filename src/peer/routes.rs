//! Which call a datagram on the shared port belongs to.
//!
//! A STUN request names its call by the first half of its user name. Everything else is known by its
//! source address, and that is where a call could be stolen: a source address is easily forged. So an
//! address is bound in two steps.
//!
//! | binding | made when | gives way to |
//! |---|---|---|
//! | seen | an authentic check of the call came from it. The sender may have lied about it | proven |
//! | proven | our own check to it was answered and the peer chose it: the peer is really there | proven by another call |
//!
//! A forged source can thus neither take an address from the call that proved it nor keep it from
//! the one that will. What the wrong call gets meanwhile it cannot decrypt, and drops.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::BytesMut;
use tokio::sync::mpsc;

use super::datagram::{Datagram, Inbound, Route};
use crate::limits::{CALL_ADDRESSES_MAX, CALL_TCP_CONNECTIONS_MAX};
use crate::rtp::stun::{Binding, Class, Protocol};

/// The table of all calls. Written when calls begin, move and end; read for every datagram, for less
/// than a microsecond and never across an await.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    tables: RwLock<Tables>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Tables {
    next_key: u64,
    calls: HashMap<u64, Entry>,
    ufrags: HashMap<String, u64>,
    addresses: HashMap<SocketAddr, Bound>,
}

#[derive(Debug)]
struct Entry {
    inbound: mpsc::Sender<Inbound>,
    ufrags: Vec<String>,
    /// Oldest first.
    addresses: VecDeque<SocketAddr>,
    tcp_connections: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bound {
    key: u64,
    is_proven: bool,
}

#[derive(Debug, Default)]
struct Counters {
    delivered: AtomicU64,
    unusable: AtomicU64,
    unknown_call: AtomicU64,
    unknown_source: AtomicU64,
    overflow: AtomicU64,
    unsent: AtomicU64,
    tcp_refused: AtomicU64,
}

/// What became of the packets on the shared port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortStats {
    /// Handed to a call.
    pub delivered: u64,
    /// Of no protocol that is spoken here, or malformed.
    pub unusable: u64,
    /// Checks for a call that does not exist.
    pub unknown_call: u64,
    /// Other packets from an address that belongs to no call.
    pub unknown_source: u64,
    /// Dropped because the call's queue was full.
    pub overflow: u64,
    /// Outgoing packets dropped because the socket or connection would not take them.
    pub unsent: u64,
    /// ICE-TCP connections closed because they named no call in time, or were too many.
    pub tcp_refused: u64,
}

impl Routes {
    /// Enters a call, reachable by `ufrag`. It leaves when the registration is dropped.
    pub(crate) fn register(
        self: &Arc<Self>,
        ufrag: &str,
        inbound: mpsc::Sender<Inbound>,
    ) -> Registration {
        let mut tables = self.write();
        let key = tables.next_key;
        tables.next_key += 1;
        tables.ufrags.insert(ufrag.to_owned(), key);
        let ufrags = vec![ufrag.to_owned()];
        let entry = Entry { inbound, ufrags, addresses: VecDeque::new(), tcp_connections: 0 };
        tables.calls.insert(key, entry);
        drop(tables);
        Registration { routes: Arc::clone(self), key }
    }

    /// Hands a UDP datagram to its call.
    pub(crate) fn deliver(&self, source: SocketAddr, datagram: &[u8]) {
        let counters = &self.counters;
        let tables = self.read();
        let key = match Protocol::of(datagram) {
            Protocol::Unknown => return count(&counters.unusable),
            Protocol::Stun => match Binding::parse(datagram) {
                None => return count(&counters.unusable),
                Some(Binding { class: Class::Request, username: Some((ours, _)), .. }) => {
                    match tables.ufrags.get(ours) {
                        None => return count(&counters.unknown_call),
                        Some(key) => Some(*key),
                    }
                }
                Some(_) => tables.addresses.get(&source).map(|bound| bound.key),
            },
            Protocol::Dtls | Protocol::Rtp => tables.addresses.get(&source).map(|it| it.key),
        };
        let Some(entry) = key.and_then(|key| tables.calls.get(&key)) else {
            return count(&counters.unknown_source);
        };
        // Copied only now: a flood of strangers costs a look-up each and no memory.
        let bytes = BytesMut::from(datagram);
        let inbound = Inbound::Datagram(Datagram { route: Route::udp(source), bytes });
        match entry.inbound.try_send(inbound) {
            Ok(()) => count(&counters.delivered),
            Err(_) => count(&counters.overflow),
        }
    }

    /// Takes a TCP connection whose first packet is `packet` into its call.
    pub(crate) fn join(self: &Arc<Self>, packet: &[u8]) -> Option<TcpMembership> {
        let binding = Binding::parse(packet)?;
        let (ours, _) = binding.username.filter(|_| binding.class == Class::Request)?;
        let mut tables = self.write();
        let key = *tables.ufrags.get(ours)?;
        let entry = tables.calls.get_mut(&key)?;
        if entry.tcp_connections == CALL_TCP_CONNECTIONS_MAX {
            return None;
        }
        entry.tcp_connections += 1;
        let inbound = entry.inbound.clone();
        Some(TcpMembership { routes: Arc::clone(self), key, inbound })
    }

    pub(crate) fn count_unsent(&self) {
        count(&self.counters.unsent);
    }

    pub(crate) fn count_tcp_refused(&self) {
        count(&self.counters.tcp_refused);
    }

    pub(crate) fn count_delivered(&self) {
        count(&self.counters.delivered);
    }

    /// What was counted so far.
    pub(crate) fn stats(&self) -> PortStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        PortStats {
            delivered: read(&counters.delivered),
            unusable: read(&counters.unusable),
            unknown_call: read(&counters.unknown_call),
            unknown_source: read(&counters.unknown_source),
            overflow: read(&counters.overflow),
            unsent: read(&counters.unsent),
            tcp_refused: read(&counters.tcp_refused),
        }
    }

    // Nothing that holds the lock can leave the tables half written, so a poisoned lock is as good.
    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A call's place in the table.
#[derive(Debug)]
pub(crate) struct Registration {
    routes: Arc<Routes>,
    key: u64,
}

impl Registration {
    /// The call stays reachable by the fragment of its running ICE session and becomes reachable by
    /// that of its next one. Others that it had are forgotten.
    pub(crate) fn set_ufrags(&self, running: &str, next: &str) {
        let mut tables = self.routes.write();
        let Tables { calls, ufrags, .. } = &mut *tables;
        let Some(entry) = calls.get_mut(&self.key) else { return };
        for old in entry.ufrags.drain(..) {
            ufrags.remove(&old);
        }
        for ufrag in [running, next] {
            entry.ufrags.push(ufrag.to_owned());
            ufrags.insert(ufrag.to_owned(), self.key);
        }
    }

    /// An authentic check came from `address`.
    pub(crate) fn saw(&self, address: SocketAddr) {
        self.bind(address, false);
    }

    /// The peer is at `address`.
    pub(crate) fn proved(&self, address: SocketAddr) {
        self.bind(address, true);
    }

    fn bind(&self, address: SocketAddr, is_proven: bool) {
        let key = self.key;
        let wanted = Bound { key, is_proven };
        match self.routes.read().addresses.get(&address) {
            Some(bound) if bound.key == key && (bound.is_proven || !is_proven) => return,
            Some(bound) if bound.key != key && bound.is_proven && !is_proven => return,
            // An address that was only seen stays with the first call that saw it.
            Some(bound) if bound.key != key && !is_proven => return,
            _ => {}
        }
        let mut tables = self.routes.write();
        let Tables { calls, addresses, .. } = &mut *tables;
        if let Some(previous) = addresses.insert(address, wanted)
            && previous.key != key
            && let Some(other) = calls.get_mut(&previous.key)
        {
            other.addresses.retain(|held| *held != address);
        }
        let Some(entry) = calls.get_mut(&key) else { return };
        entry.addresses.retain(|held| *held != address);
        entry.addresses.push_back(address);
        if entry.addresses.len() > CALL_ADDRESSES_MAX
            && let Some(oldest) = entry.addresses.pop_front()
        {
            addresses.remove(&oldest);
        }
    }

    /// The table this is a place in.
    pub(crate) fn routes(&self) -> &Routes {
        &self.routes
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut tables = self.routes.write();
        let Some(entry) = tables.calls.remove(&self.key) else { return };
        for ufrag in &entry.ufrags {
            tables.ufrags.remove(ufrag);
        }
        for address in &entry.addresses {
            tables.addresses.remove(address);
        }
    }
}

/// A TCP connection's place in its call.
#[derive(Debug)]
pub(crate) struct TcpMembership {
    routes: Arc<Routes>,
    key: u64,
    pub(crate) inbound: mpsc::Sender<Inbound>,
}

impl Drop for TcpMembership {
    fn drop(&mut self) {
        if let Some(entry) = self.routes.write().calls.get_mut(&self.key) {
            entry.tcp_connections -= 1;
        }
    }
}

#[cfg(test)]
mod tests;
