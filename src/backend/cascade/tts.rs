//! Speech synthesis, as a stage: speaks phrases, one after the other.

pub(super) mod cartesia;
mod chain;
pub(super) mod deepgram;
pub(super) mod elevenlabs;
pub(in crate::backend) mod flite;
pub(super) mod live;
pub(super) mod moshi;
pub(in crate::backend) mod mouth;
pub(super) mod polly;
pub(super) mod speech;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

pub use self::cartesia::CartesiaSettings;
pub use self::deepgram::DeepgramVoiceSettings;
pub use self::elevenlabs::ElevenLabsSettings;
pub use self::flite::Voice;
pub use self::live::{ApiKey, VoicePatience};
pub use self::moshi::MoshiVoiceSettings;
pub use self::polly::PollySettings;
pub use self::speech::SpeechSettings;

use self::chain::Chain;
use self::flite::Flite;
use self::live::{LiveSpeaker, LiveVoice};
use self::mouth::Mouth;
use self::polly::Polly;
use self::speech::{Speaker, Speech};
use super::error::StageError;
use super::health::Provider;
use super::meter::{Bill, Meter};
use super::settings::TtsSettings;
use super::stage::Stage;
use crate::backend::{BackendError, Problem};
use crate::call::event::{Generation, WordTime};
use crate::limits::WIDEBAND_HZ;

/// What speaks to an agent's calls.
#[derive(Clone, Debug)]
pub(super) enum TtsStage {
    /// flite, on this machine.
    Flite(Flite),
    /// A speech endpoint.
    Speech(Arc<Speech>),
    /// Amazon Polly.
    Polly(Arc<Polly>),
    /// A voice behind a WebSocket.
    Live(Arc<LiveVoice>),
}

impl TtsStage {
    /// Loads what is on this machine, and checks the rest.
    pub(super) fn load(settings: TtsSettings) -> Result<Self, BackendError> {
        Ok(match settings {
            TtsSettings::Flite(voice) => Self::Flite(Flite::load(voice)?),
            TtsSettings::Speech(settings) => Self::Speech(Arc::new(Speech::new(*settings)?)),
            TtsSettings::Polly(settings) => Self::Polly(Arc::new(Polly::new(*settings)?)),
            TtsSettings::Cartesia(settings) => Self::Live(Arc::new(settings.voice()?)),
            TtsSettings::ElevenLabs(settings) => Self::Live(Arc::new(settings.voice()?)),
            TtsSettings::Deepgram(settings) => Self::Live(Arc::new(settings.voice()?)),
            TtsSettings::Moshi(settings) => Self::Live(Arc::new(settings.voice()?)),
        })
    }

    /// Rate of all that it says.
    pub(super) fn sample_rate_hz(&self) -> u32 {
        match self {
            Self::Flite(_) => WIDEBAND_HZ,
            Self::Speech(voice) => voice.sample_rate_hz(),
            Self::Polly(voice) => voice.sample_rate_hz(),
            Self::Live(voice) => voice.sample_rate_hz,
        }
    }

    /// A call's voice, for which `bill` pays, and where it reports.
    pub(super) fn open(&self, bill: Bill) -> (Box<dyn Tts>, mpsc::Receiver<TtsReport>) {
        match self {
            Self::Flite(flite) => {
                let (mouth, reports) = Mouth::open(*flite);
                (Box::new(mouth), reports)
            }
            Self::Polly(polly) => {
                let (speaker, reports) = polly::Speaker::open(Arc::clone(polly), bill);
                (Box::new(speaker), reports)
            }
            Self::Speech(endpoint) => {
                let (speaker, reports) = Speaker::open(Arc::clone(endpoint), bill);
                (Box::new(speaker), reports)
            }
            Self::Live(voice) => {
                let (speaker, reports) = LiveSpeaker::open(Arc::clone(voice), bill);
                (Box::new(speaker), reports)
            }
        }
    }
}

impl Provider for TtsStage {
    async fn check(&self) -> Result<(), Problem> {
        match self {
            Self::Polly(voice) => voice.check().await,
            Self::Speech(endpoint) => endpoint.check().await,
            Self::Live(voice) => voice.check().await,
            Self::Flite(_) => Ok(()),
        }
    }
}

/// A call's voice, of whichever provider can, and where it reports.
pub(super) fn open(
    stage: &Arc<Stage<TtsStage>>,
    meter: &Arc<Meter>,
) -> (Box<dyn Tts>, mpsc::Receiver<TtsReport>) {
    match stage.only() {
        Some(only) => only.open(stage.bill(0, meter)),
        None => {
            let (chain, reports) = Chain::open(stage, meter);
            (Box::new(chain), reports)
        }
    }
}

/// A call's handle on its voice.
pub(super) trait Tts: Send {
    /// Rate of all that it says.
    fn sample_rate_hz(&self) -> u32;

    /// Which of the stage's providers speaks the next phrase, as far as is known.
    fn provider(&self) -> usize {
        0
    }

    /// What [`Tts::provider`] spoke for another call is played in this one, which keeps its voice from then
    /// on, for as long as that works.
    fn stay(&self) {}

    /// Who spoke the last phrase for `work`, if it was one provider and the whole phrase. To be asked when
    /// that phrase is done.
    fn spoke_whole(&self, _work: Generation) -> Option<usize> {
        Some(0)
    }

    /// Speaks one phrase, `pace` times as fast as usual. One at a time: the next after [`TtsReport::Done`].
    fn speak(&self, work: Generation, text: String, pace: f32) -> Speaking;
}

/// What a voice tells of the phrase that it speaks for `work`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TtsReport {
    /// The phrase waits: the provider speaks as many others as it may. It was not given to it yet.
    Queued { work: Generation },
    /// It does not wait any more.
    Admitted { work: Generation },
    /// When some of the phrase's words sound, counted from its first sample, in order. They may come before
    /// or after the blocks that they are about. A voice that does not know never says it.
    Words { work: Generation, words: Vec<WordTime> },
    /// At most 20 ms of speech.
    Block { work: Generation, pcm: Vec<i16> },
    /// The phrase is complete, or could not be spoken, or not to its end.
    Done { work: Generation, result: Result<(), StageError> },
}

/// A phrase being spoken. Dropping it stops it.
#[derive(Debug)]
pub(super) enum Speaking {
    /// On a thread, which looks at this.
    Thread(Arc<AtomicBool>),
    /// In a task.
    Task(AbortHandle),
    /// In a task that goes on to the next phrase; it sees the other end of this close.
    Live { _stop: oneshot::Sender<()> },
}

impl Drop for Speaking {
    fn drop(&mut self) {
        match self {
            Self::Thread(stop) => stop.store(true, Ordering::Relaxed),
            Self::Task(task) => task.abort(),
            Self::Live { .. } => {}
        }
    }
}
