//! Whether the providers of a cascade's stages are well: asked at start, and while the server runs.
//!
//! At start all are asked at once. Later each provider of a stage that has several is asked from time to
//! time, and calls are turned away from one that has ceased to answer before they notice it themselves. When
//! it is asked and what follows is decided in [`Checkup`]; this is the clock and the questions.

use std::sync::Arc;

use futures_util::future::join_all;
use reqwest::Url;
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout};

use super::error::StageError;
use super::settings::Address;
use super::stage::Stage;
use crate::backend::{Problem, ProviderHealth};
use crate::cascade::failover::{Change, Checked, Checkup, FailureKind};
use crate::limits::PROVIDER_CHECK_TIMEOUT;

/// A provider of a stage.
pub(super) trait Provider: Send + Sync + 'static {
    /// Whether it would work as things stand: that it is there and accepts the key, asked by what costs
    /// nothing. Of AWS's stages only that there are keys and a region is known without a bill. What is on
    /// this machine was checked when it was loaded.
    fn check(&self) -> impl Future<Output = Result<(), Problem>> + Send;
}

/// The checks of a stage's providers, in the background. Dropping it ends them.
#[derive(Debug)]
pub(super) struct Watching(JoinHandle<()>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Asks the providers of a stage from time to time. Nothing is asked of one that nobody can stand in for.
pub(super) fn watch<P: Provider>(stage: &Arc<Stage<P>>) -> Option<Watching> {
    if stage.only().is_some() {
        return None;
    }
    let count = stage.providers().len();
    // Of several agents, and of their stages, all would be asked at the same moments otherwise.
    let phase = getrandom::u32().map_or(0.5, |drawn| f64::from(drawn) / f64::from(u32::MAX));
    let checkup = |place: usize| {
        let every = stage.breakers(|_, breakers| breakers.settings(place).check_every)?;
        let share = (place as f64 + 1.0 + phase) / (count as f64 + 2.0);
        Some(keep_asking(Arc::clone(stage), place, Checkup::new(stage.now(), every, share)))
    };
    let all: Vec<_> = (0..count).filter_map(checkup).collect();
    let asking = async {
        join_all(all).await;
    };
    Some(Watching(tokio::spawn(asking)))
}

async fn keep_asking<P: Provider>(stage: Arc<Stage<P>>, place: usize, mut checkup: Checkup) {
    loop {
        sleep_until(stage.instant(checkup.poll_timeout())).await;
        let began = stage.now();
        let answer = ask(&*stage, place).await;
        let change = stage.breakers(|now, breakers| {
            let answered_at = breakers.answered_at(place);
            let checked = Checked { began, is_well: answer.is_ok(), answered_at };
            let change = checkup.handle_checked(now, checked);
            breakers.mark(place, checkup.health());
            change
        });
        let (what, provider) = (stage.what(), stage.name(place));
        match (change, answer) {
            (Some(Change::Down), Err(problem)) => {
                tracing::warn!(stage = what, provider, %problem, "a provider is down");
            }
            (Some(Change::Up), _) => {
                tracing::info!(stage = what, provider, "a provider is up again");
            }
            (Some(Change::Down) | None, _) => {}
        }
    }
}

/// Asks one provider, for [`PROVIDER_CHECK_TIMEOUT`] at most.
async fn ask<P: Provider>(stage: &Stage<P>, place: usize) -> Result<(), Problem> {
    let check = stage.providers()[place].check();
    timeout(PROVIDER_CHECK_TIMEOUT, check).await.unwrap_or_else(|_| {
        let patience = PROVIDER_CHECK_TIMEOUT.as_secs_f32();
        let (what, name) = (stage.what(), stage.name(place));
        Err(Problem::Passing(format!(
            "{what}: {name} did not say within {patience} s that it is well"
        )))
    })
}

/// What is wrong with the providers of a stage, all asked at once; of a list, which of them it is.
pub(super) async fn check<P: Provider>(stage: &Stage<P>) -> Vec<Problem> {
    let count = stage.providers().len();
    let is_asked =
        |place: &usize| stage.breakers(|_, known| known.settings(*place).check_every.is_some());
    let answers = (0..count).filter(is_asked).map(async |place| (place, ask(stage, place).await));
    let problems = join_all(answers).await.into_iter().filter_map(|(place, answer)| {
        let placed = |text| match count {
            1 => text,
            _ => format!("number {} of {}: {text}", place + 1, stage.what()),
        };
        Some(match answer.err()? {
            Problem::Mistake(text) => Problem::Mistake(placed(text)),
            Problem::Passing(text) => Problem::Passing(placed(text)),
        })
    });
    problems.collect()
}

/// All that is wrong, as one: what somebody must put right first, and then what may pass.
pub(super) fn summed(mut problems: Vec<Problem>) -> Result<(), Problem> {
    problems.sort_by_key(|problem| matches!(problem, Problem::Passing(_)));
    let texts: Vec<_> = problems.iter().map(Problem::to_string).collect();
    match problems.first() {
        None => Ok(()),
        Some(Problem::Mistake(_)) => Err(Problem::Mistake(texts.join("; and "))),
        Some(Problem::Passing(_)) => Err(Problem::Passing(texts.join("; and "))),
    }
}

/// What a check that failed says. `section` names the settings, and the error's text follows the name of a
/// service.
pub(super) fn problem(section: &str, address: &Url, error: &StageError) -> Problem {
    let address = Address(address.as_str());
    match error.kind {
        FailureKind::Unauthorized => Problem::Mistake(format!(
            "{section}.api_key_env: {address} {error}; name a variable with a key that is accepted there, or \
             set {section}.check_every_s to 0 if it accepts the key for all but this check"
        )),
        _ => Problem::Passing(format!("{section}.url: {address} {error}")),
    }
}

impl<P> Stage<P> {
    /// Which of the providers are up, as checks and calls have found. Of a stage that has only one nothing is
    /// known.
    pub(super) fn health(&self) -> impl Iterator<Item = ProviderHealth> {
        let count = if self.only().is_some() { 0 } else { self.providers().len() };
        (0..count).map(|place| ProviderHealth {
            stage: self.what(),
            provider: self.name(place).to_owned(),
            is_up: self.breakers(|now, breakers| breakers.is_up(now, place)),
        })
    }
}

#[cfg(test)]
mod tests;
