//! The question that asks the user before a tool is executed, and whether the answer is a yes.

use serde_json::{Map, Value};

use super::json::clip;
use super::spec::{Confirm, ToolSpec};
use crate::limits::{TOOL_QUESTION_ARGUMENT_CHARS_MAX, TOOL_SAYING_CHARS_MAX};

/// What an utterance says to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Yes,
    No,
    /// Neither: the conversation went elsewhere.
    Other,
    /// No words in it.
    Nothing,
}

/// Sounds before the words that count.
const HESITATIONS: [&str; 10] = ["um", "uh", "er", "erm", "hm", "hmm", "ah", "oh", "well", "so"];

/// Judges an utterance strictly: whoever asks once too often is forgiven, whoever acts without a yes is
/// not. A word of refusal or doubt outweighs every yes, and a question is no answer.
pub(super) fn judge(utterance: &str, confirm: &Confirm) -> Reply {
    let words = words(utterance);
    let meant = words.iter().skip_while(|word| HESITATIONS.contains(&word.as_str()));
    let meant: Vec<&String> = meant.collect();
    if words.is_empty() {
        Reply::Nothing
    } else if confirm.no.iter().any(|phrase| stands_in(&meant, phrase)) {
        Reply::No
    } else if utterance.trim_end().ends_with('?') {
        Reply::Other
    } else if confirm.yes.iter().any(|phrase| begins_or_ends(&meant, phrase)) {
        Reply::Yes
    } else {
        Reply::Other
    }
}

fn stands_in(utterance: &[&String], phrase: &str) -> bool {
    let phrase = words(phrase);
    !phrase.is_empty() && utterance.windows(phrase.len()).any(|part| is_same(part, &phrase))
}

fn begins_or_ends(utterance: &[&String], phrase: &str) -> bool {
    let phrase = words(phrase);
    let length = phrase.len();
    if phrase.is_empty() || utterance.len() < length {
        return false;
    }
    let last = &utterance[utterance.len() - length..];
    is_same(&utterance[..length], &phrase) || is_same(last, &phrase)
}

fn is_same(part: &[&String], phrase: &[String]) -> bool {
    part.iter().copied().eq(phrase)
}

/// Lower-case words without apostrophes, so that "That's", "that’s" and "thats" are one.
fn words(text: &str) -> Vec<String> {
    let text: String = text.to_lowercase().chars().filter(|c| !matches!(c, '\'' | '’')).collect();
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// What the user is asked, with the arguments filled in.
pub(super) fn question(spec: &ToolSpec, confirm: &Confirm, arguments: &Value) -> String {
    let none = Map::new();
    let arguments = arguments.as_object().unwrap_or(&none);
    let text = match &confirm.question {
        Some(template) => filled(template, arguments),
        None => {
            let name = spec.name.replace(['_', '-'], " ");
            let listed: Vec<String> = arguments
                .iter()
                .map(|(key, value)| format!("{}: {}", key.replace('_', " "), shown(value)))
                .collect();
            let listed = listed.join(", ");
            let with = if listed.is_empty() { listed } else { format!(" with {listed}") };
            format!("Shall I do this: {name}{with}?")
        }
    };
    clip(&text, TOOL_SAYING_CHARS_MAX)
}

/// The arguments that a question names, or what is wrong with its braces.
pub(super) fn placeholders(template: &str) -> Result<Vec<&str>, String> {
    let mut names = Vec::new();
    let mut rest = template;
    while let Some((_, after)) = rest.split_once('{') {
        let (name, after) =
            after.split_once('}').ok_or("expected a } for every {, received one without")?;
        names.push(name);
        rest = after;
    }
    Ok(names)
}

fn filled(template: &str, arguments: &Map<String, Value>) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        text.push_str(before);
        text.push_str(&arguments.get(name).map_or_else(|| "unspecified".to_owned(), shown));
        rest = after;
    }
    text + rest
}

/// A value as it is said: texts without quotes, everything else as JSON.
fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    clip(&text, TOOL_QUESTION_ARGUMENT_CHARS_MAX)
}

#[cfg(test)]
mod tests;
