//! The simulator as a server: its socket, what its streams share, and what a test may ask of it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::faults::{FaultRule, OpeningFault, Refusal, ResetReason, Schedule, ScheduledFaults};
use crate::limits::{PROTOCOL_ERRORS_MAX, SIGHTINGS_MAX};
use crate::model;
use crate::session::{EventSeen, Session};
use crate::settings::SimSettings;
use crate::stages::{Service, StageFault};
use crate::wire::{Engines, Signer, serve};

/// The simulator.
#[derive(Debug)]
pub struct Sim;

/// A running simulator. Dropping it ends it, and every stream with it.
#[derive(Debug)]
pub struct SimHandle {
    addr: SocketAddr,
    ca_pem: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// Why the simulator does not start.
#[derive(Debug)]
pub struct StartError(String);

impl std::fmt::Display for StartError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

/// What has happened so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections whose handshakes were done.
    pub connections: u64,
    /// Streams that were asked for, those refused among them.
    pub streams: u64,
    /// Streams that are open.
    pub streams_open: usize,
    /// The most that were open at once.
    pub streams_open_max: usize,
    /// Streams refused because too many were open.
    pub streams_throttled: u64,
    /// Events of clients, by name.
    pub requests: BTreeMap<String, u64>,
    /// Events for clients, by name.
    pub replies: BTreeMap<String, u64>,
    /// What clients did wrong, as `stream 3: text`; the first
    /// [`PROTOCOL_ERRORS_MAX`](crate::limits::PROTOCOL_ERRORS_MAX).
    pub protocol_errors: Vec<String>,
}

/// One event that went by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// When: a client's as it was read, the simulator's as it was given to the transport.
    pub at: Instant,
    /// The stream, counted from 1.
    pub stream: u64,
    /// Whether a client sent it.
    pub is_request: bool,
    /// Its name. [`Sighting::OPENED`] and [`Sighting::ENDED`] are no events, and tell what they say.
    pub name: String,
    /// Bytes of PCM in it.
    pub audio_bytes: usize,
}

impl Sighting {
    /// A client's request for a stream was accepted; its headers are still withheld.
    pub const OPENED: &str = "(opened)";
    /// The stream is gone.
    pub const ENDED: &str = "(ended)";
}

/// What all streams share.
#[derive(Debug)]
pub(crate) struct Shared {
    settings: Arc<SimSettings>,
    signer: Signer,
    engines: Arc<Engines>,
    started: Instant,
    schedule: Mutex<Schedule>,
    counts: Mutex<Counts>,
    stage_faults: Mutex<VecDeque<(Service, StageFault)>>,
    sightings: broadcast::Sender<Sighting>,
}

/// A stream's place among those that may be open.
#[derive(Debug)]
pub(crate) struct Seat {
    shared: Arc<Shared>,
    stream: u64,
}

/// Why a stream is not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Barred {
    Refused(Refusal),
    Reset(ResetReason),
    Close,
}

impl Sim {
    /// Starts a simulator on the current runtime.
    pub async fn start(settings: SimSettings) -> Result<SimHandle, StartError> {
        let listener = TcpListener::bind(settings.listen).await.map_err(|error| {
            StartError(format!("cannot listen on {}: {error}", settings.listen))
        })?;
        let addr = listener
            .local_addr()
            .map_err(|error| StartError(format!("the socket has no address: {error}")))?;
        let (tls, ca_pem) = tls(addr)?;
        let wanted = settings.clone();
        let engines = tokio::task::spawn_blocking(move || Engines::load(&wanted))
            .await
            .map_err(|error| StartError(format!("the speech engines failed: {error}")))?
            .map_err(StartError)?;
        let shared = Arc::new(Shared {
            signer: Signer::new(&settings.key_id, &settings.secret, &settings.region),
            engines: Arc::new(engines),
            started: Instant::now(),
            schedule: Mutex::new(Schedule::new(&settings.faults)),
            counts: Mutex::new(Counts::default()),
            stage_faults: Mutex::default(),
            sightings: broadcast::Sender::new(SIGHTINGS_MAX),
            settings: Arc::new(settings),
        });
        let accepting = tokio::spawn(accept(listener, tls, Arc::clone(&shared)));
        Ok(SimHandle { addr, ca_pem, shared, accepting })
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, shared: Arc<Shared>) {
    // Dropped with this task, and with it every connection.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    connections.spawn(serve(socket, tls.clone(), Arc::clone(&shared)));
                }
                Err(error) => tracing::warn!(%error, "a connection was not accepted"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A certificate for this address, which is its own authority.
fn tls(addr: SocketAddr) -> Result<(TlsAcceptor, String), StartError> {
    let failed = |error: &dyn std::fmt::Display| StartError(format!("cannot set up TLS: {error}"));
    let names = vec![addr.ip().to_string(), "127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).map_err(|error| failed(&error))?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .map_err(|error| failed(&error))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(config)), made.cert.pem()))
}

impl SimHandle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What a client is given as its endpoint. Where it listens on all addresses, this machine's own.
    pub fn endpoint_url(&self) -> String {
        if self.addr.ip().is_unspecified() {
            return format!("https://127.0.0.1:{}", self.addr.port());
        }
        format!("https://{}", self.addr)
    }

    /// The authority that a client must trust, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        self.shared.counts().clone()
    }

    /// Every event from now on. A watcher that is slow misses the oldest.
    pub fn watch(&self) -> broadcast::Receiver<Sighting> {
        self.shared.sightings.subscribe()
    }

    /// Lets other things go wrong, with the streams that open from now on.
    pub fn set_faults(&self, faults: &[FaultRule]) {
        *self.shared.schedule() = Schedule::new(faults);
    }

    /// Lets the next request to a service go wrong, after those that were told before.
    pub fn fail_next(&self, service: Service, fault: StageFault) {
        self.shared.stage_faults().push_back((service, fault));
    }

    /// Ends it: when this returns, its socket is closed and its streams are gone.
    pub async fn shutdown(mut self) {
        self.accepting.abort();
        // It ends by having been aborted, which is an error to whoever waits for it.
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for SimHandle {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }

    pub(crate) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn settings(&self) -> &SimSettings {
        &self.settings
    }

    fn stage_faults(&self) -> MutexGuard<'_, VecDeque<(Service, StageFault)>> {
        self.stage_faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong with a request to this service, if anything. It is counted by the service's name.
    pub(crate) fn next_fault(&self, service: Service) -> Option<StageFault> {
        *self.counts().requests.entry(service.name().to_owned()).or_default() += 1;
        let mut faults = self.stage_faults();
        let at = faults.iter().position(|(of, _)| *of == service)?;
        faults.remove(at).map(|(_, fault)| fault)
    }

    /// Opens a stream to a model, unless something is in its way.
    pub(crate) fn open(self: &Arc<Self>, model_id: &str) -> Result<(Seat, Session), Barred> {
        let (stream, is_free) = {
            let mut counts = self.counts();
            counts.streams += 1;
            (counts.streams, counts.streams_open < self.settings.sessions_max)
        };
        if !model::is_known(model_id) {
            let code = "ResourceNotFoundException".to_owned();
            let message = "Could not resolve the foundation model from the provided model \
                           identifier."
                .to_owned();
            return Err(Barred::Refused(Refusal { status: 404, code, message }));
        }
        if !is_free {
            self.counts().streams_throttled += 1;
            let code = "ThrottlingException".to_owned();
            let message =
                "Too many concurrent requests, please wait before trying again.".to_owned();
            return Err(Barred::Refused(Refusal { status: 429, code, message }));
        }
        let faults = self.deal()?;
        {
            let mut counts = self.counts();
            counts.streams_open += 1;
            counts.streams_open_max = counts.streams_open_max.max(counts.streams_open);
        }
        let seed = self.settings.seed.wrapping_add(stream.wrapping_mul(0x9e37_79b9));
        let session = Session::new(Arc::clone(&self.settings), faults, seed).for_model(model_id);
        let seat = Seat { shared: Arc::clone(self), stream };
        seat.saw(Instant::now(), true, Sighting::OPENED.to_owned(), 0);
        Ok((seat, session))
    }

    fn deal(&self) -> Result<ScheduledFaults, Barred> {
        let now: Duration = self.started.elapsed();
        let (at_opening, faults) = self.schedule().open(now, self.settings.connection_limit);
        match at_opening {
            None => Ok(faults),
            Some(OpeningFault::Hang) => Ok(ScheduledFaults { hangs: true, ..faults }),
            Some(OpeningFault::Refused(refusal)) => Err(Barred::Refused(refusal)),
            Some(OpeningFault::Reset(reason)) => Err(Barred::Reset(reason)),
            Some(OpeningFault::Close) => Err(Barred::Close),
        }
    }
}

impl Seat {
    pub(crate) fn engines(&self) -> Arc<Engines> {
        Arc::clone(&self.shared.engines)
    }

    pub(crate) fn saw_request(&self, at: Instant, seen: EventSeen) {
        let EventSeen { name, audio_bytes } = seen;
        *self.shared.counts().requests.entry(name.clone()).or_default() += 1;
        self.saw(at, true, name, audio_bytes);
    }

    pub(crate) fn saw_reply(&self, json: &[u8]) {
        let name = name_in(json).unwrap_or("(garbage)").to_owned();
        let audio_bytes = if name == "audioOutput" { audio_bytes_in(json) } else { 0 };
        *self.shared.counts().replies.entry(name.clone()).or_default() += 1;
        self.saw(Instant::now(), false, name, audio_bytes);
    }

    /// The client did something wrong, and its stream ends.
    pub(crate) fn saw_violation(&self, problem: &str) {
        tracing::warn!(stream = self.stream, problem, "a client was refused");
        let mut counts = self.shared.counts();
        if counts.protocol_errors.len() < PROTOCOL_ERRORS_MAX {
            counts.protocol_errors.push(format!("stream {}: {problem}", self.stream));
        }
    }

    fn saw(&self, at: Instant, is_request: bool, name: String, audio_bytes: usize) {
        let sighting = Sighting { at, stream: self.stream, is_request, name, audio_bytes };
        // Without a watcher it goes nowhere.
        let _ = self.shared.sightings.send(sighting);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.counts().streams_open -= 1;
        self.saw(Instant::now(), true, Sighting::ENDED.to_owned(), 0);
    }
}

/// The name in an event of our own making, which begins with it.
fn name_in(json: &[u8]) -> Option<&str> {
    let rest = std::str::from_utf8(json).ok()?.strip_prefix("{\"event\":{\"")?;
    rest.split('"').next()
}

/// Bytes of PCM in an `audioOutput` of our own making.
fn audio_bytes_in(json: &[u8]) -> usize {
    let text = std::str::from_utf8(json).unwrap_or_default();
    let content = text.split_once("\"content\":\"").map(|(_, rest)| rest);
    let base64 = content.and_then(|rest| rest.split('"').next()).unwrap_or_default();
    base64.trim_end_matches('=').len() * 3 / 4
}
