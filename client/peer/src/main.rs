//! Arguments -> call -> report -> exit status. Nothing else.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program prints")]

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use antiphon_peer::cli::{CallArgs, Cli, Job};
use antiphon_peer::{CallError, CallOptions, Report, call_with_progress, text};
use clap::CommandFactory;
use tokio::sync::mpsc;
use tracing_subscriber::EnvFilter;

/// The call failed, or got no reply.
const FAILED: u8 = 1;
/// The arguments, or the files they name, are no good.
const USAGE: u8 = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match Job::from_matches(&Cli::command().get_matches()) {
        Ok(Job::Call(args, options)) => run_call(&args, &options).await,
        Err(error) => error.exit(),
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
    let result = call_with_progress(options, sender).await;
    // Ends with the call's sender; its failure would be a failure to print.
    drop(printing.await);
    match result {
        Ok(report) => finish(args.json.as_deref(), &report),
        Err(error) => fail(&error),
    }
}

fn finish(json: Option<&Path>, report: &Report) -> ExitCode {
    let is_on_stdout = json == Some(Path::new("-"));
    if !is_on_stdout {
        print!("{}", text::summary(report));
    }
    let rendered = serde_json::to_string_pretty(report).map_err(std::io::Error::from);
    let written = match json {
        None => Ok(()),
        Some(_) if is_on_stdout => rendered.map(|rendered| println!("{rendered}")),
        Some(path) => rendered.and_then(|rendered| fs::write(path, rendered + "\n")),
    };
    if let Err(error) = written {
        eprintln!("error: {}: cannot be written: {error}", json.unwrap_or(Path::new("")).display());
        return ExitCode::from(USAGE);
    }
    if report.worked { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

fn fail(error: &CallError) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(if error.is_usage() { USAGE } else { FAILED })
}
