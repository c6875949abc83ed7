//! Sessions: a place in a call that was promised to somebody, redeemed by a join token.
//!
//! ```text
//! Waiting --token used in time--> Active --call over--> Ended --kept for a while--> gone
//!    '------ token expired ------------------------------^
//! ```

use std::time::{Duration, SystemTime};

use antiphon_signaling::port::{Refusal, Session, SessionState, SessionStatus};
use dashmap::DashMap;

use super::ids::random_id;
use crate::limits::{ENDED_SESSION_KEPT, SESSIONS_MAX};

/// Every session that was opened and not yet forgotten.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_id: DashMap<String, Entry>,
    /// Join token to session id. Taking the token out is what makes it good for one use only.
    tokens: DashMap<String, String>,
}

#[derive(Debug)]
struct Entry {
    agent: String,
    join_token: String,
    expires_at: SystemTime,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Waiting,
    Active { call: String },
    Ended { call: Option<String>, at: SystemTime },
}

/// What a redeemed token admits to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) session: String,
    pub(crate) agent: String,
}

impl Sessions {
    /// Opens a session whose token is good until `ttl` from `now`.
    pub(crate) fn open(
        &self,
        now: SystemTime,
        agent: String,
        ttl: Duration,
    ) -> Result<Session, Refusal> {
        self.forget_old(now);
        if self.by_id.len() >= SESSIONS_MAX {
            return Err(Refusal::Busy {
                problem: format!("{SESSIONS_MAX} sessions are open, which is the limit"),
                retry_after: Duration::from_secs(5),
            });
        }
        let (id, join_token) = (random_id()?, random_id()?);
        let expires_at = now + ttl;
        self.tokens.insert(join_token.clone(), id.clone());
        self.by_id.insert(
            id.clone(),
            Entry { agent, join_token: join_token.clone(), expires_at, stage: Stage::Waiting },
        );
        Ok(Session { id, join_token, expires_at })
    }

    /// Uses a join token up. Whatever the outcome, it is good for nothing afterwards.
    pub(crate) fn redeem(&self, now: SystemTime, token: &str) -> Result<Admission, Refusal> {
        let refused = || {
            Refusal::Unauthorized(
                "the token is neither an access key nor a join token that is known, in time and \
                 unused; check the key, or open a new session"
                    .to_owned(),
            )
        };
        let (_, session) = self.tokens.remove(token).ok_or_else(refused)?;
        let mut entry = self.by_id.get_mut(&session).ok_or_else(refused)?;
        if entry.expires_at <= now {
            entry.stage = Stage::Ended { call: None, at: now };
            return Err(refused());
        }
        Ok(Admission { agent: entry.agent.clone(), session: session.clone() })
    }

    /// Ties a redeemed session to its call. False if the session was closed meanwhile.
    pub(crate) fn started(&self, session: &str, call: &str) -> bool {
        let Some(mut entry) = self.by_id.get_mut(session) else { return false };
        entry.stage = Stage::Active { call: call.to_owned() };
        true
    }

    /// A redeemed token whose offer was refused: the caller may try again with the same token.
    pub(crate) fn not_started(&self, session: &str) {
        if let Some(entry) = self.by_id.get(session) {
            self.tokens.insert(entry.join_token.clone(), session.to_owned());
        }
    }

    /// The session's call is over.
    pub(crate) fn ended(&self, now: SystemTime, session: &str) {
        if let Some(mut entry) = self.by_id.get_mut(session) {
            let call = match &entry.stage {
                Stage::Active { call } => Some(call.clone()),
                Stage::Waiting => None,
                Stage::Ended { .. } => return,
            };
            entry.stage = Stage::Ended { call, at: now };
            self.tokens.remove(&entry.join_token);
        }
    }

    /// The session as it stands at `now`.
    pub(crate) fn status(&self, now: SystemTime, id: &str) -> Result<SessionStatus, Refusal> {
        let entry = self.by_id.get(id).ok_or_else(|| unknown(id))?;
        let (state, call) = match &entry.stage {
            Stage::Waiting if entry.expires_at <= now => (SessionState::Ended, None),
            Stage::Waiting => (SessionState::Waiting, None),
            Stage::Active { call } => (SessionState::Active, Some(call.clone())),
            Stage::Ended { call, .. } => (SessionState::Ended, call.clone()),
        };
        Ok(SessionStatus {
            id: id.to_owned(),
            agent: entry.agent.clone(),
            state,
            expires_at: entry.expires_at,
            call,
        })
    }

    /// Ends a session and says which call must end with it.
    pub(crate) fn close(&self, id: &str) -> Result<Option<String>, Refusal> {
        let (_, entry) = self.by_id.remove(id).ok_or_else(|| unknown(id))?;
        self.tokens.remove(&entry.join_token);
        Ok(match entry.stage {
            Stage::Active { call } => Some(call),
            Stage::Waiting | Stage::Ended { .. } => None,
        })
    }

    fn forget_old(&self, now: SystemTime) {
        self.by_id.retain(|_, entry| {
            let over_since = match &entry.stage {
                Stage::Active { .. } => return true,
                Stage::Waiting => entry.expires_at,
                Stage::Ended { at, .. } => *at,
            };
            let keep = now < over_since + ENDED_SESSION_KEPT;
            if !keep {
                self.tokens.remove(&entry.join_token);
            }
            keep
        });
    }
}

fn unknown(id: &str) -> Refusal {
    Refusal::NotFound(format!("there is no session '{id}'; it may have ended and been forgotten"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    fn noon() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn opened(sessions: &Sessions) -> Session {
        sessions.open(noon(), "guide".to_owned(), TTL).expect("there is room")
    }

    #[test]
    fn a_token_admits_once() {
        let sessions = Sessions::default();
        let session = opened(&sessions);
        let admission = sessions.redeem(noon(), &session.join_token).expect("the first use");
        assert_eq!(admission.agent, "guide");
        assert!(matches!(
            sessions.redeem(noon(), &session.join_token),
            Err(Refusal::Unauthorized(_))
        ));
    }

    #[test]
    fn a_token_expires() {
        let sessions = Sessions::default();
        let session = opened(&sessions);
        assert!(sessions.redeem(noon() + TTL, &session.join_token).is_err());
        let state = sessions.status(noon() + TTL, &session.id).expect("it is known").state;
        assert_eq!(state, SessionState::Ended);
    }

    #[test]
    fn a_refused_offer_gives_the_token_back() {
        let sessions = Sessions::default();
        let session = opened(&sessions);
        let admission = sessions.redeem(noon(), &session.join_token).expect("the first use");
        sessions.not_started(&admission.session);
        assert!(sessions.redeem(noon(), &session.join_token).is_ok());
    }

    #[test]
    fn the_state_follows_the_call() {
        let sessions = Sessions::default();
        let session = opened(&sessions);
        let state = || sessions.status(noon(), &session.id).expect("it is known").state;
        assert_eq!(state(), SessionState::Waiting);
        sessions.started(&session.id, "call-1");
        assert_eq!(state(), SessionState::Active);
        sessions.ended(noon(), &session.id);
        assert_eq!(state(), SessionState::Ended);
        assert_eq!(sessions.close(&session.id), Ok(None));
        assert!(matches!(sessions.close(&session.id), Err(Refusal::NotFound(_))));
    }

    #[test]
    fn closing_an_active_session_names_its_call() {
        let sessions = Sessions::default();
        let session = opened(&sessions);
        sessions.started(&session.id, "call-1");
        assert_eq!(sessions.close(&session.id), Ok(Some("call-1".to_owned())));
        assert!(!sessions.started(&session.id, "call-2"), "nobody owns what starts now");
    }

    #[test]
    fn ended_sessions_are_forgotten_and_make_room() {
        let sessions = Sessions::default();
        for _ in 0..SESSIONS_MAX {
            opened(&sessions);
        }
        let full = sessions.open(noon(), "guide".to_owned(), TTL);
        assert!(matches!(full, Err(Refusal::Busy { .. })));
        let later = noon() + TTL + ENDED_SESSION_KEPT;
        assert!(sessions.open(later, "guide".to_owned(), TTL).is_ok());
        assert_eq!(sessions.tokens.len(), 1);
    }
}
