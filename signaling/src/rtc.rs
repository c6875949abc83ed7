//! `/v1/rtc`: the SDP exchange that follows WHIP.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha1::{Digest, Sha1};

use crate::app::{App, id_in_path};
use crate::body::{Accept, read_text};
use crate::header::{agent_query, if_match};
use crate::link::ice_links;
use crate::port::{Answer, Authority, IceServer, IfMatch, Offer, Patch, Patched, Port, Refusal};
use crate::problem::{Kind, Problem};
use crate::router::allow;

/// The path of the endpoint; a call is one segment below it.
pub(crate) const PATH: &str = "/v1/rtc";
/// The methods of the endpoint and of a call.
pub(crate) const ENDPOINT_METHODS: &str = "GET, HEAD, POST, OPTIONS";
pub(crate) const CALL_METHODS: &str = "GET, HEAD, PATCH, DELETE, OPTIONS";

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// `POST /v1/rtc`: an offer for an answer.
pub(crate) async fn offer<P: Port>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let authority = app.keys.authority(request.headers())?;
    let agent = agent_of(&request)?;
    let sdp = read_sdp(&app, request, SDP).await?;
    let offer = Offer { sdp, agent, authority: authority.clone() };
    let answer = app.ask(|port| async move { port.answer(offer).await }).await?;
    Ok(created(&app, answer, &authority)?)
}

/// `PATCH /v1/rtc/{call}`: more candidates, or an ICE restart.
pub(crate) async fn patch<P: Port>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let call = own_call(&app, &request)?;
    let if_match = precondition(request.headers())?;
    let fragment = read_sdp(&app, request, FRAGMENT).await?;
    let patch = Patch { fragment, if_match };
    let patched = app.ask(|port| async move { port.patch(&call, patch).await }).await?;
    match patched {
        Patched::Trickled => Ok(StatusCode::NO_CONTENT.into_response()),
        Patched::Restarted { fragment, etag } => {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static(FRAGMENT)),
                (header::ETAG, header_value(etag)?),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ];
            Ok((StatusCode::OK, headers, fragment).into_response())
        }
    }
}

/// `DELETE /v1/rtc/{call}`: hangs up. `If-Match` is ignored (RFC 9725 §4.2).
pub(crate) async fn end<P: Port>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let call = own_call(&app, &request)?;
    app.ask(|port| async move { port.end(&call).await }).await?;
    Ok(StatusCode::OK.into_response())
}

/// `OPTIONS /v1/rtc` that is not a CORS preflight: what may be posted and, for whom that can be told
/// without redeeming a join token, which ICE servers to use.
pub(crate) async fn options<P: Port>(
    State(app): State<Arc<App<P>>>,
    headers: HeaderMap,
) -> Response {
    let mut response = allow(ENDPOINT_METHODS);
    response.headers_mut().insert("accept-post", HeaderValue::from_static(SDP));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if app.keys.admit(&headers).is_ok() {
        append_links(response.headers_mut(), &app.port.ice_servers("options"));
    }
    response
}

/// `GET` of the endpoint or of a call: success without content (RFC 9725 §4.1). A call is not
/// looked up, so that the answer does not tell which ids exist.
pub(crate) async fn nothing() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// The name under which an id's owner gets TURN credentials: a digest, because a TURN user name
/// travels in the clear and an id gives power over the call.
pub(crate) fn turn_user(id: &str) -> String {
    Sha1::digest(id).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn created<P: Port>(
    app: &App<P>,
    answer: Answer,
    authority: &Authority,
) -> Result<Response, Refusal> {
    let location = format!("{PATH}/{}", app.keys.segment(&answer.call, authority));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(SDP)),
        (header::LOCATION, header_value(location)?),
        (header::ETAG, header_value(answer.etag)?),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let mut response = (StatusCode::CREATED, headers, answer.sdp).into_response();
    let servers = app.port.ice_servers(&turn_user(&answer.call));
    append_links(response.headers_mut(), &servers);
    Ok(response)
}

fn append_links(headers: &mut HeaderMap, servers: &[IceServer]) {
    for link in ice_links(servers) {
        headers.append(header::LINK, link);
    }
}

fn agent_of(request: &Request) -> Result<Option<String>, Problem> {
    let query = request.uri().query().unwrap_or_default();
    let agent = agent_query(query).map_err(|error| {
        let detail = format!("The query cannot be used: {error}.");
        Problem::new(Kind::Malformed, detail).field("query").received(query)
    })?;
    Ok(agent.map(str::to_owned))
}

fn own_call<P: Port>(app: &App<P>, request: &Request) -> Result<String, Problem> {
    let segment = id_in_path(request.uri().path(), "/v1/rtc/").ok_or_else(no_such_call)?;
    app.keys.own_call(segment, request.headers()).map(str::to_owned)
}

fn no_such_call() -> Problem {
    Problem::new(
        Kind::NotFound,
        "There is no such call. Use the path from the Location header of the 201.",
    )
}

/// The `If-Match` of a request; several headers are one list (RFC 9110 §5.3).
fn precondition(headers: &HeaderMap) -> Result<IfMatch, Problem> {
    let values: Vec<_> = headers
        .get_all(header::IF_MATCH)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    if values.is_empty() {
        return Ok(IfMatch::Missing);
    }
    let list = values.join(",");
    if_match(&list).map_err(|error| {
        let detail = format!(
            "The header cannot be used: {error}. Send the ETag of the 201 with its quotes, or `*` to \
             restart ICE."
        );
        Problem::new(Kind::Malformed, detail).field("If-Match").received(list.as_str())
    })
}

async fn read_sdp<P: Port>(
    app: &App<P>,
    request: Request,
    media_type: &'static str,
) -> Result<String, Problem> {
    let limits = &app.config.limits;
    let accept =
        Accept { media_type, bytes_max: limits.sdp_bytes_max, time_max: limits.body_time_max };
    let text = read_text(request, accept).await?;
    if text.is_empty() {
        let detail = format!("The body is empty. Send {media_type}.");
        return Err(Problem::new(Kind::Malformed, detail).field("body").received(0_u64));
    }
    Ok(text)
}

/// A header value that the port made.
fn header_value(text: String) -> Result<HeaderValue, Refusal> {
    HeaderValue::try_from(text)
        .map_err(|_| Refusal::Internal("an id or entity tag does not fit a header".to_owned()))
}
