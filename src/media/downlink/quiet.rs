//! What goes out while there is nothing to say.
//!
//! ```text
//! speech  e e e e                            e e     e: encoded
//! slots   e e e e E q q q . . . q . . . q .  m e     E: encoded silence, q: cached, m: marker
//!                 `- trailing -'   `- 400 ms -'
//! ```

/// Packets of silence after speech: one through the encoder, then cached ones.
const TRAILING_SLOTS: u32 = 4;
/// Slots from one keep-alive to the next: 400 ms. NAT bindings last 30 s and more, but a receiver's
/// clock and its statistics want to hear more often.
const KEEP_ALIVE_SLOTS: u32 = 20;

/// What is sent in one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// The frame, encoded. `marker`: packets were left out before it, so it starts a talk spurt
    /// (RFC 3551 §4.1).
    Encoded { marker: bool },
    /// The codec's cached packet of silence.
    Silence,
    /// Nothing.
    Nothing,
}

/// Counts silent slots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quiet {
    slots: u32,
}

impl Quiet {
    /// As if speech had just ended: a few packets open the track and the NAT binding.
    pub(super) const fn new() -> Self {
        Self { slots: 1 }
    }

    /// Whether nothing was sent in the last slot.
    pub(super) const fn is_at_rest(&self) -> bool {
        self.slots > TRAILING_SLOTS
            && !(self.slots - TRAILING_SLOTS).is_multiple_of(KEEP_ALIVE_SLOTS)
    }

    /// What is sent in the next slot.
    pub(super) const fn next(&mut self, is_silent: bool) -> Sending {
        let before = self.slots;
        if !is_silent {
            self.slots = 0;
            return Sending::Encoded { marker: before > TRAILING_SLOTS };
        }
        self.slots = before.saturating_add(1);
        match before {
            // The encoder looks ahead: a frame of silence pushes the end of the speech out of it.
            0 => Sending::Encoded { marker: false },
            // Lets the receiver's decoder come to rest.
            1..TRAILING_SLOTS => Sending::Silence,
            _ if (before + 1 - TRAILING_SLOTS).is_multiple_of(KEEP_ALIVE_SLOTS) => Sending::Silence,
            _ => Sending::Nothing,
        }
    }
}
