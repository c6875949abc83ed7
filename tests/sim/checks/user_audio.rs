//! The user's words: at most once, in order, and all of what belongs to a turn.
//!
//! What the network and the jitter buffer lose is not asked for: the tap in the voice model knows which
//! frames came through. Frames that an echo canceller altered bear no mark, neither there nor here, and
//! are left out of the account.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use antiphon::call::event::TurnId;
use antiphon::limits::{HELD_MS_MAX, WIDEBAND_FRAME};
use antiphon::time::SessionTime;

use crate::user::{Tap, Tapped, user_frame};

/// What was heard so long before a turn opened is given to the backend with it: of the 500 ms that are kept,
/// as much as is certain in spite of the tap's being late.
const PRE_ROLL: Duration = Duration::from_millis(420);
/// How much of what is said over such a reply is kept.
const HELD: Duration = Duration::from_millis(HELD_MS_MAX as u64);
/// Frames that the tap is late, at most.
const TAP_LATE_FRAMES: usize = 2;

/// The account of one call.
#[derive(Debug)]
pub(super) struct UserAudio {
    tap: Rc<RefCell<Tap>>,
    delivered: Vec<Delivered>,
    turns: Vec<Turn>,
    spoken: u32,
}

#[derive(Clone, Copy, Debug)]
struct Delivered {
    number: u32,
    turn: TurnId,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    turn: TurnId,
    opened_at: SessionTime,
    ended_at: Option<SessionTime>,
}

impl UserAudio {
    pub(super) const fn new(tap: Rc<RefCell<Tap>>) -> Self {
        Self { tap, delivered: Vec::new(), turns: Vec::new(), spoken: 0 }
    }

    pub(super) const fn spoken(&self) -> u32 {
        self.spoken
    }

    pub(super) fn turn_opens(&mut self, now: SessionTime, turn: TurnId) {
        self.turns.push(Turn { turn, opened_at: now, ended_at: None });
    }

    pub(super) fn turn_ends(&mut self, now: SessionTime, turn: TurnId) {
        if let Some(open) = self.turns.last_mut().filter(|open| open.turn == turn) {
            open.ended_at = Some(now);
        }
    }

    pub(super) fn delivered(&mut self, pcm: &[i16; WIDEBAND_FRAME], turn: TurnId) {
        assert!(!self.tap.borrow().is_muted, "[user audio] while muted");
        let Some(frame) = user_frame(pcm.iter().copied()) else { return };
        let number = frame.number;
        if let Some(last) = self.delivered.last() {
            let last = last.number;
            assert!(number > last, "[user audio] frame {number} after {last}");
        }
        self.delivered.push(Delivered { number, turn });
        self.spoken += u32::from(frame.is_spoken);
    }

    /// Everything that came through and belonged to a turn was delivered.
    pub(super) fn whole(&self) {
        let tap = self.tap.borrow();
        let mut delivered = self.delivered.iter().copied().peekable();
        let mut last: Option<Delivered> = None;
        for (index, tapped) in tap.frames.iter().enumerate() {
            let number = tapped.frame.number;
            let first = index.saturating_sub(TAP_LATE_FRAMES);
            let muted = tap.frames[first..=index].iter().all(|frame| frame.is_muted);
            while let Some(next) = delivered.next_if(|next| next.number <= number) {
                last = Some(next);
            }
            if last.is_some_and(|last| last.number == number) {
                assert!(!muted || index < TAP_LATE_FRAMES, "[user audio] {number} was muted");
            } else if !tapped.may_be_muted {
                self.may_be_missing(tapped, last, delivered.peek().copied());
            }
        }
    }

    /// A frame came through and was not delivered: it must lie outside all turns.
    fn may_be_missing(&self, tapped: &Tapped, last: Option<Delivered>, next: Option<Delivered>) {
        let number = tapped.frame.number;
        if let (Some(last), Some(next)) = (last, next) {
            let (before, after) = (last.turn, next.turn);
            if self.may_be_left_out(tapped, after) {
                return;
            }
            assert!(before != after, "[user audio] frame {number} is missing within {before}");
        }
        if let Some(next) = next
            && let Some(opened_at) = self.turn(next.turn).map(|turn| turn.opened_at)
        {
            let is_old = tapped.at + PRE_ROLL < opened_at;
            let turn = next.turn;
            assert!(is_old, "[user audio] frame {number} is missing at the start of {turn}");
        }
        if let Some(last) = last
            && !self.may_be_left_out(tapped, last.turn)
            && let Some(ended_at) = self.turn(last.turn).and_then(|turn| turn.ended_at)
        {
            let turn = last.turn;
            assert!(
                tapped.at >= ended_at,
                "[user audio] frame {number} is missing at the end of {turn}"
            );
        }
    }

    /// The ring that holds what is said over a reply that cannot be interrupted is bounded; when it is full,
    /// silence after speech goes first, and at its age also what was too short to be taken for speech.
    fn may_be_left_out(&self, tapped: &Tapped, turn: TurnId) -> bool {
        let Some(opened_at) = self.turn(turn).map(|turn| turn.opened_at) else { return false };
        let age = opened_at.since(tapped.at);
        age > PRE_ROLL && (!tapped.frame.is_spoken || age > HELD / 2)
    }

    fn turn(&self, turn: TurnId) -> Option<&Turn> {
        self.turns.iter().find(|known| known.turn == turn)
    }
}
