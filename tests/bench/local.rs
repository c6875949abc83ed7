//! What the local backend costs and how soon it answers. Prints a table; asserts nothing.
//!
//! `cargo bench --bench local`, on a machine that does nothing else. Needs the packages flite,
//! pocketsphinx and pocketsphinx-en-us. Users are played by flite at the speed of speech.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon::agent::{BackendInput, PcmFrame};
use antiphon::backend::local::{self, LocalSettings};
use antiphon::backend::{Backend, BackendOutput, CallContext};
use antiphon::call::event::{BackendCommand, BackendEvent, Generation, Heard, TurnId};
use antiphon::limits::{FRAME, WIDEBAND_FRAME};

const QUESTIONS: [&str; 8] = [
    "hello there",
    "what time is it",
    "what is the date today",
    "what is twelve plus thirty",
    "set a timer for two minutes",
    "give me a tour",
    "how fast was that",
    "who are you",
];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let began = Instant::now();
    let local =
        local::local(LocalSettings::standard(), Arc::default()).expect("the engines are installed");
    println!("engines loaded in {} ms", began.elapsed().as_millis());
    let context = CallContext {
        call_id: "bench".to_owned(),
        persona: String::new(),
        greeting: None,
        language: "en".to_owned(),
        reply_timeout: Duration::from_secs(10),
        history: Vec::new(),
    };
    let mut session = local.open(context).expect("there is room");
    println!("{:30} {:>14} {:>14}  understood", "said", "transcript ms", "first audio ms");
    let mut latencies = Vec::new();
    let (cpu_before, mut spoken) = (cpu_time(), Duration::ZERO);
    for (n, question) in (1..).zip(QUESTIONS) {
        let frames = speech(question);
        spoken += FRAME * frames.len() as u32;
        let turn = TurnId(n);
        send(&session, BackendCommand::UserSpeechStarted { turn }).await;
        let mut pace = tokio::time::interval(FRAME);
        for frame in frames {
            pace.tick().await;
            session.input.send(BackendInput::Audio(frame)).await.expect("the session lives");
        }
        let ended = Instant::now();
        let generation = Generation(n);
        send(&session, BackendCommand::UserTurnEnded { turn, generation }).await;
        let (mut transcript, mut understood) = (Duration::ZERO, String::new());
        while let Some(output) = session.output.recv().await {
            match output {
                BackendOutput::Event(BackendEvent::UserTranscript {
                    text, is_final: true, ..
                }) => {
                    (transcript, understood) = (ended.elapsed(), text);
                }
                BackendOutput::Audio(audio) if audio.generation == generation => break,
                // Events, and what was on its way when the last reply was cancelled.
                BackendOutput::Event(_) | BackendOutput::Audio(_) => {}
            }
        }
        let first_audio = ended.elapsed();
        send(&session, BackendCommand::Cancel { generation, heard: Heard::default() }).await;
        let (transcript_ms, first_ms) = (transcript.as_millis(), first_audio.as_millis());
        println!("{question:30} {transcript_ms:>14} {first_ms:>14}  {understood}");
        latencies.push(first_ms);
    }
    latencies.sort_unstable();
    println!(
        "first audio: median {} ms, worst {} ms",
        latencies[latencies.len() / 2],
        latencies[7]
    );
    let cpu = cpu_time().saturating_sub(cpu_before);
    let per_second = cpu.as_secs_f64() * 1_000.0 / spoken.as_secs_f64();
    println!(
        "CPU: {per_second:.0} ms for each second of user speech, answers' first sentence included"
    );
}

async fn send(session: &antiphon::backend::BackendSession, command: BackendCommand) {
    session.input.send(BackendInput::Command(command)).await.expect("the session lives");
}

/// Speech with some silence around it.
fn speech(text: &str) -> Vec<PcmFrame> {
    let path = std::env::temp_dir().join(format!("antiphon-bench-{}.wav", std::process::id()));
    let status =
        Command::new("flite").args(["-voice", "rms", "-t", text, "-o"]).arg(&path).status();
    assert!(status.is_ok_and(|status| status.success()), "the package flite is installed");
    let reader = hound::WavReader::open(&path).expect("flite writes wav");
    let mut pcm = vec![0; 16 * 300];
    pcm.extend(reader.into_samples::<i16>().map(|sample| sample.expect("it is whole")));
    pcm.extend(vec![0; 16 * 300]);
    std::fs::remove_file(&path).expect("it was written");
    let frame = |frame: &[i16]| PcmFrame(frame.try_into().expect("it is a frame"));
    pcm.chunks_exact(WIDEBAND_FRAME).map(frame).collect()
}

/// CPU time of this process so far.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this is Linux");
    let after_name = stat.rsplit_once(") ").expect("the name is in brackets").1;
    let ticks = |index: usize| -> Option<u64> {
        after_name.split(' ').nth(index).and_then(|field| field.parse().ok())
    };
    // User and system time in ticks of 10 ms (proc(5), fields 14 and 15; the state is field 3).
    Duration::from_millis((ticks(11).unwrap_or(0) + ticks(12).unwrap_or(0)) * 10)
}
