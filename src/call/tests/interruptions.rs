//! Staged interruptions, replies that cannot be interrupted, replies made ahead, and waiting, each as a
//! trace.

use expect_test::{Expect, expect};

use super::rows::agent_speaks_with;
use super::*;
use crate::call::settings::InterruptionPolicy;

fn settings(change: impl FnOnce(&mut CallSettings)) -> CallSettings {
    let mut settings = CallSettings { greet: false, ..fixed_silence() };
    change(&mut settings);
    settings
}

/// How most interruptions begin.
const CONFIRMED: &str = "\
@1320ms   downlink pause
@1320ms   suspected gen=1 echo=clear voice=0.90
@1320ms contested turn=1 gen=1
@1420ms   confirmed gen=1 echo=clear voice=0.90
@1420ms   -> speech-started turn=2
@1420ms   release-held
@1420ms   user-started turn=2
@1420ms yielding turn=2 gen=1
";

/// What was decided since the agent has sent 500 ms of a reply of two seconds.
fn check(settings: CallSettings, act: impl FnOnce(&mut Rig), expected: &Expect) -> Rig {
    let mut rig = agent_speaks_with(settings, 500);
    rig.trace = Trace::new();
    act(&mut rig);
    rig.check_timers();
    let trace = rig.trace.as_str();
    let shown = match trace.strip_prefix(CONFIRMED) {
        Some(rest) => format!("(confirmed)\n{rest}"),
        None => trace.to_owned(),
    };
    expected.assert_eq(&shown);
    rig
}

fn with(policy: InterruptionPolicy) -> CallSettings {
    settings(|settings| settings.interruption.policy = policy)
}

fn transcript(rig: &mut Rig, text: &str) {
    let (turn, text, is_final) = (TurnId(2), text.to_owned(), false);
    rig.backend(BackendEvent::UserTranscript { turn, text, is_final });
}

#[test]
fn an_interruption_fades_then_silences_then_cancels() {
    check(
        settings(|_| ()),
        |rig| rig.say(500),
        &expect![[r#"
            (confirmed)
            @1800ms   committed gen=1 echo=clear voice=0.90
            @1800ms   downlink flush
            @1800ms   -> cancel gen=1 heard=500ms words=2
            @1800ms   bot-stopped gen=1 interrupted=true heard=500ms words=2
            @1800ms user turn=2 gen=1
        "#]],
    );
}

#[test]
fn a_click_pauses_the_reply_and_the_backend_never_knows() {
    let act = |rig: &mut Rig| {
        rig.say(20);
        rig.quiet(100);
    };
    check(
        settings(|_| ()),
        act,
        &expect![[r#"
        @1320ms   downlink pause
        @1320ms   suspected gen=1 echo=clear voice=0.90
        @1320ms contested turn=1 gen=1
        @1420ms   downlink resume
        @1420ms   dismissed gen=1 echo=clear voice=0.00
        @1420ms agent turn=1 gen=1
    "#]],
    );
}

#[test]
fn a_backchannel_is_taken_back_from_the_backend_and_the_reply_plays_on() {
    let act = |rig: &mut Rig| {
        rig.say(300);
        transcript(rig, "mhm");
        rig.quiet(200);
        transcript(rig, "mhm, too late");
    };
    let rig = check(
        settings(|_| ()),
        act,
        &expect![[r#"
            (confirmed)
            @1600ms   transcript turn=2 words=1 final=false
            @1800ms   -> dismissed turn=2
            @1800ms   user-stopped turn=2
            @1800ms   downlink resume
            @1800ms   dismissed gen=1 echo=clear voice=0.00
            @1800ms agent turn=2 gen=1
        "#]],
    );
    assert_eq!(rig.call.stats().stale_messages, 1, "what is understood of it late is dropped");
}

#[test]
fn words_that_are_no_backchannel_commit_at_once_and_the_turn_ends_by_its_own_silence() {
    let act = |rig: &mut Rig| {
        rig.say(200);
        rig.quiet(120);
        transcript(rig, "stop it");
        rig.quiet(500);
    };
    check(
        settings(|_| ()),
        act,
        &expect![[r#"
            (confirmed)
            @1620ms   committed gen=1 echo=clear voice=0.00
            @1620ms   downlink flush
            @1620ms   -> cancel gen=1 heard=500ms words=2
            @1620ms   bot-stopped gen=1 interrupted=true heard=500ms words=2
            @1620ms user turn=2 gen=1
            @1620ms   transcript turn=2 words=2 final=false
            @1620ms   user-stopped turn=2
            @1620ms settling turn=2 gen=1
            @2100ms   -> turn-ended turn=2 gen=2
            @2100ms   downlink play gen=2
            @2100ms thinking turn=2 gen=2
        "#]],
    );
}

#[test]
fn speech_without_words_does_not_last_for_ever_where_only_words_count() {
    let act = |rig: &mut Rig| {
        rig.say(4_000);
        rig.quiet(20);
        rig.say(20);
    };
    check(
        with(InterruptionPolicy::Words(2)),
        act,
        &expect![[r#"
            (confirmed)
            @4420ms   -> dismissed turn=2
            @4420ms   user-stopped turn=2
            @4420ms   downlink resume
            @4420ms   dismissed gen=1 echo=clear voice=0.00
            @4420ms agent turn=2 gen=1
            @5340ms   downlink pause
            @5340ms   suspected gen=1 echo=clear voice=0.90
            @5340ms contested turn=2 gen=1
        "#]],
    );
}

#[test]
fn who_cannot_interrupt_is_answered_after_the_reply() {
    let act = |rig: &mut Rig| {
        rig.say(500);
        rig.quiet(700);
        rig.backend(BackendEvent::ReplyFinished { generation: Generation(1) });
        rig.sent(1, -20.0, 0);
        rig.quiet(20);
    };
    check(
        with(InterruptionPolicy::Never),
        act,
        &expect![[r#"
        @2500ms   reply-finished gen=1
        @2500ms   downlink finish gen=1
        @2500ms   -> played gen=1 heard=2000ms words=8
        @2500ms   bot-stopped gen=1 interrupted=false heard=2000ms words=8
        @2500ms idle turn=1 gen=1
        @2500ms   -> speech-started turn=2
        @2500ms   release-held
        @2500ms   user-started turn=2
        @2500ms user turn=2 gen=1
        @2500ms   user-stopped turn=2
        @2500ms settling turn=2 gen=1
        @2520ms   -> turn-ended turn=2 gen=2
        @2520ms   downlink play gen=2
        @2520ms thinking turn=2 gen=2
    "#]],
    );
}

#[test]
fn what_is_short_and_cannot_interrupt_is_forgotten() {
    let act = |rig: &mut Rig| {
        rig.say(200);
        rig.quiet(300);
        rig.backend(BackendEvent::ReplyFinished { generation: Generation(1) });
        rig.sent(1, -20.0, 0);
    };
    check(
        with(InterruptionPolicy::Never),
        act,
        &expect![[r#"
        @1800ms   reply-finished gen=1
        @1800ms   downlink finish gen=1
        @1800ms   -> played gen=1 heard=2000ms words=8
        @1800ms   bot-stopped gen=1 interrupted=false heard=2000ms words=8
        @1800ms idle turn=1 gen=1
    "#]],
    );
}

#[test]
fn the_first_words_of_a_reply_cannot_be_interrupted_and_the_rest_can() {
    let first_words = |settings: &mut CallSettings| settings.interruption.first_words = 3;
    let act = |rig: &mut Rig| {
        rig.say(100);
        rig.sent(1, -20.0, 1_000);
        rig.say(20);
    };
    check(
        settings(first_words),
        act,
        &expect![[r#"
        @1420ms   downlink pause
        @1420ms   suspected gen=1 echo=clear voice=0.90
        @1420ms contested turn=1 gen=1
    "#]],
    );
}

#[test]
fn typed_text_takes_the_floor_from_an_interruption_that_was_not_decided() {
    let act = |rig: &mut Rig| {
        rig.say(200);
        rig.text("typed", true);
    };
    check(
        settings(|_| ()),
        act,
        &expect![[r#"
            (confirmed)
            @1500ms   committed gen=1 echo=clear voice=0.00
            @1500ms   downlink flush
            @1500ms   -> cancel gen=1 heard=500ms words=2
            @1500ms   bot-stopped gen=1 interrupted=true heard=500ms words=2
            @1500ms user turn=2 gen=1
            @1500ms   user-stopped turn=2
            @1500ms   -> turn-ended turn=2 gen=2
            @1500ms   downlink play gen=2
            @1500ms thinking turn=2 gen=2
            @1500ms   -> cancel gen=2 heard=0ms words=0
            @1500ms   -> text turn=3 gen=3 words=1
            @1500ms   downlink play gen=3
            @1500ms thinking turn=3 gen=3
        "#]],
    );
}

#[test]
fn the_backends_own_interruption_is_obeyed() {
    let act = |rig: &mut Rig| {
        rig.backend(BackendEvent::ReplyFinished { generation: Generation(1) });
        rig.backend(BackendEvent::Interrupted { generation: Generation(1) });
        rig.backend(BackendEvent::Interrupted { generation: Generation(1) });
    };
    let rig = check(
        settings(|_| ()),
        act,
        &expect![[r#"
        @1300ms   reply-finished gen=1
        @1300ms   downlink finish gen=1
        @1300ms   committed gen=1 echo=clear voice=0.00
        @1300ms   downlink flush
        @1300ms   -> cancel gen=1 heard=420ms words=2
        @1300ms   bot-stopped gen=1 interrupted=true heard=420ms words=2
        @1300ms idle turn=1 gen=1
    "#]],
    );
    assert_eq!(rig.call.stats().stale_messages, 1, "a repetition does no harm");
}

#[test]
fn a_reply_that_comes_while_the_user_may_be_going_on_waits_in_silence() {
    let mut rig = Rig::silent();
    rig.say(200);
    rig.quiet(600);
    rig.trace = Trace::new();
    rig.say(20);
    rig.audio(1, 500);
    rig.quiet(100);
    expect![[r#"
        @820ms   downlink pause
        @820ms   suspected gen=1 echo=clear voice=0.90
        @820ms contested turn=1 gen=1
        @920ms   downlink resume
        @920ms   dismissed gen=1 echo=clear voice=0.00
        @920ms agent turn=1 gen=1
    "#]]
    .assert_eq(rig.trace.as_str());
}

#[test]
fn a_late_reply_is_bridged_by_one_filler_and_then_apologised_for() {
    let mut rig = Rig::silent_with(settings(|settings| {
        settings.wait.filler = Some(Duration::from_secs(1));
        settings.reply_timeout = Duration::from_secs(3);
    }));
    rig.say(200);
    rig.quiet(600);
    rig.trace = Trace::new();
    rig.quiet(4_000);
    expect![[r#"
        @1800ms   downlink clip filler
        @3800ms   error fatal=false: the backend did not answer within 3 s
        @3800ms   downlink flush
        @3800ms   -> cancel gen=1 heard=0ms words=0
        @3800ms idle turn=1 gen=1
        @3800ms   downlink clip apology
    "#]]
    .assert_eq(rig.trace.as_str());
    rig.say(100);
    let flushed = rig.outputs.contains(&Output::Downlink(DownlinkCommand::Flush));
    assert!(flushed, "who speaks over the apology is not talked over");
}

#[test]
fn a_backend_that_is_gone_before_it_answers_is_apologised_for_and_then_the_call_ends() {
    let mut rig = Rig::silent();
    rig.say(200);
    rig.quiet(600);
    rig.trace = Trace::new();
    rig.backend(BackendEvent::Failed { message: "the last one is gone".to_owned() });
    rig.quiet(5_000);
    expect![[r#"
        @800ms   error fatal=true: the last one is gone
        @800ms   -> played gen=1 heard=0ms words=0
        @800ms idle turn=1 gen=1
        @800ms   downlink clip apology
        @4800ms end backend-failed
    "#]]
    .assert_eq(rig.trace.as_str());
}

#[test]
fn a_silent_user_is_prompted_and_then_left() {
    let mut rig = Rig::silent_with(settings(|settings| {
        settings.idle.after = Some(Duration::from_secs(5));
        settings.idle.prompts = vec!["Are you still there?".to_owned()];
        settings.idle.hang_up = true;
    }));
    rig.quiet(5_100);
    rig.audio(1, 500);
    rig.backend(BackendEvent::ReplyFinished { generation: Generation(1) });
    rig.sent(1, -20.0, 0);
    rig.quiet(6_000);
    expect![[r#"
        @5080ms   -> say gen=1 words=4
        @5080ms   downlink play gen=1
        @5080ms thinking turn=0 gen=1
        @5100ms agent turn=0 gen=1
        @5100ms   reply-finished gen=1
        @5100ms   downlink finish gen=1
        @5100ms   bot-started gen=1
        @5100ms   -> played gen=1 heard=500ms words=0
        @5100ms   bot-stopped gen=1 interrupted=false heard=500ms words=0
        @5100ms idle turn=0 gen=1
        @10260ms end idle
    "#]]
    .assert_eq(rig.trace.as_str());
}

/// A user who has just stopped speaking, and whose turn is believed to be over.
fn speculating() -> Rig {
    let mut rig = Rig::silent();
    rig.say(200);
    rig.quiet(200);
    rig.trace = Trace::new();
    rig.act(|call, _| call.floor.speculate(&mut call.effects));
    rig.backend(BackendEvent::ReplyStarted { generation: Generation(1) });
    let (generation, text) = (Generation(1), "one two three".to_owned());
    rig.backend(BackendEvent::ReplyText { generation, text });
    rig.audio(1, 500);
    rig.check_timers();
    rig
}

#[test]
fn a_reply_made_ahead_is_seen_once_the_turn_is_over() {
    let mut rig = speculating();
    rig.quiet(400);
    expect![[r#"
        @400ms   -> speculate turn=1 gen=1
        @400ms   downlink play gen=1
        @400ms   downlink pause
        @800ms   -> turn-ended turn=1 gen=1
        @800ms   reply-started gen=1
        @800ms   reply-text gen=1 words=3
        @800ms   downlink resume
        @800ms agent turn=1 gen=1
    "#]]
    .assert_eq(rig.trace.as_str());
    let stats = rig.call.stats();
    assert_eq!((stats.speculations, stats.speculations_used, stats.replies), (1, 1, 1));
}

#[test]
fn a_reply_made_ahead_leaves_no_trace_if_the_user_goes_on() {
    let mut rig = speculating();
    rig.say(100);
    rig.audio(1, 500);
    rig.quiet(600);
    expect![[r#"
        @400ms   -> speculate turn=1 gen=1
        @400ms   downlink play gen=1
        @400ms   downlink pause
        @460ms   downlink flush
        @460ms   -> withdraw turn=1 gen=1
        @460ms   user-started turn=1
        @460ms user turn=1 gen=1
        @600ms   user-stopped turn=1
        @600ms settling turn=1 gen=1
        @1100ms   -> turn-ended turn=1 gen=2
        @1100ms   downlink play gen=2
        @1100ms thinking turn=1 gen=2
    "#]]
    .assert_eq(rig.trace.as_str());
    let stats = rig.call.stats();
    assert_eq!((stats.speculations, stats.speculations_used, stats.replies), (1, 0, 1));
    assert_eq!((stats.speculated_chars_wasted, stats.stale_messages), (13, 1));
}

#[test]
fn a_reply_made_ahead_that_fails_is_asked_for_again() {
    let mut rig = speculating();
    let (generation, message) = (Generation(1), "no model".to_owned());
    rig.backend(BackendEvent::ReplyFailed { generation, message });
    rig.check_timers();
    rig.quiet(400);
    expect![[r#"
        @400ms   -> speculate turn=1 gen=1
        @400ms   downlink play gen=1
        @400ms   downlink pause
        @400ms   downlink flush
        @400ms   -> withdraw turn=1 gen=1
        @800ms   -> turn-ended turn=1 gen=2
        @800ms   downlink play gen=2
        @800ms thinking turn=1 gen=2
    "#]]
    .assert_eq(rig.trace.as_str());
}

#[test]
fn a_reply_made_ahead_to_its_end_is_played() {
    let mut rig = speculating();
    rig.backend(BackendEvent::ReplyFinished { generation: Generation(1) });
    rig.quiet(400);
    rig.sent(1, -20.0, 0);
    assert_eq!(rig.call.floor(), FloorState::Idle);
    let played = |command: &&BackendCommand| matches!(command, BackendCommand::Played { .. });
    assert_eq!(rig.commands().filter(played).count(), 1);
}

#[test]
fn a_call_that_ends_while_a_reply_is_made_ahead_withdraws_it() {
    let mut rig = speculating();
    rig.backend(BackendEvent::HangUp { reason: "done".to_owned() });
    expect![[r#"
        @400ms   -> speculate turn=1 gen=1
        @400ms   downlink play gen=1
        @400ms   downlink pause
        @400ms   downlink flush
        @400ms   -> withdraw turn=1 gen=1
        @400ms   -> dismissed turn=1
        @400ms idle turn=1 gen=1
    "#]]
    .assert_eq(rig.trace.as_str());
}
