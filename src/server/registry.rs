//! Every call and session of this server, and the port through which HTTP reaches them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use antiphon_signaling::port::{
    Answer, Authority, IceServer, IfMatch, Offer, Patch, Patched, Port, Refusal, Session,
    SessionRequest, SessionStatus,
};
use dashmap::DashMap;
use tokio::sync::Notify;

use super::ServerError;
use super::agents::{self, LiveAgent};
use super::clips;
use super::ids::random_id;
use super::sessions::Sessions;
use crate::agent::{Agent, AgentSettings};
use crate::backend::{CallContext, Problem};
use crate::call::event::EndReason;
use crate::config::{AgentProfile, Config};
use crate::dsp::silero::{Silero, SileroModel};
use crate::limits::{BACKEND_CHECK_TIMEOUT, FLIGHT_FLUSH_TIMEOUT, SESSION_TTL_MAX};
use crate::media::g711::Law;
use crate::media::negotiated::NegotiatedCodec;
use crate::media::opus::OpusRefused;
use crate::metrics::{AgentMetrics, Metrics};
use crate::peer::{
    Advertise, AnswerError, CallHandle, CallParts, Endpoint, EndpointConfig, PatchError,
    Patched as CallPatched, Precondition, Recording,
};
use crate::sdp::Fragment;
use crate::sdp::offer::AudioCodec;
use crate::telemetry::recordings::{CallFacts, Recordings};

/// How long a caller is told to wait when the server is full.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The calls, the sessions, and what new calls are made of.
pub(super) struct Registry {
    config: Config,
    agents: BTreeMap<String, LiveAgent>,
    metrics: Metrics,
    endpoint: Endpoint,
    recordings: Option<Recordings>,
    voice: SileroModel,
    calls: DashMap<String, Running>,
    /// Calls running or being set up: what admission counts.
    admitted: AtomicUsize,
    /// Woken whenever a call ended.
    call_ended: Notify,
    sessions: Sessions,
    is_draining: AtomicBool,
}

struct Running {
    handle: CallHandle,
    session: Option<String>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Registry")
            .field("agents", &self.agents.keys())
            .field("calls", &self.calls.len())
            .finish_non_exhaustive()
    }
}

impl Registry {
    pub(super) async fn new(config: Config) -> Result<Self, ServerError> {
        let voice = SileroModel::load(
            &config.runtime_dir.join("libonnxruntime.so"),
            &config.runtime_dir.join("silero_vad.onnx"),
        )?;
        let metrics = Metrics::new();
        let agents = agents::prepare(&config, &metrics).await?;
        let recordings = config.recordings.as_ref().map(Recordings::prepare).transpose()?;
        let media = &config.media;
        let advertise = match media.advertise.as_slice() {
            [] => Advertise::Host,
            public => Advertise::Beside(public.to_vec()),
        };
        let endpoint =
            Endpoint::bind(&EndpointConfig { udp: media.udp, tcp: media.tcp, advertise })?;
        Ok(Self {
            agents,
            metrics,
            endpoint,
            recordings,
            voice,
            calls: DashMap::new(),
            admitted: AtomicUsize::new(0),
            call_ended: Notify::new(),
            sessions: Sessions::default(),
            is_draining: AtomicBool::new(false),
            config,
        })
    }

    /// Asks the backends whether they would work. What may pass by itself is answered; what must be changed
    /// is an error.
    pub(super) async fn check_backends(&self) -> Result<Vec<(String, Problem)>, ServerError> {
        agents::check(&self.agents, BACKEND_CHECK_TIMEOUT).await
    }

    /// Calls may come from now on.
    pub(super) fn begin(&self) {
        agents::begin(&self.agents);
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Where media is received.
    pub(super) fn udp_address(&self) -> SocketAddr {
        self.endpoint.udp_address().unwrap_or(self.config.media.udp)
    }

    /// Logs what became of the packets on the shared port.
    pub(super) fn log_port(&self) {
        tracing::info!(port = ?self.endpoint.stats(), "the server stops");
    }

    /// From here on new calls are answered 503.
    pub(super) fn refuse_new_calls(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether new calls are refused because the server is about to stop.
    fn draining(&self) -> Result<(), Refusal> {
        if self.is_draining.load(Ordering::Relaxed) {
            let problem = "the server is shutting down".to_owned();
            return Err(Refusal::Busy { problem, retry_after: RETRY_AFTER });
        }
        Ok(())
    }

    /// Ends every call and waits for them, at most `grace`.
    pub(super) async fn drain(&self, grace: Duration) {
        for call in &self.calls {
            let handle = call.handle.clone();
            tokio::spawn(async move { handle.end(EndReason::Drained).await });
        }
        let all_ended = async {
            loop {
                let ended = self.call_ended.notified();
                if self.calls.is_empty() {
                    return;
                }
                ended.await;
            }
        };
        if tokio::time::timeout(grace, all_ended).await.is_err() {
            tracing::warn!(cut_off = self.calls.len(), "calls took longer than the grace period");
        }
        if let Some(recordings) = &self.recordings {
            recordings.finished(FLIGHT_FLUSH_TIMEOUT).await;
        }
    }

    /// The agent that a caller asks for, by name or by default.
    fn agent_named(&self, name: Option<&str>) -> Result<(&str, &LiveAgent), Refusal> {
        let wanted = name.unwrap_or(&self.config.default_agent);
        let found = self.agents.get_key_value(wanted);
        found.map(|(name, agent)| (name.as_str(), agent)).ok_or_else(|| {
            let names = self.agents.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            Refusal::NotFound(format!("there is no agent '{wanted}'; there are: {names}"))
        })
    }

    /// Takes one of the places for calls.
    fn admit(self: &Arc<Self>) -> Result<Place, Refusal> {
        let calls_max = self.config.calls_max;
        let admit = |admitted: usize| (admitted < calls_max).then_some(admitted + 1);
        match self.admitted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, admit) {
            Ok(_) => Ok(Place { registry: Arc::clone(self) }),
            Err(_) => Err(Refusal::Busy {
                problem: format!("{calls_max} calls are running, which is the limit"),
                retry_after: RETRY_AFTER,
            }),
        }
    }

    fn start(
        self: &Arc<Self>,
        sdp: &str,
        agent: (&str, &LiveAgent),
        session: Option<String>,
    ) -> Result<Answer, Refusal> {
        let place = self.admit()?;
        let call = random_id()?;
        let (name, LiveAgent { profile, backend, turn_judge, metrics }) = agent;
        let clips = clips::of_call(name, profile, &**backend);
        let settings = AgentSettings { clips, ..profile.settings.clone() };
        let answered = self.endpoint.answer(sdp, |format| {
            let codec = codec(format.codec, profile)
                .map_err(|refused| AnswerError::Internal(refused.to_string()))?;
            let backend = backend.open(context(&call, profile))?;
            let recording = self.recording(&call, format.codec, &settings);
            Ok(CallParts {
                call_id: call.clone(),
                agent: Agent::<_, Silero>::new(settings, codec, self.voice.stream()),
                backend,
                recording,
                turn_judge: turn_judge.clone(),
                metrics: metrics.clone(),
            })
        });
        let answered = answered.map_err(refusal)?;
        tracing::info!(call, agent = name, backend = backend.name(), "call accepted");
        let handle = answered.call;
        // The session may have been closed, or the server asked to stop, since this was admitted.
        let is_wanted =
            session.as_ref().is_none_or(|session| self.sessions.started(session, &call));
        self.calls.insert(call.clone(), Running { handle: handle.clone(), session });
        metrics.call_began();
        let watch = Arc::clone(self).watch(call.clone(), handle.clone(), place, metrics.clone());
        tokio::spawn(watch);
        let refused = match (is_wanted, self.draining()) {
            (true, Ok(())) => None,
            (false, Ok(())) => Some(Refusal::NotFound("the session was closed".to_owned())),
            (_, Err(draining)) => Some(draining),
        };
        if let Some(refusal) = refused {
            tokio::spawn(async move { handle.end(EndReason::Drained).await });
            return Err(refusal);
        }
        Ok(Answer { call, sdp: answered.sdp, etag: answered.etag })
    }

    /// Begins to record a call, if calls are recorded.
    fn recording(
        &self,
        call: &str,
        codec: AudioCodec,
        settings: &AgentSettings,
    ) -> Option<Recording> {
        let recordings = self.recordings.as_ref()?;
        let codec = match codec {
            AudioCodec::Opus => "opus",
            AudioCodec::Pcmu => "pcmu",
            AudioCodec::Pcma => "pcma",
        };
        let facts = CallFacts {
            call,
            began: &jiff::Timestamp::now().to_string(),
            codec,
            voice_model: SileroModel::NAME,
            settings,
        };
        Some(recordings.begin(&facts))
    }

    /// Waits for a call's end and clears up after it.
    async fn watch(
        self: Arc<Self>,
        call: String,
        handle: CallHandle,
        place: Place,
        metrics: AgentMetrics,
    ) {
        if let Some(summary) = handle.finished().await {
            metrics.call_ended(&summary.reason);
            let stats = &summary.stats;
            tracing::info!(
                call,
                reason = ?summary.reason,
                seconds = stats.duration.as_secs(),
                connected_after_ms = stats.connected_after.map(|after| after.as_millis() as u64),
                rtt_ms = stats.path.round_trip.map(|rtt| rtt.as_secs_f64() * 1_000.0),
                received = stats.path.received,
                received_lost = stats.path.received_lost,
                received_jitter_ms = stats.path.received_jitter.as_secs_f64() * 1_000.0,
                sent_lost = stats.path.sent_lost,
                sent_jitter_ms = stats.path.sent_jitter.as_secs_f64() * 1_000.0,
                late = stats.agent.uplink.jitter.late,
                concealed_fec = stats.agent.uplink.jitter.concealed_fec,
                concealed_plc = stats.agent.uplink.jitter.concealed_plc,
                malformed = stats.agent.uplink.malformed + stats.path.malformed,
                messages_refused = stats.client_messages_refused,
                turns = stats.agent.call.turns,
                interruptions = stats.agent.call.interruptions,
                speculations = stats.agent.call.speculations,
                speculations_used = stats.agent.call.speculations_used,
                judgements = stats.agent.call.judgements,
                judgements_missed = stats.agent.call.judgements_missed,
                speech_in = stats.agent.call.usage.speech_in,
                speech_out = stats.agent.call.usage.speech_out,
                text_in = stats.agent.call.usage.text_in,
                text_out = stats.agent.call.usage.text_out,
                heard_ms = stats.agent.call.usage.heard_ms,
                spoken_chars = stats.agent.call.usage.spoken_chars,
                cost = stats.agent.call.usage.cost(),
                "call ended"
            );
        }
        if let Some((_, running)) = self.calls.remove(&call)
            && let Some(session) = running.session
        {
            self.sessions.ended(SystemTime::now(), &session);
        }
        drop(place);
        self.call_ended.notify_waiters();
    }

    fn call(&self, id: &str) -> Result<CallHandle, Refusal> {
        let found = self.calls.get(id).map(|running| running.handle.clone());
        found
            .ok_or_else(|| Refusal::NotFound(format!("there is no call '{id}'; it may have ended")))
    }
}

/// One admitted call's place; dropping it frees the place.
struct Place {
    registry: Arc<Registry>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.admitted.fetch_sub(1, Ordering::Relaxed);
    }
}

fn codec(codec: AudioCodec, profile: &AgentProfile) -> Result<NegotiatedCodec, OpusRefused> {
    match codec {
        AudioCodec::Opus => NegotiatedCodec::opus(profile.settings.uplink.decode_rate_hz()),
        AudioCodec::Pcmu => Ok(NegotiatedCodec::g711(Law::Mu)),
        AudioCodec::Pcma => Ok(NegotiatedCodec::g711(Law::A)),
    }
}

fn context(call: &str, profile: &AgentProfile) -> CallContext {
    CallContext {
        call_id: call.to_owned(),
        persona: profile.persona.clone(),
        greeting: profile.greeting.clone(),
        language: profile.language.clone(),
        reply_timeout: profile.settings.call.reply_timeout,
        history: Vec::new(),
    }
}

fn refusal(error: AnswerError) -> Refusal {
    match error {
        AnswerError::Offer(offer) if offer.is_malformed() => {
            Refusal::Malformed { field: offer.field(), problem: offer.to_string() }
        }
        AnswerError::Offer(offer) => {
            Refusal::Unprocessable { field: offer.field(), problem: offer.to_string() }
        }
        AnswerError::Busy(busy) => {
            Refusal::Busy { problem: busy.to_string(), retry_after: RETRY_AFTER }
        }
        AnswerError::Internal(problem) => Refusal::Internal(problem),
    }
}

fn patch_refusal(error: PatchError) -> Refusal {
    let problem = error.to_string();
    match error {
        PatchError::PreconditionRequired => Refusal::PreconditionRequired(problem),
        PatchError::PreconditionFailed => Refusal::PreconditionFailed(problem),
        PatchError::Busy => Refusal::Busy { problem, retry_after: RETRY_AFTER },
        PatchError::Gone => Refusal::NotFound(problem),
        PatchError::Internal => Refusal::Internal(problem),
    }
}

/// The registry as HTTP sees it; shared, because calls outlive the requests that made them.
#[derive(Clone, Debug)]
pub(super) struct Calls(pub(super) Arc<Registry>);

impl Port for Calls {
    async fn answer(&self, offer: Offer) -> Result<Answer, Refusal> {
        let registry = &self.0;
        registry.draining()?;
        let Authority::JoinToken(token) = &offer.authority else {
            let agent = registry.agent_named(offer.agent.as_deref())?;
            return registry.start(&offer.sdp, agent, None);
        };
        let admission = registry.sessions.redeem(SystemTime::now(), token)?;
        // The session decides who answers; the query is not needed then and not looked at.
        let agent = registry.agent_named(Some(&admission.agent))?;
        let started = registry.start(&offer.sdp, agent, Some(admission.session.clone()));
        if started.is_err() {
            registry.sessions.not_started(&admission.session);
        }
        started
    }

    async fn patch(&self, call: &str, patch: Patch) -> Result<Patched, Refusal> {
        let handle = self.0.call(call)?;
        let fragment = Fragment::parse(&patch.fragment).map_err(|error| Refusal::Malformed {
            field: "fragment",
            problem: error.to_string(),
        })?;
        let precondition = match patch.if_match {
            IfMatch::Missing => Precondition::Missing,
            IfMatch::Any => Precondition::Any,
            IfMatch::Tags(tags) => Precondition::Tags(tags),
        };
        match handle.patch(fragment, precondition).await {
            Ok(CallPatched::Trickled) => Ok(Patched::Trickled),
            Ok(CallPatched::Restarted { fragment, etag }) => {
                Ok(Patched::Restarted { fragment, etag })
            }
            Err(error) => Err(patch_refusal(error)),
        }
    }

    async fn end(&self, call: &str) -> Result<(), Refusal> {
        self.0.call(call)?.end(EndReason::Client).await;
        Ok(())
    }

    async fn open_session(&self, request: SessionRequest) -> Result<Session, Refusal> {
        let registry = &self.0;
        let (agent, _) = registry.agent_named(request.agent.as_deref())?;
        let ttl = request.ttl.unwrap_or(registry.config.session_ttl).min(SESSION_TTL_MAX);
        registry.sessions.open(SystemTime::now(), agent.to_owned(), ttl)
    }

    async fn session(&self, id: &str) -> Result<SessionStatus, Refusal> {
        self.0.sessions.status(SystemTime::now(), id)
    }

    async fn close_session(&self, id: &str) -> Result<(), Refusal> {
        if let Some(call) = self.0.sessions.close(id)?
            && let Ok(handle) = self.0.call(&call)
        {
            handle.end(EndReason::Client).await;
        }
        Ok(())
    }

    fn ice_servers(&self, user: &str) -> Vec<IceServer> {
        self.0.config.ice_servers.ice_servers(user, SystemTime::now())
    }

    fn metrics(&self) -> String {
        agents::note_health(&self.0.agents);
        self.0.metrics.text()
    }

    fn readiness(&self) -> Result<(), String> {
        let registry = &self.0;
        registry.draining().map_err(|refusal| refusal.to_string())?;
        let (admitted, calls_max) =
            (registry.admitted.load(Ordering::Relaxed), registry.config.calls_max);
        if admitted >= calls_max {
            return Err(format!("{calls_max} calls are running, which is the limit"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Busy;

    #[test]
    fn a_backend_without_room_is_busy_and_says_so() {
        let text = "20 calls have all 20 conversations";
        let refused = refusal(AnswerError::Busy(Busy(text.to_owned())));
        let Refusal::Busy { problem, retry_after } = refused else { panic!("{refused:?}") };
        assert_eq!((problem.as_str(), retry_after), (text, RETRY_AFTER));
    }
}
