//! Turns, tools, texts and what is told of them.

use super::*;
use crate::count;
use crate::settings::{Ears, Quirks};

fn planned(numbers: u16) -> Vec<String> {
    let sentences = count::sentences(&count::answer(numbers, 7), 3);
    sentences.iter().map(|sentence| format!("planned {sentence}")).collect()
}

#[test]
fn a_turn_in_its_order_and_at_its_time() {
    let mut caller = Caller::live(SimSettings::tones(), ScheduledFaults::none(), json!([]));
    caller.silence(320);
    caller.speak(&encode(&Word::all_in("17"), 16_000));
    // The codec frame in which the detection falls is sent as a whole.
    let spoken_at = Duration::from_millis(320 + 300);
    caller.silence(12_000);
    let sentences = planned(17);
    let expected = [
        "userSpeechStart",
        "completionStart",
        "userSpeechEnd",
        "USER 17",
        &sentences[0],
        "audio",
        "audio ends PARTIAL_TURN",
        &sentences[1],
        "audio",
        "audio ends PARTIAL_TURN",
        &sentences[2],
        "audio",
        "audio ends END_TURN",
    ];
    assert_eq!(caller.lines()[..expected.len()], expected);

    let events = caller.events();
    let named = |name: &str| events.iter().find(|(_, event)| event["event"].get(name).is_some());
    let (_, start) = named("userSpeechStart").expect("speech was noticed");
    let (detected_at, end) = named("userSpeechEnd").expect("its end was noticed");
    let (audio_at, _) = named("audioOutput").expect("an answer");
    assert_eq!(start["event"]["userSpeechStart"]["inputAudioOffsetMs"], 320);
    assert_eq!(end["event"]["userSpeechEnd"]["inputAudioOffsetMs"], 620);
    assert_eq!(end["event"]["userSpeechEnd"]["inputAudioDetectionOffsetMs"], 1_020);
    let frame = Duration::from_millis(32);
    let detection = *detected_at - spoken_at;
    assert!(detection.abs_diff(Duration::from_millis(400)) <= frame, "{detection:?}");
    let answer = *audio_at - *detected_at;
    assert_eq!(answer, Duration::from_millis(335));
}

#[test]
fn audio_comes_faster_than_it_plays_in_uneven_pieces() {
    let mut caller = Caller::live(SimSettings::tones(), ScheduledFaults::none(), json!([]));
    caller.say("17");
    caller.silence(6_000);
    let audio: Vec<(Duration, usize)> = caller
        .events()
        .into_iter()
        .filter_map(|(at, event)| {
            let content = event["event"]["audioOutput"]["content"].as_str()?.to_owned();
            Some((at, BASE64_STANDARD.decode(content).expect("base64").len() / 48))
        })
        .collect();
    let played_ms: usize = audio.iter().map(|(_, ms)| ms).sum();
    assert_eq!(played_ms, 7 * 360);
    let sent_in = audio[audio.len() - 1].0 - audio[0].0;
    assert!(sent_in.as_millis() < played_ms as u128 * 3 / 4, "{sent_in:?} for {played_ms} ms");
    let sizes: std::collections::BTreeSet<_> = audio.iter().map(|(_, ms)| ms).collect();
    assert!(sizes.len() > 5, "{sizes:?}");
}

#[test]
fn final_texts_follow_late_or_after_the_next_speech_and_are_what_was_planned() {
    let mut caller = Caller::live(SimSettings::tones(), ScheduledFaults::none(), json!([]));
    let (mut late, mut after_speech) = (0, 0);
    for number in 100..116 {
        let before = caller.lines().len();
        caller.say(&number.to_string());
        caller.silence(8_000);
        let lines = caller.lines();
        let turn = &lines[before..];
        let at = |wanted: &str| turn.iter().position(|line| line.starts_with(wanted));
        let [spoken, heard] = [at("spoken"), at("USER")];
        match (spoken, heard) {
            (Some(spoken), Some(heard)) if spoken < heard => after_speech += 1,
            (Some(_), _) => late += 1,
            _ => {}
        }
    }
    assert!(late >= 6 && after_speech >= 2, "{late} late, {after_speech} after the next speech");
    let lines = caller.lines();
    let all = |prefix: &str| -> Vec<String> {
        lines.iter().filter_map(|line| Some(line.strip_prefix(prefix)?.to_owned())).collect()
    };
    let (planned, spoken) = (all("planned "), all("spoken "));
    assert_eq!(spoken[..], planned[..spoken.len()]);
    let completions = lines.iter().filter(|line| *line == "completionStart").count();
    assert_eq!(completions, 1, "once for the connection");
}

#[test]
fn usage_adds_up_and_begins_at_nothing() {
    let mut caller = Caller::live(SimSettings::tones(), ScheduledFaults::none(), json!([]));
    caller.say("17");
    caller.silence(5_000);
    let mut sum = 0;
    let mut total = Value::Null;
    for (_, event) in caller.events() {
        let Some(usage) = event["event"].get("usageEvent") else { continue };
        sum += usage["details"]["delta"]["output"]["speechTokens"].as_u64().expect("a number");
        total = usage["details"]["total"].clone();
    }
    assert_eq!(total["output"]["speechTokens"], sum);
    // 2.52 s at 25 tokens a second.
    assert_eq!(sum, 63);
    // 300 ms.
    assert_eq!(total["input"]["speechTokens"], 8);
}

#[test]
fn text_is_answered_once_some_audio_has_come() {
    for (fed_ms, is_answered) in [(64, false), (96, true)] {
        let mut caller = Caller::live(SimSettings::tones(), ScheduledFaults::none(), json!([]));
        caller.silence(fed_ms);
        caller.send_all(text_block("typed", "USER", true, "12"));
        caller.silence(2_000);
        let answered = caller.lines().contains(&planned(12)[0]);
        assert_eq!(answered, is_answered, "after {fed_ms} ms");
    }
}

#[test]
fn a_cut_off_answer_is_continued_where_it_stopped() {
    let whole = count::answer(40, 7);
    let mut caller = Caller::new();
    caller.set_up(json!([]));
    caller.send_all(text_block("u", "USER", false, "40"));
    let said = Word::text_of(&whole[..4]);
    caller.send_all(text_block("a", "ASSISTANT", false, &said));
    caller.send(audio_start());
    caller.silence(100);
    caller.send_all(text_block("on", "USER", true, "Please go on where you stopped."));
    caller.silence(4_000);
    let lines = caller.lines();
    let planned: Vec<&str> = lines.iter().filter_map(|l| l.strip_prefix("planned ")).collect();
    assert_eq!(Word::all_in(&planned.concat()), whole[4..]);
}

#[test]
fn a_tool_is_called_and_its_result_told() {
    let tools = json!([order_tool("get_order_status"), order_tool("cancelOrder")]);
    let mut caller = Caller::live(SimSettings::tones(), ScheduledFaults::none(), tools);
    caller.say("order status 17");
    caller.silence(1_000);
    let lines = caller.lines();
    assert_eq!(lines.last().map(String::as_str), Some("tool get_order_status"));
    let [(use_id, arguments)] = &caller.tool_uses()[..] else { panic!("one call") };
    assert_eq!(serde_json::from_str::<Value>(arguments).ok(), Some(json!({ "id": "17" })));
    caller.send_all(tool_result(use_id, r#"{"result":{"status":"shipped","box":4}}"#));
    caller.silence(3_000);
    let lines = caller.lines();
    assert!(
        lines.contains(&"planned 4.".to_owned())
            || lines.contains(&"planned 4 status.".into())
            || lines.iter().any(|line| line.starts_with("planned ")),
        "{lines:?}"
    );

    // A second result for the same use is refused.
    caller.send(tool_start("again", use_id, "text/plain"));
    assert!(caller.last_exception().is_some());
}

#[test]
fn tool_results_are_objects() {
    for result in ["shipped", "[1]", "7", "{", "\"{}\""] {
        let tools = json!([order_tool("status")]);
        let mut caller = Caller::live(SimSettings::tones(), ScheduledFaults::none(), tools);
        caller.say("status 17");
        caller.silence(1_000);
        let (use_id, _) = caller.tool_uses().remove(0);
        caller.send_all(tool_result(&use_id, result));
        let told = caller.last_exception().map(|(_, message)| message.to_owned());
        let told = told.unwrap_or_else(|| panic!("{result}: taken"));
        assert!(told.contains("Tool Response parsing error"), "{told}");
    }
}

#[test]
fn quirks_are_lawful_and_unusual() {
    let quirks = Quirks {
        tool_doubly_encoded: true,
        tools_in_parallel: true,
        empty_transcripts: true,
        unknown_events: true,
    };
    let settings = SimSettings { quirks, ..SimSettings::tones() };
    let tools = json!([order_tool("status")]);
    let mut caller = Caller::live(settings, ScheduledFaults::none(), tools);
    caller.say("status 17 18");
    caller.silence(1_000);
    let uses = caller.tool_uses();
    let arguments: Vec<Value> = uses
        .iter()
        .map(|(_, arguments)| {
            let once: String = serde_json::from_str(arguments).expect("a string of JSON");
            serde_json::from_str(&once).expect("an object")
        })
        .collect();
    assert_eq!(arguments, [json!({ "id": "17" }), json!({ "id": "18" })]);
    // Results in the other order; the conversation went on meanwhile.
    caller.say("5");
    caller.silence(4_000);
    for (use_id, _) in uses.iter().rev() {
        caller.send_all(tool_result(use_id, r#"{"result":7}"#));
        caller.silence(2_000);
    }
    caller.send_all(text_block("typed", "USER", true, "12"));
    caller.silence(1_000);
    let lines = caller.lines();
    assert_eq!(lines.iter().filter(|line| *line == "planned 7.").count(), 2);
    assert!(lines.contains(&planned(5)[0]));
    assert!(lines.contains(&"USER ".to_owned()), "the text's empty transcript");
    assert!(lines.contains(&"modelMoodEvent".to_owned()));
    assert_eq!(caller.session.violation(), None);
}

#[test]
fn speech_that_is_no_tones_is_a_line_or_its_length() {
    let noise: Vec<i16> =
        (0..19_200).map(|n| if n / 40 % 2 == 0 { 4_000 } else { -4_000 }).collect();
    let script = Ears::Script(vec!["one".into(), "two".into()]);
    for (ears, expected) in [
        (
            Ears::Energy,
            ["USER (speech of 1.2 s)", "USER (speech of 1.2 s)", "USER (speech of 1.2 s)"],
        ),
        (script, ["USER one", "USER two", "USER one"]),
    ] {
        let settings = SimSettings { ears, ..SimSettings::tones() };
        let mut caller = Caller::live(settings, ScheduledFaults::none(), json!([]));
        for _ in 0..3 {
            caller.speak(&noise);
            caller.silence(3_000);
        }
        let lines = caller.lines();
        let heard: Vec<_> = lines.iter().filter(|line| line.starts_with("USER")).collect();
        assert_eq!(heard, expected);
    }
}

#[test]
fn engines_work_elsewhere_and_are_waited_for() {
    let settings = SimSettings {
        ears: Ears::PocketSphinx("model".into()),
        voice: crate::settings::Voice::Flite,
        mind: crate::settings::MindKind::Talk,
        ..SimSettings::standard()
    };
    let mut caller = Caller::live(settings, ScheduledFaults::none(), json!([]));
    caller.speak(&[3_000; 8_000]);
    caller.silence(500);
    let Some(Task::Transcribe { id, pcm, rate_hz: 16_000 }) = caller.session.poll_task() else {
        panic!("an utterance to be recognised");
    };
    assert!((800..=1_250).contains(&(pcm.len() / 16)), "{} ms", pcm.len() / 16);
    assert_eq!(caller.lines().last().map(String::as_str), Some("userSpeechEnd"));
    caller.session.handle_transcribed(caller.now, id, "good evening");
    caller.silence(1_000);
    let lines = caller.lines();
    assert_eq!(lines.last().map(String::as_str), Some("planned I heard you say: good evening."));
    let mut spoken = Vec::new();
    while let Some(task) = caller.session.poll_task() {
        let Task::Speak { id, text, .. } = task else { panic!("{task:?}") };
        spoken.push(text);
        caller.session.handle_spoken(caller.now, id, vec![500; 24_000]);
    }
    assert_eq!(spoken, ["I heard you say: good evening.", "What else?"]);
    caller.silence(1_500);
    let lines = caller.lines();
    assert_eq!(lines.last().map(String::as_str), Some("audio ends END_TURN"));
}

#[test]
fn what_the_user_adds_before_the_answer_is_answered_with_it() {
    let mut caller = Caller::live(SimSettings::tones(), ScheduledFaults::none(), json!([]));
    caller.speak(&encode(&Word::all_in("please"), 16_000));
    caller.silence(360);
    caller.speak(&encode(&Word::all_in("9"), 16_000));
    caller.silence(3_000);
    let lines = caller.lines();
    let heard: Vec<_> = lines.iter().filter(|line| line.starts_with("USER")).collect();
    assert_eq!(heard, ["USER please", "USER 9"]);
    assert!(lines.contains(&planned(9)[0]), "{lines:?}");
    assert!(!lines.iter().any(|line| line == "interrupted"));
}
