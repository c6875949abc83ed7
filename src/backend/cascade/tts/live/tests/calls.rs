//! A whole call with such a voice.

use serde_json::json;

use super::*;
use crate::agent::BackendInput;
use crate::backend::cascade::{
    AsrSettings, BrainSettings, Cascade, CascadeSettings, PocketSphinxSettings, TtsSettings,
};
use crate::backend::tests::{cancel, context, finished, read_until};
use crate::backend::{Backend, BackendOutput, BackendSession};
use crate::call::event::{BackendCommand, BackendEvent, TurnId};

async fn type_in(session: &BackendSession, n: u32) {
    let (turn, generation) = (TurnId(n), Generation(n));
    let text = "repeat after me good morning".to_owned();
    let typed = BackendCommand::UserText { turn, generation, text };
    within(session.input.send(BackendInput::Command(typed))).await.expect("the session lives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_spoken_to_with_word_times_and_stops_the_voice_when_it_is_interrupted() {
    let whose = Whose::Cartesia;
    let timestamps = json!({
        "type": "timestamps", "context_id": "CONTEXT",
        "word_timestamps": {"words": ["good", "morning"], "start": [0.0, 0.05], "end": [0.05, 0.1]},
    });
    let script = [
        whose.reads(),
        whose.sends(&ramp(2_400)),
        vec![Act::Text(timestamps.to_string())],
        whose.ends(),
        whose.reads(),
        whose.sends(&ramp(2_400)),
        vec![Act::Read, Act::Stay],
    ];
    let mut server = Server::start(vec![script.concat()]).await;
    let mut tts = CartesiaSettings::new("v1".to_owned(), None);
    server.url.clone_into(&mut tts.url);
    let asr = AsrSettings::PocketSphinx(PocketSphinxSettings::default());
    let brain = BrainSettings::Dialogue { time_zone: Some("UTC".to_owned()) };
    let settings = CascadeSettings::new(asr, brain, TtsSettings::Cartesia(Box::new(tts)));
    let backend = Cascade::new("cascade", settings, Arc::default()).expect("all is installed");
    let mut session = backend.open(context()).expect("there is room");
    type_in(&session, 1).await;
    let is_words = |event: &BackendEvent| matches!(event, BackendEvent::ReplyWords { .. });
    let (before, event) = read_until(&mut session, is_words).await;
    let (after, _) = read_until(&mut session, finished(1)).await;
    let pcm: Vec<i16> = [before, after].concat().into_iter().flat_map(|block| block.pcm).collect();
    assert_eq!(pcm, ramp(2_400));
    let BackendEvent::ReplyWords { words, .. } = event else { unreachable!("it was looked for") };
    let times: Vec<_> = words.iter().map(|it| (it.text.as_str(), it.end.as_millis())).collect();
    assert_eq!(times, [("good", 50), ("morning", 100)]);

    type_in(&session, 2).await;
    while !matches!(within(session.output.recv()).await, Some(BackendOutput::Audio(_))) {}
    within(session.input.send(cancel(2))).await.expect("the session lives");
    server.opened().await;
    for number in 1..=2 {
        assert_eq!(server.sent().await["context_id"], format!("phrase-{number}"));
    }
    assert_eq!(server.sent().await, json!({"context_id": "phrase-2", "cancel": true}));
    drop(session);
    assert_eq!(server.next().await, Seen::Closed);
}
