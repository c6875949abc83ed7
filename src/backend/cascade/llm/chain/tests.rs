//! Models over HTTP of which some refuse, break off or say nothing.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::backend::cascade::ModelSettings;
use crate::backend::cascade::llm::LlmSettings;
use crate::backend::cascade::llm::model::tests::{Act as Does, answer, event, serve, stream};
use crate::backend::cascade::stage::Ranked;
use crate::backend::tests::within;
use crate::cascade::context::ContextSettings;
use crate::cascade::failover::{Hedge, ProviderSettings};

const WORK: Generation = Generation(9);

/// A stage with a server for each provider, which answers one request.
async fn stage(
    servers: Vec<Vec<Does>>,
    usage: ProviderSettings,
) -> (Arc<Stage<LlmStage>>, Vec<JoinHandle<String>>) {
    let (mut ranked, mut handles) = (Vec::new(), Vec::new());
    for acts in servers {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}/v1", listener.local_addr().expect("it is bound"));
        handles.push(tokio::spawn(async move { serve(&listener, acts).await }));
        let settings = ModelSettings::Chat(LlmSettings::new(url, "m".to_owned(), None));
        ranked.push(Ranked { usage, ..settings.into() });
    }
    (Arc::new(Stage::new("llm", ranked, LlmStage::load).expect("the settings are right")), handles)
}

/// The text and the end of an answer.
async fn asked(stage: &Arc<Stage<LlmStage>>) -> (String, Result<Calls, StageError>) {
    let mut context = Context::new("Be brief.".to_owned(), ContextSettings::default());
    context.user_said("Count!");
    let (to, mut from) = reports();
    let _asking = ask(stage, WORK, &context, &Arc::default(), to, &Arc::default());
    let mut seen = String::new();
    loop {
        match within(from.recv()).await.expect("the request ends with a report") {
            ModelReport::Working { .. } => panic!("it is not told who works"),
            ModelReport::Text { generation, text } => {
                assert_eq!(generation, WORK);
                seen += &text;
            }
            ModelReport::Done { generation, result } => {
                assert_eq!(generation, WORK);
                return (seen, result);
            }
        }
    }
}

fn done() -> Does {
    Does::Chunk("data: [DONE]\n\n".to_owned())
}

fn refused() -> Vec<Does> {
    answer("500 Oops", "application/json", "{}")
}

#[tokio::test]
async fn the_next_is_asked_where_one_refuses() {
    let good = stream(vec![event("One, two."), done()]);
    let (stage, _servers) = stage(vec![refused(), good], ProviderSettings::default()).await;
    assert_eq!(asked(&stage).await, ("One, two.".to_owned(), Ok(Calls::new())));
}

#[tokio::test]
async fn the_next_is_asked_where_one_says_nothing_at_all() {
    let good = stream(vec![event("One."), done()]);
    let (stage, _servers) =
        stage(vec![stream(vec![done()]), good], ProviderSettings::default()).await;
    assert_eq!(asked(&stage).await, ("One.".to_owned(), Ok(Calls::new())));
}

#[tokio::test]
async fn the_next_may_find_that_everything_was_said() {
    let broken = stream(vec![event("One, two. ")]);
    let (stage, _servers) =
        stage(vec![broken, stream(vec![done()])], ProviderSettings::default()).await;
    assert_eq!(asked(&stage).await, ("One, two.".to_owned(), Ok(Calls::new())));
}

#[tokio::test]
async fn the_next_goes_on_where_one_breaks_off_and_is_told_what_was_said() {
    // It hangs up in the middle of a word, and of its body.
    let broken = stream(vec![event("One, two, "), event("thr")]);
    let rest = stream(vec![event("three, "), event("four."), done()]);
    let (stage, servers) = stage(vec![broken, rest], ProviderSettings::default()).await;
    assert_eq!(asked(&stage).await, ("One, two, three, four.".to_owned(), Ok(Calls::new())));
    let request = within(servers.into_iter().nth(1).expect("there are two")).await;
    let request = request.expect("it was asked");
    assert!(request.contains(r#"{"content":"One, two,","role":"assistant"}"#), "{request}");
    assert!(request.contains(GO_ON), "{request}");
}

#[tokio::test]
async fn what_has_no_blanks_is_told_while_it_is_written() {
    let endless = stream(vec![event("你好。"), event("请问"), Does::Hang]);
    let (stage, _servers) = stage(vec![endless, refused()], ProviderSettings::default()).await;
    let (to, mut from) = reports();
    let mut context = Context::new(String::new(), ContextSettings::default());
    context.user_said("你好");
    let _asking = ask(&stage, WORK, &context, &Arc::default(), to, &Arc::default());
    for expected in ["你好。", "请问"] {
        let told = ModelReport::Text { generation: WORK, text: expected.to_owned() };
        assert_eq!(within(from.recv()).await, Some(told));
    }
}

#[tokio::test]
async fn no_blank_is_put_between_what_two_write_in_a_script_without() {
    let broken = stream(vec![event("一二")]);
    let rest = stream(vec![event("三四"), done()]);
    let (stage, _servers) = stage(vec![broken, rest], ProviderSettings::default()).await;
    assert_eq!(asked(&stage).await, ("一二三四".to_owned(), Ok(Calls::new())));
}

#[tokio::test]
async fn one_that_says_nothing_is_overtaken_and_hung_up_on() {
    let (until_known, at_least) = (Duration::from_millis(30), Duration::from_millis(30));
    let hedge = Hedge::P95 { until_known, at_least };
    let usage = ProviderSettings { hedge, ..ProviderSettings::default() };
    let good = stream(vec![event("One."), done()]);
    let (stage, servers) = stage(vec![vec![Does::Hang], good], usage).await;
    assert_eq!(asked(&stage).await, ("One.".to_owned(), Ok(Calls::new())));
    // It returns when it sees the connection close.
    for server in servers {
        within(server).await.expect("it was served");
    }
}

#[tokio::test]
async fn one_that_calls_or_reasons_has_answered() {
    let budget = Duration::from_millis(1_500);
    let usage = ProviderSettings { budget, ..ProviderSettings::default() };
    let delta =
        |delta: &str| Does::Chunk(format!("data: {{\"choices\":[{{\"delta\":{delta}}}]}}\n\n"));
    let call = |name: &str, arguments: &str| {
        let call = serde_json::json!({ "name": name, "arguments": arguments });
        delta(&format!(r#"{{"tool_calls":[{{"index":0,"function":{call}}}]}}"#))
    };
    let late = Does::Wait(budget + Duration::from_millis(500));
    let calls =
        stream(vec![call("look_up", "{\"order"), late.clone(), call("", "\": 17}"), done()]);
    let reasons =
        stream(vec![delta(r#"{"reasoning_content":"Hm"}"#), late, event("Seventeen."), done()]);
    for (acts, text, count) in [(calls, "", 1), (reasons, "Seventeen.", 0)] {
        let other = stream(vec![event("Who is there?"), done()]);
        let (stage, servers) = stage(vec![acts, other], usage).await;
        let (seen, result) = asked(&stage).await;
        assert_eq!((seen.as_str(), result.expect("it answers").len()), (text, count));
        servers.into_iter().for_each(|server| server.abort());
    }
}

#[tokio::test]
async fn it_is_said_how_each_one_failed() {
    let unauthorized = answer("401 No", "application/json", r#"{"error":{"message":"bad key"}}"#);
    let (stage, _servers) = stage(vec![refused(), unauthorized], ProviderSettings::default()).await;
    let (text, result) = asked(&stage).await;
    let error = result.expect_err("both refuse");
    assert_eq!((text.as_str(), error.kind), ("", FailureKind::Unauthorized));
    let expected = "number 1 failed, number 2 does not accept the key";
    assert!(error.message.contains(expected), "{error}");
    assert!(error.message.contains("bad key"), "{error}");
}
