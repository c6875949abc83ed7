use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn check(text: &str, expected: &Expect) {
    let mut seen = String::new();
    match parse(text) {
        Ok(script) => write!(seen, "{:?} {:?}", script.greeting, script.turns),
        Err(errors) => errors.iter().try_for_each(|error| writeln!(seen, "{error}")),
    }
    .expect("a string takes everything");
    expected.assert_eq(&seen);
}

#[test]
fn a_minimal_script_takes_the_defaults() {
    let script = parse("turns: [{reply: []}]").expect("it is complete");
    assert_eq!(script.speed, Speed::Times(1.0));
    assert_eq!(script.sample_rate_hz, 24_000);
    assert!(script.repeat && script.greeting.is_empty());
    assert_eq!(
        script.turns,
        [Turn {
            hears: None,
            think: Duration::ZERO,
            looks_complete: None,
            ends_after: None,
            steps: vec![]
        }]
    );
}

#[test]
fn every_kind_of_step_is_read() {
    check(
        "greeting: [text: hi]\nturns:\n- think_ms: 5\n  hears: a b\n  reply:\n\
         \x20 - tone: {hz: 440, ms: 10, dbfs: -6}\n  - wav: a.wav\n  - silence_ms: 1\n\
         \x20 - user_partial: a\n  - user_final: a b\n  - tool: {name: f, arguments: '{}'}\n\
         \x20 - stall_ms: 2\n  - fail_reply: x\n  - fail_backend: y\n  - drop: true\n  - hang_up: z\n",
        &expect![[
            r#"[Text("hi")] [Turn { hears: Some("a b"), looks_complete: None, ends_after: None, think: 5ms, steps: [Tone { frequency_hz: 440.0, length: 10ms, level_dbfs: -6.0 }, Wav { index: 0 }, Silence { length: 1ms }, UserPartial("a"), UserFinal("a b"), Tool { name: "f", arguments: "{}", wait: 10s }, Stall(2ms), FailReply("x"), FailBackend("y"), Drop, HangUp("z")] }]"#
        ]],
    );
}

#[test]
fn every_mistake_is_reported_at_once() {
    check(
        "speed: warp\nsample_rate_hz: 44100\nready_after_ms: -1\nturn: []\nturns:\n\
         - reply:\n  - tone: {hz: 5, ms: 100}\n  - tone: {ms: 100, dbfs: 3}\n  - beep: 1\n\
         \x20 - {text: a, wav: b}\n  - drop: false\n  - tool: {arguments: '{'}\n  -\n- 7\n",
        &expect![[r#"
            line 1, column 8: speed: expected `max` or a number from 0.1 to 100, received `warp`
            line 2, column 17: sample_rate_hz: expected one of `8000`, `16000`, `24000`, `48000`, received `44100`
            line 3, column 17: ready_after_ms: expected milliseconds from 0 to 60000, received `-1`
            line 4, column 1: turn: unknown key; did you mean `turns`?
            line 7, column 16: turns[0].reply[0].tone.hz: expected a number from 20 to 20000, received `5`
            line 8, column 11: turns[0].reply[1].tone.hz: is required but has no value
            line 8, column 27: turns[0].reply[1].tone.dbfs: expected a number from -90 to 0, received `3`
            line 9, column 5: turns[0].reply[2].beep: unknown key; expected one of `tone`, `wav`, `silence_ms`, `user_partial`, `user_final`, `text`, `words`, `interrupted`, `tool`, `stall_ms`, `fail_reply`, `fail_backend`, `drop`, `hang_up`
            line 10, column 5: turns[0].reply[3]: expected one step to an item, received `text`, `wav`
            line 11, column 11: turns[0].reply[4].drop: expected `true`, received `false`
            line 12, column 11: turns[0].reply[5].tool.name: is required but has no value
            line 12, column 12: turns[0].reply[5].tool.arguments: expected JSON text such as '{"a": 1}': EOF while parsing an object at line 1 column 1
            line 13, column 4: turns[0].reply[6]: expected a step such as `silence_ms: 100`, received nothing
            line 14, column 3: turns[1]: expected a map of keys and values, received `7`
        "#]],
    );
}

#[test]
fn what_a_provider_would_say_by_itself_is_read() {
    check(
        "turns:\n- hears: a\n  looks_complete: 0.5\n  ends_after_ms: 40\n  reply:\n\
         \x20 - words: [{word: a, from_ms: 0, to_ms: 9}]\n  - interrupted: true\n",
        &expect![[
            r#"[] [Turn { hears: Some("a"), looks_complete: Some(0.5), ends_after: Some(40ms), think: 0ns, steps: [Words([WordTime { text: "a", start: 0ns, end: 9ms }]), Interrupted] }]"#
        ]],
    );
    check(
        "turns:\n- looks_complete: 0.5\n  reply:\n\
         \x20 - words: [{word: a, from_ms: 9, to_ms: 1}, {word: b}, c]\n  - interrupted: 1\n\
         - {hears: a, looks_complete: 2, ends_after_ms: -1}\n",
        &expect![[r#"
            line 2, column 3: turns[0].looks_complete: needs `hears`, whose last word it follows
            line 4, column 35: turns[0].reply[0].words[0].to_ms: expected at least from_ms
            line 4, column 46: turns[0].reply[0].words[1].from_ms: is required but has no value
            line 4, column 46: turns[0].reply[0].words[1].to_ms: is required but has no value
            line 4, column 57: turns[0].reply[0].words[2]: expected a map of keys and values, received `c`
            line 5, column 18: turns[0].reply[1].interrupted: expected `true`, received `1`
            line 6, column 30: turns[1].looks_complete: expected a number from 0 to 1, received `2`
            line 6, column 48: turns[1].ends_after_ms: expected milliseconds from 0 to 600000, received `-1`
        "#]],
    );
}

#[test]
fn a_script_without_turns_is_refused() {
    check(
        "speed: max",
        &expect![[r#"
            line 1, column 1: turns: is required but has no value
        "#]],
    );
    check(
        "[]",
        &expect![[r#"
        line 1, column 1: expected a map of keys and values, received a list
    "#]],
    );
}

#[test]
fn a_recording_used_twice_is_loaded_once() {
    let text = "turns: [{reply: [{wav: a}, {wav: b}, {wav: a}]}]";
    let script = parse(text).expect("it is complete");
    assert_eq!(script.wavs.len(), 2);
    assert_eq!(script.turns[0].steps[2], Step::Wav { index: 0 });
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(
        lines in proptest::collection::vec(
            ("[ -]{0,4}", "(turns|reply|tone|hz|tool|drop|wav|x)?", "(: ?[0-9a{}\\[\\]]{0,4})?"),
            0..12,
        )
    ) {
        let text: String = lines.iter().map(|(a, b, c)| format!("{a}{b}{c}\n")).collect();
        let _ = parse(&text);
    }
}
