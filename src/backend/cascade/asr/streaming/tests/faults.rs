//! Servers that refuse, hang up, dawdle and lie.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

#[tokio::test]
async fn a_call_is_told_by_kind_why_it_is_not_heard() {
    let rows = [
        ("401 Unauthorized", FailureKind::Unauthorized, "Deepgram answered 401: no such key"),
        ("429 Too Many Requests", FailureKind::Busy, "Deepgram answered 429: no such key"),
        ("400 Bad Request", FailureKind::Refused, "Deepgram answered 400: no such key"),
        ("500 Oh", FailureKind::Broken, "Deepgram answered 500: no such key"),
    ];
    for (status, kind, expected) in rows {
        let (socket, url) = socket().await;
        let (_listener, mut reports) = open(Streaming::deepgram(deepgram_at(url)));
        let server = tokio::spawn(async move {
            let (mut stream, _) = socket.accept().await.expect("somebody connects");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a request comes"));
            }
            let body = r#"{"error":{"message":"no such key"}}"#;
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.expect("it is sent");
        });
        let AsrReport::Failed(error) = answer(&mut reports).await else { panic!("{status}") };
        assert_eq!((error.kind, error.to_string().as_str()), (kind, expected));
        within(server).await.expect("the server is content");
    }
}

#[tokio::test]
async fn nobody_there_and_nobody_answering_are_told_apart() {
    let (socket, url) = socket().await;
    let mut settings = deepgram_at(url.clone());
    settings.connect_timeout = SOON;
    let (_listener, mut reports) = open(Streaming::deepgram(settings));
    let AsrReport::Failed(error) = answer(&mut reports).await else { panic!("it should fail") };
    assert_eq!(error.kind, FailureKind::TimedOut);
    drop(socket);
    let (_listener, mut reports) = open(Streaming::deepgram(deepgram_at(url)));
    let AsrReport::Failed(error) = answer(&mut reports).await else { panic!("it should fail") };
    assert_eq!(error.kind, FailureKind::Unreachable);
}

#[tokio::test]
async fn a_turn_on_a_connection_that_breaks_is_said_again_whole() {
    // How it breaks: in the middle of the turn, having told some of it.
    let breaks: [Option<Message>; 5] = [
        None,
        Some(Message::Close(None)),
        Some(Message::text("{\"type\":\"Res")),
        Some(Message::binary(vec![0xff, 0xfe, 0x80])),
        Some(Message::text(r#"{"type":"Error","description":"internal"}"#)),
    ];
    for last_words in breaks {
        let (socket, url) = socket().await;
        let (mut listener, mut reports) = open(Streaming::deepgram(deepgram_at(url)));
        let shown = format!("{last_words:?}");
        let server = tokio::spawn(async move {
            let (mut peer, ..) = accept(&socket, "authorization").await;
            for _ in 0..10 {
                next(&mut peer).await.expect("audio comes");
            }
            tell(&mut peer, &results("some", 0.0, 0.1, &["is_final"])).await;
            if let Some(message) = last_words {
                peer.send(message).await.expect("it is sent");
                while next(&mut peer).await.is_some() {}
            }
            drop(peer);
            let (mut peer, ..) = accept(&socket, "authorization").await;
            hear_a_turn(&mut peer, "Something.").await;
            next(&mut peer).await
        });
        assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready), "{shown}");
        say(&mut listener, 20);
        end(&mut listener, 2);
        assert_eq!(answer(&mut reports).await, finally(2, "Something."), "{shown}");
        drop(listener);
        within(server).await.expect("the server is content");
    }
}

#[tokio::test]
async fn an_end_whose_service_vanished_is_missed() {
    let (socket, url) = socket().await;
    let (mut listener, mut reports) = open(Streaming::deepgram(deepgram_at(url)));
    let server = tokio::spawn(async move {
        let (mut peer, ..) = accept(&socket, "authorization").await;
        drop(socket);
        until(&mut peer, "Finalize").await;
    });
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready));
    say(&mut listener, 20);
    end(&mut listener, 2);
    let AsrReport::Missed { generation, error, .. } = answer(&mut reports).await else {
        panic!("it should be missed")
    };
    assert_eq!((generation, error.kind), (Generation(2), FailureKind::Unreachable));
    within(server).await.expect("the server is content");
}

#[tokio::test]
async fn one_that_never_answers_is_given_up_and_called_again() {
    let (socket, url) = socket().await;
    let mut settings = deepgram_at(url);
    settings.answer_timeout = SOON;
    let (mut listener, mut reports) = open(Streaming::deepgram(settings));
    let server = tokio::spawn(async move {
        let (mut silent, ..) = accept(&socket, "authorization").await;
        until(&mut silent, "Finalize").await;
        let (mut peer, ..) = accept(&socket, "authorization").await;
        hear_a_turn(&mut peer, "Yes.").await;
        next(&mut peer).await
    });
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready));
    say(&mut listener, 20);
    end(&mut listener, 1);
    let missed = answer(&mut reports).await;
    assert!(matches!(missed, AsrReport::Missed { .. }), "{missed:?}");
    say(&mut listener, 20);
    end(&mut listener, 2);
    assert_eq!(answer(&mut reports).await, finally(2, "Yes."));
    drop(listener);
    within(server).await.expect("the server is content");
}

#[tokio::test]
async fn megabytes_in_one_message_end_the_connection_and_not_the_call() {
    let (socket, url) = socket().await;
    let (mut listener, mut reports) = open(Streaming::deepgram(deepgram_at(url)));
    let server = tokio::spawn(async move {
        let (mut peer, ..) = accept(&socket, "authorization").await;
        next(&mut peer).await.expect("audio comes");
        // Nobody reads it to its end.
        let _cut_off = peer.send(Message::text("x".repeat(10 * 1024 * 1024))).await;
        drop(peer);
        let (mut peer, ..) = accept(&socket, "authorization").await;
        hear_a_turn(&mut peer, "Yes.").await;
        next(&mut peer).await
    });
    assert_eq!(within(reports.recv()).await, Some(AsrReport::Ready));
    say(&mut listener, 20);
    end(&mut listener, 2);
    assert_eq!(answer(&mut reports).await, finally(2, "Yes."));
    drop(listener);
    within(server).await.expect("the server is content");
}

#[test]
fn an_address_that_is_none_is_refused_by_the_name_of_its_setting() {
    let refused = Streaming::deepgram(deepgram_at("ftp://x".to_owned())).expect_err("no WebSocket");
    assert!(refused.to_string().contains("asr.url"), "{refused}");
    let mut settings = deepgram_at("ws://x".to_owned());
    settings.api_key = Some("two\nlines".to_owned());
    let refused = Streaming::deepgram(settings).expect_err("no header");
    let shown = refused.to_string();
    assert!(shown.contains("authorization") && !shown.contains("lines"), "{shown}");
}

#[tokio::test]
async fn a_connection_that_takes_nothing_more_is_lost_once() {
    let (socket, url) = socket().await;
    let server = tokio::spawn(async move {
        drop(accept(&socket, "host").await);
        let (mut peer, ..) = accept(&socket, "host").await;
        hear_a_turn(&mut peer, "one").await;
        while next(&mut peer).await.is_some() {}
    });
    let service = Streaming::deepgram(deepgram_at(url)).expect("the settings are right");
    let (reports, mut told) = mpsc::channel(8);
    let mut listening = Listening::new(Arc::new(service), Bill::unseen(), reports);
    listening.act().await.expect("the reports are read");
    let opened = within(listening.line.next()).await;
    listening.handle_line(opened);
    listening.act().await.expect("the reports are read");
    // It is found out by sending, with a whole turn to be sent.
    let lost = within(listening.line.next()).await;
    assert!(matches!(lost, LineEvent::Lost(_)));
    let now = listening.now();
    listening.hearing.handle_ask(now, Ask::Start(TURN));
    for _ in 0..20 {
        listening.hearing.handle_ask(now, Ask::Frame(Box::new(LOUD)));
    }
    listening.hearing.handle_ask(now, Ask::End { turn: TURN, generation: Generation(1) });
    let (asks, asked) = mpsc::channel(1);
    let task = tokio::spawn(listening.run(asked));
    assert_eq!(within(told.recv()).await, Some(AsrReport::Ready));
    assert_eq!(answer(&mut told).await, finally(1, "one"));
    drop(asks);
    within(task).await.expect("it ends with the call");
    within(server).await.expect("the server is content");
}
