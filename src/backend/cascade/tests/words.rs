//! What the user says reaches the model, also where nobody waits for the reply to it any more.

use super::memory::{remembering, says};
use super::*;
use crate::backend::cascade::talk::Report;
use crate::backend::session::Machine;
use crate::time::SessionTime;

const NOW: SessionTime = SessionTime::ZERO;

/// A call's conversation that is driven by hand.
fn talk(cascade: &Cascade) -> Talk {
    let meter = Arc::default();
    let model = Arc::clone(cascade.model.as_ref().expect("a model answers"));
    let brain = Brain::model(model, &cascade.tools, &cascade.memory, context(), &meter);
    // Its reports are made up here.
    let (ears, _) =
        asr::Listener::spawn(async |mut asked, _| while asked.recv().await.is_some() {});
    let (_, reports) = mpsc::channel(1);
    let voice = tts::open(&cascade.tts, &meter);
    Talk::new((ears, reports), voice, brain, cascade.voice(), meter)
}

fn typed(n: u32, text: &str) -> BackendInput {
    let (turn, generation) = (TurnId(n), Generation(n));
    let text = text.to_owned();
    BackendInput::Command(BackendCommand::UserText { turn, generation, text })
}

fn understood(n: u32, text: &str) -> Report {
    let (turn, generation) = (TurnId(n), Generation(n));
    Report::Asr(AsrReport::Final { turn, generation, text: text.to_owned() })
}

fn missed(n: u32) -> Report {
    let (turn, generation) = (TurnId(n), Generation(n));
    let error = StageError::new(FailureKind::TimedOut, "it took too long");
    Report::Asr(AsrReport::Missed { turn, generation, error })
}

/// What the one request that was made tells of the user.
async fn told(server: JoinHandle<Vec<String>>) -> Vec<String> {
    let requests = within(server).await.expect("the server is right");
    let body = requests[0].split_once("\r\n\r\n").expect("there is a body").1;
    let body: serde_json::Value = serde_json::from_str(body).expect("it is JSON");
    let messages = body["messages"].as_array().expect("messages").iter();
    let users = messages.filter(|message| message["role"] == "user");
    users.map(|user| user["content"].as_str().expect("it is text").to_owned()).collect()
}

fn one_answer() -> Vec<Vec<Act>> {
    vec![stream(vec![event("Certainly."), done()])]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_before_an_interruption_is_answered_with_the_rest() {
    let (cascade, server) = with_model(one_answer()).await;
    let mut talk = talk(&cascade);
    for input in [ended(1), cancel(1), ended(2)] {
        talk.handle_input(NOW, input);
    }
    talk.handle_report(NOW, understood(1, "a table for four"));
    talk.handle_report(NOW, understood(2, "at eight"));
    assert_eq!(told(server).await, ["a table for four at eight"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_greets_in_its_own_words_where_none_are_given() {
    let (cascade, mut requests) =
        remembering(MemorySettings::default(), |_| says("Welcome to the shop.")).await;
    let mut session = cascade.open(context()).expect("there is room");
    let greet = BackendCommand::Greet { generation: Generation(1) };
    within(session.input.send(BackendInput::Command(greet))).await.expect("the session lives");
    let seen = texts_until_finished(&mut session, 1).await;
    assert_eq!(seen, [(1, "Welcome to the shop.".to_owned())]);
    let request = within(requests.recv()).await.expect("the model was asked");
    assert!(request.contains("Greet the user") && request.contains("language en."), "{request}");
    type_in(&session, 2, "hello").await;
    texts_until_finished(&mut session, 2).await;
    let request = within(requests.recv()).await.expect("the model was asked");
    assert!(request.contains("Welcome to the shop."), "it knows that it has greeted: {request}");
    assert!(!request.contains("Greet the user"), "nobody said that: {request}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_before_something_typed_is_told_before_it() {
    let (cascade, server) = with_model(one_answer()).await;
    let mut talk = talk(&cascade);
    for input in [ended(1), cancel(1), typed(2, "the 4th"), cancel(2), typed(3, "of May")] {
        talk.handle_input(NOW, input);
    }
    talk.handle_report(NOW, understood(1, "a table for four on"));
    assert_eq!(told(server).await, ["a table for four on the 4th of May"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_typed_is_answered_though_what_was_said_before_it_is_not_known() {
    let (cascade, server) = with_model(one_answer()).await;
    let mut talk = talk(&cascade);
    for input in [ended(1), cancel(1), typed(2, "hello")] {
        talk.handle_input(NOW, input);
    }
    talk.handle_report(NOW, missed(1));
    assert_eq!(told(server).await, ["hello"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_made_ahead_that_knows_nothing_of_it_does_not_count() {
    let (cascade, mut requests) = remembering(MemorySettings::default(), |_| says("Yes.")).await;
    let mut talk = talk(&cascade);
    let (turn, generation) = (TurnId(2), Generation(2));
    let speculate = BackendInput::Command(BackendCommand::Speculate { turn, generation });
    for input in [ended(1), cancel(1), speculate] {
        talk.handle_input(NOW, input);
    }
    let text = "at eight".to_owned();
    talk.handle_report(NOW, Report::Asr(AsrReport::Likely { turn, generation, text }));
    within(requests.recv()).await.expect("the model was asked ahead");
    talk.handle_report(NOW, understood(1, "a table for four"));
    talk.handle_input(NOW, ended(2));
    talk.handle_report(NOW, understood(2, "at eight"));
    let request = within(requests.recv()).await.expect("it was asked once more");
    assert!(request.contains("a table for four at eight"), "{request}");
}
