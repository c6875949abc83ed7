//! Tools of servers that speak the Model Context Protocol: listed at start, called like any other.
//!
//! ```text
//! start: settings -> session -> tools/list -> ToolSpecs -> Toolbox, beside the agent's own
//! call:  Desk -> Runner -> McpTool -> session -> tools/call -> result
//!                                        '- ended? a new one
//! ```
//!
//! A server is reached over HTTP, or is a process of this server's that is spoken to over its standard input
//! and output. What it lists is outside input: counted, cut and checked like a declaration of the agent. The
//! protocol's own hints (`readOnlyHint`, `idempotentHint`) decide whether a tool may be tried again; who does
//! not trust a server with that does not configure it.
#![cfg(feature = "shell")]

mod call;
mod listing;
mod session;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

pub use self::call::McpTool;
use self::listing::specs;
use self::session::Server;
use super::spec::{Filler, Secret};
use super::toolbox::Toolbox;
use crate::limits::TOOLS_MAX;

/// A server, and what the agent makes of its tools.
#[derive(Clone, Debug, PartialEq)]
pub struct McpSettings {
    /// Stands before the names of its tools, with a `_` between: `crm` makes `crm_find_order` of
    /// `find_order`. Unique within the agent.
    pub name: String,
    /// Where it is.
    pub reach: McpReach,
    /// Which of its tools the model may call, by the server's names. Default all.
    pub only: Which,
    /// Which of them are done only after the user has said yes. Default none.
    pub confirm: Which,
    /// Which of them may be tried again, besides those that the server says it of. Default none.
    pub idempotent: Which,
    /// What the user is told while waiting for one of them. Default nothing.
    pub filler: Option<Filler>,
    /// From a request to its result, a new session and other attempts among it. Default 10 s.
    pub timeout: Duration,
    /// To open a session and list the tools, at start: at most
    /// [`MCP_START_TIMEOUT_MAX`](crate::limits::MCP_START_TIMEOUT_MAX), default 10 s.
    pub start_timeout: Duration,
}

impl McpSettings {
    /// These, and the defaults for the rest.
    pub fn new(name: String, reach: McpReach) -> Self {
        Self {
            name,
            reach,
            only: Which::All,
            confirm: Which::NONE,
            idempotent: Which::NONE,
            filler: None,
            timeout: Duration::from_secs(10),
            start_timeout: Duration::from_secs(10),
        }
    }
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum McpReach {
    /// Streamable HTTP.
    Http {
        /// `http://` or `https://`.
        url: String,
        /// Sent as a bearer token, if set.
        bearer: Option<Secret>,
    },
    /// A process that is started: a program and its arguments. It inherits the environment, and its standard
    /// error is this server's.
    Process(Vec<String>),
}

/// Some of a server's tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    /// Those of these names.
    These(Vec<String>),
}

impl Which {
    /// None of them.
    pub const NONE: Self = Self::These(Vec::new());

    fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(names) => names.iter().any(|known| known == name),
        }
    }

    fn names(&self) -> &[String] {
        match self {
            Self::All => &[],
            Self::These(names) => names,
        }
    }
}

/// Why the tools of a server cannot be had: which server, what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tools: the MCP server `{server}`: {problem}")]
pub struct McpError {
    /// Its name in the configuration.
    pub server: String,
    /// What is wrong with it and what to do.
    pub problem: String,
}

/// The agent's own tools and those of its servers, which are asked at the same time. Without servers it is
/// the agent's own. Sessions stay open as long as one of their tools is in a toolbox.
///
/// # Errors
///
/// A server cannot be reached, does not answer in time, lists something that is no tool, or lists one whose
/// name is taken; the first that is found.
pub async fn gather(own: &Arc<Toolbox>, servers: &[McpSettings]) -> Result<Arc<Toolbox>, McpError> {
    if servers.is_empty() {
        return Ok(Arc::clone(own));
    }
    let found = join_all(servers.iter().map(listed)).await;
    let mut specs: Vec<_> = own.specs().cloned().collect();
    let mut origins = vec![None; specs.len()];
    for (settings, found) in servers.iter().zip(found) {
        let found = found.map_err(|problem| of(settings, problem))?;
        origins.extend(vec![Some(settings); found.len()]);
        specs.extend(found);
        if specs.len() > TOOLS_MAX {
            let problem = format!(
                "with its tools the agent has {}: expected at most {TOOLS_MAX}; choose some with `only`",
                specs.len()
            );
            return Err(of(settings, problem));
        }
    }
    Toolbox::new(specs).map(Arc::new).map_err(|mistakes| {
        let mistake = mistakes.first().expect("a refusal has a reason");
        let origin = origins.get(mistake.index).copied().flatten();
        let problem = format!("{mistake}; correct it there, or leave the tool out with `only`");
        McpError { server: origin.map_or_else(String::new, |origin| origin.name.clone()), problem }
    })
}

fn of(settings: &McpSettings, problem: String) -> McpError {
    McpError { server: settings.name.clone(), problem }
}

async fn listed(settings: &McpSettings) -> Result<Vec<super::ToolSpec>, String> {
    let server = Arc::new(Server::new(settings.clone())?);
    let listing = async { specs(&server, server.list().await?) };
    tokio::time::timeout(settings.start_timeout, listing).await.unwrap_or_else(|_| {
        let waited = settings.start_timeout.as_secs_f32();
        Err(format!(
            "it did not list its tools within {waited} s; see whether it works, or raise start_timeout_ms"
        ))
    })
}

#[cfg(test)]
mod tests;
