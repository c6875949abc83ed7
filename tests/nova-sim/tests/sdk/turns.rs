//! Whole turns, over the real wire, by the real SDK.

use antiphon_nova_sim::count;
use antiphon_nova_sim::tones::{Decoder, Word};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::support::{Client, close, is_turn_end, name_of, sim};

/// All text of one role and stage, and all audio, of some events.
fn texts(events: &[Value], role: &str, stage: &str) -> Vec<String> {
    let mut open = std::collections::BTreeMap::new();
    let mut texts = Vec::new();
    for event in events {
        let start = &event["event"]["contentStart"];
        if start["role"] == role
            && start["additionalModelFields"].as_str().is_some_and(|fields| fields.contains(stage))
        {
            open.insert(start["contentId"].to_string(), ());
        }
        let output = &event["event"]["textOutput"];
        if open.contains_key(&output["contentId"].to_string()) {
            texts.push(output["content"].as_str().unwrap_or_default().to_owned());
        }
    }
    texts
}

fn words_spoken(events: &[Value]) -> Vec<Word> {
    let mut decoder = Decoder::new(24_000);
    let mut spotted = Vec::new();
    for event in events {
        if let Some(content) = event["event"]["audioOutput"]["content"].as_str() {
            let bytes = BASE64_STANDARD.decode(content).expect("base64");
            let (pairs, _) = bytes.as_chunks::<2>();
            let pcm: Vec<i16> = pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
            decoder.push(&pcm, &mut spotted);
        }
    }
    spotted.into_iter().map(|spotted| spotted.word).collect()
}

#[tokio::test]
async fn a_simple_turn() {
    let sim = sim(&[]).await;
    let mut talk = Client::of(&sim).talk().await;
    talk.say("17").await;
    let events = talk.until(is_turn_end).await;
    let names: Vec<&str> = events.iter().map(name_of).collect();
    let first = |name: &str| names.iter().position(|known| *known == name);
    assert!(first("userSpeechStart") < first("completionStart"), "{names:?}");
    assert!(first("completionStart") < first("userSpeechEnd"), "{names:?}");
    assert_eq!(texts(&events, "USER", "FINAL"), ["17"]);
    let answer = count::answer(17, 7);
    assert_eq!(texts(&events, "ASSISTANT", "SPECULATIVE"), count::sentences(&answer, 3));
    assert_eq!(words_spoken(&events), answer);

    for event in close() {
        talk.send(event).await;
    }
    let rest = talk.until(|event| name_of(event) == "completionEnd").await;
    assert!(rest.iter().all(|event| name_of(event) != "audioOutput"));
    let mut body = talk.finish();
    assert!(matches!(body.recv().await, Ok(None)));
    let counts = sim.counts();
    assert_eq!(counts.protocol_errors, [""; 0]);
    assert_eq!(counts.requests["sessionEnd"], 1);
    assert_eq!(counts.replies["completionStart"], 1);
}
