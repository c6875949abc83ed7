//! What happens to a reply when a sound is heard meanwhile: an echo, a cough, a backchannel, words.
//!
//! The traces say what the conversation decides today.

use super::*;
use crate::room::Room;
use crate::user::Sound;
use Step::Make;

/// Each turn beyond the first, which the user took, is the agent interrupting itself.
#[test]
fn echo_alone_at_several_delays() {
    let mut counts = String::new();
    for delay_ms in [10, 40, 200, 700, 900] {
        let room = Room { echo_db: Some(-12.0), echo_delay_ms: delay_ms, ..Room::default() };
        let steps = [&[Step::Room(room)][..], &asked(2_000), &[Silence(8_000)]].concat();
        let mut settings = settings();
        settings.uplink.echo = EchoMode::Auto;
        let stats = World::play(settings, &steps).agent().stats().call;
        counts += &format!("{delay_ms} ms: {} turns\n", stats.turns);
    }
    expect![[r#"
        10 ms: 1 turns
        40 ms: 1 turns
        200 ms: 1 turns
        700 ms: 1 turns
        900 ms: 1 turns
    "#]]
    .assert_eq(&counts);
}

#[test]
fn a_click_during_a_reply() {
    let steps = [Silence(400), Make(Sound::Burst, 40), Until(FloorState::Idle)];
    during(
        2_000,
        &steps,
        &expect![[r#"
            (a turn and its reply)
            @1570ms   reply-text gen=1 words=5
            @1780ms contested turn=1 gen=1
            @1820ms   reply-finished gen=1
            @1880ms agent turn=1 gen=1
            @3400ms   -> played gen=1 heard=2000ms words=10
            @3400ms   bot-stopped gen=1 interrupted=false heard=2000ms words=10
            @3400ms idle turn=1 gen=1
        "#]],
    );
}

#[test]
fn a_cough_during_a_reply() {
    let steps = [Silence(400), Make(Sound::Burst, 180), Until(FloorState::Idle)];
    during(
        2_000,
        &steps,
        &expect![[r#"
            (a turn and its reply)
            @1570ms   reply-text gen=1 words=5
            @1780ms contested turn=1 gen=1
            @1820ms   reply-finished gen=1
            @1880ms   -> speech-started turn=2
            @1880ms   user-started turn=2
            @1880ms yielding turn=2 gen=1
            @2120ms   -> dismissed turn=2
            @2120ms   user-stopped turn=2
            @2120ms agent turn=2 gen=1
            @3640ms   -> played gen=1 heard=2000ms words=10
            @3640ms   bot-stopped gen=1 interrupted=false heard=2000ms words=10
            @3640ms idle turn=2 gen=1
        "#]],
    );
}

#[test]
fn a_backchannel_during_a_reply() {
    let steps = [Silence(400), Make(Sound::Hum, 240), Until(FloorState::Idle)];
    during(
        2_000,
        &steps,
        &expect![[r#"
            (a turn and its reply)
            @1570ms   reply-text gen=1 words=5
            @1780ms contested turn=1 gen=1
            @1820ms   reply-finished gen=1
            @1880ms   -> speech-started turn=2
            @1880ms   user-started turn=2
            @1880ms yielding turn=2 gen=1
            @2180ms   -> dismissed turn=2
            @2180ms   user-stopped turn=2
            @2180ms agent turn=2 gen=1
            @3700ms   -> played gen=1 heard=2000ms words=10
            @3700ms   bot-stopped gen=1 interrupted=false heard=2000ms words=10
            @3700ms idle turn=2 gen=1
        "#]],
    );
}

#[test]
fn both_start_at_once() {
    let speaks_with_it = [Say(900), Silence(1_500), Until(FloorState::Idle)];
    let world = during(
        1_500,
        &speaks_with_it,
        &expect![[r#"
            (a turn and its reply)
            @1380ms contested turn=1 gen=1
            @1480ms   -> speech-started turn=2
            @1480ms   user-started turn=2
            @1480ms yielding turn=2 gen=1
            @1570ms   reply-text gen=1 words=5
            @1695ms   reply-finished gen=1
            @1860ms   -> cancel gen=1 heard=60ms words=0
            @1860ms   bot-stopped gen=1 interrupted=true heard=60ms words=0
            @1860ms user turn=2 gen=1
            @2340ms   user-stopped turn=2
            @2340ms settling turn=2 gen=1
            @2440ms   -> turn-ended turn=2 gen=2
            @2440ms thinking turn=2 gen=2
            @2490ms   transcript turn=2 words=3 final=true
            @2490ms   reply-started gen=2
            @2540ms   reply-text gen=2 words=5
            @2540ms agent turn=2 gen=2
            @2540ms   bot-started gen=2
            @2540ms   measured turn=2 gen=2 speech=880 endpoint=200 transcript=250 text=300 audio=300 packet=300
            @2790ms   reply-text gen=2 words=5
            @2915ms   reply-finished gen=2
            @4020ms   -> played gen=2 heard=1500ms words=10
            @4020ms   bot-stopped gen=2 interrupted=false heard=1500ms words=10
            @4020ms idle turn=2 gen=2
        "#]],
    );
    assert_eq!(world.checks.spoken(), world.user.spoken(), "every spoken frame arrived, once");
}
