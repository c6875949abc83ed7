//! ICE servers for clients: STUN addresses, and TURN servers with credentials that expire.
//!
//! Time-limited credentials are those of `draft-uberti-behave-turn-rest-00`, which coturn calls
//! `use-auth-secret`: the user name is `<expiry, Unix seconds>:<user>`, the password is the base64
//! of HMAC-SHA1 over that name, keyed with a secret shared with the TURN server. The server checks
//! the expiry when an allocation is made, not afterwards, so a call may outlive its credentials.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use crate::port::IceServer;
use crate::secret::Secret;

/// The ICE servers that clients are told of.
#[derive(Clone, Debug)]
pub struct IceServersConfig {
    /// STUN URLs, such as `stun:stun.example.com:3478`.
    pub stun: Vec<String>,
    /// TURN servers.
    pub turn: Vec<TurnServer>,
    /// How long credentials admit. They are needed at the call's start and at ICE restarts, so one
    /// to two hours are enough for any call.
    pub ttl: Duration,
}

/// One TURN server.
#[derive(Clone, Debug)]
pub struct TurnServer {
    /// Its URLs in the order to try, such as `turn:turn.example.com:3478?transport=udp` and, last,
    /// `turns:turn.example.com:443?transport=tcp`.
    pub urls: Vec<String>,
    /// How clients authenticate.
    pub access: TurnAccess,
}

/// How clients authenticate with a TURN server.
#[derive(Clone, Debug)]
pub enum TurnAccess {
    /// Credentials that expire, made with the secret shared with the TURN server.
    Shared { secret: Secret },
    /// The same name and password for everyone, for ever. Anyone who was ever told them can use
    /// the relay; prefer `Shared`.
    Static { username: String, password: Secret },
}

/// Why a URL does not name an ICE server (RFC 7064, RFC 7065).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IceUrlError {
    /// The scheme is not one of those expected here.
    #[error("the URL must begin with {0}")]
    Scheme(&'static str),
    /// No host, or a character that neither a host nor a URL in a header may have.
    #[error("the host is missing or holds a character that is not allowed")]
    Host,
    /// Not a number from 1 to 65535.
    #[error("the port must be a number from 1 to 65535")]
    Port,
    /// Something after `?` other than `transport=udp` or `transport=tcp`, or anything with STUN.
    #[error("only TURN URLs have a query, and only `?transport=udp` or `?transport=tcp`")]
    Query,
}

impl IceServersConfig {
    /// The servers for `user` at `now`. Characters of `user` that coturn could misread are dropped.
    pub fn ice_servers(&self, user: &str, now: SystemTime) -> Vec<IceServer> {
        let stun = (!self.stun.is_empty()).then(|| IceServer {
            urls: self.stun.clone(),
            username: None,
            credential: None,
        });
        let turn = self.turn.iter().map(|server| {
            let (username, credential) = match &server.access {
                TurnAccess::Shared { secret } => timed_credential(secret, user, now + self.ttl),
                TurnAccess::Static { username, password } => {
                    (username.clone(), password.expose().to_owned())
                }
            };
            IceServer {
                urls: server.urls.clone(),
                username: Some(username),
                credential: Some(credential),
            }
        });
        stun.into_iter().chain(turn).collect()
    }

    /// Everything wrong with the URLs, each with the URL it is about.
    pub fn errors(&self) -> Vec<(String, IceUrlError)> {
        let stun = self.stun.iter().map(|url| (url, check_stun_url(url)));
        let turn = self.turn.iter().flat_map(|server| &server.urls);
        let turn = turn.map(|url| (url, check_turn_url(url)));
        stun.chain(turn).filter_map(|(url, checked)| Some((url.clone(), checked.err()?))).collect()
    }
}

/// Checks `stun:host[:port]` or `stuns:...`.
pub fn check_stun_url(url: &str) -> Result<(), IceUrlError> {
    let rest =
        strip_scheme(url, ["stun:", "stuns:"]).ok_or(IceUrlError::Scheme("`stun:` or `stuns:`"))?;
    if rest.contains('?') {
        return Err(IceUrlError::Query);
    }
    check_host_port(rest)
}

/// Checks `turn:host[:port][?transport=udp|tcp]` or `turns:...`.
pub fn check_turn_url(url: &str) -> Result<(), IceUrlError> {
    let rest =
        strip_scheme(url, ["turn:", "turns:"]).ok_or(IceUrlError::Scheme("`turn:` or `turns:`"))?;
    let host_port = match rest.split_once('?') {
        Some((host_port, "transport=udp" | "transport=tcp")) => host_port,
        Some(_) => return Err(IceUrlError::Query),
        None => rest,
    };
    check_host_port(host_port)
}

fn strip_scheme<'a>(url: &'a str, schemes: [&str; 2]) -> Option<&'a str> {
    schemes.into_iter().find_map(|scheme| url.strip_prefix(scheme))
}

fn check_host_port(text: &str) -> Result<(), IceUrlError> {
    let host_end = match text.strip_prefix('[') {
        Some(inside) => inside.find(']').map(|end| end + 2).ok_or(IceUrlError::Host)?,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(host_end);
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(legal),
    };
    if !is_host {
        return Err(IceUrlError::Host);
    }
    let digits = match port.strip_prefix(':') {
        Some(digits) => digits,
        None if port.is_empty() => return Ok(()),
        None => return Err(IceUrlError::Host),
    };
    let is_port = digits.bytes().all(|byte| byte.is_ascii_digit())
        && digits.parse::<u16>().is_ok_and(|port| port > 0);
    if is_port { Ok(()) } else { Err(IceUrlError::Port) }
}

/// User name and password that admit until `expiry`.
fn timed_credential(secret: &Secret, user: &str, expiry: SystemTime) -> (String, String) {
    let since_epoch = expiry.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let user: String = user.chars().filter(is_safe_in_user).collect();
    let username = format!("{}:{user}", since_epoch.as_secs());
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(username.as_bytes());
    let credential = STANDARD.encode(mac.finalize().into_bytes());
    (username, credential)
}

/// No separator, so that coturn finds one timestamp only.
fn is_safe_in_user(character: &char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> IceServersConfig {
        IceServersConfig {
            stun: vec!["stun:s:1".into(), "stun:s:2".into()],
            turn: vec![
                TurnServer {
                    urls: vec!["turn:t?transport=udp".into()],
                    access: TurnAccess::Shared { secret: Secret::new("testsecret") },
                },
                TurnServer {
                    urls: vec!["turns:u:443".into()],
                    access: TurnAccess::Static {
                        username: "name".into(),
                        password: Secret::new("word"),
                    },
                },
            ],
            ttl: Duration::from_secs(3_600),
        }
    }

    #[test]
    fn credentials_are_those_that_coturn_computes() {
        // Computed with `printf 1700000000:alice | openssl dgst -sha1 -hmac testsecret -binary`.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 - 3_600);
        let servers = config().ice_servers("al:i ce", now);
        let parts: Vec<_> = servers
            .iter()
            .map(|s| (s.urls.len(), s.username.as_deref(), s.credential.as_deref()))
            .collect();
        let expect = [
            (2, None, None),
            (1, Some("1700000000:alice"), Some("xZKofrfxA71u/OUNpsn3mAi1q24=")),
            (1, Some("name"), Some("word")),
        ];
        assert_eq!(parts, expect);
    }

    #[test]
    fn secrets_are_not_in_the_debug_form() {
        let config = config();
        let servers = config.ice_servers("alice", SystemTime::UNIX_EPOCH);
        let printed = format!("{config:?} {servers:?}");
        let made = servers[1].credential.clone().expect("TURN servers have one");
        for secret in ["testsecret", "word\"", made.as_str()] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }

    #[test]
    fn urls_are_checked_and_all_errors_told() {
        let rows = [
            ("turn:t", Ok(())),
            ("turn:t.example.com:3478?transport=udp", Ok(())),
            ("turns:[2001:db8::1]:443?transport=tcp", Ok(())),
            ("turn:[::1]", Ok(())),
            ("stun:t", Err(IceUrlError::Scheme("`turn:` or `turns:`"))),
            ("turn:", Err(IceUrlError::Host)),
            ("turn://t", Err(IceUrlError::Host)),
            ("turn:u@t", Err(IceUrlError::Host)),
            ("turn:[::1", Err(IceUrlError::Host)),
            ("turn:[::1]x", Err(IceUrlError::Host)),
            ("turn:[t]", Err(IceUrlError::Host)),
            ("turn:t:", Err(IceUrlError::Port)),
            ("turn:t:0", Err(IceUrlError::Port)),
            ("turn:t:+1", Err(IceUrlError::Port)),
            ("turn:t:65536", Err(IceUrlError::Port)),
            ("turn:t?transport=sctp", Err(IceUrlError::Query)),
        ];
        for (url, expect) in rows {
            assert_eq!(check_turn_url(url), expect, "{url:?}");
        }
        assert_eq!(check_stun_url("stuns:s:5349"), Ok(()));
        assert_eq!(check_stun_url("stun:s?transport=udp"), Err(IceUrlError::Query));
        let mut config = config();
        config.stun.push("stun:".into());
        config.turn[1].urls.push("http:x".into());
        let urls: Vec<_> = config.errors().into_iter().map(|(url, _)| url).collect();
        assert_eq!(urls, ["stun:", "http:x"]);
    }
}
