//! The demo page and the browser SDK, embedded into the binary.

use antiphon_signaling::Page;

/// One file of `client/web`, served at `/` and its name.
macro_rules! page {
    ($name:literal, $content_type:expr) => {
        page!(concat!("/", $name), $name, $content_type)
    };
    ($path:expr, $name:literal, $content_type:expr) => {
        Page {
            path: $path,
            content_type: $content_type,
            body: include_bytes!(concat!("../../client/web/", $name)),
        }
    };
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Everything a browser may fetch. `tests/tidy.rs` checks that no file of `client/web` is missing.
pub(super) static PAGES: &[Page] = &[
    page!("/", "index.html", HTML),
    page!("style.css", STYLE),
    page!("icon.svg", "image/svg+xml"),
    page!("antiphon.js", SCRIPT),
    page!("app.js", SCRIPT),
    page!("connection.js", SCRIPT),
    page!("conversation.js", SCRIPT),
    page!("dom.js", SCRIPT),
    page!("errors.js", SCRIPT),
    page!("fragment.js", SCRIPT),
    page!("latency.js", SCRIPT),
    page!("levels.js", SCRIPT),
    page!("log.js", SCRIPT),
    page!("microphone.js", SCRIPT),
    page!("path.js", SCRIPT),
    page!("playout.js", SCRIPT),
    page!("rtvi.js", SCRIPT),
    page!("signaling.js", SCRIPT),
    page!("stats.js", SCRIPT),
    page!("strip.js", SCRIPT),
    page!("theme.js", SCRIPT),
    page!("transcript.js", SCRIPT),
    page!("usage.js", SCRIPT),
    page!("waterfall.js", SCRIPT),
];
