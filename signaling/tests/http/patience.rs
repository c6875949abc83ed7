//! Slow clients, too many clients, clients that leave, and a server that stops.

use std::time::Duration;

use antiphon_signaling::{Page, SignalingConfig};
use tokio::net::TcpStream;

use crate::client::{Reply, Server, config, request};

const SDP: [(&str, &str); 1] = [("content-type", "application/sdp")];

/// Short where a test waits for the limit; the rest stays out of its way.
fn impatient(change: impl FnOnce(&mut SignalingConfig)) -> SignalingConfig {
    let mut config = config(&[]);
    change(&mut config);
    config
}

#[tokio::test]
async fn a_head_that_does_not_arrive_in_time_ends_the_connection() {
    let config = impatient(|c| c.limits.head_time_max = Duration::from_millis(50));
    let server = Server::start(config).await;
    for part in ["", "P", "POST /v1/rtc HTTP/1.1\r\nhost: a\r\n"] {
        let mut connection = server.connect().await;
        connection.write(part.as_bytes()).await;
        let received = connection.read_to_end().await;
        let status = Reply::parse(&received).map(|reply| reply.status);
        assert!(matches!(status, None | Some(408)), "{part:?}: {status:?}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_last_answer() {
    let config = impatient(|c| c.limits.head_time_max = Duration::from_millis(50));
    let server = Server::start(config).await;
    let mut connection = server.connect().await;
    connection.write(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let answer = connection.read_until("}").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!answer.contains("connection: close"), "{answer}");
    assert_eq!(connection.read_to_end().await, b"");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_answered_and_the_connection_closed() {
    let config = impatient(|c| c.limits.body_time_max = Duration::from_millis(50));
    let server = Server::start(config).await;
    let head = "POST /v1/rtc HTTP/1.1\r\nhost: a\r\ncontent-type: application/sdp\r\n";
    for rest in ["content-length: 9\r\n\r\nv=0", "transfer-encoding: chunked\r\n\r\n3\r\nv=0\r\n"] {
        let mut connection = server.connect().await;
        connection.write(format!("{head}{rest}").as_bytes()).await;
        let received = connection.read_to_end().await;
        let reply = Reply::parse(&received).expect("a response");
        assert_eq!(reply.status, 408, "{rest:?}");
        assert_eq!(reply.problem(rest)["limit"], 50, "{rest:?}");
        assert_eq!(reply.header("connection"), "close", "{rest:?}");
    }
}

#[tokio::test]
async fn a_client_that_never_reads_gives_its_place_up() {
    // Larger than all socket buffers between the two ends.
    let body = Vec::leak(vec![b'x'; 32 * 1024 * 1024]);
    let pages = [Page { path: "/large", content_type: "text/plain", body }];
    let config = impatient(|c| {
        c.limits.connections_max = 1;
        c.limits.connection_age_max = Duration::from_millis(50);
        c.limits.shutdown_grace = Duration::from_millis(50);
    });
    let server = Server::start_with(config, Vec::leak(pages.to_vec())).await;
    let mut deaf = server.connect().await;
    deaf.write(&request("GET", "/large", &[], b"")).await;
    // The only place is taken, so this is answered once the first connection was cut off.
    assert_eq!(server.ask("GET", "/healthz", &[], b"").await.status, 200);
    assert!(deaf.read_to_end().await.len() < body.len());
}

#[tokio::test]
async fn one_connection_more_than_allowed_waits_for_a_place() {
    let server = Server::start(impatient(|c| c.limits.connections_max = 1)).await;
    let first = server.connect().await;
    let mut second = server.connect().await;
    second.write(&request("GET", "/healthz", &[], b"")).await;
    drop(first);
    let reply = Reply::parse(&second.read_to_end().await).expect("a response");
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn one_request_more_than_allowed_is_told_to_come_back() {
    let server = Server::start(impatient(|c| c.limits.requests_max = 1)).await;
    let mut first = server.connect().await;
    first.write(&request("POST", "/v1/rtc", &SDP, b"slow")).await;
    server.port.arrived.acquire().await.expect("never closed").forget();
    let second = server.ask("POST", "/v1/rtc", &SDP, b"v=0").await;
    assert_eq!((second.status, second.header("retry-after").as_str()), (503, "1"));
    server.port.released.add_permits(1);
    let reply = Reply::parse(&first.read_to_end().await).expect("a response");
    assert_eq!(reply.status, 201);
    assert_eq!(server.ask("POST", "/v1/rtc", &SDP, b"v=0").await.status, 201);
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_the_port_halfway() {
    let server = Server::start(impatient(|c| c.limits.connections_max = 1)).await;
    let mut connection = server.connect().await;
    connection.write(&request("POST", "/v1/rtc", &SDP, b"slow")).await;
    server.port.arrived.acquire().await.expect("never closed").forget();
    drop(connection);
    // There is a place for this once the server has seen the other connection end.
    assert_eq!(server.ask("GET", "/healthz", &[], b"").await.status, 200);
    server.port.released.add_permits(1);
    server.port.answered.acquire().await.expect("never closed").forget();
}

#[tokio::test]
async fn stopping_lets_requests_end_and_takes_no_new_ones() {
    let server = Server::start(config(&[])).await;
    let address = server.address;
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    busy.write(&request("POST", "/v1/rtc", &SDP, b"slow")).await;
    server.port.arrived.acquire().await.expect("never closed").forget();
    let (ended, port) = server.stop();
    assert_eq!(idle.read_to_end().await, b"", "an idle connection is closed at once");
    assert!(TcpStream::connect(address).await.is_err(), "the listener is gone");
    port.released.add_permits(1);
    let reply = Reply::parse(&busy.read_to_end().await).expect("a response");
    assert_eq!(reply.status, 201);
    ended.await.expect("no panic");
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let config = impatient(|c| c.limits.shutdown_grace = Duration::from_millis(50));
    let server = Server::start(config).await;
    let mut stuck = server.connect().await;
    stuck.write(&request("POST", "/v1/rtc", &SDP, b"slow")).await;
    server.port.arrived.acquire().await.expect("never closed").forget();
    let (ended, _port) = server.stop();
    ended.await.expect("no panic");
    assert_eq!(stuck.read_to_end().await, b"", "cut off without an answer");
}
