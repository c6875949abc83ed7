//! A call's conversation with Nova Sonic: whatever the call, the service, the tools and the clock do.
#![no_main]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use antiphon::agent::PcmFrame;
use antiphon::call::event::{BackendCommand, BackendEvent, Generation, Heard, TurnId};
use antiphon::limits::NOVA_OUTPUTS_WAITING_MAX;
use antiphon::nova::conversation::{Act, Conversation, LineEvent, LineId, Made, Setup};
use antiphon::nova::fault::Fault;
use antiphon::nova::settings::NovaSettings;
use antiphon::nova::usage::Prices;
use antiphon::time::SessionTime;
use antiphon::tools::{Builtin, Executor, Job, Outcome, ToolDone, ToolSpec, Toolbox};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Op {
    Wait(u16),
    Frames(u8),
    Greet,
    Speak,
    Say,
    Text,
    SpeechStarted,
    TurnEnded,
    Dismissed,
    Cancel(u8),
    Played(u8),
    Opened(u8),
    Ended(u8, u8),
    Event(u8, u8),
    Bytes(u8, Vec<u8>),
    Tool(u8, bool),
}

const EVENTS: [&str; 18] = [
    r#"{"event":{"userSpeechStart":{"inputAudioOffsetMs":1}}}"#,
    r#"{"event":{"userSpeechEnd":{}}}"#,
    r#"{"event":{"contentStart":{"contentId":"u","type":"TEXT","role":"USER"}}}"#,
    r#"{"event":{"textOutput":{"contentId":"u","content":"hello there"}}}"#,
    r#"{"event":{"contentEnd":{"contentId":"u","type":"TEXT","stopReason":"PARTIAL_TURN"}}}"#,
    concat!(
        r#"{"event":{"contentStart":{"contentId":"p","type":"TEXT","role":"ASSISTANT","#,
        r#""additionalModelFields":"{\"generationStage\":\"SPECULATIVE\"}"}}}"#
    ),
    r#"{"event":{"textOutput":{"contentId":"p","content":"One two."}}}"#,
    r#"{"event":{"contentEnd":{"contentId":"p","type":"TEXT","stopReason":"PARTIAL_TURN"}}}"#,
    r#"{"event":{"contentStart":{"contentId":"s","type":"AUDIO","role":"ASSISTANT"}}}"#,
    r#"{"event":{"audioOutput":{"contentId":"s","content":"AAAAAAAAAAAAAAAA"}}}"#,
    r#"{"event":{"contentEnd":{"contentId":"s","type":"AUDIO","stopReason":"PARTIAL_TURN"}}}"#,
    r#"{"event":{"contentEnd":{"contentId":"s","type":"AUDIO","stopReason":"END_TURN"}}}"#,
    r#"{"event":{"contentEnd":{"contentId":"s","type":"AUDIO","stopReason":"INTERRUPTED"}}}"#,
    r#"{"event":{"textOutput":{"contentId":"p","content":"{ \"interrupted\" : true }","role":"ASSISTANT"}}}"#,
    r#"{"event":{"toolUse":{"contentId":"t","toolName":"echo","toolUseId":"1","content":"{}"}}}"#,
    r#"{"event":{"toolUse":{"contentId":"t","toolName":"echo","toolUseId":"2","content":"no"}}}"#,
    r#"{"event":{"usageEvent":{"details":{"total":{"input":{"speechTokens":9}}}}}}"#,
    r#"{"event":{"completionEnd":{"stopReason":"END_TURN"}}}"#,
];

/// The conversation, and what a call and a service may rely on.
struct Rig {
    talk: Conversation,
    now: SessionTime,
    turn: u32,
    generation: u32,
    /// Connections that were asked for and are not over.
    lines: BTreeSet<u32>,
    opened: BTreeSet<u32>,
    interrupted: BTreeSet<u32>,
    finished: BTreeSet<u32>,
    tickets: Vec<u64>,
}

impl Rig {
    fn new() -> Self {
        let mut spec = ToolSpec::new("echo", "Says it back.", Executor::Server(Job::Builtin(Builtin::Echo)));
        spec.idempotent = true;
        let tools = Arc::new(Toolbox::new(vec![spec]).expect("the tool is right"));
        let mut settings = NovaSettings::default();
        settings.renewal.after = Duration::from_secs(20);
        settings.renewal.at_latest = Duration::from_secs(40);
        let setup = Setup {
            settings,
            system: String::new(),
            greeting: None,
            tools,
            prices: Prices::default(),
            call_id: "c".to_owned(),
            reply_timeout: Duration::from_secs(10),
            seed: 1,
        };
        let mut rig = Self {
            talk: Conversation::new(setup),
            now: SessionTime::ZERO,
            turn: 0,
            generation: 0,
            lines: BTreeSet::new(),
            opened: BTreeSet::new(),
            interrupted: BTreeSet::new(),
            finished: BTreeSet::new(),
            tickets: Vec::new(),
        };
        rig.drain();
        rig
    }

    fn next_generation(&mut self) -> Generation {
        self.generation += 1;
        Generation(self.generation)
    }

    fn line(&self, which: u8) -> Option<LineId> {
        let count = self.lines.len();
        (count > 0).then(|| LineId(*self.lines.iter().nth(which as usize % count).expect("in range")))
    }

    fn step(&mut self, op: &Op) {
        let (turn, now) = (TurnId(self.turn), self.now);
        let command = match op {
            Op::Wait(ms) => {
                let until = now + Duration::from_millis(u64::from(*ms));
                while let Some(due) = self.talk.poll_timeout().filter(|due| *due <= until) {
                    self.now = self.now.max(due);
                    self.talk.handle_timeout(self.now);
                    self.drain();
                }
                self.now = until;
                return;
            }
            Op::Frames(count) => {
                for _ in 0..*count {
                    self.now += Duration::from_millis(20);
                    self.talk.handle_frame(self.now, &PcmFrame([700; 320]));
                    self.drain();
                }
                return;
            }
            Op::Greet => BackendCommand::Greet { generation: self.next_generation() },
            Op::Speak => BackendCommand::Speak { generation: self.next_generation() },
            Op::Say => {
                BackendCommand::Say { generation: self.next_generation(), text: "Hi".to_owned() }
            }
            Op::Text => {
                self.turn += 1;
                let turn = TurnId(self.turn);
                let text = "typed".to_owned();
                BackendCommand::UserText { turn, generation: self.next_generation(), text }
            }
            Op::SpeechStarted => {
                self.turn += 1;
                BackendCommand::UserSpeechStarted { turn: TurnId(self.turn) }
            }
            Op::TurnEnded => {
                BackendCommand::UserTurnEnded { turn, generation: self.next_generation() }
            }
            Op::Dismissed => BackendCommand::UserTurnDismissed { turn },
            Op::Cancel(back) => BackendCommand::Cancel {
                generation: Generation(self.generation.saturating_sub(u32::from(*back % 3))),
                heard: Heard { text: "One".to_owned(), ..Heard::default() },
            },
            Op::Played(back) => BackendCommand::Played {
                generation: Generation(self.generation.saturating_sub(u32::from(*back % 3))),
                heard: Heard::default(),
            },
            Op::Opened(which) => {
                let unopened: Vec<u32> = self.lines.difference(&self.opened).copied().collect();
                if let Some(line) = unopened.get(*which as usize % unopened.len().max(1)) {
                    self.opened.insert(*line);
                    let event = LineEvent::Opened { credentials_last: None, warm: None };
                    self.talk.handle_line(now, LineId(*line), event);
                    self.drain();
                }
                return;
            }
            Op::Ended(which, fault) => {
                if let Some(line) = self.line(*which) {
                    self.lines.remove(&line.0);
                    let fault = match fault % 4 {
                        0 => Fault::Ended,
                        1 => Fault::Busy,
                        2 => Fault::Exception {
                            code: "validationException".to_owned(),
                            message: "Chat history is over max limit".to_owned(),
                        },
                        _ => Fault::Transport { message: "reset".to_owned() },
                    };
                    self.talk.handle_line(now, line, LineEvent::Ended(fault));
                    self.drain();
                }
                return;
            }
            Op::Event(which, event) => {
                let json = EVENTS[*event as usize % EVENTS.len()].as_bytes().to_vec();
                return self.event(*which, json);
            }
            Op::Bytes(which, bytes) => return self.event(*which, bytes.clone()),
            Op::Tool(which, succeeds) => {
                let count = self.tickets.len();
                if count > 0 {
                    let ticket = self.tickets.swap_remove(*which as usize % count);
                    let outcome = match succeeds {
                        true => Outcome::Result(serde_json::json!({ "a": 1 })),
                        false => Outcome::Failed("no".to_owned()),
                    };
                    self.talk.handle_tool(now, ToolDone { ticket, outcome });
                    self.drain();
                }
                return;
            }
        };
        self.talk.handle_command(now, command);
        self.drain();
    }

    fn event(&mut self, which: u8, json: Vec<u8>) {
        if let Some(line) = self.line(which).filter(|line| self.opened.contains(&line.0))
            && self.talk.wants_events()
        {
            self.talk.handle_line(self.now, line, LineEvent::Event(json));
            self.drain();
        }
    }

    fn drain(&mut self) {
        let over = self.talk.is_hung_up();
        while let Some(act) = self.talk.poll_act() {
            match act {
                Act::Open { line, unit, .. } => {
                    assert!(!over, "a connection is opened after the end");
                    assert!(!unit.is_empty() && self.lines.insert(line.0));
                    assert!(self.lines.len() < 16, "connections pile up");
                }
                Act::Send { line, .. } => {
                    assert!(self.opened.contains(&line.0), "something is sent too early");
                }
                Act::Close { .. } => {}
                Act::Abort { line } => {
                    self.lines.remove(&line.0);
                }
                Act::Run(run) => self.tickets.push(run.ticket),
                Act::AbortRun { ticket } => self.tickets.retain(|known| *known != ticket),
            }
        }
        let mut made = 0;
        while let Some(next) = self.talk.poll_made() {
            made += 1;
            match next {
                Made::Audio { generation, pcm } => {
                    assert!(!pcm.is_empty() && generation.0 <= self.generation);
                    let is_over = self.finished.contains(&generation.0)
                        || self.interrupted.contains(&generation.0);
                    assert!(!is_over, "audio of {generation} after its end");
                }
                Made::Event(BackendEvent::Interrupted { generation }) => {
                    assert!(self.interrupted.insert(generation.0), "interrupted twice");
                }
                Made::Event(BackendEvent::ReplyFinished { generation }) => {
                    assert!(self.finished.insert(generation.0), "finished twice");
                }
                Made::Event(_) => {}
            }
        }
        assert!(made < 8 * NOVA_OUTPUTS_WAITING_MAX, "outputs pile up");
    }
}

fuzz_target!(|ops: Vec<Op>| {
    let mut rig = Rig::new();
    for op in ops.iter().take(400) {
        rig.step(op);
    }
    rig.talk.handle_hang_up(rig.now);
    rig.drain();
});
