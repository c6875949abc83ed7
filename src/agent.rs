//! One call's core: uplink, conversation and downlink wired together. `handle_*` in, `poll_*` out.
//!
//! One mutation, then drain [`Agent::poll_output`] to `None`, then the next input.

use crate::call::event::{BackendCommand, ClientEvent, EndReason};
use crate::limits::{ENCODED_FRAME_BYTES_MAX, WIDEBAND_FRAME};

/// One RTP packet of the user's audio stream, its header already parsed.
#[derive(Clone, Copy, Debug)]
pub struct RtpPacket<'a> {
    /// What the payload is.
    pub kind: PayloadKind,
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp, in ticks of the codec's RTP clock.
    pub timestamp: u32,
    /// RTP marker bit: for audio, the start of a talk spurt (RFC 3551 §4.1).
    pub marker: bool,
    /// The sender's audio level in dBFS, 0 to -127, from the header extension (RFC 6464).
    pub level_dbfs: Option<i8>,
    /// The payload, padding removed.
    pub payload: &'a [u8],
}

/// What an RTP payload holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadKind {
    /// Audio of the negotiated codec.
    Audio,
    /// A telephone event (RFC 4733), at the audio codec's RTP clock rate.
    TelephoneEvent,
}

/// One encoded 20 ms frame to send now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedFrame {
    /// RTP timestamp, in ticks of the codec's RTP clock. Advances over silence that is not sent.
    pub timestamp: u32,
    /// The first packet of a talk spurt.
    pub marker: bool,
    /// RMS level of the frame in dBFS, 0 to -127 (RFC 6464).
    pub level_dbfs: i8,
    length: u16,
    bytes: [u8; ENCODED_FRAME_BYTES_MAX],
}

impl EncodedFrame {
    /// A frame holding a copy of `payload`, which the downlink never makes longer than the limit.
    pub fn new(timestamp: u32, marker: bool, level_dbfs: i8, payload: &[u8]) -> Self {
        let mut bytes = [0; ENCODED_FRAME_BYTES_MAX];
        bytes[..payload.len()].copy_from_slice(payload);
        let length = payload.len() as u16;
        Self { timestamp, marker, level_dbfs, length, bytes }
    }

    /// The encoded payload.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// 20 ms of the user's voice for the backend: 16 kHz, mono, signed 16 bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcmFrame(pub [i16; WIDEBAND_FRAME]);

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
