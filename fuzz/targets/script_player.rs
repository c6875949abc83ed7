//! Commands to the scripted backend, in any order, while the shipped scripts play.
#![no_main]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use antiphon::call::event::{BackendCommand, BackendEvent, Generation, Heard, TurnId};
use antiphon::limits::BACKEND_BLOCK_SAMPLES_MAX;
use antiphon::script::{self, player::Act, player::Player};
use antiphon::time::SessionTime;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

const SCRIPTS: [&str; 4] = [
    include_str!("../../deploy/examples/tone.yaml"),
    include_str!("../../deploy/examples/conversation.yaml"),
    include_str!("../../deploy/examples/tools.yaml"),
    include_str!("../../deploy/examples/faults.yaml"),
];

#[derive(Arbitrary, Debug)]
enum Operation {
    Wait { ms: u16 },
    Frame,
    Greet { generation: u8 },
    Speak { generation: u8 },
    SpeechStarted { turn: u8 },
    TurnEnded { turn: u8, generation: u8 },
    /// The turn is over, and what was made ahead as this is the answer.
    Confirmed { turn: u8, generation: u8 },
    Text { turn: u8, generation: u8 },
    Dismissed { turn: u8 },
    Speculate { turn: u8, generation: u8 },
    Withdraw { turn: u8, generation: u8 },
    Say { generation: u8, chars: u8 },
    Cancel { generation: u8 },
    ToolResult { call: u8 },
}

fuzz_target!(|input: (u8, Vec<Operation>)| {
    let (choice, operations) = input;
    let text = SCRIPTS[usize::from(choice) % SCRIPTS.len()];
    let script = Arc::new(script::parse(text).expect("the shipped scripts are good"));
    let clips = vec![vec![1_000; 700]; script.wavs.len()].into();
    let mut now = SessionTime::ZERO;
    let mut player = Player::new(script, clips, now);
    let mut confirmed = HashSet::new();
    for operation in operations {
        if let Operation::Confirmed { generation, .. } = operation {
            confirmed.insert(ahead(generation));
        }
        match command(&operation) {
            Some(command) => player.handle_command(now, command),
            None => match operation {
                Operation::Wait { ms } => now += Duration::from_millis(ms.into()),
                _ => player.handle_frame(),
            },
        }
        // What is taken as fast as it comes must still end: a reply is minutes long at most.
        for _ in 0..200 {
            match player.poll_output(now) {
                Some(Act::Audio { pcm, .. }) => assert!(pcm.len() <= BACKEND_BLOCK_SAMPLES_MAX),
                Some(Act::Event(
                    BackendEvent::ToolCall { generation, .. }
                    | BackendEvent::ReplyFinished { generation }
                    | BackendEvent::ReplyFailed { generation, .. },
                )) => assert!(
                    generation.0 % 2 == 0 || confirmed.contains(&generation),
                    "an answer made ahead did what cannot be taken back"
                ),
                Some(_) => {}
                None => break,
            }
        }
        assert!(!player.is_gone() || player.poll_timeout().is_none(), "gone, but wants to wake");
    }
});

/// Replies that are made ahead have odd numbers, others even ones.
fn ahead(generation: u8) -> Generation {
    Generation(u32::from(generation) * 2 + 1)
}

fn command(operation: &Operation) -> Option<BackendCommand> {
    let generation = |generation: u8| Generation(u32::from(generation) * 2);
    let turn = |turn: u8| TurnId(turn.into());
    Some(match *operation {
        Operation::Wait { .. } | Operation::Frame => return None,
        Operation::Greet { generation: id } => BackendCommand::Greet { generation: generation(id) },
        Operation::Speak { generation: id } => BackendCommand::Speak { generation: generation(id) },
        Operation::SpeechStarted { turn: id } => {
            BackendCommand::UserSpeechStarted { turn: turn(id) }
        }
        Operation::TurnEnded { turn: id, generation: reply } => {
            BackendCommand::UserTurnEnded { turn: turn(id), generation: generation(reply) }
        }
        Operation::Confirmed { turn: id, generation: reply } => {
            BackendCommand::UserTurnEnded { turn: turn(id), generation: ahead(reply) }
        }
        Operation::Text { turn: id, generation: reply } => BackendCommand::UserText {
            turn: turn(id),
            generation: generation(reply),
            text: "hello".to_owned(),
        },
        Operation::Dismissed { turn: id } => BackendCommand::UserTurnDismissed { turn: turn(id) },
        Operation::Speculate { turn: id, generation: reply } => {
            BackendCommand::Speculate { turn: turn(id), generation: ahead(reply) }
        }
        Operation::Withdraw { turn: id, generation: reply } => {
            BackendCommand::Withdraw { turn: turn(id), generation: ahead(reply) }
        }
        Operation::Say { generation: id, chars } => {
            BackendCommand::Say { generation: generation(id), text: "x".repeat(chars.into()) }
        }
        Operation::Cancel { generation: id } => {
            BackendCommand::Cancel { generation: generation(id), heard: Heard::default() }
        }
        Operation::ToolResult { call } => {
            BackendCommand::ToolResult { call_id: format!("call-{call}"), result: "{}".to_owned() }
        }
    })
}
