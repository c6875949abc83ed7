//! Nova and Flux.

use tokio::sync::oneshot;

use super::*;

#[tokio::test]
async fn nova_is_asked_as_its_documents_say_and_a_turn_is_heard() {
    let (socket, url) = socket().await;
    let mut settings = deepgram_at(url);
    settings.language = Some("en-GB".to_owned());
    settings.vocabulary = vec!["Antiphon".to_owned(), "Sesame CSM".to_owned()];
    let (mut listener, mut reports) = open(Streaming::deepgram(settings));
    let server: JoinHandle<Option<Message>> = tokio::spawn(async move {
        let (mut peer, uri, authorization) = accept(&socket, "authorization").await;
        assert_eq!(authorization, "Token the-key");
        let (path, query) = uri.split_once('?').expect("it asks for something");
        assert_eq!(path, "/base/listen");
        let asked: Vec<&str> = query.split('&').collect();
        for expected in [
            "model=nova-3",
            "language=en-GB",
            "keyterm=Antiphon",
            "keyterm=Sesame+CSM",
            "encoding=linear16",
            "sample_rate=16000",
            "channels=1",
            "interim_results=true",
        ] {
            assert!(asked.contains(&expected), "{expected} is missing in {query}");
        }
        tell(&mut peer, &json!({ "type": "Metadata" })).await;
        tell(&mut peer, &results("hello", 0.0, 0.2, &[])).await;
        assert_eq!(until(&mut peer, "Finalize").await, 20 * 2 * WIDEBAND_FRAME);
        tell(&mut peer, &results("Hello", 0.0, 0.3, &["is_final"])).await;
        tell(&mut peer, &results("there.", 0.3, 0.1, &["is_final", "from_finalize"])).await;
        let goodbye = next(&mut peer).await;
        assert!(next(&mut peer).await.is_none(), "it hangs up");
        goodbye
    });
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready));
    say(&mut listener, 20);
    end(&mut listener, 3);
    assert_eq!(answer(&mut reports).await, finally(3, "Hello there."));
    drop(listener);
    let goodbye = within(server).await.expect("the server is content");
    assert_eq!(goodbye, Some(Message::text(r#"{"type":"CloseStream"}"#)));
}

#[tokio::test]
async fn partial_texts_and_likely_ends_are_told_while_a_turn_goes_on() {
    let (socket, url) = socket().await;
    let (mut listener, mut reports) = open(Streaming::deepgram(deepgram_at(url)));
    let server = tokio::spawn(async move {
        let (mut peer, ..) = accept(&socket, "authorization").await;
        let first = next(&mut peer).await.expect("audio comes");
        assert_eq!(first.into_data(), [0xe8, 0x03].repeat(WIDEBAND_FRAME), "16 bit, low first");
        tell(&mut peer, &results("hel", 0.0, 0.1, &[])).await;
        until(&mut peer, "Finalize").await;
        tell(&mut peer, &results("Hello.", 0.0, 0.4, &["is_final", "from_finalize"])).await;
        next(&mut peer).await
    });
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready));
    say(&mut listener, 20);
    let partial = |text: &str| Some(AsrReport::Partial { turn: TURN, text: text.to_owned() });
    assert_eq!(within(reports.recv()).await, partial("hel"));
    let generation = Generation(5);
    listener.ask(Ask::Peek { turn: TURN, generation }).expect("there is room");
    assert_eq!(within(reports.recv()).await, partial("Hello."));
    let text = "Hello.".to_owned();
    let likely = AsrReport::Likely { turn: TURN, generation, text };
    assert_eq!(within(reports.recv()).await, Some(likely));
    end(&mut listener, 5);
    assert_eq!(within(reports.recv()).await, Some(finally(5, "Hello.")));
    drop(listener);
    within(server).await.expect("the server is content");
}

fn turn_info(event: &str, text: &str, until: f64, confidence: f64) -> Value {
    json!({
        "type": "TurnInfo", "event": event, "turn_index": 0, "audio_window_start": 0.0,
        "audio_window_end": until, "transcript": text, "words": [],
        "end_of_turn_confidence": confidence,
    })
}

fn flux_at(url: String) -> FluxSettings {
    let mut settings = FluxSettings::new(Some("the-key".to_owned()));
    (settings.url, settings.connect_timeout) = (url, SOON * 10);
    settings
}

/// The seconds of the connection's audio so far, once audio that is not silent has come.
async fn voice(peer: &mut Peer) -> f64 {
    let mut samples = 0;
    loop {
        let piece = next(peer).await.expect("audio comes").into_data();
        samples += piece.len() / 2;
        if piece.iter().any(|byte| *byte != 0) {
            return samples as f64 / 16_000.0;
        }
    }
}

#[tokio::test]
async fn flux_tells_its_turns_and_gets_silence_between_ours() {
    let (socket, url) = socket().await;
    let mut settings = flux_at(url);
    settings.vocabulary = vec!["Antiphon".to_owned()];
    let (mut listener, mut reports) = open(Streaming::flux(settings));
    let (is_idle, idle) = oneshot::channel();
    let server = tokio::spawn(async move {
        let (mut peer, uri, authorization) = accept(&socket, "authorization").await;
        assert_eq!(authorization, "Token the-key");
        assert!(uri.starts_with("/base/listen?"), "{uri}");
        for expected in [
            "model=flux-general-en",
            "eot_threshold=0.7",
            "eager_eot_threshold=0.4",
            "eot_timeout_ms=5000",
            "keyterm=Antiphon",
            "encoding=linear16",
            "sample_rate=16000",
        ] {
            assert!(uri.contains(expected), "{expected} is missing in {uri}");
        }
        tell(&mut peer, &json!({ "type": "Connected", "request_id": "r", "sequence_id": 0 })).await;
        let silence = next(&mut peer).await.expect("silence comes by itself").into_data();
        assert_eq!(silence, vec![0; 2 * 1_280], "80 ms");
        is_idle.send(()).expect("the test goes on");
        let at = 0.08 + voice(&mut peer).await;
        tell(&mut peer, &turn_info("StartOfTurn", "it is", at, 0.1)).await;
        tell(&mut peer, &turn_info("EagerEndOfTurn", "it is me", at, 0.5)).await;
        tell(&mut peer, &turn_info("TurnResumed", "it is me", at, 0.2)).await;
        until(&mut peer, "ForceEndTurn").await;
        tell(&mut peer, &turn_info("EndOfTurn", "It is me.", at + 1.0, 0.9)).await;
        until(&mut peer, "CloseStream").await;
    });
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready));
    within(idle).await.expect("silence came");
    say(&mut listener, 20);
    let partial = |text: &str| Some(AsrReport::Partial { turn: TURN, text: text.to_owned() });
    let looks = |probability| Some(AsrReport::LooksComplete { turn: TURN, probability });
    assert_eq!(within(reports.recv()).await, partial("it is"));
    assert_eq!(within(reports.recv()).await, partial("it is me"));
    assert_eq!(within(reports.recv()).await, looks(0.5));
    assert_eq!(within(reports.recv()).await, looks(0.1));
    end(&mut listener, 2);
    assert_eq!(answer(&mut reports).await, finally(2, "It is me."));
    drop(listener);
    within(server).await.expect("the server is content");
}

#[tokio::test]
async fn flux_that_heard_no_word_and_lives_heard_nothing() {
    let (socket, url) = socket().await;
    let mut settings = flux_at(url);
    settings.answer_timeout = SOON;
    let (mut listener, mut reports) = open(Streaming::flux(settings));
    // The library answers pings while it reads.
    let server = tokio::spawn(async move {
        let (mut peer, ..) = accept(&socket, "authorization").await;
        while next(&mut peer).await.is_some() {}
    });
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready));
    say(&mut listener, 20);
    end(&mut listener, 2);
    assert_eq!(answer(&mut reports).await, finally(2, ""));
    drop(listener);
    within(server).await.expect("the server is content");
}
