//! Backends that are late, fail, hang up or have something to say.

use super::*;

#[test]
fn what_a_cancelled_reply_still_sends_is_dropped() {
    let steps = [
        behaves(|behaviour| {
            behaviour.late_ms = 300;
            behaviour.speed_percent = 100;
            behaviour.reply_ms = 2_000;
        }),
        Silence(500),
        Say(500),
        Until(FloorState::Agent),
        Silence(400),
        Say(600),
        Silence(100),
    ];
    let world = check(
        &steps,
        &expect![[r#"
            (a turn and its reply)
            @1780ms contested turn=1 gen=1
            @1880ms   -> speech-started turn=2
            @1880ms   user-started turn=2
            @1880ms yielding turn=2 gen=1
            @2260ms   -> cancel gen=1 heard=460ms words=2
            @2260ms   bot-stopped gen=1 interrupted=true heard=460ms words=2
            @2260ms user turn=2 gen=1
        "#]],
    );
    assert_eq!(world.agent().stats().call.stale_messages, 3);
}

#[test]
fn what_a_cancelled_reply_still_sends_is_not_taken_for_the_next_reply() {
    let steps = [
        behaves(|behaviour| {
            behaviour.late_ms = 400;
            behaviour.speed_percent = 100;
            behaviour.think_ms = 600;
        }),
        Silence(100),
        text("one", true),
        Until(FloorState::Agent),
        Silence(150),
        text("two", true),
        Silence(500),
        Is(FloorState::Thinking),
        Until(FloorState::Agent),
        Until(FloorState::Idle),
    ];
    let world = check(
        &steps,
        &expect![[r#"
        @100ms client text, now
        @100ms   -> text turn=1 gen=1 words=1
        @100ms thinking turn=1 gen=1
        @400ms   reply-started gen=1
        @700ms   reply-text gen=1 words=5
        @700ms agent turn=1 gen=1
        @700ms   bot-started gen=1
        @700ms   measured turn=1 gen=1 speech=0 endpoint=- transcript=- text=600 audio=600 packet=600
        @850ms client text, now
        @850ms   -> cancel gen=1 heard=90ms words=0
        @850ms   bot-stopped gen=1 interrupted=true heard=90ms words=0
        @850ms   -> text turn=2 gen=2 words=1
        @850ms thinking turn=2 gen=2
        @1150ms   reply-started gen=2
        @1450ms   reply-text gen=2 words=5
        @1450ms agent turn=2 gen=2
        @1450ms   bot-started gen=2
        @1450ms   measured turn=2 gen=2 speech=0 endpoint=- transcript=- text=600 audio=600 packet=600
        @2450ms   reply-finished gen=2
        @2450ms   -> played gen=2 heard=1000ms words=5
        @2450ms   bot-stopped gen=2 interrupted=false heard=1000ms words=5
        @2450ms idle turn=2 gen=2
    "#]],
    );
    assert_eq!(world.agent().stats().call.stale_messages, 4);
}

#[test]
fn a_backend_that_stalls_within_a_reply_is_given_up() {
    let steps = [
        behaves(|behaviour| behaviour.stalls_after_ms = Some(300)),
        Silence(500),
        Say(500),
        Until(FloorState::Agent),
        Until(FloorState::Idle),
    ];
    check(
        &steps,
        &expect![[r#"
            (a turn and its reply)
            @6600ms   error fatal=false: the backend stalled for 5 s within a reply
            @6600ms   -> cancel gen=1 heard=300ms words=1
            @6600ms   bot-stopped gen=1 interrupted=true heard=300ms words=1
            @6600ms idle turn=1 gen=1
        "#]],
    );
}

#[test]
fn a_backend_that_never_answers_is_given_up() {
    let steps = [
        behaves(|behaviour| behaviour.is_deaf = true),
        Silence(500),
        Say(500),
        Until(FloorState::Thinking),
        Until(FloorState::Idle),
    ];
    check(
        &steps,
        &expect![[r#"
            (a turn)
            @11220ms   error fatal=false: the backend did not answer within 10 s
            @11220ms   -> cancel gen=1 heard=0ms words=0
            @11220ms idle turn=1 gen=1
        "#]],
    );
}

#[test]
fn a_reply_that_fails_is_told_and_what_there_is_of_it_is_played() {
    let steps = [
        behaves(|behaviour| {
            behaviour.fails = true;
            behaviour.reply_ms = 200;
        }),
        Silence(500),
        Say(500),
        Until(FloorState::Agent),
        Until(FloorState::Idle),
    ];
    check(
        &steps,
        &expect![[r#"
            (a turn and its reply)
            @1370ms   error fatal=false: the model failed
            @1500ms   -> played gen=1 heard=200ms words=1
            @1500ms   bot-stopped gen=1 interrupted=false heard=200ms words=1
            @1500ms idle turn=1 gen=1
        "#]],
    );
}

#[test]
fn a_backend_that_fails_for_good_ends_the_call_after_what_it_said() {
    let failed = BackendEvent::Failed { message: "connection lost".to_owned() };
    let steps = [
        Silence(500),
        Say(500),
        Until(FloorState::Agent),
        Silence(200),
        BackendSays(failed),
        Silence(3_000),
    ];
    let world = check(
        &steps,
        &expect![[r#"
            (a turn and its reply)
            @1520ms   error fatal=true: connection lost
            @2200ms   -> played gen=1 heard=900ms words=3
            @2200ms   bot-stopped gen=1 interrupted=false heard=900ms words=3
            @2200ms idle turn=1 gen=1
            @2280ms end backend-failed
        "#]],
    );
    let message = "connection lost".to_owned();
    assert_eq!(world.end, Some(EndReason::BackendFailed { message }));
}

#[test]
fn hanging_up_waits_for_the_farewell() {
    let steps = [
        Silence(500),
        Say(500),
        Until(FloorState::Agent),
        BackendSays(BackendEvent::HangUp { reason: "goodbye".to_owned() }),
        Silence(2_000),
    ];
    let world = check(
        &steps,
        &expect![[r#"
            (a turn and its reply)
            @1570ms   reply-finished gen=1
            @2300ms   -> played gen=1 heard=1000ms words=5
            @2300ms   bot-stopped gen=1 interrupted=false heard=1000ms words=5
            @2300ms idle turn=1 gen=1
            @2380ms end backend
        "#]],
    );
    assert_eq!(world.end, Some(EndReason::Backend { reason: "goodbye".to_owned() }));
}

#[test]
fn what_nobody_asked_for_is_said_when_the_floor_is_free() {
    let steps = [
        Silence(500),
        Say(500),
        BackendSays(BackendEvent::WantsToSpeak),
        Until(FloorState::Agent),
        Until(FloorState::Thinking),
        Until(FloorState::Idle),
    ];
    check(
        &steps,
        &expect![[r#"
            (a turn and its reply)
            @1570ms   reply-finished gen=1
            @2300ms   -> played gen=1 heard=1000ms words=5
            @2300ms   bot-stopped gen=1 interrupted=false heard=1000ms words=5
            @2300ms idle turn=1 gen=1
            @2300ms   -> speak gen=2
            @2300ms thinking turn=1 gen=2
            @2350ms   reply-started gen=2
            @2400ms   reply-text gen=2 words=5
            @2400ms agent turn=1 gen=2
            @2400ms   bot-started gen=2
            @2650ms   reply-finished gen=2
            @3380ms   -> played gen=2 heard=1000ms words=5
            @3380ms   bot-stopped gen=2 interrupted=false heard=1000ms words=5
            @3380ms idle turn=1 gen=2
        "#]],
    );
}
