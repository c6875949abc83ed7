//! Speech made by flite and espeak-ng is heard, answered, and the answer is heard again.
//!
//! These need the packages flite, pocketsphinx, pocketsphinx-en-us and espeak-ng; without them they
//! fail and say so.

use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use super::asr::{Ask, AsrReport};
use super::llm::LlmSettings;
use super::meter::Bill;
use super::tts::Voice;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::error::StageError;
use super::llm::model::tests::{Act, answer, event, serve_all, serve_by, stream};
use super::tts::flite::Flite;
use super::*;
use crate::agent::{BackendInput, PcmFrame};
use crate::backend::local::LocalSettings;
use crate::backend::tests::{cancel, context, ended, finished, read_until, within};
use crate::backend::{BackendOutput, ReplyAudio};
use crate::call::event::{BackendCommand, BackendEvent, Generation, Heard, TurnId};
use crate::cascade::failover::FailureKind;
use crate::limits::{WIDEBAND_FRAME, WIDEBAND_HZ};
use crate::tools::{Builtin, Confirm, Executor, Filler, Job, ToolSpec};

mod memory;
mod takeover;
mod tools;
mod usage;
pub(super) mod voices;
mod words;

/// One backend for all tests: its models take half a second to load.
pub(in crate::backend) fn local() -> &'static Cascade {
    static LOCAL: LazyLock<Cascade> = LazyLock::new(|| {
        let settings =
            LocalSettings { time_zone: Some("UTC".to_owned()), ..LocalSettings::standard() };
        crate::backend::local::local(settings, Arc::default())
            .expect("flite, pocketsphinx and its English model are installed")
    });
    &LOCAL
}

/// Who speaks to the backend.
#[derive(Clone, Copy, Debug)]
enum Speaker {
    Flite(Voice),
    Espeak(&'static str),
}

fn speech(speaker: Speaker, text: &str) -> Vec<i16> {
    match speaker {
        Speaker::Espeak(voice) => espeak(voice, text),
        Speaker::Flite(voice) => {
            let flite = Flite::load(voice).expect("the package flite is installed");
            let mut pcm = Vec::new();
            let take = &mut |block: &[i16]| {
                pcm.extend_from_slice(block);
                true
            };
            flite.speak(text, 1.0, take).expect("flite speaks");
            pcm
        }
    }
}

fn espeak(voice: &str, text: &str) -> Vec<i16> {
    let output = Command::new("espeak-ng")
        .args(["-v", voice, "--stdout", text])
        .output()
        .expect("the package espeak-ng is installed");
    assert!(output.status.success(), "espeak-ng: {}", String::from_utf8_lossy(&output.stderr));
    let reader = hound::WavReader::new(output.stdout.as_slice()).expect("it writes wav");
    let rate_hz = f64::from(reader.spec().sample_rate);
    // The length in the header is not known to a pipe's writer: read until the end.
    let pcm: Vec<f64> = reader.into_samples::<i16>().map_while(Result::ok).map(f64::from).collect();
    let step = rate_hz / f64::from(WIDEBAND_HZ);
    let count = (pcm.len().saturating_sub(1) as f64 / step) as usize;
    (0..count)
        .map(|n| {
            let at = n as f64 * step;
            let (before, part) = (at as usize, at.fract());
            (pcm[before] * (1.0 - part) + pcm[before + 1] * part) as i16
        })
        .collect()
}

/// Speech as a call delivers it: with some silence around it, in frames.
fn frames(pcm: &[i16]) -> Vec<PcmFrame> {
    let silence = vec![0; WIDEBAND_HZ as usize * 3 / 10];
    let padded = [&silence, pcm, &silence].concat();
    padded
        .chunks_exact(WIDEBAND_FRAME)
        .map(|frame| PcmFrame(frame.try_into().expect("320")))
        .collect()
}

/// A call's recognisers by themselves.
struct Listener {
    ears: asr::Listener,
    reports: mpsc::Receiver<AsrReport>,
}

impl Listener {
    async fn new() -> Self {
        let stage = local().asr.only().expect("the local backend hears by itself");
        let (ears, mut reports) = stage.open(Bill::unseen());
        assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready));
        Self { ears, reports }
    }

    /// What they make of this.
    async fn hear(&mut self, pcm: &[i16]) -> String {
        self.ears.ask(Ask::Start(TurnId(1))).expect("the queue is empty");
        frames(pcm).into_iter().for_each(|frame| self.ears.hear(frame));
        let (turn, generation) = (TurnId(1), Generation(1));
        self.ears.ask(Ask::End { turn, generation }).expect("there is room");
        loop {
            match within(self.reports.recv()).await.expect("the thread lives") {
                AsrReport::Final { text, .. } => return text,
                AsrReport::Partial { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Speaks to a session and returns what was understood and what was answered.
async fn turn(session: &mut BackendSession, n: u32, pcm: &[i16]) -> (String, Vec<ReplyAudio>) {
    let turn = TurnId(n);
    let started = BackendInput::Command(BackendCommand::UserSpeechStarted { turn });
    let audio = frames(pcm).into_iter().map(BackendInput::Audio);
    for input in [started].into_iter().chain(audio).chain([ended(n)]) {
        within(session.input.send(input)).await.expect("the session lives");
    }
    let is_final =
        |event: &BackendEvent| matches!(event, BackendEvent::UserTranscript { is_final: true, .. });
    let (_, event) = read_until(session, is_final).await;
    let BackendEvent::UserTranscript { text, .. } = event else { panic!("it was matched") };
    let (audio, _) = read_until(session, finished(n)).await;
    (text, audio)
}

fn samples(audio: &[ReplyAudio]) -> Vec<i16> {
    audio.iter().flat_map(|block| block.pcm.iter().copied()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_recognised_whoever_says_them() {
    const COMMANDS: [&str; 8] = [
        "hello there",
        "what time is it",
        "what is twelve plus thirty",
        "set a timer for ten seconds",
        "give me a tour",
        "speak slower please",
        "how fast was that",
        "who are you",
    ];
    let rows = [(Speaker::Flite(Voice::Slt), 7), (Speaker::Espeak("en-us"), 4)];
    for (speaker, least) in rows {
        let mut right = 0;
        let mut listener = Listener::new().await;
        for command in COMMANDS {
            let seen = listener.hear(&speech(speaker, command)).await;
            let is_same = seen == command || seen == command.replace(" a timer", " the timer");
            right += usize::from(is_same);
        }
        assert!(right >= least, "{speaker:?}: {right} of {} were recognised", COMMANDS.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speech_that_is_no_command_is_not_taken_for_one() {
    let text = "my brother lives in another country";
    let seen = Listener::new().await.hear(&speech(Speaker::Flite(Voice::Slt), text)).await;
    assert_eq!(seen, text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_turn_that_is_told_at_once_is_heard_whole() {
    let silence = vec![0; 12 * WIDEBAND_HZ as usize];
    let command = speech(Speaker::Flite(Voice::Slt), "what time is it");
    let seen = Listener::new().await.hear(&[silence, command].concat()).await;
    assert_eq!(seen, "what time is it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_answered_can_be_understood_again() {
    let rows = [
        ("what is twenty plus thirty", "is fifty"),
        ("repeat after me good morning everyone", "good morning"),
        ("set a timer for ten seconds", "ten seconds"),
        ("what can you do", "tell the time"),
    ];
    let mut session = local().open(context()).expect("there is room");
    let mut listener = Listener::new().await;
    let mut misheard = Vec::new();
    for (n, (question, answer)) in (1..).zip(rows) {
        let (_, audio) = turn(&mut session, n, &speech(Speaker::Flite(Voice::Slt), question)).await;
        let seen = listener.hear(&samples(&audio)).await;
        if !seen.contains(answer) {
            misheard.push((question, seen));
        }
    }
    // Each row is recognised twice, and the recogniser mishears one word in ten.
    assert!(misheard.len() <= 1, "{misheard:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_is_answered_with_a_hint() {
    let mut session = local().open(context()).expect("there is room");
    let (text, audio) = turn(&mut session, 1, &[0; 8_000]).await;
    assert_eq!(text, "");
    assert!(samples(&audio).len() > 8_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_asks_for_the_floor_and_rings_there() {
    let mut session = local().open(context()).expect("there is room");
    let text = "set a timer for one second".to_owned();
    let (turn, generation) = (TurnId(1), Generation(1));
    let typed = BackendCommand::UserText { turn, generation, text };
    within(session.input.send(BackendInput::Command(typed))).await.expect("the session lives");
    // On a slow machine it is due before the reply that announces it was read.
    let (mut has_finished, mut has_rung) = (false, false);
    while !(has_finished && has_rung) {
        let next = within(session.output.recv()).await.expect("the session lives");
        has_finished |= matches!(&next, BackendOutput::Event(event) if finished(1)(event));
        has_rung |= next == BackendOutput::Event(BackendEvent::WantsToSpeak);
    }
    let speak = BackendCommand::Speak { generation: Generation(2) };
    within(session.input.send(BackendInput::Command(speak))).await.expect("the session lives");
    let (audio, _) = read_until(&mut session, finished(2)).await;
    assert!(samples(&audio).len() > 16_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goodbye_hangs_up_after_its_last_word() {
    let mut session = local().open(context()).expect("there is room");
    let (turn, generation) = (TurnId(1), Generation(1));
    let typed = BackendCommand::UserText { turn, generation, text: "goodbye".to_owned() };
    within(session.input.send(BackendInput::Command(typed))).await.expect("the session lives");
    read_until(&mut session, finished(1)).await;
    let next = within(session.output.recv()).await;
    assert!(matches!(next, Some(BackendOutput::Event(BackendEvent::HangUp { .. }))), "{next:?}");
}

/// Everything up to the end of reply `n` that is text of a reply.
async fn texts_until_finished(session: &mut BackendSession, n: u32) -> Vec<(u32, String)> {
    let mut texts = Vec::new();
    loop {
        match within(session.output.recv()).await.expect("the session lives") {
            BackendOutput::Event(BackendEvent::ReplyText { generation, text }) => {
                texts.push((generation.0, text));
            }
            BackendOutput::Event(event) if finished(n)(&event) => return texts,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timer_asked_for_ahead_runs_only_once_the_turn_is_over() {
    let (turn, withdrawn) = (TurnId(1), Generation(1));
    let asked = frames(&speech(Speaker::Flite(Voice::Slt), "set a timer for ten seconds"));
    let begun = [BackendInput::Command(BackendCommand::UserSpeechStarted { turn })];
    let audio = asked.into_iter().map(BackendInput::Audio);
    let inputs: Vec<_> = begun.into_iter().chain(audio).collect();
    let speculate = |generation| {
        BackendInput::Command(BackendCommand::Speculate {
            turn,
            generation: Generation(generation),
        })
    };

    let mut session = local().open(context()).expect("there is room");
    for input in inputs.clone().into_iter().chain([speculate(1)]) {
        within(session.input.send(input)).await.expect("the session lives");
    }
    let gone = BackendCommand::Withdraw { turn, generation: withdrawn };
    let dismissed = BackendCommand::UserTurnDismissed { turn };
    for command in [gone, dismissed] {
        within(session.input.send(BackendInput::Command(command))).await.expect("it lives");
    }
    type_in(&session, 2, "how long is left on the timer").await;
    let expected = [(2, "There is no timer running.".to_owned())];
    assert_eq!(texts_until_finished(&mut session, 2).await, expected);

    let mut session = local().open(context()).expect("there is room");
    for input in inputs.into_iter().chain([speculate(1), ended(1)]) {
        within(session.input.send(input)).await.expect("the session lives");
    }
    let expected = [(1, "Your timer for 10 seconds is running.".to_owned())];
    assert_eq!(texts_until_finished(&mut session, 1).await, expected);
}

/// The shared engines with a model that answers each request in turn.
async fn with_model(answers: Vec<Vec<Act>>) -> (Cascade, JoinHandle<Vec<String>>) {
    with_tools(answers, Vec::new()).await
}

/// And with tools that it may call.
async fn with_tools(
    answers: Vec<Vec<Act>>,
    tools: Vec<ToolSpec>,
) -> (Cascade, JoinHandle<Vec<String>>) {
    let (url, server) = serve_all(answers).await;
    let tools = Toolbox::new(tools).expect("lawful tools");
    (with_model_at(url, tools, MemorySettings::default()), server)
}

/// The shared engines with a model that is served here.
fn with_model_at(url: String, tools: Toolbox, memory: MemorySettings) -> Cascade {
    let model = ModelSettings::Chat(LlmSettings::new(url, "small".to_owned(), None));
    let stage = Stage::new("llm", vec![model.into()], LlmStage::load);
    let (asr, tts) = (Arc::clone(&local().asr), Arc::clone(&local().tts));
    let said = ["The answer is always the same.".to_owned()];
    let when = vec!["what is always the same".to_owned()];
    Cascade {
        name: "cascade",
        asr,
        model: Some(Arc::new(stage.expect("the settings are right"))),
        tools: Tools::new(Arc::new(tools)).expect("they can be executed"),
        larder: Arc::new(Larder::new(Arc::clone(&tts), &said)),
        tts,
        time_zone: TimeZone::UTC,
        pace: 1.0,
        memory,
        answers: vec![CommonAnswer { when, say: said[0].clone() }].into(),
        own_words: Arc::default(),
        prepares: false,
        beside: OnceLock::new(),
    }
}

async fn type_in(session: &BackendSession, n: u32, text: &str) {
    let (turn, generation) = (TurnId(n), Generation(n));
    let typed = BackendCommand::UserText { turn, generation, text: text.to_owned() };
    within(session.input.send(BackendInput::Command(typed))).await.expect("the session lives");
}

fn done() -> Act {
    Act::Chunk("data: [DONE]\n\n".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_is_spoken_by_sentences_and_told_what_was_heard() {
    let first = stream(vec![event("Sure. This is the sec"), event("ond sentence of mine"), done()]);
    let second = stream(vec![event("Goodbye."), done()]);
    let (backend, server) = with_model(vec![first, second]).await;
    let mut session = backend.open(context()).expect("there is room");
    type_in(&session, 1, "tell me").await;
    for expected in ["Sure.", "This is the second sentence of mine"] {
        let is_text = |event: &BackendEvent| matches!(event, BackendEvent::ReplyText { .. });
        let (audio, event) = read_until(&mut session, is_text).await;
        assert_eq!(audio.is_empty(), expected == "Sure.", "each sentence's audio follows it");
        let BackendEvent::ReplyText { text, .. } = event else { panic!("it was matched") };
        assert_eq!(text, expected);
    }
    let (audio, _) = read_until(&mut session, finished(1)).await;
    assert!(samples(&audio).len() > 16_000);
    let heard = Heard {
        duration: Duration::from_secs(1),
        text: "Sure. This is".to_owned(),
        ..Heard::default()
    };
    let cancel = BackendCommand::Cancel { generation: Generation(1), heard };
    within(session.input.send(BackendInput::Command(cancel))).await.expect("the session lives");
    type_in(&session, 2, "stop").await;
    read_until(&mut session, finished(2)).await;
    let requests = within(server).await.expect("the server is right");
    let texts = [r#""content":"tell me""#, r#""content":"Sure. This is""#, r#""content":"stop""#];
    let places = texts.map(|text| requests[1].find(text));
    assert!(places.is_sorted() && places[0].is_some(), "{}", requests[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_model_is_apologised_for_and_reported() {
    let refusal = answer("503 Busy", "application/json", r#"{"error":"overloaded"}"#);
    let (backend, _server) = with_model(vec![refusal]).await;
    let mut session = backend.open(context()).expect("there is room");
    type_in(&session, 1, "tell me").await;
    let has_failed = |event: &BackendEvent| matches!(event, BackendEvent::ReplyFailed { .. });
    let (audio, event) = read_until(&mut session, has_failed).await;
    assert!(samples(&audio).len() > 16_000, "the apology is spoken");
    let message = "the language model's server answered 503: overloaded".to_owned();
    let generation = Generation(1);
    assert_eq!(event, BackendEvent::ReplyFailed { generation, message });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_says_by_itself_is_what_the_agent_is_told_to_say() {
    let refusal = answer("503 Busy", "application/json", r#"{"error":"overloaded"}"#);
    let (mut backend, _server) = with_model(vec![refusal]).await;
    let [not_heard, failed] = ["Pardon me?", "I am lost."].map(str::to_owned);
    backend.own_words = Arc::new(OwnWords { not_heard, failed });
    let mut session = backend.open(context()).expect("there is room");
    for (n, typed, expected) in [(1, "", "Pardon me?"), (2, "tell me", "I am lost.")] {
        type_in(&session, n, typed).await;
        let is_text = |event: &BackendEvent| matches!(event, BackendEvent::ReplyText { .. });
        let (_, event) = read_until(&mut session, is_text).await;
        let generation = Generation(n);
        assert_eq!(event, BackendEvent::ReplyText { generation, text: expected.to_owned() });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupting_a_model_hangs_up_on_it() {
    let endless = stream(vec![event("Once upon a time there was a river. "), Act::Hang]);
    let (backend, server) = with_model(vec![endless]).await;
    let mut session = backend.open(context()).expect("there is room");
    type_in(&session, 1, "tell me").await;
    while !matches!(within(session.output.recv()).await, Some(BackendOutput::Audio(_))) {}
    within(session.input.send(cancel(1))).await.expect("the session lives");
    within(server).await.expect("the connection was closed");
}

#[test]
fn what_is_missing_is_named_with_what_gets_it() {
    let settings = |change: fn(&mut LocalSettings)| {
        let mut settings = LocalSettings::standard();
        change(&mut settings);
        crate::backend::local::local(settings, Arc::default())
            .expect_err("it cannot work")
            .to_string()
    };
    let rows = [
        (settings(|it| it.recognition.model = "/nowhere".into()), "/nowhere/en-us/mdef"),
        (settings(|it| it.recognition.model = "/nowhere".into()), "apt-get install pocketsphinx"),
        (settings(|it| it.pace = 9.0), "pace: expected 0.5 to 2, received 9"),
        (
            settings(|it| it.time_zone = Some("Mars/Olympus".to_owned())),
            "time_zone: `Mars/Olympus`",
        ),
        (
            settings(|it| it.llm = Some(LlmSettings::new("ftp://x".into(), "m".into(), None))),
            "llm.url: expected http(s)://",
        ),
    ];
    for (refusal, expected) in rows {
        assert!(refusal.contains(expected), "{refusal:?} should contain {expected:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_beyond_the_recognisers_is_told_so() {
    let mut settings = LocalSettings::standard();
    settings.recognition.most = 1;
    let local =
        crate::backend::local::local(settings, Arc::default()).expect("the engines are installed");
    let mut first = local.open(context()).expect("there is room");
    let ready = BackendOutput::Event(BackendEvent::Ready);
    assert_eq!(within(first.output.recv()).await, Some(ready));
    let mut second = local.open(context()).expect("there is room");
    let Some(BackendOutput::Event(BackendEvent::Failed { message })) =
        within(second.output.recv()).await
    else {
        panic!("there is one recogniser only");
    };
    assert!(message.contains("in use"), "{message}");
}

#[tokio::test]
async fn a_common_question_is_answered_without_the_model_and_spoken_once() {
    let (cascade, server) = with_model(Vec::new()).await;
    let mut session = cascade.open(context()).expect("there is room");
    let mut audio = Vec::new();
    for n in 1..=2 {
        type_in(&session, n, "Tell me, what is always the same?").await;
        let (blocks, _) = read_until(&mut session, finished(n)).await;
        audio.push(blocks.into_iter().flat_map(|block| block.pcm).collect::<Vec<i16>>());
    }
    assert!(audio[0].len() > 16_000, "{} samples", audio[0].len());
    assert_eq!(audio[0], audio[1]);
    let stats = cascade.larder.stats();
    assert_eq!((stats.hits, stats.entries), (1, 1), "{stats:?}");
    // No model was asked.
    within(server).await.expect("it had nothing to do");
}
