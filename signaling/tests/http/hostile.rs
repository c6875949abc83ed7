//! What is not HTTP, or only just.

use antiphon_signaling::limits::{HEAD_BYTES_MAX, HEADERS_MAX};

use crate::client::{Reply, Server, config};

/// Bytes that are no acceptable request, and the statuses that may answer them; none: closed unanswered.
fn rows() -> Vec<(&'static str, Vec<u8>, &'static [u16])> {
    let head = "POST /v1/rtc HTTP/1.1\r\nhost: a\r\nconnection: close\r\n";
    let sdp = format!("{head}content-type: application/sdp\r\n");
    let many = "x: y\r\n".repeat(HEADERS_MAX + 1);
    let long = "y".repeat(HEAD_BYTES_MAX * 2);
    vec![
        ("zeroes", vec![0; 64], &[400]),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), &[400]),
        ("an HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), &[]),
        ("too many headers", format!("{head}{many}\r\n").into_bytes(), &[431]),
        ("a long header", format!("{head}x: {long}\r\n\r\n").into_bytes(), &[431]),
        ("a long path", format!("GET /{long} HTTP/1.1\r\n\r\n").into_bytes(), &[414, 431]),
        ("no length", format!("{sdp}content-length: x\r\n\r\nv=0").into_bytes(), &[400]),
        ("a negative length", format!("{sdp}content-length: -1\r\n\r\n").into_bytes(), &[400]),
        (
            "two lengths",
            format!("{sdp}content-length: 3\r\ncontent-length: 4\r\n\r\nv=0").into_bytes(),
            &[400],
        ),
        (
            "a broken chunk",
            format!("{sdp}transfer-encoding: chunked\r\n\r\nZZ\r\nv=0").into_bytes(),
            &[400],
        ),
        ("a control character", format!("{head}x: \x01\r\n\r\n").into_bytes(), &[400]),
        (
            "a token that is not ASCII",
            format!("{sdp}authorization: Bearer é\r\ncontent-length: 3\r\n\r\nv=0").into_bytes(),
            &[401],
        ),
        (
            "a type that is not ASCII",
            format!("{head}content-type: é\r\ncontent-length: 3\r\n\r\nv=0").into_bytes(),
            &[415],
        ),
        (
            "an origin that is not ASCII",
            format!("{sdp}origin: é\r\ncontent-length: 3\r\n\r\nv=0").into_bytes(),
            &[403],
        ),
        (
            "a path that is not UTF-8",
            b"DELETE /v1/rtc/%ff%00 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_vec(),
            &[404],
        ),
    ]
}

#[tokio::test]
async fn hostile_bytes_are_refused_and_the_server_lives() {
    let server = Server::start(config(&[])).await;
    for (what, bytes, statuses) in rows() {
        let mut connection = server.connect().await;
        connection.write(&bytes).await;
        let received = connection.read_to_end().await;
        let status = Reply::parse(&received).map(|reply| reply.status);
        assert!(
            status.map_or(statuses.is_empty(), |status| statuses.contains(&status)),
            "{what}: {status:?}"
        );
        assert_eq!(server.ask("GET", "/healthz", &[], b"").await.status, 200, "after {what}");
    }
    assert!(server.port.offers.lock().expect("whole").is_empty(), "an offer reached the port");
}

#[tokio::test]
async fn connections_that_break_off_anywhere_do_no_harm() {
    let server = Server::start(config(&[])).await;
    let sdp = [("content-type", "application/sdp")];
    let whole = crate::client::request("POST", "/v1/rtc", &sdp, b"v=0");
    for length in 0..whole.len() {
        let mut connection = server.connect().await;
        connection.write(&whole[..length]).await;
    }
    assert_eq!(server.ask("POST", "/v1/rtc", &sdp, b"v=0").await.status, 201);
    assert_eq!(server.port.offers.lock().expect("whole").len(), 1, "a cut offer was taken");
}
