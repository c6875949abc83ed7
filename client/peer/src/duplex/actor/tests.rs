use super::*;
use crate::duplex::plan::{Cue, Scenario};
use crate::duplex::room::RoomSpec;
use crate::duplex::stimulus::Voice;
use serde_json::json;

const FRAME: Duration = Duration::from_millis(20);
const SAMPLES: usize = 960;

fn plan(cues: Vec<Cue>, room: Option<RoomSpec>) -> Plan {
    Plan {
        scenario: Scenario::Backchannel,
        voice: Voice::Low,
        room,
        cues,
        listen: Duration::ZERO,
        longest: Duration::from_secs(60),
    }
}

fn cue(when: When, say: Stimulus) -> Cue {
    Cue { when, say, role: Role::Scored }
}

fn actor(plan: Plan) -> Actor {
    let reply = Duration::from_secs(30);
    let known = Known { reply, openings: Vec::new(), sound_dbfs: -50.0 };
    let mut actor = Actor::new(plan, &known, CodecKind::Opus);
    actor.connected(Duration::ZERO);
    actor
}

/// Runs the call until it is done or `until_ms`; the agent is heard while `sounds` says so. Returns
/// what was sent.
fn run(actor: &mut Actor, until_ms: u64, sounds: &dyn Fn(u64) -> bool) -> Vec<Vec<i16>> {
    let mut sent = Vec::new();
    for tick in 0..until_ms / 20 {
        let now = FRAME * tick as u32;
        let level = if sounds(tick * 20) { 3_000 } else { 0 };
        let frame: Vec<i16> =
            (0..SAMPLES).map(|it| if it % 2 == 0 { level } else { -level }).collect();
        actor.handle_played(now, &frame);
        sent.push(actor.next_frame(now));
        if actor.is_done() {
            break;
        }
    }
    sent
}

fn began_ms(log: &CallLog) -> Vec<(Role, u128)> {
    log.said.iter().map(|said| (said.role, said.began_at.as_millis())).collect()
}

#[test]
fn a_cue_over_a_reply_waits_until_it_has_sounded_for_long_enough() {
    let when = When::Sounding(Duration::from_millis(1_600));
    let mut actor = actor(plan(vec![cue(when, Stimulus::Backchannel(0))], None));
    let sent = run(&mut actor, 20_000, &|ms| ms >= 1_000);
    assert!(actor.is_done());
    let (_, log, _) = actor.finish();
    assert_eq!(began_ms(&log), [(Role::Scored, 2_580)]);
    let first = sent.iter().position(|frame| frame.iter().any(|sample| *sample != 0)).unwrap();
    assert_eq!(first, 2_580 / 20);
    assert!(log.said[0].ended_at > log.said[0].began_at);
}

#[test]
fn a_silent_agent_is_prompted_and_one_that_never_keeps_up_a_reply_is_given_up() {
    let when = When::Sounding(Duration::from_millis(1_600));
    let mut actor = actor(plan(vec![cue(when, Stimulus::Stop)], None));
    run(&mut actor, 60_000, &|_| false);
    assert!(actor.is_done());
    let (_, log, _) = actor.finish();
    let began = began_ms(&log);
    assert!(began.len() >= 3 && began.iter().all(|(role, _)| *role == Role::Prompt), "{began:?}");
    assert!(log.ended_at <= STUCK_AFTER + Duration::from_secs(3));
}

#[test]
fn a_turn_waits_for_silence_and_its_pause_is_logged() {
    let when = When::Quiet(Duration::from_millis(1_000));
    let mut actor = actor(plan(vec![cue(when, Stimulus::Paused(0, 800))], None));
    run(&mut actor, 20_000, &|ms| (500..2_000).contains(&ms));
    let (_, log, _) = actor.finish();
    assert!((2_980..3_040).contains(&log.said[0].began_at.as_millis()), "{:?}", began_ms(&log));
    let pause = log.said[0].pause.clone().unwrap();
    assert_eq!((pause.end - pause.start).as_millis(), 820, "the packets around 800 ms of silence");
}

#[test]
fn the_next_turn_waits_for_an_answer_and_not_for_ever() {
    let when = When::Quiet(Duration::from_millis(1_000));
    let cues = vec![cue(when, Stimulus::Finished(0)), cue(when, Stimulus::Finished(1))];
    let gap_ms = |sounds: &dyn Fn(u64) -> bool| {
        let mut actor = actor(plan(cues.clone(), None));
        run(&mut actor, 20_000, sounds);
        let (_, log, _) = actor.finish();
        (log.said[1].began_at - log.said[0].ended_at).as_millis()
    };
    let answered_ms = gap_ms(&|ms| (4_000..4_500).contains(&ms));
    let first_ends_ms = 1_000 + 1_500..1_000 + 2_500;
    assert!(
        (4_500 + 1_000 - first_ends_ms.end..5_600 - first_ends_ms.start).contains(&answered_ms)
    );
    assert!((4_000..4_300).contains(&gap_ms(&|_| false)), "{}", gap_ms(&|_| false));
}

#[test]
fn the_room_is_added_to_what_is_said() {
    let room = RoomSpec { delay_ms: 40, level_db: -6.0, seed: 1 };
    let mut actor = actor(plan(vec![cue(When::Quiet(FRAME * 1_000), Stimulus::Stop)], Some(room)));
    let sent = run(&mut actor, 400, &|ms| ms >= 100);
    let first = sent.iter().flatten().position(|sample| *sample != 0).unwrap();
    assert_eq!(first, (100 + 40) * 48);
}

#[test]
fn what_the_agent_tells_is_logged_and_a_new_reply_is_played_from_its_beginning() {
    let mut actor = actor(plan(Vec::new(), None));
    let heard =
        Heard { arrived: FRAME, position: FRAME, length: FRAME, samples: SAMPLES, energy: 9.6 };
    let tell = |actor: &mut Actor, data: serde_json::Value| {
        let message = Message { kind: "server-message".into(), data };
        actor.handle_message(FRAME, &message);
        actor.handle_heard(&heard);
    };
    let floor = |generation| json!({"type": "floor", "state": "agent", "generation": generation});
    tell(&mut actor, floor(1));
    tell(&mut actor, json!({"type": "floor", "state": "contested", "generation": 1}));
    tell(&mut actor, floor(1));
    assert_eq!(actor.played(), FRAME * 3, "the same reply goes on");
    tell(&mut actor, floor(2));
    assert_eq!(actor.played(), FRAME);
    tell(&mut actor, json!({"type": "heard", "generation": 2, "interrupted": true}));
    tell(&mut actor, json!({"type": "heard", "generation": 3, "interrupted": false}));
    let (_, log, _) = actor.finish();
    assert_eq!(log.cuts, [Cut { at: FRAME, generation: 2 }]);
    assert!(log.has_account);
}
