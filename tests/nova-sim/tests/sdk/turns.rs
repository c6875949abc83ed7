//! Whole turns, over the real wire, by the real SDK.

use antiphon::backend::cascade::tts::Voice;
use antiphon::backend::local::synthesise;
use antiphon_nova_sim::settings::Ears;
use antiphon_nova_sim::tones::{Decoder, Word};
use antiphon_nova_sim::{SimSettings, count};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::support::{Client, MODEL, close, is_turn_end, name_of, set_up, sim, start, tool_result};

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
    let mut spotted = Vec::new();
    Decoder::new(24_000).push(&pcm_of(events), &mut spotted);
    spotted.into_iter().map(|spotted| spotted.word).collect()
}

fn pcm_of(events: &[Value]) -> Vec<i16> {
    let mut pcm = Vec::new();
    for event in events {
        if let Some(content) = event["event"]["audioOutput"]["content"].as_str() {
            let bytes = BASE64_STANDARD.decode(content).expect("base64");
            let (pairs, _) = bytes.as_chunks::<2>();
            pcm.extend(pairs.iter().map(|pair| i16::from_le_bytes(*pair)));
        }
    }
    pcm
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
    let answer = count::answer(17, 3);
    assert_eq!(texts(&events, "ASSISTANT", "SPECULATIVE"), count::sentences(&answer, 2));
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

#[tokio::test]
async fn a_tool_is_called_over_the_wire() {
    let sim = sim(&[]).await;
    let schema = json!({ "properties": { "id": { "type": "integer" } }, "required": ["id"] });
    let tools = json!([{ "toolSpec": {
        "name": "order_status", "description": "Looks up an order.",
        "inputSchema": { "json": schema.to_string() },
    } }]);
    let opened = Client::of(&sim).open(MODEL, set_up(&tools)).await;
    let mut talk = opened.expect("an open stream");
    talk.say("order status 17").await;
    let events = talk.until(|event| name_of(event) == "toolUse").await;
    let tool_use = &events[events.len() - 1]["event"]["toolUse"];
    assert_eq!(tool_use["content"], r#"{"id":17}"#);
    let use_id = tool_use["toolUseId"].as_str().expect("an id");
    for event in tool_result(use_id, r#"{"result":{"boxes":3}}"#) {
        talk.send(event).await;
    }
    let events = talk.until(is_turn_end).await;
    assert_eq!(words_spoken(&events), Word::all_in("3"));
    assert_eq!(sim.counts().protocol_errors, [""; 0]);
}

#[tokio::test]
async fn speech_is_recognised_and_answered_aloud() {
    let standard = SimSettings::standard();
    let model = "/usr/share/pocketsphinx/model/en-us".into();
    let sim = start(SimSettings { ears: Ears::PocketSphinx(model), ..standard }).await;
    let mut talk = Client::of(&sim).talk().await;
    let mut said =
        synthesise(Voice::Slt, 1.0, "what is the weather today", 160_000).expect("a speech engine");
    said.resize(said.len() + 8_000, 0);
    talk.speak(&said).await;
    let events = talk.until(is_turn_end).await;
    let [heard] = &texts(&events, "USER", "FINAL")[..] else { panic!("one transcript") };
    assert!(heard.contains("weather"), "{heard}");
    let planned = texts(&events, "ASSISTANT", "SPECULATIVE");
    assert!(planned[0].contains(heard.as_str()), "{planned:?}");
    let loudest = pcm_of(&events).into_iter().max();
    assert!(loudest > Some(1_000), "{loudest:?}");
}
