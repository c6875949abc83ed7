//! The table: what was measured, what is to be reached, and whether it was.

use serde::Serialize;

use super::DuplexOptions;
use super::plan::{DELAYS_MS, LEVELS_DB, PAUSES_MS, Scenario};
use super::report::{AloneScore, CallScore, Outcome};
use super::score::TAKEN_WITHIN;
use super::score::words::Words;
use crate::measure::percentiles::Percentiles;

/// From an interruption's first packet to the reply's last, p50 and p95.
const STOP_MS: (f64, f64) = (100.0, 150.0);
/// From the end of the turn, less the silence setting, to the answer, p50 and p95.
const RESPONSE_MS: (f64, f64) = (60.0, 90.0);
/// Interruptions taken while the agent hears itself, in percent.
const TAKEN_PERCENT: f64 = 97.0;
/// Replies ended by what is no interruption, in percent.
const ENDED_PERCENT: f64 = 5.0;
/// From falling silent for nothing to sound again, p95.
const RESUMED_MS: f64 = 500.0;
/// Turns cut off in the longest pause, in percent.
const CUT_OFF_PERCENT: f64 = 10.0;
/// The median response to a finished sentence, of an agent that adapts.
const FINISHED_MS: f64 = 450.0;
/// The agent's voice without a false barge-in, in minutes.
const ALONE_MINUTES: f64 = 30.0;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// How it came out, for people.
    pub value: String,
    /// What is to be reached; nothing where only the figure matters.
    pub goal: Option<String>,
    /// Whether it was.
    pub verdict: Verdict,
    /// From how many events.
    pub n: usize,
    /// How it came out: percentiles in milliseconds, a share in percent, or a count.
    pub figures: Vec<f64>,
    /// What the figure means and how it was taken.
    pub meaning: String,
}

/// Whether a goal was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was.
    Met,
    /// It was not.
    Missed,
    /// There is none.
    NoGoal,
    /// Nothing could be measured.
    NotMeasured,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::NoGoal => "-",
            Self::NotMeasured => "not measured",
        }
    }
}

/// The rows for these calls, those of scenarios that were not asked for left out.
pub fn rows(options: &DuplexOptions, calls: &[CallScore]) -> Vec<Row> {
    let wanted = |scenario: Scenario| options.scenarios.contains(&scenario);
    let mut rows = Vec::new();
    if wanted(Scenario::Timing) {
        rows.extend(timing(calls, options.silence_ms));
    }
    if wanted(Scenario::Echo) {
        rows.push(echo_alone(calls));
        rows.extend(
            LEVELS_DB
                .into_iter()
                .flat_map(|level_db| {
                    DELAYS_MS.into_iter().map(move |delay_ms| (level_db, delay_ms))
                })
                .filter_map(|(level_db, delay_ms)| echo_cell(calls, level_db, delay_ms)),
        );
    }
    if wanted(Scenario::DoubleTalk) {
        rows.push(double_talk(calls));
    }
    let noises = [
        (Scenario::Control, "nothing said", None),
        (Scenario::Backchannel, "backchannels", Some(ENDED_PERCENT)),
        (Scenario::Cough, "coughs", Some(ENDED_PERCENT)),
        (Scenario::Typing, "typing", Some(ENDED_PERCENT)),
        (Scenario::Babble, "babble", None),
        (Scenario::Music, "music", None),
    ];
    let noises: Vec<_> = noises.into_iter().filter(|(scenario, ..)| wanted(*scenario)).collect();
    rows.extend(noises.iter().map(|(scenario, name, goal)| ended(calls, *scenario, name, *goal)));
    if !noises.is_empty() {
        rows.push(resumed(calls));
    }
    if wanted(Scenario::Pause) {
        let cut_off = PAUSES_MS.map(|pause_ms| cut_off(calls, pause_ms));
        rows.extend(cut_off.into_iter().filter(|row| row.n > 0 || row.goal.is_some()));
        rows.push(finished(calls));
    }
    if wanted(Scenario::Timing) || wanted(Scenario::Pause) {
        rows.push(understood(calls));
    }
    rows
}

fn outcomes(calls: &[CallScore], scenario: Scenario) -> impl Iterator<Item = Outcome> {
    let calls = calls.iter().filter(move |call| call.scenario == scenario);
    calls.flat_map(|call| call.events.iter().map(|event| event.outcome))
}

fn timing(calls: &[CallScore], silence_ms: u32) -> [Row; 2] {
    let stopped = |outcome| match outcome {
        Outcome::Stopped { stop_ms, response_ms, .. } => Some((stop_ms, response_ms)),
        _ => None,
    };
    let stopped: Vec<_> = outcomes(calls, Scenario::Timing).filter_map(stopped).collect();
    let ignored = outcomes(calls, Scenario::Timing).filter(|it| *it == Outcome::Ignored).count();
    let premature = outcomes(calls, Scenario::Timing)
        .filter(|it| matches!(it, Outcome::Stopped { premature: true, .. }))
        .count();
    let stops = Percentiles::of(stopped.iter().map(|(stop_ms, _)| *stop_ms));
    let beyond = |response_ms: f64| response_ms - f64::from(silence_ms);
    let responses = Percentiles::of(stopped.iter().filter_map(|(_, it)| it.map(beyond)));
    [
        times(
            "last audible packet after an interruption begins, p50 / p95",
            stops,
            STOP_MS,
            &format!(
                "from its first packet, whose first sample is above -40 dBFS; {ignored} not heeded"
            ),
        ),
        times(
            "response beyond the silence setting, p50 / p95",
            responses,
            RESPONSE_MS,
            &format!(
                "from the last packet with speech, less {silence_ms} ms; {premature} answered too soon"
            ),
        ),
    ]
}

fn times(name: &str, measured: Percentiles, goal: (f64, f64), meaning: &str) -> Row {
    Row {
        name: name.to_owned(),
        value: format!("{:.0} / {:.0} ms", measured.p50, measured.p95),
        goal: Some(format!("{:.0} / {:.0} ms", goal.0, goal.1)),
        verdict: verdict(measured.count, measured.p50 <= goal.0 && measured.p95 <= goal.1),
        n: measured.count,
        figures: vec![measured.p50, measured.p95],
        meaning: meaning.to_owned(),
    }
}

const fn verdict(n: usize, is_met: bool) -> Verdict {
    match (n, is_met) {
        (0, _) => Verdict::NotMeasured,
        (_, true) => Verdict::Met,
        (_, false) => Verdict::Missed,
    }
}

fn alone<'a>(calls: impl Iterator<Item = &'a CallScore>) -> (usize, AloneScore) {
    let mut sum = (0, AloneScore::default());
    for score in calls.filter_map(|call| call.alone) {
        sum.0 += 1;
        sum.1.spoke_ms += score.spoke_ms;
        sum.1.ended += score.ended;
        sum.1.paused += score.paused;
        sum.1.answered_itself += score.answered_itself;
    }
    sum
}

fn echo_alone(calls: &[CallScore]) -> Row {
    let (n, sum) = alone(calls.iter());
    let minutes = sum.spoke_ms / 60_000.0;
    let per_minute = f64::from(sum.ended) / minutes.max(f64::MIN_POSITIVE);
    let too_short = if minutes < ALONE_MINUTES { ", over too short a time to tell" } else { "" };
    let is_met = sum.ended == 0 && sum.answered_itself == 0;
    Row {
        name: "false barge-ins on echo alone, all levels and delays".to_owned(),
        value: format!("{} in {minutes:.1} min ({per_minute:.2} a minute)", sum.ended),
        goal: Some(format!("0 in {ALONE_MINUTES:.0} min")),
        verdict: match verdict(n, is_met) {
            Verdict::Met if minutes < ALONE_MINUTES => Verdict::NoGoal,
            verdict => verdict,
        },
        n,
        figures: vec![f64::from(sum.ended), minutes],
        meaning: format!(
            "replies that ended early, from a call's first moment on{too_short}; {} paused and went on; \
             {} answers to the echo",
            sum.paused, sum.answered_itself
        ),
    }
}

fn echo_cell(calls: &[CallScore], level_db: f64, delay_ms: u32) -> Option<Row> {
    let in_cell = |call: &&CallScore| {
        call.echo.is_some_and(|it| it.delay_ms == delay_ms && it.level_db == level_db)
    };
    let (n, sum) = alone(calls.iter().filter(in_cell));
    let minutes = sum.spoke_ms / 60_000.0;
    let per_minute = f64::from(sum.ended) / minutes.max(f64::MIN_POSITIVE);
    (n > 0).then(|| Row {
        name: format!("  at {level_db:.0} dB after {delay_ms} ms"),
        value: format!("{} in {minutes:.1} min ({per_minute:.2} a minute)", sum.ended),
        goal: None,
        verdict: Verdict::NoGoal,
        n,
        figures: vec![f64::from(sum.ended), minutes],
        meaning: String::new(),
    })
}

fn double_talk(calls: &[CallScore]) -> Row {
    let (mut taken, mut missed, mut void) = (0, 0, 0);
    for outcome in outcomes(calls, Scenario::DoubleTalk) {
        match outcome {
            Outcome::Stopped { stop_ms, .. } if stop_ms <= TAKEN_WITHIN.as_secs_f64() * 1_000.0 => {
                taken += 1;
            }
            Outcome::Stopped { .. } | Outcome::Ignored => missed += 1,
            _ => void += 1,
        }
    }
    let n = taken + missed;
    let unsaid = unsaid(calls, Scenario::DoubleTalk);
    let percent = share(taken, n);
    // An agent that keeps interrupting itself leaves nothing to interrupt: that is no success.
    let is_met = percent >= TAKEN_PERCENT && n > void + unsaid;
    Row {
        name: "interruptions taken in double talk within 600 ms".to_owned(),
        value: format!("{percent:.0} % ({missed} missed)"),
        goal: Some(format!("at least {TAKEN_PERCENT:.0} %")),
        verdict: verdict(n + void + unsaid, is_met),
        n,
        figures: vec![percent],
        meaning: format!(
            "the reply fell silent for good while the caller spoke and the echo sounded; there was no reply \
             to interrupt {} times",
            void + unsaid
        ),
    }
}

/// What was planned and never had its moment.
fn unsaid(calls: &[CallScore], scenario: Scenario) -> usize {
    calls.iter().filter(|call| call.scenario == scenario).map(|call| call.unsaid).sum()
}

fn ended(calls: &[CallScore], scenario: Scenario, name: &str, goal: Option<f64>) -> Row {
    let (mut ended, mut resumed, mut untouched, mut void) = (0, 0, 0, 0);
    for outcome in outcomes(calls, scenario) {
        match outcome {
            Outcome::Ended => ended += 1,
            Outcome::Resumed { .. } => resumed += 1,
            Outcome::Untouched => untouched += 1,
            _ => void += 1,
        }
    }
    let n = ended + resumed + untouched;
    let percent = share(ended, n);
    let meaning = match scenario {
        Scenario::Control => format!("{ended} ended: anything but 0 makes the rows below doubtful"),
        _ => format!(
            "{ended} ended, {resumed} paused and went on, {untouched} untouched, {void} void"
        ),
    };
    Row {
        name: format!("replies ended by {name}"),
        value: format!("{percent:.0} %"),
        goal: goal.map(|goal| format!("at most {goal:.0} %")),
        verdict: match goal {
            Some(goal) => verdict(n, percent <= goal),
            None if n == 0 => Verdict::NotMeasured,
            None => Verdict::NoGoal,
        },
        n,
        figures: vec![percent],
        meaning,
    }
}

fn resumed(calls: &[CallScore]) -> Row {
    let judged = [Scenario::Backchannel, Scenario::Cough, Scenario::Typing];
    let resumed = |outcome| match outcome {
        Outcome::Resumed { gap_ms, after_ms } => Some((gap_ms, after_ms)),
        _ => None,
    };
    let times = judged.into_iter().flat_map(|it| outcomes(calls, it).filter_map(resumed));
    let (gaps, afters): (Vec<f64>, Vec<f64>) = times.unzip();
    let (gaps, afters) = (Percentiles::of(gaps), Percentiles::of(afters));
    Row {
        name: "resumed after backchannel, cough or typing, p50 / p95".to_owned(),
        value: format!("{:.0} / {:.0} ms", afters.p50, afters.p95),
        goal: Some(format!("p95 within {RESUMED_MS:.0} ms")),
        verdict: verdict(afters.count, afters.p95 <= RESUMED_MS),
        n: afters.count,
        figures: vec![afters.p50, afters.p95, gaps.p50, gaps.p95],
        meaning: format!(
            "from the end of the sound to the reply's going on; it was silent for {:.0} / {:.0} ms",
            gaps.p50, gaps.p95
        ),
    }
}

fn cut_off(calls: &[CallScore], pause_ms: u32) -> Row {
    let turns = outcomes(calls, Scenario::Pause).filter_map(|outcome| match outcome {
        Outcome::Answered { pause_ms: found, cut_off, .. } if found == f64::from(pause_ms) => {
            Some(cut_off)
        }
        _ => None,
    });
    let turns: Vec<bool> = turns.collect();
    let percent = share(turns.iter().filter(|cut_off| **cut_off).count(), turns.len());
    let is_judged = pause_ms == PAUSES_MS[PAUSES_MS.len() - 1];
    Row {
        name: format!("turns cut off in a pause of {:.1} s", f64::from(pause_ms) / 1_000.0),
        value: format!("{percent:.0} %"),
        goal: is_judged.then(|| format!("at most {CUT_OFF_PERCENT:.0} %")),
        verdict: match verdict(turns.len(), percent <= CUT_OFF_PERCENT) {
            Verdict::Met | Verdict::Missed if !is_judged => Verdict::NoGoal,
            verdict => verdict,
        },
        n: turns.len(),
        figures: vec![percent],
        meaning: "the agent spoke before the sentence was over; after three turns of learning"
            .into(),
    }
}

fn finished(calls: &[CallScore]) -> Row {
    let turns = outcomes(calls, Scenario::Pause).filter_map(|outcome| match outcome {
        Outcome::Answered { pause_ms: 0.0, response_ms, .. } => response_ms,
        _ => None,
    });
    let times = Percentiles::of(turns);
    Row {
        name: "response to a finished sentence, p50 / p95".to_owned(),
        value: format!("{:.0} / {:.0} ms", times.p50, times.p95),
        goal: Some(format!("p50 under {FINISHED_MS:.0} ms")),
        verdict: verdict(times.count, times.p50 < FINISHED_MS),
        n: times.count,
        figures: vec![times.p50, times.p95],
        meaning: "from the last packet with speech, of the same agent and in the same calls".into(),
    }
}

fn understood(calls: &[CallScore]) -> Row {
    let mut sum = Words::default();
    for words in calls.iter().filter_map(|call| call.words) {
        sum.said += words.said;
        sum.lost += words.lost;
        sum.extra += words.extra;
    }
    Row {
        name: "user words lost / extra".to_owned(),
        value: format!("{} / {}", sum.lost, sum.extra),
        goal: None,
        verdict: if sum.said == 0 { Verdict::NotMeasured } else { Verdict::NoGoal },
        n: sum.said,
        figures: vec![sum.lost as f64, sum.extra as f64],
        meaning: match sum.said {
            0 => "the agent sends no transcripts of the user".to_owned(),
            _ => "by the agent's transcripts; a word that is misheard is one lost and one extra"
                .to_owned(),
        },
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

/// The rows as text, each with what it means below it.
pub fn text(rows: &[Row]) -> String {
    let none = || "-".to_owned();
    let cells: Vec<[String; 5]> = rows
        .iter()
        .map(|row| {
            let value = if row.n == 0 { none() } else { row.value.clone() };
            let goal = row.goal.clone().unwrap_or_else(none);
            [row.name.clone(), row.n.to_string(), value, goal, row.verdict.name().to_owned()]
        })
        .collect();
    let heads = ["", "n", "measured", "reach", ""];
    let width = |column: usize| {
        let cells = cells.iter().map(|row| row[column].chars().count());
        cells.fold(heads[column].len(), usize::max)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let mut out = String::new();
    let mut line = |cells: [&str; 5]| {
        let [name, n, value, goal, verdict] = cells;
        let [name_w, n_w, value_w, goal_w, _] = widths[..] else { return };
        let line =
            format!("{name:name_w$}  {n:>n_w$}  {value:value_w$}  {goal:goal_w$}  {verdict}");
        out.push_str(line.trim_end());
        out.push('\n');
    };
    line(heads);
    for (row, cells) in rows.iter().zip(&cells) {
        line([&cells[0], &cells[1], &cells[2], &cells[3], &cells[4]]);
        if !row.meaning.is_empty() {
            line([&format!("    {}", row.meaning), "", "", "", ""]);
        }
    }
    out
}

#[cfg(test)]
mod tests;
