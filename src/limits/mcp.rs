//! Bounds of what servers of the Model Context Protocol say, and of how long they are waited for.

use std::time::Duration;

/// Servers of one agent; more are refused at start.
pub const MCP_SERVERS_MAX: usize = 16;
/// Tools that one server may list, those that the agent leaves out among them; more refuse the start.
pub const MCP_TOOLS_LISTED_MAX: usize = 1_000;
/// Pages of that list; more refuse the start: a server may turn pages for ever.
pub const MCP_PAGES_MAX: usize = 100;
/// Bytes of one message of a server that sends events. A larger one is dropped with its connection. Answers
/// that are sent whole, and lines of a process, are bounded by the protocol's library at 16 MiB.
pub const MCP_MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a server may be given to open a session and to list its tools.
pub const MCP_START_TIMEOUT_MAX: Duration = Duration::from_secs(120);
/// Parts of the command of a server that is a process, and characters of each; more are refused at start.
pub const MCP_COMMAND_PARTS_MAX: usize = 64;
/// See [`MCP_COMMAND_PARTS_MAX`].
pub const MCP_COMMAND_PART_CHARS_MAX: usize = 1_000;
