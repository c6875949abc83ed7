//! How an agent takes turns, as scores: many calls by plan, each with a caller that speaks, interrupts,
//! murmurs, coughs, or is silent in a room that echoes.
//!
//! ```text
//! plan       what is said when, in which room          stimulus, noise   what it sounds like
//! actor      carries a plan out in one call            room              the echo of what is played
//! listener   which sound belongs to which reply        log               what happened
//! score      from a log to scores                      report, table     from scores to rows
//! ```
//!
//! **By ear.** Whether a reply was stopped, resumed or let be is told from its sound, so the suite works on
//! any server that the headless peer can call. What the agent says over the data channel is a second,
//! independent source: it is counted where it contradicts the ear, and it decides only where the ear cannot
//! ([`listener`]). What is needed of the agent: replies that last for long without a pause over 160 ms
//! and of a length that is known, so that a reply that ends early was ended.
//!
//! **Times.** An interruption begins when the packet leaves whose first sample is the first one above
//! -40 dBFS: stimuli are cut so that it is. A reply stops when its last packet above the threshold (-50 dBFS)
//! arrives. The response latency is from the last packet sent above -50 dBFS to the first one received. So
//! the 20 ms in which a microphone fills a packet are not counted, as they are not by `call`.

pub mod actor;
pub mod listener;
pub mod log;
pub mod noise;
pub mod plan;
pub mod report;
pub mod room;
pub mod score;
pub mod stimulus;
pub mod table;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::call::act;
use crate::error::CallError;
use crate::options::CallOptions;
use actor::Known;
use log::Role;
use plan::{Cue, Extent, Plan, Scenario, When};
use report::{CallScore, DuplexReport};
use stimulus::{Stimulus, Voice};

/// Calls at the same time while times are taken: more would disturb each other on a small machine.
const TIMED_CALLS: usize = 2;
/// Between the beginnings of two calls, so that their packets do not fall into the same millisecond.
const STAGGER: Duration = Duration::from_millis(47);

/// How the suite is run.
#[derive(Clone, Debug, PartialEq)]
pub struct DuplexOptions {
    /// What is found out.
    pub scenarios: Vec<Scenario>,
    /// How much of it.
    pub extent: Extent,
    /// Calls at the same time where no times are taken.
    pub parallel: usize,
    /// The agent's silence setting, which is subtracted from the response latency.
    pub silence_ms: u32,
    /// How long the agent's replies last if nobody stops them.
    pub reply: Duration,
    /// The agent of [`Scenario::Pause`], with short replies; the other one, if none is named.
    pub pause_agent: Option<String>,
}

/// Runs the suite. `progress` is told a line for each call that ended; what is not taken up is dropped.
///
/// An error means that nothing could be found out; single calls that failed are in the report.
pub async fn duplex(
    call: &CallOptions,
    options: &DuplexOptions,
    progress: mpsc::Sender<String>,
) -> Result<DuplexReport, CallError> {
    let mut suite = Suite {
        call: Arc::new(call.clone()),
        options,
        known: Known {
            reply: options.reply,
            openings: Vec::new(),
            sound_dbfs: call.manners.sound_dbfs,
        },
        scores: Vec::new(),
        failures: BTreeMap::new(),
        progress,
    };
    suite.listen_first().await?;
    for (scenarios, parallel) in phases(options) {
        suite.run(&scenarios, parallel).await;
    }
    Ok(report::report(call, options, suite.scores, suite.failures))
}

/// What runs together, and how many calls at a time. Times are taken while nothing else runs.
fn phases(options: &DuplexOptions) -> Vec<(Vec<Scenario>, usize)> {
    let wanted = |timed: &[Scenario]| -> Vec<Scenario> {
        options.scenarios.iter().copied().filter(|it| timed.contains(it)).collect()
    };
    let untimed = Scenario::ALL.into_iter().filter(|it| *it != Scenario::Timing);
    let (rest, pausing): (Vec<_>, Vec<_>) =
        untimed.partition(|it| options.extent.is_quick || *it != Scenario::Pause);
    let parallel = options.parallel.max(1);
    [
        (wanted(&[Scenario::Timing]), parallel.min(TIMED_CALLS)),
        (wanted(&rest), parallel),
        (wanted(&pausing), parallel),
    ]
    .into_iter()
    .filter(|(scenarios, _)| !scenarios.is_empty())
    .collect()
}

struct Suite<'a> {
    call: Arc<CallOptions>,
    options: &'a DuplexOptions,
    known: Known,
    scores: Vec<CallScore>,
    failures: BTreeMap<String, u32>,
    progress: mpsc::Sender<String>,
}

impl Suite<'_> {
    /// One call to learn how the agent's replies begin, and that it speaks at all.
    async fn listen_first(&mut self) -> Result<(), CallError> {
        let when = When::Sounding(Duration::from_millis(1_500));
        let plan = Plan {
            scenario: Scenario::Control,
            voice: Voice::Low,
            room: None,
            cues: vec![Cue { when, say: Stimulus::Stop, role: Role::Learning }],
            listen: Duration::ZERO,
            longest: Duration::from_secs(20),
        };
        let (actor, _) = act(&self.call, plan, &self.known).await?;
        let (_, log, openings) = actor.finish();
        if log.replies.is_empty() {
            return Err(CallError::Broken("the agent said nothing, even when it was spoken to"));
        }
        self.known.openings = openings;
        Ok(())
    }

    async fn run(&mut self, scenarios: &[Scenario], parallel: usize) {
        let plans: Vec<Plan> = interleaved(
            scenarios.iter().map(|it| plan::plans(*it, &self.options.extent)).collect(),
        );
        let (count, slots) = (plans.len(), Arc::new(Semaphore::new(parallel)));
        let mut calls = JoinSet::new();
        for (index, plan) in plans.into_iter().enumerate() {
            let (slots, known) = (Arc::clone(&slots), self.known.clone());
            let mut call = CallOptions::clone(&self.call);
            call.impairment.seed = call.impairment.seed.wrapping_add(index as u64);
            if plan.scenario == Scenario::Pause && self.options.pause_agent.is_some() {
                call.agent.clone_from(&self.options.pause_agent);
            }
            calls.spawn(async move {
                let _slot = slots.acquire().await;
                sleep(STAGGER * (index % parallel) as u32).await;
                let scenario = plan.scenario;
                (scenario, act(&call, plan, &known).await)
            });
        }
        let mut ended = 0;
        while let Some(joined) = calls.join_next().await {
            ended += 1;
            let told = match joined {
                Ok((_, Ok((actor, late_max)))) => {
                    let (plan, log, _) = actor.finish();
                    let score = report::call_score(&plan, &log, self.options.reply, late_max);
                    let told = score.told();
                    self.scores.push(score);
                    told
                }
                Ok((scenario, Err(error))) => self.failed(format!("{scenario:?}: {error}")),
                Err(error) => self.failed(format!("the caller broke: {error}")),
            };
            drop(self.progress.try_send(format!("{ended:>3}/{count} {told}")));
        }
    }

    fn failed(&mut self, problem: String) -> String {
        *self.failures.entry(problem.clone()).or_default() += 1;
        problem
    }
}

/// One of each list in turn, the longest lists first: long calls that begin last would run alone.
fn interleaved(lists: Vec<Vec<Plan>>) -> Vec<Plan> {
    let mut plans: Vec<(usize, Plan)> =
        lists.into_iter().flat_map(|list| list.into_iter().enumerate()).collect();
    plans.sort_by_key(|(place, plan)| (*place, std::cmp::Reverse(plan.longest)));
    plans.into_iter().map(|(_, plan)| plan).collect()
}
