use super::*;
use crate::agent::PcmFrame;
use crate::cascade::recognition::{Fault, HeardText};
use crate::limits::{UTTERANCE_FRAMES_MAX, WIDEBAND_FRAME};

mod gapless;
mod losses;

const LOUD: [i16; WIDEBAND_FRAME] = [1_000; WIDEBAND_FRAME];
const QUIET: [i16; WIDEBAND_FRAME] = [0; WIDEBAND_FRAME];
const TURN: TurnId = TurnId(1);
const NOTHING: [&str; 0] = [];

/// One that settles by itself and is kept alive by messages.
fn kept_alive() -> Manner {
    Manner {
        service: "it",
        ready_timeout: None,
        is_gapless: false,
        flushes_likely_ends: true,
        answer_timeout: Duration::from_secs(1),
    }
}

struct Bench {
    hearing: Hearing,
    now: SessionTime,
}

impl Bench {
    /// Before the connection is open.
    fn new(manner: Manner) -> Self {
        let mut bench = Self { hearing: Hearing::new(manner), now: SessionTime::ZERO };
        assert_eq!(bench.acts(), ["connect"]);
        bench
    }

    fn opened(manner: Manner) -> Self {
        let mut bench = Self::new(manner);
        bench.open();
        assert_eq!(bench.acts(), ["ready"]);
        bench
    }

    /// With a turn of 400 ms that goes on.
    fn hearing() -> Self {
        let mut bench = Self::opened(kept_alive());
        bench.start(1);
        bench.hear(&LOUD, 20);
        assert_eq!(bench.acts(), ["audio 400"]);
        bench
    }

    fn open(&mut self) {
        self.hearing.handle_opened(self.now);
    }

    fn ask(&mut self, ask: Ask) {
        self.hearing.handle_ask(self.now, ask);
    }

    fn start(&mut self, turn: u32) {
        self.ask(Ask::Start(TurnId(turn)));
    }

    fn hear(&mut self, frame: &[i16; WIDEBAND_FRAME], count: usize) {
        (0..count).for_each(|_| self.ask(Ask::Frame(Box::new(PcmFrame(*frame)))));
    }

    fn peek(&mut self, generation: u32) {
        self.ask(Ask::Peek { turn: TURN, generation: Generation(generation) });
    }

    fn end(&mut self, turn: u32, generation: u32) {
        self.ask(Ask::End { turn: TurnId(turn), generation: Generation(generation) });
    }

    fn heard(&mut self, heard: Heard) {
        self.hearing.handle_message(self.now, Recognised::Heard(heard));
    }

    fn interim(&mut self, text: &str, until_ms: u64) {
        let text = HeardText::Interim(text.to_owned());
        self.heard(Heard { until_ms: Some(until_ms), ..Heard::text(text) });
    }

    fn settled(&mut self, text: &str, until_ms: u64) {
        let text = HeardText::Settled(text.to_owned());
        self.heard(Heard { until_ms: Some(until_ms), ..Heard::text(text) });
    }

    fn flushed(&mut self, text: &str, until_ms: u64) {
        let text = HeardText::Settled(text.to_owned());
        let flushed = Some(Flushed::Oldest);
        self.heard(Heard { until_ms: Some(until_ms), flushed, ..Heard::text(text) });
    }

    fn lose(&mut self) {
        self.hearing.handle_lost(self.now, StageError::new(FailureKind::Broken, "gone"));
    }

    fn pass(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(at) = self.hearing.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.hearing.handle_timeout(self.now);
        }
        self.now = until;
    }

    /// What is to be done; audio in one line, as milliseconds of it.
    fn acts(&mut self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut run = ("", 0);
        while let Some(act) = self.hearing.poll_act() {
            if let Act::Send(Outgoing::Audio(pcm)) = &act {
                assert!((1..=PIECE).contains(&pcm.len()));
                let name = if pcm.iter().all(|sample| *sample == 0) { "silence" } else { "audio" };
                if run.0 == name {
                    lines.pop();
                } else {
                    run = (name, 0);
                }
                run.1 += pcm.len();
                lines.push(format!("{name} {}", run.1 / 16));
            } else {
                run = ("", 0);
                lines.push(shown(act));
            }
        }
        lines
    }
}

fn shown(act: Act) -> String {
    match act {
        Act::Connect => "connect".to_owned(),
        Act::HangUp => "hang up".to_owned(),
        Act::Send(Outgoing::Flush(number)) => format!("flush {number}"),
        Act::Send(Outgoing::KeepAlive) => "keep alive".to_owned(),
        Act::Send(Outgoing::Audio(_)) => unreachable!("it is shown by its length"),
        Act::Report(AsrReport::Ready) => "ready".to_owned(),
        Act::Report(AsrReport::Partial { turn, text }) => format!("partial {} {text}", turn.0),
        Act::Report(AsrReport::Likely { generation, text, .. }) => {
            format!("likely {} {text}", generation.0)
        }
        Act::Report(AsrReport::LooksComplete { turn, probability }) => {
            format!("complete {} {probability}", turn.0)
        }
        Act::Report(AsrReport::Final { turn, generation, text }) => {
            format!("final {} {} {text}", turn.0, generation.0)
        }
        Act::Report(AsrReport::Missed { turn, generation, error }) => {
            format!("missed {} {} {error}", turn.0, generation.0)
        }
        Act::Report(AsrReport::Failed(error)) => format!("failed {error}"),
    }
}

#[test]
fn finals_and_the_interim_text_behind_them_are_the_text_of_a_turn() {
    let mut bench = Bench::hearing();
    bench.interim("hello", 100);
    bench.interim("hello", 200);
    bench.settled("Hello.", 300);
    bench.settled("", 320);
    bench.interim("how", 400);
    assert_eq!(bench.acts(), ["partial 1 hello", "partial 1 Hello.", "partial 1 Hello. how"]);
    bench.end(1, 7);
    assert_eq!(bench.acts(), ["flush 1"]);
    bench.flushed("How are you?", 400);
    assert_eq!(bench.acts(), ["final 1 7 Hello. How are you?"]);
}

#[test]
fn a_likely_end_is_told_at_once_from_what_covers_the_speech() {
    let mut bench = Bench::hearing();
    bench.interim("hello", 400);
    bench.hear(&QUIET, 10);
    bench.peek(3);
    assert_eq!(
        bench.acts(),
        ["partial 1 hello", "audio 200", "likely 3 hello"]
            .map(|line| { line.replace("audio 200", "silence 200") })
    );
}

#[test]
fn what_lies_behind_is_asked_for_at_a_likely_end_and_is_the_final_if_silence_follows() {
    let mut bench = Bench::hearing();
    bench.interim("hel", 200);
    bench.peek(3);
    assert_eq!(bench.acts(), ["partial 1 hel", "flush 1"]);
    bench.flushed("Hello.", 400);
    assert_eq!(bench.acts(), ["partial 1 Hello.", "likely 3 Hello."]);
    bench.hear(&QUIET, 20);
    bench.end(1, 3);
    assert_eq!(bench.acts(), ["silence 400", "final 1 3 Hello."]);
}

#[test]
fn speech_behind_a_likely_end_is_asked_for_again() {
    let mut bench = Bench::hearing();
    bench.peek(3);
    bench.hear(&LOUD, 10);
    bench.end(1, 4);
    assert_eq!(bench.acts(), ["flush 1", "audio 200", "flush 2"]);
    bench.flushed("Hello", 400);
    assert_eq!(bench.acts(), NOTHING, "that was the answer to the first");
    bench.flushed("you.", 600);
    assert_eq!(bench.acts(), ["final 1 4 Hello you."]);
}

#[test]
fn an_answer_that_reaches_the_newest_request_answers_it_whatever_became_of_the_first() {
    let mut bench = Bench::hearing();
    bench.peek(3);
    bench.hear(&LOUD, 10);
    bench.peek(4);
    bench.flushed("Hello you.", 600);
    bench.heard(Heard { complete: Some(0.9), ..Heard::default() });
    let acts = bench.acts();
    let expected = ["likely 4 Hello you.", "complete 1 0.9"].map(str::to_owned);
    assert!(acts.ends_with(&expected), "nothing is held back any more: {acts:?}");
}

#[test]
fn a_likely_end_without_an_answer_is_told_with_what_is_known() {
    let mut bench = Bench::hearing();
    bench.interim("hel", 200);
    bench.peek(3);
    bench.pass(500);
    assert_eq!(bench.acts(), ["partial 1 hel", "flush 1", "likely 3 hel"]);
}

#[test]
fn the_end_waits_so_long_and_takes_what_is_known() {
    let mut bench = Bench::hearing();
    bench.interim("hello", 300);
    bench.end(1, 2);
    bench.pass(999);
    assert_eq!(bench.acts(), ["partial 1 hello", "flush 1"]);
    bench.pass(1);
    assert_eq!(bench.acts(), ["final 1 2 hello"]);
}

#[test]
fn a_turn_of_which_nothing_came_is_missed_and_the_connection_is_made_anew() {
    let mut bench = Bench::hearing();
    bench.end(1, 2);
    bench.pass(1_000);
    let missed = "missed 1 2 it did not answer within 1 s";
    assert_eq!(bench.acts(), ["flush 1", missed, "hang up", "connect"]);
}

#[test]
fn nothing_is_told_of_a_turn_that_is_forgotten_nor_of_it_in_the_next() {
    let mut bench = Bench::hearing();
    bench.interim("cough", 200);
    bench.ask(Ask::Forget);
    assert_eq!(bench.acts(), ["partial 1 cough", "flush 1"]);
    bench.interim("cough cough", 400);
    bench.start(2);
    bench.hear(&LOUD, 20);
    assert_eq!(bench.acts(), ["audio 400"]);
    bench.flushed("Cough.", 400);
    bench.interim("yes", 800);
    bench.end(2, 5);
    bench.flushed("Yes.", 800);
    assert_eq!(bench.acts(), ["partial 2 yes", "flush 2", "final 2 5 Yes."]);
}

#[test]
fn a_turn_begun_before_the_last_one_ended_forgets_it() {
    let mut bench = Bench::hearing();
    bench.start(2);
    bench.end(1, 1);
    assert_eq!(bench.acts(), ["flush 1", "final 1 1 "]);
    bench.flushed("One.", 400);
    assert_eq!(bench.acts(), NOTHING);
}

#[test]
fn a_turn_that_ended_still_gets_its_text_while_the_next_is_heard() {
    let mut bench = Bench::hearing();
    bench.end(1, 1);
    bench.start(2);
    bench.hear(&LOUD, 20);
    bench.flushed("One.", 400);
    bench.interim("two", 600);
    let expected = ["flush 1", "audio 400", "final 1 1 One.", "partial 2 two"];
    assert_eq!(bench.acts(), expected);
}

#[test]
fn silence_is_known_without_being_asked_about() {
    let mut bench = Bench::opened(kept_alive());
    bench.start(1);
    bench.hear(&QUIET, 20);
    bench.peek(1);
    bench.end(1, 2);
    assert_eq!(bench.acts(), ["silence 400", "likely 1 ", "final 1 2 "]);
    bench.start(2);
    bench.end(2, 3);
    bench.end(2, 4);
    let acts = bench.acts();
    assert!(acts.ends_with(&["final 2 3 ".to_owned(), "final 2 4 ".to_owned()]), "{acts:?}");
}

#[test]
fn a_connection_without_audio_is_kept_alive() {
    let mut bench = Bench::opened(kept_alive());
    bench.pass(3_999);
    assert_eq!(bench.acts(), NOTHING);
    bench.pass(4_001);
    assert_eq!(bench.acts(), ["keep alive", "keep alive"]);
    bench.pass(2_000);
    bench.start(1);
    bench.hear(&LOUD, 1);
    bench.pass(3_999);
    assert_eq!(bench.acts(), ["audio 20"]);
}

#[test]
fn a_turn_of_hours_and_a_text_without_end_are_bounded() {
    let mut bench = Bench::opened(kept_alive());
    bench.start(1);
    bench.hear(&LOUD, 2 * UTTERANCE_FRAMES_MAX);
    assert_eq!(bench.acts(), [format!("audio {}", UTTERANCE_FRAMES_MAX * 20)]);
    let long = "é".repeat(crate::limits::TRANSCRIPT_BYTES_MAX);
    bench.settled(&long, 10_000);
    bench.settled(&long, 20_000);
    bench.interim(&long, 30_000);
    bench.end(1, 1);
    bench.flushed(&long, 60_000);
    let longest = bench.acts().iter().map(String::len).max().expect("some");
    assert!(longest <= 2 * crate::limits::TRANSCRIPT_BYTES_MAX + 20, "{longest}");
}

#[test]
fn a_service_that_is_too_far_behind_misses_the_oldest() {
    let mut bench = Bench::opened(kept_alive());
    for turn in 1..=TRANSCRIPTS_AWAITED_MAX as u32 + 1 {
        bench.start(turn);
        bench.hear(&LOUD, 5);
        bench.end(turn, turn);
    }
    let acts = bench.acts();
    assert_eq!(acts.last().expect("some"), "missed 1 1 it is too far behind");
}

#[test]
fn messages_without_times_are_about_the_oldest_turn() {
    let mut bench = Bench::hearing();
    bench.heard(Heard::text(HeardText::Settled("One.".to_owned())));
    bench.end(1, 1);
    bench.start(2);
    bench.hear(&LOUD, 5);
    let flushed = Some(Flushed::Oldest);
    bench.heard(Heard { flushed, ..Heard::text(HeardText::Settled("More.".to_owned())) });
    bench.heard(Heard::text(HeardText::Interim("two".to_owned())));
    let expected =
        ["partial 1 One.", "flush 1", "audio 100", "final 1 1 One. More.", "partial 2 two"];
    assert_eq!(bench.acts(), expected);
}
