use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::bench::summarize;
use crate::codec::CodecKind;
use crate::impair::Impairment;
use crate::report::{Agent, BargeIn, Connect, Line, Received, Reply, RoundTrip, Sent};

fn reply(sound_ms: f64) -> Reply {
    Reply {
        first_sound_at_ms: 900.0,
        last_sound_at_ms: 1_900.0,
        sound_ms,
        level_dbfs: -15.2,
        peak_dbfs: -14.9,
        holes: 2,
        longest_hole_ms: 80.0,
        hole_list: vec![],
    }
}

fn turn(said: &str) -> Turn {
    Turn {
        said: said.into(),
        speech_began_at_ms: Some(100.0),
        speech_ended_at_ms: Some(700.0),
        response_latency_ms: Some(236.4),
        reply: Some(reply(440.0)),
        premature: vec![],
        barge_in: None,
        breakdown: None,
    }
}

fn report() -> Report {
    let interrupted = Turn {
        barge_in: Some(BargeIn { spoke_at_ms: 1_200.0, stop_ms: 61.2 }),
        breakdown: Some(
            json!({"type": "turn", "turn": 1, "endpoint_ms": 200.4, "first_audio_ms": 231}),
        ),
        ..turn("a-long-name.wav")
    };
    let unanswered = Turn {
        response_latency_ms: None,
        reply: None,
        premature: vec![reply(120.0)],
        ..turn("b.wav")
    };
    Report {
        worked: false,
        problem: Some("no reply to turn 2 (b.wav)".into()),
        url: "http://h/v1/rtc".into(),
        codec: CodecKind::Opus,
        sound_dbfs: -50.0,
        connect: Connect {
            offer_ms: 10.0,
            http_ms: 2.2,
            ice_ms: 0.6,
            dtls_ms: 25.0,
            offer_to_connected_ms: 27.8,
            ..Connect::default()
        },
        greeting: Some(Reply { first_sound_at_ms: 57.8, ..reply(1_020.0) }),
        turns: vec![interrupted, unanswered],
        unprompted: vec![],
        received: Received { packets: 291, lost: 9, lost_percent: 3.0, ..Received::default() },
        sent: Sent { packets: 300, far_lost: Some(4), ..Sent::default() },
        round_trip: Some(RoundTrip { samples: 3, min_ms: 0.2, median_ms: 0.4, max_ms: 2.0 }),
        impairment: Impairment { loss_percent: 3.0, jitter_ms: 30, ..Impairment::default() },
        agent: Agent {
            errors: vec!["the backend is slow".into()],
            transcript: vec![
                Line { who: "caller".into(), text: "hello".into() },
                Line { who: "agent".into(), text: "Good morning.".into() },
            ],
            ..Agent::default()
        },
        recording_starts_at_ms: 40.0,
        duration_ms: 6_000.0,
    }
}

fn check(text: &str, expect: &Expect) {
    expect.assert_eq(text);
}

#[test]
fn a_report_is_a_table_and_a_few_lines() {
    check(
        &summary(&report()),
        &expect![[r#"
            turn  said             latency ms  reply ms  level dBFS  holes > 60 ms  barge-in stop ms
               1  a-long-name.wav         236       440       -15.2              2                61
                  agent: endpoint 200, first audio 231 ms
               2  b.wav                     -         -           -              -                 -
                  before the end: 120 ms of sound, 800 ms into the speech

            greeting    1020 ms of sound, 20 ms after connecting
            connected   28 ms from offer to media: http 2, ice 1, dtls 25
            received    291 packets, 0.0 s of audio
            on the way  lost 9 (3.0 %), reordered 0, duplicate 0, late 0, concealed 0
            sent        300 packets, at most 0.0 ms late; the agent lost 4
            jitter      0.0 ms, at most 0.0 ms
            round trip  0.4 ms (median of 3, RTCP; 0.2 to 2.0)
            impairment  loss 3 %, burst 1, delay 0 ms, jitter 30 ms, seed 1; dropped 0 up, 0 down
            agent error the backend is slow
            caller      hello
            agent       Good morning.
            result      failed: no reply to turn 2 (b.wav)
        "#]],
    );
}

#[test]
fn a_quiet_good_call_is_told_shortly() {
    let report = Report {
        worked: true,
        problem: None,
        greeting: None,
        turns: vec![],
        round_trip: None,
        impairment: Impairment::default(),
        agent: Agent::default(),
        ..report()
    };
    check(
        &summary(&report),
        &expect![[r#"
            connected   28 ms from offer to media: http 2, ice 1, dtls 25
            received    291 packets, 0.0 s of audio
            on the way  lost 9 (3.0 %), reordered 0, duplicate 0, late 0, concealed 0
            sent        300 packets, at most 0.0 ms late; the agent lost 4
            jitter      0.0 ms, at most 0.0 ms
            round trip  not measured: no RTCP report came back
            result      the call worked
        "#]],
    );
}

#[test]
fn calls_are_told_as_percentiles() {
    let worked = Report { worked: true, problem: None, ..report() };
    let results = [Ok(worked.clone()), Ok(worked), Ok(report()), Err("no answer".to_owned())];
    check(
        &bench_summary(&summarize(&results)),
        &expect![[r#"
        ms                      count     p50     p90     p99     max
        offer to connected          3    27.8    27.8    27.8    27.8
        response latency            3   236.4   236.4   236.4   236.4
        barge-in stop               3    61.2    61.2    61.2    61.2
        jitter                      3     0.0     0.0     0.0     0.0
        sent late, worst            3     0.0     0.0     0.0     0.0

        received    873 packets, lost 27; 6 holes > 60 ms
        failed      1 x no answer
        failed      1 x no reply to turn 2 (b.wav)
        result      2 of 4 calls worked
    "#]],
    );
}

#[test]
fn reports_survive_json() {
    let json = serde_json::to_string(&report()).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report());
}

#[test]
fn what_became_of_each_possible_interruption_is_told() {
    let event = |at_ms: f64, data| Event { at_ms, kind: "server-message".into(), data };
    let floor = |at_ms: f64, state: &str| {
        event(at_ms, json!({"type": "floor", "state": state, "turn": 1, "generation": 2}))
    };
    let heard = |interrupted: bool| {
        let source = "reported";
        json!({"type": "heard", "generation": 3, "heard_ms": 730.4, "source": source, "interrupted": interrupted})
    };
    let events = [
        floor(900.0, "agent"),
        floor(1_000.0, "contested"),
        floor(1_120.0, "yielding"),
        floor(1_400.0, "agent"),
        event(1_500.0, heard(false)),
        floor(1_600.0, "contested"),
        floor(1_700.0, "user"),
        event(1_700.0, heard(true)),
        floor(1_900.0, "contested"),
    ];
    assert_eq!(
        decisions(&events),
        [
            "reply 2: contested at 1000 ms, yielding at 1120 ms, agent at 1400 ms",
            "reply 2: contested at 1600 ms, user at 1700 ms",
            "reply 3: cut, 730 ms heard (reported)",
            "reply 2: contested at 1900 ms, until the end",
        ]
    );
}
