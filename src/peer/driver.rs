//! The one loop of a call.
//!
//! One task owns everything that the call is: session, agent, backend. It waits in one place, reads
//! the clock once per wake-up, performs one mutation and drains what came of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures_util::FutureExt;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::time::{Sleep, sleep_until};

use super::call::{
    CallParts, CallStats, CallSummary, Control, PatchError, Patched, Precondition, etag,
};
use super::client::ClientLink;
use super::datagram::{Carrier, Datagram, Inbound};
use super::judge::{Judged, TurnJudge};
use super::routes::Registration;
use super::tape::Tape;
use super::webrtc::session::{End, Event, RtpIn, Session};
use crate::agent::{AgentOutput, BackendInput, RtpPacket};
use crate::backend::{BackendOutput, BackendSession};
use crate::call::event::{BackendEvent, EndReason, TurnId};
use crate::dsp::vad::VoiceModel;
use crate::flight::Recorded;
use crate::limits::TURN_ANSWERS_MAX;
use crate::media::codec::Codec;
use crate::metrics::AgentMetrics;
use crate::sdp::{Candidate, Fragment};
use crate::time::SessionTime;

/// A call and all it owns.
pub(super) struct Driver<C, V> {
    call_id: String,
    session: Session,
    agent: Recorded<C, V>,
    /// Takes the recording away, if there is one.
    tape: Option<Tape>,
    client: ClientLink,
    backend: Backend,
    turn_model: TurnModel,
    metrics: AgentMetrics,
    network: Network,
    datagrams: mpsc::Receiver<Inbound>,
    requests: mpsc::Receiver<Control>,
    answer: AnswerFacts,
    started: Instant,
    connected_after: Option<Duration>,
    ended: Option<EndReason>,
}

/// The call's end of its backend.
struct Backend {
    session: BackendSession,
    /// It was reported that the backend is gone; nothing more is read from it.
    is_gone: bool,
}

/// The call's end of the turn's model.
struct TurnModel {
    judge: Option<TurnJudge>,
    answer: mpsc::Sender<Judged>,
    answers: mpsc::Receiver<Judged>,
}

/// The call's way out.
struct Network {
    udp: Arc<UdpSocket>,
    tcp: HashMap<SocketAddr, mpsc::Sender<BytesMut>>,
    registration: Registration,
}

/// What the loop is made from.
pub(super) struct DriverSetup<C, V> {
    pub(super) session: Session,
    pub(super) parts: CallParts<C, V>,
    pub(super) udp: Arc<UdpSocket>,
    pub(super) registration: Registration,
    pub(super) datagrams: mpsc::Receiver<Inbound>,
    pub(super) requests: mpsc::Receiver<Control>,
    pub(super) answer: AnswerFacts,
}

/// What is remembered of the answer.
pub(super) struct AnswerFacts {
    /// Of the first media section, to which fragments refer.
    pub(super) mid: String,
    pub(super) candidates: Vec<Candidate>,
    /// The wall clock at the start of the call.
    pub(super) since_1970: Duration,
}

/// Why the loop woke up.
enum Wake {
    Inbound(Inbound),
    Request(Control),
    /// `None`: it hung up.
    Backend(Option<BackendOutput>),
    Judged(Judged),
    Deadline,
}

impl<C: Codec, V: VoiceModel> Driver<C, V> {
    pub(super) fn new(setup: DriverSetup<C, V>) -> Self {
        let DriverSetup { session, parts, udp, registration, datagrams, requests, answer } = setup;
        let (recorder, tape) =
            parts.recording.map(|recording| (recording.recorder, recording.tape)).unzip();
        Self {
            client: ClientLink::new(&parts.call_id),
            call_id: parts.call_id,
            started: session.started(),
            session,
            agent: Recorded::new(parts.agent, recorder),
            tape,
            turn_model: TurnModel::new(parts.turn_judge),
            metrics: parts.metrics,
            backend: Backend { session: parts.backend, is_gone: false },
            network: Network { udp, tcp: HashMap::new(), registration },
            datagrams,
            requests,
            answer,
            connected_after: None,
            ended: None,
        }
    }

    /// Drives the call to its end and says how it ended. A panic ends this call only.
    pub(super) async fn run(self, summary: watch::Sender<Option<Arc<CallSummary>>>) {
        let call_id = self.call_id.clone();
        // The driver is not used after a panic, so nothing half-done can be seen.
        let ended = AssertUnwindSafe(self.drive()).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(call_id, "a call ended by a bug");
            CallSummary { reason: EndReason::Internal, stats: CallStats::default() }
        });
        summary.send_replace(Some(Arc::new(ended)));
    }

    async fn drive(mut self) -> CallSummary {
        let mut timer = pin!(sleep_until(self.started.into()));
        let mut now = self.started;
        loop {
            self.settle(now);
            if let Some(reason) = self.ended.take() {
                return self.finish(now, reason);
            }
            let deadline = self.deadline(now);
            timer.as_mut().reset(deadline.into());
            let wake = self.wait(timer.as_mut()).await;
            now = Instant::now();
            self.handle(now, wake);
        }
    }

    async fn wait(&mut self, timer: std::pin::Pin<&mut Sleep>) -> Wake {
        let reads_backend = !self.backend.is_gone && self.agent.wants_backend();
        tokio::select! {
            Some(inbound) = self.datagrams.recv() => Wake::Inbound(inbound),
            Some(request) = self.requests.recv() => Wake::Request(request),
            output = self.backend.session.output.recv(), if reads_backend => Wake::Backend(output),
            Some(judged) = self.turn_model.answers.recv() => Wake::Judged(judged),
            () = timer => Wake::Deadline,
        }
    }

    /// The soonest deadline. The session always has one, so the loop cannot sleep for ever.
    fn deadline(&mut self, now: Instant) -> Instant {
        let agent = self.agent.poll_timeout().map(|(at, _)| self.instant(at));
        let deadlines = [self.session.poll_timeout(), agent];
        deadlines.into_iter().flatten().min().unwrap_or(now + Duration::from_secs(1))
    }

    fn handle(&mut self, now: Instant, wake: Wake) {
        match wake {
            Wake::Inbound(Inbound::Datagram(datagram)) => {
                self.session.handle_datagram(now, datagram);
            }
            Wake::Inbound(Inbound::TcpOpened { peer, output }) => {
                self.network.tcp.insert(peer, output);
            }
            Wake::Inbound(Inbound::TcpClosed { peer }) => {
                self.network.tcp.remove(&peer);
            }
            Wake::Request(request) => self.handle_request(now, request),
            Wake::Backend(output) => self.handle_backend(now, output),
            Wake::Judged(judged) => self.handle_judged(self.session.time(now), judged),
            Wake::Deadline => {}
        }
    }

    fn handle_request(&mut self, now: Instant, request: Control) {
        match request {
            // Whoever asked may have gone away meanwhile; what was done stays done.
            Control::Patch { fragment, precondition, reply } => {
                let _ = reply.send(self.handle_patch(now, fragment, &precondition));
            }
            Control::Stats { reply } => {
                let _ = reply.send(self.stats(now));
            }
            Control::End { reason } => self.end(reason),
        }
    }

    /// RFC 9725 §4.3.1: trickling needs the tag of the current session, a restart that or `*`.
    fn handle_patch(
        &mut self,
        now: Instant,
        fragment: Fragment,
        precondition: &Precondition,
    ) -> Result<Patched, PatchError> {
        let newest = self.newest_etag();
        match precondition {
            Precondition::Missing => return Err(PatchError::PreconditionRequired),
            Precondition::Tags(tags) if !tags.contains(&newest) => {
                return Err(PatchError::PreconditionFailed);
            }
            Precondition::Any | Precondition::Tags(_) => {}
        }
        let current = self.session.remote_credentials();
        match fragment.credentials {
            Some(credentials) if credentials != *current => {
                let ours = self.session.handle_restart(credentials, fragment.candidates);
                let ours = ours.map_err(|error| {
                    tracing::error!(call_id = self.call_id, %error, "an ICE restart failed");
                    PatchError::Internal
                })?;
                let running = &self.session.local_credentials().ufrag;
                self.network.registration.set_ufrags(running, &ours.ufrag);
                let etag = etag(&ours.ufrag);
                let fragment = Fragment {
                    credentials: Some(ours),
                    candidates: self.answer.candidates.clone(),
                    end_of_candidates: true,
                };
                Ok(Patched::Restarted { fragment: fragment.write(&self.answer.mid), etag })
            }
            _ => {
                self.session.handle_candidates(now, &fragment.candidates);
                Ok(Patched::Trickled)
            }
        }
    }

    fn newest_etag(&self) -> String {
        etag(&self.session.newest_local_credentials().ufrag)
    }

    fn handle_backend(&mut self, now: Instant, output: Option<BackendOutput>) {
        let at = self.session.time(now);
        match output {
            Some(BackendOutput::Event(event)) => self.agent.handle_backend(at, event),
            Some(BackendOutput::Audio(audio)) => self.agent.handle_backend_audio(
                at,
                audio.generation,
                audio.sample_rate_hz,
                &audio.pcm,
            ),
            None => self.lose_backend(at),
        }
    }

    /// The backend dropped its end without a word.
    fn lose_backend(&mut self, at: SessionTime) {
        if !self.backend.is_gone {
            self.backend.is_gone = true;
            let message = "the backend hung up".to_owned();
            self.agent.handle_backend(at, BackendEvent::Failed { message });
        }
    }

    /// Runs what is due and drains everything, until nothing more comes of it.
    fn settle(&mut self, now: Instant) {
        let at = self.session.time(now);
        if self.agent.poll_timeout().is_some_and(|(deadline, _)| deadline <= at) {
            self.agent.handle_timeout(at);
        }
        if self.session.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.session.handle_timeout(now);
        }
        while self.ended.is_none() && (self.drain_session(at) | self.drain_agent(now, at)) {}
        while let Some(message) = self.client.poll_message() {
            self.session.send_text(now, &message);
        }
        while let Some(datagram) = self.session.poll_transmit() {
            self.network.send(datagram);
        }
        self.follow_recording();
    }

    /// Returns whether anything happened.
    fn drain_session(&mut self, at: SessionTime) -> bool {
        let mut happened = false;
        while let Some(event) = self.session.poll_event() {
            happened = true;
            match event {
                Event::Connected => {
                    self.connected_after = Some(at.since(SessionTime::ZERO));
                    self.agent.handle_connected(at);
                }
                Event::Rtp(packet) => self.agent.handle_rtp(at, &packet.as_packet()),
                Event::RoundTrip(rtt) => {
                    self.agent.handle_round_trip(at, rtt);
                    self.agent.handle_sent_loss(at, self.session.stats().1.sent_loss);
                }
                Event::ChannelOpened => self.client.handle_opened(),
                Event::ChannelClosed => self.client.handle_closed(),
                Event::Text(text) => {
                    for command in self.client.handle_text(&text) {
                        self.agent.handle_client(at, command);
                    }
                }
                Event::Seen(route) if route.carrier == Carrier::Udp => {
                    self.network.registration.saw(route.address);
                }
                Event::Proven(route) if route.carrier == Carrier::Udp => {
                    self.network.registration.proved(route.address);
                }
                Event::Seen(_) | Event::Proven(_) => {}
                Event::Ended(End::Closed) => self.end(EndReason::Client),
                Event::Ended(End::Silent) => self.end(EndReason::PeerLost),
                Event::Ended(End::NotConnected) => self.end(EndReason::NotConnected),
            }
        }
        happened
    }

    /// Returns whether anything happened.
    fn drain_agent(&mut self, now: Instant, at: SessionTime) -> bool {
        let mut happened = false;
        while let Some(output) = self.agent.poll_output() {
            happened = true;
            match output {
                AgentOutput::Packet(frame) => self.session.send_frame(now, &frame),
                AgentOutput::Backend(input) => self.send_to_backend(at, input),
                AgentOutput::JudgeTurn { turn, pcm } => self.judge(at, turn, pcm),
                AgentOutput::Client(event) => {
                    self.metrics.handle_event(&event);
                    let timestamp = self.timestamp(at);
                    self.client.handle_event(&event, &timestamp);
                }
                AgentOutput::End(reason) => self.end(reason),
            }
        }
        happened
    }

    fn send_to_backend(&mut self, at: SessionTime, input: BackendInput) {
        match self.backend.session.input.try_send(input) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => self.agent.handle_backend_stuck(at),
            Err(mpsc::error::TrySendError::Closed(_)) => self.lose_backend(at),
        }
    }

    fn judge(&mut self, at: SessionTime, turn: TurnId, pcm: Vec<i16>) {
        let TurnModel { judge, answer, .. } = &self.turn_model;
        match judge {
            Some(judge) => judge.ask(turn, pcm, answer),
            None => self.handle_judged(at, Judged { turn, probability: None }),
        }
    }

    fn handle_judged(&mut self, at: SessionTime, judged: Judged) {
        let Judged { turn, probability } = judged;
        self.agent.handle_turn_judged(at, turn, probability);
    }

    /// The first reason stands.
    fn end(&mut self, reason: EndReason) {
        self.ended.get_or_insert(reason);
    }

    /// Says goodbye and gives the summary.
    fn finish(mut self, now: Instant, reason: EndReason) -> CallSummary {
        if let Some(message) = self.client.farewell() {
            self.session.send_text(now, &message);
        }
        self.session.close(now);
        while let Some(datagram) = self.session.poll_transmit() {
            self.network.send(datagram);
        }
        let at = self.session.time(now);
        if let Some(recorder) = self.agent.recorder() {
            recorder.finish(at, reason.name());
        }
        self.follow_recording();
        CallSummary { reason, stats: self.stats(now) }
    }

    fn stats(&self, now: Instant) -> CallStats {
        let (session, path) = self.session.stats();
        CallStats {
            connected_after: self.connected_after,
            duration: self.session.time(now).since(SessionTime::ZERO),
            path,
            session,
            agent: self.agent.stats(),
            client_messages_dropped: self.client.dropped(),
            client_messages_refused: self.client.refused(),
        }
    }

    fn instant(&self, at: SessionTime) -> Instant {
        self.session.started() + at.since(SessionTime::ZERO)
    }

    /// The wall clock at `at`, as ISO 8601 to the millisecond.
    fn timestamp(&self, at: SessionTime) -> String {
        let since_1970 = self.answer.since_1970 + at.since(SessionTime::ZERO);
        let millis = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
        jiff::Timestamp::from_millisecond(millis).unwrap_or_default().to_string()
    }
}

impl<C, V> Driver<C, V> {
    fn follow_recording(&mut self) {
        if let (Some(tape), Some(recorder)) = (&mut self.tape, self.agent.recorder()) {
            tape.follow(recorder);
        }
    }
}

/// A call that ends by a bug leaves what was recorded of it, up to the input that it failed on.
impl<C, V> Drop for Driver<C, V> {
    fn drop(&mut self) {
        if let Some(recorder) = self.agent.recorder() {
            recorder.stop("the call ended by a bug");
        }
        self.follow_recording();
    }
}

impl RtpIn {
    fn as_packet(&self) -> RtpPacket<'_> {
        RtpPacket {
            kind: self.kind,
            sequence: self.sequence,
            timestamp: self.timestamp,
            marker: self.marker,
            level_dbfs: self.level_dbfs,
            payload: &self.payload,
        }
    }
}

impl TurnModel {
    fn new(judge: Option<TurnJudge>) -> Self {
        let (answer, answers) = mpsc::channel(TURN_ANSWERS_MAX);
        Self { judge, answer, answers }
    }
}

impl Network {
    /// Sends a packet now or never: a late one is worth nothing, and waiting would stall the call.
    fn send(&self, datagram: Datagram) {
        let Datagram { route, bytes } = datagram;
        let sent = match route.carrier {
            Carrier::Udp => self.udp.try_send_to(&bytes, route.address).is_ok(),
            Carrier::Tcp => {
                self.tcp.get(&route.address).is_some_and(|output| output.try_send(bytes).is_ok())
            }
        };
        if !sent {
            self.registration.routes().count_unsent();
        }
    }
}
