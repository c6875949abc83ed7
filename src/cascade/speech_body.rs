//! The body of `POST /audio/speech`, as it comes, to mono samples.
//!
//! Servers that share this call differ in what they answer with: bare samples; a WAV file; a WAV header
//! with endless sizes and then samples without end; and, where a server joins segments, the header of the
//! next segment in the middle of the audio, which would be heard as a click. Whatever is no audio of these
//! kinds is an error that says what came.
//!
//! ```text
//! Beginning --what the first bytes are--> Header --`data`--> Samples --all of a known size--> After
//!     |                                    ^  ^                |  ^                             |
//!     |                                    |  '----a header----'  '----anything else------------|
//!     |                                    '------------------------------a header--------------|
//!     '--bare samples--> Samples                                     Skip <--a chunk------------'
//! ```
//!
//! How the bytes are cut into pieces changes nothing. Silence is kept.

mod error;
mod sniff;
mod wav;

pub use error::{BadHeader, Came, SpeechBodyError};

use crate::limits::{REPLY_RATES_HZ, SPEECH_HEADER_BYTES_MAX, SPEECH_SECONDS_MAX};
use sniff::Sniffed;
use wav::{CHUNK_BYTES, Format, HEADER_BYTES, Likeness};

/// Bytes taken up at once, which bounds what is held between two pushes.
const BLOCK_BYTES: usize = 4_096;

/// Reads one body. After an error every further call returns the same one.
#[derive(Clone, Debug)]
pub struct SpeechBody {
    configured_hz: u32,
    state: State,
    /// Bytes that cannot be judged yet, at the beginning of what comes next.
    held: Vec<u8>,
    rate_hz: Option<u32>,
    samples: u64,
    bytes: u64,
    header_bytes: u64,
    dropped_bytes: u64,
    /// Headers found after audio.
    inner_headers: u32,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Beginning,
    /// Before a chunk of a header; the format if it is known.
    Header(Option<Format>),
    /// Within the samples; how many more, if the header says it.
    Samples {
        format: Format,
        extent: Option<Extent>,
    },
    /// After as many samples as the header said.
    After(Format),
    /// Within a chunk that is not read, then on with `then`.
    Skip {
        left: u64,
        then: AfterSkip,
    },
    Failed(SpeechBodyError),
}

/// Samples that a header promises.
#[derive(Clone, Copy, Debug)]
struct Extent {
    /// Bytes of whole ones still to come.
    left: u64,
    /// Bytes after them: half a sample, and the byte that makes the chunk even.
    tail: u64,
}

#[derive(Clone, Copy, Debug)]
enum AfterSkip {
    Header(Option<Format>),
    After(Format),
}

/// One step forward: so many bytes are done with, or more are needed to judge.
enum Step {
    Took(usize),
    NeedsMore,
}

impl SpeechBody {
    /// Before the first byte. `rate_hz` is that of bare samples, one of [`REPLY_RATES_HZ`]; a header
    /// overrides it. Any other is an error once it turns out to be needed.
    pub const fn new(rate_hz: u32) -> Self {
        Self {
            configured_hz: rate_hz,
            state: State::Beginning,
            held: Vec::new(),
            rate_hz: None,
            samples: 0,
            bytes: 0,
            header_bytes: 0,
            dropped_bytes: 0,
            inner_headers: 0,
        }
    }

    /// Takes the next bytes and appends the samples that they complete to `out`: mono, at
    /// [`SpeechBody::rate_hz`]. Up to 2 KiB at the beginning, and 11 bytes later, may be held until more
    /// comes.
    ///
    /// # Errors
    ///
    /// The body is no use. Samples before the fault have been appended.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<i16>) -> Result<(), SpeechBodyError> {
        for block in bytes.chunks(BLOCK_BYTES) {
            self.bytes += block.len() as u64;
            self.held.extend_from_slice(block);
            self.advance(false, out)?;
        }
        self.failure().map_or(Ok(()), Err)
    }

    /// The body is over: appends what was held. Half a sample left over is dropped and counted.
    ///
    /// # Errors
    ///
    /// What was held is no audio, or there was none at all.
    pub fn finish(&mut self, out: &mut Vec<i16>) -> Result<(), SpeechBodyError> {
        self.advance(true, out)?;
        self.dropped_bytes += self.held.len() as u64;
        self.held.clear();
        if self.samples == 0 {
            return self.fail(SpeechBodyError::NoAudio { bytes: self.bytes });
        }
        Ok(())
    }

    /// The rate of the samples, in Hz, one of [`REPLY_RATES_HZ`]. Known before the first of them, and the
    /// same from then on.
    pub const fn rate_hz(&self) -> Option<u32> {
        self.rate_hz
    }

    /// Bytes at the end that were dropped, being less than a sample or less than a header.
    pub const fn dropped_bytes(&self) -> u64 {
        self.dropped_bytes
    }

    /// Headers that were taken out of the middle of the audio.
    pub const fn inner_headers(&self) -> u32 {
        self.inner_headers
    }

    fn failure(&self) -> Option<SpeechBodyError> {
        match self.state {
            State::Failed(error) => Some(error),
            _ => None,
        }
    }

    fn fail(&mut self, error: SpeechBodyError) -> Result<(), SpeechBodyError> {
        self.state = State::Failed(error);
        self.held.clear();
        Err(error)
    }

    /// Steps until more bytes are needed; `ended` if none will come.
    fn advance(&mut self, ended: bool, out: &mut Vec<i16>) -> Result<(), SpeechBodyError> {
        let held = std::mem::take(&mut self.held);
        let mut at = 0;
        loop {
            match self.step(&held[at..], ended, out) {
                Ok(Step::Took(bytes)) => at += bytes,
                Ok(Step::NeedsMore) => break,
                Err(error) => return self.fail(error),
            }
        }
        self.held = held;
        self.held.drain(..at);
        Ok(())
    }

    fn step(
        &mut self,
        bytes: &[u8],
        ended: bool,
        out: &mut Vec<i16>,
    ) -> Result<Step, SpeechBodyError> {
        match self.state {
            State::Beginning => self.begin(bytes, ended),
            State::Header(format) => self.read_chunk(bytes, format),
            State::Samples { format, extent } => {
                self.read_samples(bytes, ended, format, extent, out)
            }
            State::After(format) => self.read_after(bytes, ended, format),
            State::Skip { left, then } => {
                let taken = left.min(bytes.len() as u64);
                if left > taken {
                    self.state = State::Skip { left: left - taken, then };
                    return Ok(if taken == 0 {
                        Step::NeedsMore
                    } else {
                        Step::Took(taken as usize)
                    });
                }
                self.state = match then {
                    AfterSkip::Header(format) => State::Header(format),
                    AfterSkip::After(format) => State::After(format),
                };
                Ok(Step::Took(taken as usize))
            }
            State::Failed(error) => Err(error),
        }
    }
}

impl Extent {
    /// Of a chunk of `size` bytes.
    const fn of(size: u64, format: Format) -> Self {
        let half = size % format.frame_bytes() as u64;
        Self { left: size - half, tail: half + size % 2 }
    }
}

// ==== Steps ====

impl SpeechBody {
    fn begin(&mut self, bytes: &[u8], ended: bool) -> Result<Step, SpeechBodyError> {
        if bytes.is_empty() {
            return Ok(Step::NeedsMore);
        }
        match sniff::sniff(bytes, ended) {
            Sniffed::Unclear => Ok(Step::NeedsMore),
            Sniffed::Came(came) => Err(SpeechBodyError::NotSamples(came)),
            Sniffed::Wav => {
                self.count_header(HEADER_BYTES as u64)?;
                self.state = State::Header(None);
                Ok(Step::Took(HEADER_BYTES))
            }
            Sniffed::Samples => {
                let format = Format::bare(self.configured_hz);
                self.enter_samples(format, None)?;
                Ok(Step::Took(0))
            }
        }
    }

    fn read_chunk(
        &mut self,
        bytes: &[u8],
        format: Option<Format>,
    ) -> Result<Step, SpeechBodyError> {
        let Some(chunk) = wav::chunk(bytes) else { return Ok(Step::NeedsMore) };
        match &chunk.id {
            b"data" => {
                let format = format.ok_or(SpeechBodyError::BadHeader(BadHeader::NoFormat))?;
                self.count_header(CHUNK_BYTES as u64)?;
                // Servers that do not know yet how long the audio will be write 0 or a number that no
                // phrase reaches.
                let longest = u64::from(SPEECH_SECONDS_MAX) * format.bytes_per_second();
                let size = u64::from(chunk.size);
                let is_true = (1..=longest).contains(&size);
                self.enter_samples(format, is_true.then(|| Extent::of(size, format)))?;
                Ok(Step::Took(CHUNK_BYTES))
            }
            b"fmt " => {
                if (chunk.size as usize) < wav::FORMAT_BYTES_MIN {
                    return Err(SpeechBodyError::BadHeader(BadHeader::ShortFormat));
                }
                let needed = CHUNK_BYTES + wav::FORMAT_BYTES_MAX.min(chunk.size as usize);
                if bytes.len() < needed {
                    return Ok(Step::NeedsMore);
                }
                let format = Format::read(&bytes[CHUNK_BYTES..needed])?;
                self.skip(chunk, AfterSkip::Header(Some(format)))
            }
            _ => self.skip(chunk, AfterSkip::Header(format)),
        }
    }

    /// Passes over a chunk, the byte that makes it even included.
    fn skip(&mut self, chunk: wav::Chunk, then: AfterSkip) -> Result<Step, SpeechBodyError> {
        let size = u64::from(chunk.size);
        let left = size + size % 2;
        self.count_header(CHUNK_BYTES as u64 + left)?;
        self.state = State::Skip { left, then };
        Ok(Step::Took(CHUNK_BYTES))
    }

    fn read_samples(
        &mut self,
        bytes: &[u8],
        ended: bool,
        format: Format,
        extent: Option<Extent>,
        out: &mut Vec<i16>,
    ) -> Result<Step, SpeechBodyError> {
        let frame = format.frame_bytes();
        let most = u64::from(SPEECH_SECONDS_MAX) * u64::from(format.rate_hz);
        let mut at = 0;
        loop {
            if let Some(Extent { left, tail }) = extent
                && left == at as u64
            {
                self.state = State::Skip { left: tail, then: AfterSkip::After(format) };
                return Ok(Step::Took(at));
            }
            let rest = &bytes[at..];
            match wav::likeness(rest) {
                Likeness::Header => {
                    self.count_header(HEADER_BYTES as u64)?;
                    self.inner_headers += u32::from(self.samples > 0);
                    self.state = State::Header(None);
                    return Ok(Step::Took(at + HEADER_BYTES));
                }
                Likeness::Beginning if !ended => break,
                Likeness::Beginning | Likeness::None => {}
            }
            let Some(bytes) = rest.get(..frame) else { break };
            if self.samples >= most {
                return Err(SpeechBodyError::TooLong);
            }
            out.push(format.mono(bytes));
            self.samples += 1;
            at += frame;
        }
        let extent = extent.map(|extent| Extent { left: extent.left - at as u64, ..extent });
        self.state = State::Samples { format, extent };
        Ok(if at == 0 { Step::NeedsMore } else { Step::Took(at) })
    }

    /// What follows may be a header, a chunk, or, if the size told only of the first segment, samples.
    fn read_after(
        &mut self,
        bytes: &[u8],
        ended: bool,
        format: Format,
    ) -> Result<Step, SpeechBodyError> {
        if bytes.len() < CHUNK_BYTES && !ended {
            return Ok(Step::NeedsMore);
        }
        match wav::chunk(bytes) {
            Some(chunk) if wav::may_follow(chunk.id) => self.skip(chunk, AfterSkip::After(format)),
            _ => {
                self.state = State::Samples { format, extent: None };
                Ok(Step::Took(0))
            }
        }
    }

    fn enter_samples(
        &mut self,
        format: Format,
        extent: Option<Extent>,
    ) -> Result<(), SpeechBodyError> {
        let rate_hz = format.rate_hz;
        if !REPLY_RATES_HZ.contains(&rate_hz) {
            return Err(SpeechBodyError::UnsupportedRate { rate_hz });
        }
        // Headers alone settle nothing: before the first sample a later one may correct an earlier.
        match self.rate_hz {
            Some(from_hz) if from_hz != rate_hz && self.samples > 0 => {
                return Err(SpeechBodyError::RateChanged { from_hz, to_hz: rate_hz });
            }
            _ => self.rate_hz = Some(rate_hz),
        }
        self.state = State::Samples { format, extent };
        Ok(())
    }

    fn count_header(&mut self, bytes: u64) -> Result<(), SpeechBodyError> {
        self.header_bytes += bytes;
        if self.header_bytes > SPEECH_HEADER_BYTES_MAX {
            return Err(SpeechBodyError::BadHeader(BadHeader::TooLong));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
