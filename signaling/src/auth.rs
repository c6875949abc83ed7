//! Who asks: access keys, join tokens, and the principal that a call belongs to.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use crate::header::bearer;
use crate::port::Authority;
use crate::problem::{Kind, Problem};
use crate::secret::Secret;

/// Parts the call's id from the owner's mark in a call's path; unreserved in URLs, and in no id.
const OWNER_MARK: char = '~';
/// Bytes of the HMAC kept in the owner's mark: 96 bits cannot be guessed over a network.
const OWNER_MARK_BYTES: usize = 12;

/// The access keys, and what follows from having some.
///
/// A call's path is `/v1/rtc/{id}`; where access keys exist and the call was made with a join
/// token, it is `/v1/rtc/{id}~{mark}`, where the mark is an HMAC of id and token under the access
/// keys. `PATCH` and `DELETE` then need an access key, or the token that made the call. So the path
/// is bound to the principal, as RFC 9725 §4.4 wants, without a table of calls in this crate.
/// Without access keys the id itself, 128 random bits, is the authority.
#[derive(Debug)]
pub(crate) struct Keys {
    keys: Vec<Secret>,
}

impl Keys {
    pub(crate) fn new(keys: Vec<Secret>) -> Self {
        Self { keys }
    }

    /// On whose authority a request for a call is made.
    pub(crate) fn authority(&self, headers: &HeaderMap) -> Result<Authority, Problem> {
        let token = match bearer_token(headers)? {
            Some(token) => token,
            None if self.keys.is_empty() => return Ok(Authority::Open),
            None => return Err(token_needed("an access key or a session's join token")),
        };
        if self.is_access_key(token) {
            return Ok(Authority::AccessKey);
        }
        Ok(Authority::JoinToken(token.to_owned()))
    }

    /// Admits a request that join tokens are not enough for.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if self.keys.is_empty() {
            return Ok(());
        }
        match bearer_token(headers)? {
            Some(token) if self.is_access_key(token) => Ok(()),
            _ => Err(token_needed("an access key")),
        }
    }

    /// The last segment of the path of a new call.
    pub(crate) fn segment(&self, call: &str, authority: &Authority) -> String {
        match authority {
            Authority::JoinToken(token) if !self.keys.is_empty() => {
                format!("{call}{OWNER_MARK}{}", self.mark(call, token))
            }
            _ => call.to_owned(),
        }
    }

    /// The call that a path's last segment names, if the request comes from its owner.
    pub(crate) fn own_call<'a>(
        &self,
        segment: &'a str,
        headers: &HeaderMap,
    ) -> Result<&'a str, Problem> {
        let (call, mark) = segment.split_once(OWNER_MARK).unwrap_or((segment, ""));
        if self.keys.is_empty() {
            return Ok(call);
        }
        match self.authority(headers)? {
            Authority::JoinToken(token) => {
                let owns = self.mark(call, &token).as_bytes().ct_eq(mark.as_bytes());
                if owns.into() {
                    return Ok(call);
                }
                Err(token_needed("an access key or the token that the call was made with"))
            }
            Authority::Open | Authority::AccessKey => Ok(call),
        }
    }

    /// Compares with every key, whichever matches, so that the time taken does not say which.
    fn is_access_key(&self, token: &str) -> bool {
        self.keys.iter().fold(false, |found, key| found | key.matches(token))
    }

    fn mark(&self, call: &str, token: &str) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(b"antiphon call owner")
            .expect("HMAC takes a key of any length");
        // Lengths first, so that no two lists of parts give the same bytes.
        let keys = self.keys.iter().map(Secret::expose);
        for part in keys.chain([call, token]) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..OWNER_MARK_BYTES])
    }
}

/// The bearer token of a request; `None` if it has no `Authorization`.
fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let fault = if values.next().is_some() {
        "the header is given more than once".to_owned()
    } else {
        match value.to_str().map(bearer) {
            Ok(Ok(token)) => return Ok(Some(token)),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it is not ASCII".to_owned(),
        }
    };
    let detail = format!("Send `Authorization: Bearer TOKEN`; {fault}.");
    Err(Problem::new(Kind::Unauthorized, detail).field("Authorization"))
}

fn token_needed(what: &str) -> Problem {
    let detail = format!("Send `Authorization: Bearer TOKEN` with {what}.");
    Problem::new(Kind::Unauthorized, detail).field("Authorization")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(bearer: Option<&str>) -> HeaderMap {
        let value = bearer.map(|token| format!("Bearer {token}").parse().expect("ASCII"));
        value.map(|value| (header::AUTHORIZATION, value)).into_iter().collect()
    }

    fn keys(keys: &[&str]) -> Keys {
        Keys::new(keys.iter().map(|key| Secret::new(*key)).collect())
    }

    #[test]
    fn authority_follows_from_the_keys_and_the_bearer() {
        let token = |token: &str| Some(Authority::JoinToken(token.to_owned()));
        let rows = [
            (keys(&[]), None, Some(Authority::Open)),
            (keys(&[]), Some("t"), token("t")),
            (keys(&["k", "l"]), None, None),
            (keys(&["k", "l"]), Some("k"), Some(Authority::AccessKey)),
            (keys(&["k", "l"]), Some("l"), Some(Authority::AccessKey)),
            (keys(&["k", "l"]), Some("kl"), token("kl")),
        ];
        for (keys, bearer, expect) in rows {
            assert_eq!(keys.authority(&headers(bearer)).ok(), expect, "{bearer:?}");
        }
    }

    #[test]
    fn a_call_obeys_its_maker_and_access_keys_only() {
        let keys = keys(&["key"]);
        let made_by_token = keys.segment("call", &Authority::JoinToken("token".into()));
        let made_by_key = keys.segment("call", &Authority::AccessKey);
        assert_eq!(made_by_key, "call");
        let rows = [
            (&made_by_token, Some("token"), true),
            (&made_by_token, Some("key"), true),
            (&made_by_token, Some("other"), false),
            (&made_by_token, None, false),
            (&made_by_key, Some("key"), true),
            (&made_by_key, Some("token"), false),
            (&made_by_key, None, false),
        ];
        for (segment, bearer, expect) in rows {
            let call = keys.own_call(segment, &headers(bearer));
            assert_eq!(call.ok(), expect.then_some("call"), "{segment} {bearer:?}");
        }
        let other_call = made_by_token.replace("call", "call2");
        assert!(keys.own_call(&other_call, &headers(Some("token"))).is_err(), "the mark moved");
    }

    #[test]
    fn without_keys_the_id_is_enough() {
        let keys = keys(&[]);
        assert_eq!(keys.segment("call", &Authority::JoinToken("t".into())), "call");
        assert_eq!(keys.own_call("call", &headers(None)).ok(), Some("call"));
    }
}
