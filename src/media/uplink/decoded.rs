//! Decoded audio on its way into 20 ms frames: a short queue that remembers what was made up.

use std::collections::VecDeque;

/// Where samples came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// From a packet, or from the redundancy in one.
    Packet,
    /// From nothing.
    MadeUp,
}

/// The queue. Its length is fixed; what does not fit was never asked for.
#[derive(Debug)]
pub(super) struct Decoded {
    samples: Vec<f32>,
    filled: usize,
    /// Lengths of stretches of one origin, oldest first; they add up to `filled`.
    stretches: VecDeque<(Origin, usize)>,
}

impl Decoded {
    pub(super) fn new(capacity: usize) -> Self {
        Self { samples: vec![0.0; capacity], filled: 0, stretches: VecDeque::with_capacity(8) }
    }

    /// Samples waiting.
    pub(super) const fn len(&self) -> usize {
        self.filled
    }

    /// Room to decode into.
    pub(super) fn space(&mut self) -> &mut [f32] {
        &mut self.samples[self.filled..]
    }

    /// Takes in the first `count` samples of the space.
    pub(super) fn commit(&mut self, count: usize, origin: Origin) {
        self.filled += count;
        match self.stretches.back_mut() {
            Some((last, length)) if *last == origin => *length += count,
            _ => self.stretches.push_back((origin, count)),
        }
    }

    /// The newest `count` samples.
    pub(super) fn newest(&self, count: usize) -> &[f32] {
        &self.samples[self.filled - count..self.filled]
    }

    /// Leaves out the newest `count` samples, of what was committed last.
    pub(super) fn truncate(&mut self, count: usize) {
        self.filled -= count;
        if let Some((_, length)) = self.stretches.back_mut() {
            *length -= count;
        }
    }

    /// Moves the oldest samples into `frame` and tells how many of them were made up.
    pub(super) fn take(&mut self, frame: &mut [f32]) -> usize {
        frame.copy_from_slice(&self.samples[..frame.len()]);
        self.samples.copy_within(frame.len()..self.filled, 0);
        self.filled -= frame.len();
        let (mut left, mut made_up) = (frame.len(), 0);
        while let Some((origin, length)) = self.stretches.front_mut()
            && left > 0
        {
            let taken = left.min(*length);
            made_up += if *origin == Origin::MadeUp { taken } else { 0 };
            left -= taken;
            *length -= taken;
            if *length == 0 {
                self.stretches.pop_front();
            }
        }
        made_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_come_out_in_order_and_know_where_they_came_from() {
        let mut decoded = Decoded::new(8);
        for (count, origin) in [(3, Origin::Packet), (2, Origin::MadeUp), (1, Origin::Packet)] {
            let start = decoded.len();
            for (n, sample) in decoded.space().iter_mut().take(count).enumerate() {
                *sample = (start + n) as f32;
            }
            decoded.commit(count, origin);
        }
        let mut frame = [0.0; 4];
        assert_eq!(decoded.take(&mut frame), 1);
        assert_eq!(frame, [0.0, 1.0, 2.0, 3.0]);
        decoded.truncate(1);
        assert_eq!(decoded.newest(1), [4.0]);
        let mut rest = [0.0; 1];
        assert_eq!(decoded.take(&mut rest), 1);
        assert_eq!((rest, decoded.len()), ([4.0], 0));
        decoded.commit(2, Origin::Packet);
        assert_eq!(decoded.take(&mut [0.0; 2]), 0);
    }
}
