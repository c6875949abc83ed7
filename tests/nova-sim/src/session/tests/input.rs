//! Input that is unusual, and what is heard of it.

use super::*;

#[test]
fn audio_in_a_burst_is_heard_as_at_its_pace() {
    let mut caller = Caller::live(SimSettings::tones(), ScheduledFaults::none(), json!([]));
    let mut pcm = encode(&Word::all_in("8 9"), 16_000);
    pcm.resize(pcm.len() + 8_000, 0);
    for frame in pcm.chunks(512) {
        caller.send(audio(frame));
    }
    caller.wait(Duration::from_millis(200));
    let lines = caller.lines();
    assert!(lines.contains(&"USER 8 9".to_owned()), "{lines:?}");
}

#[test]
fn an_utterance_without_silence_after_it_is_never_answered() {
    let mut caller = Caller::live(SimSettings::tones(), ScheduledFaults::none(), json!([]));
    caller.speak(&encode(&Word::all_in("8"), 16_000));
    caller.wait(Duration::from_secs(50));
    assert_eq!(caller.lines(), ["userSpeechStart", "completionStart"]);
    caller.session.handle_end(caller.now);
    caller.wait(Duration::from_secs(1));
    assert_eq!(caller.heard.last().map(|(_, output)| output), Some(&Output::End));
    assert!(!caller.lines().iter().any(|line| line.starts_with("USER")));
}

#[test]
fn without_its_role_the_audio_is_not_heard() {
    let mut caller = Caller::new();
    caller.set_up(json!([]));
    let mut start = audio_start();
    start["event"]["contentStart"].as_object_mut().expect("an object").remove("role");
    caller.send(start);
    caller.say("8");
    caller.silence(3_000);
    assert_eq!(caller.lines(), [""; 0]);
    assert_eq!(caller.session.violation(), None);
}

#[test]
fn ending_the_prompt_early_suppresses_the_answer() {
    let mut caller = Caller::live(SimSettings::tones(), ScheduledFaults::none(), json!([]));
    caller.say("8");
    caller.send_all(close());
    caller.wait(Duration::from_secs(10));
    let lines = caller.lines();
    assert_eq!(lines.last().map(String::as_str), Some("completionEnd"));
    assert!(!lines.contains(&"audio".to_owned()));
}

#[test]
fn other_rates_are_heard_too() {
    for rate_hz in [8_000_u32, 24_000] {
        let mut caller = Caller::new();
        caller.set_up(json!([]));
        let mut start = audio_start();
        start["event"]["contentStart"]["audioInputConfiguration"]["sampleRateHertz"] =
            json!(rate_hz);
        caller.send(start);
        let mut pcm = encode(&Word::all_in("812"), rate_hz);
        pcm.resize(pcm.len() + rate_hz as usize / 2, 0);
        caller.speak(&pcm);
        caller.wait(Duration::from_secs(1));
        assert!(caller.lines().contains(&"USER 812".to_owned()), "{rate_hz} Hz");
    }
}

#[test]
fn sensitivity_moves_the_end_of_an_utterance() {
    let detected_ms = |sensitivity: &str| {
        let mut caller = Caller::new();
        let mut start = session_start();
        start["event"]["sessionStart"]["turnDetectionConfiguration"] =
            json!({ "endpointingSensitivity": sensitivity });
        caller.send(start);
        caller.send(prompt_start(json!([])));
        caller.send_all(text_block("system", "SYSTEM", false, "You count."));
        caller.send(audio_start());
        caller.say("8");
        caller.silence(1_000);
        let events = caller.events();
        let end = events.iter().find_map(|(_, event)| event["event"].get("userSpeechEnd"));
        end.and_then(|end| end["inputAudioDetectionOffsetMs"].as_u64()).expect("an end of speech")
    };
    let [high, medium, low] = ["HIGH", "MEDIUM", "LOW"].map(detected_ms);
    assert!(high < medium && medium < low, "{high}, {medium}, {low}");
}
