//! Which way packets of a call go, and what is kept until that is known.
//!
//! # Why the stack needs help
//!
//! The peer, being the controlling side, nominates a pair by a check that carries USE-CANDIDATE;
//! libwebrtc does so with its very first one. If our own check on that pair has not been answered
//! yet, `rtc-ice` sends one but neither answers the nomination nor remembers it, although RFC 8445
//! §7.3.1.5 has the pair selected as soon as that check succeeds:
//!
//! ```text
//!   browser                                  us
//!     | ---- check, USE-CANDIDATE -------->  |   neither answered nor remembered
//!     | <--- our check --------------------  |
//!     | ---- success --------------------->  |   the pair works, but nothing selects it
//!     |              48 or 480 ms            |   until the browser repeats its check: soon if it
//!     | ---- check, USE-CANDIDATE -------->  |   knows no pair that works, late if it knows one
//! ```
//!
//! So the last nomination is kept and given to the stack again whenever one of its checks was
//! answered. Offer to connected on loopback, in ms, 60 calls each, without this and with it:
//!
//! | peer | without: median, p90, max | with: median, p90, max |
//! |---|---|---|
//! | Chromium | 71, 79, 110 | 22, 37, 46 |
//! | libwebrtc in Node | 104, 163, 301 | 8, 12, 151 (the first call; 13 for 95 %) |
//! | libwebrtc in Node, candidates in the offer | 104, 229, 403 | 10, 16, 56 |
//!
//! The stack also drops all that is not STUN until it has a pair. The peer sends its first DTLS
//! flight as soon as its own side works, which is before; lost, it is repeated after 50 ms by
//! libwebrtc and after a second by others. So it is kept too.

use std::collections::VecDeque;

use crate::limits::EARLY_DATAGRAMS_MAX;
use crate::peer::datagram::{Datagram, Route};

/// The way of one call.
#[derive(Debug, Default)]
pub(super) struct Path {
    /// The stack has a pair, and takes what is not STUN.
    is_open: bool,
    /// Where packets are sent: where the peer last nominated, once that was proven.
    route: Option<Route>,
    nomination: Option<Datagram>,
    early: VecDeque<Datagram>,
    early_dropped: u64,
}

impl Path {
    /// Whether the stack takes and sends what is not STUN.
    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Where packets go.
    pub(super) const fn route(&self) -> Option<Route> {
        self.route
    }

    /// Packets that were dropped for want of a path.
    pub(super) const fn early_dropped(&self) -> u64 {
        self.early_dropped
    }

    /// A nomination arrived and is given to the stack for the first time.
    pub(super) fn nominated(&mut self, request: &Datagram) {
        self.nomination = Some(request.clone());
    }

    /// The stack answered a nomination on `route`: its own check there has succeeded, so the peer is
    /// really there. Returns whether that is news.
    pub(super) fn proven(&mut self, route: Route) -> bool {
        if self.nomination.as_ref().is_some_and(|kept| kept.route == route) {
            self.nomination = None;
        }
        self.route.replace(route) != Some(route)
    }

    /// The nomination to give to the stack again, after one of its checks on `route` was answered.
    pub(super) fn nomination_on(&self, route: Route) -> Option<Datagram> {
        self.nomination.as_ref().filter(|kept| kept.route == route).cloned()
    }

    /// Keeps a packet that came before the path was open.
    pub(super) fn keep(&mut self, datagram: Datagram) {
        if self.early.len() == EARLY_DATAGRAMS_MAX {
            self.early.pop_front();
            self.early_dropped += 1;
        }
        self.early.push_back(datagram);
    }

    /// The stack selected a pair. What was kept is to be given to it, in order.
    pub(super) fn opened(&mut self) -> VecDeque<Datagram> {
        self.is_open = true;
        std::mem::take(&mut self.early)
    }

    /// The stack left its pair for a new ICE session.
    pub(super) fn restarted(&mut self) {
        self.is_open = false;
        self.nomination = None;
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn datagram(port: u16, byte: u8) -> Datagram {
        let route = Route::udp(([192, 0, 2, 7], port).into());
        Datagram { route, bytes: BytesMut::from(&[byte][..]) }
    }

    #[test]
    fn a_nomination_is_kept_for_its_own_route_until_it_is_proven() {
        let mut path = Path::default();
        let (first, other) = (datagram(1, 1), datagram(2, 2));
        path.nominated(&first);
        assert_eq!(path.nomination_on(other.route), None);
        assert_eq!(path.nomination_on(first.route).as_ref(), Some(&first));
        assert!(path.proven(first.route), "a new way");
        assert!(!path.proven(first.route), "the same way");
        assert_eq!(path.nomination_on(first.route), None);
        assert_eq!(path.route(), Some(first.route));
        path.nominated(&other);
        assert!(path.proven(other.route), "the peer moved");
    }

    #[test]
    fn what_came_early_is_given_back_in_order_and_bounded() {
        let mut path = Path::default();
        for index in 0..=EARLY_DATAGRAMS_MAX {
            path.keep(datagram(1, index as u8));
        }
        assert_eq!(path.early_dropped(), 1);
        let bytes = path.opened().iter().map(|it| usize::from(it.bytes[0])).collect::<Vec<_>>();
        assert_eq!(bytes, (1..=EARLY_DATAGRAMS_MAX).collect::<Vec<_>>());
        assert!(path.is_open());
        path.restarted();
        assert!(!path.is_open());
        assert!(path.opened().is_empty());
    }
}
