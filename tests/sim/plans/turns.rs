//! Who speaks when: turns, pauses and interruptions.

use super::*;

#[test]
fn the_agent_greets() {
    let mut settings = settings();
    settings.call.greet = true;
    let steps = [Silence(100), Until(FloorState::Agent), Until(FloorState::Idle)];
    check_with(
        settings,
        &steps,
        &expect![[r#"
        @0ms   -> greet gen=1
        @0ms thinking turn=0 gen=1
        @50ms   reply-started gen=1
        @100ms   reply-text gen=1 words=5
        @100ms agent turn=0 gen=1
        @100ms   bot-started gen=1
        @350ms   reply-finished gen=1
        @1080ms   -> played gen=1 heard=1000ms words=5
        @1080ms   bot-stopped gen=1 interrupted=false heard=1000ms words=5
        @1080ms idle turn=0 gen=1
    "#]],
    );
}

#[test]
fn a_greeting_is_interrupted_like_any_reply() {
    let mut settings = settings();
    settings.call.greet = true;
    let steps = [Until(FloorState::Agent), Silence(200), Say(600), Is(FloorState::User)];
    check_with(
        settings,
        &steps,
        &expect![[r#"
            @0ms   -> greet gen=1
            @0ms thinking turn=0 gen=1
            @50ms   reply-started gen=1
            @100ms   reply-text gen=1 words=5
            @100ms agent turn=0 gen=1
            @100ms   bot-started gen=1
            @350ms   reply-finished gen=1
            @360ms contested turn=0 gen=1
            @460ms   -> speech-started turn=1
            @460ms   user-started turn=1
            @460ms yielding turn=1 gen=1
            @840ms   -> cancel gen=1 heard=260ms words=1
            @840ms   bot-stopped gen=1 interrupted=true heard=260ms words=1
            @840ms user turn=1 gen=1
        "#]],
    );
}

#[test]
fn a_turn_is_answered() {
    let steps = [Silence(500), Say(1_000), Until(FloorState::Agent), Until(FloorState::Idle)];
    let world = check(
        &steps,
        &expect![[r#"
        @600ms   -> speech-started turn=1
        @600ms   user-started turn=1
        @600ms user turn=1 gen=0
        @1620ms   user-stopped turn=1
        @1620ms settling turn=1 gen=0
        @1720ms   -> turn-ended turn=1 gen=1
        @1720ms thinking turn=1 gen=1
        @1770ms   transcript turn=1 words=3 final=true
        @1770ms   reply-started gen=1
        @1820ms   reply-text gen=1 words=5
        @1820ms agent turn=1 gen=1
        @1820ms   bot-started gen=1
        @1820ms   measured turn=1 gen=1 speech=980 endpoint=200 transcript=250 text=300 audio=300 packet=300
        @2070ms   reply-finished gen=1
        @2800ms   -> played gen=1 heard=1000ms words=5
        @2800ms   bot-stopped gen=1 interrupted=false heard=1000ms words=5
        @2800ms idle turn=1 gen=1
    "#]],
    );
    assert_eq!(world.checks.spoken(), world.user.spoken(), "every spoken frame arrived, once");
}

#[test]
fn an_interruption_stops_the_agent_at_once() {
    let steps = [
        Silence(500),
        Say(500),
        Until(FloorState::Agent),
        Silence(400),
        Say(600),
        Until(FloorState::Agent),
        Until(FloorState::Idle),
    ];
    let world = check(
        &steps,
        &expect![[r#"
            (a turn and its reply)
            @1570ms   reply-finished gen=1
            @1780ms contested turn=1 gen=1
            @1880ms   -> speech-started turn=2
            @1880ms   user-started turn=2
            @1880ms yielding turn=2 gen=1
            @2260ms   -> cancel gen=1 heard=460ms words=2
            @2260ms   bot-stopped gen=1 interrupted=true heard=460ms words=2
            @2260ms user turn=2 gen=1
            @2440ms   user-stopped turn=2
            @2440ms settling turn=2 gen=1
            @2540ms   -> turn-ended turn=2 gen=2
            @2540ms thinking turn=2 gen=2
            @2590ms   transcript turn=2 words=3 final=true
            @2590ms   reply-started gen=2
            @2640ms   reply-text gen=2 words=5
            @2640ms agent turn=2 gen=2
            @2640ms   bot-started gen=2
            @2640ms   measured turn=2 gen=2 speech=580 endpoint=200 transcript=250 text=300 audio=300 packet=300
            @2890ms   reply-finished gen=2
            @3620ms   -> played gen=2 heard=1000ms words=5
            @3620ms   bot-stopped gen=2 interrupted=false heard=1000ms words=5
            @3620ms idle turn=2 gen=2
        "#]],
    );
    assert_eq!(world.checks.spoken(), world.user.spoken());
}

#[test]
fn a_pause_within_a_sentence_does_not_end_the_turn() {
    let steps =
        [Silence(500), Say(500), Silence(160), Is(FloorState::Settling), Say(500), Silence(300)];
    let world = check(
        &steps,
        &expect![[r#"
        @600ms   -> speech-started turn=1
        @600ms   user-started turn=1
        @600ms user turn=1 gen=0
        @1120ms   user-stopped turn=1
        @1120ms settling turn=1 gen=0
        @1240ms   user-started turn=1
        @1240ms user turn=1 gen=0
        @1780ms   user-stopped turn=1
        @1780ms settling turn=1 gen=0
        @1880ms   -> turn-ended turn=1 gen=1
        @1880ms thinking turn=1 gen=1
        @1930ms   transcript turn=1 words=3 final=true
        @1930ms   reply-started gen=1
    "#]],
    );
    assert_eq!(world.checks.spoken(), world.user.spoken());
}

#[test]
fn speech_while_the_agent_thinks_takes_the_floor_back() {
    let steps = [
        behaves(|behaviour| behaviour.think_ms = 1_000),
        Silence(500),
        Say(500),
        Until(FloorState::Thinking),
        Silence(200),
        Say(500),
        Until(FloorState::Agent),
    ];
    let world = check(
        &steps,
        &expect![[r#"
            (a turn)
            @1480ms contested turn=1 gen=1
            @1580ms   -> speech-started turn=2
            @1580ms   user-started turn=2
            @1580ms yielding turn=2 gen=1
            @1720ms   transcript turn=1 words=3 final=true
            @1720ms   reply-started gen=1
            @2140ms   -> dismissed turn=2
            @2140ms   user-stopped turn=2
            @2140ms thinking turn=2 gen=1
            @2220ms   reply-text gen=1 words=5
            @2220ms agent turn=2 gen=1
            @2220ms   bot-started gen=1
            @2220ms   measured turn=1 gen=1 speech=480 endpoint=200 transcript=- text=1200 audio=1200 packet=1200
        "#]],
    );
    assert_eq!(world.checks.spoken(), world.user.spoken(), "the words of both parts arrived");
}

#[test]
fn a_bad_network_costs_time_and_not_turns() {
    let network = Network { delay_ms: 40, jitter_ms: 30, loss_percent: 5, ..Network::default() };
    let steps = [
        Step::Network(network),
        Silence(1_000),
        Say(1_500),
        Until(FloorState::Agent),
        Until(FloorState::Idle),
    ];
    let world = World::play(settings(), &steps);
    let stats = world.agent().stats().call;
    assert_eq!((stats.turns, stats.replies), (1, 1), "{}", world.trace.as_str());
    world.checks.at_rest();
}
