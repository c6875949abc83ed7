//! Interruptions in each of their shapes.

use super::*;
use crate::count;
use crate::settings::BargeIn;

/// A caller who interrupts the answer to 17 while its first sentence is being sent, with silence or
/// speech so long after the answer's first audio.
fn interrupted(barge_in: BargeIn, after_ms: usize) -> Caller {
    let settings = SimSettings { barge_in, ..SimSettings::tones() };
    let mut caller = Caller::live(settings, ScheduledFaults::none(), json!([]));
    caller.say("17");
    while !caller.lines().contains(&"audio".to_owned()) {
        caller.silence(32);
    }
    caller.silence(after_ms);
    caller
}

/// The lines from the interruption on, until the interrupting words are understood.
fn signs(caller: &mut Caller) -> Vec<String> {
    let before = caller.lines().len();
    caller.say("5");
    let lines = caller.lines();
    lines[before..].iter().take_while(|line| *line != "USER 5").cloned().collect()
}

#[test]
fn every_shape_has_its_signs() {
    let start = "userSpeechStart";
    let end = "userSpeechEnd";
    for (shape, expected) in [
        (BargeIn::SpeechStart, vec![start, "audio ends PARTIAL_TURN", end]),
        (BargeIn::Marker, vec!["audio ends PARTIAL_TURN", "marker", end]),
        (BargeIn::EndTurnThenMarker, vec!["audio ends END_TURN", "marker", end]),
        (BargeIn::AudioInterrupted, vec!["audio ends INTERRUPTED", end]),
        (BargeIn::All, vec![start, "audio ends INTERRUPTED", "marker", end]),
        (BargeIn::LateAudio, vec![start, "marker", "audio", "audio ends PARTIAL_TURN", end]),
        (BargeIn::Repeated, vec![start, "audio ends INTERRUPTED", "marker", start, "marker", end]),
    ] {
        let mut caller = interrupted(shape, 64);
        assert_eq!(without_markers(signs(&mut caller)), expected, "{shape:?}");
    }
}

/// Markers, whose spacing varies, as `marker`; audio that was on its way before the first sign left
/// out.
fn without_markers(lines: Vec<String>) -> Vec<String> {
    let mut named = Vec::new();
    for line in lines {
        let is_marker = line.strip_prefix("spoken ").is_some_and(|text| {
            serde_json::from_str::<Value>(text).is_ok_and(|v| v["interrupted"] == true)
        });
        match line.as_str() {
            _ if is_marker => named.push("marker".to_owned()),
            "interrupted" => {}
            "audio" if named.is_empty() => {}
            _ => named.push(line),
        }
    }
    named
}

#[test]
fn shapes_take_turns() {
    let mut caller = interrupted(BargeIn::Rotate, 64);
    assert_eq!(without_markers(signs(&mut caller))[0], "userSpeechStart");
    while caller.lines().last().map(String::as_str) != Some("audio") {
        caller.silence(32);
    }
    assert_eq!(without_markers(signs(&mut caller))[0], "audio ends PARTIAL_TURN");
}

#[test]
fn what_was_sent_and_not_yet_played_is_interrupted_too() {
    for shape in BargeIn::SHAPES {
        // All is sent after about a third of 2.5 s, and played after all of them.
        let mut caller = interrupted(shape, 1_700);
        let lines = caller.lines();
        assert_eq!(lines.last().map(String::as_str), Some("audio ends END_TURN"));
        let signs = without_markers(signs(&mut caller));
        let is_told = signs.iter().any(|line| line == "userSpeechStart" || line == "marker");
        assert!(is_told, "{shape:?}: {signs:?}");
        assert!(!signs.iter().any(|line| line.starts_with("audio")), "{shape:?}: {signs:?}");
    }
}

#[test]
fn speech_after_the_answer_is_no_interruption() {
    let mut caller = interrupted(BargeIn::All, 4_000);
    let signs = without_markers(signs(&mut caller));
    let signs: Vec<_> = signs.iter().filter(|line| !line.starts_with("spoken")).collect();
    assert_eq!(signs, ["userSpeechStart", "userSpeechEnd"]);
}

#[test]
fn the_final_text_holds_what_was_played() {
    let mut caller = interrupted(BargeIn::All, 900);
    caller.say("5");
    caller.silence(9_000);
    caller.say("6");
    caller.silence(1_000);
    let answer = count::answer(17, 7);
    let lines = caller.lines();
    let spoken: Vec<Word> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("spoken "))
        .filter(|text| !text.contains("interrupted"))
        .flat_map(Word::all_in)
        .collect();
    // A word takes 360 ms; the interruption is noticed 100 ms after it began.
    let heard = spoken.iter().zip(&answer).take_while(|(spoken, word)| spoken == word).count();
    assert!((2..=3).contains(&heard), "{heard} words of {spoken:?}");
    assert_eq!(spoken[heard], Word::number(5).expect("a number"), "then the next answer");
}

#[test]
fn text_amid_an_answer_interrupts_it() {
    let mut caller = interrupted(BargeIn::SpeechStart, 64);
    let before = caller.lines().len();
    caller.send_all(text_block("typed", "USER", true, "12"));
    caller.silence(700);
    let signs = without_markers(caller.lines()[before..].to_vec());
    assert_eq!(signs[..2], ["audio ends INTERRUPTED", "marker"]);
    assert!(signs[2].starts_with("planned 12 "), "{signs:?}");
}
