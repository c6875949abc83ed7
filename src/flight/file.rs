//! The format of a recording.
//!
//! ```text
//! magic    89 41 46 52 0D 0A 1A 0A      so that a transfer as text is noticed
//! version  u16, little-endian           others are refused
//! block    kind u8, length before compression u32, stored length u32, CRC-32 u32, stored bytes
//! block    ...
//! ```
//!
//! The CRC is that of the kind, the lengths and the stored bytes. What is stored is raw deflate (RFC 1951).
//! The first block is the header (`H`, JSON), then come the clips that the agent could play (`C`, only in
//! full recordings), records (`R`) and at last an end (`E`) that says whether all of it is there. A block of
//! records begins with its time in microseconds since the call began, and each record with its kind and the
//! time since the one before, so that every block can be read by itself: a file that was cut short is good
//! up to the cut.

use std::io::{Read, Write};

use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use super::record::{self, Record};
use super::wire::{Malformed, Put, Take};
use super::{Header, Kind, pcm};
use crate::limits::{FLIGHT_BLOCK_BYTES_MAX, FLIGHT_CLIP_BYTES_MAX, FLIGHT_HEADER_BYTES_MAX};
use crate::media::downlink::{ClipAudio, Clips};
use crate::time::SessionTime;

/// The first bytes of every recording.
pub const MAGIC: [u8; 8] = *b"\x89AFR\r\n\x1a\n";
/// The version that is written and read.
pub const VERSION: u16 = 1;
/// Kind, two lengths and CRC.
const HEAD_BYTES: usize = 13;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockKind {
    Header = b'H' as isize,
    Clip = b'C' as isize,
    Records = b'R' as isize,
    End = b'E' as isize,
}

/// Why a recording cannot be read, or not further. Says where, in bytes from the beginning and, once
/// there is one, in time of the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It is something else.
    #[error(
        "byte 0: this is not a flight recording, which begins with {:02X?}; give a .flight file from the \
         folder that `recordings.directory` names",
        MAGIC
    )]
    NotARecording,
    /// It is of another version.
    #[error("byte 8: the recording is of version {found}; this program reads version {VERSION}")]
    Version { found: u16 },
    /// It ends too early.
    #[error("byte {byte}, {at}: the recording is cut short: {missing}")]
    Cut { byte: usize, at: SessionTime, missing: String },
    /// Its bytes are not what was written.
    #[error("byte {byte}, {at}: the recording was altered or is damaged: {problem}")]
    Altered { byte: usize, at: SessionTime, problem: String },
    /// Its header is not one.
    #[error("byte 10: the recording's header: {problem}")]
    Header { problem: String },
}

/// The bytes that every file begins with.
pub fn begin(header: &Header) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.put_bytes(&VERSION.to_le_bytes());
    put_block(&mut bytes, BlockKind::Header, header.to_json().as_bytes());
    for clip in clips(header) {
        put_block(&mut bytes, BlockKind::Clip, &clip);
    }
    bytes
}

/// The clips that a replay needs: that of features plays nothing.
fn clips(header: &Header) -> Vec<Vec<u8>> {
    let Clips { filler, apology } = match header.kind {
        Kind::Full => header.settings.clips.clone(),
        Kind::Features => Clips::default(),
    };
    let raw = |(number, audio): (u8, ClipAudio)| {
        let mut raw = vec![number];
        raw.put_u32(audio.sample_rate_hz());
        pcm::put(&mut raw, audio.pcm());
        raw
    };
    let numbered = [(1, filler), (2, apology)].into_iter();
    numbered.filter_map(|(number, audio)| Some(raw((number, audio?)))).collect()
}

/// Takes a clip into the settings that it belongs to.
fn take_clip(raw: &[u8], clips: &mut Clips) -> Result<(), Malformed> {
    let mut take = Take(raw);
    let slot = match take.u8()? {
        1 => &mut clips.filler,
        2 => &mut clips.apology,
        _ => return Err(Malformed("a clip is of an unknown kind")),
    };
    let (sample_rate_hz, pcm) = (take.u32()?, pcm::take(&mut take)?);
    let audio = ClipAudio::new(sample_rate_hz, &pcm)
        .map_err(|_refused| Malformed("a clip is not one that can be played"))?;
    match slot.replace(audio) {
        None if take.is_empty() => Ok(()),
        None => Err(Malformed("there are bytes after a clip")),
        Some(_) => Err(Malformed("a clip is there twice")),
    }
}

/// A block of records as it is stored. `records` is what a [`Recorder`](super::Recorder) handed out.
pub fn block(records: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_block(&mut bytes, BlockKind::Records, records);
    bytes
}

/// The last bytes of a file. `note` says why the recording ended before the call did; empty if it did not.
pub fn end(note: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_block(&mut bytes, BlockKind::End, note.as_bytes());
    bytes
}

fn put_block(out: &mut Vec<u8>, kind: BlockKind, raw: &[u8]) {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    let stored = encoder.write_all(raw).and_then(|()| encoder.finish());
    let stored = stored.expect("writing to memory cannot fail");
    let mut head = [0; HEAD_BYTES - 4];
    head[0] = kind as u8;
    head[1..5].copy_from_slice(&length(raw.len()).to_le_bytes());
    head[5..9].copy_from_slice(&length(stored.len()).to_le_bytes());
    out.put_bytes(&head);
    out.put_bytes(&checksum(&head, &stored).to_le_bytes());
    out.put_bytes(&stored);
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("blocks are bounded")
}

fn checksum(head: &[u8], stored: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(head);
    crc.update(stored);
    crc.sum()
}

/// Reads a recording block by block.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    header: Header,
    /// Where the next block begins.
    next: usize,
    /// The time of the last record read.
    at: SessionTime,
    end: Option<String>,
}

/// The records of one block.
#[derive(Clone, Debug)]
pub struct Block {
    raw: Vec<u8>,
    /// Where the block begins in the file.
    byte: usize,
}

#[cfg(test)]
impl Block {
    /// Its bytes as far as they are text.
    pub(super) fn as_text(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }
}

impl<'a> Reader<'a> {
    /// Reads the beginning of a recording.
    pub fn open(bytes: &'a [u8]) -> Result<Self, FileError> {
        let at = SessionTime::ZERO;
        let cut = |missing: &str| FileError::Cut { byte: bytes.len(), at, missing: missing.into() };
        let known = bytes.len().min(MAGIC.len());
        if bytes[..known] != MAGIC[..known] || bytes.is_empty() {
            return Err(FileError::NotARecording);
        }
        let version = bytes.get(MAGIC.len()..).and_then(|rest| rest.first_chunk::<2>());
        let version = u16::from_le_bytes(*version.ok_or_else(|| cut("its version is missing"))?);
        if version != VERSION {
            return Err(FileError::Version { found: version });
        }
        let mut next = MAGIC.len() + 2;
        let (kind, raw) =
            take_block(bytes, &mut next, at)?.ok_or_else(|| cut("its header is missing"))?;
        if kind != BlockKind::Header {
            let problem = "it does not come first".to_owned();
            return Err(FileError::Header { problem });
        }
        let text = String::from_utf8(raw)
            .map_err(|_utf8| FileError::Header { problem: "it is not UTF-8".to_owned() })?;
        let mut header =
            Header::from_json(&text).map_err(|problem| FileError::Header { problem })?;
        while bytes.get(next) == Some(&(BlockKind::Clip as u8)) {
            let byte = next;
            let Some((_, raw)) = take_block(bytes, &mut next, at)? else { break };
            take_clip(&raw, &mut header.settings.clips).map_err(|Malformed(problem)| {
                FileError::Altered { byte, at, problem: problem.to_owned() }
            })?;
        }
        Ok(Self { bytes, header, next, at, end: None })
    }

    /// What the recording says of itself.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The next block of records; `None` after the end.
    pub fn next_block(&mut self) -> Result<Option<Block>, FileError> {
        if self.end.is_some() {
            return Ok(None);
        }
        let byte = self.next;
        let Some((kind, raw)) = take_block(self.bytes, &mut self.next, self.at)? else {
            let missing = "its end is missing".to_owned();
            return Err(FileError::Cut { byte, at: self.at, missing });
        };
        match kind {
            BlockKind::Records => Ok(Some(Block { raw, byte })),
            BlockKind::Header => Err(self.altered(byte, "a second header")),
            BlockKind::Clip => Err(self.altered(byte, "a clip after records")),
            BlockKind::End if self.next < self.bytes.len() => {
                Err(self.altered(self.next, "there are bytes after its end"))
            }
            BlockKind::End => {
                self.end = Some(String::from_utf8_lossy(&raw).into_owned());
                Ok(None)
            }
        }
    }

    /// Hands the records of a block to `each`, in order.
    pub fn read<'b>(
        &mut self,
        block: &'b Block,
        mut each: impl FnMut(SessionTime, Record<'b>),
    ) -> Result<(), FileError> {
        let mut take = Take(&block.raw);
        let mut read = || -> Result<(), Malformed> {
            let first = SessionTime::from_micros(take.u64()?);
            if first < self.at {
                return Err(Malformed("its time goes backwards"));
            }
            self.at = first;
            while !take.is_empty() {
                let (at, record) = record::take(&mut take, self.at)?;
                self.at = at;
                each(at, record);
            }
            Ok(())
        };
        read().map_err(|Malformed(problem)| self.altered(block.byte, problem))
    }

    /// After the end: why the recording ended before the call did; empty if it did not.
    pub fn note(&self) -> Option<&str> {
        self.end.as_deref()
    }

    fn altered(&self, byte: usize, problem: &str) -> FileError {
        FileError::Altered { byte, at: self.at, problem: problem.to_owned() }
    }
}

/// The block at `next`, which is moved behind it; `None` at the end of the bytes.
fn take_block(
    bytes: &[u8],
    next: &mut usize,
    at: SessionTime,
) -> Result<Option<(BlockKind, Vec<u8>)>, FileError> {
    let byte = *next;
    let rest = &bytes[byte..];
    if rest.is_empty() {
        return Ok(None);
    }
    let cut = |expected: usize| FileError::Cut {
        byte,
        at,
        missing: format!("a block of {expected} bytes begins here and {} are there", rest.len()),
    };
    let altered = |problem: &str| FileError::Altered { byte, at, problem: problem.to_owned() };
    let head = rest.first_chunk::<HEAD_BYTES>().ok_or_else(|| cut(HEAD_BYTES))?;
    let number = |from: usize| {
        u32::from_le_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]])
    };
    let (raw_bytes, stored_bytes) = (number(1) as usize, number(5) as usize);
    let (kind, raw_max) = match head[0] {
        b'H' => (BlockKind::Header, FLIGHT_HEADER_BYTES_MAX),
        b'C' => (BlockKind::Clip, FLIGHT_CLIP_BYTES_MAX),
        b'R' => (BlockKind::Records, FLIGHT_BLOCK_BYTES_MAX),
        b'E' => (BlockKind::End, FLIGHT_HEADER_BYTES_MAX),
        _ => return Err(altered("a block is of an unknown kind")),
    };
    // Deflate never grows what it cannot shrink by more than this.
    if raw_bytes > raw_max || stored_bytes > raw_bytes + raw_bytes / 1_000 + 64 {
        return Err(altered("a block claims to be longer than blocks are"));
    }
    let whole = HEAD_BYTES + stored_bytes;
    let stored = rest.get(HEAD_BYTES..whole).ok_or_else(|| cut(whole))?;
    if checksum(&head[..9], stored) != number(9) {
        return Err(altered("the checksum of a block does not fit"));
    }
    let mut raw = Vec::with_capacity(raw_bytes);
    let inflated = DeflateDecoder::new(stored).take(raw_bytes as u64 + 1).read_to_end(&mut raw);
    if inflated.is_err() || raw.len() != raw_bytes {
        return Err(altered("a block does not decompress to its length"));
    }
    *next = byte + whole;
    Ok(Some((kind, raw)))
}
