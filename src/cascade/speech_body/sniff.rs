//! What a body is, by its first bytes.
//!
//! Any bytes can be samples, and quiet speech begins with small numbers: -1 is `FF FF`, where a frame of
//! MPEG audio begins with `FF Ex`. So nothing is taken for another format that is not so beyond doubt.

use super::Came;
use super::wav::{self, Likeness};

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sniffed {
    /// More of them are needed.
    Unclear,
    /// The header of a WAV file.
    Wav,
    /// Another format.
    Came(Came),
    /// Samples, since it is nothing else.
    Samples,
}

/// Whether bytes are of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Yes,
    No,
    Unclear,
}

/// So many bytes of text are text: in 32 samples of speech there is a zero, or another byte that is none.
const TEXT_BYTES: usize = 64;
/// A frame of compressed audio that claims to be longer is not believed.
const COMPRESSED_FRAME_BYTES_MAX: usize = 2_048;

const MAGIC: [(usize, &[u8], Came); 5] = [
    (0, b"ID3", Came::Mp3),
    (0, b"OggS", Came::Ogg),
    (0, b"fLaC", Came::Flac),
    (0, b"\x1A\x45\xDF\xA3", Came::WebM),
    (4, b"ftyp", Came::Mp4),
];

/// Judges a body by its first `bytes`, of which there is one at least; `ended` if they are all of it. Once it
/// is clear, more bytes do not change it.
pub(super) fn sniff(bytes: &[u8], ended: bool) -> Sniffed {
    match wav::likeness(bytes) {
        Likeness::Header => return Sniffed::Wav,
        Likeness::Beginning if !ended => return Sniffed::Unclear,
        Likeness::Beginning | Likeness::None => {}
    }
    // In the order in which they settle: text that has hardly begun may still turn out to be a magic.
    for (at, magic, came) in MAGIC {
        match has(bytes, at, magic) {
            Verdict::Yes => return Sniffed::Came(came),
            Verdict::Unclear if !ended => return Sniffed::Unclear,
            Verdict::Unclear | Verdict::No => {}
        }
    }
    for (came, length) in [(Came::Mp3, mpeg_frame as FrameLength), (Came::Aac, adts_frame)] {
        match frames(bytes, length) {
            Verdict::Yes => return Sniffed::Came(came),
            Verdict::Unclear if !ended => return Sniffed::Unclear,
            Verdict::Unclear | Verdict::No => {}
        }
    }
    match text(bytes) {
        Verdict::Yes => Sniffed::Came(kind_of_text(bytes)),
        // 64 bytes are a thousandth of a second: no speech is so short.
        Verdict::Unclear if ended => Sniffed::Came(kind_of_text(bytes)),
        Verdict::Unclear => Sniffed::Unclear,
        Verdict::No => Sniffed::Samples,
    }
}

fn has(bytes: &[u8], at: usize, magic: &[u8]) -> Verdict {
    let begun = bytes.get(at..).unwrap_or_default();
    let length = begun.len().min(magic.len());
    if begun[..length] != magic[..length] {
        Verdict::No
    } else if length < magic.len() {
        Verdict::Unclear
    } else {
        Verdict::Yes
    }
}

/// The length of the frame that begins with these bytes: `Err` if it is none.
type FrameLength = fn(&[u8; 6]) -> Result<usize, NoFrame>;

#[derive(Clone, Copy, Debug)]
struct NoFrame;

/// Whether one frame is followed by another of its kind, which samples are not by chance.
fn frames(bytes: &[u8], length: FrameLength) -> Verdict {
    if bytes[0] != 0xFF || bytes.get(1).is_some_and(|byte| *byte < 0xE0) {
        return Verdict::No;
    }
    let Some((head, _)) = bytes.split_first_chunk() else { return Verdict::Unclear };
    let Ok(length) = length(head) else { return Verdict::No };
    if !(head.len()..=COMPRESSED_FRAME_BYTES_MAX).contains(&length) {
        return Verdict::No;
    }
    // All but the last bit of the second byte, which says whether there is a checksum.
    match bytes.get(length..length + 2) {
        Some([0xFF, second]) if second & 0xFE == head[1] & 0xFE => Verdict::Yes,
        Some(_) => Verdict::No,
        None => Verdict::Unclear,
    }
}

/// MPEG audio, layer III (ISO 11172-3 §2.4.2.3).
fn mpeg_frame(head: &[u8; 6]) -> Result<usize, NoFrame> {
    const V1_KBPS: [usize; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const V2_KBPS: [usize; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    const V1_HZ: [usize; 3] = [44_100, 48_000, 32_000];
    let layer = head[1] >> 1 & 0b11;
    let (kbps, divisor, per_frame) = match head[1] >> 3 & 0b11 {
        0b11 => (V1_KBPS, 1, 144_000),
        0b10 => (V2_KBPS, 2, 72_000),
        0b00 => (V2_KBPS, 4, 72_000),
        _ => return Err(NoFrame),
    };
    let rate = usize::from(head[2] >> 4).checked_sub(1).and_then(|index| kbps.get(index));
    let hz = V1_HZ.get(usize::from(head[2] >> 2 & 0b11));
    match (layer, rate, hz) {
        (0b01, Some(kbps), Some(hz)) => {
            Ok(per_frame * kbps / (hz / divisor) + usize::from(head[2] >> 1 & 1))
        }
        _ => Err(NoFrame),
    }
}

/// AAC in ADTS (ISO 13818-7 §6.2).
fn adts_frame(head: &[u8; 6]) -> Result<usize, NoFrame> {
    if head[1] & 0xF6 != 0xF0 {
        return Err(NoFrame);
    }
    let [high, middle, low] = [head[3] & 0b11, head[4], head[5] >> 5].map(usize::from);
    Ok(high << 11 | middle << 3 | low)
}

/// Whether the first [`TEXT_BYTES`] are UTF-8 without control characters.
fn text(bytes: &[u8]) -> Verdict {
    let window = &bytes[..bytes.len().min(TEXT_BYTES)];
    let valid = match std::str::from_utf8(window) {
        Ok(text) => text,
        // A character that is not complete yet, or cut by the window's end.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&window[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return Verdict::No,
    };
    if valid.chars().any(|letter| letter.is_control() && !"\r\n\t".contains(letter)) {
        Verdict::No
    } else if window.len() < TEXT_BYTES {
        Verdict::Unclear
    } else {
        Verdict::Yes
    }
}

fn kind_of_text(bytes: &[u8]) -> Came {
    let window = &bytes[..bytes.len().min(TEXT_BYTES)];
    let start = window.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(window).trim_ascii_start();
    match start.first() {
        Some(b'{' | b'[' | b'"') => Came::Json,
        Some(b'<') => Came::Markup,
        _ if start.starts_with(b"data:") || start.starts_with(b"event:") => Came::EventStream,
        _ => Came::Text,
    }
}
