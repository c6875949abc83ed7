mod scene;

use std::time::Duration;

use proptest::prelude::*;

use super::replay::{Engine, Replay};
use super::{FileError, Header, Kind, Reader, Recorded, Recorder, file};
use crate::agent::{Agent, AgentSettings, Observe};
use crate::call::event::{BackendEvent, ClientCommand, Cost, Generation, TurnId, Usage, WordTime};
use crate::call::settings::{EndpointSettings, EndpointStrategy};
use crate::dsp::vad::level::LevelVoice;
use crate::dsp::vad::{VoiceModel, WINDOW_SAMPLES};
use crate::media::downlink::{ClipAudio, Clips};
use crate::media::pcm::PcmCodec;
use crate::time::SessionTime;
use scene::{Scene, Step, VOICE_DBFS, header};

/// Words that are said in the calls here and must be in no file without consent.
const WORDS: [&str; 5] = ["zanzibar", "quixotic", "Petrichor", "4711", "flummox"];

/// A model that must not be asked.
#[derive(Debug)]
struct Deaf;

impl VoiceModel for Deaf {
    fn step(&mut self, _window: &[f32; WINDOW_SAMPLES]) -> f32 {
        0.0
    }

    fn reset(&mut self) {}
}

fn engine(header: &Header, settings: AgentSettings) -> Engine<PcmCodec, Deaf> {
    match header.kind {
        Kind::Full => Engine::agent(settings, PcmCodec, Deaf, false, Observe::Decisions),
        Kind::Features => Engine::conversation(&settings),
    }
}

/// Replays to the end, and returns the lines of what was replayed.
fn replay(mut replay: Replay<'_, PcmCodec, Deaf>) -> (Vec<String>, usize) {
    let mut lines = Vec::new();
    while replay.advance().expect("a whole file") {
        while let Some(seen) = replay.poll_seen() {
            lines.extend(seen.line);
        }
    }
    assert_eq!(replay.difference(), None);
    assert_eq!(replay.over(), Some("client"));
    assert_eq!(replay.note(), Some(""));
    (lines, replay.lines())
}

fn replayed(bytes: &[u8]) -> Vec<String> {
    let reader = Reader::open(bytes).expect("a whole file");
    let engine = engine(reader.header(), reader.header().settings.clone());
    let (lines, compared) = replay(Replay::new(reader, engine));
    assert_eq!(lines.len(), compared);
    lines
}

/// Settings with all that can happen by itself.
fn everything(strategy: EndpointStrategy) -> AgentSettings {
    let mut settings = AgentSettings::default();
    let clip = |samples: i16| {
        let pcm: Vec<i16> = (0..samples).map(|n| n % 50 * 90).collect();
        ClipAudio::new(16_000, &pcm).ok()
    };
    settings.clips = Clips { filler: clip(4_000), apology: clip(9_000) };
    let call = &mut settings.call;
    call.endpoint = EndpointSettings { strategy, speculate: true, ..EndpointSettings::default() };
    call.wait.filler = Some(Duration::from_millis(400));
    call.idle.after = Some(Duration::from_secs(2));
    call.idle.prompts = vec!["Petrichor, are you there?".to_owned()];
    call.interruption.first_words = 1;
    call.interruption.protected = vec!["quixotic zanzibar".to_owned()];
    settings
}

/// A reply that is contested twice: by a backchannel, and by an interruption. Then silence.
fn contested() -> Vec<Step> {
    let quiet = |count| Step::Packets { count, amplitude: 0, lost: 0 };
    let talk = |count| Step::Packets { count, amplitude: 12_000, lost: 0 };
    let audio = Step::Audio { back: 0, samples: 3_200, rate_hz: 16_000 };
    let text = "It is the quixotic zanzibar. It really is not so bad at all. ";
    let says = BackendEvent::ReplyText { generation: Generation(0), text: text.into() };
    let started = Step::Backend(BackendEvent::ReplyStarted { generation: Generation(0) });
    let done = Step::Backend(BackendEvent::ReplyFinished { generation: Generation(0) });
    let mut steps = vec![quiet(1), done, quiet(10), talk(40), quiet(70), talk(20), quiet(150)];
    steps.extend([started, Step::Backend(says)]);
    steps.extend(std::iter::repeat_n(audio, 40));
    // The first sentence is protected.
    steps.extend([quiet(200), talk(8), quiet(60), talk(60), quiet(200)]);
    let failed = BackendEvent::ReplyFailed { generation: Generation(0), message: "no".into() };
    steps.extend([Step::Backend(failed), quiet(250), quiet(250)]);
    steps
}

/// A call with everything in it.
fn rich() -> Vec<Step> {
    let says =
        |text: &str| BackendEvent::ReplyText { generation: Generation(0), text: text.into() };
    let hears = |text: &str| BackendEvent::UserTranscript {
        turn: TurnId(0),
        text: text.into(),
        is_final: true,
    };
    let audio = Step::Audio { back: 0, samples: 3_200, rate_hz: 16_000 };
    let quiet = |count| Step::Packets { count, amplitude: 0, lost: 0 };
    let talk = |count| Step::Packets { count, amplitude: 12_000, lost: 10 };
    let mut steps = vec![
        Step::RoundTrip(80),
        Step::SentLoss(0.05),
        Step::Backend(says("Welcome to zanzibar, friend. ")),
        audio.clone(),
        audio.clone(),
        Step::Backend(BackendEvent::ReplyFinished { generation: Generation(0) }),
        quiet(30),
        talk(40),
        quiet(50),
        Step::Backend(hears("a quixotic Petrichor, mhm")),
        Step::Backend(BackendEvent::ReplyStarted { generation: Generation(0) }),
        Step::Backend(says("Your flummox is 4711 by the quixotic zanzibar.")),
        Step::Backend(BackendEvent::ReplyWords {
            generation: Generation(0),
            words: vec![WordTime {
                text: "flummox".into(),
                start: Duration::ZERO,
                end: Duration::from_millis(300),
            }],
        }),
    ];
    steps.extend(std::iter::repeat_n(audio, 20));
    steps.extend([
        Step::Backend(BackendEvent::ToolCall {
            generation: Generation(0),
            call_id: "flummox".into(),
            name: "quixotic".into(),
            arguments: "{\"zanzibar\":4711}".into(),
        }),
        quiet(20),
        talk(90),
        quiet(50),
        Step::Backend(BackendEvent::ReplyFailed {
            generation: Generation(0),
            message: "no quixotic model".into(),
        }),
        Step::Client(ClientCommand::Text { text: "zanzibar 4711".into(), interrupt: true }),
        Step::Client(ClientCommand::ToolResult {
            call_id: "flummox".into(),
            result: "\"Petrichor\"".into(),
        }),
        Step::Audio { back: 0, samples: 100, rate_hz: 11_025 },
        Step::Audio { back: 1, samples: 100, rate_hz: 16_000 },
        Step::Key(4),
        Step::Key(11),
        quiet(20),
        Step::Client(ClientCommand::Mute { muted: true }),
        talk(10),
        Step::Backend(BackendEvent::HangUp { reason: "flummox".into() }),
        quiet(10),
    ]);
    steps
}

/// Settings under which turns end at times that can be told.
fn plain() -> AgentSettings {
    let mut settings = AgentSettings::default();
    settings.call.endpoint = EndpointSettings::silence(Duration::from_millis(600));
    settings
}

#[test]
fn a_full_recording_replays_to_the_same_decisions() {
    let settings = plain();
    let lines = replayed(&Scene::play(Kind::Full, &settings, &rich()));
    assert!(lines.iter().any(|line| line.contains("cancel gen=")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("user turn=1 gen=1 echo=")), "{lines:#?}");
}

#[test]
fn a_recording_of_features_replays_the_same_floor() {
    let settings = plain();
    let full = replayed(&Scene::play(Kind::Full, &settings, &rich()));
    let features = replayed(&Scene::play(Kind::Features, &settings, &rich()));
    // Messages are gone from it, everything else is there.
    let without_words = |lines: Vec<String>| -> Vec<String> {
        let worded = |line: &String| line.contains("error") || line.contains("tool-call");
        lines.into_iter().filter(|line| !worded(line)).collect()
    };
    assert_eq!(without_words(full), without_words(features));
}

#[test]
fn stages_answers_made_ahead_prompts_and_clips_replay_too() {
    let seen = |strategy, expected: &[&str]| {
        let settings = everything(strategy);
        let full = replayed(&Scene::play(Kind::Full, &settings, &contested()));
        for part in expected {
            assert!(full.iter().any(|line| line.contains(part)), "no `{part}` in {full:#?}");
        }
        let features = replayed(&Scene::play(Kind::Features, &settings, &contested()));
        let without_messages = |lines: Vec<String>| -> Vec<String> {
            lines.into_iter().filter(|line| !line.contains("error")).collect()
        };
        assert_eq!(without_messages(full), without_messages(features));
    };
    let stages = ["suspected gen=", "dismissed gen=", "committed gen=", "clip filler"];
    seen(EndpointStrategy::Adaptive, &stages);
    seen(EndpointStrategy::Adaptive, &["speculate turn=", "withdraw turn=", "say gen="]);
    seen(EndpointStrategy::Semantic { threshold: 0.5 }, &["judge turn=", "clip apology"]);
}

#[test]
fn clips_are_kept_with_a_full_recording_and_no_others() {
    let settings = everything(EndpointStrategy::Adaptive);
    let clips = |kind| {
        let bytes = file::begin(&header(kind, &settings));
        Reader::open(&bytes).expect("a good beginning").header().settings.clips.clone()
    };
    assert_eq!(clips(Kind::Full), settings.clips);
    assert_eq!(clips(Kind::Features), Clips::default());
}

#[test]
fn a_recording_of_features_holds_no_word() {
    let mut settings = AgentSettings::default();
    settings.call.interruption.protected = vec!["quixotic zanzibar".to_owned()];
    settings.call.idle.prompts = vec!["Petrichor?".to_owned()];
    let bytes = Scene::play(Kind::Features, &settings, &rich());
    let shown = contents(&bytes);
    for word in WORDS {
        assert!(!shown.to_lowercase().contains(&word.to_lowercase()), "{word} in {shown}");
    }
    let full = contents(&Scene::play(Kind::Full, &settings, &rich()));
    assert!(WORDS.iter().all(|word| full.contains(word)), "the check can fail");
    assert!(bytes.len() < 40_000, "{} bytes are too many to hold no audio", bytes.len());
}

/// Everything in a file as text: its header and what each record holds.
fn contents(bytes: &[u8]) -> String {
    let mut reader = Reader::open(bytes).expect("a whole file");
    let mut shown = format!("{:?}", reader.header());
    while let Some(block) = reader.next_block().expect("a whole file") {
        shown.push_str(&block.as_text());
        reader.read(&block, |_, record| shown.push_str(&format!("{record:?}"))).expect("records");
    }
    shown
}

#[test]
fn other_settings_decide_otherwise_and_the_same_settings_do_not() {
    let settings = plain();
    for kind in [Kind::Full, Kind::Features] {
        let bytes = Scene::play(kind, &settings, &rich());
        let recorded = replayed(&bytes);
        let other = |change: &dyn Fn(&mut AgentSettings)| {
            let reader = Reader::open(&bytes).expect("a whole file");
            let header = reader.header().clone();
            let mut settings = header.settings.clone();
            change(&mut settings);
            let same = engine(&header, header.settings.clone());
            replay(Replay::new(reader, same).what_if(engine(&header, settings))).0
        };
        assert_eq!(other(&|_| {}), recorded);
        let sooner = other(&|settings| {
            settings.call.endpoint = EndpointSettings::silence(Duration::from_millis(300));
        });
        let ended = |lines: &[String]| {
            let line =
                lines.iter().find(|line| line.contains("turn-ended turn=1")).expect("a turn");
            line.trim_start_matches('@').split("ms").next().map(|ms| ms.parse::<u64>().ok())
        };
        let later = other(&|settings| {
            settings.call.endpoint = EndpointSettings::silence(Duration::from_millis(900));
        });
        let texts = |lines: &[String]| {
            lines.iter().filter(|line| line.contains("reply-text gen=2")).count()
        };
        assert!(texts(&recorded) > 0, "there is an answer");
        assert_eq!(
            texts(&later),
            texts(&recorded),
            "answers wait for the replies they were made for"
        );
        let (sooner, recorded) = (ended(&sooner).flatten(), ended(&recorded).flatten());
        let gained_ms = recorded.expect("a time") - sooner.expect("a time");
        assert!((290..=310).contains(&gained_ms), "{kind:?}: {gained_ms}");
    }
}

#[test]
fn a_recording_that_was_cut_is_good_up_to_the_cut() {
    let bytes = Scene::play(Kind::Features, &AgentSettings::default(), &rich()[..9]);
    let whole = replayed(&bytes);
    let mut longest = 0;
    for length in 0..bytes.len() {
        let error = match Reader::open(&bytes[..length]) {
            Err(error) => error,
            Ok(reader) => {
                let engine = engine(reader.header(), reader.header().settings.clone());
                let mut replay = Replay::new(reader, engine);
                let mut lines = Vec::new();
                let error = loop {
                    match replay.advance() {
                        Ok(true) => {}
                        Ok(false) => panic!("{length} of {} bytes seem whole", bytes.len()),
                        Err(error) => break error,
                    }
                    while let Some(seen) = replay.poll_seen() {
                        lines.extend(seen.line);
                    }
                };
                assert_eq!(lines, whole[..lines.len()]);
                longest = longest.max(lines.len());
                error
            }
        };
        let shown = error.to_string();
        let is_told = match error {
            FileError::Cut { byte, .. } => byte <= length,
            FileError::NotARecording => length == 0,
            _ => false,
        };
        assert!(is_told, "{length}: {shown}");
    }
    assert_eq!(longest, whole.len(), "all but the end is there before the last byte");
}

#[test]
fn every_altered_bit_is_noticed() {
    let bytes = Scene::play(Kind::Features, &AgentSettings::default(), &rich()[..4]);
    for bit in 0..bytes.len() * 8 {
        let mut altered = bytes.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let read = || -> Result<(), FileError> {
            let mut reader = Reader::open(&altered)?;
            while let Some(block) = reader.next_block()? {
                reader.read(&block, |_, _| {})?;
            }
            Ok(())
        };
        assert!(read().is_err(), "bit {bit} of {}", bytes.len() * 8);
    }
}

#[test]
fn errors_say_what_and_where() {
    let settings = AgentSettings::default();
    let bytes = Scene::play(Kind::Full, &settings, &rich()[..9]);
    let shown = |bytes: &[u8]| match Reader::open(bytes) {
        Err(error) => error.to_string(),
        Ok(mut reader) => loop {
            match reader.next_block() {
                Ok(Some(block)) => reader.read(&block, |_, _| {}).expect("good records"),
                Ok(None) => break "fine".to_owned(),
                Err(error) => break error.to_string(),
            }
        },
    };
    assert_eq!(shown(&bytes), "fine");
    assert!(shown(b"RIFF....WAVE").starts_with("byte 0: this is not a flight recording"));
    let mut newer = bytes.clone();
    newer[8] = 2;
    let expected = "byte 8: the recording is of version 2; this program reads version 1";
    assert_eq!(shown(&newer), expected);
    let cut = shown(&bytes[..bytes.len() - 3]);
    assert!(cut.contains("@2") && cut.contains("cut short: a block of"), "{cut}");
    let mut altered = bytes.clone();
    let last = altered.len() - 40;
    altered[last] ^= 4;
    let altered = shown(&altered);
    assert!(altered.contains("the checksum of a block does not fit"), "{altered}");
}

#[test]
fn a_header_with_missing_or_unknown_settings_is_refused_by_name() {
    let header = header(Kind::Full, &AgentSettings::default());
    let json = header.to_json();
    assert_eq!(Header::from_json(&json), Ok(header));
    let without = json.replace("\"turn_max_ns\"", "\"turn_may_ns\"");
    let expected = "settings.call.turn_max_ns: missing; settings.call.turn_may_ns: unknown";
    assert_eq!(Header::from_json(&without), Err(expected.to_owned()));
    let wrong = json.replace("\"policy\":\"staged\"", "\"policy\":true");
    let error = Header::from_json(&wrong).expect_err("a wrong type");
    assert!(error.starts_with("settings.call.interruption.policy: expected staged,"), "{error}");
}

#[test]
fn a_recorder_stops_at_its_limits_and_the_call_goes_on() {
    let settings = AgentSettings::default();
    let agent = Agent::new(settings.clone(), PcmCodec, LevelVoice::new(VOICE_DBFS));
    let mut agent = Recorded::new(agent, Some(Recorder::new(Kind::Full, &settings)));
    agent.handle_connected(SessionTime::ZERO);
    let text = "word ".repeat(crate::limits::FLIGHT_RECORD_BYTES_MAX / 5 + 1);
    agent.handle_backend(
        SessionTime::ZERO,
        BackendEvent::ReplyText { generation: Generation(1), text },
    );
    let recorder = agent.recorder().expect("it was given one");
    assert_eq!(recorder.stopped(), Some("a record was too long"));
    assert!(recorder.poll_block().is_some(), "what came before is handed out");
    agent.handle_timeout(SessionTime::from_millis(20));
    assert!(agent.recorder().expect("it is kept").poll_block().is_none());
    assert!(agent.poll_output().is_some());
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let text = || prop::sample::select(vec!["", "mhm", "one two", "Yes, we do. 你好", "a\nb"]);
    let reply = Generation(0);
    let event = prop_oneof![
        Just(BackendEvent::WantsToSpeak),
        Just(BackendEvent::TurnsAreYours),
        text().prop_map(move |text| BackendEvent::Prompted {
            generation: reply,
            prompt: text.into()
        }),
        (any::<u32>(), any::<u64>()).prop_map(|(turn, count)| {
            let usage = Usage {
                speech_in: count,
                cost: Cost { tts_nanos: count / 2, ..Cost::default() },
                ..Usage::default()
            };
            BackendEvent::Used { turn: TurnId(turn), usage }
        }),
        text().prop_map(|text| BackendEvent::UserTranscript {
            turn: TurnId(0),
            text: text.into(),
            is_final: true
        }),
        (0.0_f32..1.0).prop_map(|probability| BackendEvent::TurnLooksComplete {
            turn: TurnId(0),
            probability
        }),
        Just(BackendEvent::ReplyStarted { generation: reply }),
        text()
            .prop_map(move |text| BackendEvent::ReplyText { generation: reply, text: text.into() }),
        Just(BackendEvent::ReplyFinished { generation: reply }),
        text().prop_map(move |text| BackendEvent::ReplyFailed {
            generation: reply,
            message: text.into()
        }),
    ];
    let command = prop_oneof![
        Just(ClientCommand::Ready),
        (text(), any::<bool>())
            .prop_map(|(text, interrupt)| ClientCommand::Text { text: text.into(), interrupt }),
        any::<bool>().prop_map(|muted| ClientCommand::Mute { muted }),
        prop::sample::select(vec!['1', '#', 'A', '?']).prop_map(|key| ClientCommand::Dtmf { key }),
    ];
    let rate = prop::sample::select(vec![8_000_u32, 16_000, 24_000, 11_025]);
    let amplitude = prop::sample::select(vec![0_i16, 300, 12_000]);
    let step = prop_oneof![
        4 => (1_u8..60, amplitude, 0_u8..40)
            .prop_map(|(count, amplitude, lost)| Step::Packets { count, amplitude, lost }),
        4 => event.prop_map(Step::Backend),
        4 => (0_u32..2, 1_u16..4_800, rate)
            .prop_map(|(back, samples, rate_hz)| Step::Audio { back, samples, rate_hz }),
        2 => command.prop_map(Step::Client),
        1 => (0_u16..900).prop_map(Step::RoundTrip),
        1 => (0.0_f32..1.0).prop_map(Step::SentLoss),
        1 => any::<u8>().prop_map(Step::Key),
        1 => Just(Step::Client(ClientCommand::Disconnect)),
        1 => Just(Step::Stuck),
    ];
    prop::collection::vec(step, 0..40)
}

fn settings() -> impl Strategy<Value = AgentSettings> {
    prop_oneof![
        Just(AgentSettings::default()),
        Just(everything(EndpointStrategy::Adaptive)),
        Just(everything(EndpointStrategy::Semantic { threshold: 0.5 })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_call_replays_to_the_same_decisions(steps in steps(), settings in settings()) {
        for kind in [Kind::Full, Kind::Features] {
            replayed(&Scene::play(kind, &settings, &steps));
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_a_recording(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Reader::open(&bytes);
        let mut framed = file::begin(&header(Kind::Full, &AgentSettings::default()));
        framed.extend(file::block(&bytes));
        let mut reader = Reader::open(&framed).expect("the header is good");
        let block = reader.next_block().expect("a block").expect("there is one");
        let _ = reader.read(&block, |_, _| {});
    }
}
