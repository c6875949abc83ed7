//! What every backend promises on its channels, checked for each of them.

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::time::timeout;

use super::echo::{Echo, EchoSettings};
use super::scripted::{Scripted, ScriptedSettings};
use super::*;
use crate::agent::PcmFrame;
use crate::call::event::{BackendCommand, Heard, TurnId};
use crate::limits::BACKEND_BLOCK_SAMPLES_MAX;

/// No wait in these tests is for time to pass; a backend that keeps one waiting longer is broken.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("the backend keeps its caller waiting")
}

pub(super) fn context() -> CallContext {
    CallContext {
        call_id: "test".to_owned(),
        persona: String::new(),
        greeting: None,
        language: "en".to_owned(),
        reply_timeout: Duration::from_secs(10),
        history: Vec::new(),
    }
}

pub(super) fn shipped(name: &str) -> ScriptedSettings {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/examples");
    ScriptedSettings { script: PathBuf::from(folder).join(name) }
}

/// A backend and what it is sent to get a reply longer than its channel holds.
struct Subject {
    backend: &'static dyn Backend,
    ask: fn(u32) -> Vec<BackendInput>,
}

fn subjects() -> Vec<Subject> {
    let echo = Echo::new(EchoSettings::STANDARD).expect("the standard settings are right");
    let scripted = Scripted::new(&shipped("fast.yaml")).expect("the script is right");
    vec![
        Subject { backend: Box::leak(Box::new(echo)), ask: speak },
        Subject { backend: Box::leak(Box::new(scripted)), ask: speak },
        Subject { backend: cascade::tests::local(), ask: type_for_a_story },
    ]
}

/// Ten seconds of a loud tone as turn and generation `n`.
fn speak(n: u32) -> Vec<BackendInput> {
    let tone = PcmFrame(std::array::from_fn(|i| if i % 32 < 16 { 8_000 } else { -8_000 }));
    let mut inputs =
        vec![BackendInput::Command(BackendCommand::UserSpeechStarted { turn: TurnId(n) })];
    inputs.extend((0..500).map(|_| BackendInput::Audio(tone)));
    inputs.push(ended(n));
    inputs
}

/// What the small dialogue answers with half a minute of speech.
fn type_for_a_story(n: u32) -> Vec<BackendInput> {
    let (turn, generation) = (TurnId(n), Generation(n));
    let text = "tell me a story".to_owned();
    vec![BackendInput::Command(BackendCommand::UserText { turn, generation, text })]
}

pub(super) fn ended(n: u32) -> BackendInput {
    let (turn, generation) = (TurnId(n), Generation(n));
    BackendInput::Command(BackendCommand::UserTurnEnded { turn, generation })
}

pub(super) fn cancel(n: u32) -> BackendInput {
    let (generation, heard) = (Generation(n), Heard::default());
    BackendInput::Command(BackendCommand::Cancel { generation, heard })
}

async fn send(session: &BackendSession, inputs: Vec<BackendInput>) {
    for input in inputs {
        within(session.input.send(input)).await.expect("the session lives");
    }
}

/// Reads until `is_last`, which is returned, after the samples of each generation's audio.
pub(super) async fn read_until(
    session: &mut BackendSession,
    is_last: impl Fn(&BackendEvent) -> bool,
) -> (Vec<ReplyAudio>, BackendEvent) {
    let mut audio = Vec::new();
    loop {
        match within(session.output.recv()).await.expect("the session lives") {
            BackendOutput::Audio(block) => audio.push(block),
            BackendOutput::Event(event) if is_last(&event) => return (audio, event),
            BackendOutput::Event(_) => {}
        }
    }
}

pub(super) fn started(n: u32) -> impl Fn(&BackendEvent) -> bool {
    move |event| *event == BackendEvent::ReplyStarted { generation: Generation(n) }
}

pub(super) fn finished(n: u32) -> impl Fn(&BackendEvent) -> bool {
    move |event| *event == BackendEvent::ReplyFinished { generation: Generation(n) }
}

#[tokio::test]
async fn a_reply_is_tagged_bounded_and_finished() {
    for subject in subjects() {
        let name = subject.backend.name();
        let mut session = subject.backend.open(context()).expect("there is room");
        let (audio, _) = read_until(&mut session, |event| *event == BackendEvent::Ready).await;
        assert_eq!(audio, [], "{name} speaks unasked");
        for n in 1..=2 {
            send(&session, (subject.ask)(n)).await;
            let (before, _) = read_until(&mut session, started(n)).await;
            assert_eq!(before, [], "{name}");
            let (audio, _) = read_until(&mut session, finished(n)).await;
            assert!(audio.iter().map(|block| block.pcm.len()).sum::<usize>() > 16_000, "{name}");
            for block in &audio {
                assert_eq!(block.generation, Generation(n), "{name}");
                assert_eq!(block.sample_rate_hz, audio[0].sample_rate_hz, "{name}");
                assert!((1..=BACKEND_BLOCK_SAMPLES_MAX).contains(&block.pcm.len()), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn a_cancelled_reply_ends_within_one_block() {
    for subject in subjects() {
        let name = subject.backend.name();
        let mut session = subject.backend.open(context()).expect("there is room");
        send(&session, (subject.ask)(1)).await;
        read_until(&mut session, started(1)).await;
        // The reply fills its channel and waits there.
        within(async {
            while session.output.len() < BACKEND_OUTPUT_MAX {
                tokio::task::yield_now().await;
            }
        })
        .await;
        send(&session, vec![cancel(1)]).await;
        within(async {
            while session.input.capacity() < BACKEND_INPUT_MAX {
                tokio::task::yield_now().await;
            }
        })
        .await;
        // Room is made again and again; what was not cancelled would flow into it.
        let mut blocks = 0;
        for _ in 0..1_000 {
            blocks += usize::from(matches!(session.output.try_recv(), Ok(BackendOutput::Audio(_))));
            tokio::task::yield_now().await;
        }
        assert!(blocks <= BACKEND_OUTPUT_MAX + 1, "{name}: {blocks} blocks came");
        send(&session, (subject.ask)(2)).await;
        let (audio, _) = read_until(&mut session, started(2)).await;
        assert_eq!(audio, [], "{name}");
        let (audio, _) = read_until(&mut session, finished(2)).await;
        assert!(audio.iter().all(|block| block.generation == Generation(2)), "{name}");
    }
}

#[tokio::test]
async fn cancelling_another_reply_changes_nothing() {
    for subject in subjects() {
        let mut session = subject.backend.open(context()).expect("there is room");
        send(&session, (subject.ask)(5)).await;
        send(&session, vec![cancel(4)]).await;
        let (audio, _) = read_until(&mut session, finished(5)).await;
        assert!(!audio.is_empty(), "{}", subject.backend.name());
    }
}

fn began(n: u32) -> BackendInput {
    BackendInput::Command(BackendCommand::UserSpeechStarted { turn: TurnId(n) })
}

/// Half a second of sound in turn `n`, which is begun and not ended.
fn sound(n: u32) -> Vec<BackendInput> {
    speak(n).into_iter().take(26).collect()
}

fn speculate(turn: u32, generation: u32) -> BackendInput {
    let (turn, generation) = (TurnId(turn), Generation(generation));
    BackendInput::Command(BackendCommand::Speculate { turn, generation })
}

fn withdraw(turn: u32, generation: u32) -> BackendInput {
    let (turn, generation) = (TurnId(turn), Generation(generation));
    BackendInput::Command(BackendCommand::Withdraw { turn, generation })
}

/// Everything up to the end of reply `n`.
async fn all_until_finished(session: &mut BackendSession, n: u32) -> Vec<BackendOutput> {
    let mut seen = Vec::new();
    loop {
        let next = within(session.output.recv()).await.expect("the session lives");
        let is_last = matches!(&next, BackendOutput::Event(event) if finished(n)(event));
        seen.push(next);
        if is_last {
            return seen;
        }
    }
}

fn count(seen: &[BackendOutput], is_it: impl Fn(&BackendEvent) -> bool) -> usize {
    let is_it = |output: &&BackendOutput| matches!(output, BackendOutput::Event(it) if is_it(it));
    seen.iter().filter(is_it).count()
}

/// The text and the samples of reply `n`.
fn content(seen: &[BackendOutput], n: u32) -> (Vec<String>, Vec<i16>) {
    let (mut texts, mut samples) = (Vec::new(), Vec::new());
    for output in seen {
        match output {
            BackendOutput::Event(BackendEvent::ReplyText { generation, text })
                if generation.0 == n =>
            {
                texts.push(text.clone());
            }
            BackendOutput::Audio(block) if block.generation.0 == n => samples.extend(&block.pcm),
            _ => {}
        }
    }
    (texts, samples)
}

#[tokio::test]
async fn a_backchannel_does_not_touch_the_reply_and_is_forgotten() {
    for subject in subjects() {
        let name = subject.backend.name();
        let mut session = subject.backend.open(context()).expect("there is room");
        send(&session, (subject.ask)(1)).await;
        read_until(&mut session, started(1)).await;
        send(&session, sound(2)).await;
        let dismissed = BackendCommand::UserTurnDismissed { turn: TurnId(2) };
        send(&session, vec![BackendInput::Command(dismissed)]).await;
        let seen = all_until_finished(&mut session, 1).await;
        assert!(content(&seen, 1).1.len() > 16_000, "{name}: the reply was cut short");
        let of_two = |event: &BackendEvent| {
            let two = TurnId(2);
            matches!(event, BackendEvent::UserTranscript { turn, is_final: true, .. } if *turn == two)
        };
        assert_eq!(count(&seen, of_two), 0, "{name} transcribes what was no turn");
        // The next turn holds nothing of it.
        send(&session, vec![began(3), ended(3)]).await;
        let seen = all_until_finished(&mut session, 3).await;
        assert_eq!(count(&seen, started(3)), 1, "{name}");
    }
}

#[tokio::test]
async fn a_withdrawn_answer_leaves_no_trace() {
    for subject in subjects() {
        let name = subject.backend.name();
        let mut plain = subject.backend.open(context()).expect("there is room");
        send(&plain, [sound(1), vec![ended(3)]].concat()).await;
        let expected = content(&all_until_finished(&mut plain, 3).await, 3);

        let mut session = subject.backend.open(context()).expect("there is room");
        let interlude = vec![speculate(1, 1), withdraw(1, 1), speculate(1, 2), withdraw(1, 2)];
        send(&session, [sound(1), interlude, vec![ended(3)]].concat()).await;
        let seen = all_until_finished(&mut session, 3).await;
        let (texts, samples) = content(&seen, 3);
        assert_eq!(texts, expected.0, "{name} answers otherwise");
        // The local voice's breath is noise, which is never the same.
        assert!(name == "local" || samples == expected.1, "{name} sounds otherwise");
        assert_eq!(count(&seen, started(3)), 1, "{name}");
        assert_eq!(count(&seen, finished(1)) + count(&seen, finished(2)), 0, "{name}");
    }
}

#[tokio::test]
async fn an_answer_made_ahead_is_given_once() {
    for subject in subjects() {
        let name = subject.backend.name();
        let mut session = subject.backend.open(context()).expect("there is room");
        send(&session, [sound(1), vec![speculate(1, 1), ended(1)]].concat()).await;
        let seen = all_until_finished(&mut session, 1).await;
        assert_eq!(count(&seen, started(1)), 1, "{name}");
        assert!(!content(&seen, 1).1.is_empty(), "{name}");
        // And nothing of it comes again.
        send(&session, [sound(2), vec![ended(2)]].concat()).await;
        let seen = all_until_finished(&mut session, 2).await;
        assert_eq!(count(&seen, started(1)) + count(&seen, finished(1)), 0, "{name}");
        assert_eq!(content(&seen, 1).1, Vec::<i16>::new(), "{name}");
    }
}

#[tokio::test]
async fn a_given_text_is_said_word_for_word() {
    for subject in subjects() {
        let name = subject.backend.name();
        let mut session = subject.backend.open(context()).expect("there is room");
        let (generation, text) = (Generation(1), "Are you still there?".to_owned());
        let say = BackendCommand::Say { generation, text: text.clone() };
        send(&session, vec![BackendInput::Command(say)]).await;
        let (texts, samples) = content(&all_until_finished(&mut session, 1).await, 1);
        assert_eq!(texts, [text], "{name}");
        // An echo has no voice of its own.
        assert_eq!(samples.is_empty(), name == "echo", "{name}");
    }
}

#[tokio::test]
async fn a_call_that_stopped_reading_fills_its_own_queue() {
    for subject in subjects() {
        let name = subject.backend.name();
        let session = subject.backend.open(context()).expect("there is room");
        let is_full = within(async {
            for n in 1..20_000 {
                match session.input.try_send(ended(n)) {
                    Ok(()) => tokio::task::yield_now().await,
                    Err(TrySendError::Full(_)) => return true,
                    Err(TrySendError::Closed(_)) => return false,
                }
            }
            false
        });
        assert!(is_full.await, "{name} swallows commands without end");
    }
}

#[tokio::test]
async fn dropping_either_end_ends_the_session() {
    for subject in subjects() {
        let session = subject.backend.open(context()).expect("there is room");
        send(&session, (subject.ask)(1)).await;
        let BackendSession { input, mut output } = session;
        drop(input);
        within(async { while output.recv().await.is_some() {} }).await;

        let session = subject.backend.open(context()).expect("there is room");
        send(&session, (subject.ask)(1)).await;
        let BackendSession { input, output } = session;
        drop(output);
        within(input.closed()).await;
    }
}
