//! The simulated network: one way each, with what the internet does to packets.

use std::time::Duration;

use antiphon::time::SessionTime;

use crate::random::Random;

/// How a network behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Network {
    pub(crate) delay_ms: u64,
    /// Added to the delay, evenly spread: packets may overtake each other.
    pub(crate) jitter_ms: u64,
    /// Packets lost by themselves.
    pub(crate) loss_percent: u64,
    /// Packets of a thousand after which it turns bad (Gilbert-Elliott): half of what is sent is lost
    /// until it is good again, which one in eight packets brings about.
    pub(crate) burst_permille: u64,
    /// Packets that come twice.
    pub(crate) duplicate_percent: u64,
    /// Packets that come 60 ms late, behind others.
    pub(crate) reorder_percent: u64,
}

impl Network {
    /// The longest that a packet is on its way.
    pub(crate) const fn delay_max_ms(&self) -> u64 {
        self.delay_ms + self.jitter_ms + if self.reorder_percent > 0 { REORDER_MS } else { 0 }
    }

    /// Whether all that is sent arrives.
    pub(crate) const fn is_lossless(&self) -> bool {
        self.loss_percent == 0 && self.burst_permille == 0
    }
}

const REORDER_MS: u64 = 60;
/// Losses while it is bad, and the chance that it is good again after a packet, in percent.
const BAD_LOSS_PERCENT: u64 = 50;
const RECOVER_PERCENT: u64 = 12;

/// One way through a network.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) network: Network,
    is_bad: bool,
    /// Nothing passes before.
    blackout_until: SessionTime,
    random: Random,
}

impl Link {
    pub(crate) fn new(random: Random) -> Self {
        let network = Network::default();
        Self { network, is_bad: false, blackout_until: SessionTime::ZERO, random }
    }

    /// Nothing passes until then.
    pub(crate) fn black_out(&mut self, until: SessionTime) {
        self.blackout_until = self.blackout_until.max(until);
    }

    /// When a packet sent now arrives: never, once or twice.
    pub(crate) fn send(&mut self, now: SessionTime) -> [Option<SessionTime>; 2] {
        let Network { loss_percent, burst_permille, duplicate_percent, .. } = self.network;
        self.is_bad = if self.is_bad {
            !self.random.percent(RECOVER_PERCENT)
        } else {
            self.random.permille(burst_permille)
        };
        let is_lost = now < self.blackout_until
            || self.random.percent(loss_percent)
            || (self.is_bad && self.random.percent(BAD_LOSS_PERCENT));
        if is_lost {
            return [None, None];
        }
        let first = self.arrival(now);
        let second = self.random.percent(duplicate_percent).then(|| self.arrival(now));
        [Some(first), second]
    }

    /// When what cannot be lost arrives: a message that is repeated until it does.
    pub(crate) fn deliver(&mut self, now: SessionTime) -> SessionTime {
        self.arrival(now.max(self.blackout_until))
    }

    fn arrival(&mut self, now: SessionTime) -> SessionTime {
        let Network { delay_ms, jitter_ms, reorder_percent, .. } = self.network;
        let late_ms = if self.random.percent(reorder_percent) { REORDER_MS } else { 0 };
        let jitter_us = self.random.between(0, jitter_ms * 1_000);
        now + Duration::from_micros((delay_ms + late_ms) * 1_000 + jitter_us)
    }
}
