//! The messages of Deepgram's streaming recognition, `v1/listen` (Nova): binary audio and JSON up, JSON down.
//!
//! It settles what was said piece by piece, at its own pauses. What it holds back is told after [`FINALIZE`],
//! with `from_finalize`; nothing is promised where nothing was held back, so that is not the only sign that
//! the end of the audio has been reached: every result tells how far it reaches.

use serde_json::Value;

use super::failover::FailureKind;
use super::recognition::{Fault, Flushed, Heard, HeardText, Recognised, millis};

/// Keeps a connection open on which no audio goes; wanted within 10 s, by their advice every 3 to 5 s.
pub const KEEP_ALIVE: &str = r#"{"type":"KeepAlive"}"#;
/// Asks for what is held back.
pub const FINALIZE: &str = r#"{"type":"Finalize"}"#;
/// The end: nothing more is billed.
pub const CLOSE_STREAM: &str = r#"{"type":"CloseStream"}"#;

/// How a connection is asked for, besides the model, the language and the key terms.
pub const QUERY: [(&str, &str); 7] = [
    ("encoding", "linear16"),
    ("sample_rate", "16000"),
    ("channels", "1"),
    ("interim_results", "true"),
    ("punctuate", "true"),
    ("smart_format", "true"),
    // Settles what was said at a pause of this many milliseconds, so that little is left for the end.
    ("endpointing", "300"),
];

/// One text message of the service.
pub fn read(message: &str) -> Recognised {
    let Ok(message) = serde_json::from_str::<Value>(message) else { return Recognised::Malformed };
    match message.get("type").and_then(Value::as_str) {
        Some("Results") => results(&message).map_or(Recognised::Malformed, Recognised::Heard),
        Some("Error") => Recognised::Failed(fault(&message)),
        Some(_) => Recognised::Other,
        None => Recognised::Malformed,
    }
}

fn results(message: &Value) -> Option<Heard> {
    let text = message.pointer("/channel/alternatives/0/transcript")?.as_str()?.trim().to_owned();
    let is = |key: &str| message.get(key).and_then(Value::as_bool).unwrap_or(false);
    let start = millis(message.get("start"));
    let until_ms = start.zip(millis(message.get("duration")));
    let is_flushed = is("from_finalize");
    Some(Heard {
        text: match is("is_final") || is_flushed {
            true => HeardText::Settled(text),
            false => HeardText::Interim(text),
        },
        until_ms: until_ms.map(|(start, duration)| start.saturating_add(duration)),
        flushed: is_flushed.then_some(Flushed::Oldest),
        complete: None,
    })
}

fn fault(message: &Value) -> Fault {
    let text = ["description", "message", "variant"]
        .iter()
        .find_map(|key| message.get(*key).and_then(Value::as_str).filter(|text| !text.is_empty()));
    Fault::new(FailureKind::Broken, text.unwrap_or("an error without a text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: HeardText, until_ms: u64, flushed: bool) -> Recognised {
        let flushed = flushed.then_some(Flushed::Oldest);
        Recognised::Heard(Heard { text, until_ms: Some(until_ms), flushed, complete: None })
    }

    #[test]
    fn results_are_interim_settled_or_the_answer_to_a_request() {
        let result = |flags: &str| {
            read(&format!(
                r#"{{"type":"Results","channel_index":[0,1],"start":1.25,"duration":0.7500001,{flags}
                "channel":{{"alternatives":[{{"transcript":" two words ","confidence":0.9,"words":[]}}]}}}}"#
            ))
        };
        let text = || "two words".to_owned();
        let interim = result(r#""is_final":false,"speech_final":false,"#);
        assert_eq!(interim, heard(HeardText::Interim(text()), 2_000, false));
        let settled = result(r#""is_final":true,"speech_final":true,"from_finalize":false,"#);
        assert_eq!(settled, heard(HeardText::Settled(text()), 2_000, false));
        let flushed = result(r#""is_final":true,"from_finalize":true,"#);
        assert_eq!(flushed, heard(HeardText::Settled(text()), 2_000, true));
    }

    #[test]
    fn what_is_no_result_is_told_apart() {
        let rows = [
            (r#"{"type":"Metadata","duration":3}"#, Recognised::Other),
            (r#"{"type":"UtteranceEnd","last_word_end":2.1}"#, Recognised::Other),
            (r#"{"type":"SomethingNew"}"#, Recognised::Other),
            (r#"{"type":3}"#, Recognised::Malformed),
            (r#"["Results"]"#, Recognised::Malformed),
            (r#"{"type":"Results"}"#, Recognised::Malformed),
            (
                r#"{"type":"Results","channel":{"alternatives":[{"transcript":7}]}}"#,
                Recognised::Malformed,
            ),
            ("{\"type\":\"Res", Recognised::Malformed),
            ("", Recognised::Malformed),
            (
                r#"{"type":"Error","description":"no\nquota","variant":"x"}"#,
                Recognised::Failed(Fault::new(FailureKind::Broken, "no quota")),
            ),
        ];
        for (message, expected) in rows {
            assert_eq!(read(message), expected, "{message}");
        }
    }

    #[test]
    fn times_that_are_none_are_left_out() {
        for times in ["", r#""start":-1,"duration":1,"#, r#""start":"0","duration":1,"#] {
            let message = format!(
                r#"{{"type":"Results",{times}"channel":{{"alternatives":[{{"transcript":"a"}}]}}}}"#
            );
            let expected = Heard::text(HeardText::Interim("a".to_owned()));
            assert_eq!(read(&message), Recognised::Heard(expected), "{times}");
        }
        let far = r#"{"type":"Results","start":1e300,"duration":1e300,
            "channel":{"alternatives":[{"transcript":"a"}]}}"#;
        let expected = heard(HeardText::Interim("a".to_owned()), u64::MAX, false);
        assert_eq!(read(far), expected);
    }
}
