//! What must not be lost, doubled, or go on for ever, when two things happen together.

use super::*;

fn tool_done(rig: &mut Rig, index: usize, result: Value) {
    let ticket = rig.tickets[index];
    rig.talk.handle_tool(rig.now, ToolDone { ticket, outcome: Outcome::Result(result) });
    rig.drain();
}

/// A second connection holds the conversation while the first still makes its answer.
fn handed_over_in_an_answer(setup: Setup) -> Rig {
    let mut rig = Rig::open(setup);
    rig.wait(389_000);
    a_turn(&mut rig, 1, 1, "tell me everything");
    for _ in 0..14 {
        rig.nova(1, &sentence("And so on.", "PARTIAL_TURN"));
        rig.wait(5_000);
    }
    assert!(rig.trace.contains("3 <- contentStart(USER)"), "{}", rig.trace);
    rig.trace.clear();
    rig
}

#[test]
fn a_connection_that_was_opened_ahead_is_renewed_by_its_own_age() {
    let setup = setup();
    let mut scribe = Scribe::new("warm-1".to_owned());
    scribe.session(&setup.settings, &setup.system, &[]);
    scribe.open_audio().expect("in order");
    let mut rig = Rig::new(setup);
    let warm = Warm { scribe: Box::new(scribe), age: Duration::from_secs(230) };
    rig.line(1, LineEvent::Opened { credentials_last: None, warm: Some(warm) });
    rig.trace.clear();
    rig.wait(159_000);
    assert_eq!(rig.trace, "");
    rig.wait(2_000);
    assert!(rig.trace.starts_with("2 opens beside"), "{}", rig.trace);
}

#[test]
fn connections_that_die_after_a_word_of_nothing_are_not_opened_for_ever() {
    let mut rig = Rig::new(setup());
    for line in 1..=20 {
        if rig.talk.is_hung_up() {
            break;
        }
        rig.opened(line);
        rig.nova(line, &[json!({ "usageEvent": { "details": {} } })]);
        rig.dies(line);
        rig.wait(10_000);
    }
    assert!(rig.trace.contains("Failed"), "{}", rig.trace);
}

#[test]
fn a_text_typed_over_an_answer_is_answered_however_nova_ends_the_one_before() {
    for stop in ["INTERRUPTED", "PARTIAL_TURN"] {
        let mut rig = Rig::open(setup());
        a_turn(&mut rig, 1, 1, "count");
        rig.nova(1, &planned("One two three."));
        rig.nova(1, &[audio_start(), audio()]);
        rig.command(BackendCommand::Cancel { generation: reply(1), heard: was_heard("One") });
        let text = "stop".to_owned();
        rig.command(BackendCommand::UserText { turn: turn(2), generation: reply(2), text });
        rig.trace.clear();
        rig.nova(1, &[audio(), audio_end(stop)]);
        rig.nova(1, &marker());
        rig.wait(300);
        rig.nova(1, &sentence("I have stopped.", "END_TURN"));
        assert!(
            rig.trace.starts_with("-> ReplyStarted { generation: Generation(2) }"),
            "{}",
            rig.trace
        );
        assert_eq!(rig.trace.matches("-> audio gen=2 480").count(), 1, "{}", rig.trace);
    }
}

#[test]
fn late_audio_of_an_answer_that_was_cut_begins_no_other() {
    let mut rig = Rig::open(setup());
    a_turn(&mut rig, 1, 1, "count");
    rig.nova(1, &planned("One two three."));
    rig.nova(1, &[audio_start(), audio()]);
    rig.command(BackendCommand::UserSpeechStarted { turn: turn(2) });
    rig.nova(1, &[speech_started(), speech_ended()]);
    rig.command(BackendCommand::UserTurnEnded { turn: turn(2), generation: reply(2) });
    rig.trace.clear();
    rig.nova(1, &[audio(), audio_end("END_TURN")]);
    assert_eq!(rig.trace, "");
    rig.nova(1, &heard("wait"));
    rig.nova(1, &sentence("Yes?", "END_TURN"));
    assert!(rig.trace.contains("-> audio gen=2 480"), "{}", rig.trace);
}

#[test]
fn a_tool_asked_for_by_a_connection_that_only_finishes_its_answer_is_run() {
    let mut rig = handed_over_in_an_answer(turns::with_tools());
    rig.nova(1, &tool_use("tu-1", "order_status", r#"{"id":"17"}"#));
    tool_done(&mut rig, 0, json!({ "status": "shipped" }));
    rig.check(&expect![[r#"
        run order.status {"id":"17"}
        1 closes: contentEnd promptEnd sessionEnd
        -> ReplyFinished { generation: Generation(1) }
        3 <- audioInput x4 contentStart(USER) textInput(The result of a tool that you called has arrived, as JSON: {"status":"shipped"}) contentEnd
    "#]]);
}

#[test]
fn the_result_of_a_tool_is_told_again_if_its_connection_dies_before_it_speaks() {
    let mut rig = Rig::open(turns::with_tools());
    a_turn(&mut rig, 1, 1, "status of order 17");
    rig.nova(1, &tool_use("tu-1", "order_status", r#"{"id":"17"}"#));
    rig.wait(4_500);
    tool_done(&mut rig, 0, json!({ "status": "shipped" }));
    rig.trace.clear();
    rig.dies(1);
    rig.opened(2);
    rig.check(&expect![[r#"
        1 aborted
        2 opens: sessionStart promptStart contentStart(SYSTEM) textInput(Be brief.) contentEnd
        2 <- contentStart(USER) textInput(status of order 17) contentEnd contentStart(USER)
        2 <- audioInput x4 contentStart(USER) textInput(The result of a tool that you called has arrived, as JSON: {"status":"shipped"}) contentEnd
    "#]]);
}

#[test]
fn a_connection_is_not_replaced_between_a_result_and_what_is_said_of_it() {
    let mut rig = Rig::open(turns::with_tools());
    rig.wait(380_000);
    a_turn(&mut rig, 1, 1, "status of order 17");
    rig.nova(1, &tool_use("tu-1", "order_status", r#"{"id":"17"}"#));
    rig.wait(15_000);
    assert!(rig.trace.contains("2 opens beside"), "{}", rig.trace);
    rig.trace.clear();
    tool_done(&mut rig, 0, json!({ "status": "shipped" }));
    assert!(!rig.trace.contains("1 closes"), "{}", rig.trace);
    rig.nova(1, &sentence("It was shipped.", "END_TURN"));
    rig.command(BackendCommand::Speak { generation: reply(2) });
    rig.command(BackendCommand::Played { generation: reply(2), heard: was_heard("It") });
    assert!(rig.trace.contains("1 closes"), "{}", rig.trace);
}

#[test]
fn a_result_is_not_told_twice_while_another_tool_works() {
    let mut rig = Rig::open(turns::with_tools());
    a_turn(&mut rig, 1, 1, "status of orders 17 and 18");
    rig.nova(1, &tool_use("tu-1", "order_status", r#"{"id":"17"}"#));
    rig.nova(1, &tool_use("tu-2", "order_status", r#"{"id":"18"}"#));
    tool_done(&mut rig, 0, json!({ "status": "shipped" }));
    rig.trace.clear();
    rig.wait(9_500);
    assert!(!rig.trace.contains("shipped"), "{}", rig.trace);
}

#[test]
fn a_user_whom_nova_heard_before_the_call_was_sure_is_not_taken_for_unheard() {
    let mut rig = Rig::open(setup());
    an_answered_turn(&mut rig, 1, 1, "when", "At nine.");
    rig.nova(1, &[speech_started()]);
    rig.speak(500);
    rig.command(BackendCommand::UserSpeechStarted { turn: turn(2) });
    rig.trace.clear();
    rig.speak(12_000);
    assert_eq!(rig.trace, "");
}

#[test]
fn texts_that_wait_for_a_connection_are_sent_as_one_without_those_that_were_cancelled() {
    let mut rig = Rig::new(setup());
    rig.command(BackendCommand::Greet { generation: reply(1) });
    rig.command(BackendCommand::Cancel { generation: reply(1), heard: was_heard("") });
    for (number, text) in [(2, "what time"), (3, "and where")] {
        let (turn, generation, text) = (turn(number), reply(number), text.to_owned());
        rig.command(BackendCommand::UserText { turn, generation, text });
    }
    rig.trace.clear();
    rig.opened(1);
    rig.check(&expect![[r#"
        1 <- contentStart(USER)
        1 <- audioInput x4 contentStart(USER) textInput(what time
        and where) contentEnd
        -> Ready
    "#]]);
}

#[test]
fn an_answer_that_its_replaced_connection_does_not_finish_is_gone_on_with() {
    let mut rig = handed_over_in_an_answer(setup());
    rig.nova(1, &planned("And more."));
    rig.nova(1, &[audio_start()]);
    rig.wait(8_500);
    rig.opened(4);
    rig.check(&expect![[r#"
        -> ReplyText { generation: Generation(1), text: "And more." }
        1 aborted
        3 aborted
        4 opens: sessionStart promptStart contentStart(SYSTEM) textInput(Be brief.) contentEnd
        4 <- contentStart(USER) textInput(tell me everything) contentEnd contentStart(ASSISTANT) textInput(And so on. And so on. And so on. And so on. And so on. And so on. And so on. And so on. And so on. And so on. And so on. And so on. And so on. And so on.) contentEnd contentStart(USER)
        4 <- audioInput x16
        4 <- contentStart(USER) textInput(Your last sentence was cut off. Go on exactly where it stopped, and repeat nothing.) contentEnd
    "#]]);
}

#[test]
fn deaths_that_lie_far_apart_cost_no_history() {
    let mut rig = Rig::open(setup());
    an_answered_turn(&mut rig, 1, 1, "when", "At nine.");
    rig.dies(1);
    rig.opened(2);
    // It lives, and is renewed.
    rig.wait(400_000);
    rig.trace.clear();
    rig.dies(3);
    rig.opened(4);
    assert!(rig.trace.contains("textInput(when)"), "{}", rig.trace);
}

#[test]
fn a_connection_refused_before_it_was_told_anything_costs_no_history() {
    let mut rig = Rig::open(setup());
    an_answered_turn(&mut rig, 1, 1, "when", "At nine.");
    rig.dies(1);
    let fault = Fault::Opening {
        status: Some(400),
        code: "ValidationException".to_owned(),
        message: "no".to_owned(),
    };
    rig.line(2, LineEvent::Ended(fault));
    rig.wait(2_000);
    rig.trace.clear();
    rig.opened(3);
    assert!(rig.trace.contains("textInput(when)"), "{}", rig.trace);
}

#[test]
fn credentials_that_nobody_renews_do_not_make_it_renew_without_end() {
    let mut rig = Rig::new(setup());
    let mut last = Duration::from_secs(170);
    for line in 1..4 {
        let credentials_last = Some(last);
        rig.line(line, LineEvent::Opened { credentials_last, warm: None });
        rig.trace.clear();
        rig.wait(19_000);
        assert_eq!(rig.trace, "", "{line}");
        last -= Duration::from_secs(19);
        rig.dies(line);
        rig.wait(1_000);
    }
}

#[test]
fn a_reply_is_not_gone_on_with_once_the_user_speaks_again() {
    let mut rig = Rig::open(setup());
    a_turn(&mut rig, 1, 1, "count");
    rig.nova(1, &sentence("One two three.", "PARTIAL_TURN"));
    rig.command(BackendCommand::UserSpeechStarted { turn: turn(2) });
    rig.speak(500);
    rig.trace.clear();
    rig.dies(1);
    rig.opened(2);
    assert!(!rig.trace.contains("cut off"), "{}", rig.trace);
    assert!(rig.trace.contains("2 <- audioInput"), "the user is heard again: {}", rig.trace);
}

#[test]
fn what_was_gone_on_with_and_then_cut_does_not_answer_the_next_question() {
    // However often it had to be asked for.
    for deaths in 1..=2 {
        let mut rig = Rig::open(setup());
        a_turn(&mut rig, 1, 1, "count");
        rig.nova(1, &sentence("One two three.", "PARTIAL_TURN"));
        for line in 1..=deaths {
            rig.trace.clear();
            rig.dies(line);
            rig.wait(1_000);
            rig.opened(line + 1);
            assert!(rig.trace.contains("cut off"), "{}", rig.trace);
        }
        let line = deaths + 1;
        rig.command(BackendCommand::Cancel { generation: reply(1), heard: was_heard("One") });
        rig.command(BackendCommand::UserSpeechStarted { turn: turn(2) });
        rig.trace.clear();
        rig.nova(line, &sentence("Four five six.", "END_TURN"));
        assert!(!rig.trace.contains("audio"), "{}", rig.trace);
        assert!(!rig.trace.contains("UserTurnEnded"), "the user still speaks: {}", rig.trace);
        rig.nova(line, &[speech_started()]);
        rig.speak(500);
        rig.nova(line, &[speech_ended()]);
        rig.command(BackendCommand::UserTurnEnded { turn: turn(2), generation: reply(2) });
        rig.nova(line, &heard("and now"));
        rig.nova(line, &sentence("Now this.", "END_TURN"));
        assert!(rig.trace.contains("-> audio gen=2 480"), "{}", rig.trace);
    }
}
