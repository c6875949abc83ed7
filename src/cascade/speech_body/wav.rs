//! WAV: its chunks, and its samples as mono of 16 bits.

use super::SpeechBodyError;
use crate::limits::SPEECH_CHANNELS_MAX;

/// `RIFF`, a size, `WAVE`.
pub(super) const HEADER_BYTES: usize = 12;
/// A chunk's name and size.
pub(super) const CHUNK_BYTES: usize = 8;
/// The least that `fmt ` may have.
pub(super) const FORMAT_BYTES_MIN: usize = 16;
/// What is read of it: up to the number that an extensible format keeps at its end.
pub(super) const FORMAT_BYTES_MAX: usize = 26;

const INTEGER: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;

/// Chunks that editors and libraries write after the samples.
const TRAILERS: [&[u8; 4]; 10] =
    [b"LIST", b"fact", b"JUNK", b"PAD ", b"id3 ", b"ID3 ", b"cue ", b"smpl", b"bext", b"iXML"];

/// A chunk's head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) id: [u8; 4],
    pub(super) size: u32,
}

/// How samples are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub(super) rate_hz: u32,
    channels: u16,
    sample: Sample,
}

#[derive(Clone, Copy, Debug)]
enum Sample {
    U8,
    I16,
    I24,
    I32,
    F32,
}

/// Whether bytes begin like a WAV file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    /// They are its first [`HEADER_BYTES`].
    Header,
    /// All of them are, and they are fewer.
    Beginning,
    /// No, or there are none.
    None,
}

/// Whether `bytes` begin with `RIFF`, any four, `WAVE`.
pub(super) fn likeness(bytes: &[u8]) -> Likeness {
    let differs = |(at, byte): (usize, &u8)| match at {
        0..4 => b"RIFF"[at] != *byte,
        4..8 => false,
        _ => b"WAVE"[at - 8] != *byte,
    };
    if bytes.is_empty() || bytes.iter().take(HEADER_BYTES).enumerate().any(differs) {
        return Likeness::None;
    }
    if bytes.len() < HEADER_BYTES { Likeness::Beginning } else { Likeness::Header }
}

/// The head of the chunk that `bytes` begin with, if they are enough.
pub(super) fn chunk(bytes: &[u8]) -> Option<Chunk> {
    let (id, rest) = bytes.split_first_chunk()?;
    let (size, _) = rest.split_first_chunk()?;
    Some(Chunk { id: *id, size: u32::from_le_bytes(*size) })
}

/// Whether a chunk of this name is known to stand after the samples; what is not may be more samples.
pub(super) fn may_follow(id: [u8; 4]) -> bool {
    TRAILERS.contains(&&id)
}

impl Format {
    /// Samples without a header: mono, signed 16 bit.
    pub(super) const fn bare(rate_hz: u32) -> Self {
        Self { rate_hz, channels: 1, sample: Sample::I16 }
    }

    /// Reads the body of `fmt `, of which there are at least [`FORMAT_BYTES_MIN`] bytes.
    pub(super) fn read(body: &[u8]) -> Result<Self, SpeechBodyError> {
        let word = |at: usize| u16::from_le_bytes([body[at], body[at + 1]]);
        let (channels, bits) = (word(2), word(14));
        let rate_hz = u32::from(word(4)) | u32::from(word(6)) << 16;
        let tag = match word(0) {
            EXTENSIBLE if body.len() >= FORMAT_BYTES_MAX => word(24),
            tag => tag,
        };
        let sample = match (tag, bits) {
            (INTEGER, 8) => Sample::U8,
            (INTEGER, 16) => Sample::I16,
            (INTEGER, 24) => Sample::I24,
            (INTEGER, 32) => Sample::I32,
            (FLOAT, 32) => Sample::F32,
            _ => return Err(SpeechBodyError::UnsupportedWav { tag, channels, bits }),
        };
        if !(1..=SPEECH_CHANNELS_MAX).contains(&channels) {
            return Err(SpeechBodyError::UnsupportedWav { tag, channels, bits });
        }
        Ok(Self { rate_hz, channels, sample })
    }

    /// Bytes of one sample of every channel.
    pub(super) const fn frame_bytes(self) -> usize {
        self.channels as usize * self.sample.bytes()
    }

    /// Bytes of one second.
    pub(super) const fn bytes_per_second(self) -> u64 {
        self.rate_hz as u64 * self.frame_bytes() as u64
    }

    /// The mean over the channels of one frame of [`Format::frame_bytes`].
    pub(super) fn mono(self, frame: &[u8]) -> i16 {
        let samples = frame.chunks_exact(self.sample.bytes());
        let sum: i32 = samples.map(|bytes| i32::from(self.sample.read(bytes))).sum();
        // A mean of `i16` is one.
        (sum / i32::from(self.channels)) as i16
    }
}

impl Sample {
    const fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::I32 | Self::F32 => 4,
        }
    }

    /// One sample; of wider integers the upper 16 bits, of floats outside -1 to 1 the nearer end.
    fn read(self, bytes: &[u8]) -> i16 {
        match (self, bytes) {
            (Self::U8, &[byte]) => (i16::from(byte) - 128) << 8,
            (Self::I16, &[low, high])
            | (Self::I24, &[_, low, high])
            | (Self::I32, &[_, _, low, high]) => i16::from_le_bytes([low, high]),
            // The conversion clips, and makes 0 of what is no number.
            (Self::F32, &[a, b, c, d]) => (f32::from_le_bytes([a, b, c, d]) * 32_768.0) as i16,
            _ => unreachable!("a frame is cut into whole samples"),
        }
    }
}
