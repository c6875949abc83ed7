//! Logs and recordings. User words and audio never appear in a log message; only in fields whose key begins
//! with `pii.`.

pub mod recordings;

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// What is logged and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A filter as in `info,antiphon=debug`.
    pub filter: String,
    /// One JSON object per line instead of text.
    pub json: bool,
}

/// Sends logs to standard error from here on. Fails on a filter that does not parse.
pub fn init(config: &LogConfig) -> Result<(), String> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|error| format!("log filter '{}': {error}", config.filter))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if config.json {
        builder.json().init();
    } else {
        builder.init();
    }
    Ok(())
}
