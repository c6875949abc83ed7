//! Speech recognition, as a stage: hears turns and says what was said in each.

mod chain;
pub(super) mod ears;
mod listener;
mod phones;
pub(super) mod pocketsphinx;
pub(super) mod streaming;
pub(super) mod transcribe;
mod transcriber;
pub(super) mod transcription;

use std::sync::Arc;

use tokio::sync::mpsc;

pub(super) use self::listener::Listener;
pub use self::streaming::{DeepgramSettings, FluxSettings, MoshiSettings};
pub use self::transcribe::{Stability, TranscribeSettings};
pub use self::transcriber::{Transcriber, transcriber};
pub use self::transcription::TranscriptionSettings;

use self::ears::Clinic;
use self::streaming::Streaming;
use self::transcribe::Transcribe;
use self::transcription::Transcription;
use super::error::StageError;
use super::health::Provider;
use super::meter::{Bill, Meter};
use super::settings::AsrSettings;
use super::stage::Stage;
use crate::agent::PcmFrame;
use crate::backend::{BackendError, Problem};
use crate::call::event::{Generation, TurnId};

/// What recognises an agent's calls.
#[derive(Clone, Debug)]
pub(super) enum AsrStage {
    /// PocketSphinx, on this machine.
    PocketSphinx(Arc<Clinic>),
    /// A transcription endpoint, turn by turn.
    Transcription(Arc<Transcription>),
    /// A service that hears while the user speaks.
    Streaming(Arc<Streaming>),
    /// Amazon Transcribe.
    Transcribe(Arc<Transcribe>),
}

impl AsrStage {
    /// Loads what is on this machine, and checks the rest. `with_commands`: it is to understand what the
    /// small dialogue understands.
    pub(super) fn load(settings: AsrSettings, with_commands: bool) -> Result<Self, BackendError> {
        Ok(match settings {
            AsrSettings::PocketSphinx(settings) => {
                Self::PocketSphinx(Arc::new(Clinic::new(settings, with_commands)?))
            }
            AsrSettings::Transcription(settings) => {
                Self::Transcription(Arc::new(Transcription::new(settings)?))
            }
            AsrSettings::Transcribe(settings) => {
                Self::Transcribe(Arc::new(Transcribe::new(*settings)?))
            }
            AsrSettings::Deepgram(settings) => {
                Self::Streaming(Arc::new(Streaming::deepgram(settings)?))
            }
            AsrSettings::Flux(settings) => Self::Streaming(Arc::new(Streaming::flux(settings)?)),
            AsrSettings::Moshi(settings) => Self::Streaming(Arc::new(Streaming::moshi(settings)?)),
        })
    }

    /// Whether it says what the user says while the user speaks.
    pub(super) const fn transcribes(&self) -> bool {
        match self {
            Self::PocketSphinx(_) | Self::Streaming(_) | Self::Transcribe(_) => true,
            Self::Transcription(_) => false,
        }
    }

    /// Begins to listen to a call. The first report is [`AsrReport::Ready`] or [`AsrReport::Failed`].
    /// `bill` pays for what a service hears.
    pub(super) fn open(&self, bill: Bill) -> (Listener, mpsc::Receiver<AsrReport>) {
        match self {
            Self::PocketSphinx(clinic) => ears::open(Arc::clone(clinic)),
            Self::Transcription(endpoint) => transcription::open(Arc::clone(endpoint), bill),
            Self::Transcribe(service) => transcribe::open(Arc::clone(service), bill),
            Self::Streaming(service) => streaming::open(Arc::clone(service), bill),
        }
    }
}

impl Provider for AsrStage {
    async fn check(&self) -> Result<(), Problem> {
        match self {
            Self::Transcribe(service) => service.check().await,
            Self::Transcription(endpoint) => endpoint.check().await,
            Self::Streaming(service) => service.check().await,
            Self::PocketSphinx(_) => Ok(()),
        }
    }
}

/// Begins to listen to a call, with whichever provider can.
pub(super) fn open(
    stage: &Arc<Stage<AsrStage>>,
    meter: &Arc<Meter>,
) -> (Listener, mpsc::Receiver<AsrReport>) {
    match stage.only() {
        Some(only) => only.open(stage.bill(0, meter)),
        None => chain::open(stage, meter),
    }
}

/// What a recogniser is told.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    /// A turn began.
    Start(TurnId),
    /// Some of its audio.
    Frame(Box<PcmFrame>),
    /// The turn may be over; [`AsrReport::Likely`] follows, and the turn goes on.
    Peek { turn: TurnId, generation: Generation },
    /// The turn is over; [`AsrReport::Final`] or [`AsrReport::Missed`] follows.
    End { turn: TurnId, generation: Generation },
    /// The turn was none.
    Forget,
}

/// So much waits for the recogniser that no more can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overrun;

/// What a recogniser tells.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum AsrReport {
    /// It is set up.
    Ready,
    /// What was understood so far.
    Partial { turn: TurnId, text: String },
    /// What would be understood if the turn were over, asked for as this generation.
    Likely { turn: TurnId, generation: Generation, text: String },
    /// The recogniser's own endpointer: how likely the turn is over, 0 to 1.
    LooksComplete { turn: TurnId, probability: f32 },
    /// What was understood.
    Final { turn: TurnId, generation: Generation, text: String },
    /// One turn could not be recognised, for a reason that may pass. Counts as its end.
    Missed { turn: TurnId, generation: Generation, error: StageError },
    /// Recognition is gone for good.
    Failed(StageError),
}
