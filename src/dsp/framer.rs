//! Cuts a stream of blocks of any length into blocks of one length.

/// Collects samples until there are `N`.
///
/// ```text
/// input   |--- 320 ---|--- 320 ---|--- 320 ---|--- 320 ---|
/// blocks  |------- 512 -------|------- 512 -------|- waits -
/// ```
#[derive(Clone, Debug)]
pub struct Framer<const N: usize> {
    block: [f32; N],
    filled: usize,
}

impl<const N: usize> Framer<N> {
    /// An empty one.
    pub const fn new() -> Self {
        Self { block: [0.0; N], filled: 0 }
    }

    /// Takes samples from the front of `input` until a block is whole, and returns it; `None` once
    /// `input` is used up. Call it until it says `None`.
    pub fn pop(&mut self, input: &mut &[f32]) -> Option<&mut [f32; N]> {
        let count = input.len().min(N - self.filled);
        let (taken, rest) = input.split_at(count);
        self.block[self.filled..self.filled + count].copy_from_slice(taken);
        *input = rest;
        self.filled += count;
        if self.filled < N {
            return None;
        }
        self.filled = 0;
        Some(&mut self.block)
    }

    /// Samples waiting for their block to become whole, 0 to `N - 1`.
    pub const fn waiting(&self) -> usize {
        self.filled
    }

    /// Forgets what waits.
    pub const fn reset(&mut self) {
        self.filled = 0;
    }
}

impl<const N: usize> Default for Framer<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_sample_is_in_exactly_one_block_in_order(
            lengths in prop::collection::vec(0_usize..40, 0..40),
        ) {
            let mut framer = Framer::<7>::new();
            let mut next = 0_u32;
            let mut seen = Vec::new();
            for length in lengths {
                let block: Vec<f32> = (0..length as u32).map(|i| (next + i) as f32).collect();
                next += length as u32;
                let mut input = block.as_slice();
                while let Some(whole) = framer.pop(&mut input) {
                    seen.extend_from_slice(whole);
                }
                prop_assert!(input.is_empty());
                prop_assert_eq!(seen.len() + framer.waiting(), next as usize);
            }
            let expected: Vec<f32> = (0..seen.len() as u32).map(|i| i as f32).collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
