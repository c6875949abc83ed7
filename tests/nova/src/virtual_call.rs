//! A whole call in virtual time: agent, conversation, and a simulated service behind a network, told the
//! time. An hour of it takes seconds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use antiphon::agent::{Agent, AgentOutput, AgentSettings, BackendInput, PayloadKind, RtpPacket};
use antiphon::call::event::{ClientEvent, EndReason};
use antiphon::call::settings::{EndpointStrategy, TurnAuthority};
use antiphon::dsp::vad::level::LevelVoice;
use antiphon::limits::{FRAME, FRAME_MS, WIDEBAND_FRAME};
use antiphon::media::pcm::PcmCodec;
use antiphon::media::uplink::EchoMode;
use antiphon::nova::conversation::{Act, Conversation, LineEvent, LineId, Made, Setup};
use antiphon::nova::fault::Fault;
use antiphon::time::SessionTime;
use antiphon_nova_sim::SimSettings;
use antiphon_nova_sim::faults::{OpeningFault, ResetReason, Schedule};
use antiphon_nova_sim::session::{Output, Session, Task};
use antiphon_nova_sim::tones::{self, Word};

use crate::caller::{Caller, Frame, Manners};

/// One way from here to the service.
const WAY: Duration = Duration::from_millis(10);

/// The service counts in nanoseconds, and what is due there is due here with the next microsecond.
const TICK: Duration = Duration::from_micros(1);

/// What happens at a time.
#[derive(Debug)]
enum Happening {
    Tick,
    ToService { line: LineId, json: Vec<u8> },
    EndOfInput { line: LineId },
    FromService { line: LineId, event: LineEvent },
}

/// One connection as the service has it.
struct Service {
    session: Session,
    opened: SessionTime,
    is_accepted: bool,
}

/// The call.
pub struct VirtualCall {
    /// The user.
    pub caller: Caller,
    /// The conversation, to be looked at.
    pub talk: Conversation,
    /// What went wrong at the service's end: mistakes of ours.
    pub violations: Vec<String>,
    /// Why the call ended, if it did.
    pub end: Option<EndReason>,
    /// Errors that the client was told of.
    pub complaints: Vec<String>,
    agent: Agent<PcmCodec, LevelVoice>,
    sim: Arc<SimSettings>,
    schedule: Schedule,
    services: BTreeMap<u32, Service>,
    future: BTreeMap<(SessionTime, u64), Happening>,
    planned: u64,
    now: SessionTime,
    heard: Frame,
    sequence: u16,
    seed: u64,
}

/// Settings of an agent whose turns Nova decides.
pub fn agent_settings() -> AgentSettings {
    let mut settings = AgentSettings::default();
    settings.call.authority = TurnAuthority::Backend;
    settings.call.endpoint.strategy = EndpointStrategy::Backend;
    settings.call.greet = false;
    // The user's tones are those of the agent: a canceller would take them for its echo.
    settings.uplink.echo = EchoMode::Off;
    settings.call.call_max = Duration::from_secs(7_200);
    settings
}

impl VirtualCall {
    /// A call that connects at once.
    pub fn new(agent: AgentSettings, setup: Setup, sim: SimSettings, manners: Manners) -> Self {
        let mut call = Self {
            caller: Caller::new(manners),
            agent: Agent::new(agent, PcmCodec, LevelVoice::new(-45.0)),
            talk: Conversation::new(setup),
            schedule: Schedule::new(&sim.faults),
            sim: Arc::new(sim),
            services: BTreeMap::new(),
            future: BTreeMap::new(),
            planned: 0,
            now: SessionTime::ZERO,
            heard: [0; WIDEBAND_FRAME],
            sequence: 0,
            seed: 1,
            violations: Vec::new(),
            end: None,
            complaints: Vec::new(),
        };
        call.agent.handle_connected(SessionTime::ZERO);
        call.plan(SessionTime::ZERO, Happening::Tick);
        call.drain();
        call
    }

    /// Lets this much time pass, or less if the call ends.
    pub fn run(&mut self, length: Duration) {
        let until = self.now + length;
        let mut steps_at_once = 0;
        while self.end.is_none() {
            let planned = self.future.first_key_value().map(|((at, _), _)| *at);
            let agent = self.agent.poll_timeout().map(|(at, _)| at);
            let services = self.services.values().filter_map(|service| {
                service.session.poll_timeout().map(|at| service.opened + at + TICK)
            });
            let dues = [planned, agent, self.talk.poll_timeout(), services.min()];
            let Some(next) = dues.into_iter().flatten().min().filter(|at| *at <= until) else {
                break;
            };
            steps_at_once = if next > self.now { 0 } else { steps_at_once + 1 };
            assert!(steps_at_once < 10_000, "time stands still at {}: {dues:?}", self.now);
            self.now = self.now.max(next);
            self.step();
            self.drain();
        }
        self.now = until;
    }

    fn step(&mut self) {
        let now = self.now;
        while let Some(entry) = self.future.first_entry().filter(|entry| entry.key().0 <= now) {
            let happening = entry.remove();
            self.happen(happening);
            self.drain();
        }
        if self.agent.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.agent.handle_timeout(now);
        }
        if self.talk.poll_timeout().is_some_and(|at| at <= now) {
            self.talk.handle_timeout(now);
        }
    }

    fn plan(&mut self, at: SessionTime, happening: Happening) {
        self.planned += 1;
        self.future.insert((at, self.planned), happening);
    }

    fn happen(&mut self, happening: Happening) {
        let now = self.now;
        match happening {
            Happening::Tick => {
                let said = self.caller.step(&self.heard);
                self.heard = [0; WIDEBAND_FRAME];
                self.speak(&said);
                self.plan(now + FRAME, Happening::Tick);
            }
            Happening::ToService { line, json } => {
                if let Some(service) = self.services.get_mut(&line.0) {
                    service.session.handle_event(now.since(service.opened), &json);
                }
            }
            Happening::EndOfInput { line } => {
                if let Some(service) = self.services.get_mut(&line.0) {
                    service.session.handle_end(now.since(service.opened));
                }
            }
            Happening::FromService { line, event } => self.talk.handle_line(now, line, event),
        }
    }

    fn speak(&mut self, frame: &Frame) {
        let payload: Vec<u8> = frame.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let frames = self.now.as_millis() / u64::from(FRAME_MS);
        let packet = RtpPacket {
            kind: PayloadKind::Audio,
            sequence: self.sequence,
            timestamp: (frames * WIDEBAND_FRAME as u64) as u32,
            marker: false,
            level_dbfs: None,
            payload: &payload,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.agent.handle_rtp(self.now, &packet);
    }

    /// Passes everything on until nothing more comes of it.
    fn drain(&mut self) {
        loop {
            let happened = self.drain_agent() | self.drain_talk() | self.drain_services();
            if !happened {
                return;
            }
        }
    }

    fn drain_agent(&mut self) -> bool {
        let mut happened = false;
        while let Some(output) = self.agent.poll_output() {
            happened = true;
            match output {
                AgentOutput::Packet(packet) => {
                    let samples = packet.payload().chunks_exact(2);
                    for (heard, sample) in self.heard.iter_mut().zip(samples) {
                        *heard = i16::from_le_bytes([sample[0], sample[1]]);
                    }
                }
                AgentOutput::Backend(BackendInput::Audio(pcm)) => {
                    self.talk.handle_frame(self.now, &pcm);
                }
                AgentOutput::Backend(BackendInput::Command(command)) => {
                    self.talk.handle_command(self.now, command);
                }
                AgentOutput::Client(ClientEvent::Error { message, .. }) => {
                    self.complaints.push(format!("{}: {message}", self.now));
                }
                AgentOutput::JudgeTurn { .. } | AgentOutput::Client(_) => {}
                AgentOutput::End(reason) => self.end = Some(reason),
            }
        }
        happened
    }

    fn drain_talk(&mut self) -> bool {
        let mut happened = false;
        while let Some(act) = self.talk.poll_act() {
            happened = true;
            self.act(act);
        }
        while self.agent.wants_backend()
            && let Some(made) = self.talk.poll_made()
        {
            happened = true;
            match made {
                Made::Event(event) => self.agent.handle_backend(self.now, event),
                Made::Audio { generation, pcm } => {
                    self.agent.handle_backend_audio(self.now, generation, 24_000, &pcm);
                }
            }
        }
        happened
    }

    fn act(&mut self, act: Act) {
        let at = self.now + WAY;
        match act {
            Act::Open { line, unit, .. } => {
                let since = self.now.since(SessionTime::ZERO);
                let (refused, faults) = self.schedule.open(since, self.sim.connection_limit);
                if let Some(fault) = refused.map(opening_fault) {
                    let event = LineEvent::Ended(fault);
                    return self.plan(at + WAY, Happening::FromService { line, event });
                }
                self.seed += 1;
                let session = Session::new(Arc::clone(&self.sim), faults, self.seed);
                let service = Service { session, opened: at, is_accepted: false };
                self.services.insert(line.0, service);
                self.send(line, unit);
            }
            Act::Send { line, unit } => self.send(line, unit),
            Act::Close { line, unit } => {
                self.send(line, unit);
                self.plan(at, Happening::EndOfInput { line });
            }
            Act::Abort { line } => {
                self.services.remove(&line.0);
            }
            Act::Run(_) | Act::AbortRun { .. } => {}
        }
    }

    fn send(&mut self, line: LineId, unit: Vec<Vec<u8>>) {
        for json in unit {
            self.plan(self.now + WAY, Happening::ToService { line, json });
        }
    }

    fn drain_services(&mut self) -> bool {
        let now = self.now;
        let mut said = Vec::new();
        for (line, service) in &mut self.services {
            let since = now.since(service.opened);
            if now < service.opened {
                continue;
            }
            while let Some(task) = service.session.poll_task() {
                if let Task::Speak { id, text, rate_hz, .. } = task {
                    let pcm = tones::encode(&Word::all_in(&text), rate_hz);
                    service.session.handle_spoken(since, id, pcm);
                }
            }
            while let Some(output) = service.session.poll_output(since) {
                if let Some(violation) = service.session.violation() {
                    let violation = format!("{now} line {line}: {violation}");
                    if !self.violations.contains(&violation) {
                        self.violations.push(violation);
                    }
                }
                if let Some(event) = translate(service, output) {
                    said.push((LineId(*line), event));
                }
            }
        }
        let happened = !said.is_empty();
        for (line, event) in said {
            if matches!(event, LineEvent::Ended(_)) {
                self.services.remove(&line.0);
            }
            self.plan(now + WAY, Happening::FromService { line, event });
        }
        happened
    }
}

/// What a client of the SDK would see.
fn translate(service: &mut Service, output: Output) -> Option<LineEvent> {
    let transport = |message: &str| Fault::Transport { message: message.to_owned() };
    let fault = match output {
        Output::Headers => {
            service.is_accepted = true;
            return Some(LineEvent::Opened { credentials_last: None, warm: None });
        }
        Output::Event(json) => return Some(LineEvent::Event(json)),
        Output::GoAway { is_abrupt: false } => return None,
        Output::Exception { kind, message } if service.is_accepted => {
            Fault::Exception { code: kind.name().to_owned(), message }
        }
        Output::Exception { kind, message } => {
            let refusal = kind.as_refusal(&message);
            Fault::Opening { status: Some(refusal.status), code: refusal.code, message }
        }
        Output::ErrorFrame { code, message } => Fault::Exception { code, message },
        Output::BrokenFrame { .. } => Fault::Malformed { message: "a broken frame".to_owned() },
        Output::Reset(ResetReason::NoError) | Output::End => Fault::Ended,
        Output::Reset(_) => transport("the stream was reset"),
        Output::Close => transport("the socket was closed"),
        Output::GoAway { is_abrupt: true } => transport("the connection went away"),
    };
    Some(LineEvent::Ended(fault))
}

fn opening_fault(fault: OpeningFault) -> Fault {
    match fault {
        OpeningFault::Refused(refusal) => Fault::Opening {
            status: Some(refusal.status),
            code: refusal.code,
            message: refusal.message,
        },
        OpeningFault::Hang => Fault::Silent {
            waited: Duration::from_secs(10),
            what: antiphon::nova::fault::Silence::Open,
        },
        OpeningFault::Close | OpeningFault::Reset(_) => {
            Fault::Transport { message: "closed at the opening".to_owned() }
        }
    }
}
