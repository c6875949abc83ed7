//! What can be set of a cascade.

use std::fmt;
use std::path::PathBuf;

use super::asr::{
    DeepgramSettings, FluxSettings, MoshiSettings, TranscribeSettings, TranscriptionSettings,
};
use super::llm::{ConverseSettings, LlmSettings};
use super::stage::Ranked;
use super::tts::{
    CartesiaSettings, DeepgramVoiceSettings, ElevenLabsSettings, MoshiVoiceSettings, PollySettings,
    SpeechSettings, Voice,
};
use crate::cascade::context::{Context, ContextError};
use crate::cascade::intent::CommonAnswer;

pub use crate::cascade::context::{ContextSettings, Overflow, Reminder, Window};

/// A cascade: for each stage its providers, in the order in which they are asked.
#[derive(Clone, Debug, PartialEq)]
pub struct CascadeSettings {
    pub asr: Vec<Ranked<AsrSettings>>,
    pub brain: BrainSettings,
    pub tts: Vec<Ranked<TtsSettings>>,
    /// How fast it speaks, relative to the voice's own pace: [`PACE_RANGE`](super::PACE_RANGE), default 1.0.
    pub pace: f32,
    /// What a language model is told of the conversation.
    pub memory: MemorySettings,
    /// Texts that are said again and again, beside the greeting, prompts and fillers: synthesised at start
    /// and kept. At most [`PREPARED_TEXTS_MAX`](crate::limits::PREPARED_TEXTS_MAX).
    pub prepared: Vec<String>,
    /// Questions that a model is not asked, since their answer is always the same; kept too.
    pub answers: Vec<CommonAnswer>,
    /// What it says by itself.
    pub own_words: OwnWords,
}

/// What a cascade with a language model says when there is nothing to answer with. English by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnWords {
    /// Nothing was understood of a turn.
    pub not_heard: String,
    /// The model broke off, or no one answers.
    pub failed: String,
}

impl Default for OwnWords {
    fn default() -> Self {
        Self {
            not_heard: "Sorry, I did not catch that.".to_owned(),
            failed: "Sorry, I cannot think right now. Please try again.".to_owned(),
        }
    }
}

impl CascadeSettings {
    /// One provider of each stage, and the defaults for the rest.
    pub fn new(asr: AsrSettings, brain: BrainSettings, tts: TtsSettings) -> Self {
        let (asr, tts) = (vec![asr.into()], vec![tts.into()]);
        let (memory, prepared, answers, own_words) = Default::default();
        Self { asr, brain, tts, pace: 1.0, memory, prepared, answers, own_words }
    }
}

impl CascadeSettings {
    /// A stage that knows no other language than English, and what it does in it.
    pub fn english_only(&self) -> Option<&'static str> {
        let hears = self.asr.iter().any(|it| matches!(it.settings, AsrSettings::PocketSphinx(_)));
        let answers = matches!(self.brain, BrainSettings::Dialogue { .. });
        let speaks = self.tts.iter().any(|it| matches!(it.settings, TtsSettings::Flite(_)));
        [
            (hears, "the stage `pocketsphinx` hears"),
            (answers, "the small dialogue, which answers where there is no `llm`, speaks"),
            (speaks, "the stage `flite` speaks"),
        ]
        .into_iter()
        .find_map(|(is_so, who)| is_so.then_some(who))
    }
}

/// Who hears, answers and speaks, in a line.
impl fmt::Display for CascadeSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} hears, ", either(&self.asr))?;
        if let BrainSettings::Llm(models) = &self.brain {
            write!(formatter, "{} answers, ", either(models))?;
        }
        write!(formatter, "{} speaks", either(&self.tts))
    }
}

fn either<S: fmt::Display>(providers: &[Ranked<S>]) -> String {
    let named: Vec<_> = providers.iter().map(|provider| provider.settings.to_string()).collect();
    named.join(", or else ")
}

impl fmt::Display for AsrSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PocketSphinx(_) => formatter.write_str("PocketSphinx"),
            Self::Transcription(asr) => write!(formatter, "{} at {}", asr.model, Address(&asr.url)),
            Self::Transcribe(_) => formatter.write_str("Amazon Transcribe"),
            Self::Deepgram(asr) => write!(formatter, "{} at {}", asr.model, Address(&asr.url)),
            Self::Flux(asr) => write!(formatter, "{} at {}", asr.model, Address(&asr.url)),
            Self::Moshi(asr) => write!(formatter, "moshi at {}", Address(&asr.url)),
        }
    }
}

impl fmt::Display for ModelSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chat(llm) => write!(formatter, "{} at {}", llm.model, Address(&llm.url)),
            Self::Converse(llm) => write!(formatter, "{} on Bedrock", llm.model),
        }
    }
}

impl fmt::Display for TtsSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flite(_) => formatter.write_str("flite"),
            Self::Speech(tts) => {
                write!(formatter, "{} of {} at {}", tts.voice, tts.model, Address(&tts.url))
            }
            Self::Polly(tts) => write!(formatter, "{} of Amazon Polly", tts.voice),
            Self::Cartesia(tts) => {
                write!(formatter, "{} of {} at {}", tts.voice, tts.model, Address(&tts.url))
            }
            Self::ElevenLabs(tts) => {
                write!(formatter, "{} of {} at {}", tts.voice, tts.model, Address(&tts.url))
            }
            Self::Deepgram(tts) => write!(formatter, "{} at {}", tts.model, Address(&tts.url)),
            Self::Moshi(tts) => write!(formatter, "moshi-server at {}", Address(&tts.url)),
        }
    }
}

/// An address without what may be secret in it: a user's name and password, and the query.
pub(super) struct Address<'a>(pub(super) &'a str);

impl fmt::Display for Address<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", self.0));
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = host.rsplit('@').next().unwrap_or_default();
        let colon = if scheme.is_empty() { "" } else { "://" };
        write!(formatter, "{scheme}{colon}{host}{path}")
    }
}

/// What recognises speech.
#[derive(Clone, Debug, PartialEq)]
pub enum AsrSettings {
    /// PocketSphinx, on this machine: English.
    PocketSphinx(PocketSphinxSettings),
    /// An OpenAI-compatible transcription endpoint, such as a Whisper server.
    Transcription(TranscriptionSettings),
    /// Amazon Transcribe.
    Transcribe(Box<TranscribeSettings>),
    /// Deepgram's Nova models.
    Deepgram(DeepgramSettings),
    /// Deepgram's Flux.
    Flux(FluxSettings),
    /// Kyutai's `moshi-server`.
    Moshi(MoshiSettings),
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
    /// Language models, in the order in which they are asked.
    Llm(Vec<Ranked<ModelSettings>>),
}

/// A language model.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelSettings {
    /// An OpenAI-compatible chat endpoint.
    Chat(LlmSettings),
    /// A model on Amazon Bedrock.
    Converse(Box<ConverseSettings>),
}

/// What a language model is told of a conversation, besides who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemorySettings {
    /// How much of it, and what becomes of the rest.
    pub context: ContextSettings,
    /// Told in every request, such as opening hours: at most
    /// [`CONTEXT_FACTS_MAX`](crate::limits::CONTEXT_FACTS_MAX), each of 1 to
    /// [`CONTEXT_FACT_CHARS_MAX`](crate::limits::CONTEXT_FACT_CHARS_MAX) characters. Default none.
    pub facts: Vec<String>,
}

impl MemorySettings {
    /// Whether all facts can be pinned.
    pub(super) fn check(&self) -> Result<(), ContextError> {
        let mut context = Context::new(String::new(), self.context.clone());
        self.facts.iter().try_for_each(|fact| context.pin(fact))
    }

    /// The context of a call that begins.
    pub(super) fn open(&self, system: String) -> Context {
        let mut context = Context::new(system, self.context.clone());
        for fact in &self.facts {
            // One that cannot be pinned was refused at start.
            let _ = context.pin(fact);
        }
        context
    }
}

/// What speaks.
#[derive(Clone, Debug, PartialEq)]
pub enum TtsSettings {
    /// flite, on this machine: English.
    Flite(Voice),
    /// An OpenAI-compatible speech endpoint: OpenAI's, and the servers of Sesame CSM.
    Speech(Box<SpeechSettings>),
    /// Amazon Polly.
    Polly(Box<PollySettings>),
    /// Cartesia.
    Cartesia(Box<CartesiaSettings>),
    /// ElevenLabs.
    ElevenLabs(Box<ElevenLabsSettings>),
    /// Deepgram's Aura.
    Deepgram(Box<DeepgramVoiceSettings>),
    /// Kyutai's models, on a `moshi-server`.
    Moshi(Box<MoshiVoiceSettings>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        for (address, shown) in [
            ("http://user:pass@host:8000/v1?key=secret", "http://host:8000/v1"),
            ("wss://host/a@b/c#d", "wss://host/a@b/c"),
            ("host", "host"),
        ] {
            assert_eq!(Address(address).to_string(), shown);
        }
    }
}
