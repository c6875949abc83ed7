//! What clients ask for beside audio.

use super::*;

#[test]
fn muting_ends_the_turn_and_nothing_is_heard_until_it_is_undone() {
    let steps = [
        Silence(500),
        Say(500),
        Client(ClientCommand::Mute { muted: true }),
        Say(500),
        Until(FloorState::Idle),
        Client(ClientCommand::Mute { muted: false }),
        Say(300),
    ];
    check(
        &steps,
        &expect![[r#"
            @600ms   -> speech-started turn=1
            @600ms   user-started turn=1
            @600ms user turn=1 gen=0
            @1000ms client mute
            @1000ms   muted=true
            @1000ms   user-stopped turn=1
            @1000ms   -> turn-ended turn=1 gen=1
            @1000ms thinking turn=1 gen=1
            @1050ms   transcript turn=1 words=3 final=true
            @1050ms   reply-started gen=1
            @1100ms   reply-text gen=1 words=5
            @1100ms agent turn=1 gen=1
            @1100ms   bot-started gen=1
            @1100ms   measured turn=1 gen=1 speech=460 endpoint=0 transcript=50 text=100 audio=100 packet=100
            @1350ms   reply-finished gen=1
            @2080ms   -> played gen=1 heard=1000ms words=5
            @2080ms   bot-stopped gen=1 interrupted=false heard=1000ms words=5
            @2080ms idle turn=1 gen=1
            @2080ms client unmute
            @2080ms   muted=false
            @2180ms   -> speech-started turn=2
            @2180ms   user-started turn=2
            @2180ms user turn=2 gen=1
        "#]],
    );
}

#[test]
fn what_was_said_while_muted_reaches_nobody() {
    let said_muted_ms = 300;
    let steps = [
        Silence(500),
        Client(ClientCommand::Mute { muted: true }),
        Say(said_muted_ms),
        Silence(60),
        Client(ClientCommand::Mute { muted: false }),
        Silence(40),
        Say(300),
        Silence(100),
    ];
    let world = World::play(settings(), &steps);
    let said_muted = (said_muted_ms / 20) as u32;
    assert_eq!(world.checks.spoken(), world.user.spoken() - said_muted);
}

#[test]
fn typed_text_is_a_turn_that_interrupts_or_waits() {
    let steps = [
        Silence(500),
        text("what time is it", true),
        Until(FloorState::Agent),
        Silence(200),
        text("and the date", false),
        Silence(200),
        text("stop", true),
        Until(FloorState::Agent),
        Until(FloorState::Thinking),
    ];
    check(
        &steps,
        &expect![[r#"
        @500ms client text, now
        @500ms   -> text turn=1 gen=1 words=4
        @500ms thinking turn=1 gen=1
        @550ms   reply-started gen=1
        @600ms   reply-text gen=1 words=5
        @600ms agent turn=1 gen=1
        @600ms   bot-started gen=1
        @600ms   measured turn=1 gen=1 speech=0 endpoint=- transcript=- text=100 audio=100 packet=100
        @800ms client text, later
        @850ms   reply-finished gen=1
        @1000ms client text, now
        @1000ms   -> cancel gen=1 heard=340ms words=2
        @1000ms   bot-stopped gen=1 interrupted=true heard=340ms words=2
        @1000ms   -> text turn=2 gen=2 words=1
        @1000ms thinking turn=2 gen=2
        @1050ms   reply-started gen=2
        @1100ms   reply-text gen=2 words=5
        @1100ms agent turn=2 gen=2
        @1100ms   bot-started gen=2
        @1100ms   measured turn=2 gen=2 speech=0 endpoint=- transcript=- text=100 audio=100 packet=100
        @1350ms   reply-finished gen=2
        @2080ms   -> played gen=2 heard=1000ms words=5
        @2080ms   bot-stopped gen=2 interrupted=false heard=1000ms words=5
        @2080ms idle turn=2 gen=2
        @2080ms   -> text turn=3 gen=3 words=3
        @2080ms thinking turn=3 gen=3
    "#]],
    );
}

#[test]
fn telephone_keys_are_a_turn_when_no_more_follow_or_at_a_hash() {
    let mut steps = vec![Silence(500)];
    steps.extend(keys("12"));
    steps.extend([Until(FloorState::Agent), Until(FloorState::Idle)]);
    steps.extend(keys("7#"));
    check(
        &steps,
        &expect![[r#"
        @500ms client key
        @800ms client key
        @2300ms   -> text turn=1 gen=1 words=1
        @2300ms thinking turn=1 gen=1
        @2350ms   reply-started gen=1
        @2400ms   reply-text gen=1 words=5
        @2400ms agent turn=1 gen=1
        @2400ms   bot-started gen=1
        @2400ms   measured turn=1 gen=1 speech=0 endpoint=- transcript=- text=100 audio=100 packet=100
        @2650ms   reply-finished gen=1
        @3380ms   -> played gen=1 heard=1000ms words=5
        @3380ms   bot-stopped gen=1 interrupted=false heard=1000ms words=5
        @3380ms idle turn=1 gen=1
        @3380ms client key
        @3680ms client key
        @3680ms   -> text turn=2 gen=2 words=1
        @3680ms thinking turn=2 gen=2
        @3730ms   reply-started gen=2
        @3780ms   reply-text gen=2 words=5
        @3780ms agent turn=2 gen=2
        @3780ms   bot-started gen=2
        @3780ms   measured turn=2 gen=2 speech=0 endpoint=- transcript=- text=100 audio=100 packet=100
    "#]],
    );
}
