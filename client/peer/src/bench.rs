//! Many calls at once, each measured as a single one is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::call::call;
use crate::error::CallError;
use crate::limits::BENCH_CALLS_MAX;
use crate::measure::percentiles::Percentiles;
use crate::options::CallOptions;
use crate::report::Report;

/// What the calls came to. Times are in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BenchReport {
    /// Calls begun.
    pub calls: u32,
    /// Calls that worked.
    pub worked: u32,
    /// The others, by reason.
    pub failures: BTreeMap<String, u32>,
    /// From offer to media.
    pub offer_to_connected_ms: Percentiles,
    /// Over every turn of every call.
    pub response_latency_ms: Percentiles,
    /// Over every interrupted reply.
    pub barge_in_stop_ms: Percentiles,
    /// Over calls.
    pub jitter_ms: Percentiles,
    /// How late each caller sent at worst. If it is high, this machine is too slow to judge.
    pub send_late_ms: Percentiles,
    /// Packets received by all callers.
    pub packets_received: u64,
    /// Packets lost on the way to them.
    pub packets_lost: u64,
    /// Holes of more than 60 ms in the sound of all replies.
    pub holes: u64,
}

/// Makes `count` calls, one begun every `stagger`, and waits for all of them. Each has a seed of
/// its own for its simulated network.
pub async fn bench(
    options: &CallOptions,
    count: u32,
    stagger: Duration,
) -> Result<BenchReport, CallError> {
    if count == 0 || count > BENCH_CALLS_MAX {
        let message = format!("{count} calls; 1 to {BENCH_CALLS_MAX} can be made");
        return Err(CallError::Options(message));
    }
    let options = Arc::new(options.clone());
    let mut calls = JoinSet::new();
    for index in 0..count {
        let mut options = CallOptions::clone(&options);
        options.impairment.seed = options.impairment.seed.wrapping_add(u64::from(index));
        calls.spawn(async move {
            sleep(stagger * index).await;
            call(&options).await
        });
    }
    let mut results = Vec::new();
    while let Some(joined) = calls.join_next().await {
        match joined {
            Ok(result) => results.push(result.map_err(|error| error.to_string())),
            Err(error) => results.push(Err(format!("the caller broke: {error}"))),
        }
    }
    Ok(summarize(&results))
}

/// Puts the calls together.
pub fn summarize(results: &[Result<Report, String>]) -> BenchReport {
    let reports = || results.iter().filter_map(|result| result.as_ref().ok());
    let turns = || reports().flat_map(|report| &report.turns);
    let mut failures = BTreeMap::new();
    for result in results {
        let failure = match result {
            Ok(report) => report.problem.clone(),
            Err(error) => Some(error.clone()),
        };
        if let Some(failure) = failure {
            *failures.entry(failure).or_default() += 1;
        }
    }
    let stops = turns().filter_map(|turn| turn.barge_in.as_ref()).map(|barge_in| barge_in.stop_ms);
    let replies = turns().filter_map(|turn| turn.reply.as_ref());
    BenchReport {
        calls: results.len() as u32,
        worked: reports().filter(|report| report.worked).count() as u32,
        failures,
        offer_to_connected_ms: Percentiles::of(
            reports().map(|report| report.connect.offer_to_connected_ms),
        ),
        response_latency_ms: Percentiles::of(turns().filter_map(|turn| turn.response_latency_ms)),
        barge_in_stop_ms: Percentiles::of(stops),
        jitter_ms: Percentiles::of(reports().map(|report| report.received.jitter_ms)),
        send_late_ms: Percentiles::of(reports().map(|report| report.sent.late_ms_max)),
        packets_received: reports().map(|report| report.received.packets).sum(),
        packets_lost: reports().map(|report| report.received.lost).sum(),
        holes: replies.map(|reply| u64::from(reply.holes)).sum(),
    }
}
