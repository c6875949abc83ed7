//! The same call in real time: the agent in a loop like the server's, and the real backend, whose streams
//! go over the AWS SDK, TLS and HTTP/2 to the simulator.

use std::collections::BTreeMap;
use std::time::Duration;

use antiphon::agent::{
    Agent, AgentOutput, AgentSettings, BackendInput, EncodedFrame, PayloadKind, RtpPacket,
};
use antiphon::backend::nova_sonic::NovaSonic;
use antiphon::backend::{Backend, BackendOutput, BackendSession, Busy, CallContext};
use antiphon::call::event::{BackendEvent, ClientEvent, EndReason};
use antiphon::dsp::vad::level::LevelVoice;
use antiphon::limits::{FRAME, WIDEBAND_FRAME};
use antiphon::media::pcm::PcmCodec;
use antiphon::time::SessionTime;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, sleep_until};

use crate::caller::{Caller, Frame, Manners, sounds};

/// From the slot of a packet to when the caller hears it, in slots: what a client buffers.
const EAR_DELAY_SLOTS: u64 = 2;
/// The caller's slots lie between the agent's, so that neither waits for the other.
const CALLER_PHASE: Duration = Duration::from_millis(10);

/// The call. It begins with [`RealCall::new`] and passes while [`RealCall::run`] is awaited.
#[derive(Debug)]
pub struct RealCall {
    /// The user.
    pub caller: Caller,
    /// Why the call ended, if it did.
    pub end: Option<EndReason>,
    /// Errors that the client was told of.
    pub complaints: Vec<String>,
    /// When each exchange took place, in their order.
    pub moments: Vec<Moments>,
    agent: Agent<PcmCodec, LevelVoice>,
    session: BackendSession,
    has_backend: bool,
    began: Instant,
    /// Slots of the caller so far.
    ticks: u64,
    /// What the caller will hear, by the slot that it was sent in.
    heard: BTreeMap<u64, Frame>,
}

/// One exchange on the clock.
#[derive(Clone, Copy, Debug)]
pub struct Moments {
    /// The last frame with sound of the question was complete.
    pub asked: Instant,
    /// The first packet with sound of the answer left the agent.
    pub answered: Option<Instant>,
}

impl RealCall {
    /// A call that connects at once. Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// The backend has no room for it.
    pub fn new(
        agent: AgentSettings,
        backend: &NovaSonic,
        call: CallContext,
        manners: Manners,
    ) -> Result<Self, Busy> {
        let mut call = Self {
            session: backend.open(call)?,
            caller: Caller::new(manners),
            end: None,
            complaints: Vec::new(),
            moments: Vec::new(),
            agent: Agent::new(agent, PcmCodec, LevelVoice::new(-45.0)),
            has_backend: true,
            began: Instant::now(),
            ticks: 0,
            heard: BTreeMap::new(),
        };
        call.agent.handle_connected(SessionTime::ZERO);
        call.drain(SessionTime::ZERO);
        Ok(call)
    }

    /// Lets time pass until the next question after so many exchanges was asked, or the call ends.
    pub async fn talk(&mut self, exchanges: usize) {
        self.run(|caller| caller.exchanges().len() > exchanges).await;
    }

    /// Lets time pass until the caller has enough of it, or the call ends.
    pub async fn run(&mut self, is_enough: impl Fn(&Caller) -> bool) {
        while self.end.is_none() && !is_enough(&self.caller) {
            let agent = self.agent.poll_timeout().map(|(at, _)| at);
            let next = agent.map_or(self.next_tick(), |at| at.min(self.next_tick()));
            tokio::select! {
                biased;
                () = sleep_until(self.began + next.since(SessionTime::ZERO)) => {}
                output = self.session.output.recv(),
                    if self.has_backend && self.agent.wants_backend() => self.hear_backend(output),
            }
            self.step();
        }
    }

    /// Does what is due. The agent goes first: what it sends now may be heard now.
    fn step(&mut self) {
        let now = self.now();
        if self.agent.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.agent.handle_timeout(now);
            self.drain(now);
        }
        while self.end.is_none() && self.next_tick() <= now {
            self.tick(now);
            self.drain(now);
        }
    }

    /// 20 ms of the user were recorded.
    fn tick(&mut self, now: SessionTime) {
        let slot = self.ticks.checked_sub(EAR_DELAY_SLOTS);
        let heard = slot.and_then(|slot| self.heard.remove(&slot)).unwrap_or([0; WIDEBAND_FRAME]);
        let said = self.caller.step(&heard);
        if sounds(&said) {
            self.moments.truncate(self.caller.exchanges().len() - 1);
            self.moments.push(Moments { asked: Instant::now(), answered: None });
        }
        let payload: Vec<u8> = said.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let packet = RtpPacket {
            kind: PayloadKind::Audio,
            sequence: self.ticks as u16,
            timestamp: (self.ticks * WIDEBAND_FRAME as u64) as u32,
            marker: false,
            level_dbfs: None,
            payload: &payload,
        };
        self.agent.handle_rtp(now, &packet);
        self.ticks += 1;
    }

    fn hear_backend(&mut self, output: Option<BackendOutput>) {
        let now = self.now();
        match output {
            Some(BackendOutput::Event(event)) => self.agent.handle_backend(now, event),
            Some(BackendOutput::Audio(audio)) => {
                let (generation, rate_hz) = (audio.generation, audio.sample_rate_hz);
                self.agent.handle_backend_audio(now, generation, rate_hz, &audio.pcm);
            }
            None => {
                self.has_backend = false;
                let message = "the backend is gone".to_owned();
                self.agent.handle_backend(now, BackendEvent::Failed { message });
            }
        }
        self.drain(now);
    }

    /// Passes on what the agent wants done.
    fn drain(&mut self, now: SessionTime) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                AgentOutput::Packet(packet) => self.deliver(&packet),
                AgentOutput::Backend(input) => self.send(now, input),
                AgentOutput::Client(ClientEvent::Error { message, .. }) => {
                    self.complaints.push(format!("{now}: {message}"));
                }
                AgentOutput::JudgeTurn { .. } | AgentOutput::Client(_) => {}
                AgentOutput::End(reason) => self.end = Some(reason),
            }
        }
    }

    fn send(&mut self, now: SessionTime, input: BackendInput) {
        if let Err(TrySendError::Full(_)) = self.session.input.try_send(input) {
            self.agent.handle_backend_stuck(now);
        }
    }

    fn deliver(&mut self, packet: &EncodedFrame) {
        let mut frame = [0; WIDEBAND_FRAME];
        let (samples, _) = packet.payload().as_chunks();
        for (heard, sample) in frame.iter_mut().zip(samples) {
            *heard = i16::from_le_bytes(*sample);
        }
        if sounds(&frame)
            && let Some(last) = self.moments.last_mut()
        {
            last.answered.get_or_insert_with(Instant::now);
        }
        let slot = u64::from(packet.timestamp) / WIDEBAND_FRAME as u64;
        self.heard.insert(slot, frame);
    }

    fn next_tick(&self) -> SessionTime {
        SessionTime::ZERO + CALLER_PHASE + FRAME * u32::try_from(self.ticks).unwrap_or(u32::MAX)
    }

    fn now(&self) -> SessionTime {
        SessionTime::from_micros(self.began.elapsed().as_micros() as u64)
    }
}

/// What a backend is told of a call.
pub fn context(call_id: &str, greeting: Option<&str>) -> CallContext {
    CallContext {
        call_id: call_id.to_owned(),
        persona: String::new(),
        greeting: greeting.map(str::to_owned),
        language: "en".to_owned(),
        reply_timeout: Duration::from_secs(10),
        history: Vec::new(),
    }
}
