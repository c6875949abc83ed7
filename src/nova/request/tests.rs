use proptest::prelude::*;

use super::*;
use crate::nova::settings::Endpointing;

fn scribe() -> Scribe {
    Scribe::new("p".to_owned())
}

/// A scribe whose audio block is open.
fn streaming() -> Scribe {
    let mut scribe = scribe();
    scribe.session(&NovaSettings::default(), "Be kind.", &[]);
    scribe.open_audio().expect("it is set up");
    scribe
}

fn first_generation() -> NovaSettings {
    NovaSettings { model: "amazon.nova-sonic-v1:0".to_owned(), ..NovaSettings::default() }
}

fn message(speaker: Speaker, text: &str) -> Message {
    Message { speaker, text: text.to_owned() }
}

/// The names and bodies of events.
fn events(unit: &Unit) -> Vec<(String, Value)> {
    let event = |json: &Vec<u8>| {
        let mut json: Value = serde_json::from_slice(json).expect("events are JSON");
        let event = json["event"].as_object_mut().expect("an envelope");
        assert_eq!(event.len(), 1, "one event in an envelope");
        std::mem::take(event).into_iter().next().expect("there is one")
    };
    unit.iter().map(event).collect()
}

fn names(unit: &Unit) -> String {
    let names: Vec<String> = events(unit).into_iter().map(|(name, _)| name).collect();
    names.join(" ")
}

/// The contents of a unit's events together.
fn content(unit: &Unit) -> String {
    events(unit).iter().filter_map(|(_, body)| body["content"].as_str()).collect()
}

fn samples(base64: &str) -> Vec<i16> {
    let bytes = STANDARD.decode(base64).expect("base64 with padding");
    bytes.chunks(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect()
}

#[test]
fn the_set_up_is_what_the_service_documents() {
    let settings = NovaSettings { endpointing: Endpointing::High, ..NovaSettings::default() };
    let tool = ToolDeclaration {
        name: "get_order".to_owned(),
        description: "The status of an order".to_owned(),
        schema: r#"{"type":"object"}"#.to_owned(),
    };
    let expected = [
        r#"{"event":{"sessionStart":{"inferenceConfiguration":{"maxTokens":1024,"topP":0.9,"temperature":0.7},"turnDetectionConfiguration":{"endpointingSensitivity":"HIGH"}}}}"#,
        concat!(
            r#"{"event":{"promptStart":{"promptName":"p","#,
            r#""textOutputConfiguration":{"mediaType":"text/plain"},"#,
            r#""audioOutputConfiguration":{"mediaType":"audio/lpcm","sampleRateHertz":24000,"sampleSizeBits":16,"channelCount":1,"audioType":"SPEECH","encoding":"base64","voiceId":"matthew"},"#,
            r#""toolUseOutputConfiguration":{"mediaType":"application/json"},"#,
            r#""toolConfiguration":{"tools":[{"toolSpec":{"name":"get_order","description":"The status of an order","inputSchema":{"json":"{\"type\":\"object\"}"}}}]}}}}"#
        ),
        r#"{"event":{"contentStart":{"promptName":"p","contentName":"p-1","type":"TEXT","role":"SYSTEM","interactive":false,"textInputConfiguration":{"mediaType":"text/plain"}}}}"#,
        r#"{"event":{"textInput":{"promptName":"p","contentName":"p-1","content":"Be \"kind\"."}}}"#,
        r#"{"event":{"contentEnd":{"promptName":"p","contentName":"p-1"}}}"#,
    ];
    let unit = scribe().session(&settings, "Be \"kind\".", &[tool]);
    let texts: Vec<&str> = unit.iter().map(|json| str::from_utf8(json).expect("UTF-8")).collect();
    assert_eq!(texts, expected);
}

#[test]
fn what_is_not_there_or_not_understood_is_left_out() {
    let unit = scribe().session(&first_generation(), "Be kind.", &[]);
    let all: Vec<String> = unit.iter().map(|json| String::from_utf8_lossy(json).into()).collect();
    for absent in ["turnDetection", "endpointing", "toolUseOutput", "toolConfiguration"] {
        assert!(!all.concat().contains(absent), "{absent}");
    }
}

#[test]
fn a_blank_system_prompt_is_replaced_since_there_must_be_one() {
    for system in ["", " \n"] {
        let unit = scribe().session(&NovaSettings::default(), system, &[]);
        assert_eq!(content(&unit), SYSTEM_DEFAULT);
    }
}

#[test]
fn a_simple_turn_is_in_the_order_of_the_documentation() {
    let mut scribe = scribe();
    let mut all = scribe.session(&NovaSettings::default(), "Be kind.", &[]);
    let history = [message(Speaker::User, "hello"), message(Speaker::Agent, "Good day.")];
    all.extend(scribe.history(&history).expect("it is set up"));
    all.extend(scribe.open_audio().expect("it is set up"));
    all.extend(scribe.audio(&[0; 512]).expect("it is open"));
    all.extend(scribe.text("Greet the user.").expect("it is open"));
    all.extend(scribe.tool_result("tu-9", r#"{"status":"shipped"}"#).expect("it is open"));
    all.extend(scribe.audio(&[0; 512]).expect("it is open"));
    all.extend(scribe.close());
    let shown: Vec<String> = events(&all)
        .iter()
        .map(|(name, body)| {
            let field = |key: &str| body[key].as_str().unwrap_or("-").to_owned();
            let live = if body["interactive"] == true { " live" } else { "" };
            format!("{name} {} {} {}{live}", field("contentName"), field("type"), field("role"))
        })
        .collect();
    let expected = [
        "sessionStart - - -",
        "promptStart - - -",
        "contentStart p-1 TEXT SYSTEM",
        "textInput p-1 - -",
        "contentEnd p-1 - -",
        "contentStart p-2 TEXT USER",
        "textInput p-2 - -",
        "contentEnd p-2 - -",
        "contentStart p-3 TEXT ASSISTANT",
        "textInput p-3 - -",
        "contentEnd p-3 - -",
        "contentStart p-4 AUDIO USER live",
        "audioInput p-4 - -",
        "contentStart p-5 TEXT USER live",
        "textInput p-5 - -",
        "contentEnd p-5 - -",
        "contentStart p-6 TOOL TOOL",
        "toolResult p-6 - -",
        "contentEnd p-6 - -",
        "audioInput p-4 - -",
        "contentEnd p-4 - -",
        "promptEnd - - -",
        "sessionEnd - - -",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn what_would_cost_the_connection_is_refused() {
    use OutOfOrder::*;
    type Step = fn(&mut Scribe) -> Result<Unit, OutOfOrder>;
    let set_up: Step = |it| Ok(it.session(&NovaSettings::default(), "Be kind.", &[]));
    let set_up_first: Step = |it| Ok(it.session(&first_generation(), "Be kind.", &[]));
    let history: Step = |it| it.history(&[message(Speaker::User, "hello")]);
    let no_history: Step = |it| it.history(&[]);
    let agent_first: Step = |it| it.history(&[message(Speaker::Agent, "Good day.")]);
    let blank: Step = |it| it.history(&[message(Speaker::User, " ")]);
    let twice_user: Step =
        |it| it.history(&[message(Speaker::User, "hello"), message(Speaker::User, "there")]);
    let open: Step = Scribe::open_audio;
    let audio: Step = |it| it.audio(&[1]);
    let text: Step = |it| it.text("hello");
    let no_text: Step = |it| it.text(" \n");
    let result: Step = |it| it.tool_result("tu-9", "{}");
    let close: Step = |it| Ok(it.close());
    let rows: &[(&[Step], Result<(), OutOfOrder>)] = &[
        (&[history], Err(NotSetUp)),
        (&[open], Err(NotSetUp)),
        (&[audio], Err(NotSetUp)),
        (&[text], Err(NotSetUp)),
        (&[result], Err(NotSetUp)),
        (&[set_up, audio], Err(AudioNotOpen)),
        (&[set_up, text], Err(AudioNotOpen)),
        (&[set_up, result], Err(AudioNotOpen)),
        (&[set_up, agent_first], Err(HistoryNotInTurn)),
        (&[set_up, twice_user], Err(HistoryNotInTurn)),
        (&[set_up, blank], Err(HistoryNotInTurn)),
        (&[set_up, history, history], Err(HistorySent)),
        (&[set_up, no_history, history], Ok(())),
        (&[set_up, history, audio], Err(AudioNotOpen)),
        (&[set_up, history, open], Ok(())),
        (&[set_up, open, open], Err(AudioOpen)),
        (&[set_up, open, history], Err(AudioOpen)),
        (&[set_up, open, no_text], Err(Empty)),
        (&[set_up_first, open, text], Err(Unsupported)),
        (&[set_up_first, open, result], Ok(())),
        (&[set_up, open, result, result], Err(AlreadyAnswered)),
        (&[set_up, close, open], Err(Closed)),
        (&[set_up, open, close, history], Err(Closed)),
        (&[set_up, open, close, open], Err(Closed)),
        (&[set_up, open, close, audio], Err(Closed)),
        (&[set_up, open, close, text], Err(Closed)),
        (&[set_up, open, close, result], Err(Closed)),
    ];
    for (row, (steps, expected)) in rows.iter().enumerate() {
        let (last, before) = steps.split_last().expect("there are steps");
        let mut scribe = scribe();
        for step in before {
            step(&mut scribe).expect("what comes before is in order");
        }
        let before = format!("{scribe:?}");
        assert_eq!(last(&mut scribe).map(|_| ()), *expected, "row {row}");
        if expected.is_err() {
            assert_eq!(format!("{scribe:?}"), before, "row {row}: a refusal changes nothing");
        }
    }
}

#[test]
fn setting_up_again_and_closing_again_write_nothing() {
    let mut scribe = scribe();
    assert_eq!(scribe.session(&NovaSettings::default(), "Be kind.", &[]).len(), 5);
    assert!(scribe.session(&NovaSettings::default(), "Be kind.", &[]).is_empty());
    assert!(!scribe.close().is_empty());
    assert!(scribe.close().is_empty());
    assert!(scribe.session(&NovaSettings::default(), "Be kind.", &[]).is_empty());
}

#[test]
fn a_connection_ends_in_good_order_from_anywhere() {
    let mut new = scribe();
    let mut ready = scribe();
    ready.session(&NovaSettings::default(), "Be kind.", &[]);
    let mut informed = ready.clone();
    informed.history(&[message(Speaker::User, "hello")]).expect("it is set up");
    let mut open = streaming();
    let mut used = streaming();
    used.audio(&[5; 512]).expect("it is open");
    let with_silence = "audioInput contentEnd promptEnd sessionEnd";
    let whole = format!("contentStart {with_silence}");
    let rows = [
        ("new", &mut new, ""),
        ("ready", &mut ready, whole.as_str()),
        ("informed", &mut informed, &whole),
        ("open", &mut open, with_silence),
        ("used", &mut used, "contentEnd promptEnd sessionEnd"),
    ];
    for (what, scribe, expected) in rows {
        let unit = scribe.close();
        assert_eq!(names(&unit), expected, "{what}");
        let silence = samples(&content(&unit));
        assert!(silence.iter().all(|sample| *sample == 0), "{what}");
    }
}

#[test]
fn audio_arrives_as_it_was_given() {
    let mut scribe = streaming();
    for count in [1, 2, 3, 191, 192, 193, 512, 1_599, 1_600, 1_601, 4_000] {
        let pcm: Vec<i16> = (0..count).map(|n: i32| (n * 7_919 - 30_000) as i16).collect();
        let unit = scribe.audio(&pcm).expect("it is open");
        assert_eq!(unit.len(), pcm.len().div_ceil(NOVA_AUDIO_INPUT_SAMPLES_MAX), "{count}");
        let mut arrived = Vec::new();
        for ((name, body), json) in events(&unit).iter().zip(&unit) {
            assert_eq!((name.as_str(), body["contentName"].as_str()), ("audioInput", Some("p-2")));
            arrived.extend(samples(body["content"].as_str().expect("content")));
            assert_eq!(json.capacity(), json.len(), "one allocation, of the right size");
        }
        assert_eq!(arrived, pcm, "{count}");
    }
    assert!(scribe.audio(&[]).expect("it is open").is_empty());
}

#[test]
fn results_that_are_no_objects_become_the_result_of_one() {
    let rows = [
        (r#"{"status":"shipped"}"#, r#"{"status":"shipped"}"#),
        (r#"{"error":"timeout"}"#, r#"{"error":"timeout"}"#),
        ("shipped", r#"{"result":"shipped"}"#),
        ("", r#"{"result":""}"#),
        ("[1,2]", r#"{"result":[1,2]}"#),
        ("null", r#"{"result":null}"#),
        (r#""{}""#, r#"{"result":"{}"}"#),
        ("{", r#"{"result":"{"}"#),
    ];
    let mut scribe = streaming();
    for (row, (result, expected)) in rows.into_iter().enumerate() {
        let unit = scribe.tool_result(&format!("tu-{row}"), result).expect("it is open");
        let events = events(&unit);
        let configuration = &events[0].1["toolResultInputConfiguration"];
        assert_eq!(configuration["toolUseId"], format!("tu-{row}"));
        assert_eq!(configuration["type"], "TEXT");
        assert_eq!(configuration["textInputConfiguration"]["mediaType"], "text/plain");
        assert_eq!(events[1].1["content"], expected, "{result}");
    }
}

#[test]
fn answered_tool_uses_are_remembered_up_to_a_limit() {
    let mut scribe = streaming();
    for id in 0..=NOVA_ANSWERED_TOOLS_MAX {
        scribe.tool_result(&id.to_string(), "{}").expect("each is new");
        assert!(scribe.answered.len() <= NOVA_ANSWERED_TOOLS_MAX);
    }
    assert_eq!(scribe.tool_result("1", "{}"), Err(OutOfOrder::AlreadyAnswered));
    assert!(scribe.tool_result("0", "{}").is_ok(), "the oldest is forgotten");
}

proptest! {
    #[test]
    fn long_texts_are_sent_in_pieces_that_lose_nothing(text in "[a日\"\n]{1,5000}") {
        prop_assume!(!text.trim().is_empty());
        let unit = streaming().text(&text).expect("it is open");
        prop_assert_eq!(content(&unit), text.as_str());
        prop_assert_eq!(unit.len(), 2 + events(&unit).iter().filter(|it| it.0 == "textInput").count());
        for (_, body) in events(&unit) {
            prop_assert_eq!(&body["contentName"], "p-3");
            let bytes = body["content"].as_str().map_or(0, str::len);
            prop_assert!(bytes <= TextSettings::default().piece_bytes_max, "{}", bytes);
        }
    }
}
