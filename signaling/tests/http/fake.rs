//! A port whose answers follow from the text of the request.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use antiphon_signaling::port::{
    Answer, IceServer, Offer, Patch, Patched, Port, Refusal, Session, SessionRequest, SessionState,
    SessionStatus,
};
use tokio::sync::Semaphore;

/// The entity tag of every call.
pub(crate) const ETAG: &str = "\"ice-1\"";

pub(crate) struct FakePort {
    pub(crate) offers: Mutex<Vec<Offer>>,
    pub(crate) patches: Mutex<Vec<(String, Patch)>>,
    pub(crate) session_requests: Mutex<Vec<SessionRequest>>,
    /// One permit for each offer `slow` that has arrived.
    pub(crate) arrived: Semaphore,
    /// An offer `slow` takes a permit before it is answered.
    pub(crate) released: Semaphore,
    /// One permit for each offer `slow` that was answered.
    pub(crate) answered: Semaphore,
    pub(crate) not_ready: Mutex<Option<String>>,
}

impl Default for FakePort {
    fn default() -> Self {
        Self {
            offers: Mutex::default(),
            patches: Mutex::default(),
            session_requests: Mutex::default(),
            arrived: Semaphore::new(0),
            released: Semaphore::new(0),
            answered: Semaphore::new(0),
            not_ready: Mutex::default(),
        }
    }
}

/// What the port says to a text that asks to be refused.
fn refusal(text: &str) -> Option<Refusal> {
    let problem = "Because the test says so.".to_owned();
    Some(match text {
        "malformed" => Refusal::Malformed { field: "sdp", problem },
        "unprocessable" => Refusal::Unprocessable { field: "sdp", problem },
        "unauthorized" => Refusal::Unauthorized(problem),
        "lost" => Refusal::NotFound(problem),
        "stale" => Refusal::PreconditionFailed(problem),
        "untagged" => Refusal::PreconditionRequired(problem),
        "busy" => Refusal::Busy { problem, retry_after: Duration::from_millis(2_500) },
        "broken" => Refusal::Internal("the secret reason".to_owned()),
        "panic" => panic!("the port panics because a test asked it to"),
        _ => return None,
    })
}

fn refused(text: &str) -> Result<(), Refusal> {
    refusal(text).map_or(Ok(()), Err)
}

impl Port for FakePort {
    async fn answer(&self, offer: Offer) -> Result<Answer, Refusal> {
        refused(&offer.sdp)?;
        if offer.sdp == "slow" {
            self.arrived.add_permits(1);
            self.released.acquire().await.expect("never closed").forget();
            self.answered.add_permits(1);
        }
        let sdp = format!("answer to {}", offer.sdp);
        self.offers.lock().expect("no panic while held").push(offer);
        Ok(Answer { call: "call-1".to_owned(), sdp, etag: ETAG.to_owned() })
    }

    async fn patch(&self, call: &str, patch: Patch) -> Result<Patched, Refusal> {
        refused(call)?;
        refused(&patch.fragment)?;
        let restart = patch.fragment == "restart";
        self.patches.lock().expect("no panic while held").push((call.to_owned(), patch));
        if restart {
            return Ok(Patched::Restarted { fragment: "ours".into(), etag: "\"ice-2\"".into() });
        }
        Ok(Patched::Trickled)
    }

    async fn end(&self, call: &str) -> Result<(), Refusal> {
        refused(call)
    }

    async fn open_session(&self, request: SessionRequest) -> Result<Session, Refusal> {
        refused(request.agent.as_deref().unwrap_or_default())?;
        self.session_requests.lock().expect("no panic while held").push(request);
        Ok(Session {
            id: "session-1".to_owned(),
            join_token: "token-1".to_owned(),
            expires_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        })
    }

    async fn session(&self, id: &str) -> Result<SessionStatus, Refusal> {
        refused(id)?;
        Ok(SessionStatus {
            id: id.to_owned(),
            agent: "tour".to_owned(),
            state: SessionState::Waiting,
            expires_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
            call: None,
        })
    }

    async fn close_session(&self, id: &str) -> Result<(), Refusal> {
        refused(id)
    }

    fn ice_servers(&self, user: &str) -> Vec<IceServer> {
        let stun = IceServer { urls: vec!["stun:s:3478".into()], username: None, credential: None };
        let turn = IceServer {
            urls: vec!["turn:t:3478?transport=udp".into()],
            username: Some(format!("1:{user}")),
            credential: Some("c".to_owned()),
        };
        vec![stun, turn]
    }

    fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }

    fn readiness(&self) -> Result<(), String> {
        self.not_ready.lock().expect("no panic while held").clone().map_or(Ok(()), Err)
    }
}
