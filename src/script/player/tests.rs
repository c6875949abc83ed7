use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;
use crate::script::parse;
use crate::script::sound::Sound;

/// A turn of the user ends as turn `n`, answered as generation `n`.
fn turn_ended(n: u32) -> BackendCommand {
    BackendCommand::UserTurnEnded { turn: TurnId(n), generation: Generation(n) }
}

fn cancel(n: u32) -> BackendCommand {
    BackendCommand::Cancel { generation: Generation(n), heard: Default::default() }
}

struct Game {
    player: Player,
    now: SessionTime,
    trace: String,
    samples: usize,
}

impl Game {
    fn new(text: &str) -> Self {
        let script = Arc::new(parse(text).expect("the script is right"));
        let clips: Arc<[Vec<i16>]> = script.wavs.iter().map(|_| vec![100; 2_400]).collect();
        let now = SessionTime::ZERO;
        Self { player: Player::new(script, clips, now), now, trace: String::new(), samples: 0 }
    }

    fn send(&mut self, command: BackendCommand) {
        self.player.handle_command(self.now, command);
    }

    /// Lets `ms` pass, taking everything the moment it is due.
    fn run(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        loop {
            while let Some(act) = self.player.poll_output(self.now) {
                self.note(act);
            }
            match self.player.poll_timeout().filter(|at| *at <= end) {
                Some(at) => self.now = self.now.max(at),
                None => break,
            }
            if self.player.is_gone() {
                break;
            }
        }
        self.now = end;
    }

    fn note(&mut self, act: Act) {
        if let Act::Audio { pcm, .. } = &act {
            self.samples += pcm.len();
            return;
        }
        self.flush();
        writeln!(self.trace, "{} {act:?}", self.now).expect("a string takes everything");
    }

    fn flush(&mut self) {
        if self.samples > 0 {
            writeln!(self.trace, "{} {} samples", self.now, self.samples)
                .expect("a string takes everything");
            self.samples = 0;
        }
    }

    fn check(mut self, expected: &Expect) {
        self.flush();
        expected.assert_eq(&self.trace);
    }
}

#[test]
fn turns_are_answered_in_order_and_again() {
    let mut game = Game::new(
        "ready_after_ms: 10\nturns:\n- think_ms: 100\n  reply: [{text: one}, {silence_ms: 100}]\n\
         - reply: [{text: two}, {wav: a}]\n",
    );
    game.run(20);
    for n in 1..=3 {
        game.send(turn_ended(n));
        game.run(300);
    }
    game.check(&expect![[r#"
        @10ms Event(Ready)
        @20ms Event(ReplyStarted { generation: Generation(1) })
        @120ms Event(ReplyText { generation: Generation(1), text: "one" })
        @160ms 2400 samples
        @160ms Event(ReplyFinished { generation: Generation(1) })
        @320ms Event(ReplyStarted { generation: Generation(2) })
        @320ms Event(ReplyText { generation: Generation(2), text: "two" })
        @360ms 2400 samples
        @360ms Event(ReplyFinished { generation: Generation(2) })
        @620ms Event(ReplyStarted { generation: Generation(3) })
        @720ms Event(ReplyText { generation: Generation(3), text: "one" })
        @760ms 2400 samples
        @760ms Event(ReplyFinished { generation: Generation(3) })
    "#]]);
}

#[test]
fn past_its_end_a_script_that_does_not_repeat_answers_with_nothing() {
    let mut game = Game::new("repeat: false\nturns: [{reply: [{text: one}]}]");
    for n in 1..=2 {
        game.send(turn_ended(n));
        game.run(10);
    }
    game.check(&expect![[r#"
        @0ms Event(Ready)
        @0ms Event(ReplyStarted { generation: Generation(1) })
        @0ms Event(ReplyText { generation: Generation(1), text: "one" })
        @0ms Event(ReplyFinished { generation: Generation(1) })
        @10ms Event(ReplyStarted { generation: Generation(2) })
        @10ms Event(ReplyFinished { generation: Generation(2) })
    "#]]);
}

#[test]
fn a_cancelled_reply_stops_at_once() {
    let mut game = Game::new("turns: [{reply: [{tone: {hz: 440, ms: 3000}}]}]");
    game.send(turn_ended(1));
    game.run(500);
    game.send(cancel(9));
    game.run(500);
    game.flush();
    game.send(cancel(1));
    game.run(5_000);
    game.check(&expect![[r#"
        @0ms Event(Ready)
        @0ms Event(ReplyStarted { generation: Generation(1) })
        @1000ms 25920 samples
    "#]]);
}

#[test]
fn audio_is_delivered_at_the_speed_asked_for() {
    for (speed, delivered_ms) in [("0.5", 310), ("1.0", 560), ("4.0", 2_060), ("max", 5_000)] {
        let reply = "[{tone: {hz: 90, ms: 5000}}, {stall_ms: 9000}]";
        let mut game = Game::new(&format!("speed: {speed}\nturns: [{{reply: {reply}}}]"));
        game.send(turn_ended(1));
        game.run(500);
        let seen_ms = game.samples / 24;
        assert!(seen_ms.abs_diff(delivered_ms) <= 20, "speed {speed}: {seen_ms} ms in 500 ms");
    }
}

#[test]
fn what_is_heard_grows_while_the_user_speaks() {
    let mut game = Game::new("turns: [{hears: 'one two', reply: []}]");
    game.send(BackendCommand::UserSpeechStarted { turn: TurnId(1) });
    for _ in 0..60 {
        game.player.handle_frame();
        game.run(20);
    }
    game.send(turn_ended(1));
    game.run(10);
    game.check(&expect![[r#"
        @0ms Event(Ready)
        @280ms Event(UserTranscript { turn: TurnId(1), text: "one", is_final: false })
        @580ms Event(UserTranscript { turn: TurnId(1), text: "one two", is_final: false })
        @1200ms Event(UserTranscript { turn: TurnId(1), text: "one two", is_final: true })
        @1200ms Event(ReplyStarted { generation: Generation(1) })
        @1200ms Event(ReplyFinished { generation: Generation(1) })
    "#]]);
}

#[test]
fn a_tool_call_waits_for_its_result_but_not_for_ever() {
    let text = "turns: [{reply: [{tool: {name: f, wait_ms: 400}}, {text: after}]}]";
    let mut game = Game::new(text);
    game.send(turn_ended(1));
    game.run(100);
    for call_id in ["other", "call-1"] {
        let (call_id, result) = (call_id.to_owned(), "1".to_owned());
        game.send(BackendCommand::ToolResult { call_id, result });
        game.run(100);
    }
    game.send(turn_ended(2));
    game.run(1_000);
    game.check(&expect![[r#"
        @0ms Event(Ready)
        @0ms Event(ReplyStarted { generation: Generation(1) })
        @0ms Event(ToolCall { generation: Generation(1), call_id: "call-1", name: "f", arguments: "{}" })
        @200ms Event(ReplyText { generation: Generation(1), text: "after" })
        @200ms Event(ReplyFinished { generation: Generation(1) })
        @300ms Event(ReplyStarted { generation: Generation(2) })
        @300ms Event(ToolCall { generation: Generation(2), call_id: "call-2", name: "f", arguments: "{}" })
        @700ms Event(ReplyText { generation: Generation(2), text: "after" })
        @700ms Event(ReplyFinished { generation: Generation(2) })
    "#]]);
}

#[test]
fn faults_end_the_reply_or_the_backend() {
    let mut game = Game::new(
        "greeting: [{text: hi}, {user_final: never}]\n\
         turns: [{reply: [{fail_reply: a}, {text: never}]}, {reply: [{stall_ms: 50}, {hang_up: b}]}, \
         {reply: [{fail_backend: c}, {text: never}]}]",
    );
    game.send(BackendCommand::Greet { generation: Generation(9) });
    game.run(10);
    for n in 1..=4 {
        game.send(turn_ended(n));
        game.run(100);
    }
    assert!(game.player.is_gone());
    game.check(&expect![[r#"
        @0ms Event(Ready)
        @0ms Event(ReplyStarted { generation: Generation(9) })
        @0ms Event(ReplyText { generation: Generation(9), text: "hi" })
        @0ms Event(ReplyFinished { generation: Generation(9) })
        @10ms Event(ReplyStarted { generation: Generation(1) })
        @10ms Event(ReplyFailed { generation: Generation(1), message: "a" })
        @110ms Event(ReplyStarted { generation: Generation(2) })
        @160ms Event(HangUp { reason: "b" })
        @160ms Event(ReplyFinished { generation: Generation(2) })
        @210ms Event(ReplyStarted { generation: Generation(3) })
        @210ms Event(Failed { message: "c" })
    "#]]);
}

#[test]
fn a_tone_has_its_frequency_its_level_and_no_clicks() {
    let mut sound = Sound::tone(440.0, Duration::from_secs(1), -12.0, 24_000);
    let pcm = sound.pop(usize::MAX / 2, &[]);
    assert_eq!(pcm.len(), 24_000);
    let peak = pcm.iter().map(|sample| sample.unsigned_abs()).max().expect("it is not empty");
    let peak_dbfs = 20.0 * (f64::from(peak) / f64::from(i16::MAX)).log10();
    assert!((peak_dbfs + 12.0).abs() < 0.05, "{peak_dbfs} dBFS");
    let upward = pcm.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
    assert!(upward.abs_diff(440) <= 1, "{upward} periods");
    let step = pcm.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max();
    let steepest = std::f64::consts::TAU * 440.0 / 24_000.0 * f64::from(peak) + 2.0;
    assert!(f64::from(step.expect("it is not empty")) <= steepest, "a click");
    assert!(pcm[0] == 0 && pcm[23_999] == 0);
}

#[test]
fn the_shipped_scripts_play_to_their_end() {
    let shipped = [
        include_str!("../../../deploy/examples/tone.yaml"),
        include_str!("../../../deploy/examples/slow.yaml"),
        include_str!("../../../deploy/examples/fast.yaml"),
        include_str!("../../../deploy/examples/tools.yaml"),
        include_str!("../../../deploy/examples/faults.yaml"),
        include_str!("../../../deploy/examples/conversation.yaml"),
    ];
    for text in shipped {
        let turns = parse(text).map(|script| script.turns.len()).expect("the script is right");
        let mut game = Game::new(text);
        game.run(60_000);
        for n in 1..=turns as u32 {
            game.send(turn_ended(n));
            game.run(700_000);
            let finished = format!("ReplyFinished {{ generation: Generation({n}) }}");
            let failed = format!("ReplyFailed {{ generation: Generation({n})");
            let ended = game.trace.contains(&finished) || game.trace.contains(&failed);
            assert!(ended || game.player.is_gone(), "{}", game.trace);
        }
    }
}

fn speculate(n: u32, generation: u32) -> BackendCommand {
    BackendCommand::Speculate { turn: TurnId(n), generation: Generation(generation) }
}

fn withdraw(n: u32, generation: u32) -> BackendCommand {
    BackendCommand::Withdraw { turn: TurnId(n), generation: Generation(generation) }
}

#[test]
fn an_answer_made_ahead_goes_on_when_the_turn_was_over() {
    let mut game = Game::new(
        "speed: max\nturns:\n- hears: a\n  think_ms: 50\n  reply: [{text: one}, {silence_ms: 100}, \
         {tool: {name: f, wait_ms: 0}}, {silence_ms: 100}]\n- reply: [{text: two}]\n",
    );
    game.run(10);
    game.send(speculate(1, 1));
    game.run(400);
    game.send(turn_ended(1));
    game.run(100);
    game.send(turn_ended(2));
    game.run(100);
    // The tool is called, and the reply finished, only once the turn is over.
    game.check(&expect![[r#"
        @0ms Event(Ready)
        @10ms Event(ReplyStarted { generation: Generation(1) })
        @60ms Event(ReplyText { generation: Generation(1), text: "one" })
        @410ms 2400 samples
        @410ms Event(UserTranscript { turn: TurnId(1), text: "a", is_final: true })
        @410ms Event(ToolCall { generation: Generation(1), call_id: "call-1", name: "f", arguments: "{}" })
        @410ms 2400 samples
        @410ms Event(ReplyFinished { generation: Generation(1) })
        @510ms Event(ReplyStarted { generation: Generation(2) })
        @510ms Event(ReplyText { generation: Generation(2), text: "two" })
        @510ms Event(ReplyFinished { generation: Generation(2) })
    "#]]);
}

#[test]
fn a_withdrawn_answer_never_was() {
    let script =
        "speed: max\nturns:\n- hears: a b\n  reply: [{text: one}]\n- reply: [{text: two}]\n";
    let mut game = Game::new(script);
    game.send(BackendCommand::UserSpeechStarted { turn: TurnId(1) });
    (0..15).for_each(|_| game.player.handle_frame());
    game.run(10);
    game.send(speculate(1, 1));
    game.run(10);
    game.send(withdraw(1, 1));
    // Taken back before anything of it was taken.
    game.send(speculate(1, 2));
    game.send(withdraw(1, 2));
    game.run(10);
    (0..15).for_each(|_| game.player.handle_frame());
    game.send(turn_ended(1));
    game.run(10);
    game.check(&expect![[r#"
        @0ms Event(Ready)
        @0ms Event(UserTranscript { turn: TurnId(1), text: "a", is_final: false })
        @10ms Event(ReplyStarted { generation: Generation(1) })
        @10ms Event(ReplyText { generation: Generation(1), text: "one" })
        @30ms Event(UserTranscript { turn: TurnId(1), text: "a b", is_final: false })
        @30ms Event(UserTranscript { turn: TurnId(1), text: "a b", is_final: true })
        @30ms Event(ReplyStarted { generation: Generation(1) })
        @30ms Event(ReplyText { generation: Generation(1), text: "one" })
        @30ms Event(ReplyFinished { generation: Generation(1) })
    "#]]);
}

#[test]
fn a_backchannel_leaves_the_reply_and_the_script_where_they_are() {
    let mut game = Game::new(
        "turns: [{hears: stop that now, reply: [{silence_ms: 400}, {text: end}]}, {hears: two words, reply: []}]",
    );
    game.send(turn_ended(1));
    game.run(100);
    game.send(BackendCommand::UserSpeechStarted { turn: TurnId(2) });
    (0..16).for_each(|_| game.player.handle_frame());
    game.run(10);
    game.send(BackendCommand::UserTurnDismissed { turn: TurnId(2) });
    (0..30).for_each(|_| game.player.handle_frame());
    game.run(900);
    game.send(turn_ended(3));
    game.run(10);
    game.check(&expect![[r#"
        @0ms Event(Ready)
        @0ms Event(UserTranscript { turn: TurnId(1), text: "stop that now", is_final: true })
        @0ms Event(ReplyStarted { generation: Generation(1) })
        @100ms 4320 samples
        @100ms Event(UserTranscript { turn: TurnId(2), text: "two", is_final: false })
        @340ms 5280 samples
        @340ms Event(ReplyText { generation: Generation(1), text: "end" })
        @340ms Event(ReplyFinished { generation: Generation(1) })
        @1010ms Event(UserTranscript { turn: TurnId(3), text: "two words", is_final: true })
        @1010ms Event(ReplyStarted { generation: Generation(3) })
        @1010ms Event(ReplyFinished { generation: Generation(3) })
    "#]]);
}

#[test]
fn what_a_provider_says_by_itself_can_be_played() {
    let mut game = Game::new(
        "speed: max\nturns:\n- hears: one\n  looks_complete: 0.9\n  ends_after_ms: 310\n  reply:\n\
         \x20 - words: [{word: Hi, from_ms: 0, to_ms: 90}]\n  - interrupted: true\n",
    );
    game.send(BackendCommand::UserSpeechStarted { turn: TurnId(1) });
    (0..40).for_each(|_| game.player.handle_frame());
    game.send(turn_ended(1));
    game.run(10);
    game.check(&expect![[r#"
        @0ms Event(Ready)
        @0ms Event(UserTranscript { turn: TurnId(1), text: "one", is_final: false })
        @0ms Event(TurnLooksComplete { turn: TurnId(1), probability: 0.9 })
        @0ms Event(UserTurnEnded { turn: TurnId(1) })
        @0ms Event(UserTranscript { turn: TurnId(1), text: "one", is_final: true })
        @0ms Event(ReplyStarted { generation: Generation(1) })
        @0ms Event(ReplyWords { generation: Generation(1), words: [WordTime { text: "Hi", start: 0ns, end: 90ms }] })
        @0ms Event(Interrupted { generation: Generation(1) })
        @0ms Event(ReplyFinished { generation: Generation(1) })
    "#]]);
}

#[test]
fn a_given_text_takes_as_long_as_speaking_it_would() {
    for (text, ms) in [("Hi", 300), ("Are you still there?", 1_300), (&"x".repeat(4_000), 30_000)] {
        let mut game = Game::new("speed: max\nturns: [{reply: []}]");
        let (generation, text) = (Generation(1), text.to_owned());
        game.send(BackendCommand::Say { generation, text: text.clone() });
        game.run(10);
        assert!(game.trace.contains(&text), "{}", game.trace);
        assert!(game.trace.contains(&format!("{} samples", ms * 24)), "{}", game.trace);
    }
}
