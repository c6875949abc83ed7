//! What happens to a reply when the user, the network or the backend takes a hand in it.
//!
//! The traces say what the conversation decides today; the assertions, what holds however it decides.

use super::*;
use crate::client::Reporting;
use Step::{Blackout, Reports};

#[test]
fn a_long_monologue_is_given_in_parts() {
    let mut settings = settings();
    settings.call.turn_max = Duration::from_secs(5);
    let steps = [Silence(500), Say(12_000), Until(FloorState::Agent), Until(FloorState::Idle)];
    let world = check_with(
        settings,
        &steps,
        &expect![[r#"
            @600ms   -> speech-started turn=1
            @600ms   user-started turn=1
            @600ms user turn=1 gen=0
            @5600ms   user-stopped turn=1
            @5600ms   -> turn-ended turn=1 gen=1
            @5600ms thinking turn=1 gen=1
            @5620ms contested turn=1 gen=1
            @5640ms   -> speech-started turn=2
            @5640ms   user-started turn=2
            @5640ms yielding turn=2 gen=1
            @5650ms   transcript turn=1 words=3 final=true
            @5650ms   reply-started gen=1
            @5660ms   -> cancel gen=1 heard=0ms words=0
            @5660ms user turn=2 gen=1
            @5660ms   user-started turn=2
            @5660ms user turn=2 gen=1
            @10660ms   user-stopped turn=2
            @10660ms   -> turn-ended turn=2 gen=2
            @10660ms thinking turn=2 gen=2
            @10680ms contested turn=2 gen=2
            @10700ms   -> speech-started turn=3
            @10700ms   user-started turn=3
            @10700ms yielding turn=3 gen=2
            @10710ms   transcript turn=2 words=3 final=true
            @10710ms   reply-started gen=2
            @10720ms   -> cancel gen=2 heard=0ms words=0
            @10720ms user turn=3 gen=2
            @10720ms   user-started turn=3
            @10720ms user turn=3 gen=2
            @12620ms   user-stopped turn=3
            @12620ms settling turn=3 gen=2
            @12720ms   -> turn-ended turn=3 gen=3
            @12720ms thinking turn=3 gen=3
            @12770ms   transcript turn=3 words=3 final=true
            @12770ms   reply-started gen=3
            @12820ms   reply-text gen=3 words=5
            @12820ms agent turn=3 gen=3
            @12820ms   bot-started gen=3
            @12820ms   measured turn=3 gen=3 speech=1860 endpoint=200 transcript=250 text=300 audio=300 packet=300
            @13070ms   reply-finished gen=3
            @13800ms   -> played gen=3 heard=1000ms words=5
            @13800ms   bot-stopped gen=3 interrupted=false heard=1000ms words=5
            @13800ms idle turn=3 gen=3
        "#]],
    );
    assert_eq!(world.checks.spoken(), world.user.spoken(), "nothing of it is lost");
}

#[test]
fn text_typed_while_speaking() {
    let steps = [Silence(500), Say(500), text("no, stop", true), Say(300), Until(FloorState::Idle)];
    check(
        &steps,
        &expect![[r#"
            @600ms   -> speech-started turn=1
            @600ms   user-started turn=1
            @600ms user turn=1 gen=0
            @1000ms client text, now
            @1000ms   user-stopped turn=1
            @1000ms   -> turn-ended turn=1 gen=1
            @1000ms thinking turn=1 gen=1
            @1000ms   -> cancel gen=1 heard=0ms words=0
            @1000ms   -> text turn=2 gen=2 words=2
            @1000ms thinking turn=2 gen=2
            @1020ms contested turn=2 gen=2
            @1040ms   -> speech-started turn=3
            @1040ms   user-started turn=3
            @1040ms yielding turn=3 gen=2
            @1050ms   transcript turn=1 words=3 final=true
            @1050ms   reply-started gen=2
            @1060ms   -> cancel gen=2 heard=0ms words=0
            @1060ms user turn=3 gen=2
            @1060ms   user-started turn=3
            @1060ms user turn=3 gen=2
            @1420ms   user-stopped turn=3
            @1420ms settling turn=3 gen=2
            @1520ms   -> turn-ended turn=3 gen=3
            @1520ms thinking turn=3 gen=3
            @1570ms   transcript turn=3 words=3 final=true
            @1570ms   reply-started gen=3
            @1620ms   reply-text gen=3 words=5
            @1620ms agent turn=3 gen=3
            @1620ms   bot-started gen=3
            @1620ms   measured turn=3 gen=3 speech=320 endpoint=200 transcript=250 text=300 audio=300 packet=300
            @1870ms   reply-finished gen=3
            @2600ms   -> played gen=3 heard=1000ms words=5
            @2600ms   bot-stopped gen=3 interrupted=false heard=1000ms words=5
            @2600ms idle turn=3 gen=3
        "#]],
    );
}

#[test]
fn muting_during_an_interruption() {
    let muted = |muted| Client(ClientCommand::Mute { muted });
    let steps =
        [Silence(400), Say(240), muted(true), Say(300), Silence(2_500), muted(false), Silence(200)];
    let world = during(
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
            @1960ms client mute
            @1960ms   muted=true
            @1960ms   -> dismissed turn=2
            @1960ms   user-stopped turn=2
            @1960ms agent turn=2 gen=1
            @3481ms   -> played gen=1 heard=2000ms words=10
            @3481ms   bot-stopped gen=1 interrupted=false heard=2000ms words=10
            @3481ms idle turn=2 gen=1
            @4760ms client unmute
            @4760ms   muted=false
        "#]],
    );
    let said_muted = 300 / 20;
    assert!(world.checks.spoken() <= world.user.spoken() - said_muted, "and nobody hears it");
}

#[test]
fn a_key_during_a_reply() {
    let mut steps = vec![Silence(400)];
    steps.extend(keys("1#"));
    steps.push(Until(FloorState::Idle));
    during(
        2_000,
        &steps,
        &expect![[r#"
            (a turn and its reply)
            @1570ms   reply-text gen=1 words=5
            @1720ms client key
            @1820ms   reply-finished gen=1
            @2020ms client key
            @2020ms   -> cancel gen=1 heard=640ms words=3
            @2020ms   bot-stopped gen=1 interrupted=true heard=640ms words=3
            @2020ms   -> text turn=2 gen=2 words=1
            @2020ms thinking turn=2 gen=2
            @2070ms   reply-started gen=2
            @2120ms   reply-text gen=2 words=5
            @2120ms agent turn=2 gen=2
            @2120ms   bot-started gen=2
            @2120ms   measured turn=2 gen=2 speech=0 endpoint=- transcript=- text=100 audio=100 packet=100
            @2370ms   reply-text gen=2 words=5
            @2620ms   reply-finished gen=2
            @4100ms   -> played gen=2 heard=2000ms words=10
            @4100ms   bot-stopped gen=2 interrupted=false heard=2000ms words=10
            @4100ms idle turn=2 gen=2
        "#]],
    );
}

#[test]
fn a_blackout_during_an_interruption() {
    let steps =
        [Silence(400), Say(120), Blackout(1_000), Say(1_000), Say(500), Until(FloorState::Idle)];
    during(
        2_000,
        &steps,
        &expect![[r#"
            (a turn and its reply)
            @1570ms   reply-text gen=1 words=5
            @1780ms contested turn=1 gen=1
            @1820ms   reply-finished gen=1
            @1960ms agent turn=1 gen=1
            @2880ms contested turn=1 gen=1
            @2980ms   -> speech-started turn=2
            @2980ms   user-started turn=2
            @2980ms yielding turn=2 gen=1
            @3360ms   -> cancel gen=1 heard=1380ms words=7
            @3360ms   bot-stopped gen=1 interrupted=true heard=1380ms words=7
            @3360ms user turn=2 gen=1
            @3460ms   user-stopped turn=2
            @3460ms settling turn=2 gen=1
            @3560ms   -> turn-ended turn=2 gen=2
            @3560ms thinking turn=2 gen=2
            @3610ms   transcript turn=2 words=3 final=true
            @3610ms   reply-started gen=2
            @3660ms   reply-text gen=2 words=5
            @3660ms agent turn=2 gen=2
            @3660ms   bot-started gen=2
            @3660ms   measured turn=2 gen=2 speech=500 endpoint=200 transcript=250 text=300 audio=300 packet=300
            @3910ms   reply-text gen=2 words=5
            @4160ms   reply-finished gen=2
            @5640ms   -> played gen=2 heard=2000ms words=10
            @5640ms   bot-stopped gen=2 interrupted=false heard=2000ms words=10
            @5640ms idle turn=2 gen=2
        "#]],
    );
}

#[test]
fn a_reply_that_is_protected() {
    let mut settings = settings();
    settings.call.interruption.protected = vec!["three".to_owned()];
    let steps = [&asked(1_500)[..], &[Silence(300), Say(800), Until(FloorState::Idle)]].concat();
    let world = check_with(
        settings,
        &steps,
        &expect![[r#"
            (a turn and its reply)
            @1570ms   reply-text gen=1 words=5
            @1695ms   reply-finished gen=1
            @2800ms   -> played gen=1 heard=1500ms words=10
            @2800ms   bot-stopped gen=1 interrupted=false heard=1500ms words=10
            @2800ms idle turn=1 gen=1
            @2800ms   -> speech-started turn=2
            @2800ms   user-started turn=2
            @2800ms user turn=2 gen=1
            @2800ms   user-stopped turn=2
            @2800ms settling turn=2 gen=1
            @2800ms   -> turn-ended turn=2 gen=2
            @2800ms thinking turn=2 gen=2
            @2850ms   transcript turn=2 words=3 final=true
            @2850ms   reply-started gen=2
            @2900ms   reply-text gen=2 words=5
            @2900ms agent turn=2 gen=2
            @2900ms   bot-started gen=2
            @2900ms   measured turn=2 gen=2 speech=780 endpoint=360 transcript=410 text=460 audio=460 packet=460
            @3150ms   reply-text gen=2 words=5
            @3275ms   reply-finished gen=2
            @4380ms   -> played gen=2 heard=1500ms words=10
            @4380ms   bot-stopped gen=2 interrupted=false heard=1500ms words=10
            @4380ms idle turn=2 gen=2
        "#]],
    );
    assert_eq!(world.checks.spoken(), world.user.spoken(), "it is answered, if not at once");
}

#[test]
fn a_backend_hears_an_interruption_by_itself() {
    let mut steps = asked(2_000);
    steps[0] = behaves(|behaviour| {
        behaviour.reply_ms = 2_000;
        behaviour.speed_percent = 100;
        behaviour.interrupted_after_ms = Some(500);
    });
    steps.push(Until(FloorState::Idle));
    check(
        &steps,
        &expect![[r#"
            (a turn and its reply)
            @1820ms   -> cancel gen=1 heard=440ms words=1
            @1820ms   bot-stopped gen=1 interrupted=true heard=440ms words=1
            @1820ms idle turn=1 gen=1
        "#]],
    );
}

/// What is said early over a long reply that cannot be interrupted waits for its end, whole.
#[test]
fn who_speaks_early_over_a_long_reply_that_goes_on_is_heard_after_it() {
    let mut settings = settings();
    settings.call.interruption.policy = InterruptionPolicy::Never;
    let mut steps = asked(20_000);
    steps.extend([Silence(400), Say(1_500), Silence(25_000)]);
    let world = World::play(settings, &steps);
    assert_eq!(world.checks.spoken(), world.user.spoken(), "every spoken frame arrived, once");
}

/// What is heard is never more than was sent, whatever a client says; a truthful one is believed.
#[test]
fn playout_reports_true_late_and_lying() {
    for (reporting, expected) in [
        (Reporting::Truthful, expect!["@3360ms   -> cancel gen=1 heard=1560ms words=7"]),
        (Reporting::Late, expect!["@3360ms   -> cancel gen=1 heard=500ms words=2"]),
        (Reporting::Lying, expect!["@3360ms   -> cancel gen=1 heard=1560ms words=7"]),
    ] {
        let mut steps = vec![Reports(reporting)];
        steps.extend(asked(4_000));
        steps.extend([Silence(1_500), Say(600), Silence(100)]);
        let world = World::play(settings(), &steps);
        let cut = world.trace.as_str().lines().filter(|line| line.contains("-> cancel"));
        expected.assert_eq(&cut.collect::<Vec<_>>().join("\n"));
    }
}
