//! Everything a conversation can be told, in any order.
#![no_main]

use std::time::Duration;

use antiphon::call::Call;
use antiphon::call::event::{
    BackendCommand, BackendEvent, ClientCommand, Disposition, DownlinkCommand, EchoVerdict,
    FrameFeatures, Generation, Output, Playout, SentFrame, TurnId,
};
use antiphon::call::settings::CallSettings;
use antiphon::time::SessionTime;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Operation {
    Wait {
        ms: u16,
    },
    Connected,
    /// So many frames of speech, or of silence.
    Frames {
        count: u8,
        speech: bool,
    },
    Frame {
        voice: f32,
        level_dbfs: f32,
        concealed: bool,
    },
    Backend {
        event: Said,
        back: u8,
    },
    /// `back` replies ago; 0 is the newest.
    Audio {
        back: u8,
        ms: u16,
    },
    Stuck,
    Sent {
        back: u8,
        silent: bool,
        queued_ms: u16,
    },
    Played {
        back: u8,
        ms: u32,
    },
    RoundTrip {
        ms: u16,
    },
    ClientReady,
    Text {
        length: u16,
        interrupt: bool,
    },
    Mute {
        muted: bool,
    },
    Key {
        key: char,
    },
    Disconnect,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Said {
    Ready,
    Transcript { is_final: bool },
    WantsToSpeak,
    Started,
    Text { length: u8 },
    Finished,
    Tool,
    ReplyFailed,
    Failed,
    HangUp,
}

/// A conversation, and what it asked for so far.
struct Run {
    call: Call,
    now: SessionTime,
    generation: u32,
    turn: u32,
    ended: bool,
}

/// Timeouts in a row without any input, by which a call must have ended. An endpoint that is asked
/// again each 20 ms, until the longest turn of two minutes is over, takes most of them.
const TIMEOUTS_MAX: usize = 10_000;

fuzz_target!(|operations: Vec<Operation>| {
    let call = Call::new(CallSettings::default());
    let mut run = Run { call, now: SessionTime::ZERO, generation: 0, turn: 0, ended: false };
    for operation in operations {
        run.apply(operation);
        run.drain();
    }
    for _ in 0..TIMEOUTS_MAX {
        let Some((at, _)) = run.call.poll_timeout() else { break };
        run.now = run.now.max(at);
        run.call.handle_timeout(run.now);
        run.drain();
    }
    assert!(run.ended && run.call.poll_timeout().is_none(), "it waits for ever: {:?}", run.call);
});

impl Run {
    fn apply(&mut self, operation: Operation) {
        let now = self.now;
        match operation {
            Operation::Wait { ms } => self.wait(Duration::from_millis(ms.into())),
            Operation::Connected => self.call.handle_connected(now),
            Operation::Frames { count, speech } => {
                for _ in 0..count {
                    let voice = if speech { 0.9 } else { 0.1 };
                    let level_dbfs = if speech { -20.0 } else { -80.0 };
                    self.hear(voice, level_dbfs, false);
                    self.wait(Duration::from_millis(20));
                }
            }
            Operation::Frame { voice, level_dbfs, concealed } => {
                self.hear(voice, level_dbfs, concealed);
            }
            Operation::Backend { event, back } => {
                let event = self.said(event, back);
                self.call.handle_backend(now, event);
            }
            Operation::Audio { back, ms } => {
                let generation = self.reply(back);
                if self.call.admits(generation) {
                    let length = Duration::from_millis(ms.into());
                    self.call.handle_reply_audio(now, generation, length);
                }
            }
            Operation::Stuck => self.call.handle_backend_stuck(now),
            Operation::Sent { back, silent, queued_ms } => {
                let generation = (!silent).then(|| self.reply(back));
                let queued = Duration::from_millis(queued_ms.into());
                let level_dbfs = if silent { -127.0 } else { -20.0 };
                self.call.handle_sent(now, &SentFrame { generation, level_dbfs, queued });
            }
            Operation::RoundTrip { ms } => {
                self.call.handle_round_trip(Duration::from_millis(ms.into()));
            }
            of_the_client => {
                let command = self.asked(of_the_client);
                self.call.handle_client(now, command);
            }
        }
    }

    fn asked(&self, operation: Operation) -> ClientCommand {
        match operation {
            Operation::Played { back, ms } => ClientCommand::Playout(Playout {
                generation: self.reply(back),
                played: Duration::from_millis(ms.into()),
            }),
            Operation::Text { length, interrupt } => {
                ClientCommand::Text { text: "x".repeat(length.into()), interrupt }
            }
            Operation::Mute { muted } => ClientCommand::Mute { muted },
            Operation::Key { key } => ClientCommand::Dtmf { key },
            Operation::Disconnect => ClientCommand::Disconnect,
            _ => ClientCommand::Ready,
        }
    }

    fn said(&self, event: Said, back: u8) -> BackendEvent {
        let generation = self.reply(back);
        let turn = TurnId(self.turn.saturating_sub(back.into()));
        let message = "because".to_owned();
        match event {
            Said::Ready => BackendEvent::Ready,
            Said::Transcript { is_final } => {
                BackendEvent::UserTranscript { turn, text: "hello".to_owned(), is_final }
            }
            Said::WantsToSpeak => BackendEvent::WantsToSpeak,
            Said::Started => BackendEvent::ReplyStarted { generation },
            Said::Text { length } => {
                BackendEvent::ReplyText { generation, text: "so ".repeat(length.into()) }
            }
            Said::Finished => BackendEvent::ReplyFinished { generation },
            Said::Tool => BackendEvent::ToolCall {
                generation,
                call_id: "1".to_owned(),
                name: "look".to_owned(),
                arguments: "{}".to_owned(),
            },
            Said::ReplyFailed => BackendEvent::ReplyFailed { generation, message },
            Said::Failed => BackendEvent::Failed { message },
            Said::HangUp => BackendEvent::HangUp { reason: message },
        }
    }

    fn reply(&self, back: u8) -> Generation {
        Generation(self.generation.saturating_sub(back.into()))
    }

    fn hear(&mut self, voice: f32, level_dbfs: f32, concealed: bool) {
        let echo = EchoVerdict::Clear;
        let features = FrameFeatures { at: self.now, voice, level_dbfs, echo, concealed };
        let disposition = self.call.handle_frame(self.now, &features);
        assert!(!self.ended || disposition == Disposition::Drop, "heard after the end");
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.call.handle_timeout(self.now);
        let next = self.call.poll_timeout();
        assert!(next.is_none_or(|(at, _)| at > self.now), "{next:?} is overdue");
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.call.poll_output() {
            assert!(!self.ended, "after the end: {output:?}");
            match output {
                Output::Backend(command) => self.follow(&command),
                Output::Downlink(DownlinkCommand::Play { generation }) => {
                    assert_eq!(generation.0, self.generation, "plays what was not asked for");
                }
                Output::End(_) => self.ended = true,
                Output::Downlink(_) | Output::ReleaseHeld | Output::Client(_) => {}
            }
        }
    }

    /// Turns and replies are counted up, one by one.
    fn follow(&mut self, command: &BackendCommand) {
        match command {
            BackendCommand::Greet { generation } | BackendCommand::Speak { generation } => {
                self.opened(*generation);
            }
            BackendCommand::UserTurnEnded { generation, turn } => {
                assert_eq!(turn.0, self.turn, "the end of another turn");
                self.opened(*generation);
            }
            BackendCommand::UserText { generation, turn, .. } => {
                assert_eq!(turn.0, self.turn + 1, "a turn out of order");
                self.turn = turn.0;
                self.opened(*generation);
            }
            BackendCommand::UserSpeechStarted { turn } => {
                assert_eq!(turn.0, self.turn + 1, "a turn out of order");
                self.turn = turn.0;
            }
            BackendCommand::Cancel { generation, .. }
            | BackendCommand::Played { generation, .. } => {
                assert!(generation.0 <= self.generation, "a reply that was never asked for");
            }
            _ => {}
        }
    }

    fn opened(&mut self, generation: Generation) {
        assert!(generation.0 > self.generation, "a reply out of order");
        self.generation = generation.0;
    }
}
