use serde_json::json;

use super::*;
use crate::tools::{Builtin, Executor, Job};

#[test]
fn a_yes_is_told_from_what_only_sounds_like_one() {
    let rows = [
        ("Yes.", Reply::Yes),
        ("yes please", Reply::Yes),
        ("Um, yeah, go ahead!", Reply::Yes),
        ("That’s right", Reply::Yes),
        ("thats right", Reply::Yes),
        ("I do, yes", Reply::Yes),
        ("OKAY", Reply::Yes),
        ("please do it", Reply::Yes),
        ("Yes, book the table for two at eight", Reply::Yes),
        ("no", Reply::No),
        ("Yes, no, wait", Reply::No),
        ("okay but make it Tuesday", Reply::No),
        ("Correct that to Tuesday", Reply::No),
        ("don't do it", Reply::No),
        ("dont", Reply::No),
        ("I'm not sure", Reply::No),
        ("sure, why not", Reply::No),
        ("stop", Reply::No),
        ("sure?", Reply::Other),
        ("Yes, how much is it?", Reply::Other),
        ("I am sure you heard of it", Reply::Other),
        ("yesterday", Reply::Other),
        ("what is the weather like", Reply::Other),
        ("So", Reply::Other),
        ("", Reply::Nothing),
        (" ... ", Reply::Nothing),
    ];
    for (utterance, reply) in rows {
        assert_eq!(judge(utterance, &Confirm::default()), reply, "{utterance:?}");
    }
}

#[test]
fn other_languages_bring_their_own_words() {
    let confirm =
        Confirm { question: None, yes: vec!["ja".into(), "gern".into()], no: vec!["nicht".into()] };
    assert_eq!(judge("Ja, gerne doch", &confirm), Reply::Yes);
    assert_eq!(judge("Bitte nicht, ja", &confirm), Reply::No);
    assert_eq!(judge("yes", &confirm), Reply::Other);
    let mute = Confirm { question: None, yes: vec![" ".into()], no: vec![String::new()] };
    assert_eq!(judge("yes", &mute), Reply::Other, "a phrase without words matches nothing");
}

fn asked(template: Option<&str>, arguments: &Value) -> String {
    let spec =
        ToolSpec::new("send_money", "Sends money.", Executor::Server(Job::Builtin(Builtin::Echo)));
    let confirm = Confirm { question: template.map(str::to_owned), ..Confirm::default() };
    question(&spec, &confirm, arguments)
}

#[test]
fn questions_have_the_arguments_filled_in() {
    let arguments = json!({ "to": "Bob", "amount_eur": 12.5 });
    let filled = asked(Some("Send {amount_eur} euro to {to}, note {note}?"), &arguments);
    assert_eq!(filled, "Send 12.5 euro to Bob, note unspecified?");
    assert_eq!(
        asked(None, &arguments),
        "Shall I do this: send money with amount eur: 12.5, to: Bob?"
    );
    assert_eq!(asked(None, &json!({})), "Shall I do this: send money?");
    let braces = json!({ "to": "{amount_eur}", "amount_eur": 1 });
    assert_eq!(asked(Some("To {to}?"), &braces), "To {amount_eur}?", "values are not templates");
}

#[test]
fn questions_stay_short_whatever_the_arguments() {
    let long = json!({ "to": "x".repeat(10_000) });
    let question = asked(Some("To {to}?"), &long);
    assert_eq!(question.chars().count(), "To ?".len() + TOOL_QUESTION_ARGUMENT_CHARS_MAX);
    let many: Map<String, Value> =
        (0..100).map(|n| (format!("key{n}"), json!("x".repeat(200)))).collect();
    let question = asked(None, &Value::Object(many));
    assert_eq!(question.chars().count(), TOOL_SAYING_CHARS_MAX);
}

#[test]
fn placeholders_are_found_and_open_braces_refused() {
    assert_eq!(placeholders("a {b} c {d}"), Ok(vec!["b", "d"]));
    assert_eq!(placeholders("a } b"), Ok(vec![]));
    assert!(placeholders("a {b").is_err_and(|problem| problem.contains("expected a }")));
}
