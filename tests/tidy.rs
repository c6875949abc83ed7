//! The house rules that a compiler does not check: which room may know which, who owns which outside
//! world, and how long a file may be.
//!
//! A new arrow between rooms is a design decision. It is added to [`ARROWS`] in a commit of its own,
//! with the reason, or the code is moved so that it is not needed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms of `src/` each room may use. `call::event` is the shared vocabulary: naming it alone
/// does not let a room know the rest of `call`.
const ARROWS: &[(&str, &[&str])] = &[
    // Pure.
    ("time", &[]),
    ("limits", &[]),
    ("yaml", &["limits"]),
    ("script", &["yaml", "call::event", "time", "limits"]),
    ("rtp", &["time", "limits"]),
    ("sdp", &["limits"]),
    ("dsp", &["limits"]),
    ("call", &["time", "limits"]),
    ("rtvi", &["call::event", "limits", "time"]),
    ("media", &["rtp", "dsp", "call::event", "time", "limits"]),
    ("agent", &["media", "call", "dsp", "time", "limits"]),
    // Tells the whole core again what it was told, and its settings with it.
    ("flight", &["agent", "call", "media", "rtp", "dsp", "time", "limits"]),
    ("nova", &["call::event", "media::frame", "time", "limits", "tools"]),
    ("tools", &["time", "limits"]),
    ("cascade", &["call::event", "tools", "time", "limits"]),
    // Shell.
    (
        "backend",
        &[
            "agent",
            "cascade",
            "nova",
            "tools",
            "dsp::resample",
            "media::frame",
            "call::event",
            "script",
            "yaml",
            "time",
            "limits",
        ],
    ),
    (
        "peer",
        &[
            "agent",
            "backend",
            "flight",
            "media",
            "dsp",
            "rtp",
            "sdp",
            "rtvi",
            "metrics",
            "call::event",
            "time",
            "limits",
        ],
    ),
    ("metrics", &["call::event"]),
    (
        "config",
        &[
            "yaml", "script", "agent", "backend", "cascade", "nova", "tools", "flight", "peer",
            "media", "dsp", "rtp", "call", "limits",
        ],
    ),
    (
        "server",
        &[
            "peer",
            "backend",
            "agent",
            "media",
            "sdp",
            "config",
            "telemetry",
            "metrics",
            "dsp",
            "call::event",
            // Lists the tools of an agent's servers once, before its backend is built.
            "tools",
            "limits",
        ],
    ),
    // Writes what calls record; its tests make a call.
    ("telemetry", &["config", "flight", "agent", "peer", "media", "dsp", "time", "limits"]),
    // The command that replays recordings: no server, no network.
    ("replay", &["flight", "config", "agent", "media", "dsp", "call::event", "time", "limits"]),
    ("main", &["server", "config", "telemetry", "replay"]),
];

/// Rooms that are told the time and touch nothing outside.
const PURE: &[&str] = &[
    "time", "limits", "yaml", "script", "rtp", "sdp", "dsp", "call", "rtvi", "media", "agent",
    "flight", "nova", "tools", "cascade",
];

/// Outside worlds, each with its owners (path prefixes from the root).
const OWNERS: &[(&str, &[&str])] = &[
    // `signaling` has a module of that name.
    ("rtc::", &["src/peer/webrtc", "client/peer/", "signaling/", "tests/"]),
    // `peer` has a module of that name, which is about `rtc`.
    ("webrtc::", &["src/peer.rs", "client/peer/", "tests/"]),
    ("axum::", &["signaling/", "tests/", "client/peer/tests/"]),
    ("opus::", &["src/media/opus", "client/peer/", "tests/"]),
    ("ort::", &["src/dsp/onnx", "src/dsp/silero", "src/dsp/smart_turn"]),
    ("nnnoiseless::", &["src/dsp/denoise"]),
    ("sonora_aec3::", &["src/dsp/echo"]),
    ("sonora_fft::", &["src/dsp/echo"]),
    ("sonora_ns::", &["src/dsp/denoise"]),
    ("saphyr_parser::", &["src/yaml"]),
    ("jsonschema::", &["src/tools"]),
    (
        "aws_sdk_bedrockruntime::",
        &["src/backend/nova_sonic", "src/backend/cascade/llm/converse", "tests/nova-sim/"],
    ),
    ("aws_sdk_polly::", &["src/backend/cascade/tts/polly"]),
    ("aws_sdk_transcribestreaming::", &["src/backend/cascade/asr/transcribe"]),
    ("aws_config::", &["src/backend/aws"]),
    ("aws_credential_types::", &["src/backend/aws", "src/backend/nova_sonic", "tests/nova-sim/"]),
    ("aws_smithy_http_client::", &["src/backend/aws", "tests/nova-sim/"]),
    (
        "aws_smithy_runtime_api::",
        &[
            "src/backend/aws",
            "src/backend/cascade/aws",
            "src/backend/nova_sonic",
            "tests/nova-sim/",
        ],
    ),
    (
        "aws_smithy_types::",
        &[
            "src/backend/aws",
            "src/backend/cascade/aws",
            "src/backend/cascade/llm/converse",
            "src/backend/nova_sonic",
            "tests/nova-sim/",
        ],
    ),
    ("prometheus_client::", &["src/metrics"]),
    ("rmcp::", &["src/tools/mcp"]),
    ("libloading::", &["src/backend/cascade/"]),
    (
        "reqwest::",
        &["src/backend/cascade/", "src/tools/webhook", "src/tools/mcp", "client/peer/", "tests/"],
    ),
    ("std::env::var", &["src/config", "tests/", "client/peer/"]),
    ("env::var", &["src/config", "tests/", "client/peer/"]),
];

/// The longest source file, in lines; beyond it a room wants a wall.
const FILE_LINES_MAX: usize = 500;
/// The widest line, in columns, comments included.
const COLUMNS_MAX: usize = 110;

#[test]
fn rooms_know_only_the_rooms_they_may() {
    let mut violations = BTreeSet::new();
    for file in sources("src") {
        let room = room_of(&file);
        if room == "lib" {
            continue;
        }
        let Some((_, lawful)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            violations.insert(format!("{}: room `{room}` is not in the table", file.display()));
            continue;
        };
        for used in rooms_used(&code_of(&file)) {
            let known = used.split("::").next().unwrap_or_default();
            let allowed = known == room
                || lawful.contains(&known)
                || lawful.iter().any(|lawful| used.starts_with(lawful));
            if !allowed {
                violations.insert(format!("{}: `{room}` uses `{used}`", file.display()));
            }
        }
    }
    assert_none(&violations);
}

#[test]
fn each_outside_world_has_one_owner() {
    let mut violations = BTreeSet::new();
    for file in all_sources().into_iter().filter(|file| !file.ends_with("tidy.rs")) {
        let code = code_of(&file);
        for (world, owners) in OWNERS {
            let path = file.to_string_lossy();
            if mentions_path(&code, world) && !owners.iter().any(|owner| path.starts_with(owner)) {
                violations.insert(format!("{path}: names `{world}`, owned by {owners:?}"));
            }
        }
    }
    assert_none(&violations);
}

#[test]
fn pure_rooms_never_ask_for_the_time_or_for_chance() {
    const BANNED: &[&str] = &[
        "Instant::now",
        "SystemTime::now",
        ".elapsed()",
        "std::thread",
        "std::fs",
        "std::net",
        "std::env",
        "tokio::",
        "async fn",
        "Mutex",
        "mpsc",
        "rand::",
    ];
    let mut violations = BTreeSet::new();
    for file in sources("src").into_iter().filter(|file| PURE.contains(&room_of(file).as_str())) {
        let text = read(&file);
        // What is compiled only into the shell, or only into tests, is not part of the pure build.
        if text.contains("#![cfg(feature = \"shell\")]") || is_gated(&file) || is_test(&file) {
            continue;
        }
        let code = code_of(&file);
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        for banned in BANNED.iter().filter(|banned| code.contains(**banned)) {
            violations.insert(format!("{}: `{banned}` in a pure room", file.display()));
        }
    }
    assert_none(&violations);
}

#[test]
fn files_stay_readable() {
    let mut violations = BTreeSet::new();
    for file in all_sources() {
        let text = read(&file);
        let path = file.display();
        if text.lines().count() > FILE_LINES_MAX {
            violations.insert(format!("{path}: more than {FILE_LINES_MAX} lines"));
        }
        let tests_from = text.lines().position(|line| line == "#[cfg(test)]").unwrap_or(usize::MAX);
        for (number, line) in
            text.lines().enumerate().take_while(|(number, _)| *number < tests_from)
        {
            if line.chars().count() > COLUMNS_MAX && !is_test(&file) && !may_be_wide(line) {
                violations.insert(format!("{path}:{}: over {COLUMNS_MAX} columns", number + 1));
            }
        }
        if file.file_name().is_some_and(|name| name == "mod.rs") {
            violations.insert(format!("{path}: write foo.rs beside foo/"));
        }
        for banned in ["#[ignore", concat!("TO", "DO"), concat!("FIX", "ME")] {
            if text.contains(banned) && !path.to_string().ends_with("tidy.rs") {
                violations.insert(format!("{path}: contains `{banned}`"));
            }
        }
    }
    assert_none(&violations);
}

#[test]
fn the_check_for_arrows_can_fail() {
    let used = rooms_used(
        "use crate::call::event::X;\nlet y = crate::peer::Z;\nuse crate::{dsp, rtp::jitter};",
    );
    let expected = ["call::event", "dsp", "peer", "rtp"].map(String::from);
    assert_eq!(used, BTreeSet::from(expected));
    assert!(mentions_path("fn f() { opus::Encoder::new() }", "opus::"));
    assert!(!mentions_path("use crate::media::opus::X; shiguredo_opus::Y", "opus::"));
}

/// Tables in documentation, addresses and attributes cannot be broken.
fn may_be_wide(line: &str) -> bool {
    let start = line.trim_start();
    start.starts_with("//! |") || start.starts_with("#[") || line.contains("://")
}

fn assert_none(violations: &BTreeSet<String>) {
    let list = violations.iter().map(|line| format!("  {line}\n")).collect::<String>();
    assert!(violations.is_empty(), "\n{list}");
}

/// The rooms named after `crate::`, with `call::event` kept apart from `call`.
fn rooms_used(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0_usize;
            let mut item = String::new();
            for letter in group.chars() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        used.extend(room_in(&item));
                        item.clear();
                        continue;
                    }
                    _ => {}
                }
                item.push(letter);
            }
            used.extend(room_in(&item));
        } else {
            used.extend(room_in(rest));
        }
    }
    used
}

/// The room at the front of a path: some names are finer than their rooms.
fn room_in(path: &str) -> Option<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let room = word(path);
    if room.is_empty() || !room.starts_with(char::is_lowercase) {
        return None;
    }
    let inner = path.trim_start()[room.len()..].strip_prefix("::").map(word).unwrap_or_default();
    match (room.as_str(), inner.as_str()) {
        ("call", "event") | ("media", "frame") | ("dsp", "resample") => {
            Some(format!("{room}::{inner}"))
        }
        _ => Some(room),
    }
}

/// Whether `code` names the crate path `world` itself, not a module or crate that ends like it.
fn mentions_path(code: &str, world: &str) -> bool {
    code.match_indices(world)
        .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
}

fn room_of(file: &Path) -> String {
    let inside = file.strip_prefix("src").expect("only files of src have rooms");
    let first = inside.components().next().expect("a file has a name");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

fn is_gated(file: &Path) -> bool {
    let path = file.to_string_lossy();
    let gated = [
        "src/dsp/onnx",
        "src/dsp/silero",
        "src/dsp/smart_turn",
        "src/media/opus",
        "src/media/negotiated",
    ];
    gated.iter().any(|gated| path.starts_with(gated))
}

fn is_test(file: &Path) -> bool {
    file.ends_with("tests.rs") || file.components().any(|part| part.as_os_str() == "tests")
}

fn all_sources() -> Vec<PathBuf> {
    ["src", "signaling", "client/peer", "tests", "fuzz"]
        .iter()
        .flat_map(|dir| sources(dir))
        .collect()
}

/// Every Rust file below `dir`, relative to the root.
fn sources(dir: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![PathBuf::from(dir)];
    while let Some(dir) = pending.pop() {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !["target", "node_modules", ".venv"].contains(&name.as_str()) {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The file without its line comments, so that prose may name anything.
fn code_of(file: &Path) -> String {
    read(file)
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}
