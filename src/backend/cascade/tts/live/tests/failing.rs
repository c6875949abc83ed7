//! What is said when a voice fails, and what is tried before that.

use serde_json::{Value, json};

use super::*;

/// The patience where it must run out.
const SOON: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_connection_that_is_lost_before_the_first_audio_is_opened_once_more() {
    for whose in ALL {
        let lost = [whose.greets(), whose.reads()].concat();
        let good = [whose.greets(), whose.reads(), whose.sends(&ramp(500)), whose.ends()];
        let scripts =
            vec![lost.clone(), [good.concat(), vec![Act::Stay]].concat(), vec![Act::Stay]];
        let (speaker, mut reports, _server) = open(whose, scripts, VoicePatience::default()).await;
        let _speaking = speaker.speak(FIRST, "One.".to_owned(), 1.0);
        let phrase = spoken(&mut reports, FIRST).await;
        assert_eq!((phrase.result, phrase.pcm), (Ok(()), ramp(500)), "{whose:?}");

        let scripts = vec![lost.clone(), lost, vec![Act::Stay]];
        let (speaker, mut reports, _server) = open(whose, scripts, VoicePatience::default()).await;
        let _speaking = speaker.speak(FIRST, "One.".to_owned(), 1.0);
        let error = spoken(&mut reports, FIRST).await.result.expect_err("it was lost twice");
        assert_eq!(error.kind, FailureKind::Broken, "{whose:?}: {error}");
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_between_phrases_is_replaced_before_the_next() {
    let whose = Whose::Cartesia;
    let phrase = [whose.reads(), whose.sends(&ramp(500)), whose.ends()].concat();
    let scripts = vec![
        [phrase.clone(), vec![Act::Close(1000, "idle")]].concat(),
        [phrase, vec![Act::Stay]].concat(),
    ];
    let (speaker, mut reports, mut server) = open(whose, scripts, VoicePatience::default()).await;
    for work in [FIRST, SECOND] {
        server.opened().await;
        let _speaking = speaker.speak(work, "One.".to_owned(), 1.0);
        assert_eq!(spoken(&mut reports, work).await.result, Ok(()));
        server.sent().await;
    }
}

#[tokio::test]
async fn what_goes_wrong_is_said_without_a_word_of_the_phrase() {
    const DENIED: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 29\r\n\r\n\
                          {\"error\":{\"message\":\"no key\"}}";
    const BUSY: &str = "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n";
    let text = |value: &Value| vec![Act::Text(value.to_string())];
    let error =
        json!({"type": "error", "message": "no", "status_code": 429, "context_id": "CONTEXT"});
    let rows: Vec<(Whose, Vec<Act>, &str, FailureKind)> = vec![
        (Whose::Cartesia, text(&error), "answered 429: no", FailureKind::Busy),
        (Whose::Cartesia, text(&json!([1])), "cannot be read", FailureKind::Malformed),
        (Whose::Cartesia, vec![Act::Binary(vec![1])], "cannot be read", FailureKind::Malformed),
        (Whose::Cartesia, vec![Act::Flood("{}")], "no audio within 0.3 s", FailureKind::TimedOut),
        (Whose::Cartesia, vec![Act::Stay], "no audio within 0.3 s", FailureKind::TimedOut),
        (
            Whose::Cartesia,
            [Whose::Cartesia.sends(&ramp(960)), vec![Act::Stay]].concat(),
            "no audio within 0.2 s",
            FailureKind::TimedOut,
        ),
        (Whose::Cartesia, Whose::Cartesia.sends(&ramp(960)), "hung up", FailureKind::Broken),
        (Whose::Cartesia, Whose::Cartesia.ends(), "sent no audio for", FailureKind::Broken),
        (Whose::Cartesia, vec![Act::Close(1013, "full")], "hung up: 1013 full", FailureKind::Busy),
        (
            Whose::Cartesia,
            vec![Act::Text("x".repeat(1_100_000))],
            "more than 1048576 bytes",
            FailureKind::Malformed,
        ),
        (
            Whose::ElevenLabs,
            text(&json!({"error": "quota_exceeded", "message": "no credits"})),
            "is busy: no credits",
            FailureKind::Busy,
        ),
        (
            Whose::Deepgram,
            text(&json!({"type": "Error", "description": "no voice"})),
            "failed: no voice",
            FailureKind::Broken,
        ),
        (
            Whose::Moshi,
            vec![Act::Packet(json!({"type": "Error", "message": "no free channels"}))],
            "no free channels",
            FailureKind::Busy,
        ),
        (Whose::Moshi, vec![Act::Binary(vec![0xc1])], "cannot be read", FailureKind::Malformed),
    ];
    let patience = VoicePatience {
        connect_timeout: SOON,
        first_audio_timeout: SOON,
        stall_timeout: Duration::from_millis(200),
    };
    for (whose, acts, expected, kind) in rows {
        let script = [whose.greets(), whose.reads(), acts].concat();
        let scripts = vec![script, vec![Act::Stay]];
        let (speaker, mut reports, _server) = open(whose, scripts, patience).await;
        failed(&speaker, &mut reports, expected, kind).await;
    }
    for (act, expected, kind) in [
        (Act::Answer(DENIED), "answered 401: no key; check the key", FailureKind::Unauthorized),
        (Act::Answer(BUSY), "answered 429", FailureKind::Busy),
        (Act::Silence, "did not accept a connection within 0.3 s", FailureKind::TimedOut),
    ] {
        for whose in ALL {
            let scripts = vec![vec![act.clone()], vec![act.clone()], vec![act.clone()]];
            let (speaker, mut reports, _server) = open(whose, scripts, patience).await;
            failed(&speaker, &mut reports, expected, kind).await;
        }
    }
    let voice = Whose::Deepgram.voice("ws://127.0.0.1:1", patience);
    let (speaker, mut reports) = LiveSpeaker::open(Arc::new(voice), Bill::unseen());
    failed(&speaker, &mut reports, "cannot be reached", FailureKind::Unreachable).await;
}

async fn failed(
    speaker: &LiveSpeaker,
    reports: &mut mpsc::Receiver<TtsReport>,
    expected: &str,
    kind: FailureKind,
) {
    let _speaking = speaker.speak(FIRST, "A secret.".to_owned(), 1.0);
    let error = spoken(reports, FIRST).await.result.expect_err(expected);
    let problem = error.to_string();
    assert!(problem.contains(expected), "{problem:?} should contain {expected:?}");
    assert_eq!(error.kind, kind, "{problem}");
    assert!(!problem.contains("secret"), "{problem}");
}

#[tokio::test]
async fn a_phrase_dropped_while_the_connection_opens_is_not_asked_for() {
    let whose = Whose::Cartesia;
    let script = [whose.reads(), whose.sends(&ramp(500)), whose.ends(), vec![Act::Stay]].concat();
    let (speaker, mut reports, mut server) =
        open(whose, vec![script], VoicePatience::default()).await;
    for _ in 0..3 {
        drop(speaker.speak(FIRST, "One.".to_owned(), 1.0));
    }
    let _speaking = speaker.speak(SECOND, "Two.".to_owned(), 1.0);
    let phrase = spoken(&mut reports, SECOND).await;
    assert_eq!((phrase.result, phrase.pcm), (Ok(()), ramp(500)));
    server.opened().await;
    assert_eq!(server.sent().await["transcript"], "Two.");
}

#[tokio::test]
async fn a_phrase_too_many_fails_at_once() {
    let (speaker, mut reports, _server) =
        open(Whose::Cartesia, vec![vec![Act::Silence]], VoicePatience::default()).await;
    let kept: Vec<_> =
        (0..=VOICE_PHRASES_MAX).map(|_| speaker.speak(FIRST, "One.".to_owned(), 1.0)).collect();
    let error = spoken(&mut reports, FIRST).await.result.expect_err("there is no room");
    assert_eq!(error.kind, FailureKind::Busy);
    drop(kept);
}
