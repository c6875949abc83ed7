//! The simulated client: what of the agent's audio came out of its loudspeaker, and what it says of it.

use std::collections::VecDeque;
use std::time::Duration;

use antiphon::call::event::{Generation, Playout};
use antiphon::time::SessionTime;

/// What it tells of what it played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reporting {
    /// Nothing.
    #[default]
    Absent,
    /// The truth.
    Truthful,
    /// The truth, a second and a half late.
    Late,
    /// Too much, too little, of other replies.
    Lying,
}

/// How long it keeps audio before it plays it.
const BUFFER: Duration = Duration::from_millis(60);
/// From one report to the next.
const REPORT_EVERY: Duration = Duration::from_millis(200);
/// A packet is heard this long; a gap between words is longer.
const HEARD_FOR: Duration = Duration::from_millis(40);

/// A packet of the agent's, and how far in its reply it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    pub(crate) generation: Option<Generation>,
    pub(crate) end: Duration,
}

/// The client of one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    pub(crate) reporting: Reporting,
    buffer: VecDeque<(SessionTime, Received)>,
    played: Option<Playout>,
    heard_at: Option<SessionTime>,
    reported_at: SessionTime,
    /// What was played is not what was last reported.
    is_news: bool,
}

impl Client {
    /// A packet with sound arrived.
    pub(crate) fn receive(&mut self, now: SessionTime, packet: Received) {
        self.buffer.push_back((now + BUFFER, packet));
    }

    /// Plays what is due.
    pub(crate) fn play(&mut self, now: SessionTime) {
        while let Some((at, packet)) = self.buffer.front().copied()
            && at <= now
        {
            self.buffer.pop_front();
            self.heard_at = Some(now);
            let Some(generation) = packet.generation else { continue };
            let before = match self.played {
                Some(played) if played.generation == generation => played.played,
                Some(played) if played.generation > generation => continue,
                _ => Duration::ZERO,
            };
            self.played = Some(Playout { generation, played: before.max(packet.end) });
            self.is_news = true;
        }
    }

    /// Whether the user hears the agent.
    pub(crate) fn is_heard(&self, now: SessionTime) -> bool {
        self.heard_at.is_some_and(|at| now.since(at) <= HEARD_FOR)
    }

    /// How much of a reply the user has heard.
    pub(crate) fn played(&self, generation: Generation) -> Duration {
        let of_it = self.played.filter(|played| played.generation == generation);
        of_it.map_or(Duration::ZERO, |played| played.played)
    }

    /// What it reports now, and how much later than it should.
    pub(crate) fn report(&mut self, now: SessionTime, whim: u64) -> Option<(Duration, Playout)> {
        if !self.is_news || now.since(self.reported_at) < REPORT_EVERY {
            return None;
        }
        let truth = self.played?;
        (self.reported_at, self.is_news) = (now, false);
        match self.reporting {
            Reporting::Absent => None,
            Reporting::Truthful => Some((Duration::ZERO, truth)),
            Reporting::Late => Some((Duration::from_millis(1_500), truth)),
            Reporting::Lying => {
                let generation = Generation((truth.generation.0 + whim as u32 % 3).max(1) - 1);
                let played = Duration::from_millis(whim % 100_000);
                Some((Duration::ZERO, Playout { generation, played }))
            }
        }
    }
}
