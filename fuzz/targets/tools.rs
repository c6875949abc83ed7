//! What agents declare and what models ask for: any schema, any arguments, and any order of requests,
//! words, results and waits, in which each use is answered exactly once.
//!
//! The first line is a JSON Schema, the second the arguments, and the rest are operations.
#![no_main]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use antiphon::limits::{
    TOOL_ERROR_CHARS_MAX, TOOL_RESULT_BYTES_MAX, TOOL_USES_PENDING_MAX, TOOL_USES_REMEMBERED_MAX,
};
use antiphon::time::SessionTime;
use antiphon::tools::{
    Builtin, Confirm, Desk, DeskAct, Executor, Filler, Job, Outcome, ToolDone, ToolSpec, Toolbox,
};
use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

#[derive(Arbitrary, Debug)]
enum Operation {
    Wait {
        ms: u16,
    },
    Request {
        use_id: u8,
        tool: u8,
        arguments: Arguments,
    },
    Says {
        words: u8,
    },
    /// An execution reports, whether it is under way or not.
    Done {
        ticket: u8,
        failed: bool,
    },
    ClientAnswers {
        use_id: u8,
        result: String,
    },
    CancelAll,
}

#[derive(Arbitrary, Debug)]
enum Arguments {
    None,
    /// Those of the input's second line.
    Given,
    Text(String),
}

const NAMES: [&str; 5] = ["given", "echo", "where", "guarded", "nothing"];
const WORDS: [&str; 6] = ["yes", "no", "", "yes, but later", "sure?", "the weather"];

fuzz_target!(|input: &[u8]| {
    let (schema, rest) = line(input);
    let (arguments, operations) = line(rest);
    let (schema, arguments) = (String::from_utf8_lossy(schema), String::from_utf8_lossy(arguments));
    let mut specs = declared();
    if let Ok(schema) = serde_json::from_str(&schema) {
        specs.push(ToolSpec { parameters: schema, ..spec("given") });
    }
    let toolbox = match Toolbox::new(specs) {
        Ok(toolbox) => toolbox,
        Err(mistakes) => {
            assert!(mistakes.iter().all(|mistake| mistake.tool == "given"), "{mistakes:?}");
            Toolbox::new(declared()).expect("they are good")
        }
    };
    for index in 0..toolbox.len() {
        match toolbox.check_arguments(index, &arguments) {
            Ok(value) => assert!(value.is_object(), "{value}"),
            Err(problem) => assert!(problem.chars().count() <= TOOL_ERROR_CHARS_MAX, "{problem}"),
        }
    }
    let mut unstructured = Unstructured::new(operations);
    let mut run = Run::new(Arc::new(toolbox), &arguments);
    // Fewer than are remembered, or a forgotten use could be asked for again.
    for _ in 0..TOOL_USES_REMEMBERED_MAX {
        let Ok(operation) = Operation::arbitrary(&mut unstructured) else { break };
        run.apply(operation);
        if unstructured.is_empty() {
            break;
        }
    }
    run.end();
});

fn line(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}

fn spec(name: &str) -> ToolSpec {
    ToolSpec::new(name, "Something.", Executor::Server(Job::Builtin(Builtin::Echo)))
}

fn declared() -> Vec<ToolSpec> {
    let filler = Filler { after: Duration::from_secs(2), text: "One moment.".to_owned() };
    vec![
        ToolSpec { filler: Some(filler), ..spec("echo") },
        ToolSpec { executor: Executor::Client, ..spec("where") },
        ToolSpec { confirm: Some(Confirm::default()), ..spec("guarded") },
    ]
}

/// What becomes of a use, kept apart from the desk so that it can be contradicted.
struct Run<'a> {
    desk: Desk,
    now: SessionTime,
    arguments: &'a str,
    /// How often each use that was asked for was answered.
    answers: HashMap<String, usize>,
    /// The user has said yes since the question was put, which allows one execution.
    agreed: bool,
    questions: u64,
}

impl<'a> Run<'a> {
    fn new(toolbox: Arc<Toolbox>, arguments: &'a str) -> Self {
        Self {
            desk: Desk::new(toolbox, "call".to_owned()),
            now: SessionTime::ZERO,
            arguments,
            answers: HashMap::new(),
            agreed: false,
            questions: 0,
        }
    }

    fn apply(&mut self, operation: Operation) {
        let now = self.now;
        match operation {
            Operation::Wait { ms } => self.now += Duration::from_millis(ms.into()),
            Operation::Request { use_id, tool, arguments } => {
                let use_id = format!("use-{use_id}");
                let name = NAMES[usize::from(tool) % NAMES.len()];
                let arguments = match &arguments {
                    Arguments::None => "{}",
                    Arguments::Given => self.arguments,
                    Arguments::Text(text) => text,
                };
                self.answers.entry(use_id.clone()).or_insert(0);
                self.desk.request(now, &use_id, name, arguments);
            }
            Operation::Says { words } => {
                let words = WORDS[usize::from(words) % WORDS.len()];
                self.agreed |= words == "yes";
                self.desk.user_said(now, words);
            }
            Operation::Done { ticket, failed } => {
                let outcome = if failed {
                    Outcome::Failed(self.arguments.to_owned())
                } else {
                    Outcome::Result(Value::String(self.arguments.to_owned()))
                };
                self.desk.finished(now, ToolDone { ticket: ticket.into(), outcome });
            }
            Operation::ClientAnswers { use_id, result } => {
                self.desk.client_answered(now, &format!("use-{use_id}"), &result);
            }
            Operation::CancelAll => self.desk.cancel_all(now, "because"),
        }
        self.drain();
    }

    fn drain(&mut self) {
        if self.desk.stats().questions > self.questions {
            // An earlier yes counts for nothing.
            self.questions = self.desk.stats().questions;
            self.agreed = false;
        }
        while let Some(act) = self.desk.poll_act(self.now) {
            match act {
                DeskAct::Answer { use_id, result, .. } => {
                    let answers = self.answers.get_mut(&use_id).expect("it was asked for");
                    *answers += 1;
                    assert_eq!(*answers, 1, "{use_id} was answered twice");
                    assert!(result.len() <= TOOL_RESULT_BYTES_MAX, "{} bytes", result.len());
                    serde_json::from_str::<Map<String, Value>>(&result).expect("it is an object");
                }
                DeskAct::Run(run) => {
                    assert!(run.arguments.is_object(), "{}", run.arguments);
                    assert!(self.desk.is_pending(&run.use_id), "{run:?}");
                    if run.tool == "guarded" {
                        assert!(self.agreed, "it ran without a yes");
                        self.agreed = false;
                    }
                }
                DeskAct::AskClient { use_id, .. } | DeskAct::Filler { use_id, .. } => {
                    assert!(self.desk.is_pending(&use_id), "{use_id}");
                }
                DeskAct::Abort { .. } => {}
            }
        }
        assert!(self.desk.pending() <= TOOL_USES_PENDING_MAX);
        assert_eq!(self.desk.poll_timeout().is_some(), self.desk.pending() > 0);
        assert!(self.desk.poll_timeout().is_none_or(|at| at > self.now), "it is due but not done");
    }

    /// Time answers whoever was not answered yet.
    fn end(mut self) {
        while let Some(at) = self.desk.poll_timeout() {
            self.now = at;
            self.drain();
        }
        for (use_id, answers) in &self.answers {
            assert_eq!(*answers, 1, "{use_id}");
        }
    }
}
