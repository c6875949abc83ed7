//! Providers that go and come back while the server runs.

use std::time::Duration;

use super::*;
use crate::agent::BackendInput;
use crate::backend::cascade::tts::Voice;
use crate::backend::cascade::{
    AsrSettings, BrainSettings, Cascade, CascadeSettings, TtsSettings, asr::TranscriptionSettings,
};
use crate::backend::tests::{context, finished, read_until};
use crate::backend::{Backend as _, BackendSession};
use crate::call::event::{BackendCommand, Generation, TurnId};

const OFTEN: Option<Duration> = Some(Duration::from_millis(30));

/// Waits until something is so.
async fn until(is_so: impl Fn() -> bool) {
    within(async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// One that hears and speaks by itself, and asks one of these models.
fn cascade(urls: [String; 2]) -> Cascade {
    let models = urls.into_iter().map(|url| {
        let mut model = Ranked::from(chat(url));
        model.usage.check_every = OFTEN;
        model
    });
    let asr = TranscriptionSettings::new("http://127.0.0.1:1/v1".to_owned(), None);
    let settings = CascadeSettings::new(
        AsrSettings::Transcription(asr),
        BrainSettings::Llm(models.collect()),
        TtsSettings::Flite(Voice::Slt),
    );
    let cascade = Cascade::new("cascade", settings, Arc::default()).expect("flite is installed");
    cascade.begin();
    cascade
}

fn up(cascade: &Cascade) -> Vec<bool> {
    let health = cascade.health();
    assert!(health.iter().all(|provider| provider.stage == "llm"), "{health:?}");
    health.into_iter().map(|provider| provider.is_up).collect()
}

/// Has a question answered.
async fn ask(session: &mut BackendSession, n: u32) {
    let (turn, generation) = (TurnId(n), Generation(n));
    let typed = BackendCommand::UserText { turn, generation, text: "hello".to_owned() };
    within(session.input.send(BackendInput::Command(typed))).await.expect("the session lives");
    read_until(session, finished(n)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_turned_away_from_who_is_gone_and_back_when_it_returns() {
    let (first, mut second) = (Server::start(well).await, Server::start(well).await);
    let cascade = cascade([first.url(), second.url()]);
    let mut session = cascade.open(context()).expect("there is room");
    assert_eq!(up(&cascade), [true, true]);
    // No call has met it.
    let address = first.stop().await;
    until(|| up(&cascade) == [false, true]).await;
    // It would work again, but says that it is not well: whoever asked it would be answered.
    let mut first = Server::start_at(address, unwell).await;
    ask(&mut session, 1).await;
    assert_eq!((first.worked(), second.worked()), (0, 1));
    let address = first.stop().await;
    let mut first = Server::start_at(address, well).await;
    until(|| up(&cascade) == [true, true]).await;
    ask(&mut session, 2).await;
    assert_eq!((first.worked(), second.worked()), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_answered_although_all_are_marked_down() {
    let (mut first, second) = (Server::start(unwell).await, Server::start(unwell).await);
    let cascade = cascade([first.url(), second.url()]);
    let mut session = cascade.open(context()).expect("there is room");
    until(|| up(&cascade) == [false, false]).await;
    ask(&mut session, 1).await;
    assert_eq!(first.worked(), 1);
}

#[tokio::test]
async fn a_key_that_is_not_accepted_any_more_turns_calls_away_too() {
    let (first, second) = (Server::start(refusing).await, Server::start(well).await);
    let stage = models([first.url(), second.url()], OFTEN);
    let _watching = watch(&stage).expect("there are two");
    let up = || stage.health().map(|provider| provider.is_up).collect::<Vec<_>>();
    until(|| up() == [false, true]).await;
}

#[tokio::test]
async fn what_is_dropped_asks_no_more() {
    let server = Server::start(|_| vec![Act::Hang]).await;
    let stage = models([server.url(), server.url()], OFTEN);
    let watching = watch(&stage);
    assert_eq!((watching.is_some(), Arc::strong_count(&stage)), (true, 3));
    drop(watching);
    until(|| Arc::strong_count(&stage) == 1).await;
}

#[tokio::test]
async fn who_stands_alone_or_is_not_to_be_checked_is_left_alone() {
    let url = || "http://127.0.0.1:1/v1".to_owned();
    let alone = models([url()], OFTEN);
    assert!(watch(&alone).is_none());
    assert_eq!(alone.health().count(), 0, "nothing is known of it");
    let unchecked = models([url(), url()], None);
    let _watching = watch(&unchecked);
    assert_eq!(Arc::strong_count(&unchecked), 1, "nobody asks");
}
