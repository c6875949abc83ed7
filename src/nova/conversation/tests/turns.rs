//! Turns, answers, interruptions and tools on one connection.

use super::*;

#[test]
fn a_turn_is_heard_understood_and_answered() {
    let mut rig = Rig::new(setup());
    rig.opened(1);
    a_turn(&mut rig, 1, 1, "what time do you open");
    rig.nova(1, &sentence("We open at nine.", "PARTIAL_TURN"));
    rig.nova(1, &sentence(" Anything else?", "END_TURN"));
    rig.check(&expect![[r#"
        1 opens: sessionStart promptStart contentStart(SYSTEM) textInput(Be brief.) contentEnd
        1 <- contentStart(USER)
        -> Ready
        -> UserTurnEnded { turn: TurnId(1) }
        -> UserTranscript { turn: TurnId(1), text: "what time do you open", is_final: true }
        -> ReplyStarted { generation: Generation(1) }
        -> ReplyText { generation: Generation(1), text: "We open at nine." }
        -> audio gen=1 480
        -> ReplyText { generation: Generation(1), text: " Anything else?" }
        -> audio gen=1 480
        -> ReplyFinished { generation: Generation(1) }
    "#]]);
}

#[test]
fn speech_that_only_nova_heard_is_answered_once_the_floor_is_free() {
    let mut rig = Rig::open(setup());
    rig.nova(1, &[speech_started(), speech_ended()]);
    rig.nova(1, &heard("hello"));
    rig.nova(1, &sentence("Hi.", "END_TURN"));
    rig.check(&expect![[r#"
        -> UserTranscript { turn: TurnId(0), text: "hello", is_final: true }
        -> WantsToSpeak
    "#]]);
    rig.command(BackendCommand::Speak { generation: reply(1) });
    rig.check(&expect![[r#"
        -> ReplyStarted { generation: Generation(1) }
        -> ReplyText { generation: Generation(1), text: "Hi." }
        -> audio gen=1 480
        -> ReplyFinished { generation: Generation(1) }
    "#]]);
}

#[test]
fn a_turn_that_nova_did_not_notice_comes_to_nothing() {
    let mut rig = Rig::open(setup());
    rig.command(BackendCommand::UserSpeechStarted { turn: turn(1) });
    rig.speak(200);
    rig.command(BackendCommand::UserTurnEnded { turn: turn(1), generation: reply(1) });
    rig.wait(5_000);
    rig.check(&expect![[r#"
        1 aborted
        2 opens: sessionStart promptStart contentStart(SYSTEM) textInput(Be brief.) contentEnd
    "#]]);
}

/// Whatever Nova sends of an interruption, and in whatever order, the reply is cut once, the rest of it is
/// dropped, and the next answer is played.
#[test]
fn each_shape_of_an_interruption_cuts_the_reply_once() {
    let shapes: [(&str, Vec<Value>); 6] = [
        ("speech only", vec![speech_started(), audio(), audio_end("PARTIAL_TURN"), speech_ended()]),
        ("marker only", [vec![audio_end("END_TURN")], marker(), heard("wait")].concat()),
        (
            "end before the marker",
            [
                vec![speech_started(), audio_end("END_TURN")],
                marker(),
                vec![speech_ended()],
                heard("wait"),
            ]
            .concat(),
        ),
        (
            "interrupted audio",
            [
                vec![audio_end("INTERRUPTED")],
                marker(),
                vec![speech_started(), audio(), speech_ended()],
                heard("wait"),
            ]
            .concat(),
        ),
        (
            "everything twice",
            [
                vec![speech_started(), speech_started()],
                marker(),
                marker(),
                vec![audio(), speech_ended(), speech_ended()],
                heard("wait"),
            ]
            .concat(),
        ),
        (
            "a sentence late",
            [
                vec![speech_started()],
                planned("more of it"),
                vec![audio(), speech_ended()],
                heard("wait"),
            ]
            .concat(),
        ),
    ];
    for (name, events) in shapes {
        let mut rig = Rig::open(setup());
        a_turn(&mut rig, 1, 1, "tell me a story");
        rig.nova(1, &planned("Once upon a time."));
        rig.nova(1, &[audio_start(), audio()]);
        rig.trace.clear();
        for event in &events {
            rig.nova(1, std::slice::from_ref(event));
            rig.now += Duration::from_millis(10);
            if rig.trace.contains("Interrupted") && !rig.trace.contains("cancelled") {
                rig.note("cancelled");
                rig.command(BackendCommand::Cancel {
                    generation: reply(1),
                    heard: was_heard("Once"),
                });
                rig.command(BackendCommand::UserSpeechStarted { turn: turn(2) });
            }
        }
        assert_eq!(rig.trace.matches("Interrupted").count(), 1, "{name}:\n{}", rig.trace);
        let after = rig.trace.split("cancelled").nth(1).unwrap_or_default();
        assert!(!after.contains("audio gen"), "{name}: something of it came late\n{}", rig.trace);
        rig.command(BackendCommand::UserTurnEnded { turn: turn(2), generation: reply(2) });
        rig.trace.clear();
        rig.nova(1, &sentence("Yes?", "END_TURN"));
        assert!(rig.trace.contains("-> audio gen=2 480"), "{name}:\n{}", rig.trace);
        assert!(rig.trace.contains("ReplyFinished { generation: Generation(2) }"), "{name}");
    }
}

#[test]
fn a_reply_that_the_call_cut_stays_cut_until_nova_has_heard_the_user() {
    let mut rig = Rig::open(setup());
    a_turn(&mut rig, 1, 1, "tell me a story");
    rig.nova(1, &sentence("Once upon a time.", "PARTIAL_TURN"));
    rig.trace.clear();
    rig.command(BackendCommand::Cancel { generation: reply(1), heard: was_heard("Once") });
    rig.command(BackendCommand::UserSpeechStarted { turn: turn(2) });
    // It makes on what nobody will hear.
    rig.nova(1, &sentence(" There was a king.", "PARTIAL_TURN"));
    rig.wait(1_000);
    rig.nova(1, &sentence(" He had a daughter.", "PARTIAL_TURN"));
    rig.nova(1, &[speech_started(), speech_ended()]);
    rig.nova(1, &heard("stop it"));
    rig.command(BackendCommand::UserTurnEnded { turn: turn(2), generation: reply(2) });
    rig.nova(1, &sentence("All right.", "END_TURN"));
    rig.check(&expect![[r#"
        -> UserTurnEnded { turn: TurnId(2) }
        -> UserTranscript { turn: TurnId(2), text: "stop it", is_final: true }
        -> ReplyStarted { generation: Generation(2) }
        -> ReplyText { generation: Generation(2), text: "All right." }
        -> audio gen=2 480
        -> ReplyFinished { generation: Generation(2) }
    "#]]);
    let said: Vec<&str> =
        rig.talk.history.messages().map(|message| message.text.as_str()).collect();
    assert_eq!(said, ["tell me a story", "Once", "stop it", "All right."]);
}

#[test]
fn the_final_text_of_an_answer_belongs_to_it_however_late_it_comes() {
    let mut rig = Rig::open(setup());
    an_answered_turn(&mut rig, 1, 1, "when", "At nine a.m.");
    a_turn(&mut rig, 1, 2, "and where");
    rig.nova(1, &block("f", "ASSISTANT", "FINAL", "At nine.", "END_TURN"));
    rig.nova(1, &sentence("Here.", "END_TURN"));
    let said: Vec<&str> =
        rig.talk.history.messages().map(|message| message.text.as_str()).collect();
    assert_eq!(said, ["when", "At nine.", "and where", "Here."]);
}

#[test]
fn it_speaks_first_and_takes_texts() {
    let mut greets = setup();
    greets.greeting = Some("Hello, this is Ann.".to_owned());
    let mut rig = Rig::new(greets);
    rig.command(BackendCommand::Greet { generation: reply(1) });
    rig.opened(1);
    rig.nova(1, &sentence("Hello, this is Ann.", "END_TURN"));
    rig.command(BackendCommand::UserText {
        turn: turn(1),
        generation: reply(2),
        text: "1 2 3".to_owned(),
    });
    rig.nova(1, &sentence("You pressed 1 2 3.", "END_TURN"));
    rig.check(&expect![[r#"
        1 opens: sessionStart promptStart contentStart(SYSTEM) textInput(Be brief.) contentEnd
        1 <- contentStart(USER)
        1 <- audioInput x4 contentStart(USER) textInput(Say exactly this to the user, and nothing else: Hello, this is Ann.) contentEnd
        -> Ready
        -> ReplyStarted { generation: Generation(1) }
        -> ReplyText { generation: Generation(1), text: "Hello, this is Ann." }
        -> audio gen=1 480
        -> ReplyFinished { generation: Generation(1) }
        1 <- audioInput x4 contentStart(USER) textInput(1 2 3) contentEnd
        -> ReplyStarted { generation: Generation(2) }
        -> ReplyText { generation: Generation(2), text: "You pressed 1 2 3." }
        -> audio gen=2 480
        -> ReplyFinished { generation: Generation(2) }
    "#]]);
}

#[test]
fn the_first_generation_refuses_texts() {
    let mut v1 = setup();
    v1.settings.model = "amazon.nova-sonic-v1:0".to_owned();
    let mut rig = Rig::open(v1);
    let text = "hello".to_owned();
    rig.command(BackendCommand::UserText { turn: turn(1), generation: reply(1), text });
    rig.check(&expect![[r#"
        -> ReplyFailed { generation: Generation(1), message: "amazon.nova-sonic-v1:0 takes no text; a later model does" }
    "#]]);
}

pub(super) fn with_tools() -> Setup {
    let specs = ["order.status", "wait"].map(|name| {
        let job = Job::Builtin(Builtin::Echo);
        let mut spec = ToolSpec::new(name, "Looks something up.", Executor::Server(job));
        spec.parameters = json!({ "type": "object", "properties": { "id": { "type": "string" } }, "required": ["id"] });
        spec
    });
    let tools = Toolbox::new(specs.into()).expect("the tools are right");
    Setup { tools: Arc::new(tools), ..setup() }
}

#[test]
fn tools_run_while_the_conversation_goes_on_and_are_answered_once() {
    let mut rig = Rig::new(with_tools());
    rig.opened(1);
    a_turn(&mut rig, 1, 1, "status of order 17");
    rig.nova(1, &tool_use("tu-1", "order_status", r#"{"id":"17"}"#));
    rig.nova(1, &tool_use("tu-2", "order_status", r#"{"id":17}"#));
    rig.nova(1, &tool_use("tu-3", "nothing", "{}"));
    // Nothing to say yet: the floor is given back.
    rig.wait(4_500);
    let result = json!({ "status": "shipped" });
    let ticket = rig.tickets[0];
    rig.talk.handle_tool(rig.now, ToolDone { ticket, outcome: Outcome::Result(result) });
    rig.drain();
    rig.nova(1, &sentence("It shipped yesterday.", "END_TURN"));
    rig.command(BackendCommand::Speak { generation: reply(2) });
    rig.check(&expect![[r#"
        1 opens: sessionStart promptStart contentStart(SYSTEM) textInput(Be brief.) contentEnd
        1 <- contentStart(USER)
        -> Ready
        -> UserTurnEnded { turn: TurnId(1) }
        -> UserTranscript { turn: TurnId(1), text: "status of order 17", is_final: true }
        run order.status {"id":"17"}
        1 <- contentStart(TOOL) toolResult({"error":"invalid arguments: id: value is not of type \"string\"","then":"call it once more with arguments that fit"}) contentEnd
        1 <- contentStart(TOOL) toolResult({"error":"there is no tool `nothing`; there are: order.status, wait"}) contentEnd
        -> ReplyFinished { generation: Generation(1) }
        1 <- contentStart(TOOL) toolResult({"status":"shipped"}) contentEnd
        -> WantsToSpeak
        -> ReplyStarted { generation: Generation(2) }
        -> ReplyText { generation: Generation(2), text: "It shipped yesterday." }
        -> audio gen=2 480
        -> ReplyFinished { generation: Generation(2) }
    "#]]);
}

#[test]
fn what_was_used_is_told_together() {
    let mut rig = Rig::open(setup());
    for count in [10, 20, 30] {
        let kinds = json!({ "speechTokens": count, "textTokens": 0 });
        let total = json!({ "input": kinds, "output": kinds });
        rig.nova(1, &[json!({ "usageEvent": { "details": { "total": total } } })]);
    }
    rig.wait(2_000);
    rig.check(&expect![[r#"
        -> Used { turn: TurnId(0), usage: Usage { speech_in: 30, text_in: 0, speech_out: 30, text_out: 0, heard_ms: 0, spoken_chars: 0, cost: Cost { asr_nanos: 0, llm_nanos: 450000, tts_nanos: 0 } } }
    "#]]);
}
