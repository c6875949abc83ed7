//! Requests and their answers, row by row.

use antiphon_signaling::limits::{JSON_BYTES_MAX, SDP_BYTES_MAX, SESSION_TTL_S_MAX};
use antiphon_signaling::port::{Authority, IfMatch};
use serde_json::json;

use crate::client::{Headers, Reply, Server, config};
use crate::fake::ETAG;

const SDP: (&str, &str) = ("content-type", "application/sdp");
const FRAGMENT: (&str, &str) = ("content-type", "application/trickle-ice-sdpfrag");
const JSON: (&str, &str) = ("content-type", "application/json");
const KEY: (&str, &str) = ("authorization", "Bearer key");
const TOKEN: (&str, &str) = ("authorization", "Bearer token");

/// A request that is refused: method, path, headers, body; status, and members of the problem.
type Refused<'a> = (&'a str, &'a str, Headers<'a>, &'a [u8], u16, serde_json::Value);

async fn check_refused(server: &Server, rows: &[Refused<'_>]) {
    for (method, path, headers, body, status, members) in rows {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]);
        let what = format!("{method} {path} {headers:?} {shown:?}");
        let reply = server.ask(method, path, headers, body).await;
        assert_eq!(reply.status, *status, "{what}: {reply:?}");
        let problem = reply.problem(&what);
        for (name, value) in members.as_object().expect("rows hold objects") {
            assert_eq!(&problem[name], value, "{what}: {name} of {problem}");
        }
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{what}");
        assert_eq!(reply.header("www-authenticate").is_empty(), *status != 401, "{what}");
        assert_eq!(reply.header("retry-after").is_empty(), *status != 503, "{what}");
    }
}

#[tokio::test]
async fn an_offer_is_answered_with_all_that_a_whip_client_needs() {
    let server = Server::start(config(&[])).await;
    let typed = ("content-type", "Application/SDP; charset=utf-8");
    let reply = server.ask("POST", "/v1/rtc?agent=tour", &[typed], b"v=0").await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.text(), "answer to v=0");
    let user = "60064fdb8c05a83a"; // The first half of `printf call-1 | sha1sum`.
    let turn = format!(
        "<turn:t:3478?transport=udp>; rel=\"ice-server\"; username=\"1:{user}\"; \
         credential=\"c\"; credential-type=\"password\""
    );
    let link = format!("<stun:s:3478>; rel=\"ice-server\" | {turn}");
    let expect = [
        ("content-type", "application/sdp"),
        ("location", "/v1/rtc/call-1"),
        ("etag", ETAG),
        ("link", &link),
        ("cache-control", "no-store"),
    ];
    for (name, value) in expect {
        assert_eq!(reply.header(name), value, "{name}");
    }
    let offers = server.port.offers.lock().expect("the port is whole");
    assert_eq!(offers[0].agent.as_deref(), Some("tour"));
    assert_eq!(offers[0].authority, Authority::Open);
}

#[tokio::test]
async fn offers_that_cannot_be_taken_are_refused_with_the_reason() {
    let server = Server::start(config(&[])).await;
    let large = vec![b'a'; SDP_BYTES_MAX + 1];
    let huge = ("content-length", "99999999");
    let name = "a".repeat(65);
    let long = format!("/v1/rtc?agent={name}");
    check_refused(
        &server,
        &[
            ("POST", "/v1/rtc", &[SDP], b"malformed", 400, json!({"field": "sdp"})),
            ("POST", "/v1/rtc", &[SDP], b"unprocessable", 422, json!({"field": "sdp"})),
            ("POST", "/v1/rtc", &[SDP], b"unauthorized", 401, json!({})),
            ("POST", "/v1/rtc", &[SDP], b"lost", 404, json!({})),
            ("POST", "/v1/rtc", &[SDP], b"busy", 503, json!({})),
            ("POST", "/v1/rtc", &[SDP], b"broken", 500, json!({})),
            ("POST", "/v1/rtc", &[SDP], b"panic", 500, json!({})),
            ("POST", "/v1/rtc", &[SDP], b"", 400, json!({"field": "body", "received": 0})),
            ("POST", "/v1/rtc", &[SDP], b"v=\xff", 400, json!({"field": "body"})),
            (
                "POST",
                "/v1/rtc",
                &[SDP],
                &large,
                413,
                json!({"field": "body", "limit": SDP_BYTES_MAX, "received": SDP_BYTES_MAX + 1}),
            ),
            ("POST", "/v1/rtc", &[SDP, huge], b"", 413, json!({"received": 99_999_999})),
            (
                "POST",
                "/v1/rtc",
                &[],
                b"v=0",
                415,
                json!({"field": "Content-Type", "limit": "application/sdp", "received": null}),
            ),
            ("POST", "/v1/rtc", &[JSON], b"v=0", 415, json!({"received": "application/json"})),
            ("POST", "/v1/rtc", &[("content-type", "sdp")], b"v=0", 415, json!({})),
            (
                "POST",
                "/v1/rtc?agnet=tour",
                &[SDP],
                b"v=0",
                400,
                json!({"field": "query", "received": "agnet=tour"}),
            ),
            ("POST", "/v1/rtc?agent=", &[SDP], b"v=0", 400, json!({"field": "query"})),
            ("POST", &long, &[SDP], b"v=0", 400, json!({"field": "query"})),
            (
                "PUT",
                "/v1/rtc",
                &[SDP],
                b"v=0",
                405,
                json!({"limit": "GET, HEAD, POST, OPTIONS", "received": "PUT"}),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_body_without_declared_length_is_bounded_too() {
    let server = Server::start(config(&[])).await;
    let mut connection = server.connect().await;
    let head = "POST /v1/rtc HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
                content-type: application/sdp\r\ntransfer-encoding: chunked\r\n\r\n";
    connection.write(head.as_bytes()).await;
    let chunk = format!("{:x}\r\n{}\r\n", SDP_BYTES_MAX, "a".repeat(SDP_BYTES_MAX));
    connection.write(chunk.repeat(2).as_bytes()).await;
    connection.write(b"0\r\n\r\n").await;
    let reply = Reply::parse(&connection.read_to_end().await).expect("a response");
    assert_eq!(reply.status, 413);
    assert_eq!(reply.problem("chunked")["received"], 2 * SDP_BYTES_MAX);
}

#[tokio::test]
async fn fragments_trickle_or_restart_under_their_precondition() {
    let server = Server::start(config(&[])).await;
    let rows: [(Headers<'_>, IfMatch); 5] = [
        (&[FRAGMENT], IfMatch::Missing),
        (&[FRAGMENT, ("if-match", "*")], IfMatch::Any),
        (&[FRAGMENT, ("if-match", "\"*\"")], IfMatch::Any),
        (&[FRAGMENT, ("if-match", ETAG)], IfMatch::Tags(vec![ETAG.into()])),
        (
            &[FRAGMENT, ("if-match", "\"a\""), ("if-match", "\"b\"")],
            IfMatch::Tags(vec!["\"a\"".into(), "\"b\"".into()]),
        ),
    ];
    for (headers, expect) in rows {
        let reply = server.ask("PATCH", "/v1/rtc/call-1", headers, b"candidates").await;
        assert_eq!((reply.status, reply.text()), (204, ""), "{headers:?}");
        assert_eq!(reply.header("etag"), "", "a trickle must not carry one");
        let (call, patch) = server.port.patches.lock().expect("whole").pop().expect("asked");
        assert_eq!((call.as_str(), patch.if_match), ("call-1", expect), "{headers:?}");
        assert_eq!(patch.fragment, "candidates");
    }
    let restart = server.ask("PATCH", "/v1/rtc/call-1", &[FRAGMENT], b"restart").await;
    assert_eq!((restart.status, restart.text()), (200, "ours"));
    assert_eq!(restart.header("etag"), "\"ice-2\"");
    assert_eq!(restart.header("content-type"), "application/trickle-ice-sdpfrag");
}

#[tokio::test]
async fn requests_for_a_call_are_refused_with_the_reason() {
    let server = Server::start(config(&[])).await;
    let long = format!("/v1/rtc/{}", "a".repeat(129));
    let unquoted = ("if-match", "ice-1");
    let call = "/v1/rtc/call-1";
    check_refused(
        &server,
        &[
            ("PATCH", call, &[FRAGMENT], b"stale", 412, json!({"field": "If-Match"})),
            ("PATCH", call, &[FRAGMENT], b"untagged", 428, json!({"field": "If-Match"})),
            ("PATCH", call, &[FRAGMENT], b"malformed", 400, json!({"field": "sdp"})),
            (
                "PATCH",
                call,
                &[FRAGMENT, unquoted],
                b"x",
                400,
                json!({"field": "If-Match", "received": "ice-1"}),
            ),
            ("PATCH", call, &[SDP], b"x", 415, json!({"limit": FRAGMENT.1})),
            ("PATCH", call, &[FRAGMENT], b"", 400, json!({"field": "body"})),
            ("PATCH", "/v1/rtc/lost", &[FRAGMENT], b"x", 404, json!({})),
            ("PATCH", &long, &[FRAGMENT], b"x", 404, json!({})),
            ("DELETE", "/v1/rtc/lost", &[], b"", 404, json!({})),
            ("DELETE", "/v1/rtc/a%20b", &[], b"", 404, json!({})),
            ("DELETE", "/v1/rtc/a%ff", &[], b"", 404, json!({})),
            ("DELETE", "/v1/rtc/", &[], b"", 404, json!({})),
            ("DELETE", "/v1/rtc/a/b", &[], b"", 404, json!({"field": "path"})),
            ("POST", call, &[SDP], b"v=0", 405, json!({"received": "POST"})),
        ],
    )
    .await;
}

#[tokio::test]
async fn calls_end_and_get_has_no_content() {
    let server = Server::start(config(&[])).await;
    let rows = [
        ("DELETE", "/v1/rtc/call-1", 200),
        ("GET", "/v1/rtc/call-1", 204),
        ("HEAD", "/v1/rtc/call-1", 204),
        ("GET", "/v1/rtc", 204),
        ("HEAD", "/v1/rtc", 204),
    ];
    for (method, path, status) in rows {
        let reply = server.ask(method, path, &[("if-match", "\"ignored\"")], b"").await;
        assert_eq!((reply.status, reply.text()), (status, ""), "{method} {path}");
    }
}

#[tokio::test]
async fn an_access_key_closes_everything_but_health() {
    let server = Server::start(config(&["key"])).await;
    let auth = json!({"field": "Authorization"});
    let basic = ("authorization", "Basic a2V5");
    let unknown = ("authorization", "Bearer kez");
    check_refused(
        &server,
        &[
            ("POST", "/v1/rtc", &[SDP], b"v=0", 401, auth.clone()),
            ("POST", "/v1/rtc", &[SDP, basic], b"v=0", 401, auth.clone()),
            ("POST", "/v1/rtc", &[SDP, KEY, TOKEN], b"v=0", 401, auth.clone()),
            ("POST", "/v1/rtc?key=key", &[SDP], b"v=0", 401, auth.clone()),
            ("PATCH", "/v1/rtc/call-1", &[FRAGMENT], b"x", 401, auth.clone()),
            ("DELETE", "/v1/rtc/call-1", &[], b"", 401, auth.clone()),
            ("DELETE", "/v1/rtc/call-1", &[unknown], b"", 401, auth.clone()),
            ("POST", "/v1/session", &[], b"", 401, auth.clone()),
            ("POST", "/v1/session", &[TOKEN], b"", 401, auth.clone()),
            ("GET", "/v1/session/session-1", &[], b"", 401, auth.clone()),
            ("DELETE", "/v1/session/session-1", &[unknown], b"", 401, auth),
        ],
    )
    .await;
    assert_eq!(server.ask("POST", "/v1/rtc", &[SDP, KEY], b"v=0").await.status, 201);
    assert_eq!(server.ask("DELETE", "/v1/rtc/call-1", &[KEY], b"").await.status, 200);
    assert_eq!(server.ask("POST", "/v1/session", &[KEY], b"").await.status, 201);
    assert_eq!(server.ask("GET", "/healthz", &[], b"").await.status, 200);
    let offers = server.port.offers.lock().expect("the port is whole");
    assert_eq!(offers[0].authority, Authority::AccessKey);
}

#[tokio::test]
async fn a_call_made_with_a_join_token_obeys_that_token() {
    let server = Server::start(config(&["key"])).await;
    let made = server.ask("POST", "/v1/rtc", &[SDP, TOKEN], b"v=0").await;
    assert_eq!(made.status, 201);
    let path = made.header("location");
    let other = ("authorization", "Bearer other");
    let rows: [(&str, Headers<'_>, u16); 5] = [
        (&path, &[], 401),
        (&path, &[other], 401),
        ("/v1/rtc/call-1", &[TOKEN], 401),
        (&path, &[TOKEN], 200),
        (&path, &[KEY], 200),
    ];
    for (path, headers, status) in rows {
        assert_eq!(server.ask("DELETE", path, headers, b"").await.status, status, "{headers:?}");
    }
    let trickle = server.ask("PATCH", &path, &[FRAGMENT, TOKEN], b"x").await;
    assert_eq!(trickle.status, 204);
    let patches = server.port.patches.lock().expect("the port is whole");
    assert_eq!(patches[0].0, "call-1", "the port's own id, not the path's");
    let offers = server.port.offers.lock().expect("the port is whole");
    assert_eq!(offers[0].authority, Authority::JoinToken("token".into()));
}

#[tokio::test]
async fn sessions_are_registered_shown_and_closed() {
    let mut config = config(&[]);
    config.public_url = Some("https://voice.example.com/".to_owned());
    let server = Server::start(config).await;
    let body = br#"{"agent": "tour", "ttl_s": 60}"#;
    let made = server.ask("POST", "/v1/session", &[JSON], body).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.header("location"), "/v1/session/session-1");
    assert_eq!(made.header("cache-control"), "no-store");
    let user = "96c71081c21826a9"; // The first half of `printf session-1 | sha1sum`.
    let expect = json!({
        "session_id": "session-1",
        "join_token": "token-1",
        "rtc_url": "https://voice.example.com/v1/rtc",
        "ice_servers": [
            {"urls": ["stun:s:3478"]},
            {"urls": ["turn:t:3478?transport=udp"], "username": format!("1:{user}"), "credential": "c"},
        ],
        "expires_at": "2027-01-15T08:00:00Z",
    });
    assert_eq!(made.json(), expect);
    let asked = server.port.session_requests.lock().expect("whole").pop().expect("asked");
    assert_eq!(asked.agent.as_deref(), Some("tour"));
    assert_eq!(asked.ttl.map(|ttl| ttl.as_secs()), Some(60));

    let shown = server.ask("GET", "/v1/session/session-1", &[], b"").await;
    let expect = json!({
        "session_id": "session-1",
        "agent": "tour",
        "state": "waiting",
        "expires_at": "2027-01-15T08:00:00Z",
    });
    assert_eq!((shown.status, shown.json()), (200, expect));
    let closed = server.ask("DELETE", "/v1/session/session-1", &[], b"").await;
    assert_eq!((closed.status, closed.text()), (204, ""));
}

#[tokio::test]
async fn sessions_that_cannot_be_registered_are_refused_with_the_reason() {
    let server = Server::start(config(&[])).await;
    let large = vec![b' '; JSON_BYTES_MAX + 1];
    let path = "/v1/session";
    check_refused(
        &server,
        &[
            ("POST", path, &[JSON], b"{", 400, json!({"field": "body"})),
            ("POST", path, &[JSON], b"[]", 400, json!({"field": "body"})),
            (
                "POST",
                path,
                &[JSON],
                br#"{"ttl": 1}"#,
                400,
                json!({"limit": "agent, ttl_s", "received": "ttl"}),
            ),
            ("POST", path, &[JSON], br#"{"agent": 1}"#, 400, json!({"field": "agent"})),
            ("POST", path, &[JSON], br#"{"agent": "lost"}"#, 404, json!({})),
            (
                "POST",
                path,
                &[JSON],
                br#"{"ttl_s": 0}"#,
                422,
                json!({"field": "ttl_s", "limit": SESSION_TTL_S_MAX, "received": 0}),
            ),
            ("POST", path, &[JSON], &large, 413, json!({"limit": JSON_BYTES_MAX})),
            ("POST", path, &[SDP], b"{}", 415, json!({"limit": "application/json"})),
            ("GET", path, &[], b"", 405, json!({"limit": "POST, OPTIONS"})),
            ("GET", "/v1/session/lost", &[], b"", 404, json!({})),
            ("DELETE", "/v1/session/lost", &[], b"", 404, json!({})),
            ("GET", "/v1/session/%2e", &[], b"", 404, json!({})),
            ("GET", "/nowhere", &[], b"", 404, json!({"field": "path", "received": "/nowhere"})),
        ],
    )
    .await;
}

#[tokio::test]
async fn metrics_are_for_who_has_an_access_key() {
    let open = Server::start(config(&[])).await;
    let reply = open.ask("GET", "/metrics", &[], b"").await;
    assert_eq!((reply.status, reply.body.as_slice()), (200, b"# EOF\n".as_slice()));
    assert!(reply.header("content-type").starts_with("application/openmetrics-text"));
    let closed = Server::start(config(&["key-1"])).await;
    assert_eq!(closed.ask("GET", "/metrics", &[], b"").await.status, 401);
    let key = ("authorization", "Bearer key-1");
    assert_eq!(closed.ask("GET", "/metrics", &[key], b"").await.status, 200);
    let token = ("authorization", "Bearer token-1");
    assert_eq!(closed.ask("GET", "/metrics", &[token], b"").await.status, 401);
}

#[tokio::test]
async fn health_is_liveness_and_readiness_has_reasons() {
    let server = Server::start(config(&[])).await;
    assert_eq!(server.ask("GET", "/readyz", &[], b"").await.status, 200);
    *server.port.not_ready.lock().expect("whole") = Some("The backend is down.".to_owned());
    let reply = server.ask("GET", "/readyz", &[], b"").await;
    assert_eq!(reply.status, 503);
    assert_eq!(reply.problem("readyz")["detail"], "The backend is down.");
    assert_eq!(server.ask("GET", "/healthz", &[], b"").await.status, 200);
}

#[tokio::test]
async fn internal_reasons_stay_inside_and_waits_are_told() {
    let server = Server::start(config(&[])).await;
    let broken = server.ask("POST", "/v1/rtc", &[SDP], b"broken").await;
    assert!(!broken.text().contains("secret reason"), "{broken:?}");
    let busy = server.ask("POST", "/v1/rtc", &[SDP], b"busy").await;
    assert_eq!(busy.header("retry-after"), "3");
}
