//! The session's ICE: checks, candidates and restarts.

use std::time::Instant;

use super::{Event, PendingRestart, Response, Session, StackError};
use crate::limits::ICE_CANDIDATES_MAX;
use crate::peer::datagram::Datagram;
use crate::peer::webrtc::stack::{self, Plan};
use crate::rtp::stun::{Binding, Class};
use crate::sdp::{Candidate, IceCredentials};

impl Session {
    pub(super) fn handle_stun(&mut self, now: Instant, datagram: Datagram) {
        let Some(binding) = Binding::parse(&datagram.bytes) else {
            self.stats.unusable += 1;
            return;
        };
        let (class, use_candidate) = (binding.class, binding.use_candidate);
        if let (Class::Request, Some((ours, _))) = (class, binding.username) {
            let is_next = |it: &PendingRestart| it.staged.credentials.ufrag == ours;
            if self.restart.as_ref().is_some_and(is_next) {
                self.leave_for_restart(now);
            }
        }
        match class {
            Class::Request if use_candidate => {
                self.path.nominated(&datagram);
                self.feed_request(now, datagram, true);
            }
            Class::Request => self.feed_request(now, datagram, false),
            Class::Success => {
                let route = datagram.route;
                self.feed(now, datagram);
                if let Some(nomination) = self.path.nomination_on(route) {
                    self.feed_request(now, nomination, true);
                }
            }
            Class::Error | Class::Indication => {
                self.feed(now, datagram);
            }
        }
    }

    /// Gives a check to the stack. That anything comes back says that the check was authentic, and
    /// an answer to a nomination, that the stack's own check on the same pair had succeeded.
    ///
    /// A browser nominates with its very first check, which the stack only answers by a check of its
    /// own: the address must be known from then on, or the answer to that would be a stranger's.
    fn feed_request(&mut self, now: Instant, request: Datagram, is_nomination: bool) {
        let route = request.route;
        let response = self.feed(now, request);
        if response == Response::Nothing {
            return;
        }
        self.heard = now;
        self.events.push_back(Event::Seen(route));
        if is_nomination && response == Response::Answer && self.path.proven(route) {
            self.events.push_back(Event::Proven(route));
        }
    }

    /// More candidates of the peer for the newest ICE session. Those
    /// beyond the bound are passed over.
    pub(crate) fn handle_candidates(&mut self, now: Instant, candidates: &[Candidate]) {
        match &mut self.restart {
            Some(pending) => {
                let room = ICE_CANDIDATES_MAX.saturating_sub(pending.candidates.len());
                pending.candidates.extend(candidates.iter().take(room));
            }
            None => self.add_candidates(candidates),
        }
        self.handle_timeout(now);
    }

    pub(super) fn add_candidates(&mut self, candidates: &[Candidate]) {
        let room = ICE_CANDIDATES_MAX.saturating_sub(self.candidates_taken);
        for candidate in candidates.iter().take(room) {
            if stack::add_candidate(&mut self.stack, *candidate).is_ok() {
                self.candidates_taken += 1;
            }
        }
    }

    /// The peer asks for a restart with these credentials. Returns ours for the new session; the old
    /// one goes on until the peer's first check on the new.
    pub(crate) fn handle_restart(
        &mut self,
        remote: IceCredentials,
        candidates: Vec<Candidate>,
    ) -> Result<IceCredentials, StackError> {
        let staged = stack::stage_restart(&mut self.stack)?;
        let credentials = staged.credentials.clone();
        self.restart = Some(PendingRestart { staged, remote, candidates });
        Ok(credentials)
    }

    fn leave_for_restart(&mut self, now: Instant) {
        let Some(PendingRestart { staged, remote, candidates }) = self.restart.take() else {
            return;
        };
        let local = staged.credentials.clone();
        let plan = Plan {
            format: self.format,
            has_data: self.has_data,
            ssrc: self.media.ssrc(),
            remote: &remote,
            fingerprint: &self.fingerprint,
            identity: &self.identity,
        };
        if let Err(error) = stack::apply_restart(now, &mut self.stack, staged, &plan) {
            // Nothing of the peer's is in what was refused. The call ends by its silence.
            tracing::error!(%error, "an ICE restart was refused by the stack");
            return;
        }
        self.local = local;
        self.remote = remote;
        self.candidates_taken = 0;
        self.path.restarted();
        self.stats.restarts += 1;
        self.add_candidates(&candidates);
    }
}
