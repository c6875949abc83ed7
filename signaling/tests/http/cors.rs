//! Pages of other origins, and what their browsers are told.

use crate::client::{Headers, Server, config};

const METHOD: (&str, &str) = ("access-control-request-method", "POST");
const SDP: (&str, &str) = ("content-type", "application/sdp");

#[tokio::test]
async fn preflights_are_answered_on_every_path_without_a_token() {
    let server = Server::start(config(&["key"])).await;
    let origin = ("origin", "http://localhost:3000");
    for path in ["/v1/rtc", "/v1/rtc/call-1", "/v1/session", "/v1/session/a", "/healthz", "/no"] {
        let reply = server.ask("OPTIONS", path, &[origin, METHOD], b"").await;
        let expect = [
            ("access-control-allow-origin", "http://localhost:3000"),
            ("access-control-allow-methods", "POST, PATCH, DELETE, OPTIONS, GET"),
            ("access-control-allow-headers", "authorization, content-type, if-match"),
            ("access-control-max-age", "600"),
            ("vary", "origin"),
            ("link", ""),
        ];
        assert_eq!((reply.status, reply.text()), (200, ""), "{path}");
        for (name, value) in expect {
            assert_eq!(reply.header(name), value, "{path}: {name}");
        }
    }
}

#[tokio::test]
async fn options_that_are_no_preflight_describe_the_endpoint() {
    let open = Server::start(config(&[])).await;
    let keyed = Server::start(config(&["key"])).await;
    let key = ("authorization", "Bearer key");
    let token = ("authorization", "Bearer token");
    let rows: [(&Server, Headers<'_>, bool); 5] = [
        (&open, &[], true),
        (&open, &[("origin", "http://localhost")], true),
        (&keyed, &[], false),
        (&keyed, &[token], false),
        (&keyed, &[key], true),
    ];
    for (server, headers, links) in rows {
        let reply = server.ask("OPTIONS", "/v1/rtc", headers, b"").await;
        assert_eq!(reply.status, 200, "{headers:?}");
        assert_eq!(reply.header("allow"), "GET, HEAD, POST, OPTIONS");
        assert_eq!(reply.header("accept-post"), "application/sdp");
        assert_eq!(reply.header("link").contains("turn:t:3478"), links, "{headers:?}");
    }
    let call = open.ask("OPTIONS", "/v1/rtc/call-1", &[], b"").await;
    assert_eq!(call.header("allow"), "GET, HEAD, PATCH, DELETE, OPTIONS");
}

#[tokio::test]
async fn a_page_that_is_allowed_may_read_what_whip_needs() {
    let mut config = config(&[]);
    config.allowed_origins = vec!["https://app.example.com".to_owned()];
    let server = Server::start(config).await;
    let origin = ("origin", "https://app.example.com");
    for (headers, body, status) in [([origin, SDP], "v=0", 201), ([origin, SDP], "busy", 503)] {
        let reply = server.ask("POST", "/v1/rtc", &headers, body.as_bytes()).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("access-control-allow-origin"), "https://app.example.com");
        let exposed = reply.header("access-control-expose-headers");
        for name in ["location", "etag", "link", "accept-post"] {
            assert!(exposed.split(", ").any(|one| one == name), "{name} in {exposed}");
        }
        assert_eq!(reply.header("access-control-allow-credentials"), "");
    }
}

#[tokio::test]
async fn a_page_that_is_not_allowed_changes_nothing_and_reads_nothing() {
    let server = Server::start(config(&[])).await;
    let rebound: Headers<'_> =
        &[("origin", "http://evil.example:8080"), ("host", "evil.example:8080"), SDP];
    let rows: [(&str, &str, Headers<'_>, u16); 6] = [
        ("POST", "/v1/rtc", &[("origin", "https://evil.example"), SDP], 403),
        ("POST", "/v1/rtc", &[("origin", "null"), SDP], 403),
        ("POST", "/v1/rtc", &[("origin", "http://localhost.evil.example"), SDP], 403),
        ("POST", "/v1/rtc", rebound, 403),
        ("OPTIONS", "/v1/rtc", &[("origin", "https://evil.example"), METHOD], 403),
        ("GET", "/healthz", &[("origin", "https://evil.example")], 200),
    ];
    for (method, path, headers, status) in rows {
        let body: &[u8] = if method == "POST" { b"v=0" } else { b"" };
        let reply = server.ask(method, path, headers, body).await;
        assert_eq!(reply.status, status, "{method} {headers:?}");
        assert_eq!(reply.header("access-control-allow-origin"), "", "{method} {headers:?}");
        if status == 403 {
            assert_eq!(reply.problem("refused")["received"], headers[0].1);
        }
    }
    assert!(server.port.offers.lock().expect("whole").is_empty(), "an offer reached the port");
}

#[tokio::test]
async fn the_servers_own_page_is_allowed_where_a_key_protects_it() {
    let server = Server::start(config(&["key"])).await;
    let headers = [
        ("origin", "https://voice.example.com"),
        ("host", "voice.example.com"),
        ("authorization", "Bearer key"),
        SDP,
    ];
    assert_eq!(server.ask("POST", "/v1/rtc", &headers, b"v=0").await.status, 201);
}
