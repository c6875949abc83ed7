//! Reply audio waiting to be played, at the rate it was made.

use std::collections::VecDeque;

use crate::dsp::g711::f32_from_i16;

/// Samples in one block: 85 ms at 48 kHz, half a second at 8 kHz.
const BLOCK_SAMPLES: usize = 4_096;
/// Empty blocks kept for reuse. A backend that runs at the speed of playing needs no more; what a
/// faster one filled is given back once it was played.
const SPARE_BLOCKS_MAX: usize = 4;

/// A queue of samples that grows by blocks and never moves what it holds.
#[derive(Debug, Default)]
pub(super) struct SampleQueue {
    blocks: VecDeque<Vec<i16>>,
    spare: Vec<Vec<i16>>,
    /// Samples of the first block that are gone already.
    taken: usize,
    length: usize,
}

impl SampleQueue {
    /// Samples in the queue.
    pub(super) const fn len(&self) -> usize {
        self.length
    }

    /// Appends samples.
    pub(super) fn push(&mut self, mut pcm: &[i16]) {
        self.length += pcm.len();
        while !pcm.is_empty() {
            let room = self.blocks.back().map_or(0, |block| BLOCK_SAMPLES - block.len());
            if room == 0 {
                let block = self.spare.pop();
                self.blocks.push_back(block.unwrap_or_else(|| Vec::with_capacity(BLOCK_SAMPLES)));
                continue;
            }
            let (now, later) = pcm.split_at(room.min(pcm.len()));
            self.blocks.back_mut().expect("it has room").extend_from_slice(now);
            pcm = later;
        }
    }

    /// Takes up to `count` samples from the front and appends them to `output` as -1 to 1.
    pub(super) fn pop(&mut self, count: usize, output: &mut Vec<f32>) {
        let mut left = count.min(self.length);
        self.length -= left;
        while left > 0 {
            let block = self.blocks.front().expect("the length counts what the blocks hold");
            let fresh = &block[self.taken..];
            let now = left.min(fresh.len());
            output.extend(fresh[..now].iter().copied().map(f32_from_i16));
            self.taken += now;
            left -= now;
            if self.taken == block.len() {
                self.retire_front();
            }
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        while !self.blocks.is_empty() {
            self.retire_front();
        }
        self.length = 0;
    }

    fn retire_front(&mut self) {
        self.taken = 0;
        if let Some(mut block) = self.blocks.pop_front()
            && self.spare.len() < SPARE_BLOCKS_MAX
        {
            block.clear();
            self.spare.push(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn samples_come_out_once_and_in_order(
            steps in prop::collection::vec((0_usize..9_000, 0_usize..9_000), 1..40),
        ) {
            let mut queue = SampleQueue::default();
            let (mut pushed, mut popped) = (0_usize, Vec::new());
            for (push, pop) in steps {
                let block: Vec<i16> = (pushed..pushed + push).map(|n| n as i16).collect();
                queue.push(&block);
                pushed += push;
                queue.pop(pop, &mut popped);
                prop_assert_eq!(popped.len() + queue.len(), pushed);
            }
            let expected: Vec<f32> =
                (0..popped.len()).map(|n| f32_from_i16(n as i16)).collect();
            prop_assert_eq!(popped, expected);
        }
    }

    #[test]
    fn memory_of_a_long_reply_is_given_back_and_a_little_is_kept() {
        let mut queue = SampleQueue::default();
        queue.push(&vec![1; 48_000 * 10]);
        queue.clear();
        assert_eq!((queue.len(), queue.blocks.len()), (0, 0));
        assert_eq!(queue.spare.len(), SPARE_BLOCKS_MAX);
        queue.push(&[1; 960]);
        assert_eq!(queue.spare.len(), SPARE_BLOCKS_MAX - 1);
    }
}
