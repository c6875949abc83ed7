//! What a cascade adds to its stages, whose times are scripted and served over real HTTP on loopback.
//!
//! ```text
//! cargo bench --workspace --bench cascade
//! ```
//!
//! The first tables are of whole calls: a caller's packets in, the agent's packets out. `endpoint` is the
//! moment at which the turn was judged to be over. The others are of the cascade alone.
#![expect(clippy::print_stdout, reason = "printing a table is what it is for")]

mod call;
mod servers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon::agent::{BackendInput, PcmFrame};
use antiphon::backend::cascade::asr::TranscriptionSettings;
use antiphon::backend::cascade::llm::LlmSettings;
use antiphon::backend::cascade::tts::{SpeechSettings, Voice};
use antiphon::backend::cascade::{
    AsrSettings, BrainSettings, Cascade, CascadeSettings, ModelSettings, Ranked, TtsSettings,
};
use antiphon::backend::{Backend as _, BackendOutput, BackendSession, CallContext};
use antiphon::call::event::{BackendCommand, BackendEvent, Generation, Heard, TurnId};
use antiphon::cascade::intent::CommonAnswer;
use antiphon::limits::WIDEBAND_FRAME;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use crate::servers::{Answer, Audio, RATE_HZ, SAMPLE, Script, Seen, start};

const ANSWER: &str =
    "It is a quarter past nine in the morning. The shop opens at ten. See you soon.";
/// A question that needs no model.
const COMMON: &str = "when do you open";
const PATIENCE: Duration = Duration::from_secs(20);
/// Of a voice like Sesame CSM's on one GPU.
const CSM: f64 = 0.28;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    call::turns().await;
    println!();
    println!("{:<58}{:>6}{:>10}{:>10}", "milliseconds", "n", "p50", "p99");
    cancellation().await;
    turn_taken_back().await;
    csm().await;
    prepared().await;
    failover().await;
}

/// A cascade of these voices; the other stages are served with the first.
pub(crate) fn cascade(urls: &[String]) -> Arc<Cascade> {
    open(settings(urls))
}

fn open(settings: CascadeSettings) -> Arc<Cascade> {
    Arc::new(Cascade::new("cascade", settings, Arc::default()).expect("the settings are right"))
}

fn settings(urls: &[String]) -> CascadeSettings {
    let url = urls[0].clone();
    let voice = |url: &String| {
        Ranked::from(TtsSettings::Speech(Box::new(SpeechSettings::new(url.clone(), None))))
    };
    let llm = LlmSettings::new(url.clone(), "scripted".to_owned(), None);
    let asr = AsrSettings::Transcription(TranscriptionSettings::new(url, None));
    let brain = BrainSettings::Llm(vec![ModelSettings::Chat(llm).into()]);
    let flite = TtsSettings::Flite(Voice::Slt);
    let tts = urls.iter().map(voice).collect();
    CascadeSettings { tts, ..CascadeSettings::new(asr, brain, flite) }
}

pub(crate) fn context() -> CallContext {
    CallContext {
        call_id: "bench".to_owned(),
        persona: String::new(),
        greeting: None,
        language: "en".to_owned(),
        reply_timeout: Duration::from_secs(10),
        history: Vec::new(),
    }
}

pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

fn print(name: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let (p50, p99) = (quantile(&values, 0.5), quantile(&values, 0.99));
    println!("{name:<58}{:>6}{p50:>10.2}{p99:>10.2}", values.len());
}

fn millis(start: Instant, end: Instant) -> f64 {
    end.saturating_duration_since(start).as_secs_f64() * 1_000.0
}

const fn at_once(answer: Answer, audio: Audio) -> Script {
    let none = Duration::ZERO;
    Script { transcript: none, first_token: none, first_audio: none, answer, audio, sample: SAMPLE }
}

async fn send(session: &BackendSession, command: BackendCommand) {
    session.input.send(BackendInput::Command(command)).await.expect("the session lives");
}

async fn type_in(session: &BackendSession, n: u32) {
    ask(session, n, "What is it?").await;
}

async fn ask(session: &BackendSession, n: u32, text: &str) {
    let (turn, generation, text) = (TurnId(n), Generation(n), text.to_owned());
    send(session, BackendCommand::UserText { turn, generation, text }).await;
}

/// Some of a reply's audio.
struct Block {
    /// When it came.
    at: Instant,
    length: Duration,
    /// One of its samples, from its middle.
    sample: i16,
}

/// The audio of this reply, to its end.
async fn reply(session: &mut BackendSession, n: u32) -> Vec<Block> {
    let mut blocks = Vec::new();
    loop {
        let output = timeout(PATIENCE, session.output.recv()).await.expect("it goes on");
        match output.expect("the session lives") {
            BackendOutput::Audio(audio) if audio.generation == Generation(n) => {
                let seconds = audio.pcm.len() as f64 / f64::from(audio.sample_rate_hz);
                let (at, length) = (Instant::now(), Duration::from_secs_f64(seconds));
                blocks.push(Block { at, length, sample: audio.pcm[audio.pcm.len() / 2] });
            }
            BackendOutput::Event(BackendEvent::ReplyFinished { .. }) => return blocks,
            BackendOutput::Event(BackendEvent::ReplyFailed { message, .. }) => panic!("{message}"),
            BackendOutput::Audio(_) | BackendOutput::Event(_) => {}
        }
    }
}

/// The longest moment in which somebody who plays these blocks as they come has nothing to play.
fn longest_gap_ms(blocks: &[Block]) -> f64 {
    let mut longest = 0.0_f64;
    let mut played = blocks[0].at;
    for Block { at, length, .. } in blocks {
        longest = longest.max(millis(played, *at));
        played = played.max(*at) + *length;
    }
    longest
}

/// From the call's `Cancel` to the server of each stage at work seeing that nobody listens any more.
async fn cancellation() {
    let script = at_once(Answer::Endless, Audio::Paced(CSM));
    let (url, mut seen) = start(script).await;
    let cascade = cascade(&[url]);
    let mut session = cascade.open(context()).expect("there is room");
    let (mut of_llm, mut of_tts, mut of_all) = (Vec::new(), Vec::new(), Vec::new());
    for n in 1..=100 {
        type_in(&session, n).await;
        loop {
            let output = timeout(PATIENCE, session.output.recv()).await.expect("it goes on");
            if let BackendOutput::Audio(audio) = output.expect("the session lives")
                && audio.generation == Generation(n)
            {
                break;
            }
        }
        let committed = Instant::now();
        let generation = Generation(n);
        send(&session, BackendCommand::Cancel { generation, heard: Heard::default() }).await;
        let (mut llm, mut tts) = (None, None);
        while llm.is_none() || tts.is_none() {
            match timeout(PATIENCE, seen.recv()).await.expect("it hangs up") {
                Some(Seen::HungUp("llm", at)) => llm = Some(millis(committed, at)),
                Some(Seen::HungUp("tts", at)) => tts = Some(millis(committed, at)),
                _ => {}
            }
        }
        let (llm, tts) = (llm.unwrap_or_default(), tts.unwrap_or_default());
        of_llm.push(llm);
        of_tts.push(tts);
        of_all.push(llm.max(tts));
    }
    print("commit -> language model hung up on", of_llm);
    print("commit -> voice hung up on", of_tts);
    print("commit -> all stages cancelled", of_all);
}

/// A turn that is being recognised turns out to be none: until the recogniser's server sees it.
async fn turn_taken_back() {
    let script = Script { transcript: PATIENCE, ..at_once(Answer::Endless, Audio::Paced(CSM)) };
    let (url, mut seen) = start(script).await;
    let cascade = cascade(&[url]);
    let BackendSession { input, mut output } = cascade.open(context()).expect("there is room");
    // What is not read would hold the session up.
    tokio::spawn(async move { while output.recv().await.is_some() {} });
    let say = async |what| input.send(what).await.expect("the session lives");
    let mut taken_back = Vec::new();
    for n in 1..=100 {
        let (turn, generation) = (TurnId(n), Generation(n));
        say(BackendInput::Command(BackendCommand::UserSpeechStarted { turn })).await;
        for _ in 0..20 {
            say(BackendInput::Audio(PcmFrame([4_000; WIDEBAND_FRAME]))).await;
        }
        say(BackendInput::Command(BackendCommand::Speculate { turn, generation })).await;
        let heard = async { while !matches!(seen.recv().await, Some(Seen::Heard)) {} };
        timeout(PATIENCE, heard).await.expect("the recogniser is asked");
        let committed = Instant::now();
        say(BackendInput::Command(BackendCommand::UserTurnDismissed { turn })).await;
        if let Some(Seen::HungUp("asr", at)) =
            timeout(PATIENCE, seen.recv()).await.expect("it hangs up")
        {
            taken_back.push(millis(committed, at));
        }
    }
    print("turn taken back -> recogniser hung up on", taken_back);
}

async fn written(seen: &mut UnboundedReceiver<Seen>) -> Instant {
    loop {
        if let Some(Seen::Written(at)) = seen.recv().await {
            return at;
        }
    }
}

/// A voice at 0.28 of real time, 80 ms at a time.
async fn csm() {
    let (url, mut seen) = start(at_once(Answer::Text(ANSWER), Audio::Paced(CSM))).await;
    let cascade = cascade(&[url]);
    let mut session = cascade.open(context()).expect("there is room");
    let (mut first, mut gaps) = (Vec::new(), Vec::new());
    for n in 1..=20 {
        type_in(&session, n).await;
        let written = written(&mut seen).await;
        let blocks = reply(&mut session, n).await;
        let frame_ms = servers::FRAME.as_secs_f64() * CSM * 1_000.0;
        first.push(millis(written, blocks[0].at) - frame_ms);
        gaps.push(longest_gap_ms(&blocks));
    }
    print("CSM-like voice: first phrase -> first audio, beyond a frame", first);
    print("CSM-like voice: longest gap while speaking", gaps);
}

/// A question whose answer was spoken before, with a model and a voice that would take their time.
async fn prepared() {
    let (url, _seen) = start(at_once(Answer::Text(ANSWER), Audio::Paced(CSM))).await;
    let answers = vec![CommonAnswer { when: vec![COMMON.to_owned()], say: ANSWER.to_owned() }];
    let cascade = open(CascadeSettings { answers, ..settings(&[url]) });
    let mut session = cascade.open(context()).expect("there is room");
    let mut first = Vec::new();
    for n in 0..=20 {
        let asked = Instant::now();
        ask(&session, n + 1, COMMON).await;
        let blocks = reply(&mut session, n + 1).await;
        // Spoken for the first time, it is kept.
        if n > 0 {
            first.push(millis(asked, blocks[0].at));
        }
    }
    print("common question, answer kept: question -> first audio", first);
}

/// The first voice dies in the middle of the first phrase; the second takes over.
async fn failover() {
    let (mut resumed, mut gaps, mut words) = (Vec::new(), Vec::new(), Words::default());
    for n in 1..=20 {
        let (first, mut seen) =
            start(at_once(Answer::Text(ANSWER), Audio::Dies(CSM, 6 + n as usize % 12))).await;
        let other = Script { sample: -SAMPLE, ..at_once(Answer::Text(ANSWER), Audio::Paced(CSM)) };
        let (second, mut seen_later) = start(other).await;
        let cascade = cascade(&[first, second]);
        let mut session = cascade.open(context()).expect("there is room");
        type_in(&session, 1).await;
        let blocks = reply(&mut session, 1).await;
        let (mut asked, mut died) = (Vec::new(), None);
        while let Ok(event) = seen.try_recv() {
            match event {
                Seen::Asked(text) => asked.push(text),
                Seen::Died(at, letters) => died = Some((at, letters)),
                _ => {}
            }
        }
        while let Ok(event) = seen_later.try_recv() {
            if let Seen::Asked(text) = event {
                asked.push(text);
            }
        }
        let (died, letters) = died.expect("it died");
        let next = blocks.iter().find(|block| block.sample < 0).expect("another one spoke on");
        resumed.push(millis(died, next.at));
        gaps.push(longest_gap_ms(&blocks));
        words.count(&asked, letters);
    }
    print("voice killed in mid-sentence -> audio of the next one", resumed);
    print("voice killed in mid-sentence: longest gap in the reply's audio", gaps);
    let Words { lost, twice, all } = words;
    println!("voice killed in mid-sentence: of {all} words {lost} were not said, {twice} twice");
}

/// What became of the words of answers whose voice was killed.
#[derive(Default)]
struct Words {
    lost: usize,
    twice: usize,
    all: usize,
}

impl Words {
    /// `asked`: what the voices were asked to say, in order, of which the first died after so many letters.
    fn count(&mut self, asked: &[String], letters: usize) {
        let [phrase, rest, others @ ..] = asked else { panic!("another one spoke on: {asked:?}") };
        let whole = [phrase.as_str()].into_iter().chain(others.iter().map(String::as_str));
        assert_eq!(
            whole.collect::<Vec<_>>().join(" "),
            ANSWER,
            "the other phrases are asked whole"
        );
        assert!(phrase.ends_with(rest.as_str()), "{rest:?} is the rest of {phrase:?}");
        self.all += ANSWER.split(' ').count();
        let resumed = phrase.len() - rest.len();
        let mut from = 0;
        for word in phrase.split_inclusive(' ') {
            let (start, end) = (from, from + word.trim_end().len());
            from += word.len();
            match (end <= letters, start >= resumed) {
                (false, false) => self.lost += 1,
                (true, true) => self.twice += 1,
                (true, false) | (false, true) => {}
            }
        }
    }
}

/// Kept for the whole of the program: samples a second of all voices here.
const _: () = assert!(RATE_HZ == 24_000, "as `SpeechSettings` expects by default");
