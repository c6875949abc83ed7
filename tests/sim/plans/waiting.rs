//! What happens while one side keeps the other waiting.

use super::*;

#[test]
fn a_backend_that_never_answers_with_a_filler_and_an_apology() {
    let mut settings = settings();
    settings.call.wait.filler = Some(Duration::from_millis(800));
    settings.call.reply_timeout = Duration::from_secs(3);
    let deaf = behaves(|behaviour| behaviour.is_deaf = true);
    let steps =
        [deaf, Silence(500), Say(500), Until(FloorState::Thinking), Until(FloorState::Idle)];
    check_with(
        settings,
        &steps,
        &expect![[r#"
            (a turn)
            @4220ms   error fatal=false: the backend did not answer within 3 s
            @4220ms   -> cancel gen=1 heard=0ms words=0
            @4220ms idle turn=1 gen=1
        "#]],
    );
}

#[test]
fn a_backend_that_fails_is_apologised_for() {
    let fails = behaves(|behaviour| {
        behaviour.fails = true;
        behaviour.reply_ms = 0;
    });
    let steps =
        [fails, Silence(500), Say(500), Until(FloorState::Thinking), Until(FloorState::Idle)];
    check(
        &steps,
        &expect![[r#"
            (a turn)
            @1270ms   transcript turn=1 words=3 final=true
            @1270ms   reply-started gen=1
            @1320ms   reply-text gen=1 words=5
            @1320ms   error fatal=false: the model failed
            @1320ms   -> played gen=1 heard=0ms words=0
            @1320ms idle turn=1 gen=1
        "#]],
    );
}

#[test]
fn a_user_who_says_nothing_is_prompted_and_then_hung_up_on() {
    let mut settings = settings();
    settings.call.idle.after = Some(Duration::from_secs(3));
    settings.call.idle.prompts = vec!["are you there".to_owned()];
    settings.call.idle.hang_up = true;
    check_with(
        settings,
        &[Silence(500), Say(500), Silence(15_000)],
        &expect![[r#"
            (a turn and its reply)
            @1570ms   reply-finished gen=1
            @2300ms   -> played gen=1 heard=1000ms words=5
            @2300ms   bot-stopped gen=1 interrupted=false heard=1000ms words=5
            @2300ms idle turn=1 gen=1
            @5380ms   -> say gen=2 words=3
            @5380ms thinking turn=1 gen=2
            @5430ms   reply-started gen=2
            @5480ms   reply-text gen=2 words=3
            @5480ms agent turn=1 gen=2
            @5480ms   bot-started gen=2
            @5730ms   reply-finished gen=2
            @6460ms   -> played gen=2 heard=1000ms words=3
            @6460ms   bot-stopped gen=2 interrupted=false heard=1000ms words=3
            @6460ms idle turn=1 gen=2
            @9620ms end idle
        "#]],
    );
}

#[test]
fn a_backend_that_transcribes_while_the_user_speaks() {
    let early = behaves(|behaviour| {
        behaviour.transcribes_early = true;
        behaviour.times_words = true;
    });
    let steps = [early, Silence(500), Say(1_200), Silence(160), Say(400), Until(FloorState::Agent)];
    check(
        &steps,
        &expect![[r#"
        @600ms   -> speech-started turn=1
        @600ms   user-started turn=1
        @600ms user turn=1 gen=0
        @950ms   transcript turn=1 words=1 final=false
        @1300ms   transcript turn=1 words=2 final=false
        @1650ms   transcript turn=1 words=3 final=false
        @1820ms   user-stopped turn=1
        @1820ms settling turn=1 gen=0
        @1940ms   user-started turn=1
        @1940ms user turn=1 gen=0
        @2000ms   transcript turn=1 words=4 final=false
        @2350ms   transcript turn=1 words=5 final=false
        @2380ms   user-stopped turn=1
        @2380ms settling turn=1 gen=0
        @2480ms   -> turn-ended turn=1 gen=1
        @2480ms thinking turn=1 gen=1
        @2530ms   transcript turn=1 words=3 final=true
        @2530ms   reply-started gen=1
        @2580ms   reply-text gen=1 words=5
        @2580ms agent turn=1 gen=1
        @2580ms   bot-started gen=1
        @2580ms   measured turn=1 gen=1 speech=1740 endpoint=200 transcript=250 text=300 audio=300 packet=300
    "#]],
    );
}
