//! The voice's client against a server that streams, dawdles, breaks and lies.

use tokio::task::JoinHandle;

use super::*;
use crate::backend::cascade::llm::model::tests::{Act, answer, serve_all};
use crate::backend::tests::within;
use crate::backend::wav;

const WORK: Generation = Generation(7);
const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: audio/wav\r\ntransfer-encoding: chunked\r\n\r\n";
/// The patience in the tests where it must run out.
const SOON: Duration = Duration::from_millis(300);

fn stream(pieces: Vec<Vec<u8>>) -> Vec<Act> {
    let mut acts = vec![Act::Raw(STREAM.to_owned())];
    acts.extend(pieces.into_iter().map(Act::Bytes));
    acts
}

fn end() -> Act {
    Act::Raw("0\r\n\r\n".to_owned())
}

fn bytes(pcm: &[i16]) -> Vec<u8> {
    pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn ramp(count: usize) -> Vec<i16> {
    (0..count).map(|at| (1_000 + at % 20_000) as i16).collect()
}

/// A voice whose server answers each request in turn, and what it was asked.
async fn voice(
    answers: Vec<Vec<Act>>,
    change: fn(&mut SpeechSettings),
) -> (Speaker, mpsc::Receiver<TtsReport>, JoinHandle<Vec<String>>) {
    let (url, server) = serve_all(answers).await;
    let key = Some("the-key".to_owned());
    let mut settings = SpeechSettings::new(format!("{url}/"), key);
    change(&mut settings);
    let speech = Speech::new(settings).expect("the settings are right");
    let (speaker, reports) = Speaker::open(Arc::new(speech), Bill::unseen());
    (speaker, reports, server)
}

/// The audio of a phrase and how it ended.
async fn spoken(reports: &mut mpsc::Receiver<TtsReport>) -> (Vec<i16>, Result<(), StageError>) {
    let mut pcm = Vec::new();
    loop {
        match within(reports.recv()).await.expect("the phrase ends") {
            TtsReport::Block { work, pcm: block } => {
                assert_eq!(work, WORK);
                assert!(block.len() <= 480, "{} samples are more than 20 ms", block.len());
                pcm.extend(block);
            }
            TtsReport::Done { work, result } => {
                assert_eq!(work, WORK);
                return (pcm, result);
            }
            other => panic!("these voices do not wait and know no word times: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_phrase_is_asked_for_and_played_as_it_comes() {
    let pcm = ramp(2_000);
    // The silence before the first sound is left out.
    let file = wav::write(&[vec![0; 700], pcm.clone()].concat(), 24_000);
    let pieces = file.chunks(333).map(<[u8]>::to_vec).collect();
    let acts = [stream(pieces), vec![end()]].concat();
    let (speaker, mut reports, server) = voice(vec![acts], |settings| {
        settings.extra.insert("temperature".to_owned(), json!(0.7));
    })
    .await;
    let _speaking = speaker.speak(WORK, "Hello there.".to_owned(), 1.25);
    let (played, result) = spoken(&mut reports).await;
    assert_eq!(result, Ok(()));
    assert!(played.ends_with(&pcm), "{} of {} samples, or others", played.len(), pcm.len());
    assert!(played.len() < pcm.len() + 200, "{} samples of silence", played.len() - pcm.len());
    drop(speaker);
    let request = within(server).await.expect("it was served").remove(0);
    assert!(request.starts_with("POST /v1/audio/speech HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Bearer the-key\r\n"), "{request}");
    let body = request.split_once("\r\n\r\n").expect("there is a body").1;
    let body: Value = serde_json::from_str(body).expect("it is JSON");
    let expected = json!({
        "model": "csm-1b", "input": "Hello there.", "voice": "alloy", "response_format": "pcm",
        "speed": 1.25, "temperature": 0.7,
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn what_goes_wrong_is_said_without_a_word_of_the_phrase() {
    let busy = r#"{"error":{"message":"one at a time"}}"#;
    let rows: Vec<(Vec<Act>, &str)> = vec![
        (answer("503 Service Unavailable", "application/json", busy), "503: one at a time"),
        (answer("200 OK", "audio/mpeg", "ID3 and so on, and on, and on"), "cannot be played"),
        (answer("200 OK", "application/json", "{\"error\": \"none\"}"), "cannot be played"),
        (answer("200 OK", "audio/wav", ""), "cannot be played"),
        (vec![Act::Hang], "sent no audio within 0.3 s"),
        ([stream(vec![bytes(&ramp(960))]), vec![Act::Hang]].concat(), "sent no audio within 0.3 s"),
        (stream(vec![bytes(&ramp(960))]), "stopped in the middle"),
        ([stream(vec![wav::write(&ramp(960), 16_000)]), vec![end()]].concat(), "received 16000"),
    ];
    for (acts, expected) in rows {
        let (speaker, mut reports, _server) = voice(vec![acts], |settings| {
            (settings.first_audio_timeout, settings.stall_timeout) = (SOON, SOON);
        })
        .await;
        let _speaking = speaker.speak(WORK, "A secret.".to_owned(), 1.0);
        let (_, result) = spoken(&mut reports).await;
        let problem = result.expect_err(expected).to_string();
        assert!(problem.contains(expected), "{problem:?} should contain {expected:?}");
        assert!(!problem.contains("secret"), "{problem}");
    }
}

#[tokio::test]
async fn a_voice_that_is_not_there_is_said_to_be_unreachable() {
    let speech = Speech::new(SpeechSettings::new("http://127.0.0.1:1/v1".to_owned(), None));
    let (speaker, mut reports) =
        Speaker::open(Arc::new(speech.expect("the address is right")), Bill::unseen());
    let _speaking = speaker.speak(WORK, "Hello.".to_owned(), 1.0);
    let problem =
        StageError::new(FailureKind::Unreachable, "the speech synthesiser cannot be reached");
    assert_eq!(spoken(&mut reports).await, (Vec::new(), Err(problem)));
}

#[tokio::test]
async fn a_phrase_that_is_dropped_hangs_up_and_gives_its_place_to_the_next() {
    let endless = [stream(vec![bytes(&ramp(960))]), vec![Act::Hang]].concat();
    let next = [stream(vec![bytes(&ramp(480))]), vec![end()]].concat();
    let (speaker, mut reports, server) =
        voice(vec![endless, next], |settings| settings.requests_max = 1).await;
    let first = speaker.speak(WORK, "One.".to_owned(), 1.0);
    let block = within(reports.recv()).await;
    assert!(matches!(block, Some(TtsReport::Block { .. })), "{block:?}");
    drop(first);
    let _second = speaker.speak(WORK, "Two.".to_owned(), 1.0);
    let (pcm, result) = spoken(&mut reports).await;
    assert_eq!(result, Ok(()));
    // What was made of the first was on its way.
    assert!(pcm.len() >= 480 && pcm.len() <= 960, "{} samples", pcm.len());
    drop(speaker);
    let requests = within(server).await.expect("both were served");
    assert!(requests[1].contains("Two."), "{}", requests[1]);
}

#[test]
fn an_address_that_is_none_is_named() {
    let refused =
        Speech::new(SpeechSettings::new("ftp://x".to_owned(), None)).expect_err("no http");
    assert!(refused.to_string().contains("tts.url: expected http(s)://"), "{refused}");
}
