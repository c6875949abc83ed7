//! The conversation against scripted connections, as traces.

mod connections;
mod recovery;
mod turns;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::call::event::{BackendCommand, Heard};
use crate::limits::WIDEBAND_FRAME;
use crate::nova::fault::Silence;
use crate::tools::{Builtin, Executor, Job, Outcome, ToolSpec};

const LOUD: PcmFrame = PcmFrame([1_000; WIDEBAND_FRAME]);
const FRAME_MS: u64 = 20;

/// A conversation, what it did, and a service that says what it is told to.
struct Rig {
    now: SessionTime,
    talk: Conversation,
    trace: String,
    tickets: Vec<u64>,
}

fn setup() -> Setup {
    let mut settings = NovaSettings::default();
    settings.renewal.jitter = Duration::ZERO;
    settings.renewal.user_silence = Duration::from_secs(3_600);
    settings.patience.stall = Duration::from_secs(8);
    Setup {
        settings,
        system: "Be brief.".to_owned(),
        greeting: None,
        tools: Arc::default(),
        prices: Prices::default(),
        call_id: "c".to_owned(),
        reply_timeout: Duration::from_secs(10),
        seed: 1,
    }
}

impl Rig {
    fn new(setup: Setup) -> Self {
        let talk = Conversation::new(setup);
        let mut rig =
            Self { now: SessionTime::ZERO, talk, trace: String::new(), tickets: Vec::new() };
        rig.drain();
        rig
    }

    /// A conversation whose first connection is open.
    fn open(setup: Setup) -> Self {
        let mut rig = Self::new(setup);
        rig.opened(1);
        rig.trace.clear();
        rig
    }

    fn opened(&mut self, line: u32) {
        self.line(line, LineEvent::Opened { credentials_last: None, warm: None });
    }

    fn line(&mut self, line: u32, event: LineEvent) {
        self.talk.handle_line(self.now, LineId(line), event);
        self.drain();
    }

    fn dies(&mut self, line: u32) {
        let fault = Fault::Exception {
            code: "internalServerException".to_owned(),
            message: "it broke".to_owned(),
        };
        self.line(line, LineEvent::Ended(fault));
    }

    /// Events from connection `line`.
    fn nova(&mut self, line: u32, events: &[Value]) {
        for event in events {
            let json = json!({ "event": event }).to_string().into_bytes();
            self.line(line, LineEvent::Event(json));
        }
    }

    fn command(&mut self, command: BackendCommand) {
        self.talk.handle_command(self.now, command);
        self.drain();
    }

    /// The user makes sound for so long.
    fn speak(&mut self, ms: u64) {
        for _ in 0..ms / FRAME_MS {
            self.now += Duration::from_millis(FRAME_MS);
            self.talk.handle_frame(self.now, &LOUD);
            self.time();
        }
    }

    /// Nothing comes from the user for so long.
    fn wait(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while let Some(due) = self.talk.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.time();
        }
        self.now = until;
    }

    fn time(&mut self) {
        if self.talk.poll_timeout().is_some_and(|due| due <= self.now) {
            self.talk.handle_timeout(self.now);
        }
        self.drain();
    }

    fn note(&mut self, line: &str) {
        self.trace.push_str(line);
        self.trace.push('\n');
    }

    /// A connection that is opened beside the live one is accepted at once.
    fn drain(&mut self) {
        let mut beside = None;
        while let Some(act) = self.talk.poll_act() {
            let line = match act {
                Act::Open { line, unit, renews: false } => {
                    format!("{} opens: {}", line.0, shown(&unit))
                }
                Act::Open { line, .. } => {
                    beside = Some(line.0);
                    format!("{} opens beside", line.0)
                }
                Act::Send { line, unit } => {
                    let shown = shown(&unit);
                    if shown == "audioInput" {
                        continue;
                    }
                    format!("{} <- {shown}", line.0)
                }
                Act::Close { line, unit } => format!("{} closes: {}", line.0, shown(&unit)),
                Act::Abort { line } => format!("{} aborted", line.0),
                Act::Run(run) => {
                    self.tickets.push(run.ticket);
                    format!("run {} {}", run.tool, run.arguments)
                }
                Act::AbortRun { ticket } => format!("abort run {ticket}"),
            };
            self.note(&line);
        }
        while let Some(made) = self.talk.poll_made() {
            let line = match made {
                Made::Event(event) => format!("-> {event:?}"),
                Made::Audio { generation, pcm } => format!("-> audio {generation} {}", pcm.len()),
            };
            self.note(&line);
        }
        if let Some(line) = beside {
            self.opened(line);
        }
    }

    fn check(&mut self, expected: &Expect) {
        expected.assert_eq(&std::mem::take(&mut self.trace));
    }
}

/// The events of a unit: names, with what matters of them.
fn shown(unit: &Unit) -> String {
    let mut names: Vec<String> = Vec::new();
    for json in unit {
        let event: Value = serde_json::from_slice(json).expect("events are JSON");
        let (name, body) =
            event["event"].as_object().expect("one event").iter().next().expect("one");
        let detail = match name.as_str() {
            "contentStart" => format!("({})", body["role"].as_str().unwrap_or("-")),
            "textInput" | "toolResult" => format!("({})", body["content"].as_str().unwrap_or("-")),
            _ => String::new(),
        };
        let name = format!("{name}{detail}");
        match names.last_mut() {
            Some(last) if name == "audioInput" && last.starts_with("audioInput") => {
                let count: u32 =
                    last.strip_prefix("audioInput x").map_or(1, |n| n.parse().unwrap());
                *last = format!("audioInput x{}", count + 1);
            }
            _ => names.push(name),
        }
    }
    names.join(" ")
}

// ---- what the service says ----

fn speech_started() -> Value {
    json!({ "userSpeechStart": { "inputAudioOffsetMs": 640 } })
}

fn speech_ended() -> Value {
    json!({ "userSpeechEnd": { "inputAudioOffsetMs": 1640, "inputAudioDetectionOffsetMs": 2040 } })
}

fn block(id: &str, role: &str, stage: &str, text: &str, stop: &str) -> Vec<Value> {
    let fields = json!({ "generationStage": stage }).to_string();
    vec![
        json!({ "contentStart": { "contentId": id, "type": "TEXT", "role": role, "additionalModelFields": fields } }),
        json!({ "textOutput": { "contentId": id, "content": text, "role": role } }),
        json!({ "contentEnd": { "contentId": id, "type": "TEXT", "stopReason": stop } }),
    ]
}

fn heard(text: &str) -> Vec<Value> {
    block("u", "USER", "FINAL", text, "PARTIAL_TURN")
}

fn planned(text: &str) -> Vec<Value> {
    block("p", "ASSISTANT", "SPECULATIVE", text, "PARTIAL_TURN")
}

fn marker() -> Vec<Value> {
    block("x", "ASSISTANT", "FINAL", "{ \"interrupted\" : true }", "INTERRUPTED")
}

fn audio_start() -> Value {
    json!({ "contentStart": { "contentId": "s", "type": "AUDIO", "role": "ASSISTANT" } })
}

fn audio() -> Value {
    // 480 samples.
    json!({ "audioOutput": { "contentId": "s", "content": "A".repeat(1_280) } })
}

fn audio_end(stop: &str) -> Value {
    json!({ "contentEnd": { "contentId": "s", "type": "AUDIO", "stopReason": stop } })
}

fn sentence(text: &str, stop: &str) -> Vec<Value> {
    let mut events = planned(text);
    events.extend([audio_start(), audio(), audio_end(stop)]);
    events
}

fn tool_use(id: &str, name: &str, arguments: &str) -> Vec<Value> {
    vec![
        json!({ "contentStart": { "contentId": "t", "type": "TOOL", "role": "TOOL" } }),
        json!({ "toolUse": { "contentId": "t", "toolName": name, "toolUseId": id, "content": arguments } }),
        json!({ "contentEnd": { "contentId": "t", "type": "TOOL", "stopReason": "TOOL_USE" } }),
    ]
}

const fn turn(n: u32) -> TurnId {
    TurnId(n)
}

const fn reply(n: u32) -> Generation {
    Generation(n)
}

fn was_heard(text: &str) -> Heard {
    Heard { text: text.to_owned(), ..Heard::default() }
}

/// The user says something as turn and reply `n`, and Nova hears it.
fn a_turn(rig: &mut Rig, line: u32, n: u32, text: &str) {
    rig.command(BackendCommand::UserSpeechStarted { turn: turn(n) });
    rig.nova(line, &[speech_started()]);
    rig.speak(1_000);
    rig.nova(line, &[speech_ended()]);
    rig.command(BackendCommand::UserTurnEnded { turn: turn(n), generation: reply(n) });
    rig.nova(line, &heard(text));
}

/// And is answered, and hears all of it.
fn an_answered_turn(rig: &mut Rig, line: u32, n: u32, text: &str, answer: &str) {
    a_turn(rig, line, n, text);
    rig.nova(line, &sentence(answer, "END_TURN"));
    rig.command(BackendCommand::Played { generation: reply(n), heard: was_heard(answer) });
}
