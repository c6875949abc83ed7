//! A scripted backend's script: a YAML text that says what is answered to each turn of the user.
//!
//! Pure: [`parse`] turns text into a [`Script`] or into every mistake at once, and
//! [`player::Player`] plays it, told the time. Tests, demonstrations and benchmarks use it where a
//! model would be slow, dear or different each time. `deploy/examples/` holds commented scripts.
//!
//! ```text
//! user turn ends | think |  step  step  step  ...  | reply finished
//! ```

pub mod player;
mod sound;

use std::time::Duration;

use crate::call::event::WordTime;
use crate::limits::{SCRIPT_STEP_MS_MAX, SCRIPT_STEPS_MAX, SCRIPT_TURNS_MAX, USER_TEXT_CHARS_MAX};
use crate::yaml::{self, Errors, Fields, Location, Place, YamlError};

/// What to answer, turn by turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// How fast reply audio is delivered.
    pub speed: Speed,
    /// Rate of the reply audio in Hz: 8 000, 16 000, 24 000 (default) or 48 000.
    pub sample_rate_hz: u32,
    /// How long set-up takes before the backend is ready. Default 0, at most 60 s.
    pub ready_after: Duration,
    /// Begin again after the last turn (default). Otherwise later turns get an empty reply.
    pub repeat: bool,
    /// What is said first; nothing if empty.
    pub greeting: Vec<Step>,
    /// The answers, at least one.
    pub turns: Vec<Turn>,
    /// The recordings that [`Step::Wav`] refers to by index.
    pub wavs: Vec<WavFile>,
}

/// The answer to one turn of the user.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// What the user is understood to say: it grows word by word while the user speaks and is final
    /// when the turn ends.
    pub hears: Option<String>,
    /// How much the turn looks like a finished thought, 0 to 1: said once all words of `hears` were
    /// understood.
    pub looks_complete: Option<f32>,
    /// The backend's own endpointer says that the turn is over after so much audio of it.
    pub ends_after: Option<Duration>,
    /// From the end of the turn to the first step.
    pub think: Duration,
    /// What happens then, in order.
    pub steps: Vec<Step>,
}

/// One thing that a reply does.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A sine with ramps of 5 ms. `level_dbfs` is its peak, so that 0 is a full-scale sine.
    Tone { frequency_hz: f32, length: Duration, level_dbfs: f32 },
    /// The recording with this index in [`Script::wavs`].
    Wav { index: usize },
    /// Digital silence, delivered as audio.
    Silence { length: Duration },
    /// What the user said, so far.
    UserPartial(String),
    /// What the user said.
    UserFinal(String),
    /// Text of the audio that follows.
    Text(String),
    /// When words of the reply sound.
    Words(Vec<WordTime>),
    /// The backend's own detector says that the user is interrupting this reply.
    Interrupted,
    /// A function call. The reply waits so long for its result, then goes on without.
    Tool { name: String, arguments: String, wait: Duration },
    /// Nothing at all for so long.
    Stall(Duration),
    /// The reply fails, the call goes on.
    FailReply(String),
    /// The backend is gone for good.
    FailBackend(String),
    /// The connection breaks without a word.
    Drop,
    /// The backend ends the call once its audio was played.
    HangUp(String),
}

/// How fast reply audio is delivered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// Relative to real time, 0.1 to 100; 1.0 (default) is as it sounds. Below 1 it stutters.
    Times(f32),
    /// As fast as it is taken.
    Max,
}

/// A recording beside the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WavFile {
    /// Relative to the script's folder. Mono, 16 bit, at the script's rate.
    pub path: String,
    /// Where the script names it, for messages.
    pub at: Location,
}

const SCRIPT_KEYS: [&str; 6] =
    ["speed", "sample_rate_hz", "ready_after_ms", "repeat", "greeting", "turns"];
const TURN_KEYS: [&str; 5] = ["hears", "looks_complete", "ends_after_ms", "think_ms", "reply"];
const STEP_KEYS: [&str; 14] = [
    "tone",
    "wav",
    "silence_ms",
    "user_partial",
    "user_final",
    "text",
    "words",
    "interrupted",
    "tool",
    "stall_ms",
    "fail_reply",
    "fail_backend",
    "drop",
    "hang_up",
];
const SPEED_RANGE: std::ops::RangeInclusive<f32> = 0.1..=100.0;

/// Reads a script. Every mistake is reported, in the order of the text.
pub fn parse(text: &str) -> Result<Script, Vec<YamlError>> {
    let root = yaml::parse(text)?;
    let mut errors = Errors::new();
    let mut wavs = Vec::new();
    let script = root
        .root()
        .fields(&mut errors, &SCRIPT_KEYS)
        .map(|mut fields| script(&mut fields, &mut wavs));
    match script {
        Some(script) => errors.into_result(Script { wavs, ..script }),
        None => Err(errors.into_result(()).expect_err("what is not a map was reported")),
    }
}

fn script(fields: &mut Fields<'_, '_>, wavs: &mut Vec<WavFile>) -> Script {
    let speed = fields.place("speed").and_then(|place| speed(&place, fields.errors()));
    let rates = [("8000", 8_000), ("16000", 16_000), ("24000", 24_000), ("48000", 48_000)];
    let sample_rate_hz = fields.choice("sample_rate_hz", &rates, 24_000);
    let ready_after = fields.duration_ms("ready_after_ms", 0..=60_000, Duration::ZERO);
    let repeat = fields.bool("repeat", true);
    let greeting = steps(fields, "greeting", wavs);
    let mut turns = Vec::new();
    if fields.required("turns").is_some() {
        for place in fields.list("turns", SCRIPT_TURNS_MAX) {
            turns.extend(turn(&place, fields.errors(), wavs));
        }
        if turns.is_empty() {
            fields.refuse("turns", "expected at least one turn");
        }
    }
    Script {
        speed: speed.unwrap_or(Speed::Times(1.0)),
        sample_rate_hz,
        ready_after,
        repeat,
        greeting,
        turns,
        wavs: Vec::new(),
    }
}

fn speed(place: &Place<'_>, errors: &mut Errors) -> Option<Speed> {
    let text = place.string(errors)?;
    if text == "max" {
        return Some(Speed::Max);
    }
    let times = text.parse().ok().filter(|times| SPEED_RANGE.contains(times));
    if times.is_none() {
        let (low, high) = (SPEED_RANGE.start(), SPEED_RANGE.end());
        place.expected(errors, &format!("`max` or a number from {low} to {high}"));
    }
    times.map(Speed::Times)
}

fn turn(place: &Place<'_>, errors: &mut Errors, wavs: &mut Vec<WavFile>) -> Option<Turn> {
    let mut fields = place.fields(errors, &TURN_KEYS)?;
    let hears = fields.string_max("hears", USER_TEXT_CHARS_MAX);
    let looks_complete =
        fields.place("looks_complete").and_then(|place| place.f32_in(fields.errors(), 0.0..=1.0));
    if looks_complete.is_some() && hears.is_none() {
        fields.refuse("looks_complete", "needs `hears`, whose last word it follows");
    }
    let ends_after = fields
        .place("ends_after_ms")
        .and_then(|place| place.duration_ms(fields.errors(), 0..=SCRIPT_STEP_MS_MAX));
    let think = fields.duration_ms("think_ms", 0..=SCRIPT_STEP_MS_MAX, Duration::ZERO);
    let steps = steps(&mut fields, "reply", wavs);
    Some(Turn { hears, looks_complete, ends_after, think, steps })
}

fn steps(fields: &mut Fields<'_, '_>, key: &str, wavs: &mut Vec<WavFile>) -> Vec<Step> {
    let places = fields.list(key, SCRIPT_STEPS_MAX);
    places.iter().filter_map(|place| step(place, fields.errors(), wavs)).collect()
}

/// A step is a map with one key, which is its kind.
fn step(place: &Place<'_>, errors: &mut Errors, wavs: &mut Vec<WavFile>) -> Option<Step> {
    let mut fields = place.fields(errors, &STEP_KEYS)?;
    let keys: Vec<&str> = fields.keys().filter(|key| STEP_KEYS.contains(key)).collect();
    let [key] = keys[..] else {
        if keys.len() > 1 {
            let listed = keys.join("`, `");
            let problem = format!("expected one step to an item, received `{listed}`");
            fields.errors().push(place.node.at, &place.path, problem);
        } else if place.node.is_null() {
            place.expected(fields.errors(), "a step such as `silence_ms: 100`");
        }
        return None;
    };
    let value = fields.required(key)?;
    let errors = fields.errors();
    match key {
        "tone" => tone(&value, errors),
        "wav" => wav(&value, errors, wavs),
        "silence_ms" => length(&value, errors).map(|length| Step::Silence { length }),
        "user_partial" => text(&value, errors).map(Step::UserPartial),
        "user_final" => text(&value, errors).map(Step::UserFinal),
        "text" => text(&value, errors).map(Step::Text),
        "words" => words(&value, errors).map(Step::Words),
        "interrupted" => value.choice(errors, &[("true", ())]).map(|()| Step::Interrupted),
        "tool" => tool(&value, errors),
        "stall_ms" => length(&value, errors).map(Step::Stall),
        "fail_reply" => text(&value, errors).map(Step::FailReply),
        "fail_backend" => text(&value, errors).map(Step::FailBackend),
        "drop" => value.choice(errors, &[("true", ())]).map(|()| Step::Drop),
        _ => text(&value, errors).map(Step::HangUp),
    }
}

fn length(place: &Place<'_>, errors: &mut Errors) -> Option<Duration> {
    place.duration_ms(errors, 0..=SCRIPT_STEP_MS_MAX)
}

fn text(place: &Place<'_>, errors: &mut Errors) -> Option<String> {
    let text = place.string(errors)?;
    let chars = text.chars().count();
    if chars > USER_TEXT_CHARS_MAX {
        let problem =
            format!("expected at most {USER_TEXT_CHARS_MAX} characters, received {chars}");
        errors.push(place.node.at, &place.path, problem);
        return None;
    }
    Some(text)
}

fn words(place: &Place<'_>, errors: &mut Errors) -> Option<Vec<WordTime>> {
    let mut words = Vec::new();
    for place in place.list(errors, SCRIPT_STEPS_MAX)? {
        words.extend(word(&place, errors));
    }
    Some(words)
}

fn word(place: &Place<'_>, errors: &mut Errors) -> Option<WordTime> {
    let mut fields = place.fields(errors, &["word", "from_ms", "to_ms"])?;
    let text = fields.required("word").and_then(|place| text(&place, fields.errors()));
    let start = fields.required("from_ms").and_then(|place| length(&place, fields.errors()));
    let end = fields.required("to_ms").and_then(|place| length(&place, fields.errors()));
    let word = WordTime { text: text?, start: start?, end: end? };
    if word.end < word.start {
        fields.refuse("to_ms", "expected at least from_ms");
        return None;
    }
    Some(word)
}

fn tone(place: &Place<'_>, errors: &mut Errors) -> Option<Step> {
    let mut fields = place.fields(errors, &["hz", "ms", "dbfs"])?;
    let frequency_hz =
        fields.required("hz").and_then(|p| p.f32_in(fields.errors(), 20.0..=20_000.0));
    let length = fields.required("ms").and_then(|place| length(&place, fields.errors()));
    let level_dbfs = fields.f32_in("dbfs", -90.0..=0.0, -12.0);
    Some(Step::Tone { frequency_hz: frequency_hz?, length: length?, level_dbfs })
}

fn wav(place: &Place<'_>, errors: &mut Errors, wavs: &mut Vec<WavFile>) -> Option<Step> {
    let path = place.string(errors)?;
    let known = wavs.iter().position(|wav| wav.path == path);
    let index = known.unwrap_or_else(|| {
        wavs.push(WavFile { path, at: place.node.at });
        wavs.len() - 1
    });
    Some(Step::Wav { index })
}

fn tool(place: &Place<'_>, errors: &mut Errors) -> Option<Step> {
    let mut fields = place.fields(errors, &["name", "arguments", "wait_ms"])?;
    let name = fields.required_string("name");
    let arguments = fields.string_max("arguments", USER_TEXT_CHARS_MAX).unwrap_or("{}".to_owned());
    if let Err(error) = serde_json::from_str::<serde_json::Value>(&arguments) {
        fields.refuse("arguments", format!("expected JSON text such as '{{\"a\": 1}}': {error}"));
    }
    let wait = fields.duration_ms("wait_ms", 0..=SCRIPT_STEP_MS_MAX, Duration::from_secs(10));
    Some(Step::Tool { name, arguments, wait })
}

#[cfg(test)]
mod tests;
