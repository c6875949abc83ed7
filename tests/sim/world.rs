//! One simulated call: an agent, its user, their room, its backend, the network between them, and the
//! time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use antiphon::agent::{
    Agent, AgentOutput, AgentSettings, BackendInput, EncodedFrame, PayloadKind, PcmFrame, RtpPacket,
};
use antiphon::call::event::{
    BackendCommand, BackendEvent, ClientCommand, ClientEvent, EndReason, FloorState, TurnId,
    TurnMetrics,
};
use antiphon::call::trace::Trace;
use antiphon::limits::FRAME;
use antiphon::media::pcm::PcmCodec;
use antiphon::time::SessionTime;

use crate::backend::{Behaviour, Made, REPLY_HZ, SimBackend};
use crate::canary::Fault;
use crate::checks::{Checks, Truth};
use crate::client::{Client, Received, Reporting};
use crate::network::{Link, Network};
use crate::person::Person;
use crate::random::Random;
use crate::room::{Air, Room};
use crate::user::{LevelVoice, Microphone, Sound, Tap, UserPacket};

/// One line of a plan.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The user speaks this long, in ms.
    Say(u64),
    /// The user makes this sound this long, in ms.
    Make(Sound, u64),
    /// The user says nothing this long, in ms.
    Silence(u64),
    /// The network is like this from now on, both ways.
    Network(Network),
    /// Nothing passes the network for this long, in ms, beginning now.
    Blackout(u64),
    /// The user is there from now on.
    Room(Room),
    /// The backend answers like this from now on.
    Backend(Behaviour),
    /// The backend says this now, unasked.
    BackendSays(BackendEvent),
    /// The client asks for this now.
    Client(ClientCommand),
    /// The client reports like this from now on.
    Reports(Reporting),
    /// Runs until the floor is held so, for at most 30 s.
    Until(FloorState),
    /// The floor is held so.
    Expect(FloorState),
}

#[derive(Clone, Debug)]
enum Happening {
    Connected,
    UserFrame,
    Arrives(Rc<UserPacket>),
    Reaches(Received),
    Command(ClientCommand),
    Backend(Made),
    Judged(TurnId),
}

/// One call.
pub(crate) struct World {
    agent: Agent<PcmCodec, LevelVoice>,
    pub(crate) now: SessionTime,
    /// What will happen, by time and then in the order in which it was planned.
    future: BTreeMap<(SessionTime, u64), Happening>,
    planned: u64,
    pub(crate) user: Microphone,
    tap: Rc<RefCell<Tap>>,
    /// What the user does, where nobody says it step by step.
    pub(crate) person: Option<Person>,
    sound: Sound,
    air: Air,
    up: Link,
    down: Link,
    /// By how much the user's clock is too slow, in parts per million.
    pub(crate) drift_ppm: i64,
    pub(crate) client: Client,
    backend: SimBackend,
    random: Random,
    /// Whether the network has neither lost nor held back anything.
    is_calm: bool,
    pub(crate) checks: Checks,
    pub(crate) trace: Trace,
    pub(crate) metrics: Vec<TurnMetrics>,
    pub(crate) end: Option<EndReason>,
    /// What goes wrong between the agent and the checks, for the canaries.
    pub(crate) fault: Option<Fault>,
}

impl World {
    /// A call that connects at once and whose backend is ready 50 ms later.
    pub(crate) fn new(settings: AgentSettings, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let tap = Rc::new(RefCell::new(Tap::default()));
        let mut world = Self {
            agent: Agent::new(settings, PcmCodec, LevelVoice::new(Rc::clone(&tap))),
            now: SessionTime::ZERO,
            future: BTreeMap::new(),
            planned: 0,
            user: Microphone::new(random.between(0, u16::MAX.into()) as u16),
            checks: Checks::new(Rc::clone(&tap)),
            tap,
            person: None,
            sound: Sound::Silence,
            air: Air::new(),
            up: Link::new(random.fork()),
            down: Link::new(random.fork()),
            drift_ppm: 0,
            client: Client::default(),
            backend: SimBackend::default(),
            random,
            is_calm: true,
            trace: Trace::new(),
            metrics: Vec::new(),
            end: None,
            fault: None,
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

    pub(crate) const fn agent(&self) -> &Agent<PcmCodec, LevelVoice> {
        &self.agent
    }

    pub(crate) const fn floor(&self) -> FloorState {
        self.agent.call().floor()
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::Say(millis) => self.make(Sound::Speech, *millis),
            Step::Make(sound, millis) => self.make(*sound, *millis),
            Step::Silence(millis) => self.run(*millis),
            Step::Network(network) => {
                self.is_calm &= network.is_lossless();
                self.up.network = *network;
                self.down.network = *network;
            }
            Step::Blackout(millis) => {
                self.is_calm = false;
                let until = self.now + Duration::from_millis(*millis);
                self.up.black_out(until);
                self.down.black_out(until);
            }
            Step::Room(room) => self.air.room = *room,
            Step::Backend(behaviour) => self.backend.behaviour = behaviour.clone(),
            Step::BackendSays(event) => {
                self.plan(self.now, Happening::Backend(Made::Event(event.clone())));
                self.run(0);
            }
            Step::Client(command) => self.command_of_client(command.clone()),
            Step::Reports(reporting) => self.client.reporting = *reporting,
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

    fn make(&mut self, sound: Sound, millis: u64) {
        self.sound = sound;
        self.run(millis);
        self.sound = Sound::Silence;
    }

    fn plan(&mut self, at: SessionTime, happening: Happening) {
        self.planned += 1;
        self.future.insert((at, self.planned), happening);
    }

    /// Lets this much time pass, or less if the call ends.
    pub(crate) fn run(&mut self, millis: u64) {
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
                    self.tap.borrow_mut().now = self.now;
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
            Happening::UserFrame => self.user_frame(),
            Happening::Arrives(packet) => {
                let packet = RtpPacket {
                    kind: PayloadKind::Audio,
                    sequence: packet.sequence,
                    timestamp: packet.timestamp,
                    marker: false,
                    level_dbfs: None,
                    payload: &packet.payload,
                };
                self.agent.handle_rtp(now, &packet);
            }
            Happening::Reaches(received) => self.client.receive(now, received),
            Happening::Command(command) => self.agent.handle_client(now, command),
            Happening::Backend(made) if !self.agent.wants_backend() => {
                self.plan(now + FRAME, Happening::Backend(made));
            }
            Happening::Backend(made) if self.backend.still_says(now, &made) => match made {
                Made::Event(event) => {
                    self.checks.backend_event(&event);
                    self.agent.handle_backend(now, event);
                }
                Made::Audio { generation, pcm } => {
                    self.checks.reply_audio(generation, pcm.len());
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

    /// The user's microphone has 20 ms more, and the client's loudspeaker needs as much.
    fn user_frame(&mut self) {
        let now = self.now;
        self.client.play(now);
        let whim = self.random.between(0, u64::from(u32::MAX));
        if let Some((late, report)) = self.client.report(now, whim) {
            let at = self.up.deliver(now) + late;
            self.plan(at, Happening::Command(ClientCommand::Playout(report)));
        }
        let hears_agent = self.client.is_heard(now);
        let sound = self.person.as_mut().map_or(self.sound, |person| person.next(hears_agent));
        let packet = Rc::new(self.user.record(now, sound, &self.air));
        for at in self.up.send(now).into_iter().flatten() {
            self.plan(at, Happening::Arrives(Rc::clone(&packet)));
        }
        let due_us = i64::from(self.user.frames()) * FRAME.as_micros() as i64;
        let next = SessionTime::from_micros((due_us + due_us * self.drift_ppm / 1_000_000) as u64);
        self.plan(next, Happening::UserFrame);
    }

    /// The client asks for something, now.
    pub(crate) fn command_of_client(&mut self, command: ClientCommand) {
        if let ClientCommand::Mute { muted } = command {
            let mut tap = self.tap.borrow_mut();
            if tap.is_muted != muted {
                (tap.is_muted, tap.muted_at) = (muted, self.now);
            }
        }
        self.trace.note(self.now, &format!("client {}", name_of(&command)));
        self.agent.handle_client(self.now, command);
        self.drain();
    }

    fn drain(&mut self) {
        let now = self.now;
        while let Some(output) = self.agent.poll_output() {
            match output {
                AgentOutput::Packet(packet) => self.packet(&packet),
                AgentOutput::Backend(BackendInput::Audio(pcm)) => self.audio(&pcm),
                AgentOutput::Backend(BackendInput::Command(command)) => self.command(command),
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
        self.checks.agent(now, &self.agent);
    }

    fn packet(&mut self, packet: &EncodedFrame) {
        let altered = self.fault.as_mut().map(|fault| fault.packet(packet));
        let packet = match &altered {
            Some(Some(altered)) => altered,
            Some(None) => return,
            None => packet,
        };
        let received = self.checks.packet(packet);
        self.air.play(self.now, packet.payload());
        for at in self.down.send(self.now).into_iter().flatten() {
            if let Some(received) = received {
                self.plan(at, Happening::Reaches(received));
            }
        }
    }

    fn audio(&mut self, pcm: &PcmFrame) {
        match &mut self.fault {
            Some(fault) => {
                for pcm in fault.user_audio(pcm) {
                    self.checks.user_audio(&pcm.0);
                }
            }
            None => self.checks.user_audio(&pcm.0),
        }
    }

    fn command(&mut self, command: BackendCommand) {
        self.trace.command(self.now, &command);
        let truth = self.truth();
        let seen = match &mut self.fault {
            Some(fault) => fault.command(&command),
            None => Some(command.clone()),
        };
        if let Some(seen) = seen {
            self.checks.command(self.now, &seen, &truth);
        }
        for (at, made) in self.backend.command(self.now, &command) {
            self.plan(at, Happening::Backend(made));
        }
    }

    /// What the user has heard of the open reply, if the agent can know it.
    fn truth(&mut self) -> Truth {
        let is_told = self.is_calm && self.client.reporting == Reporting::Truthful;
        self.client.play(self.now);
        let open = self.checks.open_reply().filter(|_| is_told);
        let heard = open.map(|generation| self.client.played(generation));
        // A report is as old as its way and the time since the last one; and what was sent since may be
        // on its way or in the client's buffer.
        let ways_ms = self.up.network.delay_max_ms() + self.down.network.delay_max_ms();
        Truth { heard, tolerance: Duration::from_millis(ways_ms + 300) }
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
