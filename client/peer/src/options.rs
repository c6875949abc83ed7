//! How a call is to be made.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::codec::CodecKind;
use crate::conversation::Manners;
use crate::impair::Impairment;
use crate::level::SOUND_DBFS_DEFAULT;

/// One turn of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Plays this wav file.
    Say(PathBuf),
    /// Sends this text.
    Text(String),
}

/// Everything about one call. `CallOptions::new(url)` listens to the agent's greeting and hangs up.
#[derive(Clone, Debug, PartialEq)]
pub struct CallOptions {
    /// The server's base address, or its whole WHIP address.
    pub url: String,
    /// The agent to be asked for.
    pub agent: Option<String>,
    /// The bearer token.
    pub token: Option<String>,
    /// The only codec offered.
    pub codec: CodecKind,
    /// What the caller does, in order.
    pub turns: Vec<Turn>,
    /// See [`Manners`].
    pub manners: Manners,
    /// Whether each turn must be answered for the call to have worked.
    pub expect_reply: bool,
    /// Tells the agent that the microphone is off.
    pub mute: bool,
    /// The bad network.
    pub impairment: Impairment,
    /// Where to write what is heard.
    pub record: Option<PathBuf>,
    /// Where to write both sides: left the caller, right the agent.
    pub record_both: Option<PathBuf>,
    /// How far behind the network the caller hears, in milliseconds; what comes later is late.
    pub playout_delay_ms: u32,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// The local address for media; by default the one from which the server is reached.
    pub bind: Option<IpAddr>,
}

impl CallOptions {
    /// The defaults of the command line for a call to `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            agent: None,
            token: None,
            codec: CodecKind::Opus,
            turns: Vec::new(),
            manners: Manners {
                sound_dbfs: SOUND_DBFS_DEFAULT,
                greeting_wait: Duration::from_millis(1_000),
                turn_gap: Duration::from_millis(700),
                reply_timeout: Duration::from_secs(10),
                interrupt_after: None,
                listen: Duration::ZERO,
            },
            expect_reply: true,
            mute: false,
            impairment: Impairment::default(),
            record: None,
            record_both: None,
            playout_delay_ms: 60,
            connect_timeout: Duration::from_secs(10),
            bind: None,
        }
    }
}
