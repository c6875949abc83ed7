//! Turning what was measured into a report.

use std::time::Duration;

use crate::conversation::{Conversation, TurnRecord, Utterance};
use crate::ear::Ear;
use crate::measure::replies;
use crate::measure::round_trip;
use crate::report::{Agent, BargeIn, Hole, Received, Reply, RoundTrip, Sent, Turn};

/// `duration` in milliseconds, to the microsecond.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1_000.0
}

/// From `earlier` to `later` in milliseconds, negative if they are the other way round.
fn between_ms(earlier: Duration, later: Duration) -> f64 {
    (later.as_micros() as f64 - earlier.as_micros() as f64) / 1_000.0
}

/// One decimal is as much as a level means.
fn dbfs(level: f64) -> f64 {
    (level * 10.0).round() / 10.0
}

/// The turns as reported. A breakdown by the agent belongs to the turn during which it came.
pub(crate) fn turns(conversation: &Conversation, agent: &Agent) -> Vec<Turn> {
    let records = conversation.turns();
    let began = |index: usize| records.get(index).and_then(|record| record.began_at);
    records
        .iter()
        .zip(conversation.utterances())
        .enumerate()
        .map(|(index, (record, utterance))| {
            let span = began(index).map(ms).zip(Some(began(index + 1).map_or(f64::MAX, ms)));
            Turn {
                said: match utterance {
                    Utterance::Clip(clip) => clip.name.clone(),
                    Utterance::Text(_) => "text".to_owned(),
                },
                speech_began_at_ms: record.speech_began_at.map(ms),
                speech_ended_at_ms: record.speech_ended_at.map(ms),
                response_latency_ms: response_latency_ms(record),
                reply: record.reply.as_ref().map(reply),
                premature: record.premature.iter().map(reply).collect(),
                barge_in: barge_in(record, records),
                breakdown: span.and_then(|span| breakdown(agent, span)),
            }
        })
        .collect()
}

fn response_latency_ms(record: &TurnRecord) -> Option<f64> {
    let reply = record.reply.as_ref()?;
    Some(between_ms(record.speech_ended_at?, reply.first_sound_at))
}

fn barge_in(record: &TurnRecord, records: &[TurnRecord]) -> Option<BargeIn> {
    let spoke_at = records.get(record.interrupted_by?)?.speech_began_at?;
    let stopped_at = record.reply.as_ref()?.last_sound_at;
    Some(BargeIn { spoke_at_ms: ms(spoke_at), stop_ms: between_ms(spoke_at, stopped_at) })
}

/// The last breakdown that came between two times.
fn breakdown(agent: &Agent, (from_ms, to_ms): (f64, f64)) -> Option<serde_json::Value> {
    agent
        .events
        .iter()
        .filter(|event| (from_ms..to_ms).contains(&event.at_ms))
        .rfind(|event| event.kind == "server-message" && event.data["type"] == "turn")
        .map(|event| event.data.clone())
}

/// A reply as reported.
pub(crate) fn reply(reply: &replies::Reply) -> Reply {
    let hole = |hole: &replies::Hole| Hole {
        at_ms: ms(hole.position),
        length_ms: ms(hole.length),
        silent_packets: hole.silent_packets,
    };
    Reply {
        first_sound_at_ms: ms(reply.first_sound_at),
        last_sound_at_ms: ms(reply.last_sound_at),
        sound_ms: ms(reply.sound),
        level_dbfs: dbfs(reply.level_dbfs()),
        peak_dbfs: dbfs(reply.peak_dbfs),
        holes: reply.hole_count,
        longest_hole_ms: reply.holes.iter().map(|hole| ms(hole.length)).fold(0.0, f64::max),
        hole_list: reply.holes.iter().map(hole).collect(),
    }
}

/// The received stream as reported.
pub(crate) fn received(ear: &Ear, dropped_by_impairment: u64) -> Received {
    let (stats, counts) = (ear.stats(), ear.counts());
    let expected = stats.received() + stats.lost();
    let (jitter_ms, jitter_ms_max) = stats.jitter_ms();
    Received {
        packets: stats.received(),
        lost: stats.lost(),
        lost_percent: 100.0 * stats.lost() as f64 / expected.max(1) as f64,
        reordered: stats.reordered(),
        duplicate: stats.duplicate(),
        late: counts.late + counts.overflowed,
        undecodable: counts.undecodable,
        concealed: counts.concealed,
        jitter_ms,
        jitter_ms_max,
        audio_ms: ms(ear.received_audio()),
        dropped_by_impairment,
    }
}

/// The sent stream as reported, with what the far end says of it.
pub(crate) fn sent(
    packets: u64,
    dropped_by_impairment: u64,
    late_max: Duration,
    far: Option<round_trip::FarReport>,
    rate_hz: u32,
) -> Sent {
    Sent {
        packets,
        dropped_by_impairment,
        late_ms_max: ms(late_max),
        far_lost: far.map(|far| far.lost),
        far_jitter_ms: far.map(|far| f64::from(far.jitter) * 1_000.0 / f64::from(rate_hz)),
    }
}

/// The round trips as reported; `None` if there were none.
pub(crate) fn round_trip(round_trip: &round_trip::RoundTrip) -> Option<RoundTrip> {
    let mut samples = round_trip.samples().to_vec();
    samples.sort_unstable();
    Some(RoundTrip {
        samples: samples.len(),
        min_ms: ms(*samples.first()?),
        median_ms: ms(samples[samples.len() / 2]),
        max_ms: ms(*samples.last()?),
    })
}

/// Why a call that connected did not work, if it did not.
pub(crate) fn problem(
    turns: &[Turn],
    expect_reply: bool,
    broken: Option<&'static str>,
) -> Option<String> {
    if let Some(broken) = broken {
        return Some(broken.to_owned());
    }
    let unanswered: Vec<_> = turns
        .iter()
        .enumerate()
        .filter(|(_, turn)| expect_reply && turn.reply.is_none())
        .map(|(index, turn)| format!("turn {} ({})", index + 1, turn.said))
        .collect();
    (!unanswered.is_empty()).then(|| format!("no reply to {}", unanswered.join(", ")))
}
