//! One call, from offer to report: the one loop that owns the clock and everything else.

mod connect;
mod running;
mod talk;

use std::path::Path;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::spawn_blocking;

pub use crate::conversation::Progress as TurnProgress;
use crate::conversation::{Conversation, Utterance};
use crate::duplex::actor::{Actor, Known};
use crate::duplex::plan::Plan;
use crate::error::CallError;
use crate::limits::TURNS_MAX;
use crate::options::{CallOptions, Turn};
use crate::report::{Connect, Report};
use crate::wav::Clip;
use running::Running;

/// How a call goes, while it does.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// The offer is on its way.
    Calling {
        /// Where to.
        url: String,
    },
    /// Media can flow.
    Connected(Connect),
    /// The conversation moved on.
    Turn(TurnProgress),
    /// The agent reported an error.
    AgentError(String),
    /// The call is being ended.
    HangingUp,
}

/// Makes one call and reports on it.
///
/// An error means that there was no call. A call that connected always gives a report; whether it
/// worked is [`Report::worked`].
pub async fn call(options: &CallOptions) -> Result<Report, CallError> {
    let (progress, _) = mpsc::channel(1);
    call_with(options, progress, &Notify::new()).await
}

/// [`call`], telling how it goes and to be ended early by `hang_up`: the report is then on what
/// there was. Progress that is not taken up in time is dropped.
pub async fn call_with(
    options: &CallOptions,
    progress: mpsc::Sender<Progress>,
    hang_up: &Notify,
) -> Result<Report, CallError> {
    let utterances = utterances(options)?;
    let connected = connect::connect(options, &progress).await?;
    let frame_samples = options.codec.frame_samples();
    let make = |now| Conversation::new(options.manners, frame_samples, utterances, now);
    Running::new(options, connected, make, progress)?.run(hang_up).await?.report()
}

/// A call in which `plan` is carried out, and how late a packet of it left at worst. A call that breaks
/// is an error: half a log proves nothing.
pub(crate) async fn act(
    options: &CallOptions,
    plan: Plan,
    known: &Known,
) -> Result<(Actor, Duration), CallError> {
    let (progress, _) = mpsc::channel(1);
    let (known, codec) = (known.clone(), options.codec);
    // Seconds of work for some plans, and other calls wait for this thread.
    let made = spawn_blocking(move || Actor::new(plan, &known, codec)).await;
    let mut actor = made.map_err(|_| CallError::Broken("its sounds could not be made"))?;
    let connected = connect::connect(options, &progress).await?;
    let make = |now| {
        actor.connected(now);
        actor
    };
    let ended = Running::new(options, connected, make, progress)?.run(&Notify::new()).await?;
    match ended.into_parts() {
        (actor, None, late_max) => Ok((actor, late_max)),
        (_, Some(problem), _) => Err(CallError::Broken(problem)),
    }
}

/// Reads every clip before anything is sent: a bad file is found while nobody waits.
fn utterances(options: &CallOptions) -> Result<Vec<Utterance>, CallError> {
    if options.turns.len() > TURNS_MAX {
        let message = format!("{} turns, more than {TURNS_MAX}", options.turns.len());
        return Err(CallError::Options(message));
    }
    let read = |path: &Path| {
        let (rate_hz, frame) = (options.codec.rate_hz(), options.codec.frame_samples());
        Clip::read(path, rate_hz, frame, options.manners.sound_dbfs)
    };
    options
        .turns
        .iter()
        .map(|turn| match turn {
            Turn::Say(path) => Ok(Utterance::Clip(read(path)?)),
            Turn::Text(text) => Ok(Utterance::Text(text.clone())),
        })
        .collect()
}

/// Sends progress if somebody listens.
fn tell(progress: &mpsc::Sender<Progress>, what: Progress) {
    drop(progress.try_send(what));
}

/// How long the whole call may last at most: a bound on memory and on a call that goes nowhere.
const CALL_MAX: Duration = Duration::from_secs(4 * 3_600);
