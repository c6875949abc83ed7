//! Arguments -> settings -> simulator, until it is interrupted. Nothing else.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program prints")]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use antiphon_nova_sim::faults::{FaultRule, duration};
use antiphon_nova_sim::settings::{BargeIn, Ears, MindKind, Quirks, Voice};
use antiphon_nova_sim::{Counts, Sim, SimHandle, SimSettings};
use clap::{Parser, ValueEnum};
use tracing_subscriber::EnvFilter;

/// The arguments, or the files they name, are no good.
const USAGE: u8 = 2;

/// A local Amazon Nova Sonic, for tests and for development without an account.
///
/// It is a simulator, and not Amazon Nova: the wire, the order of events, the limits and the errors
/// are the service's as far as they are known; what it says is not.
#[derive(Debug, Parser)]
#[command(name = "antiphon-nova-sim", version)]
struct Args {
    /// Where it listens; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:8444", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Where the certificate is written that clients must trust, as PEM [default: in the folder for
    /// temporary files]
    #[arg(long, value_name = "FILE")]
    ca_out: Option<PathBuf>,
    /// The access key id that clients must sign with
    #[arg(long, default_value = "AKIDSIM")]
    key_id: String,
    /// Its secret
    #[arg(long, default_value = "sim-secret")]
    secret: String,
    /// The region that clients must sign for
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// How long a connection may last, as 480s or 500ms
    #[arg(long, default_value = "480s", value_parser = duration, value_name = "TIME")]
    connection_limit: Duration,
    /// How long a client may send neither audio nor text
    #[arg(long, default_value = "55s", value_parser = duration, value_name = "TIME")]
    idle_limit: Duration,
    /// Silence that ends an utterance, in milliseconds of audio
    #[arg(long, default_value_t = 400, value_name = "MS")]
    detection_ms: u64,
    /// From the detected end of an utterance to the first audio of the answer, in milliseconds
    #[arg(long, default_value_t = 335, value_name = "MS")]
    answer_ms: u64,
    /// From the end of an answer to the text of what was spoken, in milliseconds
    #[arg(long, default_value_t = 2_600, value_name = "MS")]
    final_ms: u64,
    /// Streams that may be open at once; one more is throttled
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    sessions_max: usize,
    /// How an interruption is told: speech-start, marker, end-turn-marker, audio-interrupted, all,
    /// late-audio, repeated, or rotate for each in turn
    #[arg(long, default_value = "all", value_parser = barge_in, value_name = "SHAPE")]
    barge_in: BargeIn,
    /// Something that goes wrong, for example "open nth=2 access-denied", "at=12s throttling",
    /// "every=180s list=all-transient" or "history=5s system-instability". Can be given repeatedly
    #[arg(long, value_name = "FAULT")]
    fault: Vec<FaultRule>,
    /// Takes each utterance for the next line of this file, again and again
    #[arg(long, value_name = "FILE")]
    hears: Option<PathBuf>,
    /// How speech is understood: not at all, or by PocketSphinx
    #[arg(long, value_enum, default_value = "energy", conflicts_with = "hears")]
    ears: EarsName,
    /// The folder of PocketSphinx's English model
    #[arg(long, default_value = "/usr/share/pocketsphinx/model/en-us", value_name = "FOLDER")]
    recognition_model: PathBuf,
    /// How answers are spoken: by flite, or in tones that programs understand
    #[arg(long, value_enum, default_value = "flite")]
    voice: VoiceName,
    /// Who answers: a small dialogue, or one that answers numbers with numbers
    #[arg(long, value_enum, default_value = "talk")]
    mind: MindName,
    /// Something lawful and unusual. Can be given repeatedly
    #[arg(long, value_enum, value_name = "QUIRK")]
    quirk: Vec<QuirkName>,
    /// Where chance begins
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What is logged, as for RUST_LOG; logs hold no words and no audio
    #[arg(long, default_value = "warn", value_name = "FILTER")]
    log: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EarsName {
    Energy,
    Pocketsphinx,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum VoiceName {
    Flite,
    Tones,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MindName {
    Talk,
    Count,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum QuirkName {
    /// Tool arguments are a JSON string inside a JSON string
    ToolDoublyEncoded,
    /// Several tools are called at once
    ToolsInParallel,
    /// An empty user transcript follows each text
    EmptyTranscripts,
    /// Events that no client knows
    UnknownEvents,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(USAGE)
        }
    }
}

async fn run(args: Args) -> Result<(), String> {
    let filter = EnvFilter::try_new(&args.log)
        .map_err(|error| format!("--log: `{}` is no filter: {error}", args.log))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let ca_file = match &args.ca_out {
        Some(file) => file.clone(),
        None => std::env::temp_dir().join("antiphon-nova-sim-ca.pem"),
    };
    let settings = settings(args)?;
    let (key_id, region) = (settings.key_id.clone(), settings.region.clone());
    let sim = Sim::start(settings).await.map_err(|error| error.to_string())?;
    fs::write(&ca_file, sim.ca_pem())
        .map_err(|error| format!("--ca-out: {} cannot be written: {error}", ca_file.display()))?;
    println!("{}", welcome(&sim, &ca_file, &key_id, &region));
    tokio::signal::ctrl_c().await.map_err(|error| format!("signals cannot be heard: {error}"))?;
    println!("{}", summary(&sim.counts()));
    sim.shutdown().await;
    Ok(())
}

fn settings(args: Args) -> Result<SimSettings, String> {
    let ears = match (&args.hears, args.ears) {
        (Some(file), _) => Ears::Script(lines_of(file)?),
        (None, EarsName::Energy) => Ears::Energy,
        (None, EarsName::Pocketsphinx) => Ears::PocketSphinx(args.recognition_model),
    };
    let has = |quirk: QuirkName| args.quirk.contains(&quirk);
    Ok(SimSettings {
        listen: args.listen,
        connection_limit: args.connection_limit,
        idle_limit: args.idle_limit,
        detection: Duration::from_millis(args.detection_ms),
        answer: Duration::from_millis(args.answer_ms),
        final_delay: Duration::from_millis(args.final_ms),
        sessions_max: args.sessions_max,
        barge_in: args.barge_in,
        ears,
        voice: match args.voice {
            VoiceName::Flite => Voice::Flite,
            VoiceName::Tones => Voice::Tones,
        },
        mind: match args.mind {
            MindName::Talk => MindKind::Talk,
            MindName::Count => MindKind::COUNT,
        },
        quirks: Quirks {
            tool_doubly_encoded: has(QuirkName::ToolDoublyEncoded),
            tools_in_parallel: has(QuirkName::ToolsInParallel),
            empty_transcripts: has(QuirkName::EmptyTranscripts),
            unknown_events: has(QuirkName::UnknownEvents),
        },
        faults: args.fault,
        seed: args.seed,
        key_id: args.key_id,
        secret: args.secret,
        region: args.region,
        ..SimSettings::standard()
    })
}

fn lines_of(file: &Path) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(file)
        .map_err(|error| format!("--hears: {} cannot be read: {error}", file.display()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    if lines.is_empty() {
        return Err(format!("--hears: expected at least one line, {} has none", file.display()));
    }
    Ok(lines)
}

fn barge_in(name: &str) -> Result<BargeIn, String> {
    let known = BargeIn::NAMES.iter().find(|(known, _)| *known == name);
    known.map(|(_, shape)| *shape).ok_or_else(|| {
        let names: Vec<&str> = BargeIn::NAMES.iter().map(|(name, _)| *name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn welcome(sim: &SimHandle, ca_file: &Path, key_id: &str, region: &str) -> String {
    let (url, ca_file) = (sim.endpoint_url(), ca_file.display());
    format!(
        "This is a SIMULATOR of Amazon Nova Sonic, and not Amazon Nova: no model answers, no account is\n\
         needed, nothing is billed.\n\
         \n\
         It listens on {url}. Start a client of the AWS SDK with these in its environment:\n\
         \n\
         \x20 AWS_ENDPOINT_URL_BEDROCK_RUNTIME={url}\n\
         \x20 SSL_CERT_FILE={ca_file}\n\
         \x20 AWS_REGION={region}\n\
         \x20 AWS_ACCESS_KEY_ID={key_id}\n\
         \x20 AWS_SECRET_ACCESS_KEY=the value of --secret (unless changed: sim-secret)\n\
         \n\
         SSL_CERT_FILE replaces all other authorities. Ctrl-C ends the simulator."
    )
}

fn summary(counts: &Counts) -> String {
    let mut text = format!(
        "{} connections, {} streams, {} of them throttled, {} open at most at once",
        counts.connections, counts.streams, counts.streams_throttled, counts.streams_open_max
    );
    for error in &counts.protocol_errors {
        text.push_str("\nrefused: ");
        text.push_str(error);
    }
    text
}
