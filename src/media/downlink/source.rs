//! A reply's audio from the backend's rate to the codec's.

use std::time::Duration;

use super::queue::SampleQueue;
use crate::dsp::resample::Resampler;
use crate::limits::DOWNLINK_QUEUE_MS_MAX;

/// What is queued of one reply, and the converter it goes through.
#[derive(Debug)]
pub(super) struct Source {
    codec_rate_hz: u32,
    queue: SampleQueue,
    rate: Option<Rate>,
    /// Samples at the codec's rate; those before `taken` were played but not yet overwritten.
    ready: Vec<f32>,
    taken: usize,
    scratch: Vec<f32>,
}

/// The converter and the rate it converts from. It outlives its reply, since most are alike.
#[derive(Debug)]
struct Rate {
    from_hz: u32,
    resampler: Resampler,
    use_: Use,
}

/// Where the converter is in the life of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Of no reply: the next may come at another rate.
    Free,
    /// Of this reply.
    Fed,
    /// Of this reply, and its end was pushed out.
    Drained,
}

impl Source {
    pub(super) fn new(codec_rate_hz: u32) -> Self {
        Self {
            codec_rate_hz,
            queue: SampleQueue::default(),
            rate: None,
            ready: Vec::new(),
            taken: 0,
            scratch: Vec::new(),
        }
    }

    /// Whether audio at this rate may follow what was pushed of this reply.
    pub(super) fn accepts(&self, rate_hz: u32) -> bool {
        let of_this_reply = self.rate.as_ref().filter(|rate| rate.use_ != Use::Free);
        of_this_reply.is_none_or(|rate| rate.from_hz == rate_hz)
    }

    /// Whether the queue is below its limit.
    pub(super) fn has_room(&self) -> bool {
        self.queued() < Duration::from_millis(u64::from(DOWNLINK_QUEUE_MS_MAX))
    }

    /// Appends audio at a rate that [`Source::accepts`].
    pub(super) fn push(&mut self, rate_hz: u32, pcm: &[i16]) {
        match &mut self.rate {
            Some(rate) if rate.from_hz == rate_hz => rate.use_ = Use::Fed,
            rate => {
                let resampler = Resampler::new(rate_hz, self.codec_rate_hz)
                    .expect("the downlink admits only rates that convert");
                *rate = Some(Rate { from_hz: rate_hz, resampler, use_: Use::Fed });
            }
        }
        self.queue.push(pcm);
    }

    /// Audio not yet taken. What lies in the converter, 2 ms at most, is not counted.
    pub(super) fn queued(&self) -> Duration {
        let waiting = match &self.rate {
            Some(rate) => duration(self.queue.len(), rate.from_hz),
            None => Duration::ZERO,
        };
        waiting + duration(self.ready.len() - self.taken, self.codec_rate_hz)
    }

    /// Whether nothing is left to take.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.len() == 0 && self.ready.len() == self.taken
    }

    /// Takes samples into the front of `frame` and returns how many there were. With `to_the_end`
    /// nothing more will be pushed, so the converter is emptied too.
    pub(super) fn take(&mut self, frame: &mut [f32], to_the_end: bool) -> usize {
        self.fill(frame.len(), to_the_end);
        let count = frame.len().min(self.ready.len() - self.taken);
        frame[..count].copy_from_slice(&self.ready[self.taken..self.taken + count]);
        self.taken += count;
        count
    }

    /// Puts back the last `count` samples taken; only right after they were.
    pub(super) fn put_back(&mut self, count: usize) {
        assert!(count <= self.taken, "what was just taken is still there");
        self.taken -= count;
    }

    /// Forgets the reply.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.scratch.clear();
        self.ready.clear();
        self.taken = 0;
        if let Some(rate) = &mut self.rate {
            rate.resampler.reset();
            rate.use_ = Use::Free;
        }
    }

    /// Makes `count` samples ready, if there are that many.
    fn fill(&mut self, count: usize, to_the_end: bool) {
        let Some(rate) = &mut self.rate else { return };
        self.ready.drain(..self.taken);
        self.taken = 0;
        // In steps of 10 ms, so that little more than needed is converted ahead of time.
        let step = (rate.from_hz / 100) as usize;
        while self.ready.len() < count && self.queue.len() > 0 {
            self.scratch.clear();
            self.queue.pop(step, &mut self.scratch);
            rate.resampler.step(&self.scratch, &mut self.ready);
        }
        if to_the_end && self.queue.len() == 0 && rate.use_ == Use::Fed {
            rate.use_ = Use::Drained;
            // Its last sample held, not zeros: a wave that stops in its middle must not become a step
            // before the fade has its say.
            let last = self.scratch.last().copied().unwrap_or(0.0);
            let inside = rate.resampler.delay().as_secs_f64() * f64::from(rate.from_hz);
            self.scratch.clear();
            self.scratch.resize(inside.round() as usize, last);
            rate.resampler.step(&self.scratch, &mut self.ready);
        }
    }
}

fn duration(samples: usize, rate_hz: u32) -> Duration {
    Duration::from_micros(samples as u64 * 1_000_000 / u64::from(rate_hz))
}
