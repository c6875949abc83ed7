//! Functions that a model may call: what an agent declares, the checks of what a model asks for, who waits
//! for which result, and who must be asked before.
//!
//! An agent declares [`ToolSpec`]s, checked once at start and kept in a [`Toolbox`] that all of its calls
//! share. Each call has a [`Desk`]: a model's requests go in, and out come things to do, among them
//! exactly one answer to each request. The desk is pure and told the time; [`runner`] runs on the server
//! what the desk asks for: posts to a [`webhook`], and calls of an [`mcp`] server, whose tools are listed at
//! start and are declarations like any other from then on.
//!
//! ```text
//! model --request--> Desk --Run--> Runner --ToolDone--.
//!   ^                 | ^ '--AskClient--> client --.  |
//!   '------Answer-----' '--------------------------'--'
//! ```

mod consent;
pub mod desk;
mod json;
pub mod mcp;
mod names;
pub mod runner;
pub mod spec;
pub mod toolbox;
pub mod webhook;

pub use desk::{Desk, DeskAct, DeskStats, Outcome, TOOL_PATIENCE, ToolDone, ToolRun};
pub use names::Names;
pub use spec::{Builtin, Confirm, Executor, Filler, Job, Secret, ToolSpec, WebhookSettings};
pub use toolbox::{ToolError, Toolbox};
