//! From a backend's audio to packets, one every 20 ms while there is something to say.
//!
//! ```text
//! push -> queue (backend's rate) -> resample -> frame -> fades -> encode -> Slot
//!                                                ^ every 20 ms, on the pacer's clock
//! ```
//!
//! A reply is announced by [`DownlinkCommand::Play`]; audio of any other is refused. Its life:
//!
//! ```text
//!   Play --> Starting --enough audio--> Sounding --all played after Finish--> (none)
//!               ^   ^------underrun-----'  | Pause            Flush, at any time --> (none)
//!               |                      Pausing --one frame--> Paused
//!               '-------------------------- Resume ------------'
//! ```
//!
//! Nothing that sounds ever stops or starts at once: the frame after `Pause` or `Flush` fades out
//! over its whole length, an underrun or an abrupt end over 5 ms, and a beginning rises over 5 ms.
//! After `Pause` the faded frame is put back, so that `Resume` plays it again, rising: the one place
//! where audio is sent twice.
//!
//! A [`Clip`](DownlinkCommand::Clip) goes ahead of the reply: one that sounds gives way within a frame
//! and rises again after the clip's end. It is of no reply, and `Pause`, `Resume` and `Flush` hold, go
//! on with and end it as they do a reply.
//!
//! What begins while nothing is being sent begins at once: the clock comes forward to it. A frame that may
//! leave need not wait for a slot that is only a matter of chance.
//!
//! While there is nothing to say the encoder is not called. One frame of silence pushes the end of
//! the speech out of the encoder's look-ahead, a few cached packets let the receiver's decoder come
//! to rest, and then one every 400 ms keeps the track and the NAT binding alive.

mod clip;
mod fade;
mod pacer;
mod queue;
mod quiet;
mod source;

use std::time::Duration;

pub use clip::{ClipAudio, ClipRefused, Clips};

use crate::call::event::{Clip, DownlinkCommand, Generation, SentFrame};
use crate::dsp::level;
pub use crate::limits::REPLY_RATES_HZ;
use crate::limits::{BACKEND_BLOCK_SAMPLES_MAX, ENCODED_FRAME_BYTES_MAX, FRAME_MS};
use crate::media::codec::Codec;
use crate::media::frame::EncodedFrame;
use crate::time::SessionTime;
use clip::ClipPlayer;
use pacer::{Pacer, Tick};
use quiet::{Quiet, Sending};
use source::Source;

/// How long a sound takes to rise from silence, or to fall into it when its audio ran out.
const EDGE_MS: u32 = 5;
/// Audio that must be there before a reply begins to sound: one frame.
const START: Duration = Duration::from_millis(FRAME_MS as u64);
/// Audio that must be there after it ran out: a backend that is late once will be late again, and
/// one gap is heard as a pause where three are heard as a stutter.
const RESTART: Duration = Duration::from_millis(60);
/// Slots after which less audio than that is played all the same: it may be the end of a sentence.
const PATIENCE_SLOTS: u32 = 3;

/// Why reply audio was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// It is of a reply that is not, or no longer, to be played.
    Stale,
    /// The queue holds [`crate::limits::DOWNLINK_QUEUE_MS_MAX`]; see [`Downlink::wants_more`].
    Full,
    /// Its rate is not one of [`REPLY_RATES_HZ`], or changed within the reply.
    BadRate,
    /// The block is longer than [`BACKEND_BLOCK_SAMPLES_MAX`].
    TooLong,
}

/// What one slot of 20 ms came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// When it was due.
    pub at: SessionTime,
    /// For the conversation's ledger.
    pub sent: SentFrame,
    /// For the network; `None` in most slots of a silence.
    pub packet: Option<EncodedFrame>,
}

/// What the downlink counted since the call began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DownlinkStats {
    /// Slots sent or left silent.
    pub slots: u64,
    /// Slots given up because the loop woke too late.
    pub slots_skipped: u64,
    /// Frames that went through the encoder.
    pub frames_encoded: u64,
    /// Cached packets of silence.
    pub silence_packets: u64,
    /// Times a reply ran out of audio before its end.
    pub underruns: u64,
    /// Blocks refused as [`Rejected::Stale`].
    pub blocks_stale: u64,
    /// Blocks refused for another reason.
    pub blocks_refused: u64,
    /// Frames that the encoder refused; silence was sent instead.
    pub encode_errors: u64,
}

/// The downlink of one call.
#[derive(Debug)]
pub struct Downlink {
    rtp_clock_hz: u32,
    first_timestamp: u32,
    pacer: Option<Pacer>,
    source: Source,
    reply: Option<Reply>,
    clips: ClipPlayer,
    /// The last frame of a flushed reply or clip, already faded, waits in `farewell_frame`.
    farewell: Option<Farewell>,
    farewell_frame: Vec<f32>,
    /// The frame of the present slot, after gain, at the codec's rate.
    frame: Vec<f32>,
    /// The end of the frame before it, [`Downlink::edge`] samples.
    before: Vec<f32>,
    quiet: Quiet,
    stats: DownlinkStats,
}

/// Whose the last frame of something flushed is; `None` for a clip.
#[derive(Clone, Copy, Debug)]
struct Farewell(Option<Generation>);

/// The reply being played.
#[derive(Clone, Copy, Debug)]
struct Reply {
    generation: Generation,
    phase: Phase,
    finished: bool,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Silent until there is `enough` audio, or some of it has waited for [`PATIENCE_SLOTS`].
    Starting {
        enough: Duration,
        waited_slots: u32,
        rise: usize,
    },
    Sounding,
    /// The next frame fades out and is put back, then the reply waits for the end of a clip.
    GivingWay,
    /// The next frame fades out and is put back.
    Pausing,
    Paused,
}

impl Downlink {
    /// A downlink for packets of `codec`, silent and with its clock not yet running.
    /// `first_timestamp` is the RTP timestamp of the first slot; RFC 3550 §5.1 wants it random.
    pub fn new<C: Codec>(codec: &C, first_timestamp: u32) -> Self {
        let codec_rate_hz = codec.encode_rate_hz();
        let per_ms = (codec_rate_hz / 1_000) as usize;
        Self {
            rtp_clock_hz: codec.rtp_clock_hz(),
            first_timestamp,
            pacer: None,
            source: Source::new(codec_rate_hz),
            reply: None,
            clips: ClipPlayer::new(Clips::default(), codec_rate_hz),
            farewell: None,
            farewell_frame: vec![0.0; per_ms * FRAME_MS as usize],
            frame: vec![0.0; per_ms * FRAME_MS as usize],
            before: vec![0.0; per_ms * EDGE_MS as usize],
            quiet: Quiet::new(),
            stats: DownlinkStats::default(),
        }
    }

    /// One that can play these clips; without them there are none.
    #[must_use]
    pub fn with_clips(mut self, clips: Clips) -> Self {
        let codec_rate_hz = self.frame.len() as u32 * 1_000 / FRAME_MS;
        self.clips = ClipPlayer::new(clips, codec_rate_hz);
        self
    }

    /// Starts the clock: the first slot is due at `now`. Once started it is not started again.
    pub fn start(&mut self, now: SessionTime) {
        let (first_timestamp, rtp_clock_hz) = (self.first_timestamp, self.rtp_clock_hz);
        self.pacer.get_or_insert_with(|| Pacer::new(now, first_timestamp, rtp_clock_hz));
    }

    /// When the next slot is due; `None` before [`Downlink::start`].
    pub fn next_slot(&self) -> Option<SessionTime> {
        self.pacer.as_ref().map(Pacer::next_at)
    }

    /// Queues reply audio: mono, at `rate_hz`, which may not change within a reply.
    pub fn push(
        &mut self,
        now: SessionTime,
        generation: Generation,
        rate_hz: u32,
        pcm: &[i16],
    ) -> Result<(), Rejected> {
        let verdict = self.admit(generation, rate_hz, pcm);
        match verdict {
            Ok(()) => {
                self.source.push(rate_hz, pcm);
                self.hurry(now);
            }
            Err(Rejected::Stale) => self.stats.blocks_stale += 1,
            Err(_) => self.stats.blocks_refused += 1,
        }
        verdict
    }

    /// Whether there is room for more audio. While there is not, do not read the backend.
    pub fn wants_more(&self) -> bool {
        self.source.has_room()
    }

    /// Does what the conversation asks.
    pub fn command(&mut self, now: SessionTime, command: DownlinkCommand) {
        match command {
            DownlinkCommand::Play { generation } => self.play(generation),
            DownlinkCommand::Pause => self.pause(),
            DownlinkCommand::Resume => self.resume(),
            DownlinkCommand::Flush => self.flush(),
            DownlinkCommand::Finish { generation } => {
                if let Some(reply) = &mut self.reply
                    && reply.generation == generation
                {
                    reply.finished = true;
                }
            }
            DownlinkCommand::Clip { clip } => self.play_clip(clip),
        }
        self.hurry(now);
    }

    /// The next slot, if it is due at `now`. Call it until it says `None`.
    pub fn poll_slot<C: Codec>(&mut self, now: SessionTime, codec: &mut C) -> Option<Slot> {
        let tick = self.pacer.as_mut()?.poll(now)?;
        self.stats.slots += 1;
        self.stats.slots_skipped += tick.skipped;
        let edge = self.frame.len() - self.before.len();
        self.before.copy_from_slice(&self.frame[edge..]);
        let generation = self.next_frame();
        let level_dbfs = level::rms_dbfs(&self.frame);
        let sent = SentFrame { generation, level_dbfs, queued: self.source.queued() };
        let packet = self.packet(tick, level_dbfs, codec);
        if self.quiet.is_at_rest() {
            self.pacer.as_mut()?.go_back();
        }
        Some(Slot { at: tick.at, sent, packet })
    }

    /// The PCM of the last slot as the far end will hear it, at the codec's rate: what an echo
    /// canceller is given as its reference.
    pub fn last_frame(&self) -> &[f32] {
        &self.frame
    }

    /// The counters.
    pub const fn stats(&self) -> DownlinkStats {
        self.stats
    }

    fn admit(&self, generation: Generation, rate_hz: u32, pcm: &[i16]) -> Result<(), Rejected> {
        if self.reply.is_none_or(|reply| reply.generation != generation || reply.finished) {
            return Err(Rejected::Stale);
        }
        if !REPLY_RATES_HZ.contains(&rate_hz) || !self.source.accepts(rate_hz) {
            return Err(Rejected::BadRate);
        }
        if pcm.len() > BACKEND_BLOCK_SAMPLES_MAX {
            return Err(Rejected::TooLong);
        }
        if self.source.has_room() { Ok(()) } else { Err(Rejected::Full) }
    }
}

// ==== Commands ====

impl Downlink {
    fn play(&mut self, generation: Generation) {
        if self.reply.is_some_and(|reply| reply.generation == generation) {
            return;
        }
        self.flush_reply();
        let phase = Phase::Starting { enough: START, waited_slots: 0, rise: self.before.len() };
        self.reply = Some(Reply { generation, phase, finished: false });
    }

    fn play_clip(&mut self, clip: Clip) {
        if !self.clips.would_start(clip) {
            return;
        }
        self.flush_clip();
        let edge = self.before.len();
        let mut held = false;
        if let Some(reply) = &mut self.reply {
            held = matches!(reply.phase, Phase::Pausing | Phase::Paused);
            if matches!(reply.phase, Phase::Sounding) {
                reply.phase = Phase::GivingWay;
            }
        }
        self.clips.start(clip, edge, held);
    }

    fn pause(&mut self) {
        self.clips.pause();
        if let Some(reply) = &mut self.reply {
            reply.phase = match reply.phase {
                Phase::Sounding | Phase::GivingWay | Phase::Pausing => Phase::Pausing,
                Phase::Starting { .. } | Phase::Paused => Phase::Paused,
            };
        }
    }

    fn resume(&mut self) {
        let rise = self.frame.len();
        self.clips.resume(rise);
        let has_clip = self.clips.is_playing();
        if let Some(reply) = &mut self.reply {
            reply.phase = match reply.phase {
                Phase::Pausing if has_clip => Phase::GivingWay,
                // The fade had not begun.
                Phase::Pausing => Phase::Sounding,
                Phase::Paused => Phase::Starting { enough: START, waited_slots: 0, rise },
                Phase::Starting { .. } | Phase::Sounding | Phase::GivingWay => reply.phase,
            };
        }
    }

    fn flush(&mut self) {
        self.flush_clip();
        self.flush_reply();
    }

    fn flush_clip(&mut self) {
        let edge = self.before.len();
        let before = &self.frame[self.frame.len() - edge..];
        if self.clips.flush(&mut self.farewell_frame, before) {
            self.farewell = Some(Farewell(None));
        }
    }

    fn flush_reply(&mut self) {
        if let Some(reply) = self.reply.take()
            && matches!(reply.phase, Phase::Sounding | Phase::GivingWay | Phase::Pausing)
        {
            let count = self.source.take(&mut self.farewell_frame, true);
            let edge = self.before.len();
            let before = &self.frame[self.frame.len() - edge..];
            let length = self.farewell_frame.len();
            fade::end(&mut self.farewell_frame, count, before, edge, length);
            self.farewell = Some(Farewell(Some(reply.generation)));
        }
        self.source.clear();
    }
}

// ==== Slots ====

impl Downlink {
    /// Lets what would begin in the next slot begin at once, if nothing is being sent.
    fn hurry(&mut self, now: SessionTime) {
        if self.quiet.is_at_rest()
            && self.begins()
            && let Some(pacer) = &mut self.pacer
        {
            pacer.come_forward(now);
        }
    }

    /// Whether a clip or a reply begins in the next slot.
    fn begins(&self) -> bool {
        if self.clips.is_playing() {
            return self.clips.begins();
        }
        self.reply.is_some_and(|reply| match reply.phase {
            Phase::Starting { enough, .. } => self.has_enough(&reply, enough),
            Phase::Sounding | Phase::GivingWay | Phase::Pausing | Phase::Paused => false,
        })
    }

    /// Whether a reply may begin to sound.
    fn has_enough(&self, reply: &Reply, enough: Duration) -> bool {
        reply.finished || self.source.queued() >= enough
    }

    /// Makes the frame of this slot and says whose audio is in it.
    fn next_frame(&mut self) -> Option<Generation> {
        if let Some(Farewell(generation)) = self.farewell.take() {
            std::mem::swap(&mut self.frame, &mut self.farewell_frame);
            return generation;
        }
        let fades = |reply: &Reply| matches!(reply.phase, Phase::GivingWay | Phase::Pausing);
        if self.clips.is_playing() && !self.reply.as_ref().is_some_and(fades) {
            self.clips.step(&mut self.frame, &self.before);
            return None;
        }
        let Some(reply) = self.reply else { return self.silence() };
        match reply.phase {
            Phase::Sounding => self.sound(reply, 0),
            Phase::GivingWay => {
                let rise = self.frame.len();
                Some(self.fade_out(reply, Phase::Starting { enough: START, waited_slots: 0, rise }))
            }
            Phase::Pausing => Some(self.fade_out(reply, Phase::Paused)),
            Phase::Starting { enough, waited_slots, rise } => {
                if self.has_enough(&reply, enough) || waited_slots >= PATIENCE_SLOTS {
                    return self.sound(reply, rise);
                }
                // Patience is for audio that waits, not for audio that has not come.
                let waited_slots =
                    if self.source.queued().is_zero() { 0 } else { waited_slots + 1 };
                self.enter(reply, Phase::Starting { enough, waited_slots, rise });
                self.silence()
            }
            Phase::Paused => self.silence(),
        }
    }

    fn enter(&mut self, reply: Reply, phase: Phase) {
        self.reply = Some(Reply { phase, ..reply });
    }

    fn silence(&mut self) -> Option<Generation> {
        self.frame.fill(0.0);
        None
    }

    /// A frame of the reply, rising from silence over its first `rise` samples.
    fn sound(&mut self, reply: Reply, rise: usize) -> Option<Generation> {
        let count = self.source.take(&mut self.frame, reply.finished);
        if rise > 0 {
            fade::fade_in(&mut self.frame[..count], rise);
        }
        let edge = self.before.len();
        if reply.finished && self.source.is_empty() {
            fade::end(&mut self.frame, count, &self.before, edge, edge);
            self.source.clear();
            self.reply = None;
            // Even if nothing was left: the end of a reply is always told by a frame of it.
            return Some(reply.generation);
        }
        if count == self.frame.len() {
            self.enter(reply, Phase::Sounding);
            return Some(reply.generation);
        }
        self.stats.underruns += 1;
        fade::end(&mut self.frame, count, &self.before, edge, edge);
        self.enter(reply, Phase::Starting { enough: RESTART, waited_slots: 0, rise: edge });
        (count > 0).then_some(reply.generation)
    }

    /// A frame of the reply that fades out and is put back, to be played again.
    fn fade_out(&mut self, reply: Reply, then: Phase) -> Generation {
        let count = self.source.take(&mut self.frame, reply.finished);
        let (edge, length) = (self.before.len(), self.frame.len());
        fade::end(&mut self.frame, count, &self.before, edge, length);
        self.source.put_back(count);
        self.enter(reply, then);
        reply.generation
    }

    /// The packet for the present frame, if one is to be sent.
    fn packet<C: Codec>(
        &mut self,
        tick: Tick,
        level_dbfs: f32,
        codec: &mut C,
    ) -> Option<EncodedFrame> {
        match self.quiet.next(level_dbfs <= level::SILENCE_DBFS) {
            Sending::Nothing => return None,
            Sending::Silence => {}
            Sending::Encoded { marker } => {
                let mut payload = [0; ENCODED_FRAME_BYTES_MAX];
                if let Ok(length) = codec.encode(&self.frame, &mut payload) {
                    self.stats.frames_encoded += 1;
                    let level_dbfs = level_dbfs.round().min(0.0) as i8;
                    let payload = &payload[..length];
                    return Some(EncodedFrame::new(tick.timestamp, marker, level_dbfs, payload));
                }
                self.stats.encode_errors += 1;
            }
        }
        self.stats.silence_packets += 1;
        let level_dbfs = level::SILENCE_DBFS as i8;
        Some(EncodedFrame::new(tick.timestamp, false, level_dbfs, codec.silence()))
    }
}

#[cfg(test)]
mod tests;
