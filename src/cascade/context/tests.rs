use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::limits::{CONTEXT_PARTS_MAX, CONTEXT_TEXT_CHARS_MAX, TOOL_RESULT_BYTES_MAX};

fn context(settings: ContextSettings) -> Context {
    Context::new("Be brief.".to_owned(), settings)
}

fn windowed(turns_max: usize, chars_max: usize, overflow: Overflow) -> Context {
    let window = Window { turns_max, chars_max };
    context(ContextSettings { window, overflow, ..ContextSettings::default() })
}

fn call(id: &str, name: &str) -> ToolCall {
    ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: "{}".to_owned() }
}

/// The prompt, a message a line.
fn shown(context: &Context) -> String {
    let Prompt { system, messages } = context.prompt();
    let mut lines = vec![format!("system: {system}")];
    for message in messages {
        lines.push(match message {
            Turn::User(text) => format!("user: {text}"),
            Turn::Reminder(text) => format!("reminder: {text}"),
            Turn::Assistant { text, calls } => {
                let calls = calls
                    .iter()
                    .map(|call| format!(" [{} {}({})]", call.id, call.name, call.arguments));
                format!("agent: {text}{}", calls.collect::<String>())
            }
            Turn::Results(results) => {
                let results =
                    results.iter().map(|result| format!(" [{} {}]", result.id, result.text));
                format!("results:{}", results.collect::<String>())
            }
        });
    }
    lines.join("\n") + "\n"
}

#[track_caller]
fn check(context: &Context, expected: &Expect) {
    expected.assert_eq(&shown(context));
}

#[test]
fn a_reply_is_kept_as_it_was_heard() {
    let mut context = context(ContextSettings::default());
    context.agent_says(Generation(1), "Hello!");
    context.user_said(" tell me ");
    context.user_said("  ");
    context.agent_says(Generation(2), "One two.");
    context.agent_says(Generation(2), "Three four.");
    context.was_heard(Generation(2), "One two. Three");
    context.agent_says(Generation(2), "This comes late.");
    context.user_said("stop");
    context.agent_says(Generation(3), "Never heard.");
    context.was_heard(Generation(3), " ");
    context.was_heard(Generation(7), "Never said.");
    context.user_said("go on");
    check(
        &context,
        &expect![[r#"
        system: Be brief.
        agent: Hello!
        user: tell me
        agent: One two. Three
        user: stop go on
    "#]],
    );
}

#[test]
fn tools_stay_with_their_results_whatever_was_heard() {
    let mut context = context(ContextSettings::default());
    context.user_said("weather and time?");
    context.agent_says(Generation(1), "Let me look.");
    let calls = vec![call("a", "weather"), call("b", "time")];
    assert_eq!(context.agent_calls(Generation(1), calls), Ok(()));
    assert!(context.tool_result("b", r#"{"time":"noon"}"#));
    assert!(!context.tool_result("b", "twice") && !context.tool_result("z", "unknown"));
    let waiting = expect![[r#"
        system: Be brief.
        user: weather and time?
        agent: Let me look. [a weather({})] [b time({})]
        results: [a {"status":"no result yet"}] [b {"time":"noon"}]
    "#]];
    check(&context, &waiting);
    assert!(context.tool_result("a", r#"{"sky":"clear"}"#));
    // Servers repeat ids: the newest call without a result is meant.
    assert_eq!(context.agent_calls(Generation(1), vec![call("a", "mood")]), Ok(()));
    assert!(context.tool_result("a", r#"{"mood":"good"}"#));
    context.agent_says(Generation(1), "It is noon");
    context.agent_says(Generation(1), "and clear.");
    context.was_heard(Generation(1), "Let me look. It is");
    let cut = expect![[r#"
        system: Be brief.
        user: weather and time?
        agent: Let me look. [a weather({})] [b time({})]
        results: [a {"sky":"clear"}] [b {"time":"noon"}]
        agent:  [a mood({})]
        results: [a {"mood":"good"}]
        agent: It is
    "#]];
    check(&context, &cut);
    context.was_heard(Generation(1), "Let me");
    context.was_heard(Generation(1), "");
    let unheard = expect![[r#"
        system: Be brief.
        user: weather and time?
        agent:  [a weather({})] [b time({})]
        results: [a {"sky":"clear"}] [b {"time":"noon"}]
        agent:  [a mood({})]
        results: [a {"mood":"good"}]
    "#]];
    check(&context, &unheard);
    assert_eq!(context.calls_so_far(), 3);
}

#[test]
fn the_oldest_turns_are_forgotten_whole() {
    let mut context = windowed(2, 1_000, Overflow::Drop);
    for (n, text) in ["one", "two", "three"].into_iter().enumerate() {
        let generation = Generation(n as u32 + 1);
        context.user_said(text);
        assert_eq!(context.agent_calls(generation, vec![call(text, "look")]), Ok(()));
        context.agent_says(generation, "Done.");
    }
    assert!(!context.tool_result("one", "{}"), "it was forgotten with its call");
    assert!(context.tool_result("two", "{}"));
    let expected = expect![[r#"
        system: Be brief.
        user: two
        agent:  [two look({})]
        results: [two {}]
        agent: Done.
        user: three
        agent:  [three look({})]
        results: [three {"status":"no result yet"}]
        agent: Done.
    "#]];
    check(&context, &expected);
    context.user_said(&"x".repeat(990));
    assert_eq!(context.outline().turns, 1);
    let outline = "turns=1 replies=0 calls=0 chars=990 system_chars=9 facts=0 dropped=3 \
                   summarised=0 reminded=false";
    assert_eq!(context.outline().to_string(), outline);
}

#[test]
fn of_a_turn_that_is_too_long_the_newest_tools_are_kept() {
    let mut context = windowed(5, 200, Overflow::Drop);
    context.user_said("go");
    for n in 0..10 {
        let id = n.to_string();
        assert_eq!(context.agent_calls(Generation(1), vec![call(&id, "look")]), Ok(()));
        assert!(context.tool_result(&id, &"y".repeat(150)));
    }
    let Prompt { messages, .. } = context.prompt();
    assert_eq!(messages[0], Turn::User("go".to_owned()));
    let [_, Turn::Assistant { calls, .. }, Turn::Results(results)] = &messages[..] else {
        panic!("{messages:?}")
    };
    assert_eq!((calls[0].id.as_str(), results[0].id.as_str()), ("9", "9"));
}

#[test]
fn pinned_facts_and_the_summary_belong_to_the_instructions() {
    let mut context = windowed(2, 1_000, Overflow::Summarise);
    assert_eq!(context.pin(" The caller is Ada. "), Ok(()));
    assert_eq!(context.pin("The caller is Ada."), Ok(()));
    for n in 1..=2 {
        context.user_said(&format!("question {n}"));
        context.agent_says(Generation(n), &format!("Answer {n}."));
        assert_eq!(context.wants_summary(), None);
    }
    context.user_said("question 3");
    assert_eq!(context.agent_calls(Generation(3), vec![call("a", "look")]), Ok(()));
    let expected = "User: question 1\nAgent: Answer 1.\nUser: question 2\nAgent: Answer 2.\n";
    assert_eq!(context.wants_summary().as_deref(), Some(expected));
    assert_eq!(context.wants_summary(), None, "it is asked for once");
    assert_eq!(context.outline().turns, 3, "nothing is missing meanwhile");
    context.user_said("question 4");
    context.summarised("  Two questions were answered. ");
    context.summarised("Nobody asked for this.");
    let expected = expect![[r#"
        system: Be brief.

        Facts:
        - The caller is Ada.

        The conversation so far, in short:
        Two questions were answered.
        user: question 3
        agent:  [a look({})]
        results: [a {"status":"no result yet"}]
        user: question 4
    "#]];
    check(&context, &expected);
    context.user_said("question 5");
    let text = context.wants_summary().expect("it overflows again");
    let expected = "Summary so far: Two questions were answered.\nUser: question 3\n\
                    Tool: look {} -> {\"status\":\"no result yet\"}\nUser: question 4\n";
    assert_eq!(text, expected);
}

#[test]
fn a_summary_that_does_not_come_is_not_waited_for() {
    let mut context = windowed(2, 1_000, Overflow::Summarise);
    for n in 0..3 {
        context.user_said(&format!("question {n}"));
    }
    assert!(context.wants_summary().is_some());
    context.summarised("");
    assert_eq!(context.wants_summary(), None, "nothing has changed since it failed");
    context.user_said("question 3");
    assert!(context.wants_summary().is_some());
    for n in 4..10 {
        context.user_said(&format!("question {n}"));
    }
    assert_eq!((context.outline().turns, context.outline().dropped), (4, 6));
    // What it was made of is gone already: it is all that is known of it, and nothing else leaves.
    context.summarised("The first questions.");
    assert_eq!((context.outline().turns, context.outline().summarised), (4, 0));
    assert!(context.prompt().system.ends_with("The first questions."));
}

#[test]
fn the_reminder_stands_before_the_newest_words_of_the_user() {
    let reminder = Reminder { every_turns: 2, text: "Stay brief.".to_owned() };
    let mut context = context(ContextSettings { reminder, ..ContextSettings::default() });
    let is_reminded = |context: &Context| {
        let is_told = shown(context).contains("reminder:");
        assert_eq!(context.outline().is_reminded, is_told);
        is_told
    };
    context.agent_says(Generation(1), "Hello!");
    assert!(!is_reminded(&context));
    context.user_said("one");
    assert!(!is_reminded(&context));
    context.user_said("two");
    assert_eq!(context.agent_calls(Generation(2), vec![call("a", "look")]), Ok(()));
    let expected = expect![[r#"
        system: Be brief.
        agent: Hello!
        reminder: Stay brief.
        user: one two
        agent:  [a look({})]
        results: [a {"status":"no result yet"}]
    "#]];
    check(&context, &expected);
    context.user_said("three");
    assert!(!is_reminded(&context), "it is in no history");
}

#[test]
fn what_is_too_much_is_refused_by_name() {
    let mut context = context(ContextSettings::default());
    let long = "x".repeat(CONTEXT_FACT_CHARS_MAX + 1);
    assert_eq!(context.pin(&long), Err(ContextError::FactLength { received: long.len() }));
    assert_eq!(context.pin(" "), Err(ContextError::FactLength { received: 0 }));
    for n in 0..CONTEXT_FACTS_MAX {
        assert_eq!(context.pin(&n.to_string()), Ok(()));
    }
    assert_eq!(context.pin("one more"), Err(ContextError::TooManyFacts));
    let huge = ToolCall { arguments: "x".repeat(TOOL_ARGUMENTS_BYTES_MAX), ..call("a", "b") };
    let rows = [
        vec![call("a", "b"); TOOL_USES_PENDING_MAX + 1],
        vec![huge, ToolCall { arguments: "1".to_owned(), ..call("a", "b") }],
        vec![call(&"x".repeat(TOOL_USE_ID_BYTES_MAX + 1), "b")],
        vec![call("a", &"x".repeat(TOOL_NAME_CHARS_MAX + 1))],
    ];
    for calls in rows {
        assert_eq!(context.agent_calls(Generation(1), calls), Err(ContextError::Calls));
    }
    assert_eq!(context.agent_calls(Generation(1), vec![call("a", "b")]), Ok(()));
    assert!(context.tool_result("a", &"x".repeat(TOOL_RESULT_BYTES_MAX + 1)));
    assert!(shown(&context).contains(r#"{"error":"the result is too large"}"#));
}

#[test]
fn a_clone_shares_the_turns_and_changes_none_of_them() {
    let mut context = context(ContextSettings::default());
    for n in 1..=3 {
        context.user_said("question");
        context.agent_says(Generation(n), "Answer.");
    }
    let before = shown(&context);
    let mut trial = context.clone();
    assert!(context.turns.iter().zip(&trial.turns).all(|(one, other)| Arc::ptr_eq(one, other)));
    trial.user_said("perhaps");
    trial.was_heard(Generation(3), "");
    assert_eq!(shown(&context), before);
    assert_ne!(shown(&trial), before);
}

#[derive(Clone, Debug)]
enum Step {
    User(String),
    Says(u32, String),
    Calls(u32, Vec<u8>),
    Result(u8, usize),
    Heard(u32, String),
    Summarised(String),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let words = || {
        ("[a-zé ]{0,12}", 0_u8..8).prop_map(|(text, long)| match long {
            0 => text.repeat(CONTEXT_TEXT_CHARS_MAX / 4),
            _ => text,
        })
    };
    let step = prop_oneof![
        4 => words().prop_map(Step::User),
        4 => (1_u32..6, words()).prop_map(|(id, text)| Step::Says(id, text)),
        3 => (1_u32..6, prop::collection::vec(0_u8..6, 0..4)).prop_map(|(id, ids)| Step::Calls(id, ids)),
        3 => (0_u8..6, prop_oneof![0_usize..20, 30_000_usize..40_000])
            .prop_map(|(id, length)| Step::Result(id, length)),
        3 => (1_u32..6, "[a-z]{0,3}( [a-z]{1,3}){0,6}").prop_map(|(id, text)| Step::Heard(id, text)),
        1 => "[a-z ]{0,10}".prop_map(Step::Summarised),
    ];
    prop::collection::vec(step, 0..60)
}

fn check_prompt(context: &Context, newest_user: Option<&str>) -> Result<(), TestCaseError> {
    let Prompt { system, messages } = context.prompt();
    prop_assert!(system.starts_with("Be brief.\n\nFacts:\n- pinned"));
    for (at, message) in messages.iter().enumerate() {
        let next = messages.get(at + 1);
        match message {
            Turn::User(text) => {
                prop_assert!(!text.trim().is_empty());
                prop_assert!(!matches!(next, Some(Turn::User(_))));
            }
            Turn::Assistant { text, calls } => {
                prop_assert!(!text.trim().is_empty() || !calls.is_empty());
                let results = match next {
                    Some(Turn::Results(results)) => &results[..],
                    _ => &[],
                };
                let ids = |ids: Vec<&String>| ids.into_iter().cloned().collect::<Vec<_>>();
                let called = ids(calls.iter().map(|call| &call.id).collect());
                prop_assert_eq!(called, ids(results.iter().map(|result| &result.id).collect()));
            }
            Turn::Results(_) => {
                let before = at.checked_sub(1).map(|before| &messages[before]);
                prop_assert!(matches!(before, Some(Turn::Assistant { .. })), "without calls");
            }
            Turn::Reminder(_) => prop_assert!(matches!(next, Some(Turn::User(_)))),
        }
    }
    let told = messages.iter().rev().find_map(|message| match message {
        Turn::User(text) => Some(text.as_str()),
        _ => None,
    });
    let is_told = match (told, newest_user) {
        (Some(told), Some(newest)) => told.ends_with(newest),
        (told, newest) => told == newest,
    };
    prop_assert!(is_told, "the newest words of the user are missing");
    Ok(())
}

proptest! {
    #[test]
    fn whatever_happens_the_model_is_told_something_sensible(
        steps in steps(),
        turns_max in 0_usize..5,
        chars_max in 0_usize..30_000,
        summarises in any::<bool>(),
        every_turns in 0_u32..4,
    ) {
        let overflow = if summarises { Overflow::Summarise } else { Overflow::Drop };
        let mut context = context(ContextSettings {
            window: Window { turns_max, chars_max },
            overflow,
            reminder: Reminder { every_turns, text: "again".to_owned() },
        });
        prop_assert_eq!(context.pin("pinned"), Ok(()));
        let factor = if summarises { 2 } else { 1 };
        let mut newest_user = None;
        for step in steps {
            match step {
                Step::User(text) => {
                    let cut: String = text.trim().chars().rev().take(CONTEXT_TEXT_CHARS_MAX).collect();
                    let cut: String = cut.chars().rev().collect();
                    let cut = Some(cut.trim_start().to_owned());
                    newest_user = cut.filter(|cut| !cut.is_empty()).or(newest_user);
                    context.user_said(&text);
                }
                Step::Says(id, text) => context.agent_says(Generation(id), &text),
                Step::Calls(id, ids) => {
                    let calls = ids.iter().map(|id| call(&id.to_string(), "look")).collect();
                    prop_assert_eq!(context.agent_calls(Generation(id), calls), Ok(()));
                }
                Step::Result(id, length) => {
                    context.tool_result(&id.to_string(), &"x".repeat(length));
                }
                Step::Heard(id, text) => context.was_heard(Generation(id), &text),
                Step::Summarised(text) => {
                    context.wants_summary();
                    context.summarised(&text);
                }
            }
            check_prompt(&context, newest_user.as_deref())?;
            let Outline { turns, replies, chars, .. } = context.outline();
            prop_assert!(turns <= factor * turns_max.max(1));
            prop_assert!(replies <= turns * CONTEXT_PARTS_MAX);
            let newest = context.turns.back().map_or(0, |turn| turn.chars());
            prop_assert!(chars <= (factor * chars_max).max(newest));
            prop_assert!(newest <= (factor * chars_max).max(
                2 * CONTEXT_TEXT_CHARS_MAX + TOOL_ARGUMENTS_BYTES_MAX
                    + TOOL_USES_PENDING_MAX * TOOL_RESULT_BYTES_MAX
            ));
        }
    }
}
