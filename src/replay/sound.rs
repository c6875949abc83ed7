//! Both sides of a replayed call as wav files.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::agent::Observed;
use crate::limits::{FRAME_MS, WIDEBAND_HZ};

/// The files, made when their rate is known: by the first frame.
pub(super) struct Sound {
    /// The user as decoded, gaps made up for.
    decoded: Track,
    /// The user as the voice model and the backend hear: after echo cancellation and noise suppression.
    heard: Track,
    /// The agent as sent, before encoding.
    agent: Track,
}

struct Track {
    path: PathBuf,
    file: Option<WavWriter<BufWriter<File>>>,
    problem: Option<hound::Error>,
}

impl Sound {
    pub(super) fn create(folder: &Path) -> Result<Self, String> {
        fs::create_dir_all(folder)
            .map_err(|error| format!("--wav {}: {error}", folder.display()))?;
        let track = |name: &str| Track { path: folder.join(name), file: None, problem: None };
        Ok(Self {
            decoded: track("user-decoded.wav"),
            heard: track("user-heard.wav"),
            agent: track("agent.wav"),
        })
    }

    pub(super) fn hear(&mut self, observed: &Observed) {
        match observed {
            Observed::HeardAudio { decoded, pcm } => {
                self.decoded.write_f32(decoded);
                self.heard.write(WIDEBAND_HZ, pcm.0.iter().copied());
            }
            Observed::SentAudio(frame) => self.agent.write_f32(frame),
            _ => {}
        }
    }

    pub(super) fn finish(self) -> Result<(), String> {
        for track in [self.decoded, self.heard, self.agent] {
            let finished = track.file.map_or(Ok(()), WavWriter::finalize);
            if let Some(error) = track.problem.or(finished.err()) {
                return Err(format!("--wav {}: {error}", track.path.display()));
            }
        }
        Ok(())
    }
}

impl Track {
    /// One frame of 20 ms, whose length so says its rate.
    fn write_f32(&mut self, frame: &[f32]) {
        let rate_hz = frame.len() as u32 * (1_000 / FRAME_MS);
        let sample = |sample: &f32| (sample * 32_767.0) as i16;
        self.write(rate_hz, frame.iter().map(sample));
    }

    fn write(&mut self, rate_hz: u32, samples: impl Iterator<Item = i16>) {
        if self.problem.is_none() {
            self.problem = self.try_write(rate_hz, samples).err();
        }
    }

    fn try_write(
        &mut self,
        rate_hz: u32,
        samples: impl Iterator<Item = i16>,
    ) -> Result<(), hound::Error> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let spec = WavSpec {
                    channels: 1,
                    sample_rate: rate_hz,
                    bits_per_sample: 16,
                    sample_format: SampleFormat::Int,
                };
                self.file.insert(WavWriter::create(&self.path, spec)?)
            }
        };
        samples.into_iter().try_for_each(|sample| file.write_sample(sample))
    }
}
