//! The `antiphon` binary: arguments to configuration, configuration to a running server, and its end.

use std::io::{BufWriter, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use antiphon::config::{Config, Environment, Overrides, TcpOverride};
use antiphon::replay::{self, Outcome, ReplayOptions};
use antiphon::server::{self, Server};
use antiphon::telemetry::{self, LogConfig};
use clap::{Args, Parser, Subcommand};

/// Exit status of a bad configuration, after BSD's `EX_CONFIG`.
const EXIT_CONFIG: u8 = 78;
/// Exit status of a check that might succeed later, after BSD's `EX_TEMPFAIL`.
const EXIT_TEMPORARY: u8 = 75;
/// Exit status of arguments that make no sense, as the argument parser's own.
const EXIT_USAGE: u8 = 2;

/// A WebRTC media agent for voice products.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer calls.
    Serve(Box<ServeArgs>),
    /// Run a recorded call through the same core again and compare what it decides: exit status 0 if it
    /// decides the same, 1 if not or if the file is damaged.
    Replay(Box<ReplayArgs>),
    /// Ask a running server whether it is well: exit status 0 or 1.
    Health {
        /// Such as <http://127.0.0.1:8080/healthz>.
        url: String,
    },
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// A configuration file; deploy/antiphon.example.yaml shows every key.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where HTTP listens [default: 127.0.0.1:8080]. Anywhere but on loopback an access key is
    /// needed: set ANTIPHON_ACCESS_KEY.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The UDP socket of all calls [default: port 40000 at the address of --listen].
    #[arg(long, value_name = "ADDRESS:PORT")]
    udp: Option<SocketAddr>,
    /// The ICE-TCP listener, or `off` [default: the same address and port as --udp].
    #[arg(long, value_name = "ADDRESS:PORT|off")]
    tcp: Option<TcpOverride>,
    /// An address by which clients reach --udp and --tcp through NAT; may be repeated.
    #[arg(long, value_name = "IP")]
    advertise: Vec<IpAddr>,
    /// The default agent's backend: local, scripted, echo or nova_sonic.
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// The script of the scripted backend.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// How long the user must be silent before the default agent takes the turn.
    #[arg(long, value_name = "MS")]
    silence_ms: Option<u32>,
    /// Check the configuration, that the engines, models and scripts it names load, and that every provider
    /// answers and accepts its key, by what costs nothing, then exit: status 0 if all is well, 78 if
    /// something must be changed, 75 if a provider does not answer now. Ports are not tried.
    #[arg(long)]
    check: bool,
    /// What is logged, such as `info` or `warn,antiphon=debug`.
    #[arg(long, value_name = "FILTER", default_value = "warn,antiphon=info")]
    log: String,
    /// Log one JSON object per line.
    #[arg(long)]
    log_json: bool,
}

#[derive(Debug, Args)]
struct ReplayArgs {
    /// A recording; see `recordings` in deploy/antiphon.example.yaml.
    file: PathBuf,
    /// Show what another setting would have decided. The keys are those of an agent in the
    /// configuration, such as turn.silence_ms=400; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Write both sides as wav files into this folder.
    #[arg(long, value_name = "FOLDER")]
    wav: Option<PathBuf>,
    /// Draw the call.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Draw from here on, in seconds.
    #[arg(long, value_name = "SECONDS", requires = "svg")]
    from: Option<f64>,
    /// Draw up to here, in seconds.
    #[arg(long, value_name = "SECONDS", requires = "svg")]
    to: Option<f64>,
    /// Let the voice model judge the audio again, instead of taking what it said then.
    #[arg(long)]
    listen_again: bool,
    /// Between the lines of the trace, show every 20 ms of the user as measured.
    #[arg(long, conflicts_with = "quiet")]
    frames: bool,
    /// Between the lines of the trace, show what language models were told. Only recordings with consent
    /// hold it.
    #[arg(long, conflicts_with = "quiet")]
    prompts: bool,
    /// Only the result, and with --set only what differs.
    #[arg(long)]
    quiet: bool,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(args) => serve(*args),
        Command::Replay(args) => replay(*args),
        Command::Health { url } => runtime().and_then(|runtime| {
            runtime.block_on(server::health::check(&url)).map_err(|problem| failure(1, &problem))
        }),
    };
    outcome.err().unwrap_or(ExitCode::SUCCESS)
}

fn serve(args: ServeArgs) -> Result<(), ExitCode> {
    let log = LogConfig { filter: args.log, json: args.log_json };
    telemetry::init(&log).map_err(|problem| failure(EXIT_CONFIG, &problem))?;
    let overrides = Overrides {
        listen: args.listen,
        udp: args.udp,
        tcp: args.tcp,
        advertise: args.advertise,
        backend: args.backend,
        script: args.script,
        silence_ms: args.silence_ms,
    };
    let environment = Environment::of_process();
    let config = Config::load(args.config.as_deref(), &overrides, &environment)
        .map_err(|error| failure(EXIT_CONFIG, &error.to_string()))?;
    let config = if args.check { config.on_free_ports() } else { config };
    runtime()?.block_on(async {
        let server =
            Server::bind(config).await.map_err(|error| failure(EXIT_CONFIG, &error.to_string()))?;
        if args.check {
            let doubts = server.doubts();
            if !doubts.is_empty() {
                return Err(failure(EXIT_TEMPORARY, &doubts));
            }
            print("the configuration is good (ports were not tried)");
            return Ok(());
        }
        print(&server.banner());
        server.run(server::stop_signal()).await;
        Ok(())
    })
}

fn replay(args: ReplayArgs) -> Result<(), ExitCode> {
    let seconds = |option: &str, seconds: Option<f64>| {
        let duration = seconds.map(Duration::try_from_secs_f64).transpose();
        duration.map_err(|_| failure(EXIT_USAGE, &format!("{option}: expected seconds from 0 on")))
    };
    let options = ReplayOptions {
        from: seconds("--from", args.from)?,
        to: seconds("--to", args.to)?,
        file: args.file,
        sets: args.set,
        wav: args.wav,
        svg: args.svg,
        listen_again: args.listen_again,
        frames: args.frames,
        prompts: args.prompts,
        quiet: args.quiet,
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let outcome = replay::run(&options, &mut out);
    // What was written before a mistake is shown before it.
    let flushed = out.flush();
    match outcome.map_err(|problem| failure(1, &problem))? {
        Outcome::Good => flushed.map_err(|error| failure(1, &format!("output: {error}"))),
        Outcome::Different => Err(ExitCode::FAILURE),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, ExitCode> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| failure(1, &format!("cannot start the async runtime: {error}")))
}

#[expect(clippy::print_stdout, reason = "the banner is what the user of the command asked for")]
fn print(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "the reason of a failed start belongs on standard error")]
fn failure(status: u8, problem: &str) -> ExitCode {
    eprintln!("error: {problem}");
    ExitCode::from(status)
}
