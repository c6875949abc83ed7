//! Decisions as text, one line each, for golden tests and for people: `@1240ms user turn=2 gen=3`.
//!
//! Nobody's words are in it: text is shown as the number of its words.

use std::fmt::Write;
use std::time::Duration;

use crate::call::event::{
    BackendCommand, ClientEvent, Decision, DownlinkCommand, EchoVerdict, EndReason, FloorState,
    Heard, Output, TurnMetrics,
};
use crate::time::SessionTime;

/// A growing trace. It is as long as what is recorded: for tests and short recordings.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    text: String,
    /// What is known of the last frame of the user.
    evidence: Option<(EchoVerdict, f32)>,
}

impl Trace {
    /// An empty trace.
    pub const fn new() -> Self {
        Self { text: String::new(), evidence: None }
    }

    /// Takes note of what is known of a frame: a change of the floor to which the user may have led is
    /// shown with it from here on.
    pub const fn evidence(&mut self, echo: EchoVerdict, voice: f32) {
        self.evidence = Some((echo, voice));
    }

    /// Adds a line of the caller's own.
    pub fn note(&mut self, at: SessionTime, line: &str) {
        writeln!(self.text, "{at} {line}").expect("writing to a string cannot fail");
    }

    /// Adds an output of the conversation.
    pub fn output(&mut self, at: SessionTime, output: &Output) {
        match output {
            Output::Decision(decision) => self.decision(at, decision),
            Output::Backend(command) => self.command(at, command),
            Output::ReleaseHeld => self.note(at, "  release-held"),
            Output::Downlink(command) => self.downlink(at, *command),
            Output::JudgeTurn { turn } => self.note(at, &format!("  judge {turn}")),
            Output::Client(event) => self.client(at, event),
            Output::End(reason) => self.end(at, reason),
        }
    }

    /// Adds a decision.
    pub fn decision(&mut self, at: SessionTime, decision: &Decision) {
        let Decision { stage, generation, echo, voice } = decision;
        let (stage, echo) = (stage.name(), echo.name());
        self.note(at, &format!("  {stage} {generation} echo={echo} voice={voice:.2}"));
    }

    /// Adds a command to the backend.
    pub fn command(&mut self, at: SessionTime, command: &BackendCommand) {
        let line = match command {
            BackendCommand::Greet { generation } => format!("greet {generation}"),
            BackendCommand::Speak { generation } => format!("speak {generation}"),
            BackendCommand::UserSpeechStarted { turn } => format!("speech-started {turn}"),
            BackendCommand::Speculate { turn, generation } => {
                format!("speculate {turn} {generation}")
            }
            BackendCommand::Withdraw { turn, generation } => {
                format!("withdraw {turn} {generation}")
            }
            BackendCommand::UserTurnEnded { turn, generation } => {
                format!("turn-ended {turn} {generation}")
            }
            BackendCommand::UserText { turn, generation, text } => {
                format!("text {turn} {generation} words={}", words(text))
            }
            BackendCommand::UserTurnDismissed { turn } => format!("dismissed {turn}"),
            BackendCommand::Say { generation, text } => {
                format!("say {generation} words={}", words(text))
            }
            BackendCommand::Cancel { generation, heard } => {
                format!("cancel {generation} {}", shown(heard))
            }
            BackendCommand::Played { generation, heard } => {
                format!("played {generation} {}", shown(heard))
            }
            BackendCommand::ToolResult { .. } => "tool-result".to_owned(),
            BackendCommand::Measured(_) => return,
        };
        self.note(at, &format!("  -> {line}"));
    }

    /// Adds an event for the client. A change of the floor is not indented.
    pub fn client(&mut self, at: SessionTime, event: &ClientEvent) {
        let line = match event {
            ClientEvent::Floor { state, turn, generation, .. } => {
                let evidence = self.evidence_for(*state);
                let line = format!("{} {turn} {generation}{evidence}", state.name());
                return self.note(at, &line);
            }
            ClientEvent::UserStartedSpeaking { turn } => format!("user-started {turn}"),
            ClientEvent::UserStoppedSpeaking { turn } => format!("user-stopped {turn}"),
            ClientEvent::UserTranscript { turn, text, is_final } => {
                format!("transcript {turn} words={} final={is_final}", words(text))
            }
            ClientEvent::UserMuted { muted } => format!("muted={muted}"),
            ClientEvent::ReplyStarted { generation } => format!("reply-started {generation}"),
            ClientEvent::ReplyText { generation, text } => {
                format!("reply-text {generation} words={}", words(text))
            }
            ClientEvent::ReplyFinished { generation } => format!("reply-finished {generation}"),
            ClientEvent::BotStartedSpeaking { generation } => format!("bot-started {generation}"),
            ClientEvent::BotStoppedSpeaking { generation, interrupted, heard } => {
                format!("bot-stopped {generation} interrupted={interrupted} {}", shown(heard))
            }
            ClientEvent::Turn(metrics) => measured(metrics),
            ClientEvent::Used { turn, usage } => {
                let tokens = [usage.speech_in, usage.text_in, usage.speech_out, usage.text_out];
                let (heard_ms, chars) = (usage.heard_ms, usage.spoken_chars);
                format!("used {turn} tokens={tokens:?} heard={heard_ms}ms spoken={chars}chars")
            }
            ClientEvent::ToolCall { generation, name, .. } => {
                format!("tool-call {generation} {name}")
            }
            ClientEvent::Error { message, fatal } => format!("error fatal={fatal}: {message}"),
        };
        self.note(at, &format!("  {line}"));
    }

    /// Adds a command to the downlink.
    pub fn downlink(&mut self, at: SessionTime, command: DownlinkCommand) {
        let line = match command {
            DownlinkCommand::Play { generation } => format!("play {generation}"),
            DownlinkCommand::Pause => "pause".to_owned(),
            DownlinkCommand::Resume => "resume".to_owned(),
            DownlinkCommand::Flush => "flush".to_owned(),
            DownlinkCommand::Finish { generation } => format!("finish {generation}"),
            DownlinkCommand::Clip { clip } => format!("clip {}", clip.name()),
        };
        self.note(at, &format!("  downlink {line}"));
    }

    /// Adds the end.
    pub fn end(&mut self, at: SessionTime, reason: &EndReason) {
        let reason = reason.name();
        self.note(at, &format!("end {reason}"));
    }

    /// What was heard is why the floor came to be the user's or is contested; the agent's steps have
    /// other reasons.
    fn evidence_for(&self, state: FloorState) -> String {
        let by_user = matches!(
            state,
            FloorState::User | FloorState::Settling | FloorState::Contested | FloorState::Yielding
        );
        match self.evidence.filter(|_| by_user) {
            Some((echo, voice)) => format!(" echo={} voice={voice:.2}", echo.name()),
            None => String::new(),
        }
    }

    /// Takes the text out; what follows begins anew.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// The trace so far.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn shown(heard: &Heard) -> String {
    format!("heard={}ms words={}", heard.duration.as_millis(), words(&heard.text))
}

fn measured(metrics: &TurnMetrics) -> String {
    let step = |duration: Option<Duration>| {
        duration.map_or_else(|| "-".to_owned(), |duration| duration.as_millis().to_string())
    };
    format!(
        "measured {} {} speech={} endpoint={} transcript={} text={} audio={} packet={}",
        metrics.turn,
        metrics.generation,
        metrics.speech.as_millis(),
        step(metrics.endpoint),
        step(metrics.transcript),
        step(metrics.first_text),
        step(metrics.first_audio),
        step(metrics.first_packet),
    )
}
