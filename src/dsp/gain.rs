//! Gain that moves without clicks.

/// How a ramp moves between two gains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// In a straight line. Right for slow changes of level.
    Linear,
    /// Along half a period of a raised cosine: no corner at either end, so a fade of a few
    /// milliseconds is not heard as a click.
    RaisedCosine,
}

/// A gain, or a move from one gain to another over a number of samples.
///
/// A new [`Ramp::fade_to`] begins wherever the last one got to, so a fade can be turned around half
/// way. Gains are linear factors: 0 is silence, 1 leaves samples as they are.
#[derive(Clone, Debug)]
pub struct Ramp {
    shape: Shape,
    from: f32,
    to: f32,
    done: u32,
    length: u32,
}

impl Ramp {
    /// At rest at `gain`.
    pub const fn new(gain: f32, shape: Shape) -> Self {
        Self { shape, from: gain, to: gain, done: 0, length: 0 }
    }

    /// The gain that the next sample gets.
    pub fn gain(&self) -> f32 {
        if self.is_settled() {
            return self.to;
        }
        let position = self.done as f32 / self.length as f32;
        let weight = match self.shape {
            Shape::Linear => position,
            Shape::RaisedCosine => 0.5 - 0.5 * (position * std::f32::consts::PI).cos(),
        };
        self.from + (self.to - self.from) * weight
    }

    /// Whether the target was reached.
    pub const fn is_settled(&self) -> bool {
        self.done >= self.length
    }

    /// Moves to `target` over the next `samples` samples, from the present gain. With 0 it jumps.
    pub fn fade_to(&mut self, target: f32, samples: u32) {
        *self = Self { shape: self.shape, from: self.gain(), to: target, done: 0, length: samples };
    }

    /// Applies the gain to a block and moves on by its length.
    pub fn step(&mut self, pcm: &mut [f32]) {
        let moving = pcm.len().min((self.length - self.done.min(self.length)) as usize);
        let (ramp, rest) = pcm.split_at_mut(moving);
        for sample in ramp {
            *sample *= self.gain();
            self.done += 1;
        }
        if self.to != 1.0 {
            for sample in rest {
                *sample *= self.to;
            }
        }
    }

    /// Jumps to `gain`, as if new.
    pub const fn reset(&mut self, gain: f32) {
        *self = Self::new(gain, self.shape);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ramped(ramp: &mut Ramp, samples: usize) -> Vec<f32> {
        let mut pcm = vec![1.0; samples];
        ramp.step(&mut pcm);
        pcm
    }

    #[test]
    fn a_fade_starts_at_the_old_gain_and_settles_on_the_new_one() {
        for shape in [Shape::Linear, Shape::RaisedCosine] {
            let mut ramp = Ramp::new(1.0, shape);
            ramp.fade_to(0.0, 4);
            let pcm = ramped(&mut ramp, 6);
            assert_eq!(pcm[0], 1.0, "{shape:?}");
            assert!((pcm[2] - 0.5).abs() < 1e-6, "{shape:?}");
            assert_eq!(pcm[4..], [0.0, 0.0], "{shape:?}");
            assert!(ramp.is_settled());
        }
    }

    #[test]
    fn a_fade_of_no_samples_is_a_jump() {
        let mut ramp = Ramp::new(1.0, Shape::Linear);
        ramp.fade_to(0.25, 0);
        assert_eq!(ramped(&mut ramp, 2), [0.25, 0.25]);
    }

    proptest! {
        #[test]
        fn the_gain_never_jumps_however_fades_are_turned_around(
            fades in prop::collection::vec((0.0_f32..=1.0, 100_u32..400, 1_usize..300), 1..20),
        ) {
            let mut ramp = Ramp::new(1.0, Shape::RaisedCosine);
            let mut last = 1.0;
            for (target, length, block) in fades {
                ramp.fade_to(target, length);
                for gain in ramped(&mut ramp, block) {
                    // The steepest point of a raised cosine is pi/2 of the mean slope.
                    prop_assert!((gain - last).abs() <= 1.58 / 100.0, "{last} -> {gain}");
                    prop_assert!((0.0..=1.0).contains(&gain));
                    last = gain;
                }
            }
        }

        #[test]
        fn blocks_of_any_length_give_the_same_ramp(split in 0_usize..50) {
            let mut whole = Ramp::new(0.0, Shape::RaisedCosine);
            whole.fade_to(1.0, 30);
            let mut parts = whole.clone();
            let mut expected = ramped(&mut parts, split);
            expected.extend(ramped(&mut parts, 50 - split));
            prop_assert_eq!(ramped(&mut whole, 50), expected);
        }
    }
}
