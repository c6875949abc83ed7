//! Reading clips out of wav files: any usual format in, mono at the call's rate out.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavReader, WavSpec};

use crate::level::speech_frames;
use crate::limits::{CLIP_SECONDS_MAX, WAV_BYTES_MAX, WAV_CHANNELS_MAX, WAV_HZ_MAX, WAV_HZ_MIN};
use crate::resample::resample;

/// A wav file that cannot be said.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct WavError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: WavProblem,
}

/// What is wrong with a wav file.
#[derive(Debug, thiserror::Error)]
pub enum WavProblem {
    /// It cannot be opened.
    #[error("cannot be opened: {0}")]
    Open(#[from] std::io::Error),
    /// It is no wav file, or is cut off.
    #[error("is not a readable wav file: {0}")]
    Format(#[from] hound::Error),
    /// It is larger than is read.
    #[error("has {bytes} bytes, more than the {WAV_BYTES_MAX} that are read")]
    Bytes {
        /// Its size.
        bytes: u64,
    },
    /// Its sample rate is not one of speech or music.
    #[error("has a sample rate of {rate_hz} Hz, which is not in {WAV_HZ_MIN}..={WAV_HZ_MAX}")]
    Rate {
        /// Its sample rate.
        rate_hz: u32,
    },
    /// It has too many channels.
    #[error("has {channels} channels, more than {WAV_CHANNELS_MAX}")]
    Channels {
        /// Its channels.
        channels: u16,
    },
    /// It is longer than a clip may be.
    #[error("lasts {seconds} s, longer than the {CLIP_SECONDS_MAX} s that are read")]
    Long {
        /// Its length.
        seconds: u32,
    },
    /// There is no audio in it.
    #[error("holds no audio")]
    Empty,
}

/// What one `--say` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// The file's name, for the report.
    pub name: String,
    /// Mono samples at the call's rate.
    pub samples: Vec<i16>,
    /// The frames from the first to the last one loud enough to be speech; `None` in a silent clip.
    pub speech: Option<Range<usize>>,
}

impl Clip {
    /// Reads `path` for a call at `rate_hz` in frames of `frame_samples`. Frames louder than
    /// `speech_dbfs` are speech.
    pub fn read(
        path: &Path,
        rate_hz: u32,
        frame_samples: usize,
        speech_dbfs: f64,
    ) -> Result<Self, WavError> {
        let samples = read_mono(path)
            .map(|(samples, from_hz)| to_i16(&resample(&samples, from_hz, rate_hz)))
            .map_err(|problem| WavError { path: path.to_owned(), problem })?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let speech = speech_frames(&samples, frame_samples, speech_dbfs);
        Ok(Self { name, samples, speech })
    }
}

/// The file's channels averaged, in -1..1, and its sample rate.
fn read_mono(path: &Path) -> Result<(Vec<f32>, u32), WavProblem> {
    let bytes = fs::metadata(path)?.len();
    if bytes > WAV_BYTES_MAX {
        return Err(WavProblem::Bytes { bytes });
    }
    let mut reader = WavReader::open(path)?;
    let spec = reader.spec();
    check(spec, reader.duration())?;
    let channels = usize::from(spec.channels);
    let samples = read_samples(&mut reader, spec)?;
    let mono: Vec<f32> = samples
        .chunks_exact(channels)
        .map(|moment| moment.iter().sum::<f32>() / channels as f32)
        .collect();
    if mono.is_empty() {
        return Err(WavProblem::Empty);
    }
    Ok((mono, spec.sample_rate))
}

/// `moments` is the number of samples of each channel that the header promises.
fn check(spec: WavSpec, moments: u32) -> Result<(), WavProblem> {
    if !(WAV_HZ_MIN..=WAV_HZ_MAX).contains(&spec.sample_rate) {
        return Err(WavProblem::Rate { rate_hz: spec.sample_rate });
    }
    if spec.channels > WAV_CHANNELS_MAX {
        return Err(WavProblem::Channels { channels: spec.channels });
    }
    let seconds = moments / spec.sample_rate;
    if seconds > CLIP_SECONDS_MAX {
        return Err(WavProblem::Long { seconds });
    }
    Ok(())
}

fn read_samples<R: std::io::Read>(
    reader: &mut WavReader<R>,
    spec: WavSpec,
) -> Result<Vec<f32>, hound::Error> {
    match spec.sample_format {
        // A float that is not a number would poison the resampler's neighbours.
        SampleFormat::Float => reader
            .samples::<f32>()
            .map(|sample| sample.map(|value| if value.is_finite() { value } else { 0.0 }))
            .collect(),
        SampleFormat::Int => {
            let full_scale = 2.0_f32.powi(i32::from(spec.bits_per_sample) - 1);
            reader
                .samples::<i32>()
                .map(|sample| sample.map(|value| value as f32 / full_scale))
                .collect()
        }
    }
}

fn to_i16(samples: &[f32]) -> Vec<i16> {
    // `as` saturates, which is the clipping wanted here.
    samples.iter().map(|sample| (sample * 32_768.0).round() as i16).collect()
}

#[cfg(test)]
mod tests;
