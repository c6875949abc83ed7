//! `ice_servers`: what clients are told of STUN and TURN.

use std::time::Duration;

use antiphon_signaling::Secret;
use antiphon_signaling::turn::{
    IceServersConfig, TurnAccess, TurnServer, check_stun_url, check_turn_url,
};

use super::Environment;
use super::file::strings;
use crate::yaml::{Errors, Fields, Place};

const TTL_DEFAULT: Duration = Duration::from_secs(3_600);
const TURN_SERVERS_MAX: usize = 16;

/// No servers: enough where clients can reach the media address directly.
pub(super) fn none() -> IceServersConfig {
    IceServersConfig { stun: Vec::new(), turn: Vec::new(), ttl: TTL_DEFAULT }
}

pub(super) fn decode(
    place: &Place<'_>,
    errors: &mut Errors,
    environment: &Environment,
) -> IceServersConfig {
    let mut config = none();
    let Some(mut fields) = place.fields(errors, &["stun", "turn", "credential_ttl_ms"]) else {
        return config;
    };
    config.ttl = fields.duration_ms("credential_ttl_ms", 60_000..=86_400_000, TTL_DEFAULT);
    config.stun = strings(&mut fields, "stun");
    for url in &config.stun {
        if let Err(problem) = check_stun_url(url) {
            fields.refuse("stun", format!("`{url}`: {problem}"));
        }
    }
    for server in fields.list("turn", TURN_SERVERS_MAX) {
        config.turn.extend(turn(&server, fields.errors(), environment));
    }
    config
}

fn turn(place: &Place<'_>, errors: &mut Errors, environment: &Environment) -> Option<TurnServer> {
    let known = ["urls", "secret_env", "username", "password_env"];
    let mut fields = place.fields(errors, &known)?;
    let urls = strings(&mut fields, "urls");
    if urls.is_empty() {
        fields.refuse("urls", "expected at least one TURN URL");
    }
    for url in &urls {
        if let Err(problem) = check_turn_url(url) {
            fields.refuse("urls", format!("`{url}`: {problem}"));
        }
    }
    let username = fields.string("username");
    let access = match (fields.string("secret_env"), username) {
        (Some(variable), None) => TurnAccess::Shared {
            secret: secret(&mut fields, "secret_env", &variable, environment)?,
        },
        (None, Some(username)) => {
            let variable = fields.required_string("password_env");
            let password = secret(&mut fields, "password_env", &variable, environment)?;
            TurnAccess::Static { username, password }
        }
        _ => {
            fields.refuse(
                "secret_env",
                "expected either `secret_env` (the secret shared with the TURN server) or \
                 `username` and `password_env`",
            );
            return None;
        }
    };
    Some(TurnServer { urls, access })
}

/// The secret in an environment variable that the file names under `key`.
fn secret(
    fields: &mut Fields<'_, '_>,
    key: &str,
    variable: &str,
    environment: &Environment,
) -> Option<Secret> {
    let value = environment.get(variable).map(Secret::new);
    if value.is_none() && !variable.is_empty() {
        fields.refuse(key, Environment::absence(variable));
    }
    value
}
