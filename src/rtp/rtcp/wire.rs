//! The bytes of RTCP packets (RFC 3550 §6).

use super::NtpTime;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const ITEM_CNAME: u8 = 1;
const BLOCK_BYTES: usize = 24;
const SENDER_INFO_BYTES: usize = 20;
/// The longest CNAME written; the field could hold 255 bytes.
const NAME_BYTES_MAX: usize = 64;

/// A packet, or the rest of a compound, that does not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// One packet of a compound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Packet<'a> {
    /// RFC 3550 §6.4.1.
    SenderReport { ssrc: u32, info: SenderInfo, reports: Reports<'a> },
    /// RFC 3550 §6.4.2.
    ReceiverReport { ssrc: u32, reports: Reports<'a> },
    /// RFC 3550 §6.6.
    Bye { ssrc: Option<u32> },
    /// Anything else, such as feedback.
    Other { packet_type: u8 },
}

/// What a sender says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// When the report was sent, on the sender's clock.
    pub ntp: NtpTime,
    /// The same moment on its RTP clock.
    pub timestamp: u32,
    /// RTP packets sent so far.
    pub packets: u32,
    /// Payload bytes sent so far.
    pub octets: u32,
}

/// What a receiver says of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// Share lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the beginning; 24 bits, negative when duplicates outnumber losses.
    pub cumulative_lost: i32,
    /// The highest sequence number received, extended by its cycles.
    pub highest_sequence: u32,
    /// Interarrival jitter in ticks of the RTP clock.
    pub jitter: u32,
    /// Compact NTP time of the last sender report from the source; 0 if none came.
    pub last_sr: u32,
    /// Since then, in 1/65 536 s.
    pub delay_since_last_sr: u32,
}

/// The report blocks of a report.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reports<'a>(&'a [u8]);

impl Iterator for Reports<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.0.split_first_chunk::<BLOCK_BYTES>()?;
        self.0 = rest;
        Some(ReportBlock {
            ssrc: be32(block, 0),
            fraction_lost: block[4],
            // Sign-extends the 24 bits.
            cumulative_lost: ((be32(block, 4) << 8).cast_signed()) >> 8,
            highest_sequence: be32(block, 8),
            jitter: be32(block, 12),
            last_sr: be32(block, 16),
            delay_since_last_sr: be32(block, 20),
        })
    }
}

/// The packets of a compound, up to the first that does not parse.
pub fn parse(compound: &[u8]) -> impl Iterator<Item = Result<Packet<'_>, Malformed>> {
    let mut rest = compound;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let packet = split_packet(rest).and_then(|(header, body, after)| {
            rest = after;
            read_packet(header, body)
        });
        if packet.is_none() {
            rest = &[];
        }
        Some(packet.ok_or(Malformed))
    })
}

/// Header, body without padding, and what follows the packet.
fn split_packet(bytes: &[u8]) -> Option<([u8; 4], &[u8], &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<4>()?;
    if header[0] >> 6 != 2 {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([header[2], header[3]])) * 4;
    let (mut body, after) = rest.split_at_checked(length)?;
    if header[0] & 0x20 != 0 {
        // The last byte counts the padding, itself included.
        let padding = usize::from(*body.last()?);
        if padding == 0 {
            return None;
        }
        body = body.get(..body.len().checked_sub(padding)?)?;
    }
    Some((*header, body, after))
}

fn read_packet(header: [u8; 4], body: &[u8]) -> Option<Packet<'_>> {
    let count = usize::from(header[0] & 0x1f);
    match header[1] {
        SENDER_REPORT => {
            let (ssrc, rest) = body.split_first_chunk::<4>()?;
            let (info, rest) = rest.split_first_chunk::<SENDER_INFO_BYTES>()?;
            let ntp = (u64::from(be32(info, 0)) << 32) | u64::from(be32(info, 4));
            let info = SenderInfo {
                ntp: NtpTime(ntp),
                timestamp: be32(info, 8),
                packets: be32(info, 12),
                octets: be32(info, 16),
            };
            let reports = Reports(rest.get(..count * BLOCK_BYTES)?);
            Some(Packet::SenderReport { ssrc: u32::from_be_bytes(*ssrc), info, reports })
        }
        RECEIVER_REPORT => {
            let (ssrc, rest) = body.split_first_chunk::<4>()?;
            let reports = Reports(rest.get(..count * BLOCK_BYTES)?);
            Some(Packet::ReceiverReport { ssrc: u32::from_be_bytes(*ssrc), reports })
        }
        BYE => {
            let sources = body.get(..count * 4)?;
            let ssrc = sources.first_chunk::<4>().map(|ssrc| u32::from_be_bytes(*ssrc));
            Some(Packet::Bye { ssrc })
        }
        packet_type => Some(Packet::Other { packet_type }),
    }
}

/// Four bytes at `at`, which the caller knows to be there.
fn be32<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(super) fn write_sender_report(
    out: &mut Vec<u8>,
    ssrc: u32,
    info: &SenderInfo,
    block: Option<&ReportBlock>,
) {
    let words = 6 + block.map_or(0, |_| BLOCK_BYTES / 4);
    write_header(out, SENDER_REPORT, u8::from(block.is_some()), words);
    out.extend(ssrc.to_be_bytes());
    out.extend(info.ntp.0.to_be_bytes());
    out.extend(info.timestamp.to_be_bytes());
    out.extend(info.packets.to_be_bytes());
    out.extend(info.octets.to_be_bytes());
    write_block(out, block);
}

pub(super) fn write_receiver_report(out: &mut Vec<u8>, ssrc: u32, block: Option<&ReportBlock>) {
    let words = 1 + block.map_or(0, |_| BLOCK_BYTES / 4);
    write_header(out, RECEIVER_REPORT, u8::from(block.is_some()), words);
    out.extend(ssrc.to_be_bytes());
    write_block(out, block);
}

/// A source description with our canonical name (RFC 3550 §6.5.1).
pub(super) fn write_name(out: &mut Vec<u8>, ssrc: u32, name: &str) {
    let name = &name.as_bytes()[..name.len().min(NAME_BYTES_MAX)];
    // SSRC, item type and length, the name, and at least one zero byte to the next word.
    let bytes = (4 + 2 + name.len() + 1).next_multiple_of(4);
    write_header(out, SOURCE_DESCRIPTION, 1, bytes / 4);
    let end = out.len() + bytes;
    out.extend(ssrc.to_be_bytes());
    out.extend([ITEM_CNAME, name.len() as u8]);
    out.extend(name);
    out.resize(end, 0);
}

pub(super) fn write_bye(out: &mut Vec<u8>, ssrc: u32) {
    write_header(out, BYE, 1, 1);
    out.extend(ssrc.to_be_bytes());
}

fn write_header(out: &mut Vec<u8>, packet_type: u8, count: u8, words: usize) {
    out.extend([0x80 | count, packet_type]);
    out.extend((words as u16).to_be_bytes());
}

fn write_block(out: &mut Vec<u8>, block: Option<&ReportBlock>) {
    let Some(block) = block else { return };
    out.extend(block.ssrc.to_be_bytes());
    let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff).cast_unsigned() & 0xff_ffff;
    out.extend(((u32::from(block.fraction_lost) << 24) | lost).to_be_bytes());
    out.extend(block.highest_sequence.to_be_bytes());
    out.extend(block.jitter.to_be_bytes());
    out.extend(block.last_sr.to_be_bytes());
    out.extend(block.delay_since_last_sr.to_be_bytes());
}
