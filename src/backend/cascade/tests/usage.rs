//! What a conversation used, told to the call.

use super::*;
use crate::call::event::{Cost, Usage};
use crate::cascade::price::Prices;

const PRICES: Prices =
    Prices { minute: 0.0, text_in: 1.0, text_cached: None, text_out: 2.0, chars: 0.0 };

/// The shared engines with a model that wants to be paid.
async fn paid(answers: Vec<Vec<Act>>) -> (Cascade, JoinHandle<Vec<String>>) {
    let (url, server) = serve_all(answers).await;
    let tools = Toolbox::new(Vec::new()).expect("there are none");
    let mut cascade = with_model_at(url.clone(), tools, MemorySettings::default());
    let model = ModelSettings::Chat(LlmSettings::new(url, "small".to_owned(), None));
    let model = Ranked { prices: PRICES, ..model.into() };
    let stage = Stage::new("llm", vec![model], LlmStage::load);
    cascade.model = Some(Arc::new(stage.expect("the settings are right")));
    (cascade, server)
}

async fn used(session: &mut BackendSession) -> (TurnId, Usage) {
    let is_used = |event: &BackendEvent| matches!(event, BackendEvent::Used { .. });
    match read_until(session, is_used).await.1 {
        BackendEvent::Used { turn, usage } => (turn, usage),
        other => unreachable!("it was matched: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_s_count_is_told_before_the_reply_ends() {
    let count = r#"{"choices":[],"usage":{"prompt_tokens":120,"completion_tokens":8}}"#;
    let count = Act::Chunk(format!("data: {count}\n\n"));
    let (backend, _server) = paid(vec![stream(vec![event("It is nine."), count, done()])]).await;
    let mut session = backend.open(context()).expect("there is room");
    type_in(&session, 1, "what time is it").await;
    let cost = Cost { llm_nanos: 136_000_000, ..Cost::default() };
    let usage = Usage { text_in: 120, text_out: 8, cost, ..Usage::default() };
    assert_eq!(used(&mut session).await, (TurnId(1), usage));
    read_until(&mut session, finished(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_cancelled_is_estimated_and_told_once() {
    let endless = stream(vec![event("Once upon a time there was a river. "), Act::Hang]);
    let (backend, server) = paid(vec![endless]).await;
    let mut session = backend.open(context()).expect("there is room");
    type_in(&session, 1, "tell me").await;
    while !matches!(within(session.output.recv()).await, Some(BackendOutput::Audio(_))) {}
    within(session.input.send(cancel(1))).await.expect("the session lives");
    within(server).await.expect("the connection was closed");
    let (turn, usage) = used(&mut session).await;
    // 36 characters written, and at least the persona and the question read.
    assert_eq!((turn, usage.text_out), (TurnId(1), 9));
    assert!(usage.text_in > 1, "{usage:?}");
    let thousandths = usage.text_in + 2 * usage.text_out;
    assert_eq!(usage.cost.llm_nanos, thousandths * 1_000_000);
}
