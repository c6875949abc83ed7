use std::fmt::Write as _;
use std::time::Duration;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

/// Decodes a made-up schema with one key of every kind and prints the result or the mistakes.
fn check(text: &str, expected: &Expect) {
    let mut seen = String::new();
    match decode(text) {
        Ok(value) => seen.push_str(&value),
        Err(errors) => {
            for error in errors {
                writeln!(seen, "{error}").expect("a string takes everything");
            }
        }
    }
    expected.assert_eq(&seen);
}

fn decode(text: &str) -> Result<String, Vec<YamlError>> {
    let root = parse(text)?;
    let mut errors = Errors::new();
    let mut seen = String::new();
    let known = ["name", "port", "gain_db", "wait_ms", "on", "mode", "items", "llm", "agents"];
    if let Some(mut fields) = root.root().fields(&mut errors, &known) {
        let name = fields.required_string("name");
        let port = fields.u32_in("port", 1..=65_535, 8_080);
        let gain_db = fields.f32_in("gain_db", -60.0..=20.0, 0.0);
        let wait = fields.duration_ms("wait_ms", 0..=5_000, Duration::from_millis(200));
        let on = fields.bool("on", false);
        let mode = fields.choice("mode", &[("fast", 1), ("slow", 2)], 1);
        seen = format!("{name} {port} {gain_db} {wait:?} {on} {mode}");
        for item in fields.list("items", 3) {
            seen += &format!(" {:?}", item.u32_in(fields.errors(), 0..=9));
        }
        if let Some(mut llm) = fields.fields("llm", &["url"]) {
            seen += &format!(" {:?}", llm.string_max("url", 8));
        }
        for (key, agent) in fields.map("agents", 2) {
            seen += &format!(" {key}={:?}", agent.string(fields.errors()));
        }
    }
    errors.into_result(seen)
}

#[test]
fn a_full_document_decodes() {
    check(
        "name: no\nport: 9_000\ngain_db: -6.5\nwait_ms: 40\non: true\nmode: slow\n\
         items: [1, 2]\nllm: {url: x}\nagents: {a: b, 'c d': \"e\"}\n",
        &expect![[
            r#"no 9000 -6.5 40ms true 2 Some(1) Some(2) Some("x") a=Some("b") c d=Some("e")"#
        ]],
    );
}

#[test]
fn absent_and_null_values_take_their_defaults() {
    check("name: x\nport:\nmode: ~\n", &expect!["x 8080 0 200ms false 1"]);
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    check(
        "prot: 1\nname:\nport: 70000\ngain_db: .nan\nwait_ms: soon\non: yes\nmode: medium\n\
         items: [1, ten, {}]\nllm: {url: 123456789, zzz: 1}\nagents: [a]\n",
        &expect![[r#"
            line 1, column 1: prot: unknown key; did you mean `port`?
            line 2, column 1: name: is required but has no value
            line 3, column 7: port: expected a whole number from 1 to 65535, received `70000`
            line 4, column 10: gain_db: expected a number from -60 to 20, received `.nan`
            line 5, column 10: wait_ms: expected milliseconds from 0 to 5000, received `soon`
            line 6, column 5: on: expected true or false, received `yes`
            line 7, column 7: mode: expected one of `fast`, `slow`, received `medium`
            line 8, column 12: items[1]: expected a whole number from 0 to 9, received `ten`
            line 8, column 17: items[2]: expected a whole number from 0 to 9, received a map
            line 9, column 12: llm.url: expected at most 8 characters, received 9
            line 9, column 23: llm.zzz: unknown key; expected `url`
            line 10, column 9: agents: expected a map of keys and values, received a list
        "#]],
    );
}

#[test]
fn the_shape_of_the_text_is_checked_first() {
    let row = |text: &str, expected: Expect| check(text, &expected);
    row(
        "",
        expect![[r#"
        line 1, column 1: name: is required but has no value
    "#]],
    );
    row(
        "name: a\nname: b\n",
        expect![[r#"
        line 2, column 1: name: is given twice, first in line 1
    "#]],
    );
    row(
        "name: a\n---\nname: b\n",
        expect![[r#"
        line 2, column 1: expected one document, received a second one
    "#]],
    );
    row(
        "name: !secret a\n",
        expect![[r#"
        line 1, column 7: tags (`!name`) are not supported; remove it
    "#]],
    );
    row(
        "? [a]\n: b\n",
        expect![[r#"
        line 1, column 3: expected text as a key, received a list or a map
    "#]],
    );
    row(
        "name: &a [*a]\n",
        expect![[r#"
        line 1, column 11: an alias may not stand inside what it names
    "#]],
    );
    row(
        "- a\n",
        expect![[r#"
        line 1, column 1: expected a map of keys and values, received a list
    "#]],
    );
}

#[test]
fn text_that_is_no_yaml_is_one_error_with_its_line() {
    let errors = parse("name: a\nport: [1, 2\nmode: fast\n").expect_err("the list never ends");
    assert_eq!(errors.len(), 1);
    assert!(errors[0].at.line >= 2, "{}", errors[0]);
}

#[test]
fn aliases_repeat_what_they_name() {
    let root = parse("a: &x [1, 2]\nb: *x\n").expect("it is well formed");
    let Value::Map(entries) = root.value else { panic!("the root is a map") };
    assert_eq!(entries[0].node.value, entries[1].node.value);
}

#[test]
fn an_alias_bomb_is_refused_before_it_grows() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(",");
        writeln!(bomb, "a{level}: &a{level} [{aliases}]").expect("a string takes everything");
    }
    let errors = parse(&bomb).expect_err("it would be nine to the twelfth values");
    assert!(errors[0].problem.contains("aliases expanded"), "{}", errors[0]);
}

#[test]
fn depth_and_size_are_bounded() {
    for (open, close) in [("[", "]"), ("{a: ", "}")] {
        let nested = |levels: usize| open.repeat(levels) + "x" + &close.repeat(levels);
        assert!(parse(&nested(YAML_DEPTH_MAX)).is_ok());
        let errors = parse(&nested(YAML_DEPTH_MAX + 1)).expect_err("one level too many");
        assert!(errors[0].problem.contains("levels of nesting"), "{}", errors[0]);
    }
    assert!(parse(&"#".repeat(YAML_BYTES_MAX)).is_ok());
    assert!(parse(&"#".repeat(YAML_BYTES_MAX + 1)).is_err());
}

#[test]
fn mistakes_are_bounded_too() {
    let text: String = (0..2 * YAML_ERRORS_MAX).map(|i| format!("zzzzzz{i}: 1\n")).collect();
    let errors = decode(&text).expect_err("none of the keys is known");
    assert_eq!(errors.len(), YAML_ERRORS_MAX + 1);
    assert!(errors[YAML_ERRORS_MAX].problem.contains("more mistakes"));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[-a-c0-9:{}\\[\\]&*!|>'\"#%@`,?~ \n\t]{0,80}") {
        let _ = decode(&text);
    }

    #[test]
    fn any_text_survives_being_quoted(text in "\\PC{0,40}") {
        let quoted = format!("name: '{}'\n", text.replace('\'', "''"));
        let seen = decode(&quoted);
        prop_assert_eq!(seen.ok().map(|seen| seen.contains(text.trim())), Some(true));
    }
}
