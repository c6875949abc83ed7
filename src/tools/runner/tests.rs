use std::future::Future;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::*;
use crate::tools::webhook::tests::{Act, Server, answer, run};

/// Nothing here takes this long unless it is broken.
async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), future).await.expect("it comes to an end")
}

async fn outcome(run: ToolRun) -> Outcome {
    let runner = Runner::new().expect("it can be set up");
    let (reports, mut reported) = Runner::reports();
    let handle = runner.start(run, reports);
    let done = within(reported.recv()).await.expect("it reports");
    assert_eq!(done.ticket, handle.ticket());
    assert_eq!(within(reported.recv()).await, None, "it reports once");
    done.outcome
}

fn builtin(builtin: Builtin, time: Duration) -> ToolRun {
    ToolRun { job: Job::Builtin(builtin), ..run("", false, time) }
}

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn webhooks_report_what_the_model_is_told() {
    let server = Server::start(vec![answer("200 OK", "[1]")]).await;
    assert_eq!(outcome(run(&server.url, false, LONG)).await, Outcome::Result(json!([1])));
    let server = Server::start(vec![answer("500 Oh", "no stock")]).await;
    let expected = Outcome::Failed("the tool's server answered 500: no stock".to_owned());
    assert_eq!(outcome(run(&server.url, false, LONG)).await, expected);
}

#[tokio::test]
async fn time_is_over_for_all_attempts_together() {
    let expected = Outcome::Failed("no result came within 0.2 s".to_owned());
    for idempotent in [false, true] {
        let mut server = Server::start(vec![Act::Hang]).await;
        assert_eq!(outcome(run(&server.url, idempotent, SHORT)).await, expected);
        assert_eq!(server.requests().len(), 1);
    }
    assert_eq!(outcome(builtin(Builtin::Wait(LONG), SHORT)).await, expected);
}

#[tokio::test]
async fn built_in_tools_do_what_they_say() {
    let arguments = json!({ "city": "Zürich" });
    assert_eq!(outcome(builtin(Builtin::Echo, LONG)).await, Outcome::Result(arguments));
    let failed = outcome(builtin(Builtin::Fail, LONG)).await;
    assert!(matches!(failed, Outcome::Failed(_)), "{failed:?}");
    let waited = outcome(builtin(Builtin::Wait(Duration::from_millis(1)), LONG)).await;
    assert_eq!(waited, Outcome::Result(json!({ "waited_ms": 1 })));
}

#[tokio::test]
async fn dropping_the_handle_stops_the_execution() {
    let runner = Runner::new().expect("it can be set up");
    let (reports, mut reported) = Runner::reports();
    drop(runner.start(builtin(Builtin::Wait(LONG), LONG), reports));
    assert_eq!(within(reported.recv()).await, None, "the task is gone, and its sender with it");
}
