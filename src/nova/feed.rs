//! The user's audio on its way up: one stream without a gap, in blocks of 32 ms.
//!
//! ```text
//! frames   |20|20|20|      (muted)      |20|20|20|20|      (what was held back comes at once)
//! blocks   |  32  |  32  |  0  |  0  |  32  |  32  |
//! ```
//!
//! Silence is filled in where no frames come. What comes beyond real time (speech that was held back until
//! it was known to be an interruption) is made up for by leaving out silence later, while nobody speaks.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits::{
    NOVA_BLOCKS_KEPT_MAX, NOVA_BLOCKS_PRE_ROLL, NOVA_BLOCKS_WAITING_MAX, WIDEBAND_FRAME,
};
use crate::media::frame::PcmFrame;
use crate::nova::settings::{INPUT_CHUNK_SAMPLES, INPUT_RATE_HZ};
use crate::time::SessionTime;

/// Audio that is sent at once.
pub type Block = [i16; INPUT_CHUNK_SAMPLES];

/// How late a frame may be before silence is sent in its place: more than the jitter of a busy loop.
const GAP_MAX: Duration = Duration::from_millis(100);
/// How far behind real time the filled-in silence stays, so that late frames still fit.
const MARGIN: Duration = Duration::from_millis(40);
/// How far ahead of real time the stream may be before silence is left out.
const AHEAD_MAX: Duration = Duration::from_millis(60);

/// The stream of one call.
#[derive(Clone, Debug)]
pub struct Feed {
    /// When the stream began.
    began: Option<SessionTime>,
    /// Samples of the stream so far.
    samples: u64,
    block: Vec<i16>,
    blocks: VecDeque<Block>,
}

impl Default for Feed {
    fn default() -> Self {
        let block = Vec::with_capacity(INPUT_CHUNK_SAMPLES + WIDEBAND_FRAME);
        Self { began: None, samples: 0, block, blocks: VecDeque::new() }
    }
}

impl Feed {
    /// The stream begins, unless it has: from here on what does not come is silence.
    pub fn begin(&mut self, now: SessionTime) {
        self.began.get_or_insert(now);
    }

    /// Takes the next 20 ms of the user. `nobody_speaks`: they may be left out if the stream is ahead.
    pub fn push(&mut self, now: SessionTime, frame: &PcmFrame, nobody_speaks: bool) {
        self.begin(now);
        let is_silence = frame.0.iter().all(|sample| *sample == 0);
        if self.ahead(now) > AHEAD_MAX && (nobody_speaks || is_silence && self.ahead(now) > GAP_MAX)
        {
            return;
        }
        self.append(&frame.0);
    }

    /// Fills in silence for frames that did not come.
    pub fn fill(&mut self, now: SessionTime) {
        if self.poll_timeout().is_none_or(|at| now < at) {
            return;
        }
        const SILENCE: [i16; WIDEBAND_FRAME] = [0; WIDEBAND_FRAME];
        while self.end() + MARGIN < now && self.blocks.len() < NOVA_BLOCKS_WAITING_MAX {
            self.append(&SILENCE);
        }
        // What a stall of the whole process cost beyond that is left out.
        let due = now.since(self.began.unwrap_or(now)).saturating_sub(MARGIN);
        self.samples = self.samples.max(samples(due));
    }

    /// The next block, in order.
    pub fn poll(&mut self) -> Option<Block> {
        self.blocks.pop_front()
    }

    /// When [`Feed::fill`] has something to do, if no frame comes before.
    pub fn poll_timeout(&self) -> Option<SessionTime> {
        self.began.map(|_| self.end() + GAP_MAX)
    }

    fn append(&mut self, pcm: &[i16]) {
        self.samples += pcm.len() as u64;
        self.block.extend_from_slice(pcm);
        while let Some(block) = self.block.first_chunk::<INPUT_CHUNK_SAMPLES>() {
            self.blocks.push_back(*block);
            self.block.drain(..INPUT_CHUNK_SAMPLES);
        }
    }

    /// Where the stream ends, in time.
    fn end(&self) -> SessionTime {
        let micros = self.samples * 1_000_000 / u64::from(INPUT_RATE_HZ);
        self.began.unwrap_or_default() + Duration::from_micros(micros)
    }

    fn ahead(&self, now: SessionTime) -> Duration {
        self.end().since(now)
    }
}

fn samples(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX) / 1_000 * u64::from(INPUT_RATE_HZ)
        / 1_000
}

/// The newest blocks, for the next connection: those of a turn that was not understood yet, and those that
/// had no connection to go to.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    blocks: VecDeque<Block>,
    /// How many of the newest were sent nowhere.
    unsent: usize,
    in_turn: bool,
}

impl Recent {
    /// Keeps a block. `was_sent`: a connection has it.
    pub fn push(&mut self, block: Block, was_sent: bool) {
        self.blocks.push_back(block);
        self.unsent = if was_sent { 0 } else { self.unsent + 1 };
        self.trim();
    }

    /// The user began to speak: everything from shortly before is kept until it is understood.
    pub const fn begin_turn(&mut self) {
        self.in_turn = true;
    }

    /// The user was understood, or it was nothing.
    pub fn end_turn(&mut self) {
        self.in_turn = false;
        self.trim();
    }

    /// Whether there is speech that nobody has understood.
    pub const fn is_in_turn(&self) -> bool {
        self.in_turn
    }

    /// What the next connection has to hear, oldest first; it counts as sent from now on. `is_quiet`: nobody
    /// spoke lately, so that what was sent already can only be the beginning of a turn.
    pub fn replay(&mut self, is_quiet: bool) -> impl Iterator<Item = &Block> {
        let count = if self.in_turn || is_quiet { self.blocks.len() } else { self.unsent };
        self.unsent = 0;
        self.blocks.range(self.blocks.len() - count.min(self.blocks.len())..)
    }

    fn trim(&mut self) {
        let max = if self.in_turn { NOVA_BLOCKS_KEPT_MAX } else { NOVA_BLOCKS_PRE_ROLL };
        while self.blocks.len() > max {
            self.blocks.pop_front();
        }
        self.unsent = self.unsent.min(self.blocks.len());
    }
}

#[cfg(test)]
mod tests;
