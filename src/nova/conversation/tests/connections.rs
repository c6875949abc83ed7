//! Opening, renewing and losing connections.

use super::*;

const RENEWAL_MS: u64 = 390_000;

#[test]
fn a_quiet_moment_after_the_limit_is_taken_to_renew() {
    let mut rig = Rig::open(setup());
    an_answered_turn(&mut rig, 1, 1, "when", "At nine.");
    rig.trace.clear();
    rig.wait(RENEWAL_MS);
    rig.check(&expect![[r#"
        2 opens beside
        1 closes: contentEnd promptEnd sessionEnd
        2 <- contentStart(USER) textInput(when) contentEnd contentStart(ASSISTANT) textInput(At nine.) contentEnd contentStart(USER)
        2 <- audioInput x16
    "#]]);
    // The old one's last words still count.
    rig.nova(1, &block("f", "ASSISTANT", "FINAL", "At nine.", "END_TURN"));
    an_answered_turn(&mut rig, 2, 2, "and where", "Here.");
    rig.check(&expect![[r#"
        -> UserTurnEnded { turn: TurnId(2) }
        -> UserTranscript { turn: TurnId(2), text: "and where", is_final: true }
        -> ReplyStarted { generation: Generation(2) }
        -> ReplyText { generation: Generation(2), text: "Here." }
        -> audio gen=2 480
        -> ReplyFinished { generation: Generation(2) }
    "#]]);
}

#[test]
fn a_renewal_waits_for_the_reply_to_be_heard() {
    let mut rig = Rig::open(setup());
    rig.wait(RENEWAL_MS - 2_000);
    a_turn(&mut rig, 1, 1, "when");
    rig.nova(1, &sentence("At nine.", "END_TURN"));
    rig.trace.clear();
    rig.wait(2_000);
    rig.check(&expect![[r#"
        2 opens beside
    "#]]);
    rig.command(BackendCommand::Played { generation: reply(1), heard: was_heard("At nine.") });
    rig.check(&expect![[r#"
        1 closes: contentEnd promptEnd sessionEnd
        2 <- contentStart(USER) textInput(when) contentEnd contentStart(ASSISTANT) textInput(At nine.) contentEnd contentStart(USER)
        2 <- audioInput x16
    "#]]);
}

#[test]
fn when_time_runs_out_the_user_is_heard_again_from_the_beginning() {
    let mut rig = Rig::open(setup());
    rig.wait(389_000);
    rig.command(BackendCommand::UserSpeechStarted { turn: turn(1) });
    rig.nova(1, &[speech_started()]);
    rig.speak(2_000);
    rig.trace.clear();
    rig.speak(70_000);
    rig.check(&expect![[r#"
        2 aborted
        3 opens beside
        1 closes: contentEnd promptEnd sessionEnd
        3 <- contentStart(USER)
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x48
        3 <- audioInput x26
    "#]]);
}

#[test]
fn an_answer_in_the_making_is_finished_by_the_old_connection() {
    let mut rig = Rig::open(setup());
    rig.wait(389_000);
    a_turn(&mut rig, 1, 1, "tell me everything");
    for _ in 0..14 {
        rig.nova(1, &sentence("And so on.", "PARTIAL_TURN"));
        rig.trace.clear();
        rig.wait(5_000);
    }
    rig.check(&expect![[r#"
        3 <- contentStart(USER) textInput(tell me everything) contentEnd contentStart(ASSISTANT) textInput(And so on. And so on. And so on. And so on. And so on. And so on. And so on. And so on. And so on. And so on. And so on. And so on. And so on. And so on.) contentEnd contentStart(USER)
    "#]]);
    rig.nova(1, &sentence("The end.", "END_TURN"));
    rig.check(&expect![[r#"
        -> ReplyText { generation: Generation(1), text: "The end." }
        -> audio gen=1 480
        1 closes: contentEnd promptEnd sessionEnd
        -> ReplyFinished { generation: Generation(1) }
    "#]]);
}

#[test]
fn a_connection_that_dies_is_replaced_and_told_what_was_heard() {
    let mut rig = Rig::open(setup());
    an_answered_turn(&mut rig, 1, 1, "when", "At nine.");
    rig.trace.clear();
    rig.dies(1);
    rig.opened(2);
    rig.check(&expect![[r#"
        1 aborted
        2 opens: sessionStart promptStart contentStart(SYSTEM) textInput(Be brief.) contentEnd
        2 <- contentStart(USER) textInput(when) contentEnd contentStart(ASSISTANT) textInput(At nine.) contentEnd contentStart(USER)
        2 <- audioInput x16
    "#]]);
}

#[test]
fn speech_that_was_not_understood_is_heard_again() {
    let mut rig = Rig::open(setup());
    rig.command(BackendCommand::UserSpeechStarted { turn: turn(1) });
    rig.nova(1, &[speech_started()]);
    rig.speak(1_000);
    rig.trace.clear();
    rig.dies(1);
    rig.speak(500);
    rig.opened(2);
    rig.check(&expect![[r#"
        1 aborted
        2 opens: sessionStart promptStart contentStart(SYSTEM) textInput(Be brief.) contentEnd
        2 <- contentStart(USER)
        2 <- audioInput x46
    "#]]);
}

#[test]
fn a_question_that_was_understood_is_asked_again() {
    let mut rig = Rig::open(setup());
    an_answered_turn(&mut rig, 1, 1, "when", "At nine.");
    a_turn(&mut rig, 1, 2, "and where");
    rig.trace.clear();
    rig.dies(1);
    rig.opened(2);
    rig.nova(2, &sentence("Here.", "END_TURN"));
    rig.check(&expect![[r#"
        1 aborted
        2 opens: sessionStart promptStart contentStart(SYSTEM) textInput(Be brief.) contentEnd
        2 <- contentStart(USER) textInput(when) contentEnd contentStart(ASSISTANT) textInput(At nine.) contentEnd contentStart(USER)
        2 <- audioInput x4 contentStart(USER) textInput(and where) contentEnd
        -> ReplyStarted { generation: Generation(2) }
        -> ReplyText { generation: Generation(2), text: "Here." }
        -> audio gen=2 480
        -> ReplyFinished { generation: Generation(2) }
    "#]]);
}

#[test]
fn a_reply_that_breaks_off_is_gone_on_with() {
    let mut rig = Rig::open(setup());
    a_turn(&mut rig, 1, 1, "count");
    rig.nova(1, &sentence("One two three.", "PARTIAL_TURN"));
    rig.nova(1, &planned(" Four five six."));
    rig.nova(1, &[audio_start()]);
    rig.trace.clear();
    rig.dies(1);
    rig.opened(2);
    rig.nova(2, &sentence("Four five six.", "END_TURN"));
    rig.check(&expect![[r#"
        1 aborted
        2 opens: sessionStart promptStart contentStart(SYSTEM) textInput(Be brief.) contentEnd
        2 <- contentStart(USER) textInput(count) contentEnd contentStart(ASSISTANT) textInput(One two three.) contentEnd contentStart(USER)
        2 <- audioInput x4 contentStart(USER) textInput(Your last sentence was cut off. Go on exactly where it stopped, and repeat nothing.) contentEnd
        -> ReplyText { generation: Generation(1), text: "Four five six." }
        -> audio gen=1 480
        -> ReplyFinished { generation: Generation(1) }
    "#]]);
    let said: Vec<&str> =
        rig.talk.history.messages().map(|message| message.text.as_str()).collect();
    assert_eq!(said, ["count", "One two three. Four five six."]);
}

#[test]
fn two_deaths_right_after_the_history_was_told_and_it_is_told_no_more() {
    let mut rig = Rig::open(setup());
    an_answered_turn(&mut rig, 1, 1, "when", "At nine.");
    rig.wait(60_000);
    for line in 1..=3 {
        rig.trace.clear();
        rig.dies(line);
        rig.wait(1_000);
        rig.opened(line + 1);
        let tells = rig.trace.contains("textInput(when)");
        assert_eq!(tells, line < 3, "{line}: {}", rig.trace);
    }
}

#[test]
fn a_connection_that_never_opens_is_tried_again_and_at_last_the_call_is_told() {
    let mut rig = Rig::new(setup());
    rig.wait(120_000);
    assert!(rig.trace.matches("opens").count() == 7, "{}", rig.trace);
    assert!(rig.trace.contains("Failed"), "{}", rig.trace);
    assert!(rig.talk.is_over());
}

#[test]
fn a_connection_without_a_word_is_replaced_once_for_a_turn() {
    let mut rig = Rig::open(setup());
    a_turn(&mut rig, 1, 1, "hello");
    rig.trace.clear();
    rig.wait(8_000);
    rig.opened(2);
    rig.wait(9_000);
    rig.check(&expect![[r#"
        1 aborted
        2 opens: sessionStart promptStart contentStart(SYSTEM) textInput(Be brief.) contentEnd
        2 <- contentStart(USER)
        2 <- audioInput x4 contentStart(USER) textInput(hello) contentEnd
        -> ReplyFinished { generation: Generation(1) }
    "#]]);
}

#[test]
fn wrong_credentials_end_the_call_at_once() {
    let mut rig = Rig::new(setup());
    rig.trace.clear();
    let fault = Fault::Opening {
        status: Some(403),
        code: "AccessDeniedException".to_owned(),
        message: "no".to_owned(),
    };
    rig.line(1, LineEvent::Ended(fault));
    assert!(rig.trace.contains("Failed"), "{}", rig.trace);
}

#[test]
fn a_tool_that_outlives_its_connection_is_told_as_a_text() {
    let mut rig = Rig::open(turns::with_tools());
    a_turn(&mut rig, 1, 1, "status of order 17");
    rig.nova(1, &tool_use("tu-1", "order_status", r#"{"id":"17"}"#));
    rig.dies(1);
    rig.opened(2);
    rig.trace.clear();
    let result = json!({ "status": "shipped" });
    let ticket = rig.tickets[0];
    rig.talk.handle_tool(rig.now, ToolDone { ticket, outcome: Outcome::Result(result) });
    rig.drain();
    rig.check(&expect![[r#"
        2 <- audioInput x4 contentStart(USER) textInput(The result of a tool that you called has arrived, as JSON: {"status":"shipped"}) contentEnd
    "#]]);
}

#[test]
fn credentials_that_expire_renew_before() {
    let mut rig = Rig::new(setup());
    let credentials_last = Some(Duration::from_secs(300));
    rig.line(1, LineEvent::Opened { credentials_last, warm: None });
    rig.trace.clear();
    rig.wait(119_000);
    assert_eq!(rig.trace, "");
    rig.wait(2_000);
    assert!(rig.trace.starts_with("2 opens beside"), "{}", rig.trace);
}

#[test]
fn a_silent_connection_at_the_opening_counts_as_silence() {
    let mut rig = Rig::new(setup());
    rig.trace.clear();
    let waited = Duration::from_secs(10);
    rig.line(1, LineEvent::Ended(Fault::Silent { waited, what: Silence::Open }));
    assert!(!rig.trace.contains("Failed"), "{}", rig.trace);
}

#[test]
fn a_user_who_is_silent_for_long_has_a_fresh_connection() {
    let mut patient = setup();
    patient.settings.renewal.user_silence = Duration::from_secs(270);
    let mut rig = Rig::open(patient);
    rig.wait(269_000);
    assert_eq!(rig.trace, "");
    rig.wait(2_000);
    assert!(rig.trace.contains("1 closes"), "{}", rig.trace);
}

#[test]
fn a_reply_that_is_gone_on_with_may_take_its_time() {
    let mut rig = Rig::open(setup());
    a_turn(&mut rig, 1, 1, "count");
    rig.nova(1, &sentence("One two three.", "PARTIAL_TURN"));
    rig.dies(1);
    rig.opened(2);
    rig.trace.clear();
    for _ in 0..3 {
        rig.nova(2, &sentence("And so on.", "PARTIAL_TURN"));
        rig.wait(5_000);
    }
    assert!(!rig.trace.contains("ReplyFinished"), "{}", rig.trace);
    rig.nova(2, &sentence("The end.", "END_TURN"));
    assert_eq!(rig.trace.matches("-> audio gen=1 480").count(), 4, "{}", rig.trace);
    assert!(rig.trace.ends_with("ReplyFinished { generation: Generation(1) }\n"), "{}", rig.trace);
}
