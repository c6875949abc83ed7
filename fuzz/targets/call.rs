//! Any sequence of inputs to the conversation: no panic, no endless wait, ordered turns and replies.

#![no_main]

use std::time::Duration;

use antiphon::call::event::{
    BackendCommand, BackendEvent, ClientCommand, EchoEvidence, FrameFeatures, Generation, Output,
    Playout, SentFrame, TurnId,
};
use antiphon::call::settings::CallSettings;
use antiphon::call::{Call, Timer};
use antiphon::time::SessionTime;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

/// One input. Replies and turns are small numbers, so that many are of what is open.
#[derive(Arbitrary, Debug)]
enum Input {
    Connected,
    Frame { voice: u8, concealed: bool, echo: bool },
    Wait { millis: u16 },
    Timeout,
    Ready,
    Transcript { turn: u8, is_final: bool },
    WantsToSpeak,
    Started { generation: u8 },
    Text { generation: u8, length: u8 },
    Finished { generation: u8 },
    Failed { generation: u8 },
    Gone,
    HangUp,
    Stuck,
    Audio { generation: u8, millis: u16 },
    Sent { generation: u8, is_loud: bool, queued_ms: u16 },
    Playout { generation: u8, millis: u32 },
    RoundTrip { millis: u16 },
    Typed { interrupt: bool },
    Mute { muted: bool },
    Key { key: char },
    ClientReady,
}

fuzz_target!(|inputs: Vec<Input>| {
    let mut call = Call::new(CallSettings::default());
    let mut now = SessionTime::ZERO;
    let mut book = Book::default();
    for input in &inputs {
        apply(&mut call, &mut now, input);
        while let Some(output) = call.poll_output() {
            book.note(&output);
        }
        let waits = call.deadline(Timer::CallLength).is_some();
        assert_eq!(waits, !book.ended, "a call ends, and ends once");
    }
});

/// What must hold of the outputs.
#[derive(Default)]
struct Book {
    turn: u32,
    open_turn: bool,
    generation: u32,
    open_reply: bool,
    ended: bool,
}

impl Book {
    fn note(&mut self, output: &Output) {
        assert!(!self.ended, "{output:?} after the end");
        match output {
            Output::End(_) => self.ended = true,
            Output::Backend(command) => self.command(command),
            _ => {}
        }
    }

    fn command(&mut self, command: &BackendCommand) {
        match command {
            BackendCommand::UserSpeechStarted { turn } => {
                self.turn_opens(*turn);
                self.open_turn = true;
            }
            BackendCommand::UserTurnEnded { generation, .. } => {
                assert!(std::mem::take(&mut self.open_turn));
                self.reply_opens(*generation);
            }
            BackendCommand::UserTurnDismissed { .. } => {
                assert!(std::mem::take(&mut self.open_turn));
            }
            BackendCommand::UserText { turn, generation, .. } => {
                self.turn_opens(*turn);
                self.reply_opens(*generation);
            }
            BackendCommand::Greet { generation } | BackendCommand::Speak { generation } => {
                self.reply_opens(*generation);
            }
            BackendCommand::Cancel { .. } | BackendCommand::Played { .. } => {
                assert!(std::mem::take(&mut self.open_reply));
            }
            BackendCommand::ToolResult { .. } | BackendCommand::Measured(_) => {}
        }
    }

    fn turn_opens(&mut self, turn: TurnId) {
        assert!(!self.open_turn);
        assert_eq!(turn.0, self.turn + 1);
        self.turn = turn.0;
    }

    fn reply_opens(&mut self, generation: Generation) {
        assert!(!self.open_reply);
        assert_eq!(generation.0, self.generation + 1);
        self.generation = generation.0;
        self.open_reply = true;
    }
}

fn apply(call: &mut Call, now: &mut SessionTime, input: &Input) {
    let reply = |generation: &u8| Generation(u32::from(*generation % 16));
    match input {
        Input::Connected => call.handle_connected(*now),
        Input::Frame { voice, concealed, echo } => {
            *now += Duration::from_millis(20);
            let features = FrameFeatures {
                at: *now,
                voice: f32::from(*voice) / 255.0,
                level_dbfs: -20.0,
                pitch_hz: None,
                echo: EchoEvidence {
                    reference_dbfs: -20.0,
                    likeness: if *echo { 1.0 } else { 0.0 },
                    ..EchoEvidence::NONE
                },
                concealed: *concealed,
            };
            call.handle_frame(*now, &features);
        }
        Input::Wait { millis } => *now += Duration::from_millis(u64::from(*millis)),
        Input::Timeout => call.handle_timeout(*now),
        Input::Audio { generation, millis } => {
            if call.admits(reply(generation)) {
                let duration = Duration::from_millis(u64::from(*millis));
                call.handle_reply_audio(*now, reply(generation), duration, duration / 2);
            }
        }
        Input::Sent { generation, is_loud, queued_ms } => {
            let level_dbfs = if *is_loud { -20.0 } else { -127.0 };
            let queued = Duration::from_millis(u64::from(*queued_ms));
            let generation = Some(reply(generation));
            call.handle_sent(*now, &SentFrame { generation, level_dbfs, queued });
        }
        Input::RoundTrip { millis } => {
            call.handle_round_trip(Duration::from_millis(u64::from(*millis)));
        }
        Input::Stuck => call.handle_backend_stuck(*now),
        Input::Playout { .. }
        | Input::Typed { .. }
        | Input::Mute { .. }
        | Input::Key { .. }
        | Input::ClientReady => call.handle_client(*now, command(input)),
        _ => call.handle_backend(*now, event(input)),
    }
}

fn command(input: &Input) -> ClientCommand {
    match input {
        Input::Playout { generation, millis } => ClientCommand::Playout(Playout {
            generation: Generation(u32::from(*generation % 16)),
            played: Duration::from_millis(u64::from(*millis)),
        }),
        Input::Typed { interrupt } => {
            ClientCommand::Text { text: "words".to_owned(), interrupt: *interrupt }
        }
        Input::Mute { muted } => ClientCommand::Mute { muted: *muted },
        Input::Key { key } => ClientCommand::Dtmf { key: *key },
        _ => ClientCommand::Ready,
    }
}

fn event(input: &Input) -> BackendEvent {
    let reply = |generation: &u8| Generation(u32::from(*generation % 16));
    let message = "message".to_owned();
    match input {
        Input::Transcript { turn, is_final } => BackendEvent::UserTranscript {
            turn: TurnId(u32::from(*turn % 16)),
            text: message,
            is_final: *is_final,
        },
        Input::WantsToSpeak => BackendEvent::WantsToSpeak,
        Input::Started { generation } => {
            BackendEvent::ReplyStarted { generation: reply(generation) }
        }
        Input::Text { generation, length } => BackendEvent::ReplyText {
            generation: reply(generation),
            text: "wörd 字 ".repeat(usize::from(*length)),
        },
        Input::Finished { generation } => {
            BackendEvent::ReplyFinished { generation: reply(generation) }
        }
        Input::Failed { generation } => {
            BackendEvent::ReplyFailed { generation: reply(generation), message }
        }
        Input::Gone => BackendEvent::Failed { message },
        Input::HangUp => BackendEvent::HangUp { reason: message },
        _ => BackendEvent::Ready,
    }
}
