//! A report, and a call's progress, for people.

use std::fmt::Write as _;

use crate::bench::BenchReport;
use crate::call::{Progress, TurnProgress};
use crate::duplex::report::DuplexReport;
use crate::duplex::table;
use crate::measure::percentiles::Percentiles;
use crate::report::{Event, Report, Turn};

/// One line about how the call goes.
pub fn progress_line(progress: &Progress) -> String {
    match progress {
        Progress::Calling { url } => format!("calling {url}"),
        Progress::Connected(connect) => format!(
            "connected in {:.0} ms (http {:.0}, ice {:.0}, dtls {:.0})",
            connect.offer_to_connected_ms, connect.http_ms, connect.ice_ms, connect.dtls_ms
        ),
        Progress::Turn(TurnProgress::Greeted) => "the agent speaks first".to_owned(),
        Progress::Turn(TurnProgress::Saying(turn)) => format!("turn {}: speaking", turn + 1),
        Progress::Turn(TurnProgress::Answered(turn)) => format!("turn {}: answered", turn + 1),
        Progress::Turn(TurnProgress::Unanswered(turn)) => {
            format!("turn {}: no reply in time", turn + 1)
        }
        Progress::AgentError(message) => format!("the agent reports: {message}"),
        Progress::HangingUp => "hanging up".to_owned(),
    }
}

/// The whole report as a table and a few lines.
pub fn summary(report: &Report) -> String {
    let mut out = String::new();
    turns(&mut out, report);
    if let Some(reply) = &report.greeting {
        let connected_at_ms = report.connect.offer_ms + report.connect.offer_to_connected_ms;
        let after_ms = reply.first_sound_at_ms - connected_at_ms;
        line(
            &mut out,
            "greeting",
            format_args!("{:.0} ms of sound, {after_ms:.0} ms after connecting", reply.sound_ms),
        );
    }
    let connect = &report.connect;
    line(
        &mut out,
        "connected",
        format_args!(
            "{:.0} ms from offer to media: http {:.0}, ice {:.0}, dtls {:.0}",
            connect.offer_to_connected_ms, connect.http_ms, connect.ice_ms, connect.dtls_ms
        ),
    );
    streams(&mut out, report);
    for error in &report.agent.errors {
        line(&mut out, "agent error", format_args!("{error}"));
    }
    for decision in decisions(&report.agent.events) {
        line(&mut out, "floor", format_args!("{decision}"));
    }
    for said in &report.agent.transcript {
        line(&mut out, &said.who, format_args!("{}", said.text));
    }
    match &report.problem {
        None => line(&mut out, "result", format_args!("the call worked")),
        Some(problem) => line(&mut out, "result", format_args!("failed: {problem}")),
    }
    out
}

/// What became of each reply that may have been interrupted: when the floor was contested, yielded and
/// settled, and what was heard of a reply that was cut, with how that is known.
fn decisions(events: &[Event]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: Option<String> = None;
    for event in events.iter().filter(|event| event.kind == "server-message") {
        let text = |key: &str| event.data[key].as_str().unwrap_or_default();
        match (text("type"), text("state")) {
            ("floor", state @ ("contested" | "yielding")) => {
                let line = open.get_or_insert_with(|| {
                    let generation = event.data["generation"].as_u64().unwrap_or_default();
                    format!("reply {generation}:")
                });
                let _infallible = write!(line, " {state} at {:.0} ms,", event.at_ms);
            }
            ("floor", state) => {
                lines.extend(
                    open.take().map(|line| format!("{line} {state} at {:.0} ms", event.at_ms)),
                );
            }
            ("heard", _) if event.data["interrupted"] == true => {
                let heard_ms = event.data["heard_ms"].as_f64().unwrap_or_default();
                let generation = event.data["generation"].as_u64().unwrap_or_default();
                let source = text("source");
                lines.push(format!("reply {generation}: cut, {heard_ms:.0} ms heard ({source})"));
            }
            _ => {}
        }
    }
    lines.extend(open.map(|line| format!("{line} until the end")));
    lines
}

fn turns(out: &mut String, report: &Report) {
    if report.turns.is_empty() {
        return;
    }
    let width = report.turns.iter().map(|turn| turn.said.chars().count()).fold(4, usize::max);
    line_to(
        out,
        format_args!(
            "turn  {:width$}  latency ms  reply ms  level dBFS  holes > 60 ms  barge-in stop ms",
            "said"
        ),
    );
    for (index, turn) in report.turns.iter().enumerate() {
        let reply = turn.reply.as_ref();
        line_to(
            out,
            format_args!(
                "{:>4}  {:width$}  {:>10}  {:>8}  {:>10}  {:>13}  {:>16}",
                index + 1,
                turn.said,
                number(turn.response_latency_ms, 0),
                number(reply.map(|reply| reply.sound_ms), 0),
                number(reply.map(|reply| reply.level_dbfs), 1),
                reply.map_or_else(|| "-".to_owned(), |reply| reply.holes.to_string()),
                number(turn.barge_in.as_ref().map(|barge_in| barge_in.stop_ms), 0),
            ),
        );
        for reply in &turn.premature {
            let at_ms = reply.first_sound_at_ms - turn.speech_began_at_ms.unwrap_or_default();
            line_to(
                out,
                format_args!(
                    "      before the end: {:.0} ms of sound, {at_ms:.0} ms into the speech",
                    reply.sound_ms
                ),
            );
        }
        if let Some(breakdown) = breakdown(turn) {
            line_to(out, format_args!("      agent: {breakdown}"));
        }
    }
    out.push('\n');
}

/// The agent's own account, as `speech 1200, endpoint 200, ...`.
fn breakdown(turn: &Turn) -> Option<String> {
    let parts: Vec<_> = turn
        .breakdown
        .as_ref()?
        .as_object()?
        .iter()
        .filter_map(|(key, value)| {
            Some(format!("{} {:.0}", key.strip_suffix("_ms")?.replace('_', " "), value.as_f64()?))
        })
        .collect();
    (!parts.is_empty()).then(|| format!("{} ms", parts.join(", ")))
}

fn streams(out: &mut String, report: &Report) {
    let received = &report.received;
    line(
        out,
        "received",
        format_args!("{} packets, {:.1} s of audio", received.packets, received.audio_ms / 1_000.0),
    );
    line(
        out,
        "on the way",
        format_args!(
            "lost {} ({:.1} %), reordered {}, duplicate {}, late {}, concealed {}",
            received.lost,
            received.lost_percent,
            received.reordered,
            received.duplicate,
            received.late,
            received.concealed,
        ),
    );
    let sent = &report.sent;
    let far_lost =
        sent.far_lost.map_or_else(String::new, |lost| format!("; the agent lost {lost}"));
    line(
        out,
        "sent",
        format_args!("{} packets, at most {:.1} ms late{far_lost}", sent.packets, sent.late_ms_max),
    );
    line(
        out,
        "jitter",
        format_args!("{:.1} ms, at most {:.1} ms", received.jitter_ms, received.jitter_ms_max),
    );
    match &report.round_trip {
        Some(rtt) => line(
            out,
            "round trip",
            format_args!(
                "{:.1} ms (median of {}, RTCP; {:.1} to {:.1})",
                rtt.median_ms, rtt.samples, rtt.min_ms, rtt.max_ms
            ),
        ),
        None => line(out, "round trip", format_args!("not measured: no RTCP report came back")),
    }
    let impairment = &report.impairment;
    if received.dropped_by_impairment + sent.dropped_by_impairment > 0
        || impairment.delay_ms + impairment.jitter_ms > 0
    {
        line(
            out,
            "impairment",
            format_args!(
                "loss {} %, burst {}, delay {} ms, jitter {} ms, seed {}; dropped {} up, {} down",
                impairment.loss_percent,
                impairment.burst_packets,
                impairment.delay_ms,
                impairment.jitter_ms,
                impairment.seed,
                sent.dropped_by_impairment,
                received.dropped_by_impairment,
            ),
        );
    }
}

/// A bench report as a table.
pub fn bench_summary(report: &BenchReport) -> String {
    let mut out = String::new();
    line_to(&mut out, format_args!("{:<22}  count     p50     p90     p99     max", "ms"));
    for (name, percentiles) in [
        ("offer to connected", report.offer_to_connected_ms),
        ("response latency", report.response_latency_ms),
        ("barge-in stop", report.barge_in_stop_ms),
        ("jitter", report.jitter_ms),
        ("sent late, worst", report.send_late_ms),
    ] {
        let Percentiles { count, p50, p90, p99, max, .. } = percentiles;
        line_to(
            &mut out,
            format_args!("{name:<22}  {count:>5}  {p50:>6.1}  {p90:>6.1}  {p99:>6.1}  {max:>6.1}"),
        );
    }
    out.push('\n');
    line(
        &mut out,
        "received",
        format_args!(
            "{} packets, lost {}; {} holes > 60 ms",
            report.packets_received, report.packets_lost, report.holes
        ),
    );
    for (failure, count) in &report.failures {
        line(&mut out, "failed", format_args!("{count} x {failure}"));
    }
    line(&mut out, "result", format_args!("{} of {} calls worked", report.worked, report.calls));
    out
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

fn line(out: &mut String, label: &str, text: std::fmt::Arguments<'_>) {
    line_to(out, format_args!("{label:<11} {text}"));
}

fn line_to(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a string takes everything");
}

/// Callers that send later than this, by one of their packets, have no part in a conversation any more:
/// what the agent hears is then a hole.
const LATE_MS_MAX: f64 = 100.0;

/// The suite as a table and a few lines.
pub fn duplex_summary(report: &DuplexReport) -> String {
    let mut out = table::text(&report.rows);
    out.push('\n');
    let late = report.send_late_ms;
    line(
        &mut out,
        "calls",
        format_args!(
            "{}, seed {}; each sent at worst so late: p50 {:.1} ms, max {:.1} ms{}",
            report.calls.len(),
            report.seed,
            late.p50,
            late.max,
            if late.p50 > LATE_MS_MAX { ": this machine is too busy to judge by" } else { "" }
        ),
    );
    let events = || report.calls.iter().flat_map(|call| &call.events);
    let told = events().filter(|event| event.account.is_some()).count();
    let against = events().filter(|event| event.contradicts_account()).count();
    let by_account: usize = report.calls.iter().map(|call| call.replies_by_account).sum();
    line(
        &mut out,
        "judged",
        format_args!(
            "by ear; the agent's account contradicts it at {against} of {told} events and alone told \
             {by_account} replies from the ones before"
        ),
    );
    for (problem, count) in &report.failures {
        line(&mut out, "failed", format_args!("{count} calls: {problem}"));
    }
    out
}

#[cfg(test)]
mod tests;
