//! The sounds of a script, made sample by sample as they are taken.

use std::f64::consts::TAU;
use std::time::Duration;

/// The ramps at both ends of a tone, so that it does not click.
const RAMP_MS: u64 = 5;

/// A sound, part of it taken.
#[derive(Debug)]
pub(super) struct Sound {
    source: Source,
    next_sample: usize,
    samples: usize,
}

#[derive(Debug)]
enum Source {
    Silence,
    Tone { radians_per_sample: f64, peak: f64, ramp_samples: usize },
    Clip(usize),
}

impl Sound {
    /// A sine whose peak is `level_dbfs`, with short ramps.
    pub(super) fn tone(
        frequency_hz: f32,
        length: Duration,
        level_dbfs: f32,
        sample_rate_hz: u32,
    ) -> Self {
        let source = Source::Tone {
            radians_per_sample: TAU * f64::from(frequency_hz) / f64::from(sample_rate_hz),
            peak: 10_f64.powf(f64::from(level_dbfs) / 20.0),
            ramp_samples: samples(Duration::from_millis(RAMP_MS), sample_rate_hz),
        };
        Self { source, next_sample: 0, samples: samples(length, sample_rate_hz) }
    }

    /// Digital silence.
    pub(super) fn silence(length: Duration, sample_rate_hz: u32) -> Self {
        Self { source: Source::Silence, next_sample: 0, samples: samples(length, sample_rate_hz) }
    }

    /// The recording with this index.
    pub(super) fn clip(index: usize, clips: &[Vec<i16>]) -> Self {
        let samples = clips.get(index).map_or(0, Vec::len);
        Self { source: Source::Clip(index), next_sample: 0, samples }
    }

    /// The next samples, at most `count`; empty at the end.
    pub(super) fn pop(&mut self, count: usize, clips: &[Vec<i16>]) -> Vec<i16> {
        let end = (self.next_sample + count).min(self.samples);
        let pcm = (self.next_sample..end).map(|n| self.sample(n, clips)).collect();
        self.next_sample = end;
        pcm
    }

    fn sample(&self, n: usize, clips: &[Vec<i16>]) -> i16 {
        match &self.source {
            Source::Silence => 0,
            Source::Clip(index) => clips[*index][n],
            Source::Tone { radians_per_sample, peak, ramp_samples } => {
                let from_edge = n.min(self.samples - 1 - n);
                let ramp = (from_edge as f64 / *ramp_samples as f64).min(1.0);
                let value = (radians_per_sample * n as f64).sin() * peak * ramp;
                (value * f64::from(i16::MAX)).round() as i16
            }
        }
    }
}

fn samples(length: Duration, sample_rate_hz: u32) -> usize {
    (length.as_millis() as u64 * u64::from(sample_rate_hz) / 1_000) as usize
}
