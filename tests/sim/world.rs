//! One simulated call: an agent, its user, its backend, the network between them, and the time.

use std::collections::BTreeMap;
use std::time::Duration;

use antiphon::agent::{Agent, AgentOutput, AgentSettings, BackendInput, PayloadKind, RtpPacket};
use antiphon::call::event::{
    BackendCommand, BackendEvent, ClientCommand, ClientEvent, EndReason, FloorState, TurnId,
    TurnMetrics,
};
use antiphon::call::trace::Trace;
use antiphon::limits::FRAME;
use antiphon::media::pcm::PcmCodec;
use antiphon::time::SessionTime;

use crate::backend::{Behaviour, Made, REPLY_HZ, SimBackend};
use crate::checks::Checks;
use crate::random::Random;
use crate::user::{LevelVoice, User, UserPacket};

/// The way from the user to the agent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Network {
    pub(crate) delay_ms: u64,
    pub(crate) jitter_ms: u64,
    pub(crate) loss_percent: u64,
}

/// One line of a plan.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The user speaks this long, in ms.
    Say(u64),
    /// The user says nothing this long, in ms.
    Silence(u64),
    /// The network is like this from now on.
    Network(Network),
    /// The backend answers like this from now on.
    Backend(Behaviour),
    /// The backend says this now, unasked.
    BackendSays(BackendEvent),
    /// The client asks for this now.
    Client(ClientCommand),
    /// Runs until the floor is held so, for at most 30 s.
    Until(FloorState),
    /// The floor is held so.
    Expect(FloorState),
}

#[derive(Clone, Debug)]
enum Happening {
    Connected,
    UserFrame,
    Arrives(UserPacket),
    Backend(Made),
    Judged(TurnId),
}

/// One call.
pub(crate) struct World {
    agent: Agent<PcmCodec, LevelVoice>,
    now: SessionTime,
    /// What will happen, by time and then in the order in which it was planned.
    future: BTreeMap<(SessionTime, u64), Happening>,
    planned: u64,
    pub(crate) user: User,
    network: Network,
    backend: SimBackend,
    random: Random,
    pub(crate) checks: Checks,
    pub(crate) trace: Trace,
    pub(crate) metrics: Vec<TurnMetrics>,
    pub(crate) end: Option<EndReason>,
    /// For the canary: cancellations are hidden from the checks.
    pub(crate) hides_cancellations: bool,
}

impl World {
    /// A call that connects at once and whose backend is ready 50 ms later.
    pub(crate) fn new(settings: AgentSettings, seed: u64) -> Self {
        let mut world = Self {
            agent: Agent::new(settings, PcmCodec, LevelVoice),
            now: SessionTime::ZERO,
            future: BTreeMap::new(),
            planned: 0,
            user: User::default(),
            network: Network::default(),
            backend: SimBackend::default(),
            random: Random::new(seed),
            checks: Checks::default(),
            trace: Trace::new(),
            metrics: Vec::new(),
            end: None,
            hides_cancellations: false,
        };
        world.plan(SessionTime::ZERO, Happening::Connected);
        world.plan(SessionTime::ZERO, Happening::UserFrame);
        let ready = Happening::Backend(Made::Event(BackendEvent::Ready));
        world.plan(SessionTime::from_millis(50), ready);
        world
    }

    /// A call of a plan.
    pub(crate) fn play(settings: AgentSettings, steps: &[Step]) -> Self {
        let mut world = Self::new(settings, 1);
        for step in steps {
            world.step(step);
        }
        world
    }

    pub(crate) fn agent(&self) -> &Agent<PcmCodec, LevelVoice> {
        &self.agent
    }

    pub(crate) fn floor(&self) -> FloorState {
        self.agent.call().floor()
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::Say(millis) => {
                self.user.speaking = true;
                self.run(*millis);
                self.user.speaking = false;
            }
            Step::Silence(millis) => self.run(*millis),
            Step::Network(network) => self.network = *network,
            Step::Backend(behaviour) => self.backend.behaviour = behaviour.clone(),
            Step::BackendSays(event) => {
                self.plan(self.now, Happening::Backend(Made::Event(event.clone())));
                self.run(0);
            }
            Step::Client(command) => {
                self.trace.note(self.now, &format!("client {}", name_of(command)));
                self.agent.handle_client(self.now, command.clone());
                self.drain();
            }
            Step::Until(state) => {
                for _ in 0..30_000 / 20 {
                    if self.floor() == *state {
                        return;
                    }
                    self.run(20);
                }
                panic!("{} never came\n{}", state.name(), self.trace.as_str());
            }
            Step::Expect(state) => {
                assert_eq!(self.floor(), *state, "at {}\n{}", self.now, self.trace.as_str());
            }
        }
    }

    fn plan(&mut self, at: SessionTime, happening: Happening) {
        self.planned += 1;
        self.future.insert((at, self.planned), happening);
    }

    /// Lets this much time pass.
    fn run(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        loop {
            let happens = self.future.first_key_value().map(|((at, _), _)| *at);
            let due = self.agent.poll_timeout().map(|(at, _)| at);
            // What happens at the time of a deadline happened just before it.
            match (happens, due) {
                (Some(at), due) if at <= until && due.is_none_or(|due| at <= due) => {
                    self.now = self.now.max(at);
                    let (_, happening) = self.future.pop_first().expect("it was just looked at");
                    self.happen(happening);
                }
                (_, Some(due)) if due <= until => {
                    self.now = self.now.max(due);
                    self.agent.handle_timeout(self.now);
                }
                _ => break,
            }
            self.drain();
        }
        self.now = until;
    }

    fn happen(&mut self, happening: Happening) {
        let now = self.now;
        match happening {
            Happening::Connected => self.agent.handle_connected(now),
            Happening::UserFrame => {
                let packet = self.user.speak();
                self.plan(now + FRAME, Happening::UserFrame);
                if !self.random.percent(self.network.loss_percent) {
                    let jitter = self.random.between(0, self.network.jitter_ms * 1_000);
                    let delay = Duration::from_micros(self.network.delay_ms * 1_000 + jitter);
                    self.plan(now + delay, Happening::Arrives(packet));
                }
            }
            Happening::Arrives(packet) => {
                let UserPacket { sequence, timestamp, payload } = &packet;
                let packet = RtpPacket {
                    kind: PayloadKind::Audio,
                    sequence: *sequence,
                    timestamp: *timestamp,
                    marker: false,
                    level_dbfs: None,
                    payload,
                };
                self.agent.handle_rtp(now, &packet);
            }
            Happening::Backend(made) if !self.agent.wants_backend() => {
                self.plan(now + FRAME, Happening::Backend(made));
            }
            Happening::Backend(made) if self.backend.still_says(now, &made) => match made {
                Made::Event(event) => self.agent.handle_backend(now, event),
                Made::Audio { generation, pcm } => {
                    let seconds = pcm.len() as f64 / f64::from(REPLY_HZ);
                    self.checks.reply_audio(generation, Duration::from_secs_f64(seconds));
                    self.agent.handle_backend_audio(now, generation, REPLY_HZ, &pcm);
                }
            },
            Happening::Backend(_) => {}
            Happening::Judged(turn) => {
                // It fails at times, and does not always think that the turn is over.
                let probability = [None, Some(0.9), Some(0.2)][turn.0 as usize % 3];
                self.agent.handle_turn_judged(now, turn, probability);
            }
        }
    }

    fn drain(&mut self) {
        let now = self.now;
        while let Some(output) = self.agent.poll_output() {
            match output {
                AgentOutput::Packet(packet) => self.checks.packet(&packet),
                AgentOutput::Backend(BackendInput::Audio(pcm)) => self.checks.user_audio(&pcm.0),
                AgentOutput::Backend(BackendInput::Command(command)) => self.command(&command),
                AgentOutput::JudgeTurn { turn, pcm } => {
                    assert!(!pcm.is_empty(), "there is something to judge");
                    let takes = Duration::from_millis(30 * (1 + u64::from(turn.0) % 30));
                    self.plan(now + takes, Happening::Judged(turn));
                }
                AgentOutput::Client(event) => {
                    self.checks.client(&event);
                    self.trace.client(now, &event);
                    if let ClientEvent::Turn(metrics) = event {
                        self.metrics.push(metrics);
                    }
                }
                AgentOutput::End(reason) => {
                    self.checks.end();
                    self.trace.end(now, &reason);
                    self.end = Some(reason);
                }
            }
        }
        self.checks.agent(&self.agent);
    }

    fn command(&mut self, command: &BackendCommand) {
        self.trace.command(self.now, command);
        if !(self.hides_cancellations && matches!(command, BackendCommand::Cancel { .. })) {
            self.checks.command(command);
        }
        for (at, made) in self.backend.command(self.now, command) {
            self.plan(at, Happening::Backend(made));
        }
    }
}

const fn name_of(command: &ClientCommand) -> &'static str {
    match command {
        ClientCommand::Ready => "ready",
        ClientCommand::Text { interrupt: true, .. } => "text, now",
        ClientCommand::Text { interrupt: false, .. } => "text, later",
        ClientCommand::Mute { muted: true } => "mute",
        ClientCommand::Mute { muted: false } => "unmute",
        ClientCommand::Dtmf { .. } => "key",
        ClientCommand::Playout(_) => "playout",
        ClientCommand::ToolResult { .. } => "tool result",
        ClientCommand::Disconnect => "disconnect",
    }
}
