//! Single settings laid over those of an agent: `turn.silence_ms=400`.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::agents::{self, ClipSources, Sources};
use crate::agent::AgentSettings;
use crate::call::settings::EndpointStrategy;
use crate::yaml::{self, Errors};

/// A small YAML document, by key.
#[derive(Debug)]
enum Node {
    Value(String),
    Map(BTreeMap<String, Self>),
}

/// `settings` with each `key=value` of `sets` laid over it. The keys are those of an agent in the
/// configuration file, with dots between, and decoded as there.
pub fn overlay(settings: &AgentSettings, sets: &[String]) -> Result<AgentSettings, String> {
    let mut root = BTreeMap::new();
    for set in sets {
        let (key, value) =
            set.split_once('=').ok_or_else(|| format!("expected KEY=VALUE, received `{set}`"))?;
        insert(&mut root, key.trim(), key.trim(), value.trim())?;
    }
    let mut text = String::new();
    write(&mut text, &root, 0);
    let listed = |errors: Vec<yaml::YamlError>| {
        let shown = errors.iter().map(|error| format!("{}: {}", error.path, error.problem));
        shown.collect::<Vec<_>>().join("\n")
    };
    let document = yaml::parse(&text).map_err(listed)?;
    let mut errors = Errors::new();
    let (recorded, mut settings) = (settings, settings.clone());
    if let Some(mut fields) = document.root().fields(&mut errors, &agents::SETTINGS) {
        // A clip of any language is refused below. What the backend can do is not recorded.
        let sources = Sources { folder: None, ends_turns: true, is_english: true };
        let (_, clips) = agents::settings(&mut fields, &mut settings, &sources);
        if clips != ClipSources::default() {
            fields.refuse("wait", "a replay has the clips of its recording and no others");
        }
        if asks_model(&settings) && !asks_model(recorded) {
            let problem = "the model was not asked in the recorded call, so that its answers are not \
                           known; expected `silence` or `adaptive`";
            fields.refuse("turn", problem);
        }
    }
    errors.into_result(settings).map_err(listed)
}

const fn asks_model(settings: &AgentSettings) -> bool {
    matches!(settings.call.endpoint.strategy, EndpointStrategy::Semantic { .. })
}

fn insert(
    map: &mut BTreeMap<String, Node>,
    whole: &str,
    key: &str,
    value: &str,
) -> Result<(), String> {
    let (first, rest) =
        key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if first.is_empty() || !first.chars().all(is_name) {
        return Err(format!("expected a key such as turn.silence_ms, received `{whole}`"));
    }
    let Some(rest) = rest else {
        return match map.insert(first.to_owned(), Node::Value(value.to_owned())) {
            None => Ok(()),
            Some(_) => Err(format!("`{whole}` is set twice")),
        };
    };
    let inner = map.entry(first.to_owned()).or_insert_with(|| Node::Map(BTreeMap::new()));
    match inner {
        Node::Map(inner) => insert(inner, whole, rest, value),
        Node::Value(_) => Err(format!("`{first}` is set to a value and `{whole}` is within it")),
    }
}

fn write(text: &mut String, map: &BTreeMap<String, Node>, depth: usize) {
    for (key, node) in map {
        let indent = "  ".repeat(depth);
        let written = match node {
            Node::Value(value) => writeln!(text, "{indent}{key}: {value}"),
            Node::Map(_) => writeln!(text, "{indent}{key}:"),
        };
        written.expect("writing to a string cannot fail");
        if let Node::Map(inner) = node {
            write(text, inner, depth + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::call::settings::{EndpointSettings, InterruptionPolicy};

    fn laid_over(sets: &[&str]) -> Result<AgentSettings, String> {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        overlay(&AgentSettings::default(), &sets)
    }

    #[test]
    fn keys_of_the_configuration_change_only_what_they_name() {
        let settings = laid_over(&["turn.silence_ms=400", "speech.start_threshold = 0.7"]);
        let mut expected = AgentSettings::default();
        expected.call.endpoint = EndpointSettings::silence(Duration::from_millis(400));
        expected.call.speech.start_threshold = 0.7;
        assert_eq!(settings, Ok(expected));
    }

    #[test]
    fn what_is_not_named_stays_as_it_was_recorded() {
        let mut recorded = AgentSettings::default();
        let call = &mut recorded.call;
        call.endpoint = EndpointSettings::silence(Duration::from_millis(700));
        call.interruption.policy = InterruptionPolicy::Words(3);
        call.interruption.protected = vec!["legal".to_owned()];
        call.wait.filler = Some(Duration::from_secs(2));
        call.idle.after = Some(Duration::from_secs(9));
        call.idle.prompts = vec!["Hello?".to_owned()];
        let sets = [
            "turn.reply_timeout_ms=9000",
            "interruption.first_words=2",
            "wait.filler_after_ms=1500",
            "idle.hang_up=true",
        ];
        let mut expected = recorded.clone();
        expected.call.reply_timeout = Duration::from_secs(9);
        expected.call.interruption.first_words = 2;
        expected.call.wait.filler = Some(Duration::from_millis(1_500));
        expected.call.idle.hang_up = true;
        assert_eq!(overlay(&recorded, &sets.map(str::to_owned)), Ok(expected));
        let semantic = EndpointStrategy::Semantic { threshold: 0.4 };
        recorded.call.endpoint.strategy = semantic;
        let other = overlay(&recorded, &["turn.endpoint.max_ms=2000".to_owned()]);
        assert_eq!(other.map(|settings| settings.call.endpoint.strategy), Ok(semantic));
    }

    #[test]
    fn what_cannot_be_set_is_named() {
        let rows = [
            ("turn.silence_ms", "expected KEY=VALUE"),
            ("turn.silence_ms=9", "turn.silence_ms: expected milliseconds from 100 to 5000"),
            ("turn.silense_ms=400", "did you mean `silence_ms`"),
            ("turn.endpoint.strategy=semantic", "needs `model: FILE`"),
            ("wait.apology.text=Oh.", "wait: a replay has the clips of its recording"),
            ("persona=rude", "persona: unknown key"),
            ("a b=1", "expected a key such as turn.silence_ms"),
        ];
        for (set, expected) in rows {
            let error = laid_over(&[set]).expect_err(set);
            assert!(error.contains(expected), "{set}: {error}");
        }
        let twice = laid_over(&["turn.silence_ms=400", "turn.silence_ms=500"]);
        assert_eq!(twice, Err("`turn.silence_ms` is set twice".to_owned()));
    }
}
