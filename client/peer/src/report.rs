//! What came of a call, for programs: every number names its unit. Times `_at_ms` are since the
//! call was begun, which is when the connection was set up locally, just before the offer was
//! posted.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::codec::CodecKind;
use crate::impair::Impairment;
use crate::whip::IceServer;

/// The whole report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Whether the call worked.
    pub worked: bool,
    /// Why it did not.
    pub problem: Option<String>,
    /// Where was called.
    pub url: String,
    /// The codec spoken.
    pub codec: CodecKind,
    /// What counted as sound, in dBFS.
    pub sound_dbfs: f64,
    /// From offer to media.
    pub connect: Connect,
    /// What the agent said before it was spoken to.
    pub greeting: Option<Reply>,
    /// The caller's turns, in order.
    pub turns: Vec<Turn>,
    /// What the agent said later without being spoken to.
    pub unprompted: Vec<Reply>,
    /// Everything received.
    pub received: Received,
    /// Everything sent.
    pub sent: Sent,
    /// The round trip, if any was measured.
    pub round_trip: Option<RoundTrip>,
    /// The simulated network.
    pub impairment: Impairment,
    /// What the agent told over the data channel.
    pub agent: Agent,
    /// Where frame 0 of a recording is.
    pub recording_starts_at_ms: f64,
    /// How long the call lasted.
    pub duration_ms: f64,
}

/// The phases of connecting, each since the one before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Connect {
    /// Making the offer, with all candidates.
    pub offer_ms: f64,
    /// The HTTP exchange.
    pub http_ms: f64,
    /// From the answer to a working path.
    pub ice_ms: f64,
    /// From a working path to keys for media.
    pub dtls_ms: f64,
    /// From the offer being posted to media: `http_ms + ice_ms + dtls_ms`.
    pub offer_to_connected_ms: f64,
    /// From the offer being posted to the data channel being open.
    pub channel_ms: Option<f64>,
    /// From the offer being posted to the agent's `bot-ready`.
    pub bot_ready_ms: Option<f64>,
    /// The ICE servers that the answer named, without their credentials.
    pub ice_servers: Vec<IceServer>,
}

/// One turn of the caller.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The file's name, or `text`.
    pub said: String,
    /// When the first packet with speech was sent.
    pub speech_began_at_ms: Option<f64>,
    /// When the last one was sent.
    pub speech_ended_at_ms: Option<f64>,
    /// From the last packet with speech sent to the first one with sound received. Negative if the
    /// agent spoke before the caller had finished.
    pub response_latency_ms: Option<f64>,
    /// The answer.
    pub reply: Option<Reply>,
    /// Answers that ended before the caller had finished speaking: a pause was taken for the end.
    pub premature: Vec<Reply>,
    /// The interruption of the answer, if it was interrupted.
    pub barge_in: Option<BargeIn>,
    /// The agent's own account of where the time went.
    pub breakdown: Option<Value>,
}

/// How an interrupted answer ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BargeIn {
    /// When the first packet with speech of the interruption was sent.
    pub spoke_at_ms: f64,
    /// From then to the last packet with sound received. Negative if the answer had ended before.
    pub stop_ms: f64,
}

/// One answer of the agent, by its packets with sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Arrival of the first.
    pub first_sound_at_ms: f64,
    /// Arrival of the last.
    pub last_sound_at_ms: f64,
    /// All of them together.
    pub sound_ms: f64,
    /// Their mean level.
    pub level_dbfs: f64,
    /// The loudest one's level.
    pub peak_dbfs: f64,
    /// Holes of more than 60 ms in the sound, by count. Pauses of speech are among them.
    pub holes: u32,
    /// The longest one.
    pub longest_hole_ms: f64,
    /// The first hundred.
    pub hole_list: Vec<Hole>,
}

/// A hole in the sound of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hole {
    /// Where it begins.
    pub at_ms: f64,
    /// How long it is.
    pub length_ms: f64,
    /// Silent packets received in it. 0: nothing was delivered.
    pub silent_packets: u32,
}

/// The received stream, after the simulated network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// Packets, without duplicates.
    pub packets: u64,
    /// Missing by their sequence numbers.
    pub lost: u64,
    /// Missing ones, in percent of those expected.
    pub lost_percent: f64,
    /// Came after a later one.
    pub reordered: u64,
    /// Came more than once.
    pub duplicate: u64,
    /// Came too late to be heard.
    pub late: u64,
    /// Could not be decoded.
    pub undecodable: u64,
    /// Frames recovered or invented for missing packets.
    pub concealed: u64,
    /// Interarrival jitter (RFC 3550) at the end.
    pub jitter_ms: f64,
    /// Its maximum.
    pub jitter_ms_max: f64,
    /// Audio in all packets heard.
    pub audio_ms: f64,
    /// Dropped by the simulated network.
    pub dropped_by_impairment: u64,
}

/// The sent stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// Packets spoken.
    pub packets: u64,
    /// Dropped by the simulated network.
    pub dropped_by_impairment: u64,
    /// How late a packet left at worst, by the 20 ms clock.
    pub late_ms_max: f64,
    /// Packets that the agent's receiver reports as lost.
    pub far_lost: Option<u32>,
    /// The jitter that the agent's receiver reports.
    pub far_jitter_ms: Option<f64>,
}

/// Round trips, out of RTCP reports (LSR and DLSR). The simulated network is not part of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundTrip {
    /// How many were measured.
    pub samples: usize,
    /// The shortest.
    pub min_ms: f64,
    /// The middle one.
    pub median_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// What the agent told over the data channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Whether it said that it is ready.
    pub is_ready: bool,
    /// What was said, by its account: final transcripts of the caller and its own words.
    pub transcript: Vec<Line>,
    /// Every message, with the time at which it came. Bounded.
    pub events: Vec<Event>,
    /// Messages beyond that bound.
    pub events_dropped: u64,
    /// Errors that it reported.
    pub errors: Vec<String>,
    /// Playout reports sent to it.
    pub playout_reports: u64,
}

/// One line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// `caller` or `agent`.
    pub who: String,
    /// What.
    pub text: String,
}

/// One message of the agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it came.
    pub at_ms: f64,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its data.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}
