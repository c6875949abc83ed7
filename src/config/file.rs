//! The configuration file's top level.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use antiphon_signaling::header::is_agent_name;

use super::{BUILT_IN_AGENT, Config, Environment, RecordingsConfig, agents, ice};
use crate::flight::Kind;
use crate::limits::{CALLS_MAX, SESSION_TTL_MAX};
use crate::yaml::{self, Errors, Fields, YamlError};

const AGENTS_MAX: usize = 1_000;
const LIST_MAX: usize = 64;

pub(super) fn parse(
    text: &str,
    folder: Option<&Path>,
    environment: &Environment,
) -> Result<Config, Vec<YamlError>> {
    let root = yaml::parse(text)?;
    let mut errors = Errors::new();
    let mut config = Config::defaults(environment);
    let known = [
        "http",
        "media",
        "ice_servers",
        "runtime_dir",
        "recordings",
        "calls_max",
        "sessions",
        "default_agent",
        "agents",
    ];
    if let Some(mut fields) = root.root().fields(&mut errors, &known) {
        http(&mut fields, &mut config);
        media(&mut fields, &mut config);
        if let Some(servers) = fields.place("ice_servers") {
            config.ice_servers = ice::decode(&servers, fields.errors(), environment);
        }
        if let Some(dir) = fields.string("runtime_dir") {
            config.runtime_dir = agents::resolve(folder, &dir);
        }
        recordings(&mut fields, &mut config, folder);
        config.calls_max =
            fields.u64_in("calls_max", 1..=CALLS_MAX as u64, config.calls_max as u64) as usize;
        if let Some(mut sessions) = fields.fields("sessions", &["ttl_ms"]) {
            let range_ms = 1_000..=SESSION_TTL_MAX.as_millis() as u64;
            config.session_ttl = sessions.duration_ms("ttl_ms", range_ms, config.session_ttl);
        }
        agents(&mut fields, &mut config, folder, environment);
    }
    errors.into_result(config)
}

fn http(fields: &mut Fields<'_, '_>, config: &mut Config) {
    let known = ["listen", "allowed_origins", "public_url"];
    let Some(mut http) = fields.fields("http", &known) else { return };
    if let Some(listen) = socket(&mut http, "listen") {
        config.http.listen = listen;
        // Media follows HTTP to its address unless the file places it.
        config.media = super::MediaConfig::beside(listen.ip());
    }
    config.http.allowed_origins = strings(&mut http, "allowed_origins");
    if let Some(url) = http.string("public_url") {
        if url.starts_with("https://") || url.starts_with("http://") {
            config.http.public_url = Some(url.trim_end_matches('/').to_owned());
        } else {
            http.refuse("public_url", format!("expected http:// or https://, received `{url}`"));
        }
    }
}

fn media(fields: &mut Fields<'_, '_>, config: &mut Config) {
    let Some(mut media) = fields.fields("media", &["udp", "tcp", "advertise"]) else { return };
    if let Some(udp) = socket(&mut media, "udp") {
        config.media.udp = udp;
        config.media.tcp = Some(udp);
    }
    match media.string("tcp").as_deref() {
        None => {}
        Some("off") => config.media.tcp = None,
        Some(_) => config.media.tcp = socket(&mut media, "tcp").or(config.media.tcp),
    }
    for place in media.list("advertise", LIST_MAX) {
        let errors = media.errors();
        match place.string(errors).map(|text| text.parse::<IpAddr>()) {
            Some(Ok(ip)) => config.media.advertise.push(ip),
            Some(Err(_)) => place.expected(errors, "an IP address such as 203.0.113.7"),
            None => {}
        }
    }
}

fn recordings(fields: &mut Fields<'_, '_>, config: &mut Config, folder: Option<&Path>) {
    let Some(mut recordings) = fields.fields("recordings", &["directory", "consent"]) else {
        return;
    };
    let consents = [("none", Kind::Features), ("full", Kind::Full)];
    let kind = recordings.choice("consent", &consents, Kind::Features);
    match recordings.string("directory") {
        Some(directory) => {
            let directory = agents::resolve(folder, &directory);
            config.recordings = Some(RecordingsConfig { directory, kind });
        }
        None if kind == Kind::Full => {
            let problem = "nothing is recorded without a directory; set recordings.directory";
            recordings.refuse("consent", problem);
        }
        None => {}
    }
}

fn agents(
    fields: &mut Fields<'_, '_>,
    config: &mut Config,
    folder: Option<&Path>,
    environment: &Environment,
) {
    let entries = fields.map("agents", AGENTS_MAX);
    if !entries.is_empty() {
        for (name, place) in &entries {
            if !is_agent_name(name) {
                place.expected(
                    fields.errors(),
                    "a name of 1 to 64 letters, digits, `_`, `.` and `-`",
                );
            }
        }
        let mut fallbacks = Vec::new();
        config.agents = BTreeMap::new();
        for (name, place) in entries {
            let (profile, named) = agents::decode(&place, fields.errors(), folder, environment);
            config.agents.insert(name.to_owned(), profile);
            fallbacks.push((name.to_owned(), named));
        }
        agents::resolve_fallbacks(&mut config.agents, fallbacks, fields.errors());
        let first = config.agents.keys().next().expect("there is at least one").clone();
        config.default_agent = if config.agents.contains_key(BUILT_IN_AGENT) {
            BUILT_IN_AGENT.to_owned()
        } else {
            first
        };
    }
    if let Some(name) = fields.string("default_agent") {
        if config.agents.contains_key(&name) {
            config.default_agent = name;
        } else {
            let names = config.agents.keys().map(String::as_str).collect::<Vec<_>>().join("`, `");
            fields.refuse("default_agent", format!("expected one of `{names}`, received `{name}`"));
        }
    }
}

fn socket(fields: &mut Fields<'_, '_>, key: &str) -> Option<SocketAddr> {
    let text = fields.string(key)?;
    let parsed = text.parse().ok();
    if parsed.is_none() {
        fields.refuse(
            key,
            format!("expected ADDRESS:PORT such as 127.0.0.1:8080, received `{text}`"),
        );
    }
    parsed
}

pub(super) fn strings(fields: &mut Fields<'_, '_>, key: &str) -> Vec<String> {
    let places = fields.list(key, LIST_MAX);
    places.iter().filter_map(|place| place.string(fields.errors())).collect()
}
