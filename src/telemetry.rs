//! Logs and recordings. User words and audio never appear in a log message; only in fields whose key begins
//! with `pii.`.

pub mod recordings;

use std::io::IsTerminal as _;

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What is logged and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A filter as in `info,antiphon=debug`.
    pub filter: String,
    /// One JSON object per line instead of text.
    pub json: bool,
}

/// Crates that log, if they are asked for more than this, what must not be logged: messages with the user's
/// words and voice in them, and the tokens that requests are signed with.
const TALKATIVE: [&str; 6] = [
    "aws_config",
    "aws_runtime",
    "aws_sigv4",
    "aws_smithy_eventstream",
    "aws_smithy_http",
    "aws_smithy_runtime",
];

/// Sends logs to standard error from here on. Fails on a filter that does not parse. Whatever the filter
/// says, the crates that would tell too much are held to `info`.
pub fn init(config: &LogConfig) -> Result<(), String> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|error| format!("log filter '{}': {error}", config.filter))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let discretion = filter_fn(|event| is_discreet(event.target(), *event.level()));
    if config.json {
        builder.json().finish().with(discretion).init();
    } else {
        builder.finish().with(discretion).init();
    }
    Ok(())
}

fn is_discreet(target: &str, level: Level) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    level <= Level::INFO || !TALKATIVE.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_that_would_log_messages_are_held_to_what_is_harmless() {
        assert!(!is_discreet("aws_smithy_http::event_stream::sender", Level::TRACE));
        assert!(!is_discreet("aws_sigv4::http_request::sign", Level::DEBUG));
        assert!(is_discreet("aws_runtime::auth::sigv4", Level::WARN));
        assert!(is_discreet("antiphon::peer", Level::TRACE));
    }
}
