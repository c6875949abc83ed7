//! Several voices in one call, and what is kept of them for the next.

use super::*;
use crate::backend::cascade::stage::Ranked;
use crate::backend::cascade::tts::SpeechSettings;
use crate::cascade::failover::Hedge;

const GREETING: &str = "Welcome to the house of many voices.";
const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: audio/pcm\r\ntransfer-encoding: chunked\r\n\r\n";

/// What a server does that says so many samples, all of them `level`, to the end or not.
pub(in crate::backend::cascade) fn audio(level: i16, samples: usize, is_whole: bool) -> Vec<Act> {
    let bytes = level.to_le_bytes().repeat(samples);
    let end = is_whole.then(|| Act::Raw("0\r\n\r\n".to_owned()));
    [Act::Raw(STREAM.to_owned()), Act::Bytes(bytes)].into_iter().chain(end).collect()
}

/// A server that answers by the number of the request, from 0.
pub(in crate::backend::cascade) async fn voice(
    mut answer: impl FnMut(usize) -> Vec<Act> + Send + 'static,
) -> (SpeechSettings, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}/v1", listener.local_addr().expect("it is bound"));
    let (served, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for count in 0.. {
            let request = serve_by(&listener, |_| answer(count)).await;
            // Not every test looks at them.
            let _ = served.send(request);
        }
    });
    (SpeechSettings::new(url, None), requests)
}

/// The small dialogue with these voices, of which the first is hedged if need be.
fn speaking(voices: Vec<SpeechSettings>, hedge: Hedge) -> Cascade {
    let mut voices: Vec<Ranked<TtsSettings>> =
        voices.into_iter().map(|it| TtsSettings::Speech(Box::new(it)).into()).collect();
    voices[0].usage.hedge = hedge;
    let tts = Stage::new("tts", voices, TtsStage::load).expect("the settings are right");
    let tts = Arc::new(tts);
    Cascade {
        name: "cascade",
        asr: Arc::clone(&local().asr),
        model: None,
        tools: Tools::new(Arc::default()).expect("there are none"),
        larder: Arc::new(Larder::new(Arc::clone(&tts), &[GREETING.to_owned()])),
        tts,
        time_zone: TimeZone::UTC,
        pace: 1.0,
        memory: MemorySettings::default(),
        answers: Arc::default(),
        own_words: Arc::default(),
        prepares: false,
        beside: OnceLock::new(),
    }
}

fn greeted(cascade: &Cascade) -> BackendSession {
    let call = CallContext { greeting: Some(GREETING.to_owned()), ..context() };
    cascade.open(call).expect("there is room")
}

/// How many samples of a greeting have each level.
async fn greeting(session: &mut BackendSession, levels: [i16; 2]) -> [usize; 2] {
    let greet = BackendCommand::Greet { generation: Generation(1) };
    within(session.input.send(BackendInput::Command(greet))).await.expect("the session lives");
    let (audio, _) = read_until(session, finished(1)).await;
    let pcm = samples(&audio);
    levels.map(|level| pcm.iter().filter(|sample| **sample == level).count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_greeting_that_two_voices_shared_is_not_played_to_the_next_call() {
    let (first, _) = voice(|count| audio(1_000, 9_600, count > 0)).await;
    let (second, _) = voice(|_| audio(2_000, 4_800, true)).await;
    let cascade = speaking(vec![first, second], Hedge::Off);
    let both = greeting(&mut greeted(&cascade), [1_000, 2_000]).await;
    assert_eq!(both, [9_600, 4_800], "the second voice says the rest");
    assert_eq!(cascade.larder.stats().entries, 0, "it is of two voices");
    for heard in ["spoken", "kept"] {
        let one = greeting(&mut greeted(&cascade), [1_000, 2_000]).await;
        assert_eq!(one, [9_600, 0], "{heard}");
    }
    assert_eq!(cascade.larder.stats().hits, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_voice_of_a_kept_greeting_says_what_follows_although_it_is_slower() {
    // It is hedged before it answers, but that the call has heard it.
    let slow = || [vec![Act::Wait(Duration::from_millis(500))], audio(1_000, 9_600, true)].concat();
    let (first, _) =
        voice(move |count| if count == 0 { audio(1_000, 4_800, true) } else { slow() }).await;
    let (second, mut asked_second) = voice(|_| audio(2_000, 4_800, true)).await;
    let soon = Duration::from_millis(20);
    let patient = speaking(vec![first.clone(), second.clone()], Hedge::Off);
    let mut cascade =
        speaking(vec![first, second], Hedge::P95 { until_known: soon, at_least: soon });
    cascade.larder = Arc::clone(&patient.larder);
    assert_eq!(greeting(&mut greeted(&patient), [1_000, 2_000]).await, [4_800, 0]);
    let mut session = greeted(&cascade);
    assert_eq!(greeting(&mut session, [1_000, 2_000]).await, [4_800, 0], "it is kept");
    type_in(&session, 2, "what time is it").await;
    let (audio, _) = read_until(&mut session, finished(2)).await;
    let pcm = samples(&audio);
    assert_eq!(pcm.iter().filter(|sample| **sample == 1_000).count(), 9_600);
    assert_eq!(pcm.iter().filter(|sample| **sample == 2_000).count(), 0, "another person speaks");
    asked_second.close();
    assert!(asked_second.recv().await.is_none(), "nobody else was asked");
}

#[tokio::test]
async fn nothing_is_spoken_ahead_before_calls_may_come() {
    let (settings, mut asked) = voice(|_| audio(1_000, 4_800, true)).await;
    let asr = AsrSettings::PocketSphinx(PocketSphinxSettings::default());
    let brain = BrainSettings::Dialogue { time_zone: Some("UTC".to_owned()) };
    let tts = TtsSettings::Speech(Box::new(settings));
    let mut settings = CascadeSettings::new(asr, brain, tts);
    settings.prepared = vec![GREETING.to_owned()];
    let cascade = Cascade::new("cascade", settings, Arc::default()).expect("all is installed");
    // So does one who only checks the configuration.
    cascade.check().await.expect("nothing is wrong");
    assert!(cascade.beside.get().is_none());
    cascade.begin();
    while !within(asked.recv()).await.expect("it is asked").contains(GREETING) {}
}
