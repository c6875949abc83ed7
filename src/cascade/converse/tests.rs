use super::*;

fn told(messages: Vec<Turn>) -> Vec<Message> {
    conversation(&Prompt { system: String::new(), messages }, true).messages
}

fn user(text: &str) -> Turn {
    Turn::User(text.to_owned())
}

fn agent(text: &str, calls: &[(&str, &str, &str)]) -> Turn {
    let call = |(id, name, arguments): &(&str, &str, &str)| ToolCall {
        id: (*id).to_owned(),
        name: (*name).to_owned(),
        arguments: (*arguments).to_owned(),
    };
    Turn::Assistant { text: text.to_owned(), calls: calls.iter().map(call).collect() }
}

fn results(results: &[(&str, &str)]) -> Turn {
    let result =
        |(id, text): &(&str, &str)| ToolResult { id: (*id).to_owned(), text: (*text).to_owned() };
    Turn::Results(results.iter().map(result).collect())
}

fn text(text: &str) -> Block {
    Block::Text(text.to_owned())
}

fn roles(messages: &[Message]) -> String {
    let role = |message: &Message| if message.role == Role::User { 'u' } else { 'a' };
    messages.iter().map(role).collect()
}

#[test]
fn the_user_is_first_and_last_and_roles_alternate() {
    let rows: [(Vec<Turn>, &str); 5] = [
        (vec![], "u"),
        (vec![agent("Hello.", &[])], "uau"),
        (vec![agent("Hello.", &[]), user("Hi.")], "uau"),
        (vec![user("Hi."), agent("Hello.", &[]), agent("Still there?", &[]), user("Yes.")], "uau"),
        (vec![user("Hi."), agent(" ", &[]), user("Hm?")], "u"),
    ];
    for (turns, expected) in rows {
        let messages = told(turns.clone());
        assert_eq!(roles(&messages), expected, "{turns:?}");
        assert!(messages.iter().all(|message| !message.blocks.is_empty()), "{messages:?}");
    }
}

#[test]
fn all_results_of_an_answer_are_in_one_message_before_what_the_user_says_next() {
    let calls = [("a", "time", "{}"), ("b", "add", r#"{"x": 1}"#)];
    let messages = told(vec![
        user("Both, please."),
        agent("One moment.", &calls),
        results(&[("a", r#"{"hour": 3}"#), ("b", "2")]),
        user("And?"),
    ]);
    assert_eq!(roles(&messages), "uau");
    let tool_use = |id: &str, name: &str, input| Block::ToolUse {
        id: id.to_owned(),
        name: name.to_owned(),
        input,
    };
    let expected = [
        text("One moment."),
        tool_use("a", "time", json!({})),
        tool_use("b", "add", json!({ "x": 1 })),
    ];
    assert_eq!(messages[1].blocks, expected);
    let result = |id: &str, content| Block::ToolResult { id: id.to_owned(), content };
    let expected = [result("a", json!({ "hour": 3 })), result("b", json!("2")), text("And?")];
    assert_eq!(messages[2].blocks, expected);
}

#[test]
fn what_a_model_wrote_wrongly_is_told_as_an_object() {
    for arguments in ["", "[1]", "{\"x\": ", "nonsense", "7"] {
        let messages = told(vec![user("x"), agent("", &[("a", "add", arguments)])]);
        let Block::ToolUse { input, .. } = &messages[1].blocks[0] else { panic!("{messages:?}") };
        assert_eq!(*input, json!({ "malformed": arguments }));
    }
}

#[test]
fn ids_of_other_providers_are_made_lawful_on_both_sides() {
    let long = "x".repeat(100);
    for (id, expected) in [("call:1/ü", "call_1__"), ("", "_"), (long.as_str(), &long[..64])] {
        let messages =
            told(vec![user("x"), agent("", &[(id, "add", "{}")]), results(&[(id, " ")])]);
        let Block::ToolUse { id: of_call, .. } = &messages[1].blocks[0] else { panic!() };
        let Block::ToolResult { id: of_result, content } = &messages[2].blocks[0] else { panic!() };
        assert_eq!((of_call.as_str(), of_result.as_str()), (expected, expected));
        assert_eq!(*content, json!("nothing"));
    }
}

#[test]
fn without_tools_nothing_speaks_of_them_but_words() {
    let messages = vec![user("x"), agent("", &[("a", "add", "{}")]), results(&[("a", "2")])];
    let told = conversation(&Prompt { system: "Be kind.".to_owned(), messages }, false);
    assert_eq!(told.system.as_deref(), Some("Be kind."));
    assert_eq!(told.messages[1].blocks, [text("(called add with {})")]);
    assert_eq!(told.messages[2].blocks, [text("(the result is 2)")]);
}

#[test]
fn a_reminder_stands_before_what_the_user_says() {
    let messages = told(vec![Turn::Reminder("Be brief.".to_owned()), user("Hi.")]);
    let expected = [text("<instructions>Be brief.</instructions>"), text("Hi.")];
    assert_eq!(messages[0].blocks, expected);
    assert_eq!(conversation(&Prompt::default(), true).system, None);
}
