use super::*;
use crate::backend::cascade::TtsSettings;
use crate::backend::cascade::stage::Stage;
use crate::backend::cascade::tests::voices::{audio, voice};
use crate::backend::cascade::tts::TtsStage;
use crate::backend::tests::within;

fn todo(sentences: &[&str]) -> Todo {
    Todo::new(sentences.iter().map(|sentence| (*sentence).to_owned()))
}

#[test]
fn the_pauses_grow_while_the_voice_fails_and_come_to_an_end() {
    let mut todo = todo(&["One.", "Two."]);
    let fail = |todo: &mut Todo| {
        let sentence = todo.pop().expect("it is tried again");
        todo.handle_failed(sentence, FailureKind::Unreachable)
    };
    let mut expected = PREPARE_PAUSE_MIN;
    for _ in 1..PREPARE_FAILURES_MAX {
        assert_eq!(fail(&mut todo), Some(expected));
        expected = (expected * 2).min(PREPARE_PAUSE_MAX);
    }
    assert_eq!(expected, PREPARE_PAUSE_MAX);
    assert_eq!(fail(&mut todo), None);
}

#[test]
fn a_sentence_that_fails_lets_the_others_pass_and_one_that_is_refused_does_not_return() {
    let mut todo = todo(&["One.", "Two.", "Three."]);
    let one = todo.pop().expect("there are three");
    assert_eq!(todo.handle_failed(one, FailureKind::Malformed), Some(PREPARE_PAUSE_MIN));
    let two = todo.pop().expect("there are two more");
    assert_eq!(todo.handle_failed(two, FailureKind::Refused), Some(Duration::ZERO));
    assert_eq!(todo.pop().as_deref(), Some("Three."));
    todo.handle_spoken();
    let one = todo.pop().expect("it comes again");
    assert_eq!(one, "One.");
    // The voice has spoken since: it is not the second failure in a row.
    assert_eq!(todo.handle_failed(one, FailureKind::Malformed), Some(PREPARE_PAUSE_MIN));
}

#[tokio::test]
async fn a_voice_that_is_not_there_yet_speaks_all_of_it_once_it_is() {
    // It hangs up on the first request, as a server does that is starting.
    let answer = |count| if count == 0 { Vec::new() } else { audio(1_000, 4_800, true) };
    let (first, _requests) = voice(answer).await;
    let (second, mut others) = voice(|_| audio(2_000, 4_800, true)).await;
    let ranked = [first, second].map(|it| TtsSettings::Speech(Box::new(it)).into()).to_vec();
    let stage = Stage::new("tts", ranked, TtsStage::load).expect("the settings are right");
    let texts = ["Good morning. How are you?".to_owned(), "One moment.".to_owned()];
    let larder = Arc::new(Larder::new(Arc::new(stage), &texts));
    let mut preparing = larder.prepare(1.0);
    within(&mut preparing.0).await.expect("it ends");
    for sentence in ["Good morning.", "How are you?", "One moment."] {
        let pcm = larder.get(0, sentence, 1.0).expect(sentence);
        assert!(pcm.iter().all(|sample| *sample == 1_000), "another voice said {sentence}");
    }
    let whole = larder.spoken("Good morning. How are you?", 1.0).expect("all of it is there");
    let halves = ["Good morning.", "How are you?"].map(|it| larder.spoken(it, 1.0).expect(it).pcm);
    assert_eq!((whole.sample_rate_hz, whole.pcm), (24_000, halves.concat()));
    assert_eq!(larder.spoken("Good morning. Who are you?", 1.0), None, "half of it is not enough");
    assert!(others.try_recv().is_err(), "nobody else was asked");
}
