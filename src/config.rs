//! Configuration: one YAML file, the environment for secrets, and the command line on top.
//!
//! Everything has a default, so that no file at all is a configuration too. Every mistake is reported
//! at once. The only owner of `std::env`.

mod agents;
mod environment;
mod file;
mod ice;
mod overlay;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use antiphon_signaling::Secret;
use antiphon_signaling::turn::IceServersConfig;

pub use agents::{AgentProfile, BackendConfig, ClipSource, ClipSources};
pub use environment::Environment;
pub use overlay::overlay;

use crate::flight::Kind;
use crate::limits::SESSION_TTL_DEFAULT;
use crate::yaml::YamlError;

/// The agent that answers when a caller names none and the file defines none.
const BUILT_IN_AGENT: &str = "guide";
/// The port of HTTP, and that of media, when nothing says otherwise.
const HTTP_PORT: u16 = 8_080;
const MEDIA_PORT: u16 = 40_000;
/// Sends the access keys, separated by commas.
const ACCESS_KEY_VARIABLE: &str = "ANTIPHON_ACCESS_KEY";
const RUNTIME_DIR_VARIABLE: &str = "ANTIPHON_RUNTIME_DIR";

/// All that the server is told.
#[derive(Clone, Debug)]
pub struct Config {
    pub http: HttpConfig,
    pub media: MediaConfig,
    /// STUN and TURN servers handed to clients.
    pub ice_servers: IceServersConfig,
    /// Where the ONNX runtime and the Silero model lie.
    pub runtime_dir: PathBuf,
    /// Where calls are recorded; `None`: nowhere, which is the default.
    pub recordings: Option<RecordingsConfig>,
    /// Calls at once; one more is refused with 503. 1 to 10 000, default 200.
    pub calls_max: usize,
    /// How long a join token is good for when its session does not say.
    pub session_ttl: Duration,
    /// The agent of calls that name none; a key of `agents`.
    pub default_agent: String,
    pub agents: BTreeMap<String, AgentProfile>,
}

/// The HTTP side.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Default 127.0.0.1:8080.
    pub listen: SocketAddr,
    /// Whoever presents one of these may do everything. Empty: everybody may, on loopback only.
    pub access_keys: Vec<Secret>,
    /// Web origins besides loopback ones whose pages may call.
    pub allowed_origins: Vec<String>,
    /// Where clients reach this server, for absolute URLs in answers.
    pub public_url: Option<String>,
}

/// The media side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaConfig {
    /// The UDP socket of all calls. Default: the address of HTTP, port 40000.
    pub udp: SocketAddr,
    /// The ICE-TCP listener, if any. Default: the same address and port as UDP.
    pub tcp: Option<SocketAddr>,
    /// Addresses by which clients reach the media sockets, where NAT lies between.
    pub advertise: Vec<IpAddr>,
}

/// The flight recorder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingsConfig {
    /// One file a call, named by its id, readable by the server's user only.
    pub directory: PathBuf,
    /// How much is kept. `Full` is the operator's word that callers consented.
    pub kind: Kind,
}

/// What the command line says; it overrides the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub listen: Option<SocketAddr>,
    pub udp: Option<SocketAddr>,
    pub tcp: Option<TcpOverride>,
    pub advertise: Vec<IpAddr>,
    pub backend: Option<String>,
    pub script: Option<PathBuf>,
    pub silence_ms: Option<u32>,
}

/// `--tcp`: an address, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpOverride {
    Off,
    Listen(SocketAddr),
}

impl std::str::FromStr for TcpOverride {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::Listen).map_err(|_parse| "expected ADDRESS:PORT or `off`".to_owned())
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {source}; name another file with --config, or leave it out")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{path} has mistakes:\n{}", list(.errors))]
    Invalid { path: PathBuf, errors: Vec<YamlError> },
    #[error("the settings do not fit together:\n{}", list(.0))]
    Contradiction(Vec<String>),
}

fn list<T: fmt::Display>(problems: &[T]) -> String {
    problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n")
}

impl Config {
    /// The configuration of `file` (or the defaults), with `overrides` on top.
    pub fn load(
        file: Option<&Path>,
        overrides: &Overrides,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let text = match file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?,
            None => String::new(),
        };
        let shown = file.unwrap_or(Path::new("(no file)")).to_owned();
        let mut config = Self::parse(&text, shown.parent(), environment)
            .map_err(|errors| ConfigError::Invalid { path: shown, errors })?;
        let mut problems = config.apply(overrides);
        problems.extend(config.contradictions());
        if problems.is_empty() { Ok(config) } else { Err(ConfigError::Contradiction(problems)) }
    }

    /// What `text` says. Paths in it are relative to `folder`.
    pub fn parse(
        text: &str,
        folder: Option<&Path>,
        environment: &Environment,
    ) -> Result<Self, Vec<YamlError>> {
        file::parse(text, folder, environment)
    }

    /// The same, on ports that the system chooses: to try a configuration while a server runs with it.
    #[must_use]
    pub fn on_free_ports(mut self) -> Self {
        self.http.listen.set_port(0);
        self.media.udp.set_port(0);
        if let Some(tcp) = &mut self.media.tcp {
            tcp.set_port(0);
        }
        self
    }

    /// Lays the command line over the file. Returns what does not fit.
    fn apply(&mut self, overrides: &Overrides) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(listen) = overrides.listen {
            // The media sockets follow HTTP to another address unless they were placed themselves.
            if self.media == MediaConfig::beside(self.http.listen.ip()) {
                self.media = MediaConfig::beside(listen.ip());
            }
            self.http.listen = listen;
        }
        if let Some(udp) = overrides.udp {
            if self.media.tcp == Some(self.media.udp) {
                self.media.tcp = Some(udp);
            }
            self.media.udp = udp;
        }
        match overrides.tcp {
            Some(TcpOverride::Off) => self.media.tcp = None,
            Some(TcpOverride::Listen(tcp)) => self.media.tcp = Some(tcp),
            None => {}
        }
        if !overrides.advertise.is_empty() {
            self.media.advertise.clone_from(&overrides.advertise);
        }
        let agent = self.agents.get_mut(&self.default_agent).expect("the default agent exists");
        problems.extend(agent.apply(overrides).err());
        problems
    }

    fn contradictions(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.http.listen.ip().is_loopback() && self.http.access_keys.is_empty() {
            problems.push(format!(
                "http.listen is {}, which other machines can reach, and no access key is set, so \
                 anybody could call; set one in the environment ({ACCESS_KEY_VARIABLE}=$(openssl \
                 rand -hex 24)), or listen on 127.0.0.1",
                self.http.listen
            ));
        }
        let reachable = |ip: IpAddr| !ip.is_loopback();
        if reachable(self.http.listen.ip()) && self.media.udp.ip().is_loopback() {
            problems.push(format!(
                "http.listen is {} but media.udp is {}: callers elsewhere would be answered but \
                 never connect; set media.udp to an address that they can reach",
                self.http.listen, self.media.udp
            ));
        }
        problems
    }
}

impl MediaConfig {
    /// The default sockets for a server at `ip`.
    fn beside(ip: IpAddr) -> Self {
        let socket = SocketAddr::new(ip, MEDIA_PORT);
        Self { udp: socket, tcp: Some(socket), advertise: Vec::new() }
    }
}

impl Config {
    /// What an empty file says.
    fn defaults(environment: &Environment) -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let keys =
            environment.get(ACCESS_KEY_VARIABLE).unwrap_or_default().split(',').map(str::trim);
        let access_keys = keys.filter(|key| !key.is_empty()).map(Secret::new).collect();
        Self {
            http: HttpConfig {
                listen: SocketAddr::new(loopback, HTTP_PORT),
                access_keys,
                allowed_origins: Vec::new(),
                public_url: None,
            },
            media: MediaConfig::beside(loopback),
            ice_servers: ice::none(),
            runtime_dir: environment::runtime_dir(environment.get(RUNTIME_DIR_VARIABLE)),
            recordings: None,
            calls_max: 200,
            session_ttl: SESSION_TTL_DEFAULT,
            default_agent: BUILT_IN_AGENT.to_owned(),
            agents: BTreeMap::from([(BUILT_IN_AGENT.to_owned(), AgentProfile::built_in())]),
        }
    }
}

#[cfg(test)]
mod tests;
