//! The agents, made ready to be called: their backends, turn models and clips.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::timeout;

use super::ServerError;
use super::clips;
use crate::backend::cascade::Cascade;
use crate::backend::nova_sonic::account::Accounts;
use crate::backend::nova_sonic::{NovaAgent, NovaSonic};
use crate::backend::relief::Relief;
use crate::backend::{self, Backend, BackendError, Problem, ProviderHealth};
use crate::config::{AgentProfile, BackendConfig, Config};
use crate::dsp::smart_turn::SmartTurn;
use crate::limits::{BACKEND_CHECKS_MAX, TURN_JUDGES_MAX};
use crate::metrics::{AgentMetrics, Metrics};
use crate::peer::TurnJudge;
use crate::tools::mcp;

/// An agent and its backend, ready to be called.
pub(super) struct LiveAgent {
    pub(super) profile: AgentProfile,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) turn_judge: Option<TurnJudge>,
    pub(super) metrics: AgentMetrics,
}

/// Makes every agent ready. All whose backends cannot be built are named.
pub(super) async fn prepare(
    config: &Config,
    metrics: &Metrics,
) -> Result<BTreeMap<String, LiveAgent>, ServerError> {
    let mut judges = TurnJudges::new(&config.runtime_dir);
    let mut accounts = Accounts::default();
    let (mut agents, mut errors) = (BTreeMap::new(), Vec::new());
    for (name, profile) in &config.agents {
        match backend_of(profile, &mut accounts).await {
            Ok((profile, backend)) => {
                let turn_judge = judges.of(name, &profile)?;
                let metrics = metrics.agent(name);
                agents.insert(name.clone(), LiveAgent { profile, backend, turn_judge, metrics });
            }
            Err(error) => errors.push((name.clone(), error)),
        }
    }
    if errors.is_empty() { Ok(agents) } else { Err(ServerError::Backends(errors)) }
}

/// Asks the agents' backends whether they would work, some at a time, for `patience` in all. Answers those
/// that would not now but may later; those that somebody must put right are an error.
pub(super) async fn check(
    agents: &BTreeMap<String, LiveAgent>,
    patience: Duration,
) -> Result<Vec<(String, Problem)>, ServerError> {
    let mut unanswered: Vec<&String> = agents.keys().collect();
    let mut problems = Vec::new();
    let check = async |(name, agent): (&'_ String, &'_ LiveAgent)| {
        (name.clone(), agent.backend.check().await)
    };
    let mut checks = stream::iter(agents).map(check).buffer_unordered(BACKEND_CHECKS_MAX);
    let all = async {
        while let Some((name, answer)) = checks.next().await {
            unanswered.retain(|waiting| **waiting != name);
            problems.extend(answer.err().map(|problem| (name, problem)));
        }
    };
    if timeout(patience, all).await.is_err() {
        let late = format!("not checked within {:.1} s", patience.as_secs_f32());
        let late = |name: &String| (name.clone(), Problem::Passing(late.clone()));
        problems.extend(unanswered.into_iter().map(late));
    }
    problems.sort_by(|(one, _), (other, _)| one.cmp(other));
    let is_mistake = |(_, problem): &(String, Problem)| matches!(problem, Problem::Mistake(_));
    if problems.iter().any(is_mistake) { Err(ServerError::Unfit(problems)) } else { Ok(problems) }
}

/// Notes in the agents' metrics which of their providers are up now.
pub(super) fn note_health(agents: &BTreeMap<String, LiveAgent>) {
    for LiveAgent { backend, metrics, .. } in agents.values() {
        let mut health = backend.health();
        // Where two have the same name, the one that is down is what counts: it is noted last.
        health.sort_by_key(|provider| !provider.is_up);
        for ProviderHealth { stage, provider, is_up } in health {
            metrics.provider_is(stage, &provider, is_up);
        }
    }
}

/// Tells the agents' backends that calls may come.
pub(super) fn begin(agents: &BTreeMap<String, LiveAgent>) {
    agents.values().for_each(|agent| agent.backend.begin());
}

/// An agent's backend, and the agent with its clips loaded and the tools of its servers listed.
async fn backend_of(
    profile: &AgentProfile,
    accounts: &mut Accounts,
) -> Result<(AgentProfile, Arc<dyn Backend>), BackendError> {
    let invalid = |problem| BackendError::Invalid { problem };
    let mut profile = profile.clone();
    let gathered = mcp::gather(&profile.tools, &profile.tool_servers).await;
    profile.tools = gathered.map_err(|error| invalid(error.to_string()))?;
    let mut backend = build(&profile, &profile.backend, accounts).await?;
    profile.check(backend.abilities()).map_err(invalid)?;
    let mut others = Vec::new();
    for fallback in &profile.fallback {
        let other = build(&profile, fallback, accounts).await?;
        profile.check_fallback(fallback, other.abilities()).map_err(invalid)?;
        others.push(other);
    }
    if !others.is_empty() {
        backend = Arc::new(Relief::new(backend, others));
    }
    profile.settings.clips = clips::load(&profile)?;
    Ok((profile, backend))
}

/// A backend in the service of an agent.
async fn build(
    profile: &AgentProfile,
    backend: &BackendConfig,
    accounts: &mut Accounts,
) -> Result<Arc<dyn Backend>, BackendError> {
    let tools = || Arc::clone(&profile.tools);
    Ok(match backend {
        BackendConfig::Local(settings) => {
            Arc::new(backend::local::local(settings.clone(), tools())?)
        }
        BackendConfig::Cascade(settings) => {
            let mut settings = (**settings).clone();
            settings.prepared.extend(said_by(profile));
            Arc::new(Cascade::new("cascade", settings, tools())?)
        }
        BackendConfig::Scripted(settings) => Arc::new(backend::scripted::Scripted::new(settings)?),
        BackendConfig::Echo(settings) => Arc::new(backend::echo::Echo::new(settings.clone())?),
        BackendConfig::NovaSonic(settings) => {
            let account = accounts.of(&settings.connection).await?;
            let agent = NovaAgent {
                persona: profile.persona.clone(),
                tools: tools(),
                reply_timeout: profile.settings.call.reply_timeout,
            };
            Arc::new(NovaSonic::new((**settings).clone(), agent, account)?)
        }
    })
}

/// What an agent says word for word in any call.
fn said_by(profile: &AgentProfile) -> impl Iterator<Item = String> {
    let fillers = profile.tools.specs().filter_map(|spec| Some(spec.filler.as_ref()?.text.clone()));
    let greeting = profile.greeting.iter().cloned();
    let clips = profile.clips.texts().map(str::to_owned);
    greeting.chain(clips).chain(profile.settings.call.idle.prompts.iter().cloned()).chain(fillers)
}

/// The turn models at work, each file loaded once however many agents use it.
struct TurnJudges {
    runtime: PathBuf,
    by_file: BTreeMap<PathBuf, TurnJudge>,
}

impl TurnJudges {
    fn new(runtime_dir: &Path) -> Self {
        Self { runtime: runtime_dir.join("libonnxruntime.so"), by_file: BTreeMap::new() }
    }

    /// That of an agent, if it has one.
    fn of(&mut self, name: &str, profile: &AgentProfile) -> Result<Option<TurnJudge>, ServerError> {
        let Some(file) = &profile.turn_model else { return Ok(None) };
        if let Some(judge) = self.by_file.get(file) {
            return Ok(Some(judge.clone()));
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let copies = (cores / 2).clamp(1, TURN_JUDGES_MAX);
        let models: Result<Vec<_>, _> =
            (0..copies).map(|_| SmartTurn::load(&self.runtime, file)).collect();
        let of_agent =
            |source| ServerError::TurnModel { agent: name.to_owned(), source: Box::new(source) };
        let judge = TurnJudge::start(models.map_err(of_agent)?).map_err(ServerError::Threads)?;
        self.by_file.insert(file.clone(), judge.clone());
        Ok(Some(judge))
    }
}

#[cfg(test)]
mod tests;
