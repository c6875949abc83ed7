//! What a language model is told of a conversation, and what becomes of its oldest part.

use tokio::net::TcpListener;

use super::*;
use crate::backend::cascade::{ContextSettings, Overflow, Reminder, Window};

/// How the request begins that asks for a summary.
const ASIDE: &str = "Put the following part";

/// The shared engines with a model, and the requests as they are served.
pub(super) async fn remembering(
    memory: MemorySettings,
    mut answers: impl FnMut(&str) -> Vec<Act> + Send + 'static,
) -> (Cascade, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/v1", listener.local_addr().expect("it is bound"));
    let (served, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let request = serve_by(&listener, &mut answers).await;
            let body = request.split_once("\r\n\r\n").expect("there is a body").1;
            if served.send(body.to_owned()).is_err() {
                // The test has seen enough.
                return;
            }
        }
    });
    let tools = Toolbox::new(Vec::new()).expect("there are none");
    (with_model_at(url, tools, memory), requests)
}

pub(super) fn says(text: &str) -> Vec<Act> {
    stream(vec![event(text), done()])
}

fn summarising() -> MemorySettings {
    let window = Window { turns_max: 2, ..Window::default() };
    let context = ContextSettings { window, overflow: Overflow::Summarise, ..Default::default() };
    MemorySettings { context, ..MemorySettings::default() }
}

/// What is said in turn `n`, and what is answered.
async fn said(session: &mut BackendSession, n: u32, text: &str) -> String {
    type_in(session, n, text).await;
    let seen = texts_until_finished(session, n).await;
    seen.into_iter().map(|(_, text)| text).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_and_reminders_are_told_as_configured() {
    let reminder = Reminder { every_turns: 2, text: "Stay polite.".to_owned() };
    let memory = MemorySettings {
        context: ContextSettings { reminder, ..ContextSettings::default() },
        facts: vec!["The shop opens at nine.".to_owned()],
    };
    let (backend, mut requests) = remembering(memory, |_| says("Yes.")).await;
    let mut session = backend.open(context()).expect("there is room");
    for n in [1, 2] {
        assert_eq!(said(&mut session, n, "go on").await, "Yes.");
        let request = within(requests.recv()).await.expect("it was asked");
        assert!(request.contains("The shop opens at nine."), "{request}");
        assert_eq!(request.contains("Stay polite."), n == 2, "{request}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_is_told_what_the_model_is_told() {
    let (backend, _requests) = remembering(MemorySettings::default(), |_| says("Yes.")).await;
    let mut session = backend.open(context()).expect("there is room");
    said(&mut session, 1, "one").await;
    type_in(&session, 2, "two").await;
    let is_prompt = |event: &BackendEvent| matches!(event, BackendEvent::Prompted { .. });
    let (_, event) = read_until(&mut session, is_prompt).await;
    let BackendEvent::Prompted { generation: Generation(2), prompt } = event else {
        panic!("{event:?}")
    };
    assert!(prompt.ends_with("user: one\nassistant: Yes.\nuser: two\n"), "{prompt}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oldest_turns_are_put_in_short_and_nothing_of_it_is_spoken() {
    let answers = |request: &str| {
        says(if request.contains(ASIDE) { "The user likes apples." } else { "Yes." })
    };
    let (backend, mut requests) = remembering(summarising(), answers).await;
    let mut session = backend.open(context()).expect("there is room");
    for n in 1..=3 {
        assert_eq!(said(&mut session, n, &format!("words-of-turn-{n}")).await, "Yes.");
        within(requests.recv()).await.expect("it was asked");
    }
    let asked = within(requests.recv()).await.expect("a summary was asked for");
    assert!(asked.contains(ASIDE) && asked.contains("words-of-turn-1"), "{asked}");
    // The first of these may be asked before the summary has come.
    assert_eq!(said(&mut session, 4, "words-of-turn-4").await, "Yes.");
    assert_eq!(said(&mut session, 5, "words-of-turn-5").await, "Yes.");
    within(requests.recv()).await.expect("it was asked");
    let told = within(requests.recv()).await.expect("it was asked");
    assert!(told.contains("The user likes apples."), "{told}");
    assert!(told.contains("words-of-turn-3") && !told.contains("words-of-turn-1"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_summary_the_oldest_turns_are_dropped_and_the_call_goes_on() {
    let answers = |request: &str| match request.contains(ASIDE) {
        true => answer("503 Busy", "application/json", r#"{"error":"overloaded"}"#),
        false => says("Yes."),
    };
    let (backend, mut requests) = remembering(summarising(), answers).await;
    let mut session = backend.open(context()).expect("there is room");
    for n in 1..=6 {
        assert_eq!(said(&mut session, n, &format!("words-of-turn-{n}")).await, "Yes.");
    }
    let mut asked = Vec::new();
    while !asked.last().is_some_and(|request: &String| request.contains("words-of-turn-6")) {
        asked.push(within(requests.recv()).await.expect("it was asked"));
    }
    let asides = asked.iter().filter(|request| request.contains(ASIDE)).count();
    assert!(asides >= 1, "no summary was asked for");
    let last = asked.last().expect("there are some");
    assert!(last.contains("words-of-turn-3"), "twice the window is told: {last}");
    assert!(!last.contains("words-of-turn-2"), "and no more: {last}");
}
