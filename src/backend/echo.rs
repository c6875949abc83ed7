//! Says back what it heard, after the turn. Proves a call's whole path with no model in it.

use std::collections::VecDeque;
use std::future::{Future, pending};

use super::session::{self, Machine};
use super::{
    Abilities, Backend, BackendError, BackendOutput, BackendSession, Busy, CallContext, ReplyAudio,
    channels,
};
use crate::agent::{BackendInput, PcmFrame};
use crate::call::event::{BackendCommand, BackendEvent, Generation, TurnId};
use crate::limits::{BACKEND_EVENTS_WAITING_MAX, ECHO_FRAMES_MAX, WIDEBAND_HZ};
use crate::time::SessionTime;

/// What can be set of the echo backend.
#[derive(Clone, Debug, PartialEq)]
pub struct EchoSettings {
    /// Frames at both ends of the turn whose peak is below this are not said back, so that the reply
    /// begins with the voice. -90 to 0 dBFS, default -45; -90 keeps everything.
    pub silence_dbfs: f32,
}

impl EchoSettings {
    /// What is used where nothing is configured.
    pub const STANDARD: Self = Self { silence_dbfs: -45.0 };
}

/// The echo backend.
#[derive(Clone, Debug)]
pub struct Echo {
    settings: EchoSettings,
}

impl Echo {
    /// An echo with these settings.
    pub fn new(settings: EchoSettings) -> Result<Self, BackendError> {
        if !(-90.0..=0.0).contains(&settings.silence_dbfs) {
            let received = settings.silence_dbfs;
            let problem = format!("silence_dbfs: expected -90 to 0, received {received}");
            return Err(BackendError::Invalid { problem });
        }
        Ok(Self { settings })
    }
}

impl Backend for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            speculates: true,
            transcribes: false,
            says: false,
            greets: true,
            ends_turns: false,
            tools: false,
            recalls: false,
        }
    }

    fn open(&self, _call: CallContext) -> Result<BackendSession, Busy> {
        let (session, channels) = channels();
        tokio::spawn(session::run(Memory::new(&self.settings), channels));
        Ok(session)
    }
}

/// What was heard and what of it is still to be said back.
struct Memory {
    silence_peak: u16,
    heard: VecDeque<PcmFrame>,
    /// The turn that `heard` is of.
    turn: Option<TurnId>,
    reply: Option<(Generation, VecDeque<PcmFrame>)>,
    events: VecDeque<BackendEvent>,
}

impl Memory {
    fn new(settings: &EchoSettings) -> Self {
        let silence_peak = 10_f32.powf(settings.silence_dbfs / 20.0) * f32::from(i16::MAX);
        Self {
            silence_peak: silence_peak as u16,
            heard: VecDeque::new(),
            turn: None,
            reply: None,
            events: VecDeque::from([BackendEvent::Ready]),
        }
    }

    fn handle_command(&mut self, command: BackendCommand) {
        match command {
            BackendCommand::UserSpeechStarted { turn } => {
                self.turn = Some(turn);
                self.heard.clear();
            }
            BackendCommand::UserTurnDismissed { turn } if self.turn == Some(turn) => {
                self.turn = None;
                self.heard.clear();
            }
            BackendCommand::UserTurnEnded { generation, .. } => {
                let voiced = self.take_voiced();
                self.turn = None;
                self.answer(generation, voiced);
            }
            BackendCommand::UserText { generation, text, .. }
            // It has no voice of its own: the text is shown and not spoken.
            | BackendCommand::Say { generation, text } => {
                self.answer(generation, VecDeque::new());
                self.events.push_back(BackendEvent::ReplyText { generation, text });
            }
            BackendCommand::Greet { generation } | BackendCommand::Speak { generation } => {
                self.answer(generation, VecDeque::new());
            }
            BackendCommand::Cancel { generation, .. } => {
                self.reply.take_if(|(current, _)| *current == generation);
            }
            // Its answer takes no time: there is nothing to make ahead.
            BackendCommand::Speculate { .. }
            | BackendCommand::Withdraw { .. }
            | BackendCommand::UserTurnDismissed { .. }
            | BackendCommand::Played { .. }
            | BackendCommand::ToolResult { .. }
            | BackendCommand::Measured(_) => {}
        }
    }

    fn answer(&mut self, generation: Generation, frames: VecDeque<PcmFrame>) {
        self.events.push_back(BackendEvent::ReplyStarted { generation });
        self.reply = Some((generation, frames));
    }

    /// What was heard, without the silence at both ends.
    fn take_voiced(&mut self) -> VecDeque<PcmFrame> {
        let mut frames = std::mem::take(&mut self.heard);
        let is_voiced = |frame: &PcmFrame| {
            frame.0.iter().any(|sample| sample.unsigned_abs() >= self.silence_peak)
        };
        let end = frames.iter().rposition(is_voiced).map_or(0, |last| last + 1);
        frames.truncate(end);
        let start = frames.iter().position(is_voiced).unwrap_or(0);
        frames.drain(..start);
        frames
    }
}

impl Machine for Memory {
    type Report = ();

    fn handle_input(&mut self, _now: SessionTime, input: BackendInput) {
        match input {
            // A turn too long to remember is remembered by its beginning.
            BackendInput::Audio(frame) if self.heard.len() < ECHO_FRAMES_MAX => {
                self.heard.push_back(frame);
            }
            BackendInput::Audio(_) => {}
            BackendInput::Command(command) => self.handle_command(command),
        }
    }

    fn handle_report(&mut self, _now: SessionTime, (): ()) {}

    fn next_report(&mut self) -> impl Future<Output = ()> + Send {
        pending()
    }

    fn poll_output(&mut self, _now: SessionTime) -> Option<BackendOutput> {
        if let Some(event) = self.events.pop_front() {
            return Some(BackendOutput::Event(event));
        }
        let (generation, frames) = self.reply.as_mut()?;
        let generation = *generation;
        if let Some(frame) = frames.pop_front() {
            let pcm = frame.0.to_vec();
            let audio = ReplyAudio { generation, sample_rate_hz: WIDEBAND_HZ, pcm };
            return Some(BackendOutput::Audio(audio));
        }
        self.reply = None;
        Some(BackendOutput::Event(BackendEvent::ReplyFinished { generation }))
    }

    fn poll_timeout(&self) -> Option<SessionTime> {
        let has_output = !self.events.is_empty() || self.reply.is_some();
        has_output.then_some(SessionTime::ZERO)
    }

    fn wants_input(&self) -> bool {
        self.events.len() < BACKEND_EVENTS_WAITING_MAX
    }

    fn is_over(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
