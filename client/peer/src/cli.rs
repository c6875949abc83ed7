//! The command line.

mod duplex;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedI64ValueParser;
use clap::{ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum, value_parser};

pub use duplex::DuplexArgs;

use crate::codec::CodecKind;
use crate::impair::Impairment;
use crate::level::SOUND_DBFS_DEFAULT;
use crate::limits::BENCH_CALLS_MAX;
use crate::options::{CallOptions, Turn};

/// A headless caller for WebRTC voice agents.
#[derive(Debug, Parser)]
#[command(name = "antiphon-peer", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Call an agent, say wav files to it, listen, and measure
    #[command(after_help = CALL_HELP)]
    Call(Box<CallArgs>),
    /// Make many such calls at once and give percentiles
    #[command(after_help = BENCH_HELP)]
    Bench(Box<BenchArgs>),
    /// Make many calls by plan and score how the agent takes turns
    #[command(after_help = duplex::HELP)]
    Duplex(Box<DuplexArgs>),
}

const CALL_HELP: &str = "\
Latency is taken at the caller: from sending the last packet with speech to the arrival of the \
first packet with sound. A packet holds speech, or sound, if its level exceeds --sound-dbfs. The \
barge-in stop time is from the first packet with speech of the interruption to the last packet \
with sound of the interrupted reply. A simulated network is part of what is measured. The round \
trip time is from RTCP reports and leaves the simulated network out.

Ctrl-C hangs up and reports on what there was.

Exit status: 0 the call worked, that is, it connected and every turn got a reply; 1 the call \
failed, or a turn got no reply; 2 bad usage, such as a file that cannot be read.";

const BENCH_HELP: &str = "\
Exit status: 0 every call worked; 1 a call failed; 2 bad usage.";

/// Arguments of `call`.
#[derive(Debug, Args)]
pub struct CallArgs {
    /// The conversation.
    #[command(flatten)]
    pub talk: TalkArgs,
    /// Record what is heard
    #[arg(long, value_name = "WAV")]
    pub record: Option<PathBuf>,
    /// Record both sides: left the caller, right the agent
    #[arg(long, value_name = "WAV")]
    pub record_both: Option<PathBuf>,
    /// Say nothing while the call goes on
    #[arg(long, short)]
    pub quiet: bool,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The conversation of each call.
    #[command(flatten)]
    pub talk: TalkArgs,
    /// How many calls
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = calls())]
    pub calls: u32,
    /// Begin one call every so many milliseconds
    #[arg(long, value_name = "MS", default_value_t = 50)]
    pub stagger: u64,
}

/// What both commands need to know of a call.
#[derive(Debug, Args)]
pub struct TalkArgs {
    /// The server, as http://127.0.0.1:8080, or its whole WHIP address
    pub url: String,
    /// Say this wav file; may be repeated, and mixed with --text, in order
    #[arg(long, value_name = "WAV")]
    pub say: Vec<PathBuf>,
    /// Send this text; may be repeated, and mixed with --say, in order
    #[arg(long, value_name = "TEXT")]
    pub text: Vec<String>,
    /// Write the report as JSON to this file, or to standard output with -
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Bearer token: an access key or a join token
    #[arg(long, env = "ANTIPHON_TOKEN", hide_env_values = true, allow_hyphen_values = true)]
    pub token: Option<String>,
    /// The agent to ask for
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// The codec to offer
    #[arg(long, value_enum, default_value_t = Codec::Opus)]
    pub codec: Codec,
    /// Speak the next --say over each reply, so long after its first sound
    #[arg(long, value_name = "MS")]
    pub interrupt_after: Option<u64>,
    /// If the agent speaks within this time of connecting, let it finish first
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    pub wait_greeting: u64,
    /// A reply is over after so much silence
    #[arg(long, value_name = "MS", default_value_t = 700)]
    pub turn_gap: u64,
    /// Give up on a reply after this time
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    pub reply_timeout: u64,
    /// Go on listening after the last turn [default: 0, or 10000 with nothing to say]
    #[arg(long, value_name = "MS")]
    pub listen: Option<u64>,
    /// The call also worked if a turn got no reply
    #[arg(long)]
    pub no_reply_expected: bool,
    /// Tell the agent that the microphone is off
    #[arg(long)]
    pub mute: bool,
    /// Louder packets are sound, and speech
    #[arg(long, value_name = "DBFS", default_value_t = SOUND_DBFS_DEFAULT)]
    #[arg(allow_negative_numbers = true)]
    pub sound_dbfs: f64,
    /// Hear so far behind the network; later packets are late
    #[arg(long, value_name = "MS", default_value_t = 60, value_parser = playout_delay_ms())]
    pub playout_delay: u32,
    /// Give up connecting after this time
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    pub connect_timeout: u64,
    /// Local address for media [default: the one from which the server is reached]
    #[arg(long, value_name = "IP")]
    pub bind: Option<IpAddr>,
    /// The simulated network.
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// The simulated network, in both directions.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Simulated network, both ways")]
pub struct NetworkArgs {
    /// Lose so many packets
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    pub loss: f64,
    /// Lose them in runs of so many
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = burst_packets())]
    pub burst: u32,
    /// Delay every packet
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = added_ms())]
    pub delay: u32,
    /// Delay each packet by up to so much more
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = added_ms())]
    pub jitter: u32,
    /// The same number is the same bad luck
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Names of the codecs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Codec {
    /// Opus, 48 kHz
    Opus,
    /// G.711 µ-law, 8 kHz
    Pcmu,
    /// G.711 A-law, 8 kHz
    Pcma,
}

impl From<Codec> for CodecKind {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::Opus => Self::Opus,
            Codec::Pcmu => Self::Pcmu,
            Codec::Pcma => Self::Pcma,
        }
    }
}

impl From<NetworkArgs> for Impairment {
    fn from(args: NetworkArgs) -> Self {
        Self {
            loss_percent: args.loss,
            burst_packets: args.burst,
            delay_ms: args.delay,
            jitter_ms: args.jitter,
            seed: args.seed,
        }
    }
}

/// What `value_parser!(u32).range(..)` makes.
type Range = RangedI64ValueParser<u32>;

fn calls() -> Range {
    value_parser!(u32).range(1..=i64::from(BENCH_CALLS_MAX))
}

fn playout_delay_ms() -> Range {
    value_parser!(u32).range(20..=1_000)
}

fn burst_packets() -> Range {
    value_parser!(u32).range(1..=100)
}

fn added_ms() -> Range {
    value_parser!(u32).range(0..=10_000)
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("a number from 0 to 100 is needed".to_owned()),
    }
}

/// The options of a call, from the arguments and the matches they came from, which alone know the
/// order of `--say` and `--text`.
pub fn call_options(args: &TalkArgs, matches: &ArgMatches) -> CallOptions {
    let turns = turns(args, matches);
    let listen_ms = args.listen.unwrap_or(if turns.is_empty() { 10_000 } else { 0 });
    CallOptions {
        agent: args.agent.clone(),
        token: args.token.clone(),
        codec: args.codec.into(),
        turns,
        manners: crate::conversation::Manners {
            sound_dbfs: args.sound_dbfs,
            greeting_wait: Duration::from_millis(args.wait_greeting),
            turn_gap: Duration::from_millis(args.turn_gap),
            reply_timeout: Duration::from_millis(args.reply_timeout),
            interrupt_after: args.interrupt_after.map(Duration::from_millis),
            listen: Duration::from_millis(listen_ms),
        },
        expect_reply: !args.no_reply_expected,
        mute: args.mute,
        impairment: args.network.into(),
        playout_delay_ms: args.playout_delay,
        connect_timeout: Duration::from_millis(args.connect_timeout),
        bind: args.bind,
        ..CallOptions::new(&args.url)
    }
}

fn turns(args: &TalkArgs, matches: &ArgMatches) -> Vec<Turn> {
    let places = |id: &str| matches.indices_of(id).into_iter().flatten();
    let says = places("say").zip(args.say.iter().map(|path| Turn::Say(path.clone())));
    let texts = places("text").zip(args.text.iter().map(|text| Turn::Text(text.clone())));
    let mut turns: Vec<_> = says.chain(texts).collect();
    turns.sort_by_key(|(place, _)| *place);
    turns.into_iter().map(|(_, turn)| turn).collect()
}

/// What the command line asks for, ready to be done.
#[derive(Debug)]
pub struct Job {
    /// What to do.
    pub command: Command,
    /// How each call is made.
    pub options: CallOptions,
}

impl Job {
    /// The job in `matches` of [`Cli`].
    pub fn from_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let Cli { command } = Cli::from_arg_matches(matches)?;
        let (_, matches) = matches.subcommand().expect("the subcommand was just read");
        let options = match &command {
            Command::Call(args) => CallOptions {
                record: args.record.clone(),
                record_both: args.record_both.clone(),
                ..call_options(&args.talk, matches)
            },
            Command::Bench(args) => call_options(&args.talk, matches),
            Command::Duplex(args) => args.call_options(),
        };
        Ok(Self { command, options })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn options(arguments: &str) -> Result<CallOptions, clap::Error> {
        let arguments = arguments.split_whitespace();
        let matches =
            Cli::command().try_get_matches_from(["antiphon-peer"].into_iter().chain(arguments))?;
        Ok(Job::from_matches(&matches)?.options)
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_library() {
        let options = options("call http://h").unwrap();
        let mut expected = CallOptions::new("http://h");
        expected.manners.listen = Duration::from_secs(10);
        assert_eq!(options, expected);
    }

    #[test]
    fn turns_keep_their_order() {
        let options = options("call http://h --say a.wav --text hello --say b.wav").unwrap();
        let expected =
            [Turn::Say("a.wav".into()), Turn::Text("hello".into()), Turn::Say("b.wav".into())];
        assert_eq!(options.turns, expected);
        assert_eq!(options.manners.listen, Duration::ZERO);
    }

    #[test]
    fn the_network_is_read() {
        let options =
            options("call http://h --loss 5 --burst 3 --delay 20 --jitter 30 --seed 7").unwrap();
        let expected = Impairment {
            loss_percent: 5.0,
            burst_packets: 3,
            delay_ms: 20,
            jitter_ms: 30,
            seed: 7,
        };
        assert_eq!(options.impairment, expected);
    }

    #[test]
    fn a_token_may_begin_with_a_hyphen() {
        let options = options("call http://h --token -e4Mdj").unwrap();
        assert_eq!(options.token.as_deref(), Some("-e4Mdj"));
    }

    #[test]
    fn bad_usage_is_refused() {
        for arguments in [
            "",
            "call",
            "call http://h --loss 101",
            "call http://h --loss x",
            "call http://h --burst 0",
            "call http://h --codec mp3",
            "call http://h --interrupt-after -1",
            "sing http://h",
            "bench http://h --calls 0",
            "bench http://h --record a.wav",
            "duplex http://h --only nothing",
            "duplex http://h --parallel 0",
            "duplex http://h --minutes 0",
            "duplex http://h --reply-ms 1000",
            "duplex http://h --quick --minutes 3",
        ] {
            assert_eq!(options(arguments).unwrap_err().exit_code(), 2, "{arguments}");
        }
    }
}
