//! The clips that an agent's calls can play: read or spoken once, at start.

use crate::backend::local::{self, LocalSettings};
use crate::backend::{Backend, BackendError, Spoken, wav};
use crate::config::{AgentProfile, BackendConfig, ClipSource};
use crate::limits::{CLIP_MS_MAX, FULLBAND_HZ, WIDEBAND_HZ};
use crate::media::downlink::{ClipAudio, ClipRefused, Clips, REPLY_RATES_HZ};

/// What the local backend's agents say when a reply failed and nothing else is configured.
const APOLOGY: &str = "I am sorry, something went wrong. Please say that again.";

/// Loads what `profile` says.
pub(super) fn load(profile: &AgentProfile) -> Result<Clips, BackendError> {
    let sources = &profile.clips;
    let spoken = match &profile.backend {
        BackendConfig::Local(settings) => settings.clone(),
        BackendConfig::Cascade(_)
        | BackendConfig::Scripted(_)
        | BackendConfig::Echo(_)
        | BackendConfig::NovaSonic(_) => LocalSettings::standard(),
    };
    let own = ClipSource::Text(APOLOGY.to_owned());
    let has_own =
        profile.settings.call.wait.apologise && matches!(profile.backend, BackendConfig::Local(_));
    let apology = sources.apology.as_ref().or(has_own.then_some(&own));
    let clip = |key: &str, source: Option<&ClipSource>| match source {
        None => Ok(None),
        Some(ClipSource::Text(text)) => speak(key, text, &spoken).map(Some),
        Some(ClipSource::Wav(path)) => {
            let unreadable = |problem: String| BackendError::Unreadable {
                path: path.clone(),
                error: format!("{problem} (wait.{key}.wav)"),
            };
            let most = (FULLBAND_HZ / 1_000 * CLIP_MS_MAX) as usize;
            let recording = wav::read(path, &REPLY_RATES_HZ, most).map_err(unreadable)?;
            let refuse = |refused: ClipRefused| unreadable(refused.to_string());
            ClipAudio::new(recording.sample_rate_hz, &recording.pcm).map(Some).map_err(refuse)
        }
    };
    Ok(Clips {
        filler: clip("filler", sources.filler.as_ref())?,
        apology: clip("apology", apology)?,
    })
}

/// Those of one call: with the texts in its own voice, where the backend has spoken them.
pub(super) fn of_call(agent: &str, profile: &AgentProfile, backend: &dyn Backend) -> Clips {
    let mut clips = profile.settings.clips.clone();
    let sources = &profile.clips;
    if !matches!(profile.backend, BackendConfig::Cascade(_)) {
        return clips;
    }
    for (key, source, clip) in [
        ("filler", &sources.filler, &mut clips.filler),
        ("apology", &sources.apology, &mut clips.apology),
    ] {
        let Some(ClipSource::Text(text)) = source else { continue };
        let spoken = backend.spoken(text).ok_or_else(|| "it has not spoken it yet".to_owned());
        let audio = spoken.and_then(|Spoken { sample_rate_hz, pcm }| {
            ClipAudio::new(sample_rate_hz, &pcm).map_err(|refused| refused.to_string())
        });
        match audio {
            Ok(audio) => *clip = Some(audio),
            Err(reason) => {
                tracing::warn!(agent, reason, "wait.{key}.text is not in the agent's voice");
            }
        }
    }
    clips
}

fn speak(key: &str, text: &str, voice: &LocalSettings) -> Result<ClipAudio, BackendError> {
    let samples_max = (WIDEBAND_HZ / 1_000 * CLIP_MS_MAX) as usize;
    let invalid =
        |problem: String| BackendError::Invalid { problem: format!("wait.{key}.text: {problem}") };
    let pcm = local::synthesise(voice.voice, voice.pace, text, samples_max).map_err(|error| {
        match error {
            // Says itself what is missing and how to get it.
            BackendError::Missing { what, reason, remedy } => {
                let what = format!("{what}, which speaks wait.{key}.text,");
                BackendError::Missing { what, reason, remedy }
            }
            other => invalid(other.to_string()),
        }
    })?;
    ClipAudio::new(WIDEBAND_HZ, &pcm).map_err(|refused| invalid(refused.to_string()))
}

#[cfg(test)]
mod tests;
