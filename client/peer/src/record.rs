//! Writing what was heard, and what was said, to wav files.
//!
//! Both sides are on one timeline: frame `n` of a file is what left the mouth, and what reached the
//! ear, in the same 20 ms. The ear is read with its delay, so the mouth's frames wait for as long.

use std::collections::VecDeque;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};

/// A recording that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be written: {source}", path.display())]
pub struct RecordError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: hound::Error,
}

/// The recordings of one call. Files are written as the call goes.
pub struct Recorder {
    heard: Option<Output>,
    both: Option<Output>,
    said: VecDeque<Vec<i16>>,
    delay_frames: usize,
}

struct Output {
    path: PathBuf,
    writer: WavWriter<BufWriter<File>>,
}

impl Output {
    fn create(path: &Path, channels: u16, rate_hz: u32) -> Result<Self, RecordError> {
        let spec = WavSpec {
            channels,
            sample_rate: rate_hz,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        match WavWriter::create(path, spec) {
            Ok(writer) => Ok(Self { path: path.to_owned(), writer }),
            Err(source) => Err(RecordError { path: path.to_owned(), source }),
        }
    }

    fn write(&mut self, samples: impl Iterator<Item = i16>) -> Result<(), RecordError> {
        for sample in samples {
            self.writer
                .write_sample(sample)
                .map_err(|source| RecordError { path: self.path.clone(), source })?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), RecordError> {
        self.writer.finalize().map_err(|source| RecordError { path: self.path, source })
    }
}

impl Recorder {
    /// Recordings of what is heard (mono) and of both sides (left the caller, right the agent),
    /// each if a path is given. What is heard comes `delay_frames` after what is said.
    pub fn create(
        heard: Option<&Path>,
        both: Option<&Path>,
        rate_hz: u32,
        delay_frames: usize,
    ) -> Result<Self, RecordError> {
        Ok(Self {
            heard: heard.map(|path| Output::create(path, 1, rate_hz)).transpose()?,
            both: both.map(|path| Output::create(path, 2, rate_hz)).transpose()?,
            said: VecDeque::new(),
            delay_frames,
        })
    }

    /// Takes in what was said in one tick.
    pub fn handle_said(&mut self, said: Vec<i16>) {
        self.said.push_back(said);
    }

    /// Takes in what was heard in the tick `delay_frames` ago, if the call is that old, and writes.
    pub fn handle_heard(&mut self, heard: &[i16]) -> Result<(), RecordError> {
        let said = self.said.pop_front().unwrap_or_else(|| vec![0; heard.len()]);
        if let Some(output) = &mut self.heard {
            output.write(heard.iter().copied())?;
        }
        if let Some(output) = &mut self.both {
            output.write(said.into_iter().zip(heard).flat_map(|(left, &right)| [left, right]))?;
        }
        Ok(())
    }

    /// Ticks by which hearing follows saying.
    pub const fn delay_frames(&self) -> usize {
        self.delay_frames
    }

    /// Completes the files.
    pub fn finish(self) -> Result<(), RecordError> {
        self.heard.map_or(Ok(()), Output::finish)?;
        self.both.map_or(Ok(()), Output::finish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_one_moment_stand_side_by_side() {
        let path =
            std::env::temp_dir().join(format!("antiphon-peer-both-{}.wav", std::process::id()));
        let mut recorder = Recorder::create(None, Some(&path), 8_000, 2).unwrap();
        for tick in 0..5_i16 {
            recorder.handle_said(vec![tick; 2]);
            if tick >= 2 {
                // Heard two ticks late.
                recorder.handle_heard(&[100 + tick - 2; 2]).unwrap();
            }
        }
        recorder.finish().unwrap();
        let mut reader = hound::WavReader::open(&path).unwrap();
        let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(samples, [0, 100, 0, 100, 1, 101, 1, 101, 2, 102, 2, 102]);
    }

    #[test]
    fn a_path_that_cannot_be_written_is_named() {
        let path = Path::new("/nonexistent-folder/out.wav");
        let error = Recorder::create(Some(path), None, 8_000, 0).err().unwrap();
        assert!(error.to_string().contains("/nonexistent-folder/out.wav"), "{error}");
    }
}
