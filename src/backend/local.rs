//! The offline default: a cascade of what is on this machine.
//!
//! PocketSphinx hears, a small dialogue or a language model answers, flite speaks. Both engines are libraries
//! that are loaded at run time, so that the program starts without them and can say which one is missing.

use std::sync::Arc;

use super::BackendError;
use super::cascade::llm::LlmSettings;
use super::cascade::tts::Voice;
use super::cascade::tts::flite::Flite;
use super::cascade::tts::mouth::without_lead;
use super::cascade::{
    AsrSettings, BrainSettings, Cascade, CascadeSettings, ModelSettings, PocketSphinxSettings,
    TtsSettings,
};
use crate::limits::WIDEBAND_HZ;
use crate::tools::Toolbox;

/// What can be set of the local backend.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalSettings {
    /// Who speaks. Default `slt`.
    pub voice: Voice,
    /// How fast, relative to the voice's own pace: [`PACE_RANGE`](super::cascade::PACE_RANGE), default 1.0.
    pub pace: f32,
    /// How it hears.
    pub recognition: PocketSphinxSettings,
    /// See [`BrainSettings::Dialogue`].
    pub time_zone: Option<String>,
    /// Who answers. Default: the small dialogue.
    pub llm: Option<LlmSettings>,
}

impl LocalSettings {
    /// What is used where nothing is configured.
    pub fn standard() -> Self {
        Self {
            voice: Voice::Slt,
            pace: 1.0,
            recognition: PocketSphinxSettings::default(),
            time_zone: None,
            llm: None,
        }
    }
}

impl From<LocalSettings> for CascadeSettings {
    fn from(local: LocalSettings) -> Self {
        let LocalSettings { voice, pace, recognition, time_zone, llm } = local;
        let asr = AsrSettings::PocketSphinx(recognition);
        let brain = match llm {
            Some(llm) => BrainSettings::Llm(vec![ModelSettings::Chat(llm).into()]),
            None => BrainSettings::Dialogue { time_zone },
        };
        Self { pace, ..Self::new(asr, brain, TtsSettings::Flite(voice)) }
    }
}

/// The local backend, its engines loaded, which takes about half a second. `tools` are for a language model.
pub fn local(settings: LocalSettings, tools: Arc<Toolbox>) -> Result<Cascade, BackendError> {
    Cascade::new("local", settings.into(), tools)
}

/// Speaks a text once, as mono at [`WIDEBAND_HZ`], for what a server says by itself. Silence at its
/// beginning is left out. More than `samples_max` samples are an error.
pub fn synthesise(
    voice: Voice,
    pace: f32,
    text: &str,
    samples_max: usize,
) -> Result<Vec<i16>, BackendError> {
    let flite = Flite::load(voice)?;
    let mut pcm = Vec::new();
    let mut take = |block: &[i16]| {
        pcm.extend_from_slice(block);
        pcm.len() <= samples_max + WIDEBAND_HZ as usize
    };
    flite.speak(text, pace, &mut take).map_err(|error| BackendError::Invalid {
        problem: format!("the synthesiser cannot speak this text ({error:?})"),
    })?;
    let spoken = without_lead(&pcm);
    if spoken.is_empty() || spoken.len() > samples_max {
        let (ms, ms_max) = (spoken.len() / 16, samples_max / 16);
        let problem =
            format!("expected a text that takes 1 to {ms_max} ms to say, received {ms} ms");
        return Err(BackendError::Invalid { problem });
    }
    Ok(spoken.to_vec())
}
