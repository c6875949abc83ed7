//! What happened in one call, for scoring. All times are in the call's clock.

use std::ops::Range;
use std::time::Duration;

use super::listener::ReplyTrack;
use super::stimulus::Stimulus;

/// Everything that is scored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallLog {
    /// The agent's replies, by ear.
    pub replies: Vec<ReplyTrack>,
    /// The agent's packets with sound, in the order of hearing.
    pub packets: Vec<SoundPacket>,
    /// What the caller said, in order.
    pub said: Vec<Said>,
    /// Replies that were interrupted, by the agent's own account.
    pub cuts: Vec<Cut>,
    /// Whether the agent tells of its replies at all.
    pub has_account: bool,
    /// What the agent understood, by its own account: final transcripts.
    pub transcripts: Vec<String>,
    /// When the call ended.
    pub ended_at: Duration,
}

/// A packet of the agent that was louder than the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoundPacket {
    /// When it arrived.
    pub arrived: Duration,
    /// Where it is heard: the arrivals without their jitter.
    pub position: Duration,
}

/// One stimulus as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// What.
    pub stimulus: Stimulus,
    /// What for.
    pub role: Role,
    /// When the packet left whose first sample is the first one above -40 dBFS.
    pub began_at: Duration,
    /// When the last packet louder than -50 dBFS left.
    pub ended_at: Duration,
    /// The pause in its middle: the last packet of the first part, the first one of the second.
    pub pause: Option<Range<Duration>>,
}

/// What a stimulus is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Makes a silent agent speak; not scored.
    Prompt,
    /// Lets the agent learn how this caller speaks; not scored.
    Learning,
    /// Scored.
    Scored,
}

/// A reply that was interrupted, by the agent's own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// When the message came.
    pub at: Duration,
    /// The reply.
    pub generation: u64,
}
