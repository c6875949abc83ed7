//! A cascade that takes a call over from a backend that is lost.

use super::*;
use crate::backend::relief::Relief;
use crate::backend::relief::tests::scripted;

/// Answers one turn, and is lost in the middle of the answer to the next.
const LOST: &str = "{speed: max, turns: [
    {reply: [{text: It is on its way.}, {tone: {hz: 300, ms: 500}}]},
    {reply: [{text: It left the shop on Monday and}, {tone: {hz: 300, ms: 500}}, {drop: true}]}]}";

async fn heard(session: &BackendSession, n: u32, text: &str) {
    let (generation, text) = (Generation(n), text.to_owned());
    let heard = Heard { duration: Duration::from_millis(300), text, ..Heard::default() };
    let played = BackendInput::Command(BackendCommand::Played { generation, heard });
    within(session.input.send(played)).await.expect("the session lives");
}

/// Two turns with a backend that is lost in the second one, of whose answer a part was heard; the next one
/// wants to go on, and is asked to as the third reply.
async fn taken_over(next: Cascade) -> BackendSession {
    let relief = Relief::new(scripted(LOST), vec![Arc::new(next)]);
    let mut session = relief.open(context()).expect("there is room");
    type_in(&session, 1, "where is my order").await;
    read_until(&mut session, finished(1)).await;
    heard(&session, 1, "It is on its way.").await;
    type_in(&session, 2, "since when").await;
    let (audio, _) = read_until(&mut session, finished(2)).await;
    assert_eq!(samples(&audio).len(), 12_000, "what the first one made is played");
    read_until(&mut session, |event| *event == BackendEvent::WantsToSpeak).await;
    heard(&session, 2, "It left").await;
    let speak = BackendCommand::Speak { generation: Generation(3) };
    within(session.input.send(BackendInput::Command(speak))).await.expect("the session lives");
    session
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_takes_over_knows_what_was_said_and_what_of_it_was_heard() {
    let answer = stream(vec![event("The shop sent it on Monday."), done()]);
    let (next, server) = with_model(vec![answer]).await;
    let mut session = taken_over(next).await;
    let (audio, _) = read_until(&mut session, finished(3)).await;
    assert!(samples(&audio).len() > 16_000, "it goes on in its own voice");
    let requests = within(server).await.expect("the server is right");
    let told =
        ["where is my order", "It is on its way.", "since when", "It left", "(Your answer was cut"];
    let places = told.map(|text| requests[0].find(&format!(r#""content":"{text}"#)));
    assert!(places.is_sorted() && places[0].is_some(), "{}", requests[0]);
    assert!(!requests[0].contains("It left the shop"), "nobody heard that: {}", requests[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_takes_over_and_fails_as_well_is_apologised_for() {
    let refusal = answer("503 Busy", "application/json", r#"{"error":"overloaded"}"#);
    let (next, _server) = with_model(vec![refusal]).await;
    let mut session = taken_over(next).await;
    let has_failed = |event: &BackendEvent| matches!(event, BackendEvent::ReplyFailed { .. });
    let (audio, event) = read_until(&mut session, has_failed).await;
    assert!(samples(&audio).len() > 16_000, "the apology is spoken");
    let message = "the language model's server answered 503: overloaded".to_owned();
    assert_eq!(event, BackendEvent::ReplyFailed { generation: Generation(3), message });
    // The call goes on: one that fails to answer is not lost.
    type_in(&session, 4, "what is always the same").await;
    read_until(&mut session, finished(4)).await;
}
