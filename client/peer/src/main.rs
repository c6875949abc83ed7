//! Arguments -> call -> report -> exit status. Nothing else.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program prints")]

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use antiphon_peer::bench::bench;
use antiphon_peer::cli::{BenchArgs, CallArgs, Cli, Command, DuplexArgs, Job};
use antiphon_peer::duplex::duplex;
use antiphon_peer::{CallError, CallOptions, call_with, text};
use clap::CommandFactory;
use serde::Serialize;
use tokio::sync::{Notify, mpsc};
use tracing_subscriber::EnvFilter;

/// The call failed, or got no reply.
const FAILED: u8 = 1;
/// The arguments, or the files they name, are no good.
const USAGE: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let Job { command, options } = match Job::from_matches(&Cli::command().get_matches()) {
        Ok(job) => job,
        Err(error) => error.exit(),
    };
    match command {
        Command::Call(args) => run_call(&args, &options).await,
        Command::Bench(args) => run_bench(&args, &options).await,
        Command::Duplex(args) => run_duplex(&args, &options).await,
    }
}

async fn run_call(args: &CallArgs, options: &CallOptions) -> ExitCode {
    let (sender, mut receiver) = mpsc::channel(64);
    let is_quiet = args.quiet;
    let printing = tokio::spawn(async move {
        while let Some(progress) = receiver.recv().await {
            if !is_quiet {
                eprintln!("{}", text::progress_line(&progress));
            }
        }
    });
    let hang_up = Arc::new(Notify::new());
    let on_key = Arc::clone(&hang_up);
    tokio::spawn(async move {
        // The first Ctrl-C hangs up and reports, the second one ends the program at once.
        while tokio::signal::ctrl_c().await.is_ok() {
            on_key.notify_one();
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(i32::from(FAILED));
            }
        }
    });
    let result = call_with(options, sender, &hang_up).await;
    // Ends with the call's sender; its failure would be a failure to print.
    drop(printing.await);
    match result {
        Ok(report) => {
            let json = args.talk.json.as_deref();
            finish(json, &report, &text::summary(&report), report.worked)
        }
        Err(error) => fail(&error),
    }
}

async fn run_bench(args: &BenchArgs, options: &CallOptions) -> ExitCode {
    match bench(options, args.calls, Duration::from_millis(args.stagger)).await {
        Ok(report) => {
            let (json, worked) = (args.talk.json.as_deref(), report.worked == report.calls);
            finish(json, &report, &text::bench_summary(&report), worked)
        }
        Err(error) => fail(&error),
    }
}

async fn run_duplex(args: &DuplexArgs, options: &CallOptions) -> ExitCode {
    let (sender, mut receiver) = mpsc::channel(256);
    let is_quiet = args.quiet;
    let printing = tokio::spawn(async move {
        while let Some(line) = receiver.recv().await {
            if !is_quiet {
                eprintln!("{line}");
            }
        }
    });
    let result = duplex(options, &args.options(), sender).await;
    // Ends with the suite's sender; its failure would be a failure to print.
    drop(printing.await);
    match result {
        Ok(report) => {
            let worked = report.worked() && (!args.strict || report.met());
            finish(args.json.as_deref(), &report, &text::duplex_summary(&report), worked)
        }
        Err(error) => fail(&error),
    }
}

fn finish(json: Option<&Path>, report: &impl Serialize, summary: &str, worked: bool) -> ExitCode {
    let is_on_stdout = json == Some(Path::new("-"));
    if !is_on_stdout {
        print!("{summary}");
    }
    let rendered = || serde_json::to_string_pretty(report).map_err(std::io::Error::from);
    let written = match json {
        None => Ok(()),
        Some(_) if is_on_stdout => rendered().map(|rendered| println!("{rendered}")),
        Some(path) => rendered().and_then(|rendered| fs::write(path, rendered + "\n")),
    };
    if let Err(error) = written {
        eprintln!("error: {}: cannot be written: {error}", json.unwrap_or(Path::new("")).display());
        return ExitCode::from(USAGE);
    }
    if worked { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

fn fail(error: &CallError) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(if error.is_usage() { USAGE } else { FAILED })
}
