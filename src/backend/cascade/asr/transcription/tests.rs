//! The endpoint's client against a server that answers, dawdles and lies.

use tokio::task::JoinHandle;

use super::*;
use crate::agent::PcmFrame;
use crate::backend::cascade::llm::model::tests::{Act, answer, serve_all};
use crate::backend::tests::within;
use crate::call::event::{Generation, TurnId};
use crate::limits::WIDEBAND_FRAME;

const LOUD: PcmFrame = PcmFrame([1_000; WIDEBAND_FRAME]);
const TURN: TurnId = TurnId(1);
const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
/// The patience in the tests where it must run out.
const SOON: Duration = Duration::from_millis(300);

/// A listener whose server answers each request in turn, and what that was asked.
async fn listener(
    answers: Vec<Vec<Act>>,
) -> (Listener, mpsc::Receiver<AsrReport>, JoinHandle<Vec<String>>) {
    let (url, server) = serve_all(answers).await;
    let mut settings = TranscriptionSettings::new(url, Some("the-key".to_owned()));
    settings.language = Some("en".to_owned());
    settings.vocabulary = vec!["Antiphon".to_owned(), "CSM".to_owned()];
    settings.answer_timeout = SOON;
    let endpoint = Transcription::new(settings).expect("the settings are right");
    let (listener, mut reports) = open(Arc::new(endpoint), Bill::unseen());
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready));
    (listener, reports, server)
}

fn say(listener: &mut Listener, frames: usize) {
    listener.ask(Ask::Start(TURN)).expect("there is room");
    (0..frames).for_each(|_| listener.hear(LOUD));
}

fn transcript(text: &str) -> Vec<Act> {
    answer("200 OK", "application/json", &serde_json::json!({ "text": text }).to_string())
}

#[tokio::test]
async fn a_turn_goes_up_as_a_wav_file_and_comes_back_as_text() {
    let (mut listener, mut reports, server) = listener(vec![transcript(" Hello there. ")]).await;
    say(&mut listener, 20);
    listener.ask(Ask::End { turn: TURN, generation: Generation(3) }).expect("there is room");
    let text = "Hello there.".to_owned();
    let expected = AsrReport::Final { turn: TURN, generation: Generation(3), text };
    assert_eq!(within(reports.recv()).await, Some(expected));
    drop(listener);
    let request = within(server).await.expect("it was served").remove(0);
    assert!(request.starts_with("POST /v1/audio/transcriptions HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Bearer the-key\r\n"), "{request}");
    for part in ["name=\"model\"\r\n\r\nwhisper-1", "name=\"language\"\r\n\r\nen", "Antiphon, CSM"]
    {
        assert!(request.contains(part), "{part} is missing");
    }
    assert!(
        request.contains("filename=\"turn.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF"),
        "no file"
    );
}

#[tokio::test]
async fn a_turn_that_cannot_be_transcribed_is_missed_and_the_next_is_heard() {
    let rows: Vec<(Vec<Act>, &str)> = vec![
        (
            answer("429 Too Many", "application/json", r#"{"error":{"message":"slow"}}"#),
            "429: slow",
        ),
        (answer("200 OK", "text/html", "<html>"), "no transcript"),
        (answer("200 OK", "application/json", r#"{"words":3}"#), "no transcript"),
        (answer("200 OK", "text/plain", &"x".repeat(TRANSCRIPT_BYTES_MAX + 1)), "more than 65536"),
        (
            vec![
                Act::Raw(CHUNKED.to_owned()),
                Act::Bytes(b"{\"text\": \"\xc3\"}".to_vec()),
                Act::Bytes(Vec::new()),
            ],
            "no UTF-8",
        ),
        (vec![Act::Hang], "within 0.3 s"),
        (vec![Act::Raw("nonsense".to_owned())], "cannot be reached"),
    ];
    for (acts, expected) in rows {
        let (mut listener, mut reports, _server) = listener(vec![acts, transcript("Yes.")]).await;
        say(&mut listener, 20);
        listener.ask(Ask::End { turn: TURN, generation: Generation(1) }).expect("there is room");
        let Some(AsrReport::Missed { error, .. }) = within(reports.recv()).await else {
            panic!("{expected}: it should be missed")
        };
        let problem = error.to_string();
        assert!(problem.contains(expected), "{problem:?} should contain {expected:?}");
        say(&mut listener, 20);
        listener.ask(Ask::End { turn: TURN, generation: Generation(2) }).expect("there is room");
        let text = "Yes.".to_owned();
        let expected = AsrReport::Final { turn: TURN, generation: Generation(2), text };
        assert_eq!(within(reports.recv()).await, Some(expected));
    }
}
