//! One call's core: uplink, conversation and downlink wired together. `handle_*` in, `poll_*` out.
//!
//! ```text
//! packets -> uplink -> features -> call -> commands ------> backend
//!              '------ 16 kHz PCM --'--- disposition ------>   |
//!            ^ what was sent                                   |
//! packets <- downlink <- commands <- call <- events <----------'
//!              '<------- reply audio, if the call admits it ---'
//! ```
//!
//! One mutation, then drain [`Agent::poll_output`] to `None`, then the next input.

mod observed;
mod turn_sound;

use std::collections::VecDeque;
use std::time::Duration;

use crate::call::event::{
    BackendCommand, BackendEvent, ClientCommand, ClientEvent, Disposition, EndReason, Generation,
    Output, TurnId,
};
use crate::call::settings::{CallSettings, EndpointStrategy, TurnAuthority};
use crate::call::{Call, CallStats, Timer};
use crate::dsp::vad::VoiceModel;
use crate::limits::{FRAME_MS, WIDEBAND_FRAME};
use crate::media::codec::Codec;
use crate::media::downlink::{Clips, Downlink, DownlinkStats, Rejected};
pub use crate::media::frame::{EncodedFrame, PayloadKind, PcmFrame, RtpPacket};
use crate::media::uplink::{Keep, Uplink, UplinkFrame, UplinkSettings, UplinkStats};
use crate::time::SessionTime;
use observed::Observations;
pub use observed::{Observe, Observed, Taken};
use turn_sound::TurnSound;

/// What a backend is sent, in order.
#[expect(clippy::large_enum_variant, reason = "nearly all of them are audio")]
#[derive(Clone, Debug, PartialEq)]
pub enum BackendInput {
    /// The user's voice.
    Audio(PcmFrame),
    /// What the conversation asks.
    Command(BackendCommand),
}

/// One thing that the core wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentOutput {
    /// Send this frame now.
    Packet(EncodedFrame),
    /// Pass this to the backend; if its queue is full, tell the agent with
    /// `handle_backend_stuck`.
    Backend(BackendInput),
    /// Ask the turn's model whether the turn is over, by its sound up to here: 16 kHz, at most its last
    /// 8 s. Answer with `handle_turn_judged`, soon or not at all.
    JudgeTurn { turn: TurnId, pcm: Vec<i16> },
    /// Tell the client.
    Client(ClientEvent),
    /// End the call; nothing follows.
    End(EndReason),
}

/// How one call behaves. Every room's settings in one place; the configuration maps its keys onto it.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentSettings {
    /// The conversation.
    pub call: CallSettings,
    /// The user's audio.
    pub uplink: UplinkSettings,
    /// What the agent can play by itself. Shared by all calls; default none.
    pub clips: Clips,
    /// The RTP timestamp of the first packet, before the transport adds its random offset (RFC 3550
    /// §5.1). Default 0.
    pub first_timestamp: u32,
}

impl Default for AgentSettings {
    fn default() -> Self {
        let uplink = UplinkSettings::CONVERSATION;
        Self { call: CallSettings::default(), uplink, clips: Clips::default(), first_timestamp: 0 }
    }
}

/// Why the agent wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentTimer {
    /// 20 ms of the user's audio are due. These slots follow the user's packets, not the downlink's
    /// clock: waiting for that would delay what the user says by up to 20 ms.
    Uplink,
    /// 20 ms of the agent's audio are due.
    Downlink,
    /// The conversation waits for something no longer.
    Call(Timer),
}

/// What one call has counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgentStats {
    /// The conversation.
    pub call: CallStats,
    /// The user's audio.
    pub uplink: UplinkStats,
    /// The agent's audio.
    pub downlink: DownlinkStats,
}

/// What a backend hears in place of what it is not to hear.
const SILENCE: BackendInput = BackendInput::Audio(PcmFrame([0; WIDEBAND_FRAME]));

/// A frame of a reply below this is a pause between words: -50 dBFS.
const SPEECH_RMS: f32 = 103.6;

/// One call: the user's audio in, the conversation, the agent's audio out.
#[derive(Debug)]
pub struct Agent<C, V> {
    codec: C,
    uplink: Uplink<V>,
    call: Call,
    downlink: Downlink,
    /// See [`CallSettings::client_buffer`].
    client_buffer: Duration,
    /// What the turn's model hears; only where there is one.
    turn_sound: Option<TurnSound>,
    outputs: VecDeque<AgentOutput>,
    observed: Observations,
    ended: bool,
}

impl<C: Codec, V: VoiceModel> Agent<C, V> {
    /// An agent that waits for its peer to connect. The time is zero.
    pub fn new(settings: AgentSettings, codec: C, voice: V) -> Self {
        let strategy = settings.call.endpoint.strategy;
        let asks_model = matches!(strategy, EndpointStrategy::Semantic { .. });
        Self {
            turn_sound: asks_model.then(TurnSound::new),
            uplink: Uplink::new(settings.uplink, &codec, voice),
            client_buffer: settings.call.client_buffer,
            call: Call::new(settings.call),
            downlink: Downlink::new(&codec, settings.first_timestamp).with_clips(settings.clips),
            outputs: VecDeque::new(),
            observed: Observations::default(),
            ended: false,
            codec,
        }
    }

    /// Media may flow: the slots begin, and the greeting if there is one.
    pub fn handle_connected(&mut self, now: SessionTime) {
        if !self.ended {
            self.downlink.start(now);
            self.call.handle_connected(now);
            self.follow_call(now);
        }
    }

    /// A packet of the user's audio arrived.
    pub fn handle_rtp(&mut self, now: SessionTime, packet: &RtpPacket<'_>) {
        if self.ended {
            return;
        }
        if let Some(key) = self.uplink.handle_rtp(now, packet, &self.codec) {
            self.observed.push(|| Observed::Key { key });
            self.handle_client(now, ClientCommand::Dtmf { key });
        }
    }

    /// The round trip to the peer was measured.
    pub fn handle_round_trip(&mut self, _now: SessionTime, rtt: Duration) {
        self.call.handle_round_trip(rtt);
        self.uplink.expect_echo_delay(rtt + self.client_buffer);
    }

    /// The peer reported how much of what it was sent was lost lately, 0 to 1: the encoder adds as much
    /// redundancy as that is worth.
    pub fn handle_sent_loss(&mut self, share: f32) {
        // The cast saturates, and a share that is not a number becomes none.
        self.codec.set_expected_loss_percent((share * 100.0).ceil().min(100.0) as u8);
    }

    /// The backend said something.
    pub fn handle_backend(&mut self, now: SessionTime, event: BackendEvent) {
        if let BackendEvent::Prompted { generation, prompt } = event {
            return self.observed.push(|| Observed::Prompted { generation, prompt });
        }
        self.call.handle_backend(now, event);
        self.follow_call(now);
    }

    /// Reply audio arrived: mono, signed 16 bit.
    pub fn handle_backend_audio(
        &mut self,
        now: SessionTime,
        generation: Generation,
        sample_rate_hz: u32,
        pcm: &[i16],
    ) {
        if !self.call.admits(generation) {
            // A replay without audio asks the conversation again, which counts it again.
            self.observed.push(|| Observed::ReplyAudio { generation, taken: None });
            return;
        }
        match self.downlink.push(now, generation, sample_rate_hz, pcm) {
            Ok(()) => {
                let length = length(pcm.len(), sample_rate_hz);
                let speech = speech(pcm, sample_rate_hz);
                let taken = Some(Taken { length, speech });
                self.observed.push(|| Observed::ReplyAudio { generation, taken });
                self.call.handle_reply_audio(now, generation, length, speech);
            }
            Err(rejected) => {
                self.observed.push(|| Observed::ReplyAudio { generation, taken: None });
                let message = refusal(rejected).to_owned();
                self.call.handle_backend(now, BackendEvent::ReplyFailed { generation, message });
            }
        }
        self.follow_call(now);
    }

    /// The backend's input queue is full: it no longer reads.
    pub fn handle_backend_stuck(&mut self, now: SessionTime) {
        self.call.handle_backend_stuck(now);
        self.follow_call(now);
    }

    /// What the turn's model answered to [`AgentOutput::JudgeTurn`]; `None` if it could not say.
    pub fn handle_turn_judged(&mut self, now: SessionTime, turn: TurnId, probability: Option<f32>) {
        self.observed.push(|| Observed::TurnJudged { turn, probability });
        self.call.handle_turn_judged(now, turn, probability);
        self.follow_call(now);
    }

    /// The user's client asked for something.
    pub fn handle_client(&mut self, now: SessionTime, command: ClientCommand) {
        self.call.handle_client(now, command);
        self.follow_call(now);
    }

    /// A deadline of [`Agent::poll_timeout`] was reached.
    ///
    /// The user is heard first: what is decided of a frame concerns the packet that goes out next,
    /// and a turn that ends now ends with this frame.
    pub fn handle_timeout(&mut self, now: SessionTime) {
        while !self.ended
            && let Some(frame) = self.uplink.poll_frame(now, &mut self.codec)
        {
            self.hear(now, frame);
        }
        self.observed.push(|| Observed::Deadlines);
        self.call.handle_timeout(now);
        self.follow_call(now);
        while !self.ended
            && let Some(slot) = self.downlink.poll_slot(now, &mut self.codec)
        {
            self.observed.push(|| Observed::Sent(slot.sent));
            self.observed.push_audio(|| Observed::SentAudio(self.downlink.last_frame().into()));
            self.outputs.extend(slot.packet.map(AgentOutput::Packet));
            self.uplink.handle_sent(slot.at, self.downlink.last_frame());
            self.call.handle_sent(now, &slot.sent);
            self.follow_call(now);
        }
    }

    /// Whether the backend may be read: the downlink queue has room for a block.
    pub fn wants_backend(&self) -> bool {
        self.downlink.wants_more()
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<AgentOutput> {
        self.outputs.pop_front()
    }

    /// From now on what happens inside is kept for [`Agent::poll_observed`], which must be drained
    /// after every input. Nothing is kept by default.
    pub fn observe(&mut self, what: Observe) {
        self.observed.keep(what);
    }

    /// The next thing that happened inside, in order.
    pub fn poll_observed(&mut self) -> Option<Observed> {
        self.observed.pop()
    }

    /// The next frames of the user are taken to have these probabilities of speech, one each, whatever the
    /// voice model says: a replay needs no model.
    pub fn dictate_voice(&mut self, voice: f32) {
        self.uplink.dictate_voice(voice);
    }

    /// When [`Agent::handle_timeout`] wants to be called next, and why.
    pub fn poll_timeout(&self) -> Option<(SessionTime, AgentTimer)> {
        if self.ended {
            return None;
        }
        let uplink = self.uplink.next_slot().map(|at| (at, AgentTimer::Uplink));
        let downlink = self.downlink.next_slot().map(|at| (at, AgentTimer::Downlink));
        let call = self.call.poll_timeout().map(|(at, timer)| (at, AgentTimer::Call(timer)));
        [uplink, downlink, call].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// The conversation, to be looked at.
    pub const fn call(&self) -> &Call {
        &self.call
    }

    /// What was counted so far.
    pub fn stats(&self) -> AgentStats {
        AgentStats {
            call: *self.call.stats(),
            uplink: self.uplink.stats(),
            downlink: self.downlink.stats(),
        }
    }

    fn hear(&mut self, now: SessionTime, frame: UplinkFrame) {
        let disposition = self.call.handle_frame(now, &frame.features);
        let (features, echo) = (frame.features, self.call.echo());
        self.observed.push(|| Observed::Heard { features, echo });
        self.observed.push_audio(|| Observed::HeardAudio {
            decoded: self.uplink.last_frame().into(),
            pcm: Box::new(frame.pcm),
        });
        // What is released from the held ring is older than this frame.
        self.follow_call(now);
        match disposition {
            Disposition::Forward => {
                // What was held and not released came to nothing.
                self.uplink.forget_held();
                self.send_to_backend(BackendInput::Audio(frame.pcm));
            }
            Disposition::ForwardSilence => {
                self.uplink.forget_held();
                self.send_to_backend(SILENCE);
            }
            Disposition::Hold => self.hold(frame.pcm, Keep::PreRoll),
            Disposition::HoldAll => self.hold(frame.pcm, Keep::Contested),
            Disposition::HoldTail => self.hold(frame.pcm, Keep::Tail),
            Disposition::Drop => self.uplink.forget_held(),
        }
    }

    fn hold(&mut self, pcm: PcmFrame, keep: Keep) {
        self.uplink.hold(pcm, keep);
        // A backend that decides whose turn it is hears a stream without a gap.
        if self.call.authority() == TurnAuthority::Backend {
            self.send_to_backend(SILENCE);
        }
    }

    /// Does what the conversation decided.
    fn follow_call(&mut self, now: SessionTime) {
        while let Some(output) = self.call.poll_output() {
            self.observed.push(|| Observed::Output(output.clone()));
            match output {
                Output::Decision(_) => {}
                Output::Backend(command) => self.send_to_backend(BackendInput::Command(command)),
                Output::ReleaseHeld => {
                    while let Some(pcm) = self.uplink.release() {
                        self.send_to_backend(BackendInput::Audio(pcm));
                    }
                }
                Output::Downlink(command) => self.downlink.command(now, command),
                Output::JudgeTurn { turn } => {
                    let pcm = self.turn_sound.as_ref().map(TurnSound::samples).unwrap_or_default();
                    self.outputs.push_back(AgentOutput::JudgeTurn { turn, pcm });
                }
                Output::Client(event) => self.outputs.push_back(AgentOutput::Client(event)),
                Output::End(reason) => {
                    self.ended = true;
                    self.outputs.push_back(AgentOutput::End(reason));
                }
            }
        }
    }

    fn send_to_backend(&mut self, input: BackendInput) {
        if let Some(sound) = &mut self.turn_sound {
            sound.follow(&input);
        }
        self.outputs.push_back(AgentOutput::Backend(input));
    }
}

/// How long audio lasts, to the nanosecond below.
fn length(samples: usize, sample_rate_hz: u32) -> Duration {
    let nanos = samples as u64 * 1_000_000_000 / u64::from(sample_rate_hz.max(1));
    Duration::from_nanos(nanos)
}

/// How much of it is sound, in frames: its text is spread over that.
fn speech(pcm: &[i16], sample_rate_hz: u32) -> Duration {
    let frame = (sample_rate_hz / 1_000 * FRAME_MS).max(1) as usize;
    let is_sound = |frame: &&[i16]| {
        let power: f32 = frame.iter().map(|sample| f32::from(*sample).powi(2)).sum();
        power / frame.len() as f32 >= SPEECH_RMS * SPEECH_RMS
    };
    let samples = pcm.chunks(frame).filter(is_sound).map(<[i16]>::len).sum();
    length(samples, sample_rate_hz)
}

/// Why a reply cannot go on whose audio the downlink refused.
const fn refusal(rejected: Rejected) -> &'static str {
    match rejected {
        Rejected::Stale => "the reply is no longer played",
        Rejected::Full => "the backend sent more audio than is queued",
        Rejected::BadRate => "the backend sent audio at a rate that is not played, or changed it",
        Rejected::TooLong => "the backend sent a block of audio that is too long",
    }
}
