use serde_json::json;

use super::*;

fn card(name: &str, schema: Value) -> ToolCard {
    let Value::Object(schema) = schema else { panic!("a schema is an object") };
    ToolCard { name: name.to_owned(), schema }
}

fn mind(kind: MindKind, calls_in_parallel: bool) -> Mind {
    let mut mind = Mind::new(kind, calls_in_parallel);
    let order = json!({
        "type": "object",
        "properties": {
            "order_id": { "type": "integer" },
            "speed": { "enum": ["slow", "Fast"] },
            "note": { "type": "string" },
        },
        "required": ["order_id"],
    });
    let transfer = json!({
        "properties": { "amount": { "type": ["number", "null"] }, "to": { "type": "string" },
            "urgent": { "type": "boolean" }, "tags": { "type": "array" } },
        "required": ["amount", "to", "urgent", "tags"],
    });
    mind.equip(vec![
        card("get_order_status", order),
        card("transferMoney", transfer),
        card("weather", json!({})),
    ]);
    mind
}

#[test]
fn tools_are_called_by_their_names_with_what_was_said() {
    for (text, expected) in [
        (
            "What is the status of order 17, please?",
            Some(("get_order_status", json!({ "order_id": 17 }))),
        ),
        (
            "order status fast",
            Some(("get_order_status", json!({ "order_id": 1, "speed": "Fast" }))),
        ),
        (
            "transfer 250 money",
            Some((
                "transferMoney",
                json!({ "amount": 250, "to": "transfer 250 money", "urgent": true, "tags": [] }),
            )),
        ),
        (
            "Transfer it to Ann.",
            Some((
                "transferMoney",
                json!({ "amount": 1, "to": "ann", "urgent": true, "tags": [] }),
            )),
        ),
        ("How is the weather?", Some(("weather", json!({})))),
        ("Get me something", None),
        ("Good evening", None),
    ] {
        let reply = mind(MindKind::Talk, false).hear(text);
        let calls = reply.calls.iter().map(|call| (call.name.as_str(), call.arguments.clone()));
        assert_eq!(calls.collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>(), "{text}");
        assert_eq!(reply.sentences.is_empty(), !reply.calls.is_empty(), "{text}");
    }
}

#[test]
fn several_calls_are_made_at_once_where_that_is_wanted() {
    for (text, alone, together) in
        [("order status 1 and 2", 1, 2), ("weather and order status 5", 1, 2)]
    {
        let calls = |in_parallel| mind(MindKind::Talk, in_parallel).hear(text).calls.len();
        assert_eq!((calls(false), calls(true)), (alone, together), "{text}");
    }
}

#[test]
fn results_are_told_briefly() {
    for (result, expected) in [
        (r#"{"result":{"status":"shipped"}}"#, "The result is: status shipped."),
        (r#"{"status":"shipped","days_left":2}"#, "The result is: days left 2, status shipped."),
        (r#"{"result":[1,2,null]}"#, "The result is: 1, 2."),
        (r#"{"result":{}}"#, "The result is: nothing."),
        (r#"{"error":"timeout"}"#, "That did not work: timeout."),
    ] {
        let reply = mind(MindKind::Talk, false).tool_answered("use", result);
        assert_eq!(reply.sentences, [expected]);
    }
    let long = json!({ "result": "word ".repeat(1_000) }).to_string();
    let reply = mind(MindKind::Talk, false).tool_answered("use", &long);
    assert!(reply.sentences[0].len() < 400);
}

#[test]
fn actions_are_confirmed_aloud() {
    let question = r#"{"status":"confirmation_required","say":"Send it?","then":"call again"}"#;
    for (kind, asked) in [(MindKind::Talk, "Send it?"), (MindKind::COUNT, "confirm.")] {
        for (answer, calls, said) in [("yes", 1, None), ("no", 0, Some(())), ("12", 0, Some(()))] {
            let mut mind = mind(kind, false);
            let call = mind.hear("order status 17").calls.remove(0);
            mind.call_made("use-1".to_owned(), call.clone());
            assert_eq!(mind.tool_answered("use-1", question).sentences, [asked]);
            let reply = mind.hear(answer);
            assert_eq!(reply.calls, vec![call.clone(); calls], "{answer}");
            assert_eq!(reply.sentences.first().map(|_| ()), said, "{answer}");
            // The question is asked once.
            assert_eq!(mind.hear("yes").calls, []);
        }
    }
}

#[test]
fn what_is_dictated_is_said_word_for_word() {
    for (text, expected) in [
        (
            "Say exactly this to the user, and nothing else: Good morning. How are you?",
            vec!["Good morning.", "How are you?"],
        ),
        ("Greeting. SAY EXACTLY THIS TO THE USER: \"17 18.\"", vec!["17 18."]),
    ] {
        for kind in [MindKind::Talk, MindKind::COUNT] {
            assert_eq!(mind(kind, false).read(text).sentences, expected);
        }
    }
}

#[test]
fn anything_else_is_quoted() {
    let mut mind = mind(MindKind::Talk, false);
    for text in ["I like tea.", "And bread", "Really?"] {
        let said = mind.hear(text).sentences.concat();
        assert!(said.contains(text.trim_end_matches(['.', '?'])), "{said}");
        mind.remember(Message { is_users: false, text: said });
    }
    assert!(mind.hear("Tell me a story").sentences.len() > 5, "long enough to be interrupted");
    assert_eq!(mind.hear("").sentences, ["I did not hear anything."]);
}

#[test]
fn numbers_are_continued_only_from_a_cut_off_answer() {
    let MindKind::Count { words, .. } = MindKind::COUNT else { panic!("it counts") };
    let answer = count::answer(40, words);
    let text_of = |words: &[Word]| Word::text_of(words);
    for (history, told, expected) in [
        (vec!["40", &text_of(&answer[..2])], "go on", answer[2..].to_vec()),
        (vec!["40"], "go on", answer.clone()),
        (vec!["40", &text_of(&answer)], "go on", count::answer(0, words)),
        (vec![], "greet the user", count::answer(0, words)),
        (vec![], "41", count::answer(41, words)),
        (vec!["40", "something else"], "And 42?", count::answer(42, words)),
        (vec!["40", &text_of(&answer[..2])], "42", count::answer(42, words)),
    ] {
        let mut mind = Mind::new(MindKind::COUNT, false);
        for (index, text) in history.iter().enumerate() {
            mind.remember(Message { is_users: index % 2 == 0, text: (*text).to_owned() });
        }
        let said = mind.read(told).sentences.concat();
        assert_eq!(Word::all_in(&said.replace('.', " ")), expected, "{history:?}, {told}");
    }
}

#[test]
fn what_is_not_understood_is_asked_again() {
    for text in ["", "(speech of 1.2 s)", "please"] {
        assert_eq!(mind(MindKind::COUNT, false).hear(text).sentences, ["repeat."]);
    }
}

#[test]
fn memory_and_answers_are_bounded() {
    let mut mind = Mind::new(MindKind::Talk, false);
    for _ in 0..300 {
        mind.hear("hello");
    }
    assert_eq!(mind.messages.len(), REMEMBERED_MAX);
    let long = "word ".repeat(5_000);
    assert!(mind.hear(&long).sentences.iter().all(|text| text.len() <= SENTENCE_BYTES_MAX));
    let many = format!("Say exactly this: {}", "One. ".repeat(100));
    assert_eq!(mind.read(&many).sentences.len(), SENTENCES_MAX);
}
