//! `/v1/session`: sessions registered by a product's own server, which hands the join token on.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::app::{App, id_in_path};
use crate::body::{Accept, read_text};
use crate::header::is_agent_name;
use crate::limits::{AGENT_CHARS_MAX, JSON_BYTES_MAX, SESSION_TTL_S_MAX};
use crate::port::{IceServer, Port, Refusal, Session, SessionRequest, SessionState};
use crate::problem::{Kind, Problem};
use crate::rtc;

pub(crate) const PATH: &str = "/v1/session";
pub(crate) const ENDPOINT_METHODS: &str = "POST, OPTIONS";
pub(crate) const SESSION_METHODS: &str = "GET, HEAD, DELETE, OPTIONS";

/// The answer to `POST /v1/session`.
#[derive(Serialize)]
struct Registered {
    session_id: String,
    join_token: String,
    rtc_url: String,
    ice_servers: Vec<IceServer>,
    /// RFC 3339, UTC, whole seconds.
    expires_at: String,
}

/// The answer to `GET /v1/session/{id}`.
#[derive(Serialize)]
struct Status {
    session_id: String,
    agent: String,
    state: SessionState,
    /// RFC 3339, UTC, whole seconds.
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<String>,
}

/// Why the body of `POST /v1/session` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not JSON; the text says where.
    #[error("The body is not JSON: {0}.")]
    NotJson(String),
    /// JSON, but an array, a string...
    #[error("The body must be a JSON object, or empty.")]
    NotAnObject,
    /// A member that does not exist.
    #[error("There is no member `{0}`; the members are `agent` and `ttl_s`.")]
    UnknownMember(String),
    /// A member of another type, or a name that is none.
    #[error("`{member}` must be {expect}.")]
    BadMember { member: &'static str, expect: String },
    /// A whole number of seconds that is out of range.
    #[error("`ttl_s` must be 1 to {SESSION_TTL_S_MAX} seconds.")]
    TtlOutOfRange(u64),
}

/// Reads the body of `POST /v1/session`; an empty one asks for the defaults.
pub fn parse_request(body: &str) -> Result<SessionRequest, RequestError> {
    let mut request = SessionRequest { agent: None, ttl: None };
    if body.trim().is_empty() {
        return Ok(request);
    }
    let value = serde_json::from_str(body)
        .map_err(|error: serde_json::Error| RequestError::NotJson(error.to_string()))?;
    let Value::Object(members) = value else {
        return Err(RequestError::NotAnObject);
    };
    read_members(members, &mut request)?;
    Ok(request)
}

fn read_members(
    members: Map<String, Value>,
    request: &mut SessionRequest,
) -> Result<(), RequestError> {
    for (name, value) in members {
        match name.as_str() {
            "agent" => {
                let agent = value.as_str().filter(|agent| is_agent_name(agent));
                let agent = agent.ok_or_else(|| RequestError::BadMember {
                    member: "agent",
                    expect: format!("1 to {AGENT_CHARS_MAX} letters, digits, `-`, `_` and `.`"),
                })?;
                request.agent = Some(agent.to_owned());
            }
            "ttl_s" => {
                let ttl_s = value.as_u64().ok_or_else(|| RequestError::BadMember {
                    member: "ttl_s",
                    expect: "a whole number of seconds".to_owned(),
                })?;
                if !(1..=SESSION_TTL_S_MAX).contains(&ttl_s) {
                    return Err(RequestError::TtlOutOfRange(ttl_s));
                }
                request.ttl = Some(Duration::from_secs(ttl_s));
            }
            _ => return Err(RequestError::UnknownMember(name)),
        }
    }
    Ok(())
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        let detail = error.to_string();
        match error {
            RequestError::NotJson(_) | RequestError::NotAnObject => {
                Self::new(Kind::Malformed, detail).field("body")
            }
            RequestError::UnknownMember(name) => {
                let problem = Self::new(Kind::Malformed, detail).limit("agent, ttl_s");
                problem.received(name.as_str()).field("body")
            }
            RequestError::BadMember { member, .. } => {
                Self::new(Kind::Malformed, detail).field(member)
            }
            RequestError::TtlOutOfRange(ttl_s) => Self::new(Kind::Unprocessable, detail)
                .field("ttl_s")
                .limit(SESSION_TTL_S_MAX)
                .received(ttl_s),
        }
    }
}

/// `POST /v1/session`.
pub(crate) async fn open<P: Port>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    app.keys.admit(request.headers())?;
    let accept = Accept {
        media_type: "application/json",
        bytes_max: JSON_BYTES_MAX,
        time_max: app.config.limits.body_time_max,
    };
    let wish = parse_request(&read_text(request, accept).await?)?;
    let session = app.ask(|port| async move { port.open_session(wish).await }).await?;
    Ok(registered(&app, session)?)
}

/// `GET /v1/session/{id}`.
pub(crate) async fn show<P: Port>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let id = session_of(&app, &request)?;
    let status = app.ask(|port| async move { port.session(&id).await }).await?;
    let document = Status {
        session_id: status.id,
        agent: status.agent,
        state: status.state,
        expires_at: rfc_3339(status.expires_at)?,
        call: status.call,
    };
    Ok(json(StatusCode::OK, &document))
}

/// `DELETE /v1/session/{id}`: ends it and its call.
pub(crate) async fn close<P: Port>(
    State(app): State<Arc<App<P>>>,
    request: Request,
) -> Result<Response, Problem> {
    let id = session_of(&app, &request)?;
    app.ask(|port| async move { port.close_session(&id).await }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn registered<P: Port>(app: &App<P>, session: Session) -> Result<Response, Refusal> {
    let location = HeaderValue::try_from(format!("{PATH}/{}", session.id))
        .map_err(|_| Refusal::Internal("a session id does not fit a header".to_owned()))?;
    let base = app.config.public_url.as_deref().unwrap_or_default().trim_end_matches('/');
    let document = Registered {
        rtc_url: format!("{base}{}", rtc::PATH),
        ice_servers: app.port.ice_servers(&rtc::turn_user(&session.id)),
        expires_at: rfc_3339(session.expires_at)?,
        session_id: session.id,
        join_token: session.join_token,
    };
    let mut response = json(StatusCode::CREATED, &document);
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

fn session_of<P: Port>(app: &App<P>, request: &Request) -> Result<String, Problem> {
    app.keys.admit(request.headers())?;
    let id = id_in_path(request.uri().path(), "/v1/session/").ok_or_else(|| {
        Problem::new(Kind::NotFound, "There is no such session. Use the `session_id` of the 201.")
    })?;
    Ok(id.to_owned())
}

fn rfc_3339(time: SystemTime) -> Result<String, Refusal> {
    let out_of_range = || Refusal::Internal("an expiry time is out of range".to_owned());
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| out_of_range())?;
    let seconds = i64::try_from(seconds.as_secs()).map_err(|_| out_of_range())?;
    let timestamp = jiff::Timestamp::from_second(seconds).map_err(|_| out_of_range())?;
    Ok(timestamp.to_string())
}

pub(crate) fn json(status: StatusCode, document: &impl Serialize) -> Response {
    let body = serde_json::to_vec(document).expect("strings and numbers always serialize");
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_member_by_member() {
        let bad = |member, expect: &str| RequestError::BadMember { member, expect: expect.into() };
        let seconds = "a whole number of seconds";
        let name = "1 to 64 letters, digits, `-`, `_` and `.`";
        let rows = [
            ("", Ok((None, None))),
            ("  \r\n", Ok((None, None))),
            ("{}", Ok((None, None))),
            (r#"{"agent":"tour","ttl_s":60}"#, Ok((Some("tour"), Some(60)))),
            (r#"{"ttl_s":3600}"#, Ok((None, Some(3_600)))),
            (r#"{"ttl_s":0}"#, Err(RequestError::TtlOutOfRange(0))),
            (r#"{"ttl_s":3601}"#, Err(RequestError::TtlOutOfRange(3_601))),
            (r#"{"ttl_s":-1}"#, Err(bad("ttl_s", seconds))),
            (r#"{"ttl_s":1.5}"#, Err(bad("ttl_s", seconds))),
            (r#"{"ttl_s":"60"}"#, Err(bad("ttl_s", seconds))),
            (r#"{"ttl_s":null}"#, Err(bad("ttl_s", seconds))),
            (r#"{"agent":7}"#, Err(bad("agent", name))),
            (r#"{"agent":""}"#, Err(bad("agent", name))),
            (r#"{"agent":"a b"}"#, Err(bad("agent", name))),
            (r#"{"ttl":1}"#, Err(RequestError::UnknownMember("ttl".into()))),
            ("[]", Err(RequestError::NotAnObject)),
            ("null", Err(RequestError::NotAnObject)),
        ];
        for (body, expect) in rows {
            let request = parse_request(body);
            let parts = request
                .as_ref()
                .map(|r| (r.agent.as_deref(), r.ttl.map(|ttl| ttl.as_secs())))
                .map_err(Clone::clone);
            assert_eq!(parts, expect, "{body:?}");
        }
        for body in ["{", "{}x", "{\"a\"}", &"[".repeat(1_000)] {
            assert!(matches!(parse_request(body), Err(RequestError::NotJson(_))), "{body:?}");
        }
    }

    #[test]
    fn times_are_written_as_rfc_3339_has_it() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_999);
        assert_eq!(rfc_3339(time).as_deref(), Ok("2023-11-14T22:13:20Z"));
        assert!(rfc_3339(SystemTime::UNIX_EPOCH - Duration::from_secs(1)).is_err());
    }
}
