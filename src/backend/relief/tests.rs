use std::fs;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::*;
use crate::agent::PcmFrame;
use crate::backend::scripted::{Scripted, ScriptedSettings};
use crate::backend::tests::{context, ended, finished, read_until, within};
use crate::call::event::{BackendCommand, BackendEvent, Generation, TurnId};
use crate::limits::BACKEND_INPUT_MAX;

/// A backend with this script.
pub(in crate::backend) fn scripted(text: &str) -> Arc<dyn Backend> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let script = format!("antiphon-relief-{}-{number}.yaml", std::process::id());
    let script = std::env::temp_dir().join(script);
    fs::write(&script, text).expect("the temporary folder is writable");
    let backend = Scripted::new(&ScriptedSettings { script: script.clone() });
    fs::remove_file(&script).expect("it was written");
    Arc::new(backend.expect("it is right"))
}

/// Answers a turn with two seconds of sound at 16 kHz.
fn sound() -> Arc<dyn Backend> {
    scripted("{speed: max, sample_rate_hz: 16000, turns: [{reply: [{tone: {hz: 440, ms: 2000}}]}]}")
}

/// A backend without room.
struct Full;

impl Backend for Full {
    fn name(&self) -> &'static str {
        "full"
    }

    fn abilities(&self) -> Abilities {
        Abilities { transcribes: false, ..sound().abilities() }
    }

    fn open(&self, _call: CallContext) -> Result<BackendSession, Busy> {
        Err(Busy("there is no room".to_owned()))
    }
}

/// A backend that never says a word and reads nothing. Its ends are kept.
#[derive(Default)]
struct Deaf(std::sync::Mutex<Vec<crate::backend::BackendChannels>>);

impl Backend for Deaf {
    fn name(&self) -> &'static str {
        "deaf"
    }

    fn abilities(&self) -> Abilities {
        sound().abilities()
    }

    fn open(&self, _call: CallContext) -> Result<BackendSession, Busy> {
        let (session, ends) = channels();
        self.0.lock().expect("no test panics in it").push(ends);
        Ok(session)
    }
}

/// A backend that counts how often it is told to begin.
#[derive(Default)]
struct Eager(AtomicUsize);

impl Backend for Eager {
    fn name(&self) -> &'static str {
        "eager"
    }

    fn abilities(&self) -> Abilities {
        sound().abilities()
    }

    fn open(&self, _call: CallContext) -> Result<BackendSession, Busy> {
        Err(Busy("it only begins".to_owned()))
    }

    fn begin(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn all_begin_what_they_make_ahead_of_calls() {
    let all = [Arc::new(Eager::default()), Arc::new(Eager::default())];
    Relief::new(all[0].clone(), vec![all[1].clone()]).begin();
    assert_eq!(all.map(|backend| backend.0.load(Ordering::Relaxed)), [1, 1]);
}

fn opened(first: Arc<dyn Backend>, others: Vec<Arc<dyn Backend>>) -> BackendSession {
    Relief::new(first, others).open(context()).expect("one of them has room")
}

async fn tell(session: &BackendSession, command: BackendCommand) {
    within(session.input.send(BackendInput::Command(command))).await.expect("the session lives");
}

async fn speak_a_turn(session: &BackendSession, frames: usize) {
    tell(session, BackendCommand::UserSpeechStarted { turn: TurnId(1) }).await;
    for _ in 0..frames {
        let frame = BackendInput::Audio(PcmFrame([1; 320]));
        within(session.input.send(frame)).await.expect("the session lives");
    }
    within(session.input.send(ended(1))).await.expect("the session lives");
}

fn samples(audio: &[crate::backend::ReplyAudio]) -> usize {
    audio.iter().map(|block| block.pcm.len()).sum()
}

#[tokio::test]
async fn a_turn_is_answered_by_the_next_one_whatever_becomes_of_the_first() {
    for fate in ["fail_backend: out of order", "drop: true"] {
        let first = scripted(&format!("{{turns: [{{reply: [{{{fate}}}]}}]}}"));
        let mut session = opened(first, vec![Arc::new(Full), sound()]);
        speak_a_turn(&session, 50).await;
        let (audio, _) = read_until(&mut session, finished(1)).await;
        assert_eq!(samples(&audio), 32_000, "{fate}");
    }
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_followed_by_one_of_the_next() {
    let first =
        "{speed: max, turns: [{reply: [{text: One}, {tone: {hz: 300, ms: 500}}, {drop: true}]}]}";
    let mut session = opened(scripted(first), vec![sound()]);
    speak_a_turn(&session, 5).await;
    let (audio, _) = read_until(&mut session, finished(1)).await;
    assert_eq!((samples(&audio), audio[0].sample_rate_hz), (12_000, 24_000));
    read_until(&mut session, |event| *event == BackendEvent::WantsToSpeak).await;
    tell(&session, BackendCommand::Speak { generation: Generation(2) }).await;
    let (audio, _) = read_until(&mut session, finished(2)).await;
    assert_eq!((samples(&audio), audio[0].sample_rate_hz), (32_000, 16_000));
}

#[tokio::test]
async fn who_has_no_room_is_passed_over_and_all_of_them_are_busy_together() {
    let mut session = opened(Arc::new(Full), vec![sound()]);
    speak_a_turn(&session, 5).await;
    read_until(&mut session, finished(1)).await;
    let full = Relief::new(Arc::new(Full), vec![Arc::new(Full)]);
    assert_eq!(full.open(context()).err(), Some(Busy("there is no room".to_owned())));
    assert!(!Relief::new(sound(), vec![Arc::new(Full)]).abilities().transcribes);
}

#[tokio::test]
async fn the_last_failure_is_the_calls() {
    let broken = || scripted("{turns: [{reply: [{fail_backend: out of order}]}]}");
    let mut session = opened(broken(), vec![broken()]);
    speak_a_turn(&session, 5).await;
    let is_failure = |event: &BackendEvent| matches!(event, BackendEvent::Failed { .. });
    let (_, failure) = read_until(&mut session, is_failure).await;
    assert_eq!(failure, BackendEvent::Failed { message: "out of order".to_owned() });
    assert_eq!(within(session.output.recv()).await, None);
}

#[tokio::test]
async fn who_never_reads_is_relieved_and_nothing_that_was_said_is_lost() {
    let deaf = Arc::new(Deaf::default());
    let mut session = opened(Arc::clone(&deaf) as Arc<dyn Backend>, vec![sound()]);
    // More than fits its queue.
    speak_a_turn(&session, BACKEND_INPUT_MAX + 100).await;
    let (audio, _) = read_until(&mut session, finished(1)).await;
    assert_eq!(samples(&audio), 32_000);
}

#[tokio::test]
async fn a_farewell_needs_no_relief() {
    let first = scripted("{turns: [{reply: [{hang_up: done}, {drop: true}]}]}");
    let mut session = opened(first, vec![sound()]);
    speak_a_turn(&session, 5).await;
    let is_farewell = |event: &BackendEvent| matches!(event, BackendEvent::HangUp { .. });
    read_until(&mut session, is_farewell).await;
    while let Some(output) = within(session.output.recv()).await {
        assert!(matches!(output, BackendOutput::Event(_)), "nobody speaks any more");
    }
}
