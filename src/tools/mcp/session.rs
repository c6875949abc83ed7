//! A server and the session with it, which is opened when it is needed.
#![cfg(feature = "shell")]

use std::fmt;
use std::sync::Arc;

use reqwest::{Client, redirect};
use rmcp::ServiceExt;
use rmcp::model::{ClientCapabilities, ClientConfig, Implementation, PaginatedRequestParams, Tool};
use rmcp::service::{ClientInitializeError, RoleClient, RunningService, ServiceError};
use rmcp::transport::TokioChildProcess;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransport, StreamableHttpClientTransportConfig,
};
use tokio::process::Command;
use tokio::sync::Mutex;

use super::{McpReach, McpSettings};
use crate::limits::{
    MCP_MESSAGE_BYTES_MAX, MCP_PAGES_MAX, MCP_TOOLS_LISTED_MAX, TOOL_ERROR_CHARS_MAX,
    WEBHOOK_CONNECT_TIMEOUT,
};
use crate::tools::json::clip;

pub(super) type Session = RunningService<RoleClient, ClientConfig>;

/// A server that tools are called at. All calls of an agent share one session.
pub(super) struct Server {
    pub(super) settings: McpSettings,
    http: Client,
    /// The newest; one that has ended is replaced when it is needed. Held while a new one is opened, so that
    /// those who need it at the same time wait for the same one.
    session: Mutex<Option<Arc<Session>>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Server").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Server {
    /// Nothing is sent yet.
    pub(super) fn new(settings: McpSettings) -> Result<Self, String> {
        // Whoever installed one before is as good: the process has only one provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder()
            .connect_timeout(WEBHOOK_CONNECT_TIMEOUT)
            // They would take the arguments to somewhere nobody configured.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("antiphon/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("{error}; check the system's certificates"))?;
        Ok(Self { settings, http, session: Mutex::new(None) })
    }

    /// The session, opened if there is none or it has ended.
    pub(super) async fn session(&self) -> Result<Arc<Session>, String> {
        let mut session = self.session.lock().await;
        if let Some(open) = session.as_ref().filter(|open| !open.is_closed()) {
            return Ok(Arc::clone(open));
        }
        // Its process is gone before the next one is started.
        *session = None;
        let opened = Arc::new(self.open().await?);
        *session = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// Opens another session next time, in place of this one.
    pub(super) async fn forget(&self, broken: &Arc<Session>) {
        self.session.lock().await.take_if(|session| Arc::ptr_eq(session, broken));
    }

    /// The tools that it lists, page after page.
    pub(super) async fn list(&self) -> Result<Vec<Tool>, String> {
        let session = self.session().await?;
        let mut tools = Vec::new();
        let mut cursor = None;
        for _ in 0..MCP_PAGES_MAX {
            let page = PaginatedRequestParams::default().with_cursor(cursor);
            let page = session
                .list_tools(Some(page))
                .await
                .map_err(|error| format!("it did not list its tools: {}", reason(&error)))?;
            tools.extend(page.tools);
            if tools.len() > MCP_TOOLS_LISTED_MAX {
                return Err(format!(
                    "expected at most {MCP_TOOLS_LISTED_MAX} tools, received more; use another server"
                ));
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(tools);
            }
        }
        Err(format!(
            "expected at most {MCP_PAGES_MAX} pages of tools, received more; correct it there"
        ))
    }

    async fn open(&self) -> Result<Session, String> {
        let name = Implementation::new("antiphon", env!("CARGO_PKG_VERSION"));
        let client = ClientConfig::new(ClientCapabilities::default(), name);
        let opened = match &self.settings.reach {
            McpReach::Http { url, bearer } => {
                let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
                config.max_sse_event_size = MCP_MESSAGE_BYTES_MAX;
                config.auth_header = bearer.as_ref().map(|bearer| bearer.reveal().to_owned());
                let http = self.http.clone();
                client.serve(StreamableHttpClientTransport::with_client(http, config)).await
            }
            McpReach::Process(parts) => {
                let (program, arguments) =
                    parts.split_first().ok_or("mcp: expected a program, received an empty list")?;
                let mut command = Command::new(program);
                command.args(arguments);
                let process = TokioChildProcess::new(command).map_err(|error| {
                    format!("its program cannot be started: {error}; install it, or correct `mcp`")
                })?;
                client.serve(process).await
            }
        };
        opened.map_err(|error| unopened(&error, &self.settings.reach))
    }
}

fn unopened(error: &ClientInitializeError, reach: &McpReach) -> String {
    let shown = match error {
        ClientInitializeError::TransportError { error, .. } => causes(error.error.as_ref()),
        other => causes(other),
    };
    let remedy = match reach {
        McpReach::Http { .. } => "start it, or correct `mcp` or `bearer_env`",
        McpReach::Process(_) => "see what it says on its standard error, or correct `mcp`",
    };
    format!("no session can be opened with it: {shown}; {remedy}")
}

/// Why a request failed, without what the server may have said of a user.
pub(super) fn reason(error: &ServiceError) -> String {
    match error {
        ServiceError::McpError(error) => format!("it answered with the error {}", error.code.0),
        ServiceError::TransportSend(error) => causes(error.error.as_ref()),
        ServiceError::TransportClosed => "the session ended".to_owned(),
        ServiceError::UnexpectedResponse => "it answered something else".to_owned(),
        other => clip(&other.to_string(), TOOL_ERROR_CHARS_MAX),
    }
}

/// An error with the deepest of its causes, which is the one that tells something.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let deepest = chain.last().unwrap_or(error).to_string();
    let whole = error.to_string();
    let text = if whole.contains(&deepest) { whole } else { format!("{whole}: {deepest}") };
    clip(&text, TOOL_ERROR_CHARS_MAX)
}
