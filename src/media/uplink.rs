//! The user's way in: packets to frames, features and 16 kHz PCM.
//!
//! ```text
//! packets -> jitter buffer -> decode, FEC, PLC -> 20 ms -> echo -> noise -> 16 kHz -> voice
//!            any order, any    8, 16 or 48 kHz                             |         features
//!            duration                                                     held ring, backend
//! ```
//!
//! The first packet starts a clock of 20 ms slots, which then goes on whatever comes: slots in which
//! nothing arrived hold made-up audio or silence, so that a pause is seen to pass. Before the first
//! packet there are no slots.

mod chain;
mod decoded;
mod filler;
mod held;

use std::collections::VecDeque;
use std::time::Duration;

use crate::call::event::FrameFeatures;
pub use crate::dsp::denoise::DenoiseMode as NoiseSuppression;
pub use crate::dsp::echo::EchoMode;
use crate::dsp::level;
use crate::dsp::vad::VoiceModel;
use crate::limits::{FRAME, FRAME_MS, PACKET_MS_MAX, UPLINK_BEHIND_MS_MAX, WIDEBAND_HZ};
use crate::media::codec::{Codec, Concealment};
use crate::media::frame::{PayloadKind, PcmFrame, RtpPacket};
use crate::media::telephone_event::KeyReceiver;
pub use crate::media::uplink::held::Keep;
use crate::rtp::jitter::{
    Arrival, JitterBuffer, JitterSettings, JitterStats, Passage, Playhead, Pop, Recovery,
    Redundancy, Surplus,
};
use crate::time::SessionTime;
use chain::{Chain, Judged};
use decoded::{Decoded, Origin};
use filler::Filler;
use held::Held;

/// How the user's audio is treated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UplinkSettings {
    /// Depth of the jitter buffer.
    pub jitter: JitterSettings,
    /// What is done about background noise.
    pub noise: NoiseSuppression,
    /// When the agent's own voice is taken out of what the user's microphone picked up.
    pub echo: EchoMode,
}

impl UplinkSettings {
    /// The settings of an ordinary call.
    pub const CONVERSATION: Self = Self {
        jitter: JitterSettings::CONVERSATION,
        noise: NoiseSuppression::Off,
        echo: EchoMode::Auto,
    };

    /// The rate the decoder should run at: 48 kHz where the noise suppressor needs it and nothing
    /// before it works at 16 kHz, else 16 kHz.
    pub const fn decode_rate_hz(&self) -> u32 {
        match self.echo {
            EchoMode::Off => self.noise.input_rate_hz(),
            EchoMode::Auto | EchoMode::On => WIDEBAND_HZ,
        }
    }
}

/// 20 ms of the user, on the uplink's own slots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UplinkFrame {
    /// What is known of it.
    pub features: FrameFeatures,
    /// The sound.
    pub pcm: PcmFrame,
}

/// What the uplink has counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UplinkStats {
    /// The jitter buffer's counters.
    pub jitter: JitterStats,
    /// Frames handed out.
    pub frames: u64,
    /// Frames of which most was made up.
    pub frames_concealed: u64,
    /// Packets that were no packets of the codec's, or no telephone events: dropped, concealed.
    pub malformed: u64,
    /// Telephone keys heard.
    pub keys: u64,
    /// Slots skipped because the driver woke too late.
    pub slots_skipped: u64,
}

/// A frame is no speech below this probability of voice.
const VOICE_MIN: f32 = 0.3;
/// So many frames without speech (100 ms) are silence, in which time may be stretched or cut.
const QUIET_FRAMES: u32 = 5;
/// What is cut may be this much louder than the frame before it; else a word may begin there.
const CUT_RISE_DB: f32 = 6.0;

/// The uplink of one call.
#[derive(Debug)]
pub struct Uplink<V> {
    settings: UplinkSettings,
    rates: Rates,
    jitter: JitterBuffer,
    filler: Filler,
    decoded: Decoded,
    /// The last 20 ms as they were decoded or made up.
    decoded_frame: Vec<f32>,
    frame: Vec<f32>,
    chain: Chain<V>,
    keys: KeyReceiver,
    held: Held,
    next_slot: Option<SessionTime>,
    /// Frames without speech up to now.
    quiet_frames: u32,
    /// Level of the last frame as it was decoded.
    last_dbfs: f32,
    /// Voice probabilities for the next frames, which stand in for the model's: for replays.
    dictated: VecDeque<f32>,
    stats: UplinkStats,
}

/// The codec's two clocks.
#[derive(Clone, Copy, Debug)]
struct Rates {
    decode_hz: u32,
    rtp_hz: u32,
}

impl Rates {
    fn ticks(self, samples: usize) -> u32 {
        (samples as u64 * u64::from(self.rtp_hz) / u64::from(self.decode_hz)) as u32
    }

    fn samples(self, ticks: u32) -> usize {
        (u64::from(ticks) * u64::from(self.decode_hz) / u64::from(self.rtp_hz)) as usize
    }

    const fn samples_of_ms(self, ms: u32) -> usize {
        (self.decode_hz / 1_000 * ms) as usize
    }
}

impl<V: VoiceModel> Uplink<V> {
    /// An uplink that waits for the first packet. Build an Opus codec with the decode rate that
    /// [`UplinkSettings::decode_rate_hz`] names; any other is resampled.
    pub fn new(settings: UplinkSettings, codec: &impl Codec, voice: V) -> Self {
        let rates = Rates { decode_hz: codec.decode_rate_hz(), rtp_hz: codec.rtp_clock_hz() };
        let redundancy =
            if codec.carries_fec() { Redundancy::NextPacket } else { Redundancy::None };
        Self {
            settings,
            rates,
            jitter: JitterBuffer::new(settings.jitter, rates.rtp_hz, redundancy),
            filler: Filler::new(rates.decode_hz),
            decoded: Decoded::new(rates.samples_of_ms(FRAME_MS + PACKET_MS_MAX)),
            decoded_frame: vec![0.0; rates.samples_of_ms(FRAME_MS)],
            frame: vec![0.0; rates.samples_of_ms(FRAME_MS)],
            chain: Chain::new(&settings, rates.decode_hz, codec.encode_rate_hz(), voice),
            keys: KeyReceiver::default(),
            held: Held::new(),
            next_slot: None,
            quiet_frames: 0,
            last_dbfs: level::SILENCE_DBFS,
            dictated: VecDeque::new(),
            stats: UplinkStats::default(),
        }
    }

    /// A packet arrived. Answers a telephone key the first time that it is heard of.
    pub fn handle_rtp(
        &mut self,
        now: SessionTime,
        packet: &RtpPacket<'_>,
        codec: &impl Codec,
    ) -> Option<char> {
        match packet.kind {
            PayloadKind::Audio => {
                self.handle_audio(now, packet, codec);
                None
            }
            PayloadKind::TelephoneEvent => self.handle_event(packet),
        }
    }

    /// The next 20 ms, if due at `now`. Call until `None`: a late driver gets the slots it missed.
    pub fn poll_frame(&mut self, now: SessionTime, codec: &mut impl Codec) -> Option<UplinkFrame> {
        let at = self.take_slot(now)?;
        while self.decoded.len() < self.frame.len() {
            self.refill(at, codec);
        }
        let made_up = self.decoded.take(&mut self.decoded_frame);
        self.last_dbfs = level::rms_dbfs(&self.decoded_frame);
        // The chain works in place.
        self.frame.copy_from_slice(&self.decoded_frame);
        let Judged { pcm, voice, level_dbfs, pitch_hz, echo } =
            self.chain.step(at, &mut self.frame, self.dictated.pop_front());
        self.quiet_frames = if voice < VOICE_MIN { self.quiet_frames + 1 } else { 0 };
        let concealed = made_up > self.frame.len() / 2;
        self.stats.frames += 1;
        self.stats.frames_concealed += u64::from(concealed);
        let features = FrameFeatures { at, voice, level_dbfs, pitch_hz, echo, concealed };
        Some(UplinkFrame { features, pcm })
    }

    /// The next frames are taken to have these probabilities of speech, one each, whatever the voice model
    /// says.
    pub fn dictate_voice(&mut self, voice: f32) {
        self.dictated.push_back(voice);
    }

    /// The last frame as it was decoded or made up, at the codec's rate.
    pub fn last_frame(&self) -> &[f32] {
        &self.decoded_frame
    }

    /// The 20 ms from `at` on are being sent to the user: `frame` as the far end will hear it, at the
    /// codec's encode rate, silence too. What its echo is looked for in.
    pub fn handle_sent(&mut self, at: SessionTime, frame: &[f32]) {
        self.chain.handle_sent(at, frame);
    }

    /// How long what is sent probably takes to come back from the user's loudspeaker, for [`EchoMode::On`]
    /// until it is measured: the round trip and what the client holds; the jitter buffer's part is added
    /// here.
    pub fn expect_echo_delay(&mut self, delay: Duration) {
        self.chain.expect_echo_delay(delay + self.jitter.depth_min());
    }

    /// When the next slot is due; `None` before the first packet.
    pub const fn next_slot(&self) -> Option<SessionTime> {
        self.next_slot
    }

    /// Puts a frame into the held ring; the oldest beyond what is kept are forgotten.
    pub fn hold(&mut self, frame: PcmFrame, keep: Keep) {
        self.held.push(frame, keep);
    }

    /// Takes the oldest held frame.
    pub fn release(&mut self) -> Option<PcmFrame> {
        self.held.pop()
    }

    /// Forgets what is held.
    pub fn forget_held(&mut self) {
        self.held.clear();
    }

    /// What was counted so far.
    pub fn stats(&self) -> UplinkStats {
        UplinkStats { jitter: self.jitter.stats(), ..self.stats }
    }

    /// The settings that the call was built with.
    pub const fn settings(&self) -> &UplinkSettings {
        &self.settings
    }

    fn handle_audio(&mut self, now: SessionTime, packet: &RtpPacket<'_>, codec: &impl Codec) {
        let Ok(samples) = codec.packet_samples(packet.payload) else {
            self.stats.malformed += 1;
            return;
        };
        let arrival = Arrival {
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            ticks: self.rates.ticks(samples),
            marker: packet.marker,
            payload: packet.payload,
        };
        // Refusals are counted by the buffer.
        if self.jitter.push(now, &arrival).is_ok() && self.next_slot.is_none() {
            self.next_slot = Some(now + self.jitter.depth_min());
        }
    }

    fn handle_event(&mut self, packet: &RtpPacket<'_>) -> Option<char> {
        // It uses a number of the audio's; that one is not to be missed.
        self.jitter.push_foreign(packet.sequence);
        match self.keys.take(packet.timestamp, packet.payload) {
            Ok(key) => {
                self.stats.keys += u64::from(key.is_some());
                key
            }
            Err(_) => {
                self.stats.malformed += 1;
                None
            }
        }
    }

    /// The slot that is due, if one is. Those too far in the past are skipped.
    fn take_slot(&mut self, now: SessionTime) -> Option<SessionTime> {
        let mut at = self.next_slot.filter(|at| *at <= now)?;
        let behind_slots = now.since(at).as_millis() as u64 / u64::from(FRAME_MS);
        let skipped = behind_slots.saturating_sub(u64::from(UPLINK_BEHIND_MS_MAX / FRAME_MS));
        if skipped > 0 {
            self.stats.slots_skipped += skipped;
            at += SessionTime::from_millis(skipped * u64::from(FRAME_MS)).since(SessionTime::ZERO);
        }
        self.next_slot = Some(at + FRAME);
        Some(at)
    }

    /// Decodes or makes up the next piece of audio.
    fn refill(&mut self, at: SessionTime, codec: &mut impl Codec) {
        let passage =
            if self.quiet_frames < QUIET_FRAMES { Passage::Speech } else { Passage::Silence };
        let missing = self.frame.len() - self.decoded.len();
        let playhead = Playhead { ahead_ticks: self.rates.ticks(self.decoded.len()), passage };
        match self.jitter.pop(at, playhead) {
            Pop::Frame { payload, ticks, surplus } => {
                match codec.decode(payload, self.decoded.space()) {
                    Ok(samples) => {
                        self.filler.handle_packet();
                        self.decoded.commit(samples, Origin::Packet);
                        self.cut(samples, surplus);
                    }
                    Err(_) => {
                        self.stats.malformed += 1;
                        self.make_up(codec, self.rates.samples(ticks));
                    }
                }
            }
            Pop::Conceal { ticks, next } => {
                let samples = self.rates.samples(ticks);
                let space = &mut self.decoded.space()[..samples];
                let by = self.filler.fill(codec, next, space);
                let (origin, recovery) = match by {
                    Concealment::Fec => (Origin::Packet, Recovery::Fec),
                    Concealment::Plc => (Origin::MadeUp, Recovery::Plc),
                };
                self.decoded.commit(samples, origin);
                self.jitter.handle_concealed(recovery);
            }
            Pop::Wait => self.make_up(codec, missing),
        }
    }

    fn make_up(&mut self, codec: &mut impl Codec, samples: usize) {
        self.filler.fill(codec, None, &mut self.decoded.space()[..samples]);
        self.decoded.commit(samples, Origin::MadeUp);
    }

    /// Leaves out up to 20 ms of the `samples` just decoded, if there is too much delay.
    fn cut(&mut self, samples: usize, surplus: Surplus) {
        let count = samples.min(self.frame.len());
        let is_silence = || {
            let rise_db = level::rms_dbfs(self.decoded.newest(count)) - self.last_dbfs;
            self.quiet_frames >= QUIET_FRAMES && rise_db <= CUT_RISE_DB
        };
        let is_cut = match surplus {
            Surplus::None => false,
            Surplus::InSilence => is_silence(),
            Surplus::Now => true,
        };
        if is_cut {
            self.decoded.truncate(count);
            let cut_us = count as u64 * 1_000_000 / u64::from(self.rates.decode_hz);
            self.jitter.handle_left_out(Duration::from_micros(cut_us));
        }
    }
}

#[cfg(test)]
mod tests;
