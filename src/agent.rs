//! One call's core: uplink, conversation and downlink wired together. `handle_*` in, `poll_*` out.
//!
//! One mutation, then drain [`Agent::poll_output`] to `None`, then the next input.

use std::collections::VecDeque;
use std::time::Duration;

use crate::call::event::{
    BackendCommand, BackendEvent, ClientCommand, ClientEvent, EndReason, Generation,
};
use crate::dsp::vad::VoiceModel;
use crate::media::codec::Codec;
pub use crate::media::frame::{EncodedFrame, PayloadKind, PcmFrame, RtpPacket};
use crate::time::SessionTime;

/// What a backend is sent, in order.
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
    /// Tell the client.
    Client(ClientEvent),
    /// End the call; nothing follows.
    End(EndReason),
}

/// How one call behaves. Every room's settings in one place; the configuration maps its keys onto it.
#[derive(Clone, Debug, Default)]
pub struct AgentSettings {}

/// Why the agent wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentTimer {
    /// The next 20 ms slot: one frame is taken from the uplink and one is made for the downlink.
    Slot,
}

/// What one call has counted so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentStats {}

/// One call: the user's audio in, the conversation, the agent's audio out.
#[derive(Debug)]
pub struct Agent<C, V> {
    codec: C,
    voice: V,
    outputs: VecDeque<AgentOutput>,
}

impl<C: Codec, V: VoiceModel> Agent<C, V> {
    /// An agent that waits for its peer to connect.
    pub fn new(_settings: AgentSettings, codec: C, voice: V) -> Self {
        Self { codec, voice, outputs: VecDeque::new() }
    }

    /// Media may flow: the slots begin, and the greeting if there is one.
    pub fn handle_connected(&mut self, _now: SessionTime) {}

    /// A packet of the user's audio arrived.
    pub fn handle_rtp(&mut self, _now: SessionTime, _packet: &RtpPacket<'_>) {}

    /// The round trip to the peer was measured.
    pub fn handle_round_trip(&mut self, _now: SessionTime, _rtt: Duration) {}

    /// The backend said something.
    pub fn handle_backend(&mut self, _now: SessionTime, _event: BackendEvent) {}

    /// Reply audio arrived: mono, signed 16 bit.
    pub fn handle_backend_audio(
        &mut self,
        _now: SessionTime,
        _generation: Generation,
        _sample_rate_hz: u32,
        _pcm: &[i16],
    ) {
    }

    /// The backend's input queue is full: it no longer reads.
    pub fn handle_backend_stuck(&mut self, _now: SessionTime) {}

    /// The user's client asked for something.
    pub fn handle_client(&mut self, _now: SessionTime, _command: ClientCommand) {}

    /// A deadline of [`Agent::poll_timeout`] was reached.
    pub fn handle_timeout(&mut self, _now: SessionTime) {}

    /// Whether the backend may be read: the downlink queue has room for a block.
    pub fn wants_backend(&self) -> bool {
        true
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<AgentOutput> {
        self.outputs.pop_front()
    }

    /// When [`Agent::handle_timeout`] wants to be called next, and why.
    pub fn poll_timeout(&self) -> Option<(SessionTime, AgentTimer)> {
        None
    }

    /// What was counted so far.
    pub fn stats(&self) -> AgentStats {
        AgentStats::default()
    }
}
