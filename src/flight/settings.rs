//! An agent's settings as JSON, and back.
//!
//! Each group of settings is written down once, for both directions, by taking it apart completely: a new
//! field does not compile until it is here. A field that a file lacks, has beyond these, or has with
//! another type is an error that names it: a replay under settings that were guessed would prove nothing.
//! Clips are audio and have blocks of their own.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Kind;
use crate::agent::AgentSettings;
use crate::call::settings::{
    CallSettings, EndpointSettings, EndpointStrategy, IdleSettings, InterruptionPolicy,
    InterruptionSettings, SpeechSettings, TurnAuthority, WaitSettings,
};
use crate::media::uplink::{EchoMode, NoiseSuppression, UplinkSettings};

/// All settings as an object.
pub(super) fn to_json(settings: &AgentSettings) -> Map<String, Value> {
    let mut pass = Pass::writing();
    agent(&mut pass, &mut settings.clone());
    match pass.direction {
        Direction::Write(map) => map,
        Direction::Read { .. } => unreachable!("a pass keeps its direction"),
    }
}

pub(super) fn agent(pass: &mut Pass, settings: &mut AgentSettings) {
    let AgentSettings { call: call_settings, uplink: uplink_settings, first_timestamp, clips: _ } =
        settings;
    pass.section("call", |pass| call(pass, call_settings));
    pass.section("uplink", |pass| uplink(pass, uplink_settings));
    pass.item("first_timestamp", first_timestamp);
}

fn call(pass: &mut Pass, settings: &mut CallSettings) {
    let CallSettings {
        greet,
        authority,
        speech: speech_settings,
        endpoint: endpoint_settings,
        interruption: interruption_settings,
        wait: wait_settings,
        idle: idle_settings,
        turn_max,
        reply_timeout,
        stall_timeout,
        backend_setup_timeout,
        call_max,
        key_timeout,
        client_buffer,
    } = settings;
    pass.item("greet", greet);
    pass.item("authority", authority);
    pass.section("speech", |pass| speech(pass, speech_settings));
    pass.section("endpoint", |pass| endpoint(pass, endpoint_settings));
    pass.section("interruption", |pass| interruption(pass, interruption_settings));
    pass.section("wait", |pass| wait(pass, wait_settings));
    pass.section("idle", |pass| idle(pass, idle_settings));
    pass.item("turn_max_ns", turn_max);
    pass.item("reply_timeout_ns", reply_timeout);
    pass.item("stall_timeout_ns", stall_timeout);
    pass.item("backend_setup_timeout_ns", backend_setup_timeout);
    pass.item("call_max_ns", call_max);
    pass.item("key_timeout_ns", key_timeout);
    pass.item("client_buffer_ns", client_buffer);
}

fn speech(pass: &mut Pass, settings: &mut SpeechSettings) {
    let SpeechSettings { start_threshold, stop_threshold, floor_dbfs, speech_min, silence_min } =
        settings;
    pass.item("start_threshold", start_threshold);
    pass.item("stop_threshold", stop_threshold);
    pass.item("floor_dbfs", floor_dbfs);
    pass.item("speech_min_ns", speech_min);
    pass.item("silence_min_ns", silence_min);
}

fn endpoint(pass: &mut Pass, settings: &mut EndpointSettings) {
    let EndpointSettings { strategy, min, max, speculate } = settings;
    pass.item("strategy", strategy);
    pass.item("min_ns", min);
    pass.item("max_ns", max);
    pass.item("speculate", speculate);
}

fn interruption(pass: &mut Pass, settings: &mut InterruptionSettings) {
    let InterruptionSettings {
        policy,
        confirm,
        commit,
        dismiss,
        first_words,
        protected,
        backchannels,
    } = settings;
    pass.item("policy", policy);
    pass.item("confirm_ns", confirm);
    pass.item("commit_ns", commit);
    pass.item("dismiss_ns", dismiss);
    pass.item("first_words", first_words);
    pass.item("protected", protected);
    pass.item("backchannels", backchannels);
}

fn wait(pass: &mut Pass, settings: &mut WaitSettings) {
    let WaitSettings { filler, apologise } = settings;
    pass.item("filler_ns", filler);
    pass.item("apologise", apologise);
}

fn idle(pass: &mut Pass, settings: &mut IdleSettings) {
    let IdleSettings { after, prompts, hang_up } = settings;
    pass.item("after_ns", after);
    pass.item("prompts", prompts);
    pass.item("hang_up", hang_up);
}

fn uplink(pass: &mut Pass, settings: &mut UplinkSettings) {
    let UplinkSettings { jitter, noise, echo } = settings;
    pass.section("jitter", |pass| {
        let crate::rtp::jitter::JitterSettings { depth_min, depth_max, quantile } = jitter;
        pass.item("depth_min_ns", depth_min);
        pass.item("depth_max_ns", depth_max);
        pass.item("quantile", quantile);
    });
    pass.item("noise", noise);
    pass.item("echo", echo);
}

/// One walk over the fields of an object, in one of two directions.
#[derive(Debug)]
pub(super) struct Pass {
    direction: Direction,
}

#[derive(Debug)]
enum Direction {
    Write(Map<String, Value>),
    Read { rest: Map<String, Value>, path: String, problems: Vec<String> },
}

impl Pass {
    fn writing() -> Self {
        Self { direction: Direction::Write(Map::new()) }
    }

    /// `path` names the object, with a dot at its end if it is not empty.
    pub(super) const fn reading(map: Map<String, Value>, path: String) -> Self {
        Self { direction: Direction::Read { rest: map, path, problems: Vec::new() } }
    }

    /// The next field.
    pub(super) fn item<T: Item>(&mut self, key: &str, value: &mut T) {
        match &mut self.direction {
            Direction::Write(map) => {
                map.insert(key.to_owned(), value.to_json());
            }
            Direction::Read { rest, path, problems } => match rest.remove(key) {
                None => problems.push(format!("{path}{key}: missing")),
                Some(found) => match T::from_json(&found) {
                    Some(read) => *value = read,
                    None => problems
                        .push(format!("{path}{key}: expected {}, received {found}", T::EXPECTED)),
                },
            },
        }
    }

    /// The next field, which is an object.
    pub(super) fn section(&mut self, key: &str, fields: impl FnOnce(&mut Self)) {
        match &mut self.direction {
            Direction::Write(map) => {
                let mut inner = Self::writing();
                fields(&mut inner);
                if let Direction::Write(inner) = inner.direction {
                    map.insert(key.to_owned(), Value::Object(inner));
                }
            }
            Direction::Read { rest, path, problems } => match rest.remove(key) {
                None => problems.push(format!("{path}{key}: missing")),
                Some(Value::Object(map)) => {
                    let mut inner = Self::reading(map, format!("{path}{key}."));
                    fields(&mut inner);
                    problems.extend(inner.problems());
                }
                Some(found) => {
                    problems.push(format!("{path}{key}: expected an object, received {found}"));
                }
            },
        }
    }

    /// All that is wrong with what was read, in one text.
    pub(super) fn finish(self) -> Result<(), String> {
        let problems = self.problems();
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }

    fn problems(self) -> Vec<String> {
        match self.direction {
            Direction::Write(_) => Vec::new(),
            Direction::Read { rest, path, mut problems } => {
                problems.extend(rest.keys().map(|key| format!("{path}{key}: unknown")));
                problems
            }
        }
    }
}

/// A value of one field.
pub(super) trait Item: Sized {
    const EXPECTED: &'static str;
    fn to_json(&self) -> Value;
    fn from_json(value: &Value) -> Option<Self>;
}

impl Item for bool {
    const EXPECTED: &'static str = "true or false";

    fn to_json(&self) -> Value {
        Value::Bool(*self)
    }

    fn from_json(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl Item for u32 {
    const EXPECTED: &'static str = "a whole number";

    fn to_json(&self) -> Value {
        Value::from(*self)
    }

    fn from_json(value: &Value) -> Option<Self> {
        value.as_u64().and_then(|number| Self::try_from(number).ok())
    }
}

impl Item for f32 {
    const EXPECTED: &'static str = "a number";

    // Every `f32` is an `f64`, so nothing is lost on the way.
    fn to_json(&self) -> Value {
        Value::from(f64::from(*self))
    }

    fn from_json(value: &Value) -> Option<Self> {
        value.as_f64().map(|number| number as Self)
    }
}

impl Item for Duration {
    const EXPECTED: &'static str = "nanoseconds";

    fn to_json(&self) -> Value {
        Value::from(u64::try_from(self.as_nanos()).unwrap_or(u64::MAX))
    }

    fn from_json(value: &Value) -> Option<Self> {
        value.as_u64().map(Self::from_nanos)
    }
}

impl Item for String {
    const EXPECTED: &'static str = "text";

    fn to_json(&self) -> Value {
        Value::String(self.clone())
    }

    fn from_json(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl<T: Item> Item for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, Item::to_json)
    }

    fn from_json(value: &Value) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::from_json(value).map(Some) }
    }
}

impl<T: Item> Item for Vec<T> {
    const EXPECTED: &'static str = "a list";

    fn to_json(&self) -> Value {
        self.iter().map(Item::to_json).collect()
    }

    fn from_json(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(T::from_json).collect()
    }
}

/// Implements [`Item`] for an enum of names.
macro_rules! named {
    ($type:ty, $expected:literal, $($name:literal => $variant:path),+) => {
        impl Item for $type {
            const EXPECTED: &'static str = $expected;

            fn to_json(&self) -> Value {
                match self { $($variant => Value::from($name)),+ }
            }

            fn from_json(value: &Value) -> Option<Self> {
                match value.as_str()? { $($name => Some($variant),)+ _ => None }
            }
        }
    };
}

named!(Kind, "full or features", "full" => Kind::Full, "features" => Kind::Features);
named!(
    NoiseSuppression, "off, light, rnnoise or auto",
    "off" => NoiseSuppression::Off, "light" => NoiseSuppression::Light,
    "rnnoise" => NoiseSuppression::Rnnoise, "auto" => NoiseSuppression::Auto
);

named!(
    EchoMode, "auto, on or off",
    "auto" => EchoMode::Auto, "on" => EchoMode::On, "off" => EchoMode::Off
);

named!(
    TurnAuthority, "local or backend",
    "local" => TurnAuthority::Local, "backend" => TurnAuthority::Backend
);

impl Item for EndpointStrategy {
    const EXPECTED: &'static str = "adaptive, backend, {silence_ns: ...} or {semantic: ...}";

    fn to_json(&self) -> Value {
        match self {
            Self::Adaptive => Value::from("adaptive"),
            Self::Backend => Value::from("backend"),
            Self::Silence(silence) => json!({ "silence_ns": silence.to_json() }),
            Self::Semantic { threshold } => json!({ "semantic": threshold.to_json() }),
        }
    }

    fn from_json(value: &Value) -> Option<Self> {
        match value.as_str() {
            Some("adaptive") => return Some(Self::Adaptive),
            Some("backend") => return Some(Self::Backend),
            Some(_) => return None,
            None => {}
        }
        let mut fields = value.as_object().filter(|map| map.len() == 1)?.iter();
        match fields.next()? {
            (key, silence) if key == "silence_ns" => {
                Duration::from_json(silence).map(Self::Silence)
            }
            (key, threshold) if key == "semantic" => {
                f32::from_json(threshold).map(|threshold| Self::Semantic { threshold })
            }
            _ => None,
        }
    }
}

impl Item for InterruptionPolicy {
    const EXPECTED: &'static str = "staged, immediate, never or a number of words";

    fn to_json(&self) -> Value {
        match self {
            Self::Staged => Value::from("staged"),
            Self::Immediate => Value::from("immediate"),
            Self::Never => Value::from("never"),
            Self::Words(words) => Value::from(*words),
        }
    }

    fn from_json(value: &Value) -> Option<Self> {
        match value.as_str() {
            Some("staged") => Some(Self::Staged),
            Some("immediate") => Some(Self::Immediate),
            Some("never") => Some(Self::Never),
            Some(_) => None,
            None => u32::from_json(value).map(Self::Words),
        }
    }
}
