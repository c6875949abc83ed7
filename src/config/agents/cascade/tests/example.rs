//! What `deploy/antiphon.example.yaml` says of a cascade.

use super::super::providers::ProviderKind;
use super::super::{asr, llm, tts};
use super::settings;

const EXAMPLE: &str = include_str!("../../../../../deploy/antiphon.example.yaml");

/// The lines of the section, without the signs of a comment. Its variables are the one that the tests have.
fn section() -> Vec<String> {
    let lines = EXAMPLE.lines().skip_while(|line| *line != "    # cascade:").skip(1);
    let lines = lines.map_while(|line| line.strip_prefix("    # "));
    let stages = ["ASR_API_KEY", "LLM_API_KEY", "TTS_API_KEY"];
    let providers = ["DEEPGRAM_API_KEY", "CARTESIA_API_KEY", "ELEVENLABS_API_KEY"];
    let with_key = |line: &str| {
        let variables = stages.iter().chain(&providers);
        variables.fold(line.to_owned(), |line, name| line.replace(name, "KEY"))
    };
    lines.map(with_key).collect()
}

#[test]
fn the_section_is_right() {
    let indented = section().iter().map(|line| format!("\n    {line}")).collect::<String>();
    settings(&indented);
}

#[test]
fn so_is_each_alternative() {
    let (mut stage, mut count) = ("", 0);
    for line in section() {
        let line = line.trim_start();
        if let Some(begun) = ["asr:", "llm:", "tts:"].iter().find(|key| line.starts_with(**key)) {
            stage = begun;
        }
        if let Some(provider) = line.strip_prefix("# ")
            && provider.starts_with("{kind: ")
        {
            // A comment behind it ends with its line.
            settings(&format!("{{{stage} {provider}\n      }}"));
            count += 1;
        }
    }
    assert_eq!(count, 10, "every kind but the three of the section and the two of this machine");
}

#[test]
fn every_key_of_every_kind_is_in_the_example() {
    fn keys<K>(kinds: &[ProviderKind<K>]) -> Vec<&'static str> {
        kinds.iter().flat_map(|(_, _, keys)| keys.concat()).collect()
    }
    let known = [keys(&asr::KINDS), keys(&llm::KINDS), keys(&tts::KINDS)].concat();
    let missing: Vec<_> =
        known.iter().filter(|key| !EXAMPLE.contains(&format!("{key}: "))).collect();
    assert_eq!(missing, [&""; 0]);
}
