//! The running server: calls and sessions, who is admitted, and how it all ends.

mod agents;
mod clips;
pub mod health;
mod ids;
mod pages;
mod registry;
mod sessions;

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use antiphon_signaling::{Limits, SignalingConfig};
use tokio::net::TcpListener;

use crate::backend::cascade::CascadeSettings;
use crate::backend::{BackendError, Problem};
use crate::config::{BackendConfig, Config};
use crate::dsp::onnx::ModelError;
use crate::limits::DRAIN_GRACE;
use crate::peer::BindError;
use crate::telemetry::recordings::RecordingsError;
use registry::{Calls, Registry};

/// A server that is bound but does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    http: SocketAddr,
    signaling: SignalingConfig,
    registry: Arc<Registry>,
    doubts: Vec<(String, Problem)>,
}

/// Why the server cannot start. Every text says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("cannot listen on {address} ({protocol}): {source}; choose another with {option}")]
    Bind {
        address: SocketAddr,
        protocol: &'static str,
        option: &'static str,
        source: std::io::Error,
    },
    #[error("{0}")]
    VoiceActivity(#[from] ModelError),
    #[error("agent `{agent}`: {source}")]
    TurnModel { agent: String, source: Box<ModelError> },
    #[error("cannot start a thread for the turn model: {0}")]
    Threads(std::io::Error),
    #[error(transparent)]
    Recordings(#[from] RecordingsError),
    #[error("{}", listed(.0))]
    Backends(Vec<(String, BackendError)>),
    #[error("{}", listed(.0))]
    Unfit(Vec<(String, Problem)>),
    #[error("{0}; choose other media sockets with --udp and --tcp")]
    Media(#[from] BindError),
}

fn listed<E: fmt::Display>(errors: &[(String, E)]) -> String {
    let lines = errors.iter().map(|(agent, error)| format!("agent `{agent}`: {error}"));
    lines.collect::<Vec<_>>().join("\n")
}

impl Server {
    /// Loads the models, prepares the backends, asks them whether they would work and binds every socket,
    /// so that what can go wrong goes wrong now.
    pub async fn bind(config: Config) -> Result<Self, ServerError> {
        let address = config.http.listen;
        let bind = async || {
            let listener = TcpListener::bind(address).await?;
            let http = listener.local_addr()?;
            Ok((listener, http))
        };
        let (listener, http) = bind().await.map_err(|source| ServerError::Bind {
            address,
            protocol: "HTTP",
            option: "--listen",
            source,
        })?;
        let signaling = SignalingConfig {
            access_keys: config.http.access_keys.clone(),
            allowed_origins: config.http.allowed_origins.clone(),
            public_url: config.http.public_url.clone(),
            limits: Limits::STANDARD,
        };
        let registry = Arc::new(Registry::new(config).await?);
        let doubts = registry.check_backends().await?;
        for (agent, problem) in &doubts {
            tracing::warn!(agent, %problem, "what this agent relies on does not answer now");
        }
        Ok(Self { listener, http, signaling, registry, doubts })
    }

    /// Where HTTP listens, with the port that the system chose if it was asked for port 0.
    pub fn http_address(&self) -> SocketAddr {
        self.http
    }

    /// What keeps some agents from working now and may pass by itself: a line each, or none.
    pub fn doubts(&self) -> String {
        listed(&self.doubts)
    }

    /// What somebody who starts the server wants to know: where the page is, who answers, and how to
    /// choose another.
    pub fn banner(&self) -> String {
        let config = self.registry.config();
        let agent = &config.default_agent;
        let backend = config.agents[agent].backend.name();
        let about = match &config.agents[agent].backend {
            BackendConfig::Local(settings) => match &settings.llm {
                None => "offline: PocketSphinx hears, flite speaks".to_owned(),
                Some(_) => CascadeSettings::from(settings.clone()).to_string(),
            },
            BackendConfig::Cascade(settings) => settings.to_string(),
            BackendConfig::Scripted(settings) => format!("plays {}", settings.script.display()),
            BackendConfig::Echo(_) => "says back what it heard".to_owned(),
            BackendConfig::NovaSonic(settings) => {
                let (nova, connection) = (&settings.nova, &settings.connection);
                let place = connection.endpoint_url.as_ref().or(connection.region.as_ref());
                let place = place.map(|place| format!(" at {place}")).unwrap_or_default();
                format!("{}{place}, voice {}", nova.model, nova.voice)
            }
        };
        let names = config.agents.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let tcp = config.media.tcp.map_or_else(|| "off".to_owned(), |tcp| tcp.to_string());
        format!(
            "\n  Antiphon {version}\n\n  \
             Page     http://{page}/\n  \
             Agent    {agent} (of: {names})\n  \
             Backend  {backend} ({about})\n  \
             Media    udp {udp}, tcp {tcp}\n\n  \
             Another backend: --backend echo, or --script deploy/examples/tone.yaml, or agents in a\n  \
             --config file (deploy/antiphon.example.yaml shows every key). Stop with Ctrl-C.\n",
            version = env!("CARGO_PKG_VERSION"),
            page = page_address(self.http),
            udp = self.registry.udp_address(),
        )
    }

    /// Answers calls until `stop`, then ends those that are running and returns.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        self.registry.begin();
        let router = antiphon_signaling::router(
            Arc::new(Calls(Arc::clone(&self.registry))),
            self.signaling,
            pages::PAGES,
        );
        let registry = Arc::clone(&self.registry);
        // HTTP goes on while calls end, so that callers are told to go elsewhere.
        let drained = async move {
            stop.await;
            registry.refuse_new_calls();
            registry.drain(DRAIN_GRACE).await;
        };
        antiphon_signaling::serve(self.listener, router, Limits::STANDARD, drained).await;
        self.registry.log_port();
    }
}

/// Where a browser on this machine finds the page.
fn page_address(http: SocketAddr) -> String {
    if http.ip().is_unspecified() { format!("localhost:{}", http.port()) } else { http.to_string() }
}

/// Resolves when the process is asked to stop: Ctrl-C, or SIGTERM as container runtimes send.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupted = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
        }
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be waited for; only Ctrl-C stops the server");
            let _ctrl_c = interrupted.await;
        }
    }
}
