//! The user's way in: packets -> jitter buffer -> decoder -> noise suppression -> 16 kHz -> features.

use crate::call::event::FrameFeatures;
use crate::dsp::vad::VoiceModel;
use crate::media::codec::Codec;
use crate::media::frame::{PcmFrame, RtpPacket};
use crate::rtp::jitter::{JitterSettings, JitterStats};
use crate::time::SessionTime;

/// How the user's audio is treated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UplinkSettings {
    /// Depth of the jitter buffer.
    pub jitter: JitterSettings,
    /// What is done about background noise.
    pub noise: NoiseSuppression,
}

impl UplinkSettings {
    /// The settings of an ordinary call.
    pub const CONVERSATION: Self =
        Self { jitter: JitterSettings::CONVERSATION, noise: NoiseSuppression::Off };
}

/// What is done about background noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoiseSuppression {
    /// Nothing: browsers and recognisers have their own.
    #[default]
    Off,
    /// A spectral suppressor at 16 kHz.
    Light,
    /// A recurrent network at 48 kHz; strongest, and it colours clean speech.
    Rnnoise,
    /// The recurrent network, only while the background is loud.
    Auto,
}

/// 20 ms of the user, on the uplink's own slots.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UplinkFrame {
    /// What is known of it.
    pub features: FrameFeatures,
    /// The sound.
    pub pcm: PcmFrame,
}

/// How much of the held audio is worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// [`crate::limits::PRE_ROLL_MS`]: nobody speaks, and the first phoneme is not to be cut.
    PreRoll,
    /// [`crate::limits::HELD_MS_MAX`]: an interruption is being judged.
    Contested,
}

/// What the uplink has counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UplinkStats {
    /// The jitter buffer's counters.
    pub jitter: JitterStats,
    /// Packets that were no packets of the codec's: dropped, concealed.
    pub malformed: u64,
    /// Slots skipped because the driver woke too late.
    pub slots_skipped: u64,
}

/// The uplink of one call.
#[derive(Debug)]
pub struct Uplink<V> {
    settings: UplinkSettings,
    voice: V,
    stats: UplinkStats,
}

impl<V: VoiceModel> Uplink<V> {
    /// An uplink that waits for the first packet. Build `codec` with the decode rate that
    /// [`UplinkSettings::decode_rate_hz`] names.
    pub fn new(settings: UplinkSettings, _codec: &impl Codec, voice: V) -> Self {
        Self { settings, voice, stats: UplinkStats::default() }
    }

    /// A packet arrived. Answers a telephone key the first time that it is heard of.
    pub fn handle_rtp(
        &mut self,
        _now: SessionTime,
        _packet: &RtpPacket<'_>,
        _codec: &impl Codec,
    ) -> Option<char> {
        self.stats.jitter.received += 1;
        None
    }

    /// The next 20 ms, if due at `now`. Call until `None`: a late driver gets the slots it missed.
    pub fn poll_frame(
        &mut self,
        _now: SessionTime,
        _codec: &mut impl Codec,
    ) -> Option<UplinkFrame> {
        self.voice.reset();
        None
    }

    /// When the next slot is due; `None` before the first packet.
    pub fn next_slot(&self) -> Option<SessionTime> {
        None
    }

    /// Puts a frame into the held ring; the oldest beyond what is kept are forgotten.
    pub fn hold(&mut self, _frame: PcmFrame, _keep: Keep) {}

    /// Takes the oldest held frame.
    pub fn release(&mut self) -> Option<PcmFrame> {
        None
    }

    /// Forgets what is held.
    pub fn forget_held(&mut self) {}

    /// What was counted so far.
    pub fn stats(&self) -> UplinkStats {
        self.stats
    }

    /// The settings that the call was built with.
    pub fn settings(&self) -> &UplinkSettings {
        &self.settings
    }
}

impl UplinkSettings {
    /// The rate the decoder should run at: 48 kHz where the noise suppressor needs it, else 16 kHz.
    pub const fn decode_rate_hz(&self) -> u32 {
        match self.noise {
            NoiseSuppression::Off | NoiseSuppression::Light => crate::limits::WIDEBAND_HZ,
            NoiseSuppression::Rnnoise | NoiseSuppression::Auto => crate::limits::FULLBAND_HZ,
        }
    }
}
