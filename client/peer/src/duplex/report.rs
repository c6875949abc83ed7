//! What came of the suite, for programs: every event of every call, and the rows of the table.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::DuplexOptions;
use super::log::{CallLog, Role, Said};
use super::plan::{Plan, Scenario};
use super::score::words::{Words, words};
use super::score::{self, Interruption, Reaction, Response};
use super::stimulus::Stimulus;
use super::table::{self, Row};
use crate::measure::percentiles::Percentiles;
use crate::options::CallOptions;
use crate::summary::ms;

/// How long after a stimulus the agent's account of an interruption is about it.
const ACCOUNT_WITHIN: Duration = Duration::from_millis(1_500);

/// The whole report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DuplexReport {
    /// Where was called.
    pub url: String,
    /// What the stimuli were made from.
    pub seed: u64,
    /// The agent's silence setting, as it was told.
    pub silence_ms: u32,
    /// How long its replies last, as it was told.
    pub reply_ms: u64,
    /// Whether only few of everything were tried.
    pub quick: bool,
    /// The table.
    pub rows: Vec<Row>,
    /// Every call that was scored.
    pub calls: Vec<CallScore>,
    /// Calls that failed, by reason.
    pub failures: BTreeMap<String, u32>,
    /// How late each call sent at worst. If it is high, this machine is too slow to judge.
    pub send_late_ms: Percentiles,
}

impl DuplexReport {
    /// Whether every call was made, and every row that has a goal could be measured.
    pub fn worked(&self) -> bool {
        self.failures.is_empty() && !self.calls.is_empty()
    }

    /// Whether no row missed its goal.
    pub fn met(&self) -> bool {
        self.rows.iter().all(|row| row.verdict != table::Verdict::Missed)
    }
}

/// What came of one call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallScore {
    /// What it was for.
    pub scenario: Scenario,
    /// The echo, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo: Option<Echo>,
    /// What was said or done, and what came of it.
    pub events: Vec<Event>,
    /// What was planned and never had its moment, as when the agent interrupts itself before.
    pub unsaid: usize,
    /// How the agent fared alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alone: Option<AloneScore>,
    /// Words said and understood, where they matter; absent if the agent sends no transcripts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<Words>,
    /// Replies heard.
    pub replies: usize,
    /// Replies that only the agent's own account told from the ones before.
    pub replies_by_account: usize,
    /// Interruptions by the agent's own account; absent if it gives none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted_by_account: Option<usize>,
    /// How late a packet left at worst.
    pub send_late_ms: f64,
}

/// The echo of a call.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Echo {
    /// From playing to capturing.
    pub delay_ms: u32,
    /// Relative to what was played.
    pub level_db: f64,
}

/// See [`score::Alone`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct AloneScore {
    /// How long the agent was heard.
    pub spoke_ms: f64,
    /// False barge-ins.
    pub ended: u32,
    /// Silences after which the reply went on.
    pub paused: u32,
    /// Replies to nobody.
    pub answered_itself: u32,
}

/// One stimulus and its effect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// What was said or done.
    pub stimulus: String,
    /// When its first packet left.
    pub at_ms: f64,
    /// Whether the agent says that it was interrupted then; absent if it says nothing of the kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<bool>,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a stimulus.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing can be told: nothing was being said, or the reply was at its end.
    Void,
    /// The reply went on without a gap.
    Untouched,
    /// The reply went on after a gap.
    Resumed {
        /// From its first silent moment to sound again.
        gap_ms: f64,
        /// From the end of the sound that caused it to the reply's going on.
        after_ms: f64,
    },
    /// A sound that is no interruption ended the reply.
    Ended,
    /// An interruption was not heeded.
    Ignored,
    /// An interruption stopped the reply.
    Stopped {
        /// From its first packet to the reply's last.
        stop_ms: f64,
        /// From the interruption's last packet to the first of the answer; absent without one, or if it
        /// came before the end.
        response_ms: Option<f64>,
        /// Whether the answer came before the interruption was over.
        premature: bool,
    },
    /// A turn was answered.
    Answered {
        /// The pause in its middle; 0 without one.
        pause_ms: f64,
        /// Whether the agent spoke before the turn was over.
        cut_off: bool,
        /// From its last packet to the first of the answer.
        response_ms: Option<f64>,
    },
}

impl CallScore {
    /// One line about it.
    pub fn told(&self) -> String {
        let echo = self.echo.map(|echo| format!(" {} ms {} dB", echo.delay_ms, echo.level_db));
        let (name, echo) = (format!("{:?}", self.scenario), echo.unwrap_or_default());
        if let Some(alone) = self.alone {
            let (spoke_s, ended) = (alone.spoke_ms / 1_000.0, alone.ended);
            return format!("{name}{echo}: {ended} false barge-ins in {spoke_s:.0} s");
        }
        let mut counts = BTreeMap::new();
        for event in &self.events {
            *counts.entry(event.outcome.name()).or_insert(0) += 1;
        }
        if self.unsaid > 0 {
            counts.insert("without a moment for it", self.unsaid);
        }
        let counts: Vec<_> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        format!("{name}{echo}: {}", counts.join(", "))
    }
}

impl Event {
    /// Whether the agent says otherwise than the ear.
    pub fn contradicts_account(&self) -> bool {
        let ended = match self.outcome {
            Outcome::Ended | Outcome::Stopped { .. } => true,
            Outcome::Untouched | Outcome::Resumed { .. } | Outcome::Ignored => false,
            Outcome::Void | Outcome::Answered { .. } => return false,
        };
        self.account.is_some_and(|account| account != ended)
    }
}

impl Outcome {
    const fn name(&self) -> &'static str {
        match self {
            Self::Void => "void",
            Self::Untouched => "untouched",
            Self::Resumed { .. } => "resumed",
            Self::Ended => "ended",
            Self::Ignored => "ignored",
            Self::Stopped { .. } => "stopped",
            Self::Answered { cut_off: true, .. } => "cut off",
            Self::Answered { cut_off: false, .. } => "answered",
        }
    }
}

/// The scores of the call in which `plan` was carried out.
pub fn call_score(plan: &Plan, log: &CallLog, reply: Duration, late_max: Duration) -> CallScore {
    let scored = log.said.iter().filter(|said| said.role == Role::Scored);
    let event = |said: &Said| Event {
        stimulus: format!("{:?}", said.stimulus),
        at_ms: ms(said.began_at),
        account: log.has_account.then(|| was_cut_by_account(log, said)),
        outcome: outcome(plan.scenario, log, said, reply),
    };
    CallScore {
        scenario: plan.scenario,
        echo: plan.room.map(|room| Echo { delay_ms: room.delay_ms, level_db: room.level_db }),
        unsaid: plan
            .cues
            .len()
            .saturating_sub(log.said.iter().filter(|said| said.role != Role::Prompt).count()),
        events: scored.map(event).collect(),
        alone: (plan.scenario == Scenario::Echo).then(|| {
            let alone = score::alone(log, reply);
            AloneScore {
                spoke_ms: ms(alone.spoke),
                ended: alone.ended,
                paused: alone.paused,
                answered_itself: alone.answered_itself,
            }
        }),
        words: understood(plan, log),
        replies: log.replies.len(),
        replies_by_account: log.replies.iter().filter(|reply| reply.by_account).count(),
        interrupted_by_account: log.has_account.then_some(log.cuts.len()),
        send_late_ms: ms(late_max),
    }
}

/// Words are counted where they are spoken over a reply, and where there are pauses in them.
fn understood(plan: &Plan, log: &CallLog) -> Option<Words> {
    let matters = matches!(plan.scenario, Scenario::Timing | Scenario::Pause);
    let said = log.said.iter().map(|said| said.stimulus.words(plan.voice));
    let heard = log.transcripts.iter().map(String::as_str);
    (matters && !log.transcripts.is_empty()).then(|| words(said, heard))
}

fn was_cut_by_account(log: &CallLog, said: &Said) -> bool {
    let until = said.ended_at + ACCOUNT_WITHIN;
    log.cuts.iter().any(|cut| cut.at >= said.began_at && cut.at < until)
}

fn outcome(scenario: Scenario, log: &CallLog, said: &Said, reply: Duration) -> Outcome {
    let response = score::response(log, said);
    let response_ms = match response {
        Response::After(response_ms) => Some(response_ms),
        Response::None | Response::Premature => None,
    };
    match scenario {
        Scenario::Pause => Outcome::Answered {
            pause_ms: said.pause.as_ref().map_or(0.0, |_| match said.stimulus {
                Stimulus::Paused(_, pause_ms) => f64::from(pause_ms),
                _ => 0.0,
            }),
            cut_off: response == Response::Premature,
            response_ms,
        },
        Scenario::Timing | Scenario::DoubleTalk => match score::interruption(log, said, reply) {
            Interruption::Void => Outcome::Void,
            Interruption::Ignored => Outcome::Ignored,
            Interruption::Stopped { stop_ms } => Outcome::Stopped {
                stop_ms,
                response_ms,
                premature: response == Response::Premature,
            },
        },
        _ => match score::reaction(log, said, reply) {
            Reaction::Void => Outcome::Void,
            Reaction::Untouched => Outcome::Untouched,
            Reaction::Resumed { gap_ms, after_ms } => Outcome::Resumed { gap_ms, after_ms },
            Reaction::Ended => Outcome::Ended,
        },
    }
}

/// Puts the calls together.
pub fn report(
    call: &CallOptions,
    options: &DuplexOptions,
    mut calls: Vec<CallScore>,
    failures: BTreeMap<String, u32>,
) -> DuplexReport {
    calls.sort_by_key(|call| call.scenario);
    DuplexReport {
        url: call.url.clone(),
        seed: options.extent.seed,
        silence_ms: options.silence_ms,
        reply_ms: options.reply.as_millis() as u64,
        quick: options.extent.is_quick,
        rows: table::rows(options, &calls),
        send_late_ms: Percentiles::of(calls.iter().map(|call| call.send_late_ms)),
        calls,
        failures,
    }
}
