//! The arguments of `duplex`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, value_parser};

use super::{Codec, NetworkArgs, playout_delay_ms};
use crate::duplex::DuplexOptions;
use crate::duplex::plan::{Extent, Scenario};
use crate::level::SOUND_DBFS_DEFAULT;
use crate::limits::DUPLEX_CALLS_MAX;
use crate::options::CallOptions;

/// The agent's voice with an echo alone, in minutes: what the goal asks for, and what is quick.
const MINUTES: f64 = 30.0;
const MINUTES_QUICK: f64 = 2.0;

pub(super) const HELP: &str = "\
The agent has to greet, or to answer, with replies that last for --reply-ms and never pause for more than \
160 ms, so that a reply that ends early was ended; replies that begin alike are told apart by ear alone. An \
interruption begins when the packet leaves whose first sample is the first one above -40 dBFS; a reply \
stops when its last packet above --sound-dbfs arrives. The echo is what the caller plays, after the given \
delay, at the given level, with the room's decay.

Exit status: 0 every call was made, whatever the figures; 1 a call failed, or with --strict a goal was \
missed; 2 bad usage.";

/// Arguments of `duplex`.
#[derive(Debug, Args)]
pub struct DuplexArgs {
    /// The server, as http://127.0.0.1:8080, or its whole WHIP address
    pub url: String,
    /// Find out only this; may be repeated or separated by commas
    #[arg(long, value_enum, value_name = "NAME", value_delimiter = ',')]
    pub only: Vec<Scenario>,
    /// Few of everything, in less than 90 s
    #[arg(long, conflicts_with = "minutes")]
    pub quick: bool,
    /// Minutes of the agent's voice with its echo alone [default: 30, or 2 with --quick]
    #[arg(long, value_name = "N", value_parser = minutes)]
    pub minutes: Option<f64>,
    /// Calls at the same time, where no times are taken
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = parallel())]
    pub parallel: u32,
    /// The same number is the same stimuli, rooms and moments
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Write every event as JSON to this file, or to standard output with -
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// The agent's silence setting, which is taken off its response latency
    #[arg(long, value_name = "MS", default_value_t = 200)]
    pub silence_ms: u32,
    /// How long the agent's replies last if nobody stops them
    #[arg(long, value_name = "MS", default_value_t = 25_000, value_parser = reply_ms())]
    pub reply_ms: u32,
    /// A missed goal is a failure
    #[arg(long)]
    pub strict: bool,
    /// Say nothing while the calls go on
    #[arg(long, short)]
    pub quiet: bool,
    /// Bearer token: an access key
    #[arg(long, env = "ANTIPHON_TOKEN", hide_env_values = true, allow_hyphen_values = true)]
    pub token: Option<String>,
    /// The agent to ask for
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// The agent to ask for where pauses are tried, with short replies [default: the same]
    #[arg(long, value_name = "NAME")]
    pub pause_agent: Option<String>,
    /// The codec to offer
    #[arg(long, value_enum, default_value_t = Codec::Opus)]
    pub codec: Codec,
    /// Louder packets are sound, and speech
    #[arg(long, value_name = "DBFS", default_value_t = SOUND_DBFS_DEFAULT)]
    #[arg(allow_negative_numbers = true)]
    pub sound_dbfs: f64,
    /// Hear so far behind the network; the echo comes so much later
    #[arg(long, value_name = "MS", default_value_t = 60, value_parser = playout_delay_ms())]
    pub playout_delay: u32,
    /// Local address for media [default: the one from which the server is reached]
    #[arg(long, value_name = "IP")]
    pub bind: Option<IpAddr>,
    /// The simulated network. Its losses have seeds of their own.
    #[command(flatten)]
    pub network: DuplexNetworkArgs,
}

/// The simulated network, in both directions; the suite has one seed for everything.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Simulated network, both ways")]
pub struct DuplexNetworkArgs {
    /// Lose so many packets
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = super::percent)]
    pub loss: f64,
    /// Delay every packet
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = super::added_ms())]
    pub delay: u32,
    /// Delay each packet by up to so much more
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = super::added_ms())]
    pub jitter: u32,
}

impl DuplexArgs {
    /// How the suite is run.
    pub fn options(&self) -> DuplexOptions {
        let wanted = |it: &Scenario| self.only.is_empty() || self.only.contains(it);
        let minutes = if self.quick { MINUTES_QUICK } else { MINUTES };
        DuplexOptions {
            scenarios: Scenario::ALL.into_iter().filter(wanted).collect(),
            extent: Extent {
                is_quick: self.quick,
                echo_minutes: self.minutes.unwrap_or(minutes),
                seed: self.seed,
            },
            parallel: self.parallel as usize,
            silence_ms: self.silence_ms,
            reply: Duration::from_millis(u64::from(self.reply_ms)),
            pause_agent: self.pause_agent.clone(),
        }
    }

    /// How each call is made.
    pub(super) fn call_options(&self) -> CallOptions {
        let mut options = CallOptions {
            agent: self.agent.clone(),
            token: self.token.clone(),
            codec: self.codec.into(),
            impairment: NetworkArgs {
                loss: self.network.loss,
                burst: 1,
                delay: self.network.delay,
                jitter: self.network.jitter,
                seed: self.seed,
            }
            .into(),
            playout_delay_ms: self.playout_delay,
            bind: self.bind,
            ..CallOptions::new(&self.url)
        };
        options.manners.sound_dbfs = self.sound_dbfs;
        options
    }
}

fn parallel() -> super::Range {
    value_parser!(u32).range(1..=i64::from(DUPLEX_CALLS_MAX))
}

/// Shorter replies leave no time to try anything over them.
fn reply_ms() -> super::Range {
    value_parser!(u32).range(12_000..=600_000)
}

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(minutes) if (0.1..=1_000.0).contains(&minutes) => Ok(minutes),
        _ => Err("a number from 0.1 to 1000 is needed".to_owned()),
    }
}
