//! The ledger: every use answered exactly once, whatever the order of events.

mod confirmations;

use serde_json::{Map, Value, json};

use super::*;
use crate::limits::TOOL_USES_REMEMBERED_MAX;
use crate::tools::{Builtin, Confirm, Filler, Job, ToolSpec};

/// A desk and its clock.
struct Scene {
    desk: Desk,
    now: SessionTime,
}

impl Scene {
    fn new() -> Self {
        let toolbox = Toolbox::new(declared()).expect("they are good");
        Self { desk: Desk::new(Arc::new(toolbox), "call-1".to_owned()), now: SessionTime::ZERO }
    }

    /// What is done now, in words.
    fn acts(&mut self) -> Vec<String> {
        let acts = std::iter::from_fn(|| self.desk.poll_act(self.now));
        acts.map(|act| shown(&act)).collect()
    }

    fn request(&mut self, use_id: &str, name: &str, arguments: &str) -> Vec<String> {
        self.desk.request(self.now, use_id, name, arguments);
        self.acts()
    }

    fn result(&mut self, ticket: u64, value: Value) -> Vec<String> {
        self.desk.finished(self.now, ToolDone { ticket, outcome: Outcome::Result(value) });
        self.acts()
    }

    fn client_result(&mut self, use_id: &str, text: &str) -> Vec<String> {
        self.desk.client_answered(self.now, use_id, text);
        self.acts()
    }

    fn wait(&mut self, ms: u64) -> Vec<String> {
        self.now += Duration::from_millis(ms);
        self.acts()
    }
}

fn declared() -> Vec<ToolSpec> {
    let echo = Executor::Server(Job::Builtin(Builtin::Echo));
    let city = json!({
        "type": "object",
        "properties": { "city": { "type": "string" } },
        "required": ["city"],
    });
    let question = "Send {amount} euro to {to}?".to_owned();
    let money = json!({
        "type": "object",
        "properties": { "amount": { "type": "number" }, "to": { "type": "string" } },
    });
    let filler = Filler { after: Duration::from_secs(2), text: "One moment.".to_owned() };
    vec![
        ToolSpec { parameters: city, ..ToolSpec::new("weather", "Tells it.", echo.clone()) },
        ToolSpec::new("where", "Where the user is.", Executor::Client),
        ToolSpec { filler: Some(filler), ..ToolSpec::new("search", "Takes long.", echo.clone()) },
        ToolSpec {
            parameters: money,
            confirm: Some(Confirm { question: Some(question), ..Confirm::default() }),
            ..ToolSpec::new("send", "Sends money.", echo.clone())
        },
        ToolSpec {
            confirm: Some(Confirm::default()),
            ..ToolSpec::new("close_account", "Closes it.", echo)
        },
    ]
}

fn shown(act: &DeskAct) -> String {
    match act {
        DeskAct::Run(run) => format!("run {} {} {}", run.ticket, run.tool, run.arguments),
        DeskAct::Abort { ticket } => format!("abort {ticket}"),
        DeskAct::AskClient { use_id, name, arguments } => {
            format!("ask {use_id} {name} {arguments}")
        }
        DeskAct::Answer { use_id, result, was_late } => {
            let object: Map<String, Value> = serde_json::from_str(result).expect("an object");
            let when = if *was_late { " late" } else { "" };
            format!("answer {use_id}{when} {}", Value::Object(object))
        }
        DeskAct::Filler { use_id, text } => format!("filler {use_id} {text}"),
    }
}

#[test]
fn parallel_uses_are_answered_in_the_order_of_their_results() {
    let mut scene = Scene::new();
    assert_eq!(
        scene.request("a", "weather", r#"{"city":"Paris"}"#),
        [r#"run 1 weather {"city":"Paris"}"#]
    );
    assert_eq!(scene.request("b", "where", "{}"), ["ask b where {}"]);
    assert_eq!(scene.request("c", "weather", r#"{"city":"Rome"}"#).len(), 1);
    assert_eq!((scene.desk.pending(), scene.desk.is_pending("b")), (3, true));
    assert_eq!(scene.result(2, json!({ "sunny": true })), [r#"answer c {"sunny":true}"#]);
    assert_eq!(scene.client_result("b", "[1,2]"), [r#"answer b {"result":[1,2]}"#]);
    assert_eq!(scene.result(1, json!("rain")), [r#"answer a {"result":"rain"}"#]);
    assert_eq!((scene.desk.pending(), scene.desk.poll_timeout()), (0, None));
    let stats = DeskStats { requests: 3, executed: 3, results: 3, ..DeskStats::default() };
    assert_eq!(*scene.desk.stats(), stats);
}

#[test]
fn what_cannot_be_run_is_answered_with_an_error_at_once() {
    let mut scene = Scene::new();
    let unknown = scene.request("a", "wether\n", "{}");
    let expected = r#"answer a {"error":"there is no tool `wether `; there are: weather, where, search, send, close_account"}"#;
    assert_eq!(unknown, [expected]);
    let expected = r#"answer b {"error":"invalid arguments: \"city\" is a required property","then":"call it once more with arguments that fit"}"#;
    assert_eq!(scene.request("b", "weather", "{}"), [expected]);
    scene.desk.reply_begins();
    let cut = scene.request("c", "weather", r#"{"city": "#);
    assert!(
        cut[0].starts_with(r#"answer c {"error":"invalid arguments: expected JSON"#),
        "{cut:?}"
    );
    let mut empty = Desk::new(Arc::new(Toolbox::default()), String::new());
    empty.request(SessionTime::ZERO, "a", "weather", "{}");
    let act = empty.poll_act(SessionTime::ZERO).expect("it is answered");
    assert!(shown(&act).ends_with("there are: none\"}"), "{act:?}");
    let stats = DeskStats { requests: 3, unknown: 1, invalid: 2, ..DeskStats::default() };
    assert_eq!(*scene.desk.stats(), stats);
}

#[test]
fn a_model_may_repair_its_arguments_once_in_a_reply() {
    const AGAIN: &str = "call it once more";
    const NEVER: &str = "do not call it again";
    let mut scene = Scene::new();
    let told =
        |scene: &mut Scene, use_id: &str, name: &str| scene.request(use_id, name, "[]").remove(0);
    assert!(told(&mut scene, "a", "weather").contains(AGAIN));
    assert!(told(&mut scene, "b", "send").contains(AGAIN), "another tool has a try of its own");
    assert!(told(&mut scene, "c", "weather").contains(NEVER));
    assert!(told(&mut scene, "d", "weather").contains(NEVER));
    // What fits is done all the same.
    assert_eq!(scene.request("e", "weather", r#"{"city":"Paris"}"#).len(), 1);
    scene.desk.user_said(scene.now, "and in Rome?");
    assert!(told(&mut scene, "f", "weather").contains(AGAIN), "that was another reply");
    scene.desk.reply_begins();
    assert!(told(&mut scene, "g", "weather").contains(AGAIN), "and so was that");
    assert_eq!((scene.desk.stats().invalid, scene.desk.stats().unrepaired), (6, 2));
}

#[test]
fn arguments_reach_the_executor_decoded() {
    let mut scene = Scene::new();
    let twice = json!(r#"{"city": "Paris"}"#).to_string();
    assert_eq!(scene.request("a", "weather", &twice), [r#"run 1 weather {"city":"Paris"}"#]);
    assert_eq!(scene.request("b", "where", "\"{ }\""), ["ask b where {}"]);
}

#[test]
fn a_use_is_answered_once_however_often_it_is_asked_for_or_reported() {
    let mut scene = Scene::new();
    let paris = r#"{"city":"Paris"}"#;
    assert_eq!(scene.request("a", "weather", paris).len(), 1);
    assert_eq!(scene.request("a", "weather", paris), [""; 0], "it is pending");
    assert_eq!(scene.client_result("a", "{}"), [""; 0], "it is not the client's");
    assert_eq!(scene.result(1, json!({})), ["answer a {}"]);
    assert_eq!(scene.result(1, json!({})), [""; 0], "it is done");
    assert_eq!(scene.request("a", "weather", paris), [""; 0], "it was answered");
    assert_eq!(scene.result(99, json!({})), [""; 0], "nobody asked");
    assert_eq!(scene.client_result("z", "{}"), [""; 0], "nobody asked");
    let stats = *scene.desk.stats();
    assert_eq!((stats.requests, stats.duplicates, stats.late), (1, 2, 4));
}

#[test]
fn time_outs_are_the_desks_own_and_late_results_are_dropped() {
    let mut scene = Scene::new();
    scene.request("a", "weather", r#"{"city":"Paris"}"#);
    scene.request("b", "where", "{}");
    assert_eq!(scene.desk.poll_timeout(), Some(SessionTime::from_millis(10_000)));
    assert_eq!(scene.wait(9_999), [""; 0]);
    let error = r#"late {"error":"no result came within 10 s"}"#;
    assert_eq!(
        scene.wait(1),
        ["abort 1".to_owned(), format!("answer a {error}"), format!("answer b {error}")]
    );
    assert_eq!(scene.result(1, json!({})), [""; 0]);
    assert_eq!(scene.client_result("b", "{}"), [""; 0]);
    let stats = *scene.desk.stats();
    assert_eq!((stats.timed_out, stats.late, stats.results), (2, 2, 0));
}

#[test]
fn results_are_objects_within_bounds_or_errors() {
    let large = json!("x".repeat(TOOL_RESULT_BYTES_MAX));
    let frame = json!({ "result": "" }).to_string().len();
    let largest = json!("x".repeat(TOOL_RESULT_BYTES_MAX - frame));
    let deep = (0..TOOL_JSON_DEPTH_MAX).fold(json!([]), |inner, _| json!([inner]));
    let rows = [
        (json!({ "error": "mine" }), r#"{"error":"mine"}"#),
        (json!(null), r#"{"result":null}"#),
        (largest, r#"{"result":"xxx"#),
        (
            large,
            r#"{"error":"the result cannot be used: expected at most 32768 bytes, received 32781"}"#,
        ),
        (deep, r#"{"error":"the result cannot be used: expected at most 32 levels"#),
    ];
    for (value, expected) in rows {
        let mut scene = Scene::new();
        scene.request("a", "weather", r#"{"city":"Paris"}"#);
        let acts = scene.result(1, value);
        assert!(acts[0].starts_with(&format!("answer a {expected}")), "{acts:.200?}");
    }
    let large = json!("x".repeat(TOOL_RESULT_BYTES_MAX)).to_string();
    let deep = format!("{}{}", "[".repeat(33), "]".repeat(33));
    let rows = [
        ("7", r#"{"result":7}"#),
        ("fine", r#"{"error":"the result cannot be used: expected JSON"#),
        ("", r#"{"error":"the result cannot be used: expected JSON"#),
        (&large, r#"{"error":"the result cannot be used: expected at most 32768 bytes"#),
        (&deep, r#"{"error":"the result cannot be used: expected at most 32 levels"#),
    ];
    for (text, expected) in rows {
        let mut scene = Scene::new();
        scene.request("a", "where", "{}");
        let acts = scene.client_result("a", text);
        assert!(acts[0].starts_with(&format!("answer a {expected}")), "{acts:.200?}");
        assert_eq!(scene.desk.pending(), 0);
    }
}

#[test]
fn failures_are_told_in_few_words() {
    let mut scene = Scene::new();
    scene.request("a", "weather", r#"{"city":"Paris"}"#);
    let outcome = Outcome::Failed("x".repeat(10_000));
    scene.desk.finished(scene.now, ToolDone { ticket: 1, outcome });
    let act = scene.desk.poll_act(scene.now).expect("it is answered");
    let DeskAct::Answer { result, .. } = act else { panic!("{act:?}") };
    let frame = json!({ "error": "" }).to_string().len();
    assert_eq!(result.chars().count(), TOOL_ERROR_CHARS_MAX + frame);
    assert_eq!(scene.desk.stats().failed, 1);
}

#[test]
fn who_waits_is_told_so_once_and_what_comes_then_is_late() {
    let mut scene = Scene::new();
    scene.request("a", "search", "{}");
    scene.request("b", "where", "{}");
    assert_eq!(scene.desk.poll_timeout(), Some(SessionTime::from_millis(2_000)));
    assert_eq!(scene.wait(1_999), [""; 0]);
    assert_eq!(scene.wait(1), ["filler a One moment."]);
    assert_eq!(scene.wait(1_999), [""; 0], "once");
    assert_eq!(scene.client_result("b", "{}"), ["answer b {}"]);
    assert_eq!(scene.result(1, json!({})), ["answer a late {}"]);
    scene.request("c", "search", "{}");
    assert_eq!(scene.result(2, json!({})), ["answer c {}"]);
    assert_eq!(scene.wait(60_000), [""; 0], "nobody waits");
    scene.request("d", "where", "{}");
    assert_eq!(scene.wait(4_000), [""; 0]);
    assert_eq!(scene.client_result("d", "{}"), ["answer d late {}"]);
    // Whoever comes so late that the time is over has nothing left to bridge.
    scene.request("e", "search", "{}");
    let overdue = scene.wait(10_000);
    assert_eq!(overdue.len(), 2, "{overdue:?}");
    assert_eq!(scene.desk.stats().fillers, 1);
}

#[test]
fn cancelling_answers_everybody_and_stops_what_runs() {
    let mut scene = Scene::new();
    scene.request("a", "weather", r#"{"city":"Paris"}"#);
    scene.request("b", "where", "{}");
    scene.desk.cancel_all(scene.now, "the call is over");
    let error = r#"{"error":"cancelled: the call is over"}"#;
    assert_eq!(
        scene.acts(),
        ["abort 1".to_owned(), format!("answer a {error}"), format!("answer b {error}")]
    );
    assert_eq!((scene.desk.pending(), scene.desk.poll_timeout()), (0, None));
    assert_eq!(scene.result(1, json!({})), [""; 0]);
    assert_eq!(scene.request("a", "where", "{}"), [""; 0], "it was answered");
    assert_eq!(scene.request("c", "where", "{}"), ["ask c where {}"], "the desk goes on");
}

#[test]
fn at_most_so_many_uses_are_pending() {
    let mut scene = Scene::new();
    for n in 0..TOOL_USES_PENDING_MAX {
        assert_eq!(scene.request(&format!("u{n}"), "where", "{}").len(), 1);
    }
    let expected =
        r#"answer z {"error":"16 tools are running already; wait for one of their results"}"#;
    assert_eq!(scene.request("z", "where", "{}"), [expected]);
    scene.client_result("u3", "{}");
    assert_eq!(scene.request("y", "where", "{}"), ["ask y where {}"]);
    assert_eq!(scene.desk.stats().crowded, 1);
}

#[test]
fn what_is_remembered_of_uses_is_bounded() {
    let mut scene = Scene::new();
    let long = "x".repeat(TOOL_USE_ID_BYTES_MAX + 1);
    assert_eq!(scene.request(&long, "where", "{}"), [""; 0]);
    assert_eq!(scene.desk.stats().ids_refused, 1);
    assert_eq!(scene.request(&long[1..], "nothing", "{}").len(), 1);
    for n in 1..TOOL_USES_REMEMBERED_MAX {
        assert_eq!(scene.request(&format!("u{n}"), "nothing", "{}").len(), 1);
    }
    assert_eq!(scene.request(&long[1..], "nothing", "{}"), [""; 0], "the oldest is remembered");
    assert_eq!(scene.request("one more", "nothing", "{}").len(), 1);
    assert_eq!(scene.request(&long[1..], "nothing", "{}").len(), 1, "it was forgotten");
}

#[test]
fn idempotency_keys_are_of_the_call_and_the_use_and_fit_a_header() {
    let toolbox = Arc::new(Toolbox::new(declared()).expect("they are good"));
    let key = |call: &str, use_id: &str| {
        let mut desk = Desk::new(toolbox.clone(), call.to_owned());
        desk.request(SessionTime::ZERO, use_id, "search", "{}");
        match desk.poll_act(SessionTime::ZERO) {
            Some(DeskAct::Run(run)) => run.idempotency_key,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(key("call-1", "tu:9"), "call-1/tu:9");
    assert_eq!(key("a/b", "c\r\nX: é%"), "a%2Fb/c%0D%0AX:%20%C3%A9%25");
    assert_ne!(key("a/b", "c"), key("a", "b/c"));
}
