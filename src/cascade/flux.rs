//! The messages of Deepgram's Flux, `v2/listen`: a recogniser that knows turns.
//!
//! Its `transcript` is the whole of *its* turn so far. Where the speaker pauses for long, several of them are
//! one turn of the call: each is settled at its `EndOfTurn`. It has no message that keeps a silent connection
//! open: it wants audio, silence too.

use serde_json::Value;

use super::failover::FailureKind;
use super::recognition::{Fault, Flushed, Heard, HeardText, Recognised, millis, probability};

/// Ends its turn now.
pub const FORCE_END_TURN: &str = r#"{"type":"ForceEndTurn"}"#;
/// The end: nothing more is billed.
pub const CLOSE_STREAM: &str = r#"{"type":"CloseStream"}"#;
/// How a connection is asked for, besides the model, its thresholds and the key terms.
pub const QUERY: [(&str, &str); 2] = [("encoding", "linear16"), ("sample_rate", "16000")];

/// What the speaker who goes on after an eager end is taken for: not done.
const RESUMED: f32 = 0.1;

/// One text message of the service.
pub fn read(message: &str) -> Recognised {
    let Ok(message) = serde_json::from_str::<Value>(message) else { return Recognised::Malformed };
    match message.get("type").and_then(Value::as_str) {
        Some("TurnInfo") => turn_info(&message).map_or(Recognised::Malformed, Recognised::Heard),
        Some("Error") => Recognised::Failed(fault(&message)),
        Some(_) => Recognised::Other,
        None => Recognised::Malformed,
    }
}

fn turn_info(message: &Value) -> Option<Heard> {
    let text = message.get("transcript")?.as_str()?.trim().to_owned();
    let confidence = probability(message.get("end_of_turn_confidence"));
    let until_ms = millis(message.get("audio_window_end"));
    let heard = |text, complete| Heard { text, until_ms, flushed: None, complete };
    Some(match message.get("event")?.as_str()? {
        "EagerEndOfTurn" => heard(HeardText::Interim(text), confidence),
        "TurnResumed" => heard(HeardText::Interim(text), Some(RESUMED)),
        "EndOfTurn" => {
            let flushed = Some(Flushed::Oldest);
            Heard { flushed, ..heard(HeardText::Settled(text), confidence) }
        }
        // `StartOfTurn`, `Update`, and what a later version adds.
        _ => heard(HeardText::Interim(text), None),
    })
}

fn fault(message: &Value) -> Fault {
    let member = |key: &str| message.get(key).and_then(Value::as_str).unwrap_or_default();
    let text = format!("{} {}", member("code"), member("description"));
    let text = if text.trim().is_empty() { "an error without a text" } else { text.trim() };
    Fault::new(FailureKind::Broken, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_of_a_turn_has_its_meaning() {
        let interim = || HeardText::Interim("hello there".to_owned());
        let settled = || HeardText::Settled("hello there".to_owned());
        let rows = [
            ("StartOfTurn", interim(), None, None),
            ("Update", interim(), None, None),
            ("EagerEndOfTurn", interim(), Some(0.625), None),
            ("TurnResumed", interim(), Some(RESUMED), None),
            ("EndOfTurn", settled(), Some(0.625), Some(Flushed::Oldest)),
            ("SomethingNew", interim(), None, None),
        ];
        for (event, text, complete, flushed) in rows {
            let message = format!(
                r#"{{"type":"TurnInfo","event":"{event}","turn_index":2,"audio_window_start":1.0,
                "audio_window_end":2.4,"transcript":"hello there ","words":[],
                "end_of_turn_confidence":0.625,"trigger":"model"}}"#
            );
            let expected = Heard { text, until_ms: Some(2_400), flushed, complete };
            assert_eq!(read(&message), Recognised::Heard(expected), "{event}");
        }
    }

    #[test]
    fn what_tells_of_no_turn_is_told_apart() {
        let rows = [
            (r#"{"type":"Connected","request_id":"r","sequence_id":0}"#, Recognised::Other),
            (r#"{"type":"Warning","code":"x"}"#, Recognised::Other),
            (r#"{"type":"TurnInfo","event":"Update"}"#, Recognised::Malformed),
            (r#"{"type":"TurnInfo","transcript":"a"}"#, Recognised::Malformed),
            (r#"{"type":"TurnInfo","event":3,"transcript":"a"}"#, Recognised::Malformed),
            ("null", Recognised::Malformed),
            (
                r#"{"type":"Error","code":"NET-0000","description":"gone"}"#,
                Recognised::Failed(Fault::new(FailureKind::Broken, "NET-0000 gone")),
            ),
            (
                r#"{"type":"Error"}"#,
                Recognised::Failed(Fault::new(FailureKind::Broken, "an error without a text")),
            ),
        ];
        for (message, expected) in rows {
            assert_eq!(read(message), expected, "{message}");
        }
    }

    #[test]
    fn a_confidence_that_is_none_is_left_out() {
        for confidence in ["7", "-0.1", "\"0.5\"", "null"] {
            let message = format!(
                r#"{{"type":"TurnInfo","event":"EagerEndOfTurn","transcript":"a",
                "end_of_turn_confidence":{confidence}}}"#
            );
            let expected = Heard::text(HeardText::Interim("a".to_owned()));
            assert_eq!(read(&message), Recognised::Heard(expected), "{confidence}");
        }
    }
}
