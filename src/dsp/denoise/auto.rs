//! Picks the suppressor that the noise floor calls for, and changes over without a click.
//!
//! ```text
//! 48 kHz -+- resample ---+- noise floor
//!         |              +---------------- delay 160 --+
//!         |              +- light (96) --- delay  64 --+- crossfade -> 16 kHz
//!         +- rnnoise (480 at 48 kHz) - resample -------+
//! ```
//!
//! Every path is 10 ms long behind the resampler, so the two ends of a crossfade are the same sound at
//! the same moment and do not cancel. Only the paths in use are run.

use super::noise_floor::NoiseFloor;
use super::stages::{Light, Rnnoise, to_wideband};
use super::{DenoisePath, FULL_BLOCK, WIDE_BLOCK};
use crate::dsp::gain::{Ramp, Shape};
use crate::dsp::resample::Resampler;

/// Noise floor above which the light suppressor is worth its distortion, and below which it is not
/// any more. A quiet room through a headset is near -70 dBFS.
const LIGHT_ABOVE_DBFS: f32 = -60.0;
const LIGHT_BELOW_DBFS: f32 = -66.0;
/// The same for the network. A busy street or a fan beside the microphone is above -45 dBFS.
const RNNOISE_ABOVE_DBFS: f32 = -48.0;
const RNNOISE_BELOW_DBFS: f32 = -54.0;
/// Blocks for which a path runs unheard before it is faded in: it has to learn the noise, and its
/// memory may hold what it heard when it was last used.
const WARM_UP_BLOCKS: u32 = 50;
/// Length of a crossfade, in samples at 16 kHz: 40 ms.
const CROSSFADE: u32 = 640;

/// A suppressor that picks itself.
#[derive(Debug)]
pub(super) struct Auto {
    resampler: Resampler,
    floor: NoiseFloor,
    change: Change,
    paths: Paths,
    wide: Vec<f32>,
    heard: Vec<f32>,
    coming: Vec<f32>,
}

/// Which path is heard, and which is to replace it.
#[derive(Debug)]
enum Change {
    Steady { path: DenoisePath },
    WarmUp { from: DenoisePath, to: DenoisePath, blocks: u32 },
    Crossfade { from: DenoisePath, to: DenoisePath, share: Ramp },
}

impl Auto {
    pub(super) fn new() -> Self {
        Self {
            resampler: to_wideband(),
            floor: NoiseFloor::default(),
            change: Change::Steady { path: DenoisePath::Through },
            paths: Paths::default(),
            wide: Vec::with_capacity(WIDE_BLOCK),
            heard: Vec::with_capacity(WIDE_BLOCK),
            coming: Vec::with_capacity(WIDE_BLOCK),
        }
    }

    /// The path that is heard; during a crossfade the one that fades out.
    pub(super) const fn path(&self) -> DenoisePath {
        match self.change {
            Change::Steady { path }
            | Change::WarmUp { from: path, .. }
            | Change::Crossfade { from: path, .. } => path,
        }
    }

    pub(super) fn noise_floor_dbfs(&self) -> Option<f32> {
        self.floor.level_dbfs()
    }

    /// Appends 160 samples at 16 kHz.
    pub(super) fn step(&mut self, block: &[f32; FULL_BLOCK], output: &mut Vec<f32>) {
        self.wide.clear();
        self.resampler.step(block, &mut self.wide);
        if self.floor.step(&self.wide) {
            self.reconsider();
        }
        self.heard.clear();
        self.paths.step(self.path(), block, &self.wide, &mut self.heard);
        match &mut self.change {
            Change::Steady { .. } => {}
            Change::WarmUp { from, to, blocks } => {
                self.coming.clear();
                self.paths.step(*to, block, &self.wide, &mut self.coming);
                *blocks += 1;
                if *blocks == WARM_UP_BLOCKS {
                    let mut share = Ramp::new(0.0, Shape::RaisedCosine);
                    share.fade_to(1.0, CROSSFADE);
                    self.change = Change::Crossfade { from: *from, to: *to, share };
                }
            }
            Change::Crossfade { to, share, .. } => {
                self.coming.clear();
                self.paths.step(*to, block, &self.wide, &mut self.coming);
                // heard + share * (coming - heard), so that the shares always add up to one.
                for (coming, heard) in self.coming.iter_mut().zip(&self.heard) {
                    *coming -= heard;
                }
                share.step(&mut self.coming);
                for (heard, difference) in self.heard.iter_mut().zip(&self.coming) {
                    *heard += difference;
                }
                if share.is_settled() {
                    self.change = Change::Steady { path: *to };
                }
            }
        }
        output.extend_from_slice(&self.heard);
    }

    /// Begins a change if the floor calls for another path. A change once begun is completed first.
    fn reconsider(&mut self) {
        let Change::Steady { path } = self.change else { return };
        let Some(floor_dbfs) = self.floor.level_dbfs() else { return };
        let to = wanted(path, floor_dbfs);
        if to != path {
            self.change = Change::WarmUp { from: path, to, blocks: 0 };
        }
    }
}

/// The path that a floor calls for, given the one in use: each threshold is crossed upwards 6 dB
/// higher than downwards, so that a floor near one does not flap.
fn wanted(path: DenoisePath, floor_dbfs: f32) -> DenoisePath {
    let rnnoise_dbfs = match path {
        DenoisePath::Rnnoise => RNNOISE_BELOW_DBFS,
        DenoisePath::Through | DenoisePath::Light => RNNOISE_ABOVE_DBFS,
    };
    let light_dbfs = match path {
        DenoisePath::Through => LIGHT_ABOVE_DBFS,
        DenoisePath::Light | DenoisePath::Rnnoise => LIGHT_BELOW_DBFS,
    };
    if floor_dbfs > rnnoise_dbfs {
        DenoisePath::Rnnoise
    } else if floor_dbfs > light_dbfs {
        DenoisePath::Light
    } else {
        DenoisePath::Through
    }
}

/// The paths and the delays that make them equally long. The suppressors are made when first used:
/// most calls never need them.
#[derive(Debug)]
struct Paths {
    through: Delay<{ WIDE_BLOCK }>,
    light: Option<(Light, Delay<{ WIDE_BLOCK - Light::DELAY }>)>,
    rnnoise: Option<Rnnoise>,
}

impl Default for Paths {
    fn default() -> Self {
        Self { through: Delay::new(), light: None, rnnoise: None }
    }
}

impl Paths {
    fn step(
        &mut self,
        path: DenoisePath,
        full: &[f32; FULL_BLOCK],
        wide: &[f32],
        output: &mut Vec<f32>,
    ) {
        match path {
            DenoisePath::Through => {
                output.extend_from_slice(wide);
                self.through.step(output);
            }
            DenoisePath::Light => {
                let (light, delay) = self.light.get_or_insert_with(|| (Light::new(), Delay::new()));
                let mut block = [0.0; WIDE_BLOCK];
                block.copy_from_slice(wide);
                light.step(&mut block);
                delay.step(&mut block);
                output.extend_from_slice(&block);
            }
            DenoisePath::Rnnoise => {
                let rnnoise = self.rnnoise.get_or_insert_with(Rnnoise::new);
                rnnoise.step(&mut full.clone(), output);
            }
        }
    }
}

/// Delays a stream by `N` samples.
#[derive(Debug)]
struct Delay<const N: usize> {
    held: [f32; N],
}

impl<const N: usize> Delay<N> {
    const fn new() -> Self {
        Self { held: [0.0; N] }
    }

    /// Delays a block in place; it must be at least `N` long.
    fn step(&mut self, block: &mut [f32]) {
        // The newest `N` samples come to the front, and are exchanged for the ones held.
        block.rotate_right(N);
        block[..N].swap_with_slice(&mut self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{delay, speech};
    use super::*;

    #[test]
    fn thresholds_are_apart_by_the_direction_they_are_crossed_in() {
        use DenoisePath::{Light, Rnnoise, Through};
        let rows = [
            (Through, -70.0, Through),
            (Through, -63.0, Through),
            (Through, -59.0, Light),
            (Through, -40.0, Rnnoise),
            (Light, -63.0, Light),
            (Light, -67.0, Through),
            (Light, -50.0, Light),
            (Light, -47.0, Rnnoise),
            (Rnnoise, -50.0, Rnnoise),
            (Rnnoise, -55.0, Light),
            (Rnnoise, -80.0, Through),
        ];
        for (path, floor_dbfs, expected) in rows {
            assert_eq!(wanted(path, floor_dbfs), expected, "{path:?} at {floor_dbfs}");
        }
    }

    #[test]
    fn every_path_is_equally_long() {
        let (full, wide) = (speech(48_000, 1), speech(16_000, 1));
        for path in [DenoisePath::Through, DenoisePath::Light, DenoisePath::Rnnoise] {
            let mut auto = Auto::new();
            auto.change = Change::Steady { path };
            let mut output = Vec::new();
            // 3 s, in which nothing else is chosen.
            for block in full.as_chunks().0.iter().take(300) {
                auto.floor = NoiseFloor::default();
                auto.step(block, &mut output);
            }
            // 10 ms, the resampler's 1 ms, and 1 ms of the test's own way up to 48 kHz.
            assert!(delay(&wide[..40_000], &output).abs_diff(192) <= 1, "{path:?}");
        }
    }

    #[test]
    fn a_delay_delays() {
        let mut delay = Delay::<3>::new();
        let mut stream: Vec<f32> = (1..=10).map(|n| n as f32).collect();
        for block in stream.chunks_mut(5) {
            delay.step(block);
        }
        assert_eq!(stream, [0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    }
}
