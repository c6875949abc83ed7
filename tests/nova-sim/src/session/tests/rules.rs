//! The order of a client's events, and the errors where it is not kept.

use super::*;

const INVALID: &str = "Invalid input request, please fix your input and try again.";
const NO_SYSTEM: &str = "First content must have SYSTEM role";
const UNPARSABLE: &str = "Unable to parse input chunk";
const AUDIO_INSIDE_TEXT: &str = "Chat history should be sent completely before streaming audio.";
const TOO_LARGE: &str = "Chat history is over max limit. Trim chat history and try again.";

/// What each violation is answered with, from the stage that it belongs to.
#[test]
fn violations_are_told_in_the_services_words() {
    for (name, given, violation, text) in violations() {
        let mut caller = Caller::new();
        caller.send_all(given);
        let before = caller.last_exception().map(|(_, message)| message.to_owned());
        assert_eq!(before, None, "{name}: what comes before is lawful");
        caller.send(violation);
        let (kind, message) = caller.last_exception().unwrap_or_else(|| panic!("{name}: no error"));
        assert_eq!(*kind, ExceptionKind::Validation, "{name}");
        assert!(message.contains(text), "{name}: {message}");
        assert!(caller.session.violation().is_some_and(|told| told.contains(text)), "{name}");
        caller.send(session_start());
        let told = caller.heard.iter().filter(|(_, o)| matches!(o, Output::Exception { .. }));
        assert_eq!(told.count(), 1, "{name}: it is told once");
    }
}

type Case = (&'static str, Vec<Value>, Value, &'static str);

fn violations() -> Vec<Case> {
    [before_the_audio(), of_the_prompt(), while_the_audio_runs(), of_the_end()].concat()
}

fn before_the_audio() -> Vec<Case> {
    let started = vec![session_start()];
    let prompted = vec![session_start(), prompt_start(json!([]))];
    let instructed = instructed();
    let with = |events: &[Value]| [instructed.as_slice(), events].concat();
    let user = text_block("u1", "USER", false, "hello");
    let assistant = text_block("a1", "ASSISTANT", false, "hi");
    let flat = event("sessionStart", json!({ "endpointingSensitivity": "HIGH" }));
    let no_name = json!({ "event": { "contentStart": { "type": "TEXT" } } });
    let large = |name: &str| {
        let part = "x".repeat(25_600);
        [text_start(name, "USER", false), text_input(name, &part), text_input(name, &part)].to_vec()
    };
    vec![
        ("prompt first", vec![], prompt_start(json!([])), INVALID),
        ("session twice", started.clone(), session_start(), INVALID),
        ("flat sensitivity", vec![], flat, INVALID),
        ("unknown event", started.clone(), event("responseCancel", json!({})), INVALID),
        ("no event", started.clone(), json!({ "hello": 1 }), UNPARSABLE),
        ("two events", started.clone(), json!({ "event": { "a": {}, "b": {} } }), INVALID),
        ("content before prompt", started, text_start("s", "SYSTEM", false), INVALID),
        ("user first", prompted.clone(), text_start("u", "USER", false), NO_SYSTEM),
        ("audio first", prompted.clone(), audio_start(), NO_SYSTEM),
        ("prompt twice", prompted.clone(), prompt_start(json!([])), INVALID),
        ("no content name", prompted, no_name, INVALID),
        (
            "system twice",
            instructed.clone(),
            text_start("s2", "SYSTEM", false),
            "Duplicate SYSTEM content. SYSTEM content can only be provided once per prompt",
        ),
        (
            "assistant first",
            instructed.clone(),
            text_start("a", "ASSISTANT", false),
            "First message in chat history should not be Assistant.",
        ),
        ("two users", with(&user), text_start("u2", "USER", false), INVALID),
        ("interactive history", instructed.clone(), text_start("u", "USER", true), INVALID),
        (
            "speech instruction late",
            with(&[user.as_slice(), &assistant].concat()),
            text_start("ss", "SYSTEM_SPEECH", false),
            INVALID,
        ),
        ("content name again", with(&user), text_start("u1", "ASSISTANT", false), INVALID),
        ("large message", with(&large("u")), text_input("u", "x"), TOO_LARGE),
        (
            "large text input",
            with(&[text_start("u", "USER", false)]),
            text_input("u", &"x".repeat(32_001)),
            INVALID,
        ),
        ("text to no block", instructed.clone(), text_input("nowhere", "x"), INVALID),
        (
            "empty block",
            with(&[text_start("u", "USER", false)]),
            content_end("u"),
            "Cannot end content [u] as no content data was received",
        ),
        (
            "end without audio",
            instructed.clone(),
            event("promptEnd", json!({})),
            "must have at least one audio content",
        ),
        ("session end early", instructed, event("sessionEnd", json!({})), INVALID),
    ]
}

fn of_the_prompt() -> Vec<Case> {
    let changed = |path: &str, value: Value| {
        let mut prompt = prompt_start(json!([order_tool("order")]));
        *prompt.pointer_mut(&format!("/event/promptStart{path}")).expect("a field") = value;
        (vec![session_start()], prompt)
    };
    let audio = "/audioOutputConfiguration";
    let tool = "/toolConfiguration/tools/0/toolSpec";
    let schema = json!({ "type": "object" });
    let rows = [
        ("no voice", format!("{audio}/voiceId"), json!(""), "Received invalid voiceId: value must"),
        ("other voice", format!("{audio}/voiceId"), json!("joanna"), "Received invalid voiceId:"),
        ("rate", format!("{audio}/sampleRateHertz"), json!(48000), INVALID),
        ("encoding", format!("{audio}/encoding"), json!("hex"), INVALID),
        ("stereo", format!("{audio}/channelCount"), json!(2), INVALID),
        ("text format", "/textOutputConfiguration/mediaType".into(), json!("text/html"), INVALID),
        ("schema as object", format!("{tool}/inputSchema/json"), schema, UNPARSABLE),
        ("schema no JSON", format!("{tool}/inputSchema/json"), json!("{"), UNPARSABLE),
        (
            "tool name",
            format!("{tool}/name"),
            json!("order.get"),
            "Malformed input request: #/toolConfig/tools/0/toolSpec/name: string [order.get] does not \
             match pattern",
        ),
    ];
    let row = |(name, path, value, text): (_, String, _, _)| {
        let (given, violation) = changed(&path, value);
        (name, given, violation, text)
    };
    rows.into_iter().map(row).collect()
}

fn while_the_audio_runs() -> Vec<Case> {
    let live = [instructed(), vec![audio_start()]].concat();
    let with = |events: &[Value]| [live.as_slice(), events].concat();
    let other = event("audioInput", json!({ "contentName": "system", "content": "AAA=" }));
    let odd = event("audioInput", json!({ "contentName": "mic", "content": "AAAA" }));
    let no_base64 = event("audioInput", json!({ "contentName": "mic", "content": "%%" }));
    vec![
        ("audio before its block", instructed(), audio(&[0; 512]), INVALID),
        ("audio of another block", live.clone(), other, INVALID),
        ("half a sample", live.clone(), odd, INVALID),
        ("no base64", live.clone(), no_base64, INVALID),
        (
            "audio twice",
            live.clone(),
            {
                let mut second = audio_start();
                second["event"]["contentStart"]["contentName"] = json!("mic2");
                second
            },
            INVALID,
        ),
        (
            "audio inside a text",
            with(&[text_start("t", "USER", true), text_input("t", "hello")]),
            audio(&[0; 512]),
            AUDIO_INSIDE_TEXT,
        ),
        (
            "audio inside a history block",
            [instructed(), vec![text_start("u", "USER", false), audio_start()]].concat(),
            audio(&[0; 512]),
            AUDIO_INSIDE_TEXT,
        ),
        (
            "system again",
            live.clone(),
            text_start("s2", "SYSTEM", false),
            "Duplicate SYSTEM content.",
        ),
        ("unknown tool use", live.clone(), tool_start("t", "never", "text/plain"), INVALID),
        (
            "tool result format",
            live,
            tool_start("t", "any", "application/json"),
            "Tool result media type must be one of: [text/plain]",
        ),
    ]
}

fn of_the_end() -> Vec<Case> {
    let live = [instructed(), vec![audio_start(), audio(&[0; 512])]].concat();
    let ended = [live.clone(), close().to_vec()].concat();
    let prompt_end = event("promptEnd", json!({}));
    let other_prompt = json!({ "event": { "promptEnd": { "promptName": "other" } } });
    let open = "All contents must be closed before ending prompt";
    vec![
        ("open block", live.clone(), prompt_end, open),
        ("other prompt", live, other_prompt, INVALID),
        ("after the end", ended.clone(), session_start(), INVALID),
        ("content after the end", ended, text_start("u", "USER", true), INVALID),
    ]
}

fn instructed() -> Vec<Value> {
    let mut events = vec![session_start(), prompt_start(json!([order_tool("order")]))];
    events.extend(text_block("system", "SYSTEM", false, "You count."));
    events
}

#[test]
fn a_lawful_conversation_is_not_refused() {
    let mut caller = Caller::new();
    caller.send_all(instructed());
    caller.send_all(text_block("ss", "SYSTEM_SPEECH", false, "fixed text"));
    for turn in 0..3 {
        caller.send_all(text_block(&format!("u{turn}"), "USER", false, "5"));
        caller.send_all(text_block(&format!("a{turn}"), "ASSISTANT", false, "5 1 2"));
    }
    caller.send(audio_start());
    caller.silence(100);
    caller.send_all(text_block("note", "USER", false, "context"));
    caller.send_all(text_block("odd", "ASSISTANT", false, "ignored"));
    caller.send_all(text_block("typed", "USER", true, "12"));
    caller.silence(100);
    caller.send_all(close());
    caller.session.handle_end(caller.now);
    caller.wait(Duration::from_secs(1));
    assert_eq!(caller.session.violation(), None);
    assert_eq!(caller.heard.last().map(|(_, output)| output), Some(&Output::End));
    let ends = caller.lines().iter().filter(|line| *line == "completionEnd").count();
    assert_eq!(ends, 1);
}

#[test]
fn history_of_any_lawful_size_is_taken_and_a_byte_more_is_not() {
    for (surplus, is_lawful) in [(0, true), (1, false)] {
        let mut caller = Caller::new();
        caller.send_all(instructed());
        for index in 0..8 {
            let role = if index % 2 == 0 { "USER" } else { "ASSISTANT" };
            let surplus = if index == 7 { surplus } else { 0 };
            let text = "x".repeat(200 * 1024 / 8 + surplus);
            caller.send_all(text_block(&index.to_string(), role, false, &text));
        }
        let told = caller.last_exception().map(|(_, message)| message.contains(TOO_LARGE));
        assert_eq!(told, (!is_lawful).then_some(true), "{surplus} bytes too many");
    }
}

#[test]
fn the_older_model_knows_less() {
    let v1 = "amazon.nova-sonic-v1:0";
    let with_detection = |mut start: Value| {
        let detection = json!({ "endpointingSensitivity": "LOW" });
        start["event"]["sessionStart"]["turnDetectionConfiguration"] = detection;
        start
    };
    let mut caller = Caller::new();
    caller.session = caller.session.for_model(v1);
    caller.send(with_detection(session_start()));
    assert!(caller.last_exception().is_some_and(|(_, message)| message.contains(INVALID)));

    let mut caller = Caller::new();
    caller.send(with_detection(session_start()));
    assert_eq!(caller.last_exception(), None);

    let mut caller = Caller::new();
    caller.session = caller.session.for_model(v1);
    caller.set_up(json!([]));
    caller.send(audio_start());
    caller.silence(200);
    caller.send_all(text_block("typed", "USER", true, "12"));
    caller.silence(2_000);
    assert_eq!(caller.lines(), [""; 0], "interactive text is ignored");
    caller.say("3");
    caller.silence(500);
    let lines = caller.lines();
    assert_eq!(lines[..2], ["completionStart", "USER 3"], "speech is not told of");
}
