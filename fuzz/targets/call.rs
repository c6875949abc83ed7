//! Any sequence of inputs to the conversation: no panic, no endless wait, ordered turns and replies.

#![no_main]

use std::time::Duration;

use antiphon::call::event::{
    BackendCommand, BackendEvent, Canceller, ClientCommand, EchoEvidence, FrameFeatures,
    Generation, Output, Playout, SentFrame, TurnId, WordTime,
};
use antiphon::call::settings::{CallSettings, InterruptionPolicy};
use antiphon::call::{Call, Timer};
use antiphon::time::SessionTime;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

/// One input. Replies and turns are small numbers, so that many are of what is open.
#[derive(Arbitrary, Debug)]
enum Input {
    Connected,
    Frame {
        voice: u8,
        level: u8,
        concealed: bool,
        echo: Echo,
    },
    /// So many frames alike: what takes time to be believed.
    Speech {
        frames: u8,
        voice: bool,
    },
    Wait {
        millis: u16,
    },
    Timeout,
    Ready,
    Transcript {
        turn: u8,
        is_final: bool,
    },
    LooksComplete {
        turn: u8,
        probability: f32,
    },
    TurnEnded {
        turn: u8,
    },
    Interrupted {
        generation: u8,
    },
    Words {
        generation: u8,
        count: u8,
        each_ms: u16,
    },
    WantsToSpeak,
    TurnsAreYours,
    Started {
        generation: u8,
    },
    Text {
        generation: u8,
        length: u8,
    },
    Finished {
        generation: u8,
    },
    Failed {
        generation: u8,
    },
    Gone,
    HangUp,
    Stuck,
    Audio {
        generation: u8,
        millis: u16,
    },
    Sent {
        generation: u8,
        is_loud: bool,
        queued_ms: u16,
    },
    Playout {
        generation: u8,
        millis: u32,
    },
    RoundTrip {
        millis: u16,
    },
    Typed {
        interrupt: bool,
    },
    Mute {
        muted: bool,
    },
    Key {
        key: char,
    },
    ClientReady,
}

/// What is known of the agent's own voice in a frame.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Echo {
    reference: u8,
    captured: u8,
    likeness: u8,
    delay_ms: Option<u16>,
    canceller: u8,
}

impl Echo {
    fn evidence(self) -> EchoEvidence {
        EchoEvidence {
            reference_dbfs: -f32::from(self.reference % 128),
            captured_dbfs: -f32::from(self.captured % 128),
            likeness: f32::from(self.likeness) / 255.0,
            delay: self.delay_ms.map(|ms| Duration::from_millis(ms.into())),
            canceller: match self.canceller % 3 {
                0 => Canceller::Off,
                1 => Canceller::Searching,
                _ => Canceller::Converged,
            },
        }
    }
}

/// How the call behaves, as far as it changes who may say what when.
#[derive(Arbitrary, Debug)]
struct Settings {
    greet: bool,
    policy: u8,
    first_words: u8,
    protects: bool,
    filler_ms: Option<u16>,
    idle_ms: Option<u16>,
    prompts: u8,
    hang_up: bool,
}

impl Settings {
    fn of_call(&self) -> CallSettings {
        let mut settings = CallSettings::default();
        settings.greet = self.greet;
        settings.interruption.policy = match self.policy % 4 {
            0 => InterruptionPolicy::Staged,
            1 => InterruptionPolicy::Immediate,
            2 => InterruptionPolicy::Words(2),
            _ => InterruptionPolicy::Never,
        };
        settings.interruption.first_words = u32::from(self.first_words % 21);
        settings.interruption.protected =
            if self.protects { vec!["字".into()] } else { Vec::new() };
        let millis = |ms: u16| Duration::from_millis(u64::from(ms) + 300);
        settings.wait.filler = self.filler_ms.map(millis);
        settings.idle.after = self.idle_ms.map(|ms| millis(ms) + Duration::from_secs(2));
        settings.idle.prompts = vec!["prompt".into(); usize::from(self.prompts % 4)];
        settings.idle.hang_up = self.hang_up;
        settings
    }
}

fuzz_target!(|run: (Settings, Vec<Input>)| {
    let (settings, inputs) = run;
    let mut call = Call::new(settings.of_call());
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
    /// The reply that is being made ahead of the turn's end.
    ahead: Option<Generation>,
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
                if self.ahead.take() == Some(*generation) {
                    assert!(!std::mem::replace(&mut self.open_reply, true));
                } else {
                    self.reply_opens(*generation);
                }
            }
            BackendCommand::Speculate { generation, .. } => {
                assert!(self.open_turn && self.ahead.is_none());
                self.counts(*generation);
                self.ahead = Some(*generation);
            }
            BackendCommand::Withdraw { generation, .. } => {
                assert!(self.open_turn);
                assert_eq!(self.ahead.take(), Some(*generation));
            }
            BackendCommand::UserTurnDismissed { .. } => {
                assert!(std::mem::take(&mut self.open_turn));
            }
            BackendCommand::UserText { turn, generation, .. } => {
                self.turn_opens(*turn);
                self.reply_opens(*generation);
            }
            BackendCommand::Greet { generation }
            | BackendCommand::Speak { generation }
            | BackendCommand::Say { generation, .. } => self.reply_opens(*generation),
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
        assert!(!self.open_reply && self.ahead.is_none());
        self.counts(generation);
        self.open_reply = true;
    }

    /// A reply that was withdrawn took a number too; none comes twice.
    fn counts(&mut self, generation: Generation) {
        assert!(generation.0 > self.generation);
        self.generation = generation.0;
    }
}

fn apply(call: &mut Call, now: &mut SessionTime, input: &Input) {
    let reply = |generation: &u8| Generation(u32::from(*generation % 16));
    match input {
        Input::Connected => call.handle_connected(*now),
        Input::Frame { voice, level, concealed, echo } => {
            let voice = f32::from(*voice) / 255.0;
            frame(call, now, voice, -f32::from(*level % 128), *concealed, echo.evidence());
        }
        Input::Speech { frames, voice } => {
            for _ in 0..frames % 64 {
                let (voice, level_dbfs) = if *voice { (0.95, -20.0) } else { (0.01, -80.0) };
                frame(call, now, voice, level_dbfs, false, EchoEvidence::NONE);
                call.handle_timeout(*now);
            }
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

fn frame(
    call: &mut Call,
    now: &mut SessionTime,
    voice: f32,
    level_dbfs: f32,
    concealed: bool,
    echo: EchoEvidence,
) {
    *now += Duration::from_millis(20);
    let at = *now;
    let features = FrameFeatures { at, voice, level_dbfs, pitch_hz: None, echo, concealed };
    call.handle_frame(*now, &features);
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
        Input::LooksComplete { turn, probability } => BackendEvent::TurnLooksComplete {
            turn: TurnId(u32::from(*turn % 16)),
            probability: *probability,
        },
        Input::TurnEnded { turn } => {
            BackendEvent::UserTurnEnded { turn: TurnId(u32::from(*turn % 16)) }
        }
        Input::Interrupted { generation } => {
            BackendEvent::Interrupted { generation: reply(generation) }
        }
        Input::Words { generation, count, each_ms } => BackendEvent::ReplyWords {
            generation: reply(generation),
            words: words(*count, *each_ms),
        },
        Input::WantsToSpeak => BackendEvent::WantsToSpeak,
        Input::TurnsAreYours => BackendEvent::TurnsAreYours,
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

/// Words one after the other; with `each_ms` odd, in the wrong order.
fn words(count: u8, each_ms: u16) -> Vec<WordTime> {
    let each = Duration::from_millis(each_ms.into());
    let word = |index: u8| {
        let place = if each_ms % 2 == 0 { index } else { count - index };
        let start = each * u32::from(place);
        WordTime { text: "wörd".to_owned(), start, end: start + each }
    };
    (0..count).map(word).collect()
}
