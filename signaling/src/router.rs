//! The routes.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, Router, get, post};
use serde::Serialize;

use crate::app::App;
use crate::config::SignalingConfig;
use crate::limits::BUSY_RETRY_AFTER;
use crate::origin::{Origins, guard};
use crate::page::{self, Page, Served};
use crate::port::Port;
use crate::problem::{Kind, Problem};
use crate::{rtc, session};

const HEALTH_METHODS: &str = "GET, HEAD, OPTIONS";
/// OpenMetrics 1.0, which Prometheus reads.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All of the HTTP face: the API, which asks `port`, and the static `pages`.
///
/// # Panics
///
/// If two pages have the same path, or one has a path of the API.
pub fn router<P: Port>(port: Arc<P>, config: SignalingConfig, pages: &'static [Page]) -> Router {
    let origins = Arc::new(Origins::new(&config));
    let app = Arc::new(App::new(port, config));
    let endpoint = post(rtc::offer::<P>).get(rtc::nothing).options(rtc::options::<P>);
    let call = get(rtc::nothing).patch(rtc::patch::<P>).delete(rtc::end::<P>);
    let one_session = get(session::show::<P>).delete(session::close::<P>);
    let api = Router::new()
        .route(rtc::PATH, refuse_others(endpoint, rtc::ENDPOINT_METHODS))
        .route("/v1/rtc/{call}", closed(call, rtc::CALL_METHODS))
        .route(session::PATH, closed(post(session::open::<P>), session::ENDPOINT_METHODS))
        .route("/v1/session/{id}", closed(one_session, session::SESSION_METHODS))
        .route("/healthz", closed(get(alive), HEALTH_METHODS))
        .route("/readyz", closed(get(ready::<P>), HEALTH_METHODS))
        .route("/metrics", closed(get(metrics::<P>), HEALTH_METHODS))
        .with_state(app);
    let with_pages = pages.iter().fold(api, |router, page| {
        let served = Arc::new(Served::new(*page));
        let show = move |headers: HeaderMap| async move { served.respond(&headers) };
        router.route(page.path, closed(get(show), page::METHODS))
    });
    with_pages
        .fallback(unknown_path)
        .layer(from_fn_with_state(origins, guard))
        .layer(from_fn(no_sniffing))
}

/// The answer to `OPTIONS` that is no preflight.
pub(crate) fn allow(methods: &'static str) -> Response {
    (StatusCode::OK, [(header::ALLOW, methods)]).into_response()
}

/// Adds `OPTIONS`, and 405 for every other method.
fn closed<S>(methods: MethodRouter<S>, list: &'static str) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    refuse_others(methods.options(move || async move { allow(list) }), list)
}

/// Adds 405 for the methods that are not listed.
fn refuse_others<S>(methods: MethodRouter<S>, list: &'static str) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let refusal = move |method: Method| async move {
        let detail = format!("Use one of: {list}.");
        Problem::new(Kind::MethodNotAllowed, detail)
            .field("method")
            .limit(list)
            .received(method.as_str())
            .header(header::ALLOW, HeaderValue::from_static(list))
    };
    methods.fallback(refusal)
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// `GET /healthz`: the process is alive.
async fn alive() -> Response {
    session::json(StatusCode::OK, &Health { status: "ok" })
}

/// `GET /readyz`: new calls are welcome.
async fn ready<P: Port>(State(app): State<Arc<App<P>>>) -> Result<Response, Problem> {
    app.port
        .readiness()
        .map_err(|reason| Problem::new(Kind::Unavailable, reason).retry_after(BUSY_RETRY_AFTER))?;
    Ok(session::json(StatusCode::OK, &Health { status: "ready" }))
}

/// `GET /metrics`: what calls did and used. Who may see that is who may make calls for everybody.
async fn metrics<P: Port>(
    State(app): State<Arc<App<P>>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    app.keys.admit(&headers)?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], app.port.metrics()).into_response())
}

async fn unknown_path(request: Request) -> Problem {
    Problem::new(
        Kind::NotFound,
        "There is nothing at this path. Calls are made with POST /v1/rtc, sessions with POST \
         /v1/session.",
    )
    .field("path")
    .received(request.uri().path())
}

async fn no_sniffing(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}
