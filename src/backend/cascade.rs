//! Three stages in a row: speech recognition, somebody who answers, and speech.
//!
//! ```text
//! frames -> asr -> talk -> tts -> blocks
//!                   |
//!         dialogue, or a language model
//! ```
//!
//! Each stage is a port with several adapters; what a call says and when is decided in [`talk`], which knows
//! the ports. Everything streams: phrases are spoken while the rest is written, and what is cancelled stops
//! where it runs.

pub mod asr;
mod aws;
pub mod dialogue;
mod error;
mod health;
mod http;
mod larder;
mod library;
pub mod llm;
mod meter;
mod settings;
mod socket;
mod stage;
mod talk;
mod tools;
pub mod tts;

use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

use jiff::tz::TimeZone;

pub use self::settings::{
    AsrSettings, BrainSettings, CascadeSettings, ContextSettings, MemorySettings, ModelSettings,
    Overflow, OwnWords, PocketSphinxSettings, Reminder, TtsSettings, Window,
};
pub use self::stage::Ranked;

use self::asr::AsrStage;
use self::health::Watching;
use self::larder::{Larder, Preparing};
use self::llm::LlmStage;
use self::meter::Meter;
use self::stage::Stage;
use self::talk::{Brain, Talk, Voicing};
use self::tools::Tools;
use self::tts::TtsStage;
use super::session;
use super::{
    Abilities, Backend, BackendError, BackendSession, Busy, CallContext, Checking, ProviderHealth,
    Spoken, channels,
};
use crate::cascade::intent::CommonAnswer;
use crate::tools::Toolbox;

/// The paces of speech that stay intelligible, relative to a voice's own.
pub const PACE_RANGE: RangeInclusive<f32> = 0.5..=2.0;

/// A cascade, its engines loaded.
#[derive(Debug)]
pub struct Cascade {
    name: &'static str,
    asr: Arc<Stage<AsrStage>>,
    /// Who answers; `None`: the small dialogue.
    model: Option<Arc<Stage<LlmStage>>>,
    tools: Tools,
    tts: Arc<Stage<TtsStage>>,
    time_zone: TimeZone,
    pace: f32,
    memory: MemorySettings,
    larder: Arc<Larder>,
    answers: Arc<[CommonAnswer]>,
    own_words: Arc<OwnWords>,
    /// Whether an agent's configuration names what is said often.
    prepares: bool,
    /// What goes on beside the calls, once they may come.
    beside: OnceLock<Beside>,
}

/// Dropping it ends it.
#[derive(Debug)]
struct Beside {
    /// What is said often is spoken ahead.
    _preparing: Option<Preparing>,
    /// The providers of stages that have several are checked.
    _watching: Vec<Watching>,
}

impl Cascade {
    /// Loads the engines and models of this machine, which takes about half a second, and checks the rest.
    /// Nothing is sent yet. `name` is that of the backend which this is; `tools` are for a language model.
    pub fn new(
        name: &'static str,
        settings: CascadeSettings,
        tools: Arc<Toolbox>,
    ) -> Result<Self, BackendError> {
        let CascadeSettings { asr, brain, tts, pace, memory, prepared, answers, own_words } =
            settings;
        let invalid = |problem: String| BackendError::Invalid { problem };
        if !PACE_RANGE.contains(&pace) {
            let (low, high) = (PACE_RANGE.start(), PACE_RANGE.end());
            return Err(invalid(format!("pace: expected {low} to {high}, received {pace}")));
        }
        memory.check().map_err(|problem| invalid(format!("context: {problem}")))?;
        let (model, time_zone) = match brain {
            BrainSettings::Dialogue { time_zone: None } => (None, TimeZone::system()),
            BrainSettings::Dialogue { time_zone: Some(name) } => {
                let zone = TimeZone::get(&name);
                let unknown = |error| format!("time_zone: `{name}` is not known: {error}");
                (None, zone.map_err(|error| invalid(unknown(error)))?)
            }
            BrainSettings::Llm(models) => {
                (Some(Arc::new(Stage::new("llm", models, LlmStage::load)?)), TimeZone::UTC)
            }
        };
        let tts = Arc::new(Stage::new("tts", tts, TtsStage::load)?);
        let with_commands = model.is_none();
        let load = |settings| AsrStage::load(settings, with_commands);
        let asr = Arc::new(Stage::new("asr", asr, load)?);
        let said = prepared.iter().chain(answers.iter().map(|answer| &answer.say));
        let said = said.chain([&own_words.not_heard, &own_words.failed]);
        let said: Vec<String> = said.cloned().collect();
        let larder = Arc::new(Larder::new(Arc::clone(&tts), &said));
        Ok(Self {
            name,
            asr,
            model,
            tools: Tools::new(tools)?,
            tts,
            time_zone,
            pace,
            memory,
            larder,
            prepares: !(prepared.is_empty() && answers.is_empty()),
            answers: answers.into(),
            own_words: Arc::new(own_words),
            beside: OnceLock::new(),
        })
    }

    fn voice(&self) -> Voicing {
        let (larder, answers) = (Arc::clone(&self.larder), Arc::clone(&self.answers));
        Voicing { pace: self.pace, larder, answers, own_words: Arc::clone(&self.own_words) }
    }
}

impl Backend for Cascade {
    fn name(&self) -> &'static str {
        self.name
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            speculates: true,
            transcribes: self.asr.providers().iter().all(AsrStage::transcribes),
            says: true,
            greets: true,
            ends_turns: false,
            tools: self.model.is_some(),
            recalls: self.model.is_some(),
        }
    }

    fn open(&self, call: CallContext) -> Result<BackendSession, Busy> {
        let (session, channels) = channels();
        let meter = Arc::new(Meter::default());
        let brain = match &self.model {
            None => Brain::dialogue(call.greeting, self.time_zone.clone()),
            Some(model) => Brain::model(Arc::clone(model), &self.tools, &self.memory, call, &meter),
        };
        let ears = asr::open(&self.asr, &meter);
        let voice = tts::open(&self.tts, &meter);
        let talk = Talk::new(ears, voice, brain, self.voice(), meter);
        tokio::spawn(session::run(talk, channels));
        Ok(session)
    }

    fn check(&self) -> Checking<'_> {
        Box::pin(async {
            let model = async {
                match &self.model {
                    Some(model) => health::check(model).await,
                    None => Vec::new(),
                }
            };
            let (asr, llm, tts) =
                tokio::join!(health::check(&self.asr), model, health::check(&self.tts));
            health::summed([asr, llm, tts].concat())
        })
    }

    fn health(&self) -> Vec<ProviderHealth> {
        let models = self.model.iter().flat_map(|model| model.health());
        self.asr.health().chain(models).chain(self.tts.health()).collect()
    }

    fn begin(&self) {
        self.beside.get_or_init(|| {
            // Where nothing is said often, no voice is paid for before somebody calls.
            let preparing = self.prepares.then(|| self.larder.prepare(self.pace));
            let of_model = self.model.as_ref().and_then(health::watch);
            let watching = [health::watch(&self.asr), of_model, health::watch(&self.tts)];
            let watching = watching.into_iter().flatten().collect();
            Beside { _preparing: preparing, _watching: watching }
        });
    }

    fn spoken(&self, text: &str) -> Option<Spoken> {
        self.larder.spoken(text, self.pace)
    }
}

#[cfg(test)]
pub(super) mod tests;
