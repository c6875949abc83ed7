//! One call's core: uplink, conversation and downlink wired together. `handle_*` in, `poll_*` out.
//!
//! One mutation, then drain [`Agent::poll_output`] to `None`, then the next input.

use crate::call::event::{BackendCommand, ClientEvent, EndReason};
pub use crate::media::frame::{EncodedFrame, PayloadKind, PcmFrame, RtpPacket};

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

// The agent itself has this shape (its room fills it in):
//
// impl<C: Codec, V: VoiceModel> Agent<C, V> {
//     pub fn new(settings: AgentSettings, codec: C, voice: V) -> Self
//     pub fn handle_connected(&mut self, now: SessionTime)           // media may flow: greet
//     pub fn handle_rtp(&mut self, now: SessionTime, packet: &RtpPacket<'_>)
//     pub fn handle_round_trip(&mut self, now: SessionTime, rtt: Duration)
//     pub fn handle_backend(&mut self, now: SessionTime, event: BackendEvent)
//     pub fn handle_backend_audio(&mut self, now: SessionTime, generation: Generation,
//                                 sample_rate_hz: u32, pcm: &[i16])
//     pub fn handle_backend_stuck(&mut self, now: SessionTime)
//     pub fn handle_client(&mut self, now: SessionTime, command: ClientCommand)
//     pub fn handle_timeout(&mut self, now: SessionTime)
//     pub fn wants_backend(&self) -> bool                            // false: the downlink queue is full
//     pub fn poll_output(&mut self) -> Option<AgentOutput>
//     pub fn poll_timeout(&self) -> Option<(SessionTime, AgentTimer)>
//     pub fn stats(&self) -> AgentStats                              // jitter, codec, downlink counters
// }
