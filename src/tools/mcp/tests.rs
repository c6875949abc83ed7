//! Tools of a server over real HTTP, and of a real process.

mod peer;

use std::future::Future;

use serde_json::{Value, json};
use tokio::time::timeout;

use self::peer::{Manner, Peer, tool};
use super::*;
use crate::tools::runner::Runner;
use crate::tools::{Executor, Job, Outcome, ToolRun, ToolSpec};

const LONG: Duration = Duration::from_secs(20);

/// Nothing here takes this long unless it is broken.
async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(LONG, future).await.expect("it comes to an end")
}

fn at(url: &str) -> McpSettings {
    let bearer = Some(Secret::new("s3cret".to_owned()));
    let reach = McpReach::Http { url: url.to_owned(), bearer };
    McpSettings { start_timeout: LONG, ..McpSettings::new("crm".to_owned(), reach) }
}

fn process(parts: &[&str]) -> McpSettings {
    let reach = McpReach::Process(parts.iter().map(|part| (*part).to_owned()).collect());
    McpSettings { start_timeout: LONG, ..McpSettings::new("sh".to_owned(), reach) }
}

async fn gathered(settings: McpSettings) -> Result<Arc<Toolbox>, String> {
    let own = ToolSpec::new("own", "The agent's own.", Executor::Client);
    let own = Arc::new(Toolbox::new(vec![own]).expect("it is a tool"));
    within(gather(&own, &[settings])).await.map_err(|error| error.to_string())
}

/// What comes of a use of a tool.
async fn used(toolbox: &Toolbox, name: &str, arguments: Value) -> Outcome {
    let spec = toolbox.spec(toolbox.find(name).expect("it is listed"));
    let Executor::Server(job) = &spec.executor else { panic!("the server's own") };
    let run = ToolRun {
        ticket: 1,
        call_id: "call-1".to_owned(),
        use_id: "tu-9".to_owned(),
        tool: name.to_owned(),
        job: job.clone(),
        arguments,
        idempotency_key: "call-1/tu-9".to_owned(),
        timeout: spec.timeout,
        idempotent: spec.idempotent,
    };
    let (reports, mut reported) = Runner::reports();
    let _run = Runner::new().expect("it can be set up").start(run, reports);
    within(reported.recv()).await.expect("it reports").outcome
}

fn failed(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed(problem) => problem,
        Outcome::Result(value) => panic!("it failed, and yet: {value}"),
    }
}

#[tokio::test]
async fn listed_tools_stand_beside_the_agents_own() {
    let mut find = tool("find");
    find["annotations"] = json!({ "readOnlyHint": true });
    find["inputSchema"] = json!({ "type": "object", "properties": { "id": { "type": "string" } } });
    let mut plain = tool("drop all");
    plain.as_object_mut().expect("it is one").remove("description");
    let peer = Peer::start(Manner::Works, vec![find, plain, tool("unwanted")]).await;
    let toolbox = gathered(McpSettings {
        only: Which::These(vec!["find".to_owned(), "drop all".to_owned()]),
        confirm: Which::These(vec!["drop all".to_owned()]),
        timeout: Duration::from_secs(3),
        filler: Some(Filler { after: Duration::from_secs(1), text: "One moment.".to_owned() }),
        ..at(&peer.url)
    })
    .await
    .expect("it is right");
    let names: Vec<&str> = toolbox.specs().map(|spec| spec.name.as_str()).collect();
    assert_eq!(names, ["own", "crm_find", "crm_drop all"]);
    let (find, plain) = (toolbox.spec(1), toolbox.spec(2));
    assert_eq!(find.description, "Does find.");
    assert_eq!(find.parameters["properties"]["id"], json!({ "type": "string" }));
    assert!(find.idempotent && find.confirm.is_none());
    assert_eq!(plain.description, "drop all");
    assert!(!plain.idempotent && plain.confirm.is_some());
    assert_eq!(find.timeout, Duration::from_secs(3));
    assert_eq!(find.filler.as_ref().map(|filler| filler.text.as_str()), Some("One moment."));
}

#[tokio::test]
async fn a_call_carries_its_arguments_key_and_token_and_brings_the_result() {
    let mut peer = Peer::start(Manner::Works, vec![tool("structure"), tool("text")]).await;
    let toolbox = gathered(at(&peer.url)).await.expect("it is right");
    let order = json!({ "order": 17 });
    assert_eq!(
        used(&toolbox, "crm_structure", order.clone()).await,
        Outcome::Result(order.clone())
    );
    let (head, body) = peer.calls().pop().expect("it was called");
    assert!(head.to_lowercase().contains("authorization: bearer s3cret"), "{head}");
    assert_eq!(body["params"]["name"], "structure");
    assert_eq!(body["params"]["arguments"], order);
    assert_eq!(body["params"]["_meta"]["antiphon/idempotency-key"], "call-1/tu-9");
    assert_eq!(body["params"]["_meta"]["antiphon/call-id"], "call-1");
    // Texts are texts, and what is no text is named.
    let expected = Outcome::Result(json!("One.\n(an image, which cannot be told)"));
    assert_eq!(used(&toolbox, "crm_text", json!({})).await, expected);
}

#[tokio::test]
async fn what_a_tool_says_of_its_failure_is_told_as_one() {
    let tools = ["fails", "refuses", "enormous"].map(tool).to_vec();
    let peer = Peer::start(Manner::Works, tools).await;
    let toolbox = gathered(at(&peer.url)).await.expect("it is right");
    let failing = failed(used(&toolbox, "crm_fails", json!({})).await);
    assert_eq!(failing, "the tool failed: no such order");
    let refused = failed(used(&toolbox, "crm_refuses", json!({})).await);
    assert_eq!(refused, "the tool's server refused the call: bad order");
    let enormous = failed(used(&toolbox, "crm_enormous", json!({})).await);
    assert!(enormous.contains("expected at most 32768 bytes, received 40000"), "{enormous}");
}

#[tokio::test]
async fn servers_that_dawdle_talk_nonsense_or_hang_up_cost_no_more_than_the_time() {
    let tools = ["hangs", "garbage", "dies"].map(tool).to_vec();
    let mut peer = Peer::start(Manner::Works, tools).await;
    let settings = McpSettings { timeout: Duration::from_millis(700), ..at(&peer.url) };
    let toolbox = gathered(settings).await.expect("it is right");
    let late = failed(used(&toolbox, "crm_hangs", json!({})).await);
    assert_eq!(late, "no result came within 0.7 s");
    failed(used(&toolbox, "crm_garbage", json!({})).await);
    failed(used(&toolbox, "crm_dies", json!({})).await);
    assert_eq!(peer.calls().len(), 3, "none may be tried again");
}

#[tokio::test]
async fn what_may_be_repeated_is_tried_again_in_a_new_session() {
    let mut peer = Peer::start(Manner::Works, vec![tool("flaky")]).await;
    let idempotent = Which::These(vec!["flaky".to_owned()]);
    let toolbox = gathered(McpSettings { idempotent, ..at(&peer.url) }).await.expect("it is right");
    assert_eq!(used(&toolbox, "crm_flaky", json!({})).await, Outcome::Result(json!("At last.")));
    let keys: Vec<Value> = peer
        .calls()
        .iter()
        .map(|(_, body)| body["params"]["_meta"]["antiphon/idempotency-key"].clone())
        .collect();
    assert_eq!(keys, ["call-1/tu-9", "call-1/tu-9"], "the same for both");
}

#[tokio::test]
async fn a_server_that_forgot_the_session_is_greeted_again() {
    let peer = Peer::start(Manner::Works, vec![tool("forget"), tool("text")]).await;
    let toolbox = gathered(at(&peer.url)).await.expect("it is right");
    assert_eq!(used(&toolbox, "crm_forget", json!({})).await, Outcome::Result(json!("Who?")));
    let outcome = used(&toolbox, "crm_text", json!({})).await;
    assert!(matches!(outcome, Outcome::Result(_)), "{outcome:?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_server_is_said_with_its_name_and_what_to_do() {
    let rows = [
        (Manner::Refuses, "start it, or correct `mcp` or `bearer_env`"),
        (Manner::TalksNonsense, "start it, or correct `mcp` or `bearer_env`"),
        (Manner::TurnsPages, "expected at most 100 pages of tools"),
        (Manner::NeverLists, "did not list its tools within 0.5 s"),
    ];
    for (manner, expected) in rows {
        let peer = Peer::start(manner, vec![tool("a")]).await;
        let start_timeout = match manner {
            Manner::NeverLists => Duration::from_millis(500),
            _ => LONG,
        };
        let error = gathered(McpSettings { start_timeout, ..at(&peer.url) }).await;
        let error = error.expect_err(expected);
        assert!(error.contains("MCP server `crm`") && error.contains(expected), "{error}");
    }
    let nobody = gathered(at("http://127.0.0.1:1/mcp")).await.expect_err("nobody is there");
    assert!(nobody.contains("`crm`") && nobody.contains("start it"), "{nobody}");
}

#[tokio::test]
async fn tools_that_are_none_are_refused_by_name() {
    let mut bad = tool("bad");
    bad["inputSchema"] = json!({ "type": "object", "properties": { "a": { "type": "colour" } } });
    let mut deep = tool("deep");
    deep["inputSchema"]["x"] = (0..20).fold(json!(1), |inner, _| json!([inner]));
    let many: Vec<Value> = (0..TOOLS_MAX).map(|index| tool(&format!("t{index}"))).collect();
    let rows = [
        (vec![bad], "tool `crm_bad`: parameters: expected a JSON Schema"),
        (vec![deep], "tool `crm_deep`: parameters: expected at most 16 levels"),
        (vec![tool("twice"), tool("twice")], "tool `crm_twice`: name: expected a name of its own"),
        (vec![tool(&"x".repeat(70))], "name: expected 1 to 64 characters"),
        (many, "the agent has 65: expected at most 64"),
    ];
    for (tools, expected) in rows {
        let peer = Peer::start(Manner::Works, tools).await;
        let error = gathered(at(&peer.url)).await.expect_err(expected);
        assert!(error.contains("MCP server `crm`") && error.contains(expected), "{error}");
    }
    let peer = Peer::start(Manner::Works, vec![tool("delete")]).await;
    let confirm = Which::These(vec!["delte".to_owned()]);
    let error = gathered(McpSettings { confirm, ..at(&peer.url) }).await.expect_err("a slip");
    assert!(error.contains("confirm: it has no tool `delte`; it has: delete"), "{error}");
}

/// A server as a shell script: `pid` answers who it is, `die` ends it.
const SCRIPT: &str = r#"
while IFS= read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9][0-9]*\).*/\1/p')
  say() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$id" "$1"; }
  case $line in
    *'"initialize"'*) say '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},
      "serverInfo":{"name":"sh","version":"1"}}' | tr -d '\n'; echo ;;
    *'"tools/list"'*) say '{"tools":[{"name":"pid","inputSchema":{"type":"object"}},{"name":"die","inputSchema":{"type":"object"}}]}' ;;
    *'"name":"pid"'*) say '{"content":[{"type":"text","text":"I am '$$'"}]}' ;;
    *'"name":"die"'*) exit 3 ;;
  esac
done
"#;

#[tokio::test]
async fn a_process_is_a_server_and_is_started_again_when_it_died() {
    let toolbox = gathered(process(&["sh", "-c", SCRIPT])).await.expect("it is right");
    let first = used(&toolbox, "sh_pid", json!({})).await;
    assert!(matches!(&first, Outcome::Result(Value::String(text)) if text.starts_with("I am ")));
    assert_eq!(used(&toolbox, "sh_pid", json!({})).await, first, "it is the same one");
    let dead = failed(used(&toolbox, "sh_die", json!({})).await);
    assert_eq!(dead, "the tool's server hung up before the end of its answer");
    let second = used(&toolbox, "sh_pid", json!({})).await;
    assert!(matches!(second, Outcome::Result(_)), "{second:?}");
    assert_ne!(second, first, "it is another one");
}

#[tokio::test]
async fn programs_that_are_no_server_are_named() {
    let rows: [(&[&str], &str); 3] = [
        (&["/nowhere/to/be/found"], "cannot be started"),
        (&["sh", "-c", "echo nonsense"], "see what it says on its standard error"),
        (&["sleep", "60"], "did not list its tools within 0.5 s"),
    ];
    for (parts, expected) in rows {
        let start_timeout = if parts[0] == "sleep" { Duration::from_millis(500) } else { LONG };
        let settings = McpSettings { start_timeout, ..process(parts) };
        let error = gathered(settings).await.expect_err(expected);
        assert!(error.contains("MCP server `sh`") && error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn nothing_shows_a_token() {
    let settings = at("http://127.0.0.1:1/mcp");
    let server = Arc::new(Server::new(settings.clone()).expect("nothing is sent"));
    let job = Job::Mcp(McpTool::new(Arc::clone(&server), "find".to_owned()));
    let shown = format!("{settings:?} {server:?} {job:?}");
    assert!(!shown.contains("s3cret") && shown.contains("McpTool(find of crm)"), "{shown}");
}
