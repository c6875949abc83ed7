//! Every bound of the caller, with its unit and its reason.

use std::time::Duration;

/// One packet of audio sent. 20 ms is what phones and browsers send.
pub const FRAME_MS: u32 = 20;
/// [`FRAME_MS`] as a duration.
pub const FRAME: Duration = Duration::from_millis(FRAME_MS as u64);

/// The longest clip that is read, in seconds of audio.
pub const CLIP_SECONDS_MAX: u32 = 600;
/// The largest wav file that is opened, in bytes: the longest clip at 96 kHz, 32 bits, stereo, with
/// room for other chunks.
pub const WAV_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// The lowest and highest sample rate of a clip, in hertz.
pub const WAV_HZ_MIN: u32 = 8_000;
/// See [`WAV_HZ_MIN`].
pub const WAV_HZ_MAX: u32 = 96_000;
/// Channels of a clip at most; they are averaged.
pub const WAV_CHANNELS_MAX: u16 = 8;

/// Received packets waiting to be played, at most: 4 s of 20 ms packets. One more is refused.
pub const PLAYOUT_PACKETS_MAX: usize = 200;
/// The longest packet that is decoded, in milliseconds (RFC 6716 §2.1.4).
pub const PACKET_MS_MAX: u32 = 120;
/// Packets inside an impaired link, at most. One more is dropped, as by a full router queue.
pub const LINK_PACKETS_MAX: usize = 1_000;
/// Packets received but not yet looked at. The caller's loop takes them at once; a full queue
/// drops.
pub const RECEIVED_PACKETS_MAX: usize = 512;
/// Notices of the connection and of the data channel not yet looked at. A full queue drops.
pub const NOTICES_MAX: usize = 512;

/// Events of the agent kept in a report. Later ones are counted only.
pub const EVENTS_MAX: usize = 5_000;
/// The largest answer or error body that is read, in bytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Turns of one call, at most.
pub const TURNS_MAX: usize = 1_000;
/// Holes kept for each reply. Later ones are counted only.
pub const HOLES_MAX: usize = 100;

/// The longest wait for host candidates before the offer is sent with what there is.
pub const GATHER_MAX: Duration = Duration::from_secs(2);
/// The longest wait for the answer to an HTTP request.
pub const HTTP_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest wait for the server's answer to the end of the call: the figures are in already.
pub const HANG_UP_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a connectivity check is repeated until it is answered. The stack's own 200 ms would be
/// the largest part of the time to connect.
pub const ICE_CHECK_INTERVAL: Duration = Duration::from_millis(20);
/// Connectivity checks for each pair: 10 s at [`ICE_CHECK_INTERVAL`].
pub const ICE_CHECKS_MAX: u16 = 500;

/// Calls of one bench run, at most.
pub const BENCH_CALLS_MAX: u32 = 1_000;
/// Calls at the same time of one duplex run, at most: their audio is made before each begins.
pub const DUPLEX_CALLS_MAX: u32 = 200;
