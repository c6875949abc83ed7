//! The conversation by itself, on features: every event in every state, and the rows that need
//! exact times.

mod every_event;
mod interruptions;
mod rows;

use std::time::Duration;

use super::event::*;
use super::settings::{CallSettings, EndpointSettings};
use super::trace::Trace;
use super::{Call, Timer};
use crate::limits::FRAME;
use crate::time::SessionTime;

/// Turns end after 600 ms of silence: the rows count it.
pub(super) fn fixed_silence() -> CallSettings {
    let endpoint = EndpointSettings::silence(Duration::from_millis(600));
    CallSettings { endpoint, ..CallSettings::default() }
}

/// A call that is driven frame by frame.
pub(super) struct Rig {
    pub(super) call: Call,
    pub(super) now: SessionTime,
    pub(super) outputs: Vec<Output>,
    pub(super) trace: Trace,
}

impl Rig {
    pub(super) fn new(settings: CallSettings) -> Self {
        let (now, outputs) = (SessionTime::ZERO, Vec::new());
        Self { call: Call::new(settings), now, outputs, trace: Trace::new() }
    }

    /// A call whose agent waits to be spoken to, with its backend ready.
    pub(super) fn silent() -> Self {
        Self::silent_with(CallSettings { greet: false, ..fixed_silence() })
    }

    pub(super) fn silent_with(settings: CallSettings) -> Self {
        let mut rig = Self::new(settings);
        rig.call.handle_connected(rig.now);
        rig.backend(BackendEvent::Ready);
        rig
    }

    /// One input, then everything that comes of it.
    pub(super) fn act(&mut self, act: impl FnOnce(&mut Call, SessionTime)) {
        act(&mut self.call, self.now);
        while let Some(output) = self.call.poll_output() {
            self.trace.output(self.now, &output);
            self.outputs.push(output);
        }
    }

    /// One frame of the user, 20 ms after the one before.
    pub(super) fn frame(&mut self, voice: f32) -> Disposition {
        self.frame_with(voice, EchoEvidence::NONE)
    }

    pub(super) fn frame_with(&mut self, voice: f32, echo: EchoEvidence) -> Disposition {
        self.now += FRAME;
        let (at, level_dbfs) = (self.now, if voice > 0.0 { -20.0 } else { -127.0 });
        let pitch_hz = None;
        let features = FrameFeatures { at, voice, level_dbfs, pitch_hz, echo, concealed: false };
        let mut disposition = Disposition::Drop;
        self.act(|call, now| disposition = call.handle_frame(now, &features));
        self.act(Call::handle_timeout);
        disposition
    }

    pub(super) fn say(&mut self, millis: u64) {
        for _ in 0..millis / 20 {
            self.frame(0.9);
        }
    }

    pub(super) fn quiet(&mut self, millis: u64) {
        for _ in 0..millis / 20 {
            self.frame(0.0);
        }
    }

    /// Lets time pass without frames, timer by timer.
    pub(super) fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some((at, _)) = self.call.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.act(Call::handle_timeout);
        }
        self.now = until;
    }

    pub(super) fn backend(&mut self, event: BackendEvent) {
        self.act(|call, now| call.handle_backend(now, event));
    }

    pub(super) fn client(&mut self, command: ClientCommand) {
        self.act(|call, now| call.handle_client(now, command));
    }

    pub(super) fn text(&mut self, text: &str, interrupt: bool) {
        let text = text.to_owned();
        self.client(ClientCommand::Text { text, interrupt });
    }

    /// Reply audio, as the agent passes it on.
    pub(super) fn audio(&mut self, generation: u32, millis: u64) {
        let generation = Generation(generation);
        self.act(|call, now| {
            if call.admits(generation) {
                let duration = Duration::from_millis(millis);
                call.handle_reply_audio(now, generation, duration, duration);
            }
        });
    }

    /// A frame of the reply leaves the host.
    pub(super) fn sent(&mut self, generation: u32, level_dbfs: f32, queued_ms: u64) {
        let generation = Some(Generation(generation));
        let queued = Duration::from_millis(queued_ms);
        self.act(|call, now| {
            call.handle_sent(now, &SentFrame { generation, level_dbfs, queued });
        });
    }

    /// The floor, or how the call as a whole is if it is not in conversation.
    pub(super) fn state(&self) -> &'static str {
        match self.call.phase {
            super::Phase::Connecting => "connecting",
            super::Phase::Open => self.call.floor().name(),
            super::Phase::Closing { .. } => "closing",
            super::Phase::Ended => "ended",
        }
    }

    pub(super) fn commands(&self) -> impl Iterator<Item = &BackendCommand> {
        self.outputs.iter().filter_map(|output| match output {
            Output::Backend(command) => Some(command),
            _ => None,
        })
    }

    /// Whatever waits has something that ends the waiting.
    pub(super) fn check_timers(&self) {
        let is_armed = |timer| self.call.deadline(timer).is_some();
        if self.state() == "ended" {
            assert_eq!(self.call.poll_timeout(), None, "nothing follows the end");
            return;
        }
        assert!(is_armed(Timer::CallLength), "no call is endless");
        let waits = match self.call.floor() {
            FloorState::Idle => true,
            FloorState::User => is_armed(Timer::Turn),
            FloorState::Settling => is_armed(Timer::Turn) && is_armed(Timer::Endpoint),
            FloorState::Thinking => is_armed(Timer::Reply) || is_armed(Timer::BackendSetup),
            FloorState::Agent => is_armed(Timer::Stall),
            FloorState::Contested | FloorState::Yielding => is_armed(Timer::Contest),
        };
        assert!(waits, "{} can wait for ever", self.state());
        if self.state() == "closing" {
            assert!(is_armed(Timer::Drain), "the end can wait for ever");
        }
    }
}
