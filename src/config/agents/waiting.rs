//! `wait` and `idle`: what is done while the backend keeps the user waiting, and while nobody speaks.

use std::path::{Path, PathBuf};

use super::{phrases, resolve};
use crate::call::settings::{CallSettings, IdleSettings};
use crate::yaml::Fields;

/// See [`IdleSettings::prompts`].
const PROMPTS_MAX: usize = 10;
const PROMPT_CHARS_MAX: usize = 1_000;
/// What is longer would not fit into [`crate::limits::CLIP_MS_MAX`] at any pace.
const CLIP_CHARS_MAX: usize = 400;

/// Where a clip comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClipSource {
    /// Spoken once, ahead of the calls, by the voice of the agent's cascade. Until that has spoken it, and
    /// for agents of other backends: by the synthesiser of the local backend, which speaks English.
    Text(String),
    /// A recording: mono, 16 bit, at one of [`crate::media::downlink::REPLY_RATES_HZ`], at most
    /// [`crate::limits::CLIP_MS_MAX`] long.
    Wav(PathBuf),
}

/// Where the clips of an agent come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClipSources {
    /// Bridges a wait. Default none.
    pub filler: Option<ClipSource>,
    /// Played when a reply failed. Default: agents with the local backend have one, others none.
    pub apology: Option<ClipSource>,
}

impl ClipSources {
    /// Those that are texts.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        [&self.filler, &self.apology].into_iter().flatten().filter_map(|source| match source {
            ClipSource::Text(text) => Some(text.as_str()),
            ClipSource::Wav(_) => None,
        })
    }
}

pub(super) fn wait(
    fields: &mut Fields<'_, '_>,
    call: &mut CallSettings,
    folder: Option<&Path>,
    is_english: bool,
) -> ClipSources {
    let known = ["filler_after_ms", "filler", "apologise", "apology"];
    let Some(mut fields) = fields.fields("wait", &known) else { return ClipSources::default() };
    let settings = &mut call.wait;
    // Where there is a time already, there is a clip too.
    let had_both = settings.filler.is_some();
    if let Some(place) = fields.place("filler_after_ms") {
        settings.filler = place.duration_ms(fields.errors(), 300..=30_000);
    }
    settings.apologise = fields.bool("apologise", settings.apologise);
    let filler = clip(&mut fields, "filler", folder, is_english);
    let apology = clip(&mut fields, "apology", folder, is_english);
    let (has_time, has_clip) =
        (fields.place("filler_after_ms").is_some(), fields.place("filler").is_some());
    if has_time && !has_clip && !had_both {
        fields.refuse("filler_after_ms", "needs `filler`, which says what is played then");
    }
    if has_clip && !has_time && !had_both {
        fields.refuse("filler", "needs `filler_after_ms`, which says when it is played");
    }
    if let Some(after) = settings.filler
        && after >= call.reply_timeout
    {
        let problem = format!(
            "expected less than turn.reply_timeout_ms ({}), received {}",
            call.reply_timeout.as_millis(),
            after.as_millis()
        );
        fields.refuse("filler_after_ms", problem);
    }
    if !call.wait.apologise && fields.place("apology").is_some() {
        fields.refuse("apology", "is never played with `apologise: false`");
    }
    ClipSources { filler, apology }
}

fn clip(
    fields: &mut Fields<'_, '_>,
    key: &str,
    folder: Option<&Path>,
    is_english: bool,
) -> Option<ClipSource> {
    let mut clip = fields.fields(key, &["text", "wav"])?;
    let (text, wav) = (clip.string_max("text", CLIP_CHARS_MAX), clip.string("wav"));
    match (text, wav) {
        (Some(text), None) if !is_english => {
            let problem = "is spoken by a synthesiser that speaks English only, which is not this \
                           agent's language; give a recording with `wav`";
            clip.refuse("text", problem);
            Some(ClipSource::Text(text))
        }
        (Some(text), None) if text.trim().is_empty() => {
            clip.refuse("text", "expected something to say, received nothing");
            None
        }
        (Some(text), None) => Some(ClipSource::Text(text)),
        (None, Some(wav)) => Some(ClipSource::Wav(resolve(folder, &wav))),
        (Some(_), Some(_)) => {
            clip.refuse("wav", "goes without `text`: expected one of them");
            None
        }
        (None, None) => {
            // A text that was refused was reported.
            if clip.place("text").is_none() && clip.place("wav").is_none() {
                fields.refuse(key, "expected `text: ...` or `wav: FILE`");
            }
            None
        }
    }
}

pub(super) fn idle(fields: &mut Fields<'_, '_>, settings: &mut IdleSettings) {
    let Some(mut fields) = fields.fields("idle", &["after_ms", "prompts", "hang_up"]) else {
        return;
    };
    if let Some(place) = fields.place("after_ms") {
        settings.after = place.duration_ms(fields.errors(), 2_000..=600_000);
    }
    if fields.place("prompts").is_some() {
        settings.prompts = phrases(&mut fields, "prompts", PROMPTS_MAX, PROMPT_CHARS_MAX);
    }
    settings.hang_up = fields.bool("hang_up", settings.hang_up);
    let has_time = fields.place("after_ms").is_some() || settings.after.is_some();
    if !has_time && !settings.prompts.is_empty() {
        fields.refuse("prompts", "needs `after_ms`, which says when the user is prompted");
    }
    if !has_time && settings.hang_up {
        fields.refuse("hang_up", "needs `after_ms`, which says after how long");
    }
    if has_time && settings.prompts.is_empty() && !settings.hang_up {
        fields.refuse("after_ms", "changes nothing without `prompts` or `hang_up: true`");
    }
}
