//! A language model that calls tools.

use super::*;
use crate::limits::MODEL_TOOL_ROUNDS_MAX;
use crate::tools::TOOL_PATIENCE;

fn calls(calls: &[(&str, &str, &str)]) -> Act {
    let call = |(index, (id, name, arguments)): (usize, &(&str, &str, &str))| {
        let function = serde_json::json!({ "name": name, "arguments": arguments });
        serde_json::json!({ "index": index, "id": id, "function": function })
    };
    let calls: Vec<_> = calls.iter().enumerate().map(call).collect();
    let event = serde_json::json!({ "choices": [{ "delta": { "tool_calls": calls } }] });
    Act::Chunk(format!("data: {event}\n\n"))
}

fn tool(name: &str, executor: Executor) -> ToolSpec {
    let mut spec = ToolSpec::new(name, "Does something.", executor);
    spec.parameters["properties"]["order"]["type"] = "integer".into();
    spec
}

const fn builtin(builtin: Builtin) -> Executor {
    Executor::Server(Job::Builtin(builtin))
}

/// The messages of a request.
fn messages(request: &str) -> Vec<serde_json::Value> {
    let body = request.split_once("\r\n\r\n").expect("there is a body").1;
    let body: serde_json::Value = serde_json::from_str(body).expect("it is JSON");
    body["messages"].as_array().expect("messages").clone()
}

fn texts(seen: &[(u32, String)]) -> Vec<&str> {
    seen.iter().map(|(_, text)| text.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_are_called_at_once_and_the_answer_goes_on_with_their_results() {
    let asks = stream(vec![
        event("One moment. "),
        calls(&[
            ("a", "order_status", r#"{"order": 17}"#),
            ("b", "order_status", r#"{"order": "x"}"#),
            ("c", "unheard_of", "{}"),
        ]),
        done(),
    ]);
    let answers = stream(vec![event("Order 17 was shipped."), done()]);
    let tools = vec![tool("order.status", builtin(Builtin::Echo))];
    let (backend, server) = with_tools(vec![asks, answers], tools).await;
    let mut session = backend.open(context()).expect("there is room");
    type_in(&session, 1, "where is order 17").await;
    let seen = texts_until_finished(&mut session, 1).await;
    assert_eq!(texts(&seen), ["One moment.", "Order 17 was shipped."]);
    let requests = within(server).await.expect("the server is right");
    assert!(requests[0].contains(r#""name":"order_status""#), "{}", requests[0]);
    let messages = messages(&requests[1]);
    let roles: Vec<_> = messages.iter().map(|message| message["role"].as_str()).collect();
    assert!(roles.ends_with(&["user", "assistant", "tool", "tool", "tool"].map(Some)), "{roles:?}");
    let said = &messages[messages.len() - 4];
    assert_eq!(said["content"], "One moment.", "{said}");
    assert_eq!(said["tool_calls"].as_array().map(Vec::len), Some(3), "{said}");
    let results = messages[messages.len() - 3..].iter();
    let results: Vec<_> = results.map(|it| it["content"].as_str().unwrap_or_default()).collect();
    assert_eq!(results[0], r#"{"order":17}"#);
    assert!(results[1].contains("error") && results[1].contains("order"), "{}", results[1]);
    assert!(results[2].contains("error") && results[2].contains("unheard_of"), "{}", results[2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_long_is_bridged_and_announced_when_it_is_there() {
    let asks = stream(vec![calls(&[("a", "wait", "{}")]), done()]);
    let answers = stream(vec![event("It is done."), done()]);
    let mut slow = tool("wait", builtin(Builtin::Wait(Duration::from_secs(6))));
    let after = Duration::from_millis(200);
    slow.filler = Some(Filler { text: "Please hold the line.".to_owned(), after });
    let (backend, server) = with_tools(vec![asks, answers], vec![slow]).await;
    let mut session = backend.open(context()).expect("there is room");
    type_in(&session, 1, "do it").await;
    // The reply has nothing but the filler, and ends before the tool does.
    let seen = texts_until_finished(&mut session, 1).await;
    assert_eq!(texts(&seen), ["Please hold the line."]);
    read_until(&mut session, |event| *event == BackendEvent::WantsToSpeak).await;
    let speak = BackendCommand::Speak { generation: Generation(2) };
    within(session.input.send(BackendInput::Command(speak))).await.expect("the session lives");
    let seen = texts_until_finished(&mut session, 2).await;
    assert_eq!(texts(&seen), ["It is done."]);
    let requests = within(server).await.expect("the server is right");
    assert!(requests[1].contains("waited_ms"), "{}", requests[1]);
    assert!(!requests[1].contains("hold the line"), "the model did not say that");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_be_confirmed_is_done_only_after_a_yes() {
    let cancel = |id| calls(&[(id, "cancel_order", r#"{"order": 17}"#)]);
    let answers = vec![
        stream(vec![cancel("a"), done()]),
        stream(vec![event("Really cancel order 17?"), done()]),
        stream(vec![cancel("b"), done()]),
        stream(vec![event("It is cancelled."), done()]),
    ];
    let mut spec = tool("cancel_order", builtin(Builtin::Echo));
    spec.confirm = Some(Confirm::default());
    let (backend, server) = with_tools(answers, vec![spec]).await;
    let mut session = backend.open(context()).expect("there is room");
    type_in(&session, 1, "cancel order 17").await;
    let seen = texts_until_finished(&mut session, 1).await;
    assert_eq!(texts(&seen), ["Really cancel order 17?"]);
    type_in(&session, 2, "yes").await;
    let seen = texts_until_finished(&mut session, 2).await;
    assert_eq!(texts(&seen), ["It is cancelled."]);
    let requests = within(server).await.expect("the server is right");
    let result =
        |request: &str| messages(request).pop().expect("there is a last")["content"].clone();
    assert!(result(&requests[1]).to_string().contains("confirm"), "{}", requests[1]);
    assert_eq!(result(&requests[3]), r#"{"order":17}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_users_client_does_what_it_is_asked_for() {
    let asks = stream(vec![calls(&[("a", "show", "{}")]), done()]);
    let answers = stream(vec![event("Here it is."), done()]);
    let tools = vec![tool("show", Executor::Client)];
    let (backend, server) = with_tools(vec![asks, answers], tools).await;
    let mut session = backend.open(context()).expect("there is room");
    type_in(&session, 1, "show me").await;
    let is_call = |event: &BackendEvent| matches!(event, BackendEvent::ToolCall { .. });
    let (_, call) = read_until(&mut session, is_call).await;
    let BackendEvent::ToolCall { generation, call_id, name, .. } = call else { panic!("matched") };
    assert_eq!((generation, name.as_str()), (Generation(1), "show"));
    let result = BackendCommand::ToolResult { call_id, result: r#"{"shown":true}"#.to_owned() };
    within(session.input.send(BackendInput::Command(result))).await.expect("the session lives");
    let seen = texts_until_finished(&mut session, 1).await;
    assert_eq!(texts(&seen), ["Here it is."]);
    let requests = within(server).await.expect("the server is right");
    assert!(requests[1].contains("shown"), "{}", requests[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_was_cut_while_its_tool_works_is_not_gone_on_with() {
    let asks = stream(vec![event("Let me see. "), calls(&[("a", "wait", "{}")]), done()]);
    let answers = stream(vec![event("As you like."), done()]);
    let slow = tool("wait", builtin(Builtin::Wait(Duration::from_millis(300))));
    let (backend, server) = with_tools(vec![asks, answers], vec![slow]).await;
    let mut session = backend.open(context()).expect("there is room");
    type_in(&session, 1, "look it up").await;
    while !matches!(within(session.output.recv()).await, Some(BackendOutput::Audio(_))) {}
    within(session.input.send(cancel(1))).await.expect("the session lives");
    type_in(&session, 2, "never mind").await;
    let seen = texts_until_finished(&mut session, 2).await;
    assert_eq!(texts(&seen), ["As you like."]);
    let requests = within(server).await.expect("the server is right");
    // A call is never told without a result, even if that has not come.
    let messages = messages(&requests[1]);
    let tools = messages.iter().filter(|message| message["role"] == "tool").count();
    assert_eq!(tools, 1, "{messages:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_waits_for_its_own_tools_and_for_no_others() {
    let call = |id, name| stream(vec![calls(&[(id, name, "{}")]), done()]);
    let answers = stream(vec![event("That was quick."), done()]);
    // Longer than a reply waits.
    let time = 2 * TOOL_PATIENCE;
    let mut slow = tool("slow", builtin(Builtin::Wait(time)));
    let filler = "Please hold the line.".to_owned();
    slow.filler = Some(Filler { text: filler, after: Duration::from_millis(1) });
    let tools = vec![slow, tool("quick", builtin(Builtin::Echo))];
    let (backend, _server) =
        with_tools(vec![call("a", "slow"), call("b", "quick"), answers], tools).await;
    let mut session = backend.open(context()).expect("there is room");
    type_in(&session, 1, "look it up").await;
    while !matches!(within(session.output.recv()).await, Some(BackendOutput::Audio(_))) {}
    within(session.input.send(cancel(1))).await.expect("the session lives");
    type_in(&session, 2, "something else").await;
    let seen = texts_until_finished(&mut session, 2).await;
    let of_second: Vec<_> =
        seen.iter().filter(|(n, _)| *n == 2).map(|(_, it)| it.as_str()).collect();
    assert_eq!(of_second, ["That was quick."]);
}

/// What the last tool of a request is said to have answered.
fn last_result(request: &str) -> String {
    let mut messages = messages(request);
    messages.retain(|message| message["role"] == "tool");
    messages.pop().expect("there is one")["content"].as_str().expect("it is text").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_is_asked_once_to_repair_its_arguments_and_then_speaks() {
    let wrong = |id| stream(vec![calls(&[(id, "look_up", r#"{"order": "x"}"#)]), done()]);
    let answers = vec![wrong("a"), wrong("b"), stream(vec![event("I cannot."), done()])];
    let tools = vec![tool("look_up", builtin(Builtin::Echo))];
    let (backend, server) = with_tools(answers, tools).await;
    let mut session = backend.open(context()).expect("there is room");
    type_in(&session, 1, "look up order x").await;
    let seen = texts_until_finished(&mut session, 1).await;
    assert_eq!(texts(&seen), ["I cannot."], "no error is spoken");
    let requests = within(server).await.expect("the server is right");
    let (first, second) = (last_result(&requests[1]), last_result(&requests[2]));
    assert!(first.contains("order: ") && first.contains("call it once more"), "{first}");
    assert!(second.contains("do not call it again"), "{second}");
}

/// An answer that calls the tool `look_up`, for the `n`-th time.
fn round(n: u32) -> Vec<Act> {
    stream(vec![calls(&[(&format!("use-{n}"), "look_up", "{}")]), done()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_calls_tools_without_end_is_told_to_answer() {
    let mut answers: Vec<_> = (0..=MODEL_TOOL_ROUNDS_MAX).map(round).collect();
    answers.push(stream(vec![event("Here it is."), done()]));
    let tools = vec![tool("look_up", builtin(Builtin::Echo))];
    let (backend, server) = with_tools(answers, tools).await;
    let mut session = backend.open(context()).expect("there is room");
    type_in(&session, 1, "look it up").await;
    let seen = texts_until_finished(&mut session, 1).await;
    assert_eq!(texts(&seen), ["Here it is."]);
    let requests = within(server).await.expect("the server is right");
    let last = requests.len() - 1;
    assert_eq!(last_result(&requests[last - 1]), "{}", "the last that was carried out");
    assert!(last_result(&requests[last]).contains("answer the user now"), "{}", requests[last]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_does_not_stop_then_is_given_up() {
    let answers = (0..MODEL_TOOL_ROUNDS_MAX + 2).map(round).collect();
    let tools = vec![tool("look_up", builtin(Builtin::Echo))];
    let (backend, _server) = with_tools(answers, tools).await;
    let mut session = backend.open(context()).expect("there is room");
    type_in(&session, 1, "look it up").await;
    let has_failed = |event: &BackendEvent| matches!(event, BackendEvent::ReplyFailed { .. });
    let (audio, event) = read_until(&mut session, has_failed).await;
    assert!(samples(&audio).len() > 16_000, "the apology is spoken");
    let message = "the language model calls tools without end".to_owned();
    assert_eq!(event, BackendEvent::ReplyFailed { generation: Generation(1), message });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_waits_for_tools_no_longer_than_the_call_would_for_it() {
    let asks = stream(vec![calls(&[("a", "wait", "{}")]), done()]);
    let answers = stream(vec![event("It is done."), done()]);
    // Less than it would be waited for by itself.
    let slow = tool("wait", builtin(Builtin::Wait(TOOL_PATIENCE - Duration::from_secs(1))));
    let (backend, _server) = with_tools(vec![asks, answers], vec![slow]).await;
    let call = CallContext { reply_timeout: Duration::from_secs(1), ..context() };
    let mut session = backend.open(call).expect("there is room");
    read_until(&mut session, |event| *event == BackendEvent::Ready).await;
    type_in(&session, 1, "do it").await;
    assert_eq!(texts_until_finished(&mut session, 1).await, []);
    read_until(&mut session, |event| *event == BackendEvent::WantsToSpeak).await;
    let speak = BackendCommand::Speak { generation: Generation(2) };
    within(session.input.send(BackendInput::Command(speak))).await.expect("the session lives");
    assert_eq!(texts(&texts_until_finished(&mut session, 2).await), ["It is done."]);
}
