//! How many conversations an account has at once.
//!
//! The service refuses the one too many only when it is opened, in the middle of a call's beginning. So
//! calls take a place first, and a call that finds none is refused before it is answered. A few places are
//! kept from calls, so that those which run can renew their connections: for a moment each then has two.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::backend::Busy;

/// The places of one account. Clones share them.
#[derive(Clone, Debug)]
pub struct Budget {
    places: Arc<Mutex<Places>>,
}

/// One place, given back when it is dropped.
#[derive(Debug)]
pub struct Seat {
    places: Arc<Mutex<Places>>,
    kind: Kind,
}

/// A place of a conversation that waits for a caller. It can be taken away for a call.
#[derive(Debug)]
pub struct WarmSeat {
    places: Arc<Mutex<Places>>,
    number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Call,
    Spare,
}

#[derive(Debug)]
struct Places {
    sessions_max: usize,
    calls_max: usize,
    calls: usize,
    spares: usize,
    /// Those of warm conversations, and who must know when one is taken away; the oldest first.
    warm: Vec<(u64, Arc<Notify>)>,
    warm_ever: u64,
}

impl Budget {
    /// `sessions_max` places, of which calls take all but `renewal_spare`, at least one.
    pub fn new(sessions_max: usize, renewal_spare: usize) -> Self {
        let calls_max = sessions_max.saturating_sub(renewal_spare).max(1);
        let (calls, spares, warm, warm_ever) = (0, 0, Vec::new(), 0);
        let places = Places { sessions_max, calls_max, calls, spares, warm, warm_ever };
        Self { places: Arc::new(Mutex::new(places)) }
    }

    /// A place for a call, for as long as it lasts: that of a warm conversation if there is no other.
    pub fn seat(&self) -> Result<Seat, Busy> {
        let mut places = lock(&self.places);
        if places.calls < places.calls_max {
            // Before the places that are kept for renewals are needed: the service may count a conversation
            // for a moment longer than we do.
            while places.calls + places.warm.len() >= places.calls_max {
                places.take_from_warm();
            }
        }
        if places.calls >= places.calls_max || !places.make_room() {
            return Err(Busy(places.refusal()));
        }
        places.calls += 1;
        Ok(self.taken(Kind::Call))
    }

    /// A place for the second connection of a call that is being renewed; `None` if there is none now.
    pub fn spare(&self) -> Option<Seat> {
        let mut places = lock(&self.places);
        places.make_room().then(|| {
            places.spares += 1;
            self.taken(Kind::Spare)
        })
    }

    /// A place for a conversation that waits for a caller; `None` if calls could need it now. `lost` is
    /// notified when it is taken away.
    pub fn warm(&self, lost: &Arc<Notify>) -> Option<WarmSeat> {
        let mut places = lock(&self.places);
        if places.calls + places.warm.len() >= places.calls_max || places.is_full() {
            return None;
        }
        places.warm_ever += 1;
        let number = places.warm_ever;
        places.warm.push((number, Arc::clone(lost)));
        Some(WarmSeat { places: Arc::clone(&self.places), number })
    }

    fn taken(&self, kind: Kind) -> Seat {
        Seat { places: Arc::clone(&self.places), kind }
    }
}

impl WarmSeat {
    /// Whether the place was taken away: the conversation must end at once.
    pub fn is_lost(&self) -> bool {
        lock(&self.places).warm.iter().all(|(number, _)| *number != self.number)
    }

    /// Makes it the place of a call; `None` if it was taken away.
    pub fn into_seat(self) -> Option<Seat> {
        let mut places = lock(&self.places);
        if !places.remove_warm(self.number) {
            return None;
        }
        places.calls += 1;
        Some(Seat { places: Arc::clone(&self.places), kind: Kind::Call })
    }
}

impl Places {
    fn is_full(&self) -> bool {
        self.calls + self.spares + self.warm.len() >= self.sessions_max
    }

    /// Whether there is room for one more, if need be that of the oldest warm conversation.
    fn make_room(&mut self) -> bool {
        !self.is_full() || self.take_from_warm()
    }

    /// Takes the place of the oldest warm conversation away, if there is one.
    fn take_from_warm(&mut self) -> bool {
        if self.warm.is_empty() {
            return false;
        }
        let (_, lost) = self.warm.remove(0);
        lost.notify_one();
        true
    }

    fn refusal(&self) -> String {
        format!(
            "{} calls and {} renewals have all {} conversations with Nova Sonic that nova_sonic.sessions_max \
             permits this account at once ({} are kept for renewals); try again later, or raise it if the \
             account's quota is higher",
            self.calls,
            self.spares,
            self.sessions_max,
            self.sessions_max - self.calls_max
        )
    }

    fn remove_warm(&mut self, number: u64) -> bool {
        let count = self.warm.len();
        self.warm.retain(|(other, _)| *other != number);
        self.warm.len() < count
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut places = lock(&self.places);
        match self.kind {
            Kind::Call => places.calls -= 1,
            Kind::Spare => places.spares -= 1,
        }
    }
}

impl Drop for WarmSeat {
    fn drop(&mut self) {
        lock(&self.places).remove_warm(self.number);
    }
}

/// Counters cannot be left half changed by a panic.
fn lock(places: &Mutex<Places>) -> MutexGuard<'_, Places> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
