//! Static files.

use antiphon_signaling::Page;

use crate::client::{Server, config};

static PAGES: [Page; 2] = [
    Page { path: "/", content_type: "text/html; charset=utf-8", body: b"<!doctype html>" },
    Page { path: "/sdk/app.js", content_type: "text/javascript", body: b"export {};" },
];

#[tokio::test]
async fn pages_are_served_to_be_revalidated_and_to_run_only_our_own_code() {
    let server = Server::start_with(config(&["key"]), &PAGES).await;
    for page in &PAGES {
        let reply = server.ask("GET", page.path, &[], b"").await;
        assert_eq!((reply.status, reply.body.as_slice()), (200, page.body), "{}", page.path);
        let policy = reply.header("content-security-policy");
        for rule in ["default-src 'none'", "script-src 'self'", "connect-src 'self'"] {
            assert!(policy.split("; ").any(|one| one == rule), "{rule} in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        let expect = [
            ("content-type", page.content_type),
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
        ];
        for (name, value) in expect {
            assert_eq!(reply.header(name), value, "{}: {name}", page.path);
        }
        let head = server.ask("HEAD", page.path, &[], b"").await;
        assert_eq!((head.status, head.text()), (200, ""));
        assert_eq!(head.header("content-length"), page.body.len().to_string());
    }
}

#[tokio::test]
async fn a_page_that_the_browser_has_is_not_sent_again() {
    let server = Server::start_with(config(&[]), &PAGES).await;
    let etag = server.ask("GET", "/", &[], b"").await.header("etag");
    let other = server.ask("GET", "/sdk/app.js", &[], b"").await.header("etag");
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag != other, "{etag} {other}");
    let rows = [
        (etag.clone(), 304),
        (format!("W/{etag}"), 304),
        (format!("\"x\", {etag}"), 304),
        ("*".to_owned(), 304),
        (other, 200),
        ("garbage".to_owned(), 200),
    ];
    for (tags, status) in rows {
        let reply = server.ask("GET", "/", &[("if-none-match", &tags)], b"").await;
        assert_eq!(reply.status, status, "{tags}");
        assert_eq!(reply.body.is_empty(), status == 304, "{tags}");
        assert_eq!(reply.header("etag"), etag, "{tags}");
    }
    let post = server.ask("POST", "/", &[], b"x").await;
    assert_eq!(post.problem("POST /")["limit"], "GET, HEAD, OPTIONS");
}
