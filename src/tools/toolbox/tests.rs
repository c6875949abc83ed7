use std::time::Duration;

use serde_json::json;

use super::*;
use crate::tools::{Builtin, Executor, Job};

fn echo() -> ToolSpec {
    ToolSpec::new("echo", "Says it back.", Executor::Server(Job::Builtin(Builtin::Echo)))
}

fn with_parameters(parameters: Value) -> ToolSpec {
    ToolSpec { parameters, ..echo() }
}

/// The mistakes as they are shown.
fn mistakes(specs: Vec<ToolSpec>) -> Vec<String> {
    let errors = Toolbox::new(specs).expect_err("it has mistakes");
    errors.iter().map(ToString::to_string).collect()
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!({}), |inner, _| json!({ "not": inner }))
}

#[test]
fn good_declarations_are_kept_in_their_order() {
    let confirm = Confirm { question: Some("Send {to}?".to_owned()), ..Confirm::default() };
    let properties = json!({ "to": { "type": "string" } });
    let send = ToolSpec {
        name: "send money".to_owned(),
        confirm: Some(confirm),
        ..with_parameters(json!({ "type": "object", "properties": properties }))
    };
    let toolbox = Toolbox::new(vec![send.clone(), echo()]).expect("they are good");
    assert_eq!(toolbox.specs().collect::<Vec<_>>(), [&send, &echo()]);
    assert_eq!((toolbox.find("echo"), toolbox.find("Echo")), (Some(1), None));
    assert!(Toolbox::default().is_empty() && Toolbox::new(vec![]).is_ok());
}

#[test]
fn every_refusal_names_the_tool_the_field_the_limit_and_what_was_received() {
    let confirmed = |change: fn(&mut Confirm)| {
        let mut confirm = Confirm::default();
        change(&mut confirm);
        ToolSpec { confirm: Some(confirm), ..echo() }
    };
    let filler = |after, text: &str| {
        let filler = Filler { after: Duration::from_millis(after), text: text.to_owned() };
        ToolSpec { filler: Some(filler), ..echo() }
    };
    let named = |name: String| ToolSpec { name, ..echo() };
    let rows = [
        (named(String::new()), "tool ``: name: expected 1 to 64 characters, received 0"),
        (named("x".repeat(65)), "name: expected 1 to 64 characters, received 65"),
        (named("a\nb".to_owned()), "tool `a b`: name: expected no control characters"),
        (
            ToolSpec { description: " ".to_owned(), ..echo() },
            "tool `echo`: description: expected 1 to 2000 characters, received 1",
        ),
        (
            with_parameters(json!([1])),
            "parameters: expected a JSON Schema, an object, received a list",
        ),
        (with_parameters(json!({})), "parameters: type: expected `object`, received nothing"),
        (
            with_parameters(json!({ "type": ["object", "null"] })),
            "parameters: type: expected `object`, received [\"object\",\"null\"]",
        ),
        (
            with_parameters(json!({ "type": "object", "title": "x".repeat(16 * 1024) })),
            "parameters: expected at most 16384 bytes, received 164",
        ),
        (
            with_parameters(json!({ "type": "object", "not": nested(15) })),
            "parameters: expected at most 16 levels",
        ),
        (
            with_parameters(json!({ "type": "object", "properties": { "a": { "type": "text" } } })),
            "parameters: expected a JSON Schema; properties/a/type: ",
        ),
        (
            with_parameters(json!({ "type": "object", "properties": { "a": { "pattern": "(" } } })),
            "parameters: expected a JSON Schema; properties/a/pattern",
        ),
        // It could take for ever.
        (
            with_parameters(json!({ "type": "object", "patternProperties": { "(?=a)": {} } })),
            "parameters: expected a JSON Schema; ",
        ),
        (
            with_parameters(json!({ "type": "object", "$ref": "https://example.com/schema.json" })),
            "https://example.com/schema.json",
        ),
        (
            with_parameters(json!({ "type": "object", "$ref": "file:///etc/passwd" })),
            "file:///etc/passwd",
        ),
        (
            confirmed(|confirm| confirm.question = Some("Send {amount}?".to_owned())),
            "confirm: question: expected an argument of `parameters.properties` within {}, received \
             `amount`",
        ),
        (
            confirmed(|confirm| confirm.question = Some("Send {".to_owned())),
            "confirm: question: expected a } for every {",
        ),
        (
            confirmed(|confirm| confirm.question = Some("x".repeat(501))),
            "confirm: question: expected 1 to 500 characters, received 501",
        ),
        (confirmed(|confirm| confirm.yes.clear()), "confirm: yes: expected at least one phrase"),
        (
            confirmed(|confirm| confirm.no = vec!["no".to_owned(); 101]),
            "confirm: no: expected at most 100 phrases of 1 to 50 characters, received 101 phrases",
        ),
        (
            confirmed(|confirm| confirm.yes.push("x".repeat(51))),
            "confirm: yes: expected at most 100 phrases of 1 to 50 characters, received one of 51",
        ),
        (filler(500, ""), "filler: text: expected 1 to 500 characters, received 0"),
        (
            filler(10_000, "Hm."),
            "filler: after_ms: expected less than timeout_ms (10000), received 10000",
        ),
    ];
    for (spec, expected) in rows {
        let shown = mistakes(vec![spec]);
        assert_eq!(shown.len(), 1, "{shown:#?}");
        assert!(shown[0].contains(expected), "{:?} should contain {expected:?}", shown[0]);
    }
}

#[test]
fn schemas_at_their_limits_are_taken() {
    // The root's object and that of `not` are two of the sixteen levels.
    let deep = json!({ "type": "object", "not": nested(14) });
    let frame = json!({ "type": "object", "title": "" }).to_string().len();
    let large = json!({ "type": "object", "title": "x".repeat(16 * 1024 - frame) });
    for schema in [deep, large] {
        assert!(Toolbox::new(vec![with_parameters(schema)]).is_ok());
    }
}

#[test]
fn all_mistakes_are_told_at_once_and_names_are_unique() {
    let shown = mistakes(vec![
        echo(),
        ToolSpec { description: String::new(), ..echo() },
        with_parameters(json!(1)),
    ]);
    assert_eq!(shown.len(), 4, "{shown:#?}");
    let taken = "name: expected a name of its own, received one that is taken";
    assert!(shown[1].contains(taken) && shown[2].contains(taken), "{shown:#?}");
    let many = (0..65).map(|n| ToolSpec { name: format!("t{n}"), ..echo() }).collect();
    assert_eq!(mistakes(many), ["tool `t64`: name: expected at most 64 tools, received 65"]);
}

fn booking() -> Toolbox {
    let schema = json!({
        "type": "object",
        "properties": {
            "city": { "type": "string", "maxLength": 20 },
            "guests": { "type": "integer", "minimum": 1 },
            "room": { "enum": ["single", "double", "suite", "attic"] },
            "dates": { "type": "array", "items": { "$ref": "#/$defs/date" } },
        },
        "required": ["city"],
        "additionalProperties": false,
        "$defs": { "date": { "type": "string", "pattern": "^\\d{4}-\\d\\d-\\d\\d$" } },
    });
    Toolbox::new(vec![with_parameters(schema)]).expect("it is good")
}

#[test]
fn arguments_are_decoded_until_an_object_and_no_further() {
    let plain = r#"{"city": "Paris"}"#.to_owned();
    let encoded = |text: &str| Value::String(text.to_owned()).to_string();
    let (twice, thrice) = (encoded(&plain), encoded(&encoded(&plain)));
    for text in [&plain, &twice, &thrice] {
        assert_eq!(booking().check_arguments(0, text), Ok(json!({ "city": "Paris" })), "{text}");
    }
    let rows = [
        (encoded(&thrice), "expected a JSON object, received a text"),
        ("[]".to_owned(), "expected a JSON object, received a list"),
        ("null".to_owned(), "expected a JSON object, received null"),
        (String::new(), "expected JSON"),
        ("{city: Paris}".to_owned(), "expected JSON"),
        (encoded("{"), "expected JSON"),
        ("{} {}".to_owned(), "expected JSON"),
        (" ".repeat(64 * 1024 + 1), "expected at most 65536 bytes, received 65537"),
        (format!("{}1{}", "[".repeat(33), "]".repeat(33)), "expected at most 32 levels"),
        (encoded(&"[".repeat(33)), "expected at most 32 levels"),
    ];
    for (text, expected) in rows {
        let problem = booking().check_arguments(0, &text).expect_err(expected);
        assert!(problem.contains(expected), "{problem:?} should contain {expected:?}");
    }
}

#[test]
fn wrong_arguments_are_named_and_never_coerced() {
    let rows = [
        (json!({}), "\"city\" is a required property"),
        (json!({ "city": 1 }), "city: value is not of type \"string\""),
        (json!({ "city": "Paris", "guests": "2" }), "guests: value is not of type \"integer\""),
        (json!({ "city": "Paris", "guests": 0 }), "guests: value is less than the minimum of 1"),
        (json!({ "city": "Paris", "guests": null }), "guests: value is not of type"),
        (
            json!({ "city": "Paris", "room": "cellar" }),
            r#"room: expected one of ["single","double","suite","attic"]"#,
        ),
        (
            json!({ "city": "Paris", "dates": ["2026-01-01", "soon"] }),
            "dates/1: value does not match",
        ),
        (json!({ "city": "Paris", "zip": 1 }), "('zip' was unexpected)"),
    ];
    for (arguments, expected) in rows {
        let problem = booking().check_arguments(0, &arguments.to_string()).expect_err(expected);
        assert!(problem.starts_with("invalid arguments: "), "{problem}");
        assert!(problem.contains(expected), "{problem:?} should contain {expected:?}");
    }
}

#[test]
fn what_a_model_is_told_is_short_and_repeats_no_value() {
    let dates: Vec<Value> = (0..1_000).map(|n| json!(format!("secret{n}"))).collect();
    let many: serde_json::Map<String, Value> =
        (0..1_000).map(|n| (format!("unknown{n}"), json!("secret"))).collect();
    for arguments in [json!({ "city": 1, "dates": dates }), Value::Object(many)] {
        let problem =
            booking().check_arguments(0, &arguments.to_string()).expect_err("all of it is wrong");
        assert!(problem.chars().count() <= TOOL_ERROR_CHARS_MAX, "{problem}");
        assert!(!problem.contains("secret"), "{problem}");
    }
}

#[test]
fn schemas_that_lead_in_circles_come_to_an_end() {
    let circular = json!({
        "type": "object",
        "properties": { "next": { "$ref": "#" }, "self": { "$ref": "#/$defs/a" } },
        "$defs": { "a": { "anyOf": [{ "$ref": "#/$defs/a" }, { "type": "null" }] } },
    });
    let toolbox = Toolbox::new(vec![with_parameters(circular)]).expect("it is a schema");
    let next = json!({ "next": { "next": {} } });
    assert_eq!(toolbox.check_arguments(0, &next.to_string()), Ok(next));
    assert!(toolbox.check_arguments(0, r#"{"self": 1, "next": 2}"#).is_err());
}
