//! `turn` and `speech`: when the user speaks, when a turn is over, and how long anything may take.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::endpoint;
use crate::call::settings::CallSettings;
use crate::yaml::Fields;

/// Answers the file of the turn's model. `ends_turns`: the backend can say when a turn is over.
pub(super) fn turn(
    fields: &mut Fields<'_, '_>,
    call: &mut CallSettings,
    folder: Option<&Path>,
    ends_turns: bool,
) -> Option<PathBuf> {
    let known = [
        "silence_ms",
        "endpoint",
        "turn_max_ms",
        "reply_timeout_ms",
        "stall_timeout_ms",
        "backend_setup_timeout_ms",
        "call_max_ms",
        "key_timeout_ms",
        "client_buffer_ms",
    ];
    let mut turn = fields.fields("turn", &known)?;
    let model = endpoint::decode(&mut turn, &mut call.endpoint, folder, ends_turns);
    let mut set = |key: &str, range_ms: std::ops::RangeInclusive<u64>, value: &mut Duration| {
        *value = turn.duration_ms(key, range_ms, *value);
    };
    set("turn_max_ms", 5_000..=600_000, &mut call.turn_max);
    set("reply_timeout_ms", 1_000..=120_000, &mut call.reply_timeout);
    set("stall_timeout_ms", 500..=60_000, &mut call.stall_timeout);
    set("backend_setup_timeout_ms", 1_000..=120_000, &mut call.backend_setup_timeout);
    set("call_max_ms", 10_000..=86_400_000, &mut call.call_max);
    set("key_timeout_ms", 200..=10_000, &mut call.key_timeout);
    set("client_buffer_ms", 0..=500, &mut call.client_buffer);
    model
}

pub(super) fn speech(fields: &mut Fields<'_, '_>, call: &mut CallSettings) {
    let known =
        ["start_threshold", "stop_threshold", "floor_dbfs", "speech_min_ms", "silence_min_ms"];
    let Some(mut speech) = fields.fields("speech", &known) else { return };
    let settings = &mut call.speech;
    settings.start_threshold =
        speech.f32_in("start_threshold", 0.1..=0.95, settings.start_threshold);
    settings.stop_threshold = speech.f32_in("stop_threshold", 0.05..=0.95, settings.stop_threshold);
    settings.floor_dbfs = speech.f32_in("floor_dbfs", -127.0..=-30.0, settings.floor_dbfs);
    settings.speech_min = speech.duration_ms("speech_min_ms", 20..=500, settings.speech_min);
    settings.silence_min = speech.duration_ms("silence_min_ms", 20..=1_000, settings.silence_min);
    if settings.stop_threshold > settings.start_threshold {
        let problem = format!(
            "expected at most start_threshold ({}), received {}",
            settings.start_threshold, settings.stop_threshold
        );
        speech.refuse("stop_threshold", problem);
    }
}
