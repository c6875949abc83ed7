use super::*;
use crate::duplex::log::{Role, SoundPacket};
use crate::duplex::stimulus::Stimulus;

const REPLY: Duration = Duration::from_secs(20);

const fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A log of replies with these pieces, in ms; every 20 ms of them is a packet that arrives in its place.
fn log(replies: &[&[(u64, u64)]], said: &[Said]) -> CallLog {
    let track = |pieces: &&[(u64, u64)]| ReplyTrack {
        pieces: pieces.iter().map(|(from, to)| at(*from)..at(*to)).collect(),
        by_account: false,
    };
    let sounding = replies.iter().flat_map(|pieces| pieces.iter());
    let places = sounding.flat_map(|(from, to)| (*from..*to).step_by(20));
    CallLog {
        replies: replies.iter().map(track).collect(),
        packets: places.map(|ms| SoundPacket { arrived: at(ms), position: at(ms) }).collect(),
        said: said.to_vec(),
        ended_at: at(60_000),
        ..CallLog::default()
    }
}

fn said(role: Role, from_ms: u64, to_ms: u64) -> Said {
    Said { stimulus: Stimulus::Stop, role, began_at: at(from_ms), ended_at: at(to_ms), pause: None }
}

#[test]
fn a_murmur_is_scored_by_what_becomes_of_the_reply() {
    let murmur = said(Role::Scored, 5_000, 5_400);
    for (name, replies, expected) in [
        ("untouched", &[&[(0, 20_000)][..]][..], Reaction::Untouched),
        (
            "paused",
            &[&[(0, 5_100), (5_480, 20_000)]],
            Reaction::Resumed { gap_ms: 380.0, after_ms: 80.0 },
        ),
        ("ended", &[&[(0, 5_100)]], Reaction::Ended),
        ("another instead", &[&[(0, 5_100)], &[(5_800, 20_000)]], Reaction::Ended),
        ("resumed, then ended", &[&[(0, 5_100), (5_400, 6_000)]], Reaction::Ended),
        ("silent anyway", &[&[(0, 4_700)], &[(5_200, 20_000)]], Reaction::Void),
        ("a pause of its own before", &[&[(0, 2_000), (2_300, 20_000)]], Reaction::Untouched),
        ("nobody spoke", &[], Reaction::Void),
    ] {
        assert_eq!(reaction(&log(replies, &[]), &murmur, REPLY), expected, "{name}");
    }
    let at_the_end = said(Role::Scored, 19_000, 19_400);
    assert_eq!(reaction(&log(&[&[(0, 20_000)]], &[]), &at_the_end, REPLY), Reaction::Void);
}

#[test]
fn an_interruption_is_scored_by_the_last_packet_of_the_reply() {
    let stop = said(Role::Scored, 5_000, 7_000);
    for (name, replies, expected) in [
        ("stopped", &[&[(0, 5_120)][..], &[(7_300, 20_000)]][..], Some(100.0)),
        ("late", &[&[(0, 5_800)]], Some(780.0)),
        ("faded, came back, stopped", &[&[(0, 5_100), (5_500, 5_900)]], Some(880.0)),
        ("played on", &[&[(0, 20_000)]], None),
        ("resumed afterwards", &[&[(0, 5_100), (7_500, 20_000)]], None),
    ] {
        let found = interruption(&log(replies, &[]), &stop, REPLY);
        let expected =
            expected.map_or(Interruption::Ignored, |stop_ms| Interruption::Stopped { stop_ms });
        assert_eq!(found, expected, "{name}");
    }
    let taken = |stop_ms| Interruption::Stopped { stop_ms }.is_taken();
    assert_eq!((taken(600.0), taken(601.0)), (Some(true), Some(false)));
    assert_eq!(Interruption::Ignored.is_taken(), Some(false));
    assert_eq!(interruption(&log(&[], &[]), &stop, REPLY), Interruption::Void);
    let at_its_end = log(&[&[(0, 5_100)]], &[]);
    assert_eq!(interruption(&at_its_end, &stop, Duration::from_secs(5)), Interruption::Void);
}

#[test]
fn a_response_is_the_first_reply_after_the_turn_and_before_the_next() {
    let turns = [said(Role::Scored, 5_000, 7_000), said(Role::Scored, 12_000, 13_000)];
    for (name, replies, expected) in [
        ("answered", &[&[(0, 5_100)][..], &[(7_260, 9_000)]][..], Response::After(260.0)),
        ("too soon", &[&[(5_900, 8_000)]], Response::Premature),
        ("not at all", &[&[(0, 5_100)]], Response::None),
        ("only the next turn", &[&[(13_400, 15_000)]], Response::None),
    ] {
        assert_eq!(response(&log(replies, &turns), &turns[0]), expected, "{name}");
    }
}

#[test]
fn a_reply_that_ends_early_in_an_echo_is_a_false_barge_in() {
    let prompts = [said(Role::Prompt, 30_000, 31_000)];
    let score = |replies: &[&[(u64, u64)]]| alone(&log(replies, &prompts), REPLY);
    let clean = score(&[&[(0, 20_000)], &[(31_300, 51_300)]]);
    assert_eq!((clean.ended, clean.paused, clean.answered_itself), (0, 0, 0));
    assert_eq!(clean.spoke, at(40_000));
    // In the first second, and another in its place.
    assert_eq!(score(&[&[(0, 300)], &[(700, 20_700)]]).ended, 1);
    assert_eq!(score(&[&[(0, 300)], &[(700, 900)], &[(1_300, 1_500)]]).ended, 3);
    assert_eq!(score(&[&[(0, 3_000), (3_300, 20_300)]]).paused, 1);
    assert_eq!(score(&[&[(0, 20_000)], &[(21_000, 29_000)]]).answered_itself, 1);
    // Spoken over by the prompt, or cut by the end of the call.
    assert_eq!(score(&[&[(20_000, 30_100)]]).ended, 0);
    assert_eq!(score(&[&[(50_000, 59_000)]]).ended, 0);
}
