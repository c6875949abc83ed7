//! The `antiphon` binary: arguments to configuration, configuration to a running server, and its end.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use antiphon::config::{Config, Environment, Overrides, TcpOverride};
use antiphon::server::{self, Server};
use antiphon::telemetry::{self, LogConfig};
use clap::{Args, Parser, Subcommand};

/// Exit status of a bad configuration, after BSD's `EX_CONFIG`.
const EXIT_CONFIG: u8 = 78;

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
    /// The default agent's backend: local, scripted or echo.
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// The script of the scripted backend.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// How long the user must be silent before the default agent takes the turn.
    #[arg(long, value_name = "MS")]
    silence_ms: Option<u32>,
    /// Check the configuration and that the engines, models and scripts it names load, then exit:
    /// status 0 if they do, 78 if not. Ports and language models are not tried.
    #[arg(long)]
    check: bool,
    /// What is logged, such as `info` or `warn,antiphon=debug`.
    #[arg(long, value_name = "FILTER", default_value = "warn,antiphon=info")]
    log: String,
    /// Log one JSON object per line.
    #[arg(long)]
    log_json: bool,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(args) => serve(*args),
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
            print("the configuration is good (ports and language models were not tried)");
            return Ok(());
        }
        print(&server.banner());
        server.run(server::stop_signal()).await;
        Ok(())
    })
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
