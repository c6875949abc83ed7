//! What can be set of a cascade.

use std::fmt;
use std::path::PathBuf;

use super::asr::TranscriptionSettings;
use super::llm::LlmSettings;
use super::tts::{SpeechSettings, Voice};

/// A cascade: a setting for each stage.
#[derive(Clone, Debug, PartialEq)]
pub struct CascadeSettings {
    pub asr: AsrSettings,
    pub brain: BrainSettings,
    pub tts: TtsSettings,
    /// How fast it speaks, relative to the voice's own pace: [`PACE_RANGE`](super::PACE_RANGE), default 1.0.
    pub pace: f32,
}

/// Who hears, answers and speaks, in a line.
impl fmt::Display for CascadeSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.asr {
            AsrSettings::PocketSphinx(_) => write!(formatter, "PocketSphinx hears, ")?,
            AsrSettings::Transcription(asr) => {
                write!(formatter, "{} at {} hears, ", asr.model, asr.url)?;
            }
        }
        match &self.brain {
            BrainSettings::Dialogue { .. } => {}
            BrainSettings::Llm(llm) => write!(formatter, "{} at {} answers, ", llm.model, llm.url)?,
        }
        match &self.tts {
            TtsSettings::Flite(_) => write!(formatter, "flite speaks"),
            TtsSettings::Speech(tts) => {
                write!(formatter, "{} of {} at {} speaks", tts.voice, tts.model, tts.url)
            }
        }
    }
}

/// What recognises speech.
#[derive(Clone, Debug, PartialEq)]
pub enum AsrSettings {
    /// PocketSphinx, on this machine: English.
    PocketSphinx(PocketSphinxSettings),
    /// An OpenAI-compatible transcription endpoint, such as a Whisper server.
    Transcription(TranscriptionSettings),
}

/// How PocketSphinx recognises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PocketSphinxSettings {
    /// The folder of its English model: holds `en-us/`, `en-us.lm.bin` and `cmudict-en-us.dict`. Default:
    /// where Debian's package puts it.
    pub model: PathBuf,
    /// Recognisers kept ready for the next calls, about 110 MB each; a call that finds none waits half a
    /// second for its own. 1 to 64, default 4.
    pub kept: usize,
    /// Recognisers in use at once; a call beyond them is told that all are busy and ends. It bounds the
    /// memory that calls can take. 1 to 1 000, default 32.
    pub most: usize,
}

impl Default for PocketSphinxSettings {
    fn default() -> Self {
        Self { model: PathBuf::from("/usr/share/pocketsphinx/model/en-us"), kept: 4, most: 32 }
    }
}

/// Who answers.
#[derive(Clone, Debug, PartialEq)]
pub enum BrainSettings {
    /// The small dialogue.
    Dialogue {
        /// IANA name of the time zone in which time and date are told. Default: the machine's.
        time_zone: Option<String>,
    },
    /// A language model.
    Llm(LlmSettings),
}

/// What speaks.
#[derive(Clone, Debug, PartialEq)]
pub enum TtsSettings {
    /// flite, on this machine: English.
    Flite(Voice),
    /// An OpenAI-compatible speech endpoint: OpenAI's, and the servers of Sesame CSM.
    Speech(Box<SpeechSettings>),
}
