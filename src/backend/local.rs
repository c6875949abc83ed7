//! The offline default: speech recognition, a small dialogue or a language model, and a voice.
//!
//! ```text
//! frames -> ears (PocketSphinx, a thread) -> talk -> mouth (flite, blocking pool) -> blocks
//!                                             |
//!                                  dialogue, or model (HTTP)
//! ```
//!
//! Both engines are libraries that are loaded at run time, so that the program starts without them
//! and can say which one is missing.

mod chat;
pub mod dialogue;
mod ears;
mod flite;
mod model;
mod mouth;
mod phones;
mod pocketsphinx;
mod sentences;
mod talk;
mod transcriber;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;

use self::ears::{Clinic, Ears, Recognisers};
use self::flite::Flite;
use self::model::Model;
use self::mouth::Mouth;
use self::talk::{Brain, Talk};
use super::session;
use super::{Abilities, Backend, BackendError, BackendSession, Busy, CallContext, channels};
use crate::limits::WIDEBAND_HZ;

pub use self::flite::Voice;
pub use self::model::LlmSettings;
pub use self::transcriber::{Transcriber, transcriber};

/// What can be set of the local backend.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalSettings {
    /// Who speaks. Default `slt`.
    pub voice: Voice,
    /// How fast, relative to the voice's own pace: [`LocalSettings::PACE_RANGE`], default 1.0.
    pub pace: f32,
    /// The folder of PocketSphinx's English model: holds `en-us/`, `en-us.lm.bin` and
    /// `cmudict-en-us.dict`. Default: where Debian's package puts it.
    pub recognition_model: PathBuf,
    /// Recognisers kept ready for the next calls, about 110 MB each; a call that finds none waits
    /// half a second for its own. 1 to 64, default 4.
    pub recognisers_kept: usize,
    /// Recognisers in use at once; a call beyond them is told that all are busy and ends. It bounds
    /// the memory that calls can take. 1 to 1 000, default 32.
    pub recognisers_max: usize,
    /// IANA name of the time zone in which time and date are told. Default: the machine's.
    pub time_zone: Option<String>,
    /// Who answers. Default: the small dialogue.
    pub llm: Option<LlmSettings>,
}

impl LocalSettings {
    /// The paces that stay intelligible.
    pub const PACE_RANGE: RangeInclusive<f32> = 0.5..=2.0;

    /// What is used where nothing is configured.
    pub fn standard() -> Self {
        Self {
            voice: Voice::Slt,
            pace: 1.0,
            recognition_model: PathBuf::from("/usr/share/pocketsphinx/model/en-us"),
            recognisers_kept: 4,
            recognisers_max: 32,
            time_zone: None,
            llm: None,
        }
    }
}

/// The local backend, its engines loaded.
#[derive(Debug)]
pub struct Local {
    clinic: Arc<Clinic>,
    flite: Flite,
    model: Option<Arc<Model>>,
    time_zone: TimeZone,
    pace: f32,
}

impl Local {
    /// Loads the engines and the models, which takes about half a second.
    pub fn new(settings: LocalSettings) -> Result<Self, BackendError> {
        let invalid = |problem: String| BackendError::Invalid { problem };
        if !LocalSettings::PACE_RANGE.contains(&settings.pace) {
            let (low, high) = (LocalSettings::PACE_RANGE.start(), LocalSettings::PACE_RANGE.end());
            let received = settings.pace;
            return Err(invalid(format!("pace: expected {low} to {high}, received {received}")));
        }
        let time_zone = match &settings.time_zone {
            None => TimeZone::system(),
            Some(name) => TimeZone::get(name)
                .map_err(|error| invalid(format!("time_zone: `{name}` is not known: {error}")))?,
        };
        let model = settings.llm.map(Model::new).transpose()?.map(Arc::new);
        let flite = Flite::load(settings.voice)?;
        let with_commands = model.is_none();
        let numbers = Recognisers {
            ready_max: settings.recognisers_kept,
            busy_max: settings.recognisers_max,
        };
        let clinic = Arc::new(Clinic::new(settings.recognition_model, with_commands, numbers)?);
        Ok(Self { clinic, flite, model, time_zone, pace: settings.pace })
    }
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
    let spoken = mouth::without_lead(&pcm);
    if spoken.is_empty() || spoken.len() > samples_max {
        let (ms, ms_max) = (spoken.len() / 16, samples_max / 16);
        let problem =
            format!("expected a text that takes 1 to {ms_max} ms to say, received {ms} ms");
        return Err(BackendError::Invalid { problem });
    }
    Ok(spoken.to_vec())
}

impl Backend for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            speculates: true,
            transcribes: true,
            says: true,
            greets: true,
            ends_turns: false,
            tools: false,
        }
    }

    fn open(&self, call: CallContext) -> Result<BackendSession, Busy> {
        let (session, channels) = channels();
        let brain = match &self.model {
            None => Brain::dialogue(call.greeting, self.time_zone.clone()),
            Some(model) => Brain::model(Arc::clone(model), call.persona, call.greeting),
        };
        let ears = Ears::open(Arc::clone(&self.clinic));
        let mouth = Mouth::open(self.flite);
        tokio::spawn(session::run(Talk::new(ears, mouth, brain, self.pace), channels));
        Ok(session)
    }
}

#[cfg(test)]
pub(super) mod tests;
